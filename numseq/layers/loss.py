"""Softmax cross-entropy: the negative log-probability of the right token, averaged over the real ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import array_module, for_each
from numseq.layers.linear import rows

Array = Any
BLOCK = 1 << 18  # numbers worked on at a time: a block of rows stays in the processor's cache between two passes


@dataclass(slots=True)
class CrossEntropyGrad:
    dlogits: Array


@dataclass(slots=True)
class CrossEntropyTrace:
    """What `cross_entropy` computed.

    loss () is the mean over real tokens; nll (...) the negative log-probability of each target, 0 where masked;
    logsumexp (N,) the log of each row's normaliser; weights (...) 1 / (number of real tokens), and 0 where masked.
    """

    outputs = ("loss",)
    logits: Array
    targets: Array
    weights: Array
    logsumexp: Array
    nll: Array
    loss: Array

    def backward(self, dloss=1.0):
        """dlogits = (softmax(logits) - onehot(targets)) * mask / tokens * dloss.

        The mean divides by the number of *real tokens*, so each one pulls with weight 1 / tokens, and a padded
        position, whose nll was never counted, gets exactly 0. The probabilities are computed here, block by block,
        into the array that becomes the gradient: beside the logits no other (T*B, V) array ever exists.
        """
        xp = array_module(self.logits)
        logits, targets = rows(self.logits), self.targets.reshape(-1)
        weights = self.weights.reshape(-1) * dloss
        dlogits = xp.empty_like(logits)

        def of_block(block):
            d = xp.subtract(logits[block], self.logsumexp[block, None], out=dlogits[block])
            d = xp.exp(d, out=d)  # the probabilities
            d *= weights[block, None]

        for_each(xp, of_block, _blocks(logits))
        dlogits[xp.arange(len(targets)), targets] -= weights
        return CrossEntropyGrad(dlogits=dlogits.reshape(self.logits.shape))


def cross_entropy(logits, targets, mask=None):
    """Mean negative log-likelihood of the targets under softmax(logits).

    Equations: nll = logsumexp(logits) - logits[target];  loss = sum(nll * mask) / sum(mask).

    Args: logits, (..., V) scores in nats. targets, (...) integers in [0, V). mask, (...) True where a token is real;
        None means everywhere.
    Returns: a CrossEntropyTrace with loss (), in nats per real token.
    Backward: see CrossEntropyTrace.backward.
    """
    xp = array_module(logits)
    z, ids = rows(logits), targets.reshape(-1)
    if mask is None:
        mask = xp.ones(targets.shape, dtype=bool)
    logsumexp = xp.empty(len(z), dtype=logits.dtype)

    def of_block(block):
        shift = z[block].real.max(axis=-1)  # keeps exp from overflowing; cancels
        e = z[block] - shift[:, None]
        logsumexp[block] = xp.log(xp.exp(e, out=e).sum(axis=-1)) + shift

    for_each(xp, of_block, _blocks(z))
    nll = xp.where(mask.reshape(-1), logsumexp - z[xp.arange(len(ids)), ids], 0).reshape(targets.shape)
    weights = mask.astype(logits.real.dtype)
    weights /= weights.sum()
    return CrossEntropyTrace(
        logits=logits,
        targets=targets,
        weights=weights,
        logsumexp=logsumexp,
        nll=nll,
        loss=(nll * weights).sum(),
    )


def _blocks(matrix):
    """Slices of whole rows, of about BLOCK numbers each; on a GPU one of all rows."""
    step = max(1, BLOCK // matrix.shape[-1]) if isinstance(matrix, np.ndarray) else len(matrix)
    return [slice(start, start + step) for start in range(0, len(matrix), step)]
