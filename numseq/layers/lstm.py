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
from typing import Any

import numpy as np

from numseq.backend import array_module, asarray
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.init import DEFAULT
from numseq.layers.linear import affine
from numseq.layers.recurrent import sequence, weight_gradients
from numseq.record import StepGrad, StepRecord

Array = Any


@dataclass(slots=True)
class LSTMParams:
    W_x: Array  # (D, 4H), columns in the order i, f, g, o
    W_h: Array  # (H, 4H)
    b: Array | None  # (4H,)
    b_h: Array | None = None  # (4H,), a second bias, for weights that come from PyTorch; it is added to b


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


@dataclass(slots=True)
class LSTMStep(StepRecord):
    """One time step of an LSTM, with everything that its equations name: (B, H), but a and gates (B, 4H)."""

    inputs, outputs, blocks = ("c_prev", "a"), ("h", "c"), "ifgo"
    c_prev: Array = None
    a: Array = None  # pre-activations; None in a sequence, where the gates take their place
    gates: Array = None  # i, f, g, o side by side
    i: Array = None
    f: Array = None
    g: Array = None
    o: Array = None
    c: Array = None
    tanh_c: Array = None
    h: Array = None

    def backward(self, dh, dc, da=None):
        """From the gradients of h and c to those of the pre-activations a and of the previous cell.

        Args: dh, dc, (B, H): dc is what comes back from step t + 1, without the way through h, which is added here.
            da, (B, 4H): where to write the gradient of the pre-activations; None makes a new array.
        Returns: an LSTMStepGrad.
        """
        concatenate, grad = array_module(dh).concatenate, LSTMStepGrad(dh)
        grad.step = self
        grad.do = dh * self.tanh_c  # h = o * tanh(c)
        grad.dc = dc + tanh_backward(dh * self.o, self.tanh_c)  # c reaches the loss by c_{t+1} and by h
        grad.di = grad.dc * self.g  # c = f * c_prev + i * g
        grad.df = grad.dc * self.c_prev
        grad.dg = grad.dc * self.i
        grad.dc_prev = grad.dc * self.f
        gates = concatenate([self.i, self.f, self.g, self.o], axis=-1) if self.gates is None else self.gates
        dgates = concatenate([grad.di, grad.df, grad.dg, grad.do], axis=-1, out=da)
        grad.da = gates_backward(dgates, gates, out=dgates)  # i = sigma(a_i), and so on
        return grad


