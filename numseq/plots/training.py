"""How training went: learning curves of one run and of several, and what clipping does to updates."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import product
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError, shown
from numseq.plots.figure import COLOURS, figure_class, grid, panels_of, positive, set_title
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
    epochs, train, valid = _losses(metrics, "metrics", "epoch")
    trained, validated = np.isfinite(train), np.isfinite(valid)

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


def learning_curves(
    runs: dict[str, list[Any]],
    *,
    x: str | Sequence[str] = "epoch",
    y: str | Sequence[str] = "loss",
    log: bool = True,
    title: str | None = None,
) -> "Figure":
    """Draw the losses of several runs into one picture, training dashed and validation solid, or other numbers.

    `runs` is a dict of labels to runs. A run is a list of dictionaries, as of `learning_curve`; in its place may stand
    a list of runs, such as those that differ in their seed: they get one colour. x: what is drawn against, a number in
    these dictionaries, as "epoch" or "seconds"; each of several has a column. y: what is drawn, "loss" for both losses,
    or a number in these dictionaries, as "bleu"; each of several has a row. log: False makes the axis of losses and
    perplexities linear, as the others are. Where there is no finite value at the end of a run, a cross stands at the
    last one.

    Returns a `Figure`.
    Raises ArgumentError when there is no run, one holds no x or no y, or something is of another kind.
    """
    across, down = (arguments.texts([a] if isinstance(a, str) else a, b) for a, b in ((x, "x"), (y, "y")))
    arguments.one_of(log, "log", bool)
    if not panels_of(runs, "runs", depth=1):
        raise ArgumentError("runs is empty: there is no run to draw")
    for called, names in (("x", across), ("y", down)):
        if not names:
            raise ArgumentError(f"{called} is empty: it must name what is drawn")
    size = 6.4 if len(across) == 1 else 1.0 + 3.2 * len(across), 4.4 if len(down) == 1 else 1.0 + 2.6 * len(down)
    figure = figure_class()(figsize=size, layout="constrained")
    panels = figure.subplots(len(down), len(across), sharex="col", sharey="row", squeeze=False)
    (labels, family), (heading, title_family) = drawable([*runs], [arguments.text(title or "", "title")])
    colours, line, drawn = _colours(len(runs)), import_module("matplotlib.lines").Line2D, set()
    for (label, run), colour in zip(runs.items(), colours, strict=True):
        several = _several(run, f"runs[{label!r}]")
        style = {"color": colour, "linewidth": 1.6 if len(several) == 1 else 0.9}
        for where, metrics in several.items():
            for (row, what), (column, name) in product(enumerate(down), enumerate(across)):
                axes, logarithmic = panels[row, column], log and _is_loss(what)
                at, curves = _curves(metrics, where, name, what)
                for dashes, values in curves.items():
                    there = np.flatnonzero(np.isfinite(positive(values) if logarithmic else values))
                    if there.size:
                        drawn |= {dashes} if what == "loss" else set()
                        axes.plot(at[there], values[there], dashes, marker="." if there.size == 1 else None, **style)
                        if there[-1] < len(values) - 1:
                            axes.plot(at[there[-1]], values[there[-1]], "x", color=colour, markersize=8)
    for axes, what in zip(panels[:, 0], down, strict=True):
        axes.set_ylabel("loss (nats per token)" if what == "loss" else what, parse_math=False)
        if log and _is_loss(what):
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(_between_decades(low, high))
    for axes, name in zip(panels[-1], across, strict=True):
        axes.set_xlabel(name, parse_math=False)
    for axes in panels.flat:
        axes.grid(alpha=0.3, which="both")
    handles = [line([], [], color=colour, label=label) for label, colour in zip(labels, colours, strict=True)]
    kinds = {"--": "training", "-": "validation"}
    handles += [line([], [], color="0.3", linestyle=k, label=kinds[k]) for k in kinds if k in drawn]
    legend = figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set(family=family, parse_math=False)
    if panels.size == 1:
        set_title(panels[0, 0], heading[0], title_family, 5.0)
    elif heading[0]:
        figure.suptitle(heading[0], family=title_family, parse_math=False)
    return figure


def _several(run: Any, called: str) -> dict[str, Any]:
    """One run, or some in its place: what each is called in an error, and its metrics."""
    several = arguments.listed(run, called, "a list of dicts, one for each epoch, or a list of such lists")
    if not several or isinstance(several[0], Mapping):
        return {called: several}
    return {f"{called}[{k}]": metrics for k, metrics in enumerate(several)}


def _between_decades(low: float, high: float) -> Any:
    """What is written between the powers of ten: all where the axis has less than a decade; where only one power is on
    it, which is no scale yet, twice and five times; else nothing."""
    if high < 10 * low:
        return "{x:g}"
    powers = np.floor(np.log10(high)) - np.ceil(np.log10(low)) + 1
    return "" if powers > 1 else lambda x, _: f"{x:g}" if f"{x:e}"[0] in "25" else ""


def _is_loss(what: str) -> bool:
    return "loss" in what or "perplexity" in what


def _curves(metrics: Any, called: str, x: str, y: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """x, and of the losses or of another number {kind of line: y}, nan where there is none. Raises: ArgumentError."""
    if y == "loss":
        at, train, valid = _losses(metrics, called, x)
        return at, {"--": train, "-": valid}
    at, [values] = _numbers(metrics, called, x, [y])
    if not np.isfinite(values).any():
        raise ArgumentError(f"{called} holds no finite {y}: there are {', '.join(map(str, metrics[0]))}")
    return at, {"-": values}


def _losses(metrics: Any, called: str, x: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, training and validation loss of each epoch, nan where there is none. Raises: ArgumentError."""
    keys = ("train_loss", "valid_loss", "valid_perplexity")
    at, [train, valid, perplexity] = _numbers(metrics, called, x, keys)
    with np.errstate(divide="ignore", invalid="ignore"):
        valid = np.where(np.isnan(valid), np.log(perplexity), valid)
    if not (np.isfinite(train).any() or np.isfinite(valid).any()):
        raise ArgumentError(f"{called} holds no finite {', '.join(keys)}")
    return at, train, valid


def _numbers(metrics: Any, called: str, x: str, keys: Sequence[str]) -> tuple[np.ndarray, list[np.ndarray]]:
    """x, and some numbers by name, of each line of a run, nan where there is none. Raises: ArgumentError."""
    metrics = arguments.listed(metrics, called, "a list of dicts, one for each epoch, as train_run returns")
    if not metrics:
        raise ArgumentError(f"{called} is empty: there is no epoch to draw")
    for k, line in enumerate(metrics):
        if not isinstance(line, Mapping):
            raise ArgumentError(f"{called}[{k}] is {shown(line)}: it must be a dict, as of a line of metrics.jsonl")
        for key in (x, *keys):
            if not isinstance(line.get(key), Real | None):
                raise ArgumentError(f"{called}[{k}] has the {key} {shown(line[key])}: it must be a number")
        if x != "epoch" and line.get(x) is None:
            raise ArgumentError(f"{called}[{k}] has no {x}: there are {', '.join(map(str, line))}")
    at = np.array([line.get(x, n) for n, line in enumerate(metrics, start=1)])
    return at, [np.array([line.get(key) for line in metrics], float) for key in keys]  # None is nan


def _colours(n: int) -> Iterable[Any]:
    """Those of Okabe & Ito, or, where these do not suffice, a scale from dark to light."""
    distinct = [*COLOURS, "#E69F00", "#56B4E9"]
    if n <= len(distinct):
        return distinct[:n]
    return import_module("matplotlib").colormaps["viridis"](np.linspace(0, 0.9, n))


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
