"""The long short-term memory whose gates see the cell: peepholes (Gers & Schmidhuber 2000; Gers et al. 2002).

a_t = x_t W_x + h_{t-1} W_h + b            pre-activations, four blocks of H columns: i, f, g, o
i_t = sigma(a_i + p_i * c_{t-1})           input gate
f_t = sigma(a_f + p_f * c_{t-1})           forget gate
g_t = tanh(a_g)                            candidate
c_t = f_t * c_{t-1} + i_t * g_t            cell
o_t = sigma(a_o + p_o * c_t)               output gate: it sees the new cell
h_t = o_t * tanh(c_t)                      hidden state

Each peephole is one number a unit: a gate sees its own cell. Source: Graves 2013, "Generating sequences with recurrent
neural networks", equations 7 to 11. Gers et al. have no forget bias of 1, and other squashing functions than tanh.
"""

from collections.abc import Callable
from dataclasses import dataclass

from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from numseq.layers.cells.cell import Cell, CellState, product_gradients
from numseq.layers.cells.lstm import LSTM, LSTMStepGrad, beside, blocks, init_lstm
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.fit import Fit
from numseq.layers.init import DEFAULT, Initializer, uniform
from numseq.record import Record, StepGrad, StepRecord, Steps


@dataclass(slots=True)
class PeepholeParams(Record):
    W_x: Array  # (D, 4H), columns in the order i, f, g, o
    W_h: Array  # (H, 4H)
    b: Array | None  # (4H,)
    p_i: Array  # (H,)
    p_f: Array  # (H,)
    p_o: Array  # (H,)
    b_h: Array | None = None  # (4H,), a second bias; it is added to b


@dataclass(slots=True)
class PeepholeStep(StepRecord):
    """One time step of an LSTM with peepholes, with everything that its equations name: (B, H), but a (B, 4H)."""

    inputs, outputs, blocks = ("c_prev", "a"), ("h", "c"), "ifgo"
    c_prev: Array = None
    a: Array = None  # pre-activations without the peepholes
    i: Array = None
    f: Array = None
    g: Array = None
    c: Array = None
    o: Array = None
    tanh_c: Array = None
    h: Array = None

    def backward(self, dh: Array, dc: Array) -> "PeepholeStepGrad":
        """See `peephole_step_backward`."""
        return peephole_step_backward(self, dh, dc)


STEP = Fit(c_prev="... H", a="... 4H")


def peephole_step(
    a: Array, c_prev: Array, params: PeepholeParams, record: type[PeepholeStep] = PeepholeStep
) -> PeepholeStep:
    """One step of an LSTM with peepholes: the pointwise equations of the module's docstring.

    Args: a, (B, 4H) = x_t W_x + h_{t-1} W_h + b. c_prev, (B, H). params: p_i, p_f and p_o (H,), as of PeepholeParams.
        record: a subclass of PeepholeStep with another backward.
    Returns: the PeepholeStep, or that record.
    Backward: peephole_step_backward.
    Source: Graves 2013, equations 7 to 11.
    """
    STEP(c_prev, a)
    s, p = record(), params
    s.params, s.c_prev, s.a = params, c_prev, a
    a_i, a_f, a_g, a_o = blocks(s.a)
    s.i = sigmoid(a_i + p.p_i * s.c_prev)
    s.f = sigmoid(a_f + p.p_f * s.c_prev)
    s.g = tanh(a_g)
    s.c = s.f * s.c_prev + s.i * s.g
    s.o = sigmoid(a_o + p.p_o * s.c)
    s.tanh_c = tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


