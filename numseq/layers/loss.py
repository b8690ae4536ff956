"""Softmax cross-entropy: the negative log-probability of the right token, averaged over the real ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import array_module, for_each
from numseq.layers.linear import rows
from numseq.record import Trace

Array = Any
BLOCK = 1 << 19  # numbers worked on at a time: a block of rows stays in the processor's cache between two passes


@dataclass(slots=True)
class CrossEntropyGrad:
    dlogits: Array


@dataclass(slots=True)
class CrossEntropyTrace(Trace):
    """What `cross_entropy` computed.

    loss () is the mean over real tokens; nll (...) the negative log-probability of each target, 0 where masked;
    e (N, V) = exp(logits - their row's largest) and its row sums z (N,), so that p = softmax(logits) is e / z;
    weights (...) 1 / (number of real tokens), and 0 where masked.
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
    def p(self):
        """The probabilities, (..., V)."""
        return (self.e / self.z[:, None]).reshape(self.logits.shape)

    def backward(self, dloss=1.0):
        """dlogits = (softmax(logits) - onehot(targets)) * mask / tokens * dloss.

        The mean divides by the number of *real tokens*, so each one pulls with weight 1 / tokens, and a padded
        position, whose nll was never counted, gets exactly 0. Two factors of a row, 1 / z of the softmax and the
        weight, are one here: over the whole vocabulary there is a single pass.
        """
        xp = array_module(self.e)
        weights = self.weights.reshape(-1) * dloss
        dlogits = self.e * (weights / self.z)[:, None]  # p * weights
        dlogits[xp.arange(len(weights)), self.targets.reshape(-1)] -= weights
        return CrossEntropyGrad(dlogits=dlogits.reshape(self.logits.shape))


def cross_entropy(logits, targets, mask=None):
    """Mean negative log-likelihood of the targets under softmax(logits).

    Equations: e = exp(logits - m), m = max_k logits_k;  z = sum_k e_k;  nll = log z + m - logits[target];
        loss = sum(nll * mask) / sum(mask).

    Args: logits, (..., V) scores in nats. targets, (...) integers in [0, V). mask, (...) True where a token is real;
        None means everywhere.
    Returns: a CrossEntropyTrace with loss (), in nats per real token.
    Backward: see CrossEntropyTrace.backward.
    """
    xp = array_module(logits)
    scores, ids = rows(logits), targets.reshape(-1)
    if mask is None:
        mask = xp.ones(targets.shape, dtype=bool)
    e = xp.empty_like(scores)
    z, m = xp.empty(len(e), dtype=e.dtype), xp.empty(len(e), dtype=e.real.dtype)

    def of_block(block):
        scores[block].real.max(axis=-1, out=m[block])  # keeps exp from overflowing; cancels
        xp.exp(xp.subtract(scores[block], m[block, None], out=e[block]), out=e[block])
        e[block].sum(axis=-1, out=z[block])

    for_each(xp, of_block, _blocks(scores))
    nll = xp.where(mask.reshape(-1), xp.log(z) + m - scores[xp.arange(len(ids)), ids], 0).reshape(targets.shape)
    weights = mask.astype(m.dtype)
    weights /= weights.sum()
    return CrossEntropyTrace(
        logits=logits, targets=targets, weights=weights, e=e, z=z, nll=nll, loss=(nll * weights).sum()
    )


def _blocks(matrix):
    """Slices of whole rows, of about BLOCK numbers each; on a GPU one of all rows."""
    step = max(1, BLOCK // matrix.shape[-1]) if isinstance(matrix, np.ndarray) else len(matrix)
    return [slice(start, start + step) for start in range(0, len(matrix), step)]
