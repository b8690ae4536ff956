"""The report of a check: in one line when all is right, and in words that lead to the mistake when not."""

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numseq.gradcheck.watch import Place

SEVERAL = 8  # results that have a line of their own


def relative_error(ours: np.ndarray, reference: np.ndarray) -> float:
    """max|a - n| / max(|a|, |n|) over an array; 0 when both are exactly zero, infinite when not finite."""
    if ours.shape != reference.shape:
        return np.inf
    if not (np.isfinite(ours).all() and np.isfinite(reference).all()):
        return np.inf
    scale = max(np.abs(ours).max(initial=0), np.abs(reference).max(initial=0))
    return float(np.abs(ours - reference).max(initial=0) / scale) if scale > 0 else 0.0


@dataclass(slots=True)
class Quantity:
    """What backward said of one named quantity at one step, and its relative error along a random direction."""

    place: Place
    label: str
    error: float
    size: int  # how many numbers it has
    slope: float = 0.0  # what the reference says along the direction
    wrong: bool | None = None  # None while it is not decided


@dataclass(slots=True)
class Wrong:
    """The first wrong quantity: its name, step and worst row, what its numbers show, and its equation."""

    name: str
    t: int | None
    row: int | None
    shows: list[str]
    equation: str | None = None
    sums: bool = False  # all intermediates are right: a weight gradient is summed wrongly

    @property
    def at(self) -> str:
        return "" if self.t is None else f" at t = {self.t}"


@dataclass(slots=True)
class Diagnosis:
    """A known bug whose gradient coincides with that of the function."""

    name: str
    lesson: str
    distance: float  # largest relative difference between the two gradients
    where: str = ""  # the part of the model


@dataclass(slots=True)
class Check:
    """The result of one check.

    errors, the relative error of every result by its dotted name; quantities, those of every named quantity at every
    step, in the order of the walk back from the loss; problems, what is wrong beside the numbers; warnings, what the
    inputs could not show; first, the first wrong quantity; inside, whether that one is inside, and not just a result;
    shows, how each wrong result is wrong; known, whether anything is known of what was checked; diagnosis,
    known bugs that coincide, the best first.
    """

    name: str
    method: str
    tolerance: float
    errors: dict[str, float] = field(default_factory=dict)
    quantities: list[Quantity] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    first: Wrong | None = None
    inside: bool = False
    shows: dict[str, list[str]] = field(default_factory=dict)
    known: bool = False
    diagnosis: list[Diagnosis] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest relative error of a result; infinite when one is unusable."""
        return np.inf if self.problems else max(self.errors.values(), default=0.0)

    @property
    def where(self) -> str:
        """The result with the largest error."""
        return max(self.errors, key=self.errors.get, default="")

    @property
    def ok(self) -> bool:
        return not self.problems and all(error <= self.tolerance for error in self.errors.values())

    @property
    def first_wrong(self) -> tuple[str, int | None] | None:
        """(quantity, time step) of the first wrong one on the way back from the loss; the step is None without time."""
        return None if self.first is None else (self.first.name, self.first.t)

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON; what is not finite becomes None."""
        return {
            "name": self.name,
            "method": self.method,
            "worst": _json(self.worst),
            "ok": self.ok,
            "errors": {name: _json(error) for name, error in self.errors.items()},
            "problems": self.problems,
            "warnings": self.warnings,
            "first_wrong": self.first_wrong,
            "shows": self.first.shows if self.first else [],
            "diagnosis": [{"name": d.name, "distance": d.distance, "where": d.where} for d in self.diagnosis],
        }

    def __str__(self) -> str:
        return "\n".join([self._verdict(), *(f"    {line}" for line in self.lines())])

    def _verdict(self):
        if self.problems:
            return f"{self.name}: WRONG"
        verdict = "right" if self.ok else "WRONG"
        return f"{self.name}: {verdict}, worst relative error {self.worst:.1e} ({self.where}, {self.method})"

    def summary(self) -> str:
        """One line: what is wrong, and where."""
        if self.ok:
            return self._verdict()
        if self.problems:
            return f"{self.name}: WRONG: {self.problems[0]}"
        at = f", first {self.first.name}{self.first.at}" if self.first and self.inside else ""
        wrong = [f"{n}{_because(self.shows.get(n))}" for n, error in self.errors.items() if not error <= self.tolerance]
        return f"{self.name}: WRONG: {_some(wrong, 3)}{at}"

    def lines(self) -> list[str]:
        """What there is to say beside the verdict, line by line."""
        said = list(self.problems)
        right = [name for name, error in self.errors.items() if error <= self.tolerance]
        wrong = [name for name in self.errors if name not in right]
        if self.first and not self.inside and not self.first.sums:
            said += [f"wrong: {name}{_because(self.shows.get(name))}" for name in wrong[:SEVERAL]]
            if len(wrong) > SEVERAL:
                said.append(f"wrong as well: {_some(wrong[SEVERAL:])}")
            if self.first.equation:
                said.append(f"    {self.first.name} should be {self.first.equation}")
        elif self.first:
            said.append(f"first wrong on the way back from the loss: {self.first.name}{self.first.at}")
            if self.first.equation:
                said.append(f"    it should be {self.first.equation}")
            said += [f"    {line}" for line in self.first.shows]
            if self.first.row is not None and not any("row" in line for line in self.first.shows):
                said.append(f"    its largest error is in row {self.first.row}")
            if self.first.sums:
                said.append("    every quantity inside is right, so it is the sum over steps and rows that goes wrong")
        for found in self.diagnosis:
            said.append(f"this looks like: {found.name}{found.where and f' ({found.where})'}")
            said.append(f"    {found.lesson}")
        if self.diagnosis and any(found.where for found in self.diagnosis):
            said.append("repair this and check again: there may be more elsewhere")
        if not self.ok and not self.diagnosis and self.first and self.known:
            said.append("this is not one of the known mistakes")
        if not self.ok and not self.problems and self.worst < 1e-6:
            said.append("so small a difference can be rounding where terms nearly cancel: try inputs at scale 1")
        if self.first and (self.inside or self.first.sums):
            if len(self.errors) > 1 and not right:
                said.append("every result is wrong")
            elif right and wrong:
                said.append(f"wrong: {_some(wrong)}; right: {_some(right)}")
        elif not self.ok and right:
            said.append(f"right: {_some(right)}")
        return said + [f"note: {warning}" for warning in self.warnings]

    def _repr_html_(self):
        color = "#2a7d2a" if self.ok else "#b3261e"
        said = "".join(f"<li style='white-space: pre-wrap'>{html.escape(line)}</li>" for line in self.lines())
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td style='color: {'#2a7d2a' if e <= self.tolerance else '#b3261e'}'>"
            f"{e:.1e}</td></tr>"
            for name, e in self.errors.items()
        )
        return (
            f"<b style='color: {color}'>{html.escape(self._verdict())}</b><ul>{said}</ul>"
            f"<details><summary>relative error of each result</summary><table>{rows}</table></details>"
        )


def _json(error):
    return float(error) if np.isfinite(error) else None


def _because(shows):
    return f" ({'; '.join(shows)})" if shows else ""


def _some(names, most=6):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
