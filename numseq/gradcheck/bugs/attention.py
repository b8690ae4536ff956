"""Known bugs of the attentions."""

import numpy as np

from numseq.gradcheck.bugs.bug import bugs

BUGS = []


BUGS += bugs(
    "additive_attention",
    ("only the diagonal of the softmax's Jacobian in the attention", "de",
     lambda v: v.alpha * (1 - v.alpha) * v.dalpha_t,
     "every score moves every weight"),
    ("the mean is not subtracted in the attention's softmax", "mean", lambda v: 0 * v.value,
     "de = alpha * (dalpha - sum dalpha alpha)"),
    ("the attention's softmax is left out", "de", lambda v: v.dalpha_t,
     "the gradient of alpha is not that of the scores"),
    ("keys get gradient through the context only", "dvalues", lambda v: v.dvalues,
     "a value is read twice: as what the context is a mean of, and as a key"),
    ("keys get gradient through the scores only", "dvalues_context", lambda v: 0 * v.value,
     "a value is read twice: as a key, and as what the context is a mean of"),
    ("the query is not summed over positions", "dprojected", lambda v: v.dz[0],
     "one query was compared with every position: their gradients add"),
    ("the query is averaged over positions", "dprojected", lambda v: v.dz.mean(axis=0),
     "one query was compared with every position: their gradients add"),
    ("tanh' is missing in the scores", "dz", lambda v: v.du, "u = tanh(q W_q + k): 1 - u^2"),
    ("w is missing in the scores", "du", lambda v: np.broadcast_to(v.de.T[:, :, None], v.value.shape),
     "e = u . w: du = de * w"),
    ("the weights' own gradient is ignored", "dalpha", lambda v: v.value - v.dalpha_out[v.t],
     "alpha was handed out too: whoever read it sends a gradient"),
    ("the context's gradient does not reach the weights", "dalpha", lambda v: v.dalpha_out[v.t],
     "context = sum alpha_j v_j: dalpha_j = dcontext . v_j"),
    ("W_q of the last query only", "dW_q", lambda v: v.q.T @ v.dprojected,
     "+= and not =: each query used the same W_q"),
    ("w of the last query only", "dw", lambda v: v.value - v.dw, "+= and not =: each query used the same w"),
    ("keys of the last query only", "dkeys", lambda v: v.dz,
     "+= and not =: each query was compared with the same keys"),
    ("values of the last query only", "dvalues_context", lambda v: v.value - v.dvalues,
     "+= and not =: each context is a mean of the same values"),
    ("the keys' bias gets no gradient", "db", lambda v: 0 * v.value, "b was added to each key"),
    ("the keys' bias is averaged over positions", "db", lambda v: v.value / v.S,
     "b was added to each key: its gradients add"),
    ("uniform weights in the values' gradient", "dvalues_context",
     lambda v: v.dvalues + np.broadcast_to(v.dcontext[v.t] / v.S, v.value.shape),
     "context = sum alpha_j v_j: dv_j = alpha_j dcontext"),
)  # fmt: skip
