"""Slips that are read off the wrong numbers: a factor, a coefficient, or the one part of a record that is wrong."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.mistakes.formulas import Formula, possible, text
from numseq.mistakes.layer import Bug
from numseq.mistakes.values import SIZES

SAME = 1e-9


def scaled(
    formulas: dict[str, Formula], asked: dict[str, list], theirs: dict, right: dict, wrong: set
) -> Iterator[Bug]:
    """Each equation times the number that one of the wrong results was multiplied with, if there is one."""
    for leaf in sorted(wrong):
        times = _times(theirs[leaf], right[leaf])
        if times:
            break
    else:
        return
    for name, f in formulas.items():
        if text(f.tree) == name:  # as it was given: the factor is elsewhere
            continue
        change = {name: possible(lambda v: trees.map(lambda leaf: times * leaf, v.value))}
        yield Bug(f"{name} is {_said(times, asked.get(name, ()))}", f.function.__name__, f.text, change)


def _said(times, seen):
    """What a number is that something was multiplied with. One that is a size of these inputs is not said to be the
    same of others: with other sizes it is another number."""
    sizes = _sizes(seen[0]) if seen else {}
    for said, n in (("divided", 1 / times), ("multiplied", times)):
        if (k := round(n)) > 2 and abs(n - k) < SAME * k:
            if k in sizes:
                return f"{said} by {k}, the number of {sizes[k]}"
            if any(k in np.shape(leaf) for v in seen for value in vars(v).values() for leaf in _leaves(value)):
                return f"{said} by {k} (there is a size of {k} here)"
    return f"{times:.6g} times what it should be"


def _sizes(v):
    """Number to what there are so many of, by the names of sizes."""
    found: dict[int, str] = {}
    for size, what in SIZES.items():
        n = getattr(v, size, None)
        if isinstance(n, int) and n > 1:
            found[n] = f"{found[n]}, or of {what}" if n in found else what
    return found


def terms(formulas: dict[str, Formula], observed: dict[str, tuple[Any, SimpleNamespace]]) -> Iterator[Bug]:
    """Something times a number is a term too many: of equations whose value was seen, and what else had a name there.

    observed: equation to (what stood in its place, all that had a name).
    """
    for name, (ours, v) in observed.items():
        f = formulas[name]
        shapes = [np.shape(leaf) for leaf in trees.leaves(v.value)]
        for other, value in vars(v).items():
            if other in ("value", name) or [np.shape(leaf) for leaf in _leaves(value)] != shapes:
                continue
            if [np.shape(leaf) for leaf in trees.leaves(ours)] != shapes:
                continue
            times = [
                _times(a - right, term)
                for a, right, term in zip(trees.leaves(ours), trees.leaves(v.value), _leaves(value), strict=True)
                if not np.array_equal(a, right)
            ]
            if times and None not in times and np.ptp(times) < SAME * abs(times[0]):
                moved = [
                    not np.array_equal(*each) for each in zip(trees.leaves(ours), trees.leaves(v.value), strict=True)
                ]
                said = f"{times[0]:.6g} * {other} is a term too many in {name}"
                yield Bug(said, f.function.__name__, f.text, {name: _with_term(other, times[0], moved)})


def of_fields(formulas: dict[str, Formula], asked: dict[str, list]) -> Iterator[Bug]:
    """One part of a record, such as W or b, in each of the records that an equation gives."""
    for name, seen in asked.items():
        fields = dict.fromkeys(path.rpartition(".")[2] for path, _ in trees.walk(seen[0].value) if "." in path or path)
        f = formulas[name]
        for field in fields if len(fields) > 1 else ():
            if field.isdigit():
                continue
            for what, change in WAYS:
                yield Bug(f"{field} in {name} is {what}", f.function.__name__, f.text, {name: _of_field(field, change)})
            for n, what in _sizes(seen[0]).items():
                for by, said in ((1 / n, "divided"), (n, "multiplied")):
                    change = _of_field(field, lambda a, by=by: by * a)
                    said = f"{field} in {name} is {said} by {n}, the number of {what}"
                    yield Bug(said, f.function.__name__, f.text, {name: change})


def _with_term(other, times, moved):
    def changed(v):
        which, more = iter(moved), iter(_leaves(getattr(v, other)))
        return trees.map(lambda leaf: leaf + times * next(which) * next(more), v.value)

    return possible(changed)


def _transposed(a):
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError("this is no square matrix")
    return a.T


WAYS: tuple[tuple[str, Callable], ...] = (
    ("zero", lambda a: 0 * a),
    ("of the other sign", lambda a: -a),
    ("twice what it should be", lambda a: 2 * a),
    ("half of what it should be", lambda a: a / 2),
    ("transposed", _transposed),
)


def _of_field(field, change):
    def changed(v):
        paths = iter([path for path, _ in trees.walk(v.value)])
        return trees.map(lambda leaf: change(leaf) if next(paths).rpartition(".")[2] == field else leaf, v.value)

    return possible(changed)


def _times(ours, right):
    """The number with which an array was multiplied, or None."""
    if np.shape(ours) != np.shape(right) or not np.any(right):
        return None
    times = float((ours * right).sum() / (right * right).sum())
    return times if times and np.abs(ours - times * right).max() <= SAME * np.abs(ours).max() else None


def _leaves(value):
    try:
        return [leaf for leaf in trees.leaves(value) if np.asarray(leaf).dtype.kind == "f"]
    except (TypeError, ValueError, RecursionError):
        return []
