"""Mistakes in the backward of maxout."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import B, Case, D, T
from numseq.mistakes.layer import Layer, equations, know


def maxout(trace, dy, change=None):
    eq, first = equations(change), trace.first
    dx = np.empty((*dy.shape[:-1], 2 * dy.shape[-1]))
    dx[..., 0::2], dx[..., 1::2] = np.where(first, dy, 0), np.where(first, 0, dy)
    return {"dx": eq("dx", dx)}


know(
    Layer("maxout", maxout),
    ("maxout sends the gradient to both units", "dx", lambda v: np.repeat(v.dy, 2, axis=-1),
     "only the larger unit of a pair had a say in the output"),
    ("maxout sends the gradient to the loser", "dx",
     lambda v: v.value.reshape(*v.dy.shape, 2)[..., ::-1].reshape(v.dx.shape),
     "the larger unit of a pair is the output, so the gradient is its own"),
    ("maxout shares the gradient between both units", "dx", lambda v: np.repeat(v.dy / 2, 2, axis=-1),
     "only the larger unit of a pair had a say in the output"),
    ("maxout's first unit always wins", "dx", lambda v: np.stack([v.dy, 0 * v.dy], axis=-1).reshape(v.dx.shape),
     "which unit won was decided in forward, for each pair on its own: keep it"),
    ("maxout's halves are taken for its pairs", "dx",
     lambda v: np.concatenate([v.value[..., 0::2], v.value[..., 1::2]], axis=-1),
     "forward compared neighbours, so backward puts the gradients side by side"),
)  # fmt: skip


def cases(rng):
    return {"maxout": Case(layers.maxout, {"x": rng.standard_normal((T, B, 2 * D))}, ("maxout",))}
