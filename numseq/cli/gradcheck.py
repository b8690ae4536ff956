"""The command that checks gradients: gradcheck."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, BadParameter, Option

from numseq.cli.common import app
from numseq.gradcheck.references import METHODS

Method = StrEnum("Method", [(name.replace("-", "_"), name) for name in METHODS])


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
    from numseq.mistakes import run_cases

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
