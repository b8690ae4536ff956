"""The simple recurrent network (Elman 1990), with tanh, or with the rectified linear unit (Le, Jaitly & Hinton 2015).

a_t = x_t W_x + h_{t-1} W_h + b            pre-activation
h_t = tanh(a_t), or max(0, a_t)            hidden state
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.activations import relu, relu_backward, tanh, tanh_backward
from numseq.layers.cells.cell import Cell, HiddenState
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.init import DEFAULT, Initializer
from numseq.record import Record, StepGrad, StepRecord


@dataclass(slots=True)
class RNNParams(Record):
    W_x: Array  # (D, H)
    W_h: Array  # (H, H)
    b: Array | None  # (H,)
    b_h: Array | None = None  # (H,), a second bias, for weights that come from PyTorch; it is added to b


@dataclass(slots=True)
class RNNStep(StepRecord):
    """One time step of a simple recurrent network: (B, H)."""

    inputs, outputs = ("a",), ("h",)
    a: Array = None
    h: Array = None

    def backward(self, dh: Array) -> "RNNStepGrad":
        """See `rnn_step_backward`."""
        return rnn_step_backward(self, dh)


def rnn_step(a: Array, record: type[RNNStep] = RNNStep) -> RNNStep:
    """One step from its pre-activation, h = tanh(a).

    Args: a, (B, H) = x_t W_x + h_{t-1} W_h + b. record: a subclass of RNNStep with another backward.
    Returns: the RNNStep, or that record.
    Backward: rnn_step_backward.
    Source: Elman 1990; Pascanu et al. 2013, equation 2.
    """
    s = record()
    s.a = a
    s.h = tanh(s.a)
    return s


@dataclass(slots=True)
class RNNStepGrad(StepGrad):
    """Gradients inside one step; d before a name is the derivative of the loss by it. (B, H)."""

    equations = {
        "dh": "dh as an output, plus what comes back from the next step: da_{t+1} W_h^T",
        "da": "dh * (1 - h^2), since h = tanh(a)",
    }
    dh: Array = None
    da: Array = None


def rnn_step_backward(s: RNNStep, dh: Array) -> RNNStepGrad:
    """From the gradient of h, (B, H), to that of the pre-activation. Returns: an RNNStepGrad."""
    grad = RNNStepGrad()
    grad.dh = dh
    grad.da = tanh_backward(grad.dh, s.h)  # h = tanh(a)
    return grad


@dataclass(slots=True)
class ReLUStep(RNNStep):
    """The same with the rectified linear unit."""

    def backward(self, dh: Array) -> "ReLUStepGrad":
        """See `relu_step_backward`."""
        return relu_step_backward(self, dh)


def relu_step(a: Array, record: type[ReLUStep] = ReLUStep) -> ReLUStep:
    """One step with the rectified linear unit, h = max(0, a). Its state can grow without bound: start W_h as identity.

    Args, Returns: as `rnn_step`, with ReLUStep.
    Backward: relu_step_backward.
    Source: Le, Jaitly & Hinton 2015, section 3.
    """
    s = record()
    s.a = a
    s.h = relu(s.a)
    return s


@dataclass(slots=True)
class ReLUStepGrad(RNNStepGrad):
    equations = RNNStepGrad.equations | {"da": "dh where h > 0, else 0, since h = max(0, a)"}


def relu_step_backward(s: ReLUStep, dh: Array) -> ReLUStepGrad:
    """As `rnn_step_backward`. Returns: a ReLUStepGrad."""
    grad = ReLUStepGrad()
    grad.dh = dh
    grad.da = relu_backward(grad.dh, s.h)  # h = max(0, a)
    return grad


@dataclass(frozen=True)
class RNN(Cell):
    """The simple recurrent network as a cell (see `numseq.layers.cells.cell`). RNN() has tanh, RNN(relu_step) the
    rectified linear unit; hand in a `step` of your own to try another: the record that it returns has the backward."""

    State = HiddenState
    shapes = {"W_x": "D H", "W_h": "H H", "b": "H", "b_h": "H"}
    step: Callable = rnn_step

    @property
    def equations(self) -> str | None:
        return {rnn_step: "rnn", relu_step: "relu_rnn"}.get(self.step)

    def init(
        self, rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> RNNParams:
        """First values; see `init_rnn`."""
        return init_rnn(rng, inputs, hidden, dtype, initializer)


TANH, RELU = RNN(), RNN(relu_step)


def rnn(
    x: Array, state: Array | tuple[Array] | None, params: RNNParams, *,
    mask: Array | None = None, reverse: bool = False, cell: RNN = TANH,
) -> RecurrentTrace:  # fmt: skip
    """A simple recurrent network over a sequence.

    Equations: those of the module, for t = 0 .. T-1; see `numseq.layers.cells.sequence.sequence`.

    Args: x, (T, B, D). state, the first, h (B, H); None for zeros. params: W_x (D, H), W_h (H, H), b (H,). mask,
        reverse: as of `sequence`. cell: TANH, RELU, or an RNN with a step of your own.
    Returns: a RecurrentTrace with h (T, B, H) and final.h (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return sequence(x, state, params, cell=cell, mask=mask, reverse=reverse)


def init_rnn(rng: Generator, inputs: int, hidden: int, dtype: DType, initializer: Initializer = DEFAULT) -> RNNParams:
    """First values: Glorot for W_x, orthogonal for W_h (which neither fades nor grows what it repeats), b = 0.

    Source: Saxe et al. 2014.
    """
    return RNNParams(
        W_x=asarray(initializer.matrix(rng, inputs, hidden), dtype),
        W_h=asarray(initializer.recurrent_matrix(rng, hidden), dtype),
        b=asarray(np.zeros(hidden), dtype),
    )
