"""The simple recurrent network (Elman 1990), with tanh, or with the rectified linear unit (Le, Jaitly & Hinton 2015).

a_t = x_t W_x + h_{t-1} W_h + b            pre-activation
h_t = tanh(a_t), or max(0, a_t)            hidden state
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import asarray
from numseq.layers.activations import relu, relu_backward, tanh, tanh_backward
from numseq.layers.init import DEFAULT
from numseq.layers.linear import affine
from numseq.layers.recurrent import sequence, weight_gradients
from numseq.record import StepGrad, StepRecord

Array = Any


@dataclass(slots=True)
class RNNParams:
    W_x: Array  # (D, H)
    W_h: Array  # (H, H)
    b: Array | None  # (H,)
    b_h: Array | None = None  # (H,), a second bias, for weights that come from PyTorch; it is added to b


@dataclass(slots=True)
class RNNStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the derivative of the loss by it. (B, H)."""

    equations = {
        "dh": "dh as an output, plus what comes back from the next step: da_{t+1} W_h^T",
        "da": "dh * (1 - h^2), since h = tanh(a)",
    }
    dh: Array = None
    da: Array = None


@dataclass(slots=True)
class RNNStep(StepRecord):
    """One time step of a simple recurrent network: (B, H)."""

    inputs, outputs = ("a",), ("h",)
    a: Array = None  # None in a sequence
    h: Array = None

    def backward(self, dh, da=None):
        """From the gradient of h to that of the pre-activation. da: where to write; None makes a new array."""
        grad = RNNStepGrad(dh)
        grad.step = self
        grad.da = tanh_backward(grad.dh, self.h, out=da)  # h = tanh(a)
        return grad


@dataclass(slots=True)
class ReLUStepGrad(RNNStepGrad):
    equations = RNNStepGrad.equations | {"da": "dh where h > 0, else 0, since h = max(0, a)"}


@dataclass(slots=True)
class ReLUStep(RNNStep):
    """The same with the rectified linear unit."""

    def backward(self, dh, da=None):
        """As RNNStep.backward."""
        grad = ReLUStepGrad(dh)
        grad.step = self
        grad.da = relu_backward(grad.dh, self.h, out=da)  # h = max(0, a)
        return grad


def rnn_step(a, s=None):
    """One step from its pre-activation, h = tanh(a).

    Args: a, (B, H) = x_t W_x + h_{t-1} W_h + b. s, a record whose fields are where to write, or None for new arrays.
    Returns: the RNNStep.
    Backward: RNNStep.backward.
    Source: Elman 1990; Pascanu et al. 2013, equation 2.
    """
    s = RNNStep() if s is None else s
    s.a = a
    s.h = tanh(s.a, out=s.h)
    return s


def relu_step(a, s=None):
    """One step with the rectified linear unit, h = max(0, a). Its state can grow without bound: start W_h as identity.

    Args, Returns, Backward: as `rnn_step`, with a ReLUStep.
    Source: Le, Jaitly & Hinton 2015, section 3.
    """
    s = ReLUStep() if s is None else s
    s.a = a
    s.h = relu(s.a, out=s.h)
    return s


@dataclass(frozen=True)
class RNN:
    """The simple recurrent network as a cell (see `numseq.layers.recurrent`). RNN() has tanh, RNN(relu_step, ReLUStep)
    the rectified linear unit; a `step` of your own brings its record class, which has the backward."""

    states = ("h",)
    step: Callable = rnn_step
    record: type = RNNStep

    @property
    def equations(self):
        return "relu_rnn" if issubclass(self.record, ReLUStep) else "rnn"

    def init(self, rng, inputs, hidden, dtype, first=DEFAULT):
        """First values; see `init_rnn`."""
        return init_rnn(rng, inputs, hidden, dtype, first)

    def before(self, x, params):
        return affine(x, params.W_x, params.b, params.b_h), None  # (T, B, H)

    def storage(self, a, prev, out):
        return self.record(None, out[0])

    def forward(self, a, state, params, s):
        a += state[0] @ params.W_h
        self.step(a, s)

    def backward(self, s, dstate, params, da):
        s.backward(*dstate, da)
        return (da @ params.W_h.swapaxes(-1, -2),)

    def after(self, x, kept, steps, prev, da, params):
        """See `weight_gradients`."""
        dx, *dparams = weight_gradients(x, prev[0], da, params)
        return dx, RNNParams(*dparams)


TANH, RELU = RNN(), RNN(relu_step, ReLUStep)


def rnn(x, h0, params, mask=None, reverse=False, cell=TANH):
    """A simple recurrent network over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.recurrent.sequence`.

    Args: x, (T, B, D). h0, (B, H). params: W_x (D, H), W_h (H, H), b (H,). mask, reverse: as of `sequence`. cell: TANH,
        RELU, or an RNN with a step of your own.
    Returns: a RecurrentTrace with h (T, B, H) and h_T (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, h0, None, params, cell, mask, reverse)


def init_rnn(rng, inputs, hidden, dtype, first=DEFAULT):
    """First values: Glorot for W_x, orthogonal for W_h (which neither fades nor grows what it repeats), b = 0.

    Source: Saxe et al. 2014.
    """
    return RNNParams(
        W_x=asarray(first.matrix(rng, inputs, hidden), dtype),
        W_h=asarray(first.recurrent_matrix(rng, hidden), dtype),
        b=asarray(np.zeros(hidden), dtype),
    )
