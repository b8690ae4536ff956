"""Mistakes in the backward of location-aware attention."""

import numpy as np

from numseq import layers
from numseq.layers import LocationParams
from numseq.mistakes.fixtures import A, D, H
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import look, rows


def location_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change), trace.steps, trace.attention
    values, p, keys = attention.values, attention.params, attention.projected
    w = p.w
    T, (S, B, _), (width, n) = len(dcontext), values.shape, p.F.shape
    r = width // 2
    dalpha_out = np.zeros_like(looks.alpha) if dalpha is None else dalpha
    dkeys, dvalues, dquery = np.zeros_like(keys), np.zeros_like(values), np.zeros_like(looks.query)
    dW_q, dw, dF, dU = np.zeros_like(p.W_q), np.zeros_like(p.w), np.zeros_like(p.F), np.zeros_like(p.U)
    dnext = np.zeros((B, S))  # of the weights, from the look after
    for t in eq("looks_back", list(reversed(range(T)))):
        alpha, alpha_prev, u, f, q = looks.alpha[t], looks.alpha_prev[t], looks.u[t], looks.f[t], looks.query[t]
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t] + dnext)
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
        df = eq("df", dz @ p.U.T)
        dF = eq("dF", dF + filters(alpha_prev, df, r))
        dU = eq("dU", dU + np.einsum("sbn,sba->na", f, dz))
        dnext = eq("dnext", convolved_back(df, p.F))
    dquery, dvalues = eq("dquery_all", dquery), eq("dvalues_all", dvalues)
    dW_q, dw = eq("dW_q_all", dW_q), eq("dw_all", dw)
    given = eq("dkeys_given", dkeys @ p.W_k.T)
    dW_k = eq("dW_k", rows(attention.keys).T @ rows(dkeys))
    db = None if p.b is None else eq("db", dkeys.sum(axis=(0, 1)))
    dparams = LocationParams(dW_q, dW_k, db, dw, dF, dU)
    return {"dquery": dquery, "dkeys": given, "dvalues": dvalues, "params": dparams}


def convolved_back(df, F):
    """The gradient, (B, S), of the weights from that of their features, (S, B, n)."""
    (S, B, _), r = df.shape, len(F) // 2
    d = np.zeros((B, S))
    for j in range(S):
        for k in range(len(F)):
            if 0 <= j + k - r < S:
                d[:, j + k - r] += df[j] @ F[k]  # f_j = sum_k F_k alpha_{j + k - r}
    return d


def filters(alpha, df, r):
    """The gradient of the filters, (2r + 1, n)."""
    dF, S = np.zeros((2 * r + 1, df.shape[-1])), len(df)
    for j in range(S):
        for k in range(len(dF)):
            if 0 <= j + k - r < S:
                dF[k] += alpha[:, j + k - r] @ df[j]
    return dF


know(
    Layer("location_attention", location_attention),
    ("the last weights get no gradient", "dnext", lambda v: 0 * v.value,
     "alpha_{t-1} is read by look t: its gradient comes back"),
    ("what comes back from the next look replaces the weights' own", "dalpha",
     lambda v: v.dnext if v.t < v.T - 1 else v.value,
     "alpha_t is read by its context and by the next look: their gradients add"),
    ("the weights' gradient goes back one look and no further", "dnext",
     lambda v: 0 * v.value if v.t % 2 else v.value,
     "alpha_{t-1} itself came of alpha_{t-2}: truncation is a choice, and then not the gradient of this loss"),
    ("the filters are not turned round in backward", "dnext", lambda v: convolved_back(v.df, v.p.F[::-1]),
     "f_j = sum_k F_k alpha_{j+k-r}: alpha_i stood at place k of f_{i-k+r}, so the filters run the other way"),
    ("only the filters' middle goes back", "dnext", lambda v: np.einsum("sbn,n->bs", v.df, v.p.F[v.r]),
     "a weight was seen from all positions around it"),
    ("the convolution's gradient wraps around the ends", "dnext",
     lambda v: sum(np.roll(v.df @ v.p.F[k], k - v.r, axis=0) for k in range(v.width)).T,
     "beyond the ends there were zeros, not the other end"),
    ("F of the last query only", "dF", lambda v: v.value if v.t == v.T - 1 else v.dF,
     "+= and not =: each query used the same F"),
    ("F sees this look's weights", "dF", lambda v: v.dF + filters(v.alpha, v.df, v.r),
     "f_t was made of alpha_{t-1}, before alpha_t was known"),
    ("F is turned round", "dF", lambda v: v.dF + (v.value - v.dF)[::-1],
     "f_j = sum_k F_k alpha_{j+k-r}: beside F_k stands the neighbour k - r to the right"),
    ("F has one gradient for all its places", "dF",
     lambda v: v.dF + np.broadcast_to((v.value - v.dF).mean(axis=0), v.value.shape),
     "each place of a filter saw another neighbour"),
    ("U of the last query only", "dU", lambda v: v.value if v.t == v.T - 1 else v.dU,
     "+= and not =: each query used the same U"),
    ("tanh' is missing on the way to the features", "df", lambda v: v.du @ v.p.U.T,
     "u = tanh(q W_q + k_j + f_j U): 1 - u^2 for all that is added within"),
    ("w is missing on the way to the features", "df",
     lambda v: (v.de.T[:, :, None] * (1 - v.u**2)) @ v.p.U.T, "e = u . w: du = de * w"),
    ("features are averaged over positions", "df", lambda v: v.value / v.S,
     "each position has features of its own: nothing is shared between them but F and U"),
)  # fmt: skip


def cases(rng):
    params = layers.LocationAttention.init(rng, H, D, A, float, filters=8, width=3)
    covers = ("location_attention", "LocationAttention")
    return {"location_attention": look(rng, layers.location_attention, covers, H, params)}
