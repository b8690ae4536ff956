"""Mistakes in the backward of the cross-entropy, plain and regularised."""

import numpy as np

from numseq import layers
from numseq.layers.losses.cross_entropy import CrossEntropyTrace
from numseq.mistakes.fixtures import REAL, B, Case, T, V, weighed
from numseq.mistakes.layer import Layer, equations, know


def cross_entropy(trace, dloss, change=None):
    eq, logits, targets, weights = equations(change), trace.logits, trace.targets, trace.weights
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    z = e.sum(axis=-1, keepdims=True)
    p = eq("p", e / z)
    V = logits.shape[-1]
    mask = weights != 0
    onehot = np.eye(V)[targets]
    weights = eq("weights", weights)
    dlogits = eq("dlogits", (p - onehot) * weights[..., None] * dloss)
    return {"dlogits": dlogits}


know(
    Layer("cross_entropy", cross_entropy, of=CrossEntropyTrace, says={
        "dlogits": "(p - onehot) * weights[..., None] * dloss, where p = softmax of the logits over the last axis",
    }),
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
    ("only the diagonal of the softmax's Jacobian in the cross-entropy", "dlogits",
     lambda v: (v.p - 1) * v.onehot * v.weights[..., None] * v.dloss,
     "every logit moves every probability: where k is not the target, the gradient is p_k"),
    ("the softmax is taken over time", "p", lambda v: layers.softmax(v.logits.swapaxes(0, -1)).swapaxes(0, -1),
     "one softmax for each token: sum over the last axis, axis=-1"),
    ("the softmax is taken over the rows", "p", lambda v: layers.softmax(v.logits.swapaxes(-2, -1)).swapaxes(-2, -1),
     "one softmax for each token: sum over the last axis, axis=-1"),
    ("the softmax is taken over the whole array", "p", lambda v: _over_all(v.logits),
     "one softmax for each token: sum over the last axis, axis=-1"),
    ("targets are shifted by a step", "dlogits",
     lambda v: (v.p - np.roll(v.onehot, 1, axis=0)) * v.weights[..., None] * v.dloss,
     "each position is scored against the token that follows what it read"),
    ("the gradient of the loss is divided by the vocabulary", "dlogits", lambda v: v.value / v.V,
     "the loss is a mean over tokens, not over classes"),
    ("dloss is ignored", "dlogits", lambda v: v.value / v.dloss, "the chain rule begins with what comes from above"),
)  # fmt: skip


def _over_all(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum()


def regularised_cross_entropy(trace, dloss, change=None):
    eq, logits, targets, weights = equations(change), trace.logits, trace.targets, trace.weights
    eps, beta = trace.smoothing, trace.confidence_penalty
    log_p = layers.log_softmax(logits)
    p = np.exp(log_p)
    V = logits.shape[-1]
    mask = weights != 0
    onehot = np.eye(V)[targets]
    q = eq("q", (1 - eps) * onehot + eps / V)
    H = eq("H", -(p * log_p).sum(axis=-1, keepdims=True))
    dpenalty = eq("dpenalty", beta * p * (log_p + H))
    weights = eq("weights", weights)
    dlogits = eq("dlogits", (p - q + dpenalty) * weights[..., None] * dloss)
    return {"dlogits": dlogits}


know(
    Layer("regularised_cross_entropy", regularised_cross_entropy),
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


def cases(rng):
    targets, real = rng.integers(0, V, size=(T, B)), REAL  # held by the cases, so that a test can look at them

    def loss(weights=real, **options):
        return Case(
            lambda logits: layers.cross_entropy(logits, targets, weights, **options),
            {"logits": 3 * rng.standard_normal((T, B, V))},
            ("cross_entropy",),
        )

    return {
        "cross_entropy": loss(),
        "cross_entropy, weighed": loss(weighed(rng)),
        "regularised_cross_entropy": loss(smoothing=0.3, confidence_penalty=0.7),
        "regularised_cross_entropy, smoothing": loss(smoothing=0.3),
        "regularised_cross_entropy, penalty": loss(confidence_penalty=0.7),
        "regularised_cross_entropy, weighed": loss(weighed(rng), smoothing=0.3, confidence_penalty=0.7),
    }
