"""How far a gradient gets: dL/dh_t and dL/dc_t over time, saturated gates, and the copy-memory task to see them on.

With h_t = tanh(x_t W_x + h_{t-1} W_h + b) and rows as vectors,

    dL/dh_{t-1} = (dL/dh_t * (1 - h_t^2)) W_h^T + what h_{t-1} gives to the loss itself         simple recurrent network
    dL/dc_{t-1} = dL/dc_t * f_t + what comes by h_{t-1}                                         LSTM

so over k steps the first is multiplied by k matrices, the second, along the cell, by k forget gates alone.

Everything here returns arrays; `numseq.plots` draws them. More in docs/gradient-flow.md.

Source: Hochreiter 1991; Bengio et al. 1994; Hochreiter & Schmidhuber 1997; Pascanu et al. 2013.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import array_module, asarray, generator, to_numpy
from numseq.layers.linear import LinearParams, init_linear, linear
from numseq.layers.loss import cross_entropy
from numseq.layers.recurrent import RecurrentTrace, bptt, sequence
from numseq.layers.rnn import ReLUStep
from numseq.record import Trace
from numseq.training.optimizers import Adam, clip_by_global_norm

Array = Any
SIGMOID, TANH = (0.1, 0.9), (-0.9, 0.9)  # beyond these a unit is saturated
CANDIDATES = "gn"  # the blocks of pre-activations that go through tanh; all others through sigma


# Gradients of the states


@dataclass(slots=True)
class StateGradients:
    dh: Array  # (T, B, H)
    dc: Array | None  # (T, B, H); None for a cell without c


def state_gradients(trace, dh=None, dh_T=None, dc_T=None):
    """The derivative of the loss by the states at every t, all ways to the loss together.

    Equations: dL/dh_t = dh[t] + what comes back from step t + 1; dL/dc_t = what comes back from step t + 1, plus what
        comes by h_t, which was made of c_t. Both are by what step t computed. A padded position computed nothing: there
        they are by the state that it carries.

    Args: trace, a RecurrentTrace of any cell (of a stack, that of one layer). dh (T, B, H), dh_T, dc_T (B, H): as of
        RecurrentTrace.backward.
    Returns: StateGradients with dh and dc (T, B, H).
    """
    run, xp = copy(trace.run), array_module(trace.h)
    grads = [xp.empty_like(now) for now in run.now]
    noting = run.cell = _NotingCell(run.cell, grads, run.mask)
    bptt(run, dh, (dh_T, dc_T)[: len(grads)], visit=noting.visit)
    return StateGradients(grads[0], grads[1] if len(grads) > 1 else None)


class _NotingCell:
    """A cell that notes, for each step undone, the gradients of the states.

    What reaches a step's states from outside is handed to the cell's backward. That c is also read by the h of its own
    step is known only to the step, which says so in its record of gradients.
    """

    def __init__(self, cell, grads, mask):
        self.cell, self.grads, self.mask, self.t = cell, grads, mask, None

    def visit(self, t, dstate):
        self.t = t
        for kept, d in zip(self.grads, dstate, strict=True):
            kept[t] = d

    def backward(self, s, dstate, params, da):
        noted = _NotedStep(s)
        dprev = self.cell.backward(noted, dstate, params, da)
        found = [dstate[0], *(getattr(noted.grad, "dc", d) for d in dstate[1:])]
        for kept, d in zip(self.grads, found, strict=True):
            now = kept[self.t]
            now[...] = d if self.mask is None else array_module(d).where(self.mask[self.t][..., None], d, now)
        return dprev


class _NotedStep:
    """A step's record that keeps what its backward returned."""

    def __init__(self, step):
        self.step = step

    def __getattr__(self, name):
        return getattr(self.step, name)

    def backward(self, *args):
        self.grad = self.step.backward(*args)
        return self.grad


def norms(gradient, per_row=False):
    """The Euclidean norms over units.

    Args: gradient, (T, B, H). per_row: whether rows are kept apart.
    Returns: (T,), their mean over the rows, or (T, B), in float64: the square of a vanished float32 would be 0.
    """
    size = abs(gradient).astype(np.float64)
    each = (size * size).sum(axis=-1) ** 0.5
    return each if per_row else each.mean(axis=-1)


