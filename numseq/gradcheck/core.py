"""Is a hand-written backward right? Compare it with numbers that need no backward, and find where it goes wrong.

For any function that returns a trace: with fixed random weights r, the scalar L = sum over outputs of <r, output> has
the gradient that `trace.backward(d<output>=r, ...)` claims.

1. Every result, number by number, against a reference (`numseq.gradcheck.references`).
2. Every named quantity at every step that backward says something of, along a random direction, against a probe
   (`numseq.gradcheck.watch`). Walking back from the loss, the first that is wrong is where to look.
3. The inputs themselves: what they could not have shown (`numseq.gradcheck.audit`).
4. Of something wrong, its name, if it is a known mistake (`numseq.gradcheck.naming`).
"""

import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import array_module
from numseq.gradcheck.audit import audit
from numseq.gradcheck.fitness import Fitness
from numseq.gradcheck.localise import Inside
from numseq.gradcheck.naming import mistakes
from numseq.gradcheck.references import TOLERANCE, along, complex_step, gradient, random_directions, rounding
from numseq.gradcheck.report import Check, relative_error
from numseq.gradcheck.results import gradients, named_like
from numseq.gradcheck.watch import Watch

HERE = str(Path(__file__).parent)
FLOAT32 = 2e-4  # float32 rounds each of the thousands of additions behind a gradient by 6e-8


def check(
    function: Callable[..., Any],
    inputs: dict[str, Any],
    *,
    name: str | None = None,
    outputs: Iterable[str] | None = None,
    method: str = "complex-step",
    seed: int = 0,
) -> Check:
    """Check the backward of a function that returns a trace.

    Equations: see the module. The relative error of an array is max|a - n| / max(|a|, |n|) over it; along a direction
    v it is |<a, v> - n| / max(|a|, |n|).

    Args: function, called as function(**inputs). inputs, a dict of float64 trees (arrays, states, or parameters) by
        argument name. outputs, names of the trace's differentiable outputs; by default the trace's own `outputs`.
        method, "complex-step", "central" or "richardson", or "directional": one complex step along a random direction
        through all inputs, which says only whether everything is right, for large models; with it, the inputs may be
        float32 and on a GPU, and are held to float64. seed, of the weights r and the directions.
    Returns: a Check. The gradient of an input `x` is looked for as `dx` in what `backward` returns, a record or a
        dict, and a tree of parameters as `params`.
    Raises: TypeError, when inputs are not float64; NotAnalyticError, when the forward pass is not fit for the complex
        step; whatever the function itself raises going forward.
    """
    return _Checking(function, inputs, name, outputs, method, seed).run()


