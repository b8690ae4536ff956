"""One call of a backward beside what the layer's equations give for it, right and changed."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, repeat, zip_longest
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.report import relative_error
from numseq.mistakes.formulas import formulas
from numseq.mistakes.handed import Handed
from numseq.mistakes.handed import handed as handed_on
from numseq.mistakes.layer import LAYERS, Bug
from numseq.mistakes.slips import slips
from numseq.mistakes.solved import of_fields, scaled, terms

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
        if self.layer.wires:  # what it does not give is nothing; but of what a check asked, it says that alone
            asked = [*result, "handed"] if isinstance(result, dict) else None
            zeros = {leaf: np.zeros_like(a) for leaf, a in self.leaves.items()}
            theirs = {n: a for n, a in zeros.items() if asked is None or n.partition(".")[0] in asked} | theirs
        self.theirs = theirs
        self.compared = {leaf: a for leaf, a in self.leaves.items() if leaf in theirs}
        self.noise = ROUNDING * max((np.abs(a).max(initial=0) for a in self.leaves.values()), default=0)
        self.wrong = {
            leaf
            for leaf, a in self.compared.items()
            if not _same(theirs[leaf], a) and not _near(theirs[leaf], a, self.noise)
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
            apart = relative_error(self.theirs[leaf], changed[leaf])
            if not apart <= SAME and not _near(self.theirs[leaf], changed[leaf], self.noise):
                return None
            distance = max(distance, apart if apart <= SAME else 0.0)
        moves = not all(_same(changed[leaf], a, 10 * SAME) for leaf, a in self.compared.items())
        return distance if moves else None

    def moved(self, bug: Bug) -> set[str]:
        """The results that a bug makes others than they should be; none when it cannot be made."""
        changed = self._changed(bug) or {}
        return {
            leaf
            for leaf in changed
            if leaf in self.compared and not _same(changed[leaf], self.compared[leaf], 10 * SAME)
        }

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
        rng = np.random.default_rng(1)  # not that of the check, whose first numbers those of 0 may be
        given = {name: trees.map(lambda leaf: _drawn(rng, leaf), tree) for name, tree in self.given.items()}
        try:
            with Handed(self.owners) as handed:
                result = self.trace.backward(**given)
            return Compared(self.name, self.trace, given, result, handed.of_owners(), self.besides)
        except Exception:  # whatever somebody's backward raises
            return None

    def _solved(self, without):
        """Slips that are read off the wrong numbers."""
        found = {f.name: f for function in self._functions(without) for f in formulas(function)}
        asked = {name: seen for name, seen in self._asked.items() if name in found}
        times = list(scaled(found, asked, self.theirs, self.leaves, self.wrong))
        again = self.again() if times else None  # a number that comes of what was given is another then
        yield from (bug for bug in times if again is None or again.distance(bug) is not None)
        yield from of_fields(found, asked)
        observed = {}
        for name in (name for name in asked if name in self._given_out):
            (v,), paths = asked[name], iter(self._given_out[name])
            new = trees.map(lambda leaf, paths=paths: self.theirs[next(iter(next(paths)))], v.value)
            if not all(map(np.array_equal, trees.leaves(new), trees.leaves(v.value))):
                observed[name] = new, v
        yield from terms(found, observed)

    @cached_property
    def _given_out(self):
        """Equation, of those asked for once, to the results that are the leaves of its value as they are."""
        by_value: dict[tuple, list[str]] = {}
        for leaf, a in self.compared.items():
            if a.ndim and np.any(a):
                by_value.setdefault((a.shape, a.tobytes()), []).append(leaf)
        found = {}
        for name, seen in self._asked.items():
            if len(seen) == 1:
                leaves = [np.asarray(leaf) for leaf in trees.leaves(seen[0].value)]
                paths = [by_value.get((a.shape, a.tobytes()), []) for a in leaves]
                if paths and all(paths):
                    found[name] = paths
        return found

    def _functions(self, without):
        return [function for function in self.layer.functions(self.trace) if function not in without]

    def slips(self, without: Iterable[Callable] = ()) -> Iterator[tuple[Bug, bool]]:
        """The slips that can be made in the equations and that can matter here: those that change something, and that
        lead to all of the wrong results or to nothing but such. without, functions whose equations are left out.

        Yields: (slip, whether it is in several equations at once).
        """
        functions = self._functions(without)
        parts = [slips(function, self._can_matter) for function in functions]
        for way in self.layer.ways:
            parts += [self._of_way(way, function) for function in functions if function is not self.layer.backward]
        one, at_once = zip(*parts, strict=True) if parts else ((), ())
        for bug, several in chain(
            zip(chain(_by_turns(one), self._solved(without)), repeat(False)), zip(chain(*at_once), repeat(True))
        ):
            reached = set().union(*(self._reached.get(name, ()) for name in bug.change))
            if (self.wrong <= reached or reached <= self.wrong) and self._matters(bug):
                yield bug, several

    def _can_matter(self, name):
        reached = self._reached.get(name)
        return reached is not None and (self.wrong <= reached or reached <= self.wrong)

    def _of_way(self, way, function):
        """The slips of a function in one of its uses."""

        def of_way(bugs):
            for bug in bugs:
                change = {f"{way}.{name}": wrong for name, wrong in bug.change.items()}
                yield Bug(f"{bug.name} ({way} alone)", bug.function, bug.lesson, change)

        one, several = slips(function, lambda name: self._can_matter(f"{way}.{name}"))
        return (map(of_way, one), of_way(several))

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
                for each in {name, name.rpartition(".")[2]}:  # in one use, and in any
                    asked.setdefault(each, []).append(v)
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
                    if len(bug.change) == 1 and self._refuted(name, ours, right):
                        return False
                    if len(ours) != len(right) or not all(map(np.array_equal, ours, right)):
                        differs = True
                        break
        return differs

    def _refuted(self, name, ours, right):
        """Whether results that are leaves of an equation's value as they are become other than those at hand."""
        paths = self._given_out.get(name, ())
        return len(paths) == len(ours) == len(right) and any(
            not np.array_equal(a, b) and not any(_same(np.asarray(a), self.theirs[leaf]) for leaf in leaves)
            for leaves, a, b in zip(paths, ours, right, strict=True)
        )


def _by_turns(iterators):
    """The slips of several functions, kind by kind."""
    for kinds in zip_longest(*iterators, fillvalue=()):
        yield from chain(*kinds)


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
    if isinstance(result, dict) and "params" in names and "params" not in result:  # each beside the others: dW, or W
        parts = [leaf.removeprefix("params.") for leaf in wanted if leaf.startswith("params.")]
        given = {part: result.get(f"d{part}", result.get(part)) for part in parts}
        values["params"] = {part: value for part, value in given.items() if value is not None} or None
    return _leaves({name: _formed(value, forms[name]) for name, value in values.items() if value is not None})


def _formed(value, right):
    if hasattr(right, "_fields") and isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(right)(*value) if len(value) == len(right) else value
    return value
