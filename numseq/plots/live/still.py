"""Still pictures of the live ones, by matplotlib, from the same numbers."""

import math
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq.plots.figure import LARGEST_SIDE, cut, figure_class, set_title
from numseq.plots.fonts import drawable, text_width, visible

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


@cache
def colours() -> "Colormap":
    """Blue below 0, orange above, as in the live pictures."""
    return import_module("matplotlib.colors").LinearSegmentedColormap.from_list(
        "numseq", ["#175c9e", "#f2f2f2", "#be5000"]
    )


def draw_cell(data: dict[str, Any], t: int) -> "Figure":
    """The data flow of a cell with the numbers of step t."""
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
        if node["values"] is not None:
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
    token = visible(cut(data["tokens"][t]))
    [(heading, family)] = drawable([f"{data['title']}\nat step {t}, {token}; blue below 0, orange above"])
    axes.set_title(heading[0], family=family, parse_math=False, fontsize=10)
    return figure


def draw_part(data: dict[str, Any], k: int) -> "Figure":
    """All quantities of one part, of its first example, over time."""
    part = data["parts"][k]
    panels = {q["name"]: np.array(q["values"][0], float).T for q in part["quantities"] if q["values"] is not None}
    limits = {q["name"]: q["limit"] for q in part["quantities"]}
    return heat_maps(panels, limits, part["tokens"][0], f"{data['title']}\n{part['name']}, example 0")


def heat_maps(
    panels: dict[str, np.ndarray], limits: dict[str, float], tokens: list[str], title: str, rows: str = "unit"
) -> "Figure":
    """A map for each quantity, (units, T): the steps go from left to right, below the last one stand the tokens."""
    T = len(tokens)
    wide = min(LARGEST_SIDE, max(6.0, 0.16 * T + 1.5))
    heights = [min(2.4, max(0.45, 0.07 * len(panel))) for panel in panels.values()]
    figure = figure_class()(figsize=(wide, sum(heights) + 0.12 * len(panels) + 1.3), layout="constrained")
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, panel) in zip(all_axes, panels.items(), strict=True):
        limit = limits[name]
        image = axes.imshow(panel, cmap=colours(), vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
        axes.set_ylabel(name, rotation=0, ha="right", va="center", parse_math=False)
        axes.set_yticks([])
        figure.colorbar(image, ax=axes, ticks=[-limit, 0, limit] if heights[0] > 0.5 else [-limit, limit])
    every = max(1, math.ceil(T * 0.12 / wide))
    [(letters, family)] = drawable([visible(cut(token)) for token in tokens])
    upright = max(map(text_width, letters)) <= 2
    bottom = all_axes[-1]
    bottom.set_xticks(range(0, T, every), letters[::every], family=family, fontsize=8, parse_math=False)
    bottom.tick_params(axis="x", labelrotation=0 if upright else 90, length=2)
    bottom.set_xlabel(f"time step; each row is a {rows}")
    set_title(all_axes[0], title, None, wide)
    return figure
