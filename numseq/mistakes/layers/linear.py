"""Mistakes in the backward of the affine map."""

import numpy as np

from numseq import layers
from numseq.layers.linear import LinearParams, LinearTrace
from numseq.mistakes.fixtures import B, Case, D, H, T, rescaled
from numseq.mistakes.layer import Layer, equations, know


def linear(trace, dy, change=None):
    eq, x, W = equations(change), trace.x, trace.params.W
    x_rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    dx = eq("dx", dy @ W.T)
    dW = eq("dW", x_rows.T @ dy_rows)
    db = eq("db", dy_rows.sum(axis=0))
    return {"dx": dx, "params": LinearParams(dW, db)}


know(
    Layer("linear", linear, of=LinearTrace, shows="square linear", says={
        "dx": "dy @ W.T",
        "params.W": "the sum over all steps and rows of x^T dy",
        "params.b": "the sum over all steps and rows of dy",
    }),
    ("dx = dy W, without the transpose", "dx", lambda v: v.dy @ v.W,
     "y = x W sends dx back through W^T; a square W hides it from the shapes"),
    ("dW is a mean over positions", "dW", lambda v: v.value / len(v.x_rows),
     "a weight used n times gets the sum of n gradients; the mean belongs to the loss alone"),
    ("dW is a mean over the rows of a batch", "dW", lambda v: v.value / v.x.shape[-2],
     "a weight used n times gets the sum of n gradients; the mean belongs to the loss alone"),
    ("dW of the last position in time only", "dW",
     lambda v: v.x[-1].reshape(-1, v.x.shape[-1]).T @ v.dy[-1].reshape(-1, v.dy.shape[-1]),
     "+= and not =: each use of a weight adds to its gradient"),
    ("dW is transposed", "dW", lambda v: v.dy_rows.T @ v.x_rows, "dW = x^T dy has the shape of W"),
    ("db is a mean", "db", lambda v: v.value / len(v.dy_rows),
     "a bias is added at every position, so its gradients add"),
    ("db of the last position in time only", "db", lambda v: v.dy[-1].reshape(-1, v.dy.shape[-1]).sum(axis=0),
     "+= and not =: a bias is added at every position"),
    ("db of one row only", "db", lambda v: v.dy_rows[0], "a bias is added at every position, so its gradients add"),
    ("dW from |x|", "dW", lambda v: np.abs(v.x_rows).T @ v.dy_rows, "dW = x^T dy keeps the sign of x"),
    ("the sign of dx is turned", "dx", lambda v: -v.value,
     "the loss falls along minus the gradient; backward returns the gradient"),
)  # fmt: skip


def cases(rng):
    """A square matrix lets the missing transpose be made, and hides it from the shapes."""

    def case(outputs):
        params = rescaled(rng, layers.init_linear(rng, D, outputs, float))
        return Case(layers.linear, {"x": rng.standard_normal((T, B, D)), "params": params}, ("linear",))

    return {"linear": case(H), "square linear": case(D)}
