"""A recurrent cell repeated over time, and backpropagation through time (BPTT), for any cell.

    state_t            = step(a_t, state_{t-1})              t = 0 .. T-1
    da_t, dstate_{t-1} = step_backward(dstate_t)             t = T-1 .. 0, with dh_t of who read h_t added to dstate_t

`Unroll` goes there and keeps what each step computed, `Rewind` comes back; either does one step at a time, so a decoder
puts a loop of its own around them, and `sequence` the plain one. What a cell offers is said in
`numseq.layers.cells.cell`. Source: Werbos 1990, "Backpropagation through time".
"""

from typing import Any

import numpy as np

from numseq.backend import Array, array_module, ragged_steps
from numseq.errors import ArgumentError
from numseq.layers.cells.cell import Cell, as_state
from numseq.layers.fit import as_of
from numseq.record import Steps, held, kept_gradients


class Unroll:
    """A cell on its way over T steps: each `step(t)` reads the state before it, and keeps the new one and its record.

        before.h[t], after.h[t]      the states before and after step t, (B, H); so of c
        steps[t]                     the record of step t, just as the step returned it
        final                        the state after the last step

    A state can be carried past a step: that of a padded position always is, and with zoneout (Krueger et al. 2017) any
    unit may be. With k the share of the new state, 1 for a unit that goes on and 0 for one that is carried:

        state_t = k * step(state_{t-1}) + (1 - k) * state_{t-1}

    Args: cell. inputs, (T, B, G), of `cell.project_inputs`; the steps take it over as their pre-activations. state, the
        first, of the cell's kind. params, the cell's. mask, (T, B) True where real, or None. reverse: the first step is
        T - 1 and the last is 0. zoneout: for each part of the state k, either (T, B, H) of zeros and ones (training)
        or one number (its expectation, in evaluation); None for none.
    """

    def __init__(
        self,
        cell: Cell,
        inputs: Array,
        state: Any,
        params: Any,
        *,
        mask: Array | None = None,
        reverse: bool = False,
        zoneout: tuple | None = None,
    ):
        self.cell, self.inputs, self.params, self.mask = cell, inputs, params, mask
        if mask is not None and mask.shape != inputs.shape[:-1]:
            raise ArgumentError(f"the mask has the shape {mask.shape}: it must be {inputs.shape[:-1]}")
        # a number of NumPy's has a dtype, which would make float32 arrays float64
        self.zoneout = zoneout and tuple(k if getattr(k, "ndim", 0) else float(k) for k in zoneout)
        if self.zoneout and len(self.zoneout) != len(state):
            raise ArgumentError(f"zoneout has {len(self.zoneout)} parts: it must have {len(state)}, as the state")
        for k, first in zip(self.zoneout or (), state, strict=False):
            if not isinstance(k, float) and k.shape != (needed := (len(inputs), *first.shape)):
                raise ArgumentError(f"zoneout has the shape {k.shape}: it must be {needed}, or a number")
        self.ragged = ragged_steps(mask)
        T = len(inputs)
        self.order = range(T)[::-1] if reverse else range(T)
        self.steps = Steps([None] * T)
        # the T + 1 states lie in one array; before and after each step are two views of it, (T, B, H)
        before, after = [], []
        for first in state:
            xp = array_module(first)
            states = xp.empty((T + 1, *first.shape), dtype=inputs.dtype)
            states[-1 if reverse else 0] = first
            before.append(states[1:] if reverse else states[:-1])
            after.append(states[:-1] if reverse else states[1:])
            if xp is np:  # CuPy has no such flag
                before[-1].flags.writeable = False  # what a step is given is what the step before it has made
        self.before, self.after = cell.State(*before), cell.State(*after)

    def __repr__(self) -> str:
        return repr(self.steps)

    @property
    def final(self) -> Any:
        """The state after the last step."""
        return self.cell.State(*(after[self.order[-1]] for after in self.after))

    def step(self, t: int) -> Array:
        """Do step t; returns h_t."""
        before = self.cell.State(*(states[t] for states in self.before))
        s = self.steps.records[t] = self.cell.forward(self.inputs[t], before, self.params)
        for k, name in enumerate(before._fields):
            new = self._made(s, name, before[k])
            if self.zoneout is not None:
                share = self._share(k, t)
                new = share * new + (1 - share) * before[k]
            if self._padded(t):
                new = array_module(new).where(self.mask[t][..., None], new, before[k])  # a finished row stays
            self.after[k][t] = new
        return self.after.h[t]

    def _made(self, s, name, old):
        """A part of the new state, from the record of a step."""
        by = getattr(self.cell, "step", self.cell.forward)
        new = held(s, name, old.shape, by)
        if new.dtype != old.dtype and not np.can_cast(new.dtype, old.dtype):
            raise TypeError(f"{by.__name__} made {name} in {new.dtype} of what was {old.dtype}")
        return new

    def step_backward(self, t: int, dstate: Any) -> tuple[Any, Any]:
        """Undo step t. dstate, the gradient of the state after it. Returns (its StepGrad, that of the state before)."""
        s = self.steps[t]
        if self.zoneout is None and not self._padded(t):
            return self.cell.backward(s, dstate, self.params)
        # what was carried gets its gradient past the step, and the step gets the rest: exactly 0 where padded
        into, past = zip(*(self._parted(k, t, d) for k, d in enumerate(dstate)), strict=True)
        grad, dbefore = self.cell.backward(s, self.cell.State(*into), self.params)
        return grad, self.cell.State(*(d + around for d, around in zip(dbefore, past, strict=True)))

    def _parted(self, k, t, d):
        """(gradient of the step's result, gradient of the state carried past it)."""
        share = 1 if self.zoneout is None else self._share(k, t)
        into, past = share * d, (1 - share) * d
        if self._padded(t):
            where, real = array_module(d).where, self.mask[t][..., None]
            into, past = where(real, into, 0), where(real, past, d)
        return into, past

    def _share(self, k, t):
        share = self.zoneout[k]
        return share if isinstance(share, float) else share[t]

    def _padded(self, t):
        return self.mask is not None and self.ragged[t]


