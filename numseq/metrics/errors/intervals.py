"""How sure a share or a rate is, as the interval that holds the true one in 95 of 100 cases.

Wilson's, of k of n:    p = k / n
                        (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),  z = 1.96
bootstrap, of a rate sum_k a_k / sum_k b_k over lines: the rate of as many lines drawn with replacement, 1,000 times;
                        the interval holds the middle 95 % of these
"""

from typing import NamedTuple

import numpy as np

from numseq.backend import Array

Z = 1.959964
SAMPLES = 1000
LEAST = 10  # lines; fewer, drawn again and again, look more alike than lines are


class Rate(NamedTuple):
    """A share or a rate, with its interval; without one where too little is known."""

    value: float
    low: float | None = None
    high: float | None = None


class Difference(Rate):
    """The same of a difference of two, which has a sign."""


def share(k: int, n: int) -> Rate | None:
    """k of n with Wilson's interval, which is right for small n, and near 0 and 1, too; None when n is 0.

    Source: Wilson 1927.
    """
    if n == 0:
        return None
    p = k / n
    middle, half = p + Z**2 / (2 * n), Z * (p * (1 - p) / n + Z**2 / (4 * n**2)) ** 0.5
    return Rate(p, *(float(np.clip((middle + sign * half) / (1 + Z**2 / n), 0, 1)) for sign in (-1, 1)))


def rate(a: Array, b: Array, kind: type[Rate] = Rate) -> Rate | None:
    """sum(a) / sum(b) over lines, with a bootstrap interval where there are LEAST lines; None when sum(b) is 0.

    Args: a, b, (lines,). kind, Difference where a is what two systems differ by. The same lines have the same interval.
    Source: Koehn 2004.
    """
    a, b = np.asarray(a), np.asarray(b)
    if not b.sum():
        return None
    value = float(a.sum() / b.sum())
    if len(a) < LEAST:
        return kind(value)
    rng, drawn = np.random.default_rng(0), []
    for _ in range(SAMPLES):
        rows = rng.integers(len(a), size=len(a))
        drawn.append(a[rows].sum() / max(b[rows].sum(), 1))
    return kind(value, *(float(one) for one in np.percentile(drawn, [2.5, 97.5])))
