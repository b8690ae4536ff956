"""How far a gradient gets: dL/dh_t and dL/dc_t over time, and which gates are saturated.

With h_t = tanh(x_t W_x + h_{t-1} W_h + b) and rows as vectors,

    dL/dh_{t-1} = (dL/dh_t * (1 - h_t^2)) W_h^T + what h_{t-1} gives to the loss itself         simple recurrent network
    dL/dc_{t-1} = dL/dc_t * f_t + what comes by h_{t-1}                                         LSTM

so over k steps the first is multiplied by k matrices, the second, along the cell, by k forget gates alone.

Everything here returns arrays; `numseq.plots` draws them, and `numseq.studies.copy_memory` has a task to see them on.
More in docs/gradient-flow.md.

Source: Hochreiter 1991; Bengio et al. 1994; Hochreiter & Schmidhuber 1997; Pascanu et al. 2013.
"""

from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array, array_module
from numseq.layers.cells.bidirectional import BidirectionalTrace
from numseq.layers.cells.rnn import ReLUStep
from numseq.layers.cells.sequence import RecurrentTrace
from numseq.layers.cells.unroll import Unroll
from numseq.record import Record, keep_gradients
from numseq.show import fields_of

SIGMOID, TANH = (0.1, 0.9), (-0.9, 0.9)  # beyond these a unit is saturated
CANDIDATES = "gn"  # the blocks of pre-activations that go through tanh; all others through sigma


# Gradients of the states


@dataclass(slots=True)
class StateGradients(Record):
    dh: Array  # (T, B, H)
    dc: Array | None = None  # (T, B, H); None for a cell without c


def state_gradients(trace: Any, *upstream: Any, **named: Any) -> Any:
    """The derivative of the loss by the states at every t, all ways to the loss together.

    Equations: dL/dh_t = dh[t] + what comes back from step t + 1; dL/dc_t = what comes back from step t + 1, plus what
        comes by h_t, which was made of c_t. Both are by what step t computed. A padded position computed nothing: there
        they are by the state that it carries.

    Args: trace, of a sequence, of a bidirectional layer, a stack, or a model. upstream, named: what its backward takes.
    Returns: StateGradients with dh and dc (T, B, H), t being the position; of more than one sequence a dict of them, by
        their places in the trace: "layers.0" of a stack, "encoder.rnn.layers.0.ahead" and so on of a model.
    """
    with keep_gradients() as inside:
        trace.backward(*upstream, **named)
    found = {path: _state_gradients(inside, steps, mask) for path, steps, mask in _sequences(trace)}
    return found[""] if list(found) == [""] else found


def _state_gradients(inside, steps, mask):
    made, after = inside[steps], inside.states(steps)
    parts = []
    for name in after.records[0]._fields:
        carried = getattr(after, name)
        part = getattr(made, f"d{name}", None)  # a step of the reader's own need not name it
        if part is None:
            part = carried
        parts.append(part if mask is None else array_module(part).where(mask[..., None], part, carried))
    return StateGradients(*parts)


def _sequences(thing, path=""):
    """(path, steps, mask (T, B)) of every sequence within a trace, by position."""
    if isinstance(thing, BidirectionalTrace):
        mask, dot = thing.run.mask, "." if path else ""
        mask = None if mask is None else mask[:, 0]
        yield from ((f"{path}{dot}{side}", getattr(thing, side), mask) for side in ("ahead", "back"))
    elif isinstance(run := getattr(thing, "run", None), Unroll):
        yield path, run.steps, run.mask
    elif is_dataclass(thing) or isinstance(thing, list | tuple):
        for name, part in fields_of(thing) if is_dataclass(thing) else enumerate(thing):
            yield from _sequences(part, f"{path}.{name}" if path else f"{name}")


def norms(gradient: Array, per_row: bool = False) -> Array:
    """The Euclidean norms over units.

    Args: gradient, (T, B, H). per_row: whether rows are kept apart.
    Returns: (T,), their mean over the rows, or (T, B), in float64: the square of a vanished float32 would be 0.
    """
    size = abs(gradient).astype(np.float64)
    each = (size * size).sum(axis=-1) ** 0.5
    return each if per_row else each.mean(axis=-1)


def kept_share(gate: Array, start: int) -> Array:
    """What a gate lets through of a gradient that goes back from `start` to t, along the state itself.

    Equations: kept_t = gate_{t+1} * gate_{t+2} * ... * gate_start, and 1 at t = start. As c_t = f_t * c_{t-1} + ...,
        the constant error carousel brings kept_t * dL/dc_start of an LSTM (gate f) back to c_t; of a GRU (gate z),
        kept_t * dL/dh_start to h_t.

    Args: gate, (T, B, H). start: a step.
    Returns: (start + 1, B, H).
    Raises: ArgumentError, when there is no such step.
    Source: Hochreiter & Schmidhuber 1997, section 3.2, where f = 1; Gers et al. 2000.
    """
    start = arguments.whole(start, "start", least=0, most=len(gate) - 1)
    xp = array_module(gate)
    through = xp.concatenate([xp.ones_like(gate[:1]), gate[start:0:-1]])
    return xp.cumprod(through, axis=0)[::-1]


# Saturation


@dataclass(slots=True)
class Saturation(Record):
    below: Array  # (T,), share of the units
    above: Array


def saturation(values: Array, low: float, high: float, mask: Array | None = None) -> Saturation:
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


def gate_saturation(trace: RecurrentTrace) -> dict[str, Saturation]:
    """How much of each gate of a cell is saturated, at every t.

    A gate made by sigma is saturated below 0.1 and above 0.9; what tanh made (candidates, the squashed cell, the state
    of a simple recurrent network), below -0.9 and above 0.9. There the slope of sigma is below 0.09, that of tanh below
    0.19. A rectified linear unit has no such bounds and is left out.

    Args: trace, a RecurrentTrace of any cell.
    Returns: a dict of names (i, f, g, o, tanh_c; r, z, n; h) to Saturation.
    """
    steps, step, mask = trace.steps, trace.steps[0], trace.run.mask
    bounds = {name: TANH if name in CANDIDATES else SIGMOID for name in step.blocks}
    bounds |= {"tanh_c": TANH, "tanh_n": TANH} if step.blocks else {}
    if not step.blocks and not isinstance(step, ReLUStep):
        bounds["h"] = TANH
    found = {name: getattr(steps, name, None) for name in bounds}
    return {name: saturation(v, *bounds[name], mask) for name, v in found.items() if v is not None}
