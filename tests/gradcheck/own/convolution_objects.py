"""Convolution over time as an object, for JAX, and as an autograd.Function."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .way import call, grad, normal, way, wrong

# objects


class Conv1D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1):
        self.W = normal(89, out_channels, in_channels, kernel_size)
        self.b = normal(90, out_channels)
        self.kernel_size, self.stride = kernel_size, stride
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        out_len = (x.shape[2] - self.kernel_size) // self.stride + 1
        out = np.empty((x.shape[0], len(self.b), out_len), dtype=x.dtype)
        for i in range(out_len):
            segment = x[:, :, i * self.stride : i * self.stride + self.kernel_size]
            out[:, :, i] = np.tensordot(segment, self.W, axes=([1, 2], [1, 2])) + self.b
        return out

    def backward(self, dLdy):
        self.dW = np.zeros(self.W.shape)
        self.db = np.sum(dLdy, axis=(0, 2))
        dLdx = np.zeros(self.x.shape)
        for i in range(dLdy.shape[2]):
            window = slice(i * self.stride, i * self.stride + self.kernel_size)
            self.dW += np.einsum("bf,bck->fck", dLdy[:, :, i], self.x[:, :, window])
            dLdx[:, :, window] += np.einsum("bf,fck->bck", dLdy[:, :, i], self.W)
        return dLdx


class Conv1DForgetsStride(Conv1D):
    def backward(self, dLdy):
        self.dW = np.zeros(self.W.shape)
        self.db = np.sum(dLdy, axis=(0, 2))
        dLdx = np.zeros(self.x.shape)
        for i in range(dLdy.shape[2]):
            window = slice(i, i + self.kernel_size)
            self.dW += np.einsum("bf,bck->fck", dLdy[:, :, i], self.x[:, :, window])
            dLdx[:, :, window] += np.einsum("bf,fck->bck", dLdy[:, :, i], self.W)
        return dLdx


way("convolution, object, W and dW", lambda: call(Conv1D(2, 4, 3, stride=2), normal(91, 3, 2, 7)))
wrong(
    "convolution, object, W and dW: stride forgotten",
    lambda: call(Conv1DForgetsStride(2, 4, 3, stride=2), normal(91, 3, 2, 7)),
    grad("W"),
    grad("x"),
)


class TimeDelay:
    """Looks at the steps before, now and after, each with a matrix of its own; gradients are added up."""

    def __init__(self):
        self.params = {"before": normal(92, 2, 4), "now": normal(93, 2, 4), "after": normal(94, 2, 4)}
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}

    def forward(self, x):
        self.x = x
        y = x @ self.params["now"]
        y[1:] += x[:-1] @ self.params["before"]
        y[:-1] += x[1:] @ self.params["after"]
        return y

    def backward(self, dy):
        self.grads["now"] += self.x.T @ dy
        self.grads["before"] += self.x[:-1].T @ dy[1:]
        self.grads["after"] += self.x[1:].T @ dy[:-1]
        dx = dy @ self.params["now"].T
        dx[:-1] += dy[1:] @ self.params["before"].T
        dx[1:] += dy[:-1] @ self.params["after"].T
        return dx


class TimeDelaySwapped(TimeDelay):
    def backward(self, dy):
        self.grads["now"] += self.x.T @ dy
        self.grads["before"] += self.x[1:].T @ dy[:-1]
        self.grads["after"] += self.x[:-1].T @ dy[1:]
        dx = dy @ self.params["now"].T
        dx[:-1] += dy[1:] @ self.params["before"].T
        dx[1:] += dy[:-1] @ self.params["after"].T
        return dx


way("convolution, object, grads[...] +=", lambda: call(TimeDelay(), {"x": normal(95, 6, 2)}))
wrong(
    "convolution, object, grads[...] +=: before and after swapped",
    lambda: call(TimeDelaySwapped(), {"x": normal(95, 6, 2)}),
    "before",
    "after",
)


# JAX, and autograd.Function with integers that get None


def conv_fwd(x, w, stride):
    windows = sliding_window_view(x, w.shape[0], axis=0)[::stride]
    return np.einsum("tdk,kdf->tf", windows, w), (windows, w, x.shape, stride)


def conv_bwd(res, g):
    windows, w, shape, stride = res
    gx = np.zeros(shape)
    for t, gt in enumerate(g):
        gx[t * stride : t * stride + len(w)] += np.einsum("f,kdf->kd", gt, w)
    return gx, np.einsum("tdk,tf->kdf", windows, g), None


class Conv1dFunction:
    @staticmethod
    def forward(ctx, x, w, stride):
        ctx.save_for_backward(x, w)
        ctx.stride = stride
        windows = sliding_window_view(x, w.shape[0], axis=0)[::stride]
        return np.einsum("tdk,kdf->tf", windows, w)

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        return conv_bwd((sliding_window_view(x, len(w), axis=0)[:: ctx.stride], w, x.shape, ctx.stride), grad_output)


def strided():
    return normal(98, 7, 2), normal(99, 3, 2, 4), 2


way("convolution, fwd and bwd of JAX, None for the stride", lambda: call(conv_fwd, strided(), backward=conv_bwd))
way("convolution, autograd.Function, None for the stride", lambda: call(Conv1dFunction, strided()))
