"""Multi-head attention: n small attentions side by side, each looking for something of its own.

    q_t, k_j, v_j  = query_t W_q + b_q,  key_j W_k + b_k,  value_j W_v + b_v      K numbers each; head h has its K / n
    e_thj          = q_th . k_jh / sqrt(K / n)
    head_alpha_th  = softmax over j of e_thj
    mixed_t        = [sum_j head_alpha_t1j v_j1; ...; sum_j head_alpha_tnj v_jn]  the heads side by side
    context_t      = mixed_t W_o + b_o                                            0 where nothing is real
    alpha_t        = mean over h of head_alpha_th                                 for who wants one map, not n

A head is to the products what one more row of the batch is: heads are folded into the batch, and nothing loops.

Source: Vaswani et al. 2017, section 3.2.2; numbers as of PyTorch's nn.MultiheadAttention, whose biases and whose mean
of the weights these are. There weights multiply from the left.
"""

from dataclasses import dataclass

import numpy as np

from numseq.arguments import whole
from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.errors import ArgumentError
from numseq.layers.activations import MASKED, softmax_backward
from numseq.layers.attention.base import (
    Attention,
    AttentionGrad,
    AttentionStep,
    AttentionStepGrad,
    AttentionTrace,
    attend,
    weights,
)
from numseq.layers.attention.products import dots, over_queries, weighted_mean
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.record import Record


@dataclass(slots=True)
class MultiHeadParams(Record):
    W_q: Array  # (Q, K), the heads' columns side by side
    W_k: Array  # (C, K), C the keys' width
    W_v: Array  # (C, K), C the values' width
    W_o: Array  # (K, O)
    b_q: Array | None  # (K,); each bias may be None
    b_k: Array | None  # (K,)
    b_v: Array | None  # (K,)
    b_o: Array | None  # (O,)


@dataclass(slots=True)
class MultiHeadStep(AttentionStep):
    """One query's look at the source: e is (B, n, S) here, and alpha the mean of the heads' weights."""

    q: Array = None  # (B, K)
    head_alpha: Array = None  # (B, n, S)
    mixed: Array = None  # (B, K)


@dataclass(slots=True)
class MultiHeadStepGrad(AttentionStepGrad):
    equations = {
        "dcontext": "from whoever read the context",
        "dmixed": "dcontext W_o^T, since context = mixed W_o + b_o",
        "dalpha": "from whoever read the mean of the weights",
        "dhead_alpha": "dmixed_h . v_jh, plus dalpha / n, since alpha is the mean of n heads",
        "de": "head_alpha * (dhead_alpha - sum_k dhead_alpha_k head_alpha_k), since head_alpha = softmax(e)",
        "dq": "sum_j de_hj k_jh / sqrt(K / n), since e_hj = q_h . k_jh / sqrt(K / n)",
        "dquery": "dq W_q^T, since q = query W_q + b_q",
    }
    dmixed: Array = None  # (B, K)
    dhead_alpha: Array = None  # (B, n, S)
    dq: Array = None  # (B, K)