class _Checking(Inside, Fitness):
    """One check under way. Who names mistakes reads of it: trace, upstream, grad, seen, and `agrees`."""

    def __init__(self, function, inputs, name, outputs, method, seed):
        self.given, self.method, self.name = inputs, method, name or getattr(function, "__name__", "function")
        dtype = trees.common_dtype(*inputs.values())
        self.quick, self.dtype = method == "directional", dtype
        if method not in (*TOLERANCE, "directional"):
            raise ValueError(f"method is {method!r}: choose one of {', '.join(TOLERANCE)}, directional")
        if dtype != np.float64 and not (self.quick and dtype == np.float32):
            raise TypeError("gradients are checked in float64: cast the inputs first")
        self.tolerance = FLOAT32 if dtype == np.float32 else TOLERANCE["complex-step" if self.quick else method]
        self.function, self.rng, self.problems, self.unread = function, np.random.default_rng(seed), [], {}

        before = {key: trees.map(lambda leaf: leaf.copy(), tree) for key, tree in inputs.items()}
        self.seen = Watch()
        with nullcontext() if self.quick else self.seen:  # probing is for what is on the host
            self.trace = function(**inputs)
            self.outputs = list(outputs or self._given_outputs())
            self.values = {output: self._output(self.trace, output) for output in self.outputs}
            self.weights = random_directions(self.values, self.rng)
            self.upstream = self._upstream()
            self.grad = self._backward(self.upstream)
        if not self.quick:
            self.seen.locate(self.trace)
        self._same_inputs(before)

    def run(self):
        self.inputs = {name: trees.cast(trees.to_host(tree), np.float64) for name, tree in self.given.items()}
        result = Check(self.name, self.method, self.tolerance, problems=self.problems)
        if self._unfit():
            return result
        if self.method == "complex-step" or self.quick:
            self._analytic()
        found = {}  # argument to (label, what backward gave)
        if self.grad is not None:
            named = [f"d{place.name}" for place in self.seen.values]
            found, problems = gradients(self.grad, self.inputs, self.dtype, named)
            self.problems += problems
        if self.grad is not None and not self.problems:
            self._linear()
        if self.quick:
            result.errors = {"along a random direction": self._along_one_direction(found)} if found else {}
            return result
        self._true(found)
        result.errors = self._errors({leaf: a for label, tree in found.values() for leaf, a in trees.walk(tree, label)})
        if self.grad is not None:
            result.quantities = self._quantities()
        left_out = [name for name in self._given_outputs() if name not in self.outputs]
        result.warnings = audit(self.inputs, self.trace, self.seen, left_out)
        result.warnings += [
            f"nothing reads {name} of {kind} from the record, so d{name} was not looked at: let equations read s.{name}"
            for kind, name in self.unread
        ]
        inside = next((quantity for quantity in result.quantities if not quantity.error <= self.tolerance), None)
        if result.ok and inside:
            at = "" if inside.place.t is None else f" at t = {inside.place.t}"
            by = inside.place.name
            result.warnings.append(f"{inside.label}{at}, as backward keeps it, is not the derivative by {by}")
        if not result.ok:
            result.first = self._first(result, found)
            if self.grad is not None:
                result.diagnosis = mistakes().diagnose(self)
        return result

    def _output(self, trace, name):
        value = getattr(trace, name, None)
        if value is None:
            raise TypeError(f"{self.name} returns a {type(trace).__name__}, which has no output {name!r}")
        return trees.map(lambda leaf: leaf if hasattr(leaf, "shape") else np.asarray(leaf), value)

    def _given_outputs(self):
        """The trace's differentiable outputs; one that is None is left out."""
        return [name for name in getattr(self.trace, "outputs", ()) if getattr(self.trace, name, ()) is not None]

    # what backward gives

    def _upstream(self, factor=1.0):
        """The gradients of the outputs, by the names under which backward takes them: the weights r, times a factor."""

        def like(value, r):
            return array_module(value).asarray((factor * r).astype(value.dtype))

        return {f"d{name}": trees.map(like, self.values[name], r) for name, r in self.weights.items()}

    def _backward(self, upstream, again=""):
        kept = {name: trees.map(lambda leaf: leaf.copy(), r) for name, r in upstream.items()}
        try:
            grad = self.trace.backward(**upstream)
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(HERE)]
            where = f" in {frames[-1].name}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
            self.problems.append(f"backward{again} raised {type(error).__name__}: {error}{where}")
            return None
        for (name, ours), (_, theirs) in zip(_walk(kept), _walk(upstream), strict=True):
            if not bool((ours == theirs).all()):
                self.problems.append(f"backward changed {name}, which it was given: it must write to arrays of its own")
        if grad is None:
            self.problems.append("backward returned None: it must return its gradients (is a `return` missing?)")
        return grad

    # what is true

    def _loss(self, inputs, place=None, probe=None):
        """L; with a probe added to what is written at a place, if one is named."""
        with nullcontext() if place is None else self.seen.probe(place, probe):
            trace = self.function(**inputs)
        pairs = [
            (r, value)
            for output, weights in self.weights.items()
            for r, value in zip(trees.leaves(weights), trees.leaves(getattr(trace, output)), strict=True)
        ]
        return sum((r * value).sum() for r, value in pairs)

    def _true(self, found):
        """The reference gradient of every input: `numeric`, by the names that the results in `found` have."""
        self.numeric = {}
        for argument, tree in gradient(self._loss, self.inputs, self.method).items():
            label, ours = found.get(argument, (f"d{argument}", tree))
            self.numeric |= dict(trees.walk(named_like(tree, ours), label))
        # What the reference may say of a gradient that is exactly 0, as that of a bias which a softmax does not see.
        # Its terms cancel and leave their rounding, a few eps of the largest gradient. A difference adds that of its
        # losses, whatever the gradients are: a few eps of what L is summed of (L itself may cancel) over h. A
        # tolerance relative to other gradients would let pass all that is small beside them.
        largest = max((np.abs(n).max() for n in self.numeric.values() if n.size), default=0.0)
        pairs = zip(trees.leaves(list(self.weights.values())), trees.leaves(list(self.values.values())), strict=True)
        size = sum(np.abs(r * trees.to_host(value)).sum() for r, value in pairs)
        self.unseen = 100 * np.finfo(float).eps * largest + 8 * rounding(size, self.method)

    def _errors(self, ours):
        """The relative error of each of these gradients, {leaf: array}, that is of an input."""
        return {
            leaf: 0.0 if not ours[leaf].any() and np.abs(n).max() <= self.unseen else relative_error(ours[leaf], n)
            for leaf, n in self.numeric.items()
            if leaf in ours
        }

    def agrees(self, ours):
        """Whether gradients, {leaf: array}, are the true ones: also if each is a little off by the reference."""
        return all(error <= 100 * self.tolerance for error in self._errors(ours).values())

    def _along_one_direction(self, found):
        directions = random_directions(self.inputs, self.rng)
        true = complex_step(lambda step: self._loss(along(self.inputs, directions, step)))
        pairs = [
            (a, v)
            for argument, (_, tree) in found.items()
            for a, v in zip(trees.leaves(tree), trees.leaves(directions[argument]), strict=True)
        ]
        said = sum((a * v).sum() for a, v in pairs)
        norm = sum((a.astype(np.float64) ** 2).sum() for a, _ in pairs) ** 0.5
        return float(abs(said - true) / max(norm, abs(true), np.finfo(np.float64).tiny))


def _walk(named):
    """(name, array) for every leaf of a dict of trees."""
    return [found for name, tree in named.items() for found in trees.walk(tree, name)]
