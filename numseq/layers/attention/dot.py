"""Dot-product attention: the score of a query and a key is their product, as vectors.

    e_tj = q_t . k_j                   dot
    e_tj = q_t . k_j / sqrt(Q)         scaled dot: keeps the variance of a score that of one number of q and k
    e_tj = q_t . (x_j W)               general: x_j the key as given, W learned; k_j = x_j W once for a sentence

All T queries of a sequence meet all keys in one product a row.

Source: Luong, Pham & Manning 2015, section 3.1 (dot, general); Vaswani et al. 2017, equation 1 (scaled).
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.attention.base import (
    Attention,
    AttentionGrad,
    AttentionStep,
    AttentionStepGrad,
    AttentionTrace,
    attend,
)
from numseq.layers.attention.products import dots, over_queries, weighted_mean
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.record import Record


@dataclass(slots=True)
class GeneralParams(Record):
    W: Array  # (K, Q)


@dataclass(slots=True)
class DotStepGrad(AttentionStepGrad):
    equations = AttentionStepGrad.equations | {"dquery": "scale * sum_j de_j k_j, since e_j = scale * q . k_j"}


class DotAttention(Attention):
    """See `numseq.layers.attention.base.Attention`. No parameters: queries and keys are of one width."""

    grad: type[AttentionStepGrad] = DotStepGrad
    equations = "dot_attention"
    key_width = "Q"
    position_arrays: tuple[str, ...] = ("keys", "values", "projected")
    at_once = True
    scaled = False

    def __init__(self, keys: Array, values: Array, params: GeneralParams | None = None, mask: Array | None = None):
        super().__init__(keys, values, params, mask)
        self.projected = keys if params is None else affine(keys, params.W)  # (S, B, Q)
        self.scale = self.projected.shape[-1] ** -0.5 if self.scaled else 1.0

    @staticmethod
    def init(rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT) -> Any:
        """There is nothing to learn. Raises: ValueError, when queries and keys differ in width."""
        if query != keys:
            raise ValueError(f"queries of {query} numbers and keys of {keys} have no product: use general attention")

    def score(self, s: AttentionStep) -> Array:
        return self.scale * dots(s.query, self.projected)

    def score_backward(self, s: AttentionStep, grad: AttentionStepGrad, shared: None) -> None:
        grad.dquery = self.scale * weighted_mean(grad.de, self.projected)

    def weight_gradients(self, steps: AttentionStep, grads: AttentionStepGrad, shared: None) -> AttentionGrad:
        p = self.params
        dprojected = self.scale * over_queries(grads.de, steps.query)
        dkeys, dparams = dprojected, None
        if p is not None:
            dkeys = (rows(dprojected) @ p.W.T).reshape(self.keys.shape)
            dparams = GeneralParams(W=rows(self.keys).T @ rows(dprojected))
        dvalues = over_queries(steps.alpha, grads.dcontext)
        return AttentionGrad(dquery=grads.dquery, dkeys=dkeys, dvalues=dvalues, params=dparams)


class ScaledDotAttention(DotAttention):
    """The same divided by sqrt(Q)."""

    equations = "scaled_dot_attention"
    scaled = True


class GeneralAttention(DotAttention):
    """The same with a learned matrix between queries and keys. params: GeneralParams."""

    equations = "general_attention"
    shapes = {"W": "K Q"}
    key_width = "K"

    @staticmethod
    def init(
        rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> GeneralParams:
        """First values: Glorot."""
        return GeneralParams(W=asarray(initializer.matrix(rng, keys, query), dtype))


def dot_attention(
    query: Array, keys: Array, values: Array, *, mask: Array | None = None, scaled: bool = False
) -> AttentionTrace:
    """Dot-product attention of T queries.

    Equations: those of the module, and of `numseq.layers.attention.base`.

    Args: query, (T, B, Q). keys, (S, B, Q). values, (S, B, C). mask, (S, B) True where a source token is real, or None.
        scaled: divide scores by sqrt(Q).
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    return attend((ScaledDotAttention if scaled else DotAttention)(keys, values, None, mask), query)


def general_attention(
    query: Array, keys: Array, values: Array, params: GeneralParams, *, mask: Array | None = None
) -> AttentionTrace:
    """Dot-product attention with a learned matrix.

    Args: as of `dot_attention`, with keys (S, B, K) and params: W (K, Q).
    Returns, Backward, Raises: as of `dot_attention`.
    """
    return attend(GeneralAttention(keys, values, params, mask), query)
