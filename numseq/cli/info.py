"""The command that says what a run is: info."""

import json
import shlex
import textwrap
from typing import Annotated

from typer import Option

from numseq.cli.asked import EXPERIMENT
from numseq.cli.common import Run, app, flag, program

WIDTH = 100


@app.command()
def info(
    folder: Run,
    as_json: Annotated[bool, Option("--json", help="All of it, as JSON.")] = False,
):
    """Say what a run is, how it was made, and how good it is."""
    from numseq.training.info import describe

    said = describe(folder)
    if as_json:
        print(json.dumps(said, indent=2))
        return
    for title, text in _told(said):
        # names of files stay whole
        if lines := textwrap.wrap(text, WIDTH - 11, break_long_words=False, break_on_hyphens=False):
            print(f"{title:<10} " + f"\n{' ' * 11}".join(lines))


def _told(said):
    """(title, text) of what there is to tell."""
    from numseq.cli.files import FILES

    model, data = said["model"], said["data"]
    yield "run", f"{said['folder']}: {_state(said)}"
    attention = f"{model['attention']} attention" if model["attention"] != "none" else "no attention"
    layers = f"{model['layers']} layers" if model["layers"] > 1 else "1 layer"
    yield (
        "model",
        f"{model['cell']}, {layers}, {model['encoder']} encoder, {model['decoder']} decoder, {attention}; embedding "
        f"{model['embedding']:,}, hidden {model['hidden']:,}; {said['parameters']:,} parameters",
    )
    sides = (f"{model[f'{s}_vocabulary']:,} {s} tokens ({data[f'{s}_tokens']})" for s in ("source", "target"))
    yield "tokens", " and ".join(sides)
    if said["files"] and said["files"].keys() <= FILES.options.keys():
        yield "files", _typed(said["files"])
    elif said["files"]:  # of a run from Python: what it was told of its data, which no option says
        yield "data", ", ".join(f"{name} {value}" for name, value in said["files"].items())
    if said["from"]:
        yield "from", f"began with the weights of {said['from']}"
    yield "options", _typed(_differing(said)) or "all as they are by default"
    if done := _done(said):
        yield "training", ", ".join(done)
    if best := said["best"]:
        yield "best", f"{', '.join(_figures(said))}, after epoch {best['epoch']}{_of_update(best)}"


def _state(said):
    if said["state"] == "finished":
        return f"finished, {said['ending']}"
    if said["state"] == "averaged":
        updates = [f"{n:,}" for n in said["averaged"]["updates"]]
        return f"the mean of {len(updates)} model{'s' if len(updates) > 1 else ''}, after {', '.join(updates)} updates"
    if said["state"] == "training":
        return "in training now"
    return f"not finished; to go on: {program()} train --out {shlex.quote(said['folder'])} --resume"


def _differing(said):
    """The options that are others than the command's defaults."""
    from numseq.models.config import Seq2SeqConfig
    from numseq.training.info import differing

    changed = {name: one.default for name, one in EXPERIMENT.groups["model"].options.items()}
    config = Seq2SeqConfig(**said["model"])
    found = differing(config, changed | {"attention_size": config.hidden})
    for table in ("data", "training"):
        usual = {name: one.default for name, one in EXPERIMENT.groups[table].options.items()}
        found |= {n: v for n, v in said[table].items() if n in usual and n != "threads" and v != usual[n]}
    return found


def _done(said):
    if said["updates"] is None:
        return
    yield f"{said['epochs']:,} of {said['training']['epochs']:,} epochs"
    yield f"{said['updates']:,} updates"
    yield f"{said['seconds']:,.0f} s"
    if said["tokens_per_second"]:
        yield f"{said['tokens_per_second']:,.0f} tokens/s"
    if said["peak_memory"]:
        yield f"peak memory {said['peak_memory']:,.0f} MB"


def _figures(said):
    """The metric first, then the others that its validation has."""
    from numseq.metrics.figures import FIGURES, column

    best = said["best"]
    yield f"{said['metric']} {best['value']:.4g}"
    for name in FIGURES:
        value = best.get(column(name))
        if value is not None and name != said["metric"]:
            yield f"{name} {value:.4g}"


def _of_update(best):
    return f", update {best['updates']:,}" if "updates" in best else ""


def _typed(options):
    """Options as they are typed on the command line."""
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(flag(name if value else f"no-{name}"))
        else:
            values = value if isinstance(value, list) else [value]
            words += [f"{flag(name)} {shlex.quote(str(one))}" for one in values]
    return " ".join(words)
