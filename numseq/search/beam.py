"""Beam search: keep the K best beginnings of a translation at every step, and the best complete ones.

    logp_t     = log of the mean over models of p(token | beginning, source)
    score      = sum of logp over the beginning's tokens, <eos> included
    final      = score / length ** a                            length normalisation, "average"
               | score / ((5 + length) / 6) ** a                "gnmt"
                 + b * sum over source positions j of log min(1, sum over t of alpha_tj)      coverage

All sentences and all their beams are rows of one batch; nothing loops over either. A sentence is done when it has n
complete hypotheses (n-best) and no beginning can still beat the worst of these: as logp <= 0, a beginning's final score
is at most its present score divided by the norm of the longest length allowed.

Source: Graves 2012, section 3; Wu et al. 2016, section 7 (length and coverage); Vijayakumar et al. 2018 (groups);
Paulus, Xiong & Socher 2018, section 2.5 (no n-gram twice).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numseq.backend import array_module, asarray, to_numpy
from numseq.data.tokens import BOS, EOS, PAD
from numseq.layers.activations import log_softmax
from numseq.models.config import ConfigError, whole

Array = Any
NORMS = ("average", "gnmt")
COLUMNS = 64  # of the vocabulary, whose maximum stands for them while the best tokens are looked for


@dataclass(frozen=True)
class BeamOptions:
    """How to search. Raises: ConfigError, naming the option, when a value makes no sense."""

    beam: int = 5  # hypotheses kept for each sentence
    nbest: int | None = None  # how many of the best must be certain before the search stops; None: as many as the beam
    length_penalty: float = 1.0  # the exponent a; 0 compares plain sums, which favours short translations
    norm: str = "average"  # or "gnmt"
    coverage_penalty: float = 0.0  # b
    min_length: int = 0  # tokens before <eos>
    min_ratio: float = 0.0  # the same, in lengths of the source; the larger of the two counts
    no_repeat_ngram: int = 0  # no n-gram of this length twice in a hypothesis; 0 allows all
    groups: int = 1  # of beams, each kept from saying what those before it said at the same step
    diversity: float = 0.5  # what a token loses for each beam of an earlier group that has just said it

    def __post_init__(self):
        for name in ("beam", "groups", "min_length", "no_repeat_ngram"):
            whole(name, getattr(self, name))
        if self.nbest is not None:
            whole("nbest", self.nbest)
        for name in ("beam", "groups"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 1")
        for name in ("length_penalty", "coverage_penalty", "min_length", "min_ratio", "no_repeat_ngram", "diversity"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 0")
        if self.nbest is not None and not 1 <= self.nbest <= self.beam:
            raise ConfigError(
                f"nbest is {self.nbest}: it must be at least 1 and at most the beam, which is {self.beam}"
            )
        if self.norm not in NORMS:
            raise ConfigError(f"norm is {self.norm!r}: choose one of {', '.join(NORMS)}")
        if self.beam % self.groups:
            raise ConfigError(f"groups is {self.groups}: it must divide the beam, which is {self.beam}")

    def divisor(self, length):
        """What a sum over `length` tokens, <eos> included, is divided by."""
        base = length if self.norm == "average" else (5 + length) / 6
        return base**self.length_penalty


@dataclass(slots=True)
class SearchStep:
    """What was thought of at one step, for each sentence (B, C): the best continuations, best first.

    token; parent, the beam of the step before that it continues; score, its sum of logp (less the diversity penalty);
    fate, of FATES: what became of it. beam, (B, C): which beam it is from now on, -1 for none.
    """

    token: Array
    parent: Array
    score: Array
    fate: Array
    beam: Array


FATES = ("kept", "complete", "worse than the beam", "impossible")
KEPT, COMPLETE, WORSE, IMPOSSIBLE = range(len(FATES))


@dataclass(slots=True)
class BeamResult:
    """The best complete hypotheses of each sentence, best first. NumPy arrays; K is the beam.

    ids (T, B, K): tokens, <eos> included, PAD after it. lengths (B, K): tokens before <eos>. logp (B, K): sums of
    log-probabilities, <eos> included. scores (B, K): the normalised scores that they are ordered by; -inf where there
    are fewer than K. alpha (T, B, K, S): attention weights, None for plain models, or when not asked for.
    steps: a list of SearchStep, when the trace was asked for.
    """

    ids: Array
    lengths: Array
    logp: Array
    scores: Array
    alpha: Array | None
    steps: list[SearchStep] = field(default_factory=list)


def beam_search(models, source, source_mask, limits, options=None, *, keep_alpha=True, keep_steps=False):
    """Search a batch of sentences.

    Equations: those of the module.

    Args: models, a Seq2Seq, or a list of them with the same vocabularies, whose probabilities are averaged.
        source, (S, B) ids. source_mask, (S, B). limits, (B,) integers: the most tokens of each sentence, <eos> not
        counted. options, BeamOptions. keep_alpha, keep_steps: whether the result has `alpha` and `steps`.
    Returns: a BeamResult.
    """
    return _Search(models, source, source_mask, limits, options or BeamOptions(), keep_alpha, keep_steps).run()


class _Search:
    """One search under way. Rows of the batch are (sentence, beam), sentence by sentence; `alive` are the sentences
    that are not done, and only they have rows."""

    def __init__(self, models, source, source_mask, limits, options, keep_alpha, keep_steps):
        self.models = models if isinstance(models, (list, tuple)) else [models]
        self.options, self.keep_alpha, self.keep_steps = options, keep_alpha, keep_steps
        self.xp, self.K, self.B = array_module(source), options.beam, source.shape[1]
        self.limits = to_numpy(limits)
        self.mask = np.ones(source.shape, dtype=bool) if source_mask is None else to_numpy(source_mask)
        self.fewest = np.maximum(options.min_length, np.ceil(options.min_ratio * self.mask.sum(axis=0)))
        self.alive = np.arange(self.B)
        rows = asarray(np.repeat(self.alive, self.K))
        started = [model.start(source, source_mask) for model in self.models]
        self.parts = [model.of_rows(*part, rows) for model, part in zip(self.models, started, strict=True)]
        self.history = np.empty((0, self.B * self.K), dtype=np.int64)  # (t, rows): what each beginning has said
        self.score = np.full((self.B, self.K), -np.inf)  # what beams compete by
        self.score[:, :: self.K // options.groups] = 0  # one empty beginning a group, from which its beams are filled
        self.logp = np.zeros((self.B, self.K))  # the same without the diversity penalty
        self.covered = None  # (rows, S): attention so far
        self.looked = []  # (rows, S) of each step, ordered like history
        self.done = _Complete(self.B, self.K, options.nbest or self.K)
        self.steps = []

    def run(self):
        for t in range(int(self.limits.max()) + 1):
            logp, alpha = self._predict(t)
            if alpha is not None:
                self.covered = alpha if self.covered is None else self.covered + alpha
                if self.keep_alpha:
                    self.looked = [*self.looked, alpha]
            self._forbid(logp, t)
            token, parent, score = self._best(logp)
            row = np.arange(len(token))[:, None] * self.K + parent
            said = to_numpy(logp[asarray(row), asarray(token)]).astype(np.float64)
            total = np.take_along_axis(self.logp, parent, axis=1) + said
            kept = self._finish(token, parent, score, total, t)
            if not self._keep(token, parent, score, total, kept, t):
                break
        return self.done.result(self.steps)

    def _predict(self, t):
        """Log-probabilities (rows, V) of the next token, and attention (rows, S), means over the models."""
        ids = self.xp.full(len(self.alive) * self.K, BOS) if t == 0 else asarray(self.history[-1])
        logps, alphas = [], []
        for k, model in enumerate(self.models):
            memory, state = self.parts[k]
            logits, state, alpha = model.step(ids, state, memory)
            self.parts[k] = memory, state
            logps.append(log_softmax(logits))
            if alpha is not None:
                alphas.append(to_numpy(alpha))
        logp = logps[0]
        if len(logps) > 1:  # log of the mean probability
            both = self.xp.stack(logps)
            most = both.max(axis=0)
            logp = self.xp.log(self.xp.exp(both - most).mean(axis=0)) + most
        alpha = np.mean(alphas, axis=0) if len(alphas) == len(logps) else None
        return logp, alpha

    def _forbid(self, logp, t):
        """Give -inf to what may not be said now."""
        xp, rows, ends = self.xp, np.arange(len(logp)), logp[:, EOS].copy()
        logp[:, PAD] = logp[:, BOS] = -xp.inf  # no sentence contains them
        limits = np.repeat(self.limits[self.alive], self.K)
        fewest = np.repeat(self.fewest[self.alive], self.K)
        logp[asarray(rows[t < np.minimum(fewest, limits)]), EOS] = -xp.inf
        n = self.options.no_repeat_ngram
        if n and t >= n:
            windows = np.lib.stride_tricks.sliding_window_view(self.history, n, axis=0)  # (t - n + 1, rows, n)
            begun = self.history[t - n + 1 :].T  # (rows, n - 1): what would be completed
            again = (windows[..., :-1] == begun).all(axis=-1)
            step, row = np.nonzero(again)
            logp[asarray(row), asarray(windows[step, row, -1])] = -xp.inf
        last = asarray(rows[limits == t])
        if len(last):  # only <eos> is left to say; its probability counts
            logp[last] = -xp.inf
            logp[last, EOS] = ends[last]
        if n:  # where all has been said already, too
            speechless = xp.isinf(logp).all(axis=1)
            logp[:, EOS] = xp.where(speechless, ends, logp[:, EOS])

    def _best(self, logp):
        """The best continuations of each sentence: token, parent beam and score, (sentences, 2K), best first.

        K of them count; the others are for the trace. With groups, each group chooses among its own beams, one after
        the other.
        """
        groups, N = self.options.groups, len(self.alive)
        per, V = self.K // groups, logp.shape[-1]
        score = asarray(self.score.astype(np.dtype(logp.dtype)))
        said = self.xp.zeros((N, V), dtype=logp.dtype) if groups > 1 else None
        found = []
        for g in range(groups):
            beams = slice(g * per, (g + 1) * per)
            total = score[:, beams, None] + logp.reshape(N, self.K, V)[:, beams]
            if said is not None:
                total = total - self.options.diversity * said[:, None]
            value, index = best(total.reshape(N, per * V), min(2 * per, per * V))
            value, index = to_numpy(value).astype(np.float64), to_numpy(index)
            token, parent = index % V, index // V + g * per
            if said is not None:
                for k in range(per):
                    real = np.isfinite(value[:, k])  # a group that has ended says nothing
                    said[asarray(np.flatnonzero(real)), asarray(token[real, k])] += 1
            found.append((token, parent, value))
        return [np.concatenate(part, axis=1) for part in zip(*found, strict=True)]

    def _finish(self, token, parent, score, logp, t):
        """Put the hypotheses that end now among the complete ones; returns where a continuation is kept, a mask.

        Of the K best continuations (of a group), those that end are complete and the others go on. So a beam of 1 is
        greedy, and what is not among the K best plays no part.
        """
        groups = self.options.groups
        per, width = self.K // groups, token.shape[1] // groups
        possible = np.isfinite(score)
        among_best = np.tile(np.arange(width) < per, groups)
        complete = (token == EOS) & possible & among_best
        kept = (token != EOS) & possible & among_best
        sentence, slot = np.nonzero(complete)
        row = sentence * self.K + parent[sentence, slot]
        final = logp[sentence, slot] / self.options.divisor(t + 1)
        if self.options.coverage_penalty and self.covered is not None:
            seen = np.log(np.clip(self.covered[row], 1e-10, 1))
            real = self.mask.T[self.alive[sentence]]
            final = final + self.options.coverage_penalty * np.where(real, seen, 0).sum(axis=-1)
        alpha = np.stack([look[row] for look in self.looked]) if self.looked else None
        self.done.add(self.alive[sentence], final, logp[sentence, slot], self.history[:, row], alpha)
        if self.keep_steps:
            fate = np.select([kept, complete, possible], [KEPT, COMPLETE, WORSE], IMPOSSIBLE)
            self._note(token, parent, score, fate, kept)
        return kept

    def _note(self, token, parent, score, fate, kept):
        groups = self.options.groups
        by_group = kept.reshape(len(kept), groups, -1)
        number = by_group.cumsum(axis=2) - 1 + np.arange(groups)[:, None] * (self.K // groups)
        beam = np.where(kept, number.reshape(kept.shape), -1)
        whole = [np.full((self.B, token.shape[1]), fill) for fill in (PAD, -1, -np.inf, IMPOSSIBLE, -1)]
        for array, part in zip(whole, (token, parent, score, fate, beam), strict=True):
            array[self.alive] = part
        self.steps.append(SearchStep(*whole))

    def _keep(self, token, parent, score, logp, kept, t):
        """Go on with the kept continuations of the sentences that are not done; False when all are."""
        groups = self.options.groups
        by_group = kept.reshape(len(kept), groups, -1)
        first = np.argsort(~by_group, axis=2, kind="stable")[
            :, :, : self.K // groups
        ]  # the kept ones first, best first
        order = (first + np.arange(groups)[:, None] * by_group.shape[2]).reshape(len(kept), self.K)
        pick = lambda x: np.take_along_axis(x, order, axis=1)  # noqa: E731
        token, parent, logp, real = pick(token), pick(parent), pick(logp), pick(kept)
        score = np.where(real, pick(score), -np.inf)
        bound = np.where(real, logp, -np.inf).max(axis=1) / self.options.divisor(self.limits[self.alive] + 1)
        open_ = (bound > self.done.worst[self.alive]) & (self.limits[self.alive] > t)
        if not open_.any():
            return False
        sentences = np.flatnonzero(open_)
        row = (sentences[:, None] * self.K + parent[sentences]).reshape(-1)
        self.alive, self.score, self.logp = self.alive[sentences], score[sentences], logp[sentences]
        self.history = np.concatenate([self.history[:, row], token[sentences].reshape(1, -1)])
        self.looked = [look[row] for look in self.looked]
        self.covered = None if self.covered is None else self.covered[row]
        rows, shrinks = asarray(row), len(sentences) < len(open_)
        for k, model in enumerate(self.models):
            memory, state = self.parts[k]
            moved = model.of_rows(memory if shrinks else None, state, rows)
            self.parts[k] = (moved[0] if shrinks else memory), moved[1]
        return True


class _Complete:
    """The K best complete hypotheses of each sentence so far."""

    def __init__(self, B, K, nbest):
        self.K, self.nbest = K, nbest
        self.found = [[] for _ in range(B)]  # (final score, logp, tokens, alpha)
        self.worst = np.full(B, -np.inf)  # final score of the nbest-th, -inf while there are fewer

    def add(self, sentences, final, logp, history, alpha):
        for n, b in enumerate(sentences.tolist()):
            looks = None if alpha is None else alpha[:, n]
            found = self.found[b]
            if any(np.array_equal(history[:, n], tokens) for _, _, tokens, _ in found):
                continue  # another group has said the same
            found.append((float(final[n]), float(logp[n]), history[:, n], looks))
            found.sort(key=lambda one: -one[0])  # stable: of equals, the one found first
            del found[self.K :]
            if len(found) >= self.nbest:
                self.worst[b] = found[self.nbest - 1][0]

    def result(self, steps):
        B, K = len(self.found), self.K
        T = 1 + max((len(tokens) for found in self.found for _, _, tokens, _ in found), default=0)
        ids, lengths = np.full((T, B, K), PAD), np.zeros((B, K), dtype=np.int64)
        logp, scores = np.full((B, K), -np.inf), np.full((B, K), -np.inf)
        widths = [looks.shape[-1] for found in self.found for *_, looks in found if looks is not None]
        alpha = np.zeros((T, B, K, widths[0])) if widths else None
        for b, found in enumerate(self.found):
            for k, (final, total, tokens, looks) in enumerate(found):
                n = len(tokens)
                ids[:n, b, k], ids[n, b, k], lengths[b, k] = tokens, EOS, n
                scores[b, k], logp[b, k] = final, total
                if looks is not None:
                    alpha[: n + 1, b, k] = looks
        return BeamResult(ids, lengths, logp, scores, alpha, steps)


def best(x, k):
    """The k largest of each row of x (N, M), largest first: values and indices (N, k).

    On the host they are looked for among the columns of the k blocks with the largest maxima, which hold them all, so
    that the M numbers are read once. Of equal numbers, the first is the larger.
    """
    xp, M = array_module(x), x.shape[1]
    if xp is not np:
        index = xp.argsort(-x, axis=1)[:, :k]
        return xp.take_along_axis(x, index, axis=1), index
    columns = np.arange(M)[None]
    if 4 * k * COLUMNS < M:
        starts = np.arange(0, M, COLUMNS)
        largest = np.maximum.reduceat(x, starts, axis=1)
        blocks = np.sort(np.argsort(-largest, axis=1, kind="stable")[:, :k], axis=1)
        columns = (blocks[:, :, None] * COLUMNS + np.arange(COLUMNS)).reshape(len(x), -1)
        x = np.where(columns < M, np.take_along_axis(x, np.minimum(columns, M - 1), axis=1), -np.inf)
    order = np.argsort(-x, axis=1, kind="stable")[:, :k]
    columns = np.broadcast_to(columns, x.shape)
    return np.take_along_axis(x, order, axis=1), np.take_along_axis(columns, order, axis=1)
