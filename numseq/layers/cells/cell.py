"""What a recurrent cell is: one step there, one step back, and the products that need no loop.

Everything recurrent is built of a cell's pieces, a decoder that attends between two steps too. For inputs x (T, B, D):

    before the loop    a, saved = project_inputs(x, params)         x W_x + b of all steps: one product, a (T, B, G)
    T times            s = forward(a[t], state, params)             one step, its record; the new state is s.h, s.c
    T times            grad, dstate = backward(s, dstate, params)   one step back: its StepGrad with da, and the
                                                                    gradient of the state before
    after it           dx, dparams = weight_gradients(x, saved, h_prev, steps, da, params)
                                                                    from all h_{t-1}, records and da, stacked

Only what waits for the step before is in the loop (`numseq.layers.cells.unroll`). `saved` is what the last piece wants
of the first one; most cells want nothing, None. `State` says what is carried: a named tuple, (h,) or (h, c). `init`
draws first parameters; among them is W_h (H, .), by which H is known.

A step sees the last two axes alone. So states (B, H) may as well be (2, B, H), two directions side by side, with
weights (2, H, G) (see `numseq.layers.cells.bidirectional`); a step of one's own takes blocks as a[..., :H].
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from numseq.backend import Array, array_module
from numseq.errors import ArgumentError
from numseq.layers.fit import shape_of
from numseq.layers.linear import affine, rows
from numseq.record import StepRecord, held
from numseq.show import show


class HiddenState(NamedTuple):
    """The state of a cell that shows all it carries."""

    h: Array  # (B, H)

    def __repr__(self) -> str:
        return show(self)


class CellState(NamedTuple):
    """The state of a cell with a memory of its own behind what it shows."""

    h: Array  # (B, H)
    c: Array  # (B, H)

    def __repr__(self) -> str:
        return show(self)


class Cell:
    """Base of the cells whose pre-activations are a_t = x_t W_x + h_{t-1} W_h + b.

    What is left for such a cell to say is its `step`, a function of a, and of c_{t-1} if it has one. It returns a
    record with h, c, and a `backward(dh, dc)` that returns a record with da, dc_prev; where there is no c, without it.
    """

    State: ClassVar[Any] = HiddenState
    shapes: ClassVar[dict[str, str]] = {}  # of the parameters that a kind has, as `numseq.layers.fit` writes them
    step: Callable
    init: Callable

    def project_inputs(self, x: Array, params: Any) -> tuple[Array, Any]:
        return affine(x, params.W_x, params.b, params.b_h), None

    def forward(self, a: Array, state: Any, params: Any) -> StepRecord:
        h_prev, *c_prev = state
        a += h_prev @ params.W_h
        return self.step(a, *c_prev)

    def backward(self, s: Any, dstate: Any, params: Any) -> tuple[Any, Any]:
        H, G = params.W_h.shape[-2:]
        carried = {f"d{name}_prev": H for name in self.State._fields[1:]}
        grad = undo(s, dstate, da=G, **carried)
        return grad, self.State(grad.da @ params.W_h.swapaxes(-1, -2), *[getattr(grad, name) for name in carried])

    def weight_gradients(
        self, x: Array, saved: Any, h_prev: Array, steps: Any, da: Array, params: Any
    ) -> tuple[Array, Any]:
        dx, *dparams = product_gradients(x, h_prev, da, params)
        return dx, type(params)(*dparams)


def undo(s: StepRecord, dstate: Any, **widths: int) -> Any:
    """The backward of a step's record, which may be a reader's own: what it returns must have what its cell needs.

    Args: s, the record. dstate, the gradient of the state after the step. widths: names of gradients, and how wide.
    Returns: its StepGrad. Raises: TypeError or ValueError, when one of those is missing or has another shape.
    """
    grad, rows = s.backward(*dstate), dstate.h.shape[:-1]
    for name, width in widths.items():
        held(grad, name, (*rows, width), s.backward)
    return grad


def product_gradients(
    x: Array, h_prev: Array, da: Array, params: Any
) -> tuple[Array, Array, Array, Array | None, Array | None]:
    """(dx, dW_x, dW_h, db, db_h) of a cell whose pre-activations are a_t = x_t W_x + h_{t-1} W_h + b + b_h.

    Equations: dx_t = da_t W_x^T;  dW_x = sum over t of x_t^T da_t;  dW_h = sum over t of h_{t-1}^T da_t;  db = db_h =
        sum over t and rows of da_t. Each step used the same weights, so what it says of them adds. With steps and rows
        in one long axis of T B, each sum is one product.

    Args: x, (T, B, D). h_prev, (T, B, H), the state before each step. da, (T, B, G). params, the cell's.
    """
    da_rows = rows(da)
    db = da_rows.sum(axis=0)
    return (
        (da_rows @ params.W_x.T).reshape(x.shape),
        rows(x).T @ da_rows,
        rows(h_prev).T @ da_rows,
        None if params.b is None else db,
        None if params.b_h is None else db.copy(),
    )


def state_of(cell: Cell, state: Any, params: Any, batch: int) -> Any:
    """A first state as the cell has it.

    Args: state, a tuple in the cell's order, or the array h alone where there is no more; None for zeros. params, the
        cell's. batch, B.
    Raises: TypeError, when its parts are not those that the cell carries; ArgumentError, when one has another shape.
    """
    W_h = params.W_h
    shape = (*W_h.shape[:-2], batch, W_h.shape[-2])
    if state is None:
        return cell.State(*(array_module(W_h).zeros(shape, dtype=W_h.dtype) for _ in cell.State._fields))
    state = as_state(cell, state)
    for name, part in zip(state._fields, state, strict=True):
        if (found := shape_of(part, f"{name} of the first state")) != shape:
            raise ArgumentError(f"{name} of the first state has the shape {found}: it must be {shape}")
    return state


def as_state(cell: Cell, state: Any) -> Any:
    """A tuple or list of the parts of a state, or h alone where there is no more, as the cell's State."""
    parts = tuple(state) if isinstance(state, tuple | list) else (state,)
    if len(parts) != len(cell.State._fields):
        names = ", ".join(cell.State._fields)
        raise TypeError(
            f"the state of {type(cell).__name__} is ({names}), {len(cell.State._fields)} arrays: not {len(parts)}"
        )
    return cell.State(*parts)
