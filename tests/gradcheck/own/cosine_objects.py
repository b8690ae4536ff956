"""Cosine similarity as an object, for JAX, and as an autograd.Function."""

import numpy as np

from .cosine import rows
from .way import call, grad, normal, way, wrong

# objects


class CosineLinear:
    """Similarity to each column of W, times a scale that is learnt."""

    def __init__(self, n_in, n_out):
        self.weights = {"W": normal(226, n_in, n_out), "scale": np.array(3.0)}
        self.grads = {}

    def forward(self, x):
        W = self.weights["W"]
        self.nx, self.nw = np.sqrt((x * x).sum(1, keepdims=True)), np.sqrt((W * W).sum(0))
        self.x, self.w = x / self.nx, W / self.nw
        self.cos = self.x @ self.w
        return self.weights["scale"] * self.cos

    def backward(self, dy):
        dcos = dy * self.weights["scale"]
        dx, dw = dcos @ self.w.T, self.x.T @ dcos
        self.grads["scale"] = (dy * self.cos).sum()
        self.grads["W"] = (dw - self.w * (dw * self.w).sum(0)) / self.nw
        return (dx - self.x * (dx * self.x).sum(1, keepdims=True)) / self.nx


class CosineLinearScale(CosineLinear):
    def backward(self, dy):
        dx = super().backward(dy)
        self.grads["W"] = self.grads["W"] / self.weights["scale"]
        return dx


way("cosine, object, grads beside a dict of weights", lambda: call(CosineLinear(3, 4), {"x": normal(227, 5, 3)}))
wrong(
    "cosine, object, grads beside a dict of weights: scale forgotten in dW",
    lambda: call(CosineLinearScale(3, 4), {"x": normal(227, 5, 3)}),
    grad("W"),
    r"factor|times|\b3\b|0\.333",
)


class CosineLayer:
    def forward(self, x1, x2):
        self.x1, self.x2 = x1, x2
        self.w12 = np.sum(x1 * x2, axis=-1)
        self.w1, self.w2 = np.sum(x1 * x1, axis=-1), np.sum(x2 * x2, axis=-1)
        self.output = self.w12 / np.sqrt(self.w1 * self.w2)
        return self.output

    def backward(self, dvalues):
        n12 = np.sqrt(self.w1 * self.w2)
        self.dx1 = (dvalues / n12)[:, None] * (self.x2 - (self.w12 / self.w1)[:, None] * self.x1)
        self.dx2 = (dvalues / n12)[:, None] * (self.x1 - (self.w12 / self.w2)[:, None] * self.x2)


way(
    "cosine, object, dx1 and dx2 left in attributes",
    lambda: call(CosineLayer(), {"x1": normal(228, 5, 3), "x2": normal(229, 5, 3)}),
)


# JAX, autograd.Function


def cos_fwd(a, b, eps):
    inv = 1 / np.sqrt(((a * a).sum(-1) + eps) * ((b * b).sum(-1) + eps))
    s = (a * b).sum(-1) * inv
    return s, (a, b, inv, s, eps)


def cos_bwd(res, g):
    a, b, inv, s, eps = res
    ga = (g * inv)[:, None] * b - (g * s / ((a * a).sum(-1) + eps))[:, None] * a
    gb = (g * inv)[:, None] * a - (g * s / ((b * b).sum(-1) + eps))[:, None] * b
    return ga, gb, None


class CosineFunction:
    @staticmethod
    def forward(ctx, x1, x2, eps=1e-6):
        out, saved = cos_fwd(x1, x2, eps)
        ctx.save_for_backward(*saved[:4])
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx, grad_output):
        return cos_bwd((*ctx.saved_tensors, ctx.eps), grad_output)


class CosineFunctionOne(CosineFunction):
    @staticmethod
    def backward(ctx, grad_output):
        grad_x1, _, _ = cos_bwd((*ctx.saved_tensors, ctx.eps), grad_output)
        return grad_x1, grad_x1, None


way(
    "cosine, fwd and bwd of JAX, eps a float, None for it",
    lambda: call(cos_fwd, (*rows().values(), 1e-3), backward=cos_bwd),
)
way("cosine, autograd.Function, eps left out", lambda: call(CosineFunction, tuple(rows().values())))
wrong(
    "cosine, autograd.Function: the same gradient for both",
    lambda: call(CosineFunctionOne, tuple(rows().values())),
    grad("x2"),
)
