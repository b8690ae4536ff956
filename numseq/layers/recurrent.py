"""A recurrent cell repeated over time, and backpropagation through time (BPTT), for any cell.

A cell offers five pieces, and everything recurrent is built of them, a decoder that attends between two steps too:

    before(x, params)                               the input product of all T steps at once: a (T, B, G), and what
                                                    `after` will want of it besides (None for most)
    storage(a, prev, out)                           the record that keeps the named quantities of all T steps
    forward(a, state, params, s)                    one step: fills the record s
    backward(s, dstate, params, da)                 one step back: fills da, returns the gradient of the previous state
    after(x, kept, steps, prev, da, params)         dx, and the weight gradients of all T steps at once

Besides, `states` names what it carries from step to step, ("h",) or ("h", "c"), and `init` draws first parameters. The
products with the inputs' weights and all weight gradients are thus a few large ones; only what truly waits for the
previous step is in the loop.

The middle pieces look at the last two axes only. So states (B, H) may as well be (2, B, H), two directions side by
side, with weights (2, H, G) (see `numseq.layers.bidirectional`).

Source: Werbos 1990, "Backpropagation through time".
"""

from dataclasses import dataclass, replace
from typing import Any

from numseq.backend import array_module, ragged_steps
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.linear import rows
from numseq.params import common_dtype
from numseq.record import Trace

Array = Any


class Unroll:
    """One cell over T steps: where its states and named quantities are kept, and one step forward or back.

    A state can be carried past a step: that of a padded position always is, and with zoneout (Krueger et al. 2017) any
    unit may be. With k the share of the new state, 1 for a unit that goes on and 0 for one that is carried:

        state_t = k * step(state_{t-1}) + (1 - k) * state_{t-1}

    Args: cell, see above. before, (a, kept) of `cell.before`; a (T, B, G) is overwritten by the steps. state, a tuple
        of first states (B, H). params, the cell's. mask, (T, B) True where real, or None. reverse: the first step is
        T - 1 and the last is 0. zoneout: for each state k, either (T, B, H) of zeros and ones (training) or one number
        (its expectation, in evaluation); None for none.
    """

    def __init__(self, cell, before, state, params, mask=None, reverse=False, zoneout=None):
        self.a, self.kept = before
        xp, a = array_module(self.a), self.a
        self.cell, self.params, self.mask = cell, params, mask
        # a number of NumPy's has a dtype, which would make float32 arrays float64
        self.zoneout = zoneout and tuple(k if getattr(k, "ndim", 0) else float(k) for k in zoneout)
        self.ragged = ragged_steps(mask)
        self.order = range(len(a))[::-1] if reverse else range(len(a))
        self.prev, self.now = [], []  # for each state (T, B, H), before and after each step: views of one array
        for first in state:
            kept = xp.empty((len(a) + 1, *first.shape), dtype=a.dtype)
            kept[-1 if reverse else 0] = first
            self.prev.append(kept[1:] if reverse else kept[:-1])
            self.now.append(kept[:-1] if reverse else kept[1:])
        # what the steps give is the new state itself, unless zoneout mixes it with the old one
        self.out = self.now if zoneout is None else [xp.empty_like(now) for now in self.now]
        self.steps = cell.storage(a, self.prev, self.out)

    def final(self):
        """The states after the last step, each (B, H)."""
        return tuple(now[self.order[-1]] for now in self.now)

    def step(self, t):
        """Do step t."""
        self.cell.forward(self.a[t], tuple(prev[t] for prev in self.prev), self.params, self.steps[t])
        for which, (prev, now, out) in enumerate(zip(self.prev, self.now, self.out, strict=True)):
            if self.zoneout is not None:
                k = self._share(which, t)
                now[t] = k * out[t] + (1 - k) * prev[t]
            if self._padded(t):
                now[t] = array_module(now).where(self.mask[t][..., None], now[t], prev[t])  # a finished row stays

    def step_backward(self, t, dstate, da):
        """Undo step t: dstate is the gradient after it; fills da (B, G), returns the gradient before it."""
        if self.zoneout is None and not self._padded(t):
            return self.cell.backward(self.steps[t], dstate, self.params, da)
        # what was carried gets its gradient past the step, and the step gets the rest: exactly 0 where padded
        into, past = zip(*(self._parted(which, t, d) for which, d in enumerate(dstate)), strict=True)
        dprev = self.cell.backward(self.steps[t], into, self.params, da)
        return tuple(dp + d for dp, d in zip(dprev, past, strict=True))

    def _parted(self, which, t, d):
        """(gradient of the step's result, gradient of the state carried past it)."""
        k = 1 if self.zoneout is None else self._share(which, t)
        into, past = k * d, (1 - k) * d
        if self._padded(t):
            where, real = array_module(d).where, self.mask[t][..., None]
            into, past = where(real, into, 0), where(real, past, d)
        return into, past

    def _share(self, which, t):
        k = self.zoneout[which]
        return k if isinstance(k, float) else k[t]

    def _padded(self, t):
        return self.mask is not None and self.ragged[t]


