"""Mistakes in the backward of the layer-normalised LSTM."""

from functools import partial

import numpy as np

from numseq import layers
from numseq.layers.cells.layernorm_lstm import LayerNormLSTMStepGrad
from numseq.mistakes.fixtures import H
from numseq.mistakes.layer import Step, equations, know
from numseq.mistakes.layers.cells import fixtures
from numseq.mistakes.layers.cells.lstm import SHARED
from numseq.mistakes.layers.cells.sequence import know_cell
from numseq.mistakes.layers.layernorm import normalise


def layernorm_lstm_step(s, dh, dc, change=None):
    eq, p = equations(change), s.params
    g_x, g_h, g_c = p.g_x, p.g_h, p.g_c
    i, f, g, o, c, c_prev, tanh_n, h = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_n, s.h
    c_hat, c_std, q_hat, q_std, tanh_c, n, dc_in = s.c_hat, s.c_std, s.q_hat, s.q_std, s.tanh_n, s.n, dc
    do = eq("do", dh * tanh_n)
    dn = eq("dn", dh * o * (1 - tanh_n**2))
    dc_hat = eq("dc_hat", dn * g_c)
    dc_shown = normalise(eq("dc_hat_read", dc_hat), eq("c_hat_read", c_hat), eq("c_std_read", c_std), "c_shown", change)
    dc = eq("dc", dc_in + dc_shown)
    di = eq("di", dc * g)
    df = eq("df", dc * c_prev)
    dg = eq("dg", dc * i)
    dc_prev = eq("dc_prev", dc * f)
    da_i = eq("da_i", di * i * (1 - i))
    da_f = eq("da_f", df * f * (1 - f))
    da_g = eq("da_g", dg * (1 - g**2))
    da_o = eq("da_o", do * o * (1 - o))
    da = np.concatenate(eq("da", [da_i, da_f, da_g, da_o]), axis=-1)
    dq_hat = eq("dq_hat", da * g_h)
    dq = normalise(eq("dq_hat_read", dq_hat), eq("q_hat_read", q_hat), eq("q_std_read", q_std), "q", change)
    da = np.concatenate([da, dn], axis=-1)
    return {"da": da, "dq": dq, "dc_prev": dc_prev, "dn": dn, "di": di, "df": df, "dg": dg, "do": do, "dc": dc}