def gates(a, out=None):
    """The four gates in one sweep over their pre-activations.

    Equations: i = sigma(a_i), f = sigma(a_f), g = tanh(a_g), o = sigma(a_o). As sigma(x) = tanh(x / 2) / 2 + 1 / 2, all
    four are scale * tanh(scale * a) + shift, with scale 1/2 and shift 1/2 but for g, where they are 1 and 0.

    Args: a, (..., 4H). out: where to write; may be a itself.
    Returns: (..., 4H), the blocks i, f, g, o.
    """
    xp = array_module(a)
    scale, shift, _ = _constants(xp, a.shape[-1] // 4, a.real.dtype)
    y = xp.multiply(a, scale, out=out)
    xp.tanh(y, out=y)
    y *= scale
    y += shift
    return y


def gates_backward(dy, y, out=None):
    """From the gradients of the four gates to those of their pre-activations, in one sweep.

    Equations: sigma' = y (1 - y) and tanh' = 1 - y^2 are both (1 - y) (y + e), with e = 0 but for g, where it is 1.

    Args: dy and the gates y, (..., 4H). out: where to write; may be dy itself.
    Returns: da, (..., 4H).
    """
    xp = array_module(y)
    _, _, e = _constants(xp, y.shape[-1] // 4, y.dtype)
    slope = 1 - y
    slope *= y + e
    return xp.multiply(dy, slope, out=out)


@cache
def _constants(xp, H, dtype):
    """scale, shift and e of the gates, (4H,) each."""
    scale, shift, e = (xp.full((4, H), value, dtype=dtype) for value in (0.5, 0.5, 0))
    scale[2], shift[2], e[2] = 1, 0, 1  # g
    return scale.reshape(-1), shift.reshape(-1), e.reshape(-1)


def blocks(a):
    """The blocks i, f, g, o of a (..., 4H), as views."""
    H = a.shape[-1] // 4
    return [a[..., k * H : (k + 1) * H] for k in range(4)]


def lstm_step(a, c_prev, s=None):
    """One LSTM step from its pre-activations: the pointwise equations of the module's docstring.

    Args: a, (B, 4H) = x_t W_x + h_{t-1} W_h + b. c_prev, (B, H). s, a record whose fields are where to write, or None
        for new arrays; its gates may be a itself.
    Returns: the LSTMStep.
    Backward: LSTMStep.backward.
    Source: Gers et al. 2000, "Learning to forget", section 2, without peepholes.
    """
    xp = array_module(a)
    s = LSTMStep() if s is None else s
    s.c_prev = c_prev
    s.a = a
    s.gates = gates(s.a, out=s.gates)
    s.i, s.f, s.g, s.o = blocks(s.gates)
    s.c = xp.add(s.f * s.c_prev, s.i * s.g, out=s.c)
    s.tanh_c = tanh(s.c, out=s.tanh_c)
    s.h = xp.multiply(s.o, s.tanh_c, out=s.h)
    return s


@dataclass(frozen=True)
class LSTM:
    """The LSTM as a cell (see `numseq.layers.recurrent`). Hand in a `step` of your own to try a changed equation;
    its record class brings the backward that belongs to it."""

    states = ("h", "c")
    equations = "lstm"
    step: Callable = lstm_step
    record: type = LSTMStep

    def init(self, rng, inputs, hidden, dtype, first=DEFAULT):
        """First values; see `init_lstm`."""
        return init_lstm(rng, inputs, hidden, dtype, first)

    def before(self, x, params):
        return affine(x, params.W_x, params.b, params.b_h), None  # (T, B, 4H)

    def storage(self, a, prev, out):
        """The sequence's record: the gates take the place of their pre-activations, the states lie in `out`."""
        (_, c_prev), (h, c) = prev, out
        return self.record(c_prev, None, a, *blocks(a), c, array_module(a).empty_like(c), h)

    def forward(self, a, state, params, s):
        h_prev, c_prev = state
        a += h_prev @ params.W_h
        self.step(a, c_prev, s)

    def backward(self, s, dstate, params, da):
        dc_prev = s.backward(*dstate, da).dc_prev
        return da @ params.W_h.swapaxes(-1, -2), dc_prev

    def after(self, x, kept, steps, prev, da, params):
        """See `weight_gradients`."""
        dx, *dparams = weight_gradients(x, prev[0], da, params)
        return dx, LSTMParams(*dparams)


STANDARD = LSTM()


def lstm(x, h0, c0, params, mask=None, reverse=False, cell=STANDARD):
    """An LSTM over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.recurrent.sequence`.

    Args: x, (T, B, D). h0, c0, (B, H). params: W_x (D, 4H), W_h (H, 4H), b (4H,). mask, (T, B) booleans, True where a
        token is real, or None. reverse: run from the last step to the first; h[t] is still the state at position t.
        cell: an LSTM with another step, to try a changed equation.
    Returns: a RecurrentTrace with h (T, B, H), h_T and c_T (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, h0, c0, params, cell, mask, reverse)


def init_lstm(rng, inputs, hidden, dtype, first=DEFAULT):
    """First values: Glorot for W_x, orthogonal blocks for W_h, b = 0 but 1 for the forget gate.

    A forget gate that starts near sigma(1) = 0.73 lets gradients through from the first step on.
    Source: Jozefowicz et al. 2015, section 2.2 (forget bias); Saxe et al. 2014 (orthogonal).
    """
    b = np.zeros(4 * hidden)
    b[hidden : 2 * hidden] = first.forget_bias
    return LSTMParams(
        W_x=asarray(np.hstack([first.matrix(rng, inputs, hidden) for _ in range(4)]), dtype),
        W_h=asarray(np.hstack([first.recurrent_matrix(rng, hidden) for _ in range(4)]), dtype),
        b=asarray(b, dtype),
    )
