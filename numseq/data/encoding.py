"""Text to ids, a piece of the corpus at a time; the ids go where they are kept, into memory or into files."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import numpy as np

from numseq.data.batches import Pairs, Ragged
from numseq.data.copying import Copier
from numseq.data.tokens import UNK, Tokens
from numseq.data.unknown import Unknown

PAIRS, LETTERS = 1000, 1 << 19  # of a piece, at most, or one pair
LONG = ("drop", "cut")  # what becomes of a pair with a side of too many tokens


class Store(Protocol):
    """Where the ids of one side go."""

    def add(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        """Keep the ids of some sequences, one after the other."""


@dataclass
class Counts:
    """What came of a corpus: pairs that were kept; without a source; too long; unknown tokens of both sides."""

    kept: int = 0
    empty: int = 0
    long: int = 0
    unknown: tuple[Unknown, Unknown] = field(default_factory=lambda: (Unknown(), Unknown()))


def id_types(tokens: tuple[Tokens, Tokens], longest: int, copying: bool) -> list[np.dtype]:
    """The smallest types that have all ids of the source, of the target, and of what can be copied, if anything can.

    longest: tokens of a source, each of which may be a word that the vocabulary lacks.
    """
    sizes = [len(tokens[0]), len(tokens[1]) + longest, len(tokens[1]) + longest] if copying else map(len, tokens)
    return [np.dtype(np.uint16 if size <= 1 << 16 else np.uint32) for size in sizes]


def encode(
    corpus: Iterable[tuple[str, str]],
    tokens: tuple[Tokens, Tokens],
    stores: Sequence[Store],
    longest: int,
    long: str,
    tick: Callable[[int], Any] = lambda n: None,
) -> Counts:
    """Put the ids of a corpus into two stores, and what can be copied into a third.

    Args: corpus, of (source, target) strings. tokens, of both sides. stores, of the ids of the sources and of the
        targets; for a head that copies, one more. longest, tokens of a side. long, "drop" leaves pairs with a longer
        one out, "cut" takes their beginning. tick, called with how many pairs have been done more.
    Returns: the Counts.
    """
    counts, copier = Counts(), Copier(*tokens) if len(stores) == 3 else None
    for piece in pieces(corpus):
        columns = list(zip(*piece, strict=True))
        (sources, targets), unknown = zip(*(k.read(c) for k, c in zip(tokens, columns, strict=True)), strict=True)
        too_long = [len(s) > longest or len(t) > longest for s, t in zip(sources, targets, strict=True)]
        kept = [k for k, ids in enumerate(sources) if ids and not (too_long[k] and long == "drop")]
        counts.kept += len(kept)
        counts.empty += sum(not ids for ids in sources)
        counts.long += sum(too_long)
        copies: list[list[int]] = []
        if copier:
            each = [copier.read(source, longest) for source in columns[0]]
            copies = [one.ids for one in each]
            targets = [*map(copier.targets, targets, unknown[1], each)]
        for store, coded in zip(stores, (sources, targets, copies), strict=False):
            rows = [coded[row][:longest] for row in kept]
            lengths = np.array([len(ids) for ids in rows], dtype=np.int64)
            store.add(np.fromiter(chain.from_iterable(rows), np.int64, count=lengths.sum()), lengths)
        for k, coded in enumerate((sources, targets)):
            for row in kept:  # a word that can be copied is not unknown
                found = [token for place, token in unknown[k][row] if place < longest and coded[row][place] == UNK]
                counts.unknown[k].add(min(len(coded[row]), longest), found)
        tick(len(piece))
    return counts


def pieces(corpus: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Lists of pairs, of at most PAIRS of them, and of not much more than LETTERS letters."""
    piece: list[tuple[str, str]] = []
    letters = 0
    for pair in corpus:
        piece.append(pair)
        letters += len(pair[0]) + len(pair[1])
        if len(piece) == PAIRS or letters > LETTERS:
            yield piece
            piece, letters = [], 0
    if piece:
        yield piece


class InMemory:
    """A Store that grows in memory."""

    def __init__(self, kind: np.dtype):
        self.type = kind
        self._flat, self._lengths = array(self.type.char), array("q")

    def add(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        self._flat.frombytes(ids.astype(self.type).tobytes())
        self._lengths.frombytes(lengths.tobytes())

    def ragged(self) -> Ragged:
        """All that was added."""
        return Ragged.of(np.frombuffer(self._flat, self.type), np.frombuffer(self._lengths, np.int64))


def in_memory(
    corpus: Iterable[tuple[str, str]],
    tokens: tuple[Tokens, Tokens],
    longest: int,
    long: str,
    tick: Callable[[int], Any] = lambda n: None,
    copying: bool = False,
) -> tuple[Pairs, Counts]:
    """The Pairs of a corpus, in memory, and the Counts. Args: see `encode`; copying, for a head that copies."""
    stores = [InMemory(kind) for kind in id_types(tokens, longest, copying)]
    counts = encode(corpus, tokens, stores, longest, long, tick)
    return Pairs(*(store.ragged() for store in stores)), counts
