"""The command line: every command from end to end, and what it says when it cannot do what was asked."""

import errno
import json
import math
import os
import pickle
import shlex
import shutil
import signal
import socket
import stat
import sys
from contextlib import contextmanager
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import typer
from helpers import few_fast
from helpers_run import (
    TINY,
    digits,
    edit_config,
    how_to_go_on,
    numseq_cli,
    numseq_process,
    snapshot,
    words,
    write_parallel,
)

import numseq
from numseq import demo, files, layers
from numseq.cli import commands
from numseq.data import EOS
from numseq.layers import DotAttention
from numseq.mistakes import BUGS, Case, table, trial
from numseq.models import ATTENTIONS
from numseq.tasks import make_dates
from numseq.training import Optimizer, TrainingOptions
from numseq.training.arrays import load_arrays, save_arrays
from numseq.training.checkpoint import load_config

CHARACTERS = ("--source-tokens", "char", "--target-tokens", "char")
COMMANDS = typer.main.get_command(commands.app).commands


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with corpora good and bad, and three trained runs: attention, plain (characters), and broken ones."""
    folder = tmp_path_factory.mktemp("room")
    pairs = words(100)
    write_parallel(folder, pairs)
    write_parallel(folder, words(20, seed=1), "val-")
    (folder / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in digits(60)))
    (folder / "numbers.txt").write_text("".join(f"{s}\n" for s, _ in digits(20, seed=1)))
    (folder / "short.txt").write_text("one line\n")
    (folder / "empty.txt").write_text("")
    (folder / "latin1.txt").write_bytes(b"fine\n" * 3 + b"caf\xe9\n" + b"fine\n" * 96)
    (folder / "wide.tsv").write_text("a\tb\nc\td\te\n")
    (folder / "a folder").mkdir()
    (folder / "a").mkdir()
    (folder / "a" / "metrics.jsonl").write_text("somebody else's\n")
    sides = ("--source", folder / "source.txt", "--target", folder / "target.txt")
    valid = ("--val-source", folder / "val-source.txt", "--val-target", folder / "val-target.txt")
    for arguments in (
        ("--out", folder / "run", *sides, *valid, "--epochs", 2),
        ("--out", folder / "plain", "--tsv", folder / "pairs.tsv", *CHARACTERS, "--attention", "none", "--epochs", 4),
        ("--out", folder / "wider", *sides, *valid, "--epochs", 1, "--hidden", 10),
    ):
        result = numseq_cli("train", *TINY, *arguments)
        assert (result.code, result.err) == (0, ""), result
        assert f"numseq translate {arguments[1]}" in result.out
    (folder / "two.vec").write_text("1 0.5 1.5\n")
    (folder / "others.vec").write_text("house 0.5 1.5\n")
    for name in ("truncated", "pickled", "wrong-shapes", "unfinished", "moved-on", "older"):
        shutil.copytree(folder / "run", folder / name)
    for name in ("model", "training"):
        broken = folder / "truncated" / f"{name}.safetensors"
        broken.write_bytes(broken.read_bytes()[:-100])
    (folder / "pickled" / "model.safetensors").write_bytes(pickle.dumps({"W": [1.0]}))
    shutil.copy(folder / "wider" / "model.safetensors", folder / "wrong-shapes")
    (folder / "unfinished" / "model.safetensors").unlink()
    older = folder / "older" / "config.json"
    older.write_text(older.read_text().replace('"format": 4', '"format": 1'))
    changed = folder / "changed.txt"  # the corpus of a run that has another last line now
    changed.write_text((folder / "source.txt").read_text().replace("1", "2"))
    edit_config(folder / "moved-on", lambda said: said["training"]["origin"].update(source=str(changed)))
    return folder


def lines(*numbers):
    return "".join(f"{line}\n" for line in numbers)


# what it says about itself


def test_version():
    result = numseq_cli("--version")
    assert (result.code, result.out, result.err) == (0, f"numseq {numseq.__version__}\n", "")


def test_help_lists_every_command():
    out = numseq_cli("--help").out
    assert set(COMMANDS) == {
        "demo",
        "dates",
        "train",
        "tune",
        "info",
        "translate",
        "score",
        "evaluate",
        "errors",
        "attention",
        "baselines",
        "chat",
        "gradcheck",
        "average",
        "convert",
        "verify",
        "plot",
        "lr-range",
    }
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_explains_every_option(command):
    result = numseq_cli(command, "--help")
    assert result.code == 0
    for parameter in COMMANDS[command].params:
        if parameter.param_type_name == "option":
            assert all(f"  {name} " in result.out for name in parameter.opts)
        assert parameter.help, f"{parameter.opts} has no help"


def test_python_dash_m_is_the_command_line():
    process = numseq_process("--version")
    assert process.communicate() == (f"numseq {numseq.__version__}\n".encode(), b"")


# train


def test_run_holds_what_was_asked_for(room):
    config, training = load_config(room / "run")
    assert (config.attention, config.hidden, config.embedding, config.layers) == ("additive", 8, 6, 1)
    assert training["options"]["epochs"] == 2 and training["options"]["batch"] == 8
    assert len((room / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    config, training = load_config(room / "plain")
    assert config.attention == "none"
    assert (training["data"]["source_tokens"], training["data"]["target_tokens"]) == ("char", "char")
    assert config.source_vocabulary == config.target_vocabulary == 4 + 10


def test_pairs_are_held_out_only_when_no_validation_files_are_given(room, tmp_path):
    command = ("train", "--tsv", room / "pairs.tsv", *TINY, *CHARACTERS, "--epochs", 1)
    result = numseq_cli(*command, "--out", tmp_path / "run")
    assert "held out 3 of 60 pairs" in result.out and "; 57 training pairs" in result.out
    result = numseq_cli(*command, "--out", tmp_path / "more", "--val-tsv", room / "pairs.tsv")
    assert "held out" not in result.out and "; 60 training pairs" in result.out


SMALL = {"hidden": 4, "embedding": 3, "epochs": 1}
GIVEN = {  # between them every option of numseq train that says how, each at a value that is not its default
    "plain": SMALL | {
        "source-tokens": "char", "min-count": 1, "max-length": 9, "attention": "none", "cell": "gru", "layers": 2,
        "normalization": "nfkc", "max-vocabulary": 12, "lowercase": True, "long": "cut",
        "readout": "maxout", "readout-embedding": True, "tied": "target", "init": "uniform", "recurrent-init": "same",
        "dropout": 0.1, "variational": True, "word-dropout": 0.2, "weight-drop": 0.3, "batch": 7, "lr": 0.02,
        "optimizer": "adamw", "weight-decay": 0.2,
        "beta1": 0.8, "beta2": 0.98, "eps": 1e-6, "decay": 0.7, "clip": 0.5, "seed": 5, "backend": "numpy",
        "threads": 1},
    "bahdanau": SMALL | {
        "target-tokens": "char", "cell": "lstm-peephole", "attention": "coverage", "attention-size": 3,
        "coverage-loss": 0.3, "readout-context": False, "forget-bias": 2.0, "samples": 4, "zoneout": 0.2},
    "feeding": SMALL | {
        "decoder": "luong-feeding", "attention": "multi-head", "attention-size": 6, "heads": 3,
        "layers": 2, "residual": True, "label-smoothing": 0.1, "confidence-penalty": 0.4, "optimizer": "sgd",
        "momentum": 0.5, "schedule": "step", "decay-every": 2, "clip-value": 0.3},
    "local": SMALL | {"attention": "local-p", "window": 2, "decoder": "luong", "readout": "linear", "cell": "rnn",
                      "encoder": "forward", "schedule": "cosine", "warmup": 3, "min-lr": 1e-4, "updates": 4,
                      "accumulate": 2, "ema": 0.9, "validate-every": 2, "metric": "chrf", "tokenize": "none",
                      "patience": 3, "keep-best": 2, "keep-last": 1, "show": 1, "tensorboard": True,
                      "freeze": "source,head.b"},
    "copying": SMALL | {"hidden": 8, "head": "pointer-generator", "hops": 2},
    "hops": SMALL | {"source-tokens": "char", "encoder": "hops", "attention": "none",
                     "encoder-hops": 2, "sentences": 5, "separator": 5, "empty-memories": 0.1},
    "self-attention": SMALL | {"encoder": "self-attention", "decoder": "self-attention", "hidden": 8, "embedding": 8,
                               "attention-size": 8, "heads": 2, "feed-forward": 6, "norm": "post"},
    "all tied": SMALL | {"source-tokens": "char", "target-tokens": "char", "tied": "all"},
    "sub-words": SMALL | {"source-tokens": "bpe", "target-tokens": "bpe", "joint": True, "batch": 40,
                          "batch-by": "tokens"},
}  # fmt: skip


def as_arguments(given):
    for name, value in given.items():
        yield from [f"--{name}" if value else f"--no-{name}"] if isinstance(value, bool) else [f"--{name}", value]


@pytest.mark.parametrize("case", GIVEN)
def test_every_option_of_training_reaches_the_run(room, tmp_path, case):
    given = GIVEN[case]
    result = numseq_cli("train", "--out", tmp_path / "run", "--tsv", room / "pairs.tsv", *as_arguments(given))
    assert (result.code, result.err) == (0, "")
    config, training = load_config(tmp_path / "run")
    found = vars(config) | training["data"] | training["options"] | {"backend": "numpy"}
    assert {name: found[name.replace("-", "_")] for name in given} == given
    assert numseq_cli("translate", tmp_path / "run", "--input", room / "short.txt").code == 0


def test_no_option_of_training_is_left_out_above():
    ours = {parameter.opts[0].removeprefix("--") for parameter in COMMANDS["train"].params}
    files = {
        "experiment",
        "from",
        "out",
        "resume",
        "source",
        "target",
        "tsv",
        "val-source",
        "val-target",
        "val-tsv",
        "jsonl",
        "val-jsonl",
        "source-column",
        "target-column",
        "cache",
    }  # tests/cli/test_cli_corpora.py
    vectors = {"source-vectors", "target-vectors"}  # below
    vectors |= {"source-vocabulary-file", "target-vocabulary-file"}
    tasks = {"task", "text", "val-text", "context"}  # tests/cli/test_cli_tasks.py
    assert set().union(*GIVEN.values()) == ours - files - vectors - tasks


def embeddings(run):
    arrays, _ = load_arrays(run / "model.safetensors")
    return [arrays[f"{side}.W"] for side in ("source", "target")]


def test_vectors_begin_the_embeddings(room, tmp_path):
    """Trained with steps too small to be seen, so that they end with them, too."""
    (tmp_path / "s.vec").write_text("2 3\n1 0.5 -1 2\n2 4 5 6\n")
    (tmp_path / "t.vec").write_text("7 1 1 -1\n")
    files = ("--source-vectors", tmp_path / "s.vec", "--target-vectors", tmp_path / "t.vec")
    command = ("train", "--tsv", room / "pairs.tsv", *CHARACTERS, "--hidden", 4, "--embedding", 3, "--epochs", 1)
    result = numseq_cli(*command, "--lr", 1e-30, "--out", tmp_path / "run", *files)
    assert (result.code, result.err) == (0, "")
    assert f"2 of 14 source tokens begin with vectors of {tmp_path}/s.vec" in result.out
    source, target = (W.tolist() for W in embeddings(tmp_path / "run"))
    assert [0.5, -1, 2] in source and [4, 5, 6] in source and [1, 1, -1] in target
    assert load_config(tmp_path / "run")[1]["data"]["source_vectors"] == str(tmp_path / "s.vec")
    assert numseq_cli("train", "--out", tmp_path / "run", "--resume", "--epochs", 2).code == 0
    result = numseq_cli("train", "--out", tmp_path / "run", "--resume", "--source-vectors", tmp_path / "t.vec")
    assert result.code == 2 and "--source-vectors is" in result.err and "began with" in result.err


def test_training_with_everything_tied_has_one_vocabulary(room, tmp_path):
    command = ("train", "--tsv", room / "pairs.tsv", *CHARACTERS, *TINY, "--epochs", 1, "--tied", "all")
    assert numseq_cli(*command, "--out", tmp_path / "run").code == 0
    source, target = (tmp_path / "run" / f"{side}.tokens.json" for side in ("source", "target"))
    assert source.read_bytes() == target.read_bytes()
    assert numseq_cli("translate", tmp_path / "run", "--input", room / "numbers.txt").code == 0


def test_what_is_trained_is_said_in_one_line(room, tmp_path):
    command = ("train", "--tsv", room / "pairs.tsv", *CHARACTERS, *TINY, "--epochs", 1, "--cell", "gru")
    out = numseq_cli(*command, "--out", tmp_path / "a", "--attention", "local-p").out
    [line] = [line for line in out.splitlines() if "parameters;" in line]
    assert line.startswith("gru, local-p attention, ")
    assert "gru, no attention, " in numseq_cli(*command, "--out", tmp_path / "b", "--attention", "none").out


class Windowed(DotAttention):
    options = ("window",)

    def __init__(self, keys, values, params=None, mask=None, window=None):
        super().__init__(keys, values, params, mask)


@pytest.mark.usefixtures("parts_are_forgotten")
def test_two_attentions_may_have_an_option_in_common(room, tmp_path):
    ATTENTIONS["dot"] = Windowed
    command = ("train", "--tsv", room / "pairs.tsv", *CHARACTERS, *TINY, "--epochs", 1, "--window", 2)
    assert numseq_cli(*command, "--attention", "dot", "--out", tmp_path / "a").code == 0
    refused = numseq_cli(*command, "--attention", "general", "--out", tmp_path / "b")
    said = " ".join(refused.err.split())
    assert refused.code == 2 and "it is of --attention dot and local-p" in said and "not of general" in said


def test_sizes_of_attention_follow_those_of_layers(room):
    assert load_config(room / "run")[0].attention_size == 8


def test_pairs_with_an_empty_side_are_counted(room, tmp_path):
    (tmp_path / "p.tsv").write_text((room / "pairs.tsv").read_text() + "\n12\t\n")
    result = numseq_cli("train", "--out", tmp_path / "run", "--tsv", tmp_path / "p.tsv", *TINY, "--epochs", 1,
                        *CHARACTERS)  # fmt: skip
    assert f"skipped 2 pairs with an empty side in {tmp_path}/p.tsv" in result.out


def test_resuming_needs_only_the_folder(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    result = numseq_cli("train", "--out", run, "--resume", "--epochs", 3)
    assert (result.code, result.err) == (0, "") and "epoch   3/3" in result.out
    assert [line["epoch"] for line in metrics(run)] == [1, 2, 3]


def test_options_may_be_repeated_on_resuming(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    result = numseq_cli("train", "--out", run, "--resume", "--hidden", 8, "--source", room / "source.txt")
    assert (result.code, result.err) == (0, "")


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def press_ctrl_c_after(monkeypatch, update):
    updates, step = iter(range(1, 10**6)), Optimizer.update

    def wrapped(self, params, grads):
        step(self, params, grads)
        if next(updates) == update:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Optimizer, "update", wrapped)


def test_what_ctrl_c_says_to_type_finishes_a_run_that_was_given_more_epochs(room, tmp_path, monkeypatch):
    run = shutil.copytree(room / "run", tmp_path / "run")
    press_ctrl_c_after(monkeypatch, 3)
    result = numseq_cli("train", "--out", run, "--resume", "--epochs", 4)
    assert result.code == 130
    assert numseq_cli(*how_to_go_on(result.err)).code == 0
    assert [line["epoch"] for line in metrics(run)] == [1, 2, 3, 4]


def test_resuming_what_is_done_does_not_claim_to_go_on(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    result = numseq_cli("train", "--out", run, "--resume")
    assert result.code == 0 and "going on at epoch 3" not in result.out


def test_seed_alone_decides_the_model(room, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        numseq_cli("train", "--out", tmp_path / name, "--tsv", room / "pairs.tsv", *TINY, "--epochs", 1, "--seed", seed,
                   *CHARACTERS)  # fmt: skip
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


# translate


def test_standard_input_to_standard_output(room, tmp_path):
    (tmp_path / "in").write_text(lines("1 2 3", "4 5"))
    with open(tmp_path / "in") as file:
        process = numseq_process("translate", room / "run", stdin=file)
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.decode() == numseq_cli("translate", room / "run", "--input", tmp_path / "in").out
    assert out.count(b"\n") == 2


def test_standard_input_may_be_a_pipe_or_a_socket(room):
    process = numseq_process("translate", room / "run", stdin=-1)
    from_pipe, _ = process.communicate(b"1 2 3\n")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = numseq_process("translate", room / "run", stdin=theirs)
        ours.sendall(b"1 2 3\n")
        ours.shutdown(socket.SHUT_WR)
        assert process.communicate() == (from_pipe, b"")
    assert from_pipe.endswith(b"\n")


def test_whoever_sits_at_a_terminal_is_told_to_type(room):
    ours, theirs = os.openpty()
    try:
        process = numseq_process("translate", room / "run", stdin=theirs)
        os.write(ours, b"1 2 3\n\x04")
        out, err = process.communicate()
    finally:
        os.close(ours)
        os.close(theirs)
    assert out.count(b"\n") == 1
    assert err.startswith(b"type a sentence") and err.count(b"\n") == 1


def test_output_file_holds_what_standard_output_would(room, tmp_path):
    shown = numseq_cli("translate", room / "run", "--input", room / "val-source.txt").out
    result = numseq_cli("translate", room / "run", "--input", room / "val-source.txt", "--output", tmp_path / "out")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert (tmp_path / "out").read_text() == shown
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_output_into_a_named_pipe_leaves_it_a_pipe(room, tmp_path):
    """As /dev/null and /dev/stdout, which must not be replaced by a file either."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        result = numseq_cli("translate", room / "run", "--input", room / "short.txt", "--output", pipe)
        assert result.code == 0 and stat.S_ISFIFO(pipe.lstat().st_mode)
        assert os.read(reader, 1000).endswith(b"\n")
    finally:
        os.close(reader)


