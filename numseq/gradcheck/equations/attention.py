"""The attentions, backwards."""

import numpy as np

from numseq.gradcheck.equations.change import equations
from numseq.layers.attention import AttentionParams

# Names that no equation here reads are there for the bugs to read.
# ruff: noqa: F841


def additive_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change or {}), trace.steps, trace.attention
    values, p, keys = attention.values, attention.params, attention.keys
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
        du = eq("du", np.einsum("bs,a->sba", de, p.w))
        dz = eq("dz", du * (1 - u**2))
        dprojected = eq("dprojected", dz.sum(axis=0))
        dquery[t] = eq("dquery", dprojected @ p.W_q.T)
        dkeys = eq("dkeys", dkeys + dz)
        dvalues = eq("dvalues_context", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
        dW_q = eq("dW_q", dW_q + q.T @ dprojected)
        dw = eq("dw", dw + np.einsum("bs,sba->a", de, u))
    dvalues = eq("dvalues", dvalues + dkeys @ p.W_k.T)
    dW_k = eq("dW_k", values.reshape(-1, values.shape[-1]).T @ dkeys.reshape(-1, dkeys.shape[-1]))
    db = eq("db", dkeys.sum(axis=(0, 1)))
    return {"dquery": dquery, "dvalues": dvalues, "params": AttentionParams(dW_q, dW_k, db, dw)}
