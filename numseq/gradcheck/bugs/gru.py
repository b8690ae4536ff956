"""Known bugs of the simple recurrent networks and of the gated recurrent unit, in both of its conventions."""

import numpy as np

from numseq.gradcheck.bugs.bug import bugs, logit, sigmoid, swapped

BUGS = []


BUGS += bugs(
    "rnn_step",
    ("tanh' of the state is missing", "da", lambda v: v.dh, "h = tanh(a): da = dh * (1 - h^2)"),
    ("tanh' of the state without the square", "da", lambda v: v.dh * (1 - v.h), "tanh' = 1 - h^2"),
    ("tanh' of the state is taken of its pre-activation", "da", lambda v: v.dh * (1 - np.arctanh(v.h) ** 2),
     "1 - h^2 is a formula in h = tanh(a), not in a"),
    ("tanh is applied twice in the state's slope", "da", lambda v: v.dh * (1 - np.tanh(v.h) ** 2),
     "h already is tanh(a)"),
    ("sigma' for the state's tanh", "da", lambda v: v.dh * v.h * (1 - v.h), "the state is a tanh: 1 - h^2"),
    ("relu's slope for the state's tanh", "da", lambda v: np.where(v.h > 0, v.dh, 0), "the state is a tanh: 1 - h^2"),
)  # fmt: skip
BUGS += bugs(
    "relu_step",
    ("relu's slope is missing in the state", "da", lambda v: v.dh,
     "h = max(0, a): a unit that is off gets no gradient"),
    ("tanh's slope for a relu state", "da", lambda v: v.dh * (1 - v.h**2), "the state is a relu: its slope is 1 or 0"),
    ("the state in place of relu's slope", "da", lambda v: v.dh * v.h, "the slope is 1 where h > 0, not h"),
    ("relu's slope of the state on the wrong side", "da", lambda v: np.where(v.h > 0, 0, v.dh),
     "the slope is 1 where the unit is on"),
    ("the gradient of a relu state is cut off instead", "da", lambda v: np.maximum(v.dh, 0) * (v.h > 0),
     "the state decides where the gradient goes through, not the gradient's own sign"),
    ("relu's state leaks in backward", "da", lambda v: np.where(v.h > 0, v.dh, 0.01 * v.dh),
     "a leaky slope belongs to a leaky forward"),
)  # fmt: skip
BUGS += bugs(
    "rnn",
    ("the recurrent matrix is not transposed", "dh_product", lambda v: v.dq[v.t] @ v.W_h,
     "h W_h sends its gradient back through W_h^T; a square W_h hides it from the shapes"),
    ("the recurrent matrix is left out on the way back", "dh_product", lambda v: v.dq[v.t],
     "h_{t-1} reached a_t through W_h; a square W_h hides it from the shapes"),
    ("the recurrent matrix's gradient is transposed", "dW_h", lambda v: v.value.T,
     "dW_h = sum of h_{t-1}^T da_t; a square W_h hides it from the shapes"),
)  # fmt: skip


def _both(suffix):
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


BUGS += bugs(
    "gru_step",
    *_both(""),
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
BUGS += bugs(
    "gru",
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
)  # fmt: skip
BUGS += bugs(
    "gru_before_step",
    *_both(" (reset before the product)"),
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
BUGS += bugs(
    "gru_before",
    ("W_h of the candidate gets the state that was not reset", "dU_n", lambda v: v.s.h_prev.T @ v.da_n,
     "n = tanh(a_n + v U_n): dU_n = sum of v^T da_n, with v = r * h_prev"),
    ("W_h of the candidate gets the reset gate", "dU_n", lambda v: v.s.r.T @ v.da_n, "U_n multiplied r * h_prev"),
    ("W_h of the candidate gets no gradient", "dU_n", lambda v: 0 * v.value, "U_n multiplied r * h_prev at every step"),
    ("the candidate's product goes back past the reset gate", "dh_product", lambda v: v.da[v.t] @ v.W_h.T,
     "U_n multiplied r * h_prev, whose gradient is dv: only [U_r, U_z] saw h_prev itself"),
)  # fmt: skip
