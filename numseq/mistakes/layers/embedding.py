"""Mistakes in the backward of the embedding, alone and tied to a readout."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import layers
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace
from numseq.layers.linear import LinearParams
from numseq.mistakes.fixtures import B, Case, D, T, V, rescaled
from numseq.mistakes.layer import Layer, equations, know


def embedding(trace, dy, change=None):
    eq, ids, W = equations(change), trace.ids.reshape(-1), trace.params.W
    dy_rows = dy.reshape(-1, dy.shape[-1])
    dW = np.zeros_like(W)
    np.add.at(dW, ids, dy_rows)
    dW = eq("dW", dW)
    if trace.padding_id is not None:
        padding_id = eq("padding_id", trace.padding_id)
        is_padding = (np.arange(len(W)) == padding_id)[:, None]
        dW = eq("dW_cleared", np.where(is_padding, 0, dW))
    return {"params": EmbeddingParams(dW)}


def _mean_of_repeats(v):
    count = np.maximum(np.bincount(v.ids, minlength=len(v.W)), 1)
    return v.value / count[:, None]


def _assigned(v):
    out = np.zeros_like(v.W)
    out[v.ids] = v.dy_rows
    return out


def _added_once(v):
    out = np.zeros_like(v.W)
    ids, first = np.unique(v.ids, return_index=True)
    out[ids] = v.dy_rows[first]
    return out


know(
    Layer("embedding", embedding, of=EmbeddingTrace),
    ("embedding rows are assigned, not added", "dW", _assigned,
     "dW[ids] = dy keeps the last of several uses of a token; their gradients add (np.add.at)"),
    ("repeated ids are added once", "dW", _added_once, "dW[ids] += dy adds once for each different id; use np.add.at"),
    ("repeated ids are averaged", "dW", _mean_of_repeats, "a token used n times gets the sum of its n gradients"),
    ("embedding rows are off by one", "dW", lambda v: np.roll(v.value, 1, axis=0),
     "the gradient goes to the row that was looked up"),
)  # fmt: skip


def tied_embedding(trace, dlogits, change=None):
    """logits = E[ids] E^T: one matrix, read twice."""
    eq, ids, E = equations(change), trace.ids.reshape(-1), trace.E
    y, d = trace.y.reshape(len(ids), -1), dlogits.reshape(len(ids), -1)
    dy = eq("dy", d @ E)
    looked_up = np.zeros_like(E)
    np.add.at(looked_up, ids, dy)
    read_out = eq("read_out", d.T @ y)
    return {"dE": eq("dE", looked_up + read_out)}


know(
    Layer("tied_embedding", tied_embedding),
    ("a tied embedding without the readout's half", "dE", lambda v: v.looked_up,
     "one matrix is read twice: its two gradients add"),
    ("a tied embedding without the lookup's half", "dE", lambda v: v.read_out,
     "one matrix is read twice: its two gradients add"),
    ("a tied embedding averages its two gradients", "dE", lambda v: v.value / 2,
     "one matrix is read twice: its two gradients add"),
)  # fmt: skip


@dataclass(slots=True)
class _Tied:
    """A trace of logits = E[ids] E^T: an embedding and a readout that share their matrix."""

    outputs = ("logits",)
    equations = "tied_embedding"
    looked_up: Any
    read_out: Any
    logits: Any

    @property
    def ids(self):
        return self.looked_up.ids

    @property
    def E(self):
        return self.looked_up.params.W

    @property
    def y(self):
        return self.looked_up.y

    def backward(self, dlogits):
        product = self.read_out.backward(dlogits)
        return SimpleNamespace(dE=self.looked_up.backward(product.dx).params.W + product.params.W.T)


def cases(rng):
    ids = rng.choice([0, 1, 2, V - 1], size=(T, B))  # few ids in many places, so they repeat; the last among them

    def tied(E):
        looked_up = layers.embedding(ids, EmbeddingParams(E))
        read_out = layers.linear(looked_up.y, LinearParams(E.T, None))
        return _Tied(looked_up, read_out, read_out.y)

    def padded(params):
        """The padding id is read; its row is a constant, which is what a gradient of 0 says."""
        W = params.W.copy()
        W[2] = padding
        return layers.embedding(ids, EmbeddingParams(W), padding_id=2)  # not at an end, where slices are like items

    params, padding = rescaled(rng, layers.init_embedding(rng, V, D, float)), rng.standard_normal(D)
    function = lambda params: layers.embedding(ids, params, padding_id=None)  # noqa: E731
    return {
        "embedding": Case(function, {"params": params}, ("embedding",)),
        "embedding, padding": Case(padded, {"params": params}, ("embedding",)),
        "tied_embedding": Case(tied, {"E": rng.standard_normal((V, D))}, ("embedding", "linear")),
    }
