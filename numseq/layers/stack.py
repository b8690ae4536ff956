"""Recurrent layers on top of one another: each reads the outputs of the one below."""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.layers.bidirectional import BidirectionalParams, BidirectionalTrace, bidirectional
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.lstm import STANDARD
from numseq.layers.recurrent import RecurrentTrace, sequence
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class StackGrad:
    dx: Array  # (T, B, D)
    dh0: Array  # (L, B, H), or (L, 2, B, H) when bidirectional
    dc0: Array | None
    params: list


@dataclass(slots=True)
class StackTrace(Trace):
    """What `stack` computed: h, the outputs of the top layer, the final states of all, and each layer's trace."""

    outputs = ("h", "h_T", "c_T")
    layers: list[RecurrentTrace | BidirectionalTrace]
    dropouts: list[DropoutTrace]  # between layer k and k + 1
    around: list[bool]  # whether layer k's input was added to its output
    h: Array
    h_T: Array
    c_T: Array | None

    def backward(self, dh=None, dh_T=None, dc_T=None):
        """From the top layer down: the dx of a layer is the dh of the one below, plus what went around the layer."""
        grads = []
        for k in reversed(range(len(self.layers))):
            ends = (None if d is None else d[k] for d in (dh_T, dc_T))
            grads.insert(0, self.layers[k].backward(dh, *ends))
            dx = grads[0].dx
            if self.around[k] and dh is not None:
                dx = dx + dh  # y = layer(x) + x
            if k:
                dh = self.dropouts[k - 1].backward(dx).dx
        xp = array_module(self.h)
        return StackGrad(
            dx=dx,
            dh0=xp.stack([g.dh0 for g in grads]),
            dc0=None if self.c_T is None else xp.stack([g.dc0 for g in grads]),
            params=[g.params for g in grads],
        )


def stack(
    x, h0, c0, params, mask=None, dropout_masks=None, reverse=False, cell=STANDARD,
    residual=False, zoneout=None, weight_masks=None,
):  # fmt: skip
    """A stack of L recurrent layers, or of bidirectional ones, with dropout between them.

    Equations: x^(0) = x;  x^(k+1) = dropout(layer_k(x^(k)));  the top layer's outputs are not dropped. With residual
    connections, x^(k+1) = dropout(layer_k(x^(k)) + x^(k)) wherever a layer's input has the width of its output.

    Args: x, (T, B, D). h0, c0, (L, B, H), or (L, 2, B, H) when the layers are bidirectional; c0 is None for a cell
        without c. params: a list of L of the cell's parameters, or of L BidirectionalParams. mask, (T, B) or None.
        dropout_masks: L - 1 masks of the shape of a layer's output (or (1, B, H), one for all steps: variational
        dropout, Gal & Ghahramani 2016), or None. reverse: read right to left (one direction only). cell: any.
        residual: see above. zoneout, weight_masks: for each layer what `sequence` or `bidirectional` takes, or None.
    Returns: a StackTrace with h (T, B, H) or (T, B, 2H), h_T and c_T of the shape of h0.
    Backward: StackTrace.backward.
    Source: residual connections, Wu et al. 2016 ("Google's Neural Machine Translation System"), section 3.1.
    """
    xp = array_module(x)
    none = [None] * len(params)
    layers, dropouts, around = [], [], []
    for k, layer in enumerate(params):
        if k:
            dropouts.append(dropout(x, dropout_masks[k - 1] if dropout_masks else None))
            x = dropouts[-1].y
        first = h0[k], None if c0 is None else c0[k]
        noise = (zoneout or none)[k], (weight_masks or none)[k]
        if isinstance(layer, BidirectionalParams):
            layers.append(bidirectional(x, *first, layer, mask, cell, *noise))
        else:
            layers.append(sequence(x, *first, layer, cell, mask, reverse, *noise))
        h = layers[-1].h
        around.append(residual and h.shape == x.shape)
        x = h + x if around[-1] else h
    return StackTrace(
        layers=layers,
        dropouts=dropouts,
        around=around,
        h=x,
        h_T=xp.stack([layer.h_T for layer in layers]),
        c_T=None if layers[0].c_T is None else xp.stack([layer.c_T for layer in layers]),
    )
