"""Hypotheses: the complete translations that a search has found, one by one and as arrays."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from numseq.backend import Array
from numseq.data.tokens import EOS, PAD

if TYPE_CHECKING:
    from numseq.search.tree import SearchStep


@dataclass(slots=True)
class Hypothesis:
    """One complete translation of a sentence.

    tokens (n,): before <eos>. logp: log p(tokens, <eos> | source), nats. score: what hypotheses of a sentence are
    ordered by. alpha (n + 1, S): where it looked at each step, None without an attention, or when not asked for.
    """

    tokens: Array
    logp: float
    score: float
    alpha: Array | None = None


@dataclass(slots=True)
class Hypotheses:
    """What a search found: up to K hypotheses of each sentence. NumPy arrays.

    ids (T, B, K): tokens, <eos> included, PAD after it. lengths (B, K): tokens before <eos>. logp, scores (B, K): as of
    a Hypothesis; -inf where there are fewer than K. alpha (T, B, K, S): attention weights, 0 after <eos>; None
    without an attention, or when not asked for. places (B, S): which places of the memory are real; None for all.
    steps: a list of SearchStep, where a trace was asked for.

    A beam's hypotheses stand best first, samples in the order of drawing; greedy search has K = 1.
    """

    ids: Array
    lengths: Array
    logp: Array
    scores: Array
    alpha: Array | None
    places: Array | None = None
    steps: list = field(default_factory=list)

    @classmethod
    def from_lists(
        cls, found: list[list[Hypothesis]], K: int, places: Array | None = None, steps: "Iterable[SearchStep]" = ()
    ) -> Self:
        """From a list of Hypothesis for each sentence, at most K in each."""
        each = [(b, k, one) for b, several in enumerate(found) for k, one in enumerate(several)]
        B, T = len(found), 1 + max((len(one.tokens) for *_, one in each), default=0)
        ids, lengths = np.full((T, B, K), PAD), np.zeros((B, K), dtype=np.int64)
        logp, scores = np.full((B, K), -np.inf), np.full((B, K), -np.inf)
        looks = next((one.alpha for *_, one in each), None)
        alpha = None if looks is None else np.zeros((T, B, K, looks.shape[1]), dtype=looks.dtype)
        for b, k, one in each:
            n = len(one.tokens)
            ids[:n, b, k], ids[n, b, k], lengths[b, k] = one.tokens, EOS, n
            logp[b, k], scores[b, k] = one.logp, one.score
            if alpha is not None:
                alpha[: n + 1, b, k] = one.alpha
        return cls(ids, lengths, logp, scores, alpha, places, list(steps))

    def of_sentence(self, b: int) -> list[Hypothesis]:
        """The hypotheses of sentence b: a list of Hypothesis, as many as there are."""
        return [
            Hypothesis(
                tokens=self.ids[:n, b, k],
                logp=float(self.logp[b, k]),
                score=float(self.scores[b, k]),
                alpha=None if self.alpha is None else self.alpha[: n + 1, b, k],
            )
            for k, n in enumerate(self.lengths[b])
            if self.ids[n, b, k] == EOS
        ]
