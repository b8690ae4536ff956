"""Forward passes to write: the affine map, and softmax with cross-entropy."""

import numpy as np

from numseq.gradcheck.advice import of_shape
from numseq.gradcheck.patterns import patterns
from numseq.gradcheck.report import relative_error
from numseq.mistakes.exercise import Exercise, Unfit, know_exercise
from numseq.mistakes.fixtures import REAL, B, D, T, V
from numseq.mistakes.layer import equations


def linear_forward(x, W, b, change=None):
    eq = equations(change)
    y = eq("y", x @ W + b)
    return y


def cross_entropy_forward(logits, targets, mask, change=None):
    eq = equations(change)
    mask = eq("mask", mask)
    m = eq("m", logits.max(axis=-1, keepdims=True))
    e = np.exp(logits - m)
    z = eq("z", e.sum(axis=-1, keepdims=True))
    log_p = eq("log_p", logits - m - np.log(z))
    nll = eq("nll", -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0])
    loss = eq("loss", (nll * mask).sum() / mask.sum())
    return loss


def _array(value, right):
    try:
        value = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        raise Unfit(f"it returns a {type(value).__name__} that is no array of numbers") from None
    if value.dtype.kind not in "fiu":
        raise Unfit(f"it returns {_said(value)}: an array of floating numbers is wanted")
    shape = np.shape(right)
    if value.shape != shape:
        if value.size == 1 and shape == ():
            raise Unfit(f"it returns an array of shape {value.shape}: a single number is wanted, of shape ()")
        if shape == ():
            raise Unfit(f"it returns an array of shape {value.shape}: a single number is wanted (is the mean missing?)")
        advice = of_shape(value.shape, shape)
        more = f" ({advice})" if advice else ""
        raise Unfit(f"it returns an array of shape {value.shape}: {shape} is wanted{more}")
    if value.dtype.kind in "iu":
        raise Unfit(f"it returns numbers of dtype {value.dtype}: floating numbers are wanted (was it rounded?)")
    return value.astype(float)


def _error(found, right):
    """The relative error; of two that are not finite at the same places, as of a mistake, that of the rest."""
    if not np.array_equal(np.isfinite(found), np.isfinite(right)):
        return np.inf
    return relative_error(*(np.where(np.isfinite(right), each, 0) for each in (found, right)))


def _said(value):
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return "something that is no array of numbers"
    return f"an array of dtype {value.dtype}"


def _shows(found, right):
    if not np.isfinite(found).all():
        return ["it holds numbers that are not finite (NaN or infinity)"], [
            "exp of 710 is infinite and the log of 0 is minus infinity; or some of it was never filled"
        ]
    if not right.ndim:
        return [f"it gives {float(found):.6g}"], [f"{float(right):.6g} is right", *patterns(found[None], right[None])]
    at = np.unravel_index(int(np.abs(found - right).argmax()), right.shape)
    place = ", ".join(map(str, at))
    return [f"its largest error is at ({place}): it gives {found[at]:.6g}"], [
        f"{right[at]:.6g} is right there",
        *patterns(found, right),
    ]


def _linear_cases(rng):
    """A square matrix hides a transpose from the shapes, so here is one."""
    normal = rng.standard_normal
    return {
        "y": {"x": normal((T, B, D)), "W": normal((D, 2)), "b": normal(2)},
        "y of a square W": {"x": normal((T, B, D)), "W": normal((D, D)), "b": normal(D)},
    }


def _loss_cases(rng):
    logits, targets = 3 * rng.standard_normal((T, B, V)), rng.integers(0, V, size=(T, B))
    given = {"loss": logits, "loss of large logits": logits + 1000, "loss of logits far apart": 300 * logits}
    return {label: {"logits": each, "targets": targets, "mask": REAL} for label, each in given.items()}


LOOPS = (np.s_[-1:], np.s_[-2:], np.s_[-3:], np.s_[1:2], np.s_[:2])  # the axes that a total is carried on over


def _piled(a, loops):
    """Each number with those before it, along the axes that loops go through, added."""
    over = range(a.ndim)[loops]
    last = np.moveaxis(a, over, range(-len(over), 0))
    piled = np.cumsum(last.reshape(*last.shape[: a.ndim - len(over)], -1), axis=-1).reshape(last.shape)
    return np.moveaxis(piled, range(-len(over), 0), over)


