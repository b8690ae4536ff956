"""The command that trains: train."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from numseq.cli.asked import EXPERIMENT, as_asked
from numseq.cli.common import choose, command, flag, how_to_resume, program
from numseq.cli.experiment import Experiment
from numseq.cli.files import FILES, NEW_FILES, WAYS, read_pairs, several
from numseq.training.data_options import DataOptions
from numseq.training.options import TrainingOptions


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
    use = "chat" if parts["data"]["task"] == "dialogue" else "translate"
    print(f"the best model is in {out}; to use it: {program()} {use} {shlex.quote(str(out))}")


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
    if not (files["tsv"] or files["jsonl"]):  # others have no columns to choose
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
