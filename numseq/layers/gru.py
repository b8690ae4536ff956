"""The gated recurrent unit (Cho et al. 2014), in both of its conventions.

r_t = sigma(x_t W_r + h_{t-1} U_r + b_r)                          reset gate
z_t = sigma(x_t W_z + h_{t-1} U_z + b_z)                          update gate: how much of the old state is kept
n_t = tanh(x_t W_n + (r_t * h_{t-1}) U_n + b_n)                   candidate, reset before the product, or
n_t = tanh(x_t W_n + r_t * (h_{t-1} U_n + b_h) + b_n)             candidate, reset after it
h_t = (1 - z_t) * n_t + z_t * h_{t-1}                             hidden state

Before: Cho et al. 2014, equations 5 to 8, and Bahdanau et al. 2015, appendix A.1.1 (where z and 1 - z change places);
Theano tutorials, Keras with reset_after=False. After: cuDNN, and with it PyTorch, TensorFlow and Keras today: all
products with h_{t-1} are one, made before r_t is known. W_x = [W_r, W_z, W_n] and W_h = [U_r, U_z, U_n] side by side.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import array_module, asarray
from numseq.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from numseq.layers.init import DEFAULT
from numseq.layers.linear import affine, rows
from numseq.layers.recurrent import sequence
from numseq.record import StepGrad, StepRecord, put

Array = Any


@dataclass(slots=True)
class GRUParams:
    W_x: Array  # (D, 3H), columns in the order r, z, n
    W_h: Array  # (H, 3H)
    b: Array | None  # (3H,)
    b_h: Array | None = None  # (3H,), added to the products with h_{t-1}; its part of n stands inside r * (...)


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


@dataclass(slots=True)
class GRUStep(StepRecord):
    """One time step of a GRU that resets after the product: (B, H), but a (B, 3H)."""

    inputs, outputs, blocks = ("h_prev", "a", "u"), ("h",), "rzn"
    h_prev: Array = None
    a: Array = None  # pre-activations r, z, n, that of n without r * u; None in a sequence
    u: Array = None  # h_prev U_n + b_h
    r: Array = None
    z: Array = None
    n: Array = None
    h: Array = None

    def backward(self, dh, da=None):
        """From the gradient of h to those of the pre-activations a, of u, and of h_prev without the products.

        Args: dh, (B, H). da, (B, 3H): where to write; None makes a new array. Returns: a GRUStepGrad.
        """
        concatenate, grad = array_module(dh).concatenate, GRUStepGrad(dh)
        grad.step = self
        grad.dz = dh * (self.h_prev - self.n)  # h = (1 - z) * n + z * h_prev
        grad.dn = dh * (1 - self.z)
        grad.dh_prev = dh * self.z
        da_n = tanh_backward(grad.dn, self.n)  # n = tanh(a_n + r * u)
        grad.dr = da_n * self.u
        grad.du = da_n * self.r
        da_r, da_z = sigmoid_backward(grad.dr, self.r), sigmoid_backward(grad.dz, self.z)
        grad.da = concatenate([da_r, da_z, da_n], axis=-1, out=da)
        return grad


def gru_step(a, u, h_prev, s=None):
    """One GRU step, reset after the product.

    Args: a, (B, 3H): x_t W_x + b, and for r and z also h_{t-1} [U_r, U_z]. u, (B, H) = h_{t-1} U_n + b_h. h_prev,
        (B, H). s, a record whose fields are where to write, or None for new arrays.
    Returns: the GRUStep.
    Backward: GRUStep.backward.
    Source: the equations of PyTorch's and cuDNN's GRU.
    """
    xp = array_module(a)
    s = GRUStep() if s is None else s
    s.h_prev, s.a, s.u = h_prev, a, u
    a_r, a_z, a_n = blocks(s.a)
    s.r = sigmoid(a_r, out=s.r)
    s.z = sigmoid(a_z, out=s.z)
    s.n = tanh(xp.add(a_n, s.r * s.u, out=s.n), out=s.n)
    s.h = xp.add((1 - s.z) * s.n, s.z * s.h_prev, out=s.h)
    return s


@dataclass(slots=True)
class GRUBeforeStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the derivative of the loss by it. (B, H), da (B, 3H)."""

    equations = GRUStepGrad.equations | {
        "dv": "da_n U_n^T, with da_n = dn * (1 - n^2), since n = tanh(a_n + v U_n)",
        "dr": "dv * h_prev, since v = r * h_prev",
        "dh_prev": "dh * z + dv * r, since h = (1 - z) * n + z * h_prev and v = r * h_prev",
    }
    dh: Array = None
    dz: Array = None
    dn: Array = None
    dv: Array = None
    dr: Array = None
    dh_prev: Array = None
    da: Array = None


