"""The recurrent cells, step and sequence, backwards."""

import numpy as np

from numseq import layers
from numseq.gradcheck.equations.change import equations
from numseq.layers import LSTMParams
from numseq.layers.bidirectional import BiLSTMParams

# Names that no equation here reads are there for the bugs to read.
# ruff: noqa: F841, B007


def lstm_step(s, dh, dc, change):
    eq = equations(change)
    i, f, g, o, c, c_prev, tanh_c = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c
    dc_in = dc
    do = eq("do", dh * tanh_c)
    dc = eq("dc", dc_in + dh * o * (1 - tanh_c**2))
    di = eq("di", dc * g)
    df = eq("df", dc * c_prev)
    dg = eq("dg", dc * i)
    dc_prev = eq("dc_prev", dc * f)
    da_i = eq("da_i", di * i * (1 - i))
    da_f = eq("da_f", df * f * (1 - f))
    da_g = eq("da_g", dg * (1 - g**2))
    da_o = eq("da_o", do * o * (1 - o))
    da = np.concatenate(eq("da", [da_i, da_f, da_g, da_o]), axis=-1)
    return {"da": da, "dc_prev": dc_prev, "di": di, "df": df, "dg": dg, "do": do, "dc": dc}


def lstm(trace, dh=None, dh_T=None, dc_T=None, change=None):
    change = change or {}
    eq, run, x = equations(change), trace.run, trace.x
    W_x, W_h, T = run.params.W_x, run.params.W_h, len(x)
    h_prev, order, a_shape = run.prev[0], run.order, run.a.shape
    mask = np.ones(x.shape[:2], dtype=bool) if run.mask is None else run.mask
    mask = eq("mask", mask)
    zero = np.zeros_like(h_prev[0])
    dh = np.zeros_like(h_prev) if dh is None else dh
    dh_next = eq("dh_T", zero if dh_T is None else dh_T)
    dc_next = eq("dc_T", zero if dc_T is None else dc_T)
    da = np.zeros(a_shape)
    for k, t in enumerate(reversed(order)):
        s, real = run.steps[t], mask[t][:, None]
        dh_t = eq("dh_t", dh[t] + dh_next)
        step = lstm_step(s, np.where(real, dh_t, 0), np.where(real, dc_next, 0), change)
        da[t] = step["da"]
        dh_prev = eq("dh_prev", da[t] @ W_h.T)
        dh_next = eq("dh_next", dh_prev + np.where(real, 0, dh_t))
        dc_next = eq("dc_next", step["dc_prev"] + np.where(real, 0, dc_next))
    dx = eq("dx", da @ W_x.T)
    dW_x = eq("dW_x", sum(x[t].T @ da[t] for t in range(T)))
    dW_h = eq("dW_h", sum(h_prev[t].T @ da[t] for t in range(T)))
    db = eq("db", da.sum(axis=(0, 1)))
    return {"dx": dx, "dh0": dh_next, "dc0": dc_next, "params": LSTMParams(dW_x, dW_h, db)}


def bilstm(trace, dh=None, dh_T=None, dc_T=None, change=None):
    change = change or {}
    eq, run, x, B = equations(change), trace.run, trace.x, trace.x.shape[1]
    mask = None if run.mask is None else run.mask[:, :B]
    starts = [prev[0].reshape(2, B, -1) for prev in run.prev]
    H = starts[0].shape[-1]
    dh = np.zeros((*x.shape[:2], 2 * H)) if dh is None else dh
    (dh_T, dc_T) = (np.zeros_like(starts[0]) if d is None else d for d in (dh_T, dc_T))
    ahead, back = (
        layers.lstm(x, *(start[k] for start in starts), p, mask, reverse=bool(k))
        for k, p in enumerate((run.params.ahead, run.params.back))
    )
    dh_ahead, dh_back = eq("dh_ahead", dh[..., :H]), eq("dh_back", dh[..., H:])
    dh_T_back = eq("dh_T_back", dh_T[1])
    mask_back = eq("mask_back", {})
    ga = lstm(ahead, dh_ahead, dh_T[0], dc_T[0], {k: v for k, v in change.items() if k in LSTM_NAMES})
    gb = lstm(back, dh_back, dh_T_back, dc_T[1], {k: v for k, v in change.items() if k in LSTM_NAMES} | mask_back)
    dx_ahead, dx_back = ga["dx"], gb["dx"]
    dx_both = eq("dx_both", dx_ahead + dx_back)
    dh0, dc0 = (np.stack([ga[name], gb[name]]) for name in ("dh0", "dc0"))
    both = eq("both", [ga["params"], gb["params"]])
    return {"dx": dx_both, "dh0": dh0, "dc0": dc0, "params": BiLSTMParams(*both)}


LSTM_NAMES = {
    "do", "dc", "di", "df", "dg", "dc_prev", "da_i", "da_f", "da_g", "da_o", "da", "mask", "dh_T", "dc_T", "dh_t",
    "dh_prev", "dh_next", "dc_next", "dx", "dW_x", "dW_h", "db",
}  # fmt: skip
