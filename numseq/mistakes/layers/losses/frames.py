"""Mistakes in the backward of the losses of frames."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import CLEAR, REAL, B, Case, D, T, fit, weighed
from numseq.mistakes.kinks import nearest_kink
from numseq.mistakes.layer import Layer, equations, know


def mean_squared_error(trace, dloss, change=None):
    eq, off, (T, B, D) = equations(change), trace.off, trace.off.shape
    weights = eq("weights", trace.weights)
    deach = eq("deach", weights * dloss)
    doff = eq("doff", 2 * off / D)
    dframes = eq("dframes", doff * deach[:, :, None])
    return {"dframes": dframes}


know(
    Layer("mean_squared_error", mean_squared_error, says={
        "dframes": "2 (frames - target) / D * weights * dloss",
    }),
    ("the square's 2 is missing", "doff", lambda v: v.off / v.D, "the slope of off^2 is 2 off"),
    ("the square is taken for its slope", "doff", lambda v: v.off**2 / v.D, "the slope of off^2 is 2 off"),
    ("of a squared error only the sign is left", "doff", lambda v: np.sign(v.off) / v.D,
     "that is the slope of |off|; off^2 pulls in proportion to off"),
    ("target minus frames", "doff", lambda v: -v.value, "off = frames - target: too large a number must go down"),
    ("a frame's squares are summed, not averaged", "doff", lambda v: 2 * v.off,
     "forward divided by the D numbers of a frame, so must backward"),
    ("a frame's squares are divided by the batch", "doff", lambda v: 2 * v.off / v.B,
     "the mean is over the D numbers of a frame"),
    ("squared errors are summed over frames, not averaged", "weights", lambda v: 1.0 * (v.value > 0),
     "forward divided by the number of real frames, so must backward"),
    ("squared errors are averaged over padding too", "weights", lambda v: (v.value > 0) / v.value.size,
     "the mean counts real frames only"),
    ("squared errors are averaged over rows, not frames", "weights", lambda v: (v.value > 0) / v.B,
     "the mean is over all real frames; divide by their number, not by the batch"),
    ("every row's squared errors are averaged by themselves", "weights",
     lambda v: (v.value > 0) / (v.value > 0).sum(axis=0) / v.B,
     "the mean is over all real frames together: a long row counts more"),
    ("the squared error ignores dloss", "deach", lambda v: v.weights,
     "the chain rule begins with what comes from above"),
)  # fmt: skip


def mean_absolute_error(trace, dloss, change=None):
    eq, off, (T, B, D) = equations(change), trace.off, trace.off.shape
    weights = eq("weights", trace.weights)
    deach = eq("deach", weights * dloss)
    sign = eq("sign", np.where(off > 0, 1.0, np.where(off < 0, -1.0, 0.0)))
    doff = eq("doff", sign / D)
    dframes = eq("dframes", doff * deach[:, :, None])
    return {"dframes": dframes}


know(
    Layer("mean_absolute_error", mean_absolute_error, says={
        "dframes": "sign(frames - target) / D * weights * dloss",
    }),
    ("the sign is missing", "sign", lambda v: np.abs(v.value), "the slope of |off| is 1 above 0 and -1 below"),
    ("the sign is turned", "sign", lambda v: -v.value, "off = frames - target: too large a number must go down"),
    ("the slope is there where off is positive only", "sign", lambda v: np.where(v.off > 0, 1.0, 0.0),
     "that is a relu's; |off| has the slope -1 below 0"),
    ("off itself in place of its sign", "sign", lambda v: v.off,
     "that is a squared error's; |off| pulls alike however far"),
    ("|off| in place of its slope", "sign", lambda v: np.abs(v.off), "the slope of |off| is the sign of off"),
    ("the slope of the squared error", "sign", lambda v: 2 * v.off, "the slope of |off| is the sign of off"),
    ("a frame's distances are summed, not averaged", "doff", lambda v: v.sign,
     "forward divided by the D numbers of a frame, so must backward"),
    ("a frame's distances are divided by the batch", "doff", lambda v: v.sign / v.B,
     "the mean is over the D numbers of a frame"),
    ("distances are summed over frames, not averaged", "weights", lambda v: 1.0 * (v.value > 0),
     "forward divided by the number of real frames, so must backward"),
    ("distances are averaged over padding too", "weights", lambda v: (v.value > 0) / v.value.size,
     "the mean counts real frames only"),
    ("distances are averaged over rows, not frames", "weights", lambda v: (v.value > 0) / v.B,
     "the mean is over all real frames; divide by their number, not by the batch"),
    ("the absolute error ignores dloss", "deach", lambda v: v.weights,
     "the chain rule begins with what comes from above"),
)  # fmt: skip


def cases(rng):
    target = rng.standard_normal((T, B, D))

    def loss(name, weights):
        function, covers = lambda frames: getattr(layers, name)(frames, target, weights), (name,)
        draw = lambda: Case(function, {"frames": rng.standard_normal((T, B, D))}, covers)  # noqa: E731
        return fit(draw, lambda trace: nearest_kink(trace) > CLEAR)

    return {
        "mean_squared_error": loss("mean_squared_error", REAL),
        "mean_squared_error, weighed": loss("mean_squared_error", weighed(rng)),
        "mean_absolute_error": loss("mean_absolute_error", REAL),
        "mean_absolute_error, weighed": loss("mean_absolute_error", weighed(rng)),
    }
