"""Mistakes in backpropagation through time: one plain loop for every cell; of zoneout and weight-drop, too.

What is a cell's own, one step back and the sums of weights that only it has, lies in the cell's file."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from numseq import layers
from numseq.layers import Cell
from numseq.mistakes.fixtures import H
from numseq.mistakes.layer import LAYERS, Layer, Step, equations, fresh, know
from numseq.mistakes.layers.cells import fixtures


@dataclass
class Recurrence(Layer):
    """A cell over a sequence: the cell, its step, and the function that runs it; hidden, the units of its fixtures;
    covers, as of a Case.

    back(s, *dstate, change) is one step back, if it is more than the step's own equations: a dict with `da` and, where
    they are anything, `dc_prev`, `dh_prev` (of the step itself, without the products), `dq`, the gradient of the
    product h_{t-1} W_h if it is not da, and `also`, what of dW_h comes otherwise. sums(trace, da, change) has the
    gradients of further weights, of all steps at once; `dp`, that of the product x_t W_x, and `da`, what b gets, if
    they are not da.
    """

    cell: Cell = None
    step: Step = None
    hidden: int = H
    function: Callable = None
    covers: tuple = ()
    back: Callable = None
    sums: Callable = None

    def __post_init__(self):
        self.case = f"{self.name}, ragged"
        self.back = self.back or self.step.backward
        super().__post_init__()

    def possible(self, trace=None):
        """Its own bugs, those of its step, and all of backpropagation through time."""
        through_time = [LAYERS[name].bugs for name in ("sequence", "zoneout", "weight_drop")]
        return [bug for bugs in (self.bugs, self.step.possible(), *through_time) for bug in bugs]

    def functions(self, trace=None):
        """Its step's, and those of backpropagation through time."""
        written = (*self.step.functions(), self.back, self.sums, *self.also, sequence)
        return list(dict.fromkeys(each for each in written if each))

    def cases(self, rng):
        """The cell over a sequence, in both directions, and stacked."""
        return fixtures.recurrent(rng, self)


def know_cell(cell, step, function, *rows, covers=(), **more):
    """Make a cell known, with the bugs that only it has; see Recurrence."""
    covers = (*covers, type(cell).__name__, "Cell", "RecurrentTrace")
    return know(
        Recurrence(cell.equations, sequence, cell=cell, step=step, function=function, covers=covers, **more), *rows
    )


def sequence(trace, dh=None, dfinal=None, change=None):
    """BPTT of any cell."""
    eq, run, x = equations(change), trace.run, trace.x
    own, p, (T, B), order = LAYERS[run.cell.equations], run.params, x.shape[:2], run.order
    W_x, W_h = trace.params.W_x, eq("W_h", p.W_h)
    h_prev, has_c = run.before.h, len(run.before) > 1
    mask = np.ones(x.shape[:2], dtype=bool) if run.mask is None else run.mask
    mask = eq("mask", mask)
    shares = [np.broadcast_to(k, h_prev.shape) for k in run.zoneout or [1.0] * len(run.before)]
    k_h, k_c = shares if has_c else (*shares, None)
    if run.zoneout:
        k_h = eq("k_h", k_h)
    dh = np.zeros_like(h_prev) if dh is None else dh
    zeros = [np.zeros_like(h_prev[0])] * len(run.before)
    finals = zeros if dfinal is None else [zero if d is None else d for d, zero in zip(dfinal, zeros, strict=True)]
    dh_next = eq("dh_final", finals[0])
    if has_c:
        k_c = eq("k_c", k_c) if run.zoneout else k_c
        dc_next = eq("dc_final", finals[1])
    nothing = np.zeros(run.inputs[0].shape)
    da, dq, also = [nothing] * T, [nothing[:, : W_h.shape[1]]] * T, [0] * T
    steps_back = eq("steps_back", list(reversed(order)))
    for k, t in enumerate(steps_back):
        s, real = run.steps[t], mask[t][:, None]
        dh_out = dh[t]
        dh_t = eq("dh_t", dh[t] + dh_next)
        into_h = eq("into_h", np.where(real, k_h[t] * dh_t, 0))  # into the step, and past it
        past_h = eq("past_h", np.where(real, (1 - k_h[t]) * dh_t, dh_t))
        into = [into_h]
        if has_c:
            dc_next = eq("dc_t", dc_next)
            into_c = eq("into_c", np.where(real, k_c[t] * dc_next, 0))
            past_c = eq("past_c", np.where(real, (1 - k_c[t]) * dc_next, dc_next))
            into = [into_h, into_c]
        step = own.back(s, *into, change)
        da[t], dq[t], also[t] = step["da"], step.get("dq", step["da"]), step.get("also", 0)
        dh_product = eq("dh_product", dq[t] @ W_h.T)
        dh_prev = step.get("dh_prev", 0) + dh_product
        dh_next = eq("dh_next", dh_prev + past_h)
        if has_c:
            dc, dc_prev = step.get("dc"), step["dc_prev"]
            dc_next = eq("dc_next", dc_prev + past_c)
    da, dq = np.stack(da), np.stack(dq)
    sums = own.sums(trace, da, change) if own.sums else {}
    dp, da_b = sums.get("dp", da), sums.get("da", da)
    dx = eq("dx", dp @ W_x.T)
    dW_x = eq("dW_x", sum(x[t].T @ dp[t] for t in range(T)))
    dW_h = eq("dW_h", sum(h_prev[t].T @ dq[t] + also[t] for t in range(T)))
    drop = trace.weight_drop and trace.weight_drop.mask
    if drop is not None:
        dW_h = eq("dW_h_dropped", dW_h * drop)
    db = eq("db", da_b.sum(axis=(0, 1)))
    db_h = eq("db_h", (dq if own.name == "gru" else da).sum(axis=(0, 1)))
    found = {"W_x": dW_x, "W_h": dW_h, "b": db, "b_h": db_h} | sums
    given = {field.name: getattr(trace.params, field.name) for field in fields(trace.params)}
    dparams = type(trace.params)(**{name: None if w is None else found[name] for name, w in given.items()})
    dstate = run.cell.State(dh_next, *([dc_next] if has_c else []))
    return {"dx": dx, "dstate": dstate, "params": dparams}


