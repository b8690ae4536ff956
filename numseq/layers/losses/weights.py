"""What each target counts in a loss: sum over targets of weights * nll.

    a mask      1 / (number of True) where True, 0 elsewhere: the mean over real targets
    numbers     as they are: an objective that weighs sentences, or tokens, needs no other loss

A target of weight 0 is padding: it changes no output and gets exactly zero gradient.
"""

from numseq.backend import Array, array_module
from numseq.errors import ArgumentError, shown


def as_weights(weights: Array | None, shape: tuple[int, ...], like: Array) -> tuple[Array, Array]:
    """The weights of a loss as numbers.

    Args: weights, of the targets' `shape`: booleans, True where a target is real; or floating numbers; None for True
        everywhere. like, an array of the call: the numbers are of its precision, and real.
    Returns: (the weights, and where they are not 0).
    Raises: ArgumentError, when they have another shape; TypeError, when they are neither booleans nor of that
        precision.
    """
    xp, dtype = array_module(like), like.real.dtype
    if weights is None:
        weights = xp.ones(shape, dtype=bool)
    if (found := getattr(weights, "shape", None)) != shape:
        raise ArgumentError(f"weights are {found or shown(weights)}: there must be one for each target, {shape}")
    if weights.dtype == bool:
        mean = weights.astype(dtype)
        mean /= mean.sum()
        return mean, weights
    if weights.dtype != dtype:
        raise TypeError(f"weights are {weights.dtype}: they must be booleans, or {dtype} as the other arrays")
    return weights, weights != 0
