"""A recurrent network and its backpropagation through time (BPTT) as people write it."""

from types import SimpleNamespace

import numpy as np

from .rnn_step import rnn_step_backward, rnn_step_forward
from .way import call, grad, normal, way, wrong


def arrays():
    """x (N, T, D), h0 (N, H)."""
    return {
        "x": normal(180, 3, 5, 2),
        "h0": normal(181, 3, 4),
        "Wx": normal(182, 2, 4),
        "Wh": normal(183, 4, 4),
        "b": normal(184, 4),
    }


# cs231n


def rnn_forward(x, h0, Wx, Wh, b):
    N, T, _D = x.shape
    h = np.zeros((N, T, h0.shape[1]))
    cache = []
    prev_h = h0
    for t in range(T):
        prev_h, step_cache = rnn_step_forward(x[:, t], prev_h, Wx, Wh, b)
        h[:, t] = prev_h
        cache.append(step_cache)
    return h, cache


def rnn_backward(dh, cache):
    N, T, H = dh.shape
    D = cache[0][0].shape[1]
    dx, dprev_h = np.zeros((N, T, D)), np.zeros((N, H))
    dWx, dWh, db = np.zeros((D, H)), np.zeros((H, H)), np.zeros(H)
    for t in reversed(range(T)):
        dx[:, t], dprev_h, dWx_t, dWh_t, db_t = rnn_step_backward(dh[:, t] + dprev_h, cache[t])
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, dprev_h, dWx, dWh, db


def rnn_backward_no_flow(dh, cache):
    N, T, H = dh.shape
    D = cache[0][0].shape[1]
    dx, dprev_h = np.zeros((N, T, D)), np.zeros((N, H))
    dWx, dWh, db = np.zeros((D, H)), np.zeros((H, H)), np.zeros(H)
    for t in reversed(range(T)):
        dx[:, t], dprev_h, dWx_t, dWh_t, db_t = rnn_step_backward(dh[:, t], cache[t])
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, dprev_h, dWx, dWh, db


def rnn_backward_last_step(dh, cache):
    N, T, H = dh.shape
    D = cache[0][0].shape[1]
    dx, dprev_h = np.zeros((N, T, D)), np.zeros((N, H))
    for t in reversed(range(T)):
        dx[:, t], dprev_h, dWx, dWh, db = rnn_step_backward(dh[:, t] + dprev_h, cache[t])
    return dx, dprev_h, dWx, dWh, db


way("rnn, cs231n pair, list of caches", lambda: call(rnn_forward, arrays(), backward=rnn_backward))
wrong(
    "rnn, cs231n pair, list of caches: nothing flows back in time",
    lambda: call(rnn_forward, arrays(), backward=rnn_backward_no_flow),
    grad("x"),
    grad("Wh"),
)
wrong(
    "rnn, cs231n pair, list of caches: = for += in the weights",
    lambda: call(rnn_forward, arrays(), backward=rnn_backward_last_step),
    grad("Wx"),
    grad("Wh"),
    grad("b"),
)


# min-char-rnn: dicts by time, one-hot by ids, the loss inside


def loss_fun(inputs, targets, hprev, params):
    Wxh, Whh, Why, bh, by = params["Wxh"], params["Whh"], params["Why"], params["bh"], params["by"]
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = hprev
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((Wxh.shape[1], 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
        ys[t] = Why @ hs[t] + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])

    def backward(dloss=1.0):
        grads = {name: np.zeros_like(p) for name, p in params.items()}
        dhnext = np.zeros_like(hs[0])
        for t in reversed(range(len(inputs))):
            dy = np.copy(ps[t])
            dy[targets[t]] -= 1
            dy *= dloss
            grads["Why"] += dy @ hs[t].T
            grads["by"] += dy
            dh = Why.T @ dy + dhnext
            draw = (1 - hs[t] * hs[t]) * dh
            grads["bh"] += draw
            grads["Wxh"] += draw @ xs[t].T
            grads["Whh"] += draw @ hs[t - 1].T
            dhnext = Whh.T @ draw
        return {"params": grads, "hprev": dhnext}

    return SimpleNamespace(loss=loss, backward=backward)


