"""What breaks the contract, or can hardly be meant: of each kind one, in several of the styles."""

from types import SimpleNamespace

import numpy as np

from .way import BAD_INPUT, call, grad, normal, sigmoid, way


def broken(name, make, *says, error=None):
    way("broken, " + name, make, None, says, error)


def arrays():
    return {"x": normal(250, 5, 3), "W": normal(251, 3, 4), "b": normal(252, 4)}


def forward(x, W, b):
    return x @ W + b, (x, W)


def backward(dy, cache):
    x, W = cache
    return {"dx": dy @ W.T, "dW": x.T @ dy, "db": dy.sum(0)}


# what backward returns


def backward_returns_nothing(dy, cache):
    backward(dy, cache)


def backward_forgets_b(dy, cache):
    x, W = cache
    return {"dx": dy @ W.T, "dW": x.T @ dy}


def backward_gives_two(dy, cache):
    x, W = cache
    return dy @ W.T, x.T @ dy


def backward_none_for_w(dy, cache):
    _x, W = cache
    return dy @ W.T, None, dy.sum(0)


def backward_misspells(dy, cache):
    grads = backward(dy, cache)
    return {"dx": grads["dx"], "dw_": grads["dW"], "db": grads["db"]}


def backward_float32(dy, cache):
    return {name: g.astype(np.float32) for name, g in backward(dy, cache).items()}


def backward_list(dy, cache):
    return {name: g.tolist() for name, g in backward(dy, cache).items()}


def backward_column(dy, cache):
    grads = backward(dy, cache)
    return {**grads, "db": grads["db"][:, None]}


def backward_nan(dy, cache):
    grads = backward(dy, cache)
    return {**grads, "dW": np.full_like(grads["dW"], np.nan)}


broken(
    "backward returns None",
    lambda: call(forward, arrays(), backward=backward_returns_nothing),
    "backward",
    "return|None|nothing",
)
broken(
    "a dict forgets an input",
    lambda: call(forward, arrays(), backward=backward_forgets_b),
    r"\bd?b\b",
    "missing|no gradient",
)
broken(
    "two gradients for three inputs",
    lambda: call(forward, arrays(), backward=backward_gives_two),
    r"\b(2|two)\b",
    r"\b(3|three)\b",
)
broken(
    "None for an array",
    lambda: call(forward, arrays(), backward=backward_none_for_w),
    grad("W"),
    "None|missing|no gradient",
)
broken("a name misspelt", lambda: call(forward, arrays(), backward=backward_misspells), "did you mean", "dW")
broken("float32 gradients", lambda: call(forward, arrays(), backward=backward_float32), "float32")
broken("gradients are lists of numbers", lambda: call(forward, arrays(), backward=backward_list), "list", "array")
broken(
    "a gradient is a column",
    lambda: call(forward, arrays(), backward=backward_column),
    r"\bdb\b",
    "shape",
    r"\(4, 1\)",
    r"\(4,\)",
)
broken("a gradient is NaN", lambda: call(forward, arrays(), backward=backward_nan), r"\bdW\b", "nan|finite")


def lstm(a, c_prev):
    i, f, g, o = np.split(a, 4, axis=1)
    c = sigmoid(f) * c_prev + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)

    def backward(dh, dc):
        si, sf, tg, so = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        dc = dc + dh * so * (1 - np.tanh(c) ** 2)
        gates = [
            dc * tg * si * (1 - si),
            dc * c_prev * sf * (1 - sf),
            dc * si * (1 - tg**2),
            dh * np.tanh(c) * so * (1 - so),
        ]
        return SimpleNamespace(da=np.hstack(gates), dc_prv=dc * sf)

    return SimpleNamespace(h=h, c=c, backward=backward)


broken(
    "a name misspelt in a record",
    lambda: call(lstm, {"a": normal(253, 5, 12), "c_prev": normal(254, 5, 3)}),
    "did you mean",
    "dc_prev",
    "dc_prv",
)


