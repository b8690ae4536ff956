"""Coverage: additive attention that sees how much it looked at each position so far.

    cov_tj = sum over t' < t of alpha_t'j
    u_tj   = tanh(q_t W_q + k_j + cov_tj w_c)          else as in `numseq.layers.attention.additive`
    e_tj   = u_tj . w

The loss against looking again is `numseq.layers.losses.coverage`.

Source: See, Liu & Manning 2017, section 2.3, equations 10 and 11.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.attention.additive import (
    AdditiveAttention,
    AdditiveParams,
    AdditiveStep,
    AdditiveStepGrad,
    init_attention,
)
from numseq.layers.attention.base import AttentionGrad, AttentionTrace, attend
from numseq.layers.attention.location import PositionAttention
from numseq.layers.init import DEFAULT, Initializer
from numseq.record import Steps


@dataclass(slots=True)
class CoverageParams(AdditiveParams):
    w_c: Array  # (A,)


@dataclass(slots=True)
class CoverageStep(AdditiveStep):
    coverage: Array = None  # (B, S)
    f: Array = None  # (S, B, 1), the same, as the one feature of a position


@dataclass(slots=True)
class CoverageStepGrad(AdditiveStepGrad):
    equations = AdditiveStepGrad.equations | {
        "dalpha": "dcontext . v_j, plus that of whoever else read alpha: among them the coverage of all later looks",
        "df": "dprojected_j . w_c, since u_j = tanh(q W_q + k_j + cov_j w_c)",
        "dcoverage": "df, plus that of the next look's coverage, since cov_{t+1} = cov_t + alpha_t",
    }
    df: Array = None  # (S, B, 1)
    dcoverage: Array = None  # (B, S)


class CoverageAttention(PositionAttention):
    """See `numseq.layers.attention.base.Attention`. params: CoverageParams."""

    record, grad = CoverageStep, CoverageStepGrad
    equations = "coverage_attention"
    shapes = AdditiveAttention.shapes | {"w_c": "A"}

    @property
    def U(self) -> Array:
        return self.params.w_c[None]

    @staticmethod
    def init(
        rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> CoverageParams:
        """First values: those of additive attention; w_c as w."""
        p = init_attention(rng, query, keys, size, dtype, initializer)
        return CoverageParams(p.W_q, p.W_k, p.b, p.w, w_c=asarray(initializer.vector(rng, size), dtype))

    def take(self, s: CoverageStep, carried: tuple[Array, ...]) -> None:
        (s.coverage,) = carried

    def carried(self, s: CoverageStep) -> tuple[Array, ...]:
        """The coverage of the next look."""
        return (s.coverage + s.alpha,)

    def features(self, s: CoverageStep) -> Array:
        return s.coverage.T[:, :, None]

    def features_backward(self, s: CoverageStep, grad: CoverageStepGrad, dcarried: Array) -> Array:
        grad.dcoverage = grad.df[:, :, 0].T + dcarried
        return grad.dcoverage

    def weight_gradients(self, steps: Steps, grads: Steps, shared: Sequence[Array]) -> AttentionGrad:
        *of_score, of_U = shared
        grad = super().weight_gradients(steps, grads, of_score)
        p = grad.params
        grad.params = CoverageParams(p.W_q, p.W_k, p.b, p.w, w_c=of_U[0] * self.params.w)
        return grad


def coverage_attention(
    query: Array, keys: Array, values: Array, params: CoverageParams, *, mask: Array | None = None
) -> AttentionTrace:
    """Coverage attention of T queries, one after the other, each seeing how much those before it looked where.

    Equations: those of the module.

    Args: query, (T, B, Q). keys, (S, B, K). values, (S, B, C). params: W_q (Q, A), W_k (K, A), b (A,) or None, w (A,),
        w_c (A,). mask, (S, B) True where a source token is real, or None.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward. A weight gets gradient from all later looks too, so it goes through time.
    Raises: TypeError, when dtypes differ.
    """
    return attend(CoverageAttention(keys, values, params, mask), query)
