"""Mistakes in the backward of the GRU that resets after the product."""

import numpy as np

from numseq import layers
from numseq.layers.cells.gru import GRUStepGrad
from numseq.mistakes.fixtures import H
from numseq.mistakes.layer import Step, equations, know, logit, sigmoid, swapped
from numseq.mistakes.layers.cells import fixtures
from numseq.mistakes.layers.cells.sequence import know_cell


def gru_step(s, dh, change=None):
    eq = equations(change)
    r, z, n, u, h_prev, h = s.r, s.z, s.n, s.u, s.h_prev, s.h
    dz = eq("dz", dh * (h_prev - n))
    dn = eq("dn", dh * (1 - z))
    dh_prev = eq("dh_carried", dh * z)
    da_n = eq("da_n", dn * (1 - n**2))
    dr = eq("dr", da_n * u)
    du = eq("du", da_n * r)
    da_r = eq("da_r", dr * r * (1 - r))
    da_z = eq("da_z", dz * z * (1 - z))
    da = np.concatenate(eq("da", [da_r, da_z, da_n]), axis=-1)
    return {"da": da, "du": du, "dh_prev": dh_prev, "dz": dz, "dn": dn, "dr": dr}


def either(suffix):
    """Bugs that can be made in either convention of the GRU."""
    return [
        (name + suffix, *rest)
        for name, *rest in (
            ("the candidate gets the share of the old state", "dn", lambda v: v.dh * v.z,
             "h = (1 - z) * n + z * h_prev: beside n stands 1 - z"),
            ("the candidate gets all of dh", "dn", lambda v: v.dh,
             "h = (1 - z) * n + z * h_prev: beside n stands 1 - z"),
            ("z and 1 - z are swapped in the update gate's gradient", "dz", lambda v: -v.value,
             "h = (1 - z) * n + z * h_prev: dz = dh * (h_prev - n)"),
            ("the update gate's gradient without the candidate", "dz", lambda v: v.dh * v.h_prev,
             "z stands twice in h = (1 - z) * n + z * h_prev"),
            ("the update gate's gradient without the old state", "dz", lambda v: -v.dh * v.n,
             "z stands twice in h = (1 - z) * n + z * h_prev"),
            ("tanh' of the new candidate is missing", "da_n", lambda v: v.dn, "n is a tanh: da_n = dn * (1 - n^2)"),
            ("tanh' of the new candidate without the square", "da_n", lambda v: v.dn * (1 - v.n), "tanh' = 1 - n^2"),
            ("sigma' for the new candidate", "da_n", lambda v: v.dn * v.n * (1 - v.n), "n is a tanh: 1 - n^2"),
            ("the reset gate gets no gradient", "dr", lambda v: 0 * v.value, "r stands inside of the candidate"),
            ("the reset gate's derivative is missing", "da_r", lambda v: v.dr, "r = sigma(a_r): da_r = dr * r (1 - r)"),
            ("the update gate's derivative is missing", "da_z", lambda v: v.dz,
             "z = sigma(a_z): da_z = dz * z (1 - z)"),
            ("tanh' for the reset gate", "da_r", lambda v: v.dr * (1 - v.r**2), "the gates are sigmoids: r (1 - r)"),
            ("tanh' for the update gate", "da_z", lambda v: v.dz * (1 - v.z**2), "the gates are sigmoids: z (1 - z)"),
            ("sigma' of the update gate's pre-activation", "da_z", lambda v: v.dz * logit(v.z) * (1 - logit(v.z)),
             "z (1 - z) is a formula in the gate, not in its pre-activation"),
            ("sigma applied twice for the reset gate", "da_r", lambda v: v.dr * sigmoid(v.r) * (1 - sigmoid(v.r)),
             "r already is sigma(a_r)"),
            ("reset and update gate are swapped", "da", lambda v: swapped(v.value, 0, 1),
             "the blocks of a stand in the order r, z, n"),
            ("update gate and candidate are swapped", "da", lambda v: swapped(v.value, 1, 2),
             "the blocks of a stand in the order r, z, n"),
        )
    ]  # fmt: skip


GRU_STEP = know(
    Step("gru_step", gru_step, of=layers.GRUStep, step=layers.gru_step, grad=GRUStepGrad),
    *either(""),
    ("the old state is not given what z kept", "dh_carried", lambda v: 0 * v.value,
     "h = (1 - z) * n + z * h_prev: the old state gets dh * z"),
    ("the old state gets all of dh", "dh_carried", lambda v: v.dh,
     "h = (1 - z) * n + z * h_prev: the old state gets dh * z"),
    ("the old state gets the candidate's share", "dh_carried", lambda v: v.dh * (1 - v.z),
     "h = (1 - z) * n + z * h_prev: the old state gets dh * z"),
    ("the reset gate gets the state, not the product", "dr", lambda v: v.da_n * v.h_prev,
     "n = tanh(a_n + r * u): beside r stands u = h_prev U_n + b_h"),
    ("the reset gate's gradient goes past the candidate's tanh", "dr", lambda v: v.dn * v.u,
     "n = tanh(a_n + r * u): dr = da_n * u, with tanh' in it"),
    ("the reset gate's gradient is that of the candidate", "dr", lambda v: v.da_n,
     "n = tanh(a_n + r * u): beside r stands u"),
    ("the product is not reset in backward", "du", lambda v: v.da_n, "n = tanh(a_n + r * u): du = da_n * r"),
    ("the reset product's gradient goes past the candidate's tanh", "du", lambda v: v.dn * v.r,
     "n = tanh(a_n + r * u): du = da_n * r, with tanh' in it"),
    ("the update gate where the reset gate belongs", "du", lambda v: v.da_n * v.z,
     "n = tanh(a_n + r * u): du = da_n * r"),
)  # fmt: skip


def _back(s, dh, change):
    eq, step = equations(change), gru_step(s, dh, change)
    da, du = step["da"], step["du"]
    H = du.shape[-1]
    dq = eq("dq", np.concatenate([da[:, : 2 * H], du], axis=-1))  # q = [h U_r, h U_z, u]
    return step | {"dq": dq}


GRU = know_cell(
    layers.GRU(), GRU_STEP, layers.gru,
    ("the reset product does not reach the old state", "dq",
     lambda v: np.concatenate([v.da[:, : 2 * v.H], 0 * v.du], axis=-1),
     "h_{t-1} made u = h_{t-1} U_n too: three products"),
    ("the way back to the old state is not reset", "dh_product", lambda v: v.da[v.t] @ v.W_h.T,
     "the candidate read r * u: what goes back through U_n is da_n * r"),
    ("W_h of the candidate is not reset", "dW_h", lambda v: sum(v.h_prev[t].T @ v.da[t] for t in range(v.T)),
     "the candidate read r * (h U_n): dU_n = sum of h_{t-1}^T (da_n * r)"),
    ("b_h of the candidate is not reset", "db_h", lambda v: v.da.sum(axis=(0, 1)),
     "b_h stands inside of r * (...): its gradient is the sum of da_n * r"),
    ("b is reset like b_h", "db", lambda v: v.dq.sum(axis=(0, 1)), "b stands outside of r * (...)"),
    back=_back, covers=("gru",),
)  # fmt: skip


def cases(rng):
    step = fixtures.step(rng, layers.gru_step, {"a": 3 * H, "u": H, "h_prev": H}, ("gru_step", "GRUStep"))
    return {"gru_step": step, **GRU.cases(rng)}
