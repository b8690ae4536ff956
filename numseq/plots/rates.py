"""Step sizes: those of a schedule over a run, and the losses that a range test found with them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.plots.figure import COLOURS, figure_class, panels_of, set_title
from numseq.plots.fonts import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4


def schedules(runs: Mapping[str, Sequence[float]], *, title: str | None = None) -> "Figure":
    """Draw the step size of every update of some runs, a panel each.

    `runs` is a dict of headings to step sizes, as of `numseq.training.step_sizes`.

    Returns a `Figure`.
    Raises ArgumentError when there is none, or something is of another kind.
    """
    if not panels_of(runs, "runs", depth=1):
        raise ArgumentError("runs is empty: there is no schedule to draw")
    sizes = {name: arguments.numbers(run, f"runs[{name!r}]", "update") for name, run in runs.items()}
    (headings, family), (heading, title_family) = drawable([*runs], [arguments.text(title or "", "title")])
    rows, columns = -(-len(runs) // COLUMNS), min(len(runs), COLUMNS)
    figure = figure_class()(figsize=(max(4.0, 0.6 + 2.3 * columns), 0.6 + 1.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(runs) :]:
        axes.set_axis_off()
    for axes, name, run in zip(grid.flat, headings, sizes.values(), strict=False):
        axes.plot(np.arange(1, len(run) + 1), run, color=COLOURS[0])
        axes.set_title(name, fontsize=10, family=family, parse_math=False)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    for axes in list(grid.flat[: len(runs)])[-columns:]:  # the lowest of each column
        axes.set_xlabel("update")
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel("step size")
    if heading[0]:
        figure.suptitle(heading[0], family=title_family, parse_math=False)
    return figure


def lr_range(found: Any, *, title: str | None = None) -> "Figure":
    """Draw the loss against the step size of a range test, and mark the step size that it suggests.

    `found` is what `numseq.training.lr_range` returns: the losses of single updates are grey, the smoothed ones a line.

    Returns a `Figure`.
    Raises ArgumentError for what is no such thing.
    """
    arguments.having(found, "found", "what lr_range returns", "lrs", "losses", "smoothed", "suggestion")
    (heading, family) = drawable([arguments.text(title or "", "title")])[0]
    figure = figure_class()(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(found.lrs, found.losses, ".", color="0.7", markersize=4, label="of one update")
    axes.plot(found.lrs, found.smoothed, color=COLOURS[0], label="smoothed")
    low, high = min(*found.losses, *found.smoothed), max(found.smoothed)
    if found.suggestion is not None:
        label = f"suggestion: {found.suggestion:.2g}"
        axes.axvline(found.suggestion, color=COLOURS[1], linestyle="--", linewidth=1.2, label=label)
    axes.set_xscale("log")
    margin = 0.1 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)  # the loss of one update may be far above
    axes.set_xlabel("step size (lr)")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend()
    set_title(axes, heading[0], family, 6.4)
    return figure
