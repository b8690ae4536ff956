"""The command that trains: train."""

import shlex
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from numseq.cli.common import Group, choose, command, flag, how_to_resume, program
from numseq.cli.experiment import Experiment, ExperimentOptions
from numseq.models.config import Seq2SeqConfig
from numseq.models.registry import ATTENTIONS
from numseq.options import option
from numseq.training.data_options import DataOptions
from numseq.training.options import TrainingOptions


@dataclass(frozen=True)
class Files:
    """Where the sentence pairs are."""

    source: PathLike | None = option(
        None, "Source sentences, one a line; several files by saying it again, - for standard input.", several=True
    )
    target: PathLike | None = option(None, "Target sentences, one a line.", several=True)
    tsv: PathLike | None = option(None, "Both as columns with a tab between.", several=True)
    jsonl: PathLike | None = option(None, "Both as JSON, an object or an array a line.", several=True)
    val_source: PathLike | None = option(None, "Validation; else 1 in 20 pairs is held out.", several=True)
    val_target: PathLike | None = option(None, "The same for the targets.", several=True)
    val_tsv: PathLike | None = option(None, "The same as columns.", several=True)
    val_jsonl: PathLike | None = option(None, "The same as JSON.", several=True)


WAYS = (  # to say the same
    ({"tsv"}, {"jsonl"}, {"source", "target"}),
    ({"val_tsv"}, {"val_jsonl"}, {"val_source", "val_target"}),
)
NEW_FILES = ("jsonl", "val_jsonl")  # which runs of earlier versions do not name
CUT = ("source_tokens", "target_tokens", "normalization", "lowercase")  # which decide what a token means
FILES = Group("Files", Files)
DATA = Group("Data", DataOptions)
MODEL = Group(
    "Model",
    Seq2SeqConfig,
    without=("source", "target"),  # here these are files
    dropout={"default": 0.3},
    attention_size={"default": None, "otherwise": "that of --hidden"},
)
TRAINING = Group("Training", TrainingOptions)


EXPERIMENT = ExperimentOptions(
    {"files": FILES, "data": DATA, "model": MODEL, "training": TRAINING}, instead={"files": WAYS}
)


