"""Scaled dot-product attention as people write it: softmax(q k' / sqrt(d) where mask) v."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from numseq.gradcheck import probe

from .way import call, grad, normal, way, wrong

MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], dtype=bool)  # (B, S)


def batch():
    """Queries (B, T, D), keys (B, S, D), values (B, S, E), mask (B, S)."""
    return {"q": normal(130, 3, 4, 2), "k": normal(131, 3, 5, 2), "v": normal(132, 3, 5, 6), "mask": MASK.copy()}


def single():
    return {"q": normal(133, 4, 2), "k": normal(134, 5, 2), "v": normal(135, 5, 3)}


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


# several outputs, the cache last; -inf


def attention_forward(q, k, v, mask):
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    scores = np.where(mask[:, None, :], scores, -np.inf)
    weights = softmax(scores)
    return weights @ v, weights, (q, k, v, weights)


def attention_backward(dcontext, dweights, cache):
    q, k, v, weights = cache
    dv = weights.transpose(0, 2, 1) @ dcontext
    dw = dweights + dcontext @ v.transpose(0, 2, 1)
    ds = weights * (dw - np.sum(dw * weights, axis=-1, keepdims=True))
    ds /= np.sqrt(q.shape[-1])
    return ds @ k, ds.transpose(0, 2, 1) @ q, dv


def attention_backward_scale(dcontext, dweights, cache):
    q, k, v, weights = cache
    dv = weights.transpose(0, 2, 1) @ dcontext
    dw = dweights + dcontext @ v.transpose(0, 2, 1)
    ds = weights * (dw - np.sum(dw * weights, axis=-1, keepdims=True))
    return ds @ k, ds.transpose(0, 2, 1) @ q, dv


def attention_backward_weights(dcontext, dweights, cache):
    q, k, v, weights = cache
    dv = weights.transpose(0, 2, 1) @ dcontext
    dw = dcontext @ v.transpose(0, 2, 1)
    ds = weights * (dw - np.sum(dw * weights, axis=-1, keepdims=True))
    ds /= np.sqrt(q.shape[-1])
    return ds @ k, ds.transpose(0, 2, 1) @ q, dv


def attention_backward_context(dcontext, cache):
    """Of two outputs the second is for pictures only."""
    return attention_backward(dcontext, 0, cache)


way("attention, cache last of three", lambda: call(attention_forward, batch(), backward=attention_backward))
way(
    "attention, cache last of three, backward takes the first output's gradient alone",
    lambda: call(attention_forward, batch(), backward=attention_backward_context),
    says=["weights|second|not differentiated|output"],
)
wrong(
    "attention, cache last of three: 1 / sqrt(d) forgotten",
    lambda: call(attention_forward, batch(), backward=attention_backward_scale),
    grad("q"),
    grad("k"),
    r"1\.41|factor|times",
)
wrong(
    "attention, cache last of three: dweights not used",
    lambda: call(attention_forward, batch(), backward=attention_backward_weights),
    grad("q"),
    grad("k"),
)


# named intermediates, -1e9


def attend(q, k, v, mask):
    cache = {"q": q, "k": k, "v": v}
    cache["scores"] = np.einsum("btd,bsd->bts", q, k) / np.sqrt(q.shape[-1])
    cache["masked"] = np.where(mask[:, None, :], cache["scores"], -1e9)
    cache["alpha"] = softmax(cache["masked"])
    out = np.einsum("bts,bse->bte", cache["alpha"], v)
    cache["mask"] = mask
    return out, cache


def attend_backward(dout, cache):
    q, k, alpha = cache["q"], cache["k"], cache["alpha"]
    grads = {}
    grads["dalpha"] = np.einsum("bte,bse->bts", dout, cache["v"])
    grads["dmasked"] = alpha * (grads["dalpha"] - (grads["dalpha"] * alpha).sum(-1, keepdims=True))
    grads["dscores"] = np.where(cache["mask"][:, None, :], grads["dmasked"], 0)
    grads["dq"] = np.einsum("bts,bsd->btd", grads["dscores"], k) / np.sqrt(q.shape[-1])
    grads["dk"] = np.einsum("bts,btd->bsd", grads["dscores"], q) / np.sqrt(q.shape[-1])
    grads["dv"] = np.einsum("bts,bte->bse", alpha, dout)
    return grads


def attend_backward_axis(dout, cache):
    q, k, alpha = cache["q"], cache["k"], cache["alpha"]
    grads = {}
    grads["dalpha"] = np.einsum("bte,bse->bts", dout, cache["v"])
    grads["dmasked"] = alpha * (grads["dalpha"] - (grads["dalpha"] * alpha).sum(1, keepdims=True))
    grads["dscores"] = np.where(cache["mask"][:, None, :], grads["dmasked"], 0)
    grads["dq"] = np.einsum("bts,bsd->btd", grads["dscores"], k) / np.sqrt(q.shape[-1])
    grads["dk"] = np.einsum("bts,btd->bsd", grads["dscores"], q) / np.sqrt(q.shape[-1])
    grads["dv"] = np.einsum("bts,bte->bse", alpha, dout)
    return grads


way("attention, named intermediates, -1e9", lambda: call(attend, batch(), backward=attend_backward))
wrong(
    "attention, named intermediates, -1e9: summed over the queries",
    lambda: call(attend, batch(), backward=attend_backward_axis),
    r"\bdmasked\b",
    "first",
)


# a trace; weights are multiplied by the mask after the softmax


def masked_attention(q, k, v, mask):
    e = np.exp(q @ k.swapaxes(1, 2)) * mask[:, None]
    z = e.sum(-1, keepdims=True)
    alpha = e / z
    context = alpha @ v

    def backward(dcontext):
        dalpha = dcontext @ v.swapaxes(1, 2)
        dscore = alpha * (dalpha - (dalpha * alpha).sum(-1, keepdims=True))
        return SimpleNamespace(dq=dscore @ k, dk=dscore.swapaxes(1, 2) @ q, dv=alpha.swapaxes(1, 2) @ dcontext)

    return SimpleNamespace(outputs=("context",), alpha=alpha, context=context, backward=backward)


def masked_attention_forgets(q, k, v, mask):
    trace = masked_attention(q, k, v, mask)

    def backward(dcontext):
        alpha = softmax(q @ k.swapaxes(1, 2))
        dalpha = dcontext @ v.swapaxes(1, 2)
        dscore = alpha * (dalpha - (dalpha * alpha).sum(-1, keepdims=True))
        return SimpleNamespace(dq=dscore @ k, dk=dscore.swapaxes(1, 2) @ q, dv=alpha.swapaxes(1, 2) @ dcontext)

    trace.backward = backward
    return trace


way("attention, SimpleNamespace trace", lambda: call(masked_attention, batch()))
wrong(
    "attention, SimpleNamespace trace: mask forgotten in backward",
    lambda: call(masked_attention_forgets, batch()),
    grad("q"),
    grad("k"),
    grad("v"),
)


# no cache; causal


def causal_attention(q, k, v):
    scores = q @ k.T / q.shape[-1] ** 0.5
    scores = scores + np.triu(np.full(scores.shape, -1e9), k=1)
    return softmax(scores) @ v


def causal_attention_backward(q, k, v, dout):
    scale = q.shape[-1] ** 0.5
    a = softmax(q @ k.T / scale + np.triu(np.full((len(q), len(k)), -1e9), k=1))
    da = dout @ v.T
    ds = a * (da - (a * da).sum(axis=1, keepdims=True)) / scale
    return {"q": ds @ k, "k": ds.T @ q, "v": a.T @ dout}


def causal_attention_backward_exchanged(q, k, v, dout):
    grads = causal_attention_backward(q, k, v, dout)
    return {"q": grads["q"], "k": grads["v"], "v": grads["k"]}


def self_attention_inputs():
    return {"q": normal(136, 5, 3), "k": normal(137, 5, 3), "v": normal(138, 5, 3)}


way(
    "attention, no cache, causal, backward(q, k, v, dout)",
    lambda: call(causal_attention, self_attention_inputs(), backward=causal_attention_backward),
)
wrong(
    "attention, no cache, causal: dk and dv exchanged",
    lambda: call(causal_attention, self_attention_inputs(), backward=causal_attention_backward_exchanged),
    grad("k"),
    grad("v"),
    "swap|order|exchange|of the other|gradient of",
)


# closure; lengths are integers


def attention_with_lengths(q, k, v, lengths):
    scores = q @ k.transpose(0, 2, 1)
    for n, length in enumerate(lengths):
        scores[n, :, length:] = -1e9
    alpha = softmax(scores)

    def backward(dy):
        dalpha = dy @ v.transpose(0, 2, 1)
        dscores = alpha * (dalpha - (dalpha * alpha).sum(-1, keepdims=True))
        return dscores @ k, dscores.transpose(0, 2, 1) @ q, alpha.transpose(0, 2, 1) @ dy

    return alpha @ v, backward


def attention_with_lengths_none(q, k, v, lengths):
    y, backward = attention_with_lengths(q, k, v, lengths)
    return y, lambda dy: (*backward(dy), None)


def attention_with_lengths_wrong(q, k, v, lengths):
    y, _ = attention_with_lengths(q, k, v, lengths)
    scores = q @ k.transpose(0, 2, 1)
    for n, length in enumerate(lengths):
        scores[n, :, length:] = -1e9
    alpha = softmax(scores)

    def backward(dy):
        dscores = alpha * (dy @ v.transpose(0, 2, 1))
        return dscores @ k, dscores.transpose(0, 2, 1) @ q, alpha.transpose(0, 2, 1) @ dy

    return y, backward


def ragged():
    return [normal(130, 3, 4, 2), normal(131, 3, 5, 2), normal(132, 3, 5, 6), np.array([3, 5, 2])]


way("attention, closure, integer lengths", lambda: call(attention_with_lengths, ragged()))
way("attention, closure, integer lengths, None for them", lambda: call(attention_with_lengths_none, ragged()))
wrong(
    "attention, closure, integer lengths: the sum in the softmax's backward forgotten",
    lambda: call(attention_with_lengths_wrong, ragged()),
    grad("q"),
    grad("k"),
)


# JAX: two outputs are one tuple, as is their gradient


def attention_fwd(q, k, v):
    p = softmax(q @ k.T)
    return (p @ v, p), (q, k, v, p)


def attention_bwd(res, g):
    q, k, v, p = res
    g_out, g_p = g
    dp = g_out @ v.T + g_p
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    return ds @ k, ds.T @ q, p.T @ g_out


way(
    "attention, fwd and bwd of JAX, outputs in a tuple",
    lambda: call(attention_fwd, tuple(single().values()), backward=attention_bwd),
)


# probes, and gradients in a named tuple

AttentionGrads = namedtuple("AttentionGrads", "dq dk dv")


def probed_attention(q, k, v):
    s = probe("s", q @ k.T / np.sqrt(q.shape[1]))
    p = probe("p", softmax(s))
    return p @ v, (q, k, v, p)


def probed_attention_backward(dy, cache):
    q, k, v, p = cache
    dp = probe("dp", dy @ v.T)
    ds = probe("ds", p * (dp - (dp * p).sum(1, keepdims=True)))
    ds = ds / np.sqrt(q.shape[1])
    return AttentionGrads(ds @ k, ds.T @ q, p.T @ dy)


def probed_attention_backward_sign(dy, cache):
    q, k, v, p = cache
    dp = probe("dp", dy @ v.T)
    ds = probe("ds", p * (dp + (dp * p).sum(1, keepdims=True)))
    ds = ds / np.sqrt(q.shape[1])
    return AttentionGrads(ds @ k, ds.T @ q, p.T @ dy)


way(
    "attention, probes, gradients a named tuple",
    lambda: call(probed_attention, single(), backward=probed_attention_backward),
)
wrong(
    "attention, probes, gradients a named tuple: sign in the softmax",
    lambda: call(probed_attention, single(), backward=probed_attention_backward_sign),
    r"\bds\b",
    "first",
)
