"""The memory that training takes: what it will need, known before the first step, and what it took.

What a batch needs is measured on a few small ones. With S source and T target tokens in B rows every array of the model
is a number, or is as large as B, S B, T B or S T B; so the most that is held in each phase of a step is

    n(S, T, B) = c + B (a + a_S S + a_T T + a_ST S T)

whose five numbers follow from five batches. The phases are the forward pass and the backward pass of each box: within
one the fullest moment stays the same, while which phase is the fullest changes with the sizes.
"""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import array_module, free_memory, use
from numseq.data.batches import Batch, Pairs
from numseq.errors import ConfigError
from numseq.models import Seq2Seq
from numseq.objectives import OBJECTIVES
from numseq.training.optimizers import OPTIMIZERS
from numseq.training.options import TrainingOptions

# S, T, B: well apart, as some kilobytes that have nothing to do with a batch grow with the distance to the large one
SMALL = ((8, 8, 4), (24, 8, 4), (8, 24, 4), (24, 24, 4), (8, 8, 8))
SMALLER = "a smaller model or vocabulary, or an optimiser that keeps less, as --optimizer sgd"
BOXES = ("objective", "decoder", "encoder", "source", "target")


@dataclass(frozen=True)
class Needs:
    """Bytes. model, its parameters, which are there already; optimizer, its moments and the moving average; batch, all
    that is held at once for the largest batch, gradients included, and shape, its (S, T, B); None and 0 of a corpus
    whose batches have no such sizes. saving, while a checkpoint is made, in the computer's own memory."""

    model: int
    optimizer: int
    batch: int
    shape: tuple[int, int, int] | None
    saving: int


def check_memory(model: Seq2Seq, corpus: Any, options: TrainingOptions, say: Callable[[str], Any]) -> None:
    """Say what training will need, before the first step.

    Args: model, corpus, options, see `needs`. say: called with a line.
    Raises: ConfigError, when it cannot fit into the memory that is free.
    """
    first = trees.leaves(model.params)[0]
    try:
        found, free = needs(model, corpus, options), free_memory(first)
    except MemoryError:
        raise ConfigError(
            f"batch is {options.batch}: not even one of {SMALL[0][-1]} pairs fits: choose {SMALLER}"
        ) from None
    of_batch = ""
    if found.shape:
        S, T, B = found.shape
        of_batch = f", {_bytes(found.batch)} for the largest batch ({B} pairs, {S} and {T} tokens)"
    said = (
        f"memory: {_bytes(found.model)} for the model, {_bytes(found.optimizer)} for the optimiser{of_batch}, "
        f"{_bytes(found.saving)} to save"
    )
    say(said + ("" if free is None else f"; {_bytes(free)} are free"))
    saving = found.saving if array_module(first) is np else 0  # it takes nothing of a GPU's
    if free is None or found.optimizer + max(found.batch, saving) <= free:
        return
    if found.batch > saving:
        advice = "a smaller --batch, with --accumulate for the same updates, or a smaller --max-length"
    else:
        advice = SMALLER
    raise ConfigError(f"batch is {options.batch}: this does not fit ({said}; {_bytes(free)} are free): choose {advice}")


def needs(model: Seq2Seq, corpus: Any, options: TrainingOptions) -> Needs:
    """What training will hold in memory.

    Args: model, a Seq2Seq. corpus, the training data, such as Pairs. options, TrainingOptions.
    """
    size, of_trained = _size(model.params), _size(trees.without(model.params, options.frozen))
    moments = len(OPTIMIZERS.find(options.optimizer).moment_names)
    optimizer = moments * of_trained + (size if options.ema is not None else 0)
    batch, shape = 0, None
    if isinstance(corpus, Pairs):
        shapes = _shapes(corpus, options)
        dtype = str(trees.common_dtype(model.params))
        held = (_terms(shapes) @ _polynomials(model.config, options.objective, dtype)).max(axis=1)
        batch, shape = int(held.max()), tuple(shapes[held.argmax()].tolist())
        if options.accumulate > 1:
            batch += of_trained  # the gradients that are summed
    return Needs(size, optimizer, batch, shape, saving=2 * (size + optimizer))


def _shapes(corpus, options):
    """(S, T, B) of the batches of an epoch: an array (N, 3)."""
    plan = corpus.plan(**options.of_batches, rng=np.random.default_rng(options.seed))
    sides = corpus.source.lengths, corpus.target.lengths
    return np.array([[sides[0][rows].max(), sides[1][rows].max() + 1, len(rows)] for rows in plan])


@lru_cache(maxsize=16)  # a search, a notebook or a test trains the same model again
def _polynomials(config, objective, dtype):
    """The five numbers of each phase, (5, phases), of a model of zeros; a GPU's arrays have the sizes of NumPy's."""
    with use("numpy"):
        model = Seq2Seq.create(config, None, dtype)
        made = OBJECTIVES.find(objective)(config)
        _measured(model, made, *SMALL[0])  # what is imported or kept for good by the first call is of no batch
        measured = [_measured(model, made, *shape) for shape in SMALL]
    return np.linalg.solve(_terms(np.array(SMALL)), np.array(measured))


def _terms(shapes):
    S, T, B = shapes.T.astype(float)
    return np.stack([np.ones_like(B), B, B * S, B * T, B * S * T], axis=1)


def _measured(model, objective, S, T, B):
    """The most bytes that are held in each phase of a step: forward, and backward of each box."""
    batch = _random_batch(model, S, T, B)
    with _traced(), np.errstate(all="ignore"):
        before, _ = tracemalloc.get_traced_memory()
        noise = model.draw_noise(batch, 0)
        trace = model.forward(batch, noise, objective)
        peaks = [tracemalloc.get_traced_memory()[1]]
        for box in BOXES:
            setattr(trace, box, _Watched(getattr(trace, box), peaks))
        trace.backward()
    return [peak - before for peak in peaks]


class _Watched:
    """A box's trace that notes the most that is held during its backward pass."""

    def __init__(self, trace, peaks):
        self._trace, self._peaks = trace, peaks

    def __getattr__(self, name):
        return getattr(self._trace, name)

    def backward(self, *grads, **named):
        tracemalloc.reset_peak()
        found = self._trace.backward(*grads, **named)
        self._peaks.append(tracemalloc.get_traced_memory()[1])
        return found


@contextmanager
def _traced() -> Iterator[None]:
    """A block in which Python counts the bytes that it has, arrays included."""
    if tracemalloc.is_tracing():
        tracemalloc.reset_peak()
        yield
        return
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def _random_batch(model, S, T, B):
    """A batch of random tokens, one of whose rows is shorter."""
    rng, config = np.random.default_rng(0), model.config
    source, target = (
        rng.integers(config.source_vocabulary, size=(S, B)),
        rng.integers(config.target_vocabulary, size=(T, B)),
    )
    source_mask, target_mask = np.ones((S, B), bool), np.ones((T, B), bool)
    source_mask[S // 2 :, 0] = target_mask[T // 2 :, 0] = False
    copies = rng.integers(config.target_vocabulary, size=(S, B)) if config.copies else None
    return Batch(source, source_mask, target, target, target_mask, int(target_mask.sum()), copies)


def _size(tree):
    return sum(leaf.nbytes for leaf in trees.leaves(tree))


def _bytes(n):
    """Bytes in words of three digits."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n >= unit:
            return f"{n / unit:.3g} {name}"
    return f"{n} bytes"


def peak_memory() -> float | None:
    """The most that this process has held in memory so far, in megabytes (10^6); None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6, 1)
