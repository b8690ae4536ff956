"""The layer-normalised long short-term memory (Ba, Kiros & Hinton 2016).

a_t = LN(x_t W_x; g_x) + LN(h_{t-1} W_h; g_h) + b      pre-activations, four blocks of H columns: i, f, g, o
i_t, f_t, o_t = sigma(a_i), sigma(a_f), sigma(a_o)     gates
g_t = tanh(a_g)                                        candidate
c_t = f_t * c_{t-1} + i_t * g_t                        cell
n_t = LN(c_t; g_c) + b_c
h_t = o_t * tanh(n_t)                                  hidden state

LN(v; g) = g * (v - mean) / std over the whole of v, all four blocks of a product (see `numseq.layers.layernorm`). The
cell itself is carried as it is, only what is shown of it is normalised.

b_c stands where n begins as b does where the gates begin, so a_t has a fifth block, a_n = b_c: (T, B, 5H).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.cells.cell import Cell, CellState, undo
from numseq.layers.cells.lstm import LSTM, LSTMStepGrad, beside, blocks, gates, gates_backward, init_lstm
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.fit import Fit
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.layernorm import normalise, normalise_backward
from numseq.layers.linear import affine, rows
from numseq.record import Record, StepGrad, StepRecord, Steps


@dataclass(slots=True)
class LayerNormLSTMParams(Record):
    W_x: Array  # (D, 4H), columns in the order i, f, g, o
    W_h: Array  # (H, 4H)
    b: Array  # (4H,)
    g_x: Array  # (4H,), gain of x W_x
    g_h: Array  # (4H,), gain of h W_h
    g_c: Array  # (H,), gain of the cell
    b_c: Array  # (H,)


@dataclass(slots=True)
class LayerNormLSTMStep(StepRecord):
    """One step of a layer-normalised LSTM, with everything that its equations name: (B, H), a (B, 5H), q, q_hat and
    gates (B, 4H), q_std and c_std (B, 1)."""

    inputs, outputs, blocks, more_blocks = ("c_prev", "a", "q"), ("h", "c"), "ifgo", "n"
    c_prev: Array = None
    a: Array = None  # [a_x, b_c]: without q_hat
    q: Array = None  # h_{t-1} W_h
    q_hat: Array = None
    q_std: Array = None
    gates: Array = None  # i, f, g, o side by side
    i: Array = None
    f: Array = None
    g: Array = None
    o: Array = None
    c: Array = None
    c_hat: Array = None
    c_std: Array = None
    n: Array = None
    tanh_n: Array = None
    h: Array = None

    def backward(self, dh: Array, dc: Array) -> "LayerNormLSTMStepGrad":
        """See `layernorm_lstm_step_backward`."""
        return layernorm_lstm_step_backward(self, dh, dc)


STEP = Fit(c_prev="... H", q="... 4H", a="... 5H")


def layernorm_lstm_step(
    a: Array, q: Array, c_prev: Array, params: LayerNormLSTMParams, record: type[LayerNormLSTMStep] = LayerNormLSTMStep
) -> LayerNormLSTMStep:
    """One step of a layer-normalised LSTM from its two products.

    Args: a, (B, 5H) = [LN(x_t W_x; g_x) + b, b_c]. q, (B, 4H) = h_{t-1} W_h. c_prev, (B, H). params: g_h (4H,) and g_c
        (H,), as of LayerNormLSTMParams. record: a subclass of LayerNormLSTMStep with another backward.
    Returns: the LayerNormLSTMStep, or that record.
    Backward: layernorm_lstm_step_backward.
    Source: Ba, Kiros & Hinton 2016, equations 20 to 22 (of the supplement), where each LN has a bias of its own; here
        the sum of those of the two products is b.
    """
    STEP(c_prev, q, a)
    s, p, H = record(), params, c_prev.shape[-1]
    s.params, s.c_prev, s.a, s.q = params, c_prev, a, q
    s.q_hat, s.q_std = normalise(s.q)
    s.gates = gates(s.a[..., : 4 * H] + p.g_h * s.q_hat)
    s.i, s.f, s.g, s.o = blocks(s.gates)
    s.c = s.f * s.c_prev + s.i * s.g
    s.c_hat, s.c_std = normalise(s.c)
    s.n = s.a[..., 4 * H :] + p.g_c * s.c_hat
    s.tanh_n = tanh(s.n)
    s.h = s.o * s.tanh_n
    return s


@dataclass(slots=True)
class LayerNormLSTMStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the loss's derivative by it. (B, H), da (B, 5H), dq (B, 4H)."""

    equations = LSTMStepGrad.equations | {
        "do": "dh * tanh(n), since h = o * tanh(n)",
        "dn": "dh * o * (1 - tanh(n)^2), since h = o * tanh(n)",
        "dc_hat": "dn * g_c, since n = g_c * c_hat + b_c",
        "dc": "dc as it comes back from the next step, plus (dc_hat - mean(dc_hat) - c_hat * mean(dc_hat * c_hat)) / "
        "std, since c_hat = (c - mean(c)) / std",
        "da": "[di * i (1 - i), df * f (1 - f), dg * (1 - g^2), do * o (1 - o), dn]",
        "dq_hat": "da * g_h, without the block of n, since a = a_x + g_h * q_hat",
        "dq": "(dq_hat - mean(dq_hat) - q_hat * mean(dq_hat * q_hat)) / std, since q_hat = (q - mean(q)) / std",
    }
    dh: Array = None
    do: Array = None
    dn: Array = None
    dc_hat: Array = None
    dc: Array = None
    di: Array = None
    df: Array = None
    dg: Array = None
    dc_prev: Array = None
    da: Array = None
    dq_hat: Array = None
    dq: Array = None


