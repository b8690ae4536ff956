"""Mistakes in the backward of what adds positions."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import A, B, Case, T, call
from numseq.mistakes.layer import Layer, equations, know


def add_positions(trace, dy, change=None):
    eq, scale, p, T, D = equations(change), trace.scale, trace.p, *trace.p.shape
    return {"dx": eq("dx", scale * dy)}


know(
    Layer("add_positions", add_positions),
    ("positions: the scale is forgotten on the way back", "dx", lambda v: v.dy, "y = sqrt(D) x + p: dx = sqrt(D) dy"),
    ("positions: divided by the scale", "dx", lambda v: v.dy / v.scale,
     "x was multiplied by sqrt(D), and so is its gradient"),
    ("positions: the scale is D", "dx", lambda v: v.D * v.dy, "the scale is sqrt(D), which gives variance 1 for 1 / D"),
    ("positions: the scale is that of the pairs", "dx", lambda v: (v.D / 2) ** 0.5 * v.dy,
     "sines and cosines are D / 2 each, but the scale is of all D numbers"),
    ("positions: the scale is of the steps", "dx", lambda v: v.T**0.5 * v.dy, "D is the width of x, not its length"),
    ("positions are taken for factors", "dx", lambda v: v.scale * v.dy * v.p[:, None],
     "positions are added, so dy reaches x as it is"),
    ("positions are added on the way back", "dx", lambda v: v.value + v.p[:, None],
     "a constant that is added has no part in a derivative"),
    ("positions: the gradients of all rows are averaged", "dx",
     lambda v: np.broadcast_to(v.value.mean(axis=1, keepdims=True), v.value.shape),
     "all rows share the positions, but not x"),
    ("positions: the gradients of all steps are summed", "dx",
     lambda v: np.broadcast_to(v.value.sum(axis=0), v.value.shape), "each step has an x of its own"),
    ("positions: the first gets no gradient", "dx", lambda v: v.value * (np.arange(v.T) > 0)[:, None, None],
     "at t = 0 the sines are 0, but x is there all the same"),
)  # fmt: skip


def cases(rng):
    covers = ("add_positions",)
    later = Case(call(layers.add_positions, first=3), {"x": rng.standard_normal((T, B, A - 1))}, covers)
    return {
        "add_positions": Case(layers.add_positions, {"x": rng.standard_normal((T, B, A))}, covers),
        "add_positions, later": later,
    }
