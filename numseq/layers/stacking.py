"""Frame stacking: n neighbouring frames side by side become one place, so that time is n times as short.

y_s = [x_{ns}; x_{ns+1}; ...; x_{ns+n-1}]         frames that are padding, or beyond the last one, count as 0

With n = 2 between recurrent layers it is the pyramid: each layer reads half as many places as the one below.

Source: Chan et al. 2016 (the pyramid).
"""

from dataclasses import dataclass

from numseq.arguments import whole
from numseq.backend import Array, array_module
from numseq.layers.fit import Fit, as_of
from numseq.record import Record, Trace


@dataclass(slots=True)
class StackFramesGrad(Record):
    dx: Array  # (S, B, D)


@dataclass(slots=True)
class StackFramesTrace(Trace):
    """What `stack_frames` made of frames, some of which are real (S, B): y (S', B, nD), and which of its places are
    real (S', B), None where all are."""

    outputs = ("y",)
    equations = "stack_frames"
    n: int
    frames: Array  # (S, B) True where a frame is real
    mask: Array | None
    y: Array

    def backward(self, dy: Array) -> StackFramesGrad:
        """dx_{ns+k} = the k-th of the n parts of dy_s: frames are put elsewhere, and so is their gradient; exactly 0
        where they are padding."""
        as_of(dy, "dy", self.y, "y")
        S, B = self.frames.shape
        parts = dy.reshape(len(dy), B, self.n, -1)
        dx = parts.swapaxes(1, 2).reshape(len(dy) * self.n, B, -1)[:S]
        return StackFramesGrad(dx=array_module(dy).where(self.frames[:, :, None], dx, 0))


FIT = Fit(x="S B D", mask="S B bool")


def stack_frames(x: Array, n: int, *, mask: Array | None = None) -> StackFramesTrace:
    """Put n neighbouring frames side by side.

    Equations: those of the module.

    Args: x, (S, B, D). n: how many become one. mask, (S, B) True where a frame is real, or None for everywhere.
    Returns: a StackFramesTrace with y (S', B, nD), S' = S / n rounded up, and its mask (S', B): a place is real if its
        first frame is; None without a mask.
    Backward: StackFramesTrace.backward.
    Raises: ArgumentError, when shapes do not fit, or n is no whole number from 1.
    Source: Chan et al. 2016 (n = 2).
    """
    FIT(x, mask)
    n, xp, (S, B, D) = whole(n, "n", least=1), array_module(x), x.shape
    frames = xp.ones((S, B), dtype=bool) if mask is None else mask
    places = -(-S // n)
    padded = xp.zeros((places * n, B, D), dtype=x.dtype)
    padded[:S] = xp.where(frames[:, :, None], x, 0)
    y = padded.reshape(places, n, B, D).swapaxes(1, 2).reshape(places, B, n * D)
    return StackFramesTrace(n, frames, None if mask is None else mask[::n], y)
