"""An error analysis: what a model gets wrong on some lines, and when, as tables."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.metrics.errors.by_frequency import by_frequency
from numseq.metrics.errors.by_length import by_length
from numseq.metrics.errors.confusions import confusions
from numseq.metrics.errors.coverage import attended
from numseq.metrics.errors.intervals import Rate
from numseq.metrics.errors.lines import UNITS, Line, cut, group, line_of
from numseq.metrics.errors.repeated import repeated
from numseq.metrics.errors.table import WIDTH, Examples, Table, shown
from numseq.metrics.errors.unknown import unknown
from numseq.metrics.errors.worst import worst
from numseq.metrics.scores import corpus_scores
from numseq.metrics.tokenizers import composed, scorer_of
from numseq.record import Record
from numseq.search.translate import Translator
from numseq.search.translation import Translation

if TYPE_CHECKING:
    from numseq.data.tokens import Tokens


@dataclass(slots=True)
class ErrorAnalysis(Record):
    """What `analyse` found: a Table in each field, but for unit and lines. None: there is nothing to make it of."""

    unit: str  # "word" or "char"
    lines: list[Line]
    overall: Table
    by_length: Table
    by_frequency: Table | None  # without training data
    unknown: Table
    repeated: Table
    coverage: Table | None  # without an attention to the source's tokens, so too the next two
    dropped: Table | None
    looked_at_twice: Table | None
    confusions: Table
    worst: Examples
    sure_and_wrong: Examples
    least_sure: Examples

    @property
    def tables(self) -> dict[str, Table]:
        """The tables that are there, by the names of their fields."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: table for name, table in found.items() if isinstance(table, Table)}

    def text(self, width: int = WIDTH) -> str:
        """All tables as text."""
        return "\n\n".join(table.text(width) for table in self.tables.values())

    def markdown(self) -> str:
        """All tables as a page of Markdown."""
        return "\n\n".join(["# Error analysis", *(table.markdown() for table in self.tables.values())]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """All tables as JSON has them: lists of rows."""
        return {"unit": self.unit} | {name: table.to_list() for name, table in self.tables.items()}

    def __repr__(self) -> str:
        said = ", ".join(f"{row['figure']} {shown(row['value'])}" for row in self.overall.rows[:2])
        return f"ErrorAnalysis of {len(self.lines):,} lines: {said}\n    tables: {', '.join(self.tables)}"

    def _repr_html_(self) -> str:
        first, *more = self.tables.items()
        folded = "".join(
            f"<details><summary>{escape(table.title)} (<code>.{name}</code>)</summary>{table._repr_html_()}</details>"
            for name, table in more
        )
        return f"<div>{first[1]._repr_html_()}{folded}</div>"


def analyse(
    translations: Iterable[Translation],
    references: Iterable[str],
    *,
    translator: Translator | None = None,
    training: Iterable[str] | None = None,
    unit: str | None = None,
    tokenize: str = "13a",
    examples: int = 5,
    numbers: Sequence[int] | None = None,
) -> ErrorAnalysis:
    """What is wrong with some translations, and when.

    Args: translations, as a Translator gives them. references, the right translation of each. translator, the one that
        made them, whose vocabularies say what cannot be said and how tokens of the source are joined; None if it is not
        there. training, the target sides that it was trained on, of which tokens are counted. unit, "word", between
        spaces, or "char"; None: characters where no reference has a space and the model cuts them all the same.
        tokenize, see `corpus_scores`. examples, lines in each table of them. numbers, of the lines; None for 1, 2, ...
    Returns: an ErrorAnalysis. Text is compared in its composed form, as `corpus_scores` does.
    Raises: ArgumentError, when there is no line, the numbers of lines differ, or something is of another kind;
        ConfigError, see `corpus_scores`.
    """
    translations = arguments.listed(translations, "translations", "a list of Translations")
    for k, one in enumerate(translations):
        arguments.one_of(one, f"translations[{k}]", Translation)
    references = [composed(line) for line in arguments.texts(references, "references")]
    arguments.one_of(translator, "translator", Translator, type(None))
    examples = arguments.whole(examples, "examples", least=0)
    scorer_of("bleu", tokenize)
    numbers = range(1, len(translations) + 1) if numbers is None else numbers
    numbers = [
        arguments.whole(number, f"numbers[{k}]")
        for k, number in enumerate(arguments.listed(numbers, "numbers", "a list of whole numbers"))
    ]
    if not translations:
        raise ArgumentError("translations holds none: there is nothing to analyse")
    for called, given in (("references", references), ("numbers", numbers)):
        if len(given) != len(translations):
            raise ArgumentError(
                f"{called} has {len(given):,} lines, translations {len(translations):,}: they must pair up"
            )
    if unit not in (*UNITS, None):
        raise ArgumentError(f"unit is {unit!r}: choose {' or '.join(UNITS)}")
    target_tokens = None if translator is None else translator.target_tokens
    unit = unit or unit_of(target_tokens, references)
    join = " ".join if translator is None else translator.source_tokens.join
    lines = [
        line_of(number, composed(join(one.source)), reference, composed(one.text), unit, one)
        for number, one, reference in zip(numbers, translations, references, strict=True)
    ]
    looked = attended(lines) or dict.fromkeys(("coverage", "dropped", "looked_at_twice"))
    return ErrorAnalysis(
        unit=unit,
        lines=lines,
        overall=_overall(lines, unit, tokenize),
        by_length=by_length(lines),
        by_frequency=None if training is None else by_frequency(lines, _counts(training, target_tokens, unit)),
        unknown=unknown(lines, target_tokens),
        repeated=repeated(lines, unit),
        confusions=confusions(lines),
        **looked,
        **worst(lines, examples),
    )


def unit_of(tokens: "Tokens | None", references: Sequence[str]) -> str:
    """What lines are compared by, if nobody says: characters where no reference has a space and the model cuts them
    all the same, else words."""
    spaces = any(len(line.split()) > 1 for line in references)
    cuts = tokens is not None and not spaces and any(len(ids) > 1 for ids in tokens.encode(references))
    return "char" if cuts else "word"


def _counts(training, tokens, unit):
    """How often the training data have each token, in the form in which the model read them."""
    counts = Counter()
    for line in arguments.texts(training, "training"):
        counts.update(cut(composed(line if tokens is None else tokens.normalize(line)), unit))
    return counts


def _overall(lines, unit, tokenize):
    of_all = group(lines)
    wanted, said = sum(line.wanted for line in lines), sum(line.length for line in lines)
    edits = [edit for line in lines for edit in line.edits if edit[0] != edit[1]]
    kinds = {
        "substitutions": sum(None not in edit for edit in edits),
        "deletions": sum(edit[1] is None for edit in edits),
        "insertions": sum(edit[0] is None for edit in edits),
    }
    figures = {"exact match": (of_all["exact"], f"{sum(line.exact for line in lines):,} of {len(lines):,} lines")}
    figures[f"{UNITS[unit]} error rate"] = (
        of_all["error_rate"],
        f"{len(edits):,} edits, {wanted:,} {UNITS[unit]}s wanted",
    )
    figures |= {name: (Rate(count / max(wanted, 1)), f"{count:,}") for name, count in kinds.items()}
    figures["said to wanted"] = said / max(wanted, 1), f"{said:,} {UNITS[unit]}s said"
    if unit == "word" and any(len(token) > 1 for line in lines for token in line.translation.source):  # not of letters
        found = corpus_scores([line.said for line in lines], [line.reference for line in lines], "bleu,chrf", tokenize)
        figures |= {"BLEU": (found["bleu"], found["bleu_signature"]), "chrF": (found["chrf"], found["chrf_signature"])}
    rows = [{"figure": name, "value": value, "of": of} for name, (value, of) in figures.items()]
    wrong = np.array([line.wrong for line in lines])
    note = f"half of the edits are in {_half(wrong):,} of {len(lines):,} lines" if wrong.any() else ""
    return Table("All lines", rows, note)


def _half(wrong):
    """In how few lines half of the edits are."""
    return int(np.searchsorted(np.cumsum(np.sort(wrong)[::-1]), wrong.sum() / 2) + 1)
