"""Mistakes in the backward of the dot-product attentions."""

import numpy as np

from numseq import layers
from numseq.layers import GeneralParams
from numseq.mistakes.fixtures import A, D, H
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import look, rows


def dot_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change), trace.steps, trace.attention
    values, p, k, scale = attention.values, attention.params, attention.projected, attention.scale
    (T, B, Q), S = looks.query.shape, len(values)
    alphas, queries = looks.alpha, looks.query
    dalpha_out = np.zeros_like(alphas) if dalpha is None else dalpha
    dk, dvalues, dquery = np.zeros_like(k), np.zeros_like(values), np.zeros_like(queries)
    for t in range(T):
        alpha, q = alphas[t], queries[t]  # (B, S), (B, Q)
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t])
        de = eq("de", alpha * (dalpha_t - (dalpha_t * alpha).sum(axis=-1, keepdims=True)))
        dquery[t] = eq("dquery", scale * np.einsum("bs,sbq->bq", de, k))
        dk_t = eq("dk_t", scale * np.einsum("bs,bq->sbq", de, q))
        dk = eq("dk", dk + dk_t)
        dvalues = eq("dvalues", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
    dquery, dvalues = eq("dquery_all", dquery), eq("dvalues_all", dvalues)
    dk = eq("dk_all", dk)
    if p is None:
        return {"dquery": dquery, "dkeys": dk, "dvalues": dvalues}
    dkeys = eq("dkeys", dk @ p.W.T)
    dW = eq("dW", rows(attention.keys).T @ rows(dk))
    return {"dquery": dquery, "dkeys": dkeys, "dvalues": dvalues, "params": GeneralParams(dW)}


know(
    Layer("dot_attention", dot_attention),
    ("dot: only the diagonal of the softmax's Jacobian", "de", lambda v: v.alpha * (1 - v.alpha) * v.dalpha_t,
     "every score moves every weight"),
    ("dot: the weights' own gradient is ignored", "dalpha", lambda v: v.value - v.dalpha_out[v.t],
     "alpha was handed out too: whoever read it sends a gradient"),
    ("dot: keys get the keys, not the query", "dk_t", lambda v: v.de.T[:, :, None] * v.k,
     "e_j = q . k_j: beside k_j stands q"),
    ("dot: the query is averaged over positions", "dquery", lambda v: v.value / v.S,
     "one query met every key: their gradients add"),
    ("dot: keys from alpha, not from de", "dk_t", lambda v: np.einsum("bs,bq->sbq", v.alpha, v.q),
     "a key's gradient comes by its score: de_j, not alpha_j"),
    ("dot: values from de, not from alpha", "dvalues",
     lambda v: v.dvalues + np.einsum("bs,bc->sbc", v.de, v.dcontext[v.t]),
     "context = sum alpha_j v_j: dv_j = alpha_j dcontext"),
    ("dot: keys of the last query only", "dk", lambda v: v.dk_t, "+= and not =: each query met the same keys"),
)  # fmt: skip


know(
    Layer("scaled_dot_attention", dot_attention),
    ("the scale is forgotten on the way to the query", "dquery", lambda v: v.value / v.scale,
     "e_j = q . k_j / sqrt(Q): both factors' gradients have the scale"),
    ("the scale is forgotten on the way to the keys", "dk_t", lambda v: v.value / v.scale,
     "e_j = q . k_j / sqrt(Q): both factors' gradients have the scale"),
    ("the scale is forgotten in both", "de", lambda v: v.value / v.scale,
     "e_j = q . k_j / sqrt(Q): forward divided, so must backward"),
    ("the scale is taken twice", "de", lambda v: v.value * v.scale,
     "e_j = q . k_j / sqrt(Q): once on the way to q, once on the way to k_j, and not in de as well"),
    ("the query's gradient is divided by Q", "dquery", lambda v: v.value * v.scale, "it is the root: 1 / sqrt(Q)"),
    ("the values' gradient is scaled too", "dvalues", lambda v: v.dvalues + v.scale * (v.value - v.dvalues),
     "the scale is of the scores: the values were not scaled"),
)  # fmt: skip


know(
    Layer("general_attention", dot_attention),
    ("general: W of the last query only", "dW",
     lambda v: v.attention.keys.reshape(-1, v.p.W.shape[0]).T @ v.dk_t.reshape(-1, v.Q),
     "+= and not =: each query used the same W"),
    ("general: W is averaged over rows", "dW", lambda v: v.value / v.B,
     "each row used the same W: their gradients add"),
    ("general: W is averaged over positions", "dW", lambda v: v.value / v.S,
     "each key went through the same W: their gradients add"),
    ("general: keys get no gradient through the scores", "dkeys", lambda v: 0 * v.value,
     "k_j = x_j W: dx_j = dk_j W^T"),
    ("general: the scores are scaled in backward", "de", lambda v: v.value / v.Q**0.5,
     "the general score has no scale: backward undoes what forward did"),
    ("general: the query is averaged over positions", "dquery", lambda v: v.value / v.S,
     "one query met every key: their gradients add"),
)  # fmt: skip


def cases(rng):
    general = layers.GeneralAttention.init(rng, H, D, A, float)
    return {
        "dot_attention": look(rng, layers.dot_attention, ("dot_attention", "DotAttention"), D),
        "scaled_dot_attention": look(rng, layers.dot_attention, ("ScaledDotAttention",), D, scaled=True),
        "general_attention": look(rng, layers.general_attention, ("general_attention", "GeneralAttention"), H, general),
    }