@pytest.mark.parametrize("run", ["run", "plain"])
def test_empty_lines_stay_in_their_place(room, tmp_path, run):
    full = (room / ("source.txt" if run == "run" else "numbers.txt")).read_text().splitlines()[:2]
    (tmp_path / "full").write_text(lines(*full))
    (tmp_path / "in").write_text(lines("", full[0], "", "", full[1], ""))
    one, other = numseq_cli("translate", room / run, "--input", tmp_path / "full").out.splitlines()
    assert one and other and one != other, "the model must say something for this test to say anything"
    assert numseq_cli("translate", room / run, "--input", tmp_path / "in").out == lines("", one, "", "", other, "")
    (tmp_path / "empty").write_text("")
    assert numseq_cli("translate", room / run, "--input", tmp_path / "empty").out == ""


@pytest.mark.parametrize("run", ["run", "plain"])
def test_space_around_a_line_changes_nothing(room, tmp_path, run):
    """Training has stripped it, so a character model has never seen a sentence begin with a space."""
    (tmp_path / "bare").write_text(lines("123", "", "45"))
    (tmp_path / "spaced").write_text(lines("  123", " \t ", "45 "))
    bare, spaced = (numseq_cli("translate", room / run, "--input", tmp_path / name).out for name in ("bare", "spaced"))
    assert spaced == bare


