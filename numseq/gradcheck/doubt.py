"""Mistake or rounding? What backward says and what the reference says differ: is the difference a property of the code?

A mistake is there again with more digits, and a hair's breadth aside. Rounding is another one each time: with more
digits it shrinks as eps does, and aside it has another size or sign. So no tolerance has to be guessed from how large
the terms are that cancel, or how saturated a unit is.

    e(x) = <a(x), v> - dL(x + step v) / dstep              a, what backward says, v a random direction
    rounding, if e is far smaller in extended precision, or another at inputs x' = x (1 + sqrt(eps) noise)

A saturated unit is 1 to the last digit, so its slope is 0 in any precision, and aside: e is the same everywhere. But
then L does not show it either: over the size of x it moves L by less than L is rounded by. Where outputs are smaller
than inputs, and may be what is left of such numbers, with their rounding, only a gradient that is not 0, and that is
wrong by the same in another precision, is a mistake.

The other precision is NumPy's longdouble, where it is wider than float64, else float32; of float32 it is float64. The
code has to keep it. With fewer digits nothing shrinks, but only a mistake stays as it is. The second is discrete
stochastic arithmetic, Vignes 2004, with the inputs' noise for random rounding.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import array_module
from numseq.gradcheck.inputs import Inputs
from numseq.gradcheck.kinks import KinkError, on_kink
from numseq.gradcheck.references import EPS, along, best_slope, complex_step, random_directions, rounding, size_of
from numseq.gradcheck.report import Quantity
from numseq.gradcheck.results import Given, gradients
from numseq.gradcheck.watch import Watch

PRECISIONS: dict[np.dtype, tuple] = {
    np.dtype(np.float32): (np.float64,),
    np.dtype(np.float64): (np.longdouble, np.float32),
}
ASIDE = 4  # how many times aside
CLEAR = 1e-3  # relative: no rounding of a gradient that is not hidden among far larger ones
HIDDEN = 1e-6  # of the largest gradient


class Doubt:
    """The part of a check that decides. Of the check it needs what is declared here."""

    function: Callable[..., Any]
    given: Inputs
    inputs: dict[str, Any]
    method: str
    quick: bool
    dtype: np.dtype
    tolerance: float
    values: dict[str, Any]
    weights: dict[str, Any]
    results: Given
    numeric: dict[str, Any]
    largest: float
    rng: Any
    notes: list[str]
    _errors: Callable[..., dict[str, float]]
    _loss: Callable[..., Any]
    _upstream: Callable[..., Any]
    _claims: Callable[..., Any]
    _output: Callable[..., Any]
    _written: Callable[..., Any]
    _claimed: Callable[..., Any]
    _along: Callable[..., tuple[float, float]]
    _ready_inputs: Callable[..., dict[str, Any]]
    _analytic_in: Callable[..., None]
    sure: bool  # one mistake is sure, so others that are clear need no proof
    seen: Watch
    inplace: set
    asked_for_kinks: bool
    blind: float

    # results

    def _judged(self, ours):
        """The relative error of each result, {leaf: array}; 0 where it is rounding."""
        sizes = {leaf: float(np.abs(n).max(initial=0)) for leaf, n in self.numeric.items()}
        errors = self._errors(ours)
        settled = self._settled(errors, sizes)
        off = {
            leaf: error
            for leaf, error in errors.items()
            if settled[leaf] < error and sizes[leaf] > 1e-9 * self.largest and ours[leaf].any()
        }
        if self.blind:
            self.notes.append(
                f"differences of so large a loss show no error below {self.blind:.0e} of some gradient here: the "
                "complex step would, or smaller outputs"
            )
        if off:
            most = max(off, key=off.get)
            more = f", and {len(off) - 1} more by less," if len(off) > 1 else ""
            self.notes.append(
                f"{most} is off by {off[most]:.1e}{more} which is rounding: with more digits it is another"
            )
        return settled

    def _settled(self, errors, sizes):
        """Errors, {leaf: error}, with 0 where it is rounding. sizes, of the gradients, {leaf: number}."""
        settled, self.largest = dict(errors), max(sizes.values(), default=0.0)
        for leaf, error in errors.items():
            if error <= self.tolerance:
                continue
            self._no_kink()
            size, reach = sizes[leaf], size_of(self._input_of(leaf))
            clear = self.sure and error > CLEAR and size > HIDDEN * self.largest
            if not clear and not self._is_mistake(self._of_leaf(leaf), reach):
                settled[leaf] = 0.0
            elif not self.sure:
                self._analytic_in(leaf)
                self._no_kink_in(leaf)
                self.sure = True
        return settled

    def _is_wrong(self, quantity: Quantity) -> bool:
        """Whether a quantity inside is wrong, and not by rounding."""
        if quantity.error <= self.tolerance:
            return False
        if quantity.wrong is None:
            self._no_kink()
            v = self.rng.standard_normal(self._written(quantity.place).shape)
            clear = self.sure and self.exact and quantity.error > CLEAR and quantity.slope > HIDDEN * self.largest
            quantity.wrong = clear or self._is_mistake(self._of_place(quantity.place, v), quantity.reach)
            if quantity.wrong and self._bends(quantity.place, v):
                quantity.wrong = self._is_wrong_off_kinks(quantity, v)
            if not quantity.wrong:
                quantity.error = 0.0
        return quantity.wrong

    def _is_wrong_off_kinks(self, quantity, v):
        """The same of those numbers alone that are on no kink, as some may be for good: the weights at padding are 0,
        and so is their coverage, of which a coverage loss takes the smaller."""
        place, ours, v = quantity.place, self._claimed(quantity.place), v.copy()
        for index in np.ndindex(v.shape):
            alone = np.zeros(v.shape)
            alone[index] = 1
            if self._bends(place, alone):
                v[index] = 0
        if not v.any():
            return False
        quantity.error, _ = self._along(self._ready_inputs(), place, ours, v, place in self.inplace)
        return quantity.error > self.tolerance and self._is_mistake(self._of_place(place, v), quantity.reach)

    @property
    def exact(self) -> bool:
        """Whether the reference is the complex step, which has no rounding of its own."""
        return self.quick or self.method == "complex-step"

    def _visible(self, slope, reach, least=0.0):
        """Whether L shows a slope at all: over the reach of what moves, it changes by more than it is rounded by."""
        return abs(slope) * reach > 8 * float(np.finfo(self.dtype).eps) * self._size(least)

    def _least(self):
        """The size of the largest input."""
        return max(map(size_of, trees.leaves(self.inputs)))

    # e(x)

    def _of_leaf(self, leaf):
        """e of a result, a function of the inputs."""
        argument, k = self._leaf(leaf)
        v = self.rng.standard_normal(trees.leaves(self.inputs[argument])[k].shape)

        def deviation(inputs):
            trace = self.function(**inputs)
            found = gradients(trace.backward(**self._upstream_of(trace)), self.given, trees.common_dtype(inputs))
            a = found.leaves()[leaf]
            fine = at_least_double(inputs)
            off = self._off(a, v, lambda step: self._loss(along(fine, self._only(argument, k, v), step)))
            return off, (a * v).sum(), a.dtype

        return deviation

    def _of_place(self, place, v):
        """e of a quantity inside, along v."""

        def deviation(inputs):
            with Watch() as seen:
                trace = self.function(**inputs)
                with seen.going_back():
                    grad = trace.backward(**self._upstream_of(trace))
            seen.locate(trace)
            a = next(claim.value for claim in self._claims(seen, trace, grad) if claim.place == place)
            a = np.zeros(v.shape) if a is None else trees.to_host(a)
            ready = along(inputs, inputs, 0j) if self.method == "complex-step" else inputs
            inplace = place in self.inplace
            return self._off(a, v, lambda step: self._loss(ready, place, step * v, inplace)), (a * v).sum(), a.dtype

        return deviation

    def _off(self, a, v, loss):
        """<a, v> - slope, which is 0 where a difference of losses does not know better."""
        said = (a * v).sum()
        if self.exact:
            return said - complex_step(loss)
        slope, error = best_slope(loss, self._size(self._least()))
        off = said - slope
        if abs(off) <= 5 * error > 1e-3 * abs(slope) > 0:
            self.blind = max(self.blind, error / abs(slope))
        return np.sign(off) * max(0.0, abs(off) - 5 * error)

    def _is_mistake(self, deviation, reach):
        """Whether e is a property of the code. reach, the size of what e is the error of the slope by."""
        base = self.given.moved if self.quick else self.inputs
        e, said, _ = deviation(base)
        if e == 0:
            return False
        if not np.isfinite(e):
            return True
        eps, there, dtype = np.finfo(self.dtype).eps, 0.0, None
        other = next(kind for kind in PRECISIONS[self.dtype] if np.finfo(kind).eps != eps)
        if all(array_module(a) is np for a in trees.leaves(base)):
            with suppress(Exception):  # the code cannot take it
                there, _, dtype = deviation(trees.cast(base, other))
        if dtype == other and np.finfo(other).eps < eps and abs(there) < abs(e) / 30:
            return False
        if not self._visible(e, reach):
            return False
        if not self._visible(e, reach, self._least()):
            return bool(said != 0 and dtype == other and abs(there / e - 1) < CLEAR)
        try:
            return all(0.5 < deviation(self._aside(base, k))[0] / e < 2 for k in range(ASIDE))
        except Exception:  # nothing can be said of what does not go aside
            return True

    def _aside(self, inputs, k):
        rng, size = np.random.default_rng(k), float(np.sqrt(np.finfo(self.dtype).eps))

        def moved(leaf):
            xp = array_module(leaf)
            return leaf * (1 + size * xp.asarray(rng.standard_normal(leaf.shape).astype(leaf.dtype)))

        return trees.map(moved, inputs)

    def _upstream_of(self, trace):
        """The weights r, in the precision of a trace's outputs."""

        def like(r, value):
            return array_module(value).asarray(r.astype(value.dtype))

        return {f"d{name}": trees.map(like, r, self._output(trace, name)) for name, r in self.weights.items()}

    # leaves

    def _leaf(self, leaf):
        """(argument, which of its leaves) of a result."""
        for argument, (name, tree) in self.results.found.items():
            names = [n for n, _ in trees.walk(tree, name)]
            if leaf in names:
                return argument, names.index(leaf)
        raise KeyError(leaf)

    def _input_of(self, leaf):
        """The input that a result is the gradient of."""
        argument, k = self._leaf(leaf)
        return trees.leaves(self.inputs[argument])[k]

    def _only(self, argument, k, v):
        """Directions in which one leaf alone moves, along v."""
        count = iter(range(10**9))
        none = trees.map(lambda leaf: None, self.inputs)
        leaf = lambda one: array_module(one).asarray(v) if next(count) == k else None  # noqa: E731
        return none | {argument: trees.map(leaf, self.inputs[argument])}

    # kinks

    def _no_kink(self):
        """Raises: KinkError, when the inputs are on one. Asked once, before anything is called wrong."""
        if self.asked_for_kinks:
            return
        self.asked_for_kinks = True
        size = self._size()
        directions = random_directions(self.inputs, self.rng)
        if not on_kink(partial(self._loss_along, directions), size):
            return
        found = []
        for argument, tree in self.inputs.items():
            for k, leaf in enumerate(trees.leaves(tree)):
                v = self.rng.standard_normal(leaf.shape)
                only = self._only(argument, k, v)
                if on_kink(partial(self._loss_along, only), size):
                    found.append([n for n, _ in trees.walk(tree, argument)][k])
        raise KinkError(f" in {', '.join(found)}" if found else "")

    def _no_kink_in(self, leaf):
        """The same along one leaf, whose kink may be lost among what the others do to L."""
        argument, k = self._leaf(leaf)
        only = self._only(argument, k, self.rng.standard_normal(self._input_of(leaf).shape))
        if on_kink(partial(self._loss_along, only), self._size()):
            raise KinkError(f" in {[n for n, _ in trees.walk(self.inputs[argument], argument)][k]}")

    def _bends(self, place, v):
        """Whether what is written at a place is on a kink, as relu's argument where it is always 0."""
        inplace = place in self.inplace
        return on_kink(lambda step: self._loss(self.inputs, place, step * v, inplace), self._size())

    def _loss_along(self, directions, step):
        return self._loss(along(self.inputs, directions, step))

    def _size(self, least=0.0):
        """Of what L is summed of: the sum of |r output|, of outputs of a size at least. L itself may be far smaller."""
        pairs = zip(trees.leaves(list(self.weights.values())), trees.leaves(list(self.values.values())), strict=True)
        return sum(float((abs(r) * array_module(r).maximum(abs(value), least)).sum()) for r, value in pairs)

    def _unseen(self):
        """What of a gradient that is exactly 0 a reference may say: rounding of the largest, and of differences."""
        return 100 * EPS * self.largest + 8 * rounding(self._size(), self.method)


def at_least_double(inputs: dict[str, Any]) -> dict[str, Any]:
    """float32 as float64; what is wider as it is."""
    return trees.map(lambda leaf: leaf.astype(np.float64) if leaf.dtype.itemsize < 8 else leaf, inputs)
