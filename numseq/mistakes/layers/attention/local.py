"""Mistakes in the backward of local attention."""

import numpy as np

from numseq import layers
from numseq.layers import LocalParams
from numseq.mistakes.fixtures import CLEAR, A, D, H, fit
from numseq.mistakes.kinks import nearest_kink
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import look, rows


def local_attention(trace, dcontext, dalpha=None, change=None):
    eq, looks, attention = equations(change), trace.steps, trace.attention
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
        de = eq("de", align * (dalign - (dalign * align).sum(axis=-1, keepdims=True)))
        dgauss = eq("dgauss", dalpha_t * align)
        dp = eq("dp", (dgauss * gauss * away / sigma**2).sum(axis=-1))
        dfraction = eq("dfraction", dp * length)
        dlogit = eq("dlogit", dfraction * fraction * (1 - fraction))
        du = eq("du", dlogit[:, None] * params.v)
        dz = eq("dz", du * (1 - u**2))
        W_p = params.W_p
        of_scores, of_place = np.einsum("bs,sbq->bq", de, k), dz @ W_p.T
        dquery[t] = eq("dquery", of_scores + dz @ W_p.T)
        dk = eq("dk", dk + np.einsum("bs,bq->sbq", de, q))
        dvalues = eq("dvalues", dvalues + np.einsum("bs,bc->sbc", alpha, dcontext[t]))
        dW_p = eq("dW_p", dW_p + looks.query[t].T @ dz)
        dv = eq("dv", dv + dlogit @ u)
    dquery, dvalues = eq("dquery_all", dquery), eq("dvalues_all", dvalues)
    dW_p, dv = eq("dW_p_all", dW_p), eq("dv_all", dv)
    dkeys = eq("dkeys", dk @ params.W.T)
    dW = eq("dW", rows(attention.keys).T @ rows(dk))
    dparams = LocalParams(dW, dW_p, dv)
    return {"dquery": dquery, "dkeys": dkeys, "dvalues": dvalues, "params": dparams}


know(
    Layer("local_attention", local_attention),
    ("the Gaussian's way to p is forgotten", "dp", lambda v: 0 * v.value,
     "gauss = exp(-(j - p)^2 / (2 sigma^2)) moves with p: that is how p learns"),
    ("the Gaussian is left out on the way to the scores", "dalign", lambda v: v.dalpha_t,
     "alpha = align * gauss: dalign = dalpha * gauss"),
    ("align is left out on the way to the Gaussian", "dgauss", lambda v: v.dalpha_t * (v.align > 0),
     "alpha = align * gauss: dgauss = dalpha * align"),
    ("the Gaussian is not its own derivative's factor", "dp",
     lambda v: (v.dgauss * v.away / v.sigma**2).sum(axis=-1), "exp' = exp: dp = dgauss * gauss * (j - p) / sigma^2"),
    ("sigma is forgotten", "dp", lambda v: v.value * v.sigma**2,
     "d gauss / dp = gauss * (j - p) / sigma^2"),
    ("sigma, not its square", "dp", lambda v: v.value * v.sigma, "d gauss / dp = gauss * (j - p) / sigma^2"),
    ("2 sigma^2 in the Gaussian's derivative", "dp", lambda v: v.value / 2,
     "the square's derivative has a 2, and cancels that of 2 sigma^2"),
    ("the Gaussian's derivative has the wrong sign", "dp", lambda v: -v.value,
     "to the right of p, where j > p, moving p to the right makes gauss larger"),
    ("the source's length is forgotten", "dfraction", lambda v: v.dp, "p = L fraction: dfraction = dp * L"),
    ("the length is that of the longest source", "dfraction", lambda v: v.dp * v.S,
     "p = L fraction with the row's own L: padding is no place to look"),
    ("the place's sigma' is missing", "dlogit", lambda v: v.dfraction,
     "fraction = sigma(u . v): fraction (1 - fraction)"),
    ("the place's tanh' is missing", "dz", lambda v: v.du, "u = tanh(q W_p): 1 - u^2"),
    ("the query gets the scores' gradient only", "dquery", lambda v: v.of_scores,
     "a query is read twice, by the scores and by p: their gradients add"),
    ("the query gets the place's gradient only", "dquery", lambda v: v.of_place,
     "a query is read twice, by the scores and by p: their gradients add"),
    ("alpha is taken for the softmax", "de",
     lambda v: v.alpha * (v.dalign - (v.dalign * v.alpha).sum(axis=-1, keepdims=True)),
     "the softmax is align; alpha is what the Gaussian leaves of it, and does not sum to 1"),
    ("values by align, not by alpha", "dvalues",
     lambda v: v.dvalues + np.einsum("bs,bc->sbc", v.align, v.dcontext[v.t]),
     "context = sum alpha_j v_j, after the Gaussian"),
    ("W_p of the last query only", "dW_p", lambda v: v.value - v.dW_p, "+= and not =: each query used the same W_p"),
    ("v of the last query only", "dv", lambda v: v.value - v.dv, "+= and not =: each query used the same v"),
)  # fmt: skip


def cases(rng):
    params, covers = layers.LocalAttention.init(rng, H, D, A, float), ("local_attention", "LocalAttention")
    draw = lambda: look(rng, layers.local_attention, covers, H, params, window=1.5)  # noqa: E731
    return {"local_attention": fit(draw, lambda trace: nearest_kink(trace) > CLEAR)}  # of an edge of a window