know_exercise(
    Exercise(
        "linear_forward", linear_forward, _linear_cases, lambda y, given: _array(y, given["x"] @ given["W"]),
        _error, _shows, "x W + b",
    ),
    ("the bias is missing", "y", lambda v: v.x @ v.W, "y = x W + b: b is added to each row"),
    ("the bias is subtracted", "y", lambda v: v.x @ v.W - v.b, "y = x W + b"),
    ("the bias is added for each input", "y", lambda v: v.x @ v.W + len(v.W) * v.b,
     "y = x W + b: b is added once to each number, after the sum over d"),
    ("the sum over d has its last term alone", "y", lambda v: v.x[..., -1:] * v.W[-1] + v.b,
     "+= and not =: each d adds a term"),
    *((f"the sum over d leaves out its {which}", "y", lambda v, kept=kept: v.x[..., kept] @ v.W[kept] + v.b,
       "range(D) goes from 0 to D - 1: all D terms belong to the sum")
      for which, kept in (("last", np.s_[:-1]), ("first", np.s_[1:]))),
    *(("the total is never set back to 0", "y", lambda v, loops=loops: _piled(v.x @ v.W, loops) + v.b,
       "a sum over d for each number of y: it begins with 0 inside the loops over t, n and k") for loops in LOOPS),
    *(("the total is never set back to 0", "y", lambda v, loops=loops: _piled(v.x @ v.W + v.b, loops),
       "a sum over d for each number of y: it begins with 0 inside the loops over t, n and k") for loops in LOOPS),
    ("the bias is multiplied", "y", lambda v: (v.x @ v.W) * v.b, "y = x W + b"),
    ("the matrix is transposed", "y", lambda v: v.x @ (v.W.T if v.W.shape[0] == v.W.shape[1] else v.W) + v.b,
     "y = x W + b: a column of W for each output; a square W hides it from the shapes"),
)  # fmt: skip


