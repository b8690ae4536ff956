"""A recurrent cell over a sequence: the products of all steps at once, and the loop of `numseq.layers.cells.unroll`."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from numseq.backend import Array
from numseq.errors import ArgumentError, shown
from numseq.layers.cells.cell import Cell, state_of
from numseq.layers.cells.unroll import Unroll, bptt
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.fit import Fit
from numseq.params import common_dtype
from numseq.record import Record, Steps, Trace


@dataclass(slots=True)
class RecurrentGrad(Record):
    dx: Array  # (T, B, D)
    dstate: Any  # of the first state, as the cell has it
    params: Any


@dataclass(slots=True)
class RecurrentTrace(Trace):
    """What a cell computed over a sequence: h (T, B, H), the final state, and in `steps` every named quantity at every
    time. final.h and, where there is one, final.c are (B, H).

    The fields of `steps` can be read here too: for an LSTM, trace.f[3] is the forget gate at t = 3, (B, H). At a padded
    position they are what the step said, and h is the state, which was carried.
    """

    outputs = ("h", "final")
    x: Array
    params: Any
    saved: Any  # what `cell.project_inputs` kept
    weight_drop: DropoutTrace | None  # of W_h; None when nothing of it was dropped
    run: Unroll
    h: Array
    final: Any

    @property
    def steps(self) -> Steps:
        return self.run.steps

    @property
    def equations(self) -> str | None:
        """Under which name `numseq.mistakes` knows the backward; None for a step of one's own."""
        return getattr(self.run.cell, "equations", None)

    def __getattr__(self, name: str) -> Any:  # only called for names that are not fields of the trace
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "run").steps, name)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *dir(self.steps)]

    def backward(self, dh: Array | None = None, dfinal: Any = None) -> RecurrentGrad:
        """BPTT, then the products of all steps at once; see `bptt`.

        Args: dh, (T, B, H), gradient of the outputs. dfinal, of the final state, a tuple in its order. None means 0.
        Returns: a RecurrentGrad.
        """
        run = self.run
        da, dstate = bptt(run, dh, dfinal)
        dx, dparams = run.cell.weight_gradients(self.x, self.saved, run.before.h, run.steps, da, self.params)
        if self.weight_drop:
            dparams.W_h = self.weight_drop.backward(dparams.W_h).dx
        return RecurrentGrad(dx=dx, dstate=dstate, params=dparams)


def sequence(
    x: Array, state: Array | tuple[Array, ...] | None, params: Any, *,
    cell: Cell, mask: Array | None = None, reverse: bool = False, zoneout: tuple | None = None,
    weight_mask: Array | None = None,
) -> RecurrentTrace:  # fmt: skip
    """Any cell over a sequence.

    Equations: those of the cell, for t = 0 .. T-1 (for t = T-1 .. 0 when reversed), from the first state.
    Where the mask is False, state_t = state_{t-1}: a finished sequence carries its state.

    Args: x, (T, B, D). state, the first: (h, c) or (h,), each (B, H), as the cell has it; None for zeros. params, the
        cell's. cell: an RNN, LSTM, GRU, ..., which may have a step of your own. mask, (T, B) booleans, True where a
        token is real, or None. reverse: run from the last step to the first; h[t] is still the state at position t.
        zoneout: see `Unroll`. weight_mask, (H, G): a dropout mask of the recurrent matrix, one for all steps
        (weight-drop, Merity et al. 2018, section 2), or None.
    Returns: a RecurrentTrace with h (T, B, H) and the final state.
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ, or the state has other parts than the cell's; ArgumentError, when shapes do
        not fit.
    """
    check_shapes(cell, params, x, mask, weight_mask)
    state = state_of(cell, state, params, x.shape[1])
    common_dtype(x, state, params)
    dropped, weights = drop_weights(params, weight_mask)
    inputs, saved = cell.project_inputs(x, params)
    run = Unroll(cell, inputs, state, weights, mask=mask, reverse=reverse, zoneout=zoneout)
    for t in run.order:
        run.step(t)
    return RecurrentTrace(x=x, params=params, saved=saved, weight_drop=dropped, run=run, h=run.after.h, final=run.final)


def check_shapes(cell: Cell, params: Any, x: Array, mask: Array | None, weight_mask: Array | None = None) -> None:
    """Raise ArgumentError, unless what a sequence is given fits together; of the parameters, those that the cell's kind
    has declared (`Cell.shapes`)."""
    if isinstance(cell, type) or not hasattr(cell, "project_inputs"):
        raise ArgumentError(f"cell is {shown(cell)}: it must be a cell, such as LSTM()")
    if not hasattr(params, "W_h"):
        raise ArgumentError(f"params is {shown(params)}: it must be parameters of {type(cell).__name__}, as its `init`")
    shapes = getattr(cell, "shapes", {})
    fit = _fit_of(type(cell))  # type: ignore[arg-type]  # mypy takes no class for hashable
    fit(*[getattr(params, name, None) for name in shapes], x, mask, weight_mask)


@cache
def _fit_of(kind):
    shapes = getattr(kind, "shapes", {})
    return Fit(**shapes, x="T B D", mask="T B bool", weight_mask=shapes.get("W_h", "H G"))


def drop_weights(params: Any, mask: Array | None) -> tuple[DropoutTrace | None, Any]:
    """(the DropoutTrace of W_h, the parameters with it dropped), for any cell; (None, params) without a mask."""
    if mask is None:
        return None, params
    dropped = dropout(params.W_h, mask)
    return dropped, replace(params, W_h=dropped.y)
