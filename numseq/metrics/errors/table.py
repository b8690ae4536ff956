"""A table: rows of named cells, shown as text, Markdown, HTML or JSON. A cell is a number, a Rate, a text or None."""

import textwrap
from dataclasses import dataclass, field
from html import escape
from typing import Any

from numseq.metrics.errors.intervals import Difference, Rate
from numseq.plots.fonts import text_width
from numseq.record import Record

WIDTH = 100
LINES = 12  # of a text that is shown
GAP = "  "
NOTHING = "-"


@dataclass(slots=True)
class Table(Record):
    """title, of the table. rows, a dict for each, all with the same keys, which head the columns. note, what columns
    are, in a sentence."""

    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""

    def text(self, width: int = WIDTH) -> str:
        """The table in lines of at most `width` letters; texts that do not fit are cut."""
        lines = [self.title, "-" * text_width(self.title), *textwrap.wrap(self.note, width)]
        return "\n".join([*lines, *self._body(width)])

    def _body(self, width):
        if not self.rows:
            return ["none"]
        names = list(self.rows[0])
        cells = [[_heading(name) for name in names], *([shown(row[name]) for name in names] for row in self.rows)]
        wide = [max(text_width(row[k]) for row in cells) for k in range(len(names))]
        left = [all(isinstance(row[name], str | None) for row in self.rows) for name in names]
        while sum(wide) + len(GAP) * (len(wide) - 1) > width and max(wide) > 8:
            wide[wide.index(max(wide))] -= 1
        return [
            GAP.join(_padded(cell, size, to_left) for cell, size, to_left in zip(row, wide, left, strict=True)).rstrip()
            for row in cells
        ]

    def markdown(self) -> str:
        """The table as a section of Markdown."""
        parts = [f"## {_safe(self.title)}"]
        if self.note:
            parts.append(_safe(self.note))
        return "\n\n".join([*parts, self._markdown_body()])

    def _markdown_body(self):
        if not self.rows:
            return "none"
        names = list(self.rows[0])
        rows = [
            [_heading(name) for name in names],
            ["---"] * len(names),
            *([_safe(shown(row[name])) for name in names] for row in self.rows),
        ]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def to_list(self) -> list[dict[str, Any]]:
        """The rows as JSON has them: a Rate as {"value", "low", "high"}."""
        return [
            {name: cell._asdict() if isinstance(cell, Rate) else cell for name, cell in row.items()}
            for row in self.rows
        ]

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        head = f"<b>{escape(self.title)}</b>" + (f"<div>{escape(self.note)}</div>" if self.note else "")
        if not self.rows:
            return f"<div>{head}<div>none</div></div>"
        names = list(self.rows[0])
        rows = [f"<tr>{''.join(f'<th>{escape(_heading(name))}</th>' for name in names)}</tr>"]
        rows += [f"<tr>{''.join(f'<td>{escape(shown(row[name]))}</td>' for name in names)}</tr>" for row in self.rows]
        return f"<div>{head}<table>{''.join(rows)}</table></div>"


class Examples(Table):
    """A table whose rows are lines of text with what is known of them: shown as blocks, since they are long."""

    __slots__ = ()
    __repr__ = Table.__repr__  # which a Record's subclass does not inherit

    def _body(self, width):
        lines = []
        for row in self.rows:
            figures = [f"{_heading(name)} {shown(cell)}" for name, cell in row.items() if name not in LONG]
            lines.append(", ".join(figures))
            for name in [name for name in LONG if name in row]:
                begin = f"    {_heading(name):<12}"
                lines += _wrapped(row[name] or NOTHING, begin, width)
        return lines or ["none"]


LONG = ("source", "reference", "said", "said_first", "said_second")


def shown(cell: Any) -> str:
    """A cell as text."""
    if cell is None:
        return NOTHING
    if isinstance(cell, Rate):
        sign, of_all = ("+", "") if isinstance(cell, Difference) else ("", "%")
        value = f"{100 * cell.value:{sign}.1f}{of_all}"
        return value if cell.low is None else f"{value} ({100 * cell.low:{sign}.1f} to {100 * cell.high:{sign}.1f})"
    if isinstance(cell, float):
        return f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _heading(name):
    return name.replace("_", " ")


def _padded(text, size, to_left):
    while text_width(text) > size:
        text = text[:-2] + "…"
    room = " " * (size - text_width(text))
    return text + room if to_left else room + text


def _wrapped(text, begin, width):
    """A text in lines of at most `width`, the first with `begin` before it and the others below its end."""
    room, lines = width - len(begin), [""]
    for word in text.split(" "):
        gap = " " if lines[-1] else ""
        wide = text_width(word)
        if text_width(lines[-1]) + len(gap) + wide <= room:
            lines[-1] += gap + word
        elif wide <= room:
            lines.append(word)
        else:  # no letter is wider than two
            lines += [word[k : k + room // 2] for k in range(0, len(word), room // 2)]
    lines = [line for line in lines if line]
    if len(lines) > LINES:
        lines[LINES - 1 :] = ["…"]
    return [f"{' ' * len(begin) if k else begin}{line}" for k, line in enumerate(lines)]


def _safe(text):
    """Text that Markdown takes as it is."""
    for mark in "\\`*_{}[]<>#|$~":
        text = text.replace(mark, "\\" + mark)
    return text.replace("\n", " ")
