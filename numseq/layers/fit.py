"""Do the arrays of a call fit together? Their shapes are written as letters; in one call a letter is one size.

    FIT = Fit(W="D K", b="K", x="... D")             beside a function, whose docstring has the same letters

    def linear(x, params):
        FIT(params.W, params.b, x)                   ArgumentError: x has the shape (5, 3, 7): it must be (..., 4), ...

    "T B D"        three axes
    "... D"        any axes, and D; as many everywhere in a call
    "4H"           four times H
    "T B bool"     booleans; "... int" whole numbers, as ids are

What is written first decides: so parameters come before what meets them. Nothing here looks at values, so that a GPU is
not waited for, but for `in_table` on the host. Shapes that have fitted once are known, and cost next to nothing again.
"""

from functools import cache
from typing import Any

import numpy as np

from numseq.backend import Array
from numseq.errors import ArgumentError, shown

KINDS = {"bool": ("b", "booleans, True where something is real"), "int": ("iu", "whole numbers")}
KNOWN = 4096  # so many calls that fitted are remembered


class Fit:
    """The shapes of the arrays of a function, by name. An array may be None where it can be left out."""

    def __init__(self, **shapes: str):
        self.names = list(shapes)
        self.axes = [[axis for axis in written.split() if axis not in KINDS] for written in shapes.values()]
        self.kinds = [(k, *KINDS[w.split()[-1]]) for k, w in enumerate(shapes.values()) if w.split()[-1] in KINDS]
        self.known: set[tuple] = set()

    def __call__(self, *arrays: Any) -> None:
        """Raise ArgumentError, unless these arrays, in the order of the names, fit."""
        try:
            shapes = tuple([None if array is None else array.shape for array in arrays])
        except AttributeError:  # a list, say, which has none
            shapes = tuple([None if array is None else getattr(array, "shape", 0) for array in arrays])
        if shapes not in self.known:
            self._check(shapes, arrays)
            if len(self.known) >= KNOWN:
                self.known.clear()
            self.known.add(shapes)
        for k, kind, words in self.kinds:
            if arrays[k] is not None and arrays[k].dtype.kind not in kind:
                raise ArgumentError(f"{self.names[k]} holds {arrays[k].dtype}: it must hold {words}")

    def _check(self, shapes, arrays):
        sizes: dict[str, Any] = {}
        for name, shape, axes, array in zip(self.names, shapes, self.axes, arrays, strict=True):
            if shape is None:
                continue
            if shape == 0:
                raise ArgumentError(f"{name} is {shown(array)}: it must be an array of shape {_written(axes, {})}")
            if not _match(shape, axes, found := dict(sizes)):
                expected, letters = _written(axes, sizes), _written(axes, {})
                also = "" if expected == letters else f", that is {letters}"
                raise ArgumentError(f"{name} has the shape {shape}: it must be {expected}{also}")
            sizes = found


def _match(shape, axes, sizes):
    """Whether a shape is the one that is written, given the sizes of letters, to which those of new ones are added."""
    if axes[:1] == ["..."]:
        before = len(shape) - len(axes) + 1
        if before < 0 or sizes.setdefault("...", shape[:before]) != shape[:before]:
            return False
        shape, axes = shape[before:], axes[1:]
    return len(shape) == len(axes) and all(map(lambda n, axis: _is(n, axis, sizes), shape, axes))


def _is(n, axis, sizes):
    letter = axis.lstrip("0123456789")
    times = int(axis.removesuffix(letter) or 1)
    if not letter:  # a number
        return n == times
    return n % times == 0 and sizes.setdefault(letter, n // times) == n // times


def _written(axes, sizes):
    """A shape in letters, or in numbers as far as they are known."""
    words = []
    for axis in axes:
        letter = axis.lstrip("0123456789")
        if letter not in sizes:
            words.append(axis)
        elif axis == "...":
            words += map(str, sizes[axis])
        else:
            words.append(str(int(axis.removesuffix(letter) or 1) * sizes[letter]))
    return f"({', '.join(words)}{',' if len(words) == 1 and words != ['...'] else ''})"


def shape_of(array: Array, called: str) -> tuple[int, ...]:
    """The shape of an array. Raises: ArgumentError, for what is none."""
    if (shape := getattr(array, "shape", None)) is None:
        raise ArgumentError(f"{called} is {shown(array)}: it must be an array")
    return shape


def as_of(array: Array, called: str, other: Array, name: str) -> None:
    """Raise ArgumentError, unless an array has the shape of another, as a gradient that of what it belongs to."""
    if (found := shape_of(array, called)) != other.shape:
        raise ArgumentError(f"{called} has the shape {found}: it must be {other.shape}, as {name}")


def in_table(ids: Array, called: str, size: int) -> None:
    """Raise ArgumentError, unless all ids are from 0 and below `size`. On a GPU, which would have to be waited for,
    nothing is looked at: there ids are checked before they get there (`numseq.data.batches`)."""
    if not isinstance(ids, np.ndarray) or not ids.size:
        return
    unsigned = ids.view(_unsigned(ids.dtype)).ravel()  # so read, negative numbers are huge: one look for both ends
    if unsigned[unsigned.argmax()] >= size:  # measured, a third of the time of max()
        wrong = ids[(ids < 0) | (ids >= size)].flat[0]
        raise ArgumentError(f"{called} holds {wrong}: ids are whole numbers from 0 to {size - 1:,}")


@cache
def _unsigned(dtype):
    return np.dtype(f"{dtype.byteorder}u{dtype.itemsize}")
