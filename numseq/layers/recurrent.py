"""A recurrent cell repeated over time, and backpropagation through time (BPTT), for any cell.

A cell offers four pieces, and everything recurrent is built of them, a decoder that attends between two steps too:

    before(x, params)                       the input product of all T steps at once
    forward(a, state, params, s)            one step: fills the record s
    backward(s, dstate, params, da)         one step back: fills da, returns the gradient of the previous state
    after(x, prev, da, params)              the weight gradients of all T steps at once

and says where its named quantities are kept, `storage(a, prev, now)`. The product with the previous state is a piece of
its own within a step, `recur(a, state, params)` and `recur_backward(da, params)`, so that two directions can share the
rest of the step (`numseq.layers.bidirectional`).

The products with the inputs' weights and all weight gradients are thus a few large ones; only what truly waits for the
previous step is in the loop. `Unroll` keeps one cell's numbers over T steps and does the middle two pieces.

Source: Werbos 1990, "Backpropagation through time".
"""

from numseq.backend import array_module, ragged_steps


class Unroll:
    """One cell over T steps: where its states and named quantities are kept, and one step forward or back.

    Args: cell, see above. a, (T, B, G) from `cell.before`, overwritten by the steps. state, a tuple of first states
        (B, H). params, the cell's. mask, (T, B) True where real, or None: on a padded step the state is carried.
        reverse: the first step is T - 1 and the last is 0.
    """

    def __init__(self, cell, a, state, params, mask=None, reverse=False):
        xp = array_module(a)
        self.cell, self.a, self.params, self.mask = cell, a, params, mask
        self.ragged = ragged_steps(mask)
        self.order = range(len(a))[::-1] if reverse else range(len(a))
        self.prev, self.now = [], []  # for each state (T, B, H), before and after each step: views of one array
        for first in state:
            kept = xp.empty((len(a) + 1, *first.shape), dtype=a.dtype)
            kept[-1 if reverse else 0] = first
            self.prev.append(kept[1:] if reverse else kept[:-1])
            self.now.append(kept[:-1] if reverse else kept[1:])
        self.steps = cell.storage(a, self.prev, self.now)

    def final(self):
        """The states after the last step, each (B, H)."""
        return tuple(now[self.order[-1]] for now in self.now)

    def step(self, t):
        """Do step t."""
        self.cell.forward(self.a[t], tuple(prev[t] for prev in self.prev), self.params, self.steps[t])
        if self.mask is not None and self.ragged[t]:
            real = self.mask[t][:, None]
            for prev, now in zip(self.prev, self.now, strict=True):
                now[t] = array_module(real).where(real, now[t], prev[t])  # a finished row keeps its state

    def step_backward(self, t, dstate, da):
        """Undo step t: dstate is the gradient after it; fills da (B, G), returns the gradient before it."""
        if self.mask is None or not self.ragged[t]:
            return self.cell.backward(self.steps[t], dstate, self.params, da)
        xp = array_module(da)
        real = self.mask[t][:, None]
        # where the state was carried, its gradient goes straight past the step, and the step gets exactly 0
        dprev = self.cell.backward(self.steps[t], tuple(xp.where(real, d, 0) for d in dstate), self.params, da)
        return tuple(dp + xp.where(real, 0, d) for dp, d in zip(dprev, dstate, strict=True))


def unroll(cell, x, state, params, mask=None, reverse=False):
    """Run a cell over x (T, B, D) from the first state; returns the finished Unroll."""
    run = Unroll(cell, cell.before(x, params), state, params, mask, reverse)
    for t in run.order:
        run.step(t)
    return run


def unroll_backward(run, x, dh, dfinal):
    """BPTT through an Unroll made by `unroll`.

    At step t two gradients meet in h_t: dh[t] from whoever read h_t as an output, and the one that comes back from step
    t + 1, which read it as its previous state.

    Args: run and its x. dh, (T, B, H), or None when nobody read the outputs. dfinal, the gradients of the final states,
        a tuple as the state, None for 0.
    Returns: (dx (T, B, D), dstate of the first states, gradient of the parameters).
    """
    xp = array_module(x)
    da = xp.empty_like(run.a)
    dstate = tuple(xp.zeros_like(s) if d is None else d for d, s in zip(dfinal, run.final(), strict=True))
    for t in reversed(run.order):
        if dh is not None:
            dstate = (dstate[0] + dh[t], *dstate[1:])
        dstate = run.step_backward(t, dstate, da[t])
    dx, dparams = run.cell.after(x, run.prev, da, run.params)
    return dx, dstate, dparams
