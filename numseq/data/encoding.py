"""Text to ids, a piece of the corpus at a time; the ids go where they are kept, into memory or into files."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import numpy as np

from numseq.data.batches import Pairs, Ragged
from numseq.data.tokens import Tokens
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


def id_type(tokens: Tokens) -> np.dtype:
    """The smallest type that has all ids of a vocabulary."""
    return np.dtype(np.uint16 if len(tokens) <= 1 << 16 else np.uint32)


def encode(
    corpus: Iterable[tuple[str, str]],
    tokens: tuple[Tokens, Tokens],
    stores: tuple[Store, Store],
    longest: int,
    long: str,
    tick: Callable[[int], Any] = lambda n: None,
) -> Counts:
    """Put the ids of a corpus into two stores.

    Args: corpus, of (source, target) strings. tokens, of both sides. longest, tokens of a side. long, "drop" leaves
        pairs with a longer one out, "cut" takes their beginning. tick, called with how many pairs have been done more.
    Returns: the Counts.
    """
    counts = Counts()
    for piece in pieces(corpus):
        columns = list(zip(*piece, strict=True))
        (sources, targets), unknown = zip(*(k.read(c) for k, c in zip(tokens, columns, strict=True)), strict=True)
        too_long = [len(s) > longest or len(t) > longest for s, t in zip(sources, targets, strict=True)]
        kept = [k for k, ids in enumerate(sources) if ids and not (too_long[k] and long == "drop")]
        counts.kept += len(kept)
        counts.empty += sum(not ids for ids in sources)
        counts.long += sum(too_long)
        for k, coded in enumerate((sources, targets)):
            rows = [coded[row][:longest] for row in kept]
            lengths = np.array([len(ids) for ids in rows], dtype=np.int64)
            stores[k].add(np.fromiter(chain.from_iterable(rows), id_type(tokens[k]), count=lengths.sum()), lengths)
            for row in kept:
                found = [token for place, token in unknown[k][row] if place < longest]
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

    def __init__(self, tokens: Tokens):
        self.type = id_type(tokens)
        self._flat, self._lengths = array(self.type.char), array("q")

    def add(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        self._flat.frombytes(ids.tobytes())
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
) -> tuple[Pairs, Counts]:
    """The Pairs of a corpus, in memory, and the Counts. Args: see `encode`."""
    stores = InMemory(tokens[0]), InMemory(tokens[1])
    counts = encode(corpus, tokens, stores, longest, long, tick)
    return Pairs(stores[0].ragged(), stores[1].ragged()), counts