def kept_share(gate, start):
    """What a gate lets through of a gradient that goes back from `start` to t, along the state itself.

    Equations: kept_t = gate_{t+1} * gate_{t+2} * ... * gate_start, and 1 at t = start. As c_t = f_t * c_{t-1} + ...,
        the constant error carousel brings kept_t * dL/dc_start of an LSTM (gate f) back to c_t; of a GRU (gate z),
        kept_t * dL/dh_start to h_t.

    Args: gate, (T, B, H). start: a step.
    Returns: (start + 1, B, H).
    Source: Hochreiter & Schmidhuber 1997, section 3.2, where f = 1; Gers et al. 2000.
    """
    xp = array_module(gate)
    through = xp.concatenate([xp.ones_like(gate[:1]), gate[start:0:-1]])
    return xp.cumprod(through, axis=0)[::-1]


# Saturation


@dataclass(slots=True)
class Saturation:
    below: Array  # (T,), share of the units
    above: Array


def saturation(values, low, high, mask=None):
    """The share of units below `low`, and that above `high`, at every t.

    Args: values, (T, B, H). low, high: the bounds. mask, (T, B): only real positions count; None for all.
    Returns: a Saturation; nan where no position of a step is real.
    Source: Karpathy et al. 2015, section 4.2, who count over time for each unit, and not over units at each time.
    """
    xp = array_module(values)
    mask = xp.ones(values.shape[:2], dtype=bool) if mask is None else mask
    units = mask.sum(axis=1) * values.shape[2]
    units = xp.where(units > 0, units, np.nan)
    shares = [(beyond & mask[..., None]).sum(axis=(1, 2)) / units for beyond in (values < low, values > high)]
    return Saturation(*shares)


def gate_saturation(trace):
    """How much of each gate of a cell is saturated, at every t.

    A gate made by sigma is saturated below 0.1 and above 0.9; what tanh made (candidates, the squashed cell, the state
    of a simple recurrent network), below -0.9 and above 0.9. There the slope of sigma is below 0.09, that of tanh below
    0.19. A rectified linear unit has no such bounds and is left out.

    Args: trace, a RecurrentTrace of any cell.
    Returns: a dict of names (i, f, g, o, tanh_c; r, z, n; h) to Saturation.
    """
    steps, mask = trace.steps, trace.run.mask
    bounds = {name: TANH if name in CANDIDATES else SIGMOID for name in steps.blocks}
    bounds |= {"tanh_c": TANH, "tanh_n": TANH} if steps.blocks else {}
    if not steps.blocks and not isinstance(steps, ReLUStep):
        bounds["h"] = TANH
    found = {name: getattr(steps, name, None) for name in bounds}
    return {name: saturation(v, *bounds[name], mask) for name, v in found.items() if v is not None}


# The copy-memory task


@dataclass(slots=True)
class CopyBatch:
    source: Array  # (T, B), symbols
    target: Array  # (T, B)
    mask: Array  # (T, B), True where a symbol is to be recalled


@dataclass(frozen=True, slots=True)
class CopyMemory:
    """Remember some symbols over a long blank, and say them when asked.

        source    s_1 .. s_n   blank, `blanks` - 1 times   ask     blank, n times
        target    blank, `blanks` + n times                        s_1 .. s_n

    Symbols are 0 .. symbols - 1, the blank is `symbols`, and the question `symbols` + 1. All n symbols are drawn
    uniformly, so who remembers nothing has a cross-entropy of log(symbols) where something is to be said.

    Args: blanks, T in the paper; each symbol is recalled blanks + n steps after it was read. length, n. symbols: how
        many there are.
    Raises: ValueError, when one of them is below 1.
    Source: Arjovsky et al. 2016, section 4.1, after Hochreiter & Schmidhuber 1997; n = 10 and 8 symbols are theirs.
        Their loss is the mean over all steps, blanks included, with `chance_of_all` as baseline; here it is the mean
        over what is recalled.
    """

    blanks: int = 100
    length: int = 10
    symbols: int = 8

    def __post_init__(self):
        if min(self.blanks, self.length, self.symbols) < 1:
            raise ValueError(f"blanks {self.blanks}, length {self.length}, symbols {self.symbols}: each is at least 1")

    @property
    def steps(self):
        """T."""
        return self.blanks + 2 * self.length

    @property
    def recall(self):
        """The first step with something to say."""
        return self.blanks + self.length

    @property
    def vocabulary(self):
        return self.symbols + 2

    @property
    def chance(self):
        """Nats per recalled symbol of who remembers nothing."""
        return float(np.log(self.symbols))

    @property
    def chance_of_all(self):
        """Nats per step of who says the blanks right and remembers nothing, the mean being over all steps."""
        return self.length * self.chance / self.steps

    def batch(self, rng, rows):
        """Draw a CopyBatch of that many rows."""
        drawn = rng.integers(0, self.symbols, size=(self.length, rows))
        source = np.full((self.steps, rows), self.symbols)
        source[: self.length] = drawn
        source[self.recall - 1] = self.symbols + 1
        target, mask = np.full_like(source, self.symbols), np.zeros(source.shape, dtype=bool)
        target[self.recall :], mask[self.recall :] = drawn, True
        return CopyBatch(*map(asarray, (source, target, mask)))


