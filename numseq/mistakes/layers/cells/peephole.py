"""Mistakes in the backward of the LSTM with peepholes."""

import numpy as np

from numseq import layers
from numseq.layers.cells.peephole import PeepholeStepGrad
from numseq.mistakes.fixtures import H
from numseq.mistakes.layer import Step, equations, know
from numseq.mistakes.layers.cells import fixtures
from numseq.mistakes.layers.cells.lstm import SHARED
from numseq.mistakes.layers.cells.sequence import know_cell


def peephole_step(s, dh, dc, change=None):
    eq, p = equations(change), s.params
    p_i, p_f, p_o = p.p_i, p.p_f, p.p_o
    i, f, g, o, c, c_prev, tanh_c, h = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c, s.h
    dc_in = dc
    do = eq("do", dh * tanh_c)
    da_o = eq("da_o", do * o * (1 - o))
    dc_peephole = eq("dc_peephole", da_o * p_o)
    dc = eq("dc", dc_in + dh * o * (1 - tanh_c**2) + dc_peephole)
    di = eq("di", dc * g)
    df = eq("df", dc * c_prev)
    dg = eq("dg", dc * i)
    da_i = eq("da_i", di * i * (1 - i))
    da_f = eq("da_f", df * f * (1 - f))
    da_g = eq("da_g", dg * (1 - g**2))
    dc_prev = eq("dc_prev", dc * f + da_i * p_i + da_f * p_f)
    da = np.concatenate(eq("da", [da_i, da_f, da_g, da_o]), axis=-1)
    return {"da": da, "dc_prev": dc_prev, "di": di, "df": df, "dg": dg, "do": do, "dc": dc}


PEEPHOLE_STEP = know(
    Step(
        "peephole_step", peephole_step, of=layers.PeepholeStep, step=layers.peephole_step, grad=PeepholeStepGrad,
        like="lstm_step", shared=SHARED,
    ),
    ("the output gate's peephole gives the cell nothing", "dc_peephole", lambda v: 0 * v.value,
     "o = sigma(a_o + p_o * c): the new cell is read by the output gate too"),
    ("the output gate's peephole goes past its sigmoid", "dc_peephole", lambda v: v.do * v.p_o,
     "o = sigma(a_o + p_o * c): what goes through p_o is da_o, not do"),
    ("the output gate's peephole weight is left out", "dc_peephole", lambda v: v.da_o,
     "o = sigma(a_o + p_o * c): the way to c goes through p_o"),
    ("the output gate's peephole stands at the previous cell", "dc_prev", lambda v: v.value + v.da_o * v.p_o,
     "the output gate sees the new cell: its way to c_prev leads through c"),
    ("the previous cell gets nothing by the input gate's peephole", "dc_prev", lambda v: v.value - v.da_i * v.p_i,
     "i = sigma(a_i + p_i * c_prev): the input gate read the previous cell"),
    ("the previous cell gets nothing by the forget gate's peephole", "dc_prev", lambda v: v.value - v.da_f * v.p_f,
     "f = sigma(a_f + p_f * c_prev): the forget gate read the previous cell"),
    ("the previous cell gets nothing by peepholes", "dc_prev", lambda v: v.dc * v.f,
     "the cell and two of its gates read the previous cell: three ways"),
    ("peepholes of the previous cell go past the sigmoids", "dc_prev",
     lambda v: v.dc * v.f + v.di * v.p_i + v.df * v.p_f, "what goes through a peephole is da, not the gate's gradient"),
    ("peepholes of input and forget gate are swapped", "dc_prev",
     lambda v: v.dc * v.f + v.da_i * v.p_f + v.da_f * v.p_i, "each gate has a peephole of its own"),
    ("the forget gate is missing beside the peepholes", "dc_prev", lambda v: v.value - v.dc * v.f + v.dc,
     "c = f * c_prev + i * g: the previous cell gets dc * f"),
)  # fmt: skip


def _peepholes(trace, da, change):
    eq, steps, T = equations(change), trace.steps, len(da)
    c_prev, c, H = steps.c_prev, steps.c, steps.c.shape[-1]
    da_i, da_f = da[..., :H], da[..., H : 2 * H]
    da_g, da_o = da[..., 2 * H : 3 * H], da[..., 3 * H :]
    dp_i = eq("dp_i", (da_i * c_prev).sum(axis=(0, 1)))
    dp_f = eq("dp_f", (da_f * c_prev).sum(axis=(0, 1)))
    dp_o = eq("dp_o", (da_o * c).sum(axis=(0, 1)))
    return {"p_i": dp_i, "p_f": dp_f, "p_o": dp_o}


PEEPHOLE = know_cell(
    layers.PeepholeLSTM(), PEEPHOLE_STEP, layers.peephole_lstm,
    ("p_o gets the previous cell", "dp_o", lambda v: (v.da_o * v.c_prev).sum(axis=(0, 1)),
     "the output gate saw the new cell"),
    ("p_i gets the new cell", "dp_i", lambda v: (v.da_i * v.c).sum(axis=(0, 1)),
     "the input gate saw the previous cell"),
    ("p_f gets the new cell", "dp_f", lambda v: (v.da_f * v.c).sum(axis=(0, 1)),
     "the forget gate saw the previous cell"),
    ("p_i gets no cell", "dp_i", lambda v: v.da_i.sum(axis=(0, 1)), "a_i has p_i * c_prev, so dp_i has c_prev"),
    ("p_o gets no cell", "dp_o", lambda v: v.da_o.sum(axis=(0, 1)), "a_o has p_o * c, so dp_o has c"),
    ("p_i is averaged over time", "dp_i", lambda v: v.value / v.T, "each step used the same p_i: its gradients add"),
    ("p_o is averaged over time", "dp_o", lambda v: v.value / v.T, "each step used the same p_o: its gradients add"),
    ("p_f of the last step only", "dp_f", lambda v: (v.da_f * v.c_prev)[-1].sum(axis=0),
     "+= and not =: each step used the same p_f"),
    ("p_o of the last step only", "dp_o", lambda v: (v.da_o * v.c)[-1].sum(axis=0),
     "+= and not =: each step used the same p_o"),
    ("p_f of one row only", "dp_f", lambda v: (v.da_f * v.c_prev)[:, 0].sum(axis=0), "each row used the same p_f"),
    ("p_o gets no gradient", "dp_o", lambda v: 0 * v.value, "a peephole is learned like every other weight"),
    sums=_peepholes, covers=("peephole_lstm",),
)  # fmt: skip


def cases(rng):
    params = layers.PeepholeParams(None, None, None, *rng.standard_normal((3, H)))
    step = fixtures.step(
        rng, layers.peephole_step, {"a": 4 * H, "c_prev": H}, ("peephole_step", "PeepholeStep"), params=params
    )
    return {"peephole_step": step, **PEEPHOLE.cases(rng)}
