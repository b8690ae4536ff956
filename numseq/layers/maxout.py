"""Maxout: of each pair of neighbouring units, the larger."""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.errors import ArgumentError
from numseq.layers.fit import Fit, as_of
from numseq.record import Record, Trace


@dataclass(slots=True)
class MaxoutGrad(Record):
    dx: Array  # (..., 2K)


@dataclass(slots=True)
class MaxoutTrace(Trace):
    """What `maxout` computed: y (..., K); first (..., K), True where the first unit of a pair won."""

    outputs = ("y",)
    equations = "maxout"  # under this name `numseq.mistakes` knows it
    first: Array
    y: Array

    def backward(self, dy: Array) -> MaxoutGrad:
        """dx = dy at the winner of each pair, 0 at the loser, which had no say in y."""
        as_of(dy, "dy", self.y, "y")
        return MaxoutGrad(dx=maxout_backward(dy, self.first))


FIT = Fit(x="... K")


def maxout(x: Array) -> MaxoutTrace:
    """The maximum over pairs of neighbouring units.

    Equations: y_k = max(x_{2k}, x_{2k+1}), k counting from 0.

    Args: x, (..., 2K).
    Returns: a MaxoutTrace with y (..., K).
    Backward: see MaxoutTrace.backward. Of two equal units the first is the winner.
    Raises: ArgumentError, when the last axis is odd, or there is none.
    Source: Goodfellow et al. 2013, section 2, with two pieces; so used by Bahdanau et al. 2015, appendix A.2.2, between
        the decoder's state and its readout.
    """
    FIT(x)
    if x.shape[-1] % 2:
        raise ArgumentError(f"maxout takes pairs of units, and {x.shape[-1]} is odd")
    first = first_wins(x)
    return MaxoutTrace(first=first, y=array_module(x).where(first, x[..., ::2], x[..., 1::2]))


def first_wins(x: Array) -> Array:
    """Of each pair of x (..., 2K), is the first the larger? The real part orders complex units."""
    return x[..., ::2].real >= x[..., 1::2].real


def maxout_backward(dy: Array, first: Array) -> Array:
    """dx (..., 2K) from dy (..., K): each pair's winner gets all."""
    dx = array_module(dy).stack([dy * first, dy * ~first], axis=-1)  # (..., K, 2): neighbours, as forward took them
    return dx.reshape(*dy.shape[:-1], -1)