@dataclass(slots=True)
class GRUBeforeStep(StepRecord):
    """One time step of a GRU that resets before the product: (B, H), but a (B, 3H)."""

    inputs, outputs, blocks = ("h_prev", "a"), ("h",), "rzn"
    h_prev: Array = None
    a: Array = None  # pre-activations r, z, n, that of n without v U_n; None in a sequence
    r: Array = None
    v: Array = None  # r * h_prev
    z: Array = None
    n: Array = None
    h: Array = None

    def backward(self, dh, U_n, da=None):
        """From the gradient of h to those of the pre-activations a, of v, and of h_prev without [U_r, U_z].

        Args: dh, (B, H). U_n, (H, H), of the forward step. da: as of GRUStep.backward. Returns: a GRUBeforeStepGrad.
        """
        concatenate, grad = array_module(dh).concatenate, GRUBeforeStepGrad(dh)
        grad.step = self
        grad.dz = dh * (self.h_prev - self.n)  # h = (1 - z) * n + z * h_prev
        grad.dn = dh * (1 - self.z)
        da_n = tanh_backward(grad.dn, self.n)  # n = tanh(a_n + v U_n)
        grad.dv = da_n @ U_n.swapaxes(-1, -2)
        grad.dr = grad.dv * self.h_prev  # v = r * h_prev
        grad.dh_prev = dh * self.z + grad.dv * self.r
        da_r, da_z = sigmoid_backward(grad.dr, self.r), sigmoid_backward(grad.dz, self.z)
        grad.da = concatenate([da_r, da_z, da_n], axis=-1, out=da)
        return grad


def gru_before_step(a, h_prev, U_n, s=None):
    """One GRU step, reset before the product, which therefore waits for r.

    Args: a, (B, 3H): x_t W_x + b, and for r and z also h_{t-1} [U_r, U_z]. h_prev, (B, H). U_n, (H, H). s: as of
        `gru_step`.
    Returns: the GRUBeforeStep.
    Backward: GRUBeforeStep.backward.
    Source: Cho et al. 2014, equations 5 to 8.
    """
    xp = array_module(a)
    s = GRUBeforeStep() if s is None else s
    s.h_prev, s.a = h_prev, a
    a_r, a_z, a_n = blocks(s.a)
    s.r = sigmoid(a_r, out=s.r)
    s.v = xp.multiply(s.r, s.h_prev, out=s.v)
    s.z = sigmoid(a_z, out=s.z)
    s.n = tanh(xp.add(a_n, s.v @ U_n, out=s.n), out=s.n)
    s.h = xp.add((1 - s.z) * s.n, s.z * s.h_prev, out=s.h)
    return s


def blocks(a):
    """The blocks r, z, n of a (..., 3H), as views."""
    H = a.shape[-1] // 3
    return [a[..., k * H : (k + 1) * H] for k in range(3)]