@command
def train(
    asked: Annotated[Experiment, EXPERIMENT],
    out: Annotated[Path | None, Option(help="Folder of the run; needed, here or in the experiment's file.")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in --out.")] = False,
):
    """Train a translator on sentence pairs.

    A whole experiment can be in a file, and every option goes before what the file says.
    """
    from numseq.training.run import is_run, train_run

    out = out or asked.out
    if out is None:
        raise BadParameter("give --out, the folder of the run")
    choose(asked.backend)
    if resume and not is_run(out) and not any(asked.parts["files"].values()):
        raise BadParameter(f"{out} holds no run to resume")
    parts = _as_begun(asked, out) if resume and is_run(out) else as_asked(asked)
    pairs, valid = read_pairs(parts["files"], parts["data"])
    with how_to_resume(f"{program()} train --out {shlex.quote(str(out))} --resume"):
        train_run(
            out, pairs, valid, parts["model"], DataOptions(**parts["data"]), TrainingOptions(**parts["training"]),
            origin=parts["files"], resume=resume, begin=asked.begin,
        )  # fmt: skip
    print(f"the best model is in {out}; to use it: {program()} translate {shlex.quote(str(out))}")


def as_asked(asked):
    """The parts of an Experiment as a new run takes them, {"files", "data", "model", "training": {option: value}}.

    Raises: BadParameter, when an option is said that is of another attention; CheckpointError.
    """
    refuse_of_another_attention(asked)
    return completed(asked)


def refuse_of_another_attention(asked):
    """Raise BadParameter, when an option is said that the model's attention does not have."""
    now = asked.parts["model"]["attention"] or "additive"
    for name, kinds in _of_attentions().items():
        if ("model", name) in asked.said and now not in kinds and not asked.begin:
            raise BadParameter(
                f"it is of --attention {' and '.join(kinds)}, not of {now}", param_hint=asked.said["model", name]
            )


def completed(asked):
    """The parts with what follows from others. Where a run begins with another's weights, what is not said of the
    model, and of how text is cut, is as there. Raises: CheckpointError."""
    from numseq.training.run import resumed_options

    data, model = asked.parts["data"], asked.parts["model"]
    if asked.begin:
        _, there, _, _ = resumed_options(asked.begin)
        data = data | {name: getattr(there, name) for name in CUT if ("data", name) not in asked.said}
        model = {name: value for name, value in model.items() if ("model", name) in asked.said}
    else:
        model = model | {"attention_size": model["attention_size"] or model["hidden"]}
    return asked.parts | {"data": data, "model": model}


def _of_attentions():
    """{option: the kinds of attention that it is of}."""
    names = {name for part in ATTENTIONS.values() if part for name in part.options}
    return {name: [kind for kind, part in ATTENTIONS.items() if part and name in part.options] for name in names}


def _as_begun(asked, out):
    """The parts as the run in a folder began with; what is said now may only repeat them, but for those that may
    change, and moved files."""
    from numseq.training.checkpoint import CHANGEABLE, load_config
    from numseq.training.data_options import WHERE
    from numseq.training.run import resumed_options

    model, data, training, files = resumed_options(out)
    begin = load_config(out)[1].get("from")
    if asked.begin not in (None, begin):
        raise BadParameter(f"--from is {asked.begin}, but the run in {out} began with {begin or 'no other'}")
    if isinstance(files, dict):
        files = dict.fromkeys(NEW_FILES) | files
    if not isinstance(files, dict) or files.keys() != FILES.options.keys() or not _are_paths(files.values()):
        raise BadParameter(f"{out} was not begun by numseq train")
    began = {"files": files, "data": asdict(data), "model": model, "training": asdict(training)}
    for name in CHANGEABLE:
        if ("training", name) in asked.said:
            began["training"][name] = asked.parts["training"][name]
    for name in WHERE:
        if ("data", name) in asked.said:
            began["data"][name] = asked.parts["data"][name]
    # files may have moved, or become others with the same lines: train_run compares what is in them
    now = {name: path for name, path in asked.parts["files"].items() if path}
    for ways in WAYS:
        if now.keys() & {name for way in ways for name in way}:
            files |= dict.fromkeys(name for way in ways if not now.keys() & way for name in way)
    files |= now
    if not (files["tsv"] or files["jsonl"]):  # two files have no columns to choose
        began["data"] |= {n: None for n in ("source_column", "target_column") if ("data", n) not in asked.said}
    for name, value in files.items():
        for path in several(value) if name not in now else ():
            if not Path(path).is_file():
                raise BadParameter(f"{path}, which the run in {out} began with, is no file now: say {flag(name)} again")
    for (table, name), called in asked.said.items():
        if began[table][name] != (value := asked.parts[table][name]):
            raise BadParameter(f"{called} is {value}, but the run in {out} began with {began[table][name]}")
    return began


def _are_paths(values):
    return all(value != [] and all(isinstance(path, str) for path in several(value)) for value in values)


def several(value):
    """The paths of an option: none, one, or a list."""
    return [] if value is None else value if isinstance(value, list) else [value]


def read_pairs(files, data):
    """(training corpus, validation corpus or None) of the files that were named. Args: files, data: {option: value}."""
    inputs = [flag(name) for name, value in files.items() for path in several(value) if path == "-"]
    if len(inputs) > 1:
        raise BadParameter(f"{' and '.join(inputs)} are both standard input: it can be given once")
    columns = data["source_column"], data["target_column"]
    if columns != (None, None) and not (files["tsv"] or files["jsonl"]):
        raise BadParameter("--source-column and --target-column are of --tsv and --jsonl")
    train = corpus_of_files(files, "", columns)
    if train is None:
        raise BadParameter("give --source and --target, or --tsv, or --jsonl")
    return train, corpus_of_files(files, "val_", columns)


def corpus_of_files(files, before, columns):
    """The corpus of the options that begin so, None where there is none."""
    from numseq.data.corpus import JsonFiles, ParallelFiles, TsvFiles

    source, target, tsv, jsonl = (files.get(before + name) for name in ("source", "target", "tsv", "jsonl"))
    ways = [flag(before + name) for name in ("source", "target", "tsv", "jsonl")]
    if sum(map(bool, (source or target, tsv, jsonl))) > 1:
        raise BadParameter(f"give {ways[0]} and {ways[1]}, or {ways[2]}, or {ways[3]}: one of these")
    if bool(source) != bool(target):
        raise BadParameter(f"{ways[0]} and {ways[1]} go together")
    if source:
        return ParallelFiles(several(source), several(target))
    if tsv:
        return TsvFiles(several(tsv), *columns)
    return JsonFiles(several(jsonl), *columns) if jsonl else None