class MultiHeadAttention(Attention):
    """See `numseq.layers.attention.base.Attention`. params: MultiHeadParams. heads, n, which must divide K.

    Raises: ArgumentError, when it does not.
    """

    record, grad = MultiHeadStep, MultiHeadStepGrad
    equations = "multihead_attention"
    shapes = {"W_q": "Q N", "W_k": "K N", "W_v": "C N", "W_o": "N O", "b_q": "N", "b_k": "N", "b_v": "N", "b_o": "O"}
    position_arrays = ("keys", "values", "k", "v", "seen")
    options = ("heads",)
    at_once = True

    def __init__(self, keys: Array, values: Array, params: MultiHeadParams, mask: Array | None = None, heads: int = 4):
        super().__init__(keys, values, params, mask)
        K = params.W_q.shape[1]
        heads = whole(heads, "heads")
        if heads < 1 or K % heads:
            raise ArgumentError(f"{heads} heads cannot share {K} numbers evenly: K must be a multiple of heads")
        self.heads, self.size = heads, K // heads
        self.scale = self.size**-0.5
        self.k = affine(keys, params.W_k, params.b_k)  # (S, B, K)
        self.v = affine(values, params.W_v, params.b_v)  # (S, B, K)
        self.seen = None  # (1, B), so that `select_rows` picks rows of it like of keys: is anything real?
        if mask is not None:
            xp = array_module(mask)
            seen = xp.any(mask, axis=0, keepdims=True)
            self.seen = None if xp is np and seen.all() else seen  # a GPU is not waited for

    @staticmethod
    def init(
        rng: Generator, query: int, keys: int, size: int, dtype: DType, initializer: Initializer = DEFAULT
    ) -> MultiHeadParams:
        """First values: Glorot for the matrices, 0 for the biases; values and context are as wide as the keys.

        Without b_k, which would do nothing: it adds q_h . b_kh to all scores of a head, and a softmax does not see what
        is added to all.
        """
        return MultiHeadParams(
            W_q=asarray(initializer.matrix(rng, query, size), dtype),
            W_k=asarray(initializer.matrix(rng, keys, size), dtype),
            W_v=asarray(initializer.matrix(rng, keys, size), dtype),
            W_o=asarray(initializer.matrix(rng, size, keys), dtype),
            b_q=asarray(np.zeros(size), dtype),
            b_k=None,
            b_v=asarray(np.zeros(size), dtype),
            b_o=asarray(np.zeros(keys), dtype),
        )

    def forward(self, query: Array, carried: tuple[Array, ...] = ()) -> MultiHeadStep:
        s, p = self.record(), self.params
        s.query = query
        s.q = affine(s.query, p.W_q, p.b_q)
        s.e = self.masked(self.scale * self._unfolded(dots(self._folded(s.q), self._folded(self.k))))
        s.head_alpha = weights(s.e)
        s.alpha = s.head_alpha.mean(axis=-2)
        s.mixed = weighted_mean(_one_row_a_head(s.head_alpha), self._folded(self.v)).reshape(s.q.shape)
        s.context = self._if_seen(affine(s.mixed, p.W_o, p.b_o))
        return s

    def context_of(self, alpha: Array) -> Array:
        """Every head has the same weights."""
        return self._if_seen(affine(weighted_mean(alpha, self.v), self.params.W_o, self.params.b_o))

    @property
    def sees(self) -> Array | None:
        """Which positions a query may look at, (B, S), or None for all."""
        return self.real

    def masked(self, e: Array) -> Array:
        sees = self.sees
        return e if sees is None else array_module(e).where(sees[..., None, :], e, MASKED)

    def backward(
        self,
        s: MultiHeadStep,
        dcontext: Array,
        shared: None,
        dalpha: Array | None = None,
        dcarried: tuple[Array, ...] = (),
    ) -> tuple[MultiHeadStepGrad, tuple[Array, ...]]:
        grad, p = self.grad(), self.params
        grad.dcontext = dcontext
        grad.dmixed = affine(self._if_seen(dcontext), p.W_o.T)
        grad.dalpha = array_module(dcontext).zeros_like(s.alpha) if dalpha is None else dalpha
        through_mixed = self._unfolded(dots(self._folded(grad.dmixed), self._folded(self.v)))
        grad.dhead_alpha = through_mixed + grad.dalpha[..., None, :] / self.heads
        grad.de = softmax_backward(grad.dhead_alpha, s.head_alpha)  # exactly 0 where masked
        dq = self.scale * weighted_mean(_one_row_a_head(grad.de), self._folded(self.k))
        grad.dq = dq.reshape(s.q.shape)
        grad.dquery = affine(grad.dq, p.W_q.T)
        return grad, ()

    def weight_gradients(self, steps: MultiHeadStep, grads: MultiHeadStepGrad, shared: None) -> AttentionGrad:
        p, array_of = self.params, array_module(grads.dq)
        dk = rows(self.scale * over_queries(_one_row_a_head(grads.de), self._folded(steps.q)).reshape(self.k.shape))
        dv = rows(over_queries(_one_row_a_head(steps.head_alpha), self._folded(grads.dmixed)).reshape(self.v.shape))
        dq, dcontext = rows(grads.dq), rows(self._if_seen(grads.dcontext))
        return AttentionGrad(
            dquery=grads.dquery,
            dkeys=(dk @ p.W_k.T).reshape(self.keys.shape),
            dvalues=(dv @ p.W_v.T).reshape(self.values.shape),
            params=MultiHeadParams(
                W_q=rows(steps.query).T @ dq,
                W_k=rows(self.keys).T @ dk,
                W_v=rows(self.values).T @ dv,
                W_o=rows(steps.mixed).T @ dcontext,
                b_q=None if p.b_q is None else dq.sum(axis=0),
                b_k=None if p.b_k is None else array_of.zeros_like(p.b_k),  # it moves no weight; see `init`
                b_v=None if p.b_v is None else dv.sum(axis=0),
                b_o=None if p.b_o is None else dcontext.sum(axis=0),
            ),
        )

    def _if_seen(self, context):
        """A context, or its gradient, (..., B, O), with 0 in the rows that have nothing real: b_o is not theirs."""
        return context if self.seen is None else array_module(context).where(self.seen[0][:, None], context, 0)

    def _folded(self, x):
        """(..., B, K) as (..., B n, K / n): each head a row."""
        return x.reshape(*x.shape[:-2], -1, self.size)

    def _unfolded(self, e):
        """(..., B n, S) as (..., B, n, S)."""
        return e.reshape(*e.shape[:-2], -1, self.heads, e.shape[-1])


def _one_row_a_head(alpha):
    """(..., B, n, S) as (..., B n, S)."""
    return alpha.reshape(*alpha.shape[:-3], -1, alpha.shape[-1])


def multihead_attention(
    query: Array, keys: Array, values: Array, params: MultiHeadParams, *, heads: int, mask: Array | None = None
) -> AttentionTrace:
    """Multi-head attention of T queries.

    Equations: those of the module.

    Args: query, (T, B, Q). keys, (S, B, C). values, (S, B, C), perhaps of another width. params: W_q (Q, K), W_k and
        W_v (C, K), W_o (K, O), b_q, b_k and b_v (K,) or None, b_o (O,) or None. heads, n. mask, (S, B) True where a
        source token is real, or None.
    Returns: an AttentionTrace with context (T, B, O) and alpha (T, B, S), the mean over heads; the weights of each head
        are its steps.head_alpha (T, B, n, S).
    Backward: AttentionTrace.backward. The gradient of b_k is 0: see MultiHeadAttention.init.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or heads does not divide K.
    """
    return attend(MultiHeadAttention(keys, values, params, mask, heads), query)
