"""Gated units as people write them: a GLU, (x W + b) * sigmoid(x V + c), and a highway layer."""

from types import SimpleNamespace

import numpy as np

from numseq.gradcheck import probe

from .way import call, grad, normal, sigmoid, way, wrong


def glu_arrays():
    return {"x": normal(20, 6, 3), "W": normal(21, 3, 4), "V": normal(22, 3, 4), "b": normal(23, 4), "c": normal(24, 4)}


def highway_arrays():
    return {"x": normal(25, 6, 3), "W": normal(26, 3, 3), "W_t": normal(27, 3, 3), "b": normal(28, 3)}


# a trace made of a SimpleNamespace


def glu(x, W, V, b, c):
    a = x @ W + b
    g = sigmoid(x @ V + c)

    def backward(dy):
        da = dy * g
        ds = dy * a * g * (1 - g)
        return SimpleNamespace(dx=da @ W.T + ds @ V.T, dW=x.T @ da, dV=x.T @ ds, db=da.sum(0), dc=ds.sum(0))

    return SimpleNamespace(y=a * g, a=a, g=g, backward=backward, outputs=("y",))


def glu_wrong(x, W, V, b, c):
    a = x @ W + b
    g = sigmoid(x @ V + c)

    def backward(dy):
        da = dy * g
        ds = dy * a * g * (1 - g)
        return SimpleNamespace(dx=da @ W.T, dW=x.T @ da, dV=x.T @ ds, db=da.sum(0), dc=ds.sum(0))

    return SimpleNamespace(y=a * g, a=a, g=g, backward=backward, outputs=("y",))


way("gated, SimpleNamespace trace", lambda: call(glu, glu_arrays()))
wrong("gated, SimpleNamespace trace: dx without the way by the gate", lambda: call(glu_wrong, glu_arrays()), grad("x"))


# a trace without outputs


class Highway:
    """The trace of a highway layer: y = t h + (1 - t) x."""

    def __init__(self, x, W, W_t, b):
        self.x, self.W, self.W_t = x, W, W_t
        self.h = np.tanh(x @ W)
        self.t = sigmoid(x @ W_t + b)
        self.y = self.t * self.h + (1 - self.t) * x

    def backward(self, dy):
        dz = dy * self.t * (1 - self.h**2)
        ds = dy * (self.h - self.x) * self.t * (1 - self.t)
        return {
            "x": dz @ self.W.T + ds @ self.W_t.T + dy * (1 - self.t),
            "W": self.x.T @ dz,
            "W_t": self.x.T @ ds,
            "b": ds.sum(0),
        }


class HighwayNoCarry(Highway):
    def backward(self, dy):
        grads = super().backward(dy)
        grads["x"] = grads["x"] - dy * (1 - self.t)
        return grads


def highway(x, W, W_t, b):
    return Highway(x, W, W_t, b)


def highway_no_carry(x, W, W_t, b):
    return HighwayNoCarry(x, W, W_t, b)


way("gated, trace without outputs", lambda: call(highway, highway_arrays()))
way("gated, the class of the trace itself", lambda: call(Highway, highway_arrays()))
wrong(
    "gated, trace without outputs: dx without the carried part",
    lambda: call(highway_no_carry, highway_arrays()),
    grad("x"),
)


# named intermediates in the cache, and their gradients beside them


def highway_forward(x, W, W_t, b):
    cache = {"x": x, "W": W, "W_t": W_t}
    cache["z"] = x @ W
    cache["h"] = np.tanh(cache["z"])
    cache["s"] = x @ W_t + b
    cache["t"] = sigmoid(cache["s"])
    y = cache["t"] * cache["h"] + (1 - cache["t"]) * x
    return y, cache


def highway_backward(dy, cache):
    x, h, t = cache["x"], cache["h"], cache["t"]
    grads = {}
    grads["dt"] = dy * (h - x)
    grads["dh"] = dy * t
    grads["ds"] = grads["dt"] * t * (1 - t)
    grads["dz"] = grads["dh"] * (1 - h**2)
    grads["dW"] = x.T @ grads["dz"]
    grads["dW_t"] = x.T @ grads["ds"]
    grads["db"] = grads["ds"].sum(axis=0)
    grads["dx"] = dy * (1 - t) + grads["dz"] @ cache["W"].T + grads["ds"] @ cache["W_t"].T
    return grads


def highway_backward_gate(dy, cache):
    x, h, t = cache["x"], cache["h"], cache["t"]
    grads = {}
    grads["dt"] = dy * h
    grads["dh"] = dy * t
    grads["ds"] = grads["dt"] * t * (1 - t)
    grads["dz"] = grads["dh"] * (1 - h**2)
    grads["dW"] = x.T @ grads["dz"]
    grads["dW_t"] = x.T @ grads["ds"]
    grads["db"] = grads["ds"].sum(axis=0)
    grads["dx"] = dy * (1 - t) + grads["dz"] @ cache["W"].T + grads["ds"] @ cache["W_t"].T
    return grads


way("gated, named intermediates", lambda: call(highway_forward, highway_arrays(), backward=highway_backward))
wrong(
    "gated, named intermediates: dt without -x",
    lambda: call(highway_forward, highway_arrays(), backward=highway_backward_gate),
    r"\bdt\b",
    "first",
)


# probes


