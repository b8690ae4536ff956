"""Attention: a query looks at every source position and takes a weighted mean of their values.

    e_tj      = score(q_t, k_j)                   how well query t and key j go together
    alpha_t   = softmax over j of e_tj            weights; a masked position gets exactly 0
    context_t = sum_j alpha_tj v_j

What differs between attentions is the score; each has a file: `additive` (and concat), `dot` (scaled, general),
`multihead`, `local`, `location`, `coverage`. What they share is here.

Positions come first inside, (S, B, .), as in everything recurrent, and weights are (B, S).
Source: Bahdanau, Cho & Bengio 2015; query, key and value as named by Vaswani et al. 2017, section 3.2.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.layers.activations import MASKED, softmax, softmax_backward
from numseq.params import common_dtype
from numseq.record import StepGrad, StepRecord, Trace, gather, put

Array = Any


@dataclass(slots=True)
class AttentionStep(StepRecord):
    """One query's look at the source, with everything that the equations name."""

    inputs = ("query",)
    query: Array = None  # (B, Q)
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
    }
    dcontext: Array = None  # (B, C)
    dalpha: Array = None  # (B, S)
    de: Array = None  # (B, S)
    dquery: Array = None  # (B, Q)


@dataclass(slots=True)
class AttentionGrad:
    dquery: Array  # (T, B, Q)
    dkeys: Array  # (S, B, K)
    dvalues: Array  # (S, B, C)
    params: Any


class Attention:
    """Attention over one batch of sources. Like a cell, it offers pieces, and a decoder puts its own loop around them:

        made of keys and values                      what all queries share, computed once
        step(query, s, state)                        one look: fills the record s
        step_backward(s, dcontext, sums, ...)        one look back: fills `sums`, returns the look's gradients
        after(steps, grads, sums)                    what sums over queries

    A look may take up something of the looks before it, as coverage does: `first()` is that state before the first
    look, `carry(s)` after a look. It is empty for most.

    A kind of attention says how to `score`, and `score_backward`, and may keep arrays by source position, (S, B, .),
    whose names stand in `by_position`. When `at_once` is true, `step` and `step_backward` also take all T queries of a
    sequence, (T, B, Q), as one product.

    Args: keys, (S, B, K). values, (S, B, C). params, of the kind, or None. mask, (S, B) True where real, or None.
    """

    record, grad = AttentionStep, AttentionStepGrad
    by_position = ("keys", "values")
    at_once = False

    def __init__(self, keys, values, params=None, mask=None):
        common_dtype(keys, values, params)
        self.keys, self.values, self.params = keys, values, params
        self.real = None if mask is None else mask.T  # (B, S), like scores and weights

    def of_rows(self, rows):
        """The same attention for other rows of the batch, rows (N,) integers; a row may come several times."""
        picked = copy(self)
        for name in self.by_position:
            array = getattr(self, name)
            setattr(picked, name, None if array is None else array[:, rows])
        picked.real = None if self.real is None else self.real[rows]
        return picked

    def first(self):
        """What is carried from look to look, before the first one: a tuple of arrays that begin with the batch axis."""
        return ()

    def carry(self, s):
        """What is carried, after look s."""
        return ()

    def storage(self, query):
        """The record of all T looks, for queries (T, B, Q), to be filled."""
        xp, (T, B, _), S = array_module(query), query.shape, len(self.values)
        new = lambda *shape: xp.empty((T, *shape), dtype=query.dtype)  # noqa: E731
        return self.record(query=query, e=new(B, S), alpha=new(B, S), context=new(B, self.values.shape[-1]))

    def sums(self):
        """Where `step_backward` adds up what all queries share; None when `after` makes it of the records."""
        return None

    def step(self, query, s=None, state=()):
        """Look with one query (B, Q). s, a record whose fields are where to write, or None for new arrays. state, what
        is carried."""
        xp = array_module(query)
        s = self.record() if s is None else s
        s.query = query
        self.take(s, state)
        e = self.score(s)
        s.e = put(s.e, e if self.real is None else xp.where(self.real, e, MASKED))
        s.alpha = put(s.alpha, softmax(s.e))
        s.context = put(s.context, weighted_mean(s.alpha, self.values))
        return s

    def take(self, s, state):
        """Put what is carried into the record."""

    def score(self, s):
        """e, (B, S), of a record that holds the query."""
        raise NotImplementedError

    def score_backward(self, s, grad, sums):
        """From grad.de to grad.dquery; adds to sums what all queries share."""
        raise NotImplementedError

    def step_backward(self, s, dcontext, sums, dalpha=None, dstate=()):
        """Undo one look.

        Args: s, its record. dcontext, (B, C). sums, from `sums()`, to be added to. dalpha, (B, S), from whoever else
            read the weights, or None. dstate, the gradient of what it carried on, a tuple as the state.
        Returns: (the gradients inside the look, the gradient of what was carried to it).
        """
        grad = self.grad(dcontext)
        grad.step = s
        through_context = dots(dcontext, self.values)  # context = alpha v
        grad.dalpha = through_context if dalpha is None else through_context + dalpha
        grad.de = softmax_backward(grad.dalpha, s.alpha)  # exactly 0 where masked, since alpha is
        self.score_backward(s, grad, sums)
        return grad, ()

    def after(self, steps, grads, sums):
        """What sums over queries.

        Args: steps and grads, all T looks' records, fields (T, ...). sums, from the calls of `step_backward`.
        Returns: an AttentionGrad.
        """
        raise NotImplementedError


