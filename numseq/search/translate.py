"""A Translator: lines of text in, lines of text out."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from types import NoneType
from typing import Any, Self

from numseq import arguments
from numseq.data.batches import Pairs, Ragged
from numseq.data.copying import Copier
from numseq.data.long import LONG
from numseq.data.tokens import Tokens
from numseq.errors import ArgumentError, ConfigError, shown
from numseq.search.beam import BeamOptions
from numseq.search.constraints import Constraint
from numseq.search.greedy import GreedyOptions
from numseq.search.pools import How, translated
from numseq.search.sampling import SamplingOptions
from numseq.search.scoring import EXTRA, MAX_LENGTH, MAX_RATIO, score
from numseq.search.translation import Translation
from numseq.threads import blas_threads, choose_threads

POOL = 20  # batches whose lines are sorted by length together: lines come out in order, soon after they went in


@dataclass(slots=True)
class Translator:
    """A model with its two vocabularies; `others` are further models of the same vocabularies, an ensemble with it.
    extra: how many tokens a translation may have beyond `max_ratio` times the source's; of a run, what its data need.

    Raises: ArgumentError, when a vocabulary is not of the model's size; ConfigError, when vocabularies differ
        (`ensemble`).
    """

    model: Any
    source_tokens: Any
    target_tokens: Any
    others: list = field(default_factory=list)
    extra: int = EXTRA

    def __post_init__(self) -> None:
        self.extra = arguments.whole(self.extra, "extra", least=0, most=10**6)
        arguments.having(self.model, "model", "a Seq2Seq", "config", "params")
        for side in ("source", "target"):
            tokens = arguments.one_of(getattr(self, f"{side}_tokens"), f"{side}_tokens", Tokens)
            if len(tokens) != (size := getattr(self.model.config, f"{side}_vocabulary")):
                raise ArgumentError(f"{side}_tokens has {len(tokens):,} tokens, and the model {size:,}")

    @classmethod
    def ensemble(cls, translators: Sequence[Self]) -> Self:
        """One translator of several, whose probabilities are averaged."""
        translators = arguments.listed(translators, "translators", "a list of Translators")
        for k, one in enumerate(translators):
            arguments.one_of(one, f"translators[{k}]", Translator)
        if not translators:
            raise ArgumentError("translators holds none: an ensemble has at least one")
        first = translators[0]
        for other in translators[1:]:
            if other.copies != first.copies:
                raise ConfigError("a model that copies and one that does not cannot decode together")
            for side in ("source_tokens", "target_tokens"):
                if getattr(first, side).to_json() != getattr(other, side).to_json():
                    raise ConfigError(
                        f"models with different {side.split('_')[0]} vocabularies cannot decode together: "
                        "train them on the same data"
                    )
        return cls(
            first.model, first.source_tokens, first.target_tokens, [translator.model for translator in translators[1:]],
            max(translator.extra for translator in translators),
        )  # fmt: skip

    @property
    def copies(self) -> bool:
        """Does the model copy words of the source?"""
        return self.model.config.copies

    def encode(self, pairs: Iterable[tuple[str, str]], max_length: int | None = None, long: str = "drop") -> Pairs:
        """The ids of (source, target) strings, as the model takes them. max_length, long: see `Pairs.encode`."""
        return Pairs.encode(pairs, self.source_tokens, self.target_tokens, self.copies, max_length, long)

    def copyable(self, lines: Iterable[str]) -> list[dict[str, int]]:
        """Of each line the words that can be copied and that the target's vocabulary lacks."""
        if not self.copies:
            return [{} for _ in lines]
        copier = Copier(self.source_tokens, self.target_tokens)
        return [copier.read(line).new for line in lines]

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
        max_ratio: float = MAX_RATIO,
        extra: int | None = None,
        max_length: int = MAX_LENGTH,
        long: str = "drop",
        numbered_from: int = 0,
        threads: int | None = None,
        constraint: Constraint | None = None,
    ) -> Iterator[Translation]:
        """Translate lines and yield a Translation for each, in their order, as soon as it is there.

        Args: lines, strings, of which POOL batches are taken at a time. batch_size, lines worked on together. search,
            GreedyOptions, BeamOptions or SamplingOptions; None for greedy search without bans. replace_unk, a dict of
            source word to translation: an <unk> becomes the translation of the source word that it attended to most, or
            that word itself when the dict has none; None leaves <unk>. max_ratio, extra: a line of n tokens becomes at
            most max_ratio * n + extra; None for the Translator's. max_length, long: of a line of more tokens its
            beginning is translated ("cut"), or its latest turns ("turns"), and its Translation is `shortened`; or
            nothing ("drop"), and its Translation is empty and `too_long`. numbered_from, the number of the first line:
            sampling draws by line number. threads, of the matrix products; None for as many as suit the model and
            batch_size (`numseq.threads.choose_threads`). constraint, what translations have to be, of the
            target's vocabulary; `numseq.search.constraints`.
        Raises: ArgumentError, for what is of another kind or out of bounds; ConfigError, when <unk> is to be replaced
            without an attention to the words of the source, as where an encoder shortens time.
        """
        batch_size = arguments.whole(batch_size, "batch_size", least=1)
        arguments.one_of(search, "search", GreedyOptions, BeamOptions, SamplingOptions, NoneType)
        max_ratio = arguments.number(max_ratio, "max_ratio", least=0, most=1e6)
        extra = self.extra if extra is None else arguments.whole(extra, "extra", least=0, most=10**6)
        max_length = arguments.whole(max_length, "max_length", least=1)
        if long not in LONG:
            raise ArgumentError(f"long is {shown(long)}: choose one of {', '.join(LONG)}")
        numbered_from = arguments.whole(numbered_from, "numbered_from", least=0)
        if replace_unk is not None:
            arguments.dictionary(replace_unk, "replace_unk", "a dict of source words to translations, which may be {}")
        if replace_unk is not None and any(not m.config.attends for m in (self.model, *self.others)):
            raise ConfigError("a plain model attends to nothing, so its unknown words cannot be replaced")
        if replace_unk is not None:
            replace_unk = {self.source_tokens.normalize(word): said for word, said in replace_unk.items()}
        self.check_constraint(constraint)
        threads = choose_threads(threads, self.model.params, batch_size)
        how = How(batch_size, search, replace_unk, max_ratio, extra, max_length, long, threads, constraint)
        lines = enumerate(arguments.iterated(lines, "lines", "texts, such as a list of strings"))
        start = numbered_from
        while pool := [arguments.text(line, f"lines[{k}]").strip() for k, line in islice(lines, POOL * batch_size)]:
            yield from translated(self, pool, start, how)
            start += len(pool)

    def check_constraint(self, constraint: Constraint | None) -> None:
        """Raise ArgumentError, unless it is one of the vocabulary of the target, or None."""
        arguments.one_of(constraint, "constraint", Constraint, NoneType)
        if constraint is None or constraint.tokens is self.target_tokens:
            return
        if constraint.tokens.to_json() != self.target_tokens.to_json():
            raise ArgumentError("constraint is of another vocabulary than the model's target: make it with that")

    def rescore(self, translations: list[Translation], batch_size: int = 64) -> list[Translation]:
        """Put n-best lists in the order of this model's own mean log-probability of a token.

        Args: translations, as another translator gave them with `others`; batch_size, hypotheses scored together.
        Returns: a list of Translations with new score and logp, the best first and the rest in its `others`.
        """
        batch_size = arguments.whole(batch_size, "batch_size", least=1)
        translations = arguments.listed(translations, "translations", "a list of Translations")
        for k, one in enumerate(translations):
            arguments.one_of(one, f"translations[{k}]", Translation)
        lists = [[first, *first.others] if first.target else [] for first in translations]
        flat = [one for found in lists for one in found]
        pairs = [(self.source_tokens.join(one.source), self.target_tokens.join(one.target[:-1])) for one in flat]
        coded = self.encode(pairs) if pairs else Pairs(Ragged([]), Ragged([]))
        with blas_threads(choose_threads(None, self.model.params, batch_size)):
            scored = iter(score(self.model, coded, batch_size, max_length=sys.maxsize))  # none is too long
        results = []
        for first, found in zip(translations, lists, strict=True):
            known = [(one, next(scored)) for one in found]
            new = [replace(one, score=float(s.logp.mean()), logp=s.total, others=[]) for one, s in known]
            new.sort(key=lambda one: -one.score)
            results.append(replace(new[0], others=new[1:]) if new else first)
        return results
