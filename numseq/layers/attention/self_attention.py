"""Self-attention: every position of a sequence looks at the positions of that same sequence.

    q_t, k_t, v_t  = x_t W_q + b_q,  x_t W_k + b_k,  x_t W_v + b_v        one product each, for all T
    y_t            = multi-head attention of q_t over all k_j and v_j     see `numseq.layers.attention.multihead`

    padding        no t looks at a j that is not real
    causal         t looks at j <= t alone: no position knows what comes after it

Two positions are one step apart, however far they lie from one another, and no step waits for the one before. The
price is a score for each pair of positions. Without positions in x (`numseq.layers.positions`) the order would be
nothing to it: what is not causal gives shuffled inputs its shuffled outputs.

Of a causal one, what earlier positions gave does not change when later ones come. So a search keeps their keys and
values, its state, and adds one of each at a step.

Source: Vaswani et al. 2017, sections 3.2.3 and 4.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from numseq.backend import Array, array_module
from numseq.errors import ArgumentError
from numseq.layers.attention.base import AttentionTrace, attend
from numseq.layers.attention.multihead import MultiHeadAttention, MultiHeadParams
from numseq.layers.fit import Fit
from numseq.record import Record, Trace


class KeysAndValues(NamedTuple):
    """Of the positions so far. The batch comes first, as in every state of a search."""

    k: Array  # (B, P, K)
    v: Array  # (B, P, K)


class SelfAttention(MultiHeadAttention):
    """A sequence's keys and values for its own queries; see `self_attention` for what it is made of."""

    def __init__(
        self,
        x: Array,
        params: MultiHeadParams,
        mask: Array | None = None,
        heads: int = 4,
        causal: bool = False,
        past: KeysAndValues | None = None,
    ):
        super().__init__(x, x, params, mask, heads)
        xp, T = array_module(x), len(x)
        self.before = 0  # positions of which x has no part
        if past is not None and past.k.shape[1]:
            if not causal or mask is not None:
                raise ArgumentError("past is of causal self-attention without a mask: leave it out")
            self.before = past.k.shape[1]
            self.k, self.v = (
                xp.concatenate([old, new.transpose(1, 0, 2)], axis=1).transpose(1, 0, 2)
                for old, new in zip(past, (self.k, self.v), strict=True)
            )
        self.earlier = xp.tri(T, T + self.before, self.before, dtype=bool)[:, None] if causal else None  # (T, 1, S)
        if causal and mask is not None:  # padding in front hides all from a position that sees no later one
            seen: Any = (self.earlier & self.real).any(axis=-1)  # (T, B)
            self.seen = None if xp is np and seen.all() else seen[:, :, None]
        elif self.seen is not None:
            self.seen = self.seen[:, :, None]

    @property
    def sees(self) -> Array | None:
        """(T, B, S), T or B being 1 where all see the same; None where all see all."""
        if self.earlier is None or self.real is None:
            return self.real if self.earlier is None else self.earlier
        return self.earlier & self.real

    def _if_seen(self, context):
        return context if self.seen is None else array_module(context).where(self.seen, context, 0)


@dataclass(slots=True)
class SelfAttentionGrad(Record):
    dx: Array  # (T, B, D)
    params: MultiHeadParams


@dataclass(slots=True)
class SelfAttentionTrace(Trace):
    """What `self_attention` computed: y (T, B, O), alpha (T, B, S), and in `looks` everything named."""

    outputs = ("y", "alpha")
    equations = "self_attention"
    looks: AttentionTrace
    y: Array
    alpha: Array

    @property
    def past(self) -> KeysAndValues:
        """The keys and values of all positions so far, which those that follow look at."""
        attention: Any = self.looks.attention
        return KeysAndValues(attention.k.transpose(1, 0, 2), attention.v.transpose(1, 0, 2))

    def backward(self, dy: Array, dalpha: Array | None = None) -> SelfAttentionGrad:
        """dx = dquery + dkeys + dvalues: each x_t asked, and was asked about, and was given.

        Args: dy, (T, B, O). dalpha, (T, B, S), or None.
        Raises: ArgumentError, when there was a past, which is no variable.
        """
        attention: Any = self.looks.attention
        if attention.before:
            raise ArgumentError("there is no backward through a past: give x from its first position on")
        look = self.looks.backward(dy, dalpha)
        return SelfAttentionGrad(dx=look.dquery + look.dkeys + look.dvalues, params=look.params)


FIT = Fit(x="T B D", mask="T B bool")


def self_attention(
    x: Array,
    params: MultiHeadParams,
    *,
    heads: int,
    mask: Array | None = None,
    causal: bool = False,
    past: KeysAndValues | None = None,
) -> SelfAttentionTrace:
    """Multi-head attention of a sequence to itself.

    Equations: those of the module.

    Args: x, (T, B, D). params: W_q, W_k and W_v (D, K), W_o (K, O), b_q, b_k and b_v (K,) or None, b_o (O,) or None.
        heads, n, which divides K. mask, (T, B) True where a position is real, or None. causal: does nobody look ahead?
        past, of P positions before these, which then are positions P to P + T - 1: the `past` of the trace that has
        them; for causal self-attention without a mask, and without a backward.
    Returns: a SelfAttentionTrace with y (T, B, O) and alpha (T, B, P + T), the mean over heads; those of each head are
        its looks.steps.head_alpha (T, B, n, P + T). A position that sees nothing real gets y = 0.
    Backward: SelfAttentionTrace.backward. The gradient of b_k is 0: see MultiHeadAttention.init.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or heads does not divide K.
    """
    FIT(x, mask)
    looks = attend(SelfAttention(x, params, mask, heads, causal, past), x)
    return SelfAttentionTrace(looks, y=looks.context, alpha=looks.alpha)
