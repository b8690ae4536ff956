"""The command that trains: train."""

import shlex
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Context, Option

from numseq.cli.common import Backend, Group, choose, command, flag, how_to_resume, program
from numseq.models.config import Seq2SeqConfig
from numseq.models.registry import ATTENTIONS
from numseq.options import option
from numseq.training.options import TrainingOptions
from numseq.training.run import DataOptions


@dataclass(frozen=True)
class Files:
    """Where the sentence pairs are."""

    source: PathLike | None = option(None, "Source sentences, one a line.")
    target: PathLike | None = option(None, "Target sentences, one a line.")
    tsv: PathLike | None = option(None, "Both as two columns with a tab between.")
    val_source: PathLike | None = option(None, "Validation; else 1 in 20 pairs is held out.")
    val_target: PathLike | None = option(None, "The same for the targets.")
    val_tsv: PathLike | None = option(None, "The same as two columns.")


WAYS = (({"tsv"}, {"source", "target"}), ({"val_tsv"}, {"val_source", "val_target"}))  # to say the same
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


@command
def train(
    context: Context,
    out: Annotated[Path, Option(help="Folder of the run.")],
    files: Annotated[dict, FILES],
    data: Annotated[dict, DATA],
    model: Annotated[dict, MODEL],
    training: Annotated[dict, TRAINING],
    backend: Backend = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in --out.")] = False,
):
    """Train a translator on sentence pairs."""
    from numseq.training.run import is_run, resumed_options, train_run

    choose(backend)
    model["attention_size"] = model["attention_size"] or model["hidden"]
    for side in ("source_vectors", "target_vectors"):
        data[side] = _full(data[side])
    parts = {
        "model": model,
        "data": data,
        "training": training,
        "origin": {n: _full(path) for n, path in files.items()},
    }
    now = model["attention"] or "additive"
    for name, kinds in _of_attentions().items():
        if _given(context, name) and now not in kinds and not resume:
            raise BadParameter(f"it is of --attention {' and '.join(kinds)}, not of {now}", param_hint=flag(name))
    if resume and not is_run(out) and not any(files.values()):
        raise BadParameter(f"{out} holds no run to resume")
    if resume and is_run(out):
        parts = _as_begun(context, out, parts, *resumed_options(out))
    pairs, valid = _read_pairs(**parts["origin"])
    with how_to_resume(f"{program()} train --out {shlex.quote(str(out))} --resume"):
        train_run(
            out, pairs, valid, parts["model"], DataOptions(**parts["data"]), TrainingOptions(**parts["training"]),
            origin=parts["origin"], resume=resume,
        )  # fmt: skip
    print(f"the best model is in {out}; to use it: {program()} translate {shlex.quote(str(out))}")


def _of_attentions():
    """{option: the kinds of attention that it is of}."""
    names = {name for part in ATTENTIONS.values() if part for name in part.options}
    return {name: [kind for kind, part in ATTENTIONS.items() if part and name in part.options] for name in names}


def _full(path):
    if not path:
        return None
    path = Path(path)
    special = path.exists() and not path.is_file()  # the link of a pipe leads nowhere
    return str(path.absolute() if special else path.resolve())


def _as_begun(context, out, parts, model, data, training, origin):
    """The parts as the run began with; an option given now may only repeat them, but for those that may change, and
    moved files."""
    from dataclasses import asdict

    from numseq.training.checkpoint import CHANGEABLE

    if not isinstance(origin, dict) or origin.keys() != FILES.options.keys() or not _are_paths(origin.values()):
        raise BadParameter(f"{out} was not begun by numseq train")
    began = {"model": model, "data": asdict(data), "training": asdict(training), "origin": origin}
    for name in CHANGEABLE:
        if _given(context, name):
            began["training"][name] = parts["training"][name]
    # files may have moved, or become others with the same lines: train_run compares what is in them
    now = {name: path for name, path in parts["origin"].items() if path}
    for ways in WAYS:
        if now.keys() & {name for way in ways for name in way}:
            origin |= dict.fromkeys(name for way in ways if not now.keys() & way for name in way)
    origin |= now
    for name, path in began["origin"].items():
        if path and not parts["origin"].get(name) and not Path(path).is_file():
            raise BadParameter(f"{path}, which the run in {out} began with, is no file now: say {flag(name)} again")
    for part in parts:
        for name, now in parts[part].items():
            if _given(context, name) and began[part][name] != now:
                raise BadParameter(f"{flag(name)} is {now}, but the run in {out} began with {began[part][name]}")
    return began


def _are_paths(values):
    return all(value is None or isinstance(value, str) for value in values)


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
