"""Mistakes in the backward of the simple recurrent networks."""

import numpy as np

from numseq import layers
from numseq.layers.cells.rnn import RELU, TANH, ReLUStepGrad, RNNStepGrad
from numseq.mistakes.fixtures import H
from numseq.mistakes.layer import Bug, Step, equations, know
from numseq.mistakes.layers.cells import fixtures
from numseq.mistakes.layers.cells.sequence import know_cell


def rnn_step(s, dh, change=None):
    eq, h = equations(change), s.h
    return {"da": eq("da", dh * (1 - h**2))}


def relu_step(s, dh, change=None):
    eq, h = equations(change), s.h
    return {"da": eq("da", np.where(h > 0, dh, 0))}


RNN_STEP = know(
    Step("rnn_step", rnn_step, of=layers.RNNStep, step=layers.rnn_step, grad=RNNStepGrad),
    ("tanh' of the state is missing", "da", lambda v: v.dh, "h = tanh(a): da = dh * (1 - h^2)"),
    ("tanh' of the state without the square", "da", lambda v: v.dh * (1 - v.h), "tanh' = 1 - h^2"),
    ("tanh' of the state is taken of its pre-activation", "da", lambda v: v.dh * (1 - np.arctanh(v.h) ** 2),
     "1 - h^2 is a formula in h = tanh(a), not in a"),
    ("tanh is applied twice in the state's slope", "da", lambda v: v.dh * (1 - np.tanh(v.h) ** 2),
     "h already is tanh(a)"),
    ("sigma' for the state's tanh", "da", lambda v: v.dh * v.h * (1 - v.h), "the state is a tanh: 1 - h^2"),
    ("relu's slope for the state's tanh", "da", lambda v: np.where(v.h > 0, v.dh, 0), "the state is a tanh: 1 - h^2"),
)  # fmt: skip


RELU_STEP = know(
    Step("relu_step", relu_step, of=layers.ReLUStep, step=layers.relu_step, grad=ReLUStepGrad),
    ("relu's slope is missing in the state", "da", lambda v: v.dh,
     "h = max(0, a): a unit that is off gets no gradient"),
    ("tanh's slope for a relu state", "da", lambda v: v.dh * (1 - v.h**2), "the state is a relu: its slope is 1 or 0"),
    ("the state in place of relu's slope", "da", lambda v: v.dh * v.h, "the slope is 1 where h > 0, not h"),
    ("relu's slope of the state on the wrong side", "da", lambda v: np.where(v.h > 0, 0, v.dh),
     "the slope is 1 where the unit is on"),
    ("the gradient of a relu state is cut off instead", "da", lambda v: np.maximum(v.dh, 0) * (v.h > 0),
     "the state decides where the gradient goes through, not the gradient's own sign"),
    ("relu's state leaks in backward", "da", lambda v: np.where(v.h > 0, v.dh, 0.01 * v.dh),
     "a leaky slope belongs to a leaky forward"),
)  # fmt: skip


DA = "da_t = dh_t * (1 - h_t^2) in a real row and 0 in a padded one; dh_t is its own plus what comes back"
BACK = "da_{t+1} W_h^T from a real step and dh_{t+1} from a padded one, at first dfinal"
RNN = know_cell(
    TANH, RNN_STEP, layers.rnn,
    ("the recurrent matrix is not transposed", "dh_product", lambda v: v.dq[v.t] @ v.W_h,
     "h W_h sends its gradient back through W_h^T; a square W_h hides it from the shapes"),
    ("the recurrent matrix is left out on the way back", "dh_product", lambda v: v.dq[v.t],
     "h_{t-1} reached a_t through W_h; a square W_h hides it from the shapes"),
    ("the first state gets da, without the recurrent matrix", "dh_next",
     lambda v: v.value - v.dh_product + v.dq[v.t] if v.t == v.order[0] else v.value,
     "the first state reached a_0 through W_h, as each other reaches the next: da W_h^T"),
    ("the recurrent matrix's gradient is transposed", "dW_h", lambda v: v.value.T,
     "dW_h = sum of h_{t-1}^T da_t; a square W_h hides it from the shapes"),
    covers=("rnn",),
    says={
        "dx": f"da_t W_x^T, where {DA}, {BACK}",
        "dstate.h": f"what comes back from step 0: {BACK}",
        "params.W_x": "the sum over steps of x_t^T da_t, where da_t is 0 in a padded row",
        "params.W_h": "the sum over steps of h_{t-1}^T da_t, where da_t is 0 in a padded row",
        "params.b": "the sum over steps and rows of da_t, which is 0 in a padded row",
    },
)  # fmt: skip


RNN.bugs.append(
    Bug(
        "padded steps are undone like real ones, from the state that they carried",
        RNN.name,
        "a padded step carried its state: it gets no gradient, and passes on all of it",
        {
            "mask": lambda v: np.ones_like(v.value),
            "into_h": lambda v: v.value * (1 - v.trace.h[v.t] ** 2) / (1 - v.s.h**2),  # step back: * (1 - s.h^2)
        },
    )
)


RELU_RNN = know_cell(RELU, RELU_STEP, layers.rnn, covers=("rnn",))


def cases(rng):
    return {
        "rnn_step": fixtures.step(rng, layers.rnn_step, {"a": H}, ("rnn_step", "RNNStep")),
        "relu_step": fixtures.step(rng, layers.relu_step, {"a": H}, ("relu_step", "ReLUStep")),
        **RNN.cases(rng),
        **RELU_RNN.cases(rng),
    }
