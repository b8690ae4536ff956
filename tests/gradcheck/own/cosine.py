"""Cosine similarity as people write it: s = <a, b> / (|a| |b|)."""

from collections import namedtuple
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from .way import call, grad, normal, way, wrong


def rows():
    return {"a": normal(220, 5, 3), "b": normal(221, 5, 3)}


# np.linalg.norm, which is not analytic; cache tuple


def cosine_forward(a, b):
    na = np.linalg.norm(a, axis=1, keepdims=True)
    nb = np.linalg.norm(b, axis=1, keepdims=True)
    s = np.sum(a * b, axis=1, keepdims=True) / (na * nb)
    return s[:, 0], (a, b, na, nb, s)


def cosine_backward(ds, cache):
    a, b, na, nb, s = cache
    ds = ds[:, None]
    da = ds * (b / (na * nb) - s * a / na**2)
    db = ds * (a / (na * nb) - s * b / nb**2)
    return da, db


def cosine_backward_norm(ds, cache):
    a, b, na, nb, _s = cache
    ds = ds[:, None]
    return ds * b / (na * nb), ds * a / (na * nb)


def cosine_backward_power(ds, cache):
    a, b, na, nb, s = cache
    ds = ds[:, None]
    da = ds * (b / (na * nb) - s * a / na)
    db = ds * (a / (na * nb) - s * b / nb**2)
    return da, db


def cosine_backward_exchanged(ds, cache):
    return cosine_backward(ds, cache)[::-1]


way(
    "cosine, cs231n pair, np.linalg.norm",
    lambda: call(cosine_forward, rows(), backward=cosine_backward),
    says=["norm"],
)
wrong(
    "cosine, cs231n pair, np.linalg.norm: the norms as constants",
    lambda: call(cosine_forward, rows(), backward=cosine_backward_norm),
    grad("a"),
    grad("b"),
)
wrong(
    "cosine, cs231n pair, np.linalg.norm: the norm not squared in da",
    lambda: call(cosine_forward, rows(), backward=cosine_backward_power),
    grad("a"),
)
wrong(
    "cosine, cs231n pair, np.linalg.norm: da and db exchanged",
    lambda: call(cosine_forward, rows(), backward=cosine_backward_exchanged),
    grad("a"),
    grad("b"),
    "swap|order|exchange|of the other|gradient of",
)


# no cache; np.maximum(norm, eps) by np.abs


def cosine_similarity(u, v, eps=1e-8):
    nu = np.sqrt(np.sum(np.abs(u) ** 2))
    nv = np.sqrt(np.sum(np.abs(v) ** 2))
    return u @ v / np.maximum(nu * nv, eps)


def cosine_similarity_backward(u, v, dout):
    nu, nv = np.sqrt(u @ u), np.sqrt(v @ v)
    s = u @ v / (nu * nv)
    return {"u": dout * (v / (nu * nv) - s * u / nu**2), "v": dout * (u / (nu * nv) - s * v / nv**2)}


def cosine_similarity_backward_sign(u, v, dout):
    nu, nv = np.sqrt(u @ u), np.sqrt(v @ v)
    s = u @ v / (nu * nv)
    return {"u": dout * (v / (nu * nv) + s * u / nu**2), "v": dout * (u / (nu * nv) - s * v / nv**2)}


def vectors():
    return [normal(222, 6), normal(223, 6)]


way(
    "cosine, no cache, np.abs",
    lambda: call(cosine_similarity, vectors(), backward=cosine_similarity_backward),
    says=["abs"],
)
wrong(
    "cosine, no cache, np.abs: sign of the second term",
    lambda: call(cosine_similarity, vectors(), backward=cosine_similarity_backward_sign),
    grad("u"),
)


# a closure: all pairs


def pairwise_cosine(X, Y):
    x = X / np.sqrt((X * X).sum(1, keepdims=True))
    y = Y / np.sqrt((Y * Y).sum(1, keepdims=True))

    def unnormalise(d, unit, full):
        return (d - unit * (d * unit).sum(1, keepdims=True)) / np.sqrt((full * full).sum(1, keepdims=True))

    def backprop(dS):
        return unnormalise(dS @ y, x, X), unnormalise(dS.T @ x, y, Y)

    return x @ y.T, backprop


def pairwise_cosine_axis(X, Y):
    x = X / np.sqrt((X * X).sum(1, keepdims=True))
    y = Y / np.sqrt((Y * Y).sum(1, keepdims=True))

    def unnormalise(d, unit, full):
        return (d - unit * (d * unit).sum(0, keepdims=True)) / np.sqrt((full * full).sum(1, keepdims=True))

    def backprop(dS):
        return unnormalise(dS @ y, x, X), unnormalise(dS.T @ x, y, Y)

    return x @ y.T, backprop