def probed_glu(x, W, V, b, c):
    a = probe("a", x @ W + b)
    s = probe("s", x @ V + c)
    g = probe("g", sigmoid(s))
    return a * g, (x, W, V, a, g)


def probed_glu_backward(dy, cache):
    x, W, V, a, g = cache
    da = probe("da", dy * g)
    dg = probe("dg", dy * a)
    ds = probe("ds", dg * g * (1 - g))
    return da @ W.T + ds @ V.T, x.T @ da, x.T @ ds, da.sum(0), ds.sum(0)


def probed_glu_backward_twice(dy, cache):
    x, W, V, a, g = cache
    da = probe("da", dy * g)
    dg = probe("dg", dy * a * g)
    ds = probe("ds", dg * g * (1 - g))
    return da @ W.T + ds @ V.T, x.T @ da, x.T @ ds, da.sum(0), ds.sum(0)


def probed_glu_backward_sigmoid(dy, cache):
    x, W, V, a, g = cache
    da = probe("da", dy * g)
    dg = probe("dg", dy * a)
    ds = probe("ds", dg * g * (1 + g))
    return da @ W.T + ds @ V.T, x.T @ da, x.T @ ds, da.sum(0), ds.sum(0)


way("gated, probes", lambda: call(probed_glu, glu_arrays(), backward=probed_glu_backward))
wrong(
    "gated, probes: dg has the gate once more",
    lambda: call(probed_glu, glu_arrays(), backward=probed_glu_backward_twice),
    r"\bdg\b",
    "first",
)
wrong(
    "gated, probes: wrong sign in the sigmoid's derivative",
    lambda: call(probed_glu, glu_arrays(), backward=probed_glu_backward_sigmoid),
    r"\bds\b",
    "first",
)


# forward and backward as for jax.custom_vjp


def glu_fwd(x, W, V, b, c):
    a, s = x @ W + b, x @ V + c
    return a * sigmoid(s), (x, W, V, a, s)


def glu_bwd(res, g):
    x, W, V, a, s = res
    gate = sigmoid(s)
    ga = g * gate
    gs = g * a * gate * (1 - gate)
    return (ga @ W.T + gs @ V.T, x.T @ ga, x.T @ gs, ga.sum(0), gs.sum(0))


def glu_bwd_missing(res, g):
    x, W, V, a, s = res
    gate = sigmoid(s)
    ga = g * gate
    gs = g * a * gate
    return (ga @ W.T + gs @ V.T, x.T @ ga, x.T @ gs, ga.sum(0), gs.sum(0))


way("gated, fwd and bwd of JAX", lambda: call(glu_fwd, tuple(glu_arrays().values()), backward=glu_bwd))
wrong(
    "gated, fwd and bwd of JAX: factor 1 - g forgotten",
    lambda: call(glu_fwd, tuple(glu_arrays().values()), backward=glu_bwd_missing),
    grad("V"),
    grad("c"),
)


# a closure; both halves are made by one product


def gated_linear_unit(x, weights):
    a, s = np.split(x @ weights["kernel"] + weights["bias"], 2, axis=-1)
    gate = sigmoid(s)

    def pullback(dy):
        both = np.concatenate([dy * gate, dy * a * gate * (1 - gate)], axis=-1)
        return both @ weights["kernel"].T, {"kernel": x.T @ both, "bias": both.sum(0)}

    return a * gate, pullback


def gated_linear_unit_swapped(x, weights):
    a, s = np.split(x @ weights["kernel"] + weights["bias"], 2, axis=-1)
    gate = sigmoid(s)

    def pullback(dy):
        both = np.concatenate([dy * a * gate * (1 - gate), dy * gate], axis=-1)
        return both @ weights["kernel"].T, {"kernel": x.T @ both, "bias": both.sum(0)}

    return a * gate, pullback


def kernel_and_bias():
    return {"x": normal(30, 6, 3), "weights": {"kernel": normal(31, 3, 8), "bias": normal(32, 8)}}


way("gated, closure, weights in a dict", lambda: call(gated_linear_unit, kernel_and_bias()))
wrong(
    "gated, closure, weights in a dict: halves swapped",
    lambda: call(gated_linear_unit_swapped, kernel_and_bias()),
    "kernel",
    "bias",
    "column|block|swap|order",
)


# cache first


def geglu_forward(x, W, V):
    a, s = x @ W, x @ V
    u = 0.7978845608 * (s + 0.044715 * s**3)
    gelu = 0.5 * s * (1 + np.tanh(u))
    return a * gelu, (x, W, V, a, s, u, gelu)


def geglu_backward(cache, dout):
    x, W, V, a, s, u, gelu = cache
    du = 0.7978845608 * (1 + 3 * 0.044715 * s**2)
    dgelu = 0.5 * (1 + np.tanh(u)) + 0.5 * s * (1 - np.tanh(u) ** 2) * du
    da = dout * gelu
    ds = dout * a * dgelu
    return {"grad_x": da @ W.T + ds @ V.T, "grad_W": x.T @ da, "grad_V": x.T @ ds}


way(
    "gated, backward(cache, dout), grad_ names",
    lambda: call(
        geglu_forward, {"x": normal(40, 6, 3), "W": normal(41, 3, 4), "V": normal(42, 3, 4)}, backward=geglu_backward
    ),
)
