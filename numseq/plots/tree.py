"""How a beam search went."""

from typing import TYPE_CHECKING

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.plots.figure import cut, figure_class
from numseq.plots.fonts import drawable, text_width, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numseq.search.tree import Node


def beam_tree(rows: "list[list[Node]]", *, title: str | None = None, dropped: int = 2) -> "Figure":
    """Draw a beam search: time to the right, the best continuation of a step on top.

    `rows` is what `numseq.search.tree.nodes` returns. Beginnings that were kept are joined to their parents; complete
    hypotheses stand in boxes; the best one is bold; of what was dropped, the first `dropped` of each step are grey.

    Returns a `Figure`.
    Raises ArgumentError when there is no step, or something is no Node.
    """
    rows, dropped = arguments.listed(rows, "rows", "lists of nodes"), arguments.whole(dropped, "dropped", least=0)
    for k, row in enumerate(rows):
        for node in arguments.listed(row, f"rows[{k}]", "nodes"):
            arguments.having(node, f"rows[{k}]", "a list of Node", "token", "fate", "parent")
    title = arguments.text(title or "", "title")
    if not any(rows):
        raise ArgumentError("rows has no node: there is no search to draw")
    shown = [
        [node for node in row if node.beam is not None or node.fate == "complete"]
        + [node for node in row if node.beam is None and node.fate != "complete"][:dropped]
        for row in rows
    ]
    words = [node.token for row in shown for node in row]
    (labels, family), (heading, title_family) = drawable([visible(word) for word in words], [title])
    labels = iter(cut(label) for label in labels)
    names = {id(node): next(labels) for row in shown for node in row}
    tall = max(map(len, shown))
    widths = [max(text_width(names[id(node)]) for node in row) for row in shown]
    left = np.concatenate([[0], np.cumsum(np.array(widths) * 0.085 + 0.65)])  # inches
    figure = figure_class()(figsize=(max(3.0, left[-1] + 0.4), 0.42 * tall + 0.9))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    place = {}
    for x, row in zip(left, shown, strict=False):
        for k, node in enumerate(row):
            place[id(node)] = (x + 0.2, 0.42 * (tall - k))
    for row in shown:
        for node in row:
            x, y = place[id(node)]
            kept = node.beam is not None or node.fate == "complete"
            color = "black" if kept else "0.65"
            box = {"boxstyle": "round,pad=0.15", "facecolor": "#dbe9f6", "edgecolor": "0.5"}
            axes.text(
                x, y, names[id(node)], family=family, fontsize=9, color=color, va="center", parse_math=False,
                weight="bold" if node.on_best else "normal", bbox=box if node.fate == "complete" else None,
            )  # fmt: skip
            axes.text(x, y - 0.14, f"{node.score:.2f}", fontsize=6, color="0.5" if kept else "0.75", va="center")
            if node.parent and id(node.parent) in place:
                px, py = place[id(node.parent)]
                end = px + 0.085 * text_width(names[id(node.parent)]) + 0.06
                axes.plot([end, x - 0.06], [py, y], color=color, linewidth=1.6 if node.on_best else 0.6, zorder=0)
    axes.set_xlim(0, figure.get_size_inches()[0])
    axes.set_ylim(0, figure.get_size_inches()[1])
    if title:
        axes.text(0.2, 0.42 * tall + 0.55, heading[0], family=title_family, fontsize=11, parse_math=False)
    return figure
