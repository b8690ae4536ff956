"""The commands for runs that are there: average, convert, verify."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from typer import BadParameter, Option

from numseq.cli.common import Run, app, program


@app.command()
def average(
    folder: Run,
    out: Annotated[Path, Option(help="Folder of the average.")],
    best: Annotated[int | None, Option(min=1, help="Average so many of the best models that the run kept.")] = None,
    last: Annotated[int | None, Option(min=1, help="So many of the latest.")] = None,
):
    """Average models that a run kept (numseq train --keep-best K, --keep-last K): a folder to translate with."""
    from numseq.training.averaging import average_run

    if (best is None) == (last is None):
        raise BadParameter("give --best or --last")
    updates = average_run(folder, out, best=best, last=last)
    after = ", ".join(f"{n:,}" for n in updates)
    print(f"{out} holds the mean of {len(updates)} models, after {after} updates")
    print(f"to use it: {program()} translate {shlex.quote(str(out))}")


@app.command()
def convert(folder: Run):
    """Bring a run that an earlier version wrote to the format of this one, in place."""
    from numseq.training.convert import convert

    convert(folder)
    print(f"{folder} is of this version's format now")


@app.command()
def verify(folder: Run):
    """Look over a run: is every file whole, and do they belong together? Exit 1 if not; nothing is changed."""
    from numseq.training.verify import verify

    good = True
    for name, wrong in verify(folder):
        print(f"{name}: {'good' if wrong is None else f'WRONG, {wrong}'}", flush=True)
        good = good and wrong is None
    if not good:
        raise typer.Exit(1)
