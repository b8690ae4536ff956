"""One check under way, step by step; see `numseq.gradcheck.core`."""

import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import array_module
from numseq.gradcheck.advice import of_error
from numseq.gradcheck.audit import audit, held_fixed
from numseq.gradcheck.doubt import Doubt
from numseq.gradcheck.fitness import Fitness
from numseq.gradcheck.inputs import Inputs, is_floating
from numseq.gradcheck.localise import CACHE, Inside
from numseq.gradcheck.naming import mistakes
from numseq.gradcheck.objects import Went
from numseq.gradcheck.references import TOLERANCE, along, complex_step, gradient, random_directions
from numseq.gradcheck.report import Check, relative_error
from numseq.gradcheck.results import Given, gradients, label, named_like, numbers_with_gradients
from numseq.gradcheck.spy import spied
from numseq.gradcheck.watch import Watch

HERE = str(Path(__file__).parent)
GRADING = str(Path(__file__).parent.parent / "mistakes" / "grade.py")  # calls somebody's backward
FLOAT32 = 2e-4  # float32 rounds each of the thousands of additions behind a gradient by 6e-8


class Checking(Inside, Fitness, Doubt):
    """One check under way. Who names mistakes reads of it: trace, upstream, claimed (the results by name), seen, and
    `agrees`."""

    def __init__(
        self,
        function: Callable[..., Any],
        given: Inputs,
        name: str,
        outputs: Iterable[str] | None,
        method: str,
        seed: int,
    ):
        self.function, self.given, self.name, self.method = function, given, name, method
        self.dtype = given.dtype() if given.moved or (not given.numbers and given.held is None) else np.dtype(float)
        self.quick = method == "directional"
        if self.dtype != np.float64 and not (self.quick and self.dtype == np.float32):
            leaf, array = next(trees.walk(given.moved))
            raise TypeError(f"{leaf} is {array.dtype}: gradients are checked in float64, as of {leaf}.astype(float)")
        self.tolerance = FLOAT32 if self.dtype == np.float32 else TOLERANCE["complex-step" if self.quick else method]
        self.rng, self.problems, self.notes, self.unread = np.random.default_rng(seed), [], [], {}
        self.wanted, self.asked_for_kinks, self.blind, self.inplace = outputs, False, 0.0, set()
        self.tape, self.sure = None, False

    def run(self) -> Check:
        """All of it. Raises: KinkError and NotAnalyticError, before anything is called wrong."""
        result = Check(self.name, self.method, self.tolerance, problems=self.problems, warnings=self.notes)
        self._go_once()
        if self.problems or self._unfit():
            return result
        self.inputs = trees.cast(self.given.moved, np.float64)
        named = [f"d{place.name}" for place in self.seen.values]
        self.results = self._results(self.grad, named) if self.grad is not None else Given()
        self.returned = self.results.leaves()
        for argument, (name, tree) in self.results.found.items():  # a second call may write into what it returned
            self.results.found[argument] = name, trees.map(_copy, tree)
        if self.method == "complex-step" or self.quick:
            self._analytic()
        if not self.problems:
            self._linear(named)
        if self.quick:
            result.errors = self._along_directions()
            return result
        self._true()
        result.errors = self._judged(self.results.leaves())
        result.quantities = self._quantities()
        self._remark(result)
        inside = next((quantity for quantity in result.quantities if self._is_wrong(quantity)), None)
        if result.ok and inside:
            at = "" if inside.place.t is None else f" at t = {inside.place.t}"
            by = inside.place.name
            self.notes.append(f"{inside.label}{at}, as backward keeps it, is not the derivative by {by}")
        if not result.ok:
            result.shows = self._shows(result.errors)
            result.first, result.inside = self._first(result, inside), inside is not None
            if not result.inside:
                known = {leaf: self._equation_of(leaf, result) for leaf in result.wrong}
                result.equations = {leaf: equation for leaf, equation in known.items() if equation}
            self.claimed = dict(self.results.found.values())
            result.known = mistakes().knows(self)
            result.diagnosis = mistakes().diagnose(self) if self.results.found else []
        return result

    def _remark(self, result):
        """What is to be noted whether or not all is right: what was not looked at, and what the inputs cannot show."""
        left_out = [name for name in self._given_outputs() if name not in self.outputs]
        self.notes += audit(self.inputs, self.trace, self.seen, left_out)
        looked_at = {f"d{quantity.place.name}" for quantity in result.quantities}
        if unused := [name for name in self.results.unused if name not in looked_at]:
            self.notes.append(f"backward gives {', '.join(unused)} as well, the gradient of no input: not looked at")
        self.notes += held_fixed(self.given, self._loss, self.inputs)
        if unread := getattr(self.trace, "unread", 0):
            self.notes.append(
                f"backward takes the gradient of {len(self.outputs)} of {len(self.outputs) + unread} outputs: the "
                "others are not in the loss"
            )
        self.notes += [
            f"nothing reads {name} of {kind} from the record, so d{name} was not looked at: let equations read "
            f"s.{name}, or, if none needs it, let d{name} be 0"
            for kind, name in self.unread
        ]

    # forward and back, once

    def _go_once(self):
        before = trees.map(_copy, self.given.moved)
        self.seen = Watch()
        with nullcontext() if self.quick else self.seen:
            self.trace = self.function(**self.given.moved)
            self.outputs = list(self.wanted or self._given_outputs())
            values = {output: self._output(self.trace, output) for output in self.outputs}
            self.values = trees.map(_copy, values)  # kept as they were, since a backward may write into them
            self._finite_outputs()
            self.weights = random_directions(self.values, self.rng)
            self.upstream = self._upstream()
            self.grad = None if self.problems else self._backward(self.trace, self.upstream)
        if not self.quick:
            self.seen.locate(self.trace)
        self._discover()
        for leaf in self.given.changed():
            self.notes.append(f"{leaf}, among the inputs, was changed by the call")
        self._same(before, self.given.moved, "the input {} was changed: forward and backward must not write to it")
        self._same(
            self.values, values, "backward changed {}, which forward had returned: it must write to arrays of its own"
        )

    def _output(self, trace, name):
        value = getattr(trace, name, None)
        if value is None:
            raise TypeError(f"{self.name} returns a {type(trace).__name__}, which has no output {name!r}")
        value = trees.map(lambda leaf: leaf if hasattr(leaf, "shape") else np.asarray(leaf), value)
        if other := [leaf for leaf, array in trees.walk(value, name) if not is_floating(array)]:
            kind = dict(trees.walk(value, name))[other[0]].dtype
            raise TypeError(f"the output {other[0]} is {kind}, which has no gradient: leave it out of outputs")
        return value

    def _given_outputs(self):
        """The trace's differentiable outputs; one that is None is left out."""
        return [name for name in getattr(self.trace, "outputs", ()) if getattr(self.trace, name, ()) is not None]

    def _finite_outputs(self):
        for leaf, array in trees.walk(self.values):
            if not bool((abs(array) < np.inf).all()):
                self.problems.append(
                    f"forward gives {leaf} with numbers that are not finite: there is no derivative there"
                )

    def _discover(self):
        """What turns out to have a gradient once backward has gone: Python numbers, and an object's parameters."""
        if isinstance(self.grad, Went):
            own = {name: array for name, array in self.given.held.parameters().items() if name in self.grad.own}
            known = self.given.moved.keys() | set(self.given.order)  # those moved off a kink stay where they are
            self.given.moved |= {name: array for name, array in own.items() if name not in known}
        if self.grad is not None:
            self.given.promote(numbers_with_gradients(self.grad, self.given))

    def _results(self, grad, inside):
        """The gradients that a backward gave; what is wrong with them is a problem."""
        found = gradients(grad, self.given, self.dtype, inside)
        self.problems += found.problems
        return found

    # what backward gives

    def _upstream(self, factor=1.0):
        """The gradients of the outputs, by the names under which backward takes them: the weights r, times a factor."""

        def like(value, r):
            return array_module(value).asarray((factor * r).astype(value.dtype))

        return {f"d{name}": trees.map(like, self.values[name], r) for name, r in self.weights.items()}

    def _backward(self, trace, upstream, again=""):
        kept = trees.map(_copy, upstream)
        try:
            with self.seen.going_back():
                grad = trace.backward(**upstream)
        except Exception as error:
            advice = of_error(error)
            said = f"backward{again} raised {type(error).__name__}: {error}{_raised_at(error)}"
            self.problems.append(said + (f" ({advice})" if advice else ""))
            return None
        for name in grad.changed if isinstance(grad, Went) else ():
            self.problems.append(f"backward changed {name} of the object: it must leave parameters as they are")
        self._same(kept, upstream, "backward changed {}, which it was given: it must write to arrays of its own")
        if (grad.returned if isinstance(grad, Went) else grad) is None:
            self.problems.append("backward returned None: it must return its gradients (is a `return` missing?)")
            return None
        return grad

    # what is true

    def _loss(self, inputs, place=None, probe=None, inplace=False):
        """L; with a probe added to what is written at a place, if one is named.

        A step may leave what a function is defined on, as a logarithm: then L is NaN, which whoever steps has to see.
        """
        with np.errstate(all="ignore"):
            if place is not None and place.kind == CACHE:
                with self.tape.probe(place.name, probe):
                    trace = self.function(**spied(inputs))
            else:
                with nullcontext() if place is None else self.seen.probe(place, probe, inplace):
                    trace = self.function(**inputs)
        pairs = [
            (r, value)
            for output, weights in self.weights.items()
            for r, value in zip(trees.leaves(weights), trees.leaves(getattr(trace, output)), strict=True)
        ]
        return sum((r * value).sum() for r, value in pairs)

    def _true(self):
        """The reference gradient of every input: `numeric`, by the names that the results have."""
        self.numeric = {}
        for argument, tree in gradient(self._loss, self.inputs, self.method).items():
            name, ours = self.results.found.get(argument, (label(argument), tree))
            self.numeric |= dict(trees.walk(named_like(tree, ours), name))
        self.largest = max((np.abs(n).max() for n in self.numeric.values() if n.size), default=0.0)

    def _errors(self, ours):
        """The relative error of each of these gradients, {leaf: array}, that is of an input."""
        return {leaf: relative_error(ours[leaf], n) for leaf, n in self.numeric.items() if leaf in ours}

    def agrees(self, ours: dict[str, Any]) -> bool:
        """Whether gradients, {leaf: array}, are the true ones: also if each is a little off by the reference."""
        right = {leaf: error <= 100 * self.tolerance for leaf, error in self._errors(ours).items()}
        for leaf, is_right in right.items():  # as of a bias that a softmax does not see: both are rounding
            if not is_right:
                right[leaf] = np.abs(ours[leaf] - self.numeric[leaf]).max() <= self._unseen()
        return all(right.values())

    def _along_directions(self):
        """Of each array, the error along a random direction."""
        errors, sizes = {}, {}
        for leaf, a in self.results.leaves().items():
            argument, k = self._leaf(leaf)
            v, a = self.rng.standard_normal(a.shape), a.astype(np.float64)
            only = self._only(argument, k, v)
            true = complex_step(lambda step, only=only: self._loss(along(self.inputs, only, step)))
            scale = sizes[leaf] = max(float(np.sqrt((a**2).sum())), abs(true))
            errors[leaf] = float(abs((a * v).sum() - true) / scale) if scale > 0 else 0.0
        return self._settled(errors, sizes)


def _copy(leaf):
    return leaf.copy()


def _raised_at(error):
    """Where an error was raised: the innermost line of a backward, and the line of what that calls."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((HERE, GRADING))]
    shown = [f for f in frames if "backward" in f.name][-1:]
    if not shown or (frames[-1] is not shown[0] and not (frames[-1].line or "").startswith("raise ")):
        shown += frames[-1:]
    return ", there".join(f" in {f.name}, line {f.lineno}: {f.line}" for f in shown)