def layernorm_lstm_step_backward(s: LayerNormLSTMStep, dh: Array, dc: Array) -> LayerNormLSTMStepGrad:
    """From the gradients of h and c to those of the pre-activations a, of q and of the previous cell.

    Args: s, a LayerNormLSTMStep. dh, dc, (B, H): dc is what comes back from step t + 1, without the way through h,
        which is added here.
    Returns: a LayerNormLSTMStepGrad.
    """
    grad, p = LayerNormLSTMStepGrad(), s.params
    grad.dh = dh
    grad.do = grad.dh * s.tanh_n  # h = o * tanh(n)
    grad.dn = tanh_backward(grad.dh * s.o, s.tanh_n)
    grad.dc_hat = grad.dn * p.g_c  # n = g_c * c_hat + b_c
    grad.dc = dc + normalise_backward(grad.dc_hat, s.c_hat, s.c_std)  # by c_{t+1} and by h
    grad.di = grad.dc * s.g  # c = f * c_prev + i * g
    grad.df = grad.dc * s.c_prev
    grad.dg = grad.dc * s.i
    grad.dc_prev = grad.dc * s.f
    da_gates = gates_backward(beside(grad.di, grad.df, grad.dg, grad.do), beside(s.i, s.f, s.g, s.o))
    grad.da = beside(da_gates, grad.dn)
    grad.dq_hat = da_gates * p.g_h  # a = a_x + g_h * q_hat
    grad.dq = normalise_backward(grad.dq_hat, s.q_hat, s.q_std)
    return grad


