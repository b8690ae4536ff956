"""One sequence read left to right and right to left, side by side, by any cell (Schuster & Paliwal 1997).

Both directions share each step's pointwise equations, so the loop over time is run once, with states (2, B, H) and
weights (2, H, G). Time in there is steps done, not position: at step t the second direction stands at position T-1-t.
"""

from dataclasses import dataclass
from typing import Any

from numseq import params as trees
from numseq.backend import array_module
from numseq.layers.dropout import DropoutTrace
from numseq.layers.init import DEFAULT
from numseq.layers.lstm import STANDARD
from numseq.layers.recurrent import RecurrentGrad, Unroll, bptt, drop_weights
from numseq.params import common_dtype
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class BidirectionalParams:
    ahead: Any  # of the cell that reads left to right
    back: Any  # of the cell that reads right to left


@dataclass(slots=True)
class BidirectionalTrace(Trace):
    """What `bidirectional` computed: h (T, B, 2H), h_T and c_T (2, B, H); c_T is None for a cell without c.

    `ahead` and `back` are the records of the two directions: for an LSTM, trace.back.f[3] is the forget gate of the
    right-to-left reading at position 3, (B, H).
    """

    outputs = ("h", "h_T", "c_T")
    x: Array
    params: BidirectionalParams
    kept: tuple  # of the cell's `before`, for each direction
    weight_drop: DropoutTrace | None  # of both W_h; None when nothing of them was dropped
    run: Unroll
    h: Array
    h_T: Array
    c_T: Array | None

    @property
    def equations(self):
        """As of a RecurrentTrace: None for an own cell, whose equations are nowhere written down."""
        return "bidirectional" if getattr(self.run.cell, "equations", None) else None

    @property
    def ahead(self):
        return self.run.steps[:, 0]

    @property
    def back(self):
        return self.run.steps[::-1, 1]

    def backward(self, dh=None, dh_T=None, dc_T=None):
        """BPTT in both directions at once, then the products of each.

        Args: dh, (T, B, 2H), gradient of the outputs. dh_T, dc_T, (2, B, H), of the final states. None means 0.
        Returns: a RecurrentGrad, with dh0 and dc0 (2, B, H).
        """
        run, xp = self.run, array_module(self.x)
        if dh is not None:
            H = dh.shape[-1] // 2
            dh = xp.stack([dh[..., :H], dh[::-1, :, H:]], axis=1)
        da, (dh0, *dc0) = bptt(run, dh, (dh_T, dc_T)[: len(run.now)])
        after, (kept_ahead, kept_back) = run.cell.after, self.kept
        prev_ahead, prev_back = [p[:, 0] for p in run.prev], [p[::-1, 1] for p in run.prev]
        dx, d_ahead = after(self.x, kept_ahead, self.ahead, prev_ahead, da[:, 0], self.params.ahead)
        # the other direction's steps, turned to the order of positions
        dx_back, d_back = after(self.x, kept_back, self.back, prev_back, da[::-1, 1], self.params.back)
        dx += dx_back  # both directions read x
        if self.weight_drop:
            dW_h = self.weight_drop.backward(xp.stack([d_ahead.W_h, d_back.W_h])).dx
            d_ahead.W_h, d_back.W_h = dW_h[0], dW_h[1]
        return RecurrentGrad(
            dx=dx, dh0=dh0, dc0=dc0[0] if dc0 else None, params=BidirectionalParams(ahead=d_ahead, back=d_back)
        )


def bidirectional(x, h0, c0, params, mask=None, cell=STANDARD, zoneout=None, weight_mask=None):
    """A sequence read both ways.

    Equations: h_t = [h_t left to right; h_t right to left]. In a ragged batch the right-to-left reading carries its
    first state through the padding, so it truly begins at each row's own last token.

    Args: x, (T, B, D). h0, c0, (2, B, H), one first state per direction; c0 is None for a cell without c. params: two
        of the cell's. mask, (T, B) or None. cell: any. zoneout: as of `numseq.layers.recurrent.Unroll`, with masks
        (T, 2, B, H) in the order of steps. weight_mask, (2, H, G), as of `sequence`.
    Returns: a BidirectionalTrace with h (T, B, 2H), h_T and c_T (2, B, H).
    Backward: BidirectionalTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    state = (h0,) if c0 is None else (h0, c0)
    common_dtype(x, state, params)
    xp = array_module(x)
    (a_ahead, kept_ahead), (a_back, kept_back) = cell.before(x, params.ahead), cell.before(x, params.back)
    a = xp.stack([a_ahead, a_back[::-1]], axis=1)  # (T, 2, B, G)
    both = None if mask is None else xp.stack([mask, mask[::-1]], axis=1)
    weights = trees.map(_side_by_side, params.ahead, params.back)
    dropped, weights = drop_weights(weights, weight_mask)
    run = Unroll(cell, (a, None), state, weights, both, zoneout=zoneout)
    for t in run.order:
        run.step(t)
    h = xp.concatenate([run.now[0][:, 0], run.now[0][::-1, 1]], axis=-1)
    h_T, *c_T = run.final()
    kept = (kept_ahead, kept_back)
    return BidirectionalTrace(
        x=x, params=params, kept=kept, weight_drop=dropped, run=run, h=h, h_T=h_T, c_T=c_T[0] if c_T else None
    )


def _side_by_side(ahead, back):
    """Matrices as (2, D, G); vectors as (2, 1, G), so that they meet every row of their direction."""
    both = array_module(ahead).stack([ahead, back])
    return both if ahead.ndim == 2 else both[:, None]


def init_bidirectional(rng, inputs, hidden, dtype, cell=STANDARD, first=DEFAULT):
    """First values of both directions, each as the cell's own."""
    return BidirectionalParams(*(cell.init(rng, inputs, hidden, dtype, first) for _ in range(2)))
