"""Mistakes in the derivatives of the pointwise functions and of the softmax."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq.layers import activations
from numseq.mistakes import layer
from numseq.mistakes.fixtures import B, Case, V
from numseq.mistakes.layer import Layer, equations, know


def sigmoid(trace, dy, change=None):
    eq, y = equations(change), trace.y
    x = np.log(y / (1 - y))
    return {"dx": eq("dx", dy * y * (1 - y)), "x": x}


know(
    Layer("sigmoid", sigmoid),
    ("sigma' is taken of the input, not of the output", "dx", lambda v: v.dy * v.x * (1 - v.x),
     "y (1 - y) is a formula in y = sigma(x), not in x"),
    ("sigma is applied twice in its derivative", "dx", lambda v: v.dy * layer.sigmoid(v.y) * (1 - layer.sigmoid(v.y)),
     "y already is sigma(x); applying sigma to it again gives the slope at another point"),
    ("the factor y is missing from sigma'", "dx", lambda v: v.dy * (1 - v.y), "sigma' = y (1 - y), both factors"),
    ("the factor 1 - y is missing from sigma'", "dx", lambda v: v.dy * v.y, "sigma' = y (1 - y), both factors"),
    ("tanh' instead of sigma'", "dx", lambda v: v.dy * (1 - v.y**2), "1 - y^2 belongs to tanh, y (1 - y) to sigma"),
    ("the incoming gradient is not multiplied in", "dx", lambda v: v.y * (1 - v.y),
     "the chain rule multiplies by what comes from above"),
)  # fmt: skip


def tanh(trace, dy, change=None):
    eq, y = equations(change), trace.y
    x = np.arctanh(y)
    return {"dx": eq("dx", dy * (1 - y**2)), "x": x}


know(
    Layer("tanh", tanh),
    ("tanh' is taken of the input, not of the output", "dx", lambda v: v.dy * (1 - v.x**2),
     "1 - y^2 is a formula in y = tanh(x), not in x"),
    ("tanh is applied twice in its derivative", "dx", lambda v: v.dy * (1 - np.tanh(v.y) ** 2),
     "y already is tanh(x); applying tanh to it again gives the slope at another point"),
    ("the square is missing from tanh'", "dx", lambda v: v.dy * (1 - v.y), "tanh' = 1 - y^2"),
    ("sigma' instead of tanh'", "dx", lambda v: v.dy * v.y * (1 - v.y), "y (1 - y) belongs to sigma, 1 - y^2 to tanh"),
)  # fmt: skip


def relu(trace, dy, change=None):
    eq, y = equations(change), trace.y
    return {"dx": eq("dx", np.where(y > 0, dy, 0))}


know(
    Layer("relu", relu),
    ("relu lets the gradient through where it is off", "dx", lambda v: v.dy,
     "a unit at 0 did not move with its input: its slope is 0"),
    ("relu's slope is taken on the wrong side", "dx", lambda v: np.where(v.y > 0, 0, v.dy),
     "the slope is 1 where the input is positive, and 0 where it is not"),
    ("relu leaks in backward", "dx", lambda v: np.where(v.y > 0, v.dy, 0.01 * v.dy),
     "a leaky slope belongs to a leaky forward; relu's is 0 below 0"),
    ("relu's output in place of its slope", "dx", lambda v: v.dy * v.y, "the slope is 1 where y > 0, not y"),
    ("relu's gradient is cut off instead", "dx", lambda v: np.maximum(v.dy, 0) * (v.y > 0),
     "the input decides where the gradient goes through, not the gradient's own sign"),
    ("the gradient that comes to relu is not multiplied in", "dx", lambda v: (v.y > 0) * 1.0,
     "the chain rule multiplies by what comes from above"),
)  # fmt: skip


def softmax(trace, dy, change=None):
    eq, p = equations(change), trace.y
    mean = eq("mean", (dy * p).sum(axis=-1, keepdims=True))
    return {"dx": eq("dx", p * (dy - mean))}


know(
    Layer("softmax", softmax),
    ("only the diagonal of the softmax's Jacobian", "dx", lambda v: v.dy * v.p * (1 - v.p),
     "every score moves every probability: dp_j/dz_k = -p_j p_k off the diagonal"),
    ("the mean is not subtracted in the softmax", "mean", lambda v: 0,
     "dz = p * (dp - sum dp p): the sum keeps the probabilities adding to 1"),
    ("the softmax's Jacobian is left out", "dx", lambda v: v.dy, "the gradient of p is not that of the scores"),
    ("the mean over the softmax is not weighted by p", "mean", lambda v: v.dy.mean(axis=-1, keepdims=True),
     "what is subtracted is sum_j dp_j p_j, a mean under p"),
    ("the softmax's sum runs over rows", "mean", lambda v: (v.dy * v.p).sum(axis=0, keepdims=True),
     "the sum is over the axis that the softmax normalises"),
)  # fmt: skip


def log_softmax(trace, dy, change=None):
    eq, p = equations(change), np.exp(trace.y)
    total = eq("total", dy.sum(axis=-1, keepdims=True))
    return {"dx": eq("dx", dy - p * total)}


know(
    Layer("log_softmax", log_softmax),
    ("the normaliser's gradient is left out", "total", lambda v: 0, "the log of the sum depends on every score"),
    ("p is missing in the normaliser's gradient", "dx", lambda v: v.dy - v.total,
     "d log sum exp(z) / dz_k = p_k"),
    ("the normaliser's gradient is not summed", "dx", lambda v: v.dy - v.p * v.dy,
     "every log-probability reads the one normaliser, so their gradients add"),
)  # fmt: skip


@dataclass(slots=True)
class _Atom:
    """A trace for an activation, whose functions know arrays only."""

    outputs = ("y",)
    y: Any
    derivative: Any
    equations: str

    def backward(self, dy):
        return SimpleNamespace(dx=self.derivative(dy, self.y))


def cases(rng):
    def atom(name):
        forward, derivative = getattr(activations, name), getattr(activations, f"{name}_backward")
        return Case(lambda x: _Atom(forward(x), derivative, name), {"x": rng.standard_normal((B, V))}, (name,))

    return {name: atom(name) for name in ("sigmoid", "tanh", "relu", "softmax", "log_softmax")}
