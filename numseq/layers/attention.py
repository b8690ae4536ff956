"""Additive attention: a query looks at every source position and takes a weighted mean of their values.

    k_j     = v_j W_k + b                              keys, projected once for a sentence
    u_tj    = tanh(q_t W_q + k_j)
    e_tj    = u_tj . w                                 scores
    alpha_t = softmax over j of e_tj                   weights; a masked position gets exactly 0
    ctx_t   = sum_j alpha_tj v_j                       context

Source: Bahdanau, Cho & Bengio 2015, section 3.1 and appendix A.1.2 (there W_a, U_a, v_a; the bias is ours).
Positions come first inside, (S, B, .), so that one query is added to all positions over one long run of memory.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import array_module, asarray
from numseq.layers.activations import MASKED, softmax, softmax_backward, tanh, tanh_backward
from numseq.layers.init import glorot, uniform
from numseq.layers.linear import rows
from numseq.params import common_dtype
from numseq.record import StepGrad, StepRecord, Trace, gather, put

Array = Any
BOUND = 20  # while queries and keys stay within it, exp(2q) exp(2k) <= e^80, which float32 holds


@dataclass(slots=True)
class AttentionParams:
    W_q: Array  # (Q, A)
    W_k: Array  # (C, A)
    b: Array  # (A,)
    w: Array  # (A,)


@dataclass(slots=True)
class AttentionStep(StepRecord):
    """One query's look at the source, with everything that the equations name."""

    inputs = ("query",)
    query: Array = None  # (B, Q)
    u: Array = None  # (S, B, A)
    e: Array = None  # (B, S)
    alpha: Array = None  # (B, S)
    context: Array = None  # (B, C)


@dataclass(slots=True)
class AttentionStepGrad(StepGrad):
    """Gradients inside one look; d before a name is the derivative of the loss by it."""

    equations = {
        "dcontext": "from whoever read the context",
        "dalpha": "dcontext . v_j, since context = sum_j alpha_j v_j, plus that of whoever else read alpha",
        "de": "alpha * (dalpha - sum_k dalpha_k alpha_k), since alpha = softmax(e)",
        "dprojected": "sum_j de_j * w * (1 - u_j^2), since e_j = u_j . w and u_j = tanh(q W_q + k_j)",
        "dquery": "dprojected W_q^T",
    }
    dcontext: Array = None  # (B, C)
    dalpha: Array = None  # (B, S)
    de: Array = None  # (B, S)
    dprojected: Array = None  # (B, A), of q W_q
    dquery: Array = None  # (B, Q)


@dataclass(slots=True)
class AttentionGrad:
    dquery: Array  # (T, B, Q)
    dvalues: Array  # (S, B, C)
    params: AttentionParams


