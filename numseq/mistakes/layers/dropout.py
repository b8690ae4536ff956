"""Mistakes in the backward of dropout, in its three shapes."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import B, Case, D, T
from numseq.mistakes.layer import Layer, equations, fresh, know


def dropout(trace, dy, change=None):
    eq, mask = equations(change), trace.mask
    return {"dx": eq("dx", dy if mask is None else dy * mask)}


know(
    Layer("dropout", dropout),
    ("dropout forgets its mask", "dx", lambda v: v.dy, "a dropped unit had no say in the loss, so it gets no gradient"),
    ("a fresh dropout mask in backward", "dx", lambda v: v.dy * fresh(v.mask),
     "backward undoes the function that forward was: with the very same mask"),
    ("dropout's scaling is left out", "dx", lambda v: v.dy * (v.mask > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
    ("dropout's mask is applied twice", "dx", lambda v: v.dy * v.mask**2,
     "each factor of forward comes once in backward"),
)  # fmt: skip


def variational_dropout(trace, dy, change=None):
    """mask (1, B, D): the same at each of T steps."""
    eq, mask = equations(change), trace.mask
    return {"dx": eq("dx", np.stack([dy[t] * mask[0] for t in range(len(dy))]))}


know(
    Layer("variational_dropout", variational_dropout),
    ("variational dropout forgets its mask", "dx", lambda v: v.dy,
     "a dropped unit had no say in the loss, at any step, so it gets no gradient"),
    ("variational dropout with a fresh mask at each step", "dx",
     lambda v: v.dy * fresh(np.broadcast_to(v.mask, v.dy.shape)),
     "the point of it is one mask for all steps; backward has the very same"),
    ("variational dropout masks the first step only", "dx", lambda v: np.concatenate([v.value[:1], v.dy[1:]]),
     "the one mask multiplied every step, so it multiplies the gradient of every step"),
    ("variational dropout masks the last step only", "dx", lambda v: np.concatenate([v.dy[:-1], v.value[-1:]]),
     "the one mask multiplied every step, so it multiplies the gradient of every step"),
    ("variational dropout gives every step the gradient of all", "dx",
     lambda v: np.broadcast_to(v.value.sum(axis=0), v.dy.shape),
     "the mask is shared by the steps, the input is not: nothing is summed over time"),
    ("variational dropout's scaling is left out", "dx", lambda v: v.dy * (v.mask > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
)  # fmt: skip


def word_dropout(trace, dy, change=None):
    """mask (T, B, 1): the same for each of D units."""
    eq, mask = equations(change), trace.mask
    return {"dx": eq("dx", np.stack([dy[..., k] * mask[..., 0] for k in range(dy.shape[-1])], axis=-1))}


know(
    Layer("word_dropout", word_dropout),
    ("word dropout forgets its mask", "dx", lambda v: v.dy,
     "a dropped word had no say in the loss, so its vector gets no gradient"),
    ("word dropout drops units, not words, in backward", "dx",
     lambda v: v.dy * fresh(np.broadcast_to(v.mask, v.dy.shape)),
     "one draw decides of a word's whole vector, in backward as in forward"),
    ("word dropout masks a vector's first unit only", "dx",
     lambda v: np.concatenate([v.value[..., :1], v.dy[..., 1:]], axis=-1),
     "the one number of a word multiplied all of its vector"),
    ("word dropout's mask is a step late", "dx", lambda v: v.dy * np.roll(v.mask, 1, axis=0),
     "each word has the mask that it had in forward"),
    ("word dropout's scaling is left out", "dx", lambda v: v.dy * (v.mask > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
)  # fmt: skip


def cases(rng):
    def dropped(*shape):
        mask = layers.dropout_mask(rng, shape, 0.4, float)
        inputs = {"x": rng.standard_normal((T, B, D))}
        return Case(lambda x: layers.dropout(x, mask), inputs, ("dropout", "dropout_mask"))

    return {
        "dropout": dropped(T, B, D),
        "variational_dropout": dropped(1, B, D),
        "word_dropout": dropped(T, B, 1),
    }
