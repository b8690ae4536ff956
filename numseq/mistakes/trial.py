"""The checker on trial: every known bug, with weights at several scales, and what other rules would let through.

A bug is caught when a result differs from the complex step by more than the tolerance, and named when it is the best
diagnosis. The rules of others are applied to the same wrong gradients, with the differences that they prescribe:

    torch.autograd.gradcheck   central, eps 1e-6: |a - n| <= 1e-5 + 1e-3 |n| for every number
    chainer.gradient_check     central, eps 1e-3, along a random direction: |a - n| <= 1e-5 + 1e-4 |n|
    CS231n                     central, eps 1e-5: max |a - n| / max(|a|, |n|) over an array at most 1e-2

Source: their documentation (PyTorch 2.13, Chainer 7.8) and the course notes of Stanford's CS231n, "Gradient
checks", which call a gradient above 1e-2 probably wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.references import EPS, TOLERANCE, along, gradient, random_directions, rounding, slope
from numseq.gradcheck.report import relative_error
from numseq.gradcheck.results import label
from numseq.layers import softmax
from numseq.mistakes.diagnosis import function_of, match, run
from numseq.mistakes.layer import LAYERS
from numseq.mistakes.table import BUGS, cases_of_layers

SCALES = (0.5, 0.1, 0.01)


@dataclass(slots=True)
class Verdict:
    """How one bug fared at one scale."""

    name: str
    scale: float
    caught: bool
    named: bool
    passes: dict[str, bool]  # rule to whether it lets the bug through


def trial(scales: Iterable[float] = SCALES, seed: int = 0) -> Iterator[Verdict]:
    """Try every known bug at every scale; yields a Verdict each."""
    table = cases_of_layers()
    for scale in scales:
        for name in dict.fromkeys(bug.function for bug in BUGS):
            rng = np.random.default_rng(seed)
            if name == "clip_by_global_norm":
                yield from _of_clipping(name, scale, rng)
            else:
                yield from _of_layer(name, table[LAYERS[name].shows], scale, rng)


def _of_layer(name, case, scale, rng):
    inputs = {
        name: trees.map(lambda leaf, name=name: (1 if name == "x" else scale) * rng.standard_normal(leaf.shape), tree)
        for name, tree in case.inputs.items()
    }
    if name == "pointer_loss":
        inputs["alpha"] = softmax(inputs["alpha"])  # no logarithm of what is below 0
    trace = case.function(**inputs)
    outputs = {output: getattr(trace, output) for output in trace.outputs}
    weights = random_directions(outputs, rng)
    upstream = {f"d{output}": r for output, r in weights.items()}

    def loss(values):
        trace = case.function(**values)
        found = [getattr(trace, output) for output in weights]
        return sum((r * value).sum() for r, value in zip(_arrays(weights.values()), _arrays(found), strict=True))

    true = _leaves(gradient(loss, inputs, "complex-step"))
    unseen = 100 * EPS * max(np.abs(n).max() for n in true.values())
    size = sum(abs(r * a).sum() for r, a in zip(_arrays(weights.values()), _arrays(outputs.values()), strict=True))
    rules = _rules(loss, inputs, rng, size)
    for bug in LAYERS[name].bugs:
        with np.errstate(all="ignore"):
            wrong = run(name, bug.change, trace, upstream)
        claimed = _leaves({argument: wrong[label(argument)] for argument in inputs})
        caught = any(_error(claimed[leaf], true[leaf], unseen) > TOLERANCE["complex-step"] for leaf in true)
        names = [found.name for found in match(function_of(trace) or name, trace, upstream, wrong)]
        passes = {rule: bool(accepts(claimed)) for rule, accepts in rules.items()}
        yield Verdict(bug.name, scale, caught, names[:1] == [bug.name], passes)


def _of_clipping(name, scale, rng):
    """Clipping has no derivative: it is right when it does what the trainer's does, above the limit and below."""
    from numseq.training.optimizers import clip_by_global_norm

    grads = {name: scale * rng.standard_normal(shape) for name, shape in (("W", (3, 4)), ("b", (4,)))}
    trace = SimpleNamespace(grads=grads)
    norm = float(trees.global_norm(list(grads.values())))
    for bug in LAYERS[name].bugs:
        caught = named = False
        for largest in (norm / 2, 2 * norm):
            right = {name: g.copy() for name, g in grads.items()}
            clip_by_global_norm(list(right.values()), largest)
            wrong = run(name, bug.change, trace, {"largest": largest})
            caught |= any(relative_error(wrong["grads"][leaf], right[leaf]) > 1e-10 for leaf in right)
            named |= [d.name for d in match(name, trace, {"largest": largest}, wrong)][:1] == [bug.name]
        yield Verdict(bug.name, scale, caught, named, {})  # no gradient, so no rule for it


def _error(claimed, true, unseen):
    """The relative error, of which there is none where 0 is claimed and the reference says no more than rounding: so it
    is of a bias of keys, which a softmax does not see."""
    both_zero = not claimed.any() and np.abs(true).max() <= unseen
    return 0.0 if both_zero else relative_error(claimed, true)


def _rules(loss, inputs, rng, size):
    """Rule to a function of the claimed gradients that says whether the rule accepts them. size: the sum of what the
    loss is summed of, without signs, for its rounding."""
    eps = {"central": 1e-5, "torch": 1e-6}
    numeric = {name: _central(loss, inputs, h) for name, h in eps.items()}
    directions = random_directions(inputs, rng)
    along_v = slope(lambda step: loss(along(inputs, directions, step)), "central", 1e-3)
    v = _leaves(directions)

    unseen = 8 * rounding(size, "central", eps["central"])

    def torch(claimed):
        n = numeric["torch"]
        return all((np.abs(claimed[leaf] - n[leaf]) <= 1e-5 + 1e-3 * np.abs(n[leaf])).all() for leaf in n)

    def chainer(claimed):
        return abs(sum((claimed[leaf] * v[leaf]).sum() for leaf in v) - along_v) <= 1e-5 + 1e-4 * abs(along_v)

    def cs231n(claimed):
        n = numeric["central"]
        return all(_error(claimed[leaf], n[leaf], unseen) <= 1e-2 for leaf in n)

    return {"torch.autograd.gradcheck": torch, "chainer.gradient_check": chainer, "CS231n": cs231n}


def _central(loss, inputs, h):
    return _leaves(gradient(loss, inputs, "central", h))


def _arrays(values):
    return trees.leaves(list(values))


def _leaves(gradients):
    return {leaf: a for name, tree in gradients.items() for leaf, a in trees.walk(tree, name)}


def summary(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Counts, as a JSON-able dict: bugs; caught, named and let_through by scale."""
    verdicts = list(verdicts)
    scales = dict.fromkeys(str(verdict.scale) for verdict in verdicts)
    of = {scale: [verdict for verdict in verdicts if str(verdict.scale) == scale] for scale in scales}
    rules = dict.fromkeys(rule for verdict in verdicts for rule in verdict.passes)
    return {
        "bugs": len(next(iter(of.values()), [])),
        "caught": {scale: sum(verdict.caught for verdict in found) for scale, found in of.items()},
        "named": {scale: sum(verdict.named for verdict in found) for scale, found in of.items()},
        "let_through": {
            rule: {scale: sum(v.passes.get(rule, False) for v in found) for scale, found in of.items()}
            for rule in rules
        },
    }
