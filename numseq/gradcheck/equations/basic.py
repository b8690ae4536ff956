"""Atoms, maxout, the affine map, the embedding, dropout and the losses, backwards."""

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


def relu(trace, dy, change):
    eq, y = equations(change), trace.y
    return {"dx": eq("dx", np.where(y > 0, dy, 0))}


def maxout(trace, dy, change):
    eq, first = equations(change), trace.first
    dx = np.empty((*dy.shape[:-1], 2 * dy.shape[-1]))
    dx[..., 0::2], dx[..., 1::2] = np.where(first, dy, 0), np.where(first, 0, dy)
    return {"dx": eq("dx", dx)}


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


def variational_dropout(trace, dy, change):
    """mask (1, B, D): the same at each of T steps."""
    eq, mask = equations(change), trace.mask
    return {"dx": eq("dx", np.stack([dy[t] * mask[0] for t in range(len(dy))]))}


def word_dropout(trace, dy, change):
    """mask (T, B, 1): the same for each of D units."""
    eq, mask = equations(change), trace.mask
    return {"dx": eq("dx", np.stack([dy[..., k] * mask[..., 0] for k in range(dy.shape[-1])], axis=-1))}


def cross_entropy(trace, dloss, change):
    eq, logits, targets, weights = equations(change), trace.logits, trace.targets, trace.weights
    p = layers.softmax(logits)
    V = logits.shape[-1]
    mask = weights > 0
    onehot = np.eye(V)[targets]
    weights = eq("weights", weights)
    dlogits = eq("dlogits", (p - onehot) * weights[..., None] * dloss)
    return {"dlogits": dlogits}


def regularised_cross_entropy(trace, dloss, change):
    eq, logits, targets, weights = equations(change), trace.logits, trace.targets, trace.weights
    eps, beta = trace.smoothing, trace.confidence_penalty
    log_p = layers.log_softmax(logits)
    p = np.exp(log_p)
    V = logits.shape[-1]
    mask = weights > 0
    onehot = np.eye(V)[targets]
    q = eq("q", (1 - eps) * onehot + eps / V)
    H = eq("H", -(p * log_p).sum(axis=-1, keepdims=True))
    dpenalty = eq("dpenalty", beta * p * (log_p + H))
    weights = eq("weights", weights)
    dlogits = eq("dlogits", (p - q + dpenalty) * weights[..., None] * dloss)
    return {"dlogits": dlogits}


def sampled_cross_entropy(trace, dloss, change):
    eq, W, samples = equations(change), trace.params.W, trace.samples
    b = np.zeros(W.shape[1]) if trace.params.b is None else trace.params.b
    x, targets = trace.x.reshape(-1, len(W)), trace.targets.reshape(-1)
    mask = trace.weights.reshape(-1) > 0
    hit = samples == targets[:, None]
    log_q = eq("log_q", trace.log_q)
    t = eq("t", (x * W.T[targets]).sum(axis=-1) + b[targets] - log_q[targets])
    s = x @ W[:, samples] + b[samples] - log_q[samples]
    s = eq("s", np.where(hit, -1e30, s))
    p = layers.softmax(np.concatenate([t[:, None], s], axis=-1))
    weights = eq("weights", trace.weights.reshape(-1))
    dt = eq("dt", (p[:, 0] - 1) * weights * dloss)
    ds = eq("ds", p[:, 1:] * weights[:, None] * dloss)
    dx = eq("dx", dt[:, None] * W.T[targets] + ds @ W[:, samples].T)
    dW, db = np.zeros_like(W.T), np.zeros_like(b)
    np.add.at(dW, targets, dt[:, None] * x)
    np.add.at(dW, samples, ds.T @ x)
    np.add.at(db, targets, dt)
    np.add.at(db, samples, ds.sum(axis=0))
    params = LinearParams(eq("dW", dW.T), None if trace.params.b is None else eq("db", db))
    return {"dx": dx.reshape(trace.x.shape), "params": params}