# forward and backward


def forward_without_cache(x, W, b):
    return x @ W + b


RNG = np.random.default_rng(255)


def dropout(x, p):
    mask = RNG.random(x.shape) > p
    return x * mask, mask


def dropout_backward(dy, mask):
    return dy * mask


def forward_standardises(x, W, b):
    x -= x.mean(axis=0)
    return x @ W + b, (x, W)


def backward_scales_cache(dy, cache):
    x, W = cache
    x *= 2.0
    return {"dx": dy @ W.T, "dW": x.T @ dy / 2.0, "db": dy.sum(0)}


def backward_writes_upstream(dy, cache):
    x, W = cache
    grads = {"db": dy.sum(0), "dW": x.T @ dy}
    dy *= 0.5
    return {**grads, "dx": 2 * dy @ W.T}


def backward_other_names(gradient, stuff, more):
    return backward(gradient, stuff)


def forward_none(x, W, b):
    x @ W + b


def relu_forward(x):
    x[x < 0] = 0
    return x, x


def relu_backward(dout, cache):
    dout[cache <= 0] = 0
    return dout


class NoBackward:
    def __init__(self):
        self.W = normal(251, 3, 4)

    def forward(self, x):
        return x @ self.W


class ForgetsToWrite(NoBackward):
    """dW is a local variable."""

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        dW = self.x.T @ dy
        return dy @ self.W.T + 0 * dW.sum()


class Doubles(ForgetsToWrite):
    """W is changed by the gradient at once, as with a step of training inside."""

    def backward(self, dy):
        self.dW = self.x.T @ dy
        dx = dy @ self.W.T
        self.W -= 0.1 * self.dW
        return dx


class SavesNothing:
    @staticmethod
    def forward(ctx, x, W):
        return x @ W

    @staticmethod
    def backward(ctx, grad_y):
        x, W = ctx.saved_tensors
        return grad_y @ W.T, x.T @ grad_y


broken("forward forgets the cache", lambda: call(forward_without_cache, arrays(), backward=backward), "cache")
broken("no backward at all", lambda: call(forward_without_cache, arrays()), "backward", error=BAD_INPUT)
broken("an object without backward", lambda: call(NoBackward(), normal(250, 5, 3)), "backward", error=BAD_INPUT)
broken("forward returns None", lambda: call(forward_none, arrays(), backward=backward), "forward", "None|return")
broken(
    "random numbers inside forward",
    lambda: call(dropout, {"x": normal(250, 5, 3), "p": 0.5}, backward=dropout_backward),
    "forward",
    "random|same|differ|determin",
)
broken(
    "forward changes its input",
    lambda: call(forward_standardises, arrays(), backward=backward),
    r"\bx\b",
    "chang|overw|in place",
)
broken(
    "a relu in place",
    lambda: call(relu_forward, normal(256, 5, 3), backward=relu_backward),
    r"\bx\b",
    "chang|overw|in place",
)
broken(
    "backward changes the cache, and so an input",
    lambda: call(forward, arrays(), backward=backward_scales_cache),
    r"\bx\b|cache",
    "chang|overw|in place|twice",
)
broken(
    "backward changes the gradient that it was given",
    lambda: call(forward, arrays(), backward=backward_writes_upstream),
    "dy",
    "chang|overw|in place",
)
broken(
    "backward takes what nobody has",
    lambda: call(forward, arrays(), backward=backward_other_names),
    "gradient",
    "stuff",
    "more",
    error=BAD_INPUT,
)
broken("an object leaves dW in a local variable", lambda: call(ForgetsToWrite(), normal(250, 5, 3)), r"\bd?W\b")
broken(
    "an object changes its weights in backward",
    lambda: call(Doubles(), normal(250, 5, 3)),
    r"\bW\b",
    "chang|overw|in place",
)
broken(
    "autograd.Function that saves nothing",
    lambda: call(SavesNothing, (normal(250, 5, 3), normal(251, 3, 4))),
    "save",
)
