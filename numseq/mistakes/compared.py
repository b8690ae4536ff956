"""One call of a backward beside what the layer's equations give for it, right and changed."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, repeat
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.report import relative_error
from numseq.mistakes.formulas import formulas, possible
from numseq.mistakes.handed import Handed
from numseq.mistakes.handed import handed as handed_on
from numseq.mistakes.layer import LAYERS, Bug
from numseq.mistakes.slips import slips

SAME = 1e-9  # relative; two gradients that coincide differ by rounding, two bugs by far more
ROUNDING = 1e-14  # of the largest gradient, an absolute error that is none


class Compared:
    """A call of a layer's backward: what was given, what came of it, and what should have.

        leaves        the right results, by dotted name
        theirs        those at hand, where they are among them
        wrong         the names of those that are not right
        parts         of wiring, calls of its pieces that have no trace of their own, each a Compared

    What wiring hands to its parts is compared like what it gives.

    Args: name, of the layer. trace, what forward returned. given, the gradients that backward was handed, by name.
        result, what it gave. handed: of wiring, what each of its parts was given, a list of (part, given). besides:
        changes that are known to have been made, so that what is left to find is another.
    """

    def __init__(
        self,
        name: str,
        trace: Any,
        given: dict[str, Any],
        result: Any,
        handed: Iterable[tuple] = (),
        besides: dict[str, Callable] | None = None,
    ):
        self.name, self.trace, self.given, self.layer = name, trace, given, LAYERS[name]
        self.result, self.handed, self.besides = result, handed, besides or {}
        self.owners = [owner for owner, _ in handed]
        self.leaves, pieces = self._undo({})
        self.parts = [Compared(*piece) for piece in pieces]
        theirs = _of(self.layer.results(result), self.leaves, self.forms)
        theirs |= handed_on(handed)
        if self.layer.wires:  # what it does not give is nothing
            theirs = {leaf: np.zeros_like(a) for leaf, a in self.leaves.items()} | theirs
        self.theirs = theirs
        self.compared = {leaf: a for leaf, a in self.leaves.items() if leaf in theirs}
        noise = ROUNDING * max((np.abs(a).max(initial=0) for a in self.leaves.values()), default=0)
        self.wrong = {
            leaf
            for leaf, a in self.compared.items()
            if not _same(theirs[leaf], a) and not _near(theirs[leaf], a, noise)
        }

    def but_for(self, change: dict[str, Callable]) -> "Compared":
        """The same call, in which some changes are known to have been made."""
        return Compared(self.name, self.trace, self.given, self.result, self.handed, self.besides | change)

    @property
    def right(self) -> bool:
        return not self.wrong

    def distance(self, bug: Bug) -> float | None:
        """How far the results at hand are from those with a bug, if they coincide; None when they do not, when the bug
        changes nothing here, or when these shapes do not allow it."""
        changed, distance = self._changed(bug), 0.0
        if changed is None:
            return None
        for leaf in self.compared:
            distance = max(distance, relative_error(self.theirs[leaf], changed[leaf]))
            if not distance <= SAME:
                return None
        moves = not all(_same(changed[leaf], a, 10 * SAME) for leaf, a in self.compared.items())
        return distance if moves else None

    def explained(self, bug: Bug) -> set[str]:
        """The wrong results that a bug accounts for; none when it makes others wrong, or these in another way."""
        changed = self._changed(bug)
        if changed is None or not any(_same(self.theirs[leaf], changed[leaf]) for leaf in self.wrong):
            return set()
        moved = {leaf for leaf, a in self.compared.items() if not _same(changed[leaf], a, 10 * SAME)}
        return moved if all(_same(self.theirs[leaf], changed[leaf]) for leaf in moved) else set()

    def again(self) -> "Compared | None":
        """The same backward called once more, with gradients drawn at random: what was 0 then, as behind padding, hides
        nothing now. None when it cannot be called so."""
        rng = np.random.default_rng(0)
        given = {name: trees.map(lambda leaf: _drawn(rng, leaf), tree) for name, tree in self.given.items()}
        try:
            with Handed(self.owners) as handed:
                result = self.trace.backward(**given)
            return Compared(self.name, self.trace, given, result, handed.of_owners(), self.besides)
        except Exception:  # whatever somebody's backward raises
            return None

    def scaled(self, without: Iterable[Callable] = ()) -> Iterator[Bug]:
        """Each equation times the number that one of the wrong results was multiplied with, if there is one."""
        for leaf in sorted(self.wrong):
            ours, right = self.theirs[leaf], self.leaves[leaf]
            size = float((right * right).sum()) if ours.shape == right.shape else 0.0
            times = float((ours * right).sum()) / size if size else 0.0
            if times and _same(ours, times * right):
                break
        else:
            return
        found = {f.name: f for function in self._functions(without) for f in formulas(function)}
        for name, f in found.items():
            change = {name: possible(lambda v: trees.map(lambda leaf: times * leaf, v.value))}
            yield Bug(f"{name} is {times:.6g} times what it should be", f.function.__name__, f.text, change)

    def _functions(self, without):
        return [function for function in self.layer.functions(self.trace) if function not in without]

    def slips(self, without: Iterable[Callable] = ()) -> Iterator[tuple[Bug, bool]]:
        """The slips that can be made in the equations and that can matter here: those that change something, and that
        lead to all of the wrong results or to nothing but such. without, functions whose equations are left out.

        Yields: (slip, whether it is in several equations at once).
        """
        first, others, at_once = (self._part(k, without) for k in range(3))
        for bug, several in chain(
            zip(chain(first, others, self.scaled(without)), repeat(False)), zip(at_once, repeat(True))
        ):
            reached = set().union(*(self._reached.get(name, ()) for name in bug.change))
            if (self.wrong <= reached or reached <= self.wrong) and self._matters(bug):
                yield bug, several

    def _part(self, k, without=()):
        """The k-th part of the slips of all functions."""
        functions = self._functions(without)
        for function in functions:
            yield from slips(function)[k]
        for way in self.layer.ways:
            for function in functions:
                if function is not self.layer.backward:
                    for bug in slips(function)[k]:
                        change = {f"{way}.{name}": wrong for name, wrong in bug.change.items()}
                        yield Bug(f"{bug.name} ({way} alone)", bug.function, bug.lesson, change)

    def _undo(self, change):
        """The results with some equations changed, by dotted name; and the pieces of wiring."""
        with Handed(self.owners) as noted:
            results, pieces = self.layer.undo(self.trace, self.given, self.besides | change)
        self.forms = results
        found = _leaves(results) | handed_on(noted.of_owners())
        if self.layer.wires and change:
            found = {leaf: np.zeros_like(a) for leaf, a in self.leaves.items()} | found
        return found, pieces

    def _changed(self, bug):
        """The results with a bug that are to be compared; None when it cannot be made."""
        if bug is self._last[0]:
            return self._last[1]
        with np.errstate(all="ignore"):
            try:
                found = self._undo(bug.change)[0]
            except (ValueError, TypeError, IndexError, AttributeError, KeyError):
                found = None
        if found is not None and found.keys() < self.compared.keys():
            found = None
        self._last = bug, found
        return found

    _last: tuple = (None, None)

    @cached_property
    def _asked(self) -> dict[str, list]:
        """Equation to what had a name whenever it was asked for."""
        asked: dict[str, list] = {}
        names = {f.name for function in self._functions(()) for f in formulas(function)}
        names |= {f"{way}.{name}" for way in self.layer.ways for name in names}

        def noted(name):
            def note(v):
                asked.setdefault(name, []).append(v)
                return v.value

            return note

        self._undo({name: noted(name) for name in names})
        return asked

    @cached_property
    def _reached(self) -> dict[str, set]:
        """Equation to the results that depend on it."""
        return {name: self._moved_by(name) for name in self._asked}

    def _moved_by(self, name):
        rng = np.random.default_rng(0)
        moved = {name: lambda v: trees.map(lambda leaf: leaf + _drawn(rng, leaf) if _moves(leaf) else leaf, v.value)}
        found = self._undo(moved)[0]
        return {leaf for leaf, a in self.compared.items() if leaf not in found or not _same(found[leaf], a)}

    def _matters(self, bug):
        """Whether a bug can be made, and changes what one of its equations gives."""
        differs = False
        with np.errstate(all="ignore"):
            for name, change in bug.change.items():
                for v in self._asked.get(name, ()):
                    try:
                        new = change(v)
                    except ValueError:
                        return False
                    ours, right = trees.leaves(new), trees.leaves(v.value)
                    if len(ours) != len(right) or not all(map(np.array_equal, ours, right)):
                        differs = True
                        break
        return differs


def _moves(leaf):
    return np.asarray(leaf).dtype.kind == "f"


def _near(a, b, noise):
    """Whether two arrays differ by no more than rounding, as where what remains of a sum is next to nothing."""
    return a.shape == b.shape and bool((np.abs(a - b) <= noise).all())


def _drawn(rng, leaf):
    return np.asarray(rng.standard_normal(np.shape(leaf))) if _moves(leaf) else leaf


def _same(a, b, tolerance=SAME):
    return relative_error(a, b) <= tolerance


def _leaves(results):
    """The leaves of a dict of gradients, by dotted name."""
    found = {}
    for name, value in results.items():
        parts = {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        for part, tree in parts.items():
            found |= dict(trees.walk(tree, part))
    return {leaf: np.asarray(trees.to_host(a)) for leaf, a in found.items()}


def _of(result, wanted, forms):
    """The leaves of those results that are wanted, of a record or a dict. forms: results of the right form; a tuple in
    the place of a state is one."""
    names = dict.fromkeys(leaf.split(".")[0] for leaf in wanted if not leaf.startswith("handed."))
    values = {name: result.get(name) if isinstance(result, dict) else getattr(result, name, None) for name in names}
    return _leaves({name: _formed(value, forms[name]) for name, value in values.items() if value is not None})


def _formed(value, right):
    if hasattr(right, "_fields") and isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(right)(*value) if len(value) == len(right) else value
    return value
