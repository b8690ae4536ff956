"""The report of a check: in one line when all is right, and in words that lead to the mistake when not."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from numseq.gradcheck import picture
from numseq.gradcheck.assignments import Place
from numseq.gradcheck.formulas import mathml

SEVERAL = 8  # results that have a line of their own
WHERE, EQUATION, ANSWER = 1, 2, 3  # how much of what is wrong is told; 0 says that it is
MORE = {0: "where it begins", WHERE: "what it should be", EQUATION: "which mistake it is, if it is a known one"}
GREEN, RED = "#2a7d2a", "#b3261e"


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
    reach: float = 1.0  # the size of those of its numbers that have a gradient
    wrong: bool | None = None  # None while it is not decided


@dataclass(slots=True)
class Wrong:
    """The first wrong quantity: its name, step and worst row, what its numbers show, and its equation; found and right,
    the numbers themselves, as backward gave them and as they should be."""

    name: str
    t: int | None
    row: int | None
    shows: list[str]
    equation: str | None = None
    sums: bool = False  # all intermediates are right: a weight gradient is summed wrongly
    found: np.ndarray | None = field(default=None, repr=False, compare=False)
    right: np.ndarray | None = field(default=None, repr=False, compare=False)

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


@dataclass(slots=True, repr=False)
class Check:
    """The result of one check.

    errors, the relative error of every result by its dotted name; quantities, those of every named quantity at every
    step, in the order of the walk back from the loss; problems, what is wrong beside the numbers; warnings, what the
    inputs could not show; first, the first wrong quantity; inside, whether that one is inside, and not just a result;
    shows, how each wrong result is wrong; equations, what it should be, if that is known; known, whether anything is
    known of what was checked; diagnosis, known bugs that coincide, the best first; hints, how much of it the report
    tells (`numseq.mistakes.grade`);
    unwritten, whether there is nothing yet to be right or wrong, as in an exercise.
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
    equations: dict[str, str] = field(default_factory=dict)
    known: bool = False
    diagnosis: list[Diagnosis] = field(default_factory=list)
    hints: int = ANSWER
    unwritten: bool = False

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

    @property
    def wrong(self) -> list[str]:
        """The names of the wrong results."""
        return [name for name, error in self.errors.items() if not error <= self.tolerance]

    @property
    def points(self) -> float:
        """1 when all is right. Else the share that is right of the results and of the named quantities that were looked
        at; each problem counts as one that is wrong."""
        if self.ok:
            return 1.0
        judged = [*self.errors.values(), *(quantity.error for quantity in self.quantities)]
        return sum(error <= self.tolerance for error in judged) / (len(judged) + len(self.problems))

    def to_dict(self) -> dict[str, Any]:
        """Everything, whatever the hints, for JSON; what is not finite becomes None."""
        return {
            "name": self.name,
            "method": self.method,
            "worst": _json(self.worst),
            "ok": self.ok,
            "points": self.points,
            "wrong": self.wrong,
            "errors": {name: _json(error) for name, error in self.errors.items()},
            "problems": self.problems,
            "warnings": self.warnings,
            "first_wrong": self.first_wrong,
            "shows": self.first.shows if self.first else [],
            "diagnosis": [{"name": d.name, "distance": d.distance, "where": d.where} for d in self.diagnosis],
        }

    def __str__(self) -> str:
        return "\n".join([self._verdict(), *(f"    {line}" for line in self.lines())])

    __repr__ = __str__  # where it stands alone in a session, and in a failed assertion

    def _verdict(self):
        if self.unwritten:
            return f"{self.name}: not written yet"
        if self.problems:
            return f"{self.name}: WRONG"
        verdict = "right" if self.ok else "WRONG"
        return f"{self.name}: {verdict}, worst relative error {self.worst:.1e} ({self.where}, {self.method})"

    def summary(self) -> str:
        """One line: what is wrong, and where."""
        if self.ok:
            return self._verdict()
        if self.unwritten:
            return self._verdict()
        if self.problems:
            return f"{self.name}: WRONG: {self.problems[0]}"
        at = f", first {self.first.name}{self.first.at}" if self.first and self.inside and self.hints >= WHERE else ""
        return f"{self.name}: WRONG: {_some([self._with_shows(name) for name in self.wrong], 3)}{at}"

    def lines(self) -> list[str]:
        """What there is to say beside the verdict, line by line."""
        said, first = list(self.problems), self.first
        right, wrong = [name for name in self.errors if name not in self.wrong], self.wrong
        on_the_way = bool(first and (self.inside or first.sums) and self.hints >= WHERE)
        if first:
            said += self._on_the_way() if on_the_way else self._of_results(wrong)
        if self.hints >= ANSWER:
            said += self._names()
        if not self.ok and not self.problems and self.worst < 1e-6:
            said.append("so small a difference can be rounding where terms nearly cancel: try inputs at scale 1")
        if on_the_way:
            if len(self.errors) > 1 and not right:
                said.append("every result is wrong")
            elif right and wrong:
                said.append(f"wrong: {_some(wrong)}; right: {_some(right)}")
        elif not self.ok and right:
            said.append(f"right: {_some(right)}")
        if first and self.hints in MORE:
            told = self.hints if self.inside or first.sums else max(self.hints, WHERE)  # where it begins is not known
            said.append(f"hints={told + 1} says {MORE[told]}")
        return said + [f"note: {warning}" for warning in self.warnings]

    def _of_results(self, wrong):
        """Results that are wrong, with nothing known of where it began."""
        said = [f"wrong: {self._with_shows(name)}" for name in wrong[:SEVERAL]]
        if len(wrong) > SEVERAL:
            said.append(f"wrong as well: {_some(wrong[SEVERAL:])}")
        if self.first.equation and self.hints >= EQUATION:
            said.append(f"    {self.first.name} should be {self.first.equation}")
        return said + (self._other_equations(wrong) if self.hints >= EQUATION else [])

    def _other_equations(self, wrong):
        """What the wrong results after the first should be; an explanation that several share stands once."""
        said, explained = [], {(self.first.equation or "").partition(", where ")[2]}
        for name in wrong[:SEVERAL]:
            if name != self.first.name and name in self.equations:
                formula, _, where = self.equations[name].partition(", where ")
                known = any(where in each for each in explained)
                said.append(f"    {name} should be {formula if known else self.equations[name]}")
                explained.add(where)
        return said

    def _on_the_way(self):
        """The first that is wrong on the way back."""
        first = self.first
        said = [f"first wrong on the way back from the loss: {first.name}{first.at}"]
        if self.hints >= EQUATION:
            said += [f"    it should be {first.equation}"] if first.equation else []
            said += [f"    {line}" for line in first.shows]
            if first.row is not None and not any("row" in line for line in first.shows):
                said.append(f"    its largest error is in row {first.row}")
        if first.sums:
            said.append("    every quantity inside is right, so it is the sum over steps and rows that goes wrong")
        return said

    def _names(self):
        """Which mistake it is, if it is a known one."""
        said = []
        for found in self.diagnosis:
            said.append(f"this looks like: {found.name}{found.where and f' ({found.where})'}")
            said.append(f"    {found.lesson}")
        if self.diagnosis and any(found.where for found in self.diagnosis):
            said.append("repair this and check again: there may be more elsewhere")
        if not self.ok and not self.diagnosis and self.first and self.known:
            said.append("this is not one of the known mistakes")
        return said

    def _with_shows(self, name):
        shows = self.shows.get(name) if self.hints >= EQUATION else None
        return f"{name} ({'; '.join(shows)})" if shows else name

    # in a notebook

    def _repr_html_(self):
        said = "".join(map(self._line_as_html, self.lines()))
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{_badge(f'{error:.1e}', name not in self.wrong)}</td></tr>"
            for name, error in self.errors.items()
        )
        return (
            f"<div>{_badge(self._verdict(), self.ok)}{said}{self._picture()}"
            f"<details><summary>relative error of each result</summary><table>{rows}</table></details></div>"
        )

    def _line_as_html(self, line):
        text, equation = line.lstrip(), self.first and self.first.equation
        shown = escape(text)
        if equation and text.endswith(f" be {equation}"):
            shown = escape(text.removesuffix(equation)) + mathml(equation)
        colour = "; opacity: 0.7" if text.startswith("note: ") else ""
        return f'<div style="margin-left: {2 if text == line else 4}em{colour}">{shown}</div>'

    def _picture(self):
        """Where in the first wrong array the numbers are wrong."""
        first = self.first
        if first is None or first.found is None or self.hints < WHERE or not first.found.size:
            return ""
        timed = any(quantity.place.t is not None for quantity in self.quantities)
        error = picture.relative(first.found, first.right)
        at = np.unravel_index(int(error.argmax()), error.shape)
        index = ", ".join(map(str, at))
        place = f" at ({index})" if len(at) > 1 else f" at {index}" if at else ""
        axes = ": rows down, columns across" if len(at) > 1 else ""
        said = [
            f"{first.name}{first.at}, number by number{axes}",
            f"its largest error{place}: {first.found[at]:.6g} where {first.right[at]:.6g} is right",
        ]
        above, below = (f"<div>{escape(line)}</div>" for line in said)
        drawn = picture.svg(first.found, first.right, self.tolerance, timed)
        return f'<div style="margin: 0.5em 2em">{above}{drawn}{below}</div>'


def _badge(text, good):
    """White on a colour: to be read on a light page and on a dark one."""
    return f'<b style="background: {GREEN if good else RED}; color: white; padding: 0 0.3em">{escape(text)}</b>'


def _json(error):
    return float(error) if np.isfinite(error) else None


def _some(names, most=6):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
