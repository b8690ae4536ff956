"""Pooling: of what a window sees one number, in each channel; over time, x (S, B, D), or a picture, x (R, C, B, D).

y_p = max_j x_{p m + j - a}      of maxima, over the taps j
y_p = 1/n_p sum_j x_{p m + j - a}      of means; n_p of these places are there, and real

Windows lie as in `numseq.layers.convolution`, whose m and a these are.

Each channel is pooled on its own, and what lies beyond the ends, or is not real, has no part in it.
"""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.errors import ArgumentError
from numseq.layers.fit import Fit, as_of, shape_of
from numseq.layers.windows import Windows, masked
from numseq.record import Record, Trace


@dataclass(slots=True)
class PoolingGrad(Record):
    dx: Array  # (S, B, D) or (R, C, B, D)


@dataclass(slots=True)
class MaxPoolingTrace(Trace):
    """What `max_pooling` computed: y (P, B, D), 0 where y_mask (P, B) is False; winner (P, B, D), the tap that saw the
    maximum; its input x and its windows."""

    outputs = ("y",)
    equations = "max_pooling"
    x: Array
    windows: Windows
    y_mask: Array | None
    winner: Array
    y: Array

    def backward(self, dy: Array) -> PoolingGrad:
        """dx_s = sum of dy_p      over the windows p whose maximum stood at s"""
        as_of(dy, "dy", self.y, "y")
        dy = masked(dy, self.y_mask)
        of_taps = (dy * (self.winner == j) for j in range(len(self.windows.taps)))
        return PoolingGrad(dx=self.windows.given_back(of_taps, self.x))


@dataclass(slots=True)
class MeanPoolingTrace(Trace):
    """What `mean_pooling` computed: y (P, B, D), 0 where y_mask (P, B) is False; n (P, B), or (P, 1) without a mask,
    the real places that each window sees; its input x, its windows, and which of x is real, x_mask (S, B)."""

    outputs = ("y",)
    equations = "mean_pooling"
    x: Array
    windows: Windows
    x_mask: Array | None
    y_mask: Array | None
    n: Array
    y: Array

    def backward(self, dy: Array) -> PoolingGrad:
        """dx_s = sum of dy_p / n_p      over the windows p that saw s"""
        as_of(dy, "dy", self.y, "y")
        share = masked(dy, self.y_mask) / self.n[..., None]
        dx = self.windows.given_back((share for _ in self.windows.taps), self.x)
        return PoolingGrad(dx=masked(dx, self.x_mask))


FITS = {3: Fit(x="S B D", mask="S B bool"), 4: Fit(x="R C B D", mask="R C B bool")}


def max_pooling(
    x: Array, *, size: int, stride: int | None = None, padding: str = "valid", mask: Array | None = None
) -> MaxPoolingTrace:
    """The maximum of what each window sees.

    Equations: those of the module.

    Args: x, (S, B, D) over time or (R, C, B, D) over a picture. size, k. stride, from window to window; None for k, so
        that they lie side by side. padding, "valid" for windows within the S places, or "same" for ceil(S / stride) of
        them. mask, (S, B) or (R, C, B), booleans: what is real.
    Returns: a MaxPoolingTrace with y (P, B, D) or (P, Q, B, D); its y_mask says which of it is real.
    Backward: MaxPoolingTrace.backward. Of equal places the first is the winner.
    Raises: ArgumentError, when shapes do not fit, or no window does.
    """
    windows = _windows(x, size, stride, padding, mask)
    xp = array_module(x)
    least = xp.asarray(-xp.inf, dtype=x.dtype)
    y, *others = windows.seen(x if mask is None else xp.where(mask[..., None], x, least), beyond=-xp.inf)
    winner = xp.zeros(y.shape, dtype="int32")
    for j, x_j in enumerate(others, 1):
        larger = x_j.real > y.real  # the real part orders complex numbers
        y, winner = xp.where(larger, x_j, y), xp.where(larger, xp.asarray(j, dtype="int32"), winner)
    y_mask = None if mask is None else windows.real(mask)
    if y_mask is not None:
        y = xp.where(y_mask[..., None], y, xp.zeros_like(y))
    return MaxPoolingTrace(x=x, windows=windows, y_mask=y_mask, winner=winner, y=y)


def mean_pooling(
    x: Array, *, size: int, stride: int | None = None, padding: str = "valid", mask: Array | None = None
) -> MeanPoolingTrace:
    """The mean of what each window sees.

    Equations: those of the module.

    Args: as of `max_pooling`.
    Returns: a MeanPoolingTrace with y (P, B, D) or (P, Q, B, D); its y_mask says which of it is real.
    Backward: MeanPoolingTrace.backward.
    Raises: ArgumentError, when shapes do not fit, or no window does.
    """
    windows = _windows(x, size, stride, padding, mask)
    xp, dtype = array_module(x), x.real.dtype
    there = xp.ones((*windows.places, 1), dtype=dtype) if mask is None else mask.astype(dtype)
    n = xp.maximum(sum(windows.seen(there)), 1)  # where nothing is real, y is 0
    y_mask = None if mask is None else windows.real(mask)
    y = masked(sum(windows.seen(masked(x, mask))) / n[..., None], y_mask)
    return MeanPoolingTrace(x=x, windows=windows, x_mask=mask, y_mask=y_mask, n=n, y=y)


def _windows(x, size, stride, padding, mask):
    """The windows of a call, whose arrays fit."""
    found = shape_of(x, "x")
    if len(found) not in FITS:
        raise ArgumentError(f"x has the shape {found}: it must be (S, B, D) over time, or (R, C, B, D) over a picture")
    FITS[len(found)](x, mask)
    return Windows(x.shape[:-2], size, size if stride is None else stride, padding)
