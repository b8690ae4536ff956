"""More wrong answers to the exercises of notebook 13, as beginners write them.

As in `students.py`, each has the words that its report must hold.
"""
# ruff: noqa: E741, F841, RUF059  (names are left over in what beginners write)

import numpy as np
from students import wrong

# linear_forward


@wrong("linear_forward", "the bias is added for each input")
def b_added_d_times_inside_the_inner_loop(x, W, b):
    T, B, D = x.shape
    K = len(b)
    y = np.zeros((T, B, K))
    for t in range(T):
        for n in range(B):
            for k in range(K):
                for d in range(D):
                    y[t, n, k] += x[t, n, d] * W[d, k] + b[k]
    return y


@wrong("linear_forward", "right at 0 and wrong from 1 on", "does a loop, or a `return` inside it, end too early?")
def return_inside_the_loop(x, W, b):
    y = np.zeros((x.shape[0], x.shape[1], W.shape[1]))
    for t in range(len(x)):
        y[t] = x[t] @ W + b
        return y


@wrong("linear_forward", "only in rows 1 to 6 of 7")
def b_to_row_0_only(x, W, b):
    y = x @ W
    for t in range(len(x)):
        y[t][0] += b
    return y


@wrong("linear_forward", "the sum over d has its last term alone")
def sum_over_d_of_x_only(x, W, b):
    y = np.zeros((x.shape[0], x.shape[1], W.shape[1]))
    for t in range(x.shape[0]):
        for n in range(x.shape[1]):
            for k in range(W.shape[1]):
                for d in range(x.shape[2]):
                    y[t, n, k] = x[t, n, d] * W[d, k]
                y[t, n, k] += b[k]
    return y


# linear


@wrong("linear", "dW of one row only", "db of one row only, of all steps")
def row_0_only(trace, dy):
    x, W = (trace.x, trace.params.W)
    dW = x[:, 0].T @ dy[:, 0]
    return {"dx": dy @ W.T, "dW": dW, "db": dy[:, 0].sum(axis=0)}


@wrong("linear", "backward gives no params", "it gives dw, dB")
def misnamed_keys(trace, dy):
    x, W = (trace.x, trace.params.W)
    X, Y = (x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1]))
    return {"dx": dy @ W.T, "dw": X.T @ Y, "dB": Y.sum(axis=0)}


@wrong(
    "linear",
    "dW of the first position in time only",
    "db of the first position in time only",
    "dx of the first position in time only",
)
def return_in_the_loop(trace, dy):
    x, W = (trace.x, trace.params.W)
    dx, dW, db = (np.zeros_like(x), np.zeros_like(W), np.zeros(W.shape[1]))
    for t in range(len(x)):
        dx[t] = dy[t] @ W.T
        dW += x[t].T @ dy[t]
        db += dy[t].sum(axis=0)
        return {"dx": dx, "dW": dW, "db": db}


@wrong("linear", "x and dy are flattened in different orders")
def swaps_t_and_b_in_the_reshape(trace, dy):
    x, W = (trace.x, trace.params.W)
    X = x.transpose(1, 0, 2).reshape(-1, x.shape[-1])
    Y = dy.reshape(-1, dy.shape[-1])
    return {"dx": dy @ W.T, "dW": X.T @ Y, "db": Y.sum(axis=0)}


# cross_entropy_forward


def of_targets(a, targets):
    return np.take_along_axis(a, targets[..., None], axis=-1)[..., 0]


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


@wrong("cross_entropy_forward", "1e-12 is added under the log")
def slope_1eminus12_under_the_log(logits, targets, mask):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return -(np.log(of_targets(p, targets) + 1e-12) * mask).sum() / mask.sum()


@wrong("cross_entropy_forward", "the log of a probability that was rounded to 0")
def one_maximum_for_all_rows(logits, targets, mask):
    z = logits - logits.max()
    z = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return -(of_targets(z, targets) * mask).sum() / mask.sum()


@wrong("cross_entropy_forward", "the mean of each row's mean")
def mean_of_sentence_means(logits, targets, mask):
    l = -of_targets(log_softmax(logits), targets) * mask
    return (l.sum(axis=0) / mask.sum(axis=0)).mean()


@wrong("cross_entropy_forward", "the largest logit is subtracted in one place only")
def m_not_added_back(logits, targets, mask):
    loss, N = (0, 0)
    for t in range(logits.shape[0]):
        for n in range(logits.shape[1]):
            if mask[t, n]:
                z = logits[t, n]
                loss += np.log(np.exp(z - z.max()).sum()) - z[targets[t, n]]
                N += 1
    return loss / N


@wrong("cross_entropy_forward", "the logits are masked, not the losses")
def logits_times_mask(logits, targets, mask):
    return -of_targets(log_softmax(logits * mask[..., None]), targets).sum() / mask.sum()


@wrong("cross_entropy_forward", "mean over the steps where tokens were meant")
def divided_by_number_of_steps(logits, targets, mask):
    return -(of_targets(log_softmax(logits), targets) * mask).sum() / len(mask)


@wrong("cross_entropy_forward", "the log of the mean probability")
def minus_log_of_the_mean_p(logits, targets, mask):
    p = np.exp(log_softmax(logits))
    return -np.log((of_targets(p, targets) * mask).sum() / mask.sum())


@wrong("cross_entropy_forward", "each target is looked up in every row")
def fancy_index_logits_targets(logits, targets, mask):
    return -(log_softmax(logits)[:, :, targets] * mask).sum() / mask.sum()


@wrong("cross_entropy_forward", "the mask is taken upside down")
def mask_upside_down(logits, targets, mask):
    return -(of_targets(log_softmax(logits), targets) * ~mask).sum() / (~mask).sum()


@wrong("cross_entropy_forward", "the first token alone counts")
def adding_with_return_inside(logits, targets, mask):
    loss = 0
    for t in range(logits.shape[0]):
        for n in range(logits.shape[1]):
            if mask[t, n]:
                loss += -log_softmax(logits[t, n])[targets[t, n]]
            return loss / mask.sum()


@wrong("cross_entropy_forward", "the logits are divided by the largest")
def sum_instead_of_max_subtracted_normalised_logits(logits, targets, mask):
    z = logits / logits.max(axis=-1, keepdims=True)
    return -(of_targets(log_softmax(z), targets) * mask).sum() / mask.sum()


