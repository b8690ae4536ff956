"""The command that checks gradients: gradcheck."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, BadParameter, Option

from numseq.cli.common import app, can_draw, can_write
from numseq.gradcheck.references import METHODS
from numseq.threads import blas_threads

Method = StrEnum("Method", [(name.replace("-", "_"), name) for name in METHODS])
ROW = "{:<44} {:<16}{:<24}{}"


@app.command()
def gradcheck(
    names: Annotated[list[str] | None, Argument(help="Layers or models; all when none is named.")] = None,
    method: Annotated[
        Method | None, Option(help="Reference; else complex-step and central, and for models directional.")
    ] = None,
    heatmap: Annotated[Path | None, Option(metavar="F.png", help="Draw the errors of the one that is named.")] = None,
    list_names: Annotated[bool, Option("--list", help="Only say what can be named, one name a line.")] = False,
    bugs: Annotated[bool, Option("--bugs", help="Try the checker on all known bugs instead.")] = False,
    json_file: Annotated[Path | None, Option("--json", help="Write the table here too.")] = None,
):
    """Check every hand-written gradient against numbers; exit 1 if one is wrong, and say where and why."""
    from numseq.files import write_atomically
    from numseq.mistakes import groups

    can_write(json=json_file)
    can_draw(heatmap=heatmap)
    if list_names:
        if names or method or heatmap or bugs or json_file:
            raise BadParameter("it checks nothing, and stands alone", param_hint="--list")
        print("\n\n".join("\n".join([f"{group}:", *found]) for group, found in groups().items()))
        return
    if bugs:
        if names or method or heatmap:
            raise BadParameter("it tries all known bugs, and goes with --json only", param_hint="--bugs")
        found, good = _try_bugs()
    else:
        if heatmap and len(names or []) != 1:
            raise BadParameter("a heat map is of one layer or model: name it", param_hint="--heatmap")
        if heatmap and method == Method.directional:
            raise BadParameter("directional looks at nothing inside: choose another --method", param_hint="--heatmap")
        methods = [method.value] if method else ["complex-step"] if heatmap else None
        checks = _checked(names or [], methods)
        found, good = [result.to_dict() for result in checks], all(result.ok for result in checks)
        if heatmap:
            _draw(next((check for check in checks if check.name == names[0]), checks[0]), heatmap)
    if json_file:
        write_atomically(json_file, (json.dumps(found, indent=2) + "\n").encode())
    if not good:
        raise typer.Exit(1)


@blas_threads(1)  # the arrays are small
def _checked(names, methods):
    """Check by check, each printed as soon as it is done."""
    from numseq.mistakes import run_cases

    checks = []
    for result in run_cases(names, methods):
        if not checks:
            print(ROW.format("name", "method", "worst relative error", "of"))
        checks.append(result)
        verdict = "" if result.ok else "  WRONG"
        print(ROW.format(result.name, result.method, f"{result.worst:.1e}", result.where + verdict), flush=True)
        if not result.ok:
            print("\n".join(f"    {line}" for line in result.lines()), flush=True)
    return checks


def _draw(check, heatmap):
    from numseq import plots

    if check.quantities or check.errors:
        plots.save(plots.gradient_errors(check), heatmap)
    else:  # it raised, as its row says
        print(f"{check.name} gave no gradient, so there is no picture", file=sys.stderr)


@blas_threads(1)
def _try_bugs():
    """Print how many known bugs are caught and named; returns the counts, and whether all were caught."""
    from tqdm import tqdm

    from numseq.mistakes import BUGS
    from numseq.mistakes.trial import SCALES, summary, trial

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
