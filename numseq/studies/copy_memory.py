"""The copy-memory task: symbols to be remembered over a long blank, a cell that tries, its training, and first biases
made for it.

More in docs/gradient-flow.md.

Source: Hochreiter & Schmidhuber 1997; Arjovsky et al. 2016, section 4.1.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from numseq import arguments
from numseq import params as trees
from numseq.backend import Array, DType, Generator, array_module, asarray, generator, to_numpy
from numseq.errors import ArgumentError
from numseq.layers.cells.cell import Cell
from numseq.layers.cells.gru import GRUParams
from numseq.layers.cells.layernorm_lstm import LayerNormLSTMParams
from numseq.layers.cells.lstm import LSTMParams
from numseq.layers.cells.peephole import PeepholeParams
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.linear import LinearGrad, LinearParams, init_linear, linear
from numseq.layers.losses.cross_entropy import cross_entropy
from numseq.record import Record, Trace
from numseq.studies.flow import StateGradients, state_gradients
from numseq.training.optimizers import Adam, Optimizer, clip_by_global_norm

# The task


@dataclass(slots=True)
class CopyBatch(Record):
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
    Raises: ArgumentError, when one of them is no whole number of at least 1.
    Source: Arjovsky et al. 2016, section 4.1, after Hochreiter & Schmidhuber 1997; n = 10 and 8 symbols are theirs.
        Their loss is the mean over all steps, blanks included, with `chance_of_all` as baseline; here it is the mean
        over what is recalled.
    """

    blanks: int = 100
    length: int = 10
    symbols: int = 8

    def __post_init__(self) -> None:
        for name in ("blanks", "length", "symbols"):
            object.__setattr__(self, name, arguments.whole(getattr(self, name), name, least=1))

    @property
    def steps(self) -> int:
        """T."""
        return self.blanks + 2 * self.length

    @property
    def recall(self) -> int:
        """The first step with something to say."""
        return self.blanks + self.length

    @property
    def vocabulary(self) -> int:
        return self.symbols + 2

    @property
    def chance(self) -> float:
        """Nats per recalled symbol of who remembers nothing."""
        return float(np.log(self.symbols))

    @property
    def chance_of_all(self) -> float:
        """Nats per step of who says the blanks right and remembers nothing, the mean being over all steps."""
        return self.length * self.chance / self.steps

    def batch(self, rng: Generator, rows: int) -> CopyBatch:
        """Draw a CopyBatch of that many rows."""
        rows = arguments.whole(rows, "rows", least=1)
        drawn = rng.integers(0, self.symbols, size=(self.length, rows))
        source = np.full((self.steps, rows), self.symbols)
        source[: self.length] = drawn
        source[self.recall - 1] = self.symbols + 1
        target, mask = np.full_like(source, self.symbols), np.zeros(source.shape, dtype=bool)
        target[self.recall :], mask[self.recall :] = drawn, True
        return CopyBatch(*map(asarray, (source, target, mask)))


# A cell that tries


@dataclass(slots=True)
class CopyParams(Record):
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

    def upstream(self, dloss: float = 1.0) -> LinearGrad:
        """dh (T, B, H), what the outputs get from the loss: 0 before the recall."""
        return self.readout.backward(self.scored.backward(dloss).dlogits)

    def backward(self, dloss: float = 1.0) -> CopyParams:
        """The gradient, a CopyParams. The symbols that were read have none."""
        readout = self.upstream(dloss)
        return CopyParams(rnn=self.rnn.backward(readout.dx).params, readout=readout.params)

    def state_gradients(self) -> StateGradients:
        """See `numseq.studies.flow.state_gradients`."""
        return state_gradients(self.rnn, self.upstream().dx)


def init_copy(rng: Generator, task: CopyMemory, cell: Cell, hidden: int, dtype: DType = np.float32) -> CopyParams:
    """First values: the cell's own, which reads symbols as one-hot vectors, and a readout's."""
    V = task.vocabulary
    return CopyParams(rnn=cell.init(rng, V, hidden, dtype), readout=init_linear(rng, hidden, V, dtype))


