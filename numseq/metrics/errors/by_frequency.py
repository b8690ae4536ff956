"""How many of the references' tokens are right, by how often the training data had them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from numseq.metrics.errors.intervals import share
from numseq.metrics.errors.lines import Line, most_often
from numseq.metrics.errors.table import Table

STARTS = (0, 1, 2, 4, 10, 100, 1000, 10_000)


def by_frequency(lines: Sequence[Line], counts: Mapping[str, int]) -> Table:
    """The table: a row for each range of counts that occurs. Args: counts, of each token in the training targets."""
    hits, missed = Counter(), defaultdict(Counter)
    for line in lines:
        for wanted, said in line.edits:
            if wanted is not None:
                start = max(start for start in STARTS if start <= counts.get(wanted, 0))
                hits[start, wanted == said] += 1
                if wanted != said:
                    missed[start][wanted] += 1
    rows = []
    for start, following in zip(STARTS, [*STARTS[1:], None], strict=True):
        right, tokens = hits[start, True], hits[start, True] + hits[start, False]
        if tokens:
            name = _named(start, following)
            row = {"in_training": name, "tokens": tokens, "right": share(right, tokens)}
            rows.append(row | {"most_often_missed": most_often(missed[start])})
    note = "tokens of the references by how often the training targets have them; right: said at their place"
    return Table("By frequency in the training data", rows, note)


def _named(start, following):
    if start == 0:
        return "never"
    if following is None:
        return f"{start:,} or more"
    return f"{start:,}" if following == start + 1 else f"{start:,}-{following - 1:,}"
