"""The moving average of the parameters: a smoother model beside the one that is trained."""

from typing import Any

from numseq import params as trees
from numseq.backend import array_module, for_each
from numseq.training.optimizers import pieces


def follow(average: Any, params: Any, decay: float, n: int) -> None:
    """Bring an exponential moving average up to the parameters after the n-th update, in place.

    Equations: d = min(decay, (1 + n) / (10 + n));  a <- a + (1 - d) (p - a).

    The early decay is smaller, or the first values, which are random, would weigh for 1 / (1 - decay) updates.

    Args: average, a tree, changed. params, a tree of the same shapes. decay in [0, 1). n, updates so far, from 1.
    Source: Polyak & Juditsky 1992, who take the mean; with decay and warm-up as TensorFlow's ExponentialMovingAverage.
    """
    share = 1 - min(decay, (1 + n) / (10 + n))

    def rule(a, p):
        step = p - a
        step *= share
        a += step

    for_each(array_module(trees.leaves(params)[0]), lambda piece: rule(*piece), pieces(average, params))
