"""The command for runs that are there: convert."""

from numseq.cli.common import Run, app


@app.command()
def convert(folder: Run):
    """Bring a run that an earlier version wrote to the format of this one, in place."""
    from numseq.training.convert import convert

    convert(folder)
    print(f"{folder} is of this version's format now")
