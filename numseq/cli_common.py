"""What all commands share: the program, the options that several have, and loading a run."""

import contextlib
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from numseq import backend

app = typer.Typer(
    name="numseq",
    help="Sequence-to-sequence learning in NumPy, with backpropagation written by hand.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

BackendName = StrEnum("BackendName", backend.BACKENDS)
Run = Annotated[Path, Argument(metavar="DIR", help="A folder made by numseq train or demo.")]
Runs = Annotated[
    list[Path], Argument(metavar="DIR...", help="A folder made by numseq train or demo; several decode together.")
]
Backend = Annotated[BackendName | None, Option(help="Array library; else NUMSEQ_BACKEND, else numpy.")]
Batch = Annotated[int, Option(min=1, help="Sentences worked on together.")]


def choose(name):
    """Use the backend that was asked for, if any."""
    if name is not None:
        backend.use(name.value)


def load(folder):
    """The Translator of a run."""
    from numseq.search.translate import Translator
    from numseq.training.checkpoint import load_model

    return Translator(*load_model(folder))


def program():
    """How this program was called, so that what is printed can be pasted."""
    if Path(sys.argv[0]).name == "numseq":
        return shlex.quote(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m numseq"


@contextlib.contextmanager
def how_to_resume(command):
    """Say how to go on after Ctrl-C."""
    from numseq.training.trainer import InterruptedTraining

    try:
        yield
    except InterruptedTraining as stop:
        print(f"{stop}\nto go on: {command}", file=sys.stderr)
        raise typer.Exit(130) from None