@dataclass(frozen=True)
class GRU:
    """The GRU as a cell (see `numseq.layers.recurrent`). reset_after: the convention, see the module. step, record: of
    your own, to try a changed equation; None for those of the convention."""

    states = ("h",)
    reset_after: bool = True
    step: Any = None
    record: Any = None

    def __post_init__(self):
        step, record = (gru_step, GRUStep) if self.reset_after else (gru_before_step, GRUBeforeStep)
        object.__setattr__(self, "step", self.step or step)
        object.__setattr__(self, "record", self.record or record)

    @property
    def equations(self):
        return "gru" if self.reset_after else "gru_before"

    def init(self, rng, inputs, hidden, dtype, first=DEFAULT):
        """First values; see `init_gru`."""
        return init_gru(rng, inputs, hidden, dtype, first, self.reset_after)

    def before(self, x, params):
        if self.reset_after:
            return affine(x, params.W_x, params.b), None  # b_h belongs to the other product: see u
        return affine(x, params.W_x, params.b, params.b_h), None

    def storage(self, a, prev, out):
        """The sequence's record: r, z and n take the place of their pre-activations."""
        (r, z, n), new = blocks(a), array_module(a).empty_like(out[0])
        fields = {"u": new} if self.reset_after else {"v": new}
        return self.record(h_prev=prev[0], r=r, z=z, n=n, h=out[0], **fields)

    def forward(self, a, state, params, s):
        (h_prev,), n = state, 2 * state[0].shape[-1]  # where the block of the candidate begins
        if self.reset_after:
            product = h_prev @ params.W_h
            if params.b_h is not None:
                product += params.b_h
            a[..., :n] += product[..., :n]
            self.step(a, put(s.u, product[..., n:]), h_prev, s)
        else:
            a[..., :n] += h_prev @ params.W_h[..., :n]
            self.step(a, h_prev, params.W_h[..., n:], s)

    def backward(self, s, dstate, params, da):
        (dh,), W_h, n = dstate, params.W_h, 2 * dstate[0].shape[-1]
        if self.reset_after:
            grad = s.backward(dh, da)
            products = array_module(da).concatenate([da[..., :n], grad.du], axis=-1)
            return (grad.dh_prev + products @ W_h.swapaxes(-1, -2),)
        grad = s.backward(dh, W_h[..., n:], da)
        return (grad.dh_prev + da[..., :n] @ W_h[..., :n].swapaxes(-1, -2),)

    def after(self, x, kept, steps, prev, da, params):
        """dx = da W_x^T. Each step used the same weights, so their gradients add over time and batch: one product.

        W_h made [h_{t-1} U_r, h_{t-1} U_z, u], whose gradients are [da_r, da_z, da_n * r]; or, when reset comes before,
        [h_{t-1} U_r, h_{t-1} U_z, v U_n], whose gradients are da itself.
        """
        xp, da_rows = array_module(da), rows(da)
        n = 2 * prev[0].shape[-1]
        if self.reset_after:
            products = da.copy()
            products[..., n:] *= steps.r
            products = rows(products)
            dW_h = rows(prev[0]).T @ products
        else:
            products = da_rows
            dW_h = xp.concatenate([rows(prev[0]).T @ da_rows[:, :n], rows(steps.v).T @ da_rows[:, n:]], axis=-1)
        dparams = GRUParams(
            W_x=rows(x).T @ da_rows,
            W_h=dW_h,
            b=None if params.b is None else da_rows.sum(axis=0),
            b_h=None if params.b_h is None else products.sum(axis=0),
        )
        return (da_rows @ params.W_x.T).reshape(x.shape), dparams


RESET_AFTER, RESET_BEFORE = GRU(), GRU(reset_after=False)


def gru(x, h0, params, mask=None, reverse=False, cell=RESET_AFTER):
    """A GRU over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.recurrent.sequence`.

    Args: x, (T, B, D). h0, (B, H). params: W_x (D, 3H), W_h (H, 3H), b (3H,), b_h (3H,) or None. mask, reverse: as of
        `sequence`. cell: GRU() or GRU(reset_after=False), perhaps with a step of your own.
    Returns: a RecurrentTrace with h (T, B, H) and h_T (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, h0, None, params, cell, mask, reverse)


def init_gru(rng, inputs, hidden, dtype, first=DEFAULT, reset_after=True):
    """First values: Glorot for W_x, orthogonal blocks for W_h, 0 for the biases."""
    return GRUParams(
        W_x=asarray(np.hstack([first.matrix(rng, inputs, hidden) for _ in range(3)]), dtype),
        W_h=asarray(np.hstack([first.recurrent_matrix(rng, hidden) for _ in range(3)]), dtype),
        b=asarray(np.zeros(3 * hidden), dtype),
        b_h=asarray(np.zeros(3 * hidden), dtype) if reset_after else None,
    )
