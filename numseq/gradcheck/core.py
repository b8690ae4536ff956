"""Is a hand-written backward right? Compare it with numbers that need no backward, and find where it goes wrong.

For any function that returns a trace: with fixed random weights r, the scalar L = sum over outputs of <r, output> has
the gradient that `trace.backward(d<output>=r, ...)` claims.

1. Every result, number by number, against a reference (`numseq.gradcheck.references`).
2. Every named quantity at every step that backward says something of, along a random direction, against a probe
   (`numseq.gradcheck.watch`). Walking back from the loss, the first that is wrong is where to look.
3. The inputs themselves: what they could not have shown (`numseq.gradcheck.audit`).
"""

import traceback
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from numseq import params as trees
from numseq.backend import array_module
from numseq.gradcheck.audit import audit
from numseq.gradcheck.localise import Inside
from numseq.gradcheck.references import (
    TOLERANCE,
    NotAnalyticError,
    along,
    complex_step,
    gradient,
    random_directions,
    rounding,
    slope,
)
from numseq.gradcheck.report import Check, relative_error
from numseq.gradcheck.watch import Watch

HERE = str(Path(__file__).parent)
FLOAT32 = 2e-4  # float32 rounds each of the thousands of additions behind a gradient by 6e-8


def check(function, inputs, *, name=None, outputs=None, method="complex-step", seed=0, diagnose=None):
    """Check the backward of a function that returns a trace.

    Equations: see the module. The relative error of an array is max|a - n| / max(|a|, |n|) over it; along a direction
    v it is |<a, v> - n| / max(|a|, |n|).

    Args: function, called as function(**inputs). inputs, a dict of float64 trees (arrays, or parameters) by argument
        name. outputs, names of the trace's differentiable outputs; by default the trace's own `outputs`.
        method, "complex-step", "central" or "richardson", or "directional": one complex step along a random direction
        through all inputs, which says only whether everything is right, for large models; with it, the inputs may be
        float32 and on a GPU, and are held to float64. seed, of the weights r and the directions. diagnose, who names
        the mistake (see `numseq.gradcheck.diagnosis`).
    Returns: a Check. The gradient of an input `x` is looked for as `dx` in what `backward` returns, a record or a
        dict, and a tree of parameters as `params`.
    Raises: TypeError, when inputs are not float64; NotAnalyticError, when the forward pass is not fit for the complex
        step; whatever the function itself raises going forward.
    """
    return _Checking(function, inputs, name, outputs, method, seed).run(diagnose)


