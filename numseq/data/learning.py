"""Learning a vocabulary from text: which words, characters or sub-words it has. The text is gone over line by line.

Words and characters are the most frequent ones. Sub-words begin as characters: bpe joins the pair of neighbours that
occurs most often, again and again; unigram begins with all frequent pieces and takes those away that the text's
likelihood misses least. A word's first piece begins with ▁, which stands for the space.

Source: Sennrich et al. 2016 (bpe); Kudo 2018 (unigram).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from numseq.data.kinds import MARK, SPECIAL, SUBWORDS, UNK, TokenError, parts

SIZE = 8000  # of a vocabulary of sub-words, if none is said
TWICE = 2  # a pair of neighbours has to occur so often to become a piece
LONGEST = 200  # characters of a word that sub-words are learnt from: joining neighbours in a long one takes hours


def learn(
    lines: Iterable[str],
    kind: str,
    min_count: int,
    most: int | None,
    normalization: str,
    lowercase: bool,
    tags: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The model of a tokeniser, as the `tokenizers` library writes it. lines: gone over twice for sub-words. tags: come
    after the special tokens, whether they are in the lines or not.

    Raises: TokenError, when nothing occurs often enough.
    """
    first = [*SPECIAL, *tags]
    lines = _Prepared(lines, kind, normalization, lowercase, tags)
    if kind in SUBWORDS:
        known = _alphabet(lines, min_count, (most or SIZE) - len(first) - 1)
        lines = _Spelt(lines, known)
    model = _trained(lines, kind, min_count, most, first)
    if kind == "unigram":
        model["vocab"] = _settled(model["vocab"], most or SIZE, len(first))
    if len(model["vocab"]) == len(first) or (kind in SUBWORDS and not known):
        what = kind if kind == "word" else "character"
        raise TokenError(f"no {what} occurs {min_count} times or more: nothing to build a vocabulary from")
    return model


def _trained(lines, kind, min_count, most, first):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    common = {"special_tokens": first, "show_progress": False}
    if kind == "bpe":
        model: Any = models.BPE(unk_token=SPECIAL[UNK])
        trainer: Any = trainers.BpeTrainer(vocab_size=most or SIZE, min_frequency=TWICE, **common)
    elif kind == "unigram":
        model = models.Unigram()
        trainer = trainers.UnigramTrainer(vocab_size=most or SIZE, unk_token=SPECIAL[UNK], **common)
    else:
        model = models.WordLevel(unk_token=SPECIAL[UNK])
        trainer = trainers.WordLevelTrainer(vocab_size=most or 1 << 31, min_frequency=min_count, **common)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = {
        "word": pre_tokenizers.WhitespaceSplit,
        "char": lambda: pre_tokenizers.Split(_any_character(), behavior="isolated"),
    }.get(kind, pre_tokenizers.Metaspace)()
    tokenizer.train_from_iterator(iter(lines), trainer)
    return json.loads(tokenizer.to_str())["model"]


def _any_character():
    from tokenizers import Regex

    return Regex(r"[\s\S]")


class _Prepared:
    """Lines in the form of the vocabulary, without tags, and without words that look like a special token: those are
    unknown."""

    def __init__(self, lines, kind, normalization, lowercase, tags):
        self.lines, self.kind = lines, kind
        self.tags = re.compile("|".join(rf"\s*{re.escape(tag)}\s*" for tag in tags)) if tags else None
        self.normalize = normalizer_of(normalization, lowercase)

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            line = self.normalize(line)
            for part in self.tags.split(line) if self.tags else (line,):
                yield self._without_special(part)

    def _without_special(self, line):
        if "<" in line and self.kind != "char":
            if self.kind == "word":
                line = " ".join(word for word in line.split() if word not in SPECIAL)
            else:  # no piece may become one either
                for token in SPECIAL:
                    line = line.replace(token, " ")
        return line


class _Spelt:
    """Lines in an alphabet, with a space where there is another letter, without words that are too long."""

    def __init__(self, lines, alphabet):
        self.lines, self.alphabet = lines, alphabet

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            if rare := set(line) - self.alphabet - {" "}:
                line = line.translate({ord(letter): " " for letter in rare})
            if len(line) > LONGEST:
                line = " ".join(word for word in line.split(" ") if len(word) <= LONGEST)
            yield line


def normalizer_of(normalization: str, lowercase: bool) -> Any:
    """The function that brings a line to the form of a vocabulary."""
    from tokenizers import normalizers

    said = parts("word", normalization, lowercase)["normalizer"]
    if said is None:
        return str
    steps = [getattr(normalizers, step["type"])() for step in said.get("normalizers", [said])]
    return normalizers.Sequence(steps).normalize_str


def _alphabet(lines, min_count, most):
    """The characters that occur at least `min_count` times, at most the `most` most frequent ones."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(line)
    found = [letter for letter, n in counts.items() if n >= min_count and letter not in (" ", MARK)]
    return set(sorted(found, key=lambda letter: (-counts[letter], letter))[:most])


def _settled(pieces, most, first):
    """The pieces of a unigram model, the same whenever it is learnt, and at most so many.

    The library sums in another order each time, so scores are rounded. Letters that it takes none of in the end get
    scores just above the least, in any order: here they have the least. Of more than were asked for the worst go.
    """
    special, pieces = pieces[:first], [(piece, round(score, 6)) for piece, score in pieces[first:]]
    least = min((score for _, score in pieces), default=0.0)
    close = least + 1e-4 * (1 + sum(len(piece) == 1 for piece, _ in pieces))
    pieces = [(piece, least if len(piece) == 1 and score <= close else score) for piece, score in pieces]
    pieces.sort(key=lambda item: (len(item[0]) > 1, -item[1], item[0]))
    kept = sorted(pieces[: most - len(special)], key=lambda item: (-item[1], item[0]))
    return special + [list(item) for item in kept]
