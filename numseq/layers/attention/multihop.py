"""Several looks at a time: what one look found joins the query, which looks again.

    q_t1      = query_t
    o_tk      = context of look k with q_tk          of any attention, with the same weights in all K looks
    q_t,k+1   = q_tk + o_tk W                        W makes a context as wide as a query
    context_t = o_tK                                 and alpha_t is that of the last look

A first look can find who has the ball, a second where she is. An attention that carries something from look to look,
as coverage does, carries it from time to time for each of the K looks on its own.

Source: Sukhbaatar et al. 2015, section 2.2 (u^{k+1} = u^k + o^k, with the same embeddings in all hops), here between
the steps of a decoder.
"""

from copy import copy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

from numseq import params as trees
from numseq.arguments import whole
from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.errors import ArgumentError
from numseq.layers.attention.base import Attention, AttentionGrad, AttentionStep, AttentionTrace, attend
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.params import common_dtype
from numseq.record import Record, StepGrad, Steps, kept_gradients


@dataclass(slots=True)
class MultiHopParams(Record):
    look: Any  # of the attention that looks; None when it has none
    W: Array  # (C, Q)


@dataclass(slots=True)
class MultiHopStep(AttentionStep):
    """All looks with one query: context and alpha are those of the last."""

    looks: list = field(default_factory=list)  # K records of the attention that looks

    @property
    def hop_alpha(self) -> Array:
        """Where each of the K looks went, (B, K, S)."""
        return array_module(self.alpha).stack([look.alpha for look in self.looks], axis=-2)

    def __getitem__(self, k: int) -> Self:
        one = copy(self)
        one.query, one.alpha, one.context = self.query[k], self.alpha[k], self.context[k]
        one.looks = [look[k] for look in self.looks]
        return one


@dataclass(slots=True)
class MultiHopStepGrad(StepGrad):
    equations = {
        "dcontext": "from whoever read the context of the last look",
        "dquery": "the sum of what all looks say of their queries, since each has query in it",
    }
    dcontext: Array = None  # (B, C)
    dquery: Array = None  # (B, Q)