@dataclass(frozen=True)
class LayerNormLSTM(Cell):
    """The layer-normalised LSTM as a cell (see `numseq.layers.cells.cell`).

    step: of your own, takes a, q, c_prev and params. Its record has h, c, and q_hat, q_std and c_hat, by which the
    gains enter; what its `backward(dh, dc)` returns has da (B, 5H), dq (B, 4H) and dc_prev.
    """

    State = CellState
    shapes = LSTM.shapes | {"g_x": "4H", "g_h": "4H", "g_c": "H", "b_c": "H"}
    step: Callable = layernorm_lstm_step

    @property
    def equations(self) -> str | None:
        return "layernorm_lstm" if self.step is layernorm_lstm_step else None

    def init(
        self, rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> LayerNormLSTMParams:
        """First values; see `init_layernorm_lstm`."""
        return init_layernorm_lstm(rng, inputs, hidden, dtype, initializer)

    def project_inputs(self, x: Array, params: LayerNormLSTMParams) -> tuple[Array, tuple[Array, Array]]:
        """a (T, B, 5H), and what undoing LN(x W_x) needs: x_hat (T, B, 4H) and std (T, B, 1)."""
        xp = array_module(x)
        x_hat, std = normalise(affine(x, params.W_x))
        G = x_hat.shape[-1]
        a = xp.empty((*x.shape[:-1], G + params.b_c.shape[-1]), dtype=x_hat.dtype)
        a[..., :G] = params.g_x * x_hat + params.b
        a[..., G:] = params.b_c
        return a, (x_hat, std)

    def forward(self, a: Array, state: CellState, params: LayerNormLSTMParams) -> LayerNormLSTMStep:
        h_prev, c_prev = state
        return self.step(a, h_prev @ params.W_h, c_prev, params)

    def backward(
        self, s: LayerNormLSTMStep, dstate: CellState, params: LayerNormLSTMParams
    ) -> tuple[LayerNormLSTMStepGrad, CellState]:
        H, G = params.W_h.shape[-2:]
        grad = undo(s, dstate, da=G + H, dq=G, dc_prev=H)
        return grad, CellState(grad.dq @ params.W_h.swapaxes(-1, -2), grad.dc_prev)

    def weight_gradients(
        self, x: Array, saved: tuple[Array, Array], h_prev: Array, steps: Steps, da: Array, params: LayerNormLSTMParams
    ) -> tuple[Array, LayerNormLSTMParams]:
        """Each step used the same weights, so their gradients add over time and batch: one product each.

        With p = x W_x and q = h_{t-1} W_h: dx = dp W_x^T, dW_x = x^T dp, dW_h = h_{t-1}^T dq, where dp and dq come of
        da through the two normalisations, of all steps at once.
        """
        (x_hat, x_std), G = saved, params.W_x.shape[-1]
        da, dn, q_hat = da[..., :G], da[..., G:], steps.q_hat
        dp = rows(normalise_backward(da * params.g_x, x_hat, x_std))
        dq = rows(normalise_backward(da * params.g_h, q_hat, steps.q_std))
        dparams = LayerNormLSTMParams(
            W_x=rows(x).T @ dp,
            W_h=rows(h_prev).T @ dq,
            b=da.sum(axis=(0, 1)),
            g_x=(da * x_hat).sum(axis=(0, 1)),
            g_h=(da * q_hat).sum(axis=(0, 1)),
            g_c=(dn * steps.c_hat).sum(axis=(0, 1)),
            b_c=dn.sum(axis=(0, 1)),
        )
        return (dp @ params.W_x.T).reshape(x.shape), dparams


STANDARD = LayerNormLSTM()


def layernorm_lstm(
    x: Array, state: tuple[Array, Array] | None, params: LayerNormLSTMParams, *,
    mask: Array | None = None, reverse: bool = False, cell: LayerNormLSTM = STANDARD,
) -> RecurrentTrace:  # fmt: skip
    """A layer-normalised LSTM over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.cells.sequence.sequence`.

    Args: x, (T, B, D). state, the first, (h, c), each (B, H); None for zeros. params, see LayerNormLSTMParams. mask,
        reverse: as of `sequence`. cell: a LayerNormLSTM with another step, to try a changed equation.
    Returns: a RecurrentTrace with h (T, B, H), final.h and final.c (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, state, params, cell=cell, mask=mask, reverse=reverse)


def init_layernorm_lstm(
    rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
) -> LayerNormLSTMParams:
    """First values: those of `init_lstm`, gains 1, b_c = 0."""
    lstm = init_lstm(rng, inputs, hidden, dtype, initializer)
    g_x, g_h, g_c = (asarray(np.ones(size), dtype) for size in (4 * hidden, 4 * hidden, hidden))
    return LayerNormLSTMParams(lstm.W_x, lstm.W_h, lstm.b, g_x, g_h, g_c, b_c=asarray(np.zeros(hidden), dtype))
