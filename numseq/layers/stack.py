"""LSTMs on top of one another: each layer reads the outputs of the one below."""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.layers.bidirectional import BiLSTMParams, BiLSTMTrace, bilstm
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.lstm import STANDARD, LSTMParams, LSTMTrace, lstm
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class StackGrad:
    dx: Array  # (T, B, D)
    dh0: Array  # (L, B, H), or (L, 2, B, H) when bidirectional
    dc0: Array
    params: list[LSTMParams | BiLSTMParams]


@dataclass(slots=True)
class StackTrace(Trace):
    """What `stack` computed: h, the outputs of the top layer, the final states of all, and each layer's trace."""

    outputs = ("h", "h_T", "c_T")
    layers: list[LSTMTrace | BiLSTMTrace]
    dropouts: list[DropoutTrace]  # between layer k and k + 1
    h: Array
    h_T: Array
    c_T: Array

    def backward(self, dh=None, dh_T=None, dc_T=None):
        """From the top layer down: the dx of a layer is the dh of the one below."""
        grads = []
        for k in reversed(range(len(self.layers))):
            ends = (None if d is None else d[k] for d in (dh_T, dc_T))
            grads.insert(0, self.layers[k].backward(dh, *ends))
            if k:
                dh = self.dropouts[k - 1].backward(grads[0].dx).dx
        xp = array_module(self.h)
        return StackGrad(
            dx=grads[0].dx,
            dh0=xp.stack([g.dh0 for g in grads]),
            dc0=xp.stack([g.dc0 for g in grads]),
            params=[g.params for g in grads],
        )


def stack(x, h0, c0, params, mask=None, dropout_masks=None, reverse=False, cell=STANDARD):
    """A stack of L LSTMs, or of bidirectional ones, with dropout between them.

    Equations: x^(0) = x;  x^(k+1) = dropout(LSTM_k(x^(k)));  the top layer's outputs are not dropped.

    Args: x, (T, B, D). h0, c0, (L, B, H), or (L, 2, B, H) when the layers are bidirectional. params: a list of L
        LSTMParams or of L BiLSTMParams. mask, (T, B) or None. dropout_masks: L - 1 masks of the shape of a layer's
        output, or None for no dropout. reverse: read right to left (one direction only).
        cell: as of `lstm`.
    Returns: a StackTrace with h (T, B, H) or (T, B, 2H), h_T and c_T of the shape of h0.
    Backward: StackTrace.backward.
    """
    xp = array_module(x)
    layers, dropouts = [], []
    for k, layer in enumerate(params):
        if k:
            dropouts.append(dropout(x, dropout_masks[k - 1] if dropout_masks else None))
            x = dropouts[-1].y
        if isinstance(layer, BiLSTMParams):
            layers.append(bilstm(x, h0[k], c0[k], layer, mask, cell))
        else:
            layers.append(lstm(x, h0[k], c0[k], layer, mask, reverse, cell))
        x = layers[-1].h
    return StackTrace(
        layers=layers,
        dropouts=dropouts,
        h=x,
        h_T=xp.stack([layer.h_T for layer in layers]),
        c_T=xp.stack([layer.c_T for layer in layers]),
    )
