"""Mistakes that nobody wrote down: each plain equation, miswritten in the ways in which formulas are miswritten.

    dc_prev = dc * f        "dc_prev is zero", "the factor f is missing in dc_prev", "i in the place of f in dc_prev"

What is known of a layer by name (`know`) comes first; these are tried when none of it fits. The simpler a statement,
the earlier it is tried: of two that come to the same numbers, the first says what is true of both. Its lesson is the
right equation.
"""

import ast
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from numseq.mistakes.access import ACCESS
from numseq.mistakes.cuts import of_cuts, of_layers, of_states
from numseq.mistakes.formulas import HELPERS, Formula, build, factor, formulas, if_like, like, nodes, possible, put
from numseq.mistakes.layer import Bug, logit, sigmoid
from numseq.mistakes.rules import ALGEBRA, brackets, miswritten
from numseq.mistakes.several import alike, changed_places, exchanged, of_calls, of_slopes
from numseq.mistakes.values import TURNED, is_no_gradient, of_parts, of_value

HELPERS |= {"_sigmoid": sigmoid, "_logit": logit}


def slips(function: Callable, reaches: Callable[[str], bool]) -> tuple[Iterator[list[Bug]], tuple[Bug, ...]]:
    """All slips in the plain equations of a function: those in one equation, by kinds, and those in several at once.

    reaches: says of an equation whether it can matter; of others nothing is made.
    """
    return _in_one(formulas(function), reaches), _in_several(function)


def _in_one(found, reaches):
    found = [f for f in found if reaches(f.name)]
    others = ((kind,) for kind in (_access, _partial, _names, _factors, _gradients, _as_read, _elsewhere))
    for kinds in ((_algebra, _values), *others):
        yield [
            bug
            for kind in kinds
            for f in (sorted(found, key=is_no_gradient) if kind is _values else found)
            for bug in _made(kind, f)
        ]


@cache
def _made(kind, f):
    return tuple(Bug(what, f.function.__name__, f.text, {f.name: possible(change)}) for what, change in kind(f))


@cache
def _in_several(function):
    found = formulas(function)
    return tuple(
        _several(what, changes)
        for rule in (alike, exchanged, of_slopes, of_calls, changed_places)
        for what, changes in rule(found)
    )


def _several(name, changes):
    f = next(iter(changes))
    lesson = "; ".join(f.text for f in changes)
    return Bug(name, f.function.__name__, lesson, {f.name: possible(change) for f, change in changes.items()})


def _algebra(f):
    return [
        (f"{what} in {f.name}", f.value(tree))
        for what, tree in miswritten(f, ALGEBRA)
        if not (isinstance(tree, ast.Name) and tree.id == f.name)  # of a sum over steps: it is zero, as `of_value` says
    ]


def _values(f):
    return of_value(f)


def _access(f):
    return [(f"{what} in {f.name}", f.value(tree)) for what, tree in miswritten(f, ACCESS)]


def _partial(f):
    return [each for rule in (of_parts, of_cuts, of_layers) for each in rule(f)]


def _names(f):
    return [(f"{what} in {f.name}", change) for what, change in _of_names(f, False)]


def _factors(f):
    return [(f"{what} in {f.name}", change) for what, change in _of_factors(f)]


def _gradients(f):
    return [(f"{what} in {f.name}", change) for what, change in _of_names(f, True)]


def _elsewhere(f):
    return of_states(f)


def _as_read(f):
    """One equation that reads another's result as if that were miswritten, while all others read what it is."""
    for g in formulas(f.among):
        read = {node for node in nodes(f.tree) if isinstance(node, ast.Name) and node.id == g.name}
        itself = any(isinstance(node, ast.Name) and node.id in (f.name, g.name) for node in nodes(g.tree))
        if not read or f is g or itself:
            continue
        inside = put(f.tree, dict.fromkeys(read, g.tree))
        for what, tree in miswritten(Formula(f.name, inside, f.names, f.function, f.among), (brackets,)):
            yield f"{what} in {f.name}", f.value(tree)
        ways = [(what, g.value(tree)) for what, tree in miswritten(g, ALGEBRA + ACCESS)]
        for what, change in (*ways, *_of_names(g, False), *_of_names(g, True)):
            changed = f.given(lambda v, name=g.name, change=change: {name: change(v)})
            yield f"{what} in {g.name}, as {f.name} alone reads it,", changed


