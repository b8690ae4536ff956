"""Wrong answers that students give to the exercises of notebook 13, in the styles in which they write them.

Each is (exercise, function, words that its report must hold). The functions are written as answers are: from the
equations of the notebook, with the lines that it gives.
"""

import numpy as np

ANSWERS = []


def wrong(exercise, *words):
    """Of a function below: what it answers, and what must be said of it."""

    def keep(function):
        ANSWERS.append((exercise, function, words))
        return function

    return keep


# the linear layer, forward


@wrong("linear_forward", "the bias is missing")
def no_bias(x, W, b):
    return x @ W


@wrong("linear_forward", "is @ meant")
def a_product_of_numbers(x, W, b):
    return x * W + b


@wrong("linear_forward", "in A @ B the last axis of A")
def the_matrix_first(x, W, b):
    return W @ x + b


@wrong("linear_forward", "the matrix is transposed")
def the_matrix_turned(x, W, b):
    return x @ W.T + b if W.shape[0] == W.shape[1] else x @ W + b


@wrong("linear_forward", "returns nothing yet")
def no_return(x, W, b):
    y = x @ W + b  # noqa: F841


@wrong("linear_forward", "it changed x")
def in_the_input(x, W, b):
    x[:] = x + 0.0 * b.sum() + 1
    return (x - 1) @ W + b


@wrong("linear_forward", "it holds numbers that are not finite")
def an_array_that_was_never_filled(x, W, b):
    y = np.full((*x.shape[:-1], W.shape[1]), np.nan)
    for t in range(len(x) - 1):
        y[t] = x[t] @ W + b
    return y


@wrong("linear_forward", "it is right at 0 to 4 and wrong from 5 on")
def the_last_step_is_missing(x, W, b):
    y = np.zeros((*x.shape[:-1], W.shape[1]))
    for t in range(len(x) - 1):
        y[t] = x[t] @ W + b
    return y


@wrong("linear_forward", "numbers of dtype int64: floating numbers are wanted")
def of_whole_numbers(x, W, b):
    y = np.zeros((*x.shape[:-1], W.shape[1]), dtype=np.int64)
    for t in range(len(x)):
        y[t] = x[t] @ W + b
    return y


@wrong("linear_forward", "it returns an array of shape (42, 2): (6, 7, 2) is wanted")
def rows_in_one_axis(x, W, b):
    return x.reshape(-1, x.shape[-1]) @ W + b


# the linear layer, backward


@wrong("linear", "params.W has shape (2, 3)", "is it transposed?")
def dw_the_other_way(trace, dy):
    x, W = trace.x.reshape(-1, trace.x.shape[-1]), trace.params.W
    dy_rows = dy.reshape(-1, dy.shape[-1])
    return {"dx": dy @ W.T, "dW": dy_rows.T @ x, "db": dy_rows.sum(axis=0)}


