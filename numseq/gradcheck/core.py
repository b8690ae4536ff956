"""Is a hand-written backward right? Compare it with numbers that need no backward.

For any function that returns a trace: with fixed random weights r, the scalar L = sum over outputs of <r, output> has
the gradient that `trace.backward(d<output>=r, ...)` claims. Two references need forward evaluations only:

    complex step         dL/dx = Im L(x + i h) / h,  h = 1e-100      no subtraction, so exact to rounding
    central differences  dL/dx = (L(x + h) - L(x - h)) / 2h          error about h^2 + 1e-16 / h

The complex step needs a forward pass that is analytic; that of every layer is.

Source: Squire & Trapp 1998, "Using complex variables to estimate derivatives of real functions".
"""

from dataclasses import dataclass

import numpy as np

from numseq import params as trees

TOLERANCE = {"complex-step": 1e-10, "central": 1e-6}
CENTRAL_STEP = 1e-5  # h^2 + eps / h, truncation and rounding, is near its least for float64


@dataclass(slots=True)
class Check:
    """The result of one check: the worst relative error, and that of every array."""

    name: str
    method: str
    errors: dict[str, float]  # dotted name of a gradient to its error

    @property
    def worst(self):
        return max(self.errors.values())

    @property
    def where(self):
        """The array with the worst error."""
        return max(self.errors, key=self.errors.get)

    @property
    def ok(self):
        return all(error <= TOLERANCE[self.method] for error in self.errors.values())

    def to_dict(self):
        return {"name": self.name, "method": self.method, "worst": self.worst, "ok": self.ok}

    def __str__(self):
        verdict = "right" if self.ok else "WRONG"
        return f"{self.name}: {verdict}, worst relative error {self.worst:.1e} ({self.where}, {self.method})"


def relative_error(ours, reference):
    """max|a - n| / max(|a|, |n|) over an array; 0 when both are exactly zero, infinite when not finite."""
    if ours.shape != reference.shape:
        return np.inf
    if not (np.isfinite(ours).all() and np.isfinite(reference).all()):
        return np.inf
    scale = max(np.abs(ours).max(initial=0), np.abs(reference).max(initial=0))
    return float(np.abs(ours - reference).max(initial=0) / scale) if scale > 0 else 0.0


def check(function, inputs, *, name=None, outputs=None, method="complex-step", seed=0):
    """Check the backward of a function that returns a trace.

    Equations: see the module. The relative error of an array is max|a - n| / max(|a|, |n|) over it.

    Args: function, called as function(**inputs). inputs, a dict of float64 trees (arrays, or parameters) by argument
        name. outputs, names of the trace's differentiable outputs; by default the trace's own `outputs`.
        method, "complex-step" or "central". seed, of the weights r.
    Returns: a Check. The gradient of an input `x` is looked for as `dx` in what `backward` returns, a tree of
        parameters as `params`.
    Raises: TypeError, when inputs are not float64; AttributeError, when a gradient is missing.
    """
    if trees.common_dtype(*inputs.values()) != np.float64:
        raise TypeError("gradients are checked in float64: cast the inputs first")
    trace = function(**inputs)
    rng = np.random.default_rng(seed)
    weights = {output: rng.standard_normal(np.shape(getattr(trace, output))) for output in outputs or trace.outputs}
    grad = trace.backward(**{f"d{output}": r for output, r in weights.items()})

    def loss(values):
        trace = function(**values)
        return sum((r * getattr(trace, output)).sum() for output, r in weights.items())

    reference = {"complex-step": _complex_step, "central": _central}[method]
    errors = {}
    for argument, numeric in zip(inputs, reference(loss, inputs), strict=True):
        gradient = argument if hasattr(grad, argument) else f"d{argument}"
        for (leaf, a), (_, n) in zip(trees.walk(getattr(grad, gradient), gradient), trees.walk(numeric), strict=True):
            errors[leaf] = relative_error(a, n)
    return Check(name or getattr(function, "__name__", "function"), method, errors)


def _complex_step(loss, inputs):
    """dL/dx for every number of every input, one forward pass each."""
    h = 1e-100
    values = {argument: trees.cast(tree, np.complex128) for argument, tree in inputs.items()}
    return _each_number(values, lambda cell, index: _bumped(cell, index, 1j * h, lambda: loss(values)).imag / h)


def _central(loss, inputs):
    h = CENTRAL_STEP
    values = {argument: trees.cast(tree, np.float64) for argument, tree in inputs.items()}

    def slope(cell, index):
        ahead, behind = (_bumped(cell, index, step, lambda: loss(values)) for step in (h, -h))
        return (ahead - behind) / (2 * h)

    return _each_number(values, slope)


def _each_number(values, slope):
    """For each input a tree of the same shape, holding slope(array, index) of every number."""

    def of_leaf(leaf):
        return np.array([slope(leaf, index) for index in np.ndindex(leaf.shape)]).reshape(leaf.shape)

    return [trees.map(of_leaf, tree) for tree in values.values()]


def _bumped(cell, index, step, evaluate):
    """evaluate() while one number is moved by `step`."""
    before = cell[index]
    cell[index] = before + step
    result = evaluate()
    cell[index] = before
    return result
