"""Recurrence, backwards: one plain loop through time for every cell, both directions of it, and layer normalisation."""

from dataclasses import fields

import numpy as np

from numseq import layers
from numseq.gradcheck.equations import steps as of_step
from numseq.gradcheck.equations.change import equations
from numseq.layers.bidirectional import BidirectionalParams
from numseq.layers.layernorm import LayerNormParams

# Names that no equation here reads are there for the bugs to read.
# ruff: noqa: F841, B007


def sequence(trace, dh=None, dh_T=None, dc_T=None, change=None):
    """BPTT of any cell; what is the cell's own is in BACK and SUMS.

    Beside da each step back gives dq, the gradient of the product h_{t-1} W_h, and dp that of x_t W_x; for most cells
    these are the same.
    """
    change = change or {}
    eq, run, x = equations(change), trace.run, trace.x
    cell, p, T, order = run.cell.equations, run.params, len(x), run.order
    W_x, W_h = trace.params.W_x, eq("W_h", p.W_h)
    h_prev, has_c = run.prev[0], len(run.prev) > 1
    mask = np.ones(x.shape[:2], dtype=bool) if run.mask is None else run.mask
    mask = eq("mask", mask)
    k_h, *k_c = [np.broadcast_to(k, h_prev.shape) for k in run.zoneout or [1.0] * len(run.prev)]
    if run.zoneout:
        k_h = eq("k_h", k_h)
    dh = np.zeros_like(h_prev) if dh is None else dh
    dh_next = eq("dh_T", np.zeros_like(h_prev[0]) if dh_T is None else dh_T)
    if has_c:
        k_c = eq("k_c", k_c[0]) if run.zoneout else k_c[0]
        dc_next = eq("dc_T", np.zeros_like(h_prev[0]) if dc_T is None else dc_T)
    da, dq, also = [None] * T, [None] * T, [None] * T
    for k, t in enumerate(reversed(order)):
        s, real = run.steps[t], mask[t][:, None]
        dh_t = eq("dh_t", dh[t] + dh_next)
        into_h = eq("into_h", np.where(real, k_h[t] * dh_t, 0))  # into the step, and past it
        past_h = eq("past_h", np.where(real, (1 - k_h[t]) * dh_t, dh_t))
        into = [into_h]
        if has_c:
            into_c = eq("into_c", np.where(real, k_c[t] * dc_next, 0))
            past_c = eq("past_c", np.where(real, (1 - k_c[t]) * dc_next, dc_next))
            into = [into_h, into_c]
        step = BACK[cell](s, into, p, change)
        da[t], dq[t], also[t] = step["da"], step.get("dq", step["da"]), step.get("also", 0)
        dh_product = eq("dh_product", dq[t] @ W_h.T)
        dh_prev = step.get("dh_prev", 0) + dh_product
        dh_next = eq("dh_next", dh_prev + past_h)
        if has_c:
            dc_prev = step["dc_prev"]
            dc_next = eq("dc_next", dc_prev + past_c)
    da, dq = np.stack(da), np.stack(dq)
    sums = SUMS[cell](trace, da, change) if cell in SUMS else {}
    dp = sums.get("dp", da)
    dx = eq("dx", dp @ W_x.T)
    dW_x = eq("dW_x", sum(x[t].T @ dp[t] for t in range(T)))
    dW_h = eq("dW_h", sum(h_prev[t].T @ dq[t] + also[t] for t in range(T)))
    drop = trace.weight_drop and trace.weight_drop.mask
    if drop is not None:
        dW_h = eq("dW_h_dropped", dW_h * drop)
    db = eq("db", sums.get("da", da).sum(axis=(0, 1)))
    db_h = eq("db_h", (dq if cell == "gru" else da).sum(axis=(0, 1)))
    found = {"W_x": dW_x, "W_h": dW_h, "b": db, "b_h": db_h} | sums
    given = {field.name: getattr(trace.params, field.name) for field in fields(trace.params)}
    dparams = type(trace.params)(**{name: None if w is None else found[name] for name, w in given.items()})
    return {"dx": dx, "dh0": dh_next, "params": dparams} | ({"dc0": dc_next} if has_c else {})


rnn = relu_rnn = lstm = gru = gru_before = peephole = layernorm_lstm = sequence
zoneout = weight_drop = sequence  # what needs noise to show


def _gru(s, into, p, change):
    eq, step = equations(change), of_step.gru_step(s, *into, change)
    da, du = step["da"], step["du"]
    H = du.shape[-1]
    dq = eq("dq", np.concatenate([da[:, : 2 * H], du], axis=-1))  # q = [h U_r, h U_z, u]
    return step | {"dq": dq}


def _gru_before(s, into, p, change):
    """W_h made two products: h_{t-1} [U_r, U_z], and v U_n, whose part of dW_h is `also`."""
    eq, H = equations(change), len(p.W_h)
    step = of_step.gru_before_step(s, *into, p.W_h[:, 2 * H :], change)
    da, nothing = step["da"], np.zeros_like(s.h_prev)
    v, da_n = s.v, da[:, 2 * H :]
    dU_n = eq("dU_n", v.T @ da_n)
    also = np.concatenate([np.zeros((H, 2 * H)), dU_n], axis=-1)
    return step | {"dq": np.concatenate([da[:, : 2 * H], nothing], axis=-1), "also": also}


