"""Mistakes in the backward of self-attention: what an attention gives, and the sum of its three readers."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import REAL, SOURCE_REAL, A, B, Case, D, S, T, call, rescaled
from numseq.mistakes.layer import LAYERS, Layer, equations, know
from numseq.mistakes.layers.attention.multihead import multihead_attention


class SelfLook(Layer):
    def possible(self, trace=None):
        """Its own bugs, and those of the attention."""
        return self.bugs + LAYERS["multihead_attention"].bugs


def self_attention(trace, dy, dalpha=None, change=None):
    eq, looks = equations(change), trace.looks
    found = multihead_attention(looks, dy, dalpha, change)
    dquery, dkeys, dvalues = found["dquery"], found["dkeys"], found["dvalues"]
    dx = eq("dx", dquery + dkeys + dvalues)
    return {"dx": dx, "params": found["params"]}


def _unmasked(v):
    """Undone by a softmax that sees what comes later."""
    e = v.scale * np.einsum("bnd,sbnd->bns", v.q, v.k)
    e = e if v.attention.real is None else np.where(v.attention.real[:, None], e, -1e30)
    alpha = np.exp(e - e.max(axis=-1, keepdims=True))
    alpha /= alpha.sum(axis=-1, keepdims=True)
    return alpha * (v.dhead_alpha - (v.dhead_alpha * alpha).sum(axis=-1, keepdims=True))


def _own(v):
    """1 at the position that looks, and 0 at the others."""
    return np.arange(v.S) == v.t


ALL_THREE = "x gave queries, keys and values: its three gradients add"
know(
    SelfLook("self_attention", self_attention, also=(multihead_attention,)),
    ("self-attention: x gets the queries' gradient alone", "dx", lambda v: v.dquery, ALL_THREE),
    ("self-attention: the gradient of the keys is missing", "dx", lambda v: v.dquery + v.dvalues, ALL_THREE),
    ("self-attention: the gradient of the values is missing", "dx", lambda v: v.dquery + v.dkeys, ALL_THREE),
    ("self-attention: the gradient of the queries is missing", "dx", lambda v: v.dkeys + v.dvalues, ALL_THREE),
    ("self-attention: the three gradients are averaged", "dx", lambda v: v.value / 3, ALL_THREE),
    ("self-attention: the values' gradient is counted as the keys' too", "dx", lambda v: v.dquery + 2 * v.dvalues,
     ALL_THREE),
    ("self-attention: the keys' gradient stands in reversed order", "dx",
     lambda v: v.dquery + v.dkeys[::-1] + v.dvalues, "a position is asked about where it stands, whoever asks"),
    ("the causal mask is forgotten on the way back", "de", _unmasked,
     "the softmax that is undone is that of forward: what comes later had no weight and gets no gradient"),
    ("nothing goes back to the positions before", "de", lambda v: np.where(_own(v), v.value, 0),
     "a position looked at all before it: its gradient reaches each of them"),
    ("of the values before nothing comes back", "dv",
     lambda v: v.dv + np.where(_own(v)[:, None, None, None], v.value - v.dv, 0),
     "a position was given something of all before it: its gradient reaches each of them"),
    ("self-attention: W_k gets the gradient of W_q", "dW_k", lambda v: v.dW_q,
     "both met the same x, but W_k made keys: its gradient is of dk"),
    ("self-attention: W_v gets the gradient of W_k", "dW_v", lambda v: v.dW_k,
     "both met the same x, but W_v made values: its gradient is of dv"),
)  # fmt: skip


def cases(rng):
    K, covers = 16, ("self_attention",)  # all heads together

    def case(steps, b_k=None, **options):
        params = layers.MultiHeadAttention.init(rng, D, D, K, float)
        params.W_o, params.b_o, params.b_k = np.empty((K, A)), np.empty(A), b_k
        inputs = {"x": rng.standard_normal((steps, B, D)), "params": rescaled(rng, params)}
        return Case(call(layers.self_attention, heads=2, **options), inputs, covers)

    return {
        "self_attention": case(T, causal=True),
        "self_attention, padding in front": case(T, causal=True, mask=REAL[::-1]),  # where some see nothing
        "self_attention, both ways": case(S, b_k=np.empty(K), mask=SOURCE_REAL),  # which `init` leaves out
    }
