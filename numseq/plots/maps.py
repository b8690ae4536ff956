"""Maps of numbers over time, blue below 0 and orange above."""

import math
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from numseq.plots.figure import COLOURS, LARGEST_SIDE, cut, figure_class, positive, set_title
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


def heat_maps(
    panels: dict[str, np.ndarray],
    limits: dict[str, float],
    tokens: list[str],
    title: str,
    norms: dict[str, np.ndarray] | None = None,
) -> "Figure":
    """A map for each quantity, (units, T): the steps go from left to right, below the last one stand the tokens. norms,
    (T,) by name, are lines above the maps, on a logarithmic axis."""
    T = len(tokens)
    wide = min(LARGEST_SIDE, max(6.0, 0.16 * T + 1.5))
    heights = [min(1.3, max(0.45, 0.07 * len(panel))) for panel in panels.values()]
    above = [1.8] if norms else []
    tall = sum(above + heights) + 0.12 * len(panels) + 0.7
    [(letters, family)] = drawable([visible(cut(token)) for token in tokens])
    upright = max(map(text_width, letters)) <= 2
    below = 0.6 if upright else 0.6 + 0.08 * max(map(text_width, letters))  # inches
    figure = figure_class()(figsize=(wide, tall + below))
    ratios = above + heights
    figure.subplots_adjust(0.8 / wide, below / (tall + below), 1 - 0.6 / wide, 1 - 0.7 / (tall + below), hspace=0.14)
    all_axes = figure.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    for k, (name, norm) in enumerate((norms or {}).items()):
        style = {
            "color": COLOURS[k % 5],
            "linestyle": ["-", "--", ":", "-."][k // 5 % 4],
            "marker": ".",
            "markersize": 3,
        }
        all_axes[0].semilogy(positive(norm), label=name, **style)
    if norms:
        all_axes[0].set_ylabel("norm")
        all_axes[0].set_xlim(-0.5, T - 0.5)
        all_axes[0].set_xticks([])
        all_axes[0].grid(alpha=0.3)
        all_axes[0].legend(loc="upper left", ncols=3, fontsize=8)
    for axes, (name, panel) in zip(all_axes[len(above) :], panels.items(), strict=True):
        limit = limits[name]
        axes.imshow(panel, cmap=colours(), vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
        axes.set_ylabel(name, rotation=0, ha="right", va="center", parse_math=False)
        axes.set_yticks([])
        axes.set_xticks([])
        axes.text(1.01, 0.5, f"±{limit:.2g}", transform=axes.transAxes, va="center", fontsize=8, color="#555")
    every = max(1, math.ceil(T * 0.12 / wide))
    bottom = all_axes[-1]
    bottom.set_xticks(range(0, T, every), letters[::every], family=family, fontsize=8, parse_math=False)
    bottom.tick_params(axis="x", labelrotation=0 if upright else 90, length=2)
    bottom.set_xlabel("time step; each row is a unit, blue below 0, orange above")
    set_title(all_axes[0], title, None, wide)
    return figure
