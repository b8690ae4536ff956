"""Inputs that no usual mistake survives: what a case is, and the sizes that all share.

One row, one step or all sizes equal hide nearly half of the usual wrong backward passes at any tolerance. So here:
seven rows, ragged lengths, repeated ids, non-zero first states, dropout on, every size different, and a loss that
reads the final states too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import Generator

S, T, B = 5, 6, 7  # source positions, time steps, rows
D, H, A, V = 3, 2, 9, 11  # input, hidden, attention, vocabulary
REAL = np.arange(T)[:, None] < np.array([T, 2, 4, 1, 3, 5, 2])  # (T, B): ragged
SOURCE_REAL = np.arange(S)[:, None] < np.array([S, 2, 3, 1, 4, 3, 5])  # (S, B)
CLEAR = 5e-3  # how far from a kink, such as a window's edge: no central difference steps over it


@dataclass(slots=True)
class Case:
    """A function that returns a trace, and float64 inputs for it. covers: the exported functions that it checks."""

    function: Any
    inputs: dict
    covers: tuple[str, ...]


def rescaled(rng: Generator, tree: Any) -> Any:
    """The tree with standard normal numbers in place of its own."""
    return trees.map(lambda leaf: rng.standard_normal(leaf.shape), tree)


def weighed(rng: Generator) -> np.ndarray:
    """What each of (T, B) tokens counts in a loss: some nothing, some less than nothing."""
    return np.where(REAL, rng.standard_normal((T, B)), 0)


def call(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function with these options, waiting for its inputs."""
    return lambda **inputs: function(**inputs, **options)
