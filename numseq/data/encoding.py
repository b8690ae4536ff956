"""Text to ids, a piece of the corpus at a time; the ids go where they are kept, into memory or into files."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import numpy as np

from numseq.data.batches import Pairs, Ragged
from numseq.data.copying import Copier
from numseq.data.long import kept
from numseq.data.tokens import UNK, Tokens
from numseq.data.unknown import Unknown

PAIRS, LETTERS = 1000, 1 << 19  # of a piece, at most, or one pair


class Store(Protocol):
    """Where the ids of one side go."""

    def add(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        """Keep the ids of some sequences, one after the other."""


@dataclass
class Counts:
    """What came of a corpus: pairs that were kept; without a source; left out since they are too long; kept without
    what was too long of them; unknown tokens of both sides."""

    kept: int = 0
    empty: int = 0
    long: int = 0
    shortened: int = 0
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
    longest: tuple[int, int],
    long: str,
    tick: Callable[[int], Any] = lambda n: None,
) -> Counts:
    """Put the ids of a corpus into two stores, and what can be copied into a third.

    Args: corpus, of (source, target) strings. tokens, of both sides. stores, of the ids of the sources and of the
        targets; for a head that copies, one more. longest, tokens of each side. long, what becomes of longer ones
        (`numseq.data.long`). tick, called with how many pairs have been done more.
    Returns: the Counts.
    """
    counts, copier = Counts(), Copier(*tokens) if len(stores) == 3 else None
    for piece in pieces(corpus):
        columns = list(zip(*piece, strict=True))
        (sources, targets), unknown = zip(*(k.read(c) for k, c in zip(tokens, columns, strict=True)), strict=True)
        parts = [
            [kept(ids, most, long, of) for ids in coded]
            for coded, most, of in zip((sources, targets), longest, tokens, strict=True)
        ]
        left = [row for row, ids in enumerate(sources) if ids and None not in (parts[0][row], parts[1][row])]
        counts.kept += len(left)
        counts.empty += sum(not ids for ids in sources)
        counts.long += sum(None in both for both in zip(*parts, strict=True))
        counts.shortened += sum(len(sources[row]) > longest[0] or len(targets[row]) > longest[1] for row in left)
        copies: list[list[int]] = []
        if copier:
            each = [copier.read(source, part or slice(0)) for source, part in zip(columns[0], parts[0], strict=True)]
            copies = [one.ids for one in each]
            targets = [*map(copier.targets, targets, unknown[1], each)]
        rows = [[coded[row][part[row]] for row in left] for coded, part in zip((sources, targets), parts, strict=True)]
        rows.append([copies[row] for row in left] if copier else [])
        for store, coded in zip(stores, rows, strict=False):
            lengths = np.array([len(ids) for ids in coded], dtype=np.int64)
            store.add(np.fromiter(chain.from_iterable(coded), np.int64, count=lengths.sum()), lengths)
        for k, coded in enumerate((sources, targets)):
            for row, ids in zip(left, rows[k], strict=True):  # a word that can be copied is not unknown
                first, last = parts[k][row].start, parts[k][row].stop
                found = [t for place, t in unknown[k][row] if first <= place < last and coded[row][place] == UNK]
                counts.unknown[k].add(len(ids), found)
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
    longest: tuple[int, int],
    long: str,
    tick: Callable[[int], Any] = lambda n: None,
    copying: bool = False,
) -> tuple[Pairs, Counts]:
    """The Pairs of a corpus, in memory, and the Counts. Args: see `encode`; copying, for a head that copies."""
    stores = [InMemory(kind) for kind in id_types(tokens, longest[0], copying)]
    counts = encode(corpus, tokens, stores, longest, long, tick)
    return Pairs(*(store.ragged() for store in stores)), counts
