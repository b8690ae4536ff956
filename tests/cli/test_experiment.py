"""An experiment as a file: what it may say, what is refused, and that the file of a run repeats the run."""

import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from helpers_run import TINY, digits, numseq_cli, words, write_parallel

from numseq.cli.asked import EXPERIMENT
from numseq.training import DataOptions, TrainingOptions, train_run
from numseq.training.arrays import load_arrays
from numseq.training.checkpoint import load_config

SMALL = """
[files]
tsv = "pairs.tsv"

[data]
source_tokens = "char"
target-tokens = "char"

[model]
hidden = 8
embedding = 6

[training]
batch = 8
lr = 0.03
epochs = 1
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with a corpus in both forms, an experiment, and its run."""
    folder = tmp_path_factory.mktemp("room")
    (folder / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in digits(60)))
    write_parallel(folder, words(40))
    (folder / "small.toml").write_text(SMALL)
    result = numseq_cli("train", folder / "small.toml", "--out", folder / "run")
    assert (result.code, result.err) == (0, "")
    return folder


def train(room, text, *arguments):
    """Train as a file of this text in the room says."""
    (room / "given.toml").write_text(text, encoding="utf-8")
    return numseq_cli("train", room / "given.toml", *arguments)


def bits(run):
    return (run / "model.safetensors").read_bytes()


# what it may say


def test_a_file_says_what_options_say(room, tmp_path):
    given = ("--tsv", room / "pairs.tsv", "--source-tokens", "char", "--target-tokens", "char", *TINY, "--epochs", 1)
    assert numseq_cli("train", *given, "--out", tmp_path / "run").code == 0
    assert bits(tmp_path / "run") == bits(room / "run")


