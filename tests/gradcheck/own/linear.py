"""A linear layer, y = x W + b, as people write it."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from .way import call, grad, normal, way, wrong


def arrays():
    return {"x": normal(1, 5, 3), "W": normal(2, 3, 4), "b": normal(3, 4)}


# cs231n, cache tuple; x is flattened


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    cache = (x, w, b)
    return out, cache


def affine_backward(dout, cache):
    x, w, _b = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db


def affine_backward_db(dout, cache):
    x, w, _b = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=1)
    return dx, dw, db


def affine_backward_not_reshaped(dout, cache):
    x, w, _b = cache
    dx = dout.dot(w.T)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db


def flattened():
    return {"x": normal(4, 5, 2, 3), "w": normal(5, 6, 4), "b": normal(6, 4)}


way("linear, cs231n pair, tuple cache", lambda: call(affine_forward, flattened(), backward=affine_backward))
wrong(
    "linear, cs231n pair, tuple cache: db summed over the features",
    lambda: call(affine_forward, flattened(), backward=affine_backward_db),
    grad("b"),
    "shape",
)
wrong(
    "linear, cs231n pair, tuple cache: dx not reshaped",
    lambda: call(affine_forward, flattened(), backward=affine_backward_not_reshaped),
    grad("x"),
    "shape",
)


# cache dict, gradients in a dict


def fc_forward(x, W, b):
    return x @ W + b, {"x": x, "W": W}


def fc_backward(dout, cache):
    return {"dx": dout @ cache["W"].T, "dW": cache["x"].T @ dout, "db": dout.sum(0)}


def fc_backward_transposed(dout, cache):
    return {"dx": dout @ cache["W"].T, "dW": dout.T @ cache["x"], "db": dout.sum(0)}


def fc_backward_mean(dout, cache):
    return {"dx": dout @ cache["W"].T, "dW": cache["x"].T @ dout / len(dout), "db": dout.sum(0)}


way("linear, cs231n pair, dict cache", lambda: call(fc_forward, arrays(), backward=fc_backward))
wrong(
    "linear, cs231n pair, dict cache: dW transposed",
    lambda: call(fc_forward, arrays(), backward=fc_backward_transposed),
    r"\bdW\b",
    "transpos",
)
wrong(
    "linear, cs231n pair, dict cache: dW divided by the batch",
    lambda: call(fc_forward, arrays(), backward=fc_backward_mean),
    r"\bdW\b",
    r"0\.2|1/5|factor|times|divided",
)


# no cache: backward is given the inputs again


def linear(x, W, b):
    return x @ W + b


def linear_backward(dy, x, W):
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


def linear_backward_order(dy, x, W):
    return x.T @ dy, dy @ W.T, dy.sum(axis=0)


way("linear, no cache", lambda: call(linear, list(arrays().values()), backward=linear_backward))
wrong(
    "linear, no cache: results in another order",
    lambda: call(linear, list(arrays().values()), backward=linear_backward_order),
    grad("x"),
    grad("W"),
    "shape|order",
)


# one array goes in, the weights are a constant of the module

WEIGHTS = normal(7, 3, 4)


def project(x):
    y = np.zeros((x.shape[0], WEIGHTS.shape[1]))  # holds floats only
    for n in range(x.shape[0]):
        for k in range(WEIGHTS.shape[1]):
            y[n, k] = np.dot(x[n], WEIGHTS[:, k])
    return y


def project_backward(dy):
    return dy @ WEIGHTS.T


def project_backward_sign(dy):
    return -dy @ WEIGHTS.T


way("linear, one array, float buffer in a loop", lambda: call(project, normal(8, 5, 3), backward=project_backward))
wrong(
    "linear, one array, float buffer in a loop: sign",
    lambda: call(project, normal(8, 5, 3), backward=project_backward_sign),
    "sign|-1",
)


# a closure, as in thinc


def dense(X, W, b):
    Y = X @ W + b

    def backprop(dY):
        return {"X": dY @ W.T, "W": X.T @ dY, "b": dY.sum(0)}

    return Y, backprop


def dense_no_bias_gradient_sum(X, W, b):
    Y = X @ W + b

    def backprop(dY):
        return {"X": dY @ W.T, "W": X.T @ dY, "b": dY.mean(0)}

    return Y, backprop


way("linear, closure", lambda: call(dense, tuple(arrays().values())))
wrong(
    "linear, closure: db is a mean",
    lambda: call(dense_no_bias_gradient_sum, tuple(arrays().values())),
    grad("b"),
    r"0\.2|1/5|factor|times|divided",
)


# traces


@dataclass
class LinearGrad:
    dx: np.ndarray
    dW: np.ndarray
    db: np.ndarray


@dataclass
class LinearTrace:
    x: np.ndarray
    W: np.ndarray
    y: np.ndarray
    outputs = ("y",)

    def backward(self, dy):
        return LinearGrad(dx=dy @ self.W.T, dW=self.x.T @ dy, db=dy.sum(0))


def traced_linear(x, W, b):
    return LinearTrace(x, W, x @ W + b)


Traced = namedtuple("Traced", "y backward")
Gradients = namedtuple("Gradients", "x W b")


def linear_with_backward(x, W, b):
    def backward(dy):
        return Gradients(x=dy @ W.T, W=x.T @ dy, b=dy.sum(0))

    return Traced(x @ W + b, backward)


def linear_with_wrong_backward(x, W, b):
    def backward(dy):
        return Gradients(x=dy @ W.T, W=x.T @ dy, b=dy)

    return Traced(x @ W + b, backward)


way("linear, dataclass trace, gradients a dataclass", lambda: call(traced_linear, arrays()))
way("linear, named tuple trace without outputs, gradients a named tuple", lambda: call(linear_with_backward, arrays()))
wrong(
    "linear, named tuple trace without outputs: db not summed",
    lambda: call(linear_with_wrong_backward, arrays()),
    grad("b"),
    "shape",
)


# all parameters in a dict, and so their gradients


def linear_of_params(params, x):
    return x @ params["W"] + params["b"]


def linear_of_params_forward(params, x):
    return x @ params["W"] + params["b"], x


def linear_of_params_backward(params, x, dy):
    return {"params": {"W": x.T @ dy, "b": dy.sum(0)}, "x": dy @ params["W"].T}


def linear_of_params_backward_flat(params, cache, dy):
    return {"dW": cache.T @ dy, "db": dy.sum(0), "dx": dy @ params["W"].T}


def linear_params():
    return {"params": {"W": normal(2, 3, 4), "b": normal(3, 4)}, "x": normal(1, 5, 3)}


way(
    "linear, params a dict, nested gradients, backward(params, x, dy)",
    lambda: call(linear_of_params, linear_params(), backward=linear_of_params_backward),
)
way(
    "linear, params a dict, flat gradients, backward(params, cache, dy)",
    lambda: call(linear_of_params_forward, linear_params(), backward=linear_of_params_backward_flat),
)