class Rewind:
    """The way back over an Unroll: each `step(t)`, from the last to the first, undoes one.

        dstate          the gradient of the state before the step undone last; of the first state in the end
        da[t]           the gradient of the pre-activations of step t, (B, G)

    Args: run. dfinal, the gradient of its final state; None, whole or in parts, for 0.
    """

    def __init__(self, run: Unroll, dfinal: Any = None):
        self.run, self.da = run, array_module(run.inputs).empty_like(run.inputs)
        dfinal = [None] * len(run.after) if dfinal is None else as_state(run.cell, dfinal)
        zeros = array_module(run.inputs).zeros_like
        parts = (zeros(s) if d is None else d for d, s in zip(dfinal, run.final, strict=True))
        self.dstate = copied(run.cell.State(*parts))

    def step(self, t: int, dh: Array | None = None) -> Array:
        """Undo step t. dh, (B, H), from whoever read h_t as an output: it is added to what comes back from step t + 1,
        which read h_t as the state before it. Returns da_t, (B, G)."""
        dstate = self.dstate
        if dh is not None:
            dstate = dstate._replace(h=dstate.h + dh)
        if (inside := kept_gradients()) is None:
            grad, self.dstate = self.run.step_backward(t, dstate)
        else:  # what is kept stays as it is, though a step's backward may add to what it is given
            grad, self.dstate = self.run.step_backward(t, copied(dstate))
            inside.add(self.run.steps[t], grad, dstate)
        self.da[t] = grad.da
        return self.da[t]


def copied(state: Any) -> Any:
    return type(state)(*(part.copy() for part in state))


def bptt(run: Unroll, dh: Array | None, dfinal: Any = None) -> tuple[Array, Any]:
    """Backpropagation through all steps of an Unroll.

    Args: run. dh, of the outputs, (T, B, H), or None when nobody read them. dfinal, as of `Rewind`.
    Returns: (da (T, B, G), the gradient of the first state).
    """
    if dh is not None:
        as_of(dh, "dh", run.after.h, "h")
    back = Rewind(run, dfinal)
    for t in reversed(run.order):
        back.step(t, None if dh is None else dh[t])
    return back.da, back.dstate