def sets():
    return normal(224, 4, 3), normal(225, 5, 3)


way("cosine, closure, all pairs", lambda: call(pairwise_cosine, sets()))
wrong(
    "cosine, closure, all pairs: summed over the wrong axis",
    lambda: call(pairwise_cosine_axis, sets()),
    grad("X"),
    grad("Y"),
)


# traces

CosineGrads = namedtuple("CosineGrads", "da db")


class Cosine:
    def __init__(self, a, b):
        self.a, self.b = a, b
        self.na, self.nb = np.sqrt((a**2).sum(1)), np.sqrt((b**2).sum(1))
        self.similarity = (a * b).sum(1) / (self.na * self.nb)

    def backward(self, dsimilarity):
        d = (dsimilarity / (self.na * self.nb))[:, None]
        along = (dsimilarity * self.similarity)[:, None]
        da = d * self.b - along * self.a / (self.na**2)[:, None]
        db = d * self.a - along * self.b / (self.nb**2)[:, None]
        return CosineGrads(da, db)


def cosine_loss(a, b, target, margin=0.1):
    """Pulls pairs with target 1 together, and pushes those with -1 apart down to the margin."""
    trace = Cosine(a, b)
    s = trace.similarity
    loss = np.where(target == 1, 1 - s, np.maximum(0, s - margin)).mean()

    def backward(dloss):
        ds = np.where(target == 1, -1.0, (s > margin) * 1.0) * dloss / len(s)
        return trace.backward(ds)

    return SimpleNamespace(loss=loss, backward=backward)


def cosine_loss_sum(a, b, target, margin=0.1):
    trace = Cosine(a, b)
    s = trace.similarity
    loss = np.where(target == 1, 1 - s, np.maximum(0, s - margin)).mean()

    def backward(dloss):
        ds = np.where(target == 1, -1.0, (s > margin) * 1.0) * dloss
        return trace.backward(ds)

    return SimpleNamespace(loss=loss, backward=backward)


def pairs():
    return {**rows(), "target": np.array([1, -1, 1, -1, -1])}


way("cosine, trace without outputs, gradients a named tuple", lambda: call(Cosine, rows()))
way(
    "cosine, SimpleNamespace trace without outputs, integer target",
    lambda: call(cosine_loss, {**pairs(), "margin": 0.2}),
)
wrong(
    "cosine, SimpleNamespace trace without outputs, integer target: mean forgotten",
    lambda: call(cosine_loss_sum, pairs()),
    grad("a"),
    grad("b"),
    r"factor|times|\b5\b",
)


# the input is one tree: a list of vectors; similarity of neighbours


def neighbours(vectors):
    norms = [np.sqrt(v @ v) for v in vectors]
    units = [v / n for v, n in zip(vectors, norms, strict=True)]
    s = np.array([u @ w for u, w in pairwise(units)])

    def back(ds):
        d = [np.zeros_like(u) for u in units]
        for i, g in enumerate(ds):
            d[i] += g * units[i + 1]
            d[i + 1] += g * units[i]
        return [(g - u * (g @ u)) / n for g, u, n in zip(d, units, norms, strict=True)]

    return s, back


def neighbours_in_a_tuple(vectors):
    s, back = neighbours(vectors)
    return s, lambda ds: (back(ds),)


def neighbours_assigns(vectors):
    norms = [np.sqrt(v @ v) for v in vectors]
    units = [v / n for v, n in zip(vectors, norms, strict=True)]
    s = np.array([u @ w for u, w in pairwise(units)])

    def back(ds):
        d = [np.zeros_like(u) for u in units]
        for i, g in enumerate(ds):
            d[i] = g * units[i + 1]
            d[i + 1] = g * units[i]
        return [(g - u * (g @ u)) / n for g, u, n in zip(d, units, norms, strict=True)]

    return s, back


def three_vectors():
    return {"vectors": [normal(230, 4), normal(231, 4), normal(232, 4)]}


way("cosine, closure, input a list of vectors, gradient the list itself", lambda: call(neighbours, three_vectors()))
way(
    "cosine, closure, input a list of vectors, gradient a tuple of one list",
    lambda: call(neighbours_in_a_tuple, three_vectors()),
)
wrong(
    "cosine, closure, input a list of vectors: = for +=",
    lambda: call(neighbours_assigns, three_vectors()),
    r"vectors.*1",
)
