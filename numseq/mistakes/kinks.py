"""How near a forward pass comes to where it has no slope, or hardly any: asked of forward alone.

A difference that reaches over a kink is no derivative; and behind units that are all off there is no gradient to check.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from numseq.layers.attention.local import LocalAttention, LocalStep
from numseq.layers.cells.layernorm_lstm import LayerNormLSTM
from numseq.layers.cells.rnn import ReLUStep
from numseq.layers.cells.unroll import Unroll
from numseq.layers.feed_forward import FeedForwardTrace
from numseq.layers.losses.coverage import CoverageLossTrace
from numseq.layers.losses.frames import AbsoluteErrorTrace
from numseq.layers.prenet import PrenetTrace
from numseq.layers.residual import ResidualTrace
from numseq.record import StepRecord, Steps
from numseq.show import fields_of


def nearest_kink(trace: Any) -> float:
    """The least distance to a kink anywhere inside a trace; infinite when there is none.

    Distances: of a relu's pre-activation to 0; of the two units of a pair of maxout; of a window's edge to a position;
    of a weight and a coverage, of which the smaller counts, in proportion to the larger; of a number of a frame to the
    one that it should be, of which the absolute error is.
    """
    found, parts = [np.inf], list(inside(trace))
    windows = [part.window for part in parts if isinstance(part, LocalAttention)]
    for part in parts:
        if _of_relu(part):
            a = part.steps.a
            found.append(np.abs(a[a != 0]).min(initial=np.inf))  # one that is 0 has no inputs to move it
        elif isinstance(part, FeedForwardTrace):
            found.append(np.abs(part.a).min())
        elif isinstance(part, PrenetTrace):
            found += [np.abs(part.a_1).min(), np.abs(part.a_2).min()]
        elif isinstance(part, ResidualTrace):
            around = part.conv_1.x if part.skip is None else part.skip.y
            found += [np.abs(a[a != 0]).min(initial=np.inf) for a in (part.norm_1.y, part.norm_2.y + around)]
        elif _is_maxout(part):
            found.append(np.abs(part.a[..., ::2] - part.a[..., 1::2]).min())
        elif isinstance(part, LocalStep):
            edges = np.stack([part.p - windows[0], part.p + windows[0]])
            found.append(np.abs(edges - edges.round())[:, part.alpha.any(axis=-1)].min())
        elif isinstance(part, CoverageLossTrace):
            alpha, larger = part.alpha, np.maximum(part.alpha, part.coverage)
            moves = (larger > 0) & (alpha < 1)  # neither at padding nor where there is no other position
            found.append((np.abs(alpha - part.coverage)[moves] / larger[moves]).min())
        elif isinstance(part, AbsoluteErrorTrace):
            found.append(np.abs(part.off[part.weights != 0]).min(initial=np.inf))
    return float(min(found))


def _of_relu(part):
    return isinstance(part, Unroll) and isinstance(part.steps[0], ReLUStep)


def _is_maxout(part):
    """Is it a readout's step, of two pre-activations a unit?"""
    a, r = getattr(part, "a", None), getattr(part, "r", None)
    return isinstance(part, StepRecord) and a is not None and r is not None and a.shape[-1] == 2 * r.shape[-1]


def is_off(trace: Any) -> bool:
    """Is some gradient behind relus 0, right or wrong? So it is in a recurrence when a unit is never on, or no unit at
    the first step, or none where the state before is anything; and most of the steps should have one that is on. In a
    feed-forward network or a prenet most of the units should be on somewhere."""
    for u in (u for part in inside(trace) for u in _units(part)):
        if (u > 0).any(axis=tuple(range(u.ndim - 1))).mean() < 0.7:
            return True
    for run in filter(_of_relu, inside(trace)):
        on = run.steps.a > 0  # (T, B, H), or (T, 2, B, H) with the second direction's steps in its own order
        if run.mask is not None:
            on &= run.mask[..., None]
        if run.zoneout is not None:  # what a step made of a unit that kept its state reaches nobody
            on &= np.asarray(run.zoneout[0]) > 0
        reached = on.any(axis=-1)
        of_W_h = reached & run.before.h.any(axis=-1)
        if not (on.any(axis=(0, -2)).all() and reached[run.order[0]].any() and of_W_h.any(axis=(0, -1)).all()):
            return True
        real = np.ones_like(reached) if run.mask is None else run.mask
        if reached.ndim == 3:
            reached, real = reached[:, 0] | reached[::-1, 1], real[:, 0]
        if reached.sum() < 0.7 * real.sum():
            return True
    return False


def _units(part):
    """What the relus of a network without a recurrence gave."""
    if isinstance(part, FeedForwardTrace):
        return [part.u]
    return [part.u_1, part.y] if isinstance(part, PrenetTrace) else []


def least_std(trace: Any) -> float:
    """The smallest deviation that a layer-normalised LSTM divides by, where there is anything to divide; small ones are
    steep. Infinite without any."""
    found = [np.inf]
    for run in (part for part in inside(trace) if isinstance(part, Unroll) and isinstance(part.cell, LayerNormLSTM)):
        for std, hat in ((run.steps.c_std, run.steps.c_hat), (run.steps.q_std, run.steps.q_hat)):
            found.append(std[hat.any(axis=-1)].min(initial=np.inf))
    return float(min(found))


def inside(trace: Any) -> Iterator[Any]:
    """The records and objects that a trace holds, however deep."""
    stack, seen = [trace], set()
    while stack:
        part = stack.pop()
        if part is None or isinstance(part, np.ndarray | str | int | float | range | type) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, Steps | list | tuple):
            stack += part.records if isinstance(part, Steps) else part
        elif not isinstance(part, StepRecord):  # it holds arrays
            stack += [value for _, value in fields_of(part)]
