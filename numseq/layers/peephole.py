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
from typing import Any

from numseq.backend import array_module, asarray
from numseq.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from numseq.layers.init import DEFAULT, uniform
from numseq.layers.linear import affine
from numseq.layers.lstm import LSTMStepGrad, blocks, init_lstm
from numseq.layers.recurrent import sequence, weight_gradients
from numseq.record import StepGrad, StepRecord

Array = Any


@dataclass(slots=True)
class PeepholeParams:
    W_x: Array  # (D, 4H), columns in the order i, f, g, o
    W_h: Array  # (H, 4H)
    b: Array | None  # (4H,)
    p_i: Array  # (H,)
    p_f: Array  # (H,)
    p_o: Array  # (H,)
    b_h: Array | None = None  # (4H,), a second bias; it is added to b


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


@dataclass(slots=True)
class PeepholeStep(StepRecord):
    """One time step of an LSTM with peepholes, with everything that its equations name: (B, H), but a (B, 4H)."""

    inputs, outputs, blocks = ("c_prev", "a"), ("h", "c"), "ifgo"
    c_prev: Array = None
    a: Array = None  # pre-activations without the peepholes; None in a sequence, where the gates take their place
    i: Array = None
    f: Array = None
    g: Array = None
    o: Array = None
    c: Array = None
    tanh_c: Array = None
    h: Array = None

    def backward(self, dh, dc, peepholes, da=None):
        """From the gradients of h and c to those of the pre-activations a and of the previous cell.

        Args: dh, dc, (B, H): dc is what comes back from step t + 1, without the ways through h and o, which are added
            here. peepholes, of the forward step. da, (B, 4H): where to write; None makes a new array.
        Returns: a PeepholeStepGrad.
        """
        concatenate, grad = array_module(dh).concatenate, PeepholeStepGrad(dh)
        grad.step = self
        grad.do = dh * self.tanh_c  # h = o * tanh(c)
        da_o = sigmoid_backward(grad.do, self.o)  # o = sigma(a_o + p_o * c)
        grad.dc = dc + tanh_backward(dh * self.o, self.tanh_c) + da_o * peepholes.p_o
        grad.di = grad.dc * self.g  # c = f * c_prev + i * g
        grad.df = grad.dc * self.c_prev
        grad.dg = grad.dc * self.i
        da_i, da_f = sigmoid_backward(grad.di, self.i), sigmoid_backward(grad.df, self.f)
        grad.dc_prev = grad.dc * self.f + da_i * peepholes.p_i + da_f * peepholes.p_f  # the gates saw c_prev as well
        grad.da = concatenate([da_i, da_f, tanh_backward(grad.dg, self.g), da_o], axis=-1, out=da)
        return grad


def peephole_step(a, c_prev, peepholes, s=None):
    """One step of an LSTM with peepholes: the pointwise equations of the module's docstring.

    Args: a, (B, 4H) = x_t W_x + h_{t-1} W_h + b. c_prev, (B, H). peepholes, anything with p_i, p_f and p_o (H,), as
        the PeepholeParams are. s, a record whose fields are where to write, or None for new arrays.
    Returns: the PeepholeStep.
    Backward: PeepholeStep.backward.
    Source: Graves 2013, equations 7 to 11.
    """
    xp = array_module(a)
    s = PeepholeStep() if s is None else s
    s.c_prev, s.a = c_prev, a
    a_i, a_f, a_g, a_o = blocks(s.a)
    s.i = sigmoid(xp.add(a_i, peepholes.p_i * s.c_prev, out=s.i), out=s.i)
    s.f = sigmoid(xp.add(a_f, peepholes.p_f * s.c_prev, out=s.f), out=s.f)
    s.g = tanh(a_g, out=s.g)
    s.c = xp.add(s.f * s.c_prev, s.i * s.g, out=s.c)
    s.o = sigmoid(xp.add(a_o, peepholes.p_o * s.c, out=s.o), out=s.o)
    s.tanh_c = tanh(s.c, out=s.tanh_c)
    s.h = xp.multiply(s.o, s.tanh_c, out=s.h)
    return s


@dataclass(frozen=True)
class PeepholeLSTM:
    """The LSTM with peepholes as a cell (see `numseq.layers.recurrent`); a `step` of your own brings its record class,
    which has the backward."""

    states = ("h", "c")
    equations = "peephole"
    step: Callable = peephole_step
    record: type = PeepholeStep

    def init(self, rng, inputs, hidden, dtype, first=DEFAULT):
        """First values; see `init_peephole`."""
        return init_peephole(rng, inputs, hidden, dtype, first)

    def before(self, x, params):
        return affine(x, params.W_x, params.b, params.b_h), None  # (T, B, 4H)

    def storage(self, a, prev, out):
        """The sequence's record: the gates take the place of their pre-activations, the states lie in `out`."""
        (_, c_prev), (h, c) = prev, out
        return self.record(c_prev, None, *blocks(a), c, array_module(a).empty_like(c), h)

    def forward(self, a, state, params, s):
        h_prev, c_prev = state
        a += h_prev @ params.W_h
        self.step(a, c_prev, params, s)

    def backward(self, s, dstate, params, da):
        dc_prev = s.backward(*dstate, params, da).dc_prev
        return da @ params.W_h.swapaxes(-1, -2), dc_prev

    def after(self, x, kept, steps, prev, da, params):
        """See `weight_gradients`. p_i multiplied c_{t-1} of every row at every step, so dp_i = sum of da_i * c_{t-1},
        and p_o the new cell."""
        dx, dW_x, dW_h, db, db_h = weight_gradients(x, prev[0], da, params)
        da_i, da_f, _, da_o = blocks(da)
        peepholes = {
            "p_i": (da_i * steps.c_prev).sum(axis=(0, 1)),
            "p_f": (da_f * steps.c_prev).sum(axis=(0, 1)),
            "p_o": (da_o * steps.c).sum(axis=(0, 1)),
        }
        return dx, PeepholeParams(dW_x, dW_h, db, **peepholes, b_h=db_h)


STANDARD = PeepholeLSTM()


def peephole_lstm(x, h0, c0, params, mask=None, reverse=False, cell=STANDARD):
    """An LSTM with peepholes over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.recurrent.sequence`.

    Args: x, (T, B, D). h0, c0, (B, H). params: W_x (D, 4H), W_h (H, 4H), b (4H,), p_i, p_f, p_o (H,). mask, reverse:
        as of `sequence`. cell: a PeepholeLSTM with another step, to try a changed equation.
    Returns: a RecurrentTrace with h (T, B, H), h_T and c_T (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, h0, c0, params, cell, mask, reverse)


def init_peephole(rng, inputs, hidden, dtype, first=DEFAULT):
    """First values: those of `init_lstm`; peepholes uniform in [-0.1, 0.1], so that at first a gate hardly looks."""
    lstm = init_lstm(rng, inputs, hidden, dtype, first)
    p_i, p_f, p_o = (asarray(p, dtype) for p in uniform(rng, (3, hidden), 0.1))
    return PeepholeParams(lstm.W_x, lstm.W_h, lstm.b, p_i=p_i, p_f=p_f, p_o=p_o)