def loss_fun_clips(inputs, targets, hprev, params):
    trace = loss_fun(inputs, targets, hprev, params)

    def backward(dloss=1.0):
        grads = trace.backward(dloss)
        for dparam in grads["params"].values():
            np.clip(dparam, -0.05, 0.05, out=dparam)
        return grads

    return SimpleNamespace(loss=trace.loss, backward=backward)


def loss_fun_ignores_dloss(inputs, targets, hprev, params):
    trace = loss_fun(inputs, targets, hprev, params)
    return SimpleNamespace(loss=trace.loss, backward=lambda dloss: trace.backward())


def characters():
    params = {"Wxh": normal(185, 4, 6), "Whh": normal(186, 4, 4), "Why": normal(187, 6, 4)}
    params |= {"bh": normal(188, 4, 1), "by": normal(189, 6, 1)}
    return {"inputs": [2, 0, 5, 2, 3], "targets": [0, 5, 2, 3, 1], "hprev": normal(190, 4, 1), "params": params}


way("rnn, trace without outputs, characters as a list of ids", lambda: call(loss_fun, characters()))
wrong(
    "rnn, trace without outputs, characters as a list of ids: gradients clipped",
    lambda: call(loss_fun_clips, characters()),
    "clip|twice|linear|proportion",
)
wrong(
    "rnn, trace without outputs, characters as a list of ids: dloss ignored",
    lambda: call(loss_fun_ignores_dloss, characters()),
    "dloss|twice|linear|proportion",
)


# a closure, an embedding by ids, padded steps carry the state


def reader(ids, mask, E, U):
    """ids, mask (T, N); E (V, H), U (H, H). Returns the last state."""
    hs = [np.zeros((ids.shape[1], len(U)))]
    for t in range(len(ids)):
        new = np.tanh(E[ids[t]] + hs[-1] @ U)
        hs.append(np.where(mask[t][:, None], new, hs[-1]))

    def backward(dh):
        dE, dU = np.zeros_like(E), np.zeros_like(U)
        for t in reversed(range(len(ids))):
            m = mask[t][:, None]
            da = m * dh * (1 - hs[t + 1] ** 2)
            np.add.at(dE, ids[t], da)
            dU += hs[t].T @ da
            dh = da @ U.T + ~m * dh
        return None, None, dE, dU

    return hs[-1], backward


def reader_adds_once(ids, mask, E, U):
    h, backward = reader(ids, mask, E, U)

    def wrong_backward(dh):
        hs = [np.zeros((ids.shape[1], len(U)))]
        for t in range(len(ids)):
            hs.append(np.where(mask[t][:, None], np.tanh(E[ids[t]] + hs[-1] @ U), hs[-1]))
        dE = np.zeros_like(E)
        d = dh
        for t in reversed(range(len(ids))):
            m = mask[t][:, None]
            da = m * d * (1 - hs[t + 1] ** 2)
            dE[ids[t]] += da
            d = da @ U.T + ~m * d
        return None, None, dE, backward(dh)[3]

    return h, wrong_backward


def reader_forgets_mask(ids, mask, E, U):
    h, _ = reader(ids, mask, E, U)
    _, backward = reader(ids, np.ones_like(mask), E, U)
    return h, backward


def words():
    ids = np.array([[3, 1, 3], [0, 3, 4], [2, 2, 0], [1, 0, 0]])
    mask = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=bool)
    return {"ids": ids, "mask": mask, "E": normal(194, 5, 2), "U": normal(195, 2, 2)}


way("rnn, closure, integer ids, boolean mask, None for both", lambda: call(reader, words()))
wrong(
    "rnn, closure, integer ids, boolean mask: dE[ids] += adds a repeated word once",
    lambda: call(reader_adds_once, words()),
    grad("E"),
    "row",
)
wrong(
    "rnn, closure, integer ids, boolean mask: mask forgotten in backward",
    lambda: call(reader_forgets_mask, words()),
    grad("E"),
    grad("U"),
)