# cross_entropy


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def pieces(trace):
    z, g, w = (trace.logits, trace.targets, trace.weights)
    return (softmax(z), np.eye(z.shape[-1])[g], w[..., None], z, g)


@wrong("cross_entropy", "its axis 0 has the places 0 to 5", "picks from the first axis")
def p_targets_minus_1(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    p[g] -= 1
    return {"dlogits": dloss * w * p}


@wrong("cross_entropy", "1 in the place of onehot in dlogits")
def p_targets_minus_1_too(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    p[:, :, g] -= 1
    return {"dlogits": dloss * w * p}


@wrong("cross_entropy", "p (1 - p) for the gradient of the softmax")
def p_1_minus_p(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    return {"dlogits": dloss * w * p * (1 - p)}


@wrong("cross_entropy", "the factor weights[..., None] stands twice in dlogits")
def divided_by_the_number_of_tokens_again(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    return {"dlogits": dloss * w * (p - hot) / (trace.weights > 0).sum()}


@wrong("cross_entropy", "the mean counts padding, and padding gets a gradient")
def divided_by_t_b_in_place_of_weights(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    return {"dlogits": dloss * (p - hot) / g.size}


@wrong("cross_entropy", "the softmax is taken over the whole array")
def one_sum_for_all_rows(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    e = np.exp(z - z.max())
    return {"dlogits": dloss * w * (e / e.sum() - hot)}


@wrong("cross_entropy", "only the diagonal of the softmax's Jacobian in the cross-entropy")
def only_the_target_s_number_loops(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    d = np.zeros_like(z)
    for t in range(z.shape[0]):
        for n in range(z.shape[1]):
            d[t, n, g[t, n]] = dloss * trace.weights[t, n] * (p[t, n, g[t, n]] - 1)
    return {"dlogits": d}


@wrong("cross_entropy", "(1 - onehot) is a factor too many in dlogits")
def the_others_only(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    d = np.zeros_like(z)
    for t in range(z.shape[0]):
        for n in range(z.shape[1]):
            for k in range(z.shape[2]):
                if k != g[t, n]:
                    d[t, n, k] = dloss * trace.weights[t, n] * p[t, n, k]
    return {"dlogits": d}


@wrong("cross_entropy", "the one-hot is not subtracted")
def no_minus_one_p_only(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    return {"dlogits": dloss * w * p}


@wrong("cross_entropy", "the gradient is multiplied with the loss")
def times_the_loss(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    loss = -(np.log((p * hot).sum(-1)) * trace.weights).sum()
    return {"dlogits": dloss * loss * w * (p - hot)}


@wrong("cross_entropy", "dlogits should be (p - onehot)")
def indexes_the_onehot_wrong_eye_v_targets_t_added_over_n(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    d = np.zeros_like(z)
    for t in range(z.shape[0]):
        for n in range(z.shape[1]):
            d[t, n] = dloss * trace.weights[t, n] * (p[t, n] - np.eye(z.shape[2])[g[t]].sum(axis=0))
    return {"dlogits": d}


@wrong("cross_entropy", "the softmax's sum is missing")
def exp_without_dividing(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    return {"dlogits": dloss * w * (np.exp(z) - hot)}


@wrong("cross_entropy", "dlogits is zero at its last place")
def loop_ends_one_early(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    d = np.zeros_like(z)
    for t in range(z.shape[0] - 1):
        d[t] = dloss * w[t] * (p[t] - hot[t])
    return {"dlogits": d}


@wrong("cross_entropy", "some places are left out, as by a[mask]")
def only_real_rows_returned(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    real = trace.weights > 0
    return {"dlogits": (dloss * w * (p - hot))[real]}


@wrong("cross_entropy", "the target is one class off")
def jumps_over_rows_target_off_by_one(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    return {"dlogits": dloss * w * (p - np.eye(z.shape[-1])[g - 1])}


@wrong("cross_entropy", "backward gives no dlogits", "it gives dz")
def returns_loss_key(trace, dloss):
    p, hot, w, z, g = pieces(trace)
    return {"dz": dloss * w * (p - hot)}


# rnn_step


@wrong("rnn_step", "da should be dh * (1 - h^2)")
def slope_1_minus_h_power_2(s, dh):
    return {"da": dh * (1 - s.h) ** 2}


@wrong("rnn_step", "the factor dh is missing in da")
def dh_forgotten(s, dh):
    return {"da": 1 - s.h**2}


@wrong("rnn_step", "h ** 2 is added, not subtracted, in da")
def slope_1_h_2(s, dh):
    return {"da": dh * (1 + s.h**2)}


@wrong("rnn_step", "in A @ B the last axis of A")
def dh_at(s, dh):
    return {"da": dh @ (1 - s.h**2)}


@wrong("rnn_step", "is *, number by number, meant?")
def dh_at_t(s, dh):
    return {"da": dh @ (1 - s.h**2).T}


@wrong("rnn_step", "dh in the place of h in da")
def slope_1_minus_dh_2(s, dh):
    return {"da": dh * (1 - dh**2)}


@wrong("rnn_step", "1 - h ** 2 divides in da")
def divided(s, dh):
    return {"da": dh / (1 - s.h**2)}


@wrong("rnn_step", "to the power of is **")
def for_power(s, dh):
    return {"da": dh * (1 - s.h ^ 2)}


@wrong("rnn_step", "h ** 2 is not multiplied by dh in da")
def dh_1_minus_h_2(s, dh):
    return {"da": dh * 1 - s.h**2}


@wrong("rnn_step", "np.tanh")
def math_tanh(s, dh):
    import math

    return {"da": dh * (1 - math.tanh(s.a) ** 2)}


@wrong("rnn_step", "only in rows 1 to 6 of 7")
def early_return_in_loop_over_rows(s, dh):
    da = np.zeros_like(dh)
    for n in range(len(dh)):
        da[n] = dh[n] * (1 - s.h[n] ** 2)
        return {"da": da}


# rnn


def zeros(x, W_x, W_h):
    return (np.zeros_like(x), np.zeros_like(W_x), np.zeros_like(W_h), np.zeros(W_h.shape[0]))


def of_rnn(*words):
    """Of a function of what the exercise gives, by name."""

    def keep(body):
        def answer(trace, dh, dfinal):
            p, run = trace.params, trace.run
            return body(trace.x, trace.h, p.W_x, p.W_h, run.before.h, run.mask, dh, dfinal)

        answer.__name__ = body.__name__
        return wrong("rnn", *words)(answer)

    return keep


@of_rnn("the gradient that comes back adds up over the steps, and padding passes nothing on")
def back_accumulates(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h.copy()
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back += da @ W_h.T
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("neither padding nor the final state's gradient is seen to")
def no_mask_no_dfinal_notebook_04_as_it_is(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        da = (dh[t] + back) * (1 - h[t] ** 2)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = da @ W_h.T
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("padded steps have a da")
def back_right_da_not_masked(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = total * (1 - h[t] ** 2)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn(
    "weight gradients of the first step only (W_h)",
    "weight gradients of the first step only (W_x)",
    "b of the first step only",
)
def in_place_of_adding_for_all_three(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x = x[t].T @ da
        dW_h = h_prev[t].T @ da
        db = da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("the way back ends before it comes to the first step")
def stops_at_t_1(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in range(len(x) - 1, 0, -1):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("the way back leaves out the last step")
def starts_at_t_minus_2(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in range(len(x) - 2, -1, -1):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("the mask is taken upside down")
def mask_upside_down_too(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, 0, total * (1 - h[t] ** 2))
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, total, da @ W_h.T)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("tanh' is taken of the state before")
def slope_at_h_prev(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h_prev[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("a padded step's own dh is dropped")
def kept_row_dh_t_dropped(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, back)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("at a padded step what comes back is dropped")
def kept_row_back_dropped_only_dh_t(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, dh[t])
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("W_h gets the state of two steps before")
def h_prev_t_minus_1(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t - 1].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("the first step gives W_h nothing")
def dw_h_with_h_tminus1_in_a_loop_that_skips_t_0(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        db += da.sum(0)
        if t > 0:
            dW_h += h[t - 1].T @ da
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("the first state gets the final state's gradient as it is")
def dstate_is_dfinal_h(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": dfinal.h, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("its axis 0 has the places 0 to 5", "does a loop go one too far")
def range_t_0_minus1(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in range(len(x), 0, -1):
        da = (dh[t] + back) * (1 - h[t] ** 2)
        back = da @ W_h.T
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("a row is left at its padding")
def break_at_the_first_padding(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = np.zeros_like(h[0])
    for n in range(x.shape[1]):
        b = dfinal.h[n]
        for t in reversed(range(len(x))):
            if not mask[t, n]:
                break
            da = (dh[t, n] + b) * (1 - h[t, n] ** 2)
            dx[t, n] = W_x @ da
            dW_x += np.outer(x[t, n], da)
            dW_h += np.outer(h_prev[t, n], da)
            db += da
            b = W_h @ da
        back[n] = b
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("a padded step's own dh is dropped")
def continue_at_padding_b_untouched_dh_dropped(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = np.zeros_like(h[0])
    for n in range(x.shape[1]):
        b = dfinal.h[n]
        for t in reversed(range(len(x))):
            if not mask[t, n]:
                continue
            da = (dh[t, n] + b) * (1 - h[t, n] ** 2)
            dx[t, n] = W_x @ da
            dW_x += np.outer(x[t, n], da)
            dW_h += np.outer(h_prev[t, n], da)
            db += da
            b = W_h @ da
        back[n] = b
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("a step is taken for padding in all rows where one row is padded")
def whole_step_skipped_if_any_row_is_padded(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        total = dh[t] + back
        if not mask[t].all():
            back = total
            continue
        da = total * (1 - h[t] ** 2)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = da @ W_h.T
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("what goes back is made of dh_t, not of da_t")
def slope_missing_in_back_only(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, total @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("padded steps have a da in the sums of the weights")
def padded_da_not_zero_but_dx_masked(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = total * (1 - h[t] ** 2)
        dx[t] = np.where(m, da @ W_x.T, 0)
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("a padded step's own dh is dropped")
def dh_of_padded_steps_set_to_zero_first(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    dh = dh * mask[:, :, None]
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@of_rnn("the way back ends after one step")
def return_inside_the_loop_too(x, h, W_x, W_h, h_prev, mask, dh, dfinal):
    dx, dW_x, dW_h, db = zeros(x, W_x, W_h)
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
        return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


# lstm_step


def cat(*blocks):
    return np.concatenate(blocks, axis=-1)


def full(s, dh, dc):
    return dc + dh * s.o * (1 - s.tanh_c**2)


def rest(s, do, dc, dc_prev=None):
    di, df, dg = (dc * s.g, dc * s.c_prev, dc * s.i)
    return {
        "da": cat(di * s.i * (1 - s.i), df * s.f * (1 - s.f), dg * (1 - s.g**2), do * s.o * (1 - s.o)),
        "dc_prev": dc * s.f if dc_prev is None else dc_prev,
    }


@wrong("lstm_step", "candidate and output gate are swapped")
def order_i_f_o_g(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dc * s.g, dc * s.c_prev, dc * s.i)
    return {
        "da": cat(di * s.i * (1 - s.i), df * s.f * (1 - s.f), do * s.o * (1 - s.o), dg * (1 - s.g**2)),
        "dc_prev": dc * s.f,
    }


@wrong("lstm_step", "di and dg are exchanged")
def di_dc_i_dg_dc_g(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dc * s.i, dc * s.c_prev, dc * s.g)
    return {
        "da": cat(di * s.i * (1 - s.i), df * s.f * (1 - s.f), dg * (1 - s.g**2), do * s.o * (1 - s.o)),
        "dc_prev": dc * s.f,
        "di": di,
        "df": df,
        "dg": dg,
    }


@wrong("lstm_step", "1 of 4 blocks, which np.concatenate")
def blocks_added(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dc * s.g, dc * s.c_prev, dc * s.i)
    return {
        "da": di * s.i * (1 - s.i) + df * s.f * (1 - s.f) + dg * (1 - s.g**2) + do * s.o * (1 - s.o),
        "dc_prev": dc * s.f,
    }


@wrong("lstm_step", "the gates' and the candidate's gradients are made of dh")
def gates_gradients_from_dh_di_dh_g(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dh * s.g, dh * s.c_prev, dh * s.i)
    return {
        "da": cat(di * s.i * (1 - s.i), df * s.f * (1 - s.f), dg * (1 - s.g**2), do * s.o * (1 - s.o)),
        "dc_prev": dc * s.f,
    }


@wrong("lstm_step", "dc in the place of dh in do, as da_o alone reads it,")
def do_taken_from_dc_o_s_gate_uses_updated_dc(s, dh, dc):
    dc = full(s, dh, dc)
    return rest(s, dc * s.tanh_c, dc)


@wrong("lstm_step", "da_i in the place of da_f in da")
def two_blocks_equal_by_copy_and_paste_f_copied_from_i(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dc * s.g, dc * s.c_prev, dc * s.i)
    return {
        "da": cat(di * s.i * (1 - s.i), di * s.i * (1 - s.i), dg * (1 - s.g**2), do * s.o * (1 - s.o)),
        "dc_prev": dc * s.f,
    }


@wrong("lstm_step", "i in the place of f in da_f")
def slope_of_another_gate_by_copy_and_paste_df_i_1_minus_i(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dc * s.g, dc * s.c_prev, dc * s.i)
    return {
        "da": cat(di * s.i * (1 - s.i), df * s.i * (1 - s.i), dg * (1 - s.g**2), do * s.o * (1 - s.o)),
        "dc_prev": dc * s.f,
    }


@wrong("lstm_step", "do is zero")
def filled_by_slices_last_one_off(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dc * s.g, dc * s.c_prev, dc * s.i)
    H = s.c.shape[1]
    da = np.zeros((len(s.c), 4 * H))
    da[:, :H] = di * s.i * (1 - s.i)
    da[:, H : 2 * H] = df * s.f * (1 - s.f)
    da[:, 2 * H : 3 * H] = dg * (1 - s.g**2)
    return {"da": da, "dc_prev": dc * s.f}


@wrong("lstm_step", "only in the block g", "dg * (1 - g^2)")
def slope_1_minus_s_g_power_2(s, dh, dc):
    do, dc = (dh * s.tanh_c, full(s, dh, dc))
    di, df, dg = (dc * s.g, dc * s.c_prev, dc * s.i)
    return {
        "da": cat(di * s.i * (1 - s.i), df * s.f * (1 - s.f), dg * (1 - s.g) ** 2, do * s.o * (1 - s.o)),
        "dc_prev": dc * s.f,
    }


# additive_attention


def from_the_scores(query, keys, u, p, de, dvalues, w=None, **over):
    dz = np.einsum("tbs,a->tsba", de, p.w) * (1 - u**2)
    dp, dk = (dz.sum(1), dz.sum(0))
    out = {
        "dquery": dp @ p.W_q.T,
        "dkeys": dk @ p.W_k.T,
        "dvalues": dvalues,
        "dW_q": np.einsum("tbq,tba->qa", query, dp),
        "dW_k": np.einsum("sbk,sba->ka", keys, dk),
        "db": dk.sum((0, 1)),
        "dw": np.einsum("tbs,tsba->a", de, u),
    }
    return out | over


def to_the_scores(values, alpha, dcontext, dalpha):
    da = dalpha + np.einsum("tbc,sbc->tbs", dcontext, values)
    return (alpha * (da - (alpha * da).sum(-1, keepdims=True)), np.einsum("tbs,tbc->sbc", alpha, dcontext))


def of_attention(*words):
    """Of a function of what the exercise gives, by name."""

    def keep(body):
        def answer(trace, dcontext, dalpha):
            given, s = trace.attention, trace.steps
            return body(s.query, given.keys, given.values, s.alpha, s.u, given.params, dcontext, dalpha)

        answer.__name__ = body.__name__
        return wrong("additive_attention", *words)(answer)

    return keep


@of_attention("the softmax's sum is over the queries")
def softmax_s_sum_over_t(q, keys, v, alpha, u, p, dc, dalpha):
    da = dalpha + np.einsum("tbc,sbc->tbs", dc, v)
    return from_the_scores(
        q, keys, u, p, alpha * (da - (alpha * da).sum(0, keepdims=True)), to_the_scores(v, alpha, dc, dalpha)[1]
    )


@of_attention("the sum of dscore takes the last alone along axis 0 in dprojected, as dquery alone reads it,")
def dquery_last_position_only(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    dz = np.einsum("tbs,a->tsba", de, p.w) * (1 - u**2)
    dq = np.zeros_like(q)
    for t in range(len(q)):
        for j in range(len(keys)):
            dq[t] = dz[t, j] @ p.W_q.T
    return from_the_scores(q, keys, u, p, de, dv, dquery=dq)


@of_attention("dkeys of the last query only")
def dkeys_last_query_only(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    dz = np.einsum("tbs,a->tsba", de, p.w) * (1 - u**2)
    dx = np.zeros_like(keys)
    for t in range(len(q)):
        for j in range(len(keys)):
            dx[j] = dz[t, j] @ p.W_k.T
    return from_the_scores(q, keys, u, p, de, dv, dkeys=dx)


@of_attention("w gets the slope of tanh")
def dw_with_the_slope(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    return from_the_scores(q, keys, u, p, de, dv, dw=np.einsum("tbs,tsba->a", de, 1 - u**2))


@of_attention("w gets no gradient")
def dw_de_w(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    return from_the_scores(q, keys, u, p, de, dv, dw=de.sum() * p.w)


@of_attention("db of the last query only")
def db_of_one_query_only_k_computed_once(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    dz = np.einsum("tbs,a->tsba", de, p.w) * (1 - u**2)
    return from_the_scores(q, keys, u, p, de, dv, db=dz[-1].sum((0, 1)))


@of_attention("its axis 1 has the places 0 to 4", "another order")
def u_t_n_j_axes_taken_in_the_order_of_alpha(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    T, B, S = alpha.shape
    dw = np.zeros_like(p.w)
    for t in range(T):
        for n in range(B):
            for j in range(S):
                dw += de[t, n, j] * u[t, n, j]
    return from_the_scores(q, keys, u, p, de, dv, dw=dw)


@of_attention("a row's context meets the values of all rows")
def context_product_sums_over_the_batch(q, keys, v, alpha, u, p, dc, dalpha):
    da = dalpha + np.einsum("tbc,snc->tbs", dc, v)
    de = alpha * (da - (alpha * da).sum(-1, keepdims=True))
    return from_the_scores(q, keys, u, p, de, to_the_scores(v, alpha, dc, dalpha)[1])


@of_attention("w in the place of u in dscore")
def slope_1_minus_w_2(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    dz = np.einsum("tbs,a->tsba", de, p.w * (1 - p.w**2)) * np.ones_like(u)
    dp, dk = (dz.sum(1), dz.sum(0))
    return {
        "dquery": dp @ p.W_q.T,
        "dkeys": dk @ p.W_k.T,
        "dvalues": dv,
        "dW_q": np.einsum("tbq,tba->qa", q, dp),
        "dW_k": np.einsum("sbk,sba->ka", keys, dk),
        "db": dk.sum((0, 1)),
        "dw": np.einsum("tbs,tsba->a", de, u),
    }


@of_attention("params.w is missing")
def dw_missing(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    out = from_the_scores(q, keys, u, p, de, dv)
    del out["dw"]
    return out


@of_attention("backward gives no dquery", "it gives dq, dk, dv")
def misnamed_dq_dk_dv(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    o = from_the_scores(q, keys, u, p, de, dv)
    return {
        "dq": o["dquery"],
        "dk": o["dkeys"],
        "dv": dv,
        "dW_q": o["dW_q"],
        "dW_k": o["dW_k"],
        "db": o["db"],
        "dw": o["dw"],
    }


@of_attention("wrong from t = 4 on, where it is zero")
def loop_skips_the_last_position(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, dalpha)
    de = de.copy()
    de[..., -1] = 0
    return from_the_scores(q, keys, u, p, de, dv)


@of_attention("dalpha comes in behind the softmax")
def dalpha_added_after_softmax(q, keys, v, alpha, u, p, dc, dalpha):
    de, dv = to_the_scores(v, alpha, dc, 0 * dalpha)
    return from_the_scores(q, keys, u, p, de + dalpha, dv)


# beam_search


def search(
    logp,
    beam,
    eos,
    prune=lambda new, K: sorted(new, key=lambda p: -p[1])[:K],
    score=lambda tokens, total: total / len(tokens),
    strip=True,
    ext=lambda total, l: total + l,
    possible=True,
    last=None,
):
    begin, fin = ([((), 0.0)], [])
    for _ in range(100):
        if not begin:
            break
        new = []
        for tokens, total in begin:
            lp = logp(tokens)
            for k in range(len(lp)):
                if possible and lp[k] == -np.inf:
                    continue
                new.append((tokens + (k,), ext(total, lp[k])))
        begin = []
        for tokens, total in prune(new, beam):
            if tokens[-1] == eos:
                fin.append((tokens[:-1] if strip else tokens, score(tokens, total)))
            else:
                begin.append((tokens, total))
    fin.sort(key=lambda p: -p[1])
    return fin[:beam]


@wrong("beam_search", "the length does not count <eos>")
def eos_not_counted_division_by_zero(logp, beam, eos):
    return search(logp, beam, eos, score=lambda tokens, total: total / (len(tokens) - 1))


@wrong("beam_search", "they are sorted by their tokens")
def sorted_by_tokens_no_key(logp, beam, eos):
    return search(logp, beam, eos, prune=lambda new, K: sorted(new, reverse=True)[:K])


@wrong("beam_search", "log-probabilities are multiplied")
def totals_multiplied(logp, beam, eos):
    return search(logp, beam, eos, ext=lambda total, l: total * l if total else l)


@wrong("beam_search", "the search ends after 4 rounds")
def a_fixed_number_of_rounds_4(logp, beam, eos):
    begin = [((), 0.0)]
    fin = []
    for _ in range(4):
        new = []
        for tokens, total in begin:
            for k, l in enumerate(logp(tokens)):
                if np.isfinite(l):
                    new.append((tokens + (k,), total + l))
        new.sort(key=lambda p: -p[1])
        begin = []
        for tokens, total in new[:beam]:
            if tokens[-1] == eos:
                fin.append((tokens[:-1], total / len(tokens)))
            else:
                begin.append((tokens, total))
    fin.sort(key=lambda p: -p[1])
    return fin[:beam]


@wrong("beam_search", "which has said <eos> (3)")
def eos_taken_for_0(logp, beam, eos):
    return search(logp, beam, 0)


@wrong("beam_search", "the least probable tokens are tried")
def k_tokens_by_argsort_without_minus(logp, beam, eos):
    begin = [((), 0.0)]
    fin = []
    while begin:
        new = []
        for tokens, total in begin:
            l = logp(tokens)
            for k in np.argsort(l)[:beam]:
                if np.isfinite(l[k]):
                    new.append((tokens + (k,), total + l[k]))
        new.sort(key=lambda p: -p[1])
        begin = []
        for tokens, total in new[:beam]:
            if tokens[-1] == eos:
                fin.append((tokens[:-1], total / len(tokens)))
            else:
                begin.append((tokens, total))
    return sorted(fin, key=lambda p: -p[1])[:beam]


@wrong("beam_search", "a tuple of one is (token,)")
def tokens_token_not_a_tuple(logp, beam, eos):
    begin = [((), 0.0)]
    fin = []
    while begin:
        new = []
        for tokens, total in begin:
            for k, l in enumerate(logp(tokens)):
                new.append((tokens + k, total + l))
        begin = sorted(new)[:beam]
    return fin


@wrong("beam_search", "the logp of <eos> is not added")
def score_with_1_len_forgetting_eos_s_log_probability(logp, beam, eos):
    begin = [((), 0.0)]
    fin = []
    while begin:
        new = []
        for tokens, total in begin:
            for k, l in enumerate(logp(tokens)):
                if np.isfinite(l):
                    new.append((tokens + (k,), total + (0 if k == eos else l)))
        new.sort(key=lambda p: -p[1])
        begin = []
        for tokens, total in new[:beam]:
            if tokens[-1] == eos:
                fin.append((tokens[:-1], total / len(tokens)))
            else:
                begin.append((tokens, total))
    return sorted(fin, key=lambda p: -p[1])[:beam]


@wrong("beam_search", "it does not end", "logp is asked with all tokens so far, not with the last alone")
def asks_with_the_last_token_until_the_end(logp, beam, eos):
    beginnings, finished = [((), 0.0)], []
    while beginnings:
        found = []
        for tokens, total in beginnings:
            for k, l in enumerate(logp(tokens[-1:])):
                found.append((tokens + (k,), total + l))
        found.sort(key=lambda pair: -pair[1])
        finished += [(tokens[:-1], total / len(tokens)) for tokens, total in found[:beam] if tokens[-1] == eos]
        beginnings = [pair for pair in found[:beam] if pair[0][-1] != eos]
    return sorted(finished, key=lambda pair: -pair[1])[:beam]


# more: totals that are never set back, indices that stay behind a loop, two slips at once


@wrong("linear_forward", "the total is never set back to 0", "inside the loops over t, n and k")
def a_total_for_each_row_not_for_each_column(x, W, b):
    T, B, D = x.shape
    K = W.shape[1]
    y = np.zeros((T, B, K))
    for t in range(T):
        for n in range(B):
            s = 0
            for k in range(K):
                for d in range(D):
                    s += x[t, n, d] * W[d, k]
                y[t, n, k] = s + b[k]
    return y


@wrong("linear_forward", "the sum over d leaves out its last")
def all_d_but_the_last(x, W, b):
    T, B, D = x.shape
    y = np.zeros((T, B, W.shape[1])) + b
    for d in range(D - 1):
        y += x[:, :, d : d + 1] * W[d]
    return y


@wrong("linear", "dW of the last row only", "db of the last row only")
def added_after_the_loop_over_the_rows(trace, dy):
    x, W = trace.x, trace.params.W
    T, B, D = x.shape
    dx = np.zeros_like(x)
    dW = np.zeros_like(W)
    db = np.zeros(W.shape[1])
    for t in range(T):
        for n in range(B):
            dx[t, n] = W @ dy[t, n]
        dW += np.outer(x[t, n], dy[t, n])
        db += dy[t, n]
    return {"dx": dx, "dW": dW, "db": db}


@wrong("linear", "is a total not set back to 0 inside the loop?")
def dx_with_a_total_for_each_row(trace, dy):
    x, W = trace.x, trace.params.W
    T, B, D = x.shape
    K = W.shape[1]
    dx = np.zeros_like(x)
    for t in range(T):
        for n in range(B):
            for d in range(D):
                if d == 0:
                    total = 0
                for k in range(K):
                    total += dy[t, n, k] * W[d, k]
                dx[t, n, d] = total
    return {"dx": dx, "dW": np.einsum("tbd,tbk->dk", x, dy), "db": dy.sum((0, 1))}


@wrong("linear", "dW is a mean over the rows of a batch", "db is the sum of y, not of dy")
def a_mean_in_dW_and_y_in_db(trace, dy):
    x, W = trace.x, trace.params.W
    dW = np.zeros_like(W)
    for t in range(len(x)):
        dW += x[t].T @ dy[t] / x.shape[1]
    return {"dx": dy @ W.T, "dW": dW, "db": trace.y.sum((0, 1))}


@wrong(
    "linear", "dx is zero at its first place", "the first step has no part in dW", "the first step has no part in db"
)
def back_to_step_1_only(trace, dy):
    x, W = trace.x, trace.params.W
    dx = np.zeros_like(x)
    dW = np.zeros_like(W)
    db = np.zeros(W.shape[1])
    for t in range(len(x) - 1, 0, -1):
        dx[t] = dy[t] @ W.T
        dW += x[t].T @ dy[t]
        db += dy[t].sum(0)
    return {"dx": dx, "dW": dW, "db": db}


@wrong("cross_entropy_forward", "the loss of the last step alone")
def a_total_that_begins_anew_in_each_step(logits, targets, mask):
    for t in range(len(logits)):
        loss = 0
        for b in range(logits.shape[1]):
            z = logits[t, b] - logits[t, b].max()
            loss += mask[t, b] * (np.log(np.exp(z).sum()) - z[targets[t, b]])
    return loss / mask.sum()


@wrong("cross_entropy_forward", "the largest logit of all is subtracted", "each row's own largest")
def one_maximum_for_everything(logits, targets, mask):
    z = logits - logits.max()
    lp = z - np.log(np.exp(z).sum(-1, keepdims=True) + 1e-12)
    picked = np.take_along_axis(lp, targets[..., None], -1)[..., 0]
    return -picked[mask].mean()


@wrong("cross_entropy", "the softmax's sum is never set back to 0")
def one_sum_of_exp_for_all_rows(trace, dloss):
    z, g, w = trace.logits, trace.targets, trace.weights
    T, B, V = z.shape
    d = np.zeros_like(z)
    total = 0
    for t in range(T):
        for n in range(B):
            e = np.exp(z[t, n])
            total += e.sum()
            d[t, n] = e / total * w[t, n] * dloss
            d[t, n, g[t, n]] -= w[t, n] * dloss
    return {"dlogits": d}


@wrong("cross_entropy", "1 is subtracted at the targets of all rows", "p[t, np.arange(B), targets[t]]")
def an_index_of_all_rows(trace, dloss):
    z, g, w = trace.logits, trace.targets, trace.weights
    p = np.exp(z)
    p /= p.sum(-1, keepdims=True)
    for t in range(len(z)):
        p[t, :, g[t]] -= 1
    return {"dlogits": p * w[..., None] * dloss}


@wrong("rnn_step", "h with its last column in the place of each")
def a_slope_that_stays_behind_the_loop(s, dh):
    B, H = dh.shape
    da = np.zeros((B, H))
    for n in range(B):
        for j in range(H):
            slope = 1 - s.h[n, j] ** 2
        da[n] = dh[n] * slope
    return {"da": da}


@wrong("rnn", "the recurrent matrix is not transposed", "a padded step's own dh is dropped")
def W_h_as_it_is_and_back_alone_at_padding(trace, dh, dfinal):
    x, h, W_x, W_h = trace.x, trace.h, trace.params.W_x, trace.params.W_h
    h_prev, mask = trace.run.before.h, trace.run.mask
    dx = np.zeros_like(x)
    dW_x = np.zeros_like(W_x)
    dW_h = np.zeros_like(W_h)
    db = np.zeros(W_h.shape[0])
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h, back)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@wrong("rnn", "what goes back is added to what came in", "= and not +=")
def back_grows_in_place(trace, dh, dfinal):
    x, h, W_x, W_h = trace.x, trace.h, trace.params.W_x, trace.params.W_h
    h_prev, mask = trace.run.before.h, trace.run.mask
    dx = np.zeros_like(x)
    dW_x = np.zeros_like(W_x)
    dW_h = np.zeros_like(W_h)
    db = np.zeros(W_h.shape[0])
    back = dfinal.h.copy()
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        back += dh[t]
        da = np.where(m, back * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h_prev[t].T @ da
        db += da.sum(0)
        back += da @ W_h.T
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@wrong("rnn", "W_h gets the last state at the first step", "h[-1], the last of all")
def h_of_t_minus_1_at_t_0(trace, dh, dfinal):
    x, h, W_x, W_h = trace.x, trace.h, trace.params.W_x, trace.params.W_h
    mask = trace.run.mask
    dx = np.zeros_like(x)
    dW_x = np.zeros_like(W_x)
    dW_h = np.zeros_like(W_h)
    db = np.zeros(W_h.shape[0])
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + back
        da = np.where(m, total * (1 - h[t] ** 2), 0)
        dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += h[t - 1].T @ da
        db += da.sum(0)
        back = np.where(m, da @ W_h.T, total)
    return {"dx": dx, "dstate": back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


@wrong("beam_search", "it does not end", "the list of continuations is a new one in each round")
def one_list_of_continuations_for_all_rounds(logp, beam, eos):
    beginnings = [((), 0.0)]
    finished = []
    allc = []
    while beginnings:
        for tok, tot in beginnings:
            lp = logp(tok)
            for k in range(len(lp)):
                if lp[k] > -np.inf:
                    allc.append((tok + (k,), tot + lp[k]))
        allc = sorted(allc, key=lambda p: -p[1])[:beam]
        beginnings = []
        for tok, tot in allc:
            if tok[-1] == eos:
                finished.append((tok[:-1], tot / len(tok)))
            else:
                beginnings.append((tok, tot))
        if len(finished) > 50:
            break
    return sorted(finished, key=lambda p: -p[1])[:beam]


@wrong("beam_search", "an ending is finished that is among the K best of its own beginning only")
def endings_before_the_cut(logp, beam, eos):
    beginnings = [((), 0.0)]
    finished = []
    while beginnings:
        c = []
        for tok, tot in beginnings:
            lp = logp(tok)
            for k in np.argsort(-lp)[:beam]:
                if lp[k] == -np.inf:
                    continue
                if k == eos:
                    finished.append((tok, (tot + lp[k]) / (len(tok) + 1)))
                else:
                    c.append((tok + (int(k),), tot + lp[k]))
        beginnings = sorted(c, key=lambda p: -p[1])[:beam]
    return sorted(finished, key=lambda p: -p[1])[:beam]


@wrong("beam_search", "a total is carried on from one continuation to the next")
def a_total_that_grows_from_token_to_token(logp, beam, eos):
    beginnings = [((), 0.0)]
    finished = []
    while beginnings:
        c = []
        for tok, tot in beginnings:
            lp = logp(tok)
            for k in range(len(lp)):
                if lp[k] > -np.inf:
                    tot = tot + lp[k]
                    c.append((tok + (k,), tot))
        c.sort(key=lambda p: p[1], reverse=True)
        beginnings = []
        for tok, tot in c[:beam]:
            if tok[-1] == eos:
                finished.append((tok[:-1], tot / len(tok)))
            else:
                beginnings.append((tok, tot))
    return sorted(finished, key=lambda p: p[1], reverse=True)[:beam]


@wrong("linear_forward", "all its rows hold what the last should")
def y_t_for_y_t_n(x, W, b):
    y = np.zeros((x.shape[0], x.shape[1], W.shape[1]))
    for t in range(len(x)):
        for n in range(x.shape[1]):
            y[t] = x[t, n] @ W + b
    return y


@wrong("linear_forward", "the total is never set back to 0")
def rows_that_are_added_in_place(x, W, b):
    y = np.zeros((x.shape[0], x.shape[1], W.shape[1]))
    row = b.copy()
    for t in range(len(x)):
        for n in range(x.shape[1]):
            row += x[t, n] @ W
            y[t, n] = row
    return y


@wrong("linear", "dy with its last row in the place of each", "an index that stays behind after its loop?")
def n_after_its_loop(trace, dy):
    x, W = trace.x, trace.params.W
    dx = np.zeros_like(x)
    dW = 0
    db = 0
    for t in range(len(x)):
        for n in range(x.shape[1]):
            dW = dW + np.outer(x[t, n], dy[t, n])
            db = db + dy[t, n]
        dx[t] = dy[t, n] @ W.T
    return {"dx": dx, "dW": dW, "db": db}


@wrong("linear", "dW of the last position in time only", "divided by 6, the number of steps")
def dW_begins_anew_in_each_step_and_db_is_a_mean(trace, dy):
    x, W = trace.x, trace.params.W
    for t in range(len(x)):
        dW = np.zeros_like(W)
        for n in range(x.shape[1]):
            dW += np.outer(x[t, n], dy[t, n])
    return {"dx": np.einsum("tbk,dk->tbd", dy, W), "dW": dW, "db": dy.sum(1).mean(0)}


@wrong("cross_entropy_forward", "the softmax's sum is never set back to 0")
def one_sum_of_exp_for_all_tokens(logits, targets, mask):
    total, s = 0, 0
    T, B, V = logits.shape
    for t in range(T):
        for n in range(B):
            z = logits[t, n] - logits[t, n].max()
            for k in range(V):
                s += np.exp(z[k])
            if mask[t, n]:
                total += np.log(s) - z[targets[t, n]]
    return total / mask.sum()


@wrong("cross_entropy_forward", "the loop over the rows ends at the first padded one")
def break_at_a_padded_row(logits, targets, mask):
    total = 0
    T, B, V = logits.shape
    for t in range(T):
        for n in range(B):
            if not mask[t, n]:
                break
            z = logits[t, n] - logits[t, n].max()
            total += np.log(np.exp(z).sum()) - z[targets[t, n]]
    return total / mask.sum()


@wrong("cross_entropy", "the softmax's sum is never set back to 0")
def one_sum_of_exp_for_each_step(trace, dloss):
    z, g, w = trace.logits, trace.targets, trace.weights
    d = np.zeros_like(z)
    for t in range(len(z)):
        s = 0
        for n in range(z.shape[1]):
            e = np.exp(z[t, n] - z[t, n].max())
            s += e.sum()
            d[t, n] = e / s
            d[t, n, g[t, n]] -= 1
            d[t, n] *= w[t, n] * dloss
    return {"dlogits": d}


@wrong("lstm_step", "do from c instead of tanh(c)", "the output gate is missing on the way to c")
def c_for_tanh_c_and_o_forgotten(s, dh, dc):
    do = dh * s.c
    d = dc + dh * (1 - s.tanh_c**2)
    da = np.concatenate(
        [d * s.g * s.i * (1 - s.i), d * s.c_prev * s.f * (1 - s.f), d * s.i * (1 - s.g**2), do * s.o * (1 - s.o)], -1
    )
    return {"da": da, "dc_prev": d * s.f}


@wrong("additive_attention", "the softmax's sum is over the rows too")
def a_sum_over_positions_and_rows(trace, dcontext, dalpha):
    a, p = trace.attention, trace.attention.params
    q, al, u = trace.steps.query, trace.steps.alpha, trace.steps.u
    da = dalpha + np.einsum("tbc,sbc->tbs", dcontext, a.values)
    de = al * (da - np.einsum("tbs,tbs->t", al, da)[:, None, None])
    dz = np.einsum("tbs,a,tsba->tsba", de, p.w, 1 - u**2)
    return {
        "dquery": np.einsum("tsba,qa->tbq", dz, p.W_q),
        "dkeys": np.einsum("tsba,ka->sbk", dz, p.W_k),
        "dvalues": np.einsum("tbs,tbc->sbc", al, dcontext),
        "dW_q": np.einsum("tsba,tbq->qa", dz, q),
        "dW_k": np.einsum("tsba,sbk->ka", dz, a.keys),
        "db": dz.sum((0, 1, 2)),
        "dw": np.einsum("tbs,tsba->a", de, u),
    }


@wrong("beam_search", "the continuations of the last beginning alone")
def continuations_begin_anew_for_each_beginning(logp, beam, eos):
    bs = [((), 0.0)]
    fin = []
    while bs:
        for tok, tot in bs:
            c = []
            lp = logp(tok)
            for k in range(len(lp)):
                if lp[k] > -np.inf:
                    c.append((tok + (k,), tot + lp[k]))
        c.sort(key=lambda p: -p[1])
        bs = []
        for tok, tot in c[:beam]:
            if tok[-1] == eos:
                fin.append((tok[:-1], tot / len(tok)))
            else:
                bs.append((tok, tot))
    return sorted(fin, key=lambda p: -p[1])[:beam]


def through_time(trace, dh, dfinal, slip):
    x, h, W_x, W_h = trace.x, trace.h, trace.params.W_x, trace.params.W_h
    hp, mask = trace.run.before.h, trace.run.mask
    dx = np.zeros_like(x)
    dW_x = np.zeros_like(W_x)
    dW_h = np.zeros_like(W_h)
    db = np.zeros(W_h.shape[0])
    back = dfinal.h
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        g = dh[t] + back
        if slip == "stale_t":
            g = dh[-1] + back
        sl = 1 - h[t] ** 2
        if slip == "two_b":
            sl = 1 - h[t]
        da = m * g * sl
        if slip == "da_nomask_dx":
            dx[t] = (g * sl) @ W_x.T
        else:
            dx[t] = da @ W_x.T
        dW_x += x[t].T @ da
        dW_h += (h[t] if slip == "two_a" else hp[t]).T @ da
        db += da.sum(0)
        back = da @ W_h.T + (0 if slip == "two_a" else (1 - m) * g)
        if slip == "two_c":
            back = da @ W_h.T + (1 - m) * back * 0 + (1 - m) * dh[t]
    if slip == "two_c":
        dW_h = dW_h.T
    return {"dx": dx, "dstate": g if slip == "dstate_g" else back, "dW_x": dW_x, "dW_h": dW_h, "db": db}


for slip, *words in (
    ("two_a", "W_h gets h_t, not h_{t-1}", "a padded step's dh is not passed on"),
    ("two_c", "the recurrent matrix's gradient is transposed", "at a padded step what comes back is dropped"),
    ("da_nomask_dx", "padded steps have a da in dx alone"),
    ("dstate_g", "the first state gets what is the gradient of h at the first step"),
):

    def answer(trace, dh, dfinal, slip=slip):
        return through_time(trace, dh, dfinal, slip)

    answer.__name__ = "rnn_" + slip
    wrong("rnn", *words)(answer)


def in_loops(trace, dcontext, dalpha, slip):
    keys, values, p = trace.attention.keys, trace.attention.values, trace.attention.params
    query, alpha, u = trace.steps.query, trace.steps.alpha, trace.steps.u
    T, B, S = alpha.shape
    dq = np.zeros_like(query)
    dk = np.zeros_like(keys)
    dv = np.zeros_like(values)
    dWq = np.zeros_like(p.W_q)
    dWk = np.zeros_like(p.W_k)
    db = np.zeros_like(p.b)
    dw = np.zeros_like(p.w)
    dpre_sum = np.zeros(u.shape[3])
    for t in range(T):
        for n in range(B):
            da = dalpha[t, n] + values[:, n] @ dcontext[t, n]
            if slip == "dalpha_in_dot":
                inner = alpha[t, n] @ dalpha[t, n]
            else:
                inner = alpha[t, n] @ da
            de = alpha[t, n] * (da - inner)
            for j in range(S):
                dv[j, n] += alpha[t, n, j] * dcontext[t, n]
                dw += de[j] * u[t, j, n]
                dpre = de[j] * p.w * (1 - u[t, j, n] ** 2)
                if slip == "never_reset":
                    dpre_sum += dpre
                    dpre = dpre_sum
                db += dpre
                dWk += np.outer(keys[j, n], dpre)
                dk[j, n] += p.W_k @ dpre
                dq[t, n] += p.W_q @ dpre
                dWq += np.outer(query[t, n], dpre)
    return {"dquery": dq, "dkeys": dk, "dvalues": dv, "dW_q": dWq, "dW_k": dWk, "db": db, "dw": dw}


for slip, word in (
    ("dalpha_in_dot", "dalpha is whole in one place of the softmax only"),
    ("never_reset", "dz is never set back to 0 in the loop"),
):

    def answer(trace, dcontext, dalpha, slip=slip):
        return in_loops(trace, dcontext, dalpha, slip)

    answer.__name__ = "attention_" + slip
    wrong("additive_attention", word)(answer)
