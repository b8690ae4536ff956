"""What a model gets wrong: an error analysis on one page, its confusions as a map, and two models side by side."""

import re
from collections import Counter
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.plots.figure import COLOURS, cut, cut_left, figure_class, set_title
from numseq.plots.fonts import drawable, text_width, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from numseq.metrics.errors import ErrorAnalysis, ErrorComparison

BLUE, ORANGE, GREEN = COLOURS[:3]
LARGEST = 40  # tokens on a side of a map of confusions
NOTHING = "nothing"


def error_analysis(analysis: "ErrorAnalysis", *, title: str | None = None) -> "Figure":
    """Draw an error analysis on one page: error rates by length and for kinds of lines, right tokens by frequency,
    edits of a line, how sure the model was, and the most frequent confusions. Bars are intervals of 95 %.

    `analysis` is what `numseq.metrics.errors.analyse` returns.
    Returns a `Figure`.
    Raises ArgumentError for what is no analysis.
    """
    analysis = _analysed(analysis, "analysis")
    panels = [_by_length, _by_kind, _by_edits, _by_probability, _confused]
    if analysis.by_frequency is not None and analysis.by_frequency.rows:
        panels.insert(1, _by_frequency)
    figure = figure_class()(figsize=(14.0, 8.0), layout="constrained")
    all_axes = figure.subplots(2, 3).ravel()
    for axes, draw in zip(all_axes, panels, strict=False):
        draw(axes, analysis)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    if title:
        [(heading, family)] = drawable([arguments.text(title, "title")])
        figure.suptitle(heading[0], family=family, parse_math=False)
    return figure


def confusion_map(analysis: "ErrorAnalysis") -> "Figure":
    """Draw what was said in the place of what: a row for each token that was wanted, a column for each that was said,
    and what was left out and added. Of more than 40 tokens those with the most edits are drawn.

    A colour is the share of the places where the token was wanted. What is right is left out, as it would outshine all
    else; what was added has no place where it was wanted: its numbers stand in the lowest row.
    Returns a `Figure`.
    Raises ArgumentError for what is no analysis, and where there is no edit.
    """
    edits = Counter(edit for line in _analysed(analysis, "analysis").lines for edit in line.edits)
    wanted = Counter()
    for (token, _), count in edits.items():
        wanted[token] += count
    wrong = {edit: count for edit, count in edits.items() if edit[0] != edit[1]}
    if not wrong:
        raise ArgumentError("analysis has no edit: there is no confusion to draw")
    weight = Counter()
    for edit, count in wrong.items():
        for token in edit:
            weight[token] += count
    del weight[None]
    tokens = sorted(sorted(weight, key=lambda token: (-weight[token], token))[:LARGEST])
    row = {token: k for k, token in enumerate([*tokens, None])}
    n = len(tokens)
    shares, counts = np.full((n + 1, n + 1), np.nan), np.zeros((n + 1, n + 1), dtype=int)
    for (token, said), count in wrong.items():
        if token in row and said in row:
            counts[row[token], row[said]] = count
            if token is not None:
                shares[row[token], row[said]] = 100 * count / wanted[token]
    return _draw_map(tokens, shares, counts)


