"""The attentions, backwards, and the coverage loss."""

import numpy as np

from numseq.gradcheck.equations.change import equations
from numseq.layers.additive import AdditiveParams
from numseq.layers.coverage import CoverageParams
from numseq.layers.dot import GeneralParams
from numseq.layers.local import LocalParams
from numseq.layers.location import LocationParams
from numseq.layers.multihead import MultiHeadParams

# Names that no equation here reads are there for the bugs to read.
# ruff: noqa: F841


def additive_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change or {}), trace.steps, trace.attention
    values, p, keys = attention.values, attention.params, attention.projected
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
    given = eq("dkeys_given", dkeys @ p.W_k.T)
    dW_k = eq("dW_k", _rows(attention.keys).T @ _rows(dkeys))
    db = None if p.b is None else eq("db", dkeys.sum(axis=(0, 1)))
    return {"dquery": dquery, "dkeys": given, "dvalues": dvalues, "params": AdditiveParams(dW_q, dW_k, db, dw)}


def dot_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change or {}), trace.steps, trace.attention
    values, p, k, scale = attention.values, attention.params, attention.projected, attention.scale
    (T, B, Q), S = looks.query.shape, len(values)
    alphas, queries = looks.alpha, looks.query
    dalpha_out = np.zeros_like(alphas) if dalpha is None else dalpha
    dk, dvalues, dquery = np.zeros_like(k), np.zeros_like(values), np.zeros_like(queries)
    for t in range(T):
        alpha, q = alphas[t], queries[t]  # (B, S), (B, Q)
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t])
        de = eq("de", _softmax(dalpha_t, alpha))
        dquery[t] = eq("dquery", scale * np.einsum("bs,sbq->bq", de, k))
        dk_t = eq("dk_t", scale * np.einsum("bs,bq->sbq", de, q))
        dk = eq("dk", dk + dk_t)
        dvalues = eq("dvalues", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
    if p is None:
        return {"dquery": dquery, "dkeys": dk, "dvalues": dvalues}
    dkeys = eq("dkeys", dk @ p.W.T)
    dW = eq("dW", _rows(attention.keys).T @ _rows(dk))
    return {"dquery": dquery, "dkeys": dkeys, "dvalues": dvalues, "params": GeneralParams(dW)}


scaled_dot_attention = general_attention = dot_attention


def multihead_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change or {}), trace.steps, trace.attention
    p, n, size, scale = attention.params, attention.heads, attention.size, attention.scale
    (T, B, K), S = looks.q.shape, len(attention.values)
    heads = lambda x: x.reshape(*x.shape[:-1], n, size)  # noqa: E731
    k, v = heads(attention.k), heads(attention.v)  # (S, B, n, K / n)
    dalpha_out = np.zeros_like(looks.alpha) if dalpha is None else dalpha
    dquery, dk, dv = np.zeros_like(looks.query), np.zeros_like(k), np.zeros_like(v)
    dW_q, dW_o, dq_sum = np.zeros_like(p.W_q), np.zeros_like(p.W_o), np.zeros(K)
    for t in range(T):
        alpha, q = looks.head_alpha[t], heads(looks.q[t])  # (B, n, S), (B, n, K / n)
        dmixed = eq("dmixed", heads(dcontext[t] @ p.W_o.T))
        dhead_alpha = eq("dhead_alpha", np.einsum("bnd,sbnd->bns", dmixed, v) + dalpha_out[t][:, None] / n)
        de = eq("de", _softmax(dhead_alpha, alpha))
        dq = eq("dq", scale * np.einsum("bns,sbnd->bnd", de, k)).reshape(B, K)
        dk = eq("dk", dk + scale * np.einsum("bns,bnd->sbnd", de, q))
        dv = eq("dv", dv + np.einsum("bns,bnd->sbnd", alpha, dmixed))
        dquery[t] = eq("dquery", dq @ p.W_q.T)
        dW_q = eq("dW_q", dW_q + looks.query[t].T @ dq)
        dW_o = eq("dW_o", dW_o + looks.mixed[t].T @ dcontext[t])
        dq_sum += dq.sum(axis=0)
    dk, dv = dk.reshape(S, B, K), dv.reshape(S, B, K)
    dkeys = eq("dkeys", dk @ p.W_k.T)
    dvalues = eq("dvalues", dv @ p.W_v.T)
    dW_k = eq("dW_k", _rows(attention.keys).T @ _rows(dk))
    dW_v = eq("dW_v", _rows(attention.values).T @ _rows(dv))
    db_q = None if p.b_q is None else eq("db_q", dq_sum)
    db_k = None if p.b_k is None else np.zeros(K)
    db_v = None if p.b_v is None else eq("db_v", dv.sum(axis=(0, 1)))
    db_o = None if p.b_o is None else eq("db_o", dcontext.sum(axis=(0, 1)))
    dparams = MultiHeadParams(dW_q, dW_k, dW_v, dW_o, db_q, db_k, db_v, db_o)
    return {"dquery": dquery, "dkeys": dkeys, "dvalues": dvalues, "params": dparams}


