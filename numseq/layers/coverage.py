"""Coverage: additive attention that sees how much it looked at each position so far, and a loss against looking again.

    cov_tj = sum over t' < t of alpha_t'j
    u_tj   = tanh(q_t W_q + k_j + cov_tj w_c)          else as in `numseq.layers.additive`
    e_tj   = u_tj . w
    loss   = mean over target steps t of sum_j min(alpha_tj, cov_tj)

The loss is of the weights alone, so it serves every kind of attention.

Source: See, Liu & Manning 2017, section 2.3, equations 10 to 13.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module, asarray
from numseq.layers.additive import AdditiveParams, AdditiveStep, AdditiveStepGrad, init_attention
from numseq.layers.attention import attend
from numseq.layers.init import DEFAULT
from numseq.layers.location import PositionAttention
from numseq.record import Trace, put

Array = Any


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
    """See `numseq.layers.attention.Attention`. params: CoverageParams."""

    record, grad = CoverageStep, CoverageStepGrad
    equations = "coverage_attention"

    @property
    def U(self):
        return self.params.w_c[None]

    @staticmethod
    def init(rng, query, keys, size, dtype, first=DEFAULT):
        """First values: those of additive attention; w_c as w."""
        p = init_attention(rng, query, keys, size, dtype, first)
        return CoverageParams(p.W_q, p.W_k, p.b, p.w, w_c=asarray(first.vector(rng, size), dtype))

    def storage(self, query):
        s, xp, (T, B, _), S = super().storage(query), array_module(query), query.shape, len(self.values)
        s.coverage = xp.empty((T, B, S), dtype=query.dtype)
        s.f = xp.empty((T, S, B, 1), dtype=query.dtype)
        return s

    def take(self, s, state):
        s.coverage = put(s.coverage, state[0])

    def carry(self, s):
        """The coverage of the next look."""
        return (s.coverage + s.alpha,)

    def features(self, s):
        return s.coverage.T[:, :, None]

    def features_backward(self, s, grad, dcarried):
        grad.dcoverage = grad.df[:, :, 0].T + dcarried
        return grad.dcoverage

    def after(self, steps, grads, sums):
        of_keys, of_U = sums
        grad = super().after(steps, grads, of_keys)
        p = grad.params
        grad.params = CoverageParams(p.W_q, p.W_k, p.b, p.w, w_c=of_U[0] * self.params.w)
        return grad


def coverage_attention(query, keys, values, params, mask=None):
    """Coverage attention of T queries, one after the other, each seeing how much those before it looked where.

    Equations: those of the module.

    Args: query, (T, B, Q). keys, (S, B, K). values, (S, B, C). params: W_q (Q, A), W_k (K, A), b (A,) or None, w (A,),
        w_c (A,). mask, (S, B) True where a source token is real, or None.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward. A weight gets gradient from all later looks too, so it goes through time.
    Raises: TypeError, when dtypes differ.
    """
    return attend(CoverageAttention(keys, values, params, mask), query)


@dataclass(slots=True)
class CoverageLossGrad:
    dalpha: Array  # (T, B, S)


@dataclass(slots=True)
class CoverageLossTrace(Trace):
    """What `coverage_loss` computed.

    loss () is the mean over real target steps; coverage (T, B, S) of the looks before; again (T, B, S) = min(alpha,
    coverage), how much is looked at again; by_alpha (T, B, S), True where alpha is the smaller; weights (T, B)
    1 / (number of real steps), and 0 where masked.
    """

    outputs = ("loss",)
    equations = "coverage_loss"
    alpha: Array
    weights: Array
    coverage: Array
    by_alpha: Array
    again: Array
    loss: Array

    def backward(self, dloss=1.0):
        """dalpha_t = dagain_t where alpha_t was the smaller, plus the sum over all later t' of dagain_t' where the
        coverage was, since alpha_t is part of the coverage of each.

        dagain = weights * dloss, the same for all positions of a step; a padded step gets exactly 0.
        """
        xp = array_module(self.alpha)
        dagain = (self.weights * dloss)[:, :, None]
        dcoverage = dagain * ~self.by_alpha
        dalpha = dagain * self.by_alpha
        dalpha[:-1] += xp.cumsum(dcoverage[:0:-1], axis=0)[::-1] * (self.weights[:-1] > 0)[:, :, None]
        return CoverageLossGrad(dalpha=dalpha)


def coverage_loss(alpha, mask=None):
    """How much a step looks where the steps before it have looked, averaged over target steps.

    Equations: cov_tj = sum over real t' < t of alpha_t'j;  loss = sum over real t of sum_j min(alpha_tj, cov_tj) /
        (number of real steps). Of complex numbers the real part decides which is the smaller.

    Args: alpha, (T, B, S) weights of any attention. mask, (T, B) True where a target token is real; None means
        everywhere.
    Returns: a CoverageLossTrace with loss (), between 0 and 1.
    Backward: see CoverageLossTrace.backward. Of two equal numbers it is the coverage that gets the gradient.
    Source: See, Liu & Manning 2017, equations 12 and 13; there the mean is over the steps of one example.
    """
    xp = array_module(alpha)
    if mask is None:
        mask = xp.ones(alpha.shape[:2], dtype=bool)
    real = mask[:, :, None]
    coverage = xp.zeros_like(alpha)
    coverage[1:] = xp.cumsum((alpha * real)[:-1], axis=0)
    by_alpha = alpha.real < coverage.real
    again = xp.where(by_alpha, alpha, coverage) * real
    weights = mask.astype(alpha.real.dtype)
    weights /= weights.sum()
    loss = (again * weights[:, :, None]).sum()
    return CoverageLossTrace(alpha, weights, coverage, by_alpha, again, loss)
