"""Batches: sentences of like length together, padded to one length, with masks that say which tokens are real."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from numseq import arguments
from numseq.backend import Array, Generator, asarray
from numseq.data.copying import Copier
from numseq.data.long import kept
from numseq.data.tokens import BOS, EOS, PAD, Tokens
from numseq.errors import ArgumentError, shown
from numseq.record import Record

BY = ("sentences", "tokens")  # what the size of a batch counts
CELLS = 1 << 21  # rows * source * target of a batch that nobody trains on: some attentions keep A numbers for each


@dataclass(slots=True)
class Batch(Record):
    """Sentence pairs side by side, time first; masks are True where a token is real.

    target_in begins with <bos>, target_out ends with <eos>: the same target, one step apart.
    """

    source: Array  # (S, B) integers
    source_mask: Array  # (S, B)
    target_in: Array  # (T, B)
    target_out: Array  # (T, B)
    target_mask: Array  # (T, B)
    weight: int  # what it counts in a mean over batches: real target tokens, <eos> included
    copies: Array | None = None  # (S, B) integers: what a copy of each place says, see `numseq.data.copying`


class Ragged:
    """Many id sequences of different lengths in one array, so that padding a batch is one assignment.

    Raises: ArgumentError, when something is no whole number from 0.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]):
        sequences = list(sequences)
        flat = np.array([k for ids in sequences for k in ids] or np.empty(0, dtype=np.int64))
        if flat.dtype.kind not in "iu" or (flat.size and flat.min() < 0):
            wrong = f"{flat.dtype}" if flat.dtype.kind not in "iu" else f"{flat.min()}"
            raise ArgumentError(f"sequences holds {wrong}: ids are whole numbers from 0")
        self._set(flat.astype(np.int64), np.array([len(ids) for ids in sequences], dtype=np.int64))

    @classmethod
    def of(cls, flat: np.ndarray, lengths: np.ndarray) -> Self:
        """From all ids one after the other, of any whole type and perhaps a memory map, and how many each sequence
        has."""
        made = cls.__new__(cls)
        made._set(flat, lengths)
        return made

    def _set(self, flat, lengths):
        self.flat, self.lengths = flat, lengths
        self.starts = np.cumsum(lengths) - lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def pad(self, rows: Array) -> tuple[Array, Array]:
        """(ids (L, B), mask (L, B)) of the chosen rows, L being the longest; PAD where nothing is real."""
        lengths = self.lengths[rows]
        mask = np.arange(lengths.max()) < lengths[:, None]  # (B, L)
        ids = np.full(mask.shape, PAD)
        offsets = np.broadcast_to(np.arange(mask.shape[1]), mask.shape)
        ids[mask] = self.flat[(self.starts[rows][:, None] + offsets)[mask]]
        return np.ascontiguousarray(ids.T), np.ascontiguousarray(mask.T)


@dataclass(slots=True)
class Pairs:
    """A corpus as ids; copies, for a head that copies: what each place of the sources says (`numseq.data.copying`)."""

    source: Ragged
    target: Ragged
    copies: Ragged | None = None

    @classmethod
    def encode(
        cls,
        pairs: Iterable[tuple[str, str]],
        source_tokens: Tokens,
        target_tokens: Tokens,
        copying: bool = False,
        most: int | None = None,
        long: str = "drop",
    ) -> Self:
        """From (source, target) strings.

        copying: for a head that copies. most, long: sources of more tokens are shortened, by "cut" or "turns"
        (`numseq.data.long`).
        Raises: ArgumentError, when they are none, or there is none; ConfigError, see `numseq.data.copying.Copier`.
        """
        sources, targets = zip(*arguments.pairs(pairs, "pairs"), strict=True)
        read = source_tokens.encode(sources)
        parts = [slice(None) if most is None else kept(ids, most, long, source_tokens) or slice(None) for ids in read]
        source = Ragged([ids[part] for ids, part in zip(read, parts, strict=True)])
        if not copying:
            return cls(source, Ragged(target_tokens.encode(targets)))
        copier = Copier(source_tokens, target_tokens)
        each = [*map(copier.read, sources, parts)]
        coded = map(copier.targets, *target_tokens.read(targets), each)
        return cls(source, Ragged(coded), Ragged([one.ids for one in each]))

    def __len__(self) -> int:
        return len(self.source)

    def fit(self, called: str, source_vocabulary: int, target_vocabulary: int) -> None:
        """Raise ArgumentError, unless vocabularies of these sizes have all ids."""
        if self.copies is not None:
            target_vocabulary += int(self.source.lengths.max(initial=0))  # words that only a source has
        for side, ids, size in (("source", self.source, source_vocabulary), ("target", self.target, target_vocabulary)):
            if ids.flat.size and (most := ids.flat.max()) >= size:
                raise ArgumentError(f"{called} has the {side} id {most:,}: the model knows those below {size:,}")

    def plan(self, size: int, rng: Generator | None = None, by: str = "sentences") -> list[Array]:
        """Which rows go together in batches of `size` sentences or tokens, fewer where they are long; see
        `plan_batches`."""
        cells = CELLS if rng is None else np.inf
        return plan_batches(self.source.lengths, self.target.lengths, size, rng, max_cells=cells, by=by)

    def padding(self, plan: list[Array]) -> float:
        """The share of padding in all batches of a plan."""
        return padding_share(plan, self.source.lengths, self.target.lengths)

    def batch(self, rows: Array) -> Batch:
        """The Batch of the chosen rows, on the current backend."""
        source, source_mask = self.source.pad(rows)
        target, real = self.target.pad(rows)
        one = np.ones((1, len(rows)), dtype=bool)
        ends = np.concatenate([target, PAD * one])
        ends[self.target.lengths[rows], np.arange(len(rows))] = EOS
        return Batch(
            source=asarray(source),
            source_mask=asarray(source_mask),
            target_in=asarray(np.concatenate([BOS * one, target])),
            target_out=asarray(ends),
            target_mask=asarray(np.concatenate([one, real])),
            weight=int(self.target.lengths[rows].sum()) + len(rows),
            copies=None if self.copies is None else asarray(self.copies.pad(rows)[0]),
        )


