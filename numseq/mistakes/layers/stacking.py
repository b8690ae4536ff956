"""Mistakes in the backward of frame stacking."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import REAL, B, Case, D, T, call
from numseq.mistakes.layer import Layer, equations, know

N = 4  # which T is no multiple of


def stack_frames(trace, dy, change=None):
    eq, n, frames, (S, B) = equations(change), trace.n, trace.frames, trace.frames.shape
    D = dy.shape[-1] // n
    place = eq("place", np.arange(S) // n)
    part = eq("part", np.arange(S) % n)
    dframes = eq("dframes", np.stack([dy[s, :, k * D : (k + 1) * D] for s, k in zip(place, part, strict=True)]))
    real = eq("real", frames[:, :, None])
    dx = eq("dx", np.where(real, dframes, 0))
    return {"dx": dx}


def _of_places(v):
    """Of each place whether its first frame is real."""
    return v.frames[v.place * v.n][:, :, None]


know(
    Layer("stack_frames", stack_frames, says={"dx": "of each real frame the part of dy where it stands, else 0"}),
    ("padded frames get gradient", "real", lambda v: np.ones_like(v.value),
     "a padded frame counted as 0: its gradient is exactly 0"),
    ("frames of a real place get gradient, padded or not", "real", _of_places,
     "in a real place only the first frame is real for sure; padding behind it counted as 0"),
    ("a place's frames stand in reversed order", "part", lambda v: v.n - 1 - v.value,
     "the first frame of a place was its first part"),
    ("every frame gets the first part of its place", "part", lambda v: 0 * v.value,
     "n frames stand side by side: the k-th has the k-th part"),
    ("every frame gets the last part of its place", "part", lambda v: 0 * v.value + v.n - 1,
     "n frames stand side by side: the k-th has the k-th part"),
    ("frames are dealt out to places in turn", "place", lambda v: np.arange(v.S) % len(v.dy),
     "neighbours are stacked: frame i is in place i // n, not i % S'"),
    ("places and parts are exchanged", "dframes",
     lambda v: v.dy.reshape(len(v.dy) * v.n, v.B, v.D)[: v.S],
     "dy has rows between places and parts: (S', B, n, D) must become (S', n, B, D)"),
    ("a place's numbers are dealt out to its frames in turn", "dframes",
     lambda v: np.stack([v.dy[s, :, k :: v.n] for s, k in zip(v.place, v.part, strict=True)]),
     "a frame's numbers stood together: part k is the numbers kD to (k + 1) D"),
    ("a place's gradient is averaged over its frames", "dx", lambda v: v.value / v.n,
     "frames were put side by side, not averaged"),
    ("all frames of a place get the sum of its parts", "dframes",
     lambda v: v.dy[v.place].reshape(v.S, v.B, v.n, v.D).sum(axis=2),
     "each frame is one part of the place; the others are of its neighbours"),
    ("only the first frame of a place gets gradient", "dx", lambda v: v.value * (v.part == 0)[:, None, None],
     "all n frames were read"),
)  # fmt: skip


def cases(rng):
    x = rng.standard_normal((T, B, D))
    return {
        "stack_frames": Case(call(layers.stack_frames, n=N, mask=REAL), {"x": x}, ("stack_frames",)),
        "stack_frames, pairs": Case(call(layers.stack_frames, n=2, mask=REAL), {"x": x}, ("stack_frames",)),
        "stack_frames, without a mask": Case(call(layers.stack_frames, n=N), {"x": x}, ("stack_frames",)),
    }
