"""The commands for runs that are there: convert, verify."""

import typer

from numseq.cli.common import Run, app


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
