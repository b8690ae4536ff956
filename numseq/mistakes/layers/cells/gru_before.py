"""Mistakes in the backward of the GRU that resets before the product."""

import numpy as np

from numseq import layers
from numseq.layers.cells.gru_before import GRUBeforeStepGrad
from numseq.mistakes.fixtures import H
from numseq.mistakes.layer import Step, equations, know
from numseq.mistakes.layers.cells import fixtures
from numseq.mistakes.layers.cells.gru import either
from numseq.mistakes.layers.cells.sequence import know_cell


def gru_before_step(s, dh, change=None):
    eq, H = equations(change), s.h_prev.shape[-1]
    U_n = s.params.W_h[:, 2 * H :]
    r, z, n, v, h_prev, h = s.r, s.z, s.n, s.v, s.h_prev, s.h
    dz = eq("dz", dh * (h_prev - n))
    dn = eq("dn", dh * (1 - z))
    da_n = eq("da_n", dn * (1 - n**2))
    dv = eq("dv", da_n @ U_n.T)
    dr = eq("dr", dv * h_prev)
    dh_prev = eq("dh_carried", dh * z + dv * r)
    da_r = eq("da_r", dr * r * (1 - r))
    da_z = eq("da_z", dz * z * (1 - z))
    da = np.concatenate(eq("da", [da_r, da_z, da_n]), axis=-1)
    return {"da": da, "dh_prev": dh_prev, "dz": dz, "dn": dn, "dv": dv, "dr": dr}


GRU_BEFORE_STEP = know(
    Step(
        "gru_before_step", gru_before_step, of=layers.GRUBeforeStep, step=layers.gru_before_step, grad=GRUBeforeStepGrad
    ),
    *either(" (reset before the product)"),
    ("U_n is not transposed on the way to the reset state", "dv", lambda v: v.da_n @ v.U_n,
     "n = tanh(a_n + v U_n): dv = da_n U_n^T; a square U_n hides it from the shapes"),
    ("U_n is left out on the way to the reset state", "dv", lambda v: v.da_n, "n = tanh(a_n + v U_n): dv = da_n U_n^T"),
    ("the reset state's gradient goes past the candidate's tanh", "dv", lambda v: v.dn @ v.U_n.T,
     "n = tanh(a_n + v U_n): dv = da_n U_n^T, with tanh' in it"),
    ("the reset gate gets the reset state", "dr", lambda v: v.dv * v.v, "v = r * h_prev: beside r stands h_prev"),
    ("the reset gate's gradient is that of the reset state", "dr", lambda v: v.dv, "v = r * h_prev: dr = dv * h_prev"),
    ("the reset state gives the old state nothing", "dh_carried", lambda v: v.dh * v.z,
     "v = r * h_prev: the candidate read the old state too"),
    ("the old state is not reset in backward", "dh_carried", lambda v: v.dh * v.z + v.dv,
     "v = r * h_prev: the old state gets dv * r"),
    ("the old state is not given what z kept (reset before the product)", "dh_carried", lambda v: v.dv * v.r,
     "h = (1 - z) * n + z * h_prev: the old state gets dh * z"),
    ("the old state gets all of dh (reset before the product)", "dh_carried", lambda v: v.dh + v.dv * v.r,
     "h = (1 - z) * n + z * h_prev: the old state gets dh * z"),
    ("the old state gets the candidate's share (reset before the product)", "dh_carried",
     lambda v: v.dh * (1 - v.z) + v.dv * v.r, "h = (1 - z) * n + z * h_prev: the old state gets dh * z"),
)  # fmt: skip


def _back(s, dh, change):
    """W_h made two products: h_{t-1} [U_r, U_z], and v U_n, whose part of dW_h is `also`."""
    eq, H = equations(change), s.h_prev.shape[-1]
    step = gru_before_step(s, dh, change)
    da, nothing = step["da"], np.zeros_like(s.h_prev)
    v, da_n = s.v, da[:, 2 * H :]
    dU_n = eq("dU_n", v.T @ da_n)
    also = np.concatenate([np.zeros((H, 2 * H)), dU_n], axis=-1)
    return step | {"dq": np.concatenate([da[:, : 2 * H], nothing], axis=-1), "also": also}


GRU_BEFORE = know_cell(
    layers.GRUBefore(), GRU_BEFORE_STEP, layers.gru,
    ("W_h of the candidate gets the state that was not reset", "dU_n", lambda v: v.s.h_prev.T @ v.da_n,
     "n = tanh(a_n + v U_n): dU_n = sum of v^T da_n, with v = r * h_prev"),
    ("W_h of the candidate gets the reset gate", "dU_n", lambda v: v.s.r.T @ v.da_n, "U_n multiplied r * h_prev"),
    ("W_h of the candidate gets no gradient", "dU_n", lambda v: 0 * v.value, "U_n multiplied r * h_prev at every step"),
    ("the candidate's product goes back past the reset gate", "dh_product", lambda v: v.da[v.t] @ v.W_h.T,
     "U_n multiplied r * h_prev, whose gradient is dv: only [U_r, U_z] saw h_prev itself"),
    back=_back, covers=("gru",),
)  # fmt: skip


def cases(rng):
    params = layers.GRUParams(None, rng.standard_normal((H, 3 * H)), None)
    covers = ("gru_before_step", "GRUBeforeStep")
    step = fixtures.step(rng, layers.gru_before_step, {"a": 3 * H, "h_prev": H}, covers, params=params)
    return {"gru_before_step": step, **GRU_BEFORE.cases(rng)}