@dataclass(slots=True)
class AttentionTrace(Trace):
    """What an attention gave T queries: context (T, B, C), alpha (T, B, S), and in `steps` everything named."""

    outputs = ("context", "alpha")
    attention: Attention
    steps: AttentionStep
    context: Array
    alpha: Array

    @property
    def equations(self):
        """Which of the plain backward passes of `numseq.gradcheck.equations` is this one's."""
        return self.attention.equations

    def backward(self, dcontext, dalpha=None):
        """Undo each look, the last first, then sum. Args: dcontext, (T, B, C). dalpha, (T, B, S) or None."""
        attention, sums = self.attention, self.attention.sums()
        if attention.at_once:
            grads, _ = attention.step_backward(self.steps, dcontext, sums, dalpha)
            return attention.after(self.steps, grads, sums)
        T = len(dcontext)
        grads, dstate = [None] * T, tuple(array_module(dcontext).zeros_like(part) for part in attention.first())
        for t in reversed(range(T)):
            dalpha_t = None if dalpha is None else dalpha[t]
            grads[t], dstate = attention.step_backward(self.steps[t], dcontext[t], sums, dalpha_t, dstate)
        return attention.after(self.steps, gather(grads), sums)


def attend(attention, query):
    """Look at the sources with T queries that are all known beforehand.

    Args: attention, an Attention. query, (T, B, Q).
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward.
    Raises: TypeError, when dtypes differ.
    """
    common_dtype(query, attention.values)
    steps = attention.storage(query)
    if attention.at_once:
        attention.step(query, steps)
    else:
        state = attention.first()
        for t in range(len(query)):
            state = attention.carry(attention.step(query[t], steps[t], state))
    return AttentionTrace(attention=attention, steps=steps, context=steps.context, alpha=steps.alpha)


# The three products of attention. Each takes one query a row, (B, .), or T of them, (T, B, .), as one product a row.


def dots(q, k):
    """q . k_j for every position j: q (..., B, K) and k (S, B, K) give (..., B, S)."""
    xp = array_module(q)
    if q.ndim == 2:
        return xp.matmul(k.transpose(1, 0, 2), q[:, :, None])[:, :, 0]
    return xp.matmul(q.transpose(1, 0, 2), k.transpose(1, 2, 0)).transpose(1, 0, 2)


def weighted_mean(alpha, v):
    """sum_j alpha_j v_j: alpha (..., B, S) and v (S, B, C) give (..., B, C)."""
    xp = array_module(alpha)
    if alpha.ndim == 2:
        return xp.matmul(alpha[:, None, :], v.transpose(1, 0, 2))[:, 0]
    return xp.matmul(alpha.transpose(1, 0, 2), v.transpose(1, 0, 2)).transpose(1, 0, 2)


def over_queries(alpha, d):
    """sum_t alpha_tj d_t for every position j: alpha (T, B, S) and d (T, B, C) give (S, B, C)."""
    return array_module(alpha).matmul(alpha.transpose(1, 2, 0), d.transpose(1, 0, 2)).transpose(1, 0, 2)
