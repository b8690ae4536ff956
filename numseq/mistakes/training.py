"""Mistakes between layers and an update: in clipping, which has no backward of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numseq.mistakes.layer import Layer, equations, know


def clip_by_global_norm(trace: Any, largest: float, change: dict[str, Callable] | None = None) -> dict[str, Any]:
    """grads * min(1, largest / norm over all of them), for a dict of arrays."""
    eq, grads = equations(change), trace.grads
    norm = eq("norm", np.sqrt(sum((g**2).sum() for g in grads.values())))
    factor = eq("factor", dict.fromkeys(grads, min(1.0, largest / norm)))
    return {"grads": eq("grads", {name: g * factor[name] for name, g in grads.items()})}


know(
    Layer("clip_by_global_norm", clip_by_global_norm, graded=False),
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