def chrono_biases(params: Any, longest: int, rng: Generator) -> Any:
    """A cell's parameters with gates that keep their state over times of every order up to `longest`.

    Equations: b_f = log u and b_i = -b_f in an LSTM, so that what is kept is not written over; b_z = log u in a GRU; u
        uniform in [1, longest - 1], one for each unit. As sigma(log u) = 1 - 1 / (1 + u), such a gate forgets over
        about 1 + u steps.

    Args: params, of an LSTM of any kind or a GRU, with biases; they are left as they are. longest, in steps: how far
        back something may matter. rng, a NumPy generator.
    Returns: the same with another b, the matrices shared. A second bias b_h, which is added to b, is 0 at these gates.
    Raises: TypeError, for another cell. ArgumentError, without biases or for a `longest` below 2.
    Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?"
    """
    if not isinstance(params, LSTMParams | PeepholeParams | LayerNormLSTMParams | GRUParams):
        raise TypeError(f"chrono biases are for LSTM and GRU, and {type(params).__name__} are of neither")
    if params.b is None:
        raise ArgumentError("chrono biases need parameters with biases: b is None")
    longest = arguments.number(longest, "longest", least=2)
    H, is_lstm = params.W_h.shape[0], not isinstance(params, GRUParams)
    b, b_h = params.b.copy(), getattr(params, "b_h", None)
    keeps = asarray(np.log(rng.uniform(1, longest - 1, size=H)), b.dtype)
    b[H : 2 * H] = keeps  # f of i, f, g, o; z of r, z, n
    if is_lstm:
        b[:H] = -keeps
    if b_h is None:
        return replace(params, b=b)
    b_h = b_h.copy()
    b_h[0 if is_lstm else H : 2 * H] = 0
    return replace(params, b=b, b_h=b_h)


def copy_memory(batch: CopyBatch, params: CopyParams, cell: Cell) -> CopyTrace:
    """A cell over a batch of the copy-memory task, from states of 0.

    Equations: h = cell(onehot(source));  logits = h W + b;  loss = the mean of -log softmax(logits)[target] over what
        is to be recalled.

    Args: batch, a CopyBatch. params, CopyParams. cell: an RNN, LSTM, GRU, ...
    Returns: a CopyTrace.
    Backward: CopyTrace.backward.
    """
    W, xp = params.readout.W, array_module(params.readout.W)
    V = W.shape[1]
    x = xp.eye(V, dtype=W.dtype)[batch.source]  # (T, B, V)
    rnn = sequence(x, None, params.rnn, cell=cell)
    readout = linear(rnn.h, params.readout)
    scored = cross_entropy(readout.y, batch.target, batch.mask)
    return CopyTrace(rnn=rnn, readout=readout, scored=scored, loss=scored.loss)


# Training


@dataclass(slots=True)
class CopyRun(Record):
    params: CopyParams
    loss: np.ndarray  # (updates,), before each update; nan from where the gradient was no longer finite
    norm: np.ndarray  # (updates,), of the whole gradient, before clipping


def train_copy(
    task: CopyMemory,
    cell: Cell,
    params: CopyParams,
    updates: int,
    rows: int = 32,
    lr: float = 1e-3,
    clip: float | None = None,
    optimizer: Callable[..., Optimizer] = Adam,
    seed: int = 0,
) -> CopyRun:
    """Train a cell on the copy-memory task, on new rows at every update.

    Args: task, a CopyMemory. cell: any. params, CopyParams, which are left as they are. updates: how many. rows of a
        batch. lr, step size. clip: the largest global norm of the gradient, or None. optimizer: a class of
        `numseq.training.optimizers`. seed, of the batches: runs with the same one see the same rows.
    Returns: a CopyRun. It ends early, with params as they last were, where the gradient is not finite.
    Raises: ArgumentError, when one of these is of another kind.
    """
    arguments.one_of(task, "task", CopyMemory)
    arguments.one_of(params, "params", CopyParams)
    updates, rows = arguments.whole(updates, "updates", least=1), arguments.whole(rows, "rows", least=1)
    seed = arguments.whole(seed, "seed", least=0)
    arguments.one_of(lr, "lr", Real)
    clip = np.inf if clip is None else arguments.number(clip, "clip", above=0)
    params, rng = trees.map(lambda leaf: leaf.copy(), params), generator(seed)
    rule = optimizer(params, lr=lr)
    loss, norm = np.full((2, updates), np.nan)
    for k in range(updates):
        trace = copy_memory(task.batch(rng, rows), params, cell)
        grads = trace.backward()
        size = clip_by_global_norm(grads, clip)
        if not np.isfinite(size):
            break
        loss[k], norm[k] = float(to_numpy(trace.loss)), size
        rule.update(params, grads)
    return CopyRun(params, loss, norm)
