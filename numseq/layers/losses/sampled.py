"""Sampled softmax cross-entropy: the target among a few sampled tokens instead of the whole vocabulary.

The product with the readout's matrix is what a large vocabulary costs. Here it is taken with the columns of K sampled
tokens, shared by the batch, and of each row's target. That is a loss to train with; to evaluate, and to decode, the
whole softmax is needed.
"""

from dataclasses import dataclass

import numpy as np

from numseq.arguments import whole
from numseq.backend import Array, DType, Generator, array_module, asarray, scatter_add_rows
from numseq.errors import ArgumentError
from numseq.layers.activations import MASKED
from numseq.layers.fit import Fit, in_table
from numseq.layers.linear import LinearParams, rows
from numseq.layers.losses.weights import as_weights
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class SampledCrossEntropyGrad(Record):
    dx: Array  # (..., H)
    params: LinearParams


@dataclass(slots=True)
class SampledCrossEntropyTrace(Trace):
    """What `sampled_cross_entropy` computed, with N counting the positions of targets (...).

    p (N, 1 + K) the probabilities of each row's target and of the samples; nll (...) -log of the target's, 0 where
    its weight is; weights (...), with a mask 1 / (number of real tokens), and 0 where masked; loss () the sum of
    weights * nll.
    """

    outputs = ("loss",)
    equations = "sampled_cross_entropy"  # under this name `numseq.mistakes` knows it
    x: Array  # (..., H)
    targets: Array  # (...)
    params: LinearParams
    samples: Array  # (K,)
    log_q: Array  # (V,)
    weights: Array
    p: Array
    nll: Array
    loss: Array

    def backward(self, dloss: float = 1.0) -> SampledCrossEntropyGrad:
        """With dt = (p[:, 0] - 1) * weights of the target's score and ds = p[:, 1:] * weights of the samples':

        dx = dt w_target + ds W_samples^T;  dW[:, k] = sum of dt x over the rows with target k, plus ds^T x of every
        sample that is k: a token may be the target of many rows, and a sample besides, so its gradients add. An
        accidental hit has p = 0, so it gets nothing. db likewise. log_q is a constant.
        """
        xp, W, b = array_module(self.x), self.params.W, self.params.b
        x, ids = rows(self.x), self.targets.reshape(-1)
        weights = self.weights.reshape(-1) * dloss
        d = self.p * weights[:, None]
        dt, ds = d[:, :1] - weights[:, None], d[:, 1:]  # (N, 1), (N, K)
        dx = ds @ W[:, self.samples].T
        dx += dt * W[:, ids].T
        columns = xp.concatenate([ids, self.samples])
        dW = scatter_add_rows(W.shape[1], columns, xp.concatenate([dt * x, ds.T @ x]))  # (V, H)
        if b is not None:
            b = scatter_add_rows(W.shape[1], columns, xp.concatenate([dt, ds.sum(axis=0)[:, None]])).reshape(-1)
        return SampledCrossEntropyGrad(
            dx=dx.reshape(self.x.shape), params=LinearParams(W=xp.ascontiguousarray(dW.T), b=b)
        )


FIT = Fit(W="H V", b="V", x="... H", targets="... int", samples="K int", log_q="V")