class AdditiveAttention:
    """Attention over one batch of sources, query after query: like a cell, four pieces.

    Made of the values (before: the keys of all positions at once); `step` for each query; `step_backward` for each,
    in any order; `after` for what sums over queries, the gradients of values and parameters.

    Args: values, (S, B, C). params: W_q (Q, A), W_k (C, A), b (A,), w (A,). mask, (S, B) True where real, or None.
    """

    def __init__(self, values, params, mask=None):
        common_dtype(values, params)
        self.values, self.params, self.mask = values, params, mask
        self.keys = (rows(values) @ params.W_k + params.b).reshape(*values.shape[:2], -1)  # (S, B, A)
        self.exp_2k = np.exp(2 * self.keys) if _small(self.keys) else None

    def of_rows(self, rows):
        """The same attention for other rows of the batch, rows (N,) integers; a row may come several times."""
        picked = copy(self)
        picked.values, picked.keys = self.values[:, rows], self.keys[:, rows]
        picked.exp_2k = None if self.exp_2k is None else self.exp_2k[:, rows]
        picked.mask = None if self.mask is None else self.mask[:, rows]
        return picked

    def storage(self, query):
        """Records of all T steps, for queries (T, B, Q): one of the forward pass, to be filled step by step."""
        xp, (T, B, _), S = array_module(query), query.shape, len(self.values)
        new = lambda *shape: xp.empty((T, *shape), dtype=query.dtype)  # noqa: E731
        return AttentionStep(query, new(*self.keys.shape), new(B, S), new(B, S), new(B, self.values.shape[-1]))

    def step(self, query, s=None):
        """Attend with one query (B, Q). s, a record whose fields are where to write, or None for new arrays."""
        xp = array_module(query)
        s = AttentionStep() if s is None else s
        s.query = query
        s.u = self._u(s.query @ self.params.W_q, s.u)
        e = s.u @ self.params.w  # (S, B)
        s.e = put(s.e, (e if self.mask is None else xp.where(self.mask, e, MASKED)).T)
        s.alpha = put(s.alpha, softmax(s.e))
        s.context = put(s.context, xp.matmul(s.alpha[:, None, :], self.values.transpose(1, 0, 2))[:, 0])
        return s

    def _u(self, q, out):
        """u = tanh(q + k) for each key k, (S, B, A).

        Written as 1 - 2 / (1 + exp(2q) exp(2k)) it needs an exponential for each key and one for each query, not for
        each pair of them: measured, a fifth of the time. Beyond BOUND, and on a GPU (where asking for the largest
        number means waiting, and tanh is cheap), it is tanh itself.
        """
        if self.exp_2k is None or not _small(q):
            return tanh(array_module(q).add(self.keys, q, out=out), out=out)
        u = np.multiply(self.exp_2k, np.exp(2 * q), out=out)
        u += 1
        np.divide(-2, u, out=u)
        u += 1
        return u

    def step_backward(self, s, dcontext, dkeys, dalpha=None):
        """Undo one step.

        Args: s, its AttentionStep. dcontext, (B, C). dkeys, (S, B, A): the keys' gradient, to which this step's is
            added, still without the factor w that all steps share (see `after`). dalpha, (B, S), from whoever else
            read the weights, or None.
        Returns: an AttentionStepGrad.
        """
        xp, p = array_module(dcontext), self.params
        through_context = xp.matmul(self.values.transpose(1, 0, 2), dcontext[:, :, None])[:, :, 0]  # ctx = alpha v
        dalpha = through_context if dalpha is None else through_context + dalpha
        de = softmax_backward(dalpha, s.alpha)  # exactly 0 where masked, since alpha is
        dz = tanh_backward(de.T[:, :, None], s.u)  # e = u . w and u = tanh(z): dz / w = de * (1 - u^2)
        dkeys += dz  # z = q W_q + k; the factor w follows below, and in `after`
        dprojected = dz.sum(axis=0) * p.w  # every position added the same q W_q
        grad = AttentionStepGrad(dcontext, dalpha, de, dprojected, dprojected @ p.W_q.T)
        grad.step = s
        return grad

    def after(self, steps, grads, dkeys):
        """What sums over queries.

        Args: steps and grads, all T steps' records, fields (T, ...). dkeys, from the calls of `step_backward`.
        Returns: an AttentionGrad. The values get their gradient by two ways: as keys, through the scores, and as the
            values that the context is a mean of.
        """
        xp, p = array_module(dkeys), self.params
        dkeys_rows = rows(dkeys * p.w)
        dvalues = xp.matmul(steps.alpha.transpose(1, 2, 0), grads.dcontext.transpose(1, 0, 2))  # (B, S, C)
        return AttentionGrad(
            dquery=grads.dquery,
            dvalues=dvalues.transpose(1, 0, 2) + (dkeys_rows @ p.W_k.T).reshape(self.values.shape),
            params=AttentionParams(
                W_q=rows(steps.query).T @ rows(grads.dprojected),
                W_k=rows(self.values).T @ dkeys_rows,
                b=dkeys_rows.sum(axis=0),
                w=grads.de.transpose(0, 2, 1).reshape(-1) @ rows(steps.u),  # e = u . w, u (T, S, B, A)
            ),
        )


@dataclass(slots=True)
class AttentionTrace(Trace):
    """What `additive_attention` computed: context (T, B, C), alpha (T, B, S), and in `steps` everything named."""

    outputs = ("context", "alpha")
    attention: AdditiveAttention
    steps: AttentionStep
    context: Array
    alpha: Array

    def backward(self, dcontext, dalpha=None):
        """Undo each query's step, then sum. Args: dcontext, (T, B, C). dalpha, (T, B, S) or None."""
        xp = array_module(dcontext)
        dkeys = xp.zeros_like(self.attention.keys)
        grads = [
            self.attention.step_backward(self.steps[t], dcontext[t], dkeys, None if dalpha is None else dalpha[t])
            for t in range(len(dcontext))
        ]
        return self.attention.after(self.steps, gather(grads), dkeys)


def additive_attention(query, values, params, mask=None):
    """Attend to the same sources with T queries that do not depend on one another.

    Equations: those of the module.

    Args: query, (T, B, Q). values, (S, B, C). params: W_q (Q, A), W_k (C, A), b (A,), w (A,). mask, (S, B) True where
        a source token is real, or None.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    common_dtype(query, values)
    attention = AdditiveAttention(values, params, mask)
    steps = attention.storage(query)
    for t in range(len(query)):
        attention.step(query[t], steps[t])
    return AttentionTrace(attention=attention, steps=steps, context=steps.context, alpha=steps.alpha)


def init_attention(rng, query, values, size, dtype):
    """First values: Glorot for the matrices, uniform in +-1 / sqrt(A) for w, 0 for b."""
    return AttentionParams(
        W_q=asarray(glorot(rng, query, size), dtype),
        W_k=asarray(glorot(rng, values, size), dtype),
        b=asarray(np.zeros(size), dtype),
        w=asarray(uniform(rng, size, size**-0.5), dtype),
    )


def _small(x):
    """Is x on the host, and within BOUND everywhere? Not when there is a NaN."""
    return array_module(x) is np and x.real.min() >= -BOUND and x.real.max() <= BOUND