def test_names_of_files_are_relative_to_the_file_and_not_to_where_one_is(room, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train(room, 'out = "here"\n' + SMALL).code == 0
    assert bits(room / "here") == bits(room / "run")
    shutil.rmtree(room / "here")


def test_an_option_of_the_command_line_goes_before_the_file(room, tmp_path):
    given = ("--hidden", 10, "--no-residual", "--out", tmp_path / "run")
    assert train(room, 'backend = "numpy"\n' + SMALL, *given).code == 0
    config, training = load_config(tmp_path / "run")
    assert (config.hidden, config.attention_size, config.embedding, training["options"]["lr"]) == (10, 10, 6, 0.03)


def test_other_files_take_the_place_of_the_files_own(room, tmp_path):
    sides = ("--source", room / "source.txt", "--target", room / "target.txt")
    assert train(room, SMALL, *sides, "--out", tmp_path / "run").code == 0
    origin = load_config(tmp_path / "run")[1]["origin"]
    assert origin["tsv"] is None and origin["source"] == str(room / "source.txt")
    result = train(room, SMALL, sides[0], sides[1], "--out", tmp_path / "other")
    assert result.code == 2 and "--source and --target go together" in result.err


def test_a_file_that_begins_with_a_byte_order_mark_and_has_the_line_ends_of_windows_is_read(room, tmp_path):
    result = train(room, "\ufeff" + SMALL.replace("\n", "\r\n"), "--out", tmp_path / "run")
    assert (result.code, result.err) == (0, "")


def test_the_example_of_the_page_says_nothing_that_is_unknown(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "experiments.md"
    [example] = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "dates.toml").write_text(example)
    result = numseq_cli("train", tmp_path / "dates.toml")
    assert result.code == 1 and f"{tmp_path}/dates/train.tsv: no such file" in result.err


# what is refused

WRONG = {
    "lr": ("is not TOML", "not TOML: Expected '=' after a key"),
    "[model]\nhidden = 8\nhidden = 9": ("said twice", "not TOML: Cannot overwrite a value (at line 3"),
    "hidden = 8": ("above the tables", "hidden: this belongs into the table [model]"),
    "[modl]\nhidden = 8": ("no table", "modl: there is no such table or key; the nearest is model"),
    "[wheels]": ("no table at all", "wheels: there is no such table or key; there are files, data, model"),
    "model = 3": ("no table but a number", "model is 3: it must be a table, [model]"),
    "[training]\nhidden = 8": ("of another table", "training.hidden: this belongs into the table [model]"),
    "[model]\nhiden = 8": ("misspelt", "model.hiden: there is no such option in [model]; the nearest is hidden"),
    "[training]\nlr = -1": ("out of range", "training.lr is -1: it must be finite and above 0"),
    "[training]\nlr = '1'": ("a text for a number", "training.lr is '1': it must be a number"),
    "[training]\nbatch = 1.5": ("no whole number", "training.batch is 1.5: it must be a whole number of at least 1"),
    "[model]\nresidual = 1": ("a number for yes", "model.residual is 1: it must be true or false"),
    "[model]\ncell = 'qrnn'": ("no such choice", "model.cell is 'qrnn': choose one of lstm"),
    "[model.cell]\na = 1": ("a table for a value", "model.cell is {'a': 1}: choose one of lstm"),
    "[files]\ntsv = 3": ("a number for a file", "files.tsv is 3: it must be a text"),
    '[files]\ntsv = ["a", ""]': ("no name among names", "files.tsv is ['a', '']: an empty name is none of a file"),
    '[files]\ntsv = "a\\u0000"': ("no name of a file", "files.tsv is 'a\\x00': no file can be called so"),
    "[data]\nmin-count = 2\nmin_count = 2": ("said twice, otherwise", "data.min_count: it is said twice"),
    "[model]\nwindow = 2": ("of another attention", "model.window: it is of --attention local-p, not of additive"),
    "backend = 'torch'": ("no such backend", "backend is 'torch': choose one of numpy, cupy"),
    "from = 3": ("no folder", "from is 3: it must be a text"),
}


@pytest.mark.parametrize("text", WRONG, ids=[name for name, _ in WRONG.values()])
def test_what_is_wrong_in_a_file_is_said_with_its_place(room, text):
    result = train(room, text + "\n", "--tsv", room / "pairs.tsv", "--out", room / "new")
    assert result.code == 2 and f"{room}/given.toml: {WRONG[text][1]}" in " ".join(result.err.split()), result
    assert "Traceback" not in result.err and not (room / "new").exists()


def test_what_is_no_experiment_is_refused(room, tmp_path):
    (tmp_path / "latin1.toml").write_bytes(b"# caf\xe9")
    for given, said in (
        (room / "nothing.toml", "cannot be read (No such file or directory)"),
        (room / "run", f"is a folder: name a file, as {room}/run/experiment.toml"),
        (tmp_path / "latin1.toml", "not UTF-8 at byte 5"),
    ):
        result = numseq_cli("train", given, "--out", tmp_path / "run")
        assert result.code == 2 and str(given) in result.err and said in result.err, result


# the file of a run

REPEATED = {
    "usual": (),
    "another attention": ("--attention", "local-p", "--window", 2),
    "plain": ("--attention", "none", "--cell", "gru", "--min-count", 3),
    "other files": ("--source", "{room}/source.txt", "--target", "{room}/target.txt", "--source-tokens", "word",
                    "--freeze", "encoder", "--optimizer", "sgd"),
    "from another run": ("--from", "{room}/run", "--word-dropout", 0.1),
}  # fmt: skip


@pytest.mark.parametrize("case", REPEATED)
def test_the_file_of_a_run_repeats_it_to_the_bit(room, tmp_path, case):
    given = [str(word).format(room=room) for word in REPEATED[case]]
    assert train(room, SMALL, *given, "--epochs", 2, "--out", tmp_path / "a").code == 0
    result = numseq_cli("train", tmp_path / "a" / "experiment.toml", "--out", tmp_path / "b")
    assert (result.code, result.err) == (0, "")
    assert bits(tmp_path / "a") == bits(tmp_path / "b")
    files = [(tmp_path / name / "experiment.toml").read_text() for name in "ab"]
    assert files[0] == files[1]


def test_the_file_of_a_run_says_every_option_that_is_not_left_open(room):
    said = tomllib.loads((room / "run" / "experiment.toml").read_text())
    config, training = load_config(room / "run")
    for table, found in (
        ("data", training["data"] | training["where"]),
        ("model", vars(config)),
        ("training", training["options"]),
    ):
        open_ones = {name for name in EXPERIMENT.groups[table].options if found[name] is None}
        of_others = {"heads", "window"} if table == "model" else set()
        assert set(EXPERIMENT.groups[table].options) - open_ones - of_others <= set(said[table])
        assert all(found[name] == value for name, value in said[table].items())
    assert said["files"] == {"tsv": str(room / "pairs.tsv")} and said["backend"] == "numpy"
    assert "# min_count: 2 for words" in (room / "run" / "experiment.toml").read_text()


def test_a_name_that_is_not_unicode_is_left_out_of_the_file(room, tmp_path):
    shutil.copy(room / "pairs.tsv", tmp_path / "caf\udce9.tsv")
    assert train(room, SMALL, "--tsv", tmp_path / "caf\udce9.tsv", "--out", tmp_path / "run").code == 0
    said = tomllib.loads((tmp_path / "run" / "experiment.toml").read_text())
    assert said["files"] == {} and said["model"]["hidden"] == 8


def test_an_origin_that_is_no_file_is_left_out_of_the_file(tmp_path):
    sizes, origin = (
        {"embedding": 4, "hidden": 4, "attention_size": 4},
        {"task": "digits", "seed": 3, "tsv": ["/a/b", "-"]},
    )
    given = words(20), None, sizes, DataOptions(), TrainingOptions(epochs=1)
    train_run(tmp_path / "run", *given, origin=origin, say=lambda line: None)
    assert tomllib.loads((tmp_path / "run" / "experiment.toml").read_text())["files"] == {"tsv": ["/a/b", "-"]}


def test_a_run_is_resumed_with_its_experiment_and_knows_what_was_changed(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    result = train(room, SMALL.replace("epochs = 1", "epochs = 2"), "--out", run, "--resume")
    assert (result.code, result.err) == (0, "") and "going on at epoch 2" in result.out
    assert tomllib.loads((run / "experiment.toml").read_text())["training"]["epochs"] == 2
    result = train(room, SMALL.replace("hidden = 8", "hidden = 10"), "--out", run, "--resume")
    assert result.code == 2
    assert f"{room}/given.toml: model.hidden is 10, but the run in {run} began with 8" in " ".join(result.err.split())


# --from


def test_a_run_that_begins_with_another_takes_over_what_is_not_said(room, tmp_path):
    """Trained with steps too small to be seen."""
    given = ("--from", room / "run", "--tsv", room / "pairs.tsv", "--epochs", 1, "--lr", 1e-30)
    result = numseq_cli("train", *given, "--dropout", 0.1, "--out", tmp_path / "run")
    assert (result.code, result.err) == (0, "")
    assert f"begins with the weights of {room}/run: 14 of 14 source tokens and 14 of 14 target tokens" in result.out
    assert f"not as in {room}/run: dropout 0.1 (there 0.3)" in result.out
    config, training = load_config(tmp_path / "run")
    assert (config.hidden, config.dropout, training["data"]["source_tokens"]) == (8, 0.1, "char")
    found, before = (load_arrays(run / "model.safetensors")[0] for run in (tmp_path / "run", room / "run"))
    assert all(np.array_equal(found[name], before[name]) for name in before)


def test_a_run_that_began_with_another_is_resumed_with_that_one(room, tmp_path):
    given = ("--tsv", room / "pairs.tsv", "--epochs", 1, "--out", tmp_path / "run")
    assert numseq_cli("train", *given, "--from", room / "run").code == 0
    assert numseq_cli("train", *given, "--from", room / "run", "--resume", "--epochs", 2).code == 0
    result = numseq_cli("train", *given, "--from", tmp_path, "--resume")
    assert result.code == 2 and "--from is" in result.err and "began with" in result.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--hidden", 10), ["hidden 10 (there 8)"]),
        (("--tied", "target", "--cell", "gru"), ["cell gru (there lstm)", "tied target (there none)"]),
        (("--from", "{room}"), ["not a run of numseq"]),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_a_folder_is_made(room, tmp_path, given, words):
    given = [str(word).format(room=room) for word in given]
    command = ("train", "--from", room / "run", "--tsv", room / "pairs.tsv", *given)
    result = numseq_cli(*command, "--out", tmp_path / "run")
    assert result.code == 1 and all(word in result.err for word in words), result
    assert list(tmp_path.iterdir()) == []
