"""Is a function fit to be checked at all: does it leave its inputs alone, repeat itself, and have a slope to find?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.references import NotAnalyticError, along, complex_step, random_directions, slope
from numseq.gradcheck.report import relative_error
from numseq.gradcheck.results import gradient_of, label
from numseq.gradcheck.watch import Watch


class Fitness:
    """The part of a check that looks at the function itself. Of the check it needs `function`, `given`, `inputs`,
    `values`, `grad`, `problems`, `name`, `rng`, `_output`, `_upstream`, `_backward` and `_loss`."""

    function: Callable[..., Any]
    given: dict[str, Any]
    inputs: dict[str, Any]
    values: dict[str, Any]
    grad: Any
    problems: list[str]
    name: str
    rng: Any
    _output: Callable[..., Any]
    _upstream: Callable[..., Any]
    _backward: Callable[..., Any]
    _loss: Callable[..., Any]

    def _same_inputs(self, before):
        for name, tree in before.items():
            for (leaf, a), (_, b) in zip(trees.walk(tree, name), trees.walk(self.given[name], name), strict=True):
                if not bool((a == b).all()) and not bool((np.isnan(trees.to_host(a))).any()):
                    self.problems.append(f"the input {leaf} was changed: forward and backward must not write to it")

    def _unfit(self):
        """Whether the function is none, since the same inputs do not give the same outputs; then it is a problem."""
        again = self.function(**self.given)
        for name, value in self.values.items():
            pairs = zip(trees.leaves(value), trees.leaves(self._output(again, name)), strict=True)
            if not all(np.array_equal(trees.to_host(a), trees.to_host(b), equal_nan=True) for a, b in pairs):
                self.problems.append(
                    f"two calls with the same inputs gave different {name}: draw random numbers outside of it"
                )
        return bool(self.problems)

    def _linear(self):
        """A gradient is linear in what comes from above; one that is not has a problem."""
        doubled = self._backward(
            self._upstream(2.0), ", called once more on the same trace (which it must leave as it was),"
        )
        if doubled is None:
            return
        for argument in self.given:
            once, twice = gradient_of(self.grad, argument), gradient_of(doubled, argument)
            pairs = zip(trees.walk(once, label(argument)), trees.walk(twice, label(argument)), strict=False)
            for (leaf, a), (_, b) in pairs:
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
                trace = self.function(**moved(step))
            seen.locate(trace)
            written.append(seen.values)
        for place, value in written[0].items():
            exact, central = value.imag / 1e-100, (written[1][place] - written[2][place]) / (2 * h)
            if value.dtype.kind == "f" or np.abs(exact - central).max() > 1e-4 * max(np.abs(central).max(), 1e-3):
                return f" at {place.name} of {place.kind}" + (f", step {place.t}" if place.t is not None else "")
        return ""