LAYERNORM_LSTM_STEP = know(
    Step(
        "layernorm_lstm_step", layernorm_lstm_step, of=layers.LayerNormLSTMStep, step=layers.layernorm_lstm_step,
        grad=LayerNormLSTMStepGrad, like="lstm_step", shared=SHARED,
        also=(partial(normalise, of="c_shown"), partial(normalise, of="q")),
    ),
    ("the cell's gain is forgotten", "dc_hat", lambda v: v.dn, "n = g_c * c_hat + b_c: dc_hat = dn * g_c"),
    ("tanh' of the normalised cell is missing", "dn", lambda v: v.dh * v.o,
     "h = o * tanh(n): dn = dh * o * (1 - tanh(n)^2)"),
    ("the output gate is missing on the way to the normalised cell", "dn", lambda v: v.dh * (1 - v.tanh_n**2),
     "h = o * tanh(n): the way to n goes through o"),
    ("the cell's normalisation is left out", "dc_shown", lambda v: v.dx_hat,
     "c_hat = (c - mean) / std: the gradient goes back through mean and std"),
    ("the cell's mean gets no gradient", "mean_c_shown", lambda v: 0 * v.value, "every unit of c moves the mean"),
    ("the cell's std gets no gradient", "projection_c_shown", lambda v: 0 * v.value, "every unit of c moves std"),
    ("the normalised cell's gradient alone", "dc", lambda v: v.dc_shown,
     "c reaches the loss by h and by c_{t+1}: what comes back from step t + 1 adds"),
    ("the gradient that comes back is normalised too", "dc_hat", lambda v: v.value + v.dc_in,
     "c_{t+1} read the cell as it is; only h read it normalised"),
    ("the forget gate is missing on the way to the cell that is not normalised", "dc_prev", lambda v: v.dc,
     "c = f * c_prev + i * g: the previous cell gets dc * f"),
    ("the recurrent product's gain is forgotten", "dq_hat", lambda v: v.da, "a has g_h * q_hat: dq_hat = da * g_h"),
    ("the recurrent product's normalisation is left out", "dq", lambda v: v.dx_hat,
     "q_hat = (q - mean) / std: the gradient goes back through mean and std"),
    ("the recurrent product's mean gets no gradient", "mean_q", lambda v: 0 * v.value,
     "every unit of q moves the mean"),
    ("the recurrent product's std gets no gradient", "projection_q", lambda v: 0 * v.value,
     "every unit of q moves std"),
    ("each gate's block is taken to be normalised alone", "mean_q",
     lambda v: np.repeat(v.dx_hat.reshape(len(v.dx_hat), 4, -1).mean(axis=-1), v.dx_hat.shape[-1] // 4, axis=-1),
     "the product was normalised as one vector of 4H"),
)  # fmt: skip


def _gains(trace, da, change):
    eq, steps, (x_hat, x_std), G = equations(change), trace.steps, trace.saved, trace.params.W_x.shape[-1]
    q_hat, q_std, c_hat, c_std = steps.q_hat, steps.q_std, steps.c_hat, steps.c_std
    g_x, g_h, g_c = trace.params.g_x, trace.params.g_h, trace.params.g_c
    da, dn = da[..., :G], da[..., G:]
    dp_hat = eq("dp_hat", da * g_x)
    dp = normalise(dp_hat, eq("x_hat_read", x_hat), eq("x_std_read", x_std), "p", change)
    dg_x = eq("dg_x", (da * x_hat).sum(axis=(0, 1)))
    dg_h = eq("dg_h", (da * q_hat).sum(axis=(0, 1)))
    dg_c = eq("dg_c", (dn * c_hat).sum(axis=(0, 1)))
    db_c = eq("db_c", dn.sum(axis=(0, 1)))
    return {"g_x": dg_x, "g_h": dg_h, "g_c": dg_c, "b_c": db_c, "dp": dp, "da": da}


# Two numbers with their mean taken out have but one thing to say, so here there are twice as many.
LAYERNORM_LSTM = know_cell(
    layers.LayerNormLSTM(), LAYERNORM_LSTM_STEP, layers.layernorm_lstm,
    ("the input product's gain is forgotten", "dp_hat", lambda v: v.da, "a has g_x * p_hat, with p = x W_x"),
    ("the input product's normalisation is left out", "dp", lambda v: v.dx_hat,
     "p_hat = (p - mean) / std: the gradient goes back through mean and std"),
    ("g_x and g_h are given each other's vectors", "dg_h", lambda v: v.dg_x, "g_h multiplied LN(h W_h)"),
    ("g_h from the product before its normalisation", "dg_h", lambda v: (v.da * v.q_hat * v.q_std).sum(axis=(0, 1)),
     "beside g_h stands q_hat"),
    ("g_c from the cell before its normalisation", "dg_c", lambda v: (v.dn * v.steps.c).sum(axis=(0, 1)),
     "beside g_c stands c_hat"),
    ("g_x of the last step only", "dg_x", lambda v: (v.da * v.x_hat)[-1].sum(axis=0),
     "+= and not =: each step used the same g_x"),
    ("g_h is averaged over time", "dg_h", lambda v: v.value / len(v.da),
     "each step used the same g_h: its gradients add"),
    ("b_c gets no gradient", "db_c", lambda v: 0 * v.value, "b_c was added at every step"),
    sums=_gains, also=(partial(normalise, of="p"),), hidden=2 * H, covers=("layernorm_lstm",),
)  # fmt: skip


def cases(rng):
    wide, normal = 2 * H, rng.standard_normal
    params = layers.LayerNormLSTMParams(None, None, None, None, normal(4 * wide), normal(wide), None)
    sizes, covers = {"a": 5 * wide, "q": 4 * wide, "c_prev": wide}, ("layernorm_lstm_step", "LayerNormLSTMStep")
    step = fixtures.step(rng, layers.layernorm_lstm_step, sizes, covers, params=params)
    return {"layernorm_lstm_step": step, **LAYERNORM_LSTM.cases(rng)}
