"""What all pictures share: the figure, panels in rows and columns, letters and files."""

import io
import textwrap
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError, shown
from numseq.files import write_atomically
from numseq.plots.fonts import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_LABEL = 24  # characters; a longer token is cut, so that one odd token cannot squeeze the picture
LARGEST_SIDE = 16.0  # inches, of the coloured cells
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"]  # colour-blind safe: Okabe & Ito 2008


def save(figure: "Figure", path: str | PathLike) -> None:
    """Write a figure to `path` as PNG (150 dots per inch) or SVG, by its suffix.

    The file appears whole or not at all, so a page that shows it never reads half a picture.
    Raises ArgumentError when the name ends in neither .png nor .svg, and for what is no figure.
    """
    path = arguments.path(path, "path")
    arguments.having(figure, "figure", "a Figure, as the functions of numseq.plots return", "savefig")
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise ArgumentError(f"cannot save a figure as {path.name!r}: the name must end in .png or .svg")
    picture = io.BytesIO()
    figure.savefig(picture, format=suffix[1:], dpi=150, bbox_inches="tight")
    write_atomically(path, picture.getvalue())


@cache
def figure_class() -> "type[Figure]":
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """A figure that a notebook shows when it is the value of a cell.

        IPython can show a plain `Figure` only once pyplot has loaded the inline backend: nothing here does.
        """

        def _repr_png_(self):
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", bbox_inches="tight")
            return buffer.getvalue()

    return NotebookFigure


def grid(
    rows: dict[str, dict[str, Any]],
    draw: Any,
    kinds: dict[str, dict[str, Any]],
    x_label: str,
    y_label: str | None,
    title: str | None,
    marks: bool = True,
) -> "Figure":
    """Panels in rows and columns, and one legend below: a column for each set of labels, and one for kinds of lines.

    draw(axes, lines, style) draws a panel. Without a y_label it is a dict of row headings to such functions, and the
    headings are the labels.
    """
    columns = max((len(panels) for panels in rows.values()), default=0)
    if columns == 0:
        raise ArgumentError("there is no panel to draw")
    title = arguments.text(title or "", "title")
    sets = list(dict.fromkeys(tuple(lines) for panels in rows.values() for lines in panels.values()))
    style = {
        label: {"color": COLOURS[k % 5], **({"marker": "os^Dv"[k % 5], "markersize": 4} if marks else {})}
        for labels in sets
        for k, label in enumerate(labels)
    }
    tall = max(map(len, sets))
    figure = figure_class()(
        figsize=(max(6.4, 0.8 + 2.9 * columns), 0.9 + 2.4 * len(rows) + 0.2 * tall), layout="constrained"
    )
    grid = figure.subplots(len(rows), columns, sharex=True, sharey="row" if y_label is None else True, squeeze=False)
    for row, (heading, panels), all_axes in zip(range(len(rows)), rows.items(), grid, strict=True):
        for axes, (name, lines) in zip(all_axes, panels.items(), strict=False):
            (draw[heading] if y_label is None else draw)(axes, lines, style)
            axes.grid(alpha=0.3)
            if row == 0:
                axes.set_title(name, fontsize=11, parse_math=False)
            if row == len(rows) - 1:
                axes.set_xlabel(x_label)
        all_axes[0].set_ylabel(heading if y_label is None else f"{heading}\n{y_label}", parse_math=False)
    line = import_module("matplotlib.lines").Line2D
    groups = [[line([], [], label=label, **style[label]) for label in labels] for labels in sets]
    if kinds:
        groups.append([line([], [], **{"color": "black", **kind}, label=name) for name, kind in kinds.items()])
    nothing = line([], [], linestyle="none", label=" ")
    tall = max(map(len, groups))
    handles = [handle for group in groups for handle in group + [nothing] * (tall - len(group))]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(groups), frameon=False, fontsize=9)
    if title:
        [(heading, family)] = drawable([title])
        figure.suptitle(heading[0], family=family, parse_math=False)
    return figure


def panels_of(rows: Any, called: str, depth: int = 3) -> Any:
    """Dicts in dicts, so many deep, with headings and labels for names. Raises: ArgumentError."""
    if not isinstance(rows, Mapping):
        headings = "a dict of headings to panels" if depth > 1 else "a dict of labels to lines"
        raise ArgumentError(f"{called} is {shown(rows)}: it must be {headings}")
    for name, part in rows.items():
        arguments.text(name, f"a heading of {called}")
        if depth > 1:
            panels_of(part, f"{called}[{name!r}]", depth - 1)
    return rows


def positive(values: Any) -> np.ndarray:
    """What a logarithmic axis can show; the rest is nan."""
    values = np.asarray(values, float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def cut(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 3] + "..."


def cut_left(text: str, longest: int = 40) -> str:
    """A dotted path keeps its end, which says most."""
    return text if len(text) <= longest else "..." + text[3 - longest :]


def set_title(axes: "Axes", text: str, family: list[str] | None, inches: float) -> None:
    lines = [textwrap.fill(line, width=max(24, int(9 * inches))) for line in text.splitlines()]
    axes.set_title("\n".join(lines), family=family, parse_math=False)
