"""Mistakes in the backward of the coverage loss."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import CLEAR, REAL, B, Case, S, T, fit, weighed
from numseq.mistakes.layer import Layer, equations, know


def coverage_loss(trace, dloss, change=None):
    eq, (T, B, S) = equations(change), trace.alpha.shape
    weights = eq("weights", trace.weights)
    dalpha, dcoverage = np.zeros((T, B, S)), np.zeros((B, S))  # the latter of all later looks
    for t in eq("looks_back", list(reversed(range(T)))):
        real, by_alpha = trace.weights[t][:, None] != 0, trace.by_alpha[t]
        dagain = eq("dagain", np.repeat((weights[t] * dloss)[:, None], S, axis=1))
        dalpha[t] = eq("dalpha", dagain * by_alpha + dcoverage * real)
        dcoverage = eq("dcoverage", dcoverage + dagain * ~by_alpha)
    return {"dalpha": dalpha}


know(
    Layer("coverage_loss", coverage_loss),
    ("the minimum's other side gets the gradient", "dalpha",
     lambda v: v.dagain * ~v.by_alpha + v.dcoverage * v.real, "min(a, c): the smaller gets it all"),
    ("both sides of the minimum get the gradient", "dalpha",
     lambda v: v.dagain + v.dcoverage * v.real, "min(a, c): the larger had no say, and gets 0"),
    ("the minimum's gradient is shared by halves", "dalpha",
     lambda v: v.dagain / 2 + v.dcoverage * v.real, "min(a, c): the smaller gets it all"),
    ("the coverage is taken for a constant", "dcoverage", lambda v: 0 * v.value,
     "the coverage is made of the weights before: where it was the smaller, they get the gradient"),
    ("the coverage is that of the next step only", "dcoverage", lambda v: v.dagain * ~v.by_alpha,
     "alpha_t is part of the coverage of every later step"),
    ("the coverage gets the gradient where it was the larger", "dcoverage",
     lambda v: v.dcoverage + v.dagain * v.by_alpha, "min(a, c): c gets it where c is the smaller"),
    ("the weights get gradient through the coverage only", "dalpha", lambda v: v.dcoverage * v.real,
     "min(a, c): a gets it where a is the smaller"),
    ("the coverage loss is summed, not averaged", "weights", lambda v: 1.0 * (v.value > 0),
     "forward divided by the number of real steps, so must backward"),
    ("the coverage loss counts padded steps", "weights", lambda v: np.full_like(v.value, v.value.max()),
     "a padded step was not in the loss: its gradient is exactly 0"),
    ("the coverage loss ignores dloss", "dagain", lambda v: v.value / v.dloss,
     "the chain rule begins with what comes from above"),
    ("the coverage loss is averaged over positions too", "dagain", lambda v: v.value / v.S,
     "the minima of a step are added over positions"),
)  # fmt: skip


def cases(rng):
    def loss(real):
        function, covers = lambda alpha: layers.coverage_loss(alpha, real), ("coverage_loss",)
        draw = lambda: Case(function, {"alpha": layers.softmax(rng.standard_normal((T, B, S)))}, covers)  # noqa: E731
        return fit(draw, lambda trace: np.abs(trace.alpha - trace.coverage).min() > CLEAR)  # the smaller of them counts

    return {"coverage_loss": loss(REAL), "coverage_loss, weighed": loss(weighed(rng))}
