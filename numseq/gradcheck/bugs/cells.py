"""Known bugs of backpropagation through time, for any cell; of zoneout and weight-drop; of both directions."""

import numpy as np

from numseq.gradcheck.bugs.bug import bugs, fresh

BUGS = []


def of_W_h(v, h):
    """Each step's part of dW_h, with h (T, B, H) for what the product was made of."""
    return [h[t].T @ v.dq[t] + v.also[t] for t in range(v.T)]


def of_W_x(v, x):
    return [x[t].T @ v.dp[t] for t in range(v.T)]


BUGS += bugs(
    "sequence",
    ("dh is not carried from step to step", "dh_next", lambda v: 0 * v.value,
     "h_{t-1} is read by step t: its gradient comes back"),
    ("dc is not carried from step to step", "dc_next", lambda v: 0 * v.value,
     "c_{t-1} is read by step t: its gradient comes back"),
    ("outputs get gradient at the last step only", "dh_t", lambda v: v.value if v.k == 0 else v.dh_next,
     "every h_t that was an output gets its own dh_t as well as what comes back"),
    ("the output's own dh is dropped", "dh_t", lambda v: v.dh_next if v.k else v.value - v.dh[v.t],
     "at step t two gradients meet in h_t, and add"),
    ("what comes back is dropped where the output has a gradient", "dh_t", lambda v: v.dh[v.t],
     "at step t two gradients meet in h_t, and add"),
    ("the final state's gradient is ignored", "dh_T", lambda v: 0 * v.value, "whoever read h_T sends a gradient too"),
    ("the final cell's gradient is ignored", "dc_T", lambda v: 0 * v.value, "whoever read c_T sends a gradient too"),
    ("W_h gets h_t, not h_{t-1}", "dW_h", lambda v: sum(of_W_h(v, v.run.now[0])),
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
BUGS += bugs(
    "zoneout",
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
    ("the hidden state is given the cell's zoneout mask", "k_h", lambda v: v.k_c[0] if v.k_c else v.value,
     "hidden state and cell are zoned out on their own"),
    ("zoneout's mask of the step before", "k_h", lambda v: np.roll(v.value, 1, axis=0),
     "each step has a mask of its own, in backward as in forward"),
    ("zoneout's expectation in backward", "k_h", lambda v: np.full_like(v.value, v.value.mean()),
     "the expectation belongs to evaluation; training's gradient is that of what the masks did"),
    ("what goes into a step is scaled like dropout", "into_h", lambda v: v.value / v.k_h.mean(),
     "zoneout carries what it does not renew, so nothing has to be made up for"),
)  # fmt: skip
BUGS += bugs(
    "weight_drop",
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
BUGS += bugs(
    "bidirectional",
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
    ("the reversed direction's final state gets no gradient", "dh_T_back", lambda v: 0 * v.value,
     "both final states were handed out"),
    ("the directions' weights are swapped", "both", lambda v: v.value[::-1], "each direction has weights of its own"),
)  # fmt: skip