def of_W_h(v, h):
    """Each step's part of dW_h, with h (T, B, H) for what the product was made of."""
    return [h[t].T @ v.dq[t] + v.also[t] for t in range(v.T)]


def of_W_x(v, x):
    return [x[t].T @ v.dp[t] for t in range(v.T)]


know(
    Layer("sequence", sequence, case="lstm, ragged", graded=False),
    ("dh is not carried from step to step", "dh_next", lambda v: 0 * v.value,
     "h_{t-1} is read by step t: its gradient comes back"),
    ("dh is not carried from step to step, but to the first state", "dh_next",
     lambda v: v.value if v.t == v.order[0] else 0 * v.value,
     "h_{t-1} is read by step t: its gradient comes back to step t - 1"),
    ("the steps are undone from the first to the last", "steps_back", lambda v: list(v.order),
     "the gradient of a state needs that of the states after it: go from the last step to the first"),
    ("dc is not carried from step to step", "dc_next", lambda v: 0 * v.value,
     "c_{t-1} is read by step t: its gradient comes back"),
    ("outputs get gradient at the last step only", "dh_t", lambda v: v.value if v.k == 0 else v.dh_next,
     "every h_t that was an output gets its own dh_t as well as what comes back"),
    ("the output's own dh is dropped", "dh_t", lambda v: v.dh_next if v.k else v.value - v.dh[v.t],
     "at step t two gradients meet in h_t, and add"),
    ("what comes back is dropped where the output has a gradient", "dh_t", lambda v: v.dh[v.t],
     "at step t two gradients meet in h_t, and add"),
    ("the final state's gradient is ignored", "dh_final", lambda v: 0 * v.value,
     "whoever read h_T sends a gradient too"),
    ("the final state's gradient is added at each step", "dh_t", lambda v: v.value + v.finals[0] if v.k else v.value,
     "whoever read h_T read the last state alone: it comes in once, and is carried back from there"),
    ("the final cell's gradient is ignored", "dc_final", lambda v: 0 * v.value,
     "whoever read c_T sends a gradient too"),
    ("W_h gets h_t, not h_{t-1}", "dW_h", lambda v: sum(of_W_h(v, v.run.after.h)),
     "step t multiplied W_h by the previous state"),
    ("weight gradients of the last step only (W_h)", "dW_h", lambda v: of_W_h(v, v.h_prev)[-1],
     "+= and not =: each step used the same W_h"),
    ("weight gradients of the first step only (W_h)", "dW_h", lambda v: of_W_h(v, v.h_prev)[0],
     "+= and not =: each step used the same W_h"),
    ("weight gradients of the last step only (W_x)", "dW_x", lambda v: of_W_x(v, v.x)[-1],
     "+= and not =: each step used the same W_x"),
    ("weight gradients of the first step only (W_x)", "dW_x", lambda v: of_W_x(v, v.x)[0],
     "+= and not =: each step used the same W_x"),
    ("W_h is averaged over time", "dW_h", lambda v: v.value / v.T, "each step used the same W_h: their gradients add"),
    ("W_x is averaged over time", "dW_x", lambda v: v.value / v.T, "each step used the same W_x: their gradients add"),
    ("b of the last step only", "db", lambda v: v.da[-1, :, : len(v.value)].sum(axis=0),
     "+= and not =: the bias is added at each step"),
    ("b of one row only", "db", lambda v: v.da[:, 0, : len(v.value)].sum(axis=0), "the bias is added in each row"),
    ("b is averaged over time", "db", lambda v: v.value / v.T, "the bias is added at each step: its gradients add"),
    ("the first step gives W_h nothing", "dW_h", lambda v: v.value - of_W_h(v, v.h_prev)[v.order[0]],
     "h0 need not be zero: the first step uses W_h too"),
    ("W_x gets the input of the previous step", "dW_x", lambda v: sum(of_W_x(v, np.roll(v.x, 1, axis=0))),
     "step t multiplied W_x by x_t"),
    ("padded steps are undone like real ones", "mask", lambda v: np.ones_like(v.value),
     "a padded step carried its state: it gets no gradient, and passes on all of it"),
    ("a padded step's dh is not passed on", "dh_next", lambda v: v.dh_prev + np.where(v.real, v.past_h, 0),
     "where the state was carried, its gradient is carried back"),
    ("a padded step's dc is not passed on", "dc_next", lambda v: v.dc_prev + np.where(v.real, v.past_c, 0),
     "where the state was carried, its gradient is carried back"),
    ("BPTT is cut after two steps", "dh_next", lambda v: 0 * v.value if v.k % 2 else v.value,
     "truncation is a choice, and then not the gradient of this loss"),
    ("dh goes back twice", "dh_next", lambda v: v.value + v.dh_prev, "h_{t-1} is read once by step t"),
    ("dx of the first gate block only", "dx",
     lambda v: v.dp[..., : len(v.W_h)] @ v.W_x[:, : len(v.W_h)].T, "every block of a reads x"),
    ("dh_prev of the last gate block only", "dh_product",
     lambda v: v.dq[v.t][:, -len(v.W_h) :] @ v.W_h[:, -len(v.W_h) :].T, "every block of a reads h_{t-1}"),
    ("dx stands in reversed order", "dx", lambda v: v.value[::-1],
     "what was computed backwards must be put back at its own step"),
)  # fmt: skip


