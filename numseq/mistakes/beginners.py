"""What beginners write besides, in the exercises of notebook 13: named like the known bugs, and not counted with them.

Some are two mistakes at once, as of somebody who took an RNN without padding for a start; some come of the notation, as
a sum over the wrong index. The rows are those of `numseq.mistakes.layer.know`, but for a dict of all changes.
"""

from collections.abc import Callable

import numpy as np

from numseq.mistakes.layer import LAYERS, Bug
from numseq.mistakes.layers.cells.sequence import of_W_h, of_W_x

PASS_ON = "a padded step keeps its state: da is 0, and dh_t, what came back and its own, goes on to the step before"
LAST_FIRST = "range(T - 1, -1, -1), or reversed(range(T)), has all steps, from T - 1 to 0"
INSIDE = "is the `return` inside the loop, or does the loop end after a round?"
EACH_TOKEN = "one softmax for each token: its sum begins with 0 inside the loops over steps and rows"
ALL = "range(T) has all steps, from 0 to T - 1; range(T - 1, 0, -1) leaves out step 0"
OF_ROWS = "each weight is used in every row: its gradients add"


def beginners(name: str, *rows: tuple[str, dict[str, Callable], str], function: str = "") -> None:
    """Make known what is named in a layer besides. function, in whose equations it is, if not in its own."""
    LAYERS[name].besides.extend(Bug(said, function or name, lesson, change) for said, change, lesson in rows)


def _rows(a):
    return a.reshape(-1, a.shape[-1])


beginners(
    "linear",
    ("dW of one row only", {"dW": lambda v: _rows(v.x[..., :1, :]).T @ _rows(v.dy[..., :1, :])}, OF_ROWS),
    ("db of one row only, of all steps", {"db": lambda v: _rows(v.dy[..., :1, :]).sum(axis=0)}, OF_ROWS),
    ("dW of the first position in time only", {"dW": lambda v: _rows(v.x[0]).T @ _rows(v.dy[0])}, INSIDE),
    ("db of the first position in time only", {"db": lambda v: _rows(v.dy[0]).sum(axis=0)}, INSIDE),
    ("dx of the first position in time only", {"dx": lambda v: _at_first(v.value)}, INSIDE),
    ("dx has the last term alone of its sum over k", {"dx": lambda v: v.dy[..., -1:] * v.W[:, -1]},
     "+= and not =: each x reaches every column k"),
    ("the last row has no part in dW", {"dW": lambda v: _rows(v.x[..., :-1, :]).T @ _rows(v.dy[..., :-1, :])}, OF_ROWS),
    ("the last row has no part in db", {"db": lambda v: _rows(v.dy[..., :-1, :]).sum(axis=0)}, OF_ROWS),
    ("dW of the last row only", {"dW": lambda v: _rows(v.x[..., -1:, :]).T @ _rows(v.dy[..., -1:, :])}, OF_ROWS),
    ("db of the last row only", {"db": lambda v: _rows(v.dy[..., -1:, :]).sum(axis=0)}, OF_ROWS),
    *((f"the {which} step has no part in dW", {"dW": lambda v, kept=kept: _rows(v.x[kept]).T @ _rows(v.dy[kept])}, ALL)
      for which, kept in (("first", np.s_[1:]), ("last", np.s_[:-1]))),
    *((f"the {which} step has no part in db", {"db": lambda v, kept=kept: _rows(v.dy[kept]).sum(axis=0)}, ALL)
      for which, kept in (("first", np.s_[1:]), ("last", np.s_[:-1]))),
    ("dW is made of dx, not of x", {"dW": lambda v: _rows(v.dx).T @ v.dy_rows}, "dW = x^T dy: x, which W met in x W"),
    ("dW is made of y, not of dy", {"dW": lambda v: v.x_rows.T @ _rows(v.trace.y)}, "dW = x^T dy"),
    ("db is the sum of y, not of dy", {"db": lambda v: _rows(v.trace.y).sum(axis=0)}, "db is the sum of dy"),
    ("dx is made of y, not of dy", {"dx": lambda v: v.trace.y @ v.W.T}, "dx = dy W^T"),
    ("x and dy are flattened in different orders", {"dW": lambda v: _rows(np.swapaxes(v.x, 0, 1)).T @ v.dy_rows},
     "row for row x and dy must belong to the same step and the same row of the batch"),
)  # fmt: skip