def sampled_cross_entropy(
    x: Array, targets: Array, params: LinearParams, samples: Array, log_q: Array, weights: Array | None = None
) -> SampledCrossEntropyTrace:
    """Mean negative log-likelihood of each target against shared samples of the vocabulary.

    Equations: t = x . W[:, target] + b[target] - log_q[target];  s_k = x . W[:, sample_k] + b[sample_k] -
        log_q[sample_k], left out where sample_k is the row's own target (an accidental hit);
        p = softmax(t, s_1, ..., s_K);  nll = -log p_0;  loss = sum(weights * nll), where a mask stands for the
        weights mask / sum(mask).
        With all V tokens as samples and a constant log_q, it is `cross_entropy` of x W + b.

    Args: x, (..., H) what the readout reads. targets, (...) integers in [0, V). params: the readout's W (H, V) and
        b (V,) or None. samples, (K,) integers in [0, V), drawn by a proposal such as `log_uniform`. log_q, (V,) log of
        how often the proposal is expected to draw each token; a constant added to all makes no difference.
        weights, (...): a mask, numbers, or None, as of `numseq.layers.losses.cross_entropy.cross_entropy`.
    Returns: a SampledCrossEntropyTrace with loss (), with a mask in nats per real token.
    Backward: see SampledCrossEntropyTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or targets or samples are none of
        [0, V); see `as_weights` for the weights.
    Source: Jean et al. 2015, section 3. As in TensorFlow's sampled_softmax_loss, the samples are drawn anew for each
        batch, the target is always in, and accidental hits are left out.
    """
    FIT(params.W, params.b, x, targets, samples, log_q)
    in_table(targets, "targets", len(log_q))
    in_table(samples, "samples", len(log_q))
    common_dtype(x, params)
    common_dtype(x.real, log_q)  # the proposal is no variable: real, also where the complex step makes x complex
    xp, W = array_module(x), params.W
    shift = -log_q if params.b is None else params.b - log_q
    x_rows, ids = rows(x), targets.reshape(-1)
    weights, real = as_weights(weights, targets.shape, x)
    scores = xp.empty((len(ids), 1 + len(samples)), dtype=x.dtype)
    scores[:, 0] = (x_rows * W[:, ids].T).sum(axis=-1) + shift[ids]
    of_samples = x_rows @ W[:, samples]
    of_samples += shift[samples]
    scores[:, 1:] = xp.where(samples == ids[:, None], MASKED, of_samples)

    m = scores.real.max(axis=-1, keepdims=True)  # keeps exp from overflowing; cancels
    p = xp.exp(scores - m)
    z = p.sum(axis=-1, keepdims=True)
    p /= z
    nll = xp.where(real.reshape(-1), (xp.log(z) + m)[:, 0] - scores[:, 0], 0).reshape(targets.shape)
    return SampledCrossEntropyTrace(
        x=x,
        targets=targets,
        params=params,
        samples=samples,
        log_q=log_q,
        weights=weights,
        p=p,
        nll=nll,
        loss=(nll * weights).sum(),
    )


def log_uniform(rng: Generator, vocabulary: int, count: int, dtype: DType) -> tuple[Array, Array]:
    """Draw different tokens from a vocabulary sorted by frequency, the most frequent first (Zipf's law).

    Equations: q_k = log((k + 2) / (k + 1)) / log(V + 1), about 1 / k. Tokens are drawn until `count` different ones
        are found; after n draws token k is among them with probability 1 - (1 - q_k)^n, its expected count.

    Args: rng, a generator of the host (`numseq.backend.generator`). vocabulary, V. count, K, at most V. dtype of log_q.
    Returns: samples (K,), all different, and log_q (V,), log of the expected counts, both where new arrays live.
    Raises: ArgumentError, when count is below 1 or above V.
    Source: TensorFlow's log_uniform_candidate_sampler with unique=True.
    """
    count, vocabulary = whole(count, "count"), whole(vocabulary, "vocabulary")
    if not 1 <= count <= vocabulary:
        raise ArgumentError(
            f"{count} samples of a vocabulary of {vocabulary}: there must be at least 1, and at most all"
        )
    log_size = np.log(vocabulary + 1)
    drawn = found = np.empty(0, dtype=np.int64)
    while len(found) < count:
        k = np.exp(rng.random(2 * count) * log_size).astype(np.int64) - 1  # the inverse of q's distribution function
        drawn = np.concatenate([drawn, np.minimum(k, vocabulary - 1)])
        found = np.sort(np.unique(drawn, return_index=True)[1])  # where each token came up for the first time
    tries = found[count - 1] + 1
    q = np.log1p(1 / np.arange(1, vocabulary + 1)) / log_size
    log_q = np.log(-np.expm1(tries * np.log1p(-q)))
    return asarray(drawn[found[:count]]), asarray(log_q, dtype)
