"""Convolution over time as people write it: y_t = sum_k x_{t+k} W_k + b, x (T, D), (B, T, D) or (B, D, T)."""

from types import SimpleNamespace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .way import call, grad, normal, way, wrong

# four loops and float buffers, as in the homework; the options are a dict


def conv_forward_naive(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, _C, T = x.shape
    F, _C, K = w.shape
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    T_out = 1 + (T + 2 * pad - K) // stride
    out = np.zeros((N, F, T_out))
    for n in range(N):
        for f in range(F):
            for t in range(T_out):
                out[n, f, t] = np.sum(x_pad[n, :, t * stride : t * stride + K] * w[f]) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    K = w.shape[2]
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    dx_pad, dw, db = np.zeros_like(x_pad), np.zeros_like(w), np.zeros_like(b)
    for n, f, t in np.ndindex(*dout.shape):
        window = slice(t * stride, t * stride + K)
        dw[f] += x_pad[n, :, window] * dout[n, f, t]
        dx_pad[n, :, window] += w[f] * dout[n, f, t]
        db[f] += dout[n, f, t]
    dx = dx_pad[:, :, pad:-pad]
    return dx, dw, db


def conv_backward_naive_assigns(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    K = w.shape[2]
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    dx_pad, dw, db = np.zeros_like(x_pad), np.zeros_like(w), np.zeros_like(b)
    for n, f, t in np.ndindex(*dout.shape):
        window = slice(t * stride, t * stride + K)
        dw[f] += x_pad[n, :, window] * dout[n, f, t]
        dx_pad[n, :, window] = w[f] * dout[n, f, t]
        db[f] += dout[n, f, t]
    dx = dx_pad[:, :, pad:-pad]
    return dx, dw, db


def conv_backward_naive_padding(dout, cache):
    dx, dw, db = conv_backward_naive(dout, cache)
    pad = cache[3]["pad"]
    return np.pad(dx, ((0, 0), (0, 0), (pad, pad))), dw, db


def conv_arrays():
    return {
        "x": normal(80, 3, 2, 7),
        "w": normal(81, 4, 2, 3),
        "b": normal(82, 4),
        "conv_param": {"stride": 2, "pad": 1},
    }


way("convolution, cs231n pair, loops", lambda: call(conv_forward_naive, conv_arrays(), backward=conv_backward_naive))
wrong(
    "convolution, cs231n pair, loops: = for += where windows overlap",
    lambda: call(conv_forward_naive, conv_arrays(), backward=conv_backward_naive_assigns),
    grad("x"),
)
wrong(
    "convolution, cs231n pair, loops: dx keeps the padding",
    lambda: call(conv_forward_naive, conv_arrays(), backward=conv_backward_naive_padding),
    grad("x"),
    "shape",
)


# windows and one product; padding is a string


def conv1d(x, kernel, padding="valid"):
    left = (len(kernel) - 1) // 2 if padding == "same" else 0
    right = len(kernel) - 1 - left if padding == "same" else 0
    x_pad = np.pad(x, ((left, right), (0, 0)))
    windows = sliding_window_view(x_pad, len(kernel), axis=0)  # (T', D, K)
    y = np.einsum("tdk,kdf->tf", windows, kernel)

    def backward(dy):
        dx_pad = np.zeros_like(x_pad)
        for k in range(len(kernel)):
            dx_pad[k : k + len(y)] += dy @ kernel[k].T
        return {"x": dx_pad[left : left + len(x)], "kernel": np.einsum("tdk,tf->kdf", windows, dy)}

    return y, backward


def conv1d_cut_wrong(x, kernel, padding="valid"):
    left = (len(kernel) - 1) // 2 if padding == "same" else 0
    right = len(kernel) - 1 - left if padding == "same" else 0
    x_pad = np.pad(x, ((left, right), (0, 0)))
    windows = sliding_window_view(x_pad, len(kernel), axis=0)
    y = np.einsum("tdk,kdf->tf", windows, kernel)

    def backward(dy):
        dx_pad = np.zeros_like(x_pad)
        for k in range(len(kernel)):
            dx_pad[k : k + len(y)] += dy @ kernel[k].T
        return {"x": dx_pad[: len(x)], "kernel": np.einsum("tdk,tf->kdf", windows, dy)}

    return y, backward


way(
    "convolution, closure, padding a string",
    lambda: call(conv1d, {"x": normal(83, 6, 2), "kernel": normal(84, 3, 2, 4), "padding": "same"}),
)
way("convolution, closure, padding left out", lambda: call(conv1d, [normal(83, 6, 2), normal(84, 3, 2, 4)]))
wrong(
    "convolution, closure, padding a string: cut at the wrong end",
    lambda: call(conv1d_cut_wrong, {"x": normal(83, 6, 2), "kernel": normal(84, 3, 2, 4), "padding": "same"}),
    grad("x"),
)


# im2col by integer indices, np.add.at


def conv_im2col_forward(x, W, dilation=1):
    K = W.shape[0]
    index = np.arange(len(x) - dilation * (K - 1))[:, None] + dilation * np.arange(K)
    cols = x[index].reshape(len(index), -1)
    return cols @ W.reshape(-1, W.shape[2]), (x, W, cols, index)


def conv_im2col_backward(cache, dout):
    x, W, cols, index = cache
    dW = (cols.T @ dout).reshape(W.shape)
    dcols = dout @ W.reshape(-1, W.shape[2]).T
    dx = np.zeros_like(x)
    np.add.at(dx, index, dcols.reshape(*index.shape, -1))
    return dx, dW


def conv_im2col_backward_repeats(cache, dout):
    x, W, cols, index = cache
    dW = (cols.T @ dout).reshape(W.shape)
    dcols = dout @ W.reshape(-1, W.shape[2]).T
    dx = np.zeros_like(x)
    dx[index] += dcols.reshape(*index.shape, -1)
    return dx, dW


def dilated():
    return {"x": normal(85, 7, 2), "W": normal(86, 3, 2, 4), "dilation": 2}


way(
    "convolution, backward(cache, dout), im2col",
    lambda: call(conv_im2col_forward, dilated(), backward=conv_im2col_backward),
)
wrong(
    "convolution, backward(cache, dout), im2col: dx[index] += adds once",
    lambda: call(conv_im2col_forward, dilated(), backward=conv_im2col_backward_repeats),
    grad("x"),
)


# no cache; causal, one filter for each channel


def causal_depthwise(x, w):
    y = np.zeros_like(x)
    for k in range(len(w)):
        y[k:] += x[: len(x) - k] * w[k]
    return y


def causal_depthwise_backward(dy, x, w):
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for k in range(len(w)):
        dx[: len(x) - k] += dy[k:] * w[k]
        dw[k] = np.sum(dy[k:] * x[: len(x) - k], axis=0)
    return dx, dw


def causal_depthwise_backward_not_flipped(dy, x, w):
    _, dw = causal_depthwise_backward(dy, x, w)
    return causal_depthwise(dy, w), dw


way(
    "convolution, no cache, depthwise",
    lambda: call(causal_depthwise, (normal(87, 7, 2), normal(88, 3, 2)), backward=causal_depthwise_backward),
)
wrong(
    "convolution, no cache, depthwise: dx without the flip",
    lambda: call(
        causal_depthwise, (normal(87, 7, 2), normal(88, 3, 2)), backward=causal_depthwise_backward_not_flipped
    ),
    grad("x"),
)


# a trace, with a mask of the steps that are words


def masked_conv(x, W, mask):
    """x (B, T, D), W (K, D, F), mask (B, T) boolean."""
    K, T = len(W), x.shape[1]
    seen = x * mask[..., None]
    padded = np.concatenate([np.zeros((len(x), K - 1, x.shape[2])), seen], axis=1)
    y = sum(padded[:, k : k + T] @ W[k] for k in range(K))

    def backward(dy):
        dpadded = np.zeros_like(padded)
        for k in range(K):
            dpadded[:, k : k + T] += dy @ W[k].T
        dW = np.stack([np.einsum("btd,btf->df", padded[:, k : k + T], dy) for k in range(K)])
        return SimpleNamespace(dx=dpadded[:, K - 1 :] * mask[..., None], dW=dW)

    return SimpleNamespace(y=y, backward=backward)


def masked_conv_forgets(x, W, mask):
    trace = masked_conv(x, W, mask)

    def backward(dy):
        K, T = len(W), x.shape[1]
        grads = trace.backward(dy)
        dpadded = np.zeros((len(x), T + K - 1, x.shape[2]))
        for k in range(K):
            dpadded[:, k : k + T] += dy @ W[k].T
        grads.dx = dpadded[:, K - 1 :]
        return grads

    return SimpleNamespace(y=trace.y, backward=backward)


def ragged():
    mask = np.arange(5) < np.array([5, 3, 2])[:, None]
    return {"x": normal(96, 3, 5, 2), "W": normal(97, 3, 2, 4), "mask": mask}


way("convolution, trace without outputs, boolean mask", lambda: call(masked_conv, ragged()))
wrong(
    "convolution, trace without outputs, boolean mask: mask forgotten in dx",
    lambda: call(masked_conv_forgets, ragged()),
    r"\bdx\b",
    "row|step|element|1, 3|where",
)
