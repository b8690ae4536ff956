"""The gated recurrent unit (Cho et al. 2014), reset after the product.

r_t = sigma(x_t W_r + h_{t-1} U_r + b_r)                          reset gate
z_t = sigma(x_t W_z + h_{t-1} U_z + b_z)                          update gate: how much of the old state is kept
u_t = h_{t-1} U_n + b_h
n_t = tanh(x_t W_n + r_t * u_t + b_n)                             candidate
h_t = (1 - z_t) * n_t + z_t * h_{t-1}                             hidden state

This is the convention of cuDNN, and with it of PyTorch, TensorFlow and Keras today: all products with h_{t-1} are one,
made before r_t is known. The other, of the paper, is `numseq.layers.cells.gru_before`. W_x = [W_r, W_z, W_n] and W_h =
[U_r, U_z, U_n] side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from numseq.layers.cells.cell import Cell, HiddenState, undo
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.fit import Fit
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.record import Record, StepGrad, StepRecord, Steps


@dataclass(slots=True)
class GRUParams(Record):
    W_x: Array  # (D, 3H), columns in the order r, z, n
    W_h: Array  # (H, 3H)
    b: Array | None  # (3H,)
    b_h: Array | None = None  # (3H,), added to the products with h_{t-1}; its part of n stands inside u


@dataclass(slots=True)
class GRUStep(StepRecord):
    """One time step of a GRU that resets after the product: (B, H), but a (B, 3H)."""

    inputs, outputs, blocks = ("h_prev", "a", "u"), ("h",), "rzn"
    h_prev: Array = None
    a: Array = None  # pre-activations r, z, n, that of n without r * u
    u: Array = None  # h_prev U_n + b_h
    r: Array = None
    z: Array = None
    n: Array = None
    h: Array = None

    def backward(self, dh: Array) -> "GRUStepGrad":
        """See `gru_step_backward`."""
        return gru_step_backward(self, dh)


STEP = Fit(h_prev="... H", u="... H", a="... 3H")


def gru_step(a: Array, u: Array, h_prev: Array, record: type[GRUStep] = GRUStep) -> GRUStep:
    """One GRU step, reset after the product.

    Args: a, (B, 3H): x_t W_x + b, and for r and z also h_{t-1} [U_r, U_z]. u, (B, H) = h_{t-1} U_n + b_h. h_prev,
        (B, H). record: a subclass of GRUStep with another backward.
    Returns: the GRUStep, or that record.
    Backward: gru_step_backward.
    Source: the equations of PyTorch's and cuDNN's GRU.
    """
    STEP(h_prev, u, a)
    s = record()
    s.h_prev, s.a, s.u = h_prev, a, u
    a_r, a_z, a_n = blocks(s.a)
    s.r = sigmoid(a_r)
    s.z = sigmoid(a_z)
    s.n = tanh(a_n + s.r * s.u)
    s.h = (1 - s.z) * s.n + s.z * s.h_prev
    return s


@dataclass(slots=True)
class GRUStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the derivative of the loss by it. (B, H), da (B, 3H)."""

    equations = {
        "dh": "dh as an output, plus what comes back from the next step",
        "dz": "dh * (h_prev - n), since h = (1 - z) * n + z * h_prev",
        "dn": "dh * (1 - z), since h = (1 - z) * n + z * h_prev",
        "dr": "da_n * u, with da_n = dn * (1 - n^2), since n = tanh(a_n + r * u)",
        "du": "da_n * r, with da_n = dn * (1 - n^2), since n = tanh(a_n + r * u)",
        "dh_prev": "dh * z, since h = (1 - z) * n + z * h_prev; what the products with h_prev give comes on top",
        "da": "[dr * r (1 - r), dz * z (1 - z), dn * (1 - n^2)]",
    }
    dh: Array = None
    dz: Array = None
    dn: Array = None
    dr: Array = None
    du: Array = None
    dh_prev: Array = None
    da: Array = None


def gru_step_backward(s: GRUStep, dh: Array) -> GRUStepGrad:
    """From the gradient of h, (B, H), to those of the pre-activations a, of u, and of h_prev without the products.

    Returns: a GRUStepGrad.
    """
    grad = GRUStepGrad()
    grad.dh = dh
    grad.dz = grad.dh * (s.h_prev - s.n)  # h = (1 - z) * n + z * h_prev
    grad.dn = grad.dh * (1 - s.z)
    grad.dh_prev = grad.dh * s.z
    da_n = tanh_backward(grad.dn, s.n)  # n = tanh(a_n + r * u)
    grad.dr = da_n * s.u
    grad.du = da_n * s.r
    da_r, da_z = sigmoid_backward(grad.dr, s.r), sigmoid_backward(grad.dz, s.z)
    grad.da = array_module(dh).concatenate([da_r, da_z, da_n], axis=-1)
    return grad


