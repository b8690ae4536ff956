"""One sequence read left to right and right to left, side by side, by any cell (Schuster & Paliwal 1997).

Both directions share each step's pointwise equations, so the loop over time is run once, with states (2, B, H) and
weights (2, H, G). Time in there is steps done, not position: at step t the second direction stands at position T-1-t.
"""

from dataclasses import dataclass
from typing import Any

from numseq import params as trees
from numseq.backend import Array, DType, Generator, array_module
from numseq.layers.cells.cell import Cell, state_of
from numseq.layers.cells.lstm import STANDARD
from numseq.layers.cells.sequence import RecurrentGrad, check_shapes, drop_weights
from numseq.layers.cells.unroll import Unroll, bptt
from numseq.layers.dropout import DropoutTrace
from numseq.layers.fit import as_of
from numseq.layers.init import DEFAULT, Initializer
from numseq.params import common_dtype
from numseq.record import Record, Steps, Trace


@dataclass(slots=True)
class BidirectionalParams(Record):
    ahead: Any  # of the cell that reads left to right
    back: Any  # of the cell that reads right to left


@dataclass(slots=True)
class BidirectionalTrace(Trace):
    """What `bidirectional` computed: h (T, B, 2H), and the final state, whose parts are (2, B, H).

    `ahead` and `back` are the records of the two directions: for an LSTM, trace.back.f[3] is the forget gate of the
    right-to-left reading at position 3, (B, H).
    """

    outputs = ("h", "final")
    x: Array
    params: BidirectionalParams
    saved: tuple  # what `cell.project_inputs` kept, for each direction
    weight_drop: DropoutTrace | None  # of both W_h; None when nothing of them was dropped
    run: Unroll
    h: Array
    final: Any

    @property
    def equations(self) -> str | None:
        """As of a RecurrentTrace: None for a cell of one's own, which nobody knows."""
        return "bidirectional" if getattr(self.run.cell, "equations", None) else None

    @property
    def steps(self) -> Steps:
        """The records of both directions side by side, fields (2, B, .), in the order in which steps were done."""
        return self.run.steps

    @property
    def ahead(self) -> Steps:
        return Steps(self.steps.records, part=0)

    @property
    def back(self) -> Steps:
        return Steps(reversed(self.steps.records), part=1)

    def backward(self, dh: Array | None = None, dfinal: Any = None) -> RecurrentGrad:
        """BPTT in both directions at once, then the products of each.

        Args: dh, (T, B, 2H), gradient of the outputs. dfinal, of the final state, parts (2, B, H). None means 0.
        Returns: a RecurrentGrad, with the parts of dstate (2, B, H).
        """
        run, xp = self.run, array_module(self.x)
        if dh is not None:
            as_of(dh, "dh", self.h, "h")
            H = dh.shape[-1] // 2
            dh = xp.stack([dh[..., :H], dh[::-1, :, H:]], axis=1)
        da, dstate = bptt(run, dh, dfinal)
        gradients, (saved_ahead, saved_back), h_prev = run.cell.weight_gradients, self.saved, run.before.h
        dx, d_ahead = gradients(self.x, saved_ahead, h_prev[:, 0], self.ahead, da[:, 0], self.params.ahead)
        # the other direction's steps, turned to the order of positions
        dx_back, d_back = gradients(self.x, saved_back, h_prev[::-1, 1], self.back, da[::-1, 1], self.params.back)
        dx += dx_back  # both directions read x
        if self.weight_drop:
            dW_h = self.weight_drop.backward(xp.stack([d_ahead.W_h, d_back.W_h])).dx
            d_ahead.W_h, d_back.W_h = dW_h[0], dW_h[1]
        return RecurrentGrad(dx=dx, dstate=dstate, params=BidirectionalParams(ahead=d_ahead, back=d_back))


def bidirectional(
    x: Array, state: Array | tuple[Array, ...] | None, params: BidirectionalParams, *,
    cell: Cell = STANDARD, mask: Array | None = None, zoneout: tuple | None = None, weight_mask: Array | None = None,
) -> BidirectionalTrace:  # fmt: skip
    """A sequence read both ways.

    Equations: h_t = [h_t left to right; h_t right to left]. In a ragged batch the right-to-left reading carries its
    first state through the padding, so it truly begins at each row's own last token.

    Args: x, (T, B, D). state, the first, parts (2, B, H), one for each direction; None for zeros. params: two of the
        cell's. cell: any. mask, (T, B) or None. zoneout: as of `numseq.layers.cells.unroll.Unroll`, with masks
        (T, 2, B, H) in the order of steps. weight_mask, (2, H, G), as of `sequence`.
    Returns: a BidirectionalTrace with h (T, B, 2H), and the final state, parts (2, B, H).
    Backward: BidirectionalTrace.backward.
    Raises: TypeError, when dtypes differ, or the state has other parts than the cell's; ArgumentError, when shapes do
        not fit.
    """
    xp = array_module(x)
    for one in (params.ahead, params.back):
        check_shapes(cell, one, x, mask)
    as_of(params.back.W_h, "W_h of back", params.ahead.W_h, "that of ahead")
    weights = trees.map(_side_by_side, params.ahead, params.back)
    state = state_of(cell, state, weights, x.shape[1])
    common_dtype(x, state, params)
    (ahead, saved_ahead), (back, saved_back) = (cell.project_inputs(x, p) for p in (params.ahead, params.back))
    inputs = xp.stack([ahead, back[::-1]], axis=1)  # (T, 2, B, G)
    both = None if mask is None else xp.stack([mask, mask[::-1]], axis=1)
    if weight_mask is not None:
        as_of(weight_mask, "weight_mask", weights.W_h, "W_h of both directions")
    dropped, weights = drop_weights(weights, weight_mask)
    run = Unroll(cell, inputs, state, weights, mask=both, zoneout=zoneout)
    for t in run.order:
        run.step(t)
    states = run.after.h
    h = xp.concatenate([states[:, 0], states[::-1, 1]], axis=-1)
    saved = (saved_ahead, saved_back)
    return BidirectionalTrace(x=x, params=params, saved=saved, weight_drop=dropped, run=run, h=h, final=run.final)


def _side_by_side(ahead, back):
    """Matrices as (2, D, G); vectors as (2, 1, G), so that they meet every row of their direction."""
    both = array_module(ahead).stack([ahead, back])
    return both if ahead.ndim == 2 else both[:, None]


def init_bidirectional(
    rng: Generator, inputs: int, hidden: int, dtype: DType, cell: Cell = STANDARD, initializer: Initializer = DEFAULT
) -> BidirectionalParams:
    """First values of both directions, each as the cell's own."""
    return BidirectionalParams(*(cell.init(rng, inputs, hidden, dtype, initializer) for _ in range(2)))
