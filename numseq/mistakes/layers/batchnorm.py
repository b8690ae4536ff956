"""Mistakes in the backward of batch normalisation, over a batch and by a state."""

import numpy as np

from numseq import layers
from numseq.layers.batchnorm import EPS, BatchNormParams, BatchNormState
from numseq.mistakes.fixtures import REAL, A, B, Case, D, S, T, call, rescaled
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.windows import there


def batch_norm(trace, dy, change=None):
    eq, x_hat, std, y, p, N = equations(change), trace.x_hat, trace.std, trace.y, trace.params, trace.N
    real, over = there(trace.mask, dy), tuple(range(dy.ndim - 1))
    dy_real = eq("dy_real", dy * real)
    dx_hat = eq("dx_hat", dy_real * p.g)
    dg = eq("dg", (dy_real * x_hat).sum(axis=over))
    db = eq("db", dy_real.sum(axis=over))
    mean = eq("mean", dx_hat.sum(axis=over) / N)
    projection = eq("projection", (dx_hat * x_hat).sum(axis=over) / N)
    dx_all = eq("dx_all", (dx_hat - mean - x_hat * projection) / std)
    dx = eq("dx", dx_all * real)
    return {"dx": dx, "params": BatchNormParams(dg, db)}


def _without_eps(std):
    return np.sqrt(std**2 - EPS)


GAIN = "y = g * x_hat + b: dx_hat = dy * g"
MANY = "all vectors of the batch used the same {}: their gradients add"
know(
    Layer("batch_norm", batch_norm),
    ("batch normalisation: the gain is forgotten on the way back", "dx_hat", lambda v: v.dy_real, GAIN),
    ("batch normalisation: the mean's gradient is missing", "mean", lambda v: 0 * v.value,
     "every x_n moves the mean, and with it every x_hat of its channel"),
    ("batch normalisation: the deviation's gradient is missing", "projection", lambda v: 0 * v.value,
     "every x_n moves std, and with it every x_hat of its channel"),
    ("batch normalisation: mean and deviation are taken for constants", "dx_all", lambda v: v.dx_hat / v.std,
     "in training they are made of the batch; constants they are in evaluation"),
    ("batch normalisation: the mean's gradient is a sum", "mean", lambda v: v.value * v.N,
     "mean = 1/N sum: each x_n is an N-th of it"),
    ("batch normalisation: the deviation's gradient is a sum", "projection", lambda v: v.value * v.N,
     "the variance is a mean of squares: each x_n is an N-th of it"),
    ("batch normalisation: each row has a mean of its own on the way back", "mean",
     lambda v: v.dx_hat.mean(axis=0, keepdims=True), "the mean is one for all rows and places of a channel"),
    ("batch normalisation: padding counts in the mean's gradient", "mean", lambda v: v.dx_hat.mean(axis=v.over),
     "N counts the real vectors alone, in backward as in forward"),
    ("batch normalisation: padding counts in the deviation's gradient", "projection",
     lambda v: (v.dx_hat * v.x_hat).mean(axis=v.over), "N counts the real vectors alone, in backward as in forward"),
    ("batch normalisation: padding's own gradient is let in", "dy_real", lambda v: v.dy,
     "y is 0 at padding whatever x and b are"),
    ("batch normalisation: padding gets a gradient", "dx", lambda v: v.dx_all, "padding was in no mean and no y"),
    ("batch normalisation: std is forgotten on the way back", "dx_all", lambda v: v.value * v.std,
     "x_hat = (x - mean) / std: dx is divided by std"),
    ("batch normalisation: the variance in the place of std", "dx_all", lambda v: v.value / v.std,
     "x_hat = (x - mean) / std, and std is the root"),
    ("batch normalisation: the variance is that of N - 1 in backward", "dx_all",
     lambda v: v.value * np.sqrt((v.N - 1) / v.N), "the batch was normalised by 1/N; N - 1 is for what is followed"),
    ("batch normalisation: eps is left out of std in backward", "dx_all",
     lambda v: v.value * v.std / _without_eps(v.std), "the std of backward is that of forward, eps and all"),
    ("batch normalisation: the gain's gradient without x_hat", "dg", lambda v: v.dy_real.sum(axis=v.over),
     "y = g * x_hat + b: dg = sum dy * x_hat"),
    ("batch normalisation: the gain's gradient from y", "dg", lambda v: (v.dy_real * v.y).sum(axis=v.over),
     "beside g stands x_hat, not y"),
    ("batch normalisation: the gain's gradient is a mean", "dg", lambda v: v.value / v.N, MANY.format("gain")),
    ("batch normalisation: the bias's gradient has the gain", "db", lambda v: v.dx_hat.sum(axis=v.over),
     "b is added after the gain"),
    ("batch normalisation: the bias's gradient is a mean", "db", lambda v: v.value / v.N, MANY.format("b")),
)  # fmt: skip


