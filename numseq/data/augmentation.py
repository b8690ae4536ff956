"""Pictures somewhat changed, so that no two passes over a corpus see the same: mirrored, and cut out elsewhere.

Each takes a whole batch, and every picture of it has a draw of its own. A generator is of the host, whatever the batch
lies on.
"""

from numseq.backend import Array, Generator, array_module
from numseq.data.pictures import Size, as_size
from numseq.errors import ArgumentError


def mirror(rng: Generator, x: Array) -> Array:
    """Every other picture, on average, with left and right exchanged.

    A sentence that says what is left of what is wrong then: of such pictures leave it out.

    Args: rng. x, (rows, columns, B, D). Returns: the same shape.
    """
    xp = array_module(_pictures(x))
    mirrored = xp.asarray(rng.random(x.shape[2]) < 0.5)
    return xp.where(mirrored[:, None], x[:, ::-1], x)


def random_crop(rng: Generator, x: Array, size: Size) -> Array:
    """Of each picture a part of this size, wherever it falls.

    Args: rng. x, (rows, columns, B, D). size, (rows, columns) of the part.
    Returns: (*size, B, D). Raises: ArgumentError, when a picture is smaller.
    Source: Krizhevsky et al. 2012, section 4.1.
    """
    rows, columns = _fits(x, size)
    B = x.shape[2]
    top, left = (rng.integers(0, most - least + 1, B) for most, least in zip(x.shape, (rows, columns), strict=False))
    return _cut(x, (rows, columns), top, left)


def centre_crop(x: Array, size: Size) -> Array:
    """The middle of each picture, for evaluation: (*size, B, D). Args, Raises: as `random_crop`."""
    rows, columns = _fits(x, size)
    top, left = (x.shape[0] - rows) // 2, (x.shape[1] - columns) // 2
    return x[top : top + rows, left : left + columns]


def _cut(x, size, top, left):
    xp = array_module(x)
    rows, columns = (xp.arange(n)[:, None] + xp.asarray(first) for n, first in zip(size, (top, left), strict=True))
    return x[rows[:, None], columns[None], xp.arange(x.shape[2])]


def _pictures(x):
    if getattr(x, "ndim", None) != 4:
        raise ArgumentError(f"x has shape {getattr(x, 'shape', None)}: it must be (rows, columns, B, D)")
    return x


def _fits(x, size):
    rows, columns = as_size(size)
    if rows > _pictures(x).shape[0] or columns > x.shape[1]:
        raise ArgumentError(f"size is {(rows, columns)}: the pictures are {x.shape[0]} x {x.shape[1]}")
    return rows, columns
