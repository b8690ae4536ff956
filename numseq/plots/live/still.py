"""Still pictures of the live ones, by matplotlib, from the same numbers."""

import textwrap
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq.plots.figure import cut, figure_class
from numseq.plots.fonts import drawable, visible
from numseq.plots.maps import colours, heat_maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_cell(data: dict[str, Any], t: int | None) -> "Figure":
    """The data flow of a cell with the numbers of step t, or with its equations."""
    patches, paths = import_module("matplotlib.patches"), import_module("matplotlib.path")
    width, height, (wide, tall) = data["width"], data["height"], data["box"]
    figure = figure_class()(figsize=(width / 90, (height + 30) / 90), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(0, width)
    axes.set_ylim(height, -6)
    axes.set_axis_off()
    for wire in data["wires"]:
        points = wire["points"]
        way, codes = [points[0]], [1]
        for k in range(0, len(points) - 1):
            (x0, y0), (x1, y1) = points[k], points[k + 1]
            half = (x0 + x1) / 2
            way += [(half, y0), (half, y1), (x1, y1)]
            codes += [4, 4, 4]
        axes.add_patch(patches.PathPatch(paths.Path(way, codes), fill=False, color="#8b939b", zorder=1))
    place = {node["name"]: node for node in data["nodes"]}
    for end in data["ends"]:
        axes.annotate(
            "",
            (end["x"], end["y"]),
            (place[end["from"]]["x"] + wide, end["y"]),
            arrowprops={"arrowstyle": "->", "color": "#8b939b"},
        )
    for node in data["nodes"]:
        x, y = node["x"], node["y"]
        axes.add_patch(
            patches.FancyBboxPatch((x, y), wide, tall, boxstyle="round,pad=0,rounding_size=4", fc="white", ec="#8b939b")
        )
        axes.text(x + 6, y + 11, node["name"], va="center", weight="bold", fontsize=9, parse_math=False)
        axes.text(x + wide - 6, y + 11, node["signs"], va="center", ha="right", fontsize=8, color="#6a7178")
        if t is None:
            made = node["equation"].partition(" = ")[2] or node["equation"].partition(": ")[2]
            lines = textwrap.fill(made, 25)
            place_of = {"va": "center", "ha": "left", "linespacing": 1.05, "parse_math": False}
            axes.text(x + 6, y + 31, lines, fontsize=6.5 if len(made) < 54 else 5.5, **place_of)
        elif node["values"] is not None:
            axes.imshow(
                [node["values"][t]],
                cmap=colours(),
                vmin=-node["limit"],
                vmax=node["limit"],
                extent=(x + 6, x + wide - 6, y + tall - 6, y + 22),
                aspect="auto",
                interpolation="nearest",
                zorder=3,
            )
    axes.set_xlim(0, width)
    axes.set_ylim(height, -6)
    said = data["title"]
    if t is not None:
        said += f"\nat step {t}, {visible(cut(data['tokens'][t]))}; blue below 0, orange above"
    [(heading, family)] = drawable([said])
    axes.set_title(heading[0], family=family, parse_math=False, fontsize=10)
    return figure


def draw_part(data: dict[str, Any], k: int) -> "Figure":
    """All quantities of one part, of its first example, over time."""
    part = data["parts"][k]
    panels = {q["name"]: np.array(q["values"][0], float).T for q in part["quantities"] if q["values"] is not None}
    limits = {q["name"]: q["limit"] for q in part["quantities"]}
    return heat_maps(panels, limits, part["tokens"][0], f"{data['title']}\n{part['name']}, example 0")