def frozen_batch_norm(trace, dy, change=None):
    eq, x_hat, std, y, p = equations(change), trace.x_hat, trace.std, trace.y, trace.params
    real, over = there(trace.mask, dy), tuple(range(dy.ndim - 1))
    dy_real = eq("dy_real", dy * real)
    dx_hat = eq("dx_hat", dy_real * p.g)
    dg = eq("dg", (dy_real * x_hat).sum(axis=over))
    db = eq("db", dy_real.sum(axis=over))
    dx = eq("dx", dx_hat / std)
    return {"dx": dx, "params": BatchNormParams(dg, db)}


def _as_in_training(v):
    """dx if mean and deviation were those of the batch."""
    N = v.real.sum()
    mean, projection = v.dx_hat.sum(axis=v.over) / N, (v.dx_hat * v.x_hat).sum(axis=v.over) / N
    return v.real * (v.dx_hat - mean - v.x_hat * projection) / v.std


know(
    Layer("frozen_batch_norm", frozen_batch_norm),
    ("frozen normalisation: mean and deviation have a gradient", "dx", _as_in_training,
     "in evaluation they are constants: x moves neither"),
    ("frozen normalisation: the gain is forgotten on the way back", "dx_hat", lambda v: v.dy_real, GAIN),
    ("frozen normalisation: the gradient is normalised like x", "dx_hat", lambda v: v.value * v.x_hat,
     "x_hat is linear in x: its slope is 1 / std, wherever x is"),
    ("frozen normalisation: std is forgotten on the way back", "dx", lambda v: v.dx_hat,
     "x_hat = (x - mean) / std: dx is divided by std"),
    ("frozen normalisation: the variance in the place of std", "dx", lambda v: v.dx_hat / v.std**2,
     "x_hat = (x - mean) / std, and std is the root"),
    ("frozen normalisation: eps is left out of std in backward", "dx", lambda v: v.dx_hat / _without_eps(v.std),
     "the std of backward is that of forward, eps and all"),
    ("frozen normalisation: padding's own gradient is let in", "dy_real", lambda v: v.dy,
     "y is 0 at padding whatever x and b are"),
    ("frozen normalisation: the gain's gradient without x_hat", "dg", lambda v: v.dy_real.sum(axis=v.over),
     "y = g * x_hat + b: dg = sum dy * x_hat"),
    ("frozen normalisation: the gain's gradient from y", "dg", lambda v: (v.dy_real * v.y).sum(axis=v.over),
     "beside g stands x_hat, not y"),
    ("frozen normalisation: the bias's gradient has the gain", "db", lambda v: v.dx_hat.sum(axis=v.over),
     "b is added after the gain"),
    ("frozen normalisation: the bias's gradient is a mean", "db", lambda v: v.value / v.real.sum(), MANY.format("b")),
)  # fmt: skip


def cases(rng):
    normal = rng.standard_normal

    def inputs(*shape):
        return {"x": normal(shape), "params": rescaled(rng, layers.init_batch_norm(rng, shape[-1], float))}

    x = normal((T, B, A)) * 2 + 1
    followed = layers.follow_batch(
        layers.init_batch_norm_state(A, float),
        layers.batch_norm(x, layers.init_batch_norm(rng, A, float)),
        momentum=0.7,
    )
    mean, var, real = followed.mean, followed.var, REAL  # names of the closure, which tests move to a GPU

    def frozen(x, params):
        return layers.batch_norm(x, params, mask=real, state=BatchNormState(mean, var))

    return {
        "batch_norm": Case(call(layers.batch_norm, mask=REAL), inputs(T, B, A), ("batch_norm",)),
        "batch_norm, picture": Case(layers.batch_norm, inputs(S, T, B, D), ("batch_norm",)),
        "frozen_batch_norm": Case(frozen, inputs(T, B, A), ("batch_norm", "follow_batch")),
    }
