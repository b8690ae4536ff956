"""Naming a mistake: the known bug whose gradient, on the same inputs, coincides with the one at hand."""

import numpy as np

from numseq import layers
from numseq import params as trees
from numseq.gradcheck import core
from numseq.gradcheck.bugs import named, run
from numseq.gradcheck.report import Diagnosis, relative_error
from numseq.layers.dropout import DropoutTrace
from numseq.layers.embedding import EmbeddingTrace
from numseq.layers.linear import LinearTrace
from numseq.layers.loss import CrossEntropyTrace

SAME = 1e-9  # relative; two gradients that coincide differ by rounding, two bugs by far more
FUNCTION_OF = {  # trace or record to the function of `equations` that undoes it
    layers.LSTMStep: "lstm_step",
    layers.ReLUStep: "relu_step",
    layers.RNNStep: "rnn_step",
    layers.GRUStep: "gru_step",
    layers.GRUBeforeStep: "gru_before_step",
    layers.PeepholeStep: "peephole_step",
    layers.LayerNormLSTMStep: "layernorm_lstm_step",
    LinearTrace: "linear",
    EmbeddingTrace: "embedding",
    DropoutTrace: "dropout",
    CrossEntropyTrace: "cross_entropy",
}


def check(function, inputs, *, name=None, outputs=None, method="complex-step", seed=0):
    return core.check(function, inputs, name=name, outputs=outputs, method=method, seed=seed, diagnose=diagnose)


check.__doc__ = core.check.__doc__


def function_of(trace):
    """The function of `equations` that undoes a trace, or None when there is none."""
    own = getattr(trace, "equations", None)
    if isinstance(own, str):
        return own
    return next((function for kind, function in FUNCTION_OF.items() if isinstance(trace, kind)), None)


def diagnose(checking):
    """The known bugs of a check that found something wrong, the best first, as Diagnoses.

    The outermost function is compared as a whole. If it has no known bugs of its own, as a model has none, its parts
    are: each trace, and each step, whose backward does not do what its equations say with what it was given.
    """
    function = function_of(checking.trace)
    if function:
        return match(function, checking.trace, checking.upstream, checking.grad)
    paths, found, done = checking.seen.path(checking.trace), [], 0
    for call in checking.seen.calls:
        if call.began < done or not function_of(call.owner):
            continue
        done = call.ended  # what is inside it is judged with it
        for diagnosis in match(function_of(call.owner), call.owner, call.given, call.result):
            owner = getattr(call.owner, "whole", call.owner)
            diagnosis.where = paths.get(checking.seen.number(owner), "")
            if not any((d.name, d.where) == (diagnosis.name, diagnosis.where) for d in found):
                found.append(diagnosis)
    return found


def match(function, trace, given, result):
    """The bugs of a function whose gradients coincide with `result`, as Diagnoses; none when result is right.

    Args: function, of `equations`. trace, what forward returned. given, the gradients that backward was handed, by
        name. result, what it gave: a record or a dict.
    """
    given = {name: value for name, value in given.items() if name != "da"}  # that is where to write
    right = run(function, {}, trace, given)
    theirs = _arrays(result, right)
    right = {leaf: a for leaf, a in _arrays(right, right).items() if leaf in theirs}
    if not right or _distance(theirs, right) <= SAME:
        return []
    found = []
    for bug in named(function, trace):
        with np.errstate(all="ignore"):
            try:
                wrong = _arrays(run(function, bug.change, trace, given), right)
            except ValueError:
                continue  # these shapes do not allow the mistake
        if _distance(wrong, right) > 10 * SAME and (distance := _distance(theirs, wrong)) <= SAME:
            found.append(Diagnosis(bug.name, bug.lesson, distance))
    return sorted(found, key=lambda diagnosis: diagnosis.distance)


def _arrays(result, wanted):
    """The leaves of the results that are wanted, by dotted name, in float64."""
    found = {}
    for name in dict.fromkeys(leaf.split(".")[0] for leaf in wanted):
        value = result.get(name) if isinstance(result, dict) else getattr(result, name, None)
        if isinstance(value, dict):
            found |= {f"{name}.{key}": part for key, part in value.items()}
        elif value is not None:
            found |= dict(trees.walk(value, name))
    return {leaf: np.asarray(trees.to_host(a)) for leaf, a in found.items()}


def _distance(a, b):
    """The largest relative difference between two sets of arrays; infinite when a name of b is missing in a."""
    return max((relative_error(a[leaf], b[leaf]) if leaf in a else np.inf for leaf in b), default=np.inf)