def _at_first(a):
    return np.concatenate([a[:1], np.zeros_like(a[1:])])


beginners(
    "cross_entropy",
    ("p (1 - p) for the gradient of the softmax", {"dlogits": lambda v: v.p * (1 - v.p) * _each(v)},
     "it is p - onehot: differentiate log sum exp(z) - z_target by each z_k"),
    ("the mean counts padding, and padding gets a gradient",
     {"weights": lambda v: np.full(v.mask.shape, 1 / v.mask.size)},
     "a padded token counts 0, a real one 1 / (number of real tokens): multiply by the weights"),
    ("the softmax's sum is missing", {"dlogits": lambda v: (np.exp(v.logits) - v.onehot) * _each(v)},
     "p = exp(z) / sum of exp(z), over the last axis"),
    ("the softmax's sum is missing, after the maximum was subtracted",
     {"dlogits": lambda v: (v.e - v.onehot) * _each(v)},
     "p = exp(z) / sum of exp(z), over the last axis"),
    ("the gradient is multiplied with the loss", {"dlogits": lambda v: v.value * v.trace.loss},
     "dloss is what comes from above; the loss itself has no part in its derivative"),
    *(("the softmax's sum is never set back to 0", {"p": lambda v, of=of, axis=axis: _never_reset(v, of, axis)},
       EACH_TOKEN) for of in ("e", "logits") for axis in (None, 1, 0)),
    ("1 is subtracted at the targets of all rows", {"dlogits": lambda v: (v.p - v.onehot.any(axis=1, keepdims=True))
                                                    * _each(v)},
     "p[t, :, targets[t]] is every row at every target of the step: p[t, np.arange(B), targets[t]] goes row by row"),
    ("1 is subtracted at the targets of all steps", {"dlogits": lambda v: (v.p - v.onehot.any(axis=0, keepdims=True))
                                                     * _each(v)},
     "p[:, n, targets[:, n]] is every step at every target of the row: p[np.arange(T), n, targets[:, n]]"),
    ("the target is one class off", {"dlogits": lambda v: (v.p - np.roll(v.onehot, -1, axis=-1)) * _each(v)},
     "classes are counted from 0, as targets are"),
)  # fmt: skip


def _never_reset(v, of, axis):
    e = np.exp(v.logits) if of == "logits" else v.e
    z = e.sum(axis=-1)
    return e / np.cumsum(z, axis=axis).reshape(*z.shape, 1)


def _each(v):
    return v.weights[..., None] * v.dloss


def _carried(v, dh):
    """What, times the slope at the state that is in the step's record, is dh times the slope at the state carried."""
    return dh * (1 - v.trace.h[v.t] ** 2) / (1 - v.s.h**2)


def _without_mask(v):
    return np.ones_like(v.value)


