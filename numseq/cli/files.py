"""The files of sentence pairs that are named on the command line, and the corpora that they are."""

from dataclasses import dataclass
from os import PathLike

from typer import BadParameter

from numseq.cli.common import Group, flag
from numseq.options import option
from numseq.tasks import TASKS


@dataclass(frozen=True)
class Files:
    """Where the sentence pairs are."""

    source: PathLike | None = option(
        None, "Source sentences, one a line; several files by saying it again, - for standard input.", several=True
    )
    target: PathLike | None = option(None, "Target sentences, one a line.", several=True)
    tsv: PathLike | None = option(None, "Both as columns with a tab between.", several=True)
    jsonl: PathLike | None = option(None, "Both as JSON, an object or an array a line.", several=True)
    text: PathLike | None = option(
        None, "Dialogues or stories, of --task dialogue or questions; see docs/tasks.md.", several=True
    )
    val_source: PathLike | None = option(None, "Validation; else 1 in 20 pairs is held out.", several=True)
    val_target: PathLike | None = option(None, "The same for the targets.", several=True)
    val_tsv: PathLike | None = option(None, "The same as columns.", several=True)
    val_jsonl: PathLike | None = option(None, "The same as JSON.", several=True)
    val_text: PathLike | None = option(None, "The same as dialogues or stories.", several=True)


WAYS = (  # to say the same
    ({"tsv"}, {"jsonl"}, {"text"}, {"source", "target"}),
    ({"val_tsv"}, {"val_jsonl"}, {"val_text"}, {"val_source", "val_target"}),
)
NEW_FILES = ("jsonl", "val_jsonl", "text", "val_text")  # which runs of earlier versions do not name
FILES = Group("Files", Files)


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
    train = corpus_of_files(files, "", columns, data["task"])
    if train is None:
        raise BadParameter(f"give {_ways(data['task'], '')}")
    return train, corpus_of_files(files, "val_", columns, data["task"])


def _ways(task, before):
    """What names the files of a task, as an error says it."""
    ways = [flag(before + name) for name in ("source", "target", "tsv", "jsonl", "text")]
    return ways[4] if TASKS[task].text else f"{ways[0]} and {ways[1]}, or {ways[2]}, or {ways[3]}"


def corpus_of_files(files, before, columns, task):
    """The corpus of the options that begin so, None where there is none. Args: task, the name of one."""
    from numseq.data.corpus import JsonFiles, ParallelFiles, TsvFiles

    source, target, tsv, jsonl, text = (
        files.get(before + name) for name in ("source", "target", "tsv", "jsonl", "text")
    )
    ways = [flag(before + name) for name in ("source", "target")]
    if sum(map(bool, (source or target, tsv, jsonl, text))) > 1:
        raise BadParameter(f"give {_ways(task, before)}: one of these")
    if bool(text) != bool(TASKS[task].text) and (source or target or tsv or jsonl or text):
        raise BadParameter(f"files of --task {task} are given by {_ways(task, before)}")
    if text:
        return TASKS[task].text(several(text))
    if bool(source) != bool(target):
        raise BadParameter(f"{ways[0]} and {ways[1]} go together")
    if source:
        return ParallelFiles(several(source), several(target))
    if tsv:
        return TsvFiles(several(tsv), *columns)
    return JsonFiles(several(jsonl), *columns) if jsonl else None
