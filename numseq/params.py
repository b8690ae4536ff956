"""Trees of arrays: dataclasses, named tuples, lists, tuples and dicts, nested like the model, with arrays as leaves.

Parameters, their gradients, optimiser moments and decoder states are all such trees. Whoever walks one (optimiser,
checkpoint, gradient checker) meets names and arrays and knows no layer. A leaf may be None where a part is left out.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import numpy as np

from numseq.backend import Array, DType, array_module, asarray, to_numpy

Tree = TypeVar("Tree")  # what takes a tree and returns one returns one of the same class


class TreeError(ValueError):
    """Two trees that should have the same names and shapes do not."""


def children(tree: Any) -> list[tuple[str, Any]] | None:
    """The (name, child) pairs of a node, or None when `tree` is a leaf."""
    if (names := _names(type(tree))) is not None:  # type: ignore[arg-type]  # mypy takes no class for hashable
        return [(name, getattr(tree, name)) for name in names]
    if isinstance(tree, list | tuple):
        return [(str(k), child) for k, child in enumerate(tree)]
    if isinstance(tree, dict):
        return [(str(name), child) for name, child in tree.items()]
    return None


@cache
def _names(kind):
    """The names of the fields of a dataclass or a named tuple, or None of another class."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return getattr(kind, "_fields", None)


@cache
def _parts_of(kind):
    """What gives the children of a node of a class without their names, or None when the class is one of leaves. It is
    found once for each class, since every call of a layer takes trees apart."""
    names = _names(kind)
    if names is not None and not issubclass(kind, tuple):
        return lambda tree: [getattr(tree, name) for name in names]
    if issubclass(kind, dict):
        return dict.values
    return list if issubclass(kind, list | tuple) else None


def rebuild(tree: Any, parts: list) -> Any:
    """A node of the same class with other children, in their order."""
    if isinstance(tree, dict):
        return dict(zip(tree, parts, strict=True))
    names = _names(type(tree))  # type: ignore[arg-type]
    return type(tree)(parts) if names is None else type(tree)(*parts)


