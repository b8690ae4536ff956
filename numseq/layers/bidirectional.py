"""Two LSTMs over one sequence, left to right and right to left, side by side (Schuster & Paliwal 1997)."""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.layers.lstm import STANDARD, LSTMParams, LSTMTrace, init_lstm, lstm

Array = Any


@dataclass(slots=True)
class BiLSTMParams:
    ahead: LSTMParams  # reads left to right
    back: LSTMParams  # reads right to left


@dataclass(slots=True)
class BiLSTMGrad:
    dx: Array  # (T, B, D)
    dh0: Array  # (2, B, H)
    dc0: Array  # (2, B, H)
    params: BiLSTMParams


@dataclass(slots=True)
class BiLSTMTrace:
    """What `bilstm` computed: h (T, B, 2H), h_T and c_T (2, B, H), and the trace of each direction."""

    outputs = ("h", "h_T", "c_T")
    ahead: LSTMTrace
    back: LSTMTrace
    h: Array
    h_T: Array
    c_T: Array

    def backward(self, dh=None, dh_T=None, dc_T=None):
        """Split the gradient of h into its two halves; dx is the sum of both, since both directions read x."""
        H = self.ahead.h.shape[-1]
        halves = (None, None) if dh is None else (dh[..., :H], dh[..., H:])
        dh_T, dc_T = ((None, None) if d is None else d for d in (dh_T, dc_T))
        ahead, back = (
            trace.backward(half, dh_end, dc_end)
            for trace, half, dh_end, dc_end in zip((self.ahead, self.back), halves, dh_T, dc_T, strict=True)
        )
        stack = array_module(ahead.dx).stack
        return BiLSTMGrad(
            dx=ahead.dx + back.dx,
            dh0=stack([ahead.dh0, back.dh0]),
            dc0=stack([ahead.dc0, back.dc0]),
            params=BiLSTMParams(ahead=ahead.params, back=back.params),
        )


def bilstm(x, h0, c0, params, mask=None, cell=STANDARD):
    """A bidirectional LSTM.

    Equations: h_t = [h_t left to right; h_t right to left]. In a ragged batch the right-to-left reading carries its
    first state through the padding, so it truly begins at each row's own last token.

    Args: x, (T, B, D). h0, c0, (2, B, H), one first state per direction. params: two LSTMs. mask, (T, B) or None.
        cell: as of `lstm`.
    Returns: a BiLSTMTrace with h (T, B, 2H), h_T and c_T (2, B, H).
    Backward: BiLSTMTrace.backward.
    """
    xp = array_module(x)
    ahead = lstm(x, h0[0], c0[0], params.ahead, mask, cell=cell)
    back = lstm(x, h0[1], c0[1], params.back, mask, reverse=True, cell=cell)
    return BiLSTMTrace(
        ahead=ahead,
        back=back,
        h=xp.concatenate([ahead.h, back.h], axis=-1),
        h_T=xp.stack([ahead.h_T, back.h_T]),
        c_T=xp.stack([ahead.c_T, back.c_T]),
    )


def init_bilstm(rng, inputs, hidden, dtype):
    """First values of both directions; see `init_lstm`."""
    return BiLSTMParams(ahead=init_lstm(rng, inputs, hidden, dtype), back=init_lstm(rng, inputs, hidden, dtype))
