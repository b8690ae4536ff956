"""Mistakes in the backward of temporal encoding."""

import numpy as np

from numseq import layers
from numseq.layers import TemporalParams
from numseq.mistakes.fixtures import SOURCE_REAL, B, Case, D, S, call, rescaled
from numseq.mistakes.layer import Layer, equations, know

AGES = S + 1  # one that no sentence has


def temporal_encoding(trace, dy, change=None):
    eq, age, mask, T = equations(change), trace.age, trace.mask, trace.params.T
    real = mask[:, :, None]
    dy_real = eq("dy_real", np.where(real, dy, 0))
    dx = eq("dx", dy)
    dT = np.zeros_like(T)
    np.add.at(dT, age, dy_real)
    return {"dx": dx, "params": TemporalParams(eq("dT", dT))}


def _counted(v, age):
    out = np.zeros_like(v.T)
    np.add.at(out, age, v.dy_real)
    return out


def _assigned(v):
    out = np.zeros_like(v.T)
    out[v.age[v.mask]] = v.dy[v.mask]
    return out


def _uses(v):
    return np.maximum(np.bincount(v.age[v.mask], minlength=len(v.T)), 1)[:, None]


know(
    Layer("temporal_encoding", temporal_encoding, says={
        "dx": "dy, since y = x + T[age]", "params.T": "for each age the sum of dy over the memories of that age",
    }),
    ("the ages' vectors are assigned, not added", "dT", _assigned,
     "the memories of all rows read the same T: their gradients add (np.add.at)"),
    ("the ages' vectors are averaged over rows", "dT", lambda v: v.value / _uses(v),
     "each row of T gets the sum of the gradients of its uses"),
    ("the ages' vectors are averaged over the batch", "dT", lambda v: v.value / v.age.shape[1],
     "each row of T gets the sum of the gradients of its uses"),
    ("ages are counted from the first sentence", "dT",
     lambda v: _counted(v, np.maximum(v.mask.sum(axis=0) - 1 - v.age, 0)),
     "age 0 is the most recent sentence, not the first"),
    ("ages are off by one", "dT", lambda v: np.roll(v.value, 1, axis=0),
     "the gradient goes to the row that was read"),
    ("ages are counted over padding", "dT", lambda v: _counted(v, np.arange(len(v.age))[::-1, None] + 0 * v.age),
     "the most recent real sentence has age 0"),
    ("what is no memory trains the ages too", "dy_real", lambda v: v.dy,
     "to what is no memory nothing was added: mask it"),
    ("all ages get the sum of all", "dT", lambda v: np.broadcast_to(v.value.sum(axis=0), v.value.shape),
     "each age has a vector of its own"),
    ("what is no memory gets no gradient through", "dx", lambda v: v.dy_real,
     "y = x + T[age] where it is a memory and x where it is none: x passes all of dy on"),
    ("the sentences get no gradient past their ages", "dx", lambda v: 0 * v.value, "y = x + T[age]: dx = dy"),
)  # fmt: skip


def cases(rng):
    age = np.maximum(SOURCE_REAL[::-1].cumsum(axis=0)[::-1] - 1, 0)
    params = rescaled(rng, layers.init_temporal(rng, AGES, D, float))
    inputs = {"x": rng.standard_normal((S, B, D)), "params": params}
    function = call(layers.temporal_encoding, age=age, mask=SOURCE_REAL)
    return {"temporal_encoding": Case(function, inputs, ("temporal_encoding",))}
