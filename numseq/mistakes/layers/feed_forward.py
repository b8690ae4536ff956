"""Mistakes in the backward of the position-wise feed-forward network."""

import numpy as np

from numseq import layers
from numseq.layers import FeedForwardParams
from numseq.mistakes.fixtures import CLEAR, A, B, Case, D, T, V, fit, rescaled
from numseq.mistakes.kinks import is_off, nearest_kink
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import rows


def feed_forward(trace, dy, change=None):
    eq, x, a, u, p = equations(change), trace.x, trace.a, trace.u, trace.params
    over = tuple(range(dy.ndim - 1))
    dW_2 = eq("dW_2", rows(u).T @ rows(dy))
    db_2 = eq("db_2", dy.sum(axis=over))
    du = eq("du", dy @ p.W_2.T)
    da = eq("da", np.where(u > 0, du, 0))
    dW_1 = eq("dW_1", rows(x).T @ rows(da))
    db_1 = eq("db_1", da.sum(axis=over))
    dx = eq("dx", da @ p.W_1.T)
    return {"dx": dx, "params": FeedForwardParams(dW_1, db_1, dW_2, db_2)}


know(
    Layer("feed_forward", feed_forward),
    ("the relu is forgotten in a feed-forward network", "da", lambda v: v.du, "u = relu(a): where u is 0, da is 0"),
    ("the relu is on where it was off", "da", lambda v: np.where(v.u > 0, 0, v.du),
     "relu' is 1 where a > 0, and else 0"),
    ("the relu of the gradient is taken", "da", lambda v: np.where(v.du > 0, v.du, 0),
     "whether the gradient passes is up to a, not to the gradient"),
    ("both relus are taken: of the gradient and of a", "da", lambda v: np.where((v.u > 0) & (v.du > 0), v.du, 0),
     "whether the gradient passes is up to a alone: negative gradients are gradients"),
    ("the relu's value is taken for its slope", "da", lambda v: v.du * v.u, "relu' is 1 where a > 0, whatever a is"),
    ("W_2 meets what was before the relu", "dW_2", lambda v: rows(v.a).T @ rows(v.dy),
     "y = u W_2 + b_2, and u = relu(a)"),
    ("W_2 of the last position only", "dW_2", lambda v: rows(v.u[-1]).T @ rows(v.dy[-1]),
     "every position used the same W_2: its gradients add"),
    ("W_2 is averaged over positions", "dW_2", lambda v: v.value / (v.dy.size // v.dy.shape[-1]),
     "every position used the same W_2: its gradients add"),
    ("W_1 hears nothing of the relu", "dW_1", lambda v: rows(v.x).T @ rows(v.du), "a = x W_1 + b_1: dW_1 is of da"),
    ("W_1 is averaged over positions", "dW_1", lambda v: v.value / (v.dy.size // v.dy.shape[-1]),
     "every position used the same W_1: its gradients add"),
    ("b_1 hears nothing of the relu", "db_1", lambda v: v.du.sum(axis=v.over),
     "b_1 stands within the relu: db_1 is of da"),
    ("b_1 is averaged over positions", "db_1", lambda v: v.da.mean(axis=v.over),
     "b_1 was added at every position: its gradients add"),
    ("b_2 is averaged over positions", "db_2", lambda v: v.dy.mean(axis=v.over),
     "b_2 was added at every position: its gradients add"),
    ("x hears nothing of the relu", "dx", lambda v: v.du @ v.p.W_1.T, "a = x W_1 + b_1: dx is of da"),
)  # fmt: skip


def cases(rng):
    def draw():
        params = FeedForwardParams(np.empty((D, A)), np.empty(A), np.empty((A, V)), np.empty(V))
        inputs = {"x": rng.standard_normal((T, B, D)), "params": rescaled(rng, params)}
        return Case(layers.feed_forward, inputs, ("feed_forward",))

    return {"feed_forward": fit(draw, lambda trace: nearest_kink(trace) > CLEAR and not is_off(trace))}
