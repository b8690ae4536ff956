"""What a known bug is, and what several lists of them share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Bug:
    """name, what was done; function, in which of `equations`; lesson, why it is wrong; change, equation to function."""

    name: str
    function: str
    lesson: str
    change: dict[str, Callable]


def bugs(function, *rows):
    """Bugs of one function, from rows of (name, equation, what is put in its place, lesson)."""
    return [Bug(name, function, lesson, {equation: wrong}) for name, equation, wrong, lesson in rows]


def fresh(mask):
    """A mask of the same rate, drawn anew."""
    return np.random.default_rng(0).permutation(mask.reshape(-1)).reshape(mask.shape)


def logit(gate):
    return np.log(gate / (1 - gate))  # back to the pre-activation


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def swapped(blocks, j, k):
    blocks = list(blocks)
    blocks[j], blocks[k] = blocks[k], blocks[j]
    return blocks
