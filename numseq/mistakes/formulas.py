"""The plain equations as formulas: read out of their source, so that they can be miswritten.

    dc_prev = eq("dc_prev", dc * f)        is Formula(name="dc_prev", tree of `dc * f`, ...)

A `Formula` with another tree is a *slip*: where the equation is asked for, what the other tree gives is put in its
place. `numseq.mistakes.rules` says which trees people write instead.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import params as trees


@dataclass(eq=False)
class Formula:
    """One plain equation. names: all that the function around it names; function, that function; among, the same as it
    was given to `formulas`."""

    name: str
    tree: ast.expr
    names: tuple[str, ...]
    function: Callable
    among: Callable

    @property
    def text(self) -> str:
        """The equation as it is written."""
        return f"{self.name} = {text(self.tree)}"

    @property
    def arrays(self) -> list[str]:
        """The names that may be arrays."""
        return [name for name in self.names if name not in NO_ARRAYS]

    @property
    def form(self) -> str:
        """The same for formulas that differ in nothing but names and numbers."""
        blank = {ast.Name: ast.Name("_"), ast.Constant: ast.Constant(0)}
        return ast.dump(put(self.tree, {node: blank[type(node)] for node in nodes(self.tree) if type(node) in blank}))

    def value(self, tree: ast.expr) -> Callable[[SimpleNamespace], Any]:
        """A tree's value, as a function of all that has a name."""
        code = cache(lambda: compile(ast.fix_missing_locations(ast.Expression(tree)), self.name, "eval"))
        return lambda v: eval(code(), {**self.function.__globals__, **HELPERS, **vars(v)})

    def change(self, tree: ast.expr) -> Callable[[SimpleNamespace], Any]:
        """What stands in the equation's place when its right side is another tree: a function as of `Bug.change`."""
        return possible(self.value(tree))

    @cached_property
    def right(self) -> Callable[[SimpleNamespace], Any]:
        """The equation's right side."""
        return self.value(self.tree)

    def given(self, names: Callable[[SimpleNamespace], dict[str, Any]]) -> Callable[[SimpleNamespace], Any]:
        """The right side's value when some names stand for something else: names(v), their new meanings."""
        return lambda v: self.right(SimpleNamespace(**{**vars(v), **names(v)}))


NO_ARRAYS = frozenset("TBSLKtk") | {"eq", "change", "trace", "own", "run", "order", "step", "layer"}


def possible(change: Callable[[SimpleNamespace], Any]) -> Callable[[SimpleNamespace], Any]:
    """The same function, which raises ValueError where it cannot be made: where something has no such name so far, or
    where what comes of it has another shape than the right value."""

    def changed(v):
        try:
            return shaped(change(v), v.value)
        except (NameError, TypeError, IndexError, AttributeError, SyntaxError) as error:
            raise ValueError(str(error)) from None

    return changed