THROUGH_TIME = (
    ("the gradient that comes back adds up over the steps",
     {"dh_next": lambda v: v.dh_next + v.value},
     "= and not +=: what comes back to step t - 1 is made of dh_t alone, which has all that came before in it"),
    ("the gradient that comes back adds up over the steps, and padding passes nothing on",
     {"dh_next": lambda v: v.dh_next + v.dh_prev},
     "= and not +=: what comes back to step t - 1 is made of dh_t alone, which has all that came before in it"),
    ("what goes back is added to what came in",
     {"past_h": lambda v: v.dh_t},
     "= and not +=: what comes back to step t - 1 is da_t W_h^T alone in a real row, and dh_t in a padded one"),
    ("W_h gets the last state at the first step",
     {"dW_h": lambda v: sum(of_W_h(v, np.roll(v.trace.h, 1, axis=0)))},
     "h[t - 1] at t = 0 is h[-1], the last of all: h_prev[0] is the first state"),
    ("a padded step's own dh is dropped", {"past_h": lambda v: np.where(v.real, v.value, v.dh_next)}, PASS_ON),
    ("at a padded step what comes back is dropped", {"past_h": lambda v: np.where(v.real, v.value, v.dh_out)}, PASS_ON),
    ("a step is taken for padding in all rows where one row is padded",
     {"mask": lambda v: np.broadcast_to(v.value.all(axis=1, keepdims=True), v.value.shape)},
     "rows end at different steps: choose row by row, np.where(mask[t][:, None], this, that)"),
    ("W_h gets the state of two steps before",
     {"dW_h": lambda v: sum(of_W_h(v, np.roll(v.h_prev, 1, axis=0)))},
     "h_prev[t] is the state before step t already"),
    ("the final state's gradient comes in at the first step",
     {"dh_final": lambda v: 0 * v.value, "dh_t": lambda v: v.value + (v.finals[0] if v.t == v.order[0] else 0)},
     "the final state is that after the last step: what comes back begins with it"),
    ("what a padded step passes on goes through W_h",
     {"past_h": lambda v: np.where(v.real, v.value, v.value @ v.W_h[:, : len(v.W_h)].T)}, PASS_ON),
    ("the mask of the step after", {"mask": lambda v: np.concatenate([v.value[1:], v.value[-1:]])},
     "mask[t] says whether step t was real"),
    ("b of the first step only", {"db": lambda v: v.da[v.order[0], :, : len(v.value)].sum(axis=0)},
     "+= and not =: the bias is added at each step"),
    ("the first state gets the final state's gradient as it is",
     {"dh_next": lambda v: v.finals[0] if v.t == v.steps_back[-1] else v.value},
     "it is what has come back through all steps"),
    ("the first state gets what is the gradient of h at the first step",
     {"dh_next": lambda v: v.dh_t if v.t == v.steps_back[-1] else v.value},
     "h_prev[0] was read by step 0: what is left after the loop has gone through that step, too"),
    ("the way back ends before it comes to the first step", {"steps_back": lambda v: v.value[:-1]}, LAST_FIRST),
    ("the way back leaves out the last step", {"steps_back": lambda v: v.value[1:]}, LAST_FIRST),
    ("the way back ends after one step", {"steps_back": lambda v: v.value[:1]}, INSIDE),
)  # fmt: skip
for name in ("rnn", "lstm", "gru"):
    beginners(name, *THROUGH_TIME, function="sequence")


def _real(v, a):
    return v.mask[..., None] * a


UNMASKED = {
    "into_h": lambda v: np.where(v.real, v.value, _carried(v, v.dh_t)),
    "dh_next": lambda v: np.where(v.real, v.dh_prev, 0) + v.past_h,
}
beginners(
    "rnn",
    ("padded steps have a da in dx alone",
     {**UNMASKED, "dW_x": lambda v: sum(of_W_x(v, _real(v, v.x))), "dW_h": lambda v: sum(of_W_h(v, _real(v, v.h_prev))),
      "db": lambda v: _real(v, v.da).sum(axis=(0, 1))},
     "where a row is padded its x was not read: da, masked, is what goes to dx too"),
    ("padded steps have a da", UNMASKED, PASS_ON),
    ("padded steps have a da in the sums of the weights",
     {**UNMASKED, "dx": lambda v: np.where(v.mask[..., None], v.value, 0)}, PASS_ON),
    ("the mask is taken upside down",
     {"mask": lambda v: ~v.value, "into_h": lambda v: np.where(v.real, _carried(v, v.dh_t), 0)},
     "it is True where a token is real: there the state was renewed"),
    ("neither padding nor the final state's gradient is seen to",
     {"mask": _without_mask, "into_h": lambda v: _carried(v, v.value), "dh_final": lambda v: 0 * v.value},
     "two things are new beside notebook 04: what comes back begins with dfinal.h, and a padded step keeps its state"),
    ("tanh' is taken of the state before",
     {"into_h": lambda v: v.value * (1 - v.h_prev[v.t] ** 2) / (1 - v.s.h**2)}, "h_t = tanh(a_t): 1 - h_t^2"),
    ("what goes back is made of dh_t, not of da_t", {"dh_product": lambda v: v.into_h @ v.W_h.T},
     "h_{t-1} is read by a_t: da_t W_h^T"),
    ("a row is left at its padding",
     {"into_h": lambda v: np.where(v.mask.all(axis=0)[:, None], v.value, 0),
      "dh_next": lambda v: np.where(v.mask.all(axis=0)[:, None], v.value, v.finals[0])},
     "before its padding a row has real steps: go on (continue, not break)"),
)  # fmt: skip