def local_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change or {}), trace.steps, trace.attention
    values, params, k = attention.values, attention.params, attention.projected
    sigma, length = attention.sigma, attention.lengths[0]
    (T, B, Q), S = looks.query.shape, len(values)
    dalpha_out = np.zeros_like(looks.alpha) if dalpha is None else dalpha
    dk, dvalues, dquery = np.zeros_like(k), np.zeros_like(values), np.zeros_like(looks.query)
    dW_p, dv = np.zeros_like(params.W_p), np.zeros_like(params.v)
    for t in range(T):
        alpha, align, gauss = looks.alpha[t], looks.align[t], looks.gauss[t]  # (B, S)
        q, u, fraction = looks.query[t], looks.u[t], looks.fraction[t]  # (B, Q), (B, A), (B,)
        away = np.arange(S) - looks.p[t][:, None]
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t])
        dalign = eq("dalign", dalpha_t * gauss)
        de = eq("de", _softmax(dalign, align))
        dgauss = eq("dgauss", dalpha_t * align)
        dp = eq("dp", (dgauss * gauss * away / sigma**2).sum(axis=-1))
        dfraction = eq("dfraction", dp * length)
        dlogit = eq("dlogit", dfraction * fraction * (1 - fraction))
        du = eq("du", dlogit[:, None] * params.v)
        dz = eq("dz", du * (1 - u**2))
        of_scores, of_place = np.einsum("bs,sbq->bq", de, k), dz @ params.W_p.T
        dquery[t] = eq("dquery", of_scores + of_place)
        dk = eq("dk", dk + np.einsum("bs,bq->sbq", de, q))
        dvalues = eq("dvalues", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
        dW_p = eq("dW_p", dW_p + q.T @ dz)
        dv = eq("dv", dv + dlogit @ u)
    dW = eq("dW", _rows(attention.keys).T @ _rows(dk))
    dparams = LocalParams(dW, dW_p, dv)
    return {"dquery": dquery, "dkeys": dk @ params.W.T, "dvalues": dvalues, "params": dparams}


def location_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change or {}), trace.steps, trace.attention
    values, p, keys = attention.values, attention.params, attention.projected
    T, (S, B, _), (width, n) = len(dcontext), values.shape, p.F.shape
    r = width // 2
    dalpha_out = np.zeros_like(looks.alpha) if dalpha is None else dalpha
    dkeys, dvalues, dquery = np.zeros_like(keys), np.zeros_like(values), np.zeros_like(looks.query)
    dW_q, dw, dF, dU = np.zeros_like(p.W_q), np.zeros_like(p.w), np.zeros_like(p.F), np.zeros_like(p.U)
    dnext = np.zeros((B, S))  # of the weights, from the look after
    for t in reversed(range(T)):
        alpha, alpha_prev, u, f, q = looks.alpha[t], looks.alpha_prev[t], looks.u[t], looks.f[t], looks.query[t]
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t] + dnext)
        de = eq("de", _softmax(dalpha_t, alpha))
        du = eq("du", np.einsum("bs,a->sba", de, p.w))
        dz = eq("dz", du * (1 - u**2))
        dprojected = eq("dprojected", dz.sum(axis=0))
        dquery[t] = eq("dquery", dprojected @ p.W_q.T)
        dkeys = eq("dkeys", dkeys + dz)
        dvalues = eq("dvalues", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
        dW_q = eq("dW_q", dW_q + q.T @ dprojected)
        dw = eq("dw", dw + np.einsum("bs,sba->a", de, u))
        df = eq("df", dz @ p.U.T)
        dF = eq("dF", dF + filters(alpha_prev, df, r))
        dU = eq("dU", dU + np.einsum("sbn,sba->na", f, dz))
        dnext = eq("dnext", convolved_back(df, p.F))
    dW_k, db = _rows(attention.keys).T @ _rows(dkeys), None if p.b is None else dkeys.sum(axis=(0, 1))
    dparams = LocationParams(dW_q, dW_k, db, dw, dF, dU)
    return {"dquery": dquery, "dkeys": dkeys @ p.W_k.T, "dvalues": dvalues, "params": dparams}


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


def coverage_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change or {}), trace.steps, trace.attention
    values, p, keys = attention.values, attention.params, attention.projected
    T, (S, B, _) = len(dcontext), values.shape
    dalpha_out = np.zeros_like(looks.alpha) if dalpha is None else dalpha
    dkeys, dvalues, dquery = np.zeros_like(keys), np.zeros_like(values), np.zeros_like(looks.query)
    dW_q, dw, dw_c = np.zeros_like(p.W_q), np.zeros_like(p.w), np.zeros_like(p.w_c)
    dcoverage = np.zeros((B, S))  # of the next look
    for t in reversed(range(T)):
        alpha, coverage, u, q = looks.alpha[t], looks.coverage[t], looks.u[t], looks.query[t]
        dalpha_t = eq("dalpha", np.einsum("bc,sbc->bs", dcontext[t], values) + dalpha_out[t] + dcoverage)
        de = eq("de", _softmax(dalpha_t, alpha))
        du = eq("du", np.einsum("bs,a->sba", de, p.w))
        dz = eq("dz", du * (1 - u**2))
        dprojected = eq("dprojected", dz.sum(axis=0))
        dquery[t] = eq("dquery", dprojected @ p.W_q.T)
        dkeys = eq("dkeys", dkeys + dz)
        dvalues = eq("dvalues", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
        dW_q = eq("dW_q", dW_q + q.T @ dprojected)
        dw = eq("dw", dw + np.einsum("bs,sba->a", de, u))
        dw_c = eq("dw_c", dw_c + np.einsum("bs,sba->a", coverage, dz))
        here = eq("here", (dz @ p.w_c).T)
        dcoverage = eq("dcoverage", dcoverage + here)
    dW_k, db = _rows(attention.keys).T @ _rows(dkeys), None if p.b is None else dkeys.sum(axis=(0, 1))
    dparams = CoverageParams(dW_q, dW_k, db, dw, dw_c)
    return {"dquery": dquery, "dkeys": dkeys @ p.W_k.T, "dvalues": dvalues, "params": dparams}


def coverage_loss(trace, dloss=1.0, change=None):
    eq, (T, B, S) = equations(change or {}), trace.alpha.shape
    weights = eq("weights", trace.weights)
    dalpha, dcoverage = np.zeros((T, B, S)), np.zeros((B, S))  # the latter of all later looks
    for t in reversed(range(T)):
        real, by_alpha = trace.weights[t][:, None] > 0, trace.by_alpha[t]
        dagain = eq("dagain", np.repeat((weights[t] * dloss)[:, None], S, axis=1))
        dalpha[t] = eq("dalpha", dagain * by_alpha + dcoverage * real)
        dcoverage = eq("dcoverage", dcoverage + dagain * ~by_alpha)
    return {"dalpha": dalpha}


def _softmax(dalpha, alpha):
    return alpha * (dalpha - (dalpha * alpha).sum(axis=-1, keepdims=True))


def _rows(x):
    return x.reshape(-1, x.shape[-1])