BACK = {  # cell: one step back, (record, gradients of its states, weights, change)
    "rnn": lambda s, into, p, change: of_step.rnn_step(s, *into, change),
    "relu_rnn": lambda s, into, p, change: of_step.relu_step(s, *into, change),
    "lstm": lambda s, into, p, change: of_step.lstm_step(s, *into, change),
    "gru": _gru,
    "gru_before": _gru_before,
    "peephole": lambda s, into, p, change: of_step.peephole_step(s, *into, p, change),
    "layernorm_lstm": lambda s, into, p, change: of_step.layernorm_lstm_step(s, *into, p, change),
}


def _peepholes(trace, da, change):
    eq, steps, T = equations(change), trace.steps, len(da)
    c_prev, c, H = steps.c_prev, steps.c, steps.c.shape[-1]
    da_i, da_f, da_o = (da[..., k * H : (k + 1) * H] for k in (0, 1, 3))
    dp_i = eq("dp_i", (da_i * c_prev).sum(axis=(0, 1)))
    dp_f = eq("dp_f", (da_f * c_prev).sum(axis=(0, 1)))
    dp_o = eq("dp_o", (da_o * c).sum(axis=(0, 1)))
    return {"p_i": dp_i, "p_f": dp_f, "p_o": dp_o}


def _gains(trace, da, change):
    eq, steps, (x_hat, x_std), G = equations(change), trace.steps, trace.run.kept, trace.params.W_x.shape[-1]
    q_hat, q_std, c_hat, c_std = steps.q_hat, steps.q_std, steps.c_hat, steps.c_std
    da, dn = da[..., :G], da[..., G:]
    dp_hat = eq("dp_hat", da * trace.params.g_x)
    dp = of_step.normalise(dp_hat, x_hat, x_std, change, "p")
    dg_x = eq("dg_x", (da * x_hat).sum(axis=(0, 1)))
    dg_h = eq("dg_h", (da * q_hat).sum(axis=(0, 1)))
    dg_c = eq("dg_c", (dn * c_hat).sum(axis=(0, 1)))
    db_c = eq("db_c", dn.sum(axis=(0, 1)))
    return {"g_x": dg_x, "g_h": dg_h, "g_c": dg_c, "b_c": db_c, "dp": dp, "da": da}


SUMS = {"peephole": _peepholes, "layernorm_lstm": _gains}  # cell: gradients of further weights, of all steps at once


def bidirectional(trace, dh=None, dh_T=None, dc_T=None, change=None):
    """Each direction on its own, as a sequence of the same cell."""
    change = change or {}
    eq, run, x, B = equations(change), trace.run, trace.x, trace.x.shape[1]
    starts = [prev[0] for prev in run.prev]
    H = starts[0].shape[-1]
    dh = np.zeros((*x.shape[:2], 2 * H)) if dh is None else dh
    ends = [np.zeros_like(start) if d is None else d for d, start in zip((dh_T, dc_T), starts, strict=False)]
    ahead, back = (_one_way(trace, starts, direction) for direction in (0, 1))
    dh_ahead, dh_back = eq("dh_ahead", dh[..., :H]), eq("dh_back", dh[..., H:])
    (dh_T, *dc_T), both_ends = ends, len(ends)
    dh_T_back = eq("dh_T_back", dh_T[1])
    mask_back = eq("mask_back", {})
    ga = sequence(ahead, dh_ahead, dh_T[0], *(d[0] for d in dc_T), change=change)
    gb = sequence(back, dh_back, dh_T_back, *(d[1] for d in dc_T), change=change | mask_back)
    dx_ahead, dx_back = ga["dx"], gb["dx"]
    dx_both = eq("dx_both", dx_ahead + dx_back)
    firsts = {name: np.stack([ga[name], gb[name]]) for name in ("dh0", "dc0") if name in ga}
    both = eq("both", [ga["params"], gb["params"]])
    return {"dx": dx_both, "params": BidirectionalParams(*both)} | firsts


def _one_way(trace, starts, direction):
    """The trace of one direction as a sequence of its own; what it has by step is turned to positions."""
    run, x, turn = trace.run, trace.x, slice(None, None, -1 if direction else 1)
    h0, c0 = [start[direction] for start in starts] + [None] * (2 - len(starts))
    zoneout = run.zoneout and [k if isinstance(k, float) else k[turn, direction] for k in run.zoneout]
    drop = trace.weight_drop and trace.weight_drop.mask
    return layers.sequence(
        x,
        h0,
        c0,
        (trace.params.ahead, trace.params.back)[direction],
        run.cell,
        mask=None if run.mask is None else run.mask[turn, direction],
        reverse=bool(direction),
        zoneout=zoneout,
        weight_mask=None if drop is None else drop[direction],
    )


def layer_norm(trace, dy, change):
    eq, x_hat, std, y, p = equations(change), trace.x_hat, trace.std, trace.y, trace.params
    K, over = dy.shape[-1], tuple(range(dy.ndim - 1))
    dx_hat = eq("dx_hat", dy * p.g)
    dx = of_step.normalise(dx_hat, x_hat, std, change, "x")
    dg = eq("dg", (dy * x_hat).sum(axis=over))
    db = eq("db", dy.sum(axis=over))
    return {"dx": dx, "params": LayerNormParams(dg, db)}
