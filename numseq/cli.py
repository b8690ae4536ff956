"""The command line: `numseq --help`. Exit code 0 when done, 2 on bad use, 1 on failure, 130 after Ctrl-C."""

import json
import os
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, BadParameter, Option

from numseq import __version__, cli_data, cli_decode, cli_train  # noqa: F401  (they bring their commands)
from numseq.cli_common import app, how_to_resume, program
from numseq.errors import NumseqError
from numseq.gradcheck.references import METHODS
from numseq.models.config import ConfigError

Method = StrEnum("Method", [(name.replace("-", "_"), name) for name in METHODS])


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, Option("--version", help="Show the version and exit.")] = False):
    if version:
        print(f"numseq {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, Option(help="Folder for the model and the pictures.")] = Path("numseq-demo"),
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
):
    """Learn to turn human-written dates into ISO 8601, in a few minutes, and show what was learned."""
    from numseq import demo

    with how_to_resume(f"{program()} demo --out {shlex.quote(str(out))} --resume"):
        demo.run(out, resume)
    print(f'try it:   echo "Sunday, July 20, 1969" | {program()} translate {shlex.quote(str(out))}')


@app.command()
def gradcheck(
    names: Annotated[list[str] | None, Argument(help="Layers or models; all when none is named.")] = None,
    method: Annotated[Method | None, Option(help="Reference; else complex-step, and for layers central too.")] = None,
    heatmap: Annotated[Path | None, Option(metavar="F.png", help="Draw the errors of the one that is named.")] = None,
    bugs: Annotated[bool, Option("--bugs", help="Try the checker on all known bugs instead.")] = False,
    json_file: Annotated[Path | None, Option("--json", help="Write the table here too.")] = None,
):
    """Check every hand-written gradient against numbers; exit 1 if one is wrong, and say where and why."""
    from numseq.files import write_atomically
    from numseq.gradcheck.cases import run_cases

    if bugs:
        if names or method or heatmap:
            raise BadParameter("it tries all known bugs, and goes with --json only", param_hint="--bugs")
        found, good = _try_bugs()
    else:
        if heatmap and len(names or []) != 1:
            raise BadParameter("a heat map is of one layer or model: name it", param_hint="--heatmap")
        checks = []
        for result in run_cases(names or [], [method.value] if method else None):
            if not checks:
                print(f"{'name':<36}{'method':<16}{'worst relative error':<24}of")
            checks.append(result)
            verdict = "" if result.ok else "  WRONG"
            print(f"{result.name:<36}{result.method:<16}{result.worst:<24.1e}{result.where}{verdict}")
            if not result.ok:
                print("\n".join(f"    {line}" for line in result.lines()))
        if heatmap:
            from numseq import plots

            drawn = next((check for check in checks if check.name == names[0]), checks[0])
            plots.save(plots.gradient_errors(drawn), heatmap)
        found, good = [result.to_dict() for result in checks], all(result.ok for result in checks)
    if json_file:
        write_atomically(json_file, (json.dumps(found, indent=2) + "\n").encode())
    if not good:
        raise typer.Exit(1)


def _try_bugs():
    """Print how many known bugs are caught and named; returns the counts, and whether all were caught."""
    from tqdm import tqdm

    from numseq.gradcheck import BUGS
    from numseq.gradcheck.trial import SCALES, summary, trial

    bar = tqdm(trial(), total=len(BUGS) * len(SCALES), unit="bug", leave=False, disable=None)
    verdicts = list(bar)
    found = summary(verdicts)
    rules = list(found["let_through"])
    print(f"{found['bugs']} known bugs; of those that are gradients, the rules of others let through:")
    print(f"{'weights at':<12}{'caught':<10}{'named':<10}" + "".join(f"{rule:<28}" for rule in rules))
    for scale in found["caught"]:
        counts = "".join(f"{found['let_through'][rule][scale]:<28}" for rule in rules)
        print(f"{scale:<12}{found['caught'][scale]:<10}{found['named'][scale]:<10}{counts}".rstrip())
    for verdict in verdicts:
        if not (verdict.caught and verdict.named):
            print(f"{'not named' if verdict.caught else 'NOT CAUGHT'} with weights at {verdict.scale}: {verdict.name}")
    return found, all(count == found["bugs"] for count in found["caught"].values())


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
