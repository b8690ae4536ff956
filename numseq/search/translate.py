"""Lines of text in, lines of text out: tokens, batches, search, and back."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numseq.backend import asarray
from numseq.data.batches import Pairs, Ragged, plan_batches
from numseq.data.tokens import EOS, SPECIAL, UNK
from numseq.models.config import ConfigError
from numseq.search.beam import BeamOptions, beam_search
from numseq.search.greedy import greedy
from numseq.search.sampling import SamplingOptions, sample
from numseq.search.scoring import score

Array = Any
POOL = 20  # batches whose lines are sorted by length together: lines come out in order, soon after they went in


@dataclass(slots=True)
class Translation:
    """One line's result. alpha (len(target), len(source)): a row for each token said, None for the plain model.

    score, what hypotheses are ordered by, and logp, log p(target | source) in nats; None from greedy search. others:
    the next best Translations, or the other samples, of the same line.
    """

    text: str
    source: list[str]  # tokens
    target: list[str]  # tokens, <eos> last
    alpha: Array | None
    score: float | None = None
    logp: float | None = None
    others: list["Translation"] = field(default_factory=list)


@dataclass(slots=True)
class Translator:
    """A model with its two vocabularies; `others` are further models of the same vocabularies, an ensemble with it.

    Raises: ConfigError, when vocabularies differ (`ensemble`).
    """

    model: Any
    source_tokens: Any
    target_tokens: Any
    others: list = field(default_factory=list)

    @classmethod
    def ensemble(cls, translators):
        """One translator of several, whose probabilities are averaged."""
        first = translators[0]
        for other in translators[1:]:
            for side in ("source_tokens", "target_tokens"):
                if getattr(first, side).to_json() != getattr(other, side).to_json():
                    raise ConfigError(
                        f"models with different {side.split('_')[0]} vocabularies cannot decode together: "
                        "train them on the same data"
                    )
        return cls(
            first.model, first.source_tokens, first.target_tokens, [translator.model for translator in translators[1:]]
        )

    def translate(self, lines, batch_size=64, search=None, **options):
        """Translate lines; the order is kept, an empty line gives an empty line. Args: see `stream`."""
        return list(self.stream(lines, batch_size, search, **options))

    def stream(self, lines, batch_size=64, search=None, *, replace_unk=None, max_ratio=2.0, extra=10, numbered_from=0):
        """Translate lines and yield a Translation for each, in their order, as soon as it is there.

        Args: lines, strings. batch_size, lines worked on together. search, None for greedy search, BeamOptions or
            SamplingOptions. replace_unk, a dict of source word to translation: an <unk> becomes the translation of the
            source word that it attended to most, or that word itself when the dict has none; None leaves <unk>.
            max_ratio, extra: a line of n tokens becomes at most max_ratio * n + extra. numbered_from, the number of the
            first line: sampling draws by line number.
        Raises: ConfigError, when max_ratio or extra is out of bounds, samples are asked of an ensemble, or a plain
            model is to replace <unk>.
        """
        if not (0 <= max_ratio <= 1e6 and 0 <= extra <= 1e6):
            raise ConfigError(f"at most {max_ratio} * n + {extra} tokens: both numbers must be from 0 to a million")
        if self.others and not isinstance(search, BeamOptions):
            search = BeamOptions(beam=1) if search is None else search
            if isinstance(search, SamplingOptions):
                raise ConfigError("samples are drawn from one model, not from several")
        if replace_unk is not None and any(not m.config.attends for m in (self.model, *self.others)):
            raise ConfigError("a plain model attends to nothing, so its unknown words cannot be replaced")
        lines = [line.strip() for line in lines]
        for start in range(0, len(lines), POOL * batch_size):
            pool = lines[start : start + POOL * batch_size]
            results = [Translation("", [], [], None) for _ in pool]
            sources = Ragged(self.source_tokens.encode(pool))
            real = np.flatnonzero(sources.lengths)
            lengths = sources.lengths[real]
            most = (max_ratio * sources.lengths + extra).astype(np.int64)
            done = sources.lengths == 0
            said = 0
            for batch in plan_batches(lengths, lengths, batch_size) if len(real) else []:
                rows = real[batch]
                for k, result in self._batch(
                    sources, rows, pool, search, replace_unk, most[rows], numbered_from + start
                ):
                    results[k] = result
                done[rows] = True
                while said < len(pool) and done[said]:
                    yield results[said]
                    said += 1
            yield from results[said:]

    def rescore(self, translations, batch_size=64):
        """Put n-best lists in the order of this model's own mean log-probability of a token.

        Args: translations, as another translator gave them with `others`; batch_size, hypotheses scored together.
        Returns: a list of Translations with new score and logp, the best first and the rest in its `others`.
        """
        lists = [[first, *first.others] if first.source else [] for first in translations]
        flat = [one for found in lists for one in found]
        pairs = [(self.source_tokens.join(one.source), self.target_tokens.join(one.target[:-1])) for one in flat]
        coded = Pairs.encode(pairs, self.source_tokens, self.target_tokens) if pairs else []
        scored = iter(score(self.model, coded, batch_size) if pairs else [])
        results = []
        for first, found in zip(translations, lists, strict=True):
            known = [(one, next(scored)) for one in found]
            new = [replace(one, score=float(s.logp.mean()), logp=s.total, others=[]) for one, s in known]
            new.sort(key=lambda one: -one.score)
            results.append(replace(new[0], others=new[1:]) if new else first)
        return results

    def _batch(self, sources, rows, lines, search, replace_unk, limits, first):
        source, mask = sources.pad(rows)
        arrays = asarray(source), asarray(mask), limits
        if search is None:
            found = greedy(self.model, *arrays)
            found = (found.ids[:, :, None], found.lengths[:, None], _middle(found.alpha), None, None)
        else:
            if isinstance(search, SamplingOptions):
                found = sample(self.model, *arrays, search, numbers=first + rows)
            else:
                found = beam_search([self.model, *self.others], *arrays, search)
            found = (found.ids, found.lengths, found.alpha, found.scores, found.logp)
        for b, k in enumerate(rows):
            words = self.source_tokens.split(lines[k])
            count = found[1].shape[1] if found[3] is None else int(np.isfinite(found[3][b]).sum())
            hypotheses = [self._hypothesis(words, found, b, j) for j in range(count)]
            if replace_unk is not None:
                for hypothesis in hypotheses:
                    self._replace(hypothesis, replace_unk)
            hypotheses[0].others = hypotheses[1:]
            yield k, hypotheses[0]

    def _hypothesis(self, words, found, b, j):
        ids, lengths, alpha, scores, logp = found
        length = lengths[b, j]
        said = ids[:length, b, j].tolist()
        return Translation(
            text=self.target_tokens.decode(said),
            source=words,
            target=[self.target_tokens.token(t) for t in said] + [SPECIAL[EOS]],
            alpha=None if alpha is None else alpha[: length + 1, b, j, : len(words)],
            score=None if scores is None else float(scores[b, j]),
            logp=None if logp is None else float(logp[b, j]),
        )

    def _replace(self, hypothesis, dictionary):
        for t, token in enumerate(hypothesis.target):
            if token == SPECIAL[UNK]:
                word = hypothesis.source[int(hypothesis.alpha[t].argmax())]
                hypothesis.target[t] = dictionary.get(word, word)
        hypothesis.text = self.target_tokens.join(hypothesis.target[:-1])


def _middle(alpha):
    return None if alpha is None else alpha[:, :, None]


def mean_loss(model, pairs, batch_size=64):
    """Mean negative log-likelihood of the targets, nats per token (<eos> counts); perplexity is its exp.

    Args: model, a Seq2Seq. pairs, a Pairs. batch_size, rows computed together.
    """
    total = tokens = 0
    for rows in plan_batches(pairs.source.lengths, pairs.target.lengths, batch_size):
        batch = pairs.batch(rows)
        total += float(model.forward(batch).loss) * batch.tokens
        tokens += batch.tokens
    return total / tokens
