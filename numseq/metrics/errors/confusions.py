"""Which edits are the most frequent: one token for another, left out, added."""

from collections import Counter
from collections.abc import Sequence

from numseq.metrics.errors.intervals import Rate
from numseq.metrics.errors.lines import Line
from numseq.metrics.errors.table import Table
from numseq.plots.fonts import visible

MOST = {"substituted": 12, "left out": 5, "added": 5}  # rows


def confusions(lines: Sequence[Line]) -> Table:
    """The table: the most frequent substitutions, then deletions, then insertions. of_all: of the places where the
    references have the token."""
    pairs = Counter(edit for line in lines for edit in line.edits)
    wanted = Counter()
    for (token, _), count in pairs.items():
        wanted[token] += count
    rows = []
    for kind, most in MOST.items():
        found = [(edit, count) for edit, count in pairs.items() if edit[0] != edit[1] and _kind(*edit) == kind]
        found.sort(key=lambda item: (-item[1], item[0][0] or "", item[0][1] or ""))
        for (token, said), count in found[:most]:
            rows.append({
                "edit": kind, "wanted": _named(token), "said": _named(said), "times": count,
                "of_all": None if token is None else Rate(count / wanted[token]),
            })  # fmt: skip
    return Table("Most frequent edits", rows, "of all: of the places where the references have what was wanted")


def _kind(wanted, said):
    return "left out" if said is None else "added" if wanted is None else "substituted"


def _named(token):
    return None if token is None else visible(token)