class _Checking(Inside):
    """One check under way."""

    def __init__(self, function, inputs, name, outputs, method, seed):
        self.given, self.method, self.name = inputs, method, name or getattr(function, "__name__", "function")
        dtype = trees.common_dtype(*inputs.values())
        self.quick, self.dtype = method == "directional", dtype
        if method not in (*TOLERANCE, "directional"):
            raise ValueError(f"method is {method!r}: choose one of {', '.join(TOLERANCE)}, directional")
        if dtype != np.float64 and not (self.quick and dtype == np.float32):
            raise TypeError("gradients are checked in float64: cast the inputs first")
        self.tolerance = FLOAT32 if dtype == np.float32 else TOLERANCE["complex-step" if self.quick else method]
        self.function, self.rng, self.problems = function, np.random.default_rng(seed), []

        before = {key: trees.map(lambda leaf: leaf.copy(), tree) for key, tree in inputs.items()}
        self.seen = Watch()
        with nullcontext() if self.quick else self.seen:  # probing is for what is on the host
            self.trace = function(**inputs)
            self.outputs = list(outputs or self._given_outputs())
            self.values = {output: self._output(output) for output in self.outputs}
            self.weights = {output: self.rng.standard_normal(value.shape) for output, value in self.values.items()}
            self.grad = self._backward()
        self._same_inputs(before)

    def run(self, diagnose):
        self.inputs = {name: trees.cast(trees.to_host(tree), np.float64) for name, tree in self.given.items()}
        result = Check(self.name, self.method, self.tolerance, problems=self.problems)
        if self._unfit():
            return result
        if self.method == "complex-step" or self.quick:
            self._analytic()
        found = self._results()
        if self.grad is not None and not self.problems:
            self._linear()
        if self.quick:
            result.errors = {"along a random direction": self._along_one_direction(found)} if found else {}
            return result
        numeric = {}
        for argument, tree in gradient(self._loss, self.inputs, self.method).items():
            numeric |= dict(trees.walk(tree, found[argument][0] if argument in found else f"d{argument}"))
        ours = {leaf: a for label, tree in found.values() for leaf, a in trees.walk(tree, label)}
        unseen = self._rounding(numeric)
        result.errors = {
            leaf: 0.0 if not ours[leaf].any() and np.abs(n).max() <= unseen else relative_error(ours[leaf], n)
            for leaf, n in numeric.items()
            if leaf in ours
        }
        result.quantities = self._quantities() if self.grad is not None else []
        left_out = [name for name in self._given_outputs() if name not in self.outputs]
        result.warnings = audit(self.inputs, self.trace, self.seen, left_out)
        inside = next((quantity for quantity in result.quantities if not quantity.error <= self.tolerance), None)
        if result.ok and inside:
            at = "" if inside.place.t is None else f" at t = {inside.place.t}"
            by = inside.place.name
            result.warnings.append(f"{inside.label}{at}, as backward keeps it, is not the derivative by {by}")
        if not result.ok:
            result.first = self._first(result, numeric, found)
            if diagnose and self.grad is not None:
                result.diagnosis = diagnose(self)
        return result

    def _output(self, name):
        value = getattr(self.trace, name, None)
        if value is None:
            raise TypeError(f"{self.name} returns a {type(self.trace).__name__}, which has no output {name!r}")
        return value if hasattr(value, "shape") else np.asarray(value)

    def _given_outputs(self):
        """The trace's differentiable outputs; one that is None is left out, as c_T is of a cell without c."""
        return [name for name in getattr(self.trace, "outputs", ()) if getattr(self.trace, name, ()) is not None]

    # what backward gives

    def _backward(self, factor=1.0, again=""):
        upstream = {}
        for name, r in self.weights.items():
            xp, dtype = array_module(self.values[name]), self.values[name].dtype
            upstream[f"d{name}"] = xp.asarray((factor * r).astype(dtype))
        self.upstream = {name: r.copy() for name, r in upstream.items()}
        try:
            grad = self.trace.backward(**upstream)
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(HERE)]
            where = f" in {frames[-1].name}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
            self.problems.append(f"backward{again} raised {type(error).__name__}: {error}{where}")
            return None
        for name, value in upstream.items():
            if not bool((value == self.upstream[name]).all()):
                self.problems.append(f"backward changed {name}, which it was given: it must write to arrays of its own")
        if grad is None:
            self.problems.append("backward returned None: it must return its gradients (is a `return` missing?)")
        return grad

    def _results(self):
        """What backward gave for each input: argument to (label, tree). What is unusable becomes a problem."""
        if self.grad is None:
            return {}
        found = {}
        for argument, tree in self.inputs.items():
            label = "params" if argument == "params" else f"d{argument}"
            value = _get(self.grad, argument)
            if value is None:
                self.problems.append(f"backward gives no {label}: the gradient by the input {argument} is missing")
            elif self._usable(label, value, tree):
                found[argument] = (label, trees.to_host(value))
        if isinstance(self.grad, dict):
            known = {name for argument in self.inputs for name in (argument, f"d{argument}")}
            for extra in sorted(self.grad.keys() - known - {f"d{name}" for name in self._named()}):
                self.problems.append(f"backward gives {extra}, but the inputs are {', '.join(self.inputs)}")
        return found

    def _named(self):
        return {place.name for place in self.seen.values}

    def _usable(self, label, value, tree):
        """Whether a result has the names, shapes and kinds of its input; what does not is a problem."""
        before = len(self.problems)
        if hasattr(tree, "shape") and not hasattr(value, "shape"):
            self.problems.append(f"{label} is a {type(value).__name__}, not an array")
            return False
        if isinstance(value, dict):
            self.problems.append(
                f"{label} is a dict: it must be a {type(tree).__name__}, like what it is the gradient of"
            )
            return False
        ours = dict(trees.walk(value, label))
        for leaf, wanted in trees.walk(tree, label):
            a = ours.pop(leaf, None)
            if a is None:
                self.problems.append(f"{leaf} is missing")
            elif not hasattr(a, "shape"):
                self.problems.append(f"{leaf} is a {type(a).__name__}, not an array")
            elif a.shape != wanted.shape:
                self.problems.append(f"{leaf} has shape {a.shape}, but what it is the gradient of has {wanted.shape}")
            elif a.dtype.kind not in "f":
                self.problems.append(f"{leaf} is of dtype {a.dtype}: a gradient is made of real floating numbers")
            elif a.dtype.itemsize < self.dtype.itemsize:
                self.problems.append(
                    f"{leaf} is {a.dtype}, although the inputs are {self.dtype}: a float32 array inside?"
                )
            elif not bool(np.isfinite(trees.to_host(a)).all()):
                self.problems.append(f"{leaf} holds numbers that are not finite (NaN or infinity)")
        self.problems += [f"{leaf} is the gradient of nothing" for leaf in ours]
        return len(self.problems) == before

    # what is true

    def _loss(self, inputs, probes=None):
        if probes is None:
            trace = self.function(**inputs)
        else:
            with Watch(probes):
                trace = self.function(**inputs)
        return sum((r * getattr(trace, output)).sum() for output, r in self.weights.items())

    def _rounding(self, numeric):
        """What the reference may say of a gradient that is exactly 0, as that of a bias which a softmax does not see.

        Its terms cancel and leave their rounding, a few eps of the largest gradient. A difference adds that of its
        losses, whatever the gradients are: a few eps of what L is summed of (L itself may cancel) over h. A tolerance
        relative to other gradients would let pass all that is small beside them.
        """
        largest = max((np.abs(n).max() for n in numeric.values() if n.size), default=0.0)
        size = sum(np.abs(r * trees.to_host(self.values[output])).sum() for output, r in self.weights.items())
        return 100 * np.finfo(float).eps * largest + 8 * rounding(size, self.method)

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

    # is the function itself fit for a check

    def _same_inputs(self, before):
        for name, tree in before.items():
            for (leaf, a), (_, b) in zip(trees.walk(tree, name), trees.walk(self.given[name], name), strict=True):
                if not bool((a == b).all()) and not bool((np.isnan(trees.to_host(a))).any()):
                    self.problems.append(f"the input {leaf} was changed: forward and backward must not write to it")

    def _unfit(self):
        """Whether the function is none, since the same inputs do not give the same outputs; then it is a problem."""
        again = self.function(**self.given)
        for name, value in self.values.items():
            if not np.array_equal(trees.to_host(value), trees.to_host(getattr(again, name)), equal_nan=True):
                self.problems.append(
                    f"two calls with the same inputs gave different {name}: draw random numbers outside of it"
                )
        return bool(self.problems)

    def _linear(self):
        """A gradient is linear in what comes from above; one that is not has a problem."""
        kept = self.upstream
        doubled = self._backward(2.0, ", called once more on the same trace (which it must leave as it was),")
        self.upstream = kept
        if doubled is None:
            return
        for argument in self.given:
            once, twice = _get(self.grad, argument), _get(doubled, argument)
            label = "params" if argument == "params" else f"d{argument}"
            for (leaf, a), (_, b) in zip(trees.walk(once, label), trees.walk(twice, label), strict=False):
                if relative_error(2 * trees.to_host(a), trees.to_host(b)) > 1e-4:
                    self.problems.append(
                        f"backward is not linear: twice the gradient of the outputs does not give twice {leaf} "
                        "(is what comes from above multiplied in? does it clip, or keep something from call to call?)"
                    )
                    return

    def _analytic(self):
        """The complex step against a central difference along one direction; they differ where L is not analytic."""
        directions = random_directions(self.inputs, self.rng)

        def moved(step):
            return along(self.inputs, directions, step)

        exact = complex_step(lambda step: self._loss(moved(step)))
        central = slope(lambda step: self._loss(moved(step)), "central")
        if np.isfinite(central) and abs(exact - central) > 1e-4 * max(abs(exact), abs(central), 1e-3):
            raise NotAnalyticError(
                f"the forward pass of {self.name} is not analytic{self._first_not_analytic(moved)}: the complex step "
                f"gives {exact:.6g} where central differences give {central:.6g} (abs, .real, conj, a maximum?); "
                "rewrite it for complex numbers, or use method='central'"
            )

    def _first_not_analytic(self, moved):
        h = 1e-5
        written = []
        for step in (1e-100j, h, -h):
            with Watch() as seen:
                self.function(**moved(step))
            written.append(seen.values)
        for place, value in written[0].items():
            exact, central = value.imag / 1e-100, (written[1][place] - written[2][place]) / (2 * h)
            if value.dtype.kind == "f" or np.abs(exact - central).max() > 1e-4 * max(np.abs(central).max(), 1e-3):
                return f" at {place.name} of {place.kind}" + (f", step {place.t}" if place.t is not None else "")
        return ""


def _get(grad, argument):
    for name in (f"d{argument}", argument):
        value = grad.get(name) if isinstance(grad, dict) else getattr(grad, name, None)
        if value is not None:
            return value
    return None