know(
    Layer("zoneout", sequence, graded=False),
    ("what zoneout carried is not passed back", "past_h", lambda v: np.where(v.real, 0, v.dh_t),
     "a unit that kept its state hands its gradient past the step"),
    ("what zoneout carried of the cell is not passed back", "past_c", lambda v: np.where(v.real, 0, v.dc_next),
     "a unit that kept its cell hands its gradient past the step"),
    ("the step gets all of the gradient in spite of zoneout", "into_h", lambda v: np.where(v.real, v.dh_t, 0),
     "what the step made of a unit that kept its state was thrown away: it gets no gradient"),
    ("the step gets all of the cell's gradient in spite of zoneout", "into_c", lambda v: np.where(v.real, v.dc_next, 0),
     "what the step made of a unit that kept its cell was thrown away: it gets no gradient"),
    ("zoneout's shares are swapped in backward", "k_h", lambda v: 1 - v.value,
     "1 says that a unit took its new state, so there the step gets the gradient"),
    ("a fresh zoneout mask in backward", "k_h", lambda v: fresh(v.value),
     "backward undoes the function that forward was: with the very same mask"),
    ("a fresh zoneout mask of the cell in backward", "k_c", lambda v: fresh(v.value),
     "backward undoes the function that forward was: with the very same mask"),
    ("the cell is given the hidden state's zoneout mask", "k_c", lambda v: v.k_h,
     "hidden state and cell are zoned out on their own"),
    ("the hidden state is given the cell's zoneout mask", "k_h", lambda v: v.value if v.k_c is None else v.k_c,
     "hidden state and cell are zoned out on their own"),
    ("zoneout's mask of the step before", "k_h", lambda v: np.roll(v.value, 1, axis=0),
     "each step has a mask of its own, in backward as in forward"),
    ("zoneout's expectation in backward", "k_h", lambda v: np.full_like(v.value, v.value.mean()),
     "the expectation belongs to evaluation; training's gradient is that of what the masks did"),
    ("what goes into a step is scaled like dropout", "into_h", lambda v: v.value / v.k_h.mean(),
     "zoneout carries what it does not renew, so nothing has to be made up for"),
)  # fmt: skip


know(
    Layer("weight_drop", sequence, graded=False),
    ("the recurrent matrix's gradient forgets the mask", "dW_h_dropped", lambda v: v.dW_h,
     "a dropped weight had no say in the loss, so it gets no gradient"),
    ("the recurrent matrix's gradient has a fresh mask", "dW_h_dropped", lambda v: v.dW_h * fresh(v.drop),
     "backward undoes the function that forward was: with the very same mask"),
    ("the scaling of the dropped weights is left out", "dW_h_dropped", lambda v: v.dW_h * (v.drop > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
    ("the dropped weights' mask is applied twice", "dW_h_dropped", lambda v: v.value * v.drop,
     "each factor of forward comes once in backward"),
    ("the way back goes through the whole matrix", "W_h", lambda v: v.trace.params.W_h,
     "the states were multiplied by the matrix that was left, so are their gradients"),
)  # fmt: skip


def cases(rng):
    return fixtures.noise(rng, layers.LSTM())
