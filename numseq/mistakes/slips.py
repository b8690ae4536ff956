"""Mistakes that nobody wrote down: each plain equation, miswritten in the ways in which formulas are miswritten.

    dc_prev = dc * f        "dc_prev is zero", "the factor f is missing in dc_prev", "i in the place of f in dc_prev"

What is known of a layer by name (`know`) comes first; these are tried when none of it fits. The simpler a statement,
the earlier it is tried: of two that come to the same numbers, the first says what is true of both. Its lesson is the
right equation.
"""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations

import numpy as np

from numseq import params as trees
from numseq.mistakes.formulas import HELPERS, Formula, build, formulas, nodes, possible, put, text
from numseq.mistakes.layer import Bug, logit, sigmoid
from numseq.mistakes.rules import ACCESS, ALGEBRA, miswritten
from numseq.mistakes.values import is_no_gradient, moved, of_parts, of_sequence, of_value

HELPERS |= {
    "_sigmoid": sigmoid,
    "_logit": logit,
    "_reversed": lambda a: of_sequence(a)[::-1],
    "_later": lambda a: moved(a, 1),
    "_earlier": lambda a: moved(a, -1),
    "_rolled": lambda a: np.roll(of_sequence(a), 1, axis=0),
    "_rolled_back": lambda a: np.roll(of_sequence(a), -1, axis=0),
}


@cache
def slips(function: Callable) -> tuple[tuple[Bug, ...], ...]:
    """All slips in the plain equations of a function, in three parts: those in the algebra and in all of a result; all
    others in one equation; those in several equations at once."""
    found = formulas(function)
    others = (_access, _partial, _names, _factors, _other_gradients)
    return (
        (*_algebra(found), *_values(found)),
        tuple(bug for each in others for bug in each(found)),
        (*_alike(found), *_exchanged(found)),
    )


def _algebra(found):
    return [_bug(f"{what} in {f.name}", {f: f.change(tree)}) for f in found for what, tree in miswritten(f, ALGEBRA)]


def _values(found):
    found = sorted(found, key=is_no_gradient)
    return [_bug(what, {f: possible(change)}) for f in found for what, change in of_value(f)]


def _access(found):
    return [_bug(f"{what} in {f.name}", {f: f.change(tree)}) for f in found for what, tree in miswritten(f, ACCESS)]


def _partial(found):
    return [_bug(what, {f: possible(change)}) for f in found for what, change in of_parts(f)]


def _names(found):
    return [_bug(f"{what} in {f.name}", {f: f.change(tree)}) for f in found for what, tree in _of_names(f, False)]


def _factors(found):
    return [_bug(f"{what} in {f.name}", {f: f.change(tree)}) for f in found for what, tree in _of_factors(f)]


def _other_gradients(found):
    return [_bug(f"{what} in {f.name}", {f: f.change(tree)}) for f in found for what, tree in _of_names(f, True)]


def _bug(name, changes):
    lesson = "; ".join(f.text for f in changes)
    return Bug(name, next(iter(changes)).function.__name__, lesson, {f.name: change for f, change in changes.items()})


# one name for another


def _of_names(f, gradients):
    """(what, tree): one array in the place of another of its shape, once or wherever it stands. gradients: whether it
    is a gradient or something that forward computed."""
    places: dict[str, list] = {}
    for node in nodes(f.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in f.names:
            places.setdefault(node.id, []).append(node)
    for right, found in places.items():
        for other in f.names:
            if other == right or gradients != other.startswith("d"):
                continue
            new = build(f"_like({other}, {right})")
            yield f"{other} in the place of {right}", put(f.tree, dict.fromkeys(found, new))
            if len(found) > 1:
                for k, node in enumerate(found):
                    yield f"{other} in the place of the {ORDER[min(k, 3)]} {right}", put(f.tree, {node: new})
        if not gradients:
            for what, pattern in TURNED.items():
                yield f"{right} {what}", put(f.tree, dict.fromkeys(found, build(f"{pattern}({right})")))


TURNED = {
    "in reversed order": "_reversed",
    "one place later": "_later",
    "one place earlier": "_earlier",
    "one place later, its last first,": "_rolled",
    "one place earlier, its first last,": "_rolled_back",
}


def _of_factors(f):
    """(what, tree): a factor or a term too many."""
    read = [name for name in f.names if not name.startswith("d")]
    for name in read:
        for factor in ("{}", "(1 - {})", "(1 - {} ** 2)", "{0} * (1 - {0})"):
            tree = build(f"V * {factor.format(f'_factor({name})')}", V=f.tree)
            yield f"{factor.format(name)} is a factor too many", tree
    for name in f.names:
        yield f"{name} is a term too many", build(f"V + _like({name}, V)", V=f.tree)
    for node in nodes(f.tree):
        match node:
            case ast.Call(ast.Attribute(x, "sum"), _, _):
                for name in f.names:
                    yield (
                        f"{name} is a factor too many in the sum of {text(x)}",
                        put(f.tree, {x: build(f"X * {name}", X=x)}),
                    )


ORDER = ("first", "second", "third", "last")


# several equations at once


def _alike(found: tuple[Formula, ...]) -> Iterator[Bug]:
    """The same slip in all equations of one form."""
    forms: dict[str, list[Formula]] = {}
    for f in found:
        forms.setdefault(f.form, []).append(f)
    for group in forms.values():
        whole = [group] if len(group) > 2 else []
        for alike in (*whole, *combinations(group, 2)):
            also = ", and likewise in " + ", ".join(f.name for f in alike[1:])
            for same in zip(*map(of_value, alike), strict=False):
                changes = {f: possible(change) for f, (_, change) in zip(alike, same, strict=True)}
                yield _bug(same[0][0] + also, changes)
            ways = [list(miswritten(f, ALGEBRA + ACCESS)) for f in alike]
            for same in zip(*ways, strict=True) if len(set(map(len, ways))) == 1 else ():
                changes = {f: f.change(tree) for f, (_, tree) in zip(alike, same, strict=True)}
                yield _bug(f"{same[0][0]} in {alike[0].name}{also}", changes)


def _exchanged(found: tuple[Formula, ...]) -> Iterator[Bug]:
    """Two equations' right sides exchanged, or two names in which equations of one form differ."""
    for f, g in combinations(found, 2):
        if f.name != g.name:
            changes = {f: _other(f.change(g.tree)), g: _other(g.change(f.tree))}
            yield _bug(f"{f.name} and {g.name} are exchanged", changes)
        if f.name != g.name and f.form == g.form:
            ours, theirs = ([node for node in nodes(one.tree) if isinstance(node, ast.Name)] for one in (f, g))
            pairs = {(a.id, b.id) for a, b in zip(ours, theirs, strict=True) if a.id != b.id}
            for a, b in sorted(pairs):
                changes = {f: f.change(_renamed(f.tree, a, b)), g: g.change(_renamed(g.tree, b, a))}
                yield _bug(f"{a} and {b} are exchanged in {f.name} and {g.name}", changes)


def _other(change):
    """The same change, which is none where it comes to the right value by chance: then nothing was exchanged."""

    def changed(v):
        value = change(v)
        ours, right = (trees.leaves(each) for each in (value, v.value))
        if all(np.allclose(a, b, rtol=1e-9, atol=0) for a, b in zip(ours, right, strict=True)):
            raise ValueError("this is the right value")
        return value

    return changed


def _renamed(tree, this, other):
    named = (node for node in nodes(tree) if isinstance(node, ast.Name) and node.id == this)
    return put(tree, {node: ast.Name(other, ast.Load()) for node in named})
