"""Mistakes in the backward of a sequence that is read both ways."""

from dataclasses import dataclass

import numpy as np

from numseq import layers
from numseq.layers.cells.bidirectional import BidirectionalParams
from numseq.mistakes.layer import LAYERS, Layer, equations, know, one_way
from numseq.mistakes.layers.cells.sequence import sequence


@dataclass
class Bidirectional(Layer):
    ways = ("ahead", "back")

    def possible(self, trace=None):
        """Its own bugs, and those of the cell of a trace."""
        cell = getattr(trace.run.cell, "equations", None) if trace is not None else None
        return self.bugs + (LAYERS[cell].possible() if cell else [])

    def functions(self, trace=None):
        """Its own, and those of the cell of a trace."""
        cell = getattr(trace.run.cell, "equations", None) if trace is not None else None
        return super().functions() + (LAYERS[cell].functions() if cell else [])


def bidirectional(trace, dh=None, dfinal=None, change=None):
    """Each direction on its own, as a sequence of the same cell."""
    eq, run, x, B = equations(change), trace.run, trace.x, trace.x.shape[1]
    starts = [before[0] for before in run.before]
    H = starts[0].shape[-1]
    dh = np.zeros((*x.shape[:2], 2 * H)) if dh is None else dh
    ends = [None] * len(starts) if dfinal is None else dfinal
    ends = [np.zeros_like(start) if d is None else d for d, start in zip(ends, starts, strict=True)]
    ahead, back = (_one_way(trace, starts, direction) for direction in (0, 1))
    dh_ahead, dh_back = eq("dh_ahead", dh[..., :H]), eq("dh_back", dh[..., H:])
    dfinal_ahead, dfinal_back = eq("dfinal_ahead", [d[0] for d in ends]), eq("dfinal_back", [d[1] for d in ends])
    dh_final_back = eq("dh_final_back", dfinal_back[0])
    mask_back = eq("mask_back", {})
    ga = sequence(ahead, dh_ahead, dfinal_ahead, one_way(change, "ahead"))
    gb = sequence(back, dh_back, [dh_final_back, *dfinal_back[1:]], one_way(change, "back") | mask_back)
    dx_ahead, dx_back = ga["dx"], gb["dx"]
    dx_both = eq("dx_both", dx_ahead + dx_back)
    dstate = run.cell.State(*(np.stack(both) for both in zip(ga["dstate"], gb["dstate"], strict=True)))
    dstate = eq("dstate", dstate)
    dparams_ahead, dparams_back = ga["params"], gb["params"]
    both = eq("both", [dparams_ahead, dparams_back])
    return {"dx": dx_both, "dstate": dstate, "params": BidirectionalParams(*both)}


def _one_way(trace, starts, direction):
    """The trace of one direction as a sequence of its own; what it has by step is turned to positions."""
    run, turn = trace.run, slice(None, None, -1 if direction else 1)
    drop = trace.weight_drop and trace.weight_drop.mask
    return layers.sequence(
        trace.x,
        [start[direction] for start in starts],
        (trace.params.ahead, trace.params.back)[direction],
        cell=run.cell,
        mask=None if run.mask is None else run.mask[turn, direction],
        reverse=bool(direction),
        zoneout=run.zoneout and [k if isinstance(k, float) else k[turn, direction] for k in run.zoneout],
        weight_mask=None if drop is None else drop[direction],
    )


know(
    Bidirectional("bidirectional", bidirectional),
    ("the reversed direction is not turned back", "dx_both", lambda v: v.dx_ahead + v.dx_back[::-1],
     "the reversed reading's step t is position T - 1 - t"),
    ("the reversed direction's dh is not turned", "dh_back", lambda v: v.value[::-1],
     "the reversed reading's step t is position T - 1 - t"),
    ("the mask is not reversed with its direction", "mask_back", lambda v: {"mask": lambda w: w.value[::-1]},
     "the padding of a reversed sequence stands at its beginning"),
    ("dx of one direction only", "dx_both", lambda v: v.dx_ahead, "both directions read x: their gradients add"),
    ("dx is the mean of both directions", "dx_both", lambda v: v.value / 2,
     "both directions read x: their gradients add"),
    ("the two halves of dh are swapped", "dh_ahead", lambda v: v.dh[..., v.H :],
     "the output is [left to right; right to left]"),
    ("the reversed direction's final state gets no gradient", "dh_final_back", lambda v: 0 * v.value,
     "both final states were handed out"),
    ("the directions' weights are swapped", "both", lambda v: v.value[::-1], "each direction has weights of its own"),
)  # fmt: skip
