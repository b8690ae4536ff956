"""The gated recurrent unit as it was proposed (Cho et al. 2014), reset before the product.

r_t = sigma(x_t W_r + h_{t-1} U_r + b_r)                          reset gate
z_t = sigma(x_t W_z + h_{t-1} U_z + b_z)                          update gate: how much of the old state is kept
v_t = r_t * h_{t-1}
n_t = tanh(x_t W_n + v_t U_n + b_n)                               candidate
h_t = (1 - z_t) * n_t + z_t * h_{t-1}                             hidden state

Cho et al. 2014, equations 5 to 8, and Bahdanau et al. 2015, appendix A.1.1 (where z and 1 - z change places); Theano's
tutorials, Keras with reset_after=False. The product with U_n waits for r_t. The other convention is
`numseq.layers.cells.gru`, whose parameters these are, without b_h.
"""

from collections.abc import Callable
from dataclasses import dataclass

from numseq.backend import Array, DType, Generator, array_module
from numseq.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from numseq.layers.cells.cell import Cell, HiddenState, undo
from numseq.layers.cells.gru import GRU, GRUParams, GRUStepGrad, blocks, init_gru
from numseq.layers.fit import Fit
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import rows
from numseq.record import StepGrad, StepRecord, Steps


@dataclass(slots=True)
class GRUBeforeStep(StepRecord):
    """One time step of a GRU that resets before the product: (B, H), but a (B, 3H)."""

    inputs, outputs, blocks = ("h_prev", "a"), ("h",), "rzn"
    h_prev: Array = None
    a: Array = None  # pre-activations r, z, n, that of n without v U_n
    r: Array = None
    v: Array = None  # r * h_prev
    z: Array = None
    n: Array = None
    h: Array = None

    def backward(self, dh: Array) -> "GRUBeforeStepGrad":
        """See `gru_before_step_backward`."""
        return gru_before_step_backward(self, dh)


STEP = Fit(h_prev="... H", a="... 3H")


def gru_before_step(
    a: Array, h_prev: Array, params: GRUParams, record: type[GRUBeforeStep] = GRUBeforeStep
) -> GRUBeforeStep:
    """One GRU step, reset before the product, which therefore waits for r.

    Args: a, (B, 3H): x_t W_x + b, and for r and z also h_{t-1} [U_r, U_z]. h_prev, (B, H). params: W_h (H, 3H), of
        which U_n is the last block. record: a subclass of GRUBeforeStep with another backward.
    Returns: the GRUBeforeStep, or that record.
    Backward: gru_before_step_backward.
    Source: Cho et al. 2014, equations 5 to 8.
    """
    STEP(h_prev, a)
    s, (_, _, U_n) = record(), blocks(params.W_h)
    s.params, s.h_prev, s.a = params, h_prev, a
    a_r, a_z, a_n = blocks(s.a)
    s.r = sigmoid(a_r)
    s.v = s.r * s.h_prev
    s.z = sigmoid(a_z)
    s.n = tanh(a_n + s.v @ U_n)
    s.h = (1 - s.z) * s.n + s.z * s.h_prev
    return s


@dataclass(slots=True)
class GRUBeforeStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the derivative of the loss by it. (B, H), da (B, 3H)."""

    equations = {name: GRUStepGrad.equations[name] for name in ("dh", "dz", "dn")} | {
        "dv": "da_n U_n^T, with da_n = dn * (1 - n^2), since n = tanh(a_n + v U_n)",
        "dr": "dv * h_prev, since v = r * h_prev",
        "dh_prev": "dh * z + dv * r, since h = (1 - z) * n + z * h_prev and v = r * h_prev",
        "da": GRUStepGrad.equations["da"],
    }
    dh: Array = None
    dz: Array = None
    dn: Array = None
    dv: Array = None
    dr: Array = None
    dh_prev: Array = None
    da: Array = None


def gru_before_step_backward(s: GRUBeforeStep, dh: Array) -> GRUBeforeStepGrad:
    """From the gradient of h, (B, H), to those of the pre-activations a, of v, and of h_prev without [U_r, U_z].

    Returns: a GRUBeforeStepGrad.
    """
    grad, (_, _, U_n) = GRUBeforeStepGrad(), blocks(s.params.W_h)
    grad.dh = dh
    grad.dz = grad.dh * (s.h_prev - s.n)  # h = (1 - z) * n + z * h_prev
    grad.dn = grad.dh * (1 - s.z)
    da_n = tanh_backward(grad.dn, s.n)  # n = tanh(a_n + v U_n)
    grad.dv = da_n @ U_n.swapaxes(-1, -2)
    grad.dr = grad.dv * s.h_prev  # v = r * h_prev
    grad.dh_prev = grad.dh * s.z + grad.dv * s.r
    da_r, da_z = sigmoid_backward(grad.dr, s.r), sigmoid_backward(grad.dz, s.z)
    grad.da = array_module(dh).concatenate([da_r, da_z, da_n], axis=-1)
    return grad


@dataclass(frozen=True)
class GRUBefore(Cell):
    """The GRU as a cell (see `numseq.layers.cells.cell`), reset before the product.

    step: of your own, takes a, h_prev and params. Its record has h, and v, what U_n multiplies; what its `backward(dh)`
    returns has da (B, 3H), and dh_prev, what reaches h_prev but by [U_r, U_z].
    """

    State = HiddenState
    shapes = GRU.shapes
    step: Callable = gru_before_step

    @property
    def equations(self) -> str | None:
        return "gru_before" if self.step is gru_before_step else None

    def init(
        self, rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> GRUParams:
        """First values; see `init_gru`."""
        return init_gru(rng, inputs, hidden, dtype, initializer, reset_after=False)

    def forward(self, a: Array, state: HiddenState, params: GRUParams) -> GRUBeforeStep:
        (h_prev,), n = state, 2 * state.h.shape[-1]
        a[..., :n] += h_prev @ params.W_h[..., :n]
        return self.step(a, h_prev, params)

    def backward(
        self, s: GRUBeforeStep, dstate: HiddenState, params: GRUParams
    ) -> tuple[GRUBeforeStepGrad, HiddenState]:
        H, G = params.W_h.shape[-2:]
        grad = undo(s, dstate, da=G, dh_prev=H)
        product = grad.da[..., : 2 * H] @ params.W_h[..., : 2 * H].swapaxes(-1, -2)
        return grad, HiddenState(grad.dh_prev + product)

    def weight_gradients(
        self, x: Array, saved: None, h_prev: Array, steps: Steps, da: Array, params: GRUParams
    ) -> tuple[Array, GRUParams]:
        """As of any cell, but that U_n was multiplied by v and not by h_{t-1}."""
        n = 2 * h_prev.shape[-1]
        dx, dparams = super().weight_gradients(x, saved, h_prev, steps, da, params)
        dparams.W_h[:, n:] = rows(steps.v).T @ rows(da)[:, n:]
        return dx, dparams
