"""Mistakes in the backward of pooling by maxima and by means."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import REAL, B, Case, D, S, T, call
from numseq.mistakes.layer import Layer, equations, know
from numseq.mistakes.layers.windows import assigned, given_back, looks, there


def max_pooling(trace, dy, change=None):
    eq, windows, winner, y, y_mask = equations(change), trace.windows, trace.winner, trace.y, there(trace.y_mask, dy)
    taps = np.arange(len(windows.taps))[:, None]
    won = taps == winner[..., None, :]  # (P, B, k, D)
    dy_real = eq("dy_real", dy * y_mask)
    dseen = eq("dseen", dy_real[..., None, :] * won)
    dx = eq("dx", given_back(dseen, looks(windows)))
    return {"dx": dx}


ONE = "of a window only the largest place had a say in y"
SHARES = "a place is seen by several windows: it gets the sum of their shares"
BEGAN = "window p began at p * stride - before, so it gives there"
know(
    Layer("max_pooling", max_pooling),
    ("max pooling: every place of a window gets the gradient", "dseen",
     lambda v: v.dy_real[..., None, :] * np.ones_like(v.value), ONE),
    ("max pooling: the places of a window share the gradient", "dseen",
     lambda v: v.dy_real[..., None, :] * np.ones_like(v.value) / len(v.taps), ONE + "; a share is what a mean gives"),
    ("max pooling: all but the largest get the gradient", "dseen", lambda v: v.dy_real[..., None, :] * ~v.won, ONE),
    ("max pooling: the first place always wins", "dseen", lambda v: v.dy_real[..., None, :] * (v.taps == 0),
     "which place won was decided in forward, for each channel on its own: keep it"),
    ("max pooling: one winner for all channels", "dseen",
     lambda v: v.dy_real[..., None, :] * (v.taps == v.winner[..., None, :1]),
     "each channel is pooled on its own, and has winners of its own"),
    ("max pooling: the maximum is taken for its slope", "dseen", lambda v: v.value * v.y[..., None, :],
     "y is the winner itself: its slope is 1"),
    ("max pooling: windows that overlap write over one another", "dx", lambda v: assigned(v.dseen, looks(v.windows)),
     "a place can win in several windows: it gets the sum of their gradients"),
    ("max pooling: the stride is forgotten on the way back", "dx",
     lambda v: given_back(v.dseen, looks(v.windows, stride=1)), BEGAN),
    ("max pooling: the padding is forgotten on the way back", "dx",
     lambda v: given_back(v.dseen, looks(v.windows, before=0)), BEGAN),
    ("max pooling: windows that are not real have a gradient", "dy_real", lambda v: v.dy,
     "y is 0 there whatever x is"),
)  # fmt: skip


def mean_pooling(trace, dy, change=None):
    eq, windows, n = equations(change), trace.windows, trace.n[..., None]
    x_mask, y_mask, taps = there(trace.x_mask, trace.x), there(trace.y_mask, dy), len(windows.taps)
    dy_real = eq("dy_real", dy * y_mask)
    share = eq("share", dy_real / n)
    dseen = eq("dseen", np.repeat(share[..., None, :], taps, axis=-2))
    dx_seen = eq("dx_seen", given_back(dseen, looks(windows)))
    dx = eq("dx", dx_seen * x_mask)
    return {"dx": dx}


know(
    Layer("mean_pooling", mean_pooling),
    ("mean pooling: the gradient is not divided", "share", lambda v: v.dy_real,
     "y is an n-th of each place: so is what it gives back"),
    ("mean pooling: what is not real is counted", "share", lambda v: v.dy_real / v.taps,
     "forward divided by the real places of the window, so does backward"),
    ("mean pooling: divided twice", "share", lambda v: v.value / v.n, "each factor of forward comes once in backward"),
    ("mean pooling: all goes to the first place of a window", "dseen",
     lambda v: v.value * v.taps * (np.arange(v.taps) == 0)[:, None], "all places of a window had a say in y"),
    ("mean pooling: windows that overlap write over one another", "dx_seen",
     lambda v: assigned(v.dseen, looks(v.windows)), SHARES),
    ("mean pooling: windows that overlap are averaged", "dx_seen",
     lambda v: v.value / np.maximum(given_back(np.ones_like(v.dseen), looks(v.windows)), 1),
     SHARES),
    ("mean pooling: the stride is forgotten on the way back", "dx_seen",
     lambda v: given_back(v.dseen, looks(v.windows, stride=1)), BEGAN),
    ("mean pooling: the padding is forgotten on the way back", "dx_seen",
     lambda v: given_back(v.dseen, looks(v.windows, before=0)), BEGAN),
    ("mean pooling: windows that are not real have a gradient", "dy_real", lambda v: v.dy,
     "y is 0 there whatever x is"),
    ("mean pooling: places that are not real get a gradient", "dx", lambda v: v.dx_seen,
     "what is not real was in no mean"),
)  # fmt: skip


def cases(rng):
    def apart(*shape):
        """Numbers of which no two are nearly equal, so that a difference changes no winner."""
        n = np.prod(shape)
        return (rng.permutation(n) - n / 2).reshape(shape) * 4 / n

    def case(function, *shape, **options):
        return Case(call(getattr(layers, function), **options), {"x": apart(*shape)}, (function,))

    found = {}
    for name in ("max_pooling", "mean_pooling"):
        found |= {
            name: case(name, T, B, D, size=3, stride=2, padding="same", mask=REAL),
            f"{name}, side by side": case(name, T, B, D, size=2, mask=REAL),
            f"{name}, picture": case(name, S, T, B, D, size=3, stride=2, padding="same"),
        }
    return found
