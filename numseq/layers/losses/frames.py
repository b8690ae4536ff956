"""Losses of frames: how far each number is from the one that it should be, squared or not, in the mean.

off_tbk = frames_tbk - target_tbk
each_tb = sum over k of off_tbk^2 / D          squared: a few large misses are the worst
each_tb = sum over k of |off_tbk| / D          absolute: a miss weighs by how large it is
loss    = sum over tb of weights_tb * each_tb
"""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.layers.fit import Fit
from numseq.layers.losses.weights import as_weights
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class FramesGrad(Record):
    dframes: Array  # (T, B, D)


@dataclass(slots=True)
class SquaredErrorTrace(Trace):
    """What `mean_squared_error` computed: off (T, B, D) = frames - target, 0 where the weight is; weights (T, B), with
    a mask 1 / (number of real frames), and 0 where masked; the loss ()."""

    outputs = ("loss",)
    equations = "mean_squared_error"
    off: Array
    weights: Array
    loss: Array

    def backward(self, dloss: float = 1.0) -> FramesGrad:
        """doff = 2 off / D * weights * dloss;  dframes = doff, which is exactly 0 where the weight is."""
        doff = 2 * self.off / self.off.shape[-1]
        return FramesGrad(dframes=doff * (self.weights * dloss)[:, :, None])


@dataclass(slots=True)
class AbsoluteErrorTrace(Trace):
    """What `mean_absolute_error` computed: off (T, B, D) = frames - target, 0 where the weight is; sign (T, B, D) of
    it, 1, -1 or 0; weights (T, B), with a mask 1 / (number of real frames), and 0 where masked; the loss ()."""

    outputs = ("loss",)
    equations = "mean_absolute_error"
    off: Array
    sign: Array
    weights: Array
    loss: Array

    def backward(self, dloss: float = 1.0) -> FramesGrad:
        """doff = sign(off) / D * weights * dloss;  dframes = doff, where sign(0) = 0, as there is no slope."""
        doff = self.sign / self.off.shape[-1]
        return FramesGrad(dframes=doff * (self.weights * dloss)[:, :, None])


FIT = Fit(frames="T B D", target="T B D")


def mean_squared_error(frames: Array, target: Array, weights: Array | None = None) -> SquaredErrorTrace:
    """The squared distance of frames from what they should be: the mean over frames and their numbers.

    Equations: off = frames - target;  each_tb = sum over k of off_tbk^2 / D;  loss = sum(weights * each), where a
        mask stands for the weights mask / sum(mask).

    Args: frames, (T, B, D). target, (T, B, D), real numbers. weights, (T, B): a mask, True where a frame is real, for
        the mean over these; or numbers, what each frame counts; None for the mean over all.
    Returns: a SquaredErrorTrace with loss ().
    Backward: see SquaredErrorTrace.backward.
    Raises: ArgumentError, when shapes do not fit; TypeError, when dtypes differ; see `as_weights` for the weights.
    """
    off, weights = _off(frames, target, weights)
    each = (off * off).sum(axis=-1) / off.shape[-1]
    return SquaredErrorTrace(off=off, weights=weights, loss=(weights * each).sum())


def mean_absolute_error(frames: Array, target: Array, weights: Array | None = None) -> AbsoluteErrorTrace:
    """The distance of frames from what they should be: the mean over frames and their numbers.

    Equations: off = frames - target;  each_tb = sum over k of |off_tbk| / D;  loss = sum(weights * each), where a
        mask stands for the weights mask / sum(mask). Written off * sign(off), and of complex numbers the real part has
        the sign.

    Args: frames, (T, B, D). target, (T, B, D), real numbers. weights, (T, B): a mask, True where a frame is real, for
        the mean over these; or numbers, what each frame counts; None for the mean over all.
    Returns: an AbsoluteErrorTrace with loss ().
    Backward: see AbsoluteErrorTrace.backward.
    Raises: ArgumentError, when shapes do not fit; TypeError, when dtypes differ; see `as_weights` for the weights.
    """
    off, weights = _off(frames, target, weights)
    sign = array_module(off).sign(off.real)
    each = (off * sign).sum(axis=-1) / off.shape[-1]
    return AbsoluteErrorTrace(off=off, sign=sign, weights=weights, loss=(weights * each).sum())


def _off(frames, target, weights):
    """(frames - target, 0 where the weight is, whatever stands there; the weights as numbers)."""
    FIT(frames, target)
    common_dtype(frames.real, target)
    weights, real = as_weights(weights, frames.shape[:2], frames)
    return array_module(frames).where(real[:, :, None], frames - target, 0), weights