@pytest.mark.parametrize("run", ["run", "plain"])
def test_order_is_kept_and_batch_size_does_not_matter(room, run):
    source = room / ("val-source.txt" if run == "run" else "numbers.txt")
    one, three, many = (
        numseq_cli("translate", room / run, "--input", source, "--batch", size).out for size in (1, 3, 64)
    )
    assert one == three == many and many.count("\n") == 20
    assert len(set(many.splitlines())) > 3, "the translations must differ for this test to say anything"


def test_model_that_never_ends_is_stopped_at_each_lines_own_limit(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    arrays, described = load_arrays(run / "model.safetensors")
    [bias] = [array for array in arrays.values() if array.shape == (load_config(run)[0].target_vocabulary,)]
    bias[EOS] = -1000
    save_arrays(run / "model.safetensors", arrays, described)
    sources = (room / "val-source.txt").read_text().splitlines()
    for size in (1, 64):
        out = numseq_cli("translate", run, "--input", room / "val-source.txt", "--batch", size).out.splitlines()
        assert [len(line.split()) for line in out] == [2 * len(line.split()) + 10 for line in sources]


def test_each_line_is_translated_as_it_would_be_alone(room, tmp_path):
    sentences = (room / "val-source.txt").read_text().splitlines()[:5]
    together = numseq_cli("translate", room / "run", "--input", room / "val-source.txt").out.splitlines()
    for sentence, translation in zip(sentences, together, strict=False):
        (tmp_path / "one").write_text(lines(sentence))
        assert numseq_cli("translate", room / "run", "--input", tmp_path / "one").out == lines(translation)


def test_translations_are_utf8_whatever_the_terminal_is_set_to(tmp_path):
    (tmp_path / "p.tsv").write_text("x\té\n" * 20, encoding="utf-8")
    numseq_cli("train", "--out", tmp_path / "run", "--tsv", tmp_path / "p.tsv", *TINY, "--epochs", 8, "--lr", 0.1)
    (tmp_path / "in").write_text("x\n")
    result = numseq_cli("translate", tmp_path / "run", "--input", tmp_path / "in", encoding="ascii")
    assert (result.code, result.out) == (0, "é\n")


def test_reader_that_has_gone_is_no_reason_for_noise(room):
    reading, writing = os.pipe()
    os.close(reading)
    process = numseq_process("translate", room / "run", "--input", room / "source.txt", stdout=writing)
    os.close(writing)
    assert process.communicate()[1] == b""


# evaluate


def test_scores_are_shown_and_written(room, tmp_path):
    result = numseq_cli("evaluate", room / "run", "--source", room / "val-source.txt", "--reference",
                        room / "val-target.txt", "--json", tmp_path / "scores.json")  # fmt: skip
    assert (result.code, result.err) == (0, "")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["sentences"] == 20 and "tok:13a" in scores["bleu_signature"]
    assert 0 <= scores["bleu"] <= 100 and 0 <= scores["chrf"] <= 100 and 0 <= scores["exact_match"] <= 1
    shown = dict(line.split(maxsplit=1) for line in result.out.splitlines())
    assert shown.keys() == scores.keys()
    assert float(shown["perplexity"]) == pytest.approx(scores["perplexity"], abs=1e-4)


def test_perplexity_is_that_of_the_best_epoch(room, tmp_path):
    numseq_cli("evaluate", room / "run", "--source", room / "val-source.txt", "--reference", room / "val-target.txt",
               "--json", tmp_path / "scores.json", "--batch", 8)  # fmt: skip
    best = min(line["valid_loss"] for line in metrics(room / "run"))
    assert json.loads((tmp_path / "scores.json").read_text())["perplexity"] == pytest.approx(math.exp(best))


def test_scores_are_those_of_sacrebleu_on_the_translations(room, tmp_path):
    from sacrebleu import corpus_bleu, corpus_chrf

    references = (room / "val-target.txt").read_text().splitlines()
    found = numseq_cli("translate", room / "run", "--input", room / "val-source.txt").out.splitlines()
    numseq_cli("evaluate", room / "run", "--source", room / "val-source.txt", "--reference", room / "val-target.txt",
               "--tokenize", "none", "--json", tmp_path / "scores.json")  # fmt: skip
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert "tok:none" in scores["bleu_signature"]
    assert scores["bleu"] == pytest.approx(corpus_bleu(found, [references], tokenize="none", force=True).score)
    assert scores["chrf"] == pytest.approx(corpus_chrf(found, [references]).score)
    assert scores["exact_match"] == sum(f == r for f, r in zip(found, references, strict=True)) / 20


# attention


@pytest.mark.parametrize("name", ["map.png", "map.svg", "MAP.PNG"])
def test_attention_is_drawn(room, tmp_path, name):
    result = numseq_cli("attention", room / "run", "1 2 3", "--out", tmp_path / name)
    assert (result.code, result.err) == (0, "")
    (tmp_path / "in").write_text("1 2 3\n")
    assert result.out == numseq_cli("translate", room / "run", "--input", tmp_path / "in").out
    if name.endswith("svg"):
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("}svg")
    else:
        assert_png(tmp_path / name)


def assert_png(path):
    from matplotlib.image import imread

    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    height, width, _ = imread(path).shape
    assert height > 100 and width > 100


# gradcheck


def test_gradients_are_checked_by_name(tmp_path):
    result = numseq_cli("gradcheck", "linear", "lstm_step", "--json", tmp_path / "checks.json")
    assert (result.code, result.err) == (0, "")
    checks = json.loads((tmp_path / "checks.json").read_text())
    assert [(check["name"], check["method"]) for check in checks] == [
        (name, method) for name in ("lstm_step", "linear") for method in ("complex-step", "central")
    ]
    for check, row in zip(checks, result.out.splitlines()[1:], strict=True):
        assert check.keys() >= {"name", "method", "worst", "ok", "first_wrong", "diagnosis"} and check["ok"] is True
        assert 0 <= check["worst"] < 1e-6
        assert row.split()[:3] == [check["name"], check["method"], f"{check['worst']:.1e}"]


def test_wrong_gradient_is_shown_and_is_a_failure(tmp_path, monkeypatch):
    known = dict(table.cases_without_models())
    right = known["linear"]

    def wrong(**inputs):
        trace = right.function(**inputs)
        backward = type(trace).backward

        def halved(self, dy):
            return backward(self, dy / 2)

        return type("Wrong", (type(trace),), {"backward": halved})(
            *(getattr(trace, name) for name in trace.__dataclass_fields__)
        )

    known["linear"] = Case(wrong, right.inputs, right.covers)
    monkeypatch.setattr(table, "cases_without_models", lambda: known)
    result = numseq_cli("gradcheck", "linear", "lstm_step", "--json", tmp_path / "checks.json")
    assert result.code == 1
    rows = [line for line in result.out.splitlines()[1:] if not line.startswith(" ")]
    assert [line.endswith("WRONG") for line in rows] == [False, False, True, True]
    assert "it is 0.5 times what it should be" in result.out
    found = json.loads((tmp_path / "checks.json").read_text())
    assert [check["ok"] for check in found] == [True, True, False, False]
    assert found[2]["first_wrong"] == ["dx", None]


def test_gradients_by_one_method_and_drawn(tmp_path):
    result = numseq_cli("gradcheck", "lstm", "--method", "richardson", "--heatmap", tmp_path / "errors.png")
    assert result.code == 0
    assert {line.split()[-3] for line in result.out.splitlines()[1:]} == {"richardson"}
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--heatmap", "F.png"], ["--heatmap", "name it"]),
        (["lstm", "stack", "--heatmap", "F.png"], ["--heatmap", "name it"]),
        (["--bugs", "lstm"], ["--bugs", "--json only"]),
        (["--list", "lstm"], ["--list", "stands alone"]),
        (["lstm", "--heatmap", "F.png", "--method", "directional"], ["--heatmap", "nothing inside"]),
        (["--method", "guess"], ["guess", "richardson"]),
    ],
)
def test_gradcheck_options_that_do_not_go_together(options, words):
    result = numseq_cli("gradcheck", *options)
    assert result.code == 2 and all(word in result.err for word in words)


