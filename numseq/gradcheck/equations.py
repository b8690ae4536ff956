"""The backward passes once more, equation by equation, so that any one of them can be changed.

Plain loops, one line for each gradient, no care for speed: `eq("di", dc * g)` is the equation of di. `change` puts
another in its place, a function of everything named so far. With no change each of these is the library's own
backward, and a test holds them equal; with one, it is a known bug (`numseq.gradcheck.bugs`).
"""

import sys
from types import SimpleNamespace

import numpy as np

from numseq import layers
from numseq.layers import LinearParams, LSTMParams
from numseq.layers.attention import AttentionParams
from numseq.layers.bidirectional import BiLSTMParams
from numseq.layers.embedding import EmbeddingParams

# Names that no equation here reads are there for the bugs to read.
# ruff: noqa: F841, B007


def _equations(change):
    """eq(name, value): the value, or what `change` makes of the caller's local names."""

    def eq(name, value):
        if name not in change:
            return value
        return change[name](SimpleNamespace(value=value, **sys._getframe(1).f_locals))

    return eq


def sigmoid(trace, dy, change):
    eq, y = _equations(change), trace.y
    x = np.log(y / (1 - y))
    return {"dx": eq("dx", dy * y * (1 - y)), "x": x}


def tanh(trace, dy, change):
    eq, y = _equations(change), trace.y
    x = np.arctanh(y)
    return {"dx": eq("dx", dy * (1 - y**2)), "x": x}


def softmax(trace, dy, change):
    eq, p = _equations(change), trace.y
    mean = eq("mean", (dy * p).sum(axis=-1, keepdims=True))
    return {"dx": eq("dx", p * (dy - mean))}


def log_softmax(trace, dy, change):
    eq, p = _equations(change), np.exp(trace.y)
    total = eq("total", dy.sum(axis=-1, keepdims=True))
    return {"dx": eq("dx", dy - p * total)}


def linear(trace, dy, change):
    eq, x, W = _equations(change), trace.x, trace.params.W
    x_rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    dx = eq("dx", dy @ W.T)
    dW = eq("dW", x_rows.T @ dy_rows)
    db = eq("db", dy_rows.sum(axis=0))
    return {"dx": dx, "params": LinearParams(dW, db)}


def embedding(trace, dy, change):
    eq, ids, W = _equations(change), trace.ids.reshape(-1), trace.params.W
    dy_rows = dy.reshape(-1, dy.shape[-1])
    dW = np.zeros_like(W)
    np.add.at(dW, ids, dy_rows)
    dW = eq("dW", dW)
    if trace.padding_id is not None:
        dW[eq("padding_id", trace.padding_id)] = 0
    return {"params": EmbeddingParams(dW)}


def dropout(trace, dy, change):
    eq, mask = _equations(change), trace.mask
    return {"dx": eq("dx", dy if mask is None else dy * mask)}


def cross_entropy(trace, dloss, change):
    eq, logits, targets, weights = _equations(change), trace.logits, trace.targets, trace.weights
    p = layers.softmax(logits)
    V = logits.shape[-1]
    mask = weights > 0
    onehot = np.eye(V)[targets]
    weights = eq("weights", weights)
    dlogits = eq("dlogits", (p - onehot) * weights[..., None] * dloss)
    return {"dlogits": dlogits}


def lstm_step(s, dh, dc, change):
    eq = _equations(change)
    i, f, g, o, c, c_prev, tanh_c = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c
    dc_in = dc
    do = eq("do", dh * tanh_c)
    dc = eq("dc", dc_in + dh * o * (1 - tanh_c**2))
    di = eq("di", dc * g)
    df = eq("df", dc * c_prev)
    dg = eq("dg", dc * i)
    dc_prev = eq("dc_prev", dc * f)
    da_i = eq("da_i", di * i * (1 - i))
    da_f = eq("da_f", df * f * (1 - f))
    da_g = eq("da_g", dg * (1 - g**2))
    da_o = eq("da_o", do * o * (1 - o))
    da = np.concatenate(eq("da", [da_i, da_f, da_g, da_o]), axis=-1)
    return {"da": da, "dc_prev": dc_prev, "di": di, "df": df, "dg": dg, "do": do, "dc": dc}


