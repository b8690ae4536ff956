"""Mistakes in the backward of multi-head attention."""

import numpy as np

from numseq import layers
from numseq.layers import MultiHeadParams
from numseq.mistakes.fixtures import D, V
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import C, look, rows


def multihead_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change), trace.steps, trace.attention
    p, n, size, scale = attention.params, attention.heads, attention.size, attention.scale
    (T, B, K), S = looks.q.shape, len(attention.values)
    if attention.sees is not None:
        dcontext = np.where(attention.sees.any(axis=-1)[..., None], dcontext, 0)  # what sees nothing has no b_o either
    heads = lambda x: x.reshape(*x.shape[:-1], n, size)  # noqa: E731
    k, v = heads(attention.k), heads(attention.v)  # (S, B, n, K / n)
    dalpha_out = np.zeros_like(looks.alpha) if dalpha is None else dalpha
    dquery, dk, dv = np.zeros_like(looks.query), np.zeros_like(k), np.zeros_like(v)
    dW_q, dW_o, dq_sum = np.zeros_like(p.W_q), np.zeros_like(p.W_o), np.zeros(K)
    for t in range(T):
        alpha, q = looks.head_alpha[t], heads(looks.q[t])  # (B, n, S), (B, n, K / n)
        mean_alpha, mixed = looks.alpha[t][:, None], heads(looks.mixed[t])
        dmixed = eq("dmixed", heads(dcontext[t] @ p.W_o.T))
        dhead_alpha = eq("dhead_alpha", np.einsum("bnd,sbnd->bns", dmixed, v) + dalpha_out[t][:, None] / n)
        de = eq("de", alpha * (dhead_alpha - (dhead_alpha * alpha).sum(axis=-1, keepdims=True)))
        dq = eq("dq", scale * np.einsum("bns,sbnd->bnd", de, k)).reshape(B, K)
        dk = eq("dk", dk + scale * np.einsum("bns,bnd->sbnd", de, q))
        dv = eq("dv", dv + np.einsum("bns,bnd->sbnd", alpha, dmixed))
        dquery[t] = eq("dquery", dq @ p.W_q.T)
        dW_q = eq("dW_q", dW_q + looks.query[t].T @ dq)
        dW_o = eq("dW_o", dW_o + looks.mixed[t].T @ dcontext[t])
        dq_sum += dq.sum(axis=0)
    dk, dv = dk.reshape(S, B, K), dv.reshape(S, B, K)
    dquery, dW_q, dW_o = eq("dquery_all", dquery), eq("dW_q_all", dW_q), eq("dW_o_all", dW_o)
    dkeys = eq("dkeys", dk @ p.W_k.T)
    dvalues = eq("dvalues", dv @ p.W_v.T)
    dW_k = eq("dW_k", rows(attention.keys).T @ rows(dk))
    dW_v = eq("dW_v", rows(attention.values).T @ rows(dv))
    db_q = None if p.b_q is None else eq("db_q", dq_sum)
    db_k = None if p.b_k is None else eq("db_k", np.zeros(K))
    db_v = None if p.b_v is None else eq("db_v", dv.sum(axis=(0, 1)))
    db_o = None if p.b_o is None else eq("db_o", dcontext.sum(axis=(0, 1)))
    dparams = MultiHeadParams(dW_q, dW_k, dW_v, dW_o, db_q, db_k, db_v, db_o)
    return {"dquery": dquery, "dkeys": dkeys, "dvalues": dvalues, "params": dparams}


NO_WEIGHT = "b_k adds the same to all scores of a query, so it moves no weight: its gradient is 0"
know(
    Layer("multihead_attention", multihead_attention),
    ("the mean of the weights: not divided by the heads", "dhead_alpha",
     lambda v: v.value + (1 - 1 / v.n) * v.dalpha_out[v.t][:, None],
     "alpha = mean over n heads: each gets dalpha / n"),
    ("the mean of the weights: its gradient is ignored", "dhead_alpha",
     lambda v: v.value - v.dalpha_out[v.t][:, None] / v.n,
     "alpha was handed out too: whoever read it sends a gradient to every head"),
    ("the mean of the weights: its gradient goes to one head", "dhead_alpha",
     lambda v: v.value + ((np.arange(v.n) == 0) - 1 / v.n)[:, None] * v.dalpha_out[v.t][:, None],
     "alpha = mean over n heads: each gets dalpha / n"),
    ("heads: the scale is forgotten on the way to the queries", "dq", lambda v: v.value / v.scale,
     "e = q . k / sqrt(K / n): both factors' gradients have the scale"),
    ("heads: the scale is forgotten on the way to the keys", "dk", lambda v: v.dk + (v.value - v.dk) / v.scale,
     "e = q . k / sqrt(K / n): both factors' gradients have the scale"),
    ("heads: the scale is that of all heads together", "de", lambda v: v.value / v.n**0.5,
     "a head has K / n numbers, and its scores are divided by sqrt(K / n)"),
    ("heads: the queries' gradients are averaged", "dq",
     lambda v: np.broadcast_to(v.value.mean(axis=1, keepdims=True), v.value.shape),
     "each head has columns of its own, and they stand side by side"),
    ("heads: they are laid side by side the wrong way round", "dmixed",
     lambda v: v.value.reshape(v.B, v.size, v.n).transpose(0, 2, 1),
     "a head's numbers are neighbours: split K as (n, K / n), not as (K / n, n)"),
    ("heads: two change places", "dmixed", lambda v: v.value[:, ::-1], "head h has columns h K / n to (h + 1) K / n"),
    ("heads: the softmax is undone over heads", "de",
     lambda v: v.alpha * (v.dhead_alpha - (v.dhead_alpha * v.alpha).sum(axis=1, keepdims=True)),
     "each head's weights sum to 1 over positions"),
    ("heads: values by the mean of the weights", "dv",
     lambda v: v.dv + np.einsum("bs,bnd->sbnd", v.alpha.mean(axis=1), v.dmixed),
     "each head took the mean of its values with weights of its own"),
    ("heads: W_o of the last query only", "dW_o", lambda v: v.value - v.dW_o,
     "+= and not =: each query used the same W_o"),
    ("heads: the keys' gradient is of the last query only", "dk", lambda v: v.value - v.dk,
     "+= and not =: each query met the same keys"),
    ("heads: W_v is averaged over positions", "dW_v", lambda v: v.value / v.S,
     "each value went through the same W_v: their gradients add"),
    ("heads: b_v as if weights were not", "db_v", lambda v: v.value * v.S,
     "weights sum to 1: b_v reaches each context once, not once for each position"),
    ("heads: b_o is averaged over queries", "db_o", lambda v: v.value / v.T, "b_o was added to each context"),
    ("heads: b_k gets the gradient of b_q", "db_k", lambda v: v.db_q, NO_WEIGHT),
    ("heads: b_k as if a weight did not take from the others", "db_k",
     lambda v: v.scale * (v.alpha.sum(axis=-1)[..., None] * v.q).reshape(v.B, v.K).sum(axis=0), NO_WEIGHT),
)  # fmt: skip


def cases(rng):
    K = 16  # all heads together
    params = layers.MultiHeadAttention.init(rng, V - 1, D, K, float)
    params.W_v, params.W_o, params.b_o = np.empty((C, K)), np.empty((K, V)), np.empty(V)  # no two widths alike
    params.b_k = np.empty(K)  # which `init` leaves out
    covers = ("multihead_attention", "MultiHeadAttention")
    return {"multihead_attention": look(rng, layers.multihead_attention, covers, V - 1, params, heads=2)}
