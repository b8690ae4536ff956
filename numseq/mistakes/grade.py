"""Grading a backward pass that somebody wrote: is each of its results right, and if not, which mistake is it?

def my_backward(s, dh, dc):  # s is what the forward pass returned: s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c
    ...
    return {"da": da, "dc_prev": dc_prev}

print(grade("lstm_step", my_backward))             # all that is known of it
print(grade("lstm_step", my_backward, hints=1))    # where it begins to be wrong, and no more

Two forward passes and a search can be graded as well: `EXERCISES`.
"""

from collections.abc import Callable
from typing import Any

from numseq import params as trees
from numseq.errors import ConfigError
from numseq.gradcheck import Check, check
from numseq.gradcheck.report import ANSWER
from numseq.gradcheck.results import label
from numseq.mistakes.exercise import EXERCISES, NOTHING, grade_exercise
from numseq.mistakes.layer import LAYERS
from numseq.mistakes.table import cases_of_layers

GRADED = [name for name, layer in LAYERS.items() if layer.graded]


class _Graded:
    """A trace whose backward is somebody's function. results, the names of what it is to return."""

    def __init__(self, trace: Any, function: Callable[..., Any], equations: str, results: tuple[str, ...]):
        self.trace, self.function, self.equations, self.results = trace, function, equations, results
        self.outputs = trace.outputs
        self.unwritten = False

    def __getattr__(self, name: str) -> Any:  # called for what is not there
        return getattr(object.__getattribute__(self, "trace"), name)

    def backward(self, **upstream: Any) -> Any:
        """What the function gives; with names, by which it is compared with known mistakes."""
        given = self.function(self.trace, **upstream)
        self.unwritten |= _is_nothing(given)
        parts = (given,) if hasattr(given, "shape") else given
        if isinstance(parts, tuple | list) and not hasattr(parts, "_fields") and len(parts) == len(self.results):
            return dict(zip(self.results, parts, strict=True))
        return given


def names() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """What can be graded: a dict of name to (what backward is called with, what it is to return)."""
    found, table = {}, cases_of_layers()
    for name in GRADED:
        case = table[LAYERS[name].case]
        outputs = case.function(**case.inputs).outputs
        found[name] = (("trace", *(f"d{output}" for output in outputs)), _results(case.inputs))
    return found


def grade(name: str, backward: Callable[..., Any], hints: int = ANSWER, seed: int = 0) -> Check:
    """Check a backward function of your own for one of the library's equations, or another function of `EXERCISES`.

    Args: name, one of `names()`, or of `EXERCISES`, whose functions are called with the inputs that each names (see
        `numseq.mistakes.exercises`). backward, called as backward(trace, d<output>=...) with what the library's forward
        pass returned and the true gradients of its outputs; it returns gradients in any form that `check` takes: a dict
        or a record of d<input> and `params`, or a tuple of them in the order of `names()`. Gradients of what is inside
        may be among those in a dict (`di`, `df`, ...); they are looked at too. hints, how much the report tells: 0 that
        it is wrong, and which results; 1 also where it begins, the first wrong quantity and its time; 2 also what that
        should be; 3 also which mistake it is, with its lesson, if it is a known one. seed, of the inputs.
    Returns: a Check; print it. Its `points` and `to_dict()` are the same whatever the hints.
    Raises: ConfigError, when there is no such equation, or no such hints.
    """
    if name not in GRADED and name not in EXERCISES:
        raise ConfigError(f"nothing to grade is called {name!r}; there are: {', '.join([*GRADED, *EXERCISES])}")
    if hints not in range(ANSWER + 1):
        raise ConfigError(f"hints is {hints!r}: choose one of 0, 1, 2, 3")
    if name in EXERCISES:
        return grade_exercise(name, backward, hints, seed)
    case = cases_of_layers(seed)[LAYERS[name].case]
    inputs = {argument: trees.map(lambda leaf: leaf.copy(), tree) for argument, tree in case.inputs.items()}
    results = _results(inputs)

    def function(**inputs):
        made.append(_Graded(case.function(**inputs), backward, name, results))
        return made[-1]

    made: list[_Graded] = []
    result = check(function, inputs, name=getattr(backward, "__name__", name))
    result.hints = hints
    if made[0].unwritten:
        result.unwritten, result.problems = True, [NOTHING]
    return result


def _is_nothing(given):
    """Whether nothing was returned, or places alone that are still to be filled."""
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple):
        return bool(given) and all(map(_is_nothing, given))
    return given is None or given is Ellipsis


def _results(inputs):
    return tuple(label(argument) for argument in inputs)
