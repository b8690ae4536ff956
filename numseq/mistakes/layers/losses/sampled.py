"""Mistakes in the backward of the sampled cross-entropy."""

import numpy as np

from numseq import layers
from numseq.backend import to_numpy
from numseq.layers.linear import LinearParams
from numseq.mistakes.fixtures import REAL, B, Case, D, T, V, rescaled, weighed
from numseq.mistakes.layer import Layer, equations, know


def sampled_cross_entropy(trace, dloss, change=None):
    eq, W, samples = equations(change), trace.params.W, trace.samples
    b = np.zeros(W.shape[1]) if trace.params.b is None else trace.params.b
    x, targets = trace.x.reshape(-1, len(W)), trace.targets.reshape(-1)
    mask = trace.weights.reshape(-1) != 0
    hit = samples == targets[:, None]
    log_q = eq("log_q", trace.log_q)
    t = eq("t", (x * W.T[targets]).sum(axis=-1) + b[targets] - log_q[targets])
    s = x @ W[:, samples] + b[samples] - log_q[samples]
    s = eq("s", np.where(hit, -1e30, s))
    p = layers.softmax(np.concatenate([t[:, None], s], axis=-1))
    weights = eq("weights", trace.weights.reshape(-1))
    dt = eq("dt", (p[:, 0] - 1) * weights * dloss)
    ds = eq("ds", p[:, 1:] * weights[:, None] * dloss)
    dx = eq("dx", dt[:, None] * W.T[targets] + ds @ W[:, samples].T)
    db = np.zeros_like(b)
    columns = np.concatenate(eq("columns", [targets, samples]))
    dW = eq("dW_columns", scattered(len(b), columns, np.concatenate([dt[:, None] * x, ds.T @ x])))
    np.add.at(db, columns, np.concatenate([dt, ds.sum(axis=0)]))
    params = LinearParams(eq("dW", dW.T), None if trace.params.b is None else eq("db", db))
    return {"dx": dx.reshape(trace.x.shape), "params": params}


def scattered(n, rows, d):
    """(n, .): each row of d is added to the one that it is of."""
    found = np.zeros((n, d.shape[-1]))
    np.add.at(found, rows, d)
    return found


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


know(
    Layer("sampled_cross_entropy", sampled_cross_entropy),
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


def cases(rng):
    targets = rng.integers(0, V, size=(T, B))
    drawn, log_q = map(to_numpy, layers.log_uniform(rng, V, 4, float))
    samples = np.concatenate([drawn, drawn[:2]])  # some twice, as of a proposal that draws with replacement
    inputs = {"x": rng.standard_normal((T, B, D)), "params": rescaled(rng, layers.init_linear(rng, D, V, float))}

    def loss(real):
        function = lambda x, params: layers.sampled_cross_entropy(x, targets, params, samples, log_q, real)  # noqa: E731
        return Case(function, inputs, ("sampled_cross_entropy", "log_uniform"))

    return {"sampled_cross_entropy": loss(REAL), "sampled_cross_entropy, weighed": loss(weighed(rng))}