def walk(tree: Any, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Yield (dotted name, array) for every leaf, in the order of the fields: `encoder.0.ahead.W_x`, ..."""
    parts = children(tree)
    if parts is None:
        if tree is not None:
            yield prefix, tree
        return
    for name, child in parts:
        yield from walk(child, f"{prefix}.{name}" if prefix else name)


def map(function: Callable[..., Any], tree: Tree, *others: Any) -> Tree:
    """A tree of the same structure whose leaves are function(leaf, *leaves of the others at the same place)."""
    parts_of = _parts_of(type(tree))  # type: ignore[arg-type]
    if parts_of is None:
        return None if tree is None else function(tree, *others)
    if not others:
        return rebuild(tree, [map(function, child) for child in parts_of(tree)])
    if isinstance(tree, dict):  # the others may have another order
        if any(not isinstance(other, dict) or other.keys() != tree.keys() for other in others):
            raise TreeError("trees differ in structure at a dict")
        return rebuild(tree, [map(function, tree[name], *(other[name] for other in others)) for name in tree])
    columns = [parts_of(tree)]
    for other in others:
        of_other = _parts_of(type(other))  # type: ignore[arg-type]
        columns.append(None if of_other is None else list(of_other(other)))
        if columns[-1] is None or len(columns[-1]) != len(columns[0]):
            raise TreeError(f"trees differ in structure at a {type(tree).__name__}")
    return rebuild(tree, [map(function, *each) for each in zip(*columns, strict=True)])


def leaves(tree: Any) -> list[Array]:
    """The arrays of a tree, in walking order."""
    parts_of = _parts_of(type(tree))  # type: ignore[arg-type]
    if parts_of is None:
        return [] if tree is None else [tree]
    return [leaf for child in parts_of(tree) for leaf in leaves(child)]


def count(tree: Any) -> int:
    """How many numbers the tree holds."""
    return sum(leaf.size for leaf in leaves(tree))


def without(tree: Tree, prefixes: Iterable[str]) -> Tree:
    """The same tree with None in place of the leaves whose dotted names are one of the prefixes, or go on from one.

    Raises:
        TreeError: a prefix is the beginning of no name.
    """
    if not prefixes:
        return tree
    leaves_by_name = dict(walk(tree))
    left_out = {p: {n for n in leaves_by_name if n == p or n.startswith(f"{p}.")} for p in prefixes}
    if nothing := [p for p, found in left_out.items() if not found]:
        raise TreeError(f"no parameter is called {nothing[0]!r}: the names begin with {', '.join(_beginnings(tree))}")
    gone = set().union(*left_out.values())
    kept = iter([None if name in gone else leaf for name, leaf in leaves_by_name.items()])
    return map(lambda leaf: next(kept), tree)


def _beginnings(tree):
    return dict.fromkeys(name.split(".")[0] for name, _ in walk(tree))


def zeros_like(tree: Tree) -> Tree:
    """The same tree, filled with zeros."""
    return map(lambda leaf: array_module(leaf).zeros_like(leaf), tree)


def copy(tree: Tree) -> Tree:
    """The same tree in memory of its own."""
    return map(lambda leaf: leaf.copy(), tree)


def add(tree: Tree, other: Tree) -> Tree:
    """The tree, to whose leaves those of another were added in place."""
    for leaf, more in zip(leaves(tree), leaves(other), strict=True):
        leaf += more
    return tree


def cast(tree: Tree, dtype: DType) -> Tree:
    """The same tree in another floating dtype; integer and boolean leaves stay as they are."""
    return map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind in "fc" else leaf, tree)


def to_backend(tree: Tree) -> Tree:
    """The same tree with its arrays in the current backend (see `numseq.use`)."""
    return map(asarray, tree)


def to_host(tree: Tree) -> Tree:
    """The same tree with NumPy arrays."""
    return map(to_numpy, tree)


def replace(tree: Tree, arrays: Mapping[str, Array]) -> Tree:
    """The same tree with the leaves named in `arrays` (dotted name to array) put in their place.

    Raises:
        TreeError: a name is missing or left over, or a shape or kind of number differs; the message names it.
    """
    expected = dict(walk(tree))
    if missing := expected.keys() - arrays.keys():
        raise TreeError(f"{min(missing)} is missing")
    if extra := arrays.keys() - expected.keys():
        raise TreeError(f"{min(extra)} is not expected")
    for name, leaf in expected.items():
        if leaf.shape != arrays[name].shape:
            raise TreeError(f"{name} has shape {arrays[name].shape}, expected {leaf.shape}")
        if (leaf.dtype.kind in "fc") != (arrays[name].dtype.kind in "fc"):
            raise TreeError(f"{name} holds {arrays[name].dtype}, expected {leaf.dtype}")
    found = iter([arrays[name] for name in expected])
    return map(lambda leaf: next(found), tree)


def common_dtype(*trees: Any) -> np.dtype:
    """The one floating dtype of all arrays of a call.

    Raises:
        TypeError: two of them differ; a silent mixture would compute in a precision nobody chose.
    """
    dtype = None
    for leaf in leaves(trees):
        if leaf.dtype is not dtype and leaf.dtype.kind in "fc":  # one dtype is nearly always one object
            if dtype is not None and leaf.dtype != dtype:
                name = next(name for tree in trees for name, other in walk(tree) if other is leaf)
                raise TypeError(
                    f"arrays of one call must share one dtype: {name or 'an input'} is {leaf.dtype}, another {dtype}"
                )
            dtype = leaf.dtype
    if dtype is None:
        raise TypeError("no floating array in the call")
    return dtype


def global_norm(tree: Any) -> Array:
    """sqrt(sum of squares) over all leaves, as a 0-d array of the tree's backend.

    Squares are summed in the leaf's own precision, and the leaves' sums in float64.
    """
    total = 0.0
    for leaf in leaves(tree):
        flat = leaf.reshape(-1)
        total = total + array_module(leaf).vdot(flat, flat).real.astype(np.float64)
    return total**0.5
