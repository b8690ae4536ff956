"""Is a function fit to be checked at all: does it leave its inputs alone, repeat itself, and have a slope to find?"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.inputs import Inputs
from numseq.gradcheck.references import NotAnalyticError, along, best_slope, complex_step, random_directions, slope
from numseq.gradcheck.report import relative_error
from numseq.gradcheck.results import Given
from numseq.gradcheck.spy import line_that_is_not_analytic
from numseq.gradcheck.watch import Watch

LARGE = 2.0**20  # a power of 2, so that what is linear is so to the last bit


class Fitness:
    """The part of a check that looks at the function itself. Of the check it needs what is declared here."""

    function: Callable[..., Any]
    given: Inputs
    inputs: dict[str, Any]
    values: dict[str, Any]
    results: Given
    problems: list[str]
    notes: list[str]
    name: str
    rng: Any
    trace: Any
    returned: dict[str, Any]
    _output: Callable[..., Any]
    _upstream: Callable[..., Any]
    _backward: Callable[..., Any]
    _results: Callable[..., Given]
    _no_kink: Callable[[], None]
    _only: Callable[..., dict[str, Any]]
    _leaf: Callable[..., tuple[str, int]]
    exact: bool
    _loss: Callable[..., Any]

    def _same(self, before, now, said):
        """A problem for each array of two dicts of trees that is no longer what it was."""
        for (leaf, a), (_, b) in zip(trees.walk(before), trees.walk(now), strict=False):
            if not bool((a == b).all()) and not bool((a != a).any()):
                self.problems.append(said.format(leaf))

    def _unfit(self):
        """Whether the function is none, since the same inputs do not give the same outputs; then it is a problem."""
        again = self.function(**self.given.moved)
        for name, value in self.values.items():
            pairs = zip(trees.leaves(value), trees.leaves(self._output(again, name)), strict=True)
            if not all(np.array_equal(trees.to_host(a), trees.to_host(b), equal_nan=True) for a, b in pairs):
                self.problems.append(
                    f"two calls of forward with the same inputs gave different {name}: draw random numbers outside"
                )
        if not self.problems and self.given.held is not None and self.given.held.keeps_a_state(self.given.moved):
            self.notes.append(
                f"a second forward pass of the same {self.given.held.name} gives something else, so it keeps a state: "
                "here each pass begins anew"
            )
        return bool(self.problems)

    def _linear(self, inside):
        """A gradient is linear in what comes from above; one that is not has a problem, also if it is clipped."""
        before = self.results.leaves()
        trace = self.trace if self.given.held is None else self.function(**self.given.moved)
        raw = self._backward(
            trace, self._upstream(LARGE), ", called once more on the same trace (which it must leave as it was),"
        )
        if raw is None:
            return
        if changed := [leaf for leaf, a in self.returned.items() if not bool((a == before[leaf]).all())]:
            self.notes.append(f"{changed[0]} is overwritten by the next call of backward: return new arrays")
        again = self._results(raw, inside).leaves()
        for leaf, a in before.items():
            if leaf in again and relative_error(LARGE * a, again[leaf]) > 1e-4:
                self.problems.append(
                    "backward is not linear: a million times the gradient of the outputs does not give a million times "
                    f"{leaf} (is what comes from above multiplied in? does it clip, or keep something between calls?)"
                )
                return

    def _analytic(self):
        """The complex step against a central difference along one direction; they differ where L is not analytic."""
        directions = random_directions(self.inputs, self.rng)

        def moved(step):
            return along(self.inputs, directions, step)

        def loss(step):
            return self._loss(moved(step))

        try:
            exact = complex_step(loss)
        except NotAnalyticError as error:
            where = self._line(moved(1e-100j))
            if where:
                raise NotAnalyticError(
                    f"the forward pass of {self.name} is not analytic: {where} drops the imaginary part"
                ) from None
            raise error from None
        central = slope(loss, "central")
        alike = 1e-4 * max(abs(exact), abs(central), 1e-3)
        if not np.isfinite(central) or abs(exact - central) <= alike:
            return self._analytic_in_each(moved)
        central, error = best_slope(loss)
        if abs(exact - central) <= max(alike, 10 * error):
            return self._analytic_in_each(moved)
        self._no_kink()
        where = self._first_not_analytic(moved)
        if not where and (line := self._line(moved(1e-100j))):
            where = f": {line} drops or turns the imaginary part"
        raise self._not_analytic(where, exact, central)

    def _analytic_in_each(self, moved):
        """The same along each array alone, where a line drops the imaginary part: what it does may be lost among what
        the others do to L, and a backward that forgets it would be right by the complex step."""
        if not (line := self._line(moved(1e-100j), real=False)):
            return
        for argument, tree in self.inputs.items():
            for k, leaf in enumerate(trees.leaves(tree)):
                only = self._only(argument, k, self.rng.standard_normal(leaf.shape))
                loss = lambda step, only=only: self._loss(along(self.inputs, only, step))  # noqa: E731
                exact, (central, error) = complex_step(loss), best_slope(loss)
                if abs(exact - central) > max(1e-6 * abs(central), 10 * error):
                    self._no_kink()
                    raise self._not_analytic(f": {line} drops or turns the imaginary part", exact, central)

    def _not_analytic(self, where, exact, central):
        return NotAnalyticError(
            f"the forward pass of {self.name} is not analytic{where}",
            f"the complex step gives {exact:.6g} where central differences give {central:.6g}; rewrite it for complex "
            "numbers, or use method='central'",
        )

    def _analytic_in(self, leaf):
        """The same of one result, before it is called wrong: a line that drops the imaginary part may do little to L.
        It is to blame if what backward says is what differences say, and if it is found besides."""
        if not self.exact:
            return
        a = self.results.leaves()[leaf]
        v = self.rng.standard_normal(a.shape)
        only = self._only(*self._leaf(leaf), v)

        def loss(step):
            return self._loss(along(self.inputs, only, step))

        said, exact, (central, error) = (a * v).sum(), complex_step(loss), best_slope(loss)
        to_blame = abs(said - central) + 10 * error < 0.1 * abs(said - exact)
        if to_blame and (line := self._line(along(self.inputs, only, 1e-100j))):
            raise self._not_analytic(f": {line} drops or turns the imaginary part", exact, central)

    def _line(self, inputs, real=True):
        return line_that_is_not_analytic(lambda spied: self.function(**spied), inputs, real)

    def _first_not_analytic(self, moved):
        h = 1e-5
        written = []
        for step in (1e-100j, h, -h):
            with Watch() as seen, warnings.catch_warnings(action="ignore"):
                trace = self.function(**moved(step))
            seen.locate(trace)
            written.append(seen.values)
        for place, value in written[0].items():
            exact, central = value.imag / 1e-100, (written[1][place] - written[2][place]) / (2 * h)
            if value.dtype.kind == "f" or np.abs(exact - central).max() > 1e-4 * max(np.abs(central).max(), 1e-3):
                return f" at {place.name} of {place.kind}" + (f", step {place.t}" if place.t is not None else "")
        return ""
