"""Softmax cross-entropy: the negative log-probability of the right token, averaged over the real ones, or weighed.

Plain, or regularised: by label smoothing, by a confidence penalty, or by both.
"""

from dataclasses import dataclass

import numpy as np

from numseq.arguments import number
from numseq.backend import Array, array_module, for_each
from numseq.layers.fit import Fit, in_table
from numseq.layers.linear import rows
from numseq.layers.losses.weights import as_weights
from numseq.record import Record, Trace

BLOCK = 1 << 19  # numbers worked on at a time: a block of rows stays in the processor's cache between two passes


@dataclass(slots=True)
class CrossEntropyGrad(Record):
    dlogits: Array


@dataclass(slots=True)
class CrossEntropyTrace(Trace):
    """What `cross_entropy` computed.

    loss () is the sum of weights * nll; nll (...) the negative log-probability of each target, 0 where its weight is;
    e (N, V) = exp(logits - their row's largest) and its row sums z (N,), so that p = softmax(logits) is e / z;
    weights (...), with a mask 1 / (number of real tokens), and 0 where masked.
    """

    outputs = ("loss",)
    logits: Array
    targets: Array
    weights: Array
    e: Array
    z: Array
    nll: Array
    loss: Array

    @property
    def p(self) -> Array:
        """The probabilities, (..., V)."""
        return (self.e / self.z[:, None]).reshape(self.logits.shape)

    def backward(self, dloss: float = 1.0) -> CrossEntropyGrad:
        """dlogits = (softmax(logits) - onehot(targets)) * weights * dloss.

        The mean divides by the number of *real tokens*, so each one pulls with weight 1 / tokens, and a padded
        position, whose nll was never counted, gets exactly 0. Two factors of a row, 1 / z of the softmax and the
        weight, are one here: over the whole vocabulary there is a single pass.
        """
        xp = array_module(self.e)
        weights = self.weights.reshape(-1) * dloss
        dlogits = self.e * (weights / self.z)[:, None]  # p * weights
        dlogits[xp.arange(len(weights)), self.targets.reshape(-1)] -= weights
        return CrossEntropyGrad(dlogits=dlogits.reshape(self.logits.shape))


@dataclass(slots=True)
class RegularisedCrossEntropyTrace(CrossEntropyTrace):
    """What `cross_entropy` computed with label smoothing eps, a confidence penalty beta, or both.

    Besides the fields of the plain loss, of which nll stays plain (perplexity is of it):
    log_z (N,) log of the softmax's denominator, so that log p = logits - log_z; entropy (...) H(p) in nats, 0 where
    the weight is, or None without the penalty; loss () the sum of weights * the regularised loss of each token.
    """

    equations = "regularised_cross_entropy"  # under this name `numseq.mistakes` knows it
    smoothing: float
    confidence_penalty: float
    log_z: Array
    entropy: Array | None

    def backward(self, dloss: float = 1.0) -> CrossEntropyGrad:
        """dlogits = (p - q + beta p (log p + H)) * weights * dloss, with q = (1 - eps) onehot(targets) + eps / V.

        The smoothed loss is the cross-entropy of q, so q stands where the one-hot stood. Of the entropy:
        dH / dlogits = -p (log p + H), where H is what the softmax's own Jacobian leaves of the sum over classes.
        """
        xp = array_module(self.e)
        scores, V = rows(self.logits), self.logits.shape[-1]
        eps, beta = self.smoothing, self.confidence_penalty
        weights = self.weights.reshape(-1) * dloss
        of_p = weights / self.z  # times e it is p * weights
        if beta:
            expected = self.log_z - self.entropy.reshape(-1)  # log p + H = logits - expected
        dlogits = xp.empty_like(self.e)

        def of_block(block):
            d = dlogits[block]
            if beta:
                xp.subtract(scores[block], expected[block, None], out=d)
                d *= beta
                d += 1
                d *= self.e[block]
            else:
                d[...] = self.e[block]
            d *= of_p[block, None]
            if eps:
                d -= (weights[block] * (eps / V))[:, None]

        for_each(xp, of_block, _blocks(scores))
        dlogits[xp.arange(len(weights)), self.targets.reshape(-1)] -= (1 - eps) * weights
        return CrossEntropyGrad(dlogits=dlogits.reshape(self.logits.shape))


FIT = Fit(logits="... V", targets="... int")