beginners(
    "lstm_step",
    ("each gate's gradient has the gate itself as a factor",
     {"do": lambda v: v.dh * v.o, "di": lambda v: v.dc * v.i, "df": lambda v: v.dc * v.f, "dg": lambda v: v.dc * v.g},
     "in a product each gets the gradient times the other: di = dc * g, dg = dc * i, df = dc * c_prev"),
    ("the gates' and the candidate's gradients are made of dh",
     {"di": lambda v: v.dh * v.g, "df": lambda v: v.dh * v.c_prev, "dg": lambda v: v.dh * v.i},
     "i, f and g stand in c = f * c_prev + i * g: each gets dc times what stands beside it"),
)  # fmt: skip


def _all_dalpha(v):
    return np.einsum("tbc,sbc->tbs", v.dcontext, v.values) + v.dalpha_out


def _all_dz(v, order):
    """dz of all queries, (T, S, B, A), as a total that loops in some order of axes never set back to 0."""
    dalpha = _all_dalpha(v)
    de = v.alphas * (dalpha - (dalpha * v.alphas).sum(axis=-1, keepdims=True))
    dz = np.einsum(f"tbs,tsba->{order}a", de, v.w * (1 - v.us**2))
    piled = np.cumsum(dz.reshape(-1, dz.shape[-1]), axis=0).reshape(dz.shape)
    return np.einsum(f"{order}a->tsba", piled)


beginners(
    "additive_attention",
    *(("dz is never set back to 0 in the loop",
       {"dz": lambda v, order=order: _all_dz(v, order)[v.t],
        "dprojected": lambda v, order=order: _all_dz(v, order)[v.t].sum(axis=0)},
       "each query, position and row has a dz of its own: it begins anew inside the loops (= and not +=)")
      for order in ("tbs", "tsb", "bts", "sbt", "bst", "stb")),
    ("dalpha is whole in one place of the softmax only", {"mean": lambda v: (v.dalpha_out[v.t] * v.alpha).sum(
        axis=-1, keepdims=True)},
     "de = alpha * (dalpha - sum_j alpha_j dalpha_j): both times it is dcontext . v_j plus what is given"),
    ("dalpha is whole in one place of the softmax only", {"mean": lambda v: v.value - (v.dalpha_out[v.t] * v.alpha).sum(
        axis=-1, keepdims=True)},
     "de = alpha * (dalpha - sum_j alpha_j dalpha_j): both times it is dcontext . v_j plus what is given"),
    ("the softmax's sum is over the queries", {"mean": lambda v: (_all_dalpha(v) * v.alphas).sum(axis=0)},
     "alpha_t is a softmax over the positions j: the sum is over j, of each query and row by itself"),
    ("the softmax's sum is over the rows too", {"mean": lambda v: (v.dalpha_t * v.alpha).sum()},
     "alpha_t is a softmax over the positions j: the sum is over j, of each query and row by itself"),
    ("dalpha comes in behind the softmax",
     {"dalpha": lambda v: v.value - v.dalpha_out[v.t], "de": lambda v: v.value + v.dalpha_out[v.t]},
     "dalpha is a gradient of alpha as dcontext . v_j is: add the two, and go through the softmax with the sum"),
    ("a row's context meets the values of all rows",
     {"dalpha": lambda v: np.einsum("bc,snc->bs", v.dcontext[v.t], v.values) + v.dalpha_out[v.t]},
     "each row of the batch by itself: both arrays have the letter b, and so has what comes of them"),
    ("w gets the slope of tanh", {"dw": lambda v: v.dw + np.einsum("bs,sba->a", v.de, 1 - v.u**2)},
     "e = u . w: dw is the sum of de u"),
    ("w gets no gradient", {"dw_all": lambda v: 0 * v.value},
     "dw is the sum of de u. Where the sum is taken before u is multiplied in, nothing is left: the de of a query sum "
     "to 0"),
    ("dkeys of the last query only", {"dkeys_given": lambda v: v.dz @ v.p.W_k.T},
     "+= and not =: each query was compared with the same keys"),
    ("db of the last query only", {"db": lambda v: v.dz.sum(axis=(0, 1))},
     "+= and not =: each query was compared with the same keys"),
)  # fmt: skip
