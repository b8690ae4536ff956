"""All commands in one program, and those that are of no other file: demo, --version."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from numseq import __version__
from numseq.cli import (
    attention,
    baselines,
    data,
    errors,
    evaluate,
    gradcheck,
    info,
    lr_range,
    plot,
    runs,
    score,
    train,
    translate,
    tune,
)
from numseq.cli.common import Threads, app, how_to_resume, program


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, Option("--version", help="Show the version and exit.")] = False):
    if version:
        print(f"numseq {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, Option(help="Folder for the model and the pictures.")] = Path("numseq-demo"),
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
    threads: Threads = None,
):
    """Learn to turn human-written dates into ISO 8601, in a few minutes, and show what was learned."""
    from numseq import demo

    with how_to_resume(f"{program()} demo --out {shlex.quote(str(out))} --resume"):
        demo.run(out, resume, threads=threads)
    print(f'try it:   echo "Sunday, July 20, 1969" | {program()} translate {shlex.quote(str(out))}')
