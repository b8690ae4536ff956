"""Kinks: where a function goes on in another direction than it came from, as a relu at 0, there is no derivative.

    s+(h) = (L(x + h v) - L(x)) / h,   s-(h) = (L(x) - L(x - h v)) / h

Where L is smooth, c(h) = s+ - s- = h L'' + ... shrinks with h; on a kink it is J + h L'' + ..., so J is what is left of
(10 c(h / 10) - c(h)) / 9, with any h. Where it is rounding, which may be far larger than that of L, as where -1e9 was
added, it is another one with each h.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import array_module
from numseq.errors import NumseqError
from numseq.gradcheck.references import EPS, number

STEPS = 1e-4, 1e-5, 1e-6, 1e-7, 1e-8  # several, since other kinks may be near
ASIDE = 0.03  # how far inputs are moved, in their own sizes


class KinkError(NumseqError):
    """The inputs are on a kink; str() says of which input, or nothing."""


def on_kink(loss: Callable[[float], Any], size: float) -> bool:
    """Is loss(step) at step 0 on a kink? size, of the numbers that it is summed of, which bounds its rounding."""
    here = number(loss(0.0))
    gaps = []
    for h in STEPS:
        gaps.append((number(loss(h)) - 2 * here + number(loss(-h))) / h)
    noise = 40 * EPS * max(size, abs(here))
    jumps = [(10 * b - a) / 9 for a, b in pairwise(gaps)]
    return any(
        abs(near) > noise / h and abs(near - far) < 0.2 * abs(near)
        for (far, near), h in zip(pairwise(jumps), STEPS[2:], strict=True)
    )


def move_off(inputs: dict[str, Any], seed: int) -> dict[str, Any]:
    """The inputs, each a little aside, at random."""
    rng = np.random.default_rng(seed)

    def aside(leaf):
        xp = array_module(leaf)
        size = float((abs(leaf) ** 2).mean()) ** 0.5 if leaf.size else 0.0
        away = xp.asarray(rng.standard_normal(leaf.shape).astype(leaf.dtype))
        return leaf + ASIDE * (size or 1.0) * away

    return trees.map(aside, inputs)
