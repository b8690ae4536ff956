"""Beginnings of translations: rows of one batch, each with what it has said, and what its models say comes next.

    logp = log of the mean over models of p(token | beginning, source), less what is banned

Every search is made of two calls: `step` gives the log-probabilities, and after the search has chosen, `go_on` keeps
some rows, drops or repeats others, and gives each its next token. A row that is complete is dropped and costs nothing
more.
"""

from typing import TYPE_CHECKING

import numpy as np

from numseq.backend import Array, array_module, asarray, to_numpy
from numseq.data.tokens import BOS
from numseq.errors import ArgumentError
from numseq.search.bans import Bans, forbid
from numseq.search.constraints import Rows
from numseq.search.hypotheses import Hypothesis
from numseq.search.windowed import windowed

if TYPE_CHECKING:
    from numseq.models import Seq2Seq


class Beginnings:
    """N rows under way, at first `each` of each sentence, sentence by sentence.

    sentence (N,): whose beginning each is. said (t, N): its tokens so far. looked: of each step, where it looked,
    (N, S); empty where some model does not attend, where their memories have different places, or when not asked for.
    """

    def __init__(
        self,
        models: "Seq2Seq | list[Seq2Seq]",
        source: Array,
        source_mask: Array | None,
        limits: Array,
        bans: Bans,
        each: int = 1,
        keep_alpha: bool = True,
        copies: Array | None = None,
        constraint: Rows | None = None,
    ):
        """Read the sources.

        Args: models, a Seq2Seq, or a list of them with the same vocabularies. source, (S, B) ids. source_mask, (S, B).
            limits, (B,) integers: the most tokens of each sentence, <eos> not counted. bans, Bans. each, beginnings of
            a sentence. copies, (S, B): what stands at each place of the sources, for heads that copy. constraint, its
            Rows of these sentences; where a limit has no room for what is well formed, it is as much larger.
        """
        (S, B), given = source.shape, () if copies is None else (copies,)
        self.xp, self.bans, self.each, self.keep_alpha = array_module(source), bans, each, keep_alpha
        self.models = models if isinstance(models, list | tuple) else [models]
        self.under_way = [model.start(source, source_mask, *given) for model in self.models]  # (memory, state) of each
        if bans.attention_window:
            self.under_way = [windowed(*one, bans.attention_window) for one in self.under_way]
        real = [memory.places for memory, _ in self.under_way if memory.places is not None]
        self.places = to_numpy(real[0]) if real else None  # (B, S), which of the memory are real; None for all
        self.sentence, self.limits, self.constraint = np.arange(B), to_numpy(limits), constraint
        if constraint is not None:
            if len(constraint) != B:
                raise ArgumentError(f"constraint is of {len(constraint)} lines, and source of {B}")
            self.limits = np.maximum(self.limits, constraint.fewest)
        lengths = np.full(B, S) if source_mask is None else to_numpy(source_mask).sum(axis=0)
        self.fewest = bans.fewest(lengths)
        self.said, self.looked = np.empty((0, B), dtype=np.int64), []
        if each > 1:
            self._select(np.repeat(self.sentence, each))

    def step(self) -> Array:
        """Log-probabilities of the next token, (N, V), -inf where it is banned."""
        ids = asarray(self.said[-1]) if len(self.said) else self.xp.full(len(self.sentence), BOS)
        logps, alphas = [], []
        for k, model in enumerate(self.models):
            memory, state = self.under_way[k]
            logp, state, alpha = model.step(ids, state, memory)
            self.under_way[k] = memory, state
            logps.append(logp)
            alphas.append(alpha)
        if self.keep_alpha and all(alpha is not None and alpha.shape == alphas[0].shape for alpha in alphas):
            self.looked.append(np.mean([to_numpy(alpha) for alpha in alphas], axis=0))
        logp = log_mean(logps)
        allowed = None
        if self.constraint is not None:
            allowed = self.constraint.allowed(self.limits - len(self.said), logp.shape[1])
        forbid(logp, self.said, self.fewest, self.limits, self.bans.no_repeat_ngram, allowed)
        return logp

    def go_on(self, rows: Array, tokens: Array) -> None:
        """Keep these rows, (N',), in this order, each with one token more, (N',); one can be kept several times."""
        if not np.array_equal(rows, np.arange(len(self.sentence))):
            self._select(rows)
        self.said = np.concatenate([self.said, tokens[None]])
        if self.constraint is not None:
            self.constraint = self.constraint.say(tokens)

    def complete(self, rows: Array, logp: Array) -> list[Hypothesis]:
        """The hypotheses that these rows are, once they have said <eos>, with their logp: a list of Hypothesis."""
        if not len(rows):
            return []
        tokens = self.said[:, rows].T
        looks = np.stack([look[rows] for look in self.looked], axis=1) if self.looked else [None] * len(rows)
        return [Hypothesis(*one) for one in zip(tokens, logp, logp, looks, strict=True)]

    def _select(self, rows):
        sentence, index = self.sentence[rows], asarray(rows)
        moved = not np.array_equal(sentence, self.sentence)  # beginnings of one sentence share what was read of it
        for k, model in enumerate(self.models):
            memory, state = self.under_way[k]
            picked, state = model.select_rows(memory if moved else None, state, index)
            self.under_way[k] = (picked if moved else memory), state
        self.sentence, self.limits, self.fewest = sentence, self.limits[rows], self.fewest[rows]
        self.said, self.looked = self.said[:, rows], [look[rows] for look in self.looked]
        if self.constraint is not None:
            self.constraint = self.constraint.select(rows)


def log_mean(logps: list[Array]) -> Array:
    """The log of the mean of probabilities, from a list of their logs."""
    if len(logps) == 1:
        return logps[0]
    xp = array_module(logps[0])
    stacked = xp.stack(logps)
    most = xp.maximum(stacked.max(axis=0), np.finfo(stacked.dtype).min)  # also of what no model can say
    p = xp.exp(stacked - most).mean(axis=0)
    return xp.where(p > 0, xp.log(xp.maximum(p, np.finfo(p.dtype).tiny)) + most, -np.inf)