def plan_batches(
    source_lengths: Array,
    target_lengths: Array,
    size: int,
    rng: Generator | None = None,
    pool: int = 100,
    max_padding: float = 0.25,
    max_cells: float = np.inf,
    by: str = "sentences",
) -> list[Array]:
    """Which rows go together: a list of index arrays that covers every row once.

    Rows are shuffled, sorted by length within pools of `pool` batches, and cut into batches; then the batches are
    shuffled. A batch ends before it is full if one row more would make over `max_padding` of it padding, or rows times
    longest source times longest target more than `max_cells`.

    Args: source_lengths, target_lengths, (N,) tokens. size, of a batch: rows; or, `by` "tokens", rows times the longest
        side, <eos> of the target and padding included, of which one row may have more. rng, a generator; None keeps
        everything sorted, for evaluation.
    Raises: ArgumentError, when `by` is something else.
    """
    if by not in BY:
        raise ArgumentError(f"by is {shown(by)}: choose {' or '.join(BY)}")
    order = np.arange(len(source_lengths))
    pool_rows = len(order)
    if rng is not None:
        rng.shuffle(order)
        sides = np.maximum(source_lengths, target_lengths + 1) if by == "tokens" and len(order) else np.ones(1)
        pool_rows = pool * max(1, int(size / sides.mean()))
    batches = []
    for start in range(0, len(order), pool_rows):
        rows = order[start : start + pool_rows]
        s, t = source_lengths[rows], target_lengths[rows]
        # by target length; within it by source length, up and down in turn, so that neighbours stay alike
        rows = rows[np.lexsort((np.where(t % 2 == 0, s, -s), t))]
        batches += _cut(rows, source_lengths[rows], target_lengths[rows], size, max_padding, max_cells, by)
    if rng is not None:
        rng.shuffle(batches)
    return batches


def _cut(rows, s, t, size, max_padding, max_cells, by):
    """Cut sorted rows, of s and t tokens, into batches of at most `size`, `max_padding` and `max_cells`, or of one."""
    batches, first = [], 0
    while first < len(rows):
        most = size if by == "sentences" else size // max(s[first], t[first] + 1)
        here = slice(first, first + max(most, 1) + 1)  # a row more than there can be
        longest_s, longest_t = np.maximum.accumulate(s[here]), np.maximum.accumulate(t[here])
        n = np.arange(1, len(longest_s) + 1)
        full = n > size if by == "sentences" else n * np.maximum(longest_s, longest_t + 1) > size
        full |= np.cumsum(s[here] + t[here]) < (1 - max_padding) * n * (longest_s + longest_t)
        full |= n * longest_s * longest_t > max_cells
        full[0] = False
        n = int(full.argmax()) if full.any() else len(full)
        batches.append(rows[first : first + n])
        first += n
    return batches


def padding_share(batches: list[Array], source_lengths: Array, target_lengths: Array) -> float:
    """The share of all cells of these batches, source and target, that holds padding."""
    cells = sum(len(rows) * (source_lengths[rows].max() + target_lengths[rows].max()) for rows in batches)
    return 1 - (source_lengths.sum() + target_lengths.sum()) / cells
