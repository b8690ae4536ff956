"""Lines of text in, lines of text out: tokens, batches, search, and back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from numseq.backend import Array, asarray
from numseq.data.batches import Pairs, Ragged, plan_batches
from numseq.data.tokens import EOS, SPECIAL, UNK
from numseq.errors import ConfigError
from numseq.search.beam import BeamOptions, beam_search
from numseq.search.greedy import greedy
from numseq.search.sampling import SamplingOptions, sample
from numseq.search.scoring import score
from numseq.threads import blas_threads, choose_threads

POOL = 20  # batches whose lines are sorted by length together: lines come out in order, soon after they went in


@dataclass(slots=True)
class Translation:
    """One line's result. alpha (len(target), len(places)): a row for each token said, None without an attention.

    score, what hypotheses are ordered by, and logp, log p(target | source) in nats; None of an empty line. others: the
    next best Translations, or the other samples, of the same line.
    """

    text: str
    source: list[str]  # tokens
    target: list[str]  # tokens, <eos> last
    alpha: Array | None
    score: float | None = None
    logp: float | None = None
    others: list["Translation"] = field(default_factory=list)

    @property
    def places(self) -> list[str]:
        """What alpha's columns are: the source's tokens, or numbers, where an encoder made other places of them."""
        n = self.alpha.shape[1]
        return self.source if n == len(self.source) else [str(place) for place in range(n)]


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
    def ensemble(cls, translators: Sequence[Self]) -> Self:
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

    def translate(
        self, lines: Iterable[str], batch_size: int = 64, search: Any = None, **options: Any
    ) -> list[Translation]:
        """Translate lines; the order is kept, an empty line gives an empty line. Args: see `stream`."""
        return list(self.stream(lines, batch_size, search, **options))

    def stream(
        self,
        lines: Iterable[str],
        batch_size: int = 64,
        search: Any = None,
        *,
        replace_unk: dict[str, str] | None = None,
        max_ratio: float = 2.0,
        extra: int = 10,
        numbered_from: int = 0,
        threads: int | None = None,
    ) -> Iterator[Translation]:
        """Translate lines and yield a Translation for each, in their order, as soon as it is there.

        Args: lines, strings. batch_size, lines worked on together. search, GreedyOptions, BeamOptions or
            SamplingOptions; None for greedy search without bans. replace_unk, a dict of source word to translation: an
            <unk> becomes the translation of the source word that it attended to most, or that word itself when the dict
            has none; None leaves <unk>. max_ratio, extra: a line of n tokens becomes at most max_ratio * n + extra.
            numbered_from, the number of the first line: sampling draws by line number. threads, of the matrix products;
            None for as many as suit the model and batch_size (`numseq.threads.choose_threads`).
        Raises: ConfigError, when max_ratio or extra is out of bounds, or <unk> is to be replaced without an attention
            to the words of the source, as where an encoder shortens time.
        """
        if not (0 <= max_ratio <= 1e6 and 0 <= extra <= 1e6):
            raise ConfigError(f"at most {max_ratio} * n + {extra} tokens: both numbers must be from 0 to a million")
        if replace_unk is not None and any(not m.config.attends for m in (self.model, *self.others)):
            raise ConfigError("a plain model attends to nothing, so its unknown words cannot be replaced")
        lines = [line.strip() for line in lines]
        threads = choose_threads(threads, self.model.params, batch_size)
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
                    sources, rows, pool, search, replace_unk, most[rows], numbered_from + start, threads
                ):
                    results[k] = result
                done[rows] = True
                while said < len(pool) and done[said]:
                    yield results[said]
                    said += 1
            yield from results[said:]

    def rescore(self, translations: list[Translation], batch_size: int = 64) -> list[Translation]:
        """Put n-best lists in the order of this model's own mean log-probability of a token.

        Args: translations, as another translator gave them with `others`; batch_size, hypotheses scored together.
        Returns: a list of Translations with new score and logp, the best first and the rest in its `others`.
        """
        lists = [[first, *first.others] if first.source else [] for first in translations]
        flat = [one for found in lists for one in found]
        pairs = [(self.source_tokens.join(one.source), self.target_tokens.join(one.target[:-1])) for one in flat]
        coded = Pairs.encode(pairs, self.source_tokens, self.target_tokens) if pairs else Pairs(Ragged([]), Ragged([]))
        with blas_threads(choose_threads(None, self.model.params, batch_size)):
            scored = iter(score(self.model, coded, batch_size))
        results = []
        for first, found in zip(translations, lists, strict=True):
            known = [(one, next(scored)) for one in found]
            new = [replace(one, score=float(s.logp.mean()), logp=s.total, others=[]) for one, s in known]
            new.sort(key=lambda one: -one.score)
            results.append(replace(new[0], others=new[1:]) if new else first)
        return results

    def _batch(self, sources, rows, lines, search, replace_unk, limits, first, threads):
        source, mask = sources.pad(rows)
        with blas_threads(threads):
            found = self._search(search, asarray(source), asarray(mask), limits, first + rows)
        for b, k in enumerate(rows):
            words = self.source_tokens.split(lines[k])
            real = slice(None) if found.places is None else found.places[b]
            hypotheses = [self._translation(words, one, real) for one in found.of_sentence(b)]
            if replace_unk is not None:
                for hypothesis in hypotheses:
                    self._replace(hypothesis, replace_unk)
            hypotheses[0].others = hypotheses[1:]
            yield k, hypotheses[0]

    def _search(self, options, source, mask, limits, numbers):
        given = [self.model, *self.others], source, mask, limits
        if isinstance(options, BeamOptions):
            return beam_search(*given, options)
        if isinstance(options, SamplingOptions):
            return sample(*given, options, numbers)
        return greedy(*given, options)

    def _translation(self, words, found, real):
        said = found.tokens.tolist()
        return Translation(
            text=self.target_tokens.decode(said),
            source=words,
            target=[self.target_tokens.token(t) for t in said] + [SPECIAL[EOS]],
            alpha=None if found.alpha is None else found.alpha[:, real],
            score=found.score,
            logp=found.logp,
        )

    def _replace(self, hypothesis, dictionary):
        if hypothesis.alpha is None or hypothesis.places != hypothesis.source:
            raise ConfigError(
                "<unk> is replaced by where the model looks, but here it is not at the words of the source"
            )
        for t, token in enumerate(hypothesis.target):
            if token == SPECIAL[UNK]:
                word = hypothesis.source[int(hypothesis.alpha[t].argmax())]
                hypothesis.target[t] = dictionary.get(word, word)
        hypothesis.text = self.target_tokens.join(hypothesis.target[:-1])
