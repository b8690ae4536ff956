"""The long short-term memory (Hochreiter & Schmidhuber 1997; with the forget gate of Gers et al. 2000).

a_t = x_t W_x + h_{t-1} W_h + b            pre-activations, four blocks of H columns: i, f, g, o
i_t = sigma(a_i)                           input gate: how much of the candidate is written
f_t = sigma(a_f)                           forget gate: how much of the old cell is kept
g_t = tanh(a_g)                            candidate
o_t = sigma(a_o)                           output gate: how much of the cell is shown
c_t = f_t * c_{t-1} + i_t * g_t            cell
h_t = o_t * tanh(c_t)                      hidden state
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.cells.cell import Cell, CellState
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.fit import Fit
from numseq.layers.init import DEFAULT, Initializer
from numseq.record import Record, StepGrad, StepRecord


@dataclass(slots=True)
class LSTMParams(Record):
    W_x: Array  # (D, 4H), columns in the order i, f, g, o
    W_h: Array  # (H, 4H)
    b: Array | None  # (4H,)
    b_h: Array | None = None  # (4H,), a second bias, for weights that come from PyTorch; it is added to b


@dataclass(slots=True)
class LSTMStep(StepRecord):
    """One time step of an LSTM, with everything that its equations name: (B, H), but a and gates (B, 4H)."""

    inputs, outputs, blocks = ("c_prev", "a"), ("h", "c"), "ifgo"
    c_prev: Array = None
    a: Array = None
    gates: Array = None  # i, f, g, o side by side
    i: Array = None
    f: Array = None
    g: Array = None
    o: Array = None
    c: Array = None
    tanh_c: Array = None
    h: Array = None

    def backward(self, dh: Array, dc: Array) -> "LSTMStepGrad":
        """See `lstm_step_backward`."""
        return lstm_step_backward(self, dh, dc)


STEP = Fit(c_prev="... H", a="... 4H")


def lstm_step(a: Array, c_prev: Array, record: type[LSTMStep] = LSTMStep) -> LSTMStep:
    """One LSTM step from its pre-activations: the pointwise equations of the module's docstring.

    Args: a, (B, 4H) = x_t W_x + h_{t-1} W_h + b. c_prev, (B, H). record: a subclass of LSTMStep with another backward.
    Returns: the LSTMStep, or that record.
    Backward: lstm_step_backward.
    Source: Gers et al. 2000, "Learning to forget", section 2, without peepholes.
    """
    STEP(c_prev, a)
    s = record()
    s.c_prev, s.a = c_prev, a
    s.gates = gates(s.a)
    s.i, s.f, s.g, s.o = blocks(s.gates)
    s.c = s.f * s.c_prev + s.i * s.g
    s.tanh_c = tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


@dataclass(slots=True)
class LSTMStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the derivative of the loss by it. (B, H), da (B, 4H)."""

    equations = {
        "dh": "dh as an output, plus what comes back from the next step: da_{t+1} W_h^T",
        "do": "dh * tanh(c), since h = o * tanh(c)",
        "dc": "dc as it comes back from the next step, plus dh * o * (1 - tanh(c)^2), since h = o * tanh(c)",
        "di": "dc * g, since c = f * c_prev + i * g",
        "df": "dc * c_prev, since c = f * c_prev + i * g",
        "dg": "dc * i, since c = f * c_prev + i * g",
        "dc_prev": "dc * f, since c = f * c_prev + i * g",
        "da": "[di * i (1 - i), df * f (1 - f), dg * (1 - g^2), do * o (1 - o)]",
    }
    dh: Array = None
    do: Array = None
    dc: Array = None
    di: Array = None
    df: Array = None
    dg: Array = None
    dc_prev: Array = None
    da: Array = None


def lstm_step_backward(s: LSTMStep, dh: Array, dc: Array) -> LSTMStepGrad:
    """From the gradients of h and c to those of the pre-activations a and of the previous cell.

    Args: s, an LSTMStep. dh, dc, (B, H): dc is what comes back from step t + 1, without the way through h, which is
        added here.
    Returns: an LSTMStepGrad.
    """
    grad = LSTMStepGrad()
    grad.dh = dh
    grad.do = grad.dh * s.tanh_c  # h = o * tanh(c)
    grad.dc = dc + tanh_backward(grad.dh * s.o, s.tanh_c)  # c reaches the loss by c_{t+1} and by h
    grad.di = grad.dc * s.g  # c = f * c_prev + i * g
    grad.df = grad.dc * s.c_prev
    grad.dg = grad.dc * s.i
    grad.dc_prev = grad.dc * s.f
    dgates = beside(grad.di, grad.df, grad.dg, grad.do)
    grad.da = gates_backward(dgates, beside(s.i, s.f, s.g, s.o))  # i = sigma(a_i), and so on
    return grad


