"""Atoms, the affine map, the embedding, dropout and the loss, backwards."""

import numpy as np

from numseq import layers
from numseq.gradcheck.equations.change import equations
from numseq.layers import LinearParams
from numseq.layers.embedding import EmbeddingParams

# Names that no equation here reads are there for the bugs to read.
# ruff: noqa: F841


def sigmoid(trace, dy, change):
    eq, y = equations(change), trace.y
    x = np.log(y / (1 - y))
    return {"dx": eq("dx", dy * y * (1 - y)), "x": x}


def tanh(trace, dy, change):
    eq, y = equations(change), trace.y
    x = np.arctanh(y)
    return {"dx": eq("dx", dy * (1 - y**2)), "x": x}


def softmax(trace, dy, change):
    eq, p = equations(change), trace.y
    mean = eq("mean", (dy * p).sum(axis=-1, keepdims=True))
    return {"dx": eq("dx", p * (dy - mean))}


def log_softmax(trace, dy, change):
    eq, p = equations(change), np.exp(trace.y)
    total = eq("total", dy.sum(axis=-1, keepdims=True))
    return {"dx": eq("dx", dy - p * total)}


def linear(trace, dy, change):
    eq, x, W = equations(change), trace.x, trace.params.W
    x_rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    dx = eq("dx", dy @ W.T)
    dW = eq("dW", x_rows.T @ dy_rows)
    db = eq("db", dy_rows.sum(axis=0))
    return {"dx": dx, "params": LinearParams(dW, db)}


def embedding(trace, dy, change):
    eq, ids, W = equations(change), trace.ids.reshape(-1), trace.params.W
    dy_rows = dy.reshape(-1, dy.shape[-1])
    dW = np.zeros_like(W)
    np.add.at(dW, ids, dy_rows)
    dW = eq("dW", dW)
    if trace.padding_id is not None:
        dW[eq("padding_id", trace.padding_id)] = 0
    return {"params": EmbeddingParams(dW)}


def dropout(trace, dy, change):
    eq, mask = equations(change), trace.mask
    return {"dx": eq("dx", dy if mask is None else dy * mask)}


def cross_entropy(trace, dloss, change):
    eq, logits, targets, weights = equations(change), trace.logits, trace.targets, trace.weights
    p = layers.softmax(logits)
    V = logits.shape[-1]
    mask = weights > 0
    onehot = np.eye(V)[targets]
    weights = eq("weights", weights)
    dlogits = eq("dlogits", (p - onehot) * weights[..., None] * dloss)
    return {"dlogits": dlogits}
