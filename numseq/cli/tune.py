"""The command that searches for good options: tune."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from numseq.backend import generator
from numseq.cli.asked import EXPERIMENT, completed, refuse_of_another_attention
from numseq.cli.common import choose, command, flag, how_to_resume, program
from numseq.cli.experiment import Experiment
from numseq.cli.files import read_pairs
from numseq.cli.notes import warn
from numseq.cli.trials import Trials
from numseq.cli.vary import draw, parse
from numseq.errors import ConfigError, NumseqError
from numseq.models.config import LARGEST_SIZE, Seq2SeqConfig
from numseq.training.data_options import DataOptions
from numseq.training.options import TrainingOptions

VOCABULARY = (  # options that decide what the target's tokens are, so what a loss is of
    "target_tokens", "joint", "tied", "min_count", "max_vocabulary", "lowercase", "normalization",
    "target_vocabulary_file",
)  # fmt: skip
VARIABLE = {table: group for table, group in EXPERIMENT.groups.items() if table != "files"}


@command
def tune(
    asked: Annotated[Experiment, EXPERIMENT],
    out: Annotated[Path, Option(help="Folder of the search; its trials are runs there, 001, 002 ...")],
    vary: Annotated[
        list[str], Option(metavar="NAME=VALUES", help="What to draw: LOW..HIGH or A,B,C; for each option one --vary.")
    ],
    trials: Annotated[int, Option(min=1, help="How many runs.")] = 10,
    resume: Annotated[bool, Option("--resume", help="Go on with the search in --out.")] = False,
):
    """Search for good options: train with values drawn at random, and list the runs, the best first.

    What is drawn follows from --seed. Runs are compared by their best validation, in what --metric says.
    """
    choose(asked.backend)
    varied = parse(vary, VARIABLE)
    if ("training", "metric") in varied:
        raise BadParameter("metric is what runs are compared by, so it is one for all", param_hint="--vary")
    for table, name in varied:
        if asked.said.get((table, name)) == flag(name):
            raise BadParameter(f"{name} is varied, and {flag(name)} says what it is", param_hint="--vary")
    if ("model", "attention") not in varied:
        refuse_of_another_attention(asked)
    drawn = draw(varied, generator(asked.parts["training"]["seed"]), trials, lambda values: _refused(asked, values))
    if len(drawn) < trials:
        print(f"only {len(drawn)} different trials can be drawn")
    known = Trials(out, {"vary": vary, "from": asked.begin} | asked.parts, resume)
    pairs = read_pairs(asked.parts["files"], asked.parts["data"])
    known.begin()
    if known.metric in ("loss", "perplexity") and any(name in VOCABULARY for _, name in varied):
        warn("losses of different vocabularies cannot be compared: choose by another --metric, as chrf or wer")
    with how_to_resume(f"{program()} {shlex.join(sys.argv[1:])}{'' if resume else ' --resume'}"):
        for number, values in enumerate(drawn, 1):
            if not known.has(number):
                print(f"trial {number} of {len(drawn)}: {_words(values)}", flush=True)
                try:
                    known.add(number, _named(values), **_trained(asked, values, pairs, known.run(number)))
                except NumseqError:
                    known.withdraw()
                    raise
    print(known.table())
    if (best := known.best()) is None:
        raise NumseqError("every trial failed")
    run = shlex.quote(str(known.run(best)))
    print(f"the best is in {run}; to train it anew: {program()} train {run}/experiment.toml --out DIR")


def _with(asked, values):
    """The Experiment with the values of a trial."""
    parts = {table: part | {n: v for (t, n), v in values.items() if t == table} for table, part in asked.parts.items()}
    return replace(asked, parts=parts, said=asked.said | dict.fromkeys(values, "--vary"))


def _refused(asked, values):
    """Why the options of a trial do not go together, a ConfigError; None when they do."""
    from numseq.training.begin_from import model_of

    parts = completed(_with(asked, values))
    there = model_of(asked.begin) if asked.begin else {}
    try:
        Seq2SeqConfig(LARGEST_SIZE, LARGEST_SIZE, **there | parts["model"])  # vocabularies are not known yet
        DataOptions(**parts["data"])
        TrainingOptions(**parts["training"])
    except ConfigError as error:
        return error
    return None


def _trained(asked, values, pairs, folder):
    """{"metric", "updates", "seconds"} of a trial, or {"failed": why}."""
    from numseq.data.kinds import TokenError
    from numseq.data.reading import DataError
    from numseq.training.arrays import CheckpointError
    from numseq.training.info import best_validation
    from numseq.training.run import train_run
    from numseq.training.trainer import InterruptedTraining

    parts = completed(_with(asked, values))
    training = TrainingOptions(**parts["training"])
    try:
        _, metrics = train_run(
            folder, *pairs, parts["model"], DataOptions(**parts["data"]), training,
            origin=parts["files"], begin=asked.begin, resume=True,
        )  # fmt: skip
    except (InterruptedTraining, CheckpointError):  # of the search, and not of what was drawn
        raise
    except (NumseqError, MemoryError) as error:
        if isinstance(error, DataError | TokenError) and not any(table == "data" for table, _ in values):
            raise  # it would be the same whatever is drawn
        why = " ".join(str(error).split()) or "not enough memory"
        print(f"failed: {why}")
        return {"failed": why}
    best, _ = best_validation(metrics, training.metric)
    return {
        "metric": best,
        "updates": metrics[-1]["updates"],
        "seconds": metrics[-1]["seconds"],
    }


def _named(values):
    return {name: value for (_, name), value in values.items()}


def _words(values):
    return ", ".join(f"{name} {value}" for name, value in _named(values).items())
