"""A recurrent network as an object."""

import numpy as np

from .rnn import arrays
from .way import call, normal, way, wrong

# "Deep Learning from Scratch 2": a layer for each step, in a list


class RNN:
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


class TimeRNN:
    def __init__(self, Wx, Wh, b, stateful=False):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]
        self.layers = None
        self.h, self.dh = None, None
        self.stateful = stateful

    def forward(self, xs):
        Wx, _Wh, _b = self.params
        N, T, _D = xs.shape
        H = Wx.shape[1]
        self.layers = []
        hs = np.empty((N, T, H), dtype=xs.dtype)
        if not self.stateful or self.h is None:
            self.h = np.zeros((N, H))
        for t in range(T):
            layer = RNN(*self.params)
            self.h = layer.forward(xs[:, t, :], self.h)
            hs[:, t, :] = self.h
            self.layers.append(layer)
        return hs

    def backward(self, dhs):
        Wx, _Wh, _b = self.params
        N, T, _H = dhs.shape
        dxs = np.empty((N, T, Wx.shape[0]))
        dh = 0
        grads = [0, 0, 0]
        for t in reversed(range(T)):
            layer = self.layers[t]
            dx, dh = layer.backward(dhs[:, t, :] + dh)
            dxs[:, t, :] = dx
            for i, g in enumerate(layer.grads):
                grads[i] += g
        for i, g in enumerate(grads):
            self.grads[i][...] = g
        self.dh = dh
        return dxs


class TimeRNNForgetsLast(TimeRNN):
    def backward(self, dhs):
        dxs = super().backward(dhs)
        grads = [0, 0, 0]
        for layer in self.layers[:-1]:
            for i, g in enumerate(layer.grads):
                grads[i] += g
        for i, g in enumerate(grads):
            self.grads[i][...] = g
        return dxs


def weights():
    return list(arrays().values())[2:]


way("rnn, object with a list of layers", lambda: call(TimeRNN(*weights()), {"xs": normal(180, 3, 5, 2)}))
way(
    "rnn, object that keeps its state between calls",
    lambda: call(TimeRNN(*weights(), stateful=True), {"xs": normal(180, 3, 5, 2)}),
    None,
    ["forward", "same|state|differ|twice"],
)
wrong(
    "rnn, object with a list of layers: the last step not in the sum",
    lambda: call(TimeRNNForgetsLast(*weights()), {"xs": normal(180, 3, 5, 2)}),
    r"(grads|params)\W{0,2}0",
    r"(grads|params)\W{0,2}1",
)


# object, grads added up


class ElmanRNN:
    def __init__(self, n_in, n_hidden):
        self.W_in, self.W_rec = normal(191, n_in, n_hidden), normal(192, n_hidden, n_hidden)
        self.W_in_grad, self.W_rec_grad = np.zeros_like(self.W_in), np.zeros_like(self.W_rec)

    def forward(self, x):
        self.x = x
        self.hs = [np.zeros((x.shape[1], len(self.W_rec)))]
        for x_t in x:
            self.hs.append(np.tanh(x_t @ self.W_in + self.hs[-1] @ self.W_rec))
        return self.hs[-1]

    def backward(self, dh):
        dx = np.zeros_like(self.x)
        for t in range(len(self.x) - 1, -1, -1):
            dz = dh * (1 - self.hs[t + 1] ** 2)
            self.W_in_grad += self.x[t].T @ dz
            self.W_rec_grad += self.hs[t].T @ dz
            dx[t] = dz @ self.W_in.T
            dh = dz @ self.W_rec.T
        return dx


class ElmanRNNShifted(ElmanRNN):
    def backward(self, dh):
        dx = np.zeros_like(self.x)
        for t in range(len(self.x) - 1, -1, -1):
            dz = dh * (1 - self.hs[t + 1] ** 2)
            self.W_in_grad += self.x[t].T @ dz
            self.W_rec_grad += self.hs[t + 1].T @ dz
            dx[t] = dz @ self.W_in.T
            dh = dz @ self.W_rec.T
        return dx


way("rnn, object, W_grad +=", lambda: call(ElmanRNN(2, 4), {"x": normal(193, 5, 3, 2)}))
wrong(
    "rnn, object, W_grad +=: h_t for h_{t-1}",
    lambda: call(ElmanRNNShifted(2, 4), {"x": normal(193, 5, 3, 2)}),
    "W_rec",
)