NO_TOKEN = "logits of 0 are no missing token: they cost log V. Multiply each token's loss by the mask"
know_exercise(
    Exercise(
        "cross_entropy_forward", cross_entropy_forward, _loss_cases, lambda loss, given: _array(loss, 0.0),
        _error, _shows, "the mean over real tokens of -log p[target], p = softmax of the logits",
    ),
    ("the largest logit is not subtracted", "m", lambda v: 0,
     "exp overflows beyond 709: subtract each row's largest logit first, which changes no probability"),
    ("the largest logit is not subtracted", "log_p",
     lambda v: np.log(np.exp(v.logits) / np.exp(v.logits).sum(axis=-1, keepdims=True)),
     "exp overflows beyond 709: subtract each row's largest logit first, which changes no probability"),
    ("the log of a probability that was rounded to 0", "log_p", lambda v: np.log(v.e / v.z),
     "log p = logits - m - log z, with m each row's own largest logit: the log of the quotient is taken as a "
     "difference, before anything is 0"),
    ("the minus sign is missing", "loss", lambda v: -v.value, "the loss is -log p of the target"),
    ("the loss is summed, not averaged", "loss", lambda v: (v.nll * v.mask).sum(),
     "the mean over real tokens: divide by their number, mask.sum()"),
    ("the mean counts padding", "loss", lambda v: (v.nll * v.mask).sum() / v.mask.size,
     "divide by the number of real tokens, mask.sum(), and not by that of all places"),
    ("mean over the rows where tokens were meant", "loss", lambda v: (v.nll * v.mask).sum() / v.mask.shape[1],
     "divide by the number of real tokens, mask.sum(), and not by that of the rows"),
    ("the mask is forgotten", "loss", lambda v: v.nll.mean(), "a padded token has no say: multiply by the mask"),
    ("the mask is forgotten in the sum", "loss", lambda v: v.nll.sum() / v.mask.sum(),
     "a padded token has no say: multiply by the mask before you add"),
    ("p where log p belongs", "nll", lambda v: -np.exp(-v.value), "the loss is -log p of the target"),
    ("the mask is taken upside down", "mask", lambda v: ~v.value, "it is True where a token is real"),
    ("mean over the steps where tokens were meant", "loss", lambda v: (v.nll * v.mask).sum() / len(v.mask),
     "divide by the number of real tokens, mask.sum(), and not by that of the steps"),
    ("the mean of each row's mean", "loss", lambda v: ((v.nll * v.mask).sum(axis=0) / v.mask.sum(axis=0)).mean(),
     "all real tokens count alike: add all of them, then divide once"),
    ("the mean of each step's mean", "loss",
     lambda v: ((v.nll * v.mask).sum(axis=1) / np.maximum(v.mask.sum(axis=1), 1)).mean(),
     "all real tokens count alike: add all of them, then divide once"),
    ("the log of the mean probability", "loss",
     lambda v: -np.log((np.exp(-v.nll) * v.mask).sum() / v.mask.sum()),
     "the mean of the logs, not the log of the mean"),
    ("the first token alone counts", "loss", lambda v: v.nll.flat[0] / v.mask.sum(),
     "is the `return` inside the loop?"),
    ("the first token alone counts", "loss", lambda v: v.nll.flat[0], "is the `return` inside the loop?"),
    ("the logits are masked, not the losses", "loss", lambda v: _uniform_at_padding(v).sum() / v.mask.sum(), NO_TOKEN),
    ("the logits are masked, not the losses", "loss", lambda v: _uniform_at_padding(v).mean(), NO_TOKEN),
    ("the largest logit is subtracted in one place only", "nll", lambda v: v.value - v.m[..., 0],
     "log sum exp(z) - z_g: with z - m in the sum, m + log sum exp(z - m) - z_g"),
    ("the logits are divided by the largest", "log_p", lambda v: _over(v.logits / v.m, -1),
     "subtract it: a quotient changes the probabilities"),
    *((f"{small:g} is added under the log", "log_p", lambda v, small=small: np.log(v.e / v.z + small),
       "it changes each loss, and where p is 0 for a computer log p is made up: log p = logits - m - log z needs none")
      for small in 10.0 ** -np.arange(5, 17)),
    ("the target is one class off", "nll",
     lambda v: -np.take_along_axis(v.log_p, v.targets[..., None] - 1, axis=-1)[..., 0],
     "classes are counted from 0, as targets are"),
    ("the loss is divided by the number of classes", "loss", lambda v: v.value / v.logits.shape[-1],
     "the loss is a mean over tokens, not over classes"),
    *(("the loss of the last step alone", "loss", lambda v, n=n: (v.nll * v.mask)[-1].sum() / _count(v, n),
       "the total begins with 0 before the loops, and not inside: every step adds to it") for n in ("all", "last")),
    *(("the loss of the first step alone", "loss", lambda v, n=n: (v.nll * v.mask)[0].sum() / _count(v, n),
       "is the `return` inside the loop?") for n in ("all", "first")),
    ("the loss of the last row alone", "loss", lambda v: (v.nll * v.mask)[:, -1].sum() / v.mask.sum(),
     "the total begins with 0 before the loops, and not inside: every row adds to it"),
    *(("the largest logit of all is subtracted, not each row's", "log_p", lambda v, small=small: _one_max(v, small),
       "far below the largest of all exp is 0: m is each row's own largest, max(axis=-1, keepdims=True)")
      for small in 10.0 ** -np.arange(5, 17)),
    *(("the softmax's sum is never set back to 0", "z",
       lambda v, loops=loops: _piled(v.value[..., 0], loops)[..., None],
       "one softmax for each token: its sum begins with 0 inside the loops over steps and rows")
      for loops in (np.s_[:], np.s_[1:], np.s_[:1])),
    ("the loop over the rows ends at the first padded one", "loss",
     lambda v: (v.nll * np.logical_and.accumulate(v.mask, axis=1)).sum() / v.mask.sum(),
     "the rows after it may be longer: continue, not break"),
    ("the last step is left out", "loss", lambda v: (v.nll * v.mask)[:-1].sum() / v.mask.sum(),
     "range(T) ends at T - 1, which is the last step"),
    ("the softmax is left out", "log_p", lambda v: v.logits, "log p = logits - log sum exp(logits)"),
    ("each target is looked up in every row", "nll",
     lambda v: -v.log_p[:, :, v.targets], "np.take_along_axis: of each row of logits the target of that row"),
    ("the log is of base 2", "loss", lambda v: v.value / np.log(2), "np.log: nats, not bits"),
    ("the softmax's sum is over the whole array", "z", lambda v: np.exp(v.logits - v.m).sum(),
     "one softmax for each token: sum over the last axis, axis=-1"),
    ("the softmax's sum is over the whole array", "log_p", lambda v: np.log(_all(v.logits)),
     "one softmax for each token: sum over the last axis, axis=-1"),
    ("the softmax's sum is over time", "log_p", lambda v: _over(v.logits, 0),
     "one softmax for each token: sum over the last axis, axis=-1"),
    ("the softmax's sum is over the rows", "log_p", lambda v: _over(v.logits, 1),
     "one softmax for each token: sum over the last axis, axis=-1"),
    ("the softmax's sum is missing", "log_p", lambda v: v.logits - v.m, "p = e / sum of e: log p = logits - m - log z"),
    ("all classes are summed, not the target's alone", "nll", lambda v: -v.log_p.sum(axis=-1),
     "of each token only the log-probability of its target counts"),
    ("the most probable class in the place of the target", "nll", lambda v: -v.log_p.max(axis=-1),
     "the target is what should have been said, whatever the model thinks"),
)  # fmt: skip


def _count(v, which):
    return (v.mask if which == "all" else v.mask[-1] if which == "last" else v.mask[0]).sum()


def _one_max(v, small):
    z = v.logits - v.logits.max()
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True) + small)


def _over(logits, axis):
    e = logits - logits.max(axis=axis, keepdims=True)
    return e - np.log(np.exp(e).sum(axis=axis, keepdims=True))


def _uniform_at_padding(v):
    return np.where(v.mask, v.nll, np.log(v.logits.shape[-1]))


def _all(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum()
