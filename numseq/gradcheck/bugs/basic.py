"""Known bugs of the atoms, maxout, the affine map, the embedding, dropout and the losses."""

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


def _sampled(v, of_targets=True, add=True):
    """dW of the sampled softmax, with the targets' part or without, samples added or assigned."""
    out = np.zeros_like(v.W.T)
    if of_targets:
        np.add.at(out, v.targets, v.dt[:, None] * v.x)
    if add:
        np.add.at(out, v.samples, v.ds.T @ v.x)
    else:
        out[v.samples] = v.ds.T @ v.x
    return out.T


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
    "relu",
    ("relu lets the gradient through where it is off", "dx", lambda v: v.dy,
     "a unit at 0 did not move with its input: its slope is 0"),
    ("relu's slope is taken on the wrong side", "dx", lambda v: np.where(v.y > 0, 0, v.dy),
     "the slope is 1 where the input is positive, and 0 where it is not"),
    ("relu leaks in backward", "dx", lambda v: np.where(v.y > 0, v.dy, 0.01 * v.dy),
     "a leaky slope belongs to a leaky forward; relu's is 0 below 0"),
    ("relu's output in place of its slope", "dx", lambda v: v.dy * v.y, "the slope is 1 where y > 0, not y"),
    ("relu's gradient is cut off instead", "dx", lambda v: np.maximum(v.dy, 0) * (v.y > 0),
     "the input decides where the gradient goes through, not the gradient's own sign"),
    ("the gradient that comes to relu is not multiplied in", "dx", lambda v: (v.y > 0) * 1.0,
     "the chain rule multiplies by what comes from above"),
)  # fmt: skip
BUGS += bugs(
    "maxout",
    ("maxout sends the gradient to both units", "dx", lambda v: np.repeat(v.dy, 2, axis=-1),
     "only the larger unit of a pair had a say in the output"),
    ("maxout sends the gradient to the loser", "dx",
     lambda v: v.value.reshape(*v.dy.shape, 2)[..., ::-1].reshape(v.dx.shape),
     "the larger unit of a pair is the output, so the gradient is its own"),
    ("maxout shares the gradient between both units", "dx", lambda v: np.repeat(v.dy / 2, 2, axis=-1),
     "only the larger unit of a pair had a say in the output"),
    ("maxout's first unit always wins", "dx", lambda v: np.stack([v.dy, 0 * v.dy], axis=-1).reshape(v.dx.shape),
     "which unit won was decided in forward, for each pair on its own: keep it"),
    ("maxout's halves are taken for its pairs", "dx",
     lambda v: np.concatenate([v.value[..., 0::2], v.value[..., 1::2]], axis=-1),
     "forward compared neighbours, so backward puts the gradients side by side"),
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
    "variational_dropout",
    ("variational dropout forgets its mask", "dx", lambda v: v.dy,
     "a dropped unit had no say in the loss, at any step, so it gets no gradient"),
    ("variational dropout with a fresh mask at each step", "dx",
     lambda v: v.dy * fresh(np.broadcast_to(v.mask, v.dy.shape)),
     "the point of it is one mask for all steps; backward has the very same"),
    ("variational dropout masks the first step only", "dx", lambda v: np.concatenate([v.value[:1], v.dy[1:]]),
     "the one mask multiplied every step, so it multiplies the gradient of every step"),
    ("variational dropout masks the last step only", "dx", lambda v: np.concatenate([v.dy[:-1], v.value[-1:]]),
     "the one mask multiplied every step, so it multiplies the gradient of every step"),
    ("variational dropout gives every step the gradient of all", "dx",
     lambda v: np.broadcast_to(v.value.sum(axis=0), v.dy.shape),
     "the mask is shared by the steps, the input is not: nothing is summed over time"),
    ("variational dropout's scaling is left out", "dx", lambda v: v.dy * (v.mask > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
)  # fmt: skip
BUGS += bugs(
    "word_dropout",
    ("word dropout forgets its mask", "dx", lambda v: v.dy,
     "a dropped word had no say in the loss, so its vector gets no gradient"),
    ("word dropout drops units, not words, in backward", "dx",
     lambda v: v.dy * fresh(np.broadcast_to(v.mask, v.dy.shape)),
     "one draw decides of a word's whole vector, in backward as in forward"),
    ("word dropout masks a vector's first unit only", "dx",
     lambda v: np.concatenate([v.value[..., :1], v.dy[..., 1:]], axis=-1),
     "the one number of a word multiplied all of its vector"),
    ("word dropout's mask is a step late", "dx", lambda v: v.dy * np.roll(v.mask, 1, axis=0),
     "each word has the mask that it had in forward"),
    ("word dropout's scaling is left out", "dx", lambda v: v.dy * (v.mask > 0),
     "forward scaled by 1 / (1 - rate), so does backward"),
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
BUGS += bugs(
    "regularised_cross_entropy",
    ("label smoothing is forgotten in backward", "q", lambda v: v.onehot,
     "the gradient is p - q, with the smoothed target q in place of the one-hot"),
    ("the smoothed mass is spread over the other classes only", "q",
     lambda v: (1 - v.eps) * v.onehot + v.eps / (v.V - 1) * (1 - v.onehot),
     "forward gave each of the V classes eps / V, the target among them; so must backward"),
    ("the target keeps all of its probability under smoothing", "q", lambda v: v.onehot + v.eps / v.V,
     "what the classes share is taken from the target: 1 - eps is left to it, and q sums to 1"),
    ("the smoothed mass is taken from the target, and given to none", "q", lambda v: (1 - v.eps) * v.onehot,
     "q is a distribution: the eps that the target loses is shared by all classes"),
    ("the smoothed mass is not divided by the vocabulary", "q", lambda v: (1 - v.eps) * v.onehot + v.eps,
     "the classes share eps, each has eps / V"),
    ("the smoothed target is not subtracted", "q", lambda v: 0, "the gradient is p - q"),
    ("the uniform distribution in place of the smoothed target", "q", lambda v: np.full(v.p.shape, 1 / v.V),
     "q mixes the one-hot and the uniform distribution: 1 - eps of the one, eps of the other"),
    ("the confidence penalty is forgotten in backward", "dpenalty", lambda v: 0,
     "-beta H is a part of the loss, and H depends on every score"),
    ("the confidence penalty's sign is turned", "dpenalty", lambda v: -v.value,
     "the loss has -beta H: a step down makes the entropy larger"),
    ("H is left out of the entropy's gradient", "dpenalty", lambda v: v.beta * v.p * v.log_p,
     "dH / dz = -p (log p + H): H is the mean that the softmax's Jacobian subtracts, and makes the gradient sum to 0"),
    ("H's sign is turned in the entropy's gradient", "H", lambda v: -v.value,
     "dH / dz = -p (log p + H): H is the mean of -log p under p, so that the two cancel in the mean"),
    ("1 where H belongs in the entropy's gradient", "dpenalty", lambda v: v.beta * v.p * (v.log_p + 1),
     "log p + 1 is the gradient of p log p by p; through the softmax its mean goes, and H stays"),
    ("the softmax's Jacobian is left out of the entropy's gradient", "dpenalty", lambda v: v.beta * (v.log_p + 1),
     "log p + 1 is the gradient by the probabilities; that by the scores is p (log p + H)"),
    ("p is missing from the entropy's gradient", "dpenalty", lambda v: v.beta * (v.log_p + v.H),
     "dH / dz = -p (log p + H)"),
    ("the strength of the confidence penalty is left out", "dpenalty", lambda v: v.p * (v.log_p + v.H),
     "forward multiplied the entropy by beta, so must backward"),
    ("the confidence penalty is summed over tokens, not averaged", "dlogits",
     lambda v: v.value + v.dpenalty * (v.mask[..., None] - v.weights[..., None]) * v.dloss,
     "the whole loss is a mean over real tokens, the penalty with it"),
    ("the regularised loss counts padded tokens", "weights", lambda v: np.full(v.mask.shape, v.weights.max()),
     "a padded position was not in the loss: its gradient is exactly 0"),
    ("dloss is ignored by the regularised loss", "dlogits", lambda v: v.value / v.dloss,
     "the chain rule begins with what comes from above"),
)  # fmt: skip
BUGS += bugs(
    "sampled_cross_entropy",
    ("the target's score is given no gradient", "dt", lambda v: 0 * v.value,
     "the target is one of the classes, beside the samples: its score gets (p - 1) * weight"),
    ("the one-hot is not subtracted at the target's score", "dt", lambda v: v.p[:, 0] * v.weights * v.dloss,
     "the target is class 0 of the sampled softmax: (p - 1) * weight"),
    ("the samples' scores are given no gradient", "ds", lambda v: 0 * v.value,
     "each sample pulls with its probability, away from x"),
    ("dW of the samples only", "dW", lambda v: _sampled(v, of_targets=False),
     "the target's column was used too, and its gradient is (p - 1) * weight * x"),
    ("the samples' columns are assigned, not added", "dW", lambda v: _sampled(v, add=False),
     "a sample may be drawn twice, and be another row's target: gradients of one column add"),
    ("dx without the target's column", "dx", lambda v: v.ds @ v.W[:, v.samples].T,
     "x met the target's column as well: dx = dt w_target + ds W_samples^T"),
    ("dx without the samples' columns", "dx", lambda v: v.dt[:, None] * v.W.T[v.targets],
     "x met the samples' columns as well: dx = dt w_target + ds W_samples^T"),
    ("accidental hits are not left out in backward", "s",
     lambda v: v.x @ v.W[:, v.samples] + v.b[v.samples] - v.log_q[v.samples],
     "a sample that is the row's own target had no part in forward's softmax: its p is 0"),
    ("a sample that is some row's target is left out for all", "s",
     lambda v: np.where(np.isin(v.samples, v.targets[v.mask]), -1e30, v.value),
     "a hit is an accident of one row; to the others the sample is wrong like any other"),
    ("log q is left out in backward", "log_q", lambda v: 0 * v.value,
     "the softmax of backward is that of forward, with each score less log q"),
    ("log q is added, not subtracted", "log_q", lambda v: -v.value,
     "what is drawn often stands for less: its score is made smaller by log q"),
    ("log q is not subtracted from the target's score", "t", lambda v: v.value + v.log_q[v.targets],
     "target and samples are corrected alike, or their scores could not be compared"),
    ("db of the samples only", "db",
     lambda v: v.value - np.bincount(v.targets, v.dt, minlength=len(v.value)),
     "the target's bias was used too, and its gradient is (p - 1) * weight"),
    ("the sampled loss is summed, not averaged", "weights", lambda v: v.mask * 1.0,
     "forward divided by the number of tokens, so must backward"),
    ("the sampled loss counts padded tokens", "weights", lambda v: np.full(v.mask.shape, v.value.max()),
     "a padded position was not in the loss: its gradient is exactly 0"),
    ("dloss is ignored by the sampled loss, at the target", "dt", lambda v: v.value / v.dloss,
     "the chain rule begins with what comes from above"),
)  # fmt: skip