def test_all_that_can_be_checked_is_listed_in_groups():
    result = numseq_cli("gradcheck", "--list")
    groups = [block.splitlines() for block in result.out.split("\n\n")]
    assert result.code == 0 and {"layers:", "attention:", "cells:", "losses:", "models:"} <= {g[0] for g in groups}
    assert sorted(name for _, *names in groups for name in names) == sorted(table.cases())


def test_nothing_is_checked_before_what_can_be_known_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "check", lambda *given, **named: pytest.fail("checked"))
    for options in (["--heatmap", tmp_path / "a.pdf"], ["--json", tmp_path / "no" / "a.json"]):
        result = numseq_cli("gradcheck", "linear", *options)
        assert (result.code, result.out) == (2, "") and "Traceback" not in result.err


def test_what_raises_is_a_row_and_the_rows_after_it_follow(tmp_path, monkeypatch):
    monkeypatch.setattr(layers.LSTM, "forward", lambda *given: 1 / 0)
    result = numseq_cli("gradcheck", "lstm", "linear", "--json", tmp_path / "checks.json")
    rows = [line for line in result.out.splitlines()[1:] if not line.startswith(" ")]
    assert result.code == 1 and [row.endswith("WRONG") for row in rows] == [True] * 6 + [False] * 2
    assert "ZeroDivisionError in <lambda>" in result.out
    assert json.loads((tmp_path / "checks.json").read_text())[0]["worst"] is None
    result = numseq_cli("gradcheck", "lstm, ragged", "--heatmap", tmp_path / "a.png")
    assert result.code == 1 and "no picture" in result.err and not (tmp_path / "a.png").exists()


