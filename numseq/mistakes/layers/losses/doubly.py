"""Mistakes in the backward of the loss of doubly stochastic attention."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import REAL, SOURCE_REAL, B, Case, S, T
from numseq.mistakes.layer import Layer, equations, know


def doubly_stochastic_loss(trace, dloss, change=None):
    eq, short, (B, S) = equations(change), trace.short, trace.short.shape
    steps = eq("steps", trace.steps)
    weights = eq("weights", trace.weights)
    deach = eq("deach", weights * dloss)
    dshort = eq("dshort", 2 * short * deach[:, None])
    dseen = eq("dseen", -dshort)
    dalpha = eq("dalpha", np.stack([np.where(real[:, None], dseen, 0) for real in steps]))
    return {"dalpha": dalpha}


know(
    Layer("doubly_stochastic_loss", doubly_stochastic_loss, says={
        "dalpha": "-2 (1 - what the place was looked at in all) * weights * dloss at every real step",
    }),
    ("looks: the sign of what a place lacks is forgotten", "dseen", lambda v: v.dshort,
     "short = 1 - seen: what is looked at more lacks less"),
    ("looks: the square's 2 is missing", "dshort", lambda v: v.short * v.deach[:, None],
     "the slope of short^2 is 2 short"),
    ("looks: the square is taken for its slope", "dshort", lambda v: v.short**2 * v.deach[:, None],
     "the slope of short^2 is 2 short"),
    ("looks: of what is lacking only the sign is left", "dshort", lambda v: np.sign(v.short) * v.deach[:, None],
     "that is the slope of |short|; short^2 pulls in proportion"),
    ("looks: what was seen in place of what is lacking", "dshort",
     lambda v: 2 * (v.short != 0) * (1 - v.short) * v.deach[:, None], "the loss is of 1 - seen"),
    ("looks: padded steps get gradient", "steps", lambda v: np.ones_like(v.value),
     "a padded step was not in the sum: its gradient is exactly 0"),
    ("looks: only the last step gets gradient", "steps", lambda v: v.value & (v.value[::-1].cumsum(axis=0) == 1)[::-1],
     "all looks were added: each of them gets the gradient"),
    ("looks: only the first step gets gradient", "steps", lambda v: v.value & (v.value.cumsum(axis=0) == 1),
     "all looks were added: each of them gets the gradient"),
    ("looks are averaged over steps", "dalpha", lambda v: v.value / np.maximum(v.steps.sum(axis=0), 1)[:, None],
     "seen is the sum over steps, not their mean"),
    ("looks: summed over rows, not averaged", "weights", lambda v: 1.0 * (v.value > 0),
     "forward divided by the number of rows, so must backward"),
    ("looks: averaged over places too", "dshort", lambda v: v.value / v.S,
     "the squares of a row are added over its places"),
    ("looks: averaged over steps of all rows", "weights", lambda v: (v.value > 0) / v.steps.sum(),
     "the mean is over rows: what a row lacks is one number, however many steps it has"),
    ("looks: dloss is ignored", "deach", lambda v: v.weights, "the chain rule begins with what comes from above"),
)  # fmt: skip


def cases(rng):
    covers = ("doubly_stochastic_loss",)

    def looks(steps, mask):
        function = lambda alpha: layers.doubly_stochastic_loss(alpha, steps, mask=mask)  # noqa: E731
        return Case(function, {"alpha": layers.softmax(rng.standard_normal((T, B, S)))}, covers)

    nothing = REAL & (np.arange(B) != 1)  # a row without a step
    return {
        "doubly_stochastic_loss": looks(REAL, SOURCE_REAL),
        "doubly_stochastic_loss, a row of padding": looks(nothing, SOURCE_REAL),
    }
