"""Pictures: where the decoder looked (`attention_map`), how training went (`learning_curve`), where a backward pass is
wrong (`gradient_errors`), how exact a numeric derivative is (`error_curve`), how a beam search went (`beam_tree`), how
far a gradient gets (`gradient_flow`), which gates are saturated (`saturation`), and what clipping does (`updates`).

Every picture is a matplotlib `Figure` made without pyplot: no display is needed, and no global list keeps a
figure that the caller has dropped. matplotlib is imported where it is used, so `import numseq` is quick.
"""

import io
import math
import textwrap
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

from numseq.files import write_atomically
from numseq.fonts import drawable, text_width, visible

LONGEST_LABEL = 24  # characters; a longer token is cut, so that one odd token cannot squeeze the picture
LARGEST_SIDE = 16.0  # inches, of the coloured cells
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"]  # colour-blind safe: Okabe & Ito 2008


def attention_map(alpha, source, target, *, title=None):
    """Draw attention weights: one row for each target token, one column for each source token.

    Tokens and title are plain text in any script; `$` starts no formula. A space shows as ␣. Letters join and
    run as their script asks; the tokens themselves go from left to right.

    Shapes: `alpha` (T, S) NumPy array of weights from 0 to 1; `source` S strings; `target` T strings.
    Returns a `Figure`: a notebook shows it, `save` writes it.
    Warns when no installed font has a character; its code, such as U+4E2D, is drawn in its place.
    Raises ValueError when `alpha` is not (T, S), does not fit the tokens, or holds other than weights.
    """
    alpha = np.asarray(alpha)
    if alpha.ndim != 2 or alpha.size == 0:
        raise ValueError(f"alpha must have shape (T, S), T and S at least 1, but it has shape {alpha.shape}")
    if alpha.shape != (len(target), len(source)):
        needed = f"{len(target)} target and {len(source)} source tokens need {(len(target), len(source))}"
        raise ValueError(f"alpha has shape {alpha.shape}, but {needed}")
    if not np.isfinite(alpha).all():
        raise ValueError("alpha holds values that are not finite (nan or inf)")
    if alpha.min() < -1e-3 or alpha.max() > 1 + 1e-3:  # a little room for rounding in low precision
        raise ValueError(f"alpha must hold weights from 0 to 1, not {alpha.min():.3g} to {alpha.max():.3g}")

    T, S = alpha.shape
    (columns, x_family), (rows, y_family), (heading, title_family) = drawable(
        [visible(s) for s in source], [visible(t) for t in target], [title or ""]
    )
    columns, rows = [_cut(s) for s in columns], [_cut(t) for t in rows]
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

    figure = _figure_class()(figsize=(width, height), layout="compressed")
    axes = figure.add_subplot()
    image = axes.imshow(alpha, cmap="viridis", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    beside = cell * T > 1.4  # tall enough for the label of the colour bar
    figure.colorbar(image, ax=axes, label="attention weight", location="right" if beside else "bottom")
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=2)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("source")
    axes.set_ylabel("target")
    axes.set_xticks(range(0, S, every), columns[::every], family=x_family, fontsize=size, parse_math=False)
    axes.set_yticks(range(0, T, every), rows[::every], family=y_family, fontsize=size, parse_math=False)
    for label, letters in zip(axes.get_xticklabels(), x_width[::every], strict=True):
        if not by_character:
            label.set(rotation=45, rotation_mode="xtick")
        elif letters > 2:  # a word among characters, such as <eos>
            label.set_rotation(90)
    _set_title(axes, heading[0], title_family, width)
    return figure


def learning_curve(metrics, *, title=None):
    """Draw training and validation loss against the epoch, and ring the best validation epoch.

    `metrics` is a list of dictionaries, one for each epoch, as the lines of metrics.jsonl: `epoch` (from 1),
    `train_loss` and `valid_loss` (nats per token), or `valid_perplexity`, whose logarithm is the loss. An
    epoch without a finite value has no point.

    Returns a `Figure`.
    Raises ValueError when `metrics` is empty or holds no loss.
    """
    if not metrics:
        raise ValueError("metrics is empty: there is no epoch to draw")
    epochs = np.array([m.get("epoch", n) for n, m in enumerate(metrics, start=1)])
    keys = ("train_loss", "valid_loss", "valid_perplexity")
    train, valid, perplexity = (np.array([m.get(key) for m in metrics], float) for key in keys)  # None is nan
    with np.errstate(divide="ignore", invalid="ignore"):
        valid = np.where(np.isnan(valid), np.log(perplexity), valid)
    trained, validated = np.isfinite(train), np.isfinite(valid)
    if not (trained.any() or validated.any()):
        raise ValueError(f"metrics holds no finite {', '.join(keys)}")

    figure = _figure_class()(figsize=(6.4, 4.0), layout="constrained")
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
    [(heading, family)] = drawable([title or ""])
    _set_title(axes, heading[0], family, 6.4)
    return figure


