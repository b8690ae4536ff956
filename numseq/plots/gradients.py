"""Gradients: where a backward pass is wrong, how exact a numeric derivative is, how far a gradient gets, which gates
are saturated, and what comes back inside the steps."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.errors import ArgumentError
from numseq.plots.figure import cut_left, figure_class, grid, panels_of, positive, set_title
from numseq.plots.maps import heat_maps
from numseq.plots.reading import Reading, like_order, limit_of, token_list, unit_panels
from numseq.record import KeptGradients

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numseq.gradcheck.report import Check


def gradient_errors(check: "Check") -> "Figure":
    """Draw a gradient check: the relative error of every named quantity at every time step, on a logarithmic scale.

    `check` is the Check of `numseq.gradcheck.check`. Rows are quantities in the order of the walk back from the loss,
    columns are time steps; what has no time stands in a column of its own, as do the results.

    Returns a `Figure`.
    Raises ArgumentError when the check looked at nothing, and for what is no Check.
    """
    arguments.having(check, "check", "a Check, as numseq.gradcheck.check returns it", "quantities", "errors")
    cells = [(q.label, q.place.t, q.error) for q in check.quantities]
    cells += [(name, None, error) for name, error in check.errors.items()]
    if not cells:
        raise ArgumentError(f"there is nothing to draw of {check.name}: {'; '.join(check.problems) or 'no gradient'}")
    rows = list(dict.fromkeys(label for label, _, _ in cells))
    steps = sorted({t for _, t, _ in cells if t is not None})
    columns = [*steps, *([None] if any(t is None for _, t, _ in cells) else [])]
    errors = np.full((len(rows), len(columns)), np.nan)
    for label, t, error in cells:
        errors[rows.index(label), columns.index(t)] = min(max(error, 1e-16), 10)

    scale = import_module("matplotlib.colors").LogNorm(1e-16, 10)
    figure = figure_class()(figsize=(4 + 0.35 * len(columns), 1.2 + 0.2 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(errors, cmap="RdYlBu_r", norm=scale, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, label="relative error")
    bar.ax.axhline(check.tolerance, color="black")
    axes.set_xticks(range(len(columns)), ["-" if t is None else str(t) for t in columns])
    axes.set_yticks(range(len(rows)), [cut_left(label) for label in rows], fontsize=8, parse_math=False)
    axes.set_xlabel("time step (-: no time)")
    verdict = "right" if check.ok else "WRONG"
    set_title(axes, f"{check.name}: {verdict}", None, figure.get_size_inches()[0])
    return figure


def error_curve(curves: dict[str, tuple[Array, Array]]) -> "Figure":
    """Draw the error of numeric derivatives against their step h.

    `curves` is what `numseq.gradcheck.sweep` returns: method to (steps, relative errors).

    Returns a `Figure`.
    Raises ArgumentError when it is something else.
    """
    for method, curve in panels_of(curves, "curves", depth=1).items():
        where = f"curves[{method!r}]"
        steps, errors = (arguments.numbers(line, where, "K") for line in arguments.pair(curve, where))
        if len(steps) != len(errors):
            raise ArgumentError(f"{where} has {len(steps)} steps and {len(errors)} errors: they must pair up")
    figure = figure_class()(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for (method, (steps, errors)), marker in zip(curves.items(), "os^", strict=False):
        axes.loglog(steps, np.maximum(errors, 1e-17), f"{marker}-", markersize=4, label=method)
    axes.invert_xaxis()
    axes.set_xlabel("step h")
    axes.set_ylabel("relative error of the derivative")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def gradient_flow(
    rows: dict[str, dict[str, Any]], *, theories: Iterable[str] = ("theory",), title: str | None = None
) -> "Figure":
    """Draw how a gradient shrinks or grows on its way back from the loss, on a logarithmic scale.

    `rows` is a dict of row headings to panels, these a dict of headings to lines, and these a dict of labels to lists
    of arrays (K,), norms at distance 0, 1, ... from the loss: first the measured ones, then what the theories say,
    drawn dashed and dotted, or None. `theories` are their names. What is not positive or not finite has no point. All
    panels share their axes, which are as high as what was measured needs: a line of theory may leave them.

    Returns a `Figure`.
    Raises ArgumentError when there is no panel, or something is of another kind.
    """
    theories = arguments.texts(theories, "theories")
    for heading, panels in panels_of(rows, "rows").items():
        for name, lines in panels.items():
            for label, found in lines.items():
                where = f"rows[{heading!r}][{name!r}][{label!r}]"
                for line in arguments.listed(found, where, "a list of arrays (K,)"):
                    if line is not None:
                        arguments.numbers(line, where, "K")
    kinds: dict[str, dict[str, Any]] = {"measured": {"linestyle": "-"}}
    kinds |= {name: {"linestyle": kind, "linewidth": 1.2} for name, kind in zip(theories, ("--", ":"), strict=False)}
    measured = [positive(line[0]) for panels in rows.values() for lines in panels.values() for line in lines.values()]
    measured = np.concatenate([np.ones(1), *measured])
    low, high = np.nanmin(measured), np.nanmax(measured)

    def draw(axes, lines, style):
        for label, found in lines.items():
            for line, kind in zip(found, kinds.values(), strict=False):
                if line is not None:
                    marked = {"markevery": (5, 20)} if kind["linestyle"] == "-" else {"marker": None}
                    axes.plot(positive(line), **{**style[label], **kind, **marked})
        axes.set_yscale("log")
        axes.set_ylim(max(low, 1e-16) / 10, high * 100)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)

    return grid(rows, draw, kinds, "steps back from the loss", "norm, relative to that at 0", title)


def saturation(rows: dict[str, dict[str, Any]], *, title: str | None = None) -> "Figure":
    """Draw which share of a gate's units is saturated at every t: above, drawn upwards, and below, drawn downwards.

    `rows` is as of `gradient_flow`, its lines a dict of the gates' names to `numseq.studies.flow.Saturation`, as
    `numseq.studies.flow.gate_saturation` returns it.

    Returns a `Figure`.
    Raises ArgumentError when there is no panel, or something is of another kind.
    """
    for heading, panels in panels_of(rows, "rows").items():
        for name, lines in panels.items():
            for label, shares in lines.items():
                arguments.having(shares, f"rows[{heading!r}][{name!r}][{label!r}]", "a Saturation", "above", "below")

    def draw(axes, lines, style):
        for label, shares in lines.items():
            first = 3 + 4 * list(lines).index(label)  # marks beside one another, where lines are on one another
            for share in (shares.above, -shares.below):
                axes.plot(share, markevery=(first, 20), linewidth=1.2, **style[label])
        axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        axes.set_ylim(-1.05, 1.05)
        axes.set_yticks([-1, -0.5, 0, 0.5, 1], ["1", "0.5", "0", "0.5", "1"])

    return grid(rows, draw, {}, "time step t", "share below       share above", title)


def gradients(
    trace: Any,
    kept: KeptGradients,
    tokens: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    row: int = 0,
    direction: str | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw the gradients inside the steps of one sequence: their norms over time, and a map of units for each.

    The norms have a logarithmic axis: gradients that vanish or explode on their way back go straight there.

    Args: kept, what `numseq.record.keep_gradients` kept while `trace.backward` ran. All others as of `gates`; a name is
        that of a quantity, "f" for df.
    Returns: a Figure.
    Raises: ArgumentError, when nothing was kept of this trace.
    """
    reading = Reading(trace, row, direction, arguments.one_of(kept, "kept", KeptGradients))
    reading.values = reading.gradients
    panels = unit_panels(reading, names)
    order = like_order(np.concatenate([panel / (limit_of(panel, 0) or 1) for panel in panels.values()]))
    limits = {f"d{name}": limit_of(panel, 0) or 1.0 for name, panel in panels.items()}
    title = arguments.text(title or f"{type(reading.run.cell).__name__}: gradients inside the steps", "title")
    turned = {f"d{name}": panel[:, order].T for name, panel in panels.items()}
    norms = {name: np.linalg.norm(panel, axis=0) for name, panel in turned.items()}
    return heat_maps(turned, limits, token_list(tokens, reading.T, len(reading.steps)), title, norms=norms)