@cache
def formulas(function: Callable) -> tuple[Formula, ...]:
    """The plain equations of a function, in the order in which they are written.

    One that gives its equations names by an argument is given as a `partial` with that argument.
    """
    among = function
    given, function = (function.keywords, function.func) if isinstance(function, partial) else ({}, function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    assigned = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    names = tuple(dict.fromkeys([arg.arg for arg in tree.args.args] + list(assigned)))
    found = [node for node in nodes(tree) if isinstance(node, ast.Call) and text(node.func) == "eq"]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    name_of = lambda node: eval(ast.unparse(node.args[0]), dict(given))  # noqa: E731
    return tuple(Formula(name_of(node), node.args[1], names, function, among) for node in found)


# trees


@cache
def text(tree: ast.AST) -> str:
    """A tree as it is written."""
    return ast.unparse(tree).replace("np.", "")


def put(tree: Any, new: Mapping[Any, ast.AST]) -> Any:
    """A tree with other nodes in the place of some; what has none of them in it is the same object."""
    if isinstance(tree, list):
        parts = [put(part, new) for part in tree]
        return parts if any(a is not b for a, b in zip(parts, tree, strict=True)) else tree
    if not isinstance(tree, ast.AST):
        return tree
    if tree in new:
        return new[tree]
    fields = dict(ast.iter_fields(tree))
    parts = {name: put(part, new) for name, part in fields.items()}
    return type(tree)(**parts) if any(parts[name] is not part for name, part in fields.items()) else tree


def build(pattern: str, **parts: ast.AST) -> Any:
    """The tree of a pattern, with trees in the place of the names in it."""
    tree, named = _pattern(pattern)
    return put(tree, {node: parts[node.id] for node in named if node.id in parts})


@cache
def _pattern(pattern):
    tree = ast.parse(pattern, mode="eval").body
    return tree, [node for node in nodes(tree) if isinstance(node, ast.Name)]


def nodes(tree: ast.AST) -> Iterator[ast.expr]:
    """All expressions in a tree, the outermost first."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.expr))


# what changed trees call


def shaped(value: Any, right: Any) -> Any:
    """A value that can stand where the right one stands. Raises: ValueError, when it is of another form."""
    if isinstance(right, list) and all(isinstance(k, int) for k in right):  # a loop's way, which may be cut
        return value
    if isinstance(right, np.ndarray) and np.ndim(value) == right.ndim:  # a factor was left out that gave it its width
        value = np.broadcast_to(value, right.shape)
    ours, shapes = ([np.shape(leaf) for leaf in trees.leaves(tree)] for tree in (value, right))
    if isinstance(right, list):  # whose parts may have changed places
        ours, shapes = sorted(ours), sorted(shapes)
    if ours != shapes:
        raise ValueError("this has another shape")
    return value


def like(other: Any, right: Any) -> Any:
    """What can stand where another thing stands: an array where a like one does, or a list."""
    if isinstance(other, list) and isinstance(right, list):
        return other
    if not (isinstance(other, np.ndarray) and isinstance(right, np.ndarray)):
        raise ValueError("these are no arrays")
    np.broadcast_shapes(other.shape, right.shape)
    return other


def if_like(other: Any, right: Any) -> Any:
    """An array for another of its shape, and 0 for one of another shape."""
    if not (isinstance(other, np.ndarray) and isinstance(right, np.ndarray)):
        raise ValueError("these are no arrays")
    return other if other.shape == right.shape else 0


def factor(other: Any) -> Any:
    """An array that can be multiplied with another. Raises: ValueError, when it is none."""
    if not (isinstance(other, np.ndarray) and other.ndim and other.dtype.kind == "f"):
        raise ValueError("this is no array")
    return other


def at(a: Any, k: int) -> Any:
    """a[k], and 0 beyond the ends. Raises: ValueError, when all places are alike."""
    if isinstance(a, np.ndarray) and (a == a[:1]).all():
        raise ValueError("all places are alike")
    return a[k] if 0 <= k < len(a) else np.zeros_like(a[0])


def part(a: np.ndarray, axis: int, where: slice) -> np.ndarray:
    """Some of an array along an axis. Raises: ValueError, when there is but one, or no such axis."""
    if not -np.ndim(a) <= axis < np.ndim(a) or a.shape[axis] < 2:
        raise ValueError("there is no such axis")
    return a[(slice(None),) * (axis % a.ndim) + (where,)]


def contracted(a: np.ndarray, b: np.ndarray, n: int, where: slice) -> np.ndarray:
    """a @ b over some of n blocks. Raises: ValueError, when it has no such blocks."""
    if np.ndim(b) != 2 or len(b) % n or len(b) == n == a.shape[-1]:
        raise ValueError("there are no such blocks")
    kept = np.repeat(np.arange(n) == np.arange(n)[where, None], len(b) // n, axis=-1).any(axis=0)
    return a[..., kept] @ b[kept]


def around(a: Any, k: int) -> Any:
    """a[k], counted on beyond the ends. Raises: ValueError, of two: to turn them and to exchange them is the same."""
    if len(a) == 2:
        raise ValueError("one step on from the last or the first is the other")
    return a[k % len(a)]


def all_of(a: Any, k: int) -> Any:
    """The sum of all places, where one of them belongs."""
    if not isinstance(a, np.ndarray) or np.ndim(k):
        raise ValueError("these are no places")
    return a.sum(axis=0)


HELPERS: dict[str, Any] = {
    "_like": like, "_if_like": if_like, "_factor": factor, "_at": at, "_part": part, "_contracted": contracted,
    "_all_of": all_of, "_around": around, "np": np,
}  # fmt: skip
