"""Unknown tokens: how many of a text a vocabulary does not have, and which are the most frequent."""

import unicodedata
from collections import Counter
from collections.abc import Container, Sequence

from numseq.data.tokens import Tokens

SHOWN = 5
LONGEST = 30  # characters of a token that are shown
MOST = 100_000  # different tokens that are counted one by one: of more, those that are rare so far are forgotten


class Unknown:
    """A count of tokens, and of each that is unknown; in words, "3 of 120 (2.5%), most often 'foo' 2, 'bar' 1"."""

    def __init__(self) -> None:
        self.total = self.found = 0
        self.counts: Counter[str] = Counter()

    def add(self, total: int, unknown: Sequence[str]) -> None:
        """Count the tokens of a line, and those of them that are unknown, as they are written."""
        self.total += total
        self.found += len(unknown)
        if unknown:
            self.counts.update(unknown)
        if len(self.counts) > MOST:
            self.counts = Counter(dict(self.counts.most_common(MOST // 2)))

    def __bool__(self) -> bool:
        return bool(self.found)

    @property
    def share(self) -> float:
        """Of all tokens."""
        return self.found / max(self.total, 1)

    def __str__(self) -> str:
        most = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
        shown = ", ".join(f"{shown_token(token)} {count:,}" for token, count in most)
        share = f"{self.found:,} of {self.total:,} ({self.share:.1%})"
        return f"{share}, most often {shown}" if shown else share


def count_unknown(tokens: Tokens, lines: Sequence[str], besides: Sequence[Container[str]] = ()) -> Unknown:
    """The unknown tokens of lines. besides: what is known besides of each line, as what can be copied."""
    found = Unknown()
    for ids, unknown, known in zip(*tokens.read(lines), besides or [()] * len(lines), strict=True):
        found.add(len(ids), [token for _, token in unknown if token not in known])
    return found


def shown_token(token: str) -> str:
    """A token in quotes, with the code points of what looks like something else: 'a\\xa0b' (U+00A0)."""
    short = token if len(token) <= LONGEST else token[:LONGEST] + "…"
    points = " ".join(f"U+{ord(letter):04X}" for letter in dict.fromkeys(_odd(token[:LONGEST])))
    return f"{short!r} ({points})" if points else repr(short)


def _odd(token):
    """The letters that a reader may take for others: what is not printed, accents by themselves, a lone letter that is
    not ASCII, and letters of an alphabet that is not that of the first."""
    alphabets = [unicodedata.name(letter, "").partition(" ")[0] for letter in token]
    first = next((name for letter, name in zip(token, alphabets, strict=True) if letter.isalpha()), "")
    for letter, alphabet in zip(token, alphabets, strict=True):
        if letter.isascii():
            continue
        of_another = letter.isalpha() and alphabet != first
        if len(token) == 1 or of_another or not letter.isprintable() or unicodedata.combining(letter):
            yield letter
