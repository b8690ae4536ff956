"""Mistakes in the backward of coverage attention."""

import numpy as np

from numseq import layers
from numseq.layers import CoverageParams
from numseq.mistakes.fixtures import A, D, H
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import look, rows


def coverage_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change), trace.steps, trace.attention
    values, p, keys = attention.values, attention.params, attention.projected
    w, w_c = p.w, p.w_c
    T, (S, B, _) = len(dcontext), values.shape
    dalpha_out = np.zeros_like(looks.alpha) if dalpha is None else dalpha
    dkeys, dvalues, dquery = np.zeros_like(keys), np.zeros_like(values), np.zeros_like(looks.query)
    dW_q, dw, dw_c = np.zeros_like(p.W_q), np.zeros_like(p.w), np.zeros_like(p.w_c)
    dcoverage = np.zeros((B, S))  # of the next look
    for t in eq("looks_back", list(reversed(range(T)))):
        alpha, coverage, u, q = looks.alpha[t], looks.coverage[t], looks.u[t], looks.query[t]
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t] + dcoverage)
        de = eq("de", alpha * (dalpha_t - (dalpha_t * alpha).sum(axis=-1, keepdims=True)))
        du = np.einsum("bs,a->sba", de, w)
        dscore = eq("dscore", de.T[:, :, None] * (1 - u**2))
        dz = eq("dz", dscore * w)
        dprojected = eq("dprojected", dscore.sum(axis=0) * w)
        dquery[t] = eq("dquery", dprojected @ p.W_q.T)
        dkeys = eq("dkeys", dkeys + dz)
        dvalues = eq("dvalues", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
        dW_q = eq("dW_q", dW_q + looks.query[t].T @ dprojected)
        dw = eq("dw", dw + np.einsum("bs,sba->a", de, u))
        dw_c = eq("dw_c", dw_c + np.einsum("bs,sba->a", coverage, dz))
        here = eq("here", (dz @ p.w_c).T)
        dcoverage = eq("dcoverage", dcoverage + here)
    dquery, dvalues = eq("dquery_all", dquery), eq("dvalues_all", dvalues)
    dW_q, dw = eq("dW_q_all", dW_q), eq("dw_all", dw)
    given = eq("dkeys_given", dkeys @ p.W_k.T)
    dW_k = eq("dW_k", rows(attention.keys).T @ rows(dkeys))
    db = None if p.b is None else eq("db", dkeys.sum(axis=(0, 1)))
    dparams = CoverageParams(dW_q, dW_k, db, dw, dw_c)
    return {"dquery": dquery, "dkeys": given, "dvalues": dvalues, "params": dparams}


know(
    Layer("coverage_attention", coverage_attention),
    ("the coverage gets no gradient", "dcoverage", lambda v: 0 * v.value,
     "what was looked at before is read by every later look: its gradient comes back"),
    ("the coverage's gradient reaches the look just before only", "dcoverage", lambda v: v.here,
     "alpha_t is part of the coverage of every later look, so dcoverage adds up on the way back"),
    ("w_c meets the weights, not the coverage", "dw_c",
     lambda v: v.dw_c + np.einsum("bs,sba->a", v.alpha, v.dz),
     "beside w_c stands the coverage, the sum of the looks before"),
    ("w_c meets a coverage that has this look in it", "dw_c",
     lambda v: v.dw_c + np.einsum("bs,sba->a", v.coverage + v.alpha, v.dz),
     "the coverage of a look is of the looks before it"),
    ("w_c of the last look only", "dw_c", lambda v: v.value if v.t == v.T - 1 else v.dw_c,
     "+= and not =: each look used the same w_c"),
    ("tanh' is missing on the way to the coverage", "here", lambda v: (v.du @ v.p.w_c).T,
     "u = tanh(q W_q + k_j + cov_j w_c): 1 - u^2 for all that is added within"),
    ("w in place of w_c on the way to the coverage", "here", lambda v: (v.dz @ v.p.w).T,
     "cov_j was multiplied by w_c, and u by w"),
    ("the coverage's gradient is averaged over positions", "here",
     lambda v: np.broadcast_to(v.value.mean(axis=-1, keepdims=True), v.value.shape),
     "each position has a coverage of its own"),
)  # fmt: skip


def cases(rng):
    params = layers.CoverageAttention.init(rng, H, D, A, float)
    covers = ("coverage_attention", "CoverageAttention")
    return {"coverage_attention": look(rng, layers.coverage_attention, covers, H, params)}