def error_comparison(comparison: "ErrorComparison", names: tuple[str, str] = ("first", "second")) -> "Figure":
    """Draw two models side by side: the error rates of both by length, their difference with its interval of 95 %, and
    how many lines became better and worse.

    `comparison` is what `numseq.metrics.errors.compare_errors` returns; names, what its two models are called.
    Returns a `Figure`.
    Raises ArgumentError for what is no comparison.
    """
    comparison = arguments.having(comparison, "comparison", "an ErrorComparison", "overall", "by_length", "better")
    names = [arguments.text(name, "names") for name in arguments.pair(names, "names")]
    [(labels, family)] = drawable([f"first: {cut_left(names[0])}", f"second: {cut_left(names[1])}"])
    rows = [comparison.overall.rows[0] | {"source_tokens": "all"}, *comparison.by_length.rows]
    places, bins = np.arange(len(rows)), [row["source_tokens"] for row in rows]
    figure = figure_class()(figsize=(14.0, 4.2), layout="constrained")
    rates, differences, changed = figure.subplots(1, 3)
    for k, (name, label, colour) in enumerate(zip(("first", "second"), labels, (BLUE, ORANGE), strict=True)):
        rates.bar(places + 0.4 * k - 0.2, [_percent(row[name]) for row in rows], 0.4, color=colour, label=label)
    rates.set_ylabel("error rate (%)")
    legend = rates.legend(frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set(family=family, parse_math=False)
    _points(differences, [row["difference"] for row in rows], GREEN)
    differences.axhline(0, color="0.4", linewidth=1)
    differences.set_ylabel("second - first (points of error rate)\nbelow 0: the second is better")
    for sign, name, colour in ((1, "better", GREEN), (-1, "worse", COLOURS[3])):
        shares = [sign * 100 * row[name] / row["number"] for row in rows]
        changed.bar(places, shares, 0.6, color=colour, label=f"{name} by the second")
    changed.axhline(0, color="0.4", linewidth=1)
    changed.set_ylabel("lines (%)")
    changed.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    changed.legend(frameon=False, fontsize=9)
    for axes in (rates, changed):
        axes.margins(y=0.2)  # room for the legend
    for axes in (rates, differences, changed):
        axes.set_xticks(places, bins)
        axes.set_xlabel("tokens of the source")
        axes.grid(axis="y", alpha=0.3)
    return figure


def _analysed(given: Any, called: str) -> Any:
    return arguments.having(given, called, "an ErrorAnalysis", "lines", "by_length", "confusions")


def _percent(rate: Any) -> float:
    return np.nan if rate is None else 100 * rate.value


def _points(axes: "Axes", rates: list[Any], colour: str, flat: bool = False) -> None:
    """A point for each rate, in percent, with a bar where it has an interval."""
    places, values = np.arange(len(rates)), np.array([_percent(rate) for rate in rates])
    known = [rate if rate is not None and rate.low is not None else None for rate in rates]
    bars = [[0, 0] if one is None else [one.value - one.low, one.high - one.value] for one in known]
    bars = 100 * np.abs(bars).T.reshape(2, -1)
    style = {"fmt": "o", "color": colour, "capsize": 3, "markersize": 5}
    if flat:
        axes.errorbar(values, places, xerr=bars, **style)
    else:
        axes.errorbar(places, values, yerr=bars, **style)


def _by_length(axes, analysis):
    rows = analysis.by_length.rows
    _points(axes, [row["error_rate"] for row in rows], BLUE)
    axes.set_xticks(range(len(rows)), [f"{row['source_tokens']}\n({row['lines']:,})" for row in rows])
    axes.set_xlabel("tokens of the source (lines)")
    axes.set_ylabel("error rate (%)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.set_title("by length", fontsize=11)


def _by_frequency(axes, analysis):
    rows = analysis.by_frequency.rows
    _points(axes, [row["right"] for row in rows], GREEN)
    names = [re.sub("-.*| or more", "+", row["in_training"]) for row in rows]
    names = [f"{name}\n({row['tokens']:,})" for name, row in zip(names, rows, strict=True)]
    axes.set_xticks(range(len(rows)), names, fontsize=9)
    axes.set_xlabel("times in the training targets (tokens here)")
    axes.set_ylabel("right tokens (%)")
    axes.set_ylim(-3, 103)
    axes.grid(alpha=0.3)
    axes.set_title("by frequency", fontsize=11)


def _by_kind(axes, analysis):
    rows = list(analysis.unknown.rows)
    if analysis.coverage is not None:
        rows += analysis.coverage.rows
    _points(axes, [row["error_rate"] for row in rows], ORANGE, flat=True)
    axes.set_yticks(range(len(rows)), [f"{row['lines_with']} ({row['lines']:,})" for row in rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("error rate (%)")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.set_title("kinds of lines (how many)", fontsize=11)


def _by_edits(axes, analysis):
    counts = Counter(line.wrong for line in analysis.lines)
    wide = max(counts) // 24 + 1  # edits that share a bar
    edges = np.arange(0, max(counts) + wide + 1, wide) - 0.5
    axes.hist([line.wrong for line in analysis.lines], edges, color=BLUE, rwidth=0.9)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("edits of a line")
    axes.set_ylabel("lines")
    axes.grid(axis="y", alpha=0.3)
    axes.set_title("how wrong lines are", fontsize=11)


def _by_probability(axes, analysis):
    """Lines in tenths by how sure the model was; one that knew it would be less wrong from left to right."""
    known = sorted((line for line in analysis.lines if line.probability is not None), key=lambda line: line.probability)
    parts = [part for part in np.array_split(np.arange(len(known)), 10) if len(part)]
    at = [float(np.mean([known[k].probability for k in part])) for part in parts]
    rates = [100 * sum(known[k].wrong for k in part) / max(sum(known[k].wanted for k in part), 1) for part in parts]
    axes.plot(at, rates, "o-", color=BLUE, markersize=5)
    axes.set_xlabel("mean probability of what was said\n(a tenth of the lines each)")
    axes.set_ylabel("error rate (%)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.set_title("did the model know it?", fontsize=11)


def _confused(axes, analysis):
    rows = [row for row in analysis.confusions.rows if row["edit"] == "substituted"]
    names = [f"{cut(row['wanted'])} → {cut(row['said'])}" for row in rows]
    [(names, family)] = drawable(names)
    axes.barh(range(len(rows)), [row["times"] for row in rows], color=COLOURS[3])
    axes.set_yticks(range(len(rows)), names, family=family, fontsize=9, parse_math=False)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xlabel("times")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title("wanted → said", fontsize=11)


def _draw_map(tokens, shares, counts):
    n = len(tokens)
    [(names, family)] = drawable([*(visible(cut(token)) for token in tokens), NOTHING])
    upright = max(map(text_width, names[:-1])) <= 3
    cell = 0.3
    figure = figure_class()(figsize=(cell * n + 3.0, cell * n + 2.2), layout="constrained")
    axes = figure.add_subplot()
    colours = import_module("matplotlib").colormaps["Blues"]
    image = axes.imshow(shares, cmap=colours, vmin=0, interpolation="nearest")
    middle = np.nanmax(shares, initial=0.0) / 2 if np.isfinite(shares).any() else 0
    for i, j in zip(*np.nonzero(counts), strict=True):
        dark = np.isfinite(shares[i, j]) and shares[i, j] > middle
        axes.text(j, i, counts[i, j], ha="center", va="center", fontsize=6, color="white" if dark else "black")
    for k in range(n):
        axes.plot(k, k, ".", color="0.8", markersize=3)
    axes.axhline(n - 0.5, color="0.6", linewidth=0.8)
    axes.axvline(n - 0.5, color="0.6", linewidth=0.8)
    axes.set_xticks(range(n + 1), names, family=family, fontsize=8, parse_math=False)
    axes.set_yticks(range(n + 1), names, family=family, fontsize=8, parse_math=False)
    for k, label in enumerate(axes.get_xticklabels()):
        label.set_rotation(0 if upright and k < n else 90)
    axes.set_xlabel("said")
    axes.set_ylabel("wanted")
    figure.colorbar(image, ax=axes, label="of the places where it was wanted (%)", shrink=0.6)
    set_title(axes, "What was said for what, and how often", None, cell * n + 2.0)
    return figure
