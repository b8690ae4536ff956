"""What a case is, and the sizes that all cases share."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq import params as trees

S, T, B = 5, 6, 7  # source positions, time steps, rows
D, H, A, V = 3, 2, 9, 11  # input, hidden, attention, vocabulary
REAL = np.arange(T)[:, None] < np.array([T, 2, 4, 1, 3, 5, 2])  # (T, B): ragged
SOURCE_REAL = np.arange(S)[:, None] < np.array([S, 2, 3, 1, 4, 3, 5])  # (S, B)


@dataclass(slots=True)
class Case:
    """A function that returns a trace, and float64 inputs for it. covers: the exported functions that it checks."""

    function: Any
    inputs: dict
    covers: tuple[str, ...]


def rescaled(rng, tree):
    """The tree with standard normal numbers in place of its own."""
    return trees.map(lambda leaf: rng.standard_normal(leaf.shape), tree)
