"""The lattice of CTC: a target's states over the frames, the moves between them, and how probable each is."""

from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.backend import to_numpy
from numseq.errors import ArgumentError
from numseq.plots.figure import LARGEST_SIDE, cut, figure_class, set_title
from numseq.plots.fonts import drawable, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLANK = "–"
LIKELY = 1e-4  # a state that is less probable is none through which a move is drawn


def ctc_lattice(trace: Any, tokens: Sequence[str] | None = None, *, row: int = 0, title: str | None = None) -> "Figure":
    """Draw through which states of its target one row's frames go: the darker, the more probable, given the target.

    Lines are the moves between states that are not all but impossible. The blank's states are called –.

    Args: trace, of `numseq.layers.ctc_loss`. tokens, what the target's tokens are called, one for each; None for their
        ids. row, which of the batch. title.
    Returns: a Figure.
    Raises: ArgumentError, when the trace has no lattice, tokens are of another number, or the target is impossible.
    """
    arguments.having(trace, "trace", "what ctc_loss returns", "occupancy", "lengths", "skip")
    row = arguments.whole(row, "row", least=0, most=len(to_numpy(trace.lengths)) - 1)
    title = arguments.text(title or "", "title")
    if to_numpy(trace.impossible)[row]:
        raise ArgumentError(f"the target of row {row} is impossible: its frames go through no state of it")
    T = int(to_numpy(trace.lengths)[row])
    ids = to_numpy(trace.targets)[:T, row].tolist()
    tokens = [str(k) for k in ids] if tokens is None else arguments.texts(tokens, "tokens")
    if len(tokens) != T:
        raise ArgumentError(f"tokens has {len(tokens)}: the target of row {row} has {T}")
    occupancy = to_numpy(trace.occupancy)[:, : 2 * T + 1, row]
    if trace.mask is not None:
        occupancy = occupancy[to_numpy(trace.mask)[:, row]]
    skips = to_numpy(trace.skip)[: 2 * T + 1, row] == 0

    (labels, family), (heading, title_family) = drawable([cut(visible(token)) for token in tokens], [title])
    names = [BLANK, *(name for token in labels for name in (token, BLANK))]
    S, U = occupancy.shape
    cell = min(0.4, LARGEST_SIDE / max(S, U))  # inches
    width, height = max(4.0, cell * S + 2.0), max(2.5, cell * U + 1.2)
    figure = figure_class()(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    moves = import_module("matplotlib.collections").LineCollection(
        list(_moves(occupancy > LIKELY, skips)), colors="0.75", linewidths=min(1.0, 2.5 * cell), zorder=1
    )
    axes.add_collection(moves)
    s, u = np.indices(occupancy.shape).reshape(2, -1)
    points = axes.scatter(
        s + 1, u, c=occupancy.reshape(-1), s=(0.55 * 72 * cell) ** 2, cmap="Blues", vmin=0, vmax=1,
        edgecolors="0.6", linewidths=min(0.5, 2 * cell), zorder=2,
    )  # fmt: skip
    figure.colorbar(points, ax=axes, label="occupancy")
    size = min(10.0, max(4.0, 0.7 * 72 * cell))
    axes.set_yticks(range(U), names, family=family, fontsize=size, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("frame")
    axes.set_ylabel("state")
    axes.xaxis.get_major_locator().set_params(integer=True)
    set_title(axes, heading[0], title_family, width)
    return figure


def _moves(likely, skips):
    """((frame, state), (frame + 1, state)) of each move between likely states."""
    for s, (before, after) in enumerate(pairwise(likely), start=1):
        for u in np.flatnonzero(after):
            for by in range(1 + min(u, 1 + skips[u])):
                if before[u - by]:
                    yield (s, u - by), (s + 1, u)
