"""Positions as numbers: what tells a model that reads all of a sequence at once which token comes first.

angle_tk = t / 10000^(2k / D)                                    k = 0, 1, ...: from short waves to long ones
p_t      = [sin(angle_t0); cos(angle_t0); sin(angle_t1); cos(angle_t1); ...]     D numbers, for any t
y_t      = sqrt(D) x_t + p_t

An embedding whose numbers have the variance 1 / D gets by sqrt(D) the size of the positions. Nothing here is learned:
p_{t+n} is p_t, with each pair turned by an angle that depends on n alone.

Source: Vaswani et al. 2017, sections 3.4 (sqrt(D)) and 3.5.
"""

from dataclasses import dataclass

from numseq.arguments import whole
from numseq.backend import Array, array_module
from numseq.layers.fit import Fit, as_of
from numseq.record import Record, Trace


@dataclass(slots=True)
class PositionsGrad(Record):
    dx: Array  # (T, B, D)


@dataclass(slots=True)
class PositionsTrace(Trace):
    """What `add_positions` computed: y (T, B, D), of p (T, D) and the scale, sqrt(D)."""

    outputs = ("y",)
    equations = "add_positions"
    scale: float
    p: Array
    y: Array

    def backward(self, dy: Array) -> PositionsGrad:
        """dx = sqrt(D) dy: the positions were added, and are not learned."""
        as_of(dy, "dy", self.y, "y")
        return PositionsGrad(dx=self.scale * dy)


FIT = Fit(x="T B D")


def add_positions(x: Array, *, first: int = 0) -> PositionsTrace:
    """Scale the vectors of a sequence, and add to each the numbers of its position.

    Equations: those of the module.

    Args: x, (T, B, D). first: the position of x_0, which is not 0 where a sequence goes on.
    Returns: a PositionsTrace with y (T, B, D) and p (T, D).
    Backward: PositionsTrace.backward.
    Raises: ArgumentError, when x has other axes, or first is no whole number from 0.
    """
    FIT(x)
    p, scale = positions(len(x), x.shape[-1], like=x, first=first), x.shape[-1] ** 0.5
    return PositionsTrace(scale, p, scale * x + p[:, None])


def positions(steps: int, width: int, *, like: Array, first: int = 0) -> Array:
    """The sinusoids of T positions.

    Args: steps, T. width, D. like, an array, whose precision and backend they get. first: the first position.
    Returns: p, (T, D).
    Raises: ArgumentError, when one of them is no whole number, or negative.
    """
    steps, width, first = whole(steps, "steps", least=0), whole(width, "width", least=1), whole(first, "first", least=0)
    xp = array_module(like)
    wave = 10000.0 ** (-2 * xp.arange((width + 1) // 2) / width)
    angle = (first + xp.arange(steps))[:, None] * wave
    both = xp.stack([xp.sin(angle), xp.cos(angle)], axis=-1)  # (T, D / 2, 2)
    return both.reshape(steps, -1)[:, :width].astype(like.real.dtype)
