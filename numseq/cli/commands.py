"""All commands in one program, and those that are of no other file: demo, --version."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from numseq import __version__
from numseq.cli import (
    attention,
    baselines,
    chat,
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

DemoName = StrEnum("DemoName", ["dates", "summary", "dialogue", "questions", "code", "chinese"])


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, Option("--version", help="Show the version and exit.")] = False):
    if version:
        print(f"numseq {__version__}")
        raise typer.Exit


@app.command()
def demo(
    name: Annotated[DemoName, Argument(metavar="NAME", help="What to learn.")] = DemoName.dates,
    out: Annotated[
        Path | None,
        Option(help="Folder for the model and the pictures. [default: numseq-demo, or numseq-demo-NAME]"),
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
    threads: Threads = None,
):
    """Learn a small task whose corpus makes itself, in a few minutes, and show what was learned.

    \b
    dates      dates as people write them, to ISO 8601
    summary    short reports, to headlines
    dialogue   booking a table, turn by turn
    questions  who is where, after a story
    code       sentences, to lines of Python
    chinese    numbers and dates in English words, to Chinese numerals
    """
    from numseq import demo

    out = out or Path("numseq-demo" if name == DemoName.dates else f"numseq-demo-{name.value}")
    folder = shlex.quote(str(out))
    with how_to_resume(f"{program()} demo {name.value} --out {folder} --resume"):
        demo.run(out, resume, threads=threads, name=name.value)
    print(f"try it:   {demo.DEMOS[name.value].use.format(numseq=program(), run=folder)}")
