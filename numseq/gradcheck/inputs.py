"""The inputs of a check: what of them has a gradient, what is handed on as it is, and how a function is called.

Arrays of floating numbers have a gradient, and so do trees of them. Masks, ids, names, options have none. A Python
number, as a temperature, has one if backward gives one.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import params as trees


def is_array(value: Any) -> bool:
    """Is it an array, of whatever library's that this one knows?"""
    return hasattr(value, "shape") and hasattr(value, "dtype") and isinstance(value.dtype, np.dtype)


def is_floating(value: Any) -> bool:
    return is_array(value) and value.dtype.kind in "fc"


def is_tree(value: Any) -> bool:
    """Is it a floating array or number, or a tree in which there is one?"""
    return isinstance(value, float) or any(map(is_floating, trees.leaves(value)))


class Inputs:
    """What a function is checked at.

    moved: {argument: tree of floating arrays}, of which a gradient is wanted; leaves without one are None. numbers:
    {argument: number}, the Python numbers. fixed: {argument: value}, all else. order: all arguments. by_position: they
    were given without names.

    Raises: TypeError and ValueError, which name the input that is of no use and say what would be.
    """

    def __init__(self, given: Any, function: Any):
        self.by_position = not isinstance(given, dict)
        if self.by_position:
            values = list(given) if isinstance(given, list | tuple) else [given]
            given = dict(zip(_names(function, len(values)), values, strict=True))
        self.moved: dict[str, Any] = {}
        self.numbers: dict[str, float] = {}
        self.fixed: dict[str, Any] = {}
        self.order = list(given)
        self.whole = dict(given)
        self.mixed: set[str] = set()  # those with other things beside floating arrays
        for name, value in given.items():
            self._sort(name, value)
        self._before = trees.map(lambda leaf: leaf.copy() if is_array(leaf) else leaf, self.fixed)
        self.fits = False  # whether a call went as its signature wants
        self.held: Any = None  # an object whose parameters are among those moved; see `objects`

    def _sort(self, name, value):
        if isinstance(value, SimpleNamespace):
            kind = type(value).__name__
            raise TypeError(f"{name} is a {kind}: bring parameters as a dict, a list, a named tuple or a dataclass")
        if isinstance(value, float):
            self.numbers[name] = value
            self._finite(name, np.asarray(value))
            return
        if isinstance(value, list | tuple) and _numbers_only(value):
            raise TypeError(f"{name} is a {type(value).__name__} of Python numbers: make it an array, np.array({name})")
        leaves = dict(trees.walk(value, name))
        for leaf, array in leaves.items():
            if hasattr(array, "shape") and not is_array(array):
                kind = f"{type(array).__module__.split('.')[0]}.{type(array).__name__}"
                raise TypeError(f"{leaf} is a {kind}: arrays are NumPy's or CuPy's here, as in np.asarray({leaf})")
            if is_floating(array):
                self._finite(leaf, array)
        if not any(map(is_floating, leaves.values())):
            self.fixed[name] = value
            return
        self.moved[name] = trees.map(lambda leaf: leaf if is_floating(leaf) else None, value)
        if not all(map(is_floating, leaves.values())):
            self.mixed.add(name)

    @staticmethod
    def _finite(name, array):
        if array.dtype.kind == "c":
            raise TypeError(f"{name} is {array.dtype}: gradients are checked in float64, of real numbers")
        if not bool((abs(array) < np.inf).all()):
            raise ValueError(
                f"{name} holds numbers that are not finite (NaN or infinity): there is no derivative there"
            )

    def dtype(self) -> np.dtype:
        """The one floating dtype of what is moved. Raises: TypeError, which names two inputs that differ."""
        found = {leaf: a.dtype for leaf, a in trees.walk(self.moved)}
        if not found:
            if not self.order:
                raise TypeError("no inputs are given: a check is at some, as in check(function, {'x': x})")
            arrays = [f"{name} is {value.dtype}" for name, value in self.fixed.items() if is_array(value)]
            raise TypeError(
                f"no input has a gradient ({', '.join(arrays) or 'no arrays of floats'}): give float64 arrays, as in "
                "x.astype(float)"
            )
        kinds = dict.fromkeys(found.values())
        if len(kinds) > 1:
            first = {kind: next(leaf for leaf in found if found[leaf] == kind) for kind in kinds}
            said = ", ".join(f"{leaf} is {kind}" for kind, leaf in first.items())
            raise TypeError(f"arrays of one check share one dtype, but {said}: cast them to float64")
        return next(iter(kinds))

    def changed(self) -> list[str]:
        """The arrays among what has no gradient that are no longer what they were, or that are new."""
        now, before = {leaf: a for leaf, a in trees.walk(self.fixed) if is_array(a)}, dict(trees.walk(self._before))
        return [leaf for leaf, a in now.items() if leaf not in before or not bool((a == before[leaf]).all())]

    def promote(self, named: Iterable[str]) -> None:
        """Python numbers turned out to have a gradient."""
        for name in named:
            self.moved[name] = np.asarray(self.numbers.pop(name))

    def values(self, moved: dict[str, Any]) -> dict[str, Any]:
        """All inputs by name, with `moved` in the place of what has a gradient."""
        values = dict(self.whole)
        for name in self.order:
            if name in moved:
                values[name] = _merged(self.whole[name], moved[name]) if name in self.mixed else moved[name]
        return values

    def call(self, function: Callable[..., Any], moved: dict[str, Any], by_position: bool = False) -> Any:
        """function(inputs), with `moved` in the place of what has a gradient."""
        values = list(self.values(moved).items())
        by_position = by_position or self.by_position
        given = ([value for _, value in values], {}) if by_position else ([], dict(values))
        if not self.fits:
            _fits(function, *given)
            self.fits = True
        return function(*given[0], **given[1])


def _fits(function, values, named):
    """Raises: TypeError, when a function does not take these arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of one that is not Python's
        return
    try:
        signature.bind(*values, **named)
    except TypeError as error:
        takes = ", ".join(name for name in signature.parameters if name != "ctx")
        name = getattr(function, "__name__", "the function")
        raise TypeError(f"the inputs do not fit: {error}; {name} takes {takes or 'nothing'}") from None


def _names(function, count):
    """Names for inputs that were given by position."""
    function = getattr(function, "forward", function)
    taken = inspect.signature(function).parameters.values() if callable(function) else ()
    names = [p.name for p in taken if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "ctx"]
    rest = [p.name for p in taken if p.kind is p.VAR_POSITIONAL]
    if len(names) < count and rest:
        names += [f"{rest[0]}{k}" for k in range(count - len(names))]
    if len(names) < count:
        said = f"takes {', '.join(names)}" if names else "takes no arguments"
        raise TypeError(f"{count} inputs are given, but {getattr(function, '__name__', 'the function')} {said}")
    return names[:count]


def _numbers_only(value: Sequence[Any]) -> bool:
    flat = [part for each in value for part in (each if isinstance(each, list | tuple) else [each])]
    return (
        bool(flat) and any(isinstance(part, float) for part in flat) and all(isinstance(p, float | int) for p in flat)
    )


def _merged(whole, moved):
    """A tree whose floating leaves are those of `moved`."""
    found = iter(trees.leaves(moved))
    return trees.map(lambda leaf: next(found) if is_floating(leaf) else leaf, whole)
