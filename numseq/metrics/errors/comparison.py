"""Two models on the same lines: which became better and worse, and where."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.metrics.errors.analysis import ErrorAnalysis
from numseq.metrics.errors.by_length import length_bins, span
from numseq.metrics.errors.intervals import Difference, Rate, rate
from numseq.metrics.errors.lines import UNITS, Line
from numseq.metrics.errors.table import WIDTH, Examples, Table
from numseq.record import Record

EXAMPLES = 5


@dataclass(slots=True)
class ErrorComparison(Record):
    """What `compare_errors` found. A difference is second - first; of an error rate less than 0 is better."""

    overall: Table
    by_length: Table
    by_frequency: Table | None  # where one of the two analyses has none
    better: Examples  # lines that the second has more right than the first
    worse: Examples

    @property
    def tables(self) -> dict[str, Table]:
        """The tables that are there, by the names of their fields."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: table for name, table in found.items() if table is not None}

    def text(self, width: int = WIDTH) -> str:
        """All tables as text."""
        return "\n\n".join(table.text(width) for table in self.tables.values())

    def markdown(self) -> str:
        """All tables as Markdown."""
        return "\n\n".join(table.markdown() for table in self.tables.values()) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """All tables as JSON has them: lists of rows."""
        return {name: table.to_list() for name, table in self.tables.items()}

    def __repr__(self) -> str:
        return self.overall.text()

    def _repr_html_(self) -> str:
        return f"<div>{''.join(table._repr_html_() for table in self.tables.values())}</div>"


def compare_errors(
    first: ErrorAnalysis, second: ErrorAnalysis, names: tuple[str, str] = ("first", "second")
) -> ErrorComparison:
    """Set two models side by side that were analysed on the same lines.

    Args: first, second, as `analyse` returns them. names, what the two are called.
    Returns: an ErrorComparison; intervals of differences are those of a paired bootstrap over lines.
    Raises: ArgumentError, when the lines or units of the two are not the same.
    Source: Koehn 2004.
    """
    for called, given in (("first", first), ("second", second)):
        arguments.one_of(given, called, ErrorAnalysis)
    names = [arguments.text(name, f"names[{k}]") for k, name in enumerate(arguments.pair(names, "names"))]
    if first.unit != second.unit:
        raise ArgumentError(f"first is compared by {first.unit}, second by {second.unit}: give both one unit")
    if [(one.number, one.reference) for one in first.lines] != [(one.number, one.reference) for one in second.lines]:
        raise ArgumentError("first and second are not of the same lines and references")
    pairs = list(zip(first.lines, second.lines, strict=True))
    title = f"{names[0]} (first) and {names[1]} (second)"
    rows = [{"lines": "all"} | _row(pairs)]
    note = f"{UNITS[first.unit]} error rates, their difference in points; better: lines with fewer edits by the second"
    return ErrorComparison(
        overall=Table(title, rows, note),
        by_length=Table("By length of the source", _by_length(pairs), "the same for each bin"),
        by_frequency=_by_frequency(first.by_frequency, second.by_frequency),
        better=_examples("Better by the second", pairs, 1),
        worse=_examples("Worse by the second", pairs, -1),
    )


def _row(pairs: Sequence[tuple[Line, Line]]) -> dict[str, Any]:
    gained = np.array([a.wrong - b.wrong for a, b in pairs])
    wanted = np.array([a.wanted for a, _ in pairs])
    a, b = (rate(np.array([pair[k].wrong for pair in pairs]), wanted) for k in (0, 1))
    return {
        "number": len(pairs), "first": a and Rate(a.value), "second": b and Rate(b.value),
        "difference": rate(-gained, wanted, Difference),
        "better": int((gained > 0).sum()), "worse": int((gained < 0).sum()),
    }  # fmt: skip


def _by_length(pairs):
    lengths = [len(a.translation.source) for a, _ in pairs]
    return [
        {"source_tokens": span(low, high)}
        | _row([pair for pair, length in zip(pairs, lengths, strict=True) if low <= length <= high])
        for low, high in length_bins(lengths)
    ]


def _by_frequency(first, second):
    if first is None or second is None:
        return None
    rows = [
        {"in_training": a["in_training"], "tokens": a["tokens"], "first": a["right"], "second": b["right"]}
        for a, b in zip(first.rows, second.rows, strict=True)
    ]
    return Table("By frequency in the training data", rows, "share of the references' tokens that are right")


def _examples(title, pairs, sign):
    changed = [(sign * (a.wrong - b.wrong), a, b) for a, b in pairs if sign * (a.wrong - b.wrong) > 0]
    changed.sort(key=lambda one: (-one[0], one[1].number))
    return Examples(title, [
        {
            "line": a.number, "edits_first": a.wrong, "edits_second": b.wrong, "source": a.source,
            "reference": a.reference, "said_first": a.said, "said_second": b.said,
        }
        for _, a, b in changed[:EXAMPLES]
    ])  # fmt: skip