@dataclass(slots=True)
class PeepholeStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the derivative of the loss by it. (B, H), da (B, 4H)."""

    equations = LSTMStepGrad.equations | {
        "dc": "dc as it comes back from the next step, plus dh * o * (1 - tanh(c)^2), since h = o * tanh(c), plus "
        "do * o (1 - o) * p_o, since o = sigma(a_o + p_o * c)",
        "dc_prev": "dc * f + di * i (1 - i) * p_i + df * f (1 - f) * p_f: the cell and two of its gates read c_prev",
    }
    dh: Array = None
    do: Array = None
    dc: Array = None
    di: Array = None
    df: Array = None
    dg: Array = None
    dc_prev: Array = None
    da: Array = None


def peephole_step_backward(s: PeepholeStep, dh: Array, dc: Array) -> PeepholeStepGrad:
    """From the gradients of h and c to those of the pre-activations a and of the previous cell.

    Args: s, a PeepholeStep. dh, dc, (B, H): dc is what comes back from step t + 1, without the ways through h and o,
        which are added here.
    Returns: a PeepholeStepGrad.
    """
    grad, p = PeepholeStepGrad(), s.params
    grad.dh = dh
    grad.do = grad.dh * s.tanh_c  # h = o * tanh(c)
    da_o = sigmoid_backward(grad.do, s.o)  # o = sigma(a_o + p_o * c)
    grad.dc = dc + tanh_backward(grad.dh * s.o, s.tanh_c) + da_o * p.p_o
    grad.di = grad.dc * s.g  # c = f * c_prev + i * g
    grad.df = grad.dc * s.c_prev
    grad.dg = grad.dc * s.i
    da_i, da_f = sigmoid_backward(grad.di, s.i), sigmoid_backward(grad.df, s.f)
    grad.dc_prev = grad.dc * s.f + da_i * p.p_i + da_f * p.p_f  # the gates saw c_prev as well
    grad.da = beside(da_i, da_f, tanh_backward(grad.dg, s.g), da_o)
    return grad


@dataclass(frozen=True)
class PeepholeLSTM(Cell):
    """The LSTM with peepholes as a cell (see `numseq.layers.cells.cell`).

    step: of your own, takes a, c_prev and params. Its record has h, c and c_prev, which the peepholes look at; its
    backward is as an LSTM's.
    """

    State = CellState
    shapes = LSTM.shapes | {"p_i": "H", "p_f": "H", "p_o": "H"}
    step: Callable = peephole_step

    @property
    def equations(self) -> str | None:
        return "peephole" if self.step is peephole_step else None

    def init(
        self, rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> PeepholeParams:
        """First values; see `init_peephole`."""
        return init_peephole(rng, inputs, hidden, dtype, initializer)

    def forward(self, a: Array, state: CellState, params: PeepholeParams) -> PeepholeStep:
        h_prev, c_prev = state
        a += h_prev @ params.W_h
        return self.step(a, c_prev, params)

    def weight_gradients(
        self, x: Array, saved: None, h_prev: Array, steps: Steps, da: Array, params: PeepholeParams
    ) -> tuple[Array, PeepholeParams]:
        """p_i multiplied c_{t-1} of every row at every step, so dp_i = sum of da_i * c_{t-1}, and p_o the new cell."""
        dx, dW_x, dW_h, db, db_h = product_gradients(x, h_prev, da, params)
        da_i, da_f, _, da_o = blocks(da)
        peepholes = {
            "p_i": (da_i * steps.c_prev).sum(axis=(0, 1)),
            "p_f": (da_f * steps.c_prev).sum(axis=(0, 1)),
            "p_o": (da_o * steps.c).sum(axis=(0, 1)),
        }
        return dx, PeepholeParams(dW_x, dW_h, db, **peepholes, b_h=db_h)


STANDARD = PeepholeLSTM()


def peephole_lstm(
    x: Array, state: tuple[Array, Array] | None, params: PeepholeParams, *,
    mask: Array | None = None, reverse: bool = False, cell: PeepholeLSTM = STANDARD,
) -> RecurrentTrace:  # fmt: skip
    """An LSTM with peepholes over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.cells.sequence.sequence`.

    Args: x, (T, B, D). state, the first, (h, c), each (B, H); None for zeros. params: W_x (D, 4H), W_h (H, 4H), b
        (4H,), p_i, p_f, p_o (H,). mask, reverse: as of `sequence`. cell: a PeepholeLSTM with another step.
    Returns: a RecurrentTrace with h (T, B, H), final.h and final.c (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, state, params, cell=cell, mask=mask, reverse=reverse)


def init_peephole(
    rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
) -> PeepholeParams:
    """First values: those of `init_lstm`; peepholes uniform in [-0.1, 0.1], so that at first a gate hardly looks."""
    lstm = init_lstm(rng, inputs, hidden, dtype, initializer)
    p_i, p_f, p_o = (asarray(p, dtype) for p in uniform(rng, (3, hidden), 0.1))
    return PeepholeParams(lstm.W_x, lstm.W_h, lstm.b, p_i=p_i, p_f=p_f, p_o=p_o)