class MultiHopAttention(Attention):
    """See `numseq.layers.attention.base.Attention`. attention, made of keys and values, looks. params: MultiHopParams.
    hops: K, how often.

    Raises: ArgumentError, when hops is no whole number from 1.
    """

    record, grad = MultiHopStep, MultiHopStepGrad  # type: ignore[assignment]  # what is inside a look is the look's own
    equations = "multihop_attention"
    shapes = {"W": "O Q"}

    def __init__(self, attention: Attention, params: MultiHopParams, hops: int):
        common_dtype(attention.values, params)
        self.attention, self.params, self.hops = attention, params, whole(hops, "hops", least=1)
        self.keys, self.values, self.real = attention.keys, attention.values, attention.real
        self.at_once = attention.at_once

    def select_rows(self, rows: Array) -> Self:
        picked = copy(self)
        picked.attention = one = self.attention.select_rows(rows)
        picked.keys, picked.values, picked.real = one.keys, one.values, one.real
        return picked

    def context_of(self, alpha: Array) -> Array:
        return self.attention.context_of(alpha)

    def initial_carried(self) -> tuple[Array, ...]:
        """That of each look, one after the other."""
        return self.attention.initial_carried() * self.hops

    def carried(self, s: MultiHopStep) -> tuple[Array, ...]:
        return tuple(part for look in s.looks for part in self.attention.carried(look))

    def _of_look(self, k, carried):
        """Look k's part of what is carried, or of its gradient."""
        n = len(carried) // self.hops
        return carried[n * k : n * (k + 1)]

    def shared_gradients(self) -> "list[_LooksBack]":
        return [_LooksBack(self.attention) for _ in range(self.hops)]

    def forward(self, query: Array, carried: tuple[Array, ...] = ()) -> MultiHopStep:
        s = self.record()
        s.query = query
        q = s.query
        for k in range(self.hops):
            if k:
                q = q + self._heard(s.looks[-1].context)
            s.looks.append(self.attention.forward(q, self._of_look(k, carried)))
        s.alpha, s.context = s.looks[-1].alpha, s.looks[-1].context
        return s

    def _heard(self, context):
        """o W."""
        W = self.params.W
        if context.shape[-1] != len(W):
            raise ArgumentError(f"W has the shape {W.shape}: it must be ({context.shape[-1]}, Q), as wide as a context")
        return affine(context, W)

    def backward(
        self,
        s: MultiHopStep,
        dcontext: Array,
        shared: "list[_LooksBack]",
        dalpha: Array | None = None,
        dcarried: tuple[Array, ...] = (),
    ) -> tuple[MultiHopStepGrad, tuple[Array, ...]]:
        """The last look first. q_k is read by look k and is a part of q_{k+1}, so its gradients add.

        Of the gradient that the weights have from outside, only the last look knows: its weights were handed out.
        """
        grad, dq, dbefore = self.grad(), None, ()
        grad.dcontext = do = dcontext
        for k in reversed(range(self.hops)):
            own, to = self.attention.backward(s.looks[k], do, shared[k].shared, dalpha, self._of_look(k, dcarried))
            dq = own.dquery if dq is None else own.dquery + dq
            shared[k].add(s.looks[k], own, dq)
            do, dalpha = affine(dq, self.params.W.T), None  # q_k = q_{k-1} + o_{k-1} W
            dbefore = to + dbefore
        grad.dquery = dq
        return grad, dbefore

    def weight_gradients(self, steps: Any, grads: Any, shared: "list[_LooksBack]") -> AttentionGrad:
        """All looks used the same keys, values and weights: what each gives adds. dW = sum_k o_k^T dq_{k+1}."""
        each = [looks.weight_gradients() for looks in shared]
        parts = [(grad.dkeys, grad.dvalues, grad.params) for grad in each]
        dkeys, dvalues, dlook = trees.map(lambda first, *others: sum(others, first), *parts)
        each_dW = (rows(here.contexts).T @ rows(after.dq) for here, after in pairwise(shared))
        dW = sum(each_dW, 0 * self.params.W)
        return AttentionGrad(grads.dquery, dkeys, dvalues, MultiHopParams(dlook, dW))


class _LooksBack:
    """The looks number k of all steps, which are undone from the last step to the first, or all at once: what the
    attention adds up over them, and what sums over them in the end."""

    def __init__(self, attention):
        self.attention, self.shared = attention, attention.shared_gradients()
        self.looks, self.grads, self.dqs = [], [], []

    def add(self, look, grad, dq):
        if (inside := kept_gradients()) is not None:
            inside.add(look, grad)
        for found, one in ((self.looks, look), (self.grads, grad), (self.dqs, dq)):
            found.insert(0, one)

    def weight_gradients(self):
        return self.attention.weight_gradients(self._together(self.looks), self._together(self.grads), self.shared)

    @property
    def contexts(self):
        return self._together(self.looks).context

    @property
    def dq(self):
        return self.dqs[0] if self._at_once else array_module(self.dqs[0]).stack(self.dqs)

    @property
    def _at_once(self):
        return self.dqs[0].ndim == 3

    def _together(self, records):
        return records[0] if self._at_once else Steps(records)


def init_multihop(
    rng: Generator, look: Any, query: int, context: int, dtype: DType, initializer: Initializer = DEFAULT
) -> MultiHopParams:
    """First values: look, those of the attention that looks; a matrix of the initializer for W."""
    return MultiHopParams(look=look, W=asarray(initializer.matrix(rng, context, query), dtype))


def multihop_attention(query: Array, attention: Attention, params: MultiHopParams, *, hops: int) -> AttentionTrace:
    """Several looks for each of T queries.

    Equations: those of the module.

    Args: query, (T, B, Q). attention, made of keys and values, whose contexts have C numbers. params: W (C, Q), and in
        look those that the attention was made with. hops: K, how often each query looks.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S) of the last look.
    Backward: AttentionTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    """
    return attend(MultiHopAttention(attention, params, hops), query)
