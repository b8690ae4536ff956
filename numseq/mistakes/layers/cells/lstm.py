"""Mistakes in the backward of the LSTM."""

import numpy as np

from numseq import layers
from numseq.layers.cells.lstm import LSTMStepGrad
from numseq.mistakes.fixtures import H
from numseq.mistakes.layer import Step, equations, know, logit, sigmoid, swapped
from numseq.mistakes.layers.cells import fixtures
from numseq.mistakes.layers.cells.sequence import know_cell

SHARED = frozenset({"do", "di", "df", "dg", "da_i", "da_f", "da_g", "da_o", "da"})  # what every kind of LSTM has


def lstm_step(s, dh, dc, change=None):
    eq = equations(change)
    i, f, g, o, c, c_prev, tanh_c, h = s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c, s.h
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


LSTM_STEP = know(
    Step("lstm_step", lstm_step, of=layers.LSTMStep, step=layers.lstm_step, grad=LSTMStepGrad),
    ("do from c instead of tanh(c)", "do", lambda v: v.dh * v.c, "h = o * tanh(c), so do = dh * tanh(c)"),
    ("tanh' of the cell is missing", "dc", lambda v: v.dc_in + v.dh * v.o,
     "h = o * tanh(c): the way from h to c has tanh'(c)"),
    ("tanh'(c) is taken of c", "dc", lambda v: v.dc_in + v.dh * v.o * (1 - v.c**2),
     "tanh'(c) = 1 - tanh(c)^2, of the output"),
    ("tanh is applied twice in tanh'(c)", "dc", lambda v: v.dc_in + v.dh * v.o * (1 - np.tanh(v.tanh_c) ** 2),
     "tanh_c already is tanh(c)"),
    ("the way from h to c is missing", "dc", lambda v: v.dc_in, "c reaches the loss by c_{t+1} and by h = o * tanh(c)"),
    ("the step's own dc is dropped", "dc", lambda v: v.dh * v.o * (1 - v.tanh_c**2),
     "c reaches the loss by h and by c_{t+1}: what comes back from step t + 1 adds"),
    ("the output gate is missing on the way to c", "dc", lambda v: v.dc_in + v.dh * (1 - v.tanh_c**2),
     "h = o * tanh(c): the way from h to c goes through o"),
    ("dc is overwritten by half of what comes back", "dc", lambda v: v.value - 0.5 * v.dc_in,
     "both ways to the loss count in full"),
    ("di from the previous cell", "di", lambda v: v.dc * v.c_prev, "c = f * c_prev + i * g: beside i stands g"),
    ("df from the new cell", "df", lambda v: v.dc * v.c, "c = f * c_prev + i * g: beside f stands the previous cell"),
    ("df from the candidate", "df", lambda v: v.dc * v.g, "c = f * c_prev + i * g: beside f stands the previous cell"),
    ("dg from the forget gate", "dg", lambda v: v.dc * v.f, "c = f * c_prev + i * g: beside g stands i"),
    ("dg without the input gate", "dg", lambda v: v.dc, "c = f * c_prev + i * g: beside g stands i"),
    ("di without the candidate", "di", lambda v: v.dc, "c = f * c_prev + i * g: beside i stands g"),
    ("the forget gate is missing on the way to the previous cell", "dc_prev", lambda v: v.dc,
     "c = f * c_prev + i * g: the previous cell gets dc * f"),
    ("the input gate where the forget gate belongs", "dc_prev", lambda v: v.dc * v.i,
     "c = f * c_prev + i * g: the previous cell gets dc * f"),
    ("the previous cell gets the incoming dc only", "dc_prev", lambda v: v.dc_in * v.f,
     "dc has two parts, and both go on to the previous cell"),
    ("the output gate's derivative is missing", "da_o", lambda v: v.do, "o = sigma(a_o): da_o = do * o (1 - o)"),
    ("the input gate's derivative is missing", "da_i", lambda v: v.di, "i = sigma(a_i): da_i = di * i (1 - i)"),
    ("the forget gate's derivative is missing", "da_f", lambda v: v.df, "f = sigma(a_f): da_f = df * f (1 - f)"),
    ("the candidate's derivative is missing", "da_g", lambda v: v.dg, "g = tanh(a_g): da_g = dg * (1 - g^2)"),
    ("sigma' for the candidate", "da_g", lambda v: v.dg * v.g * (1 - v.g), "the candidate is a tanh: 1 - g^2"),
    ("tanh' for the forget gate", "da_f", lambda v: v.df * (1 - v.f**2), "the gates are sigmoids: f (1 - f)"),
    ("tanh' for the input gate", "da_i", lambda v: v.di * (1 - v.i**2), "the gates are sigmoids: i (1 - i)"),
    ("tanh' for the output gate", "da_o", lambda v: v.do * (1 - v.o**2), "the gates are sigmoids: o (1 - o)"),
    ("sigma' of the forget gate's pre-activation", "da_f", lambda v: v.df * logit(v.f) * (1 - logit(v.f)),
     "f (1 - f) is a formula in the gate, not in its pre-activation"),
    ("sigma' of the input gate's pre-activation", "da_i", lambda v: v.di * logit(v.i) * (1 - logit(v.i)),
     "i (1 - i) is a formula in the gate, not in its pre-activation"),
    ("sigma applied twice for the output gate", "da_o", lambda v: v.do * sigmoid(v.o) * (1 - sigmoid(v.o)),
     "o already is sigma(a_o)"),
    ("sigma applied twice for the forget gate", "da_f", lambda v: v.df * sigmoid(v.f) * (1 - sigmoid(v.f)),
     "f already is sigma(a_f)"),
    ("sigma applied twice for the input gate", "da_i", lambda v: v.di * sigmoid(v.i) * (1 - sigmoid(v.i)),
     "i already is sigma(a_i)"),
    ("the square is missing from the candidate's tanh'", "da_g", lambda v: v.dg * (1 - v.g), "tanh' = 1 - g^2"),
    ("input and forget gate are swapped", "da", lambda v: swapped(v.value, 0, 1),
     "the blocks of a stand in the order i, f, g, o"),
    ("candidate and output gate are swapped", "da", lambda v: swapped(v.value, 2, 3),
     "the blocks of a stand in the order i, f, g, o"),
    ("forget gate and candidate are swapped", "da", lambda v: swapped(v.value, 1, 2),
     "the blocks of a stand in the order i, f, g, o"),
    ("the sign of the forget gate is turned", "da_f", lambda v: -v.value, "f itself multiplies c_prev, not 1 - f"),
)  # fmt: skip


LSTM = know_cell(layers.LSTM(), LSTM_STEP, layers.lstm, covers=("lstm",))


def cases(rng):
    step = fixtures.step(rng, layers.lstm_step, {"a": 4 * H, "c_prev": H}, ("lstm_step", "LSTMStep"))
    return {"lstm_step": step, **LSTM.cases(rng)}
