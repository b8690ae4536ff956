"""How far a gradient gets: dL/dh_t and dL/dc_t over time, and which gates are saturated.

With h_t = tanh(x_t W_x + h_{t-1} W_h + b) and rows as vectors,

    dL/dh_{t-1} = (dL/dh_t * (1 - h_t^2)) W_h^T + what h_{t-1} gives to the loss itself         simple recurrent network
    dL/dc_{t-1} = dL/dc_t * f_t + what comes by h_{t-1}                                         LSTM

so over k steps the first is multiplied by k matrices, the second, along the cell, by k forget gates alone.

Everything here returns arrays; `numseq.plots` draws them, and `numseq.copy_memory` has a task to see them on. More in
docs/gradient-flow.md.

Source: Hochreiter 1991; Bengio et al. 1994; Hochreiter & Schmidhuber 1997; Pascanu et al. 2013.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import array_module
from numseq.layers.recurrent import bptt
from numseq.layers.rnn import ReLUStep

Array = Any
SIGMOID, TANH = (0.1, 0.9), (-0.9, 0.9)  # beyond these a unit is saturated
CANDIDATES = "gn"  # the blocks of pre-activations that go through tanh; all others through sigma


# Gradients of the states


@dataclass(slots=True)
class StateGradients:
    dh: Array  # (T, B, H)
    dc: Array | None  # (T, B, H); None for a cell without c


def state_gradients(trace, dh=None, dh_T=None, dc_T=None):
    """The derivative of the loss by the states at every t, all ways to the loss together.

    Equations: dL/dh_t = dh[t] + what comes back from step t + 1; dL/dc_t = what comes back from step t + 1, plus what
        comes by h_t, which was made of c_t. Both are by what step t computed. A padded position computed nothing: there
        they are by the state that it carries.

    Args: trace, a RecurrentTrace of any cell (of a stack, that of one layer). dh (T, B, H), dh_T, dc_T (B, H): as of
        RecurrentTrace.backward.
    Returns: StateGradients with dh and dc (T, B, H).
    """
    run, xp = copy(trace.run), array_module(trace.h)
    grads = [xp.empty_like(now) for now in run.now]
    noting = run.cell = _NotingCell(run.cell, grads, run.mask)
    bptt(run, dh, (dh_T, dc_T)[: len(grads)], visit=noting.visit)
    return StateGradients(grads[0], grads[1] if len(grads) > 1 else None)


class _NotingCell:
    """A cell that notes, for each step undone, the gradients of the states.

    What reaches a step's states from outside is handed to the cell's backward. That c is also read by the h of its own
    step is known only to the step, which says so in its record of gradients.
    """

    def __init__(self, cell, grads, mask):
        self.cell, self.grads, self.mask, self.t = cell, grads, mask, None

    def visit(self, t, dstate):
        self.t = t
        for kept, d in zip(self.grads, dstate, strict=True):
            kept[t] = d

    def backward(self, s, dstate, params, da):
        noted = _NotedStep(s)
        dprev = self.cell.backward(noted, dstate, params, da)
        found = [dstate[0], *(getattr(noted.grad, "dc", d) for d in dstate[1:])]
        for kept, d in zip(self.grads, found, strict=True):
            now = kept[self.t]
            now[...] = d if self.mask is None else array_module(d).where(self.mask[self.t][..., None], d, now)
        return dprev


class _NotedStep:
    """A step's record that keeps what its backward returned."""

    def __init__(self, step):
        self.step = step

    def __getattr__(self, name):
        return getattr(self.step, name)

    def backward(self, *args):
        self.grad = self.step.backward(*args)
        return self.grad


def norms(gradient, per_row=False):
    """The Euclidean norms over units.

    Args: gradient, (T, B, H). per_row: whether rows are kept apart.
    Returns: (T,), their mean over the rows, or (T, B), in float64: the square of a vanished float32 would be 0.
    """
    size = abs(gradient).astype(np.float64)
    each = (size * size).sum(axis=-1) ** 0.5
    return each if per_row else each.mean(axis=-1)


def kept_share(gate, start):
    """What a gate lets through of a gradient that goes back from `start` to t, along the state itself.

    Equations: kept_t = gate_{t+1} * gate_{t+2} * ... * gate_start, and 1 at t = start. As c_t = f_t * c_{t-1} + ...,
        the constant error carousel brings kept_t * dL/dc_start of an LSTM (gate f) back to c_t; of a GRU (gate z),
        kept_t * dL/dh_start to h_t.

    Args: gate, (T, B, H). start: a step.
    Returns: (start + 1, B, H).
    Source: Hochreiter & Schmidhuber 1997, section 3.2, where f = 1; Gers et al. 2000.
    """
    xp = array_module(gate)
    through = xp.concatenate([xp.ones_like(gate[:1]), gate[start:0:-1]])
    return xp.cumprod(through, axis=0)[::-1]


# Saturation


@dataclass(slots=True)
class Saturation:
    below: Array  # (T,), share of the units
    above: Array


def saturation(values, low, high, mask=None):
    """The share of units below `low`, and that above `high`, at every t.

    Args: values, (T, B, H). low, high: the bounds. mask, (T, B): only real positions count; None for all.
    Returns: a Saturation; nan where no position of a step is real.
    Source: Karpathy et al. 2015, section 4.2, who count over time for each unit, and not over units at each time.
    """
    xp = array_module(values)
    mask = xp.ones(values.shape[:2], dtype=bool) if mask is None else mask
    units = mask.sum(axis=1) * values.shape[2]
    units = xp.where(units > 0, units, np.nan)
    shares = [(beyond & mask[..., None]).sum(axis=(1, 2)) / units for beyond in (values < low, values > high)]
    return Saturation(*shares)


def gate_saturation(trace):
    """How much of each gate of a cell is saturated, at every t.

    A gate made by sigma is saturated below 0.1 and above 0.9; what tanh made (candidates, the squashed cell, the state
    of a simple recurrent network), below -0.9 and above 0.9. There the slope of sigma is below 0.09, that of tanh below
    0.19. A rectified linear unit has no such bounds and is left out.

    Args: trace, a RecurrentTrace of any cell.
    Returns: a dict of names (i, f, g, o, tanh_c; r, z, n; h) to Saturation.
    """
    steps, mask = trace.steps, trace.run.mask
    bounds = {name: TANH if name in CANDIDATES else SIGMOID for name in steps.blocks}
    bounds |= {"tanh_c": TANH, "tanh_n": TANH} if steps.blocks else {}
    if not steps.blocks and not isinstance(steps, ReLUStep):
        bounds["h"] = TANH
    found = {name: getattr(steps, name, None) for name in bounds}
    return {name: saturation(v, *bounds[name], mask) for name, v in found.items() if v is not None}