def bptt(run, dh, dfinal, visit=None):
    """Backpropagation through the steps of an Unroll.

    At step t two gradients meet in h_t: dh[t] from whoever read h_t as an output, and the one that comes back from step
    t + 1, which read it as its previous state.

    Args: run. dh, of the outputs, (T, B, H), or None when nobody read them. dfinal, the gradients of the final states,
        a tuple as the state, None for 0. visit: called as visit(t, dstate) with all that reaches the states after step
        t, the last step first.
    Returns: (da (T, B, G), gradients of the first states).
    """
    xp = array_module(run.a)
    da = xp.empty_like(run.a)
    dstate = tuple(xp.zeros_like(s) if d is None else d for d, s in zip(dfinal, run.final(), strict=True))
    for t in reversed(run.order):
        if dh is not None:
            dstate = (dstate[0] + dh[t], *dstate[1:])
        if visit:
            visit(t, dstate)
        dstate = run.step_backward(t, dstate, da[t])
    return da, dstate


@dataclass(slots=True)
class RecurrentGrad:
    dx: Array  # (T, B, D)
    dh0: Array  # (B, H)
    dc0: Array | None  # (B, H); None for a cell without c
    params: Any


@dataclass(slots=True)
class RecurrentTrace(Trace):
    """What a cell computed over a sequence: h (T, B, H), the final h_T and c_T (B, H), and in `steps` every named
    quantity at every time. c_T is None for a cell without c.

    The fields of `steps` can be read here too: for an LSTM, trace.f[3] is the forget gate at t = 3, (B, H).
    """

    outputs = ("h", "h_T", "c_T")
    x: Array
    params: Any
    weight_drop: DropoutTrace | None  # of W_h; None when nothing of it was dropped
    run: Unroll
    h: Array
    h_T: Array
    c_T: Array | None

    @property
    def steps(self):
        return self.run.steps

    @property
    def equations(self):
        """Which of the plain backward passes of `numseq.gradcheck.equations` is this one's; None for an own cell."""
        return getattr(self.run.cell, "equations", None)

    def __getattr__(self, name):  # only called for names that are not fields of the trace
        return getattr(object.__getattribute__(self, "run").steps, name)

    def backward(self, dh=None, dh_T=None, dc_T=None):
        """BPTT, then the products of all steps at once; see `bptt`.

        Args: dh, (T, B, H), gradient of the outputs. dh_T, dc_T, (B, H), of the final states. None means 0.
        Returns: a RecurrentGrad.
        """
        run = self.run
        da, (dh0, *dc0) = bptt(run, dh, (dh_T, dc_T)[: len(run.now)])
        dx, dparams = run.cell.after(self.x, run.kept, run.steps, run.prev, da, self.params)
        if self.weight_drop:
            dparams.W_h = self.weight_drop.backward(dparams.W_h).dx
        return RecurrentGrad(dx=dx, dh0=dh0, dc0=dc0[0] if dc0 else None, params=dparams)


def sequence(x, h0, c0, params, cell, mask=None, reverse=False, zoneout=None, weight_mask=None):
    """Any cell over a sequence.

    Equations: those of the cell, for t = 0 .. T-1 (for t = T-1 .. 0 when reversed), from h_{-1} = h0, c_{-1} = c0.
    Where the mask is False, h_t = h_{t-1} and c_t = c_{t-1}: a finished sequence carries its state.

    Args: x, (T, B, D). h0, c0, (B, H); c0 is None for a cell without c. params, the cell's. cell: an RNN, LSTM, GRU,
        ..., which may have a step of your own. mask, (T, B) booleans, True where a token is real, or None. reverse: run
        from the last step to the first; h[t] is still the state at position t. zoneout: see `Unroll`.
        weight_mask, (H, G): a dropout mask of the recurrent matrix, one for all steps (weight-drop, Merity et al. 2018,
        section 2), or None.
    Returns: a RecurrentTrace with h (T, B, H), h_T and c_T (B, H).
    Backward: RecurrentTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    state = (h0,) if c0 is None else (h0, c0)
    common_dtype(x, state, params)
    dropped, weights = drop_weights(params, weight_mask)
    run = Unroll(cell, cell.before(x, params), state, weights, mask, reverse, zoneout)
    for t in run.order:
        run.step(t)
    h_T, *c_T = run.final()
    return RecurrentTrace(
        x=x, params=params, weight_drop=dropped, run=run, h=run.now[0], h_T=h_T, c_T=c_T[0] if c_T else None
    )


def weight_gradients(x, h_prev, da, params):
    """(dx, dW_x, dW_h, db, db_h) of a cell whose pre-activations are a = x W_x + h_prev W_h + b + b_h at every step.

    dx = da W_x^T. Each step used the same weights, so their gradients add over time and batch: one product each.
    """
    da_rows = rows(da)
    db = da_rows.sum(axis=0)
    return (
        (da_rows @ params.W_x.T).reshape(x.shape),
        rows(x).T @ da_rows,
        rows(h_prev).T @ da_rows,
        None if params.b is None else db,
        None if params.b_h is None else db.copy(),
    )


def drop_weights(params, mask):
    """(the DropoutTrace of W_h, the parameters with it dropped), for any cell; (None, params) without a mask."""
    if mask is None:
        return None, params
    dropped = dropout(params.W_h, mask)
    return dropped, replace(params, W_h=dropped.y)