# one name for another


def _of_names(f, gradients):
    """(what, change): one array in the place of another, once or wherever it stands. gradients: whether it is a
    gradient or something that forward computed."""
    places: dict[str, list] = {}
    for node in nodes(f.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in f.arrays:
            places.setdefault(node.id, []).append(node)

    def read_as(right, other):
        return f.given(lambda v: {right: other(v)})

    for right, found in places.items():
        for other in f.arrays:
            if other == right or gradients != other.startswith("d"):
                continue
            yield (
                f"{other} in the place of {right}",
                read_as(right, lambda v, r=right, o=other: like(getattr(v, o), getattr(v, r))),
            )
            if len(found) > 1:
                new = build(f"_like({other}, {right})")
                for k, node in enumerate(found):
                    yield f"{other} in the place of the {ORDER[min(k, 3)]} {right}", f.value(put(f.tree, {node: new}))
            if right.startswith("tanh") and not other.startswith(("d", "tanh")):
                yield (
                    f"tanh of {other} in the place of {right}",
                    read_as(right, lambda v, r=right, o=other: np.tanh(like(getattr(v, o), getattr(v, r)))),
                )
        if gradients:
            continue
        if right == "dloss" or not right.startswith("d"):
            yield f"1 in the place of {right}", read_as(right, lambda v, r=right: _one(getattr(v, r)))
        for what, turned in TURNED.items():
            yield f"{right} {what}", read_as(right, lambda v, r=right, turned=turned: turned(_array(getattr(v, r))))


def _one(a):
    if not isinstance(a, np.ndarray | float) or np.asarray(a).dtype.kind != "f":
        raise ValueError("this is no quantity")
    return np.ones_like(a) if isinstance(a, np.ndarray) else 1.0


def _array(a):
    if not isinstance(a, np.ndarray):
        raise ValueError("this is no array")
    return a


def _of_factors(f) -> Iterator[tuple[str, Callable]]:
    """(what, change): a factor or a term too many."""
    read = [name for name in f.arrays if not name.startswith("d")]
    gradients = dict.fromkeys(
        node.id for node in nodes(f.tree) if isinstance(node, ast.Name) and node.id.startswith("d")
    )
    for name in read:
        for what, way in FACTORS.items():
            said = what.format(name)
            yield (
                f"{said} is a factor too many",
                lambda v, name=name, way=way: v.value * way(factor(getattr(v, name))),
            )
            for d in gradients if not isinstance(f.tree, ast.Name) else ():
                yield (
                    f"{said} is a factor too many of {d}",
                    f.given(
                        lambda v, d=d, name=name, way=way: {d: _array(getattr(v, d)) * way(factor(getattr(v, name)))}
                    ),
                )
    for name in f.arrays:
        yield f"{name} is a term too many", lambda v, name=name: v.value + _of_shape(getattr(v, name), v.value)
        yield (
            f"{name} is a term too many where its shape allows it",
            lambda v, name=name: v.value + if_like(getattr(v, name), v.value),
        )
    for node in nodes(f.tree):
        match node:
            case ast.Call(ast.Attribute(x, "sum"), _, _):
                for name in f.arrays:
                    yield (
                        f"{name} is a factor too many in the sum of {ast.unparse(x)}",
                        f.value(put(f.tree, {x: build(f"X * {name}", X=x)})),
                    )


FACTORS: dict[str, Callable] = {
    "{}": lambda a: a,
    "(1 - {})": lambda a: 1 - a,
    "(1 - {} ** 2)": lambda a: 1 - a**2,
    "{0} * (1 - {0})": lambda a: a * (1 - a),
    "({} > 0)": lambda a: a > 0,
}


def _of_shape(other, right):
    if np.shape(like(other, right)) != np.shape(right):
        raise ValueError("this has another shape")
    return other


ORDER = ("first", "second", "third", "last")
