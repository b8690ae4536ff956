"""Two LSTMs over one sequence, left to right and right to left, side by side (Schuster & Paliwal 1997)."""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.layers.lstm import LSTM, STANDARD, LSTMParams, init_lstm
from numseq.layers.recurrent import Unroll, unroll, unroll_backward
from numseq.params import common_dtype
from numseq.record import Trace

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


@dataclass(frozen=True)
class BothWays:
    """Two directions as one cell over 2B rows: the first B read left to right, the others right to left.

    The rows of a batch do not mix within a step, so both directions share its pointwise equations, and the loop over
    time is run once. Only the products know which rows have which weights. Time in here is steps done, not position:
    at step t the second half stands at position T - 1 - t.
    """

    cell: LSTM

    def before(self, x, params):
        xp = array_module(x)
        return xp.concatenate([self.cell.before(x, params.ahead), self.cell.before(x, params.back)[::-1]], axis=1)

    def storage(self, a, prev, now):
        return self.cell.storage(a, prev, now)

    def forward(self, a, state, params, s):
        for half, weights in _halves(len(a), params):
            self.cell.recur(a[half], [part[half] for part in state], weights)
        self.cell.step(a, state[1], s)

    def backward(self, s, dstate, params, da):
        dc_prev = s.backward(*dstate, da).dc_prev
        xp = array_module(da)
        halves = _halves(len(da), params)
        return xp.concatenate([self.cell.recur_backward(da[half], weights) for half, weights in halves]), dc_prev

    def after(self, x, prev, da, params):
        (ahead, _), (back, _) = _halves(da.shape[1], params)
        dx, d_ahead = self.cell.after(x, [p[:, ahead] for p in prev], da[:, ahead], params.ahead)
        # the other direction's steps, turned to the order of positions
        dx_back, d_back = self.cell.after(x, [p[::-1, back] for p in prev], da[::-1, back], params.back)
        dx += dx_back  # both directions read x
        return dx, BiLSTMParams(ahead=d_ahead, back=d_back)


def _halves(rows, params):
    """Which rows go with which weights."""
    return (slice(0, rows // 2), params.ahead), (slice(rows // 2, rows), params.back)


@dataclass(slots=True)
class BiLSTMTrace(Trace):
    """What `bilstm` computed: h (T, B, 2H), h_T and c_T (2, B, H).

    `ahead` and `back` are the records of the two directions: trace.back.f[3] is the forget gate of the right-to-left
    reading at position 3, (B, H).
    """

    outputs = ("h", "h_T", "c_T")
    x: Array
    run: Unroll
    h: Array
    h_T: Array
    c_T: Array

    @property
    def ahead(self):
        return self.run.steps[:, : self.x.shape[1]]

    @property
    def back(self):
        return self.run.steps[::-1, self.x.shape[1] :]

    def backward(self, dh=None, dh_T=None, dc_T=None):
        """Backpropagation through time in both directions at once.

        Args: dh, (T, B, 2H), gradient of the outputs. dh_T, dc_T, (2, B, H), of the final states. None means 0.
        Returns: a BiLSTMGrad.
        """
        xp, B = array_module(self.x), self.x.shape[1]
        if dh is not None:
            H = dh.shape[-1] // 2
            dh = xp.concatenate([dh[..., :H], dh[::-1, :, H:]], axis=1)
        dfinal = tuple(None if d is None else d.reshape(2 * B, -1) for d in (dh_T, dc_T))
        dx, dstate, dparams = unroll_backward(self.run, self.x, dh, dfinal)
        dh0, dc0 = (d.reshape(2, B, -1) for d in dstate)
        return BiLSTMGrad(dx=dx, dh0=dh0, dc0=dc0, params=dparams)


def bilstm(x, h0, c0, params, mask=None, cell=STANDARD):
    """A bidirectional LSTM.

    Equations: h_t = [h_t left to right; h_t right to left]. In a ragged batch the right-to-left reading carries its
    first state through the padding, so it truly begins at each row's own last token.

    Args: x, (T, B, D). h0, c0, (2, B, H), one first state per direction. params: two LSTMs. mask, (T, B) or None.
        cell: as of `lstm`.
    Returns: a BiLSTMTrace with h (T, B, 2H), h_T and c_T (2, B, H).
    Backward: BiLSTMTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    common_dtype(x, h0, c0, params)
    xp, B = array_module(x), x.shape[1]
    state = [first.reshape(2 * B, -1) for first in (h0, c0)]
    both = None if mask is None else xp.concatenate([mask, mask[::-1]], axis=1)
    run = unroll(BothWays(cell), x, state, params, both)
    h_T, c_T = (last.reshape(2, B, -1) for last in run.final())
    h = xp.concatenate([run.now[0][:, :B], run.now[0][::-1, B:]], axis=-1)
    return BiLSTMTrace(x=x, run=run, h=h, h_T=h_T, c_T=c_T)


def init_bilstm(rng, inputs, hidden, dtype):
    """First values of both directions; see `init_lstm`."""
    return BiLSTMParams(ahead=init_lstm(rng, inputs, hidden, dtype), back=init_lstm(rng, inputs, hidden, dtype))
