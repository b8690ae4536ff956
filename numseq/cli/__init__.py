"""The command line: `numseq --help`. Exit code 0 when done, 2 on bad use, 1 on failure, 130 after Ctrl-C."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from numseq import __version__
from numseq.cli import data, decode, gradcheck, runs, train  # noqa: F401  (they bring their commands)
from numseq.cli.common import Threads, app, how_to_resume, program
from numseq.errors import ConfigError, NumseqError


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


def main():
    """Run the command line; a mistake that one line can explain is shown as that line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter shows its code
    try:
        try:
            app()
        finally:
            _flush()
    except NumseqError as error:
        print(f"numseq: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except BrokenPipeError:  # whoever read our output has closed it: nothing to say, and nobody to say it to
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"numseq: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)


def _flush():
    """Write what is left of standard output here, where a full disk or a closed pipe can still be told."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would try again at exit
        raise
