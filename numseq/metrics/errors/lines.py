"""A line of the test data: what was wanted, what was said, and the edits between them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq.metrics.errors.edits import Edit, aligned
from numseq.metrics.errors.intervals import rate, share
from numseq.plots.fonts import visible
from numseq.record import Record

if TYPE_CHECKING:
    from numseq.search.translation import Translation

UNITS = {"word": "word", "char": "character"}


@dataclass(slots=True)
class Line(Record):
    """number, which line it is. source, reference, said: texts. edits: see `aligned`. translation, what the search
    gave."""

    number: int
    source: str
    reference: str
    said: str
    edits: list[Edit]
    translation: "Translation"

    @property
    def exact(self) -> bool:
        """Is it right to the last letter?"""
        return self.said == self.reference

    @property
    def wrong(self) -> int:
        """How many edits there are."""
        return sum(wanted != said for wanted, said in self.edits)

    @property
    def wanted(self) -> int:
        """How many tokens the reference has."""
        return sum(wanted is not None for wanted, _ in self.edits)

    @property
    def length(self) -> int:
        """How many tokens were said."""
        return sum(said is not None for _, said in self.edits)

    @property
    def probability(self) -> float | None:
        """The geometric mean of the probabilities of what was said, <eos> included: how sure the model was."""
        one = self.translation
        return None if one.logp is None or not one.target else float(np.exp(one.logp / len(one.target)))


def cut(text: str, unit: str) -> list[str]:
    """A text in words, by spaces, or in characters."""
    return text.split() if unit == "word" else list(text)


def line_of(number: int, source: str, reference: str, said: str, unit: str, translation: Any) -> Line:
    """A Line with its edits."""
    return Line(number, source, reference, said, aligned(cut(reference, unit), cut(said, unit)), translation)


def group(lines: Sequence[Line]) -> dict[str, Any]:
    """How good some lines are: the cells of a table's row."""
    wrong, wanted = [line.wrong for line in lines], [line.wanted for line in lines]
    return {
        "lines": len(lines),
        "exact": share(sum(line.exact for line in lines), len(lines)),
        "error_rate": rate(np.array(wrong), np.array(wanted)),
    }


def most_often(counts: Counter[str], many: int = 3) -> str | None:
    """The most frequent of some tokens, with their numbers, in words; None where there is none."""
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:many]
    return ", ".join(f"'{_shown(token)}' {count:,}" for token, count in found) or None


def _shown(token: str) -> str:
    """A token whose spaces can be seen; between words they need not."""
    return visible(token) if token.isspace() else " ".join(map(visible, token.split(" ")))
