"""The text of a run, gone over pair by pair: counted and known again, parted, and put into ids."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import generator
from numseq.data.batches import Pairs
from numseq.data.cache import cached
from numseq.data.corpus import Corpus, Part, Rows
from numseq.data.encoding import Counts, encode, id_types, in_memory
from numseq.data.reading import DataError
from numseq.data.tokens import Tokens
from numseq.errors import ArgumentError
from numseq.training.data_options import DataOptions
from numseq.training.progress import progress_bar

HELD_OUT = 1000  # at most so many pairs, and at most one in twenty, when no validation data are given
MANY = 0.05  # a share of unknown tokens that something should be done about
Say = Callable[[str], Any]


@dataclass(frozen=True)
class Text:
    """The text of a run: training and validation pairs, and how many; a digest of all; whether the validation pairs
    were held out."""

    train: Corpus
    valid: Corpus
    n_train: int
    n_valid: int
    fingerprint: str
    held_out: bool

    def columns(self) -> tuple[Iterable[str], Iterable[str]]:
        """The sources, and the targets, to learn vocabularies from."""
        source, target = self.train.columns()
        names = "vocabulary of the source", "vocabulary of the target"
        return Shown(source, self.n_train, names[0]), Shown(target, self.n_train, names[1])

    @property
    def tags(self) -> tuple[str, ...]:
        """Those of the sources."""
        return self.train.tags


def survey(train: Corpus, valid: Corpus | None, seed: int, say: Say) -> Text:
    """Go over all text once. Args: valid, None to hold a seeded part of train out.

    Raises: DataError, ArgumentError, when a pair cannot be read, or there are too few.
    """
    digest = hashlib.sha256()
    n_train = _count(train, digest, say)
    digest.update(b"\t\n")
    n_valid = 0 if valid is None else _count(valid, digest, say)
    if valid is not None:
        return Text(train, valid, n_train, n_valid, digest.hexdigest(), False)
    held = hold_out(n_train, seed, train.groups())
    n_valid = int(held.sum())
    return Text(Part(train, ~held), Part(train, held), n_train - n_valid, n_valid, digest.hexdigest(), True)


def hold_out(n: int, seed: int, groups: Sequence[int] | None = None) -> np.ndarray:
    """Which of n pairs are for validation, (n,) booleans: a seeded sample of them, or of their groups.

    Raises: DataError, when n is below two, or all are of one group.
    """
    seed = arguments.whole(seed, "seed", least=0)
    if n < 2:
        raise DataError("one sentence pair cannot be split into training and validation: give validation files")
    if groups is not None:
        if (many := groups[-1] + 1) < 2:
            raise DataError("one dialogue or story cannot be split into training and validation: give validation files")
        return hold_out(many, seed)[list(groups)]
    held = np.zeros(n, dtype=bool)
    held[generator(seed).permutation(n)[: min(HELD_OUT, max(1, n // 20))]] = True
    return held


def _escaped(text):
    """A text in which a tab is told from the one between the sides, and a line feed from the one between pairs."""
    return text.replace("\0", "\0\0").replace("\t", "\0\t").replace("\n", "\0\n")


def _count(corpus, digest, say):
    n = 0
    for pair in Shown(corpus, None, "reading"):
        digest.update("\t".join(map(_escaped, pair)).encode() + b"\n")
        n += 1
    for note in corpus.notes:
        say(note)
    if not n:
        if isinstance(corpus, Rows) and not corpus.skipped:
            raise ArgumentError(f"{corpus.name} has no pair in it")
        raise DataError(f"{corpus.name}: no sentence pair in it")
    if corpus.skipped:
        say(f"skipped {corpus.skipped:,} pairs with an empty side in {corpus.name}")
    return n


class Shown:
    """What can be gone over again, with its progress each time."""

    def __init__(self, given: Iterable, total: int | None, what: str):
        self.given, self.total, self.what = given, total, what

    def __iter__(self) -> Iterator:
        bar, step = progress_bar(self.total, "pair", self.what), 1000
        try:
            for k, one in enumerate(self.given, 1):
                yield one
                if k % step == 0:
                    bar.update(step)
        finally:
            bar.close()


def ids_of(
    text: Text, part: str, tokens: tuple[Tokens, Tokens], data: DataOptions, seed: int, say: Say, copying: bool = False
) -> Pairs:
    """The ids of a part of the text, "training" or "validation", in memory or in the cache that the options name.

    copying: with what can be copied of the sources.
    Raises: DataError, when no pair is left, or the cache cannot be written.
    """
    corpus, n = (text.train, text.n_train) if part == "training" else (text.valid, text.n_valid)
    bar = progress_bar(n, "pair", f"tokens of the {part} pairs")
    how = data.longest, data.long, bar.update
    try:
        if data.cache is None:
            pairs, counts = in_memory(corpus, tokens, *how, copying)
            lines = _lines(part, counts, tokens, data, copying)
        else:

            def make(stores):
                return _lines(part, encode(corpus, tokens, stores, *how), tokens, data, copying)

            key: dict[str, Any] = {
                "text": text.fingerprint, "part": part, "held out": [seed, HELD_OUT] if text.held_out else None,
                "vocabularies": [hashlib.sha256(one.to_json().encode()).hexdigest() for one in tokens],
                "max_length": data.longest, "long": data.long,
            }  # fmt: skip
            key |= {"copying": True} if copying else {}
            pairs, lines = cached(data.cache, key, id_types(tokens, data.longest[0], copying), make, say)
    finally:
        bar.close()
    for line in lines:
        say(line)
    return pairs


def _lines(part, counts: Counts, tokens, data, copying):
    """What is to be said of the ids that were made. Raises: DataError, when there are none."""
    if not counts.kept:
        raise DataError(
            f"no {part} pair is left: all are without a source or of more than {data.max_length:,} tokens (see "
            "--max-length)"
        )
    lines = []
    if counts.empty:
        lines.append(f"left out {counts.empty:,} {part} pairs without a source")
    if counts.long:
        lines.append(f"left out {counts.long:,} {part} pairs of more than {data.max_length:,} tokens")
    if counts.shortened:
        done = "left out the oldest turns of {:,} {} pairs of" if data.long == "turns" else "cut {:,} {} pairs of"
        lines.append(f"{done.format(counts.shortened, part)} more than {data.longest[0]:,} tokens")
    for side, kind, unknown in zip(("source", "target"), tokens, counts.unknown, strict=True):
        if unknown:
            lines.append(f"{part} pairs, {side} tokens that are unknown: {unknown}")
            if part == "training" and unknown.share > MANY and not (copying and side == "source"):  # to be copied
                lines.append(_advice(side, kind, data))
    return lines


def _advice(side, tokens, data):
    """What keeps more tokens."""
    more = ["a lower --min-count"] if data.min_count != 1 else []
    more += ["a larger --max-vocabulary"] if data.max_vocabulary else []
    if tokens.kind == "word":
        more.append(f"--{side}-tokens bpe, which cuts rare words into pieces")
    return f"so many unknown {side} tokens teach little; what keeps more: {', or '.join(more)}"