def gradient_errors(check):
    """Draw a gradient check: the relative error of every named quantity at every time step, on a logarithmic scale.

    `check` is the Check of `numseq.gradcheck.check`. Rows are quantities in the order of the walk back from the loss,
    columns are time steps; what has no time stands in a column of its own, as do the results.

    Returns a `Figure`.
    Raises ValueError when the check looked at nothing.
    """
    cells = [(q.label, q.place.t, q.error) for q in check.quantities]
    cells += [(name, None, error) for name, error in check.errors.items()]
    if not cells:
        raise ValueError(f"there is nothing to draw of {check.name}: {'; '.join(check.problems) or 'no gradient'}")
    rows = list(dict.fromkeys(label for label, _, _ in cells))
    steps = sorted({t for _, t, _ in cells if t is not None})
    columns = [*steps, *([None] if any(t is None for _, t, _ in cells) else [])]
    errors = np.full((len(rows), len(columns)), np.nan)
    for label, t, error in cells:
        errors[rows.index(label), columns.index(t)] = min(max(error, 1e-16), 10)

    scale = import_module("matplotlib.colors").LogNorm(1e-16, 10)
    figure = _figure_class()(figsize=(4 + 0.35 * len(columns), 1.2 + 0.2 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(errors, cmap="RdYlBu_r", norm=scale, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, label="relative error")
    bar.ax.axhline(check.tolerance, color="black")
    axes.set_xticks(range(len(columns)), ["-" if t is None else str(t) for t in columns])
    axes.set_yticks(range(len(rows)), [_cut_left(label) for label in rows], fontsize=8, parse_math=False)
    axes.set_xlabel("time step (-: no time)")
    verdict = "right" if check.ok else "WRONG"
    _set_title(axes, f"{check.name}: {verdict}", None, figure.get_size_inches()[0])
    return figure


def error_curve(curves):
    """Draw the error of numeric derivatives against their step h.

    `curves` is what `numseq.gradcheck.sweep` returns: method to (steps, relative errors).

    Returns a `Figure`.
    """
    figure = _figure_class()(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for (method, (steps, errors)), marker in zip(curves.items(), "os^", strict=False):
        axes.loglog(steps, np.maximum(errors, 1e-17), f"{marker}-", markersize=4, label=method)
    axes.invert_xaxis()
    axes.set_xlabel("step h")
    axes.set_ylabel("relative error of the derivative")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def beam_tree(rows, *, title=None, dropped=2):
    """Draw a beam search: time to the right, the best continuation of a step on top.

    `rows` is what `numseq.search.tree.nodes` returns. Beginnings that were kept are joined to their parents; complete
    hypotheses stand in boxes; the best one is bold; of what was dropped, the first `dropped` of each step are grey.

    Returns a `Figure`.
    """
    shown = [
        [node for node in row if node.beam is not None or node.fate == "complete"]
        + [node for node in row if node.beam is None and node.fate != "complete"][:dropped]
        for row in rows
    ]
    words = [node.token for row in shown for node in row]
    (labels, family), (heading, title_family) = drawable([visible(word) for word in words], [title or ""])
    labels = iter(_cut(label) for label in labels)
    names = {id(node): next(labels) for row in shown for node in row}
    tall = max(map(len, shown))
    widths = [max(text_width(names[id(node)]) for node in row) for row in shown]
    left = np.concatenate([[0], np.cumsum(np.array(widths) * 0.085 + 0.65)])  # inches
    figure = _figure_class()(figsize=(max(3.0, left[-1] + 0.4), 0.42 * tall + 0.9))
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


def gradient_flow(rows, *, theories=("theory",), title=None):
    """Draw how a gradient shrinks or grows on its way back from the loss, on a logarithmic scale.

    `rows` is a dict of row headings to panels, these a dict of headings to lines, and these a dict of labels to lists
    of arrays (K,), norms at distance 0, 1, ... from the loss: first the measured ones, then what the theories say,
    drawn dashed and dotted, or None. `theories` are their names. What is not positive or not finite has no point. All
    panels share their axes, which are as high as what was measured needs: a line of theory may leave them.

    Returns a `Figure`.
    Raises ValueError when there is no panel.
    """
    kinds = {"measured": {"linestyle": "-"}}
    kinds |= {name: {"linestyle": kind, "linewidth": 1.2} for name, kind in zip(theories, ("--", ":"), strict=False)}
    measured = [_positive(line[0]) for panels in rows.values() for lines in panels.values() for line in lines.values()]
    measured = np.concatenate([np.ones(1), *measured])
    low, high = np.nanmin(measured), np.nanmax(measured)

    def draw(axes, lines, style):
        for label, found in lines.items():
            for line, kind in zip(found, kinds.values(), strict=False):
                if line is not None:
                    marked = {"markevery": (5, 20)} if kind["linestyle"] == "-" else {"marker": None}
                    axes.plot(_positive(line), **{**style[label], **kind, **marked})
        axes.set_yscale("log")
        axes.set_ylim(max(low, 1e-16) / 10, high * 100)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)

    return _grid(rows, draw, kinds, "steps back from the loss", "norm, relative to that at 0", title)


def saturation(rows, *, title=None):
    """Draw which share of a gate's units is saturated at every t: above, drawn upwards, and below, drawn downwards.

    `rows` is as of `gradient_flow`, its lines a dict of the gates' names to `numseq.flow.Saturation`, as
    `numseq.flow.gate_saturation` returns it.

    Returns a `Figure`.
    Raises ValueError when there is no panel.
    """

    def draw(axes, lines, style):
        for label, shares in lines.items():
            first = 3 + 4 * list(lines).index(label)  # marks beside one another, where lines are on one another
            for share in (shares.above, -shares.below):
                axes.plot(share, markevery=(first, 20), linewidth=1.2, **style[label])
        axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        axes.set_ylim(-1.05, 1.05)
        axes.set_yticks([-1, -0.5, 0, 0.5, 1], ["1", "0.5", "0", "0.5", "1"])

    return _grid(rows, draw, {}, "time step t", "share below       share above", title)


def updates(panels, *, chance=None, title=None):
    """Draw the norm of the gradient before each update, and the loss below it, of several runs.

    `panels` is a dict of headings to lines, and these a dict of labels to runs: a list of
    `numseq.copy_memory.CopyRun` that differ in their seed. A run that ended early stops with a cross. chance: the loss
    of who knows nothing.

    Returns a `Figure`.
    Raises ValueError when there is no panel.
    """

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
    return _grid(dict.fromkeys(draws, panels), draws, kinds, "update", None, title, marks=False)


def _grid(rows, draw, kinds, x_label, y_label, title, marks=True):
    """Panels in rows and columns, and one legend below: a column for each set of labels, and one for kinds of lines.

    draw(axes, lines, style) draws a panel. Without a y_label it is a dict of row headings to such functions, and the
    headings are the labels.
    """
    columns = max((len(panels) for panels in rows.values()), default=0)
    if columns == 0:
        raise ValueError("there is no panel to draw")
    sets = list(dict.fromkeys(tuple(lines) for panels in rows.values() for lines in panels.values()))
    style = {
        label: {"color": COLOURS[k % 5], **({"marker": "os^Dv"[k % 5], "markersize": 4} if marks else {})}
        for labels in sets
        for k, label in enumerate(labels)
    }
    tall = max(map(len, sets))
    figure = _figure_class()(
        figsize=(max(6.4, 0.8 + 2.9 * columns), 0.9 + 2.4 * len(rows) + 0.2 * tall), layout="constrained"
    )
    grid = figure.subplots(len(rows), columns, sharex=True, sharey="row" if y_label is None else True, squeeze=False)
    for row, (heading, panels), all_axes in zip(range(len(rows)), rows.items(), grid, strict=True):
        for axes, (name, lines) in zip(all_axes, panels.items(), strict=False):
            (draw[heading] if y_label is None else draw)(axes, lines, style)
            axes.grid(alpha=0.3)
            if row == 0:
                axes.set_title(name, fontsize=11, parse_math=False)
            if row == len(rows) - 1:
                axes.set_xlabel(x_label)
        all_axes[0].set_ylabel(heading if y_label is None else f"{heading}\n{y_label}", parse_math=False)
    line = import_module("matplotlib.lines").Line2D
    groups = [[line([], [], label=label, **style[label]) for label in labels] for labels in sets]
    if kinds:
        groups.append([line([], [], **{"color": "black", **kind}, label=name) for name, kind in kinds.items()])
    nothing = line([], [], linestyle="none", label=" ")
    tall = max(map(len, groups))
    handles = [handle for group in groups for handle in group + [nothing] * (tall - len(group))]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(groups), frameon=False, fontsize=9)
    if title:
        [(heading, family)] = drawable([title])
        figure.suptitle(heading[0], family=family, parse_math=False)
    return figure


def _positive(values):
    """What a logarithmic axis can show; the rest is nan."""
    values = np.asarray(values, float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def save(figure, path):
    """Write a figure to `path` as PNG (150 dots per inch) or SVG, by its suffix.

    The file appears whole or not at all, so a page that shows it never reads half a picture.
    Raises ValueError when the name ends in neither .png nor .svg.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise ValueError(f"cannot save a figure as {path.name!r}: the name must end in .png or .svg")
    picture = io.BytesIO()
    figure.savefig(picture, format=suffix[1:], dpi=150, bbox_inches="tight")
    write_atomically(path, picture.getvalue())


@cache
def _figure_class():
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """A figure that a notebook shows when it is the value of a cell.

        IPython can show a plain `Figure` only once pyplot has loaded the inline backend: nothing here does.
        """

        def _repr_png_(self):
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", bbox_inches="tight")
            return buffer.getvalue()

    return NotebookFigure


def _cut(text):
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 3] + "..."


def _cut_left(text, longest=40):
    """A dotted path keeps its end, which says most."""
    return text if len(text) <= longest else "..." + text[3 - longest :]


def _set_title(axes, text, family, inches):
    lines = [textwrap.fill(line, width=max(24, int(9 * inches))) for line in text.splitlines()]
    axes.set_title("\n".join(lines), family=family, parse_math=False)
