"""Errors by the length of the source, in bins of about as many lines each."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from numseq.metrics.errors.lines import Line, group
from numseq.metrics.errors.table import Table

BINS = 6


def length_bins(lengths: Sequence[int], most: int = BINS) -> list[tuple[int, int]]:
    """(shortest, longest) of up to `most` bins with about as many lines each; lines of one length stay together."""
    counts = Counter(lengths)
    ends, left, begun = [], len(lengths), 0
    for length in sorted(counts):
        begun += counts[length]
        if begun * (most - len(ends)) >= left:  # a fair share of what is left
            ends.append(length)
            left, begun = left - begun, 0
    starts = [min(counts), *(min(one for one in counts if one > end) for end, _ in pairwise(ends))]
    return list(zip(starts, ends, strict=True))


def by_length(lines: Sequence[Line]) -> Table:
    """The table: a row for each bin."""
    lengths = [len(line.translation.source) for line in lines]
    rows = []
    for low, high in length_bins(lengths):
        some = [line for line, length in zip(lines, lengths, strict=True) if low <= length <= high]
        wanted = sum(line.wanted for line in some)
        ratio = sum(line.length for line in some) / wanted if wanted else None
        rows.append({"source_tokens": span(low, high)} | group(some) | {"said_to_wanted": ratio})
    note = "bins of about as many lines each; said to wanted: tokens of the translations by those of the references"
    return Table("By length of the source", rows, note)


def span(low: int, high: int) -> str:
    """From one number to another, in words."""
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"
