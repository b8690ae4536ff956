"""Scaled dot-product attention as an object, and as an autograd.Function."""

import numpy as np

from .attention import MASK, single, softmax
from .way import call, grad, normal, way, wrong

# object; the gradients are in a dict, the weights are not


class SelfAttention:
    def __init__(self, d_model, d_k, d_v):
        self.W_q, self.W_k, self.W_v = normal(139, d_model, d_k), normal(140, d_model, d_k), normal(141, d_model, d_v)
        self.grads = {}

    def forward(self, x, mask=None):
        self.x = x
        self.q, self.k, self.v = x @ self.W_q, x @ self.W_k, x @ self.W_v
        scores = self.q @ self.k.T / np.sqrt(self.k.shape[1])
        if mask is not None:
            scores[:, ~mask] = -np.inf
        self.a = softmax(scores)
        return self.a @ self.v

    def backward(self, dout):
        da = dout @ self.v.T
        ds = self.a * (da - (da * self.a).sum(1, keepdims=True)) / np.sqrt(self.k.shape[1])
        dq, dk, dv = ds @ self.k, ds.T @ self.q, self.a.T @ dout
        self.grads["W_q"], self.grads["W_k"], self.grads["W_v"] = self.x.T @ dq, self.x.T @ dk, self.x.T @ dv
        return dq @ self.W_q.T + dk @ self.W_k.T + dv @ self.W_v.T


class SelfAttentionTransposed(SelfAttention):
    def backward(self, dout):
        da = dout @ self.v.T
        ds = self.a * (da - (da * self.a).sum(1, keepdims=True)) / np.sqrt(self.k.shape[1])
        dq, dk, dv = ds @ self.k, ds @ self.q, self.a.T @ dout
        self.grads["W_q"], self.grads["W_k"], self.grads["W_v"] = self.x.T @ dq, self.x.T @ dk, self.x.T @ dv
        return dq @ self.W_q.T + dk @ self.W_k.T + dv @ self.W_v.T


class SelfAttentionValuesAlone(SelfAttention):
    def backward(self, dout):
        super().backward(dout)
        return self.a.T @ dout @ self.W_v.T


way(
    "attention, object, grads a dict beside the weights", lambda: call(SelfAttention(4, 3, 2), {"x": normal(142, 6, 4)})
)
way(
    "attention, object, grads a dict beside the weights, mask",
    lambda: call(
        SelfAttention(4, 3, 2), {"x": normal(142, 6, 4), "mask": np.array([True, True, False, True, True, False])}
    ),
)
way("attention, object, mask None", lambda: call(SelfAttention(4, 3, 2), {"x": normal(142, 6, 4), "mask": None}))
wrong(
    "attention, object, grads a dict beside the weights: ds not transposed in dk",
    lambda: call(SelfAttentionTransposed(4, 3, 2), {"x": normal(142, 6, 4)}),
    grad("W_k"),
)
wrong(
    "attention, object, grads a dict beside the weights: dx by the values alone",
    lambda: call(SelfAttentionValuesAlone(4, 3, 2), {"x": normal(142, 6, 4)}),
    grad("x"),
)


# autograd.Function


class DotAttention:
    @staticmethod
    def forward(ctx, query, key, value, mask=None):
        scores = query @ key.T
        if mask is not None:
            scores = np.where(mask, scores, -np.inf)
        p = softmax(scores)
        ctx.save_for_backward(query, key, value, p)
        return p @ value

    @staticmethod
    def backward(ctx, do):
        query, key, value, p = ctx.saved_tensors
        dp = do @ value.T
        ds = p * (dp - (p * dp).sum(-1, keepdims=True))
        return ds @ key, ds.T @ query, p.T @ do, None


class DotAttentionSoftmax(DotAttention):
    @staticmethod
    def backward(ctx, do):
        query, key, value, p = ctx.saved_tensors
        ds = p * (1 - p) * (do @ value.T)
        return ds @ key, ds.T @ query, p.T @ do, None


way(
    "attention, autograd.Function",
    lambda: call(DotAttention, {"query": normal(133, 4, 2), "key": normal(134, 5, 2), "value": normal(135, 5, 3)}),
)
way("attention, autograd.Function, mask", lambda: call(DotAttention, (*single().values(), MASK[0])))
wrong(
    "attention, autograd.Function: the Jacobian's diagonal alone",
    lambda: call(DotAttentionSoftmax, (*single().values(), MASK[0])),
    grad("query"),
    grad("key"),
)
