"""Mistakes in the backward of the stop loss."""

import numpy as np

from numseq import layers
from numseq.layers.losses.stop import last_frames
from numseq.mistakes.fixtures import REAL, B, Case, T, weighed
from numseq.mistakes.layer import Layer, equations, know


def stop_loss(trace, dloss, change=None):
    eq, p, last, stop_weight = equations(change), trace.p, trace.last, trace.stop_weight
    weights = eq("weights", trace.weights)
    dnll = eq("dnll", weights * dloss)
    doff = eq("doff", np.where(last, stop_weight * (p - 1), p))
    dlogits = eq("dlogits", doff * dnll)
    return {"dlogits": dlogits}


def _plain(v):
    """What is added up where the loss is the cross-entropy of p, for a last frame and for another."""
    return np.where(v.last, -v.stop_weight / v.p, 1 / (1 - v.p))


know(
    Layer("stop_loss", stop_loss, says={
        "dlogits": "stop_weight (p - 1) of a last frame and p of another, * weights * dloss, where p = sigma(logits)",
    }),
    ("stop: the weight of a last frame is forgotten", "doff", lambda v: np.where(v.last, v.p - 1, v.p),
     "forward multiplied what a last frame lost by stop_weight, so must backward"),
    ("stop: all frames get the weight of a last one", "doff",
     lambda v: v.stop_weight * np.where(v.last, v.p - 1, v.p), "stop_weight is of last frames alone"),
    ("stop: the weight stands at the other frames", "doff",
     lambda v: np.where(v.last, v.p - 1, v.stop_weight * v.p), "stop_weight is of last frames"),
    ("stop: the weight is within the difference", "doff", lambda v: np.where(v.last, v.p - v.stop_weight, v.p),
     "stop_weight multiplies -log p, whose slope is p - 1 in all"),
    ("stop: the 1 of a last frame is not subtracted", "doff", lambda v: np.where(v.last, v.stop_weight * v.p, v.p),
     "the slope of -log sigma(a) is p - 1"),
    ("stop: a last frame's sign is turned", "doff", lambda v: np.where(v.last, v.stop_weight * (1 - v.p), v.p),
     "at a last frame the logit must rise: its slope is p - 1"),
    ("stop: last and other frames are exchanged", "doff", lambda v: np.where(v.last, v.p, v.stop_weight * (v.p - 1)),
     "p - 1 is of last frames, p of others"),
    ("stop: the slope by p where that by the logit belongs", "doff", _plain,
     "1 / p is the slope by the probability; sigma' = p (1 - p) must follow"),
    ("stop: sigma' once more", "doff", lambda v: v.value * v.p * (1 - v.p),
     "p - 1 is already the slope by the logit; sigma' is in it"),
    ("stop: only last frames get gradient", "doff", lambda v: np.where(v.last, v.value, 0),
     "a frame that is not the last should say so"),
    ("stop: summed over frames, not averaged", "weights", lambda v: 1.0 * (v.value > 0),
     "forward divided by the number of real frames, so must backward"),
    ("stop: averaged over last frames only", "weights", lambda v: (v.value > 0) / v.last.sum(),
     "the mean is over all real frames"),
    ("stop: padded frames are counted", "weights", lambda v: np.full_like(v.value, v.value.max()),
     "a padded frame was not in the loss: its gradient is exactly 0"),
    ("stop: dloss is ignored", "dnll", lambda v: v.weights, "the chain rule begins with what comes from above"),
)  # fmt: skip


def cases(rng):
    last = last_frames(REAL)

    def loss(weights):
        function = lambda logits: layers.stop_loss(logits, last, weights, stop_weight=3.0)  # noqa: E731
        return Case(function, {"logits": 2 * rng.standard_normal((T, B))}, ("stop_loss",))

    return {"stop_loss": loss(REAL), "stop_loss, weighed": loss(weighed(rng))}
