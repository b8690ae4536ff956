"""Mistakes in the backward of a convolution."""

import numpy as np

from numseq import layers
from numseq.layers.convolution import ConvolutionParams
from numseq.mistakes.fixtures import REAL, A, B, Case, D, S, T, V, call, rescaled
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.attention.look import rows
from numseq.mistakes.layers.windows import assigned, given_back, looks, seen, there


def convolution(trace, dy, change=None):
    eq, x, windows, K = equations(change), trace.x, trace.windows, dy.shape[-1]
    W, b, x_mask, y_mask = trace.params.W, trace.params.b, there(trace.x_mask, trace.x), there(trace.y_mask, dy)
    u = seen(x, looks(windows))  # (P, B, k, D)
    matrix = W.reshape(-1, K)
    dy_real = eq("dy_real", dy * y_mask)
    dW = eq("dW", (rows(u.reshape(*dy.shape[:-1], -1)).T @ rows(dy_real)).reshape(W.shape))
    db = None if b is None else eq("db", rows(dy_real).sum(axis=0))
    du = eq("du", (dy_real @ matrix.T).reshape(u.shape))
    dx_seen = eq("dx_seen", given_back(du, looks(windows)))
    dx = eq("dx", dx_seen * x_mask)
    return {"dx": dx, "params": ConvolutionParams(dW, db)}


def _turned(W):
    """W with its taps in reversed order along each axis of places."""
    return W[tuple(slice(None, None, -1) for _ in W.shape[:-2])]


def _of_channels(v):
    """du for a matrix whose rows are said to be channels first, then taps."""
    D = v.W.shape[-2]
    taps = v.matrix.reshape(-1, D, v.K).swapaxes(0, 1).reshape(v.matrix.shape)
    return (v.dy_real @ taps.T).reshape(v.u.shape)


MANY = "W was used by every window of every row: its gradients add"
OVERLAP = "a place is seen by several windows, through another tap by each: it gets the sum of what they give"
know(
    Layer("convolution", convolution),
    ("convolution: windows that overlap write over one another", "dx_seen",
     lambda v: assigned(v.du, looks(v.windows)), OVERLAP),
    ("convolution: windows that overlap are averaged", "dx_seen",
     lambda v: v.value / np.maximum(given_back(np.ones_like(v.du), looks(v.windows)), 1), OVERLAP),
    ("convolution: the stride is forgotten on the way back", "dx_seen",
     lambda v: given_back(v.du, looks(v.windows, stride=1)), "window p began at p * stride, so it gives there"),
    ("convolution: the padding is forgotten on the way back", "dx_seen",
     lambda v: given_back(v.du, looks(v.windows, before=0)),
     "the first window began in the padding: what it gives there is cut off, not moved"),
    ("convolution: the taps are turned round on the way back", "du",
     lambda v: (v.dy_real @ _turned(v.W).reshape(-1, v.K).T).reshape(v.u.shape),
     "each tap gives back by its own W_j; turned round they are only where dx is written as a convolution of dy"),
    ("convolution: only the first tap gives back", "du", lambda v: v.value * (np.arange(v.u.shape[-2]) == 0)[:, None],
     "all k places of a window had a say in y"),
    ("convolution: channels and taps are exchanged", "du", _of_channels,
     "a window is written tap by tap, and within a tap channel by channel: u and W alike"),
    ("convolution: dW has its taps turned round", "dW", lambda v: _turned(v.value),
     "W_j meets what its own tap saw"),
    ("convolution: dW is a mean over windows and rows", "dW", lambda v: v.value / len(rows(v.dy)), MANY),
    ("convolution: dW is a mean over the rows of a batch", "dW", lambda v: v.value / v.dy.shape[-2], MANY),
    ("convolution: dW of the last window only", "dW",
     lambda v: (rows(v.u[-1].reshape(*v.dy.shape[1:-1], -1)).T @ rows(v.dy_real[-1])).reshape(v.W.shape), MANY),
    ("convolution: db is a mean over windows and rows", "db", lambda v: v.value / len(rows(v.dy)),
     "a bias is added in every window, so its gradients add"),
    ("convolution: db counts each window once for each tap", "db", lambda v: v.value * v.u.shape[-2],
     "a bias is added once in every window, however many places this sees"),
    ("convolution: windows that are not real have a gradient", "dy_real", lambda v: v.dy,
     "y is 0 there whatever W is"),
    ("convolution: places that are not real get a gradient", "dx", lambda v: v.dx_seen,
     "what is not real was taken for 0 and had no say in y"),
)  # fmt: skip


def cases(rng):
    def case(*shape, size, bias=True, **options):
        params = layers.init_convolution(rng, D, A, size, float, axes=len(shape) - 2, bias=bias)
        inputs = {"x": rng.standard_normal(shape), "params": rescaled(rng, params)}
        return Case(call(layers.convolution, **options), inputs, ("convolution",))

    return {
        "convolution": case(T, B, D, size=3, stride=2, padding="same", mask=REAL),
        "convolution, without a bias": case(V, B, D, size=4, stride=3, bias=False),
        "convolution, picture": case(S, T, B, D, size=2),
        "convolution, picture, strided": case(S, T, B, D, size=3, stride=2, padding="same"),
    }
