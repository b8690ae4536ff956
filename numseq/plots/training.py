"""How training went: learning curves, and what clipping does to updates."""

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError, shown
from numseq.plots.figure import figure_class, grid, panels_of, set_title
from numseq.plots.fonts import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curve(metrics: list[dict[str, Any]], *, title: str | None = None) -> "Figure":
    """Draw training and validation loss against the epoch, and ring the best validation epoch.

    `metrics` is a list of dictionaries, one for each epoch, as the lines of metrics.jsonl: `epoch` (from 1),
    `train_loss` and `valid_loss` (nats per token), or `valid_perplexity`, whose logarithm is the loss. An
    epoch without a finite value has no point.

    Returns a `Figure`.
    Raises ArgumentError when `metrics` is empty, holds no loss, or is something else.
    """
    metrics = arguments.listed(metrics, "metrics", "a list of dicts, one for each epoch, as train_run returns")
    if not metrics:
        raise ArgumentError("metrics is empty: there is no epoch to draw")
    keys = ("train_loss", "valid_loss", "valid_perplexity")
    for k, line in enumerate(metrics):
        if not isinstance(line, Mapping):
            raise ArgumentError(f"metrics[{k}] is {shown(line)}: it must be a dict, as of a line of metrics.jsonl")
        for key in ("epoch", *keys):
            if not isinstance(line.get(key), Real | None):
                raise ArgumentError(f"metrics[{k}] has the {key} {shown(line[key])}: it must be a number")
    epochs = np.array([m.get("epoch", n) for n, m in enumerate(metrics, start=1)])
    train, valid, perplexity = (np.array([m.get(key) for m in metrics], float) for key in keys)  # None is nan
    with np.errstate(divide="ignore", invalid="ignore"):
        valid = np.where(np.isnan(valid), np.log(perplexity), valid)
    trained, validated = np.isfinite(train), np.isfinite(valid)
    if not (trained.any() or validated.any()):
        raise ArgumentError(f"metrics holds no finite {', '.join(keys)}")

    figure = figure_class()(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    if trained.any():
        axes.plot(epochs[trained], train[trained], "o-", markersize=4, label="training")
    if validated.any():
        axes.plot(epochs[validated], valid[validated], "s-", markersize=4, label="validation")
        best = np.argmin(np.where(validated, valid, np.inf))
        label = f"best: {valid[best]:.3g} at epoch {epochs[best]}"
        axes.plot(epochs[best], valid[best], "o", color="black", fillstyle="none", markersize=11, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (nats per token)")
    axes.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(alpha=0.3)
    axes.legend()
    [(heading, family)] = drawable([arguments.text(title or "", "title")])
    set_title(axes, heading[0], family, 6.4)
    return figure


def updates(panels: dict[str, dict[str, Any]], *, chance: float | None = None, title: str | None = None) -> "Figure":
    """Draw the norm of the gradient before each update, and the loss below it, of several runs.

    `panels` is a dict of headings to lines, and these a dict of labels to runs: a list of
    `numseq.studies.copy_memory.CopyRun` that differ in their seed. A run that ended early stops with a cross. chance:
    the loss of who knows nothing.

    Returns a `Figure`.
    Raises ArgumentError when there is no panel, or something is of another kind.
    """
    for heading, lines in panels_of(panels, "panels", depth=2).items():
        for label, runs in lines.items():
            where = f"panels[{heading!r}][{label!r}]"
            for run in arguments.listed(runs, where, "a list of CopyRun"):
                arguments.having(run, where, "a CopyRun", "loss", "norm")

    def draw_of(name):
        def draw(axes, lines, style):
            for label, runs in lines.items():
                for run in runs:
                    values = getattr(run, name)
                    axes.plot(values, linewidth=0.9, alpha=0.8, **style[label])
                    made = int(np.isfinite(values).sum())
                    if 0 < made < len(values):
                        axes.plot(made - 1, values[made - 1], "x", color=style[label]["color"], markersize=8)
            if name == "norm":
                axes.set_yscale("log")
            elif chance is not None:
                axes.axhline(chance, color="0.4", linestyle=":", linewidth=1.5, zorder=0)

        return draw

    kinds = {} if chance is None else {"chance": {"linestyle": ":", "color": "0.4", "linewidth": 1.5}}
    draws = {"norm of the gradient": draw_of("norm"), "loss (nats per symbol)": draw_of("loss")}
    return grid(dict.fromkeys(draws, panels), draws, kinds, "update", None, title, marks=False)
