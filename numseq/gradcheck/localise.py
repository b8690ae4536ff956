"""Where a backward pass goes wrong: every quantity that it makes a claim of, probed, and the first that is wrong."""

import numpy as np

from numseq import params as trees
from numseq.gradcheck.patterns import patterns
from numseq.gradcheck.references import STEP, along, slope
from numseq.gradcheck.report import Quantity, Wrong
from numseq.gradcheck.watch import Claim, kinds_of
from numseq.record import StepGrad


class Inside:
    """The part of a check that looks inside. Of the check it needs `seen`, `trace`, `grad`, `inputs`, `method`,
    `tolerance`, `problems`, `rng` and `_loss`."""

    def _quantities(self):
        """Every claim of backward along a random direction; in the order in which it computed them."""
        claims = self._claims()
        self.paths = self.seen.path(self.trace)
        inputs, rounding = self._ready_inputs(), 0.0
        if self.method != "complex-step":
            # a difference of two losses is rounded to eps |L|, whatever the size of the gradient that it is to show
            rounding = 8 * np.finfo(float).eps * abs(self._loss(inputs)) / STEP[self.method]
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
            error = max(0.0, abs((ours * v).sum() - true) - rounding) / scale if scale > 0 else 0.0
            found.append(Quantity(place, label, float(error) if np.isfinite(norm) else np.inf, written.size))
        return found

    def _ready_inputs(self):
        """The inputs in the dtype that the reference needs."""
        return along(self.inputs, self.inputs, 0j) if self.method == "complex-step" else self.inputs

    def _claims(self):
        """What backward says of what is inside: in its records, or by name in the dict that it returned."""
        claims = {claim.place: claim for claim in self.seen.claims(self.trace)}
        own = []
        for name, value in self.grad.items() if isinstance(self.grad, dict) else ():
            places = [p for p in self.seen.values if p.t is None and f"d{p.name}" == name]
            if len(places) == 1 and places[0].name not in self.inputs and hasattr(value, "shape"):
                own.append(Claim(places[0], value))
        own.sort(key=lambda claim: self._order(claim.place))  # as the equations follow one another
        return list((claims | {claim.place: claim for claim in own}).values())

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
                    said = patterns(ours, numeric[leaf], self._sizes(), self._blocks(leaf))
                    after = bool(result.quantities) and argument == "params"
                    return Wrong(leaf, None, None, said, sums=after, equation=self._equation_of(leaf))
        return None

    def _wrong_quantity(self, quantity):
        place, written = quantity.place, self.seen.values[quantity.place]
        value = next(claim.value for claim in self._claims() if claim.place == place)
        ours = np.zeros(written.shape) if value is None else np.asarray(value)
        inputs, true = self._ready_inputs(), np.empty(written.shape)
        for index in np.ndindex(written.shape):
            unit = np.zeros(written.shape)
            unit[index] = 1
            true[index] = slope(lambda step, unit=unit: self._loss(inputs, {place: step * unit}), self.method)
        said = ["backward gave it no gradient at all"]
        if value is not None:
            said = patterns(ours, true, self._sizes(), self._blocks(place.name, place.kind))
        wrong = np.abs(ours - true).reshape(-1, *ours.shape[-2:])  # what comes before (rows, columns) is put together
        row = int(wrong.max(axis=(0, *range(2, wrong.ndim))).argmax()) if wrong.ndim > 1 else 0
        return Wrong(quantity.label, place.t, row, said, equation=self._equation(place.kind, f"d{place.name}"))

    def _equation_of(self, leaf):
        """The right equation of a result of a single step."""
        kinds = {place.kind for place in self.seen.values if place.t is None}
        return next(filter(None, (self._equation(kind, leaf) for kind in kinds)), None)

    def _equation(self, kind, name):
        """The right equation of a gradient inside a step, as text; None when it is not written down."""
        return self._equations(kind).get(name)

    def _equations(self, kind):
        """The equations of the backward of a kind of step, in their order; empty when they are not written down."""
        grads = {grad.__name__: grad for grad in kinds_of(StepGrad)}
        records = (f"{base.__name__}Grad" for base in self.seen.kinds.get(kind, type(None)).__mro__)
        return next((grads[name].equations for name in records if name in grads), {})

    def _order(self, place):
        names = list(self._equations(place.kind))
        return names.index(f"d{place.name}") if f"d{place.name}" in names else len(names)

    def _sizes(self):
        sizes = {}
        for name, tree in self.inputs.items():
            for leaf in trees.leaves(tree) if name != "params" else ():
                for axis, word in zip(range(leaf.ndim), {3: ("steps", "rows")}.get(leaf.ndim, ("rows",)), strict=False):
                    sizes.setdefault(word, leaf.shape[axis])
        if "steps" in sizes:
            sizes["tokens (steps times rows)"] = sizes["steps"] * sizes["rows"]
        return sizes

    def _blocks(self, name, kind=None):
        """The letters of the blocks that a quantity holds side by side along its last axis; none for most.

        kind: of the record that it is in; a result is in none, and has the blocks of the steps if all have the same.
        """
        last = name.split(".")[-1]
        if last not in ("a", "da", "W_x", "W_h", "W_context", "gates"):
            return ""
        kinds = [self.seen.kinds.get(kind)] if kind else self.seen.kinds.values()
        found = {
            getattr(step, "blocks", "") + (getattr(step, "more_blocks", "") if last in ("a", "da") else "")
            for step in kinds
        } - {""}
        return found.pop() if len(found) == 1 else ""