@wrong("linear", "dy @ trace.params.W", "is a .T missing?")
def dx_without_the_transpose(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    dy_rows = dy.reshape(-1, dy.shape[-1])
    return {"dx": dy @ trace.params.W, "dW": x.T @ dy_rows, "db": dy_rows.sum(axis=0)}


@wrong("linear", "params.b has shape (7, 2)", "is the sum over its first axis missing?")
def db_over_one_axis(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy.reshape(len(x), -1), "db": dy.sum(axis=0)}


@wrong("linear", "params.b has shape (6, 7), but what it is the gradient of has (2,)")
def db_over_the_last_axis(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy.reshape(len(x), -1), "db": dy.sum(axis=-1)}


@wrong("linear", "params.b has shape (1, 2), but what it is the gradient of has (2,)", "keepdims")
def db_keeps_an_axis(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    dy_rows = dy.reshape(len(x), -1)
    return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy_rows, "db": dy_rows.sum(axis=0, keepdims=True)}


@wrong("linear", "db is a mean")
def db_as_a_mean(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    dy_rows = dy.reshape(len(x), -1)
    return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy_rows, "db": dy_rows.mean(axis=0)}


@wrong("linear", "+= and not =")
def dw_overwritten(trace, dy):
    for t in range(len(dy)):
        dW = trace.x[t].T @ dy[t]
    return {"dx": dy @ trace.params.W.T, "dW": dW, "db": dy.sum(axis=(0, 1))}


@wrong("linear", "divided by 7, the number of rows", "dW is a mean over the rows")
def dw_over_the_batch(trace, dy):
    dW = sum(trace.x[t].T @ dy[t] / dy.shape[1] for t in range(len(dy)))
    return {"dx": dy @ trace.params.W.T, "dW": dW, "db": dy.sum(axis=(0, 1))}


@wrong("linear", "params.W has shape (6, 3, 2)", "is the sum over its first axis missing?")
def dw_of_each_step(trace, dy):
    dW = trace.x.transpose(0, 2, 1) @ dy
    return {"dx": dy @ trace.params.W.T, "dW": dW, "db": dy.sum(axis=(0, 1))}


@wrong("linear", "backward gives no dx", "did you mean dx?")
def a_misspelt_name(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dxx": dy @ trace.params.W.T, "dW": x.T @ dy.reshape(len(x), -1), "db": dy.sum(axis=(0, 1))}


@wrong("linear", "params.W is missing", "did you mean it by")
def a_misspelt_parameter(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dx": dy @ trace.params.W.T, "params": {"Wd": x.T @ dy.reshape(len(x), -1), "b": dy.sum(axis=(0, 1))}}


@wrong("linear", "each of dx, params.W, params.b has the shape of another")
def in_another_order(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return x.T @ dy.reshape(len(x), -1), dy.sum(axis=(0, 1)), dy @ trace.params.W.T


@wrong("linear", "params.b is a list, not an array", "np.array")
def lists(trace, dy):
    x, W = trace.x, trace.params.W
    db = [0.0, 0.0]
    for t in range(len(dy)):
        for n in range(dy.shape[1]):
            for k in range(dy.shape[2]):
                db[k] += dy[t, n, k]
    return {"dx": dy @ W.T, "dW": sum(x[t].T @ dy[t] for t in range(len(dy))), "db": db}


@wrong("linear", "the sign of dx is turned", "its sign is turned")
def a_descent_step(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dx": -(dy @ trace.params.W.T), "dW": x.T @ dy.reshape(len(x), -1), "db": dy.sum(axis=(0, 1))}


@wrong("linear", "params.b is missing")
def db_is_forgotten(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy.reshape(len(x), -1)}


@wrong("linear", "params.b is of dtype int64", "floating")
def db_of_whole_numbers(trace, dy):
    x, db = trace.x, np.zeros(dy.shape[-1], dtype=np.int64)
    for t in range(len(dy)):
        db = db + dy[t].sum(axis=0).astype(np.int64)
    return {"dx": dy @ trace.params.W.T, "dW": sum(x[t].T @ dy[t] for t in range(len(dy))), "db": db}


@wrong("linear", "backward changed dy, which it was given")
def in_dy(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    dW, db = x.T @ dy.reshape(len(x), -1), dy.sum(axis=(0, 1))
    dy *= 2
    return {"dx": dy @ trace.params.W.T / 2, "dW": dW, "db": db}


@wrong("linear", "the input params.W was changed")
def a_step_of_descent_in_backward(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    dx, dW, db = dy @ trace.params.W.T, x.T @ dy.reshape(len(x), -1), dy.sum(axis=(0, 1))
    trace.params.W -= 0.1 * dW
    return {"dx": dx, "dW": dW, "db": db}


@wrong("linear", "Of three axes .T reverses all")
def turned_in_three_axes(trace, dy):
    return {"dx": dy @ trace.params.W.T, "dW": trace.x.T @ dy, "db": dy.sum(axis=(0, 1))}


@wrong(
    "linear",
    "params.b has shape (), but what it is the gradient of has (2,)",
    "an axis is missing: was it summed over?",
)
def db_of_everything(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy.reshape(len(x), -1), "db": dy.sum()}


@wrong("linear", "dx is a float, not an array")
def python_numbers(trace, dy):
    return {"dx": float(dy.sum()), "dW": float(trace.x.sum()), "db": float(dy.sum())}


@wrong("linear", "params.W is of dtype complex128")
def of_another_kind(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy.reshape(len(x), -1) + 0j, "db": dy.sum(axis=(0, 1))}


@wrong("linear", "params.W is float32, although the inputs are float64")
def in_single_precision(trace, dy):
    x = trace.x.reshape(-1, trace.x.shape[-1])
    dW = np.zeros(trace.params.W.shape, dtype="float32")
    dW += x.T @ dy.reshape(len(x), -1)
    return {"dx": dy @ trace.params.W.T, "dW": dW, "db": dy.sum(axis=(0, 1))}


# softmax and cross-entropy, forward


def probabilities(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def of_targets(p, targets):
    return np.take_along_axis(p, targets[..., None], axis=-1)[..., 0]


@wrong("cross_entropy_forward", "the largest logit is not subtracted", "exp overflows")
def without_the_shift(logits, targets, mask):
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return -(np.log(of_targets(p, targets)) * mask).sum() / mask.sum()


@wrong("cross_entropy_forward", "the log of a probability that was rounded to 0")
def the_log_of_a_quotient(logits, targets, mask):
    return -(np.log(of_targets(probabilities(logits), targets)) * mask).sum() / mask.sum()


@wrong("cross_entropy_forward", "the minus sign is missing")
def of_the_other_sign(logits, targets, mask):
    m = logits.max(axis=-1, keepdims=True)
    log_p = logits - m - np.log(np.exp(logits - m).sum(axis=-1, keepdims=True))
    return (of_targets(log_p, targets) * mask).sum() / mask.sum()


def negative_logs(logits, targets):
    m = logits.max(axis=-1, keepdims=True)
    return -of_targets(logits - m - np.log(np.exp(logits - m).sum(axis=-1, keepdims=True)), targets)


@wrong("cross_entropy_forward", "the loss is summed, not averaged")
def a_sum(logits, targets, mask):
    return (negative_logs(logits, targets) * mask).sum()


@wrong("cross_entropy_forward", "the mask is forgotten")
def no_mask(logits, targets, mask):
    return negative_logs(logits, targets).mean()


@wrong("cross_entropy_forward", "the mean counts padding")
def mean_of_all(logits, targets, mask):
    return (negative_logs(logits, targets) * mask).mean()


@wrong("cross_entropy_forward", "mean over the rows where tokens were meant")
def mean_of_the_batch(logits, targets, mask):
    return (negative_logs(logits, targets) * mask).sum() / logits.shape[1]


@wrong("cross_entropy_forward", "(6, 7): a single number is wanted", "is the mean missing?")
def a_loss_for_each(logits, targets, mask):
    return negative_logs(logits, targets) * mask


@wrong("cross_entropy_forward", "it returns an array of shape (1,): a single number is wanted")
def in_a_list(logits, targets, mask):
    return [(negative_logs(logits, targets) * mask).sum() / mask.sum()]


@wrong("cross_entropy_forward", "one softmax for each token: sum over the last axis")
def one_softmax_of_all(logits, targets, mask):
    e = np.exp(logits - logits.max())
    return -(np.log(of_targets(e / e.sum(), targets)) * mask).sum() / mask.sum()


@wrong("cross_entropy_forward", "one softmax for each token: sum over the last axis")
def over_the_first_axis(logits, targets, mask):
    m = logits.max(axis=0)
    log_p = logits - m - np.log(np.exp(logits - m).sum(axis=0))
    return -(of_targets(log_p, targets) * mask).sum() / mask.sum()


@wrong("cross_entropy_forward", "p where log p belongs")
def without_the_log(logits, targets, mask):
    return -(of_targets(probabilities(logits), targets) * mask).sum() / mask.sum()


# softmax and cross-entropy, backward


@wrong("cross_entropy", "the one-hot is not subtracted")
def p_alone(trace, dloss):
    return probabilities(trace.logits) * trace.weights[..., None] * dloss


@wrong("cross_entropy", "the loss's gradient is summed, not averaged")
def without_the_mean(trace, dloss):
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    return (probabilities(trace.logits) - onehot) * (trace.weights > 0)[..., None] * dloss


@wrong("cross_entropy", "padded")
def without_the_mask(trace, dloss):
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    return (probabilities(trace.logits) - onehot) / (trace.weights > 0).sum() * dloss


@wrong("cross_entropy", "mean over padding too")
def over_all_places(trace, dloss):
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    mask = trace.weights > 0
    return (probabilities(trace.logits) - onehot) * mask[..., None] / mask.size * dloss


@wrong("cross_entropy", "mean over the rows where tokens were meant")
def over_the_rows(trace, dloss):
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    mask = trace.weights > 0
    return (probabilities(trace.logits) - onehot) * mask[..., None] / mask.shape[1] * dloss


@wrong("cross_entropy", "sign is turned")
def onehot_minus_p(trace, dloss):
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    return (onehot - probabilities(trace.logits)) * trace.weights[..., None] * dloss


@wrong("cross_entropy", "dloss is ignored")
def without_dloss(trace, dloss):
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    return (probabilities(trace.logits) - onehot) * trace.weights[..., None]


@wrong("cross_entropy", "the gradient by p where that by the logits belongs")
def by_p(trace, dloss):
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    return -onehot / probabilities(trace.logits) * trace.weights[..., None] * dloss


@wrong("cross_entropy", "diagonal")
def like_a_sigmoid(trace, dloss):
    p, onehot = probabilities(trace.logits), np.eye(trace.logits.shape[-1])[trace.targets]
    return -onehot / p * p * (1 - p) * trace.weights[..., None] * dloss


@wrong("cross_entropy", "dlogits has shape (6, 7), but what it is the gradient of has (6, 7, 11)")
def of_the_targets_alone(trace, dloss):
    return (of_targets(probabilities(trace.logits), trace.targets) - 1) * trace.weights * dloss


@wrong("cross_entropy", "logits")
def in_the_logits(trace, dloss):
    p = trace.logits
    p -= p.max(axis=-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(axis=-1, keepdims=True)
    return (p - np.eye(p.shape[-1])[trace.targets]) * trace.weights[..., None] * dloss


@wrong("cross_entropy", "the softmax is taken over time")
def softmax_over_time(trace, dloss):
    e = np.exp(trace.logits - trace.logits.max(axis=0))
    onehot = np.eye(trace.logits.shape[-1])[trace.targets]
    return (e / e.sum(axis=0) - onehot) * trace.weights[..., None] * dloss


# a step of an RNN


@wrong("rnn_step", "tanh' of the state without the square")
def no_square(s, dh):
    return dh * (1 - s.h)


@wrong("rnn_step", "tanh is applied twice", "h already is tanh(a)")
def tanh_of_a_tanh(s, dh):
    return dh * (1 - np.tanh(s.h) ** 2)


@wrong("rnn_step", "tanh' of the state is taken of its pre-activation")
def of_the_pre_activation(s, dh):
    return dh * (1 - s.a**2)


@wrong("rnn_step", "tanh' of the state is missing")
def no_slope(s, dh):
    return {"da": dh}


@wrong("rnn_step", "sigma' for the state's tanh")
def of_a_sigmoid(s, dh):
    return dh * s.h * (1 - s.h)


@wrong("rnn_step", "backward changed dh, which it was given")
def in_dh(s, dh):
    dh *= 1 - s.h**2
    return dh


@wrong("rnn_step", "da has shape (7,), but what it is the gradient of has (7, 2)")
def summed_over_units(s, dh):
    return (dh * (1 - s.h**2)).sum(axis=1)


@wrong("rnn_step", "da is a list, not an array: np.array makes one")
def number_by_number(s, dh):
    da = []
    for n in range(len(dh)):
        da.append([float(dh[n, k] * (1 - s.h[n, k] ** 2)) for k in range(dh.shape[1])])
    return {"da": da}


# an RNN over a sequence


def bptt(trace, dh, dfinal, carried=True, product=None, before=None, slope=True, of_mask=True, passed=True, final=True,
         own=True, forwards=False):  # fmt: skip
    """The right one; each option leaves something out, or writes it otherwise."""
    x, h, W_x, W_h = trace.x, trace.h, trace.params.W_x, trace.params.W_h
    h_prev, real = trace.run.before.h, trace.run.mask
    h_prev = h if before == "after" else h_prev
    grads = {"x": np.zeros_like(x), "W_x": np.zeros_like(W_x), "W_h": np.zeros_like(W_h), "b": np.zeros(W_h.shape[1])}
    back = dfinal[0] if final else np.zeros_like(dfinal[0])
    for t in range(len(x)) if forwards else reversed(range(len(x))):
        dh_t = (dh[t] if own or t == len(x) - 1 else 0) + (back if carried or t == len(x) - 1 else 0)
        r = real[t][:, None] if of_mask else np.ones((len(x[t]), 1), bool)
        da = np.where(r, dh_t * (1 - h[t] ** 2 if slope else 1), 0)
        grads["x"][t] = da @ W_x.T
        grads["W_x"] += x[t].T @ da
        grads["W_h"] += h_prev[t].T @ da
        grads["b"] += da.sum(axis=0)
        back = (da @ W_h if product == "straight" else da if product == "none" else da @ W_h.T) + (
            np.where(r, 0, dh_t) if passed else 0
        )
    return {"dx": grads["x"], "dstate": back, "dW_x": grads["W_x"], "dW_h": grads["W_h"], "db": grads["b"]}


def bptt_with(**options):
    def my_rnn(trace, dh, dfinal):
        return bptt(trace, dh, dfinal, **options)

    return my_rnn


for options, *words in (
    ({"carried": False}, "dh is not carried from step to step"),
    ({"product": "straight"}, "the recurrent matrix is not transposed"),
    ({"product": "none"}, "the recurrent matrix is left out on the way back"),
    ({"before": "after"}, "W_h gets h_t, not h_{t-1}"),
    ({"slope": False}, "tanh' of the state is missing"),
    ({"of_mask": False}, "padded steps are undone like real ones"),
    ({"passed": False}, "a padded step's dh is not passed on"),
    ({"final": False}, "the final state's gradient is ignored"),
    ({"own": False}, "outputs get gradient at the last step only"),
    ({"forwards": True}, "the steps are undone from the first to the last"),
):
    wrong("rnn", *words)(bptt_with(**options))


@wrong("rnn", "weight gradients of the first step only (W_h)")
def weights_overwritten(trace, dh, dfinal):
    made = bptt(trace, dh, dfinal)
    first_only = bptt_parts(trace, dh, dfinal)[0]
    return made | {"dW_h": trace.run.before.h[0].T @ first_only}


def bptt_parts(trace, dh, dfinal):
    """da of each step."""
    back, found = dfinal[0], []
    for t in reversed(range(len(dh))):
        r, dh_t = trace.run.mask[t][:, None], dh[t] + back
        found.append(np.where(r, dh_t * (1 - trace.h[t] ** 2), 0))
        back = found[-1] @ trace.params.W_h.T + np.where(r, 0, dh_t)
    return found[::-1]


@wrong("rnn", "each of params.W_x, params.W_h has the shape of another: are they exchanged?")
def matrices_swapped(trace, dh, dfinal):
    made = bptt(trace, dh, dfinal)
    return made | {"dW_x": made["dW_h"], "dW_h": made["dW_x"]}


@wrong("rnn", "dx stands in reversed order")
def appended_on_the_way_back(trace, dh, dfinal):
    dx = [da @ trace.params.W_x.T for da in reversed(bptt_parts(trace, dh, dfinal))]
    return bptt(trace, dh, dfinal) | {"dx": np.array(dx)}


@wrong("rnn", "b of one row only", "the bias is added in each row")
def bias_of_one_row(trace, dh, dfinal):
    return bptt(trace, dh, dfinal) | {"db": sum(da[0] for da in bptt_parts(trace, dh, dfinal))}


@wrong("rnn", "is averaged over time")
def averaged_over_time(trace, dh, dfinal):
    made = bptt(trace, dh, dfinal)
    return made | {"dW_h": made["dW_h"] / len(dh)}


@wrong("rnn", "the final state's gradient is added at each step")
def final_gradient_at_each_step(trace, dh, dfinal):
    return bptt(trace, dh + dfinal.h, dfinal, final=False)


@wrong("rnn", "b of the last step only")
def bias_of_the_last_step(trace, dh, dfinal):
    return bptt(trace, dh, dfinal) | {"db": bptt_parts(trace, dh, dfinal)[-1].sum(axis=0)}


@wrong("rnn", "divided by 7, the number of rows")
def bias_as_a_mean(trace, dh, dfinal):
    return bptt(trace, dh, dfinal) | {"db": sum(da.mean(axis=0) for da in bptt_parts(trace, dh, dfinal))}


@wrong("rnn", "wrong: dstate.h (it is zero everywhere)")
def first_state_gets_nothing(trace, dh, dfinal):
    return bptt(trace, dh, dfinal) | {"dstate": np.zeros_like(dfinal.h)}


@wrong("rnn", "the first state gets da, without the recurrent matrix")
def da_for_the_first_state(trace, dh, dfinal):
    return bptt(trace, dh, dfinal) | {"dstate": bptt_parts(trace, dh, dfinal)[0]}


@wrong("rnn", "backward gives no dstate")
def without_the_first_state(trace, dh, dfinal):
    made = bptt(trace, dh, dfinal)
    del made["dstate"]
    return made


@wrong("rnn", "backward changed dh, which it was given")
def dh_added_up_in_place(trace, dh, dfinal):
    dh[-1] += dfinal[0]
    return bptt(trace, dh, dfinal, final=False)


@wrong("rnn", "backward raised", "(it has h)")
def dfinal_taken_for_an_array(trace, dh, dfinal):
    return bptt(trace, dh + 0 * dfinal.sum(), dfinal)


# a step of an LSTM


def slope(y):
    return 1 - y**2


def step(s, dh, dc, /, **other):
    """The right one; `other` are equations written otherwise."""
    v = {}

    def eq(name, value):
        v[name] = other[name](s, v, dh, dc) if name in other else value

    eq("do", dh * s.tanh_c)
    eq("dc", dc + dh * s.o * slope(s.tanh_c))
    eq("di", v["dc"] * s.g)
    eq("df", v["dc"] * s.c_prev)
    eq("dg", v["dc"] * s.i)
    eq("dc_prev", v["dc"] * s.f)
    parts = [v["di"] * s.i * (1 - s.i), v["df"] * s.f * (1 - s.f), v["dg"] * slope(s.g), v["do"] * s.o * (1 - s.o)]
    eq("parts", parts)
    eq("da", np.concatenate(v["parts"], axis=-1))
    return {"da": v["da"], "dc_prev": v["dc_prev"]}


def step_with(**other):
    def my_lstm_step(s, dh, dc):
        return step(s, dh, dc, **other)

    return my_lstm_step


def sigma_slope(y):
    return y * (1 - y)


for other, *words in (
    ({"dc": lambda s, v, dh, dc: dh * s.o * slope(s.tanh_c)}, "dc"),
    ({"dc": lambda s, v, dh, dc: dc}, "dc"),
    ({"dc": lambda s, v, dh, dc: dc + dh * s.o}, "tanh' of the cell is missing"),
    ({"dc": lambda s, v, dh, dc: dc + dh * s.o * slope(s.c)}, "tanh"),
    ({"dc": lambda s, v, dh, dc: dc + dh * s.o * slope(np.tanh(s.tanh_c))}, "tanh"),
    ({"dc": lambda s, v, dh, dc: dc + dh * s.o * slope(s.h)}, "h"),
    ({"dc": lambda s, v, dh, dc: dc + dh * slope(s.tanh_c)}, "o"),
    ({"do": lambda s, v, dh, dc: dh * s.c}, "do from c instead of tanh(c)"),
    ({"do": lambda s, v, dh, dc: dh * s.o}, "do"),
    ({"di": lambda s, v, dh, dc: v["dc"] * s.i, "dg": lambda s, v, dh, dc: v["dc"] * s.g}, "di"),
    ({"df": lambda s, v, dh, dc: v["dc"] * s.c}, "c_prev"),
    ({"dc_prev": lambda s, v, dh, dc: v["dc"]}, "the forget gate is missing on the way to the previous cell"),
    ({"dc_prev": lambda s, v, dh, dc: dc * s.f}, "dc"),
    ({"dc_prev": lambda s, v, dh, dc: v["dc"] * s.i}, "the input gate where the forget gate belongs"),
    ({"parts": lambda s, v, dh, dc: [v["di"], v["df"], v["dg"], v["do"]]}, "slope"),
    ({"parts": lambda s, v, dh, dc: [v[d] * sigma_slope(getattr(s, d[1])) for d in ("di", "df", "dg", "do")]}, "g"),
    ({"parts": lambda s, v, dh, dc: [v[d] * slope(getattr(s, d[1])) for d in ("di", "df", "dg", "do")]}, "sigma"),
    ({"parts": lambda s, v, dh, dc: [
        v["di"] * sigma_slope(s.i), v["df"] * sigma_slope(s.f), v["do"] * sigma_slope(s.o), v["dg"] * slope(s.g)
    ]}, "its blocks i, f, g, o hold those of i, f, o, g"),
    ({"da": lambda s, v, dh, dc: np.concatenate(v["parts"])}, "da has shape (28, 2)", "joined along another axis"),
    ({"da": lambda s, v, dh, dc: np.stack(v["parts"], axis=1)}, "da has shape (7, 4, 2)", "to be reshaped"),
    ({"da": lambda s, v, dh, dc: v["parts"]}, "da is a list, not an array", "np.concatenate"),
):  # fmt: skip
    wrong("lstm_step", *words)(step_with(**other))


for other, *words in (
    ({"do": lambda s, v, dh, dc: dh}, "do"),
    ({"do": lambda s, v, dh, dc: dc * s.tanh_c}, "do"),
    ({"dc": lambda s, v, dh, dc: dc + dh * s.o * (1 - s.tanh_c)}, "square"),
    ({"dc": lambda s, v, dh, dc: dc * s.f + dh * s.o * slope(s.tanh_c)}, "dc"),
    ({"df": lambda s, v, dh, dc: v["dc"] * s.f}, "df"),
    ({"dg": lambda s, v, dh, dc: v["dc"] * s.f}, "dg"),
    ({"parts": lambda s, v, dh, dc: [
        v["di"] * sigma_slope(s.i), v["df"] * sigma_slope(s.f), v["dg"] * slope(s.g), v["do"] * slope(s.o)
    ]}, "tanh' for the output gate"),
    ({"parts": lambda s, v, dh, dc: [
        v["di"] * (1 - s.i), v["df"] * (1 - s.f), v["dg"] * slope(s.g), v["do"] * (1 - s.o)
    ]}, "missing"),
    ({"dc_prev": lambda s, v, dh, dc: v["dc"] * s.f * sigma_slope(s.f)}, "too many"),
):  # fmt: skip
    wrong("lstm_step", *words)(step_with(**other))


@wrong("lstm_step", "backward changed dc, which it was given")
def dc_in_place(s, dh, dc):
    dc += dh * s.o * slope(s.tanh_c)
    return step(s, 0 * dh, dc) | {"da": step(s, dh, dc - dh * s.o * slope(s.tanh_c))["da"]}


@wrong("lstm_step", "each of da, dc_prev has the shape of another")
def the_cell_first(s, dh, dc):
    made = step(s, dh, dc)
    return made["dc_prev"], made["da"]


# additive attention


def look(trace, dcontext, dalpha, /, **other):
    """The right one, in einsum; `other` are equations written otherwise."""
    a, s = trace.attention, trace.steps
    p, keys, values, q, alpha, u = a.params, a.keys, a.values, s.query, s.alpha, s.u
    v = {"p": p, "keys": keys, "values": values, "q": q, "alpha": alpha, "u": u, "dcontext": dcontext, "given": dalpha}

    def eq(name, value):
        v[name] = other[name](v) if name in other else value
        return v[name]

    dalpha = eq("dalpha", dalpha + np.einsum("tbc,sbc->tbs", dcontext, values))
    de = eq("de", alpha * (dalpha - (dalpha * alpha).sum(axis=-1, keepdims=True)))
    dz = eq("dz", np.einsum("tbs,a->tsba", de, p.w) * (1 - u**2))
    dprojected = eq("dprojected", dz.sum(axis=1))
    dk = eq("dk", dz.sum(axis=0))
    return {
        "dquery": eq("dquery", dprojected @ p.W_q.T),
        "dkeys": eq("dkeys", dk @ p.W_k.T),
        "dvalues": eq("dvalues", np.einsum("tbs,tbc->sbc", alpha, dcontext)),
        "dW_q": eq("dW_q", np.einsum("tbq,tba->qa", q, dprojected)),
        "dW_k": eq("dW_k", np.einsum("sbk,sba->ka", keys, dk)),
        "db": eq("db", dk.sum(axis=(0, 1))),
        "dw": eq("dw", np.einsum("tbs,tsba->a", de, u)),
    }


def look_with(**other):
    def my_attention(trace, dcontext, dalpha):
        return look(trace, dcontext, dalpha, **other)

    return my_attention


for other, *words in (
    ({"dalpha": lambda v: v["given"]}, "the context's gradient does not reach the weights"),
    ({"dalpha": lambda v: np.einsum("tbc,sbc->tbs", v["dcontext"], v["values"])}, "own gradient is ignored"),
    ({"de": lambda v: v["dalpha"]}, "the attention's softmax is left out"),
    ({"de": lambda v: v["alpha"] * (1 - v["alpha"]) * v["dalpha"]}, "only the diagonal of the softmax's Jacobian"),
    ({"de": lambda v: v["alpha"] * v["dalpha"]}, "the mean is not subtracted in the attention's softmax"),
    ({"de": lambda v: v["alpha"] * (v["dalpha"] - (v["dalpha"] * v["alpha"]).sum(axis=1, keepdims=True))}, "mean"),
    ({"dz": lambda v: np.einsum("tbs,a->tsba", v["de"], v["p"].w)}, "tanh' is missing in the scores"),
    ({"dz": lambda v: v["de"].transpose(0, 2, 1)[..., None] * (1 - v["u"] ** 2)}, "w is missing in the scores"),
    ({"dz": lambda v: np.einsum("tbs,a->tsba", v["de"], v["p"].w) * (1 - v["u"])}, "square"),
    ({"dprojected": lambda v: v["dz"].mean(axis=1)}, "the query is averaged over positions"),
    ({"dk": lambda v: v["dz"][-1]}, "keys of the last query only"),
    ({"dkeys": lambda v: 0 * v["keys"]}, "the keys get no gradient"),
    ({"dvalues": lambda v: 0 * v["values"]}, "the values get no gradient"),
    ({"dvalues": lambda v: v["alpha"][-1].T[..., None] * v["dcontext"][-1]}, "values of the last query only"),
    ({"dw": lambda v: v["dz"].sum(axis=(0, 1, 2))}, "it is what params.b should be"),
    ({"db": lambda v: v["dk"].mean(axis=(0, 1))}, "params.b"),
    ({"db": lambda v: v["dk"].sum(axis=0)}, "params.b has shape (7, 9)"),
    ({"dW_q": lambda v: np.einsum("bq,ba->qa", v["q"][-1], v["dprojected"][-1])}, "W_q of the last query only"),
    ({"dquery": lambda v: v["dprojected"]}, "dquery has shape (6, 7, 9), but what it is the gradient of has (6, 7, 2)"),
    ({"dkeys": lambda v: v["dk"]}, "dkeys has shape (5, 7, 9)"),
):  # fmt: skip
    wrong("additive_attention", *words)(look_with(**other))


for other, *words in (
    ({"dW_k": lambda v: np.einsum("sbc,sba->ca", v["values"], v["dk"])}, "params.W_k has shape (4, 9)"),
    ({"dw": lambda v: np.einsum("tbs,tsba->a", v["alpha"], v["u"])}, "alpha"),
    ({"dvalues": lambda v: np.einsum("tbs,tbc->sbc", v["de"], v["dcontext"])}, "de"),
    ({"dvalues": lambda v: np.broadcast_to(v["dcontext"].sum(axis=0), v["values"].shape)}, "weights are missing in"),
    ({"dquery": lambda v: v["dprojected"] @ v["p"].W_k.T}, "dquery has shape (6, 7, 3)"),
    ({"de": lambda v: v["alpha"] * (v["dalpha"] - v["dalpha"].sum(axis=-1, keepdims=True))}, "alpha"),
    ({"de": lambda v: v["alpha"] * (v["dalpha"] - v["dalpha"].mean(axis=-1, keepdims=True))}, "the plain mean in"),
    ({"dz": lambda v: np.einsum("tbs,a->tsba", v["de"], v["p"].w) * (1 - np.tanh(v["u"]) ** 2)}, "tanh"),
):  # fmt: skip
    wrong("additive_attention", *words)(look_with(**other))


# beam search


def beam(logp, k, eos, ended=True, total=lambda a, b: a + b, divide=lambda n: n + 1, whole=True, start=1, place=True):
    beams, finished = [((), 0.0)] * (start or k), []
    while beams:
        found = []
        for tokens, score in beams:
            row = logp(tokens)
            mine = [((*tokens, w), total(score, row[w])) for w in range(len(row)) if row[w] > -np.inf]
            mine.sort(key=lambda one: one[1], reverse=True)
            found += mine if whole else mine[:k]
        found.sort(key=lambda one: one[1], reverse=True)
        found = found[:k] if whole else found
        if not ended:
            finished = []
        for tokens, score in found:
            if tokens[-1] == eos:
                finished.append((tokens[:-1], score / divide(len(tokens) - 1)))
        beams = [one for one in found if one[0][-1] != eos]
    finished.sort(key=lambda one: one[1], reverse=True)
    return finished[:k]


def beam_with(**options):
    def my_beam_search(logp, k, eos):
        return beam(logp, k, eos, **options)

    return my_beam_search


for options, *words in (
    ({"ended": False}, "what was finished before the last step is lost"),
    ({"total": lambda a, b: a + np.exp(b)}, "probabilities are added, not their logs"),
    ({"total": lambda a, b: b}, "a beginning's own total is forgotten"),
    ({"divide": lambda n: 1}, "the score is not divided by the length"),
    ({"divide": lambda n: max(n, 1)}, "the length does not count <eos>"),
    ({"whole": False}, "the K best of each beginning, not of all"),
    ({"start": None}, "the search begins with K copies of the empty beginning"),
):
    wrong("beam_search", *words)(beam_with(**options))


@wrong("beam_search", "that is greedy")
def greedy(logp, k, eos):
    tokens, total = (), 0.0
    while True:
        w = int(np.argmax(logp(tokens)))
        total += logp(tokens)[w]
        if w == eos:
            return [(tokens, total / (len(tokens) + 1))]
        tokens = (*tokens, w)


@wrong("beam_search", "what is finished does not go on")
def endings_go_on(logp, k, eos):
    beams = [((), 0.0)]
    for _ in range(6):
        found = [((*y, w), s + logp(y)[w]) for y, s in beams for w in range(len(logp(y)))]
        beams = sorted(found, key=lambda one: -one[1])[:k]
    return beams


@wrong("beam_search", "which is impossible")
def impossible_ones_go_on(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = [((*y, w), s + logp(y)[w]) for y, s in beams for w in range(len(logp(y)))]
        best = sorted(found, key=lambda one: -one[1])[:k]
        finished += [(y[:-1], s / len(y)) for y, s in best if y[-1] == eos]
        beams = [(y, s) for y, s in best if y[-1] != eos]
    return sorted(finished, key=lambda one: -one[1])[:k]


@wrong("beam_search", "not (score, tokens)")
def the_score_first(logp, k, eos):
    return [(score, tokens) for tokens, score in beam(logp, k, eos)]


@wrong("beam_search", "a list of pairs (tokens, score) is wanted")
def tokens_alone(logp, k, eos):
    return [tokens for tokens, _ in beam(logp, k, eos)]


@wrong("beam_search", "single pair")
def the_best_pair(logp, k, eos):
    return beam(logp, k, eos)[0]


@wrong("beam_search", "a tuple of all tokens so far is wanted")
def asked_with_the_last_token(logp, k, eos):
    beams = [((), 0.0)]
    while beams:
        beams = [((*y, w), s + logp(y[-1] if y else y)[w]) for y, s in beams for w in range(3)][:k]


@wrong("beam_search", "the worst are kept")
def sorted_the_other_way(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = [((*y, w), s + logp(y)[w]) for y, s in beams for w in range(len(logp(y))) if logp(y)[w] > -np.inf]
        best = sorted(found, key=lambda one: one[1])[:k]
        finished += [(y[:-1], s / len(y)) for y, s in best if y[-1] == eos]
        beams = [(y, s) for y, s in best if y[-1] != eos]
    return sorted(finished, key=lambda one: -one[1])[:k]


@wrong("beam_search", "the search stops when K are finished")
def stops_early(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams and len(finished) < k:
        found = [((*y, w), s + logp(y)[w]) for y, s in beams for w in range(len(logp(y))) if logp(y)[w] > -np.inf]
        best = sorted(found, key=lambda one: -one[1])[:k]
        finished += [(y[:-1], s / len(y)) for y, s in best if y[-1] == eos]
        beams = [(y, s) for y, s in best if y[-1] != eos]
    return sorted(finished, key=lambda one: -one[1])[:k]


@wrong("beam_search", "continuations get the tokens of another beginning")
def by_rank(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = [(n, w, s + logp(y)[w]) for n, (y, s) in enumerate(beams) for w in range(4) if logp(y)[w] > -np.inf]
        best = sorted(found, key=lambda one: -one[2])[:k]
        finished += [(beams[n][0], s / (len(beams[n][0]) + 1)) for n, w, s in best if w == eos]
        kept = [(w, s) for _, w, s in best if w != eos]
        beams = [((*beams[min(n, len(beams) - 1)][0], w), s) for n, (w, s) in enumerate(kept)]
    return sorted(finished, key=lambda one: -one[1])[:k]


@wrong("beam_search", "tokens hold <eos>")
def with_the_end(logp, k, eos):
    return [((*tokens, eos), score) for tokens, score in beam(logp, k, eos)]


@wrong("beam_search", "it raised IndexError", "line")
def off_the_list(logp, k, eos):
    return [beam(logp, k, eos)[n] for n in range(k + 1)]


@wrong("beam_search", "it raised TypeError", "line")
def logp_taken_for_an_array(logp, k, eos):
    return np.argsort(-logp)[:k]


@wrong("beam_search", "an ending takes no place among the K best")
def endings_first(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = []
        for y, s in beams:
            row = logp(y)
            finished.append((y, (s + row[eos]) / (len(y) + 1)))
            found += [((*y, w), s + row[w]) for w in range(len(row)) if w != eos and row[w] > -np.inf]
        beams = sorted(found, key=lambda one: -one[1])[:k]
    return sorted(finished, key=lambda one: -one[1])[:k]


@wrong("beam_search", "a finished hypothesis takes its place away for good")
def a_shrinking_beam(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = [((*y, w), s + logp(y)[w]) for y, s in beams for w in range(len(logp(y))) if logp(y)[w] > -np.inf]
        best = sorted(found, key=lambda one: -one[1])[: k - len(finished)]
        finished += [(y[:-1], s / len(y)) for y, s in best if y[-1] == eos]
        beams = [(y, s) for y, s in best if y[-1] != eos]
    return sorted(finished, key=lambda one: -one[1])[:k]


@wrong("beam_search", "all that finished is returned")
def all_of_them(logp, k, eos):
    return beam_of(logp, k, eos)


def beam_of(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = [((*y, w), s + logp(y)[w]) for y, s in beams for w in range(len(logp(y))) if logp(y)[w] > -np.inf]
        best = sorted(found, key=lambda one: -one[1])[:k]
        finished += [(y[:-1], s / len(y)) for y, s in best if y[-1] == eos]
        beams = [(y, s) for y, s in best if y[-1] != eos]
    return sorted(finished, key=lambda one: -one[1])


@wrong("beam_search", "order in which they were found")
def never_sorted(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = [((*y, w), s + logp(y)[w]) for y, s in beams for w in range(len(logp(y))) if logp(y)[w] > -np.inf]
        best = sorted(found, key=lambda one: -one[1])[:k]
        finished += [(y[:-1], s / len(y)) for y, s in best if y[-1] == eos]
        beams = [(y, s) for y, s in best if y[-1] != eos]
    return finished[:k]


@wrong("beam_search", "the mean is carried on in the place of the total")
def means_on_the_way(logp, k, eos):
    beams, finished = [((), 0.0)], []
    while beams:
        found = []
        for y, s in beams:
            row = logp(y)
            found += [((*y, w), (s + row[w]) / (len(y) + 1)) for w in range(len(row)) if row[w] > -np.inf]
        best = sorted(found, key=lambda one: -one[1])[:k]
        finished += [(y[:-1], s) for y, s in best if y[-1] == eos]
        beams = [(y, s) for y, s in best if y[-1] != eos]
    return sorted(finished, key=lambda one: -one[1])[:k]