def lstm(trace, dh=None, dh_T=None, dc_T=None, change=None):
    change = change or {}
    eq, run, x = _equations(change), trace.run, trace.x
    W_x, W_h, T = run.params.W_x, run.params.W_h, len(x)
    h_prev, order, a_shape = run.prev[0], run.order, run.a.shape
    mask = np.ones(x.shape[:2], dtype=bool) if run.mask is None else run.mask
    mask = eq("mask", mask)
    zero = np.zeros_like(h_prev[0])
    dh = np.zeros_like(h_prev) if dh is None else dh
    dh_next = eq("dh_T", zero if dh_T is None else dh_T)
    dc_next = eq("dc_T", zero if dc_T is None else dc_T)
    da = np.zeros(a_shape)
    for k, t in enumerate(reversed(order)):
        s, real = run.steps[t], mask[t][:, None]
        dh_t = eq("dh_t", dh[t] + dh_next)
        step = lstm_step(s, np.where(real, dh_t, 0), np.where(real, dc_next, 0), change)
        da[t] = step["da"]
        dh_prev = eq("dh_prev", da[t] @ W_h.T)
        dh_next = eq("dh_next", dh_prev + np.where(real, 0, dh_t))
        dc_next = eq("dc_next", step["dc_prev"] + np.where(real, 0, dc_next))
    dx = eq("dx", da @ W_x.T)
    dW_x = eq("dW_x", sum(x[t].T @ da[t] for t in range(T)))
    dW_h = eq("dW_h", sum(h_prev[t].T @ da[t] for t in range(T)))
    db = eq("db", da.sum(axis=(0, 1)))
    return {"dx": dx, "dh0": dh_next, "dc0": dc_next, "params": LSTMParams(dW_x, dW_h, db)}


def bilstm(trace, dh=None, dh_T=None, dc_T=None, change=None):
    change = change or {}
    eq, run, x, B = _equations(change), trace.run, trace.x, trace.x.shape[1]
    mask = None if run.mask is None else run.mask[:, :B]
    starts = [prev[0].reshape(2, B, -1) for prev in run.prev]
    H = starts[0].shape[-1]
    dh = np.zeros((*x.shape[:2], 2 * H)) if dh is None else dh
    (dh_T, dc_T) = (np.zeros_like(starts[0]) if d is None else d for d in (dh_T, dc_T))
    ahead, back = (
        layers.lstm(x, *(start[k] for start in starts), p, mask, reverse=bool(k))
        for k, p in enumerate((run.params.ahead, run.params.back))
    )
    dh_ahead, dh_back = eq("dh_ahead", dh[..., :H]), eq("dh_back", dh[..., H:])
    dh_T_back = eq("dh_T_back", dh_T[1])
    mask_back = eq("mask_back", {})
    ga = lstm(ahead, dh_ahead, dh_T[0], dc_T[0], {k: v for k, v in change.items() if k in LSTM_NAMES})
    gb = lstm(back, dh_back, dh_T_back, dc_T[1], {k: v for k, v in change.items() if k in LSTM_NAMES} | mask_back)
    dx_ahead, dx_back = ga["dx"], gb["dx"]
    dx_both = eq("dx_both", dx_ahead + dx_back)
    dh0, dc0 = (np.stack([ga[name], gb[name]]) for name in ("dh0", "dc0"))
    both = eq("both", [ga["params"], gb["params"]])
    return {"dx": dx_both, "dh0": dh0, "dc0": dc0, "params": BiLSTMParams(*both)}


LSTM_NAMES = {
    "do", "dc", "di", "df", "dg", "dc_prev", "da_i", "da_f", "da_g", "da_o", "da", "mask", "dh_T", "dc_T", "dh_t",
    "dh_prev", "dh_next", "dc_next", "dx", "dW_x", "dW_h", "db",
}  # fmt: skip


def additive_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = _equations(change or {}), trace.steps, trace.attention
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


def tied_embedding(trace, dlogits, change):
    """logits = E[ids] E^T: one matrix, read twice."""
    eq, ids, E = _equations(change), trace.ids.reshape(-1), trace.E
    y, d = trace.y.reshape(len(ids), -1), dlogits.reshape(len(ids), -1)
    dy = eq("dy", d @ E)
    looked_up = np.zeros_like(E)
    np.add.at(looked_up, ids, dy)
    read_out = eq("read_out", d.T @ y)
    return {"dE": eq("dE", looked_up + read_out)}


def clip_by_global_norm(trace, largest, change):
    """grads * min(1, largest / norm over all of them), for a dict of arrays."""
    eq, grads = _equations(change), trace.grads
    norm = eq("norm", np.sqrt(sum((g**2).sum() for g in grads.values())))
    factor = eq("factor", dict.fromkeys(grads, min(1.0, largest / norm)))
    return {"grads": eq("grads", {name: g * factor[name] for name, g in grads.items()})}
