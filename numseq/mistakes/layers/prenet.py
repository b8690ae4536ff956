"""Mistakes in the backward of the prenet."""

import numpy as np

from numseq import layers
from numseq.layers import PrenetParams
from numseq.mistakes.fixtures import CLEAR, A, B, Case, D, T, V, call, fit, rescaled
from numseq.mistakes.kinks import is_off, nearest_kink
from numseq.mistakes.layer import Layer, equations, fresh, know
from numseq.mistakes.layers.attention.look import rows


def prenet(trace, dy, change=None):
    eq, x, a_1, u_1, a_2, y, p = equations(change), trace.x, trace.a_1, trace.u_1, trace.a_2, trace.y, trace.params
    m_1, m_2, over = trace.m_1, trace.m_2, tuple(range(dy.ndim - 1))
    dr_2 = eq("dr_2", dy if m_2 is None else dy * m_2)
    da_2 = eq("da_2", np.where(a_2 > 0, dr_2, 0))
    dW_2 = eq("dW_2", rows(u_1).T @ rows(da_2))
    db_2 = eq("db_2", da_2.sum(axis=over))
    du_1 = eq("du_1", da_2 @ p.W_2.T)
    dr_1 = eq("dr_1", du_1 if m_1 is None else du_1 * m_1)
    da_1 = eq("da_1", np.where(a_1 > 0, dr_1, 0))
    dW_1 = eq("dW_1", rows(x).T @ rows(da_1))
    db_1 = eq("db_1", da_1.sum(axis=over))
    dx = eq("dx", da_1 @ p.W_1.T)
    return {"dx": dx, "params": PrenetParams(dW_1, db_1, dW_2, db_2)}


DROPPED = "a dropped unit had no say in y, and a kept one 1 / (1 - rate) times: the very mask of forward"

know(
    Layer("prenet", prenet),
    ("prenet: the last relu is forgotten", "da_2", lambda v: v.dr_2, "y = relu(a_2) m_2: where a_2 < 0, da_2 is 0"),
    ("prenet: the first relu is forgotten", "da_1", lambda v: v.dr_1, "u_1 = relu(a_1) m_1: where a_1 < 0, da_1 is 0"),
    ("prenet: the last relu lets the gradient's positive part through", "da_2",
     lambda v: np.where(v.dr_2 > 0, v.dr_2, 0), "whether the gradient passes is up to a_2, not to the gradient"),
    ("prenet: the first relu lets the gradient's positive part through", "da_1",
     lambda v: np.where(v.dr_1 > 0, v.dr_1, 0), "whether the gradient passes is up to a_1, not to the gradient"),
    ("prenet: the last dropout is forgotten", "dr_2", lambda v: v.dy, DROPPED),
    ("prenet: the first dropout is forgotten", "dr_1", lambda v: v.du_1, DROPPED),
    ("prenet: the last dropout's scaling is left out", "dr_2", lambda v: v.dy * (v.m_2 > 0), DROPPED),
    ("prenet: the first dropout's scaling is left out", "dr_1", lambda v: v.du_1 * (v.m_1 > 0), DROPPED),
    ("prenet: a fresh last mask in backward", "dr_2", lambda v: v.dy * fresh(v.m_2), DROPPED),
    ("prenet: a fresh first mask in backward", "dr_1", lambda v: v.du_1 * fresh(v.m_1), DROPPED),
    ("prenet: W_2 meets what was before relu and dropout", "dW_2", lambda v: rows(v.a_1).T @ rows(v.da_2),
     "a_2 = u_1 W_2 + b_2"),
    ("prenet: W_2 hears nothing of the last relu", "dW_2", lambda v: rows(v.u_1).T @ rows(v.dr_2),
     "W_2 stands within the relu: dW_2 is of da_2"),
    ("prenet: W_1 hears nothing of the first relu", "dW_1", lambda v: rows(v.x).T @ rows(v.dr_1),
     "W_1 stands within the relu: dW_1 is of da_1"),
    ("prenet: b_2 hears nothing of relu and dropout", "db_2", lambda v: v.dy.sum(axis=v.over),
     "b_2 stands within both: db_2 is of da_2"),
    ("prenet: b_1 hears nothing of relu and dropout", "db_1", lambda v: v.du_1.sum(axis=v.over),
     "b_1 stands within both: db_1 is of da_1"),
    ("prenet: b_1 is averaged over positions", "db_1", lambda v: v.da_1.mean(axis=v.over),
     "b_1 was added at every position: its gradients add"),
)  # fmt: skip


def cases(rng):
    def case(*rates):
        def draw():
            params = PrenetParams(np.empty((D, A)), np.empty(A), np.empty((A, V)), np.empty(V))
            masks = tuple(
                layers.dropout_mask(rng, (T, B, n), rate, float) for n, rate in zip((A, V), rates, strict=True)
            )
            inputs = {"x": rng.standard_normal((T, B, D)), "params": rescaled(rng, params)}
            return Case(call(layers.prenet, masks=masks), inputs, ("prenet",))

        return fit(draw, lambda trace: nearest_kink(trace) > CLEAR and not is_off(trace))

    return {"prenet": case(0.5, 0.4), "prenet, nothing dropped": case(0, 0)}