def blocks(a: Array) -> list[Array]:
    """The blocks r, z, n of a (..., 3H), as views."""
    H = a.shape[-1] // 3
    return [a[..., k * H : (k + 1) * H] for k in range(3)]


@dataclass(frozen=True)
class GRU(Cell):
    """The GRU as a cell (see `numseq.layers.cells.cell`), reset after the product.

    step: of your own, to try a changed equation; it takes a, u and h_prev. Its record has h, and r, by which u enters
    (`weight_gradients` goes by du = da_n * r); what its `backward(dh)` returns has da (B, 3H), du, and dh_prev, what
    reaches h_prev but by the products.
    """

    State = HiddenState
    shapes = {"W_x": "D 3H", "W_h": "H 3H", "b": "3H", "b_h": "3H"}
    step: Callable = gru_step

    @property
    def equations(self) -> str | None:
        return "gru" if self.step is gru_step else None

    def init(
        self, rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> GRUParams:
        """First values; see `init_gru`."""
        return init_gru(rng, inputs, hidden, dtype, initializer)

    def project_inputs(self, x: Array, params: GRUParams) -> tuple[Array, None]:
        return affine(x, params.W_x, params.b), None  # b_h belongs to the other product: see u

    def forward(self, a: Array, state: HiddenState, params: GRUParams) -> GRUStep:
        (h_prev,), n = state, 2 * state.h.shape[-1]  # n: where the block of the candidate begins
        product = h_prev @ params.W_h
        if params.b_h is not None:
            product += params.b_h
        a[..., :n] += product[..., :n]
        return self.step(a, product[..., n:], h_prev)

    def backward(self, s: GRUStep, dstate: HiddenState, params: GRUParams) -> tuple[GRUStepGrad, HiddenState]:
        H, G = params.W_h.shape[-2:]
        grad = undo(s, dstate, da=G, du=H, dh_prev=H)
        da_r, da_z, _ = blocks(grad.da)
        dproduct = array_module(grad.da).concatenate([da_r, da_z, grad.du], axis=-1)
        return grad, HiddenState(grad.dh_prev + dproduct @ params.W_h.swapaxes(-1, -2))

    def weight_gradients(
        self, x: Array, saved: None, h_prev: Array, steps: Steps, da: Array, params: GRUParams
    ) -> tuple[Array, GRUParams]:
        """Each step used the same weights, so their gradients add over time and batch: one product each.

        W_h made [h_{t-1} U_r, h_{t-1} U_z, u], whose gradients are [da_r, da_z, da_n * r].
        """
        da_rows, dproduct = rows(da), da.copy()
        dproduct[..., 2 * h_prev.shape[-1] :] *= steps.r
        dproduct = rows(dproduct)
        dparams = GRUParams(
            W_x=rows(x).T @ da_rows,
            W_h=rows(h_prev).T @ dproduct,
            b=None if params.b is None else da_rows.sum(axis=0),
            b_h=None if params.b_h is None else dproduct.sum(axis=0),
        )
        return (da_rows @ params.W_x.T).reshape(x.shape), dparams


STANDARD = GRU()


def gru(
    x: Array, state: Array | tuple[Array] | None, params: GRUParams, *,
    mask: Array | None = None, reverse: bool = False, cell: Cell = STANDARD,
) -> RecurrentTrace:  # fmt: skip
    """A GRU over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.cells.sequence.sequence`.

    Args: x, (T, B, D). state, the first, h (B, H); None for zeros. params: W_x (D, 3H), W_h (H, 3H), b (3H,), b_h
        (3H,) or None. mask, reverse: as of `sequence`. cell: GRU() or GRUBefore(), perhaps with a step of your own.
    Returns: a RecurrentTrace with h (T, B, H) and final.h (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, state, params, cell=cell, mask=mask, reverse=reverse)


def init_gru(
    rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT, reset_after: bool = True
) -> GRUParams:
    """First values: Glorot for W_x, orthogonal blocks for W_h, 0 for the biases."""
    return GRUParams(
        W_x=asarray(np.hstack([initializer.matrix(rng, inputs, hidden) for _ in range(3)]), dtype),
        W_h=asarray(np.hstack([initializer.recurrent_matrix(rng, hidden) for _ in range(3)]), dtype),
        b=asarray(np.zeros(3 * hidden), dtype),
        b_h=asarray(np.zeros(3 * hidden), dtype) if reset_after else None,
    )
