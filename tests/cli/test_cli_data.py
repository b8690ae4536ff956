"""The command that writes the date task: its files, how they are used, and what it refuses."""

import errno
import os
import shlex

import pytest
import typer
from helpers_run import TINY, numseq_cli, numseq_process, snapshot

from numseq import demo
from numseq.cli import commands
from numseq.data import read_lines, read_tsv
from numseq.tasks import make_dates

FILES = ["test.source", "test.target", "test.tsv", "train.tsv", "valid.tsv"]
SMALL = ("--train", 60, "--valid", 9, "--test", 11)


def written(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def made(tmp_path):
    """A folder with a small task."""
    assert numseq_cli("dates", tmp_path / "made", *SMALL).code == 0
    return tmp_path / "made"


def test_files_hold_the_pairs_of_the_built_in_task(made):
    assert list(written(made)) == FILES
    dates = make_dates(60, 9, 11, seed=0)
    for name in ("train", "valid", "test"):
        assert read_tsv(made / f"{name}.tsv") == (getattr(dates, name), 0)
    assert list(zip(read_lines(made / "test.source"), read_lines(made / "test.target"), strict=True)) == dates.test


def test_sizes_and_seed_are_those_of_the_demo():
    [*_, train, valid, test, seed] = typer.main.get_command(commands.app).commands["dates"].params
    assert [option.name for option in (train, valid, test, seed)] == ["train", "valid", "test", "seed"]
    assert (train.default, valid.default, test.default) == demo.DEMOS["dates"].sizes
    assert seed.default == demo.DEMOS["dates"].training.seed


def test_each_file_and_the_next_commands_are_printed_and_the_commands_work(tmp_path):
    folder = tmp_path / "some dates"
    result = numseq_cli("dates", folder, "--train", 1200, "--valid", 9, "--test", 11)
    assert (result.code, result.err) == (0, "")
    *files, train, evaluate = result.out.splitlines()
    counts = ["1,200 pairs", "9 pairs", "11 pairs", "11 lines", "11 lines"]
    names = ["train.tsv", "valid.tsv", "test.tsv", "test.source", "test.target"]
    for line, name, count in zip(files, names, counts, strict=True):
        assert line.startswith(f"{folder / name} ") and line.endswith(f" {count}")
    for line, name, more in (
        (train, "train", (*TINY, "--epochs", 1)),
        (evaluate, "evaluate", ("--metric", "exact")),
    ):
        label, _, command = line.partition(": ")
        assert label == f"to {name}"
        words = shlex.split(command)
        result = numseq_cli(*words[words.index(name) :], *more)
        assert (result.code, result.err) == (0, ""), result
    assert "exact_match" in result.out


def test_next_commands_begin_as_this_one_did(tmp_path):
    out, err = numseq_process("dates", tmp_path, *SMALL).communicate()
    train, evaluate = out.decode().splitlines()[-2:]
    assert err == b"" and " python -m numseq train " in train and " python -m numseq evaluate " in evaluate


def test_help_says_how_to_go_on():
    out = numseq_cli("dates", "--help").out
    assert "--source-tokens char --target-tokens char" in out
    assert "numseq evaluate RUN --source DIR/test.source --reference DIR/test.target" in out


def test_seed_alone_decides_the_bytes(made, tmp_path):
    for name, seed in (("same", 0), ("other", 1)):
        assert numseq_cli("dates", tmp_path / name, *SMALL, "--seed", seed).code == 0
    assert written(tmp_path / "same") == written(made)
    other = written(tmp_path / "other")
    assert all(other[name] != data for name, data in written(made).items())


def test_what_is_there_already_stays_and_what_is_missing_comes_back(made):
    before, bits = snapshot(made), written(made)
    assert numseq_cli("dates", made, *SMALL).code == 0
    assert snapshot(made) == before
    (made / "test.tsv").unlink()
    assert numseq_cli("dates", made, *SMALL).code == 0
    assert written(made) == bits


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_something_else_is_kept_and_nothing_is_written(tmp_path, name):
    (tmp_path / name).write_text("mine\n")
    before = snapshot(tmp_path)
    result = numseq_cli("dates", tmp_path, *SMALL)
    assert result.code == 1 and snapshot(tmp_path) == before and result.out == ""
    says = "is there and holds something else: choose another folder, or move it away"
    assert result.err == f"numseq: {tmp_path / name} {says}\n"


def test_folder_and_those_above_it_are_made(tmp_path):
    assert numseq_cli("dates", tmp_path / "a" / "b", *SMALL).code == 0
    assert list(written(tmp_path / "a" / "b")) == FILES


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("", 2, ["DIR"]),
        ("{room}/new --train 0", 2, ["--train", "1"]),
        ("{room}/new --valid 0", 2, ["--valid", "1"]),
        ("{room}/new --test -1", 2, ["--test", "1"]),
        ("{room}/new --seed -1", 2, ["--seed", "0"]),
        ("{room}/new --train 40000", 2, ["--train", "41500 pairs", "36525", "ask for fewer"]),
        ("{room}/file", 1, ["{room}/file is a file: the task needs a folder"]),
        ("{room}/file/new", 1, ["{room}/file/new"]),
        ("{room}/full", 1, ["{room}/full/valid.tsv", "directory"]),
    ],
)
def test_what_cannot_be_done_is_one_clear_line_and_changes_nothing(tmp_path, arguments, code, words):
    (tmp_path / "file").write_text("text\n")
    (tmp_path / "full" / "valid.tsv").mkdir(parents=True)
    before = snapshot(tmp_path)
    result = numseq_cli("dates", *shlex.split(arguments.format(room=tmp_path)))
    assert (result.code, result.out) == (code, "") and snapshot(tmp_path) == before
    *usage, said = result.err.splitlines()
    assert bool(usage) == (code == 2) and all(word.format(room=tmp_path) in said for word in words), result.err


def test_full_disk_names_the_file_and_leaves_no_half(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = numseq_cli("dates", tmp_path / "new", *SMALL)
    assert result.code == 1 and result.err == f"numseq: {tmp_path}/new/train.tsv: No space left on device\n"
    assert list((tmp_path / "new").iterdir()) == []
