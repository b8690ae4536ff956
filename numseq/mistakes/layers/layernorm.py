"""Mistakes in the backward of layer normalisation."""

from functools import partial

import numpy as np

from numseq import layers
from numseq.layers.layernorm import EPS, LayerNormParams
from numseq.mistakes.fixtures import A, B, Case, T, rescaled
from numseq.mistakes.layer import Layer, equations, know


def normalise(dx_hat, x_hat, std, of, change=None):
    """Back through (x - mean) / std, over the last axis; its equations are called mean_of, projection_of and dof."""
    eq = equations(change)
    mean = eq(f"mean_{of}", dx_hat.mean(axis=-1, keepdims=True))
    projection = eq(f"projection_{of}", (dx_hat * x_hat).mean(axis=-1, keepdims=True))
    std = eq(f"std_{of}", std)
    return eq(f"d{of}", (dx_hat - mean - x_hat * projection) / std)


def layer_norm(trace, dy, change=None):
    eq, x_hat, std, y, p = equations(change), trace.x_hat, trace.std, trace.y, trace.params
    K, over = dy.shape[-1], tuple(range(dy.ndim - 1))
    dx_hat = eq("dx_hat", dy * p.g)
    dx = normalise(dx_hat, x_hat, std, "x", change)
    dg = eq("dg", (dy * x_hat).sum(axis=over))
    db = eq("db", dy.sum(axis=over))
    return {"dx": dx, "params": LayerNormParams(dg, db)}


def _bessel(K):
    return np.sqrt(K / (K - 1))


know(
    Layer("layer_norm", layer_norm, also=(partial(normalise, of="x"),)),
    ("the gain is forgotten on the way back", "dx_hat", lambda v: v.dy, "y = g * x_hat + b: dx_hat = dy * g"),
    ("the mean's gradient is missing in layer normalisation", "mean_x", lambda v: 0 * v.value,
     "every x_k moves the mean, and with it every x_hat"),
    ("the deviation's gradient is missing in layer normalisation", "projection_x", lambda v: 0 * v.value,
     "every x_k moves std, and with it every x_hat"),
    ("layer normalisation is taken for a mere division", "dx", lambda v: v.dx_hat / v.std,
     "mean and std are made of x too"),
    ("std is forgotten on the way back", "dx", lambda v: v.value * v.std,
     "x_hat = (x - mean) / std: dx is divided by std"),
    ("the variance in the place of std", "std_x", lambda v: v.value**2,
     "x_hat = (x - mean) / std, and std is the root"),
    ("the variance is that of K - 1 in backward", "std_x", lambda v: v.value * _bessel(v.x_hat.shape[-1]),
     "forward divided the sum of squares by K, so does backward"),
    ("eps is left out of std in backward", "std_x", lambda v: np.sqrt(v.value**2 - EPS),
     "the std of backward is that of forward, eps and all"),
    ("eps stands outside of the root in backward", "std_x", lambda v: np.sqrt(v.value**2 - EPS) + EPS,
     "std = sqrt(variance + eps), in backward as in forward"),
    ("the mean's gradient is a sum", "mean_x", lambda v: v.dx_hat.sum(axis=-1, keepdims=True),
     "mean = 1/K sum: each x_k is a K-th of it"),
    ("the deviation's gradient is a sum", "projection_x", lambda v: (v.dx_hat * v.x_hat).sum(axis=-1, keepdims=True),
     "the variance is a mean of squares: each x_k is a K-th of it"),
    ("layer normalisation's means run over the rows", "mean_x", lambda v: v.dx_hat.mean(axis=-2, keepdims=True),
     "each vector is normalised on its own: over rows would be batch normalisation"),
    ("the gain's gradient without x_hat", "dg", lambda v: v.dy.sum(axis=v.over),
     "y = g * x_hat + b: dg = sum dy * x_hat"),
    ("the gain's gradient from y", "dg", lambda v: (v.dy * v.y).sum(axis=v.over), "beside g stands x_hat, not y"),
    ("the gain's gradient from what was not divided by std", "dg",
     lambda v: (v.dy * v.x_hat * v.std).sum(axis=v.over), "beside g stands x_hat = (x - mean) / std"),
    ("the gain's gradient is a mean over positions", "dg", lambda v: v.value / (v.dy.size // v.K),
     "every position used the same gain: its gradients add"),
    ("the shift's gradient has the gain", "db", lambda v: v.dx_hat.sum(axis=v.over), "b is added after the gain"),
    ("the shift's gradient is a mean over positions", "db", lambda v: v.value / (v.dy.size // v.K),
     "every position used the same b: its gradients add"),
)  # fmt: skip


def cases(rng):
    inputs = {"x": rng.standard_normal((T, B, A)), "params": rescaled(rng, layers.init_layer_norm(rng, A, float))}
    return {"layer_norm": Case(layers.layer_norm, inputs, ("layer_norm",))}
