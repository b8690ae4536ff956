"""Inputs that no usual mistake survives: what a case is, and the sizes that all share.

One row, one step or all sizes equal hide nearly half of the usual wrong backward passes at any tolerance. So here:
seven rows, ragged lengths, repeated ids, non-zero first states, dropout on, every size different, and a loss that
reads the final states too.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from numseq import params as trees
from numseq.backend import Generator

S, T, B = 5, 6, 7  # source positions, time steps, rows
D, H, A, V = 3, 2, 9, 11  # input, hidden, attention, vocabulary
REAL = np.arange(T)[:, None] < np.array([T, 2, 4, 1, 3, 5, 2])  # (T, B): ragged
SOURCE_REAL = np.arange(S)[:, None] < np.array([S, 2, 3, 1, 4, 3, 5])  # (S, B)
CLEAR = 5e-3  # how far from a kink, such as a window's edge: no central difference steps over it
DRAWS = 1000  # at most, until inputs are fit; of most cases one in ten is, of few one in hundreds


@dataclass(slots=True)
class Case:
    """A function that returns a trace, and float64 inputs for it.

    covers: the exported functions that it checks. outputs: those that the loss reads; None for all. options: what is on
    in it, of the options that are tried in pairs (`numseq.mistakes.pairs`).
    """

    function: Any
    inputs: dict
    covers: tuple[str, ...]
    outputs: tuple[str, ...] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def rescaled(rng: Generator, tree: Any) -> Any:
    """The tree with standard normal numbers in place of its own."""
    return trees.map(lambda leaf: rng.standard_normal(leaf.shape), tree)


def often_on(params: Any, cell: Any) -> Any:
    """Parameters with which the units of a relu are on often, and its states do not grow beyond all bounds; those of
    other cells as they are."""
    if getattr(cell, "equations", None) != "relu_rnn":
        return params
    return trees.map(lambda leaf: np.abs(leaf) / 2 if leaf.ndim == 1 else leaf / 2, params)


def weighed(rng: Generator) -> np.ndarray:
    """What each of (T, B) tokens counts in a loss: some nothing, some less than nothing."""
    return np.where(REAL, rng.standard_normal((T, B)), 0)


def call(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function with these options, waiting for its inputs."""
    return lambda **inputs: function(**inputs, **options)


def own_generator(start: int, name: str) -> Generator:
    """What one case is drawn from: a new case changes the inputs of no other."""
    return np.random.default_rng((start, zlib.crc32(name.encode())))


def numbered(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(name, thing) with a number behind each name that was there before."""
    seen: dict[str, int] = {}
    for name, thing in named:
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}, {seen[name]}"), thing


def fit(draw: Callable[[], Case], suits: Callable[[Any], bool]) -> Case:
    """The first of the cases drawn whose trace suits. No backward is called for it: that is what a case is to check.

    A case whose forward raises is taken as it is, for the check to tell; so is the last one, if none suits.
    """
    for _ in range(DRAWS):
        case = draw()
        try:
            if suits(case.function(**case.inputs)):
                return case
        except Exception:
            return case
    return case


def unmade(error: Exception) -> Case:
    """What stands in the table for a case that could not be made: its check raises what making it raised."""

    def function(x: np.ndarray) -> NoReturn:
        raise error

    return Case(function, {"x": np.zeros(1)}, ())
