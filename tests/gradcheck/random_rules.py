"""Operations of plain code with their right backward rules, and usual wrong ones; random programs are made of them.

A rule is (forward, backward): forward(o, *arguments) gives y, and backward(o, d, y, *arguments) a gradient for each
argument. o, what else it needs. Forward code goes the way that numseq's own does (the real part decides), so the
complex step passes; the operations of KEPT_REAL are written as most people write them, and it does not.
"""

import numpy as np

KEPT_REAL = {"np.abs", "np.linalg.norm"}  # operations that drop the imaginary part
KINKED = {"relu", "leaky", "abs", "np.abs", "clip", "max", "np.max", "maximum", "hinge"}  # with a kink somewhere


def rows(x):
    return x.reshape(-1, x.shape[-1])


def shaped_back(d, x):
    """The gradient of what was broadcast."""
    extra = d.ndim - x.ndim
    d = d.sum(axis=tuple(range(extra))) if extra else d
    return d.sum(axis=tuple(k for k in range(x.ndim) if x.shape[k] == 1), keepdims=True).reshape(x.shape)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def length(x, axis=-1):
    return np.sqrt((x * x).sum(axis=axis, keepdims=True))


def softmax(o, x):
    p = np.exp(x - x.real.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def softmax_back(o, d, p, x):
    return (p * (d - (d * p).sum(axis=-1, keepdims=True)),)


def log_sum_exp(o, x):
    m = x.real.max(axis=o, keepdims=True)
    return np.log(np.exp(x - m).sum(axis=o, keepdims=True)) + m


def normalised(axis):
    """(forward, backward, a backward that leaves out the deviation) of normalising along an axis."""

    def parts(o, x):
        centred = x - x.mean(axis=axis, keepdims=True)
        return centred, np.sqrt((centred * centred).mean(axis=axis, keepdims=True) + o)

    def forward(o, x):
        centred, std = parts(o, x)
        return centred / std

    def backward(o, d, y, x):
        of_mean, of_std = d.mean(axis=axis, keepdims=True), (d * y).mean(axis=axis, keepdims=True)
        return ((d - of_mean - y * of_std) / parts(o, x)[1],)

    def without_std(o, d, y, x):
        return ((d - d.mean(axis=axis, keepdims=True)) / parts(o, x)[1],)

    return forward, backward, without_std


def largest(o, x):
    """Where the maximum along axis o is, the first of equal ones."""
    return np.expand_dims(x.real.argmax(axis=o), o)


def max_back(o, d, y, x):
    dx = np.zeros_like(x)
    np.put_along_axis(dx, largest(o, x), d, axis=o)
    return (dx,)


def recurrence(o, x, W, U, b):
    """h_t = tanh(x_t W + h_{t-1} U + b) along the first axis, from 0."""
    h, states = np.zeros_like(x[0] @ W), []
    for x_t in x:
        h = np.tanh(x_t @ W + h @ U + b)
        states.append(h)
    return np.stack(states)


def recurrence_back(o, d, y, x, W, U, b):
    dx, dW, dU, db = (np.zeros_like(each) for each in (x, W, U, b))
    dh = np.zeros_like(d[0])
    for t in reversed(range(len(x))):
        da = (dh + d[t]) * (1 - y[t] ** 2)
        dx[t], dh = da @ W.T, da @ U.T
        dW += rows(x[t]).T @ rows(da)
        db += rows(da).sum(axis=0)
        if t:
            dU += rows(y[t - 1]).T @ rows(da)
    return dx, dW, dU, db


def recurrence_cut(o, d, y, x, W, U, b):
    """It forgets what comes back from the next step."""
    da = d * (1 - y**2)
    before = np.concatenate([np.zeros_like(y[:1]), y[:-1]])
    return da @ W.T, rows(x).T @ rows(da), rows(before).T @ rows(da), rows(da).sum(axis=0)


def layer_norm_back(o, d, y, x, g, b):
    x_hat = LAYER[0](o, x)
    (dx,) = LAYER[1](o, d * g, x_hat, x)
    return dx, rows(d * x_hat).sum(axis=0), rows(d).sum(axis=0)


def cross_entropy(o, x):
    return -np.take_along_axis(x - log_sum_exp(-1, x), o, axis=-1).mean()


def cross_entropy_back(o, d, y, x):
    dx = softmax(None, x)
    np.put_along_axis(dx, o, np.take_along_axis(dx, o, axis=-1) - 1, axis=-1)
    return (dx * (d / o.size),)


def gathered_back(o, d, y, x):
    dx = np.zeros_like(x)
    np.add.at(dx, o, d)
    return (dx,)


def gathered_over(o, d, y, x):
    dx = np.zeros_like(x)
    dx[o] = d
    return (dx,)


def gelu_inside(x):
    return 0.8 * (x + 0.04 * x**3)


LAYER, BATCH = normalised(-1), normalised(0)
RULES = {
    # of one argument
    "tanh": (lambda o, x: np.tanh(x), lambda o, d, y, x: (d * (1 - y * y),)),
    "sigmoid": (lambda o, x: sigmoid(x), lambda o, d, y, x: (d * y * (1 - y),)),
    "steep": (lambda o, x: sigmoid(o * x), lambda o, d, y, x: (o * d * y * (1 - y),)),
    "exp": (lambda o, x: np.exp(x), lambda o, d, y, x: (d * y,)),
    "softplus": (lambda o, x: np.log1p(np.exp(x)), lambda o, d, y, x: (d * sigmoid(x),)),
    "sin": (lambda o, x: np.sin(x), lambda o, d, y, x: (d * np.cos(x),)),
    "square": (lambda o, x: x * x, lambda o, d, y, x: (2 * d * x,)),
    "root": (lambda o, x: np.sqrt(1 + x * x), lambda o, d, y, x: (d * x / y,)),
    "gelu": (
        lambda o, x: 0.5 * x * (1 + np.tanh(gelu_inside(x))),
        lambda o, d, y, x: (
            d
            * 0.5
            * (1 + np.tanh(gelu_inside(x)) + x * (1 - np.tanh(gelu_inside(x)) ** 2) * 0.8 * (1 + 0.12 * x**2)),
        ),
    ),
    "relu": (lambda o, x: x * (x.real > 0), lambda o, d, y, x: (d * (x > 0),)),
    "leaky": (lambda o, x: np.where(x.real >= 0, x, o * x), lambda o, d, y, x: (np.where(x >= 0, d, o * d),)),
    "abs": (lambda o, x: x * np.sign(x.real), lambda o, d, y, x: (d * np.sign(x),)),
    "np.abs": (lambda o, x: np.abs(x), lambda o, d, y, x: (d * np.sign(x),)),
    "clip": (lambda o, x: np.where(abs(x.real) < o, x, o * np.sign(x.real)), lambda o, d, y, x: (d * (abs(x) < o),)),
    "hinge": (
        lambda o, x: np.where(x.real < 1, 1 - x, 0) ** 2,
        lambda o, d, y, x: (-2 * d * np.where(x < 1, 1 - x, 0),),
    ),
    "scaled": (lambda o, x: o * x, lambda o, d, y, x: (o * d,)),
    "dropout": (lambda o, x: x * o, lambda o, d, y, x: (d * o,)),
    "softmax": (softmax, softmax_back),
    "masked": (
        lambda o, x: softmax(None, np.where(o, x, -1e9)),
        lambda o, d, y, x: (np.where(o, *softmax_back(o, d, y, x), 0),),
    ),
    "added mask": (lambda o, x: softmax(None, x + (1 - o) * -1e9), softmax_back),
    "log softmax": (
        lambda o, x: x - log_sum_exp(-1, x),
        lambda o, d, y, x: (d - np.exp(y) * d.sum(axis=-1, keepdims=True),),
    ),
    "log-sum-exp": (log_sum_exp, lambda o, d, y, x: (d * np.exp(x - y),)),
    "normalise": LAYER[:2],
    "batch norm": BATCH[:2],
    "unit": (
        lambda o, x: x / length(x),
        lambda o, d, y, x: ((d - y * (d * y).sum(axis=-1, keepdims=True)) / length(x),),
    ),
    "norm": (lambda o, x: length(x, o), lambda o, d, y, x: (d * x / y,)),
    "np.linalg.norm": (lambda o, x: np.linalg.norm(x, axis=o, keepdims=True), lambda o, d, y, x: (d * x / y,)),
    "sum": (lambda o, x: x.sum(axis=o, keepdims=True), lambda o, d, y, x: (d + np.zeros_like(x),)),
    "mean": (lambda o, x: x.mean(axis=o, keepdims=True), lambda o, d, y, x: (d / x.shape[o] + np.zeros_like(x),)),
    "max": (lambda o, x: np.take_along_axis(x, largest(o, x), axis=o), max_back),
    "np.max": (lambda o, x: x.max(axis=o, keepdims=True), max_back),
    "cumulative sum": (
        lambda o, x: np.cumsum(x, axis=o),
        lambda o, d, y, x: (np.flip(np.cumsum(np.flip(d, o), axis=o), o),),
    ),
    "turned": (lambda o, x: x.swapaxes(-1, -2), lambda o, d, y, x: (d.swapaxes(-1, -2),)),
    "reversed": (lambda o, x: x[::-1], lambda o, d, y, x: (d[::-1],)),
    "rows by id": (lambda o, x: x[o], gathered_back),
    "doubled": (
        lambda o, x: np.concatenate([x, x * x], axis=-1),
        lambda o, d, y, x: (d[..., : x.shape[-1]] + 2 * x * d[..., x.shape[-1] :],),
    ),
    "cross-entropy": (cross_entropy, cross_entropy_back),
    "mean of all": (lambda o, x: x.mean(), lambda o, d, y, x: (d / x.size + np.zeros_like(x),)),
    # of two values
    "plus": (lambda o, x, z: x + z, lambda o, d, y, x, z: (shaped_back(d, x), shaped_back(d, z))),
    "minus": (lambda o, x, z: x - z, lambda o, d, y, x, z: (shaped_back(d, x), -shaped_back(d, z))),
    "times": (lambda o, x, z: x * z, lambda o, d, y, x, z: (shaped_back(d * z, x), shaped_back(d * x, z))),
    "over": (
        lambda o, x, z: x / (1 + z * z),
        lambda o, d, y, x, z: (shaped_back(d / (1 + z * z), x), shaped_back(-2 * d * y * z / (1 + z * z), z)),
    ),
    "maximum": (
        lambda o, x, z: np.where(x.real >= z.real, x, z),
        lambda o, d, y, x, z: (shaped_back(d * (x >= z), x), shaped_back(d * (x < z), z)),
    ),
    "product": (
        lambda o, x, z: x @ z.swapaxes(-1, -2),
        lambda o, d, y, x, z: (d @ z, d.swapaxes(-1, -2) @ x),
    ),
    # with parameters
    "affine": (
        lambda o, x, W, b: x @ W + b,
        lambda o, d, y, x, W, b: (d @ W.T, rows(x).T @ rows(d), rows(d).sum(axis=0)),
    ),
    "bias": (lambda o, x, b: x + b, lambda o, d, y, x, b: (d, shaped_back(d, b))),
    "gain": (lambda o, x, g: x * g, lambda o, d, y, x, g: (d * g, shaped_back(d * x, g))),
    "temperature": (lambda o, x, t: x / np.exp(t), lambda o, d, y, x, t: (d / np.exp(t), shaped_back(-d * y, t))),
    "layer norm": (lambda o, x, g, b: g * LAYER[0](o, x) + b, layer_norm_back),
    "recurrence": (recurrence, recurrence_back),
}  # fmt: skip
WRONG = {  # backwards as one might write them by mistake
    "tanh": lambda o, d, y, x: (d * (1 - y),),
    "sigmoid": lambda o, d, y, x: (d * y,),
    "softmax": lambda o, d, y, x: (d * y * (1 - y),),
    "masked": lambda o, d, y, x: (d * y * (1 - y),),
    "log-sum-exp": lambda o, d, y, x: (d + np.zeros_like(x),),
    "normalise": LAYER[2:],
    "batch norm": BATCH[2:],
    "norm": lambda o, d, y, x: (d * x,),
    "mean": lambda o, d, y, x: (d + np.zeros_like(x),),
    "cumulative sum": lambda o, d, y, x: (np.cumsum(d, axis=o),),
    "rows by id": gathered_over,
    "over": lambda o, d, y, x, z: (shaped_back(d / (1 + z * z), x), shaped_back(-2 * d * x * z / (1 + z * z), z)),
    "recurrence": recurrence_cut,
}
WRONG |= {name: rule[0] for name, rule in WRONG.items() if isinstance(rule, tuple)}
