"""Bans: what may not be said next. Its log-probability becomes -inf; that of all else stays the model's.

    never          <pad> and <bos>: no sentence contains them
    constraint     what would make the output ill formed (`constraints/`)
    too early      <eos>, before the fewest tokens that a translation may have
    n-gram twice   a token that would complete an n-gram which the beginning already has
    at the limit   everything but <eos>

A constraint is stronger than those that stand between it and the limit: where they leave nothing of what it allows, and
it does not allow <eos>, they are lifted. A row to which nothing is left must end: <eos> then has its own probability,
and is possible however small that is. So every row ends. Where a constraint does not allow even that, <eos> has
log p = ILL_FORMED, so that whatever is well formed has a better score.

Source: Paulus, Xiong & Socher 2018, section 2.5 (no n-gram twice).
"""

from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, array_module, asarray
from numseq.data.tokens import BOS, EOS, PAD
from numseq.options import option, validate

ILL_FORMED = -1e9


@dataclass(frozen=True, kw_only=True)
class Bans:
    """What every search can be told to forbid. Raises: ConfigError, naming the option, when a value makes no sense."""

    min_length: int = option(0, "Fewest tokens of a translation.", least=0)
    min_ratio: float = option(0.0, "The same, in lengths of the source; the larger of the two counts.", least=0)
    no_repeat_ngram: int = option(
        0, "No n-gram of this length twice in a translation; 0 allows all.", least=0, source="Paulus et al. 2018"
    )
    attention_window: int = option(
        0,
        "Look at most so many places away from where the last look went, as along a recording; 0 for anywhere.",
        least=0,
        source="Chorowski et al. 2015",
    )

    def __post_init__(self) -> None:
        validate(self)

    def fewest(self, lengths: Array) -> Array:
        """The fewest tokens of translations of sources of these lengths."""
        return np.maximum(self.min_length, np.ceil(self.min_ratio * lengths))


def forbid(
    logp: Array, said: Array, fewest: Array, limits: Array, ngram: int = 0, allowed: Array | None = None
) -> None:
    """Ban what N rows may not say next.

    Args: logp, (N, V), is changed. said, (t, N): the rows' tokens so far. fewest, limits, (N,): the fewest and the most
        tokens of each row; the limit is the stronger. ngram, 0 for no ban of repetitions.
        allowed, (N, V) booleans, what a constraint allows; None without one.
    """
    xp, t, ends = array_module(logp), len(said), logp[:, EOS].copy()
    logp[:, PAD] = logp[:, BOS] = -xp.inf
    if allowed is not None:
        logp[...] = kept = xp.where(allowed, logp, -xp.inf)
    bans = [(rows, tokens) for rows, tokens in (too_early(t, fewest), repeated(said, ngram)) if len(rows)]
    for rows, tokens in bans:
        logp[asarray(rows), asarray(tokens)] = -xp.inf
    if allowed is not None and bans:
        lost = (logp.max(axis=1) == -xp.inf) & ~allowed[:, EOS]
        logp[...] = xp.where(lost[:, None], kept, logp)
    last = np.flatnonzero(t == limits)
    if len(last):
        logp[asarray(last)] = -xp.inf
    if len(last) or bans or allowed is not None:  # a row may have nothing left to say
        silent = logp.max(axis=1) == -xp.inf
        ends = xp.fmax(ends, np.finfo(ends.dtype).min)
        ends = ends if allowed is None else xp.where(allowed[:, EOS], ends, ILL_FORMED)
        logp[:, EOS] = xp.where(silent, ends, logp[:, EOS])


def too_early(t: int, fewest: Array) -> tuple[Array, Array]:
    """<eos>, in rows of fewer tokens than they must have: rows and tokens."""
    rows = np.flatnonzero(t < fewest)
    return rows, np.full(len(rows), EOS)


def repeated(said: Array, n: int) -> tuple[Array, Array]:
    """What would complete an n-gram that is already there: rows and tokens."""
    if n == 0 or len(said) < n:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(said, n, axis=0)  # (t - n + 1, N, n)
    begun = said[len(said) - n + 1 :].T  # (N, n - 1): what would be completed
    step, row = np.nonzero((windows[..., :-1] == begun).all(axis=-1))
    return row, windows[step, row, -1]