def gates(a: Array) -> Array:
    """The four gates in one sweep over their pre-activations.

    Equations: i = sigma(a_i), f = sigma(a_f), g = tanh(a_g), o = sigma(a_o). As sigma(x) = tanh(x / 2) / 2 + 1 / 2, all
    four are scale * tanh(scale * a) + shift, with scale 1/2 and shift 1/2 but for g, where they are 1 and 0.

    Args: a, (..., 4H).
    Returns: (..., 4H), the blocks i, f, g, o.
    """
    xp = array_module(a)
    scale, shift, _ = _constants(xp, a.shape[-1] // 4, a.real.dtype)
    y = scale * a
    xp.tanh(y, out=y)
    y *= scale
    y += shift
    return y


def gates_backward(dy: Array, y: Array) -> Array:
    """From the gradients of the four gates to those of their pre-activations, in one sweep.

    Equations: sigma' = y (1 - y) and tanh' = 1 - y^2 are both (1 - y) (y + e), with e = 0 but for g, where it is 1.

    Args: dy and the gates y, (..., 4H).
    Returns: da, (..., 4H).
    """
    _, _, e = _constants(array_module(y), y.shape[-1] // 4, y.dtype)
    da = 1 - y
    da *= y + e
    da *= dy
    return da


@cache
def _constants(xp, H, dtype):
    """scale, shift and e of the gates, (4H,) each."""
    scale, shift, e = (xp.full((4, H), value, dtype=dtype) for value in (0.5, 0.5, 0))
    scale[2], shift[2], e[2] = 1, 0, 1  # g
    return scale.reshape(-1), shift.reshape(-1), e.reshape(-1)


def blocks(a: Array) -> list[Array]:
    """The blocks i, f, g, o of a (..., 4H), as views."""
    H = a.shape[-1] // 4
    return [a[..., k * H : (k + 1) * H] for k in range(4)]


def beside(*blocks: Array) -> Array:
    """Blocks side by side: the way back from `blocks`."""
    return array_module(blocks[0]).concatenate(blocks, axis=-1)


@dataclass(frozen=True)
class LSTM(Cell):
    """The LSTM as a cell (see `numseq.layers.cells.cell`). Hand in a `step` of your own to try a changed equation:

        class CoupledStep(LSTMStep): ...                     with the backward of the new equations

        def coupled_step(a, c_prev):                         f = 1 - i
            s = CoupledStep()
            s.a, s.c_prev = a, c_prev
            s.i, _, s.g, s.o = blocks(gates(s.a))
            s.c = (1 - s.i) * s.c_prev + s.i * s.g
            s.h = s.o * tanh(s.c)
            return s

        lstm(x, state, params, cell=LSTM(step=coupled_step))

    Any record will do that has h, c, and a `backward(dh, dc)` whose result has da (B, 4H) and dc_prev (B, H).
    """

    State = CellState
    shapes = {"W_x": "D 4H", "W_h": "H 4H", "b": "4H", "b_h": "4H"}
    step: Callable = lstm_step

    @property
    def equations(self) -> str | None:
        return "lstm" if self.step is lstm_step else None

    def init(
        self, rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> LSTMParams:
        """First values; see `init_lstm`."""
        return init_lstm(rng, inputs, hidden, dtype, initializer)


STANDARD = LSTM()


def lstm(
    x: Array, state: tuple[Array, Array] | None, params: LSTMParams, *,
    mask: Array | None = None, reverse: bool = False, cell: LSTM = STANDARD,
) -> RecurrentTrace:  # fmt: skip
    """An LSTM over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.cells.sequence.sequence`.

    Args: x, (T, B, D). state, the first, (h, c), each (B, H); None for zeros. params: W_x (D, 4H), W_h (H, 4H), b
        (4H,). mask, (T, B) booleans, True where a token is real, or None. reverse: run from the last step to the first;
        h[t] is still the state at position t. cell: an LSTM with another step, to try a changed equation.
    Returns: a RecurrentTrace with h (T, B, H), final.h and final.c (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, state, params, cell=cell, mask=mask, reverse=reverse)


def init_lstm(rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT) -> LSTMParams:
    """First values: Glorot for W_x, orthogonal blocks for W_h, b = 0 but 1 for the forget gate.

    A forget gate that starts near sigma(1) = 0.73 lets gradients through from the first step on.
    Source: Jozefowicz et al. 2015, section 2.2 (forget bias); Saxe et al. 2014 (orthogonal).
    """
    b = np.zeros(4 * hidden)
    b[hidden : 2 * hidden] = initializer.forget_bias
    return LSTMParams(
        W_x=asarray(np.hstack([initializer.matrix(rng, inputs, hidden) for _ in range(4)]), dtype),
        W_h=asarray(np.hstack([initializer.recurrent_matrix(rng, hidden) for _ in range(4)]), dtype),
        b=asarray(b, dtype),
    )
