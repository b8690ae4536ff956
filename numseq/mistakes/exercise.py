"""Grading a function that is no backward: a forward pass, or a search, on small inputs of its own.

What is known of one is an `Exercise`: the right function with its equations named, inputs, and wrong variants with
their lessons, as of a `numseq.mistakes.layer.Layer`. A variant whose answers coincide with somebody's, on all inputs,
says which mistake it is.
"""

import traceback
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import Generator
from numseq.gradcheck.advice import of_error
from numseq.gradcheck.report import ANSWER, EQUATION, MORE, WHERE, Check, Diagnosis
from numseq.mistakes.layer import Bug

EXERCISES: dict[str, "Exercise"] = {}  # by name
TOLERANCE = 1e-9  # no answer is computed in more than a few hundred additions
HERE = str(Path(__file__).parent)


class Unfit(Exception):
    """What a function returned cannot be compared; or it asked for what is not there. The message says why."""


@dataclass
class Exercise:
    """A function to write.

    name. right, called as right(*inputs, change=...). cases(rng), what is asked: a dict of the label of each answer to
    its inputs, a dict by name. taken(value, inputs) makes of what was returned what can be compared, or raises Unfit.
    error(found, right), of two such answers, 0 when they agree. shows(found, right), of two that do not: what is wrong
    of it, and in what way, two lists of sentences. equation, what is asked for, in words.
    """

    name: str
    right: Callable
    cases: Callable[[Generator], dict[str, dict[str, Any]]]
    taken: Callable[[Any, dict[str, Any]], Any]
    error: Callable[[Any, Any], float]
    shows: Callable[[Any, Any], tuple[list[str], list[str]]]
    equation: str
    bugs: list[Bug] = field(default_factory=list)


def know_exercise(exercise: Exercise, *rows: tuple[str, str, Callable, str]) -> Exercise:
    """Make an exercise known, with its bugs: rows of (name, equation, what is put in its place, lesson)."""
    EXERCISES[exercise.name] = exercise
    exercise.bugs.extend(Bug(name, exercise.name, lesson, {eq: wrong}) for name, eq, wrong, lesson in rows)
    return exercise


@dataclass(slots=True, repr=False)
class Answers(Check):
    """The result of grading an exercise: errors has an error for each answer. place and how, what there is to say of
    the first that is wrong: which of it, and in what way; equation, what it should be."""

    place: list[str] = field(default_factory=list)
    how: list[str] = field(default_factory=list)
    equation: str = ""

    def lines(self) -> list[str]:
        """What there is to say beside the verdict, line by line."""
        said, wrong = list(self.problems), self.wrong
        if not self.problems and wrong:
            right = [name for name in self.errors if name not in wrong]
            said.append(f"wrong: {', '.join(wrong)}" + (f"; right: {', '.join(right)}" if right else ""))
            said += self.place if self.hints >= WHERE else []
            if self.hints >= EQUATION:
                said += [*self.how, f"it should be {self.equation}"]
            if self.hints >= ANSWER:
                for found in self.diagnosis:
                    said += [f"this looks like: {found.name}", f"    {found.lesson}"]
                if not self.diagnosis:
                    said.append("this is not one of the known mistakes")
            elif self.hints in MORE:
                said.append(f"hints={self.hints + 1} says {MORE[self.hints]}")
        return said + [f"note: {warning}" for warning in self.warnings]


def grade_exercise(name: str, function: Callable[..., Any], hints: int, seed: int = 0) -> Answers:
    """Grade a function; see `numseq.mistakes.grade.grade`."""
    exercise = EXERCISES[name]
    asked = exercise.cases(np.random.default_rng(seed))
    result = Answers(
        getattr(function, "__name__", name), "compared", TOLERANCE, hints=hints, equation=exercise.equation
    )
    answers = {}
    for label, inputs in asked.items():
        try:
            answers[label] = _answer(exercise, function, inputs)
        except Unfit as problem:
            result.problems, result.unwritten = [str(problem)], isinstance(problem, Unwritten)
            return result
    right = {label: _answer(exercise, exercise.right, inputs) for label, inputs in asked.items()}
    result.errors = {label: exercise.error(answers[label], right[label]) for label in asked}
    if not result.ok:
        first = result.wrong[0]
        result.place, result.how = exercise.shows(answers[first], right[first])
        result.known = True
        result.diagnosis = [
            Diagnosis(bug.name, bug.lesson, 0.0) for bug in exercise.bugs if _fits(exercise, bug, asked, answers)
        ][:1]
    return result


class Unwritten(Unfit):
    """Nothing was returned yet."""


def _answer(exercise, function, inputs):
    """What a function returns, as it can be compared. Raises: Unfit."""
    mine = deepcopy(inputs)
    try:
        with np.errstate(all="ignore"):
            value = function(*mine.values())
    except Unfit:
        raise
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(HERE)]
        at = f" in {frames[-1].name}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
        advice = of_error(error)
        said = f"it raised {type(error).__name__}: {str(error).strip()}{at}"
        raise Unfit(said + (f" ({advice})" if advice else "")) from error
    for argument, tree in inputs.items():
        for (leaf, before), (_, after) in zip(
            trees.walk(tree, argument), trees.walk(mine[argument], argument), strict=True
        ):
            if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
                raise Unfit(f"it changed {leaf}, which it was given: it must write to arrays of its own")
    if value is None or value is Ellipsis:
        raise Unwritten(NOTHING)
    return exercise.taken(value, inputs)


NOTHING = "it returns nothing yet (if its lines are written, is a `return` missing?)"


def _fits(exercise, bug, asked, answers):
    """Whether a bug gives all of the answers that somebody gave."""
    for label, inputs in asked.items():
        try:
            value = _answer(exercise, lambda *given: exercise.right(*given, change=bug.change), inputs)
        except Unfit:
            return False
        if not exercise.error(answers[label], value) <= TOLERANCE:
            return False
    return True
