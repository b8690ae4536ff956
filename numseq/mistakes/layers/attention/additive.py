"""Mistakes in the backward of additive attention."""

import numpy as np

from numseq import layers
from numseq.layers import AdditiveParams
from numseq.mistakes.fixtures import A, D, H
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import look, rows


def additive_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change), trace.steps, trace.attention
    values, p, keys = attention.values, attention.params, attention.projected
    w = eq("w", p.w)
    T, S = len(dcontext), len(values)
    alphas, us, queries = looks.alpha, looks.u, looks.query
    dalpha_out = np.zeros_like(alphas) if dalpha is None else dalpha
    dkeys, dvalues = np.zeros_like(keys), np.zeros_like(values)
    dW_q, dw, dquery = np.zeros_like(p.W_q), np.zeros_like(p.w), np.zeros_like(queries)
    for t in range(T):
        alpha, u, q = alphas[t], us[t], queries[t]  # (B, S), (S, B, A), (B, Q)
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t])
        mean = eq("mean", (dalpha_t * alpha).sum(axis=-1, keepdims=True))
        de = eq("de", alpha * (dalpha_t - mean))
        du = np.einsum("bs,a->sba", de, w)
        dscore = eq("dscore", de.T[:, :, None] * (1 - u**2))
        dz = eq("dz", dscore * w)
        dprojected = eq("dprojected", dscore.sum(axis=0) * w)
        dquery[t] = eq("dquery", dprojected @ p.W_q.T)
        dkeys = eq("dkeys", dkeys + dz)
        dvalues = eq("dvalues_context", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
        dW_q = eq("dW_q", dW_q + queries[t].T @ dprojected)
        dw = eq("dw", dw + np.einsum("bs,sba->a", de, u))
    dquery, dvalues = eq("dquery_all", dquery), eq("dvalues", dvalues)
    dW_q, dw = eq("dW_q_all", dW_q), eq("dw_all", dw)
    given = eq("dkeys_given", dkeys @ p.W_k.T)
    dW_k = eq("dW_k", rows(attention.keys).T @ rows(dkeys))
    db = None if p.b is None else eq("db", dkeys.sum(axis=(0, 1)))
    return {"dquery": dquery, "dkeys": given, "dvalues": dvalues, "params": AdditiveParams(dW_q, dW_k, db, dw)}


DZ = (
    "dz = de * w * (1 - u^2), de = alpha * (dalpha - sum_j alpha_j dalpha_j) and "
    "dalpha = dcontext . v_j + what is given"
)
SAYS = {
    "dquery": f"the sum over the positions of dz W_q^T, where {DZ}",
    "dkeys": f"the sum over the queries of dz W_k^T, where {DZ}",
    "dvalues": "the sum over the queries of alpha * dcontext",
    "params.W_q": "the sum over queries, positions and rows of q^T dz",
    "params.W_k": "the sum over queries, positions and rows of x^T dz",
    "params.b": "the sum over queries, positions and rows of dz",
    "params.w": "the sum over queries, positions and rows of de * u",
}


know(
    Layer("additive_attention", additive_attention, says=SAYS),
    ("only the diagonal of the softmax's Jacobian in the attention", "de",
     lambda v: v.alpha * (1 - v.alpha) * v.dalpha_t,
     "every score moves every weight"),
    ("the mean is not subtracted in the attention's softmax", "mean", lambda v: 0 * v.value,
     "de = alpha * (dalpha - sum dalpha alpha)"),
    ("the plain mean in the attention's softmax", "mean", lambda v: v.dalpha_t.mean(axis=-1, keepdims=True),
     "the mean that is subtracted is weighted by alpha: de = alpha * (dalpha - sum dalpha alpha)"),
    ("the attention's softmax is left out", "de", lambda v: v.dalpha_t,
     "the gradient of alpha is not that of the scores"),
    ("the keys get no gradient", "dkeys_given", lambda v: 0 * v.value,
     "a key is read by the scores; where it is a value too, it has two gradients, and they add"),
    ("the values get no gradient", "dvalues_context", lambda v: 0 * v.value,
     "the context is a mean of the values; where a value is a key too, it has two gradients, and they add"),
    ("the query is not summed over positions", "dprojected", lambda v: v.dz[0],
     "one query was compared with every position: their gradients add"),
    ("the query is averaged over positions", "dprojected", lambda v: v.dz.mean(axis=0),
     "one query was compared with every position: their gradients add"),
    ("tanh' is missing in the scores", "dscore", lambda v: np.broadcast_to(v.de.T[:, :, None], v.u.shape),
     "u = tanh(q W_q + k): 1 - u^2"),
    ("tanh' is missing on the way to the keys", "dz", lambda v: v.du, "u = tanh(q W_q + k): 1 - u^2"),
    ("w is missing in the scores", "w", lambda v: np.ones_like(v.value), "e = u . w: du = de * w"),
    ("w is missing on the way to the keys", "dz", lambda v: v.dscore, "e = u . w: du = de * w"),
    ("the weights' own gradient is ignored", "dalpha", lambda v: v.value - v.dalpha_out[v.t],
     "alpha was handed out too: whoever read it sends a gradient"),
    ("the context's gradient does not reach the weights", "dalpha", lambda v: v.dalpha_out[v.t],
     "context = sum alpha_j v_j: dalpha_j = dcontext . v_j"),
    ("W_q of the last query only", "dW_q", lambda v: v.q.T @ v.dprojected,
     "+= and not =: each query used the same W_q"),
    ("w of the last query only", "dw", lambda v: v.value - v.dw, "+= and not =: each query used the same w"),
    ("keys of the last query only", "dkeys", lambda v: v.dz,
     "+= and not =: each query was compared with the same keys"),
    ("values of the last query only", "dvalues_context", lambda v: v.value - v.dvalues,
     "+= and not =: each context is a mean of the same values"),
    ("the keys' bias gets no gradient", "db", lambda v: 0 * v.value, "b was added to each key"),
    ("the keys' bias is averaged over positions", "db", lambda v: v.value / v.S,
     "b was added to each key: its gradients add"),
    ("the weights are missing in the values' gradient", "dvalues_context",
     lambda v: v.dvalues + np.broadcast_to(v.dcontext[v.t], v.value.shape),
     "context = sum alpha_j v_j: dv_j = alpha_j dcontext"),
    ("uniform weights in the values' gradient", "dvalues_context",
     lambda v: v.dvalues + np.broadcast_to(v.dcontext[v.t] / v.S, v.value.shape),
     "context = sum alpha_j v_j: dv_j = alpha_j dcontext"),
)  # fmt: skip


def cases(rng):
    def concat(query, keys, values, params, mask):
        return layers.attend(layers.ConcatAttention(keys, values, params, mask), query)

    additive, concats = (kind.init(rng, H, D, A, float) for kind in (layers.AdditiveAttention, layers.ConcatAttention))
    covers = ("additive_attention", "AdditiveAttention")
    return {
        "additive_attention": look(rng, layers.additive_attention, covers, H, additive),
        "concat_attention": look(rng, concat, ("ConcatAttention", "Attention", "attend"), H, concats),
    }