SOME = {"linear", "lstm_step", "clip_by_global_norm", "tied_embedding"}  # one of each way of trying


@pytest.mark.parametrize(
    "functions", [SOME, pytest.param({b.function for b in BUGS}, marks=pytest.mark.slow, id="all")]
)
def test_known_bugs_are_caught_and_named(tmp_path, monkeypatch, functions):
    """At the scale at which every tool should; `numseq gradcheck --bugs` tries smaller ones too."""
    right, tried = trial.trial, [bug for bug in BUGS if bug.function in functions]
    monkeypatch.setattr(trial, "BUGS", tried)
    monkeypatch.setattr(trial, "trial", lambda: right(scales=(0.5,)))
    result = numseq_cli("gradcheck", "--bugs", "--json", tmp_path / "bugs.json")
    found = json.loads((tmp_path / "bugs.json").read_text())
    assert result.code == 0
    assert found["bugs"] == len(tried) >= (15 if functions == SOME else 70)
    assert found["caught"] == found["named"] == {"0.5": len(tried)}
    assert "NOT CAUGHT" not in result.out and f"{len(tried)} known bugs" in result.out


def test_a_bug_that_is_not_caught_is_a_failure(monkeypatch):
    missed = [trial.Verdict("one", 0.5, True, True, {}), trial.Verdict("two", 0.5, False, False, {})]
    monkeypatch.setattr(trial, "trial", lambda: missed)
    result = numseq_cli("gradcheck", "--bugs")
    assert result.code == 1 and "NOT CAUGHT with weights at 0.5: two" in result.out


# demo


