"""What was said too often: n-grams that a translation has more often than its reference and its source allow.

A translation may have an n-gram c times if

    c <= max(1, how often the reference has it, how often the source has any n-gram)

For n = 1, where nearly every sentence has some twice, a token counts only right behind itself.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from numseq.metrics.errors.intervals import share
from numseq.metrics.errors.lines import Line, cut, most_often
from numseq.metrics.errors.table import Table

LENGTHS = (1, 2, 3, 4)


def too_often(said: Sequence[str], reference: Sequence[str], source: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """By how much the n-grams of `said` are more than is allowed; those that are not are left out."""
    found, right, given = (_ngrams(tokens, n) for tokens in (said, reference, source))
    allowed = max([*given.values(), 0 if n == 1 else 1])
    return found - Counter({gram: max(allowed, right[gram]) for gram in found})


def _ngrams(tokens, n):
    if n == 1:
        return Counter((a,) for a, b in pairwise(tokens) if a == b)
    return Counter(zip(*(tokens[k:] for k in range(n)), strict=False))


def repeated(lines: Sequence[Line], unit: str) -> Table:
    """The table: a row for each length of n-grams."""
    cuts = [[cut(text, unit) for text in (line.said, line.reference, line.source)] for line in lines]
    rows = []
    for n in LENGTHS:
        found = [too_often(said, reference, source, n) for said, reference, source in cuts]
        total = Counter()
        for line in found:
            total.update({(" " if unit == "word" else "").join(gram): times for gram, times in line.items()})
        lines_with = sum(map(bool, found))
        rows.append({
            "repeated": "a token after itself" if n == 1 else f"{n} tokens", "lines": lines_with,
            "of_all": share(lines_with, len(lines)), "times": total.total(), "most_often": most_often(total),
        })  # fmt: skip
    return Table("Repeated", rows, "said more often than the reference has it and the source repeats anything")
