"""Where a backward pass goes wrong: every quantity that it makes a claim of, probed, and the first that is wrong."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.inputs import Inputs
from numseq.gradcheck.naming import mistakes
from numseq.gradcheck.objects import Went
from numseq.gradcheck.patterns import SAME, patterns
from numseq.gradcheck.references import along, number, rounding, size_of, slope
from numseq.gradcheck.report import Quantity, Wrong, relative_error
from numseq.gradcheck.results import Given, label
from numseq.gradcheck.spy import Tape, named_arrays
from numseq.gradcheck.styles import Call
from numseq.gradcheck.watch import Claim, Place, Watch
from numseq.record import StepRecord

CACHE = "cache"  # the kind of a place that is in no record


class Inside:
    """The part of a check that looks inside. Of the check it needs what is declared here."""

    seen: Watch
    given: Inputs
    inputs: dict[str, Any]
    problems: list[str]
    method: str
    tolerance: float
    trace: Any
    grad: Any
    rng: Any
    numeric: dict[str, Any]
    weights: dict[str, Any]
    results: Given
    function: Callable[..., Any]
    inplace: set[Place]
    tape: Tape | None
    _loss: Callable[..., Any]
    _is_wrong: Callable[[Quantity], bool]
    _size: Callable[..., float]
    exact: bool

    def _quantities(self):
        """Every claim of backward along a random direction; in the order in which it computed them.

        Where the next equations take a local variable and not what the record holds, the very array is probed. What
        nobody reads has no slope to compare with: it is left out, and noted in `unread`.
        """
        inputs, self.unread, self.inplace = self._ready_inputs(), {}, set()
        self.tape, found = self._taped(), []
        for place, value, _ in self._claims(self.seen, self.trace, self.grad):
            written = self._written(place)
            ours = np.zeros(written.shape) if value is None else trees.to_host(value)
            label = self._label(place)
            if ours.shape != written.shape:
                self.problems.append(f"d{place.name} has shape {ours.shape}, but {place.name} has {written.shape}")
                continue
            v = self.rng.standard_normal(written.shape)
            error, true = self._along(inputs, place, ours, v)
            if error > self.tolerance and place in self.seen.values and self.seen.alone(place):
                other, slope_there = self._along(inputs, place, ours, v, inplace=True)
                if other < error / 10 or (true == 0 and slope_there != 0):  # not by chance, as where both are rounding
                    error, true = other, slope_there
                    self.inplace.add(place)
            if error > self.tolerance and self._is_handed_out(place, v, true):
                continue  # what is meant is the gradient of that from which this output was made
            if true == 0 and ours.any() and not self._is_read(inputs, place):
                self.unread[place.kind, place.name] = None
                continue
            size = abs(true) / max(float(np.sqrt((v**2).sum())), 1e-300)
            reach = (
                size_of(trees.to_host(written)[ours != 0]) if ours.any() else 1.0
            )  # without the -1e30 of masked scores
            found.append(Quantity(place, label, error, written.size, size, reach))
        return found

    def _is_handed_out(self, place, v, true):
        """Whether a field of a trace is an output that no equation reads, so that its slope is what backward was given;
        as the weights (T, B, S) of an attention, which are put together of those of its looks."""
        r = self.weights.get(place.name)
        if r is None or not hasattr(r, "shape") or r.shape != v.shape or isinstance(self._owner(place), StepRecord):
            return False
        return bool(abs((r * v).sum() - true) <= self.tolerance * max(abs(true), 1e-300))

    def _taped(self):
        """A Tape of code without records, when backward speaks of something that its cache names."""
        if not isinstance(self.trace, Call) or not self._named_claims(self.grad, self.trace):
            return None
        with suppress(Exception):  # code that cannot take spied arrays is not looked into
            return Tape(lambda spied: self.function(**spied).returned, self.inputs)
        return None

    def _named_claims(self, grad, trace):
        """{dotted name of something kept: what backward says is its gradient}."""
        said, found = dict(named_arrays(grad)) if isinstance(grad, dict) else {}, {}
        for name, _ in named_arrays(trace.returned):
            *way, last = name.split(".")
            of_it = ".".join([*way, f"d{last}"])
            if of_it in said and last not in self.given.order and name not in self.given.moved:
                found[name] = said[of_it]
        return found

    def _claimed(self, place):
        """What backward says is the gradient of a place."""
        claim = next(c for c in self._claims(self.seen, self.trace, self.grad) if c.place == place)
        return np.zeros(self._written(place).shape) if claim.value is None else trees.to_host(claim.value)

    def _written(self, place):
        """What forward made at a place."""
        return self.tape.values[place.name] if place.kind == CACHE else self.seen.values[place]

    def _along(self, inputs, place, ours, v, inplace=False):
        """(relative error of a claim along v, the true slope)."""
        # steps in proportion to what is small: an absolute one would be long for what a layer is about to normalise
        by = 1.0 if self.exact else min(1.0, size_of(self._written(place)))
        true = slope(lambda step: self._loss(inputs, place, by * step * v, inplace), self.method) / by
        norm = float(np.sqrt((ours**2).sum()))
        scale, off = max(norm, abs(true)), abs((ours * v).sum() - true)
        if not np.isfinite(norm):
            return np.inf, true
        if off <= 4 * rounding(self._size(), self.method) / by:  # as far as rounding takes a difference
            return 0.0, true
        return float(off / scale), true

    def _is_read(self, inputs, place):
        """Whether anything that L depends on reads what is written at a place: NaN would then be seen in L."""
        return bool(np.isnan(number(self._loss(inputs, place, np.full(self._written(place).shape, np.nan)))))

    def _ready_inputs(self):
        """The inputs in the dtype that the reference needs."""
        return along(self.inputs, self.inputs, 0j) if self.method == "complex-step" else self.inputs

    def _claims(self, seen, trace, grad):
        """What backward says of what is inside: in its records, in probes, or by name in the dict that it returned."""
        claims = {claim.place: claim for claim in seen.claims(trace)}
        own = []
        grad = grad.returned if isinstance(grad, Went) else grad
        for name, value in grad.items() if isinstance(grad, dict) else ():
            places = [p for p in seen.values if p.t is None and f"d{p.name}" == name]
            if len(places) == 1 and places[0].name not in self.inputs and hasattr(value, "shape"):
                own.append(Claim(places[0], value))
        own.sort(key=self._order)  # as the equations follow one another
        found = list((claims | {claim.place: claim for claim in own}).values())
        if self.tape is not None:
            kept = {name: a for name, a in self._named_claims(grad, trace).items() if name in self.tape.made}
            last_first = sorted(kept, key=self.tape.made.get, reverse=True)  # nearer to the loss
            found += [Claim(Place(CACHE, -1, None, name), kept[name]) for name in last_first]
        return found

    def _order(self, claim):
        """Where a quantity stands among the equations of its record, the library's at least; else what was made last
        comes first, since it is nearer to the loss."""
        names = list(self._words(claim))
        known = names.index(f"d{claim.place.name}") if f"d{claim.place.name}" in names else len(names)
        return known, -self.seen.when(claim.place)

    def _label(self, place):
        if place.kind == CACHE:
            return label(place.name)
        path = self.seen.paths.get(place.number, place.kind)
        return f"{path}.d{place.name}" if path else f"d{place.name}"

    # where it goes wrong

    def _first(self, result, inside):
        """The first wrong quantity on the way back from the loss, looked at number by number; else a wrong result."""
        if inside:
            return self._wrong_quantity(inside)
        wrong = [leaf for leaf, error in result.errors.items() if not error <= self.tolerance]
        if not wrong:
            return None
        leaf, after = wrong[0], bool(result.quantities) and wrong[0].startswith("params")
        numbers = {"found": self.results.leaves()[leaf], "right": self.numeric[leaf]}
        return Wrong(
            leaf, None, None, result.shows[leaf], sums=after, equation=self._equation_of(leaf, result), **numbers
        )

    def _shows(self, errors):
        """What the numbers of each wrong result show."""
        ours, found = self.results.leaves(), {}
        for leaf, error in errors.items():
            if not error <= self.tolerance:
                true = self.numeric[leaf]
                found[leaf] = patterns(ours[leaf], true, self._sizes(), self._blocks(leaf), self._timed())
                same = [n for n, a in self.numeric.items() if n != leaf and relative_error(ours[leaf], a) < SAME]
                if same and relative_error(self.numeric[same[0]], true) > SAME:
                    back = relative_error(ours.get(same[0], true), true) < SAME
                    found[leaf] = [f"it is what {same[0]} should be" + (": are the two exchanged?" if back else "")]
        return found

    def _wrong_quantity(self, quantity):
        place, written, ours = quantity.place, self._written(quantity.place), self._claimed(quantity.place)
        claim = next(c for c in self._claims(self.seen, self.trace, self.grad) if c.place == place)
        inputs, true, inplace = self._ready_inputs(), np.empty(written.shape), place in self.inplace
        for index in np.ndindex(written.shape):
            unit = np.zeros(written.shape)
            unit[index] = 1
            true[index] = slope(lambda step, unit=unit: self._loss(inputs, place, step * unit, inplace), self.method)
        said = ["backward gave it no gradient at all"]
        if claim.value is not None:
            said = patterns(ours, true, self._sizes(), self._blocks(place.name, self._owner(place)), self._timed())
        wrong = np.abs(ours - true).reshape(-1, *ours.shape[-2:])  # what comes before (rows, columns) is put together
        row = int(wrong.max(axis=(0, *range(2, wrong.ndim))).argmax()) if wrong.ndim > 1 else 0
        equation = self._words(claim).get(f"d{place.name}")
        said = said + self._not_yet(claim, equation)
        return Wrong(quantity.label, place.t, row, said, equation=equation, found=ours, right=true)

    def _not_yet(self, claim, equation):
        """Of a gradient whose equation is made of another that is said only later: that one is not yet whole."""
        names = set(re.findall(r"\bd\w+", (equation or "").split(", since")[0]))
        claims = self._claims(self.seen, self.trace, self.grad)
        after = claims[[c.place for c in claims].index(claim.place) + 1 :]
        late = [f"d{c.place.name}" for c in after if c.place[:3] == claim.place[:3] and f"d{c.place.name}" in names]
        return [f"{late[0]} is said only after it: what it is made of is not yet whole"] if late else []

    def _owner(self, place):
        return None if place.kind == CACHE else self.seen.owner(place)

    def _words(self, claim):
        """The right equations of the gradients beside a claim, as text; none of what is not written down."""
        record = self._owner(claim.place)
        return mistakes().words(record, claim.by) if isinstance(record, StepRecord) else {}

    def _equation_of(self, leaf, result):
        """The right equation of a result: of a single step, or else of the layer that is checked as a whole."""
        claims = (Claim(place, None) for place in self.seen.values if place.t is None)
        words = next(filter(lambda words: words.get(leaf), map(self._words, claims)), None)
        if words:
            right = [name for name in result.errors if name not in result.wrong]
            return _with_what_it_names(leaf, words, set().union(*(_named(name, words) for name in right)))
        return mistakes().words_of_result(self.trace, leaf)

    def _timed(self):
        """Whether a first axis is time: where there are steps."""
        return any(place.t is not None for place in self.seen.values)

    def _sizes(self):
        sizes = {}
        for name, tree in self.inputs.items():
            for leaf in trees.leaves(tree) if name != "params" else ():
                for axis, word in zip(range(leaf.ndim), {3: ("steps", "rows")}.get(leaf.ndim, ("rows",)), strict=False):
                    sizes.setdefault(word, leaf.shape[axis])
        if "steps" in sizes:
            sizes["tokens (steps times rows)"] = sizes["steps"] * sizes["rows"]
        return sizes

    def _blocks(self, name, record=None):
        """The letters of the blocks that a quantity holds side by side along its last axis; none for most.

        record: that it is in; a result is in none, and has the blocks of the steps if all have the same.
        """
        last = name.split(".")[-1]
        if last not in ("a", "da", "W_x", "W_h", "W_context", "gates"):
            return ""
        kinds = {type(record)} if record is not None else {type(self.seen.owner(place)) for place in self.seen.values}
        found = {
            kind.blocks + (kind.more_blocks if last in ("a", "da") else "")
            for kind in kinds
            if issubclass(kind, StepRecord)
        } - {""}
        return found.pop() if len(found) == 1 else ""


def _with_what_it_names(name, words, right):
    """An equation of a step, and those of the gradients that it names, but for those that are right."""
    named = _named(name, words) - right
    where = "; ".join(f"{each} = {words[each].split(', since')[0]}" for each in words if each in named)
    return words[name] + (f", where {where}" if where else "")


def _named(name, words):
    """The gradients that an equation names, and that these name; dh is what is given."""
    named, new = set(), {name} & words.keys()
    while new:
        formulas = " ".join(words[each].split(", since")[0] for each in new)
        new = (set(re.findall(r"\bd\w+", formulas)) & words.keys()) - {name, "dh"} - named
        named |= new
    return named