@dataclass(slots=True)
class CopyParams:
    rnn: Any  # the cell's
    readout: LinearParams  # (H, V)


@dataclass(slots=True)
class CopyTrace(Trace):
    """A cell's attempt at a batch: rnn, its trace, and loss (), in nats per recalled symbol."""

    outputs = ("loss",)
    rnn: RecurrentTrace
    readout: Any
    scored: Any
    loss: Array

    def upstream(self, dloss=1.0):
        """dh (T, B, H), what the outputs get from the loss: 0 before the recall."""
        return self.readout.backward(self.scored.backward(dloss).dlogits)

    def backward(self, dloss=1.0):
        """The gradient, a CopyParams. The symbols that were read have none."""
        readout = self.upstream(dloss)
        return CopyParams(rnn=self.rnn.backward(readout.dx).params, readout=readout.params)

    def state_gradients(self):
        """See `state_gradients`."""
        return state_gradients(self.rnn, self.upstream().dx)


def init_copy(rng, task, cell, hidden, dtype=np.float32):
    """First values: the cell's own, which reads symbols as one-hot vectors, and a readout's."""
    V = task.vocabulary
    return CopyParams(rnn=cell.init(rng, V, hidden, dtype), readout=init_linear(rng, hidden, V, dtype))


def copy_memory(batch, params, cell):
    """A cell over a batch of the copy-memory task, from states of 0.

    Equations: h = cell(onehot(source));  logits = h W + b;  loss = the mean of -log softmax(logits)[target] over what
        is to be recalled.

    Args: batch, a CopyBatch. params, CopyParams. cell: an RNN, LSTM, GRU, ...
    Returns: a CopyTrace.
    Backward: CopyTrace.backward.
    """
    W, xp = params.readout.W, array_module(params.readout.W)
    H, V = W.shape
    zero = xp.zeros((batch.source.shape[1], H), dtype=W.dtype)
    x = xp.eye(V, dtype=W.dtype)[batch.source]  # (T, B, V)
    rnn = sequence(x, zero, zero if "c" in cell.states else None, params.rnn, cell)
    readout = linear(rnn.h, params.readout)
    scored = cross_entropy(readout.y, batch.target, batch.mask)
    return CopyTrace(rnn=rnn, readout=readout, scored=scored, loss=scored.loss)


@dataclass(slots=True)
class CopyRun:
    params: CopyParams
    loss: np.ndarray  # (updates,), before each update; nan from where the gradient was no longer finite
    norm: np.ndarray  # (updates,), of the whole gradient, before clipping


def train_copy(task, cell, params, updates, rows=32, lr=1e-3, clip=None, optimizer=Adam, seed=0):
    """Train a cell on the copy-memory task, on new rows at every update.

    Args: task, a CopyMemory. cell: any. params, CopyParams, which are left as they are. updates: how many. rows of a
        batch. lr, step size. clip: the largest global norm of the gradient, or None. optimizer: a class of
        `numseq.training.optimizers`. seed, of the batches: runs with the same one see the same rows.
    Returns: a CopyRun. It ends early, with params as they last were, where the gradient is not finite.
    """
    params, rng = trees.map(lambda leaf: leaf.copy(), params), generator(seed)
    rule = optimizer(params, lr=lr)
    loss, norm = np.full((2, updates), np.nan)
    for k in range(updates):
        trace = copy_memory(task.batch(rng, rows), params, cell)
        grads = trace.backward()
        size = clip_by_global_norm(grads, np.inf if clip is None else clip)
        if not np.isfinite(size):
            break
        loss[k], norm[k] = float(to_numpy(trace.loss)), size
        rule.update(params, grads)
    return CopyRun(params, loss, norm)
