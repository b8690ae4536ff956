"""Where a decoder looked."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.errors import ArgumentError
from numseq.plots.figure import LARGEST_SIDE, cut, figure_class, set_title
from numseq.plots.fonts import drawable, text_width, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention_map(
    alpha: Array,
    source: Sequence[str],
    target: Sequence[str],
    *,
    copied: Sequence[int | None] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw attention weights: one row for each target token, one column for each source token.

    Tokens and title are plain text in any script; `$` starts no formula. A space shows as ␣. Letters join and
    run as their script asks; the tokens themselves go from left to right.

    Shapes: `alpha` (T, S) NumPy array of weights from 0 to 1; `source` S strings; `target` T strings; `copied`, if
    given, of each of the first target tokens the column that it was copied from, which gets a ring, or None
    (`Translation.copied`).
    Returns a `Figure`: a notebook shows it, `save` writes it.
    Warns when no installed font has a character; its code, such as U+4E2D, is drawn in its place.
    Raises ArgumentError when `alpha` is None, as without an attention or for an empty line, is not (T, S), does not fit
    the tokens, or holds other than weights, or `copied` names no column.
    """
    source, target = arguments.texts(source, "source"), arguments.texts(target, "target")
    if alpha is None:
        raise ArgumentError("alpha is None: a plain model attends to nothing, and so does an empty line")
    alpha = arguments.numbers(alpha, "alpha", "T S")
    if alpha.size == 0:
        raise ArgumentError(f"alpha must have shape (T, S), T and S at least 1, but it has shape {alpha.shape}")
    if alpha.shape != (len(target), len(source)):
        needed = f"{len(target)} target and {len(source)} source tokens need {(len(target), len(source))}"
        raise ArgumentError(f"alpha has shape {alpha.shape}, but {needed}")
    if not np.isfinite(alpha).all():
        raise ArgumentError("alpha holds values that are not finite (nan or inf)")
    if alpha.min() < -1e-3 or alpha.max() > 1 + 1e-3:  # a little room for rounding in low precision
        raise ArgumentError(f"alpha must hold weights from 0 to 1, not {alpha.min():.3g} to {alpha.max():.3g}")
    rings = _rings(copied or [], *alpha.shape)

    T, S = alpha.shape
    title = arguments.text(title or "", "title")
    (columns, x_family), (rows, y_family), (heading, title_family) = drawable(
        [visible(s) for s in source], [visible(t) for t in target], [title]
    )
    columns, rows = [cut(s) for s in columns], [cut(t) for t in rows]
    x_width, y_width = [text_width(s) for s in columns], [text_width(t) for t in rows]

    # A cell has room for a character, or for a word that leans. Very long sequences share LARGEST_SIDE, with
    # smaller letters and then with fewer labels.
    by_character = np.quantile(x_width, 0.75) <= 2
    cell = min(0.3 if by_character else 0.45, LARGEST_SIDE / max(S, T))  # inches
    size = min(11.0, max(5.0, 0.7 * 72 * cell))  # points
    every = math.ceil(size / (72 * cell))
    letter = 0.65 * size / 72  # inches
    width = max(3.0, cell * S + letter * max(y_width) + 1.5)
    height = max(2.5, cell * T + letter * max(x_width) + 1.0)

    figure = figure_class()(figsize=(width, height), layout="compressed")
    axes = figure.add_subplot()
    image = axes.imshow(alpha, cmap="viridis", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    beside = cell * T > 1.4  # tall enough for the label of the colour bar
    figure.colorbar(image, ax=axes, label="attention weight", location="right" if beside else "bottom")
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=2)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("source" if copied is None else "source, with a ring where a word was copied")
    if rings:
        size_of_ring = (0.6 * 72 * cell) ** 2
        axes.scatter(*zip(*rings, strict=True), s=size_of_ring, facecolors="none", edgecolors="red", linewidths=1.5)
    axes.set_ylabel("target")
    axes.set_xticks(range(0, S, every), columns[::every], family=x_family, fontsize=size, parse_math=False)
    axes.set_yticks(range(0, T, every), rows[::every], family=y_family, fontsize=size, parse_math=False)
    for label, letters in zip(axes.get_xticklabels(), x_width[::every], strict=True):
        if not by_character:
            label.set(rotation=45, rotation_mode="xtick")
        elif letters > 2:  # a word among characters, such as <eos>
            label.set_rotation(90)
    set_title(axes, heading[0], title_family, width)
    return figure


def _rings(copied, T, S):
    """(column, row) of each token that was copied."""
    copied = arguments.listed(copied, "copied", "a column or None for each target token")
    if len(copied) > T:
        raise ArgumentError(f"copied is of {len(copied)} tokens: there are {T} target tokens")
    found = [(j, t) for t, j in enumerate(copied) if j is not None]
    return [(arguments.whole(j, f"copied[{t}]", least=0, most=S - 1), t) for j, t in found]
