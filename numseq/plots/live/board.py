"""The film of a gradient check: quantities by steps, filled in the order of the walk back, up to the first mistake."""

from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.plots.figure import cut_left, figure_class
from numseq.plots.live.picture import LivePicture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numseq.gradcheck.report import Check

WHERE, EQUATION, ANSWER = 1, 2, 3  # hints of a Check
MOST = 3000  # cells


def check_film(check: "Check", *, title: str | None = None) -> LivePicture:
    """A gradient check as a film: a board with a row for each quantity and a column for each step, filled in the order
    of the walk back from the loss, from the last step leftwards. It stops at the first wrong one, with its equation.
    Of a backward that is right all of the board is filled, the results last.

    Args: check, of `numseq.gradcheck.check`, or of `grade`; what its hints do not tell, this does not. title.
    Returns: a LivePicture.
    Raises: ArgumentError, when the check looked at nothing, or its hints do not say where the mistake is.
    """
    arguments.having(check, "check", "a Check, as numseq.gradcheck.check returns it", "quantities", "errors", "hints")
    if not check.ok and check.hints < WHERE:
        raise ArgumentError(f"check has hints={check.hints}, which does not say where the mistake is: ask for hints=1")
    cells = [(q.label, q.place.t, q.error) for q in check.quantities]
    cells += [(name, None, error) for name, error in check.errors.items()]
    if not cells or check.problems:
        raise ArgumentError(f"there is nothing to play of {check.name}: {'; '.join(check.problems) or 'no gradient'}")
    if len(cells) > MOST:
        raise ArgumentError(f"the check has {len(cells):,} quantities: a film has room for {MOST:,}")
    end = next((k for k, cell in enumerate(cells) if cell[:2] == check.first_wrong), len(cells) - 1)
    rows = list(dict.fromkeys(label for label, _, _ in cells))
    steps = sorted({t for _, t, _ in cells if t is not None})
    columns = [*steps, *([None] if any(t is None for _, t, _ in cells) else [])]
    title = arguments.text(title or f"{check.name}: the walk back from the loss", "title")
    data: dict[str, Any] = {
        "title": title,
        "rows": rows,
        "columns": ["–" if t is None else str(t) for t in columns],
        "cells": [[rows.index(label), columns.index(t), _finite(error)] for label, t, error in cells],
        "end": end,
        "ok": check.ok,
        "tolerance": check.tolerance,
        "first": [] if check.first is None else _said(check),
    }
    return LivePicture("board", data, lambda: _still(data), title)


def _finite(error):
    return float(error) if np.isfinite(error) else None


def _said(check):
    """What the report tells of the first wrong one, as far as its hints go: (kind, text)."""
    first, said = check.first, []
    if check.hints >= EQUATION:
        said += [("equation", f"{first.name} = {first.equation}")] if first.equation else []
        said += [("shows", text) for text in first.shows]
    if first.sums:
        said.append(("shows", "every quantity inside is right, so it is the sum over steps and rows that goes wrong"))
    if check.hints >= ANSWER:
        for found in check.diagnosis:
            said.append(("known", f"this looks like: {found.name}. {found.lesson}"))
    return said


def _still(data) -> "Figure":
    rows, columns, end = data["rows"], data["columns"], data["end"]
    figure = figure_class()(figsize=(3 + 0.32 * len(columns), 1.2 + 0.22 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for r, c, error in data["cells"][: end + 1]:
        right = error is not None and error <= data["tolerance"]
        axes.plot(c, r, marker="s", markersize=11, color="#b7d3ec" if right else "#be5000")
    if not data["ok"]:
        r, c, _ = data["cells"][end]
        axes.plot(c, r, marker="o", markersize=20, fillstyle="none", color="black", markeredgewidth=2)
    axes.set_xlim(-0.7, len(columns) - 0.3)
    axes.set_ylim(len(rows) - 0.3, -0.7)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), [cut_left(label) for label in rows], fontsize=8, parse_math=False)
    axes.set_xlabel("time step (–: no time)")
    axes.set_title(
        f"{data['title']}\n{'all right' if data['ok'] else 'up to the first mistake'}", fontsize=9, parse_math=False
    )
    return figure
