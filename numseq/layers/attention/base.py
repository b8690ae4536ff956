"""Attention: a query looks at every source position and takes a weighted mean of their values.

    e_tj      = score(q_t, k_j)                   how well query t and key j go together
    alpha_t   = softmax over j of e_tj            weights; a masked position gets exactly 0
    context_t = sum_j alpha_tj v_j

Where nothing is real, as in a row without a source, all weights are 0, and so are the context and every gradient.

What differs between attentions is the score; each has a file: `additive` (and concat), `dot` (scaled, general),
`multihead`, `local`, `location`, `coverage`. What they share is here.

Positions come first inside, (S, B, .), as in everything recurrent, and weights are (B, S).
Source: Bahdanau, Cho & Bengio 2015; query, key and value as named by Vaswani et al. 2017, section 3.2.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

from numseq.backend import Array, array_module
from numseq.layers.activations import MASKED, softmax_backward
from numseq.layers.attention.products import dots, weighted_mean
from numseq.layers.fit import Fit, as_of
from numseq.params import common_dtype
from numseq.record import Record, StepGrad, StepRecord, Steps, Trace, held, kept_gradients, shaped


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
class AttentionGrad(Record):
    dquery: Array  # (T, B, Q)
    dkeys: Array  # (S, B, K)
    dvalues: Array  # (S, B, C)
    params: Any


def weights(e: Array) -> Array:
    """alpha = softmax of scores (..., S), of which some are MASKED; all are 0 where all are masked."""
    xp = array_module(e)
    alpha = xp.exp(e - xp.maximum(e.real.max(axis=-1, keepdims=True), MASKED / 2))  # 0 for all that is masked
    total = alpha.sum(axis=-1, keepdims=True)
    total += 1e-30  # where it is not 0 it is at least 1, the part of the largest score, which this does not change
    alpha /= total
    return alpha


class Attention:
    """Attention over one batch of sources. Like a cell, it offers pieces, and a decoder puts its own loop around them:

        made of keys and values                      what all queries share, computed once
        forward(query, carried)                      one look: its record, which has context and alpha
        backward(s, dcontext, shared, ...)           one look back: its StepGrad, which has dquery
        weight_gradients(steps, grads, shared)       what sums over queries: of keys, values and parameters

    A look may take up something of the looks before it, as coverage does: `initial_carried()` is that before the first
    look, `carried(s)` after a look. It is empty for most. `shared_gradients()` is where looks add up what they share.

    A kind of attention says how to `score`, and `score_backward`, and may keep arrays by source position, (S, B, .),
    whose names stand in `position_arrays`. When `at_once` is true, `forward` and `backward` also take all T queries of
    a sequence, (T, B, Q), as one product.

    Args: keys, (S, B, K). values, (S, B, C). params, of the kind, or None. mask, (S, B) True where real, or None.
    """

    record, grad = AttentionStep, AttentionStepGrad
    position_arrays: tuple[str, ...] = ("keys", "values")
    shapes: ClassVar[dict[str, str]] = {}  # of the parameters that a kind has, as `numseq.layers.fit` writes them
    key_width = "K"  # and of the keys, whose width is the queries' where it says Q
    options: tuple[str, ...] = ()  # names of a model's options that a kind is made with besides
    at_once = False
    init: Callable
    equations: str | None = None  # under which name `numseq.mistakes` knows its backward

    def __init__(self, keys: Array, values: Array, params: Any = None, mask: Array | None = None):
        self.check_shapes(keys, values, params, mask)
        common_dtype(keys, values, params)
        self.keys, self.values, self.params = keys, values, params
        self.real = None if mask is None else mask.T  # (B, S), like scores and weights

    @classmethod
    def check_shapes(
        cls, keys: Array, values: Array, params: Any, mask: Array | None = None, query: Array | None = None
    ) -> None:
        """Raise ArgumentError, unless these fit together."""
        fit = _fit_of(cls)  # type: ignore[arg-type]  # mypy takes no class for hashable
        fit(*[getattr(params, name, None) for name in cls.shapes], keys, values, mask, query)

    def select_rows(self, rows: Array) -> Self:
        """The same attention for other rows of the batch, rows (N,) integers; a row may come several times."""
        picked = copy(self)
        for name in self.position_arrays:
            array = getattr(self, name)
            setattr(picked, name, None if array is None else array[:, rows])
        picked.real = None if self.real is None else self.real[rows]
        return picked

    def initial_carried(self) -> tuple[Array, ...]:
        """What is carried from look to look, before the first one: a tuple of arrays that begin with the batch axis."""
        return ()

    def carried(self, s: AttentionStep) -> tuple[Array, ...]:
        """What is carried, after look s."""
        return ()

    def shared_gradients(self) -> Any:
        """Where `backward` adds up what all queries share; None when `weight_gradients` makes it of the records."""
        return None

    def forward(self, query: Array, carried: tuple[Array, ...] = ()) -> AttentionStep:
        """Look with one query (B, Q). carried, from the looks before."""
        s = self.record()
        s.query = query
        self.take(s, carried)
        e = shaped(self.score(s), "e", (*query.shape[:-1], len(self.keys)), self.score)
        s.e = self.masked(e)
        s.alpha = weights(s.e)
        s.context = weighted_mean(s.alpha, self.values)
        return s

    def context_of(self, alpha: Array) -> Array:
        """The context (..., B, C) of weights alpha (..., B, S), whoever chose them."""
        return weighted_mean(alpha, self.values)

    def take(self, s: AttentionStep, carried: tuple[Array, ...]) -> None:
        """Put what is carried into the record."""

    def score(self, s: AttentionStep) -> Array:
        """e, (B, S), of a record that holds the query."""
        raise NotImplementedError

    def masked(self, e: Array) -> Array:
        """Scores (..., B, S) that no padded position can win."""
        return e if self.real is None else array_module(e).where(self.real, e, MASKED)

    def backward(
        self,
        s: AttentionStep,
        dcontext: Array,
        shared: Any,
        dalpha: Array | None = None,
        dcarried: tuple[Array, ...] = (),
    ) -> tuple[AttentionStepGrad, tuple[Array, ...]]:
        """Undo one look.

        Args: s, its record. dcontext, (B, C). shared, from `shared_gradients()`, to be added to. dalpha, (B, S), from
            whoever else read the weights, or None. dcarried, the gradient of what it carried on, a tuple.
        Returns: (the gradients inside the look, the gradient of what was carried to it).
        """
        grad = self.grad()
        grad.dcontext = dcontext
        through_context = dots(dcontext, self.values)  # context = alpha v
        grad.dalpha = through_context if dalpha is None else through_context + dalpha
        grad.de = softmax_backward(grad.dalpha, s.alpha)  # exactly 0 where masked, since alpha is
        self.score_backward(s, grad, shared)
        held(grad, "dquery", s.query.shape, self.score_backward)
        return grad, ()

    def score_backward(self, s: AttentionStep, grad: AttentionStepGrad, shared: Any) -> None:
        """From grad.de to grad.dquery; adds to `shared` what all queries share."""
        raise NotImplementedError

    def weight_gradients(self, steps: Any, grads: Any, shared: Any) -> AttentionGrad:
        """What sums over queries.

        Args: steps and grads, all T looks, fields (T, ...). shared, from the calls of `backward`.
        Returns: an AttentionGrad.
        """
        raise NotImplementedError


@cache
def _fit_of(kind):
    return Fit(**kind.shapes, keys=f"S B {kind.key_width}", values="S B C", mask="S B bool", query="T B Q")


@dataclass(slots=True)
class AttentionTrace(Trace):
    """What an attention gave T queries: context (T, B, C), alpha (T, B, S), and in `steps` everything named."""

    outputs = ("context", "alpha")
    attention: Attention
    steps: Any  # Steps, or one AttentionStep whose fields have T in front
    carried: tuple  # after the last look
    context: Array
    alpha: Array

    @property
    def equations(self) -> str | None:
        return self.attention.equations

    def backward(self, dcontext: Array, dalpha: Array | None = None) -> AttentionGrad:
        """Undo each look, the last first, then sum. Args: dcontext, (T, B, C). dalpha, (T, B, S) or None."""
        attention = self.attention
        as_of(dcontext, "dcontext", self.context, "context")
        if dalpha is not None:
            as_of(dalpha, "dalpha", self.alpha, "alpha")
        if not attention.at_once:
            back = LookBack(attention, self.steps)
            for t in reversed(range(len(dcontext))):
                back.look(t, dcontext[t], None if dalpha is None else dalpha[t])
            return back.weight_gradients()
        shared = attention.shared_gradients()
        grads, _ = attention.backward(self.steps, dcontext, shared, dalpha)
        if (inside := kept_gradients()) is not None:
            inside.add(self.steps, grads)
        return attention.weight_gradients(self.steps, grads, shared)


class LookBack:
    """The way back over T looks: `look(t)`, from the last to the first, undoes one; then `weight_gradients` sums.

    What looks hand on (coverage, the last weights) comes back from look t + 1 to look t, as a state does in `Rewind`.

    Args: attention, and steps, the Steps of its looks.
    """

    def __init__(self, attention: Attention, steps: Steps):
        self.attention, self.steps, self.grads = attention, steps, Steps([None] * len(steps))
        self.shared = attention.shared_gradients()
        self.dcarried = tuple(array_module(part).zeros_like(part) for part in attention.initial_carried())

    def look(self, t: int, dcontext: Array, dalpha: Array | None = None) -> Array:
        """Undo look t. dcontext, (B, C). dalpha, (B, S) or None. Returns dquery, (B, Q)."""
        grad, self.dcarried = self.attention.backward(self.steps[t], dcontext, self.shared, dalpha, self.dcarried)
        self.grads.records[t] = grad
        if (inside := kept_gradients()) is not None:
            inside.add(self.steps[t], grad)
        return grad.dquery

    def weight_gradients(self) -> AttentionGrad:
        """What sums over queries, an AttentionGrad, once all looks are undone."""
        return self.attention.weight_gradients(self.steps, self.grads, self.shared)


def attend(attention: Attention, query: Array, carried: tuple[Array, ...] | None = None) -> AttentionTrace:
    """Look at the sources with T queries that are all known beforehand.

    Args: attention, an Attention. query, (T, B, Q). carried, from looks before these; None for none.
    Returns: an AttentionTrace with context (T, B, C) and alpha (T, B, S).
    Backward: AttentionTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    """
    attention.check_shapes(attention.keys, attention.values, attention.params, query=query)
    common_dtype(query, attention.values)
    carried = attention.initial_carried() if carried is None else carried
    if attention.at_once:
        steps = attention.forward(query)
    else:
        looks = []
        for q in query:
            looks.append(attention.forward(q, carried))
            carried = attention.carried(looks[-1])
        steps = Steps(looks)
    return AttentionTrace(attention, steps, carried, context=steps.context, alpha=steps.alpha)
