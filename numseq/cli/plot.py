"""The command that compares runs: plot."""

import math
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, BadParameter, Option

from numseq.cli.common import app, can_draw


@app.command()
def plot(
    folders: Annotated[list[Path], Argument(metavar="DIR...", help="Folders made by numseq train.")],
    out: Annotated[Path, Option(help="Picture, .png or .svg.")] = Path("runs.png"),
    x: Annotated[
        Literal["epoch", "updates", "seconds"] | None,
        Option(help="What is drawn against. [default: updates, or epoch where a run is too old to know them]"),
    ] = None,
    y: Annotated[
        str, Option(help="What is drawn, with commas: loss for both losses, or names in metrics.jsonl, as bleu.")
    ] = "loss",
):
    """Compare runs in one picture, and say which was the best by which metric."""
    from numseq import plots

    can_draw(out=out)
    runs = {label: _metrics(folder) for label, folder in _labels(folders).items()}
    names = [name.strip() for name in y.split(",")]
    x = x or ("updates" if all("updates" in line for lines in runs.values() for line in lines) else "epoch")
    for label, lines in runs.items():
        there = {"loss"} | {name for line in lines for name, value in line.items() if _is_number(value)}
        for called, name in [("--x", x), *(("--y", name) for name in names)]:
            if name not in there:
                raise BadParameter(f"{label} has no {name!r}: there are {', '.join(sorted(there))}", param_hint=called)
    plots.save(plots.learning_curves(runs, x=x, y=names), out)
    print("\n".join(_table(runs)))
    print(f"the curves are in {out}")


def _labels(folders):
    """{label: folder}: its name, or the path where two have one name."""
    names = [folder.resolve().name for folder in folders]
    labels = [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]
    if len(set(labels)) < len(labels):
        raise BadParameter("a folder is named twice")
    return dict(zip(labels, folders, strict=True))


def _metrics(folder):
    """The lines of a run's metrics, a list of dicts."""
    from numseq.training.checkpoint import METRICS, load_metrics

    path = folder / METRICS
    if not folder.is_dir():
        raise BadParameter(f"{folder}: there is no such folder")
    if not path.exists():
        raise BadParameter(f"{folder} has no {METRICS}: no run, or one that has not been validated yet")
    lines = load_metrics(folder)
    if not lines:
        raise BadParameter(f"{path} holds no metrics of a run")
    return lines


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _table(runs):
    """Lines: the best value of each run by each metric that one has, and a star at the best of these."""
    from numseq.metrics.figures import FIGURES, column
    from numseq.training.info import best_validation

    columns = [["run", *runs]]
    for name, figure in FIGURES.items():
        key = column(name)
        best = [best_validation([one for one in run if _is_number(one.get(key))], name)[0] for run in runs.values()]
        if found := [value for value in best if value is not None]:
            first = min(found) if figure.lower else max(found)
            cells = ["-" if value is None else f"{value:.4g}{'*' if value == first else ' '}" for value in best]
            columns.append([f"{key} ", *cells])
    wide = [max(map(len, cells)) for cells in columns]
    for label, *cells in zip(*columns, strict=True):
        aligned = [cell.rjust(n) for cell, n in zip(cells, wide[1:], strict=True)]
        yield "  ".join([label.ljust(wide[0]), *aligned]).rstrip()
    if len(runs) > 1:
        yield "* the best"
