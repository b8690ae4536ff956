"""One step of a recurrent cell as people write it: h = tanh(x W_x + h_prev W_h + b), and an LSTM's and a GRU's."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from numseq.gradcheck import probe

from .way import call, grad, normal, sigmoid, way, wrong


def arrays():
    return {
        "x": normal(150, 5, 3),
        "prev_h": normal(151, 5, 4),
        "Wx": normal(152, 3, 4),
        "Wh": normal(153, 4, 4),
        "b": normal(154, 4),
    }


# cs231n


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x.dot(Wx) + prev_h.dot(Wh) + b)
    cache = (x, prev_h, Wx, Wh, next_h)
    return next_h, cache


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    dx = da.dot(Wx.T)
    dprev_h = da.dot(Wh.T)
    dWx = x.T.dot(da)
    dWh = prev_h.T.dot(da)
    db = da.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


def rnn_step_backward_transposed(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    dx = da.dot(Wx.T)
    dprev_h = da.dot(Wh)
    dWx = x.T.dot(da)
    dWh = prev_h.T.dot(da)
    db = da.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


def rnn_step_backward_weights(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    return da.dot(Wx.T), da.dot(Wh.T), x.T.dot(da), da.T.dot(prev_h), da.sum(axis=0)


way("rnn step, cs231n pair, tuple cache", lambda: call(rnn_step_forward, arrays(), backward=rnn_step_backward))
wrong(
    "rnn step, cs231n pair, tuple cache: Wh for its transpose",
    lambda: call(rnn_step_forward, arrays(), backward=rnn_step_backward_transposed),
    grad("prev_h"),
)
wrong(
    "rnn step, cs231n pair, tuple cache: dWh transposed",
    lambda: call(rnn_step_forward, arrays(), backward=rnn_step_backward_weights),
    grad("Wh"),
    "transpos",
)


# an LSTM's: two outputs, the cache last, a dict of parameters, named intermediates


def lstm_step_forward(x, h_prev, c_prev, params):
    a = x @ params["W"] + h_prev @ params["U"] + params["b"]
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c_prev + i * g
    tanh_c = np.tanh(c)
    h = o * tanh_c
    cache = {"x": x, "h_prev": h_prev, "c_prev": c_prev, "params": params}
    cache.update(i=i, f=f, g=g, o=o, c=c, tanh_c=tanh_c)
    return h, c, cache


def lstm_step_backward(dh, dc, cache):
    x, h_prev, c_prev, params = (cache[name] for name in ("x", "h_prev", "c_prev", "params"))
    i, f, g, o, tanh_c = (cache[name] for name in ("i", "f", "g", "o", "tanh_c"))
    do = dh * tanh_c
    dc = dc + dh * o * (1 - tanh_c**2)
    di, df, dg = dc * g, dc * c_prev, dc * i
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])
    return {
        "dx": da @ params["W"].T,
        "dh_prev": da @ params["U"].T,
        "dc_prev": dc * f,
        "dW": x.T @ da,
        "dU": h_prev.T @ da,
        "db": da.sum(0),
        "di": di,
        "df": df,
        "dg": dg,
        "do": do,
    }


def lstm_step_backward_forgets_dc(dh, dc, cache):
    return lstm_step_backward(dh, 0, cache)


def lstm_step_backward_order(dh, dc, cache):
    grads = lstm_step_backward(dh, dc, cache)
    i, f, g, o = np.split(grads["dW"], 4, axis=1)
    return {**grads, "dW": np.hstack([i, f, o, g])}


def lstm_inputs():
    params = {"W": normal(155, 3, 16), "U": normal(156, 4, 16), "b": normal(157, 16)}
    return {"x": normal(158, 5, 3), "h_prev": normal(159, 5, 4), "c_prev": normal(160, 5, 4), "params": params}


way("rnn step, LSTM, cache last of three", lambda: call(lstm_step_forward, lstm_inputs(), backward=lstm_step_backward))
wrong(
    "rnn step, LSTM, cache last of three: dc from above forgotten",
    lambda: call(lstm_step_forward, lstm_inputs(), backward=lstm_step_backward_forgets_dc),
    r"\bdf\b",
    r"\bdc_prev\b",
)
wrong(
    "rnn step, LSTM, cache last of three: blocks of dW in another order",
    lambda: call(lstm_step_forward, lstm_inputs(), backward=lstm_step_backward_order),
    r"\bd?W\b",
    "block|column|order",
)


# JAX: the carry is a tuple


def gru_fwd(carry, x, params):
    (h_prev,) = carry
    z = sigmoid(x @ params["W_z"] + h_prev @ params["U_z"])
    n = np.tanh(x @ params["W_n"] + h_prev @ params["U_n"])
    h = (1 - z) * n + z * h_prev
    return h, (h_prev, x, z, n, params)


def gru_bwd(res, g):
    h_prev, x, z, n, params = res
    az = g * (h_prev - n) * z * (1 - z)
    an = g * (1 - z) * (1 - n**2)
    gparams = {"W_z": x.T @ az, "U_z": h_prev.T @ az, "W_n": x.T @ an, "U_n": h_prev.T @ an}
    gh = g * z + az @ params["U_z"].T + an @ params["U_n"].T
    return (gh,), az @ params["W_z"].T + an @ params["W_n"].T, gparams


def gru_bwd_drops(res, g):
    h_prev, _x, z, n, params = res
    (_, gx, gparams) = gru_bwd(res, g)
    az = g * (h_prev - n) * z * (1 - z)
    an = g * (1 - z) * (1 - n**2)
    return (az @ params["U_z"].T + an @ params["U_n"].T,), gx, gparams


def gru_inputs():
    shapes = {"W_z": (3, 4), "U_z": (4, 4), "W_n": (3, 4), "U_n": (4, 4)}
    params = {name: normal(161 + i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    return (normal(165, 5, 4),), normal(166, 5, 3), params


way("rnn step, GRU, fwd and bwd of JAX, carry a tuple", lambda: call(gru_fwd, gru_inputs(), backward=gru_bwd))
wrong(
    "rnn step, GRU, fwd and bwd of JAX, carry a tuple: the direct way to h_prev dropped",
    lambda: call(gru_fwd, gru_inputs(), backward=gru_bwd_drops),
    "carry",
)


# state is a named tuple; a trace

LSTMState = namedtuple("LSTMState", "h c")


@dataclass
class StepGrads:
    x: np.ndarray
    state: LSTMState


class PeepholeFree:
    """An LSTM's step with gates given beforehand: a is x."""

    outputs = ("h", "c")

    def __init__(self, x, state):
        self.prev = state
        a = probe("a", x)
        i, f, g, o = np.split(a, 4, axis=1)
        self.i, self.f, self.g, self.o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        self.c = self.f * state.c + self.i * self.g + 0.1 * state.h
        self.h = self.o * np.tanh(self.c)

    def backward(self, dh, dc):
        t = np.tanh(self.c)
        dc = dc + dh * self.o * (1 - t**2)
        di, df, dg, do = dc * self.g, dc * self.prev.c, dc * self.i, dh * t
        da = [di * self.i * (1 - self.i), df * self.f * (1 - self.f), dg * (1 - self.g**2), do * self.o * (1 - self.o)]
        return StepGrads(x=probe("da", np.hstack(da)), state=LSTMState(h=0.1 * dc, c=dc * self.f))


