"""Known bugs of the atoms, the affine map, the embedding, dropout and the loss."""

import numpy as np

from numseq.gradcheck.bugs.bug import bugs, fresh, sigmoid

BUGS = []


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


BUGS += bugs(
    "sigmoid",
    ("sigma' is taken of the input, not of the output", "dx", lambda v: v.dy * v.x * (1 - v.x),
     "y (1 - y) is a formula in y = sigma(x), not in x"),
    ("sigma is applied twice in its derivative", "dx", lambda v: v.dy * sigmoid(v.y) * (1 - sigmoid(v.y)),
     "y already is sigma(x); applying sigma to it again gives the slope at another point"),
    ("the factor y is missing from sigma'", "dx", lambda v: v.dy * (1 - v.y), "sigma' = y (1 - y), both factors"),
    ("the factor 1 - y is missing from sigma'", "dx", lambda v: v.dy * v.y, "sigma' = y (1 - y), both factors"),
    ("tanh' instead of sigma'", "dx", lambda v: v.dy * (1 - v.y**2), "1 - y^2 belongs to tanh, y (1 - y) to sigma"),
    ("the incoming gradient is not multiplied in", "dx", lambda v: v.y * (1 - v.y),
     "the chain rule multiplies by what comes from above"),
)  # fmt: skip
BUGS += bugs(
    "tanh",
    ("tanh' is taken of the input, not of the output", "dx", lambda v: v.dy * (1 - v.x**2),
     "1 - y^2 is a formula in y = tanh(x), not in x"),
    ("tanh is applied twice in its derivative", "dx", lambda v: v.dy * (1 - np.tanh(v.y) ** 2),
     "y already is tanh(x); applying tanh to it again gives the slope at another point"),
    ("the square is missing from tanh'", "dx", lambda v: v.dy * (1 - v.y), "tanh' = 1 - y^2"),
    ("sigma' instead of tanh'", "dx", lambda v: v.dy * v.y * (1 - v.y), "y (1 - y) belongs to sigma, 1 - y^2 to tanh"),
)  # fmt: skip
BUGS += bugs(
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
BUGS += bugs(
    "log_softmax",
    ("the normaliser's gradient is left out", "total", lambda v: 0, "the log of the sum depends on every score"),
    ("p is missing in the normaliser's gradient", "dx", lambda v: v.dy - v.total,
     "d log sum exp(z) / dz_k = p_k"),
    ("the normaliser's gradient is not summed", "dx", lambda v: v.dy - v.p * v.dy,
     "every log-probability reads the one normaliser, so their gradients add"),
)  # fmt: skip
BUGS += bugs(
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
BUGS += bugs(
    "embedding",
    ("embedding rows are assigned, not added", "dW", _assigned,
     "dW[ids] = dy keeps the last of several uses of a token; their gradients add (np.add.at)"),
    ("repeated ids are added once", "dW", _added_once, "dW[ids] += dy adds once for each different id; use np.add.at"),
    ("repeated ids are averaged", "dW", _mean_of_repeats, "a token used n times gets the sum of its n gradients"),
    ("embedding rows are off by one", "dW", _rows_shifted, "the gradient goes to the row that was looked up"),
)  # fmt: skip
BUGS += bugs(
    "dropout",
    ("dropout forgets its mask", "dx", lambda v: v.dy, "a dropped unit had no say in the loss, so it gets no gradient"),
    ("a fresh dropout mask in backward", "dx", lambda v: v.dy * fresh(v.mask),
     "backward undoes the function that forward was: with the very same mask"),
    ("dropout's scaling is left out", "dx", lambda v: v.dy * (v.mask > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
    ("dropout's mask is applied twice", "dx", lambda v: v.dy * v.mask**2,
     "each factor of forward comes once in backward"),
)  # fmt: skip
BUGS += bugs(
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
