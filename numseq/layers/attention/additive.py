"""Additive attention: the score of a query and a key is a small network of one hidden layer.

    k_j  = x_j W_k + b                            x_j the key as given; projected once for a sentence
    u_tj = tanh(q_t W_q + k_j)                    q_t W_q is `projected`, once for a query
    e_tj = u_tj . w

Source: Bahdanau, Cho & Bengio 2015, section 3.1 and appendix A.1.2 (there W_a, U_a, v_a; the bias is ours). Without b
it is the "concat" score of Luong, Pham & Manning 2015, section 3.1, w . tanh(W [q; k]), its matrix cut in two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.attention.base import (
    Attention,
    AttentionGrad,
    AttentionStep,
    AttentionStepGrad,
    AttentionTrace,
    attend,
)
from numseq.layers.attention.products import over_queries
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.record import Record, Steps

BOUND = 20  # while queries and keys stay within it, exp(2q) exp(2k) <= e^80, which float32 holds


@dataclass(slots=True)
class AdditiveParams(Record):
    W_q: Array  # (Q, A)
    W_k: Array  # (K, A)
    b: Array | None  # (A,); None for the concat score
    w: Array  # (A,)


@dataclass(slots=True)
class AdditiveStep(AttentionStep):
    projected: Array = None  # (B, A), q W_q
    u: Array = None  # (S, B, A)


@dataclass(slots=True)
class AdditiveStepGrad(AttentionStepGrad):
    equations = AttentionStepGrad.equations | {
        "dprojected": "sum_j de_j * w * (1 - u_j^2), since e_j = u_j . w and u_j = tanh(projected + k_j)",
        "dquery": "dprojected W_q^T, since projected = q W_q",
    }
    dprojected: Array = None  # (B, A)


class AdditiveAttention(Attention):
    """See `numseq.layers.attention.base.Attention`. params: AdditiveParams."""

    record, grad = AdditiveStep, AdditiveStepGrad
    equations = "additive_attention"
    shapes = {"W_q": "Q A", "W_k": "K A", "b": "A", "w": "A"}
    position_arrays = ("keys", "values", "projected", "exp_2k")

    def __init__(self, keys: Array, values: Array, params: AdditiveParams, mask: Array | None = None):
        super().__init__(keys, values, params, mask)
        self.projected = affine(keys, params.W_k, params.b)  # (S, B, A)
        self.exp_2k = np.exp(2 * self.projected) if _small(self.projected) else None

    @staticmethod
    def init(
        rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> AdditiveParams:
        """First values; see `init_attention`."""
        return init_attention(rng, query, keys, size, dtype, initializer)

    def shared_gradients(self) -> tuple[Array, ...]:
        """Of the projected keys, still without the factor w that all queries share (see `weight_gradients`), and of
        w."""
        zeros = array_module(self.projected).zeros_like
        return zeros(self.projected), zeros(self.params.w)

    def score(self, s: AdditiveStep) -> Array:
        s.projected = s.query @ self.params.W_q
        s.u = self._u(s.projected)
        return (s.u @ self.params.w).T

    def _u(self, q):
        """u = tanh(q + k) for each key k, (S, B, A).

        Written as 1 - 2 / (1 + exp(2q) exp(2k)) it needs an exponential for each key and one for each query, not for
        each pair of them: measured, a fifth of the time. Beyond BOUND, and on a GPU (where asking for the largest
        number means waiting, and tanh is cheap), it is tanh itself.
        """
        if self.exp_2k is None or not _small(q):
            return tanh(self.projected + q)
        u = self.exp_2k * np.exp(2 * q)
        u += 1
        np.divide(-2, u, out=u)
        u += 1
        return u

    def score_backward(self, s: AdditiveStep, grad: AdditiveStepGrad, shared: Sequence[Array]) -> None:
        p, (of_keys, dw) = self.params, shared
        dz = tanh_backward(grad.de.T[:, :, None], s.u)  # e = u . w and u = tanh(z): dz / w = de * (1 - u^2)
        of_keys += dz  # z = q W_q + k; the factor w follows below, and in `weight_gradients`
        dw += grad.de.T.reshape(-1) @ rows(s.u)
        grad.dprojected = dz.sum(axis=0) * p.w  # every position added the same q W_q
        grad.dquery = grad.dprojected @ p.W_q.T

    def weight_gradients(self, steps: Steps, grads: Steps, shared: Sequence[Array]) -> AttentionGrad:
        p, (of_keys, dw) = self.params, shared
        dprojected = rows(of_keys * p.w)
        return AttentionGrad(
            dquery=grads.dquery,
            dkeys=(dprojected @ p.W_k.T).reshape(self.keys.shape),
            dvalues=over_queries(steps.alpha, grads.dcontext),
            params=AdditiveParams(
                W_q=rows(steps.query).T @ rows(grads.dprojected),
                W_k=rows(self.keys).T @ dprojected,
                b=None if p.b is None else dprojected.sum(axis=0),
                w=dw,
            ),
        )


def additive_attention(
    query: Array, keys: Array, values: Array, params: AdditiveParams, *, mask: Array | None = None
) -> AttentionTrace:
    """Additive attention of T queries that do not depend on one another.

    Equations: those of the module, and of `numseq.layers.attention.base`.

    Args: query, (T, B, Q). keys, (S, B, K). values, (S, B, C); often the keys themselves. params: W_q (Q, A), W_k
        (K, A), b (A,) or None, w (A,). mask, (S, B) True where a source token is real, or None.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return attend(AdditiveAttention(keys, values, params, mask), query)


def init_attention(
    rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT
) -> AdditiveParams:
    """First values: Glorot for the matrices, uniform in +-1 / sqrt(A) for w, 0 for b."""
    return AdditiveParams(
        W_q=asarray(initializer.matrix(rng, query, size), dtype),
        W_k=asarray(initializer.matrix(rng, keys, size), dtype),
        b=asarray(np.zeros(size), dtype),
        w=asarray(initializer.vector(rng, size), dtype),
    )


class ConcatAttention(AdditiveAttention):
    """Additive attention without the bias: Luong's concat score."""

    @staticmethod
    def init(
        rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> AdditiveParams:
        """First values; see `init_attention`."""
        params = init_attention(rng, query, keys, size, dtype, initializer)
        params.b = None
        return params


def _small(x):
    """Is x on the host, and within BOUND everywhere? Not when there is a NaN."""
    return array_module(x) is np and x.real.min() >= -BOUND and x.real.max() <= BOUND