class PeepholeFreeWrong(PeepholeFree):
    def backward(self, dh, dc):
        grads = super().backward(dh, dc)
        return StepGrads(x=grads.x, state=LSTMState(h=grads.state.c, c=grads.state.h))


def lstm_state():
    return {"x": normal(167, 5, 12), "state": LSTMState(normal(168, 5, 3), normal(169, 5, 3))}


way("rnn step, trace, state a named tuple, probe", lambda: call(PeepholeFree, lstm_state()))
wrong(
    "rnn step, trace, state a named tuple: dh and dc exchanged",
    lambda: call(PeepholeFreeWrong, lstm_state()),
    r"state.*h",
    r"state.*c",
)


# object


class RNNCell:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]
        self.cache = None

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        h_next = np.tanh(np.dot(h_prev, Wh) + np.dot(x, Wx) + b)
        self.cache = (x, h_prev, h_next)
        return h_next

    def backward(self, dh_next):
        Wx, Wh, _b = self.params
        x, h_prev, h_next = self.cache
        dt = dh_next * (1 - h_next**2)
        self.grads[0][...] = np.dot(x.T, dt)
        self.grads[1][...] = np.dot(h_prev.T, dt)
        self.grads[2][...] = np.sum(dt, axis=0)
        return np.dot(dt, Wx.T), np.dot(dt, Wh.T)


class RNNCellBias(RNNCell):
    def backward(self, dh_next):
        result = super().backward(dh_next)
        self.grads[2][...] = np.sum(dh_next, axis=0)
        return result


def weights():
    return list(arrays().values())[2:]


def states():
    return {"x": normal(150, 5, 3), "h_prev": normal(151, 5, 4)}


way("rnn step, object, lists params and grads", lambda: call(RNNCell(*weights()), states()))
wrong(
    "rnn step, object, lists params and grads: db from before the tanh",
    lambda: call(RNNCellBias(*weights()), states()),
    r"(grads|params)\W{0,2}2",
)


# autograd.Function


class TanhStep:
    @staticmethod
    def forward(ctx, a, h_prev, U):
        h = np.tanh(a + h_prev @ U)
        ctx.save_for_backward(h, h_prev, U)
        return h

    @staticmethod
    def backward(ctx, grad_h):
        h, h_prev, U = ctx.saved_tensors
        grad_a = grad_h * (1 - h * h)
        return grad_a, grad_a @ U.T, h_prev.T @ grad_a


way("rnn step, autograd.Function", lambda: call(TanhStep, (normal(170, 5, 4), normal(171, 5, 4), normal(172, 4, 4))))


# a closure


def irnn(x, h_prev, U):
    a = x + h_prev @ U
    h = np.maximum(a, 0)

    def back(dh):
        da = np.where(a > 0, dh, 0)
        return {"dx": da, "dh_prev": da @ U.T, "dU": h_prev.T @ da}

    return h, back


def from_zero():
    """The first step: the state is zero, and a padded row's x is zero too."""
    x = normal(173, 5, 4)
    x[4] = 0
    return {"x": x, "h_prev": np.zeros((5, 4)), "U": normal(174, 4, 4)}


way("rnn step, closure, relu at 0 in a padded row", lambda: call(irnn, from_zero()), says=["kink"])
