"""Known bugs between layers and an update."""

import numpy as np

from numseq.gradcheck.bugs.bug import bugs

BUGS = []


BUGS += bugs(
    "tied_embedding",
    ("a tied embedding without the readout's half", "dE", lambda v: v.looked_up,
     "one matrix is read twice: its two gradients add"),
    ("a tied embedding without the lookup's half", "dE", lambda v: v.read_out,
     "one matrix is read twice: its two gradients add"),
    ("a tied embedding averages its two gradients", "dE", lambda v: v.value / 2,
     "one matrix is read twice: its two gradients add"),
)  # fmt: skip
BUGS += bugs(
    "clip_by_global_norm",
    ("per-parameter instead of global clipping", "factor",
     lambda v: {k: min(1.0, v.largest / np.sqrt((g**2).sum())) for k, g in v.grads.items()},
     "one norm over all parameters together, so that the direction stays"),
    ("values are clipped, not the norm", "grads",
     lambda v: {k: np.clip(g, -v.largest, v.largest) for k, g in v.grads.items()},
     "clipping each number turns the gradient's direction"),
    ("the norms are added, not their squares", "norm", lambda v: sum(np.sqrt((g**2).sum()) for g in v.grads.values()),
     "|g|^2 is the sum of squares over everything"),
    ("the square root of the norm is missing", "norm", lambda v: v.value**2,
     "the norm is the root of the sum of squares"),
    ("always scaled to the largest norm", "factor", lambda v: dict.fromkeys(v.grads, v.largest / v.norm),
     "a gradient below the limit is left alone"),
)  # fmt: skip
