"""Naming a mistake: the known bug whose gradient, on the same inputs, coincides with the one at hand."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.report import Diagnosis, relative_error
from numseq.mistakes.layer import LAYERS, Bug, Step
from numseq.record import StepGrad, StepRecord

SAME = 1e-9  # relative; two gradients that coincide differ by rounding, two bugs by far more


def function_of(trace: Any) -> str | None:
    """The name of the layer whose equations undo a trace or a record; None when there is none, as of a reader's own."""
    own = getattr(trace, "equations", None)
    if own is not None:
        return own if own in LAYERS else None
    for kind in type(trace).__mro__:
        for layer in LAYERS.values():
            if layer.of is kind:
                return layer.name if layer.holds(trace) else None
    return None


def named(name: str, trace: Any = None) -> list[Bug]:
    """The bugs that can be made in a layer; those of a step and of BPTT can be made in a sequence too.

    trace: of `bidirectional`, which does not say by its name which cell it is of.
    """
    return LAYERS[name].possible(trace)


def run(name: str, change: dict[str, Callable], trace: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The gradients of a layer with some of its equations changed, a dict."""
    return LAYERS[name].backward(trace, **given, change=change)


def words(record: StepRecord, by: type[StepGrad] | None = None) -> dict[str, str]:
    """What each gradient inside a record should be, in words, by its name; empty when nothing is known.

    What a step's StepGrad has written down is known to hold of what that step computes, and of no record that came
    about otherwise, though it be of the same class.

    Args: record, a StepRecord. by, the class of the StepGrad that makes the claim, or None.
    """
    steps = [layer for layer in LAYERS.values() if isinstance(layer, Step)]
    if by is None:
        known = (layer for kind in type(record).__mro__ for layer in steps if layer.of is kind)
        by = next((layer.grad for layer in known), None)
    if by is None:
        return {}
    step = next((layer for kind in by.__mro__ for layer in steps if layer.grad is kind), None)
    if step is None or by.equations is not step.grad.equations:  # somebody's own
        return by.equations
    return by.equations if step.holds(record) else {}


def knows(checking: Any) -> bool:
    """Whether the equations of anything that a check saw are known."""
    return any(function_of(owner) for owner in (checking.trace, *(call.owner for call in checking.seen.calls if call)))


def diagnose(checking: Any) -> list[Diagnosis]:
    """The known bugs of a check that found something wrong, the best first, as Diagnoses.

    The outermost function is compared as a whole. If nothing is known of it, as of a model or of a cell with a step of
    somebody's own, its parts are: each trace, and each step, whose backward does not do what its equations say with
    what it was given.
    """
    name = function_of(checking.trace)
    if name and checking.agrees(_leaves(run(name, {}, checking.trace, checking.upstream))):
        return match(name, checking.trace, checking.upstream, checking.grad)
    found, done = [], 0
    for call in checking.seen.calls:
        if call.owner is checking.trace or call.began < done or not (name := function_of(call.owner)):
            continue
        done = call.ended  # what is inside it is judged with it
        for diagnosis in match(name, call.owner, call.given, call.result):
            diagnosis.where = checking.seen.path_of(call.owner)
            if not any((d.name, d.where) == (diagnosis.name, diagnosis.where) for d in found):
                found.append(diagnosis)
    return found


def match(name: str, trace: Any, given: dict[str, Any], result: Any) -> list[Diagnosis]:
    """The bugs of a layer whose gradients coincide with `result`, as Diagnoses; none when result is right.

    Args: name, of the layer. trace, what forward returned. given, the gradients that backward was handed, by name.
        result, what it gave: a record or a dict.
    """
    right = _leaves(run(name, {}, trace, given))
    theirs = _of(result, right)
    right = {leaf: a for leaf, a in right.items() if leaf in theirs}
    if not right or _distance(theirs, right) <= SAME:
        return []
    found = []
    for bug in named(name, trace):
        with np.errstate(all="ignore"):
            try:
                wrong = _of(run(name, bug.change, trace, given), right)
            except ValueError:
                continue  # these shapes do not allow the mistake
        if _distance(wrong, right) > 10 * SAME and (distance := _distance(theirs, wrong)) <= SAME:
            found.append(Diagnosis(bug.name, bug.lesson, distance))
    return sorted(found, key=lambda diagnosis: diagnosis.distance)


def _leaves(results):
    """The leaves of a dict of gradients, by dotted name."""
    found = {}
    for name, value in results.items():
        parts = {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        for part, tree in parts.items():
            found |= dict(trees.walk(tree, part))
    return {leaf: np.asarray(trees.to_host(a)) for leaf, a in found.items()}


def _of(result, wanted):
    """The leaves of those results that are wanted, of a record or a dict."""
    names = dict.fromkeys(leaf.split(".")[0] for leaf in wanted)
    values = {name: result.get(name) if isinstance(result, dict) else getattr(result, name, None) for name in names}
    return _leaves({name: value for name, value in values.items() if value is not None})


def _distance(a, b):
    """The largest relative difference between two sets of arrays; infinite when a name of b is missing in a."""
    return max((relative_error(a[leaf], b[leaf]) if leaf in a else np.inf for leaf in b), default=np.inf)
