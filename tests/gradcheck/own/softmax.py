"""A softmax with temperature as people write it: y = softmax(x / tau)."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from .way import call, grad, normal, way, wrong


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def scores():
    return normal(100, 4, 5)


# no cache; the temperature is a float, with or without a gradient


def softmax_temperature(x, temperature):
    return softmax(x / temperature)


def softmax_temperature_backward(dy, x, temperature):
    y = softmax(x / temperature)
    return y * (dy - np.sum(dy * y, axis=-1, keepdims=True)) / temperature


def softmax_temperature_backward_both(dy, x, temperature):
    dz = softmax_temperature_backward(dy, x, temperature) * temperature
    return dz / temperature, -np.sum(dz * x) / temperature**2


def softmax_temperature_backward_factor(dy, x, temperature):
    y = softmax(x / temperature)
    return y * (dy - np.sum(dy * y, axis=-1, keepdims=True))


def softmax_temperature_backward_diagonal(dy, x, temperature):
    y = softmax(x / temperature)
    return dy * y * (1 - y) / temperature


def softmax_temperature_backward_sign(dy, x, temperature):
    dx, dtemperature = softmax_temperature_backward_both(dy, x, temperature)
    return dx, -dtemperature


def with_temperature():
    return {"x": scores(), "temperature": 1.7}


way(
    "softmax, no cache, temperature a float without a gradient",
    lambda: call(softmax_temperature, with_temperature(), backward=softmax_temperature_backward),
    says=["temperature"],
)
way(
    "softmax, no cache, temperature a float with a gradient",
    lambda: call(softmax_temperature, with_temperature(), backward=softmax_temperature_backward_both),
)
wrong(
    "softmax, no cache, temperature a float: 1 / temperature forgotten",
    lambda: call(softmax_temperature, with_temperature(), backward=softmax_temperature_backward_factor),
    grad("x"),
    r"1\.7|factor|times",
)
wrong(
    "softmax, no cache, temperature a float: the Jacobian's diagonal alone",
    lambda: call(softmax_temperature, with_temperature(), backward=softmax_temperature_backward_diagonal),
    grad("x"),
)
wrong(
    "softmax, no cache, temperature a float: sign of its gradient",
    lambda: call(softmax_temperature, with_temperature(), backward=softmax_temperature_backward_sign),
    grad("temperature"),
    "sign|-1",
)


# the temperature is an array of one number


def tempered_fwd(x, log_tau):
    y = softmax(x * np.exp(-log_tau))
    return y, (x, log_tau, y)


def tempered_bwd(res, g):
    x, log_tau, y = res
    gz = y * (g - (g * y).sum(-1, keepdims=True))
    gx = gz * np.exp(-log_tau)
    return gx, -(gx * x).sum()


way(
    "softmax, fwd and bwd of JAX, temperature an array without axes",
    lambda: call(tempered_fwd, (scores(), np.array(0.3)), backward=tempered_bwd),
)


# one array, a loop with the Jacobian matrix


def softmax_rows(x):
    y = np.zeros(x.shape)
    for n, row in enumerate(x):
        e = np.exp(row - np.max(row))
        y[n] = e / np.sum(e)
    return y, y


def softmax_rows_backward(dout, cache):
    dx = np.zeros_like(cache)
    for n, y in enumerate(cache):
        jacobian = np.diag(y) - np.outer(y, y)
        dx[n] = jacobian @ dout[n]
    return dx


def softmax_rows_backward_in_place(dout, cache):
    for n, y in enumerate(cache):
        jacobian = np.diag(y) - np.outer(y, y)
        cache[n] = jacobian @ dout[n]
    return cache


way("softmax, one array, the Jacobian matrix", lambda: call(softmax_rows, scores(), backward=softmax_rows_backward))
way(
    "softmax, one array, the Jacobian matrix: the cache overwritten",
    lambda: call(softmax_rows, scores(), backward=softmax_rows_backward_in_place),
    None,
    ["chang", "chang|overw|in place|twice"],
)


# closure; over an axis that is an option


def softmax_over(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    y = e / np.sum(e, axis=axis, keepdims=True)
    return y, lambda dy: y * (dy - np.sum(dy * y, axis=axis, keepdims=True))


def softmax_over_wrong(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    y = e / np.sum(e, axis=axis, keepdims=True)
    return y, lambda dy: y * (dy - np.sum(dy * y, axis=-1, keepdims=True))


way("softmax, closure, axis an option", lambda: call(softmax_over, {"x": scores(), "axis": 0}))
wrong(
    "softmax, closure, axis an option: another axis in backward",
    lambda: call(softmax_over_wrong, {"x": scores(), "axis": 0}),
    grad("x"),
)


# objects


class Softmax:
    def __init__(self, temperature=1.0):
        self.params, self.grads = [], []
        self.temperature = temperature
        self.out = None

    def forward(self, x):
        self.out = softmax(x / self.temperature)
        return self.out

    def backward(self, dout):
        dx = self.out * dout
        sumdx = np.sum(dx, axis=1, keepdims=True)
        dx -= self.out * sumdx
        return dx / self.temperature


class SoftmaxAxis(Softmax):
    def backward(self, dout):
        dx = self.out * dout
        sumdx = np.sum(dx, axis=0, keepdims=True)
        dx -= self.out * sumdx
        return dx / self.temperature


class LearntTemperature:
    """An inverse temperature that is learnt."""

    def __init__(self):
        self.scale = np.array([0.6])
        self.dscale = np.zeros(1)

    def forward(self, x):
        self.x, self.y = x, softmax(x * self.scale)
        return self.y

    def backward(self, dy):
        dz = self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True))
        self.dscale[:] = (dz * self.x).sum()
        return dz * self.scale


way("softmax, object, no parameters", lambda: call(Softmax(0.8), scores()))
wrong("softmax, object, no parameters: summed over the rows", lambda: call(SoftmaxAxis(0.8), scores()), grad("x"))
way("softmax, object, scale and dscale", lambda: call(LearntTemperature(), {"x": scores()}))


# autograd.Function


class TemperedSoftmax:
    @staticmethod
    def forward(ctx, x, temperature=2.0, dim=-1):
        y = np.exp(x / temperature)
        y /= y.sum(axis=dim, keepdims=True)
        ctx.save_for_backward(y)
        ctx.temperature, ctx.dim = temperature, dim
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        inner = (grad_output * y).sum(axis=ctx.dim, keepdims=True)
        return (grad_output - inner) * y / ctx.temperature, None, None


way("softmax, autograd.Function, None for the temperature", lambda: call(TemperedSoftmax, (scores(), 2.5)))


# a dict of outputs, and a trace of two


def log_softmax(x, tau):
    z = x / tau
    log_p = z - np.log(np.sum(np.exp(z - z.max(-1, keepdims=True)), -1, keepdims=True)) - z.max(-1, keepdims=True)
    return {"log_p": log_p, "p": np.exp(log_p)}


def log_softmax_backward(dlog_p, dp, x, tau):
    p = softmax(x / tau)
    dlog_p = dlog_p + dp * p
    return {"dx": (dlog_p - p * dlog_p.sum(axis=-1, keepdims=True)) / tau}


def log_softmax_backward_drops(dlog_p, dp, x, tau):
    p = softmax(x / tau)
    return {"dx": (dlog_p - p * dlog_p.sum(axis=-1, keepdims=True)) / tau}


way(
    "softmax, a dict of outputs",
    lambda: call(log_softmax, {"x": scores(), "tau": 0.9}, backward=log_softmax_backward),
)
wrong(
    "softmax, a dict of outputs: dp not used",
    lambda: call(log_softmax, {"x": scores(), "tau": 0.9}, backward=log_softmax_backward_drops),
    r"\bdx\b",
)


@dataclass
class SoftmaxTrace:
    y: np.ndarray
    entropy: np.ndarray

    def backward(self, dy=None, dentropy=None):
        total = np.zeros_like(self.y)
        if dy is not None:
            total += dy
        if dentropy is not None:
            total -= dentropy[:, None] * (np.log(self.y) + 1)
        return self.y * (total - (total * self.y).sum(-1, keepdims=True))


def softmax_with_entropy(logits):
    y = softmax(logits)
    return SoftmaxTrace(y, -(y * np.log(y)).sum(-1))


Output = namedtuple("Output", "y entropy backward")


def softmax_with_entropy_wrong(logits):
    y = softmax(logits)

    def backward(dy, dentropy):
        total = dy + dentropy[:, None] * (np.log(y) + 1)
        return y * (total - (total * y).sum(-1, keepdims=True))

    return Output(y, -(y * np.log(y)).sum(-1), backward)


way("softmax, dataclass trace, two outputs", lambda: call(softmax_with_entropy, [scores()]))
wrong(
    "softmax, named tuple trace, two outputs: sign of the entropy's part",
    lambda: call(softmax_with_entropy_wrong, [scores()]),
    "logits",
)
