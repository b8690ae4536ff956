"""Known bugs: the mistakes that people make in a backward pass, each one changed equation with its lesson.

`change` puts another right-hand side in the place of one equation of `numseq.gradcheck.equations`; `v` holds what is
named there so far, `v.value` the right answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numseq.gradcheck import equations


@dataclass(frozen=True, slots=True)
class Bug:
    """name, what was done; function, in which of `equations`; lesson, why it is wrong; change, equation to function."""

    name: str
    function: str
    lesson: str
    change: dict[str, Callable]


BUGS = []


def _bugs(function, *rows):
    BUGS.extend(Bug(name, function, lesson, {equation: wrong}) for name, equation, wrong, lesson in rows)


def _mean_of_repeats(v):
    count = np.maximum(np.bincount(v.ids, minlength=len(v.W)), 1)
    return v.value / count[:, None]


def _assigned(v):
    out = np.zeros_like(v.W)
    out[v.ids] = v.dy_rows
    return out


def _added_once(v):
    out = np.zeros_like(v.W)
    ids, first = np.unique(v.ids, return_index=True)
    out[ids] = v.dy_rows[first]
    return out


def _rows_shifted(v):
    return np.roll(v.value, 1, axis=0)


def _steps(v, dh_or_x):
    return [dh_or_x[t].T @ v.da[t] for t in range(v.T)]


def _fresh(mask):
    """A mask of the same rate, drawn anew."""
    return np.random.default_rng(0).permutation(mask.reshape(-1)).reshape(mask.shape)


def _a(gate):
    return np.log(gate / (1 - gate))  # back to the pre-activation


def _swapped(blocks, j, k):
    blocks = list(blocks)
    blocks[j], blocks[k] = blocks[k], blocks[j]
    return blocks


_bugs(
    "sigmoid",
    ("sigma' is taken of the input, not of the output", "dx", lambda v: v.dy * v.x * (1 - v.x),
     "y (1 - y) is a formula in y = sigma(x), not in x"),
    ("sigma is applied twice in its derivative", "dx", lambda v: v.dy * _s(v.y) * (1 - _s(v.y)),
     "y already is sigma(x); applying sigma to it again gives the slope at another point"),
    ("the factor y is missing from sigma'", "dx", lambda v: v.dy * (1 - v.y), "sigma' = y (1 - y), both factors"),
    ("the factor 1 - y is missing from sigma'", "dx", lambda v: v.dy * v.y, "sigma' = y (1 - y), both factors"),
    ("tanh' instead of sigma'", "dx", lambda v: v.dy * (1 - v.y**2), "1 - y^2 belongs to tanh, y (1 - y) to sigma"),
    ("the incoming gradient is not multiplied in", "dx", lambda v: v.y * (1 - v.y),
     "the chain rule multiplies by what comes from above"),
)  # fmt: skip


def _s(x):
    return 1 / (1 + np.exp(-x))


_bugs(
    "tanh",
    ("tanh' is taken of the input, not of the output", "dx", lambda v: v.dy * (1 - v.x**2),
     "1 - y^2 is a formula in y = tanh(x), not in x"),
    ("tanh is applied twice in its derivative", "dx", lambda v: v.dy * (1 - np.tanh(v.y) ** 2),
     "y already is tanh(x); applying tanh to it again gives the slope at another point"),
    ("the square is missing from tanh'", "dx", lambda v: v.dy * (1 - v.y), "tanh' = 1 - y^2"),
    ("sigma' instead of tanh'", "dx", lambda v: v.dy * v.y * (1 - v.y), "y (1 - y) belongs to sigma, 1 - y^2 to tanh"),
)  # fmt: skip
_bugs(
    "softmax",
    ("only the diagonal of the softmax's Jacobian", "dx", lambda v: v.dy * v.p * (1 - v.p),
     "every score moves every probability: dp_j/dz_k = -p_j p_k off the diagonal"),
    ("the mean is not subtracted in the softmax", "mean", lambda v: 0,
     "dz = p * (dp - sum dp p): the sum keeps the probabilities adding to 1"),
    ("the softmax's Jacobian is left out", "dx", lambda v: v.dy, "the gradient of p is not that of the scores"),
    ("the mean over the softmax is not weighted by p", "mean", lambda v: v.dy.mean(axis=-1, keepdims=True),
     "what is subtracted is sum_j dp_j p_j, a mean under p"),
    ("the softmax's sum runs over rows", "mean", lambda v: (v.dy * v.p).sum(axis=0, keepdims=True),
     "the sum is over the axis that the softmax normalises"),
)  # fmt: skip
_bugs(
    "log_softmax",
    ("the normaliser's gradient is left out", "total", lambda v: 0, "the log of the sum depends on every score"),
    ("p is missing in the normaliser's gradient", "dx", lambda v: v.dy - v.total,
     "d log sum exp(z) / dz_k = p_k"),
    ("the normaliser's gradient is not summed", "dx", lambda v: v.dy - v.p * v.dy,
     "every log-probability reads the one normaliser, so their gradients add"),
)  # fmt: skip
_bugs(
    "linear",
    ("dx = dy W, without the transpose", "dx", lambda v: v.dy @ v.W,
     "y = x W sends dx back through W^T; a square W hides it from the shapes"),
    ("dW is a mean over positions", "dW", lambda v: v.value / len(v.x_rows),
     "a weight used n times gets the sum of n gradients; the mean belongs to the loss alone"),
    ("dW is a mean over the rows of a batch", "dW", lambda v: v.value / v.x.shape[-2],
     "a weight used n times gets the sum of n gradients; the mean belongs to the loss alone"),
    ("dW of the last position in time only", "dW",
     lambda v: v.x[-1].reshape(-1, v.x.shape[-1]).T @ v.dy[-1].reshape(-1, v.dy.shape[-1]),
     "+= and not =: each use of a weight adds to its gradient"),
    ("dW is transposed", "dW", lambda v: v.dy_rows.T @ v.x_rows, "dW = x^T dy has the shape of W"),
    ("db is a mean", "db", lambda v: v.value / len(v.dy_rows),
     "a bias is added at every position, so its gradients add"),
    ("db of the last position in time only", "db", lambda v: v.dy[-1].reshape(-1, v.dy.shape[-1]).sum(axis=0),
     "+= and not =: a bias is added at every position"),
    ("db of one row only", "db", lambda v: v.dy_rows[0], "a bias is added at every position, so its gradients add"),
    ("dW from |x|", "dW", lambda v: np.abs(v.x_rows).T @ v.dy_rows, "dW = x^T dy keeps the sign of x"),
    ("the sign of dx is turned", "dx", lambda v: -v.value,
     "the loss falls along minus the gradient; backward returns the gradient"),
)  # fmt: skip
_bugs(
    "embedding",
    ("embedding rows are assigned, not added", "dW", _assigned,
     "dW[ids] = dy keeps the last of several uses of a token; their gradients add (np.add.at)"),
    ("repeated ids are added once", "dW", _added_once, "dW[ids] += dy adds once for each different id; use np.add.at"),
    ("repeated ids are averaged", "dW", _mean_of_repeats, "a token used n times gets the sum of its n gradients"),
    ("embedding rows are off by one", "dW", _rows_shifted, "the gradient goes to the row that was looked up"),
)  # fmt: skip
_bugs(
    "dropout",
    ("dropout forgets its mask", "dx", lambda v: v.dy, "a dropped unit had no say in the loss, so it gets no gradient"),
    ("a fresh dropout mask in backward", "dx", lambda v: v.dy * _fresh(v.mask),
     "backward undoes the function that forward was: with the very same mask"),
    ("dropout's scaling is left out", "dx", lambda v: v.dy * (v.mask > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
    ("dropout's mask is applied twice", "dx", lambda v: v.dy * v.mask**2,
     "each factor of forward comes once in backward"),
)  # fmt: skip
_bugs(
    "cross_entropy",
    ("the one-hot is not subtracted", "dlogits", lambda v: v.p * v.weights[..., None] * v.dloss,
     "d nll / dz = p - onehot(target)"),
    ("the one-hot is added", "dlogits", lambda v: (v.p + v.onehot) * v.weights[..., None] * v.dloss,
     "the target's score must rise: d nll / dz = p - onehot"),
    ("mean over the rows where tokens were meant", "weights", lambda v: v.mask / v.mask.shape[-1],
     "the loss is a mean over real tokens; divide by their number, not by the batch"),
    ("the loss's gradient is summed, not averaged", "weights", lambda v: v.mask * 1.0,
     "forward divided by the number of tokens, so must backward"),
    ("mean over padding too", "weights", lambda v: v.mask / v.mask.size,
     "the mean counts real tokens only"),
    ("padded tokens are counted", "weights", lambda v: np.full(v.mask.shape, v.weights.max()),
     "a padded position was not in the loss: its gradient is exactly 0"),
    ("the softmax's Jacobian is applied once more", "dlogits",
     lambda v: v.p * (v.value - (v.value * v.p).sum(axis=-1, keepdims=True)),
     "p - onehot is already the gradient by the scores; the softmax's backward is in it"),
    ("the gradient by p where that by the logits belongs", "dlogits",
     lambda v: -(v.onehot / v.p) * v.weights[..., None] * v.dloss,
     "-1 / p is the gradient by the probability; the softmax's Jacobian must follow"),
    ("targets are shifted by a step", "dlogits",
     lambda v: (v.p - np.roll(v.onehot, 1, axis=0)) * v.weights[..., None] * v.dloss,
     "each position is scored against the token that follows what it read"),
    ("the gradient of the loss is divided by the vocabulary", "dlogits", lambda v: v.value / v.V,
     "the loss is a mean over tokens, not over classes"),
    ("dloss is ignored", "dlogits", lambda v: v.value / v.dloss, "the chain rule begins with what comes from above"),
)  # fmt: skip
_bugs(
    "lstm_step",
    ("do from c instead of tanh(c)", "do", lambda v: v.dh * v.c, "h = o * tanh(c), so do = dh * tanh(c)"),
    ("tanh' of the cell is missing", "dc", lambda v: v.dc_in + v.dh * v.o,
     "h = o * tanh(c): the way from h to c has tanh'(c)"),
    ("tanh'(c) is taken of c", "dc", lambda v: v.dc_in + v.dh * v.o * (1 - v.c**2),
     "tanh'(c) = 1 - tanh(c)^2, of the output"),
    ("tanh is applied twice in tanh'(c)", "dc", lambda v: v.dc_in + v.dh * v.o * (1 - np.tanh(v.tanh_c) ** 2),
     "tanh_c already is tanh(c)"),
    ("the way from h to c is missing", "dc", lambda v: v.dc_in, "c reaches the loss by c_{t+1} and by h = o * tanh(c)"),
    ("the step's own dc is dropped", "dc", lambda v: v.dh * v.o * (1 - v.tanh_c**2),
     "c reaches the loss by h and by c_{t+1}: what comes back from step t + 1 adds"),
    ("the output gate is missing on the way to c", "dc", lambda v: v.dc_in + v.dh * (1 - v.tanh_c**2),
     "h = o * tanh(c): the way from h to c goes through o"),
    ("dc is overwritten by half of what comes back", "dc", lambda v: v.value - 0.5 * v.dc_in,
     "both ways to the loss count in full"),
    ("di from the previous cell", "di", lambda v: v.dc * v.c_prev, "c = f * c_prev + i * g: beside i stands g"),
    ("df from the new cell", "df", lambda v: v.dc * v.c, "c = f * c_prev + i * g: beside f stands the previous cell"),
    ("df from the candidate", "df", lambda v: v.dc * v.g, "c = f * c_prev + i * g: beside f stands the previous cell"),
    ("dg from the forget gate", "dg", lambda v: v.dc * v.f, "c = f * c_prev + i * g: beside g stands i"),
    ("dg without the input gate", "dg", lambda v: v.dc, "c = f * c_prev + i * g: beside g stands i"),
    ("di without the candidate", "di", lambda v: v.dc, "c = f * c_prev + i * g: beside i stands g"),
    ("the forget gate is missing on the way to the previous cell", "dc_prev", lambda v: v.dc,
     "c = f * c_prev + i * g: the previous cell gets dc * f"),
    ("the input gate where the forget gate belongs", "dc_prev", lambda v: v.dc * v.i,
     "c = f * c_prev + i * g: the previous cell gets dc * f"),
    ("the previous cell gets the incoming dc only", "dc_prev", lambda v: v.dc_in * v.f,
     "dc has two parts, and both go on to the previous cell"),
    ("the output gate's derivative is missing", "da_o", lambda v: v.do, "o = sigma(a_o): da_o = do * o (1 - o)"),
    ("the input gate's derivative is missing", "da_i", lambda v: v.di, "i = sigma(a_i): da_i = di * i (1 - i)"),
    ("the forget gate's derivative is missing", "da_f", lambda v: v.df, "f = sigma(a_f): da_f = df * f (1 - f)"),
    ("the candidate's derivative is missing", "da_g", lambda v: v.dg, "g = tanh(a_g): da_g = dg * (1 - g^2)"),
    ("sigma' for the candidate", "da_g", lambda v: v.dg * v.g * (1 - v.g), "the candidate is a tanh: 1 - g^2"),
    ("tanh' for the forget gate", "da_f", lambda v: v.df * (1 - v.f**2), "the gates are sigmoids: f (1 - f)"),
    ("tanh' for the input gate", "da_i", lambda v: v.di * (1 - v.i**2), "the gates are sigmoids: i (1 - i)"),
    ("tanh' for the output gate", "da_o", lambda v: v.do * (1 - v.o**2), "the gates are sigmoids: o (1 - o)"),
    ("sigma' of the forget gate's pre-activation", "da_f", lambda v: v.df * _a(v.f) * (1 - _a(v.f)),
     "f (1 - f) is a formula in the gate, not in its pre-activation"),
    ("sigma' of the input gate's pre-activation", "da_i", lambda v: v.di * _a(v.i) * (1 - _a(v.i)),
     "i (1 - i) is a formula in the gate, not in its pre-activation"),
    ("sigma applied twice for the output gate", "da_o", lambda v: v.do * _s(v.o) * (1 - _s(v.o)),
     "o already is sigma(a_o)"),
    ("sigma applied twice for the forget gate", "da_f", lambda v: v.df * _s(v.f) * (1 - _s(v.f)),
     "f already is sigma(a_f)"),
    ("sigma applied twice for the input gate", "da_i", lambda v: v.di * _s(v.i) * (1 - _s(v.i)),
     "i already is sigma(a_i)"),
    ("the square is missing from the candidate's tanh'", "da_g", lambda v: v.dg * (1 - v.g), "tanh' = 1 - g^2"),
    ("input and forget gate are swapped", "da", lambda v: _swapped(v.value, 0, 1),
     "the blocks of a stand in the order i, f, g, o"),
    ("candidate and output gate are swapped", "da", lambda v: _swapped(v.value, 2, 3),
     "the blocks of a stand in the order i, f, g, o"),
    ("forget gate and candidate are swapped", "da", lambda v: _swapped(v.value, 1, 2),
     "the blocks of a stand in the order i, f, g, o"),
    ("the sign of the forget gate is turned", "da_f", lambda v: -v.value, "f itself multiplies c_prev, not 1 - f"),
)  # fmt: skip
_bugs(
    "lstm",
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
    ("W_h gets h_t, not h_{t-1}", "dW_h", lambda v: sum(_steps(v, v.run.now[0])),
     "step t multiplied W_h by the previous state"),
    ("weight gradients of the last step only (W_h)", "dW_h", lambda v: _steps(v, v.h_prev)[-1],
     "+= and not =: each step used the same W_h"),
    ("weight gradients of the first step only (W_h)", "dW_h", lambda v: _steps(v, v.h_prev)[0],
     "+= and not =: each step used the same W_h"),
    ("weight gradients of the last step only (W_x)", "dW_x", lambda v: _steps(v, v.x)[-1],
     "+= and not =: each step used the same W_x"),
    ("weight gradients of the first step only (W_x)", "dW_x", lambda v: _steps(v, v.x)[0],
     "+= and not =: each step used the same W_x"),
    ("W_h is averaged over time", "dW_h", lambda v: v.value / v.T, "each step used the same W_h: their gradients add"),
    ("W_x is averaged over time", "dW_x", lambda v: v.value / v.T, "each step used the same W_x: their gradients add"),
    ("b of the last step only", "db", lambda v: v.da[-1].sum(axis=0), "+= and not =: the bias is added at each step"),
    ("b of one row only", "db", lambda v: v.da[:, 0].sum(axis=0), "the bias is added in each row"),
    ("b is averaged over time", "db", lambda v: v.value / v.T, "the bias is added at each step: its gradients add"),
    ("the first step gives W_h nothing", "dW_h", lambda v: v.value - v.h_prev[v.order[0]].T @ v.da[v.order[0]],
     "h0 need not be zero: the first step uses W_h too"),
    ("W_x gets the input of the previous step", "dW_x", lambda v: sum(_steps(v, np.roll(v.x, 1, axis=0))),
     "step t multiplied W_x by x_t"),
    ("padded steps are undone like real ones", "mask", lambda v: np.ones_like(v.value),
     "a padded step carried its state: it gets no gradient, and passes on all of it"),
    ("a padded step's dh is not passed on", "dh_next", lambda v: v.dh_prev,
     "where the state was carried, its gradient is carried back"),
    ("a padded step's dc is not passed on", "dc_next", lambda v: v.step["dc_prev"],
     "where the state was carried, its gradient is carried back"),
    ("BPTT is cut after two steps", "dh_next", lambda v: 0 * v.value if v.k % 2 else v.value,
     "truncation is a choice, and then not the gradient of this loss"),
    ("dh goes back twice", "dh_next", lambda v: 2 * v.dh_prev, "h_{t-1} is read once by step t"),
    ("dx of the first gate block only", "dx",
     lambda v: v.da[..., : v.W_h.shape[0]] @ v.W_x[:, : v.W_h.shape[0]].T, "all four blocks of a read x"),
    ("dh_prev of the output gate only", "dh_prev",
     lambda v: v.da[v.t][:, 3 * v.W_h.shape[0] :] @ v.W_h[:, 3 * v.W_h.shape[0] :].T,
     "all four blocks of a read h_{t-1}"),
    ("dx stands in reversed order", "dx", lambda v: v.value[::-1],
     "what was computed backwards must be put back at its own step"),
)  # fmt: skip
_bugs(
    "bilstm",
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
_bugs(
    "additive_attention",
    ("only the diagonal of the softmax's Jacobian in the attention", "de",
     lambda v: v.alpha * (1 - v.alpha) * v.dalpha_t,
     "every score moves every weight"),
    ("the mean is not subtracted in the attention's softmax", "mean", lambda v: 0 * v.value,
     "de = alpha * (dalpha - sum dalpha alpha)"),
    ("the attention's softmax is left out", "de", lambda v: v.dalpha_t,
     "the gradient of alpha is not that of the scores"),
    ("keys get gradient through the context only", "dvalues", lambda v: v.dvalues,
     "a value is read twice: as what the context is a mean of, and as a key"),
    ("keys get gradient through the scores only", "dvalues_context", lambda v: 0 * v.value,
     "a value is read twice: as a key, and as what the context is a mean of"),
    ("the query is not summed over positions", "dprojected", lambda v: v.dz[0],
     "one query was compared with every position: their gradients add"),
    ("the query is averaged over positions", "dprojected", lambda v: v.dz.mean(axis=0),
     "one query was compared with every position: their gradients add"),
    ("tanh' is missing in the scores", "dz", lambda v: v.du, "u = tanh(q W_q + k): 1 - u^2"),
    ("w is missing in the scores", "du", lambda v: np.broadcast_to(v.de.T[:, :, None], v.value.shape),
     "e = u . w: du = de * w"),
    ("the weights' own gradient is ignored", "dalpha", lambda v: v.value - v.dalpha_out[v.t],
     "alpha was handed out too: whoever read it sends a gradient"),
    ("the context's gradient does not reach the weights", "dalpha", lambda v: v.dalpha_out[v.t],
     "context = sum alpha_j v_j: dalpha_j = dcontext . v_j"),
    ("W_q of the last query only", "dW_q", lambda v: v.q.T @ v.dprojected,
     "+= and not =: each query used the same W_q"),
    ("w of the last query only", "dw", lambda v: v.value - v.dw, "+= and not =: each query used the same w"),
    ("keys of the last query only", "dkeys", lambda v: v.dz,
     "+= and not =: each query was compared with the same keys"),
    ("values of the last query only", "dvalues_context", lambda v: v.value - v.dvalues,
     "+= and not =: each context is a mean of the same values"),
    ("the keys' bias gets no gradient", "db", lambda v: 0 * v.value, "b was added to each key"),
    ("the keys' bias is averaged over positions", "db", lambda v: v.value / v.S,
     "b was added to each key: its gradients add"),
    ("uniform weights in the values' gradient", "dvalues_context",
     lambda v: v.dvalues + np.broadcast_to(v.dcontext[v.t] / v.S, v.value.shape),
     "context = sum alpha_j v_j: dv_j = alpha_j dcontext"),
)  # fmt: skip
_bugs(
    "tied_embedding",
    ("a tied embedding without the readout's half", "dE", lambda v: v.looked_up,
     "one matrix is read twice: its two gradients add"),
    ("a tied embedding without the lookup's half", "dE", lambda v: v.read_out,
     "one matrix is read twice: its two gradients add"),
    ("a tied embedding averages its two gradients", "dE", lambda v: v.value / 2,
     "one matrix is read twice: its two gradients add"),
)  # fmt: skip
_bugs(
    "clip_by_global_norm",
    ("per-parameter instead of global clipping", "factor",
     lambda v: {k: min(1.0, v.largest / np.sqrt((g**2).sum())) for k, g in v.grads.items()},
     "one norm over all parameters together, so that the direction stays"),
    ("values are clipped, not the norm", "grads",
     lambda v: {k: np.clip(g, -v.largest, v.largest) for k, g in v.grads.items()},
     "clipping each number turns the gradient's direction"),
    ("the norms are added, not their squares", "norm", lambda v: sum(np.sqrt((g**2).sum()) for g in v.grads.values()),
     "|g|^2 is the sum of squares over everything"),
    ("the square root of the norm is missing", "norm", lambda v: v.value**2,
     "the norm is the root of the sum of squares"),
    ("always scaled to the largest norm", "factor", lambda v: dict.fromkeys(v.grads, v.largest / v.norm),
     "a gradient below the limit is left alone"),
)  # fmt: skip


def named(function):
    """The bugs that can be made in a function; those of a step can be made in its sequence too."""
    inside = {"lstm": ("lstm", "lstm_step"), "bilstm": ("bilstm", "lstm", "lstm_step")}.get(function, (function,))
    return [bug for bug in BUGS if bug.function in inside]


def run(function, change, trace, given):
    """The gradients of a function of `equations` with some of them changed, a dict."""
    return getattr(equations, function)(trace, **given, change=change)
