"""The command line: `numseq --help`. Exit code 0 when done, 2 on bad use, 1 on failure, 130 after Ctrl-C."""

import contextlib
import json
import os
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, BadParameter, Context, Option

from numseq import __version__, cli_decode  # noqa: F401  (brings its commands)
from numseq.cli_common import Backend, Batch, app, choose
from numseq.data.tokens import KINDS
from numseq.errors import NumseqError
from numseq.gradcheck.references import METHODS
from numseq.models.config import MODELS, ConfigError

Kind = StrEnum("Kind", KINDS)
ModelName = StrEnum("ModelName", MODELS)
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

    with _how_to_resume(f"{_program()} demo --out {shlex.quote(str(out))} --resume"):
        demo.run(out, resume)
    print(f'try it:   echo "Sunday, July 20, 1969" | {_program()} translate {shlex.quote(str(out))}')


@app.command()
def train(
    context: Context,
    out: Annotated[Path, Option(help="Folder of the run.")],
    source: Annotated[Path | None, Option(help="Source sentences, one a line.")] = None,
    target: Annotated[Path | None, Option(help="Target sentences, one a line.")] = None,
    tsv: Annotated[Path | None, Option(help="Two columns, in place of --source and --target.")] = None,
    val_source: Annotated[Path | None, Option(help="Validation; else 1 in 20 pairs is held out.")] = None,
    val_target: Annotated[Path | None, Option(help="The same for the targets.")] = None,
    val_tsv: Annotated[Path | None, Option(help="The same as two columns.")] = None,
    model: Annotated[ModelName, Option(help="plain: a fixed context vector.")] = ModelName.attention,
    source_tokens: Annotated[Kind, Option(help="What the source is cut into.")] = Kind.word,
    target_tokens: Annotated[Kind, Option(help="What the target is cut into.")] = Kind.word,
    min_count: Annotated[
        int | None, Option(min=1, help="Rarer tokens become <unk>. [default: 2 for words, 1 for characters]")
    ] = None,
    max_length: Annotated[int, Option(min=1, help="Leave out pairs with more tokens.")] = 150,
    hidden: Annotated[int, Option(min=1, help="Units of an LSTM layer, and of the attention.")] = 256,
    embedding: Annotated[int, Option(min=1, help="Numbers for a token.")] = 256,
    layers: Annotated[int, Option(min=1, help="Of the encoder and of the decoder.")] = 1,
    batch: Batch = 64,
    epochs: Annotated[int, Option(min=1, help="Passes over the data.")] = 10,
    lr: Annotated[float, Option(help="Step size of Adam; halved after an epoch without progress.")] = 1e-3,
    dropout: Annotated[float, Option(min=0, max=1, help="Probability of dropping a unit, below 1.")] = 0.3,
    seed: Annotated[int, Option(min=0, help="The same seed gives the same bits.")] = 0,
    backend: Backend = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in --out.")] = False,
):
    """Train a translator on sentence pairs."""
    from numseq.training.run import DataOptions, is_run, resumed_options, train_run
    from numseq.training.trainer import TrainingOptions

    choose(backend)
    origin = {
        name: str(path.resolve()) if path else None
        for name, path in (("source", source), ("target", target), ("tsv", tsv),
                           ("val_source", val_source), ("val_target", val_target), ("val_tsv", val_tsv))
    }  # fmt: skip
    parts = {
        "model": {"model": model.value, "embedding": embedding, "hidden": hidden, "attention": hidden,
                  "layers": layers, "dropout": dropout},
        "data": {"source_tokens": source_tokens.value, "target_tokens": target_tokens.value,
                 "min_count": min_count, "max_length": max_length},
        "training": {"epochs": epochs, "batch": batch, "lr": lr, "seed": seed},
        "origin": origin,
    }  # fmt: skip
    if resume and not is_run(out) and not any(origin.values()):
        raise BadParameter(f"{out} holds no run to resume")
    if resume and is_run(out):
        parts = _as_begun(context, out, parts, *resumed_options(out))
    pairs, valid = _read_pairs(**parts["origin"])
    with _how_to_resume(f"{_program()} train --out {shlex.quote(str(out))} --resume"):
        train_run(
            out, pairs, valid, parts["model"], DataOptions(**parts["data"]), TrainingOptions(**parts["training"]),
            origin=parts["origin"], resume=resume,
        )  # fmt: skip
    print(f"the best model is in {out}; to use it: {_program()} translate {shlex.quote(str(out))}")


def _as_begun(context, out, parts, model, data, training, origin):
    """The parts as the run began with; an option given now may only repeat them, but for epochs and moved files."""
    from dataclasses import asdict

    if "tsv" not in (origin or {}):
        raise BadParameter(f"{out} was not begun by numseq train")
    began = {"model": model, "data": asdict(data), "training": asdict(training), "origin": origin}
    if _given(context, "epochs"):
        began["training"]["epochs"] = parts["training"]["epochs"]
    # files may have moved: train_run compares what is in them
    began["origin"] |= {name: path for name, path in parts["origin"].items() if path}
    for part in parts:
        for name, now in parts[part].items():
            if _given(context, name) and began[part][name] != now:
                option = "--" + name.replace("_", "-")
                raise BadParameter(f"{option} is {now}, but the run in {out} began with {began[part][name]}")
    return began


def _given(context, name):
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _read_pairs(source, target, tsv, val_source, val_target, val_tsv):
    """(training pairs, validation pairs or None) of the files that were named."""
    if bool(source or target) == bool(tsv):
        raise BadParameter("give --source and --target, or --tsv")
    train = _pairs(source, target, tsv, "--source and --target")
    if not (val_source or val_target or val_tsv):
        return train, None
    return train, _pairs(val_source, val_target, val_tsv, "--val-source and --val-target")


def _pairs(source, target, tsv, both):
    from numseq.data.corpus import read_parallel, read_tsv

    if tsv:
        pairs, skipped = read_tsv(tsv)
    elif source and target:
        pairs, skipped = read_parallel(source, target)
    else:
        raise BadParameter(f"{both} go together")
    if skipped:
        print(f"skipped {skipped:,} pairs with an empty side in {tsv or source}")
    return pairs


@app.command()
def gradcheck(
    names: Annotated[list[str] | None, Argument(help="Layers or models; all when none is named.")] = None,
    method: Annotated[Method | None, Option(help="Reference; else first complex-step, then central.")] = None,
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
        for result in run_cases(names or [], [method.value] if method else ["complex-step", "central"]):
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


def _program():
    """How this program was called, so that what is printed can be pasted."""
    if Path(sys.argv[0]).name == "numseq":
        return shlex.quote(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m numseq"


@contextlib.contextmanager
def _how_to_resume(command):
    """Say how to go on after Ctrl-C."""
    from numseq.training.trainer import InterruptedTraining

    try:
        yield
    except InterruptedTraining as stop:
        print(f"{stop}\nto go on: {command}", file=sys.stderr)
        raise typer.Exit(130) from None


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
