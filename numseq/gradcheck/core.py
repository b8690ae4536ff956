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
from numseq.gradcheck.patterns import patterns
from numseq.gradcheck.references import (
    TOLERANCE,
    NotAnalyticError,
    along,
    complex_step,
    gradient,
    random_directions,
    slope,
)
from numseq.gradcheck.report import Check, Quantity, Wrong, relative_error
from numseq.gradcheck.watch import Claim, Watch
from numseq.record import StepGrad

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
        float32 and on a GPU, and are held to float64. seed, of the weights r and the directions.
    Returns: a Check. The gradient of an input `x` is looked for as `dx` in what `backward` returns, a record or a
        dict, and a tree of parameters as `params`.
    Raises: TypeError, when inputs are not float64; NotAnalyticError, when the forward pass is not fit for the complex
        step; whatever the function itself raises going forward.
    """
    return _Checking(function, inputs, name, outputs, method, seed).run(diagnose)


def sweep(function, inputs, steps=None, seed=0):
    """How exact each numeric derivative of a function is, against its step h.

    The slope of L (see the module) along a random direction through all inputs, by every method and step, against the
    complex step with h = 1e-100. Large steps show truncation, small ones rounding; the complex step has no rounding.

    Args: as of `check`. steps, values of h; by default 1e-1 to 1e-15.
    Returns: a dict of method to (steps, relative errors), two arrays; `numseq.plots.error_curve` draws it.
    """
    steps = np.logspace(-1, -15, 29) if steps is None else np.asarray(steps)
    rng = np.random.default_rng(seed)
    trace = function(**inputs)
    weights = {output: rng.standard_normal(np.shape(getattr(trace, output))) for output in trace.outputs}
    directions = random_directions(inputs, rng)

    def loss(step):
        trace = function(**along(inputs, directions, step))
        return sum((r * getattr(trace, output)).sum() for output, r in weights.items())

    exact = complex_step(loss)
    return {method: (steps, np.array([abs(slope(loss, method, h) / exact - 1) for h in steps])) for method in TOLERANCE}


class _Checking:
    """One check under way."""

    def __init__(self, function, inputs, name, outputs, method, seed):
        self.given, self.method, self.name = inputs, method, name or getattr(function, "__name__", "function")
        dtype = trees.common_dtype(*inputs.values())
        self.quick = method == "directional"
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
            self.outputs = list(outputs or self.trace.outputs)
            self.values = {output: getattr(self.trace, output) for output in self.outputs}
            self.weights = {output: self.rng.standard_normal(value.shape) for output, value in self.values.items()}
            self.grad = self._backward()
        self._same_inputs(before)

    def run(self, diagnose):
        self._deterministic()
        analytic = self.method == "complex-step"
        host = {name: trees.cast(trees.to_host(tree), np.float64) for name, tree in self.given.items()}
        self.inputs = host
        if analytic:
            self._analytic()
        found = self._results()
        result = Check(self.name, self.method, self.tolerance, problems=self.problems)
        numeric = {}
        if self.quick:
            result.errors = {"along a random direction": self._along_one_direction(found)} if found else {}
        else:
            for argument, tree in gradient(self._loss, self.inputs, self.method).items():
                label = found[argument][0] if argument in found else f"d{argument}"
                numeric |= dict(trees.walk(tree, label))
            ours = {leaf: a for label, tree in found.values() for leaf, a in trees.walk(tree, label)}
            result.errors = {leaf: relative_error(ours[leaf], n) for leaf, n in numeric.items() if leaf in ours}
            if self.grad is not None:
                result.quantities = self._quantities()
        left_out = [name for name in self.trace.outputs if name not in self.outputs] if self._known_outputs() else []
        if not self.quick:
            result.warnings = audit(self.inputs, self.trace, self.seen, left_out)
        inside = next((quantity for quantity in result.quantities if not quantity.error <= self.tolerance), None)
        if result.ok and inside:
            at = "" if inside.place.t is None else f" at t = {inside.place.t}"
            by = inside.place.name
            result.warnings.append(f"{inside.label}{at}, as backward keeps it, is not the derivative by {by}")
        if not result.ok and not self.quick:
            result.first = self._first(result, numeric, found)
            if diagnose and self.grad is not None:
                result.diagnosis = diagnose(self)
        return result

    def _known_outputs(self):
        return bool(getattr(self.trace, "outputs", ()))

    # what backward gives

    def _backward(self, factor=1.0):
        upstream = {}
        for name, r in self.weights.items():
            xp, dtype = array_module(self.values[name]), self.values[name].dtype
            upstream[f"d{name}"] = xp.asarray((factor * r).astype(dtype))
        self.upstream = upstream
        try:
            grad = self.trace.backward(**upstream)
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(HERE)]
            where = f" in {frames[-1].name}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
            self.problems.append(f"backward raised {type(error).__name__}: {error}{where}")
            return None
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

    def _quantities(self):
        """Every claim of backward along a random direction; in the order in which it computed them."""
        own = self.seen.number(self.trace)  # of its own outputs the outermost trace was told the gradient
        claims = [c for c in self._claims() if c.place.number != own or c.place.name not in self.outputs]
        self.paths = self.seen.path(self.trace)
        real = self.method != "complex-step"
        inputs = self.inputs if real else along(self.inputs, self.inputs, 0j)
        found = []
        for place, value in claims:
            written = self.seen.values[place]
            ours = np.zeros(written.shape) if value is None else np.asarray(value)
            label = self._label(place)
            if ours.shape != written.shape:
                self.problems.append(f"d{place.name} has shape {ours.shape}, but {place.name} has {written.shape}")
                continue
            v = self.rng.standard_normal(written.shape)
            true = slope(lambda step, place=place, v=v: self._loss(inputs, {place: step * v}), self.method)
            norm = float(np.sqrt((ours**2).sum()))
            scale = max(norm, abs(true))
            error = abs((ours * v).sum() - true) / scale if scale > 0 else 0.0
            found.append(Quantity(place, label, float(error) if np.isfinite(error) else np.inf, written.size))
        return found

    def _claims(self):
        """What backward says of what is inside: in its records, or by name in the dict that it returned."""
        claims = self.seen.claims()
        for name, value in self.grad.items() if isinstance(self.grad, dict) else ():
            places = [p for p in self.seen.values if p.t is None and f"d{p.name}" == name]
            if len(places) == 1 and places[0].name not in self.inputs and hasattr(value, "shape"):
                claims.append(Claim(places[0], value))
        return claims

    def _label(self, place):
        path = self.paths.get(place.number, place.kind)
        return f"{path}.d{place.name}" if path else f"d{place.name}"

    # where it goes wrong

    def _first(self, result, numeric, found):
        """The first wrong quantity on the way back from the loss, looked at number by number."""
        for quantity in result.quantities:
            if not quantity.error <= self.tolerance:
                return self._wrong_quantity(quantity)
        for argument, (label, tree) in found.items():
            for leaf, ours in trees.walk(tree, label):
                if not result.errors.get(leaf, 0.0) <= self.tolerance:
                    said = patterns(ours, numeric[leaf], self._sizes())
                    after = bool(result.quantities) and argument == "params"
                    return Wrong(leaf, None, None, said, sums=after, equation=self._equation_of(leaf))
        return None

    def _wrong_quantity(self, quantity):
        place, written = quantity.place, self.seen.values[quantity.place]
        value = next(claim.value for claim in self._claims() if claim.place == place)
        ours = np.zeros(written.shape) if value is None else np.asarray(value)
        inputs = self.inputs if self.method != "complex-step" else along(self.inputs, self.inputs, 0j)
        true = np.empty(written.shape)
        for index in np.ndindex(written.shape):
            unit = np.zeros(written.shape)
            unit[index] = 1
            true[index] = slope(lambda step, unit=unit: self._loss(inputs, {place: step * unit}), self.method)
        said = ["backward gave it no gradient at all"] if value is None else patterns(ours, true, self._sizes())
        wrong = np.abs(ours - true).reshape(len(ours), -1).max(axis=1) if ours.ndim else np.abs(ours - true)[None]
        row = int(wrong.argmax())
        return Wrong(quantity.label, place.t, row, said, equation=self._equation(place.kind, f"d{place.name}"))

    def _equation_of(self, leaf):
        """The right equation of a result of a single step."""
        kinds = {place.kind for place in self.seen.values if place.t is None}
        return next(filter(None, (self._equation(kind, leaf) for kind in kinds)), None)

    def _equation(self, kind, name):
        """The right equation of a gradient inside a step, as text; None when it is not written down."""
        records = {f"{base.__name__}Grad" for base in self.seen.kinds.get(kind, type(None)).__mro__}
        grads = (grad for grad in StepGrad.__subclasses__() if grad.__name__ in records)
        return next((grad.equations.get(name) for grad in grads), None)

    def _sizes(self):
        sizes = {}
        for name, tree in self.inputs.items():
            for leaf in trees.leaves(tree) if name != "params" else ():
                for axis, word in zip(range(leaf.ndim), {3: ("steps", "rows")}.get(leaf.ndim, ("rows",)), strict=False):
                    sizes.setdefault(word, leaf.shape[axis])
        if "steps" in sizes:
            sizes["tokens (steps times rows)"] = sizes["steps"] * sizes["rows"]
        return sizes

    # is the function itself fit for a check

    def _same_inputs(self, before):
        for name, tree in before.items():
            for (leaf, a), (_, b) in zip(trees.walk(tree, name), trees.walk(self.given[name], name), strict=True):
                if not bool((a == b).all()) and not bool((np.isnan(trees.to_host(a))).any()):
                    self.problems.append(f"the input {leaf} was changed: forward and backward must not write to it")

    def _deterministic(self):
        again = self.function(**self.given)
        for name, value in self.values.items():
            if not np.array_equal(trees.to_host(value), trees.to_host(getattr(again, name)), equal_nan=True):
                self.problems.append(
                    f"two calls with the same inputs gave different {name}: draw random numbers outside of it"
                )
        if self.grad is None:
            return
        kept, problems = self.upstream, list(self.problems)
        doubled = self._backward(factor=2.0)
        self.upstream, self.problems = kept, problems
        if doubled is None:
            return
        for argument in self.given:
            once, twice = (_get(grad, argument) for grad in (self.grad, doubled))
            if once is None or twice is None:
                continue
            once, twice = trees.to_host(once), trees.to_host(twice)
            for (leaf, a), (_, b) in zip(trees.walk(once, argument), trees.walk(twice, argument), strict=False):
                if getattr(a, "shape", 0) == getattr(b, "shape", 1) and relative_error(2 * a, b) > 1e-4:
                    self.problems.append(
                        "backward is not linear: twice the gradient of the outputs does not give twice that of "
                        f"{leaf} (does it clip, or keep something from call to call?)"
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
