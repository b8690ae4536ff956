"""Slips in several plain equations at once: alike in all of one form, exchanged, or of what all of them call."""

import ast
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import combinations

import numpy as np

from numseq import params as trees
from numseq.mistakes.access import ACCESS
from numseq.mistakes.formulas import HELPERS, Formula, build, like, nodes, put, text
from numseq.mistakes.rules import ALGEBRA, miswritten
from numseq.mistakes.values import TURNED, of_parts, of_value

Several = tuple[str, dict[Formula, Callable]]  # what was done, and each equation's change


def alike(found: tuple[Formula, ...]) -> Iterator[Several]:
    """The same slip in all equations of one form."""
    forms: dict[str, list[Formula]] = {}
    for f in found:
        forms.setdefault(f.form, []).append(f)
    for group in forms.values():
        whole = [group] if len(group) > 2 else []
        for some in (*whole, *combinations(group, 2)):
            also = ", and likewise in " + ", ".join(f.name for f in some[1:])
            for rule in (of_value, of_parts):
                for same in zip(*map(rule, some), strict=False):
                    yield same[0][0] + also, {f: change for f, (_, change) in zip(some, same, strict=True)}
            ways = [[*_miswritten(f), *_turned(f)] for f in some]
            for same in zip(*ways, strict=True) if len(set(map(len, ways))) == 1 else ():
                changes = {f: change for f, (_, change) in zip(some, same, strict=True)}
                yield f"{same[0][0]} in {some[0].name}{also}", changes


def _miswritten(f):
    return [(what, f.value(tree)) for what, tree in miswritten(f, ALGEBRA + ACCESS)]


def _turned(f):
    """(what, change): one of its names in another order."""
    for name in dict.fromkeys(node.id for node in nodes(f.tree) if isinstance(node, ast.Name) and node.id in f.arrays):
        for what, turned in TURNED.items():
            yield f"{name} {what}", f.given(lambda v, name=name, turned=turned: {name: turned(getattr(v, name))})


def of_slopes(found: tuple[Formula, ...]) -> Iterator[Several]:
    """The same slip in the slopes of all gates, of which one is a tanh."""
    slopes: dict[Callable, list] = {}
    for f in found:
        match f.tree:
            case ast.BinOp(ast.BinOp(d, ast.Mult(), ast.Name() as y), ast.Mult(), ast.BinOp(_, ast.Sub(), ast.Name())):
                slopes.setdefault(f.function, []).append((f, d, y))
            case ast.BinOp(d, ast.Mult(), ast.BinOp(_, ast.Sub(), ast.BinOp(ast.Name() as y, ast.Pow(), _))):
                slopes.setdefault(f.function, []).append((f, d, y))
    for each in slopes.values():
        for some in (each[k:m] for k in range(len(each)) for m in range(len(each), k + 1, -1)):
            for what, pattern in SLOPES.items():
                yield (
                    f"{what} in {', '.join(f.name for f, _, _ in some)}",
                    {f: f.value(build(pattern, d=d, y=y)) for f, d, y in some},
                )


SLOPES = {
    "the slopes are missing": "d",
    "the slope is that of a sigmoid": "d * y * (1 - y)",
    "the slope is that of a tanh": "d * (1 - y ** 2)",
    "the outputs stand in the place of the slopes": "d * y",
}


def of_calls(found: tuple[Formula, ...]) -> Iterator[Several]:
    """What all equations call is another function than it should be."""
    for function, others in ANOTHER.items():
        for what, other in others.items():
            changes = {}
            for f in found:
                calls = [node for node in nodes(f.tree) if isinstance(node, ast.Call) and text(node.func) == function]
                if calls:
                    changes[f] = f.value(put(f.tree, {node.func: ast.Name(other, ast.Load()) for node in calls}))
            if changes:
                yield f"{what} in {', '.join(f.name for f in changes)}", changes


ANOTHER = {
    "summed": {
        "the last of several gradients stands in the place of their sum": "_last_of",
        "the first of several gradients stands in the place of their sum": "_first_of",
        "several gradients are averaged pairwise, not summed,": "_mean_of",
        "several gradients are multiplied, not summed,": "_product_of",
    },
    "at": {"the sum of all steps stands in the place of one": "_sum_at"},
}
HELPERS |= {
    "_last_of": lambda *ds: _read(ds)[-1],
    "_first_of": lambda *ds: _read(ds)[0],
    "_mean_of": lambda *ds: reduce(lambda a, b: (a + b) / 2, _read(ds)),
    "_product_of": lambda *ds: reduce(lambda a, b: a * b, _read(ds)),
    "_sum_at": lambda t, d: None if d is None else d.sum(axis=0),
}


def _read(gradients):
    """Those of somebody who read it: before the first step back some are 0, or not there."""
    given = [d for d in gradients if d is not None]
    return [d for d in given if np.any(d)] or given[:1]


def changed_places(found: tuple[Formula, ...]) -> Iterator[Several]:
    """Two names that have changed places wherever they are read, or in one equation."""
    by_function: dict[Callable, list[Formula]] = {}
    for f in found:
        by_function.setdefault(f.function, []).append(f)
    for of_one in by_function.values():
        reads = {f: {node.id for node in nodes(f.tree) if isinstance(node, ast.Name)} for f in of_one}
        names = [name for name in of_one[0].arrays if any(name in read for read in reads.values())]
        for a, b in combinations(names, 2):
            where = [f for f in of_one if reads[f] & {a, b}]
            if len(where) > 1 and a.startswith("d") == b.startswith("d"):
                yield f"{a} and {b} have changed places", {f: f.given(_swapped(a, b)) for f in where}
            for f in where:
                if reads[f] >= {a, b}:
                    yield f"{a} and {b} have changed places in {f.name}", {f: f.given(_swapped(a, b))}


def _swapped(a, b):
    def names(v):
        ours, other = getattr(v, a), getattr(v, b)
        return {a: like(other, ours), b: like(ours, other)}

    return names


def exchanged(found: tuple[Formula, ...]) -> Iterator[Several]:
    """Two equations' right sides exchanged, or two names in which equations of one form differ."""
    for f, g in combinations(found, 2):
        if f.name != g.name:
            yield f"{f.name} and {g.name} are exchanged", {f: _other(f.value(g.tree)), g: _other(g.value(f.tree))}
        if f.name != g.name and f.form == g.form:
            ours, theirs = ([node for node in nodes(one.tree) if isinstance(node, ast.Name)] for one in (f, g))
            pairs = {(a.id, b.id) for a, b in zip(ours, theirs, strict=True) if a.id != b.id}
            for a, b in sorted(pairs):
                changes = {f: f.value(_renamed(f.tree, a, b)), g: g.value(_renamed(g.tree, b, a))}
                yield f"{a} and {b} are exchanged in {f.name} and {g.name}", changes


def _other(change):
    """The same change, which is none where it comes to the right value by chance: then nothing was exchanged."""

    def changed(v):
        value = change(v)
        ours, right = (trees.leaves(each) for each in (value, v.value))
        if len(ours) == len(right) and all(
            np.allclose(a, b, rtol=1e-9, atol=0) for a, b in zip(ours, right, strict=True)
        ):
            raise ValueError("this is the right value")
        return value

    return changed


def _renamed(tree, this, other):
    named = (node for node in nodes(tree) if isinstance(node, ast.Name) and node.id == this)
    return put(tree, {node: ast.Name(other, ast.Load()) for node in named})
