"""A residual block as people write it: y = x + relu(x W1 + b1) W2 + b2, or with a tanh."""

import numpy as np

from .way import call, grad, normal, way, wrong


def arrays():
    return {
        "x": normal(50, 5, 3),
        "W1": normal(51, 3, 4),
        "b1": normal(52, 4),
        "W2": normal(53, 4, 3),
        "b2": normal(54, 3),
    }


def padded():
    """The last two rows are padding, and b1 is zero as at the start of training: relu at 0 there."""
    x = normal(50, 5, 3)
    x[3:] = 0
    return {**arrays(), "x": x, "b1": np.zeros(4)}


# a trace


class ResidualTrace:
    outputs = ("y",)

    def __init__(self, x, W1, b1, W2, b2):
        self.x, self.W1, self.W2 = x, W1, W2
        self.h = np.tanh(x @ W1 + b1)
        self.y = x + self.h @ W2 + b2

    def backward(self, dy):
        da = dy @ self.W2.T * (1 - self.h**2)
        return {
            "dx": dy + da @ self.W1.T,
            "dW1": self.x.T @ da,
            "db1": da.sum(0),
            "dW2": self.h.T @ dy,
            "db2": dy.sum(0),
        }


class ResidualTraceNoSkip(ResidualTrace):
    def backward(self, dy):
        grads = super().backward(dy)
        return {**grads, "dx": grads["dx"] - dy}


def residual(x, W1, b1, W2, b2):
    return ResidualTrace(x, W1, b1, W2, b2)


def residual_no_skip(x, W1, b1, W2, b2):
    return ResidualTraceNoSkip(x, W1, b1, W2, b2)


way("residual, trace", lambda: call(residual, arrays()))
wrong("residual, trace: dx without the skip", lambda: call(residual_no_skip, arrays()), r"\bdx\b")


# cs231n, relu


def block_forward(x, W1, b1, W2, b2):
    a = x @ W1 + b1
    h = np.maximum(0, a)
    out = x + h @ W2 + b2
    return out, (x, W1, W2, a, h)


def block_backward(dout, cache):
    x, W1, W2, a, h = cache
    dW2 = h.T @ dout
    db2 = dout.sum(axis=0)
    da = dout @ W2.T
    da[a <= 0] = 0
    dW1 = x.T @ da
    db1 = da.sum(axis=0)
    dx = da @ W1.T
    dx += dout
    return dx, dW1, db1, dW2, db2


def block_backward_no_mask(dout, cache):
    x, W1, W2, _a, h = cache
    dW2 = h.T @ dout
    db2 = dout.sum(axis=0)
    da = dout @ W2.T
    dW1 = x.T @ da
    db1 = da.sum(axis=0)
    dx = da @ W1.T
    dx += dout
    return dx, dW1, db1, dW2, db2


def block_backward_in_place(dout, cache):
    x, W1, W2, a, h = cache
    dW2 = h.T @ dout
    db2 = dout.sum(axis=0)
    da = dout @ W2.T
    da[a <= 0] = 0
    dW1 = x.T @ da
    db1 = da.sum(axis=0)
    dout += da @ W1.T
    return dout, dW1, db1, dW2, db2


way("residual, cs231n pair, relu", lambda: call(block_forward, arrays(), backward=block_backward))
way(
    "residual, cs231n pair, relu at 0 in padded rows",
    lambda: call(block_forward, padded(), backward=block_backward),
    says=["kink"],
)
wrong(
    "residual, cs231n pair, relu: the relu's mask forgotten",
    lambda: call(block_forward, arrays(), backward=block_backward_no_mask),
    grad("W1"),
    grad("x"),
)
wrong(
    "residual, cs231n pair, relu at 0 in padded rows: the relu's mask forgotten",
    lambda: call(block_forward, padded(), backward=block_backward_no_mask),
    grad("W1"),
)
way(
    "residual, cs231n pair, relu: dout += in place",
    lambda: call(block_forward, arrays(), backward=block_backward_in_place),
    None,
    ["dout", "chang|in place|overw"],
)


# closures put together


def linear(x, W, b):
    return x @ W + b, lambda dy: (dy @ W.T, x.T @ dy, dy.sum(0))


def relu(x):
    mask = x > 0
    return x * mask, lambda dy: dy * mask


def residual_block(x, W1, b1, W2, b2):
    a, back1 = linear(x, W1, b1)
    h, back_relu = relu(a)
    y, back2 = linear(h, W2, b2)

    def back(d):
        dh, dW2, db2 = back2(d)
        dx, dW1, db1 = back1(back_relu(dh))
        return dx + d, dW1, db1, dW2, db2

    return x + y, back


def residual_block_wrong_order(x, W1, b1, W2, b2):
    a, back1 = linear(x, W1, b1)
    h, back_relu = relu(a)
    y, back2 = linear(h, W2, b2)

    def back(d):
        dh, dW2, db2 = back2(d)
        dx, dW1, db1 = back_relu(dh), *back1(dh)[1:]
        return dx @ W1.T + d, dW1, db1, dW2, db2

    return x + y, back


way("residual, closure", lambda: call(residual_block, arrays()))
wrong(
    "residual, closure: dW1 and db1 from before the relu",
    lambda: call(residual_block_wrong_order, arrays()),
    grad("W1"),
    grad("b1"),
)


# no cache, and nested parameters


def resnet(x, params):
    for p in params:
        x = x + np.tanh(x @ p["W"]) @ p["V"]
    return x


def resnet_backward(dy, x, params):
    xs = [x]
    for p in params:
        xs.append(xs[-1] + np.tanh(xs[-1] @ p["W"]) @ p["V"])
    grads = []
    dx = dy.copy()
    for p, x in zip(reversed(params), reversed(xs[:-1]), strict=True):
        h = np.tanh(x @ p["W"])
        da = (dx @ p["V"].T) * (1 - h * h)
        grads.append({"W": x.T @ da, "V": h.T @ dx})
        dx += da @ p["W"].T
    return {"x": dx, "params": grads[::-1]}


def resnet_backward_order(dy, x, params):
    grads = resnet_backward(dy, x, params)
    return {**grads, "params": grads["params"][::-1]}


def blocks():
    return [{"W": normal(60 + i, 3, 4), "V": normal(70 + i, 4, 3)} for i in range(3)]


way(
    "residual, no cache, params a list of dicts",
    lambda: call(resnet, {"x": normal(59, 5, 3), "params": blocks()}, backward=resnet_backward),
)
wrong(
    "residual, no cache, params a list of dicts: gradients in backward's order",
    lambda: call(resnet, {"x": normal(59, 5, 3), "params": blocks()}, backward=resnet_backward_order),
    r"params.*0.*W",
    r"params.*2.*V",
)


# JAX


def res_fwd(x, w1, w2):
    h = np.maximum(x @ w1, 0)
    return x + h @ w2, {"x": x, "w1": w1, "w2": w2, "h": h}


def res_bwd(res, g):
    gh = (g @ res["w2"].T) * (res["h"] > 0)
    return g + gh @ res["w1"].T, res["x"].T @ gh, res["h"].T @ g


way(
    "residual, fwd and bwd of JAX",
    lambda: call(res_fwd, (normal(73, 5, 3), normal(74, 3, 4), normal(75, 4, 3)), backward=res_bwd),
)