@contextmanager
def small_demo():
    with pytest.MonkeyPatch.context() as patch:
        model, training = (
            {"embedding": 6, "hidden": 8, "attention_size": 5},
            TrainingOptions(epochs=2, batch=16, lr=0.01),
        )
        for name, found in demo.DEMOS.items():
            small = replace(found, model=model, training=training, sizes=(120, 20, 30))
            patch.setitem(demo.DEMOS, name, small)
        yield patch


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    """(folder, result) of a demo far too small to learn anything."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    with small_demo():
        return folder, numseq_cli("demo", "--out", folder)


def test_demo_writes_its_result_and_pictures(dates):
    folder, result = dates
    assert (result.code, result.err) == (0, "")
    found = json.loads((folder / "result.json").read_text())
    assert found.keys() == {"exact_match", "seconds", "parameters"}
    arrays = load_arrays(folder / "model.safetensors")[0].values()
    assert found["parameters"] == sum(array.size for array in arrays)
    assert 0 <= found["exact_match"] <= 1 and found["seconds"] > 0
    assert f"{found['exact_match']:.1%} of 30 exactly right" in result.out
    assert_png(folder / "attention.png")
    assert_png(folder / "learning.png")


@pytest.mark.parametrize("name", few_fast([name for name in demo.DEMOS if name != "dates"], ["chinese", "code"]))
def test_every_task_has_a_demo_whose_test_can_be_evaluated(tmp_path, name):
    with small_demo():
        result = numseq_cli("demo", name, "--out", tmp_path / "run")
    assert (result.code, result.err) == (0, ""), result
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    assert_png(tmp_path / "run" / "attention.png")
    [file] = tmp_path.glob("run/test.*")
    scores = tmp_path / "scores.json"
    of = "--text" if file.suffix == ".txt" else "--tsv"
    evaluated = numseq_cli("evaluate", tmp_path / "run", of, file, "--metric", "exact", "--json", scores)
    assert evaluated.code == 0
    assert json.loads(scores.read_text())["exact_match"] == found["exact_match"]


def test_a_plain_model_can_be_the_demos_too_and_has_one_picture(tmp_path):
    said = []
    with small_demo():
        demo.run(tmp_path / "plain", say=said.append, attention="none")
    assert said[-1] == f"pictures: {tmp_path / 'plain' / 'learning.png'}"


def test_exact_match_of_the_demo_is_that_of_its_translations(dates, tmp_path):
    folder, _ = dates
    test = make_dates(120, 20, 30, seed=0).test
    write_parallel(tmp_path, test)
    numseq_cli("evaluate", folder, "--source", tmp_path / "source.txt", "--reference", tmp_path / "target.txt",
               "--json", tmp_path / "scores.json")  # fmt: skip
    score = json.loads((tmp_path / "scores.json").read_text())["exact_match"]
    assert score == json.loads((folder / "result.json").read_text())["exact_match"]


def test_model_of_the_demo_translates_and_draws(dates, tmp_path):
    folder, _ = dates
    (tmp_path / "in").write_text("10 May 2011\n")
    assert numseq_cli("translate", folder, "--input", tmp_path / "in").out.count("\n") == 1
    assert numseq_cli("attention", folder, "10 May 2011", "--out", tmp_path / "a.png").code == 0


def test_demo_that_was_stopped_says_how_to_go_on_and_does(dates, tmp_path):
    folder, _ = dates
    with small_demo() as patch:
        press_ctrl_c_after(patch, 5)
        result = numseq_cli("demo", "--out", tmp_path / "a demo")
        assert result.code == 130
        assert numseq_cli(*how_to_go_on(result.err)).code == 0
    bits = [(where / "model.safetensors").read_bytes() for where in (folder, tmp_path / "a demo")]
    assert bits[0] == bits[1]


def test_a_demo_that_is_done_and_has_lost_its_metrics_shows_the_rest(dates, tmp_path):
    again = shutil.copytree(dates[0], tmp_path / "again")
    (again / "metrics.jsonl").unlink()
    (again / "learning.png").unlink()
    with small_demo():
        result = numseq_cli("demo", "--out", again, "--resume")
    assert (result.code, result.err) == (0, ""), result
    assert "exactly right" in result.out and not (again / "learning.png").exists()
    assert "without metrics.jsonl there is no learning curve" in result.out
    assert json.loads((again / "result.json").read_text())["exact_match"] >= 0


# what cannot be done: one clear line, and nothing is changed

NEW = "train --out {room}/new"
SIDES = f"{NEW} --source {{room}}/source.txt --target {{room}}/target.txt"
EITHER = (1, 2)
BAD = {
    # bad use of train
    "no data": (NEW, 2, ["--source and --target, or --tsv"]),
    "no folder": ("train --tsv {room}/pairs.tsv", 2, ["--out"]),
    "source without target": (f"{NEW} --source {{room}}/source.txt", 2, ["--source and --target go together"]),
    "target without source": (f"{NEW} --target {{room}}/source.txt", 2, ["--source and --target go together"]),
    "files and tsv": (f"{SIDES} --tsv {{room}}/pairs.tsv", 2, ["--source and --target, or --tsv"]),
    "half of the validation": (f"{SIDES} --val-source {{room}}/val-source.txt", 2,
                               ["--val-source and --val-target go together"]),
    "hidden 0": (f"{SIDES} --hidden 0", 2, ["--hidden", "1"]),
    "batch -1": (f"{SIDES} --batch -1", 2, ["--batch", "1"]),
    "epochs 0": (f"{SIDES} --epochs 0", 2, ["--epochs", "1"]),
    "epochs many": (f"{SIDES} --epochs many", 2, ["--epochs", "integer"]),
    "min-count 0": (f"{SIDES} --min-count 0", 2, ["--min-count", "1"]),
    "max-length 0": (f"{SIDES} --max-length 0", 2, ["--max-length", "1"]),
    "seed -1": (f"{SIDES} --seed -1", 2, ["--seed", "0"]),
    "lr 0": (f"{SIDES} --lr 0", 2, ["lr is 0"]),
    "lr -1": (f"{SIDES} --lr -1", 2, ["lr is -1"]),
    "lr nan": (f"{SIDES} --lr nan", 2, ["lr is nan"]),
    "lr inf": (f"{SIDES} --lr inf", 2, ["lr is inf"]),
    "dropout 1": (f"{SIDES} --dropout 1", 2, ["dropout is 1", "below 1"]),
    "dropout nan": (f"{SIDES} --dropout nan", 2, ["dropout"]),
    "odd hidden with attention": (f"{SIDES} --hidden 7", 2, ["hidden is 7", "even"]),
    "unknown attention": (f"{SIDES} --attention self", 2, ["--attention", "self", "additive", "multi-head", "none"]),
    "unknown cell": (f"{SIDES} --cell qrnn", 2, ["--cell", "qrnn", "lstm-peephole", "gru", "rnn-relu"]),
    "order without attention": (f"{SIDES} --attention none --decoder luong", 2, ["decoder luong", "attention is none"]),
    "attention without an order": (f"{SIDES} --attention dot --decoder plain", 2,
                                   ["attention is dot", "decoder plain"]),
    "frozen nothing": (f"{SIDES} --freeze engine", 2, ["freeze", "engine", "source, encoder"]),
    "coverage loss without attention": (f"{SIDES} --attention none --coverage-loss 1", 2,
                                        ["coverage_loss", "attention is none"]),
    "nobody reads the context": (f"{SIDES} --decoder luong --no-readout-context", 2,
                                 ["decoder luong", "readout_context"]),
    "heads of another attention": (f"{SIDES} --heads 2", 2, ["--heads", "multi-head", "not of additive"]),
    "window of another attention": (f"{SIDES} --attention dot --window 2", 2, ["--window", "local-p", "not of dot"]),
    "variation of no dropout": (f"{SIDES} --variational --dropout 0", 2, ["variational", "dropout is 0"]),
    "no context in a plain readout": (f"{SIDES} --attention none --no-readout-context", 2, ["readout_context"]),
    "heads 3": (f"{SIDES} --attention multi-head --heads 3", 2, ["heads is 3", "attention_size, which is 256"]),
    "forget bias of a gru": (f"{SIDES} --cell gru --forget-bias 2", 2, ["forget_bias", "cell is gru"]),
    "forget bias nan": (f"{SIDES} --forget-bias nan", 2, ["--forget-bias is nan"]),
    "samples and smoothing": (f"{SIDES} --samples 5 --label-smoothing 0.1", 2, ["label_smoothing", "samples"]),
    "samples of everything": (f"{SIDES} --samples 9999", 2, ["samples is 9999", "tokens: choose fewer"]),
    "label smoothing 2": (f"{SIDES} --label-smoothing 2", 2, ["--label-smoothing"]),
    "zoneout 1": (f"{SIDES} --zoneout 1", 2, ["zoneout is 1", "below 1"]),
    "coverage loss -1": (f"{SIDES} --coverage-loss -1", 2, ["--coverage-loss"]),
    "coverage loss inf": (f"{SIDES} --coverage-loss inf", 2, ["--coverage-loss is inf", "finite"]),
    "tied without room": (f"{SIDES} --tied target --readout linear", 2, ["512", "256", "tanh or maxout"]),
    "all tied, other tokens": (f"{SIDES} --tied all --target-tokens char", 2, ["tied is all", "word and char"]),
    "unknown optimizer": (f"{SIDES} --optimizer magic", 2, ["--optimizer", "magic", "adamw", "adagrad"]),
    "weight decay -1": (f"{SIDES} --weight-decay -1", 2, ["--weight-decay is -1"]),
    "weight decay nan": (f"{SIDES} --weight-decay nan", 2, ["--weight-decay is nan"]),
    "vectors that are not there": (f"{SIDES} --source-vectors {{room}}/nothing.vec", 1,
                                   ["{room}/nothing.vec", "no such file"]),
    "vectors of another size": (f"{SIDES} --target-vectors {{room}}/two.vec", 1,
                                ["{room}/two.vec", "2 numbers and not 256", "--embedding 2"]),
    "vectors of other words": (f"{SIDES} --embedding 2 --source-vectors {{room}}/others.vec", 1,
                               ["{room}/others.vec", "no word of the vocabulary"]),
    "vectors that are no text": (f"{SIDES} --embedding 2 --source-vectors {{room}}/pickled/model.safetensors", 1,
                                 ["{room}/pickled/model.safetensors"]),
    "source vectors, all tied": (f"{SIDES} --tied all --embedding 2 --source-vectors {{room}}/two.vec", 2,
                                 ["source_vectors", "tied all", "target_vectors"]),
    "unknown backend": (f"{SIDES} --backend torch", 2, ["--backend", "torch", "numpy", "cupy"]),
    "unknown option": (f"{SIDES} --wheels 4", 2, ["--wheels"]),
    "unknown command": ("fly", 2, ["fly"]),
    # data
    "missing file": (f"{NEW} --source {{room}}/nothing.txt --target {{room}}/target.txt", 1,
                     ["{room}/nothing.txt", "no such file"]),
    "missing tsv": (f"{NEW} --tsv {{room}}/nothing.tsv", 1, ["{room}/nothing.tsv", "no such file"]),
    "folder for a file": (f"{NEW} --tsv '{{room}}/a folder'", 1, ["{room}/a folder", "directory"]),
    "line counts differ": (f"{NEW} --source {{room}}/source.txt --target {{room}}/short.txt", 1,
                           ["source.txt has 100 lines", "short.txt 1"]),
    "empty file": (f"{NEW} --source {{room}}/empty.txt --target {{room}}/empty.txt", 1, ["{room}/empty.txt"]),
    "empty tsv": (f"{NEW} --tsv {{room}}/empty.txt", 1, ["{room}/empty.txt"]),
    "not UTF-8": (f"{NEW} --source {{room}}/latin1.txt --target {{room}}/target.txt", 1,
                  ["{room}/latin1.txt, line 4", "UTF-8"]),
    "three columns": (f"{NEW} --tsv {{room}}/wide.tsv", 1, ["{room}/wide.tsv, line 2", "3 columns"]),
    "bad validation file": (f"{SIDES} --val-tsv {{room}}/wide.tsv", 1, ["{room}/wide.tsv, line 2"]),
    "nothing short enough": (f"{SIDES} --max-length 1", 1, ["--max-length"]),
    "nothing frequent enough": (f"{SIDES} --min-count 9999", 1, ["9999"]),
    "one pair": (f"{NEW} --source {{room}}/short.txt --target {{room}}/short.txt", 1, ["validation"]),
    # folders
    "folder holds a run": (f"{SIDES} --out {{room}}/run", 1, ["{room}/run already holds a run", "--resume"]),
    "folder is a file": (f"{SIDES} --out {{room}}/short.txt", 1, ["{room}/short.txt", "file"]),
    "folder cannot be made": (f"{SIDES} --out {{room}}/short.txt/new", 1, ["{room}/short.txt/new"]),
    "demo into a run of train": ("demo --out {room}/run --resume", 1, ["{room}/run"]),
    "demo where a run is": ("demo --out {room}/run", 1, ["{room}/run already holds a run"]),
    "demo cannot make its folder": ("demo --out {room}/short.txt/new", 1, ["{room}/short.txt/new"]),
    "CuPy is not there": (f"{SIDES} --backend cupy", 1, ["CuPy", "pip install cupy-cuda"]),
    # resuming
    "resume without a run": (f"{NEW} --resume", EITHER, []),
    "resume with other hidden": ("train --out {room}/run --resume --hidden 10", 2, ["--hidden is 10", "8"]),
    "resume with other clip": ("train --out {room}/run --resume --clip 0.5", 2, ["--clip is 0.5", "1.0"]),
    "average without a number": ("average {room}/run --out {room}/mean", 2, ["--best or --last"]),
    "average of more than are there": ("average {room}/run --out {room}/mean --best 2", 1,
                                       ["did not keep its 2 best models", "--keep-best 2"]),
    "average over a run": ("average {room}/run --out {room}/run --last 1", 1, ["did not keep its 1 last models"]),
    "metric that needs more": ("train --tsv {room}/pairs.tsv --out {room}/no --metric bleu --tokenize magic", 2,
                               ["tokenize is 'magic'"]),
    "resume with other attention": ("train --out {room}/run --resume --attention none", 2,
                                    ["--attention is none", "additive"]),
    "resume with other cell": ("train --out {room}/run --resume --cell gru", 2, ["--cell is gru", "lstm"]),
    "resume with feeding": ("train --out {room}/run --resume --decoder luong", 2, ["--decoder", "began with"]),
    "resume with other optimizer": ("train --out {room}/run --resume --optimizer sgd", 2,
                                    ["--optimizer is sgd", "adam"]),
    "resume with vectors": ("train --out {room}/run --resume --source-vectors {room}/two.vec", 2,
                            ["--source-vectors is {room}/two.vec", "None"]),
    "run of an older version": ("translate {room}/older --input {room}/short.txt", 1,
                                ["{room}/older/config.json", "format 1"]),
    "resume an older run": ("train --out {room}/older --resume", 1, ["{room}/older/config.json", "format 1"]),
    "resume with other seed": ("train --out {room}/run --resume --seed 1", 2, ["--seed is 1"]),
    "resume with other files": ("train --out {room}/run --resume --source {room}/val-source.txt", 1,
                                ["{room}/val-source.txt has 20 lines", "{room}/target.txt 100"]),
    "somebody's metrics": ("train --source {room}/source.txt --target {room}/target.txt --out {room}/a", 1,
                           ["{room}/a has a metrics.jsonl but no config.json"]),
    "resume with changed data": ("train --out {room}/moved-on --resume", 1, ["{room}/moved-on", "began with"]),
    "resume from a truncated state": ("train --out {room}/truncated --resume --epochs 3", 1,
                                      ["{room}/truncated/training.safetensors", "truncated"]),
    # using a run
    "no run": ("translate '{room}/a folder' --input {room}/short.txt", 1, ["{room}/a folder", "not a run"]),
    "no such folder": ("translate {room}/nothing --input {room}/short.txt", 1, ["{room}/nothing", "not a run"]),
    "run is a file": ("translate {room}/short.txt --input {room}/short.txt", 1, ["{room}/short.txt"]),
    "no model yet": ("translate {room}/unfinished --input {room}/short.txt", 1, ["{room}/unfinished", "no model yet"]),
    "truncated model": ("translate {room}/truncated --input {room}/short.txt", 1,
                        ["{room}/truncated/model.safetensors", "truncated"]),
    "pickle for a model": ("evaluate {room}/pickled --source {room}/short.txt --reference {room}/short.txt", 1,
                           ["{room}/pickled/model.safetensors", "not a checkpoint"]),
    "wrong shapes": ("translate {room}/wrong-shapes --input {room}/short.txt", 1,
                     ["{room}/wrong-shapes/model.safetensors", "shape"]),
    "translate without CuPy": ("translate {room}/run --input {room}/short.txt --backend cupy", 1, ["CuPy"]),
    "translate nothing": ("translate {room}/run --input {room}/nothing.txt", 1, ["{room}/nothing.txt: no such file"]),
    "translate latin-1": ("translate {room}/run --input {room}/latin1.txt", 1, ["{room}/latin1.txt, line 4"]),
    "translate batch 0": ("translate {room}/run --input {room}/short.txt --batch 0", 2, ["--batch"]),
    "output into a file": ("translate {room}/run --input {room}/short.txt --output {room}/short.txt/out", 2,
                           ["{room}/short.txt/out", "no folder {room}/short.txt"]),
    "output is a folder": ("translate {room}/run --input {room}/short.txt --output '{room}/a folder'", 2,
                           ["--output is {room}/a folder", "Is a directory"]),
    "unknown tokeniser": ("evaluate {room}/run --source {room}/source.txt --reference {room}/target.txt "
                          "--tokenize magic", EITHER, ["magic", "13a", "none"]),
    "tokeniser that is not installed": ("evaluate {room}/run --source {room}/source.txt "
                                        "--reference {room}/target.txt --tokenize ja-mecab", EITHER, ["ja-mecab"]),
    "references do not pair up": ("evaluate {room}/run --source {room}/source.txt --reference {room}/short.txt", 1,
                                  ["source.txt has 100 lines", "short.txt 1"]),
    "scores into a file": ("evaluate {room}/run --source {room}/source.txt --reference {room}/target.txt "
                           "--json {room}/short.txt/scores.json", 2, ["--json", "no folder {room}/short.txt"]),
    "attention of a plain model": ("attention {room}/plain 12 --out {room}/a.png", 2, ["{room}/plain", "plain"]),
    "attention of nothing": ("attention {room}/run '' --out {room}/a.png", 2, ["empty"]),
    "picture of unknown kind": ("attention {room}/run '1 2' --out {room}/a.jpeg", EITHER, ["a.jpeg", ".png", ".svg"]),
    "picture into a file": ("attention {room}/run '1 2' --out {room}/short.txt/a.png", 2,
                            ["{room}/short.txt/a.png", "no folder {room}/short.txt"]),
    "unknown layer": ("gradcheck warp", EITHER, ["warp", "gradcheck --list has all names"]),
    "layer in capitals": ("gradcheck LSTM", EITHER, ["LSTM", "did you mean 'lstm'? "]),
    "checks into a file": ("gradcheck linear --json {room}/short.txt/a.json", 2,
                           ["--json", "no folder {room}/short.txt"]),
    "bugs into a file": ("gradcheck --bugs --json {room}/short.txt/a.json", 2, ["no folder {room}/short.txt"]),
    "heat map of unknown kind": ("gradcheck linear --heatmap {room}/a.pdf", 2, ["--heatmap", "a.pdf", ".png", ".svg"]),
    "heat map into a file": ("gradcheck linear --heatmap {room}/short.txt/a.png", 2,
                             ["--heatmap", "no folder {room}/short.txt"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line_and_changes_nothing(room, case, monkeypatch):
    command, code, needles = BAD[case]
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    if command.startswith("demo"):
        monkeypatch.setitem(demo.DEMOS, "dates", replace(demo.DEMOS["dates"], sizes=(120, 20, 30)))
    if "ja-mecab" in command:
        monkeypatch.setitem(sys.modules, "MeCab", None)
    before = snapshot(room)
    result = numseq_cli(*(word.format(room=room) for word in shlex.split(command)))
    assert snapshot(room) == before
    assert result.code in (code if isinstance(code, tuple) else (code,)), result
    said = result.err.splitlines()
    if result.code == 2 and said[0].startswith("Usage: "):
        said = said[3:]
        assert said[0].startswith("Error: ")
    assert len(said) == 1, result.err
    for needle in needles:
        assert needle.format(room=room) in said[0]


def test_a_disk_that_fills_up_while_training_leaves_a_run_that_goes_on(room, tmp_path, monkeypatch):
    """The disk is full when the second state is saved."""
    given = ("train", "--tsv", room / "tiny.tsv", *TINY, "--epochs", 2, "--out", tmp_path / "run")
    save, saved = files._again, []

    def full(function, *args):
        if function is os.replace and args[1].name == "training.safetensors":
            saved.append(args)
            if len(saved) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return save(function, *args)

    (room / "tiny.tsv").write_text("a b\tb a\n" * 8)
    with monkeypatch.context() as patch:
        patch.setattr(files, "_again", full)
        result = numseq_cli(*given)
    assert result.code == 1 and result.err.count("\n") == 1, result
    assert "training.safetensors: No space left on device; what was saved before is whole: make room, " in result.err
    assert numseq_cli("verify", tmp_path / "run").code == 0
    assert numseq_cli(*given, "--resume").code == 0


def test_full_disk_names_the_file(room, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = numseq_cli("translate", room / "run", "--input", room / "short.txt", "--output", tmp_path / "out")
    assert result.code == 1
    assert str(tmp_path / "out") in result.err and "No space left" in result.err
    assert list(tmp_path.iterdir()) == []


def test_sentence_that_is_not_utf8_is_one_clear_line(room, tmp_path):
    result = numseq_cli("attention", room / "run", "1 caf\udce9", "--out", tmp_path / "a.png")
    assert result.code in EITHER and "UTF-8" in result.err
    assert list(tmp_path.iterdir()) == []


def test_diverging_run_is_one_clear_line(room, tmp_path):
    process = numseq_process("train", "--out", tmp_path / "run", "--tsv", room / "pairs.tsv", "--lr", "1e30",
                             *CHARACTERS, "--hidden", 8)  # fmt: skip
    _, err = process.communicate()
    [line] = err.decode().splitlines()
    assert process.returncode == 1 and "epoch 1" in line and "--lr" in line  # at which batch, rounding decides


def test_a_run_goes_on_where_its_files_have_moved_and_remembers_the_new_place(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    moved = shutil.copy(room / "source.txt", tmp_path / "moved.txt")
    result = numseq_cli("train", "--out", run, "--resume", "--source", moved, "--epochs", 3)
    assert (result.code, result.err) == (0, ""), result
    assert json.loads((run / "config.json").read_text())["training"]["origin"]["source"] == str(moved)