def cross_entropy(
    logits: Array, targets: Array, weights: Array | None = None, smoothing: float = 0.0, confidence_penalty: float = 0.0
) -> CrossEntropyTrace:
    """Mean negative log-likelihood of the targets under p = softmax(logits), regularised if asked.

    Equations: e = exp(logits - m), m = max_k logits_k;  z = sum_k e_k;  nll = log z + m - logits[target];
        loss = sum(weights * nll), where a mask stands for the weights mask / sum(mask).
        With smoothing eps and confidence penalty beta, log p = logits - m - log z, in place of nll the loss weighs
        -sum_k q_k log p_k - beta H,  q = (1 - eps) onehot(target) + eps / V,  H = -sum_k p_k log p_k.

    Args: logits, (..., V) scores in nats. targets, (...) integers in [0, V). weights, (...): a mask, True where a
        token is real, for the mean over these; or numbers, what each counts; None for the mean over all. smoothing eps
        in [0, 1): how much of the target's probability all V classes share, itself among them. confidence_penalty
        beta >= 0: what a nat of entropy is worth.
    Returns: a CrossEntropyTrace with loss (), with a mask in nats per real token, and nll (...), which is never
        regularised.
    Backward: see CrossEntropyTrace.backward, and RegularisedCrossEntropyTrace.backward.
    Raises: ArgumentError, when smoothing or penalty is out of bounds, shapes do not fit, or targets are none of [0, V),
        also where the weight is 0; see `as_weights` for the weights.
    Source: Szegedy et al. 2016, section 7 (smoothing, with a uniform prior; as PyTorch's label_smoothing);
        Pereyra et al. 2017, section 3 (penalty).
    """
    smoothing = number(smoothing, "label smoothing", least=0, below=1)
    confidence_penalty = number(confidence_penalty, "confidence penalty", least=0)
    FIT(logits, targets)
    in_table(targets, "targets", logits.shape[-1])
    xp = array_module(logits)
    scores, ids = rows(logits), targets.reshape(-1)
    weights, real = as_weights(weights, targets.shape, logits)
    e, z, m = exponentials(scores)
    nll = xp.where(real.reshape(-1), xp.log(z) + m - scores[xp.arange(len(ids)), ids], 0).reshape(targets.shape)
    plain = {"logits": logits, "targets": targets, "weights": weights, "e": e, "z": z, "nll": nll}
    if not (smoothing or confidence_penalty):
        return CrossEntropyTrace(**plain, loss=(nll * weights).sum())
    return _regularised(plain, m, real.reshape(-1), smoothing, confidence_penalty)


def exponentials(scores: Array) -> tuple[Array, Array, Array]:
    """What a softmax is made of, of each row of scores (N, V).

    Equations: m = max_k scores_k;  e = exp(scores - m);  z = sum_k e_k;  so softmax = e / z, and its log
        scores - m - log z.

    Returns: (e (N, V), z (N,), m (N,)).
    """
    xp = array_module(scores)
    e = xp.empty_like(scores)
    z, m = xp.empty(len(e), dtype=e.dtype), xp.empty(len(e), dtype=e.real.dtype)

    def of_block(block):
        scores[block].real.max(axis=-1, out=m[block])  # keeps exp from overflowing; cancels
        xp.exp(xp.subtract(scores[block], m[block, None], out=e[block]), out=e[block])
        e[block].sum(axis=-1, out=z[block])

    for_each(xp, of_block, _blocks(scores))
    return e, z, m


def _regularised(plain, m, real, smoothing, confidence_penalty):
    """The trace of the regularised loss, from the fields of the plain one the rows' largest scores m (N,), and where
    the weights are not 0, (N,)."""
    e, z, nll, weights = (plain[name] for name in ("e", "z", "nll", "weights"))
    xp, scores = array_module(e), rows(plain["logits"])
    of_all, of_p = xp.empty_like(z), xp.empty_like(z)  # sums over the classes of logits - m, and of e (logits - m)

    def of_block(block):
        shifted = scores[block] - m[block, None]
        if smoothing:
            shifted.sum(axis=-1, out=of_all[block])
        if confidence_penalty:
            shifted *= e[block]
            shifted.sum(axis=-1, out=of_p[block])

    for_each(xp, of_block, _blocks(scores))
    log_z, each, entropy = xp.log(z), nll, None
    if smoothing:
        of_uniform = xp.where(real, log_z - of_all / scores.shape[-1], 0).reshape(nll.shape)  # mean of -log p_k
        each = (1 - smoothing) * each + smoothing * of_uniform
    if confidence_penalty:
        entropy = xp.where(real, log_z - of_p / z, 0).reshape(nll.shape)  # log z - sum_k p_k (logits_k - m)
        each = each - confidence_penalty * entropy
    return RegularisedCrossEntropyTrace(
        **plain,
        loss=(each * weights).sum(),
        smoothing=smoothing,
        confidence_penalty=confidence_penalty,
        log_z=log_z + m,
        entropy=entropy,
    )


def _blocks(matrix):
    """Slices of whole rows, of about BLOCK numbers each; on a GPU one of all rows."""
    step = max(1, BLOCK // matrix.shape[-1]) if isinstance(matrix, np.ndarray) else len(matrix)
    return [slice(start, start + step) for start in range(0, len(matrix), step)]
