"""Training: the same bits every time, however often a run is stopped; and what a checkpoint withstands."""

import ast
import dataclasses
import json
import os
import pickle
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from helpers_run import OF_THE_MACHINE, digits, snapshot

import numseq
from numseq import params as trees
from numseq.data import DataError
from numseq.errors import ConfigError, NumseqError
from numseq.models import Seq2SeqConfig
from numseq.training import (
    SGD,
    Adam,
    CheckpointError,
    DivergedError,
    InterruptedTraining,
    TrainingOptions,
    checkpoint,
    clip_by_global_norm,
    load_model,
    mean_loss,
    optimizers,
    trainer,
)
from numseq.training.arrays import load_arrays, save_arrays
from numseq.training.data_options import DataOptions
from numseq.training.optimizers import OPTIMIZERS, Optimizer
from numseq.training.run import resumed_options, train_run

MODEL = {"embedding": 5, "hidden": 6, "attention_size": 4, "dropout": 0.2}
DATA = DataOptions(source_tokens="char", target_tokens="char")
PAIRS, VALID = digits(60), digits(12, seed=1)
BATCHES = 8  # in an epoch, the last of them not full
OF_TIME = ("seconds", "since", "metrics_bytes", "metrics_crc32", "crc32")  # of a training state
FILES = ("config.json", "source.tokens.json", "target.tokens.json", "model.safetensors")


def train(folder, resume=False, pairs=PAIRS, valid=VALID, model=MODEL, data=DATA, say=lambda line: None, **options):
    options = TrainingOptions(**{"epochs": 3, "batch": 8, "lr": 0.01} | options)
    return train_run(folder, pairs, valid, model, data, options, resume=resume, say=say)


def outcome(folder):
    """Everything that a run leaves, but for times: bytes of the model, all arrays, where it stands, metrics."""
    arrays, state = load_arrays(folder / "training.safetensors")
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "model": (folder / "model.safetensors").read_bytes(),
        "arrays": {name: array.tobytes() for name, array in arrays.items()},
        "state": {name: value for name, value in state.items() if name not in OF_TIME},
        "metrics": [{name: value for name, value in line.items() if name not in OF_THE_MACHINE} for line in metrics],
    }


def assert_same(folder, other):
    ours, theirs = outcome(folder), outcome(other)
    assert ours["metrics"] == theirs["metrics"]
    assert ours["state"] == theirs["state"]
    for part in ("model", "arrays"):
        assert ours[part] == theirs[part], f"{part} differs"


def after_update(monkeypatch, act):
    """Call act(n, params) after the n-th update that is made from now on."""
    update, count = Optimizer.update, iter(range(1, 1_000_000))

    def wrapped(self, params, grads):
        update(self, params, grads)
        act(next(count), params)

    monkeypatch.setattr(Optimizer, "update", wrapped)


def press_after(monkeypatch, *updates, number=signal.SIGINT):
    after_update(monkeypatch, lambda n, params: signal.raise_signal(number) if n in updates else None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return folder


# the same bits


def test_same_seed_gives_the_same_bits(whole, tmp_path):
    train(tmp_path / "again")
    assert_same(tmp_path / "again", whole)


def test_other_seed_gives_another_model(whole, tmp_path):
    train(tmp_path / "other", seed=1)
    assert outcome(tmp_path / "other")["model"] != outcome(whole)["model"]


def test_loss_falls_and_every_epoch_has_its_metrics(tmp_path):
    translator, metrics = train(tmp_path / "run", epochs=8, model=MODEL | {"hidden": 16, "dropout": 0.0})
    losses = [line["train_loss"] for line in metrics]
    assert losses[-1] < 0.8 * losses[0] and metrics[-1]["valid_loss"] < metrics[0]["valid_loss"]
    assert [line["epoch"] for line in metrics] == list(range(1, 9))
    assert all(line["tokens"] == sum(len(target) + 1 for _, target in PAIRS) for line in metrics)
    assert all(line["valid_perplexity"] == pytest.approx(np.exp(line["valid_loss"])) for line in metrics)
    assert all(0 <= line["padding"] <= 0.25 for line in metrics)
    assert len(translator.translate(["123", ""])) == 2


def test_epoch_has_the_number_of_batches_that_these_tests_count_on(whole):
    assert load_arrays(whole / "training.safetensors")[1]["updates"] == 3 * BATCHES


@pytest.mark.parametrize("update", [1, 4, BATCHES, BATCHES + 1, 2 * BATCHES + 5, 3 * BATCHES])
def test_run_that_was_stopped_and_resumed_ends_with_the_same_bits(whole, tmp_path, monkeypatch, update):
    epoch, batch = divmod(update - 1, BATCHES)
    with monkeypatch.context() as patch:
        press_after(patch, update)
        with pytest.raises(InterruptedTraining, match=f"epoch {epoch + 1}, update {batch + 1} of {BATCHES}; saved"):
            train(tmp_path / "run")
    train(tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


def test_run_that_was_stopped_many_times_ends_with_the_same_bits(whole, tmp_path, monkeypatch):
    press_after(monkeypatch, 3, 5, 6, 13, 20, 24)
    for _ in range(6):
        with pytest.raises(InterruptedTraining):
            train(tmp_path / "run", resume=True)
    train(tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


RESUMED = {  # what a run may have, and what of its options says so
    "plain": {"attention": "none", "layers": 2},
    "two layers": {"layers": 2},
    "gru, feeding": {"cell": "gru", "decoder": "luong-feeding", "attention": "coverage"},
    "all tied": {"cell": "rnn", "tied": "all", "readout": "maxout"},
    "all noise": {"word_dropout": 0.1, "weight_drop": 0.2, "zoneout": 0.1, "samples": 5, "variational": True},
}


@pytest.mark.parametrize("case", [*RESUMED, *OPTIMIZERS])
def test_every_model_and_optimiser_resumes_to_the_same_bits(tmp_path, monkeypatch, case):
    options = {"model": MODEL | RESUMED.get(case, {}), "epochs": 2}
    if case in OPTIMIZERS:
        options |= {"optimizer": case, "weight_decay": 0.1}
    train(tmp_path / "whole", **options)
    press_after(monkeypatch, BATCHES + 3)
    with pytest.raises(InterruptedTraining):
        train(tmp_path / "run", **options)
    train(tmp_path / "run", **options, resume=True)
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_termination_saves_too(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        press_after(patch, 5, number=signal.SIGTERM)
        with pytest.raises(InterruptedTraining):
            train(tmp_path / "run")
    train(tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


def test_saving_within_an_epoch_changes_nothing(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SAVE_EVERY", 0)
    train(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize("files", range(1, 10))
def test_crash_at_any_file_loses_nothing_that_resuming_does_not_bring_back(whole, tmp_path, monkeypatch, files):
    """The process dies as the n-th file takes its place: 3 begin the run, each epoch writes one or two."""
    replace, count = os.replace, iter(range(1, 1000))

    def crash(*args):
        if next(count) == files:
            raise KeyboardInterrupt
        replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run")
    train(tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", whole)


def test_metrics_that_the_checkpoint_does_not_know_are_cut_back(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 4, "train_loss": 0.1}\n{"epo')
    train(run, resume=True)
    assert_same(run, whole)


def test_more_epochs_on_resuming_are_as_if_asked_for_at_once(whole, tmp_path):
    train(tmp_path / "run", epochs=1)
    train(tmp_path / "run", epochs=2, resume=True)
    _, metrics = train(tmp_path / "run", epochs=3, resume=True)
    assert len(metrics) == 3
    assert_same(tmp_path / "run", whole)


def test_resuming_what_is_done_changes_nothing(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    train(run, resume=True)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_run_knows_its_options_again(whole):
    model, data, training, _ = resumed_options(whole)
    whole_sentence = vars(Seq2SeqConfig(9, 9, **MODEL))
    assert model == {k: v for k, v in whole_sentence.items() if not k.endswith("vocabulary")} and data == DATA
    assert training == TrainingOptions(epochs=3, batch=8, lr=0.01, threads=training.threads)  # as it chose


# stopping


@pytest.mark.parametrize("end", ["done", "stopped", "diverged"])
def test_ctrl_c_is_handled_as_before_once_training_ends(tmp_path, monkeypatch, end):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    if end == "stopped":
        press_after(monkeypatch, 2)
    if end == "diverged":
        after_update(monkeypatch, poison(2))
    try:
        train(tmp_path / "run", epochs=1)
    except NumseqError:
        assert end != "done"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.fixture
def default_ctrl_c():
    """Ctrl-C as in a terminal: where tests run in the background it may be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_ctrl_c")
def test_second_ctrl_c_stops_at_once_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    def twice(n, params):
        if n == BATCHES + 2:
            deaf = signal.getsignal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            while signal.getsignal(signal.SIGINT) is deaf:
                pass  # until the first is heard: a second at the same time would be lost
            signal.raise_signal(signal.SIGINT)

    after_update(monkeypatch, twice)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run")
    state = load_arrays(tmp_path / "run" / "training.safetensors")[1]
    assert (state["epoch"], state["step"], state["updates"]) == (2, 0, BATCHES)


# a loss that is no number, or one that no model that learns has


def kept(run):
    return {name: (run / name).read_bytes() for name in ("model.safetensors", "training.safetensors", "metrics.jsonl")}


def poison(update):
    def act(n, params):
        if n == update:
            trees.leaves(params)[0][...] = np.nan

    return act


def test_loss_that_is_no_number_names_the_step_and_leaves_the_checkpoint(tmp_path, monkeypatch):
    run = tmp_path / "run"
    train(run, epochs=1)
    before = kept(run)
    after_update(monkeypatch, poison(4))
    with pytest.raises(DivergedError, match=rf"epoch 2, update 5: the loss is nan.*{run} holds the state after"):
        train(run, resume=True)
    assert kept(run) == before


def test_validation_loss_that_is_no_number_leaves_the_checkpoint(tmp_path, monkeypatch):
    run = tmp_path / "run"
    train(run, epochs=1)
    before = kept(run)
    after_update(monkeypatch, poison(BATCHES))
    with pytest.raises(DivergedError, match="epoch 2: the validation loss is nan"):
        train(run, resume=True)
    assert kept(run) == before


def explode(update):
    """After this update all logits are in the thousands: the loss is far from what it was, and finite."""

    def act(n, params):
        if n == update:
            for leaf in trees.leaves(params):
                leaf *= 1e4

    return act


def test_finite_loss_far_above_that_of_guessing_is_divergence_too(tmp_path, monkeypatch):
    run = tmp_path / "run"
    train(run, epochs=1)
    before = kept(run)
    after_update(monkeypatch, explode(BATCHES))
    with pytest.raises(DivergedError, match=rf"epoch 2: the validation loss is .*guessing 2\.\d+;.*{run} holds the"):
        train(run, resume=True)
    assert kept(run) == before


@pytest.mark.parametrize("name", ["decoder.rnn.0.b", "encoder.0.ahead.b"])
def test_numbers_that_are_not_finite_are_divergence_though_the_loss_is(tmp_path, monkeypatch, name):
    """A gate that is fed infinity is open, and all that comes after is finite."""
    run = tmp_path / "run"
    train(run, epochs=1)
    before = kept(run)
    after_update(monkeypatch, lambda n, params: n == BATCHES and dict(trees.walk(params))[name].put(0, np.inf))
    with pytest.raises(DivergedError, match=f"epoch 2: {name} holds numbers that are not finite"):
        train(run, resume=True)
    assert kept(run) == before


@pytest.mark.parametrize("save", ["by Ctrl-C", "by the clock"])
def test_model_that_diverged_within_an_epoch_is_not_saved(tmp_path, monkeypatch, save):
    run = tmp_path / "run"
    train(run, epochs=1)
    before = kept(run)
    with monkeypatch.context() as patch:
        after_update(patch, explode(3))
        after_update(patch, lambda n, params: n == 5 and late(patch))
        late = {
            "by Ctrl-C": lambda patch: signal.raise_signal(signal.SIGINT),
            "by the clock": lambda patch: patch.setattr(trainer, "SAVE_EVERY", 0),
        }[save]
        with pytest.raises(DivergedError, match="epoch 2: the training loss is"):
            train(run, resume=True)
    assert kept(run) == before


@pytest.mark.parametrize("factor", [2.9, 3.1])
def test_divergence_begins_at_three_times_the_loss_of_guessing(tmp_path, monkeypatch, factor):
    vocabulary = 4 + 10  # the special tokens and the digits
    monkeypatch.setattr(trainer, "mean_loss", lambda *args, **how: factor * np.log(vocabulary))
    if factor < 3:
        train(tmp_path / "run", epochs=1)
    else:
        with pytest.raises(DivergedError, match="epoch 1: the validation loss is 8.18"):
            train(tmp_path / "run", epochs=1)
        assert not (tmp_path / "run" / "model.safetensors").exists()


def test_far_too_large_step_is_one_clear_error_without_warnings(tmp_path):
    with pytest.raises(DivergedError, match="epoch 1.*lower --lr"):
        train(tmp_path / "run", lr=1e30, model=MODEL | {"embedding": 256})


def test_before_the_first_checkpoint_the_state_is_that_of_the_beginning(tmp_path, monkeypatch):
    after_update(monkeypatch, poison(2))
    with pytest.raises(DivergedError, match="holds the state after 0 updates"):
        train(tmp_path / "run")
    assert load_arrays(tmp_path / "run" / "training.safetensors")[1]["updates"] == 0


# the best model, the step size


@pytest.fixture(scope="module")
def worsening(tmp_path_factory):
    """A run whose validation pairs cannot be learned from its training pairs: their loss rises in the end."""
    folder = tmp_path_factory.mktemp("worsening") / "run"
    other = [(source, "7" * len(source)) for source, _ in VALID]
    train(folder, epochs=9, lr=0.03, valid=other, model=MODEL | {"dropout": 0.0})
    return folder, other


def test_model_on_disk_is_the_best_one_and_not_the_last(worsening):
    folder, valid = worsening
    losses = [line["valid_loss"] for line in outcome(folder)["metrics"]]
    best = int(np.argmin(losses))
    assert best < len(losses) - 1, "the validation loss must rise for this test to say anything"
    arrays, described = load_arrays(folder / "model.safetensors")
    assert described["epoch"] == best + 1 and described["valid_loss"] == losses[best]
    latest = load_arrays(folder / "training.safetensors")[0]
    assert any((array != latest[f"params.{name}"]).any() for name, array in arrays.items())

    model, *tokens = load_model(folder)
    assert mean_loss(model, numseq.data.Pairs.encode(valid, *tokens), 8) == losses[best]


def test_step_size_is_halved_after_each_epoch_without_a_better_validation_loss(worsening):
    metrics = outcome(worsening[0])["metrics"]
    expected, best, worse = 0.03, np.inf, 0
    for line in metrics:
        assert line["lr"] == expected
        if line["valid_loss"] >= best:
            expected, worse = expected / 2, worse + 1
        best = min(best, line["valid_loss"])
    assert worse >= 2
    assert load_arrays(worsening[0] / "training.safetensors")[1]["setbacks"] == worse


# word vectors


def vectors_of(folder, side, words, size=5):
    """A file of vectors of some words, each of one number; the word itself times 1, 2, ..."""
    path = folder / f"{side}.vec"
    path.write_text("".join(f"{w} {' '.join([f'{int(w) + k / 10}' for k in range(size)])}\n" for w in words))
    return str(path)


def with_vectors(folder, **sides):
    return dataclasses.replace(DATA, **{f"{name}_vectors": vectors_of(folder, name, w) for name, w in sides.items()})


def first_parameters(monkeypatch, folder, **options):
    """(parameters before the first update, lines that were said)."""
    seen, said = [], []
    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "run", lambda self: seen.append(self.model.params) or [])
        patch.setattr("numseq.training.run.load_model", lambda folder: ())  # none was kept
        patch.setattr("numseq.training.run.Translator", lambda extra: None)
        train(folder, say=said.append, **options)
    return seen[0], said


def test_pairs_without_a_source_are_left_out_and_said(tmp_path):
    some = [("", "1"), *PAIRS, ("", "")]
    said = []
    train(tmp_path / "some", pairs=some, valid=[*VALID, ("", "2")], epochs=1, say=said.append)
    assert "skipped 2 pairs with an empty side in train" in said
    assert "skipped 1 pairs with an empty side in valid" in said
    assert any(f" {len(PAIRS)} training pairs, " in line for line in said)
    with pytest.raises(DataError, match="valid: no sentence pair in it"):
        train(tmp_path / "none", valid=[("", "1")] * 3)
    assert not (tmp_path / "none").exists()


def test_embeddings_begin_with_the_vectors_of_their_words(tmp_path, monkeypatch):
    data = with_vectors(tmp_path, source="957", target="3")
    found, said = first_parameters(monkeypatch, tmp_path / "run", data=data)
    usual, _ = first_parameters(monkeypatch, tmp_path / "usual")
    tokens = checkpoint.load_tokens(tmp_path / "run")
    for side, words, kind in (("source", "957", tokens[0]), ("target", "3", tokens[1])):
        W, others = (getattr(params, side).W for params in (found, usual))
        ids = [kind.encode([word])[0][0] for word in words]
        expected = np.array([[int(word) + k / 10 for k in range(5)] for word in words], np.float32)
        assert (W[ids] == expected).all() and W.dtype == np.float32
        rest = np.setdiff1d(np.arange(len(kind)), ids)
        assert (W[rest] == others[rest]).all()
    assert f"3 of 14 source tokens begin with vectors of {tmp_path}/source.vec" in said
    assert f"1 of 14 target tokens begin with vectors of {tmp_path}/target.vec" in said
    for ours, theirs in zip(trees.leaves(found.decoder.rnn), trees.leaves(usual.decoder.rnn), strict=True):
        assert (ours == theirs).all()


def test_a_shared_embedding_begins_with_target_vectors(tmp_path, monkeypatch):
    model, data = MODEL | {"tied": "all"}, with_vectors(tmp_path, target="12")
    found, _ = first_parameters(monkeypatch, tmp_path / "run", model=model, data=data)
    assert found.source is None and found.target.W[:, 0].tolist().count(1.0) == 1
    with pytest.raises(ConfigError, match="source_vectors.*tied all.*target_vectors"):
        train(tmp_path / "no", model=model, data=with_vectors(tmp_path, source="12"))
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("files", [3, 4, 5])
def test_vectors_survive_a_crash_before_the_first_checkpoint(tmp_path, monkeypatch, files):
    """The third file begins the run; until the fifth is there, nothing of the model is."""
    data = with_vectors(tmp_path, source="0123456789", target="0123456789")
    train(tmp_path / "whole", data=data)
    replace, count = os.replace, iter(range(1, 1000))

    def crash(*args):
        if next(count) == files + 1:
            raise KeyboardInterrupt
        replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run", data=data)
    assert (tmp_path / "run" / "config.json").exists()
    train(tmp_path / "run", data=data, resume=True)
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_vectors_are_read_once(tmp_path):
    data = with_vectors(tmp_path, source="123")
    train(tmp_path / "whole", data=data)
    train(tmp_path / "run", data=data, epochs=1)
    (tmp_path / "source.vec").unlink()
    train(tmp_path / "run", data=data, resume=True)
    assert_same(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("case", ["other size", "no word", "missing", "tied, other tokens"])
def test_what_cannot_begin_leaves_no_folder(tmp_path, case):
    data, model = with_vectors(tmp_path, source="12"), MODEL
    if case == "other size":
        model = MODEL | {"embedding": 7}
    elif case == "no word":
        (tmp_path / "source.vec").write_text("word 1 2 3 4 5\n")
    elif case == "missing":
        (tmp_path / "source.vec").unlink()
    else:
        data, model = DataOptions(source_tokens="char", target_tokens="word"), MODEL | {"tied": "all"}
    with pytest.raises(NumseqError) as info:
        train(tmp_path / "run", data=data, model=model)
    assert "\n" not in str(info.value) and not (tmp_path / "run").exists()


def test_all_tied_is_one_vocabulary_of_both_sides(tmp_path):
    pairs = [(f"a {s}", f"b {t}") for s, t in digits(60)]
    translator, _ = train(tmp_path / "run", pairs=pairs, valid=pairs[:8], model=MODEL | {"tied": "all"}, epochs=1)
    assert translator.source_tokens.to_json() == translator.target_tokens.to_json()
    assert {*"ab0123456789"} <= {translator.source_tokens.token(k) for k in range(len(translator.source_tokens))}
    names = load_arrays(tmp_path / "run" / "model.safetensors")[0]
    assert "target.W" in names and not {"source.W", "head.W"} & set(names)


# options and folders


@pytest.mark.parametrize(
    "bad",
    [{"epochs": 0}, {"batch": -1}, {"lr": 0.0}, {"lr": -1.0}, {"lr": float("nan")}, {"lr": float("inf")}, {"clip": -1},
     {"decay": 0.0}, {"decay": 1.5}, {"seed": -1}, {"optimizer": "magic"}, {"weight_decay": -0.1},
     {"weight_decay": float("inf")}, {"weight_decay": float("nan")}],
)  # fmt: skip
def test_option_that_makes_no_sense_is_named(bad):
    with pytest.raises(ConfigError, match=f"{next(iter(bad))} is .*"):
        TrainingOptions(**bad)


def test_run_is_not_overwritten(whole):
    before = snapshot(whole)
    with pytest.raises(CheckpointError, match="already holds a run: add --resume"):
        train(whole)
    assert snapshot(whole) == before


@pytest.mark.parametrize("changed", ["pairs", "valid"])
def test_resuming_with_other_data_is_refused(whole, changed):
    before = snapshot(whole)
    with pytest.raises(CheckpointError, match="not those that this run began with"):
        train(whole, resume=True, **{changed: digits(12, seed=5)})
    assert snapshot(whole) == before


def test_long_pairs_are_left_out_and_counted(tmp_path):
    said = []
    pairs = [*PAIRS, ("1" * 200, "2"), ("1", "2" * 151)]
    train(tmp_path / "run", pairs=pairs, epochs=1, say=said.append)
    assert any("left out 2 training pairs of more than 150 tokens" in line for line in said)


# optimisers


def two_leaves(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((3, 5)).astype(dtype), rng.standard_normal(7).astype(dtype)]


def numbers(tree):
    return np.concatenate([leaf.ravel() for leaf in tree]).tolist()


@pytest.mark.parametrize("piece", [4, 1 << 16])
def test_adam_does_what_the_paper_says_number_by_number(monkeypatch, piece):
    monkeypatch.setattr(optimizers, "PIECE", piece)
    params, gradients = two_leaves(), [two_leaves(seed) for seed in range(1, 6)]
    expected = numbers(params)
    m, v = [0.0] * len(expected), [0.0] * len(expected)
    optimizer = Adam(params, lr=0.1, beta1=0.8, beta2=0.95, eps=1e-3)
    for t, gradient in enumerate(gradients, 1):
        for k, g in enumerate(numbers(gradient)):
            m[k] = 0.8 * m[k] + 0.2 * g
            v[k] = 0.95 * v[k] + 0.05 * g * g
            expected[k] -= 0.1 * (m[k] / (1 - 0.8**t)) / ((v[k] / (1 - 0.95**t)) ** 0.5 + 1e-3)
        optimizer.update(params, gradient)
        assert numbers(params) == pytest.approx(expected, rel=1e-12)
        assert numbers(gradient) == numbers(two_leaves(t))  # left as they were
    assert optimizer.steps == 5


@pytest.mark.parametrize("piece", [4, 1 << 16])
def test_sgd_is_a_plain_loop_with_momentum(monkeypatch, piece):
    monkeypatch.setattr(optimizers, "PIECE", piece)
    params = two_leaves()
    expected, v = numbers(params), [0.0] * 22
    optimizer = SGD(params, lr=0.1, momentum=0.7)
    for t in range(1, 4):
        for k, g in enumerate(numbers(two_leaves(t))):
            v[k] = 0.7 * v[k] + g
            expected[k] -= 0.1 * v[k]
        optimizer.update(params, two_leaves(t))
        assert numbers(params) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_optimisers_change_parameters_in_place_and_keep_their_dtype(kind):
    params = two_leaves(dtype=np.float32)
    held, before = params[0], params[0].copy()
    kind(params).update(params, two_leaves(1, np.float32))
    assert params[0] is held and held.dtype == np.float32 and (held != before).all()


def test_clipping_scales_the_whole_gradient_by_its_global_norm():
    gradient = [np.array([3.0, 0.0]), np.array([[0.0], [4.0]])]
    assert clip_by_global_norm(gradient, 1.0) == 5.0
    assert numbers(gradient) == pytest.approx([0.6, 0, 0, 0.8])


def test_gradient_within_the_limit_stays_as_it_is():
    gradient = [np.array([3.0, 0.0]), np.array([0.0, 4.0])]
    assert clip_by_global_norm(gradient, 5.0) == 5.0
    assert numbers(gradient) == [3, 0, 0, 4]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_runs_have_the_optimiser_and_the_weight_decay_that_was_asked_for(tmp_path, monkeypatch, name):
    used = []
    monkeypatch.setattr(OPTIMIZERS[name], "rule", lambda self, p, g, *moments: used.append(self))
    train(tmp_path / "a", epochs=1, optimizer=name, lr=0.02)
    first = used[-1]
    train(tmp_path / "b", epochs=1, optimizer=name, weight_decay=0.3)
    assert type(first) is type(used[-1]) is OPTIMIZERS[name]
    assert (first.lr, first.weight_decay) == (0.02, 0.01 if name == "adamw" else 0.0)
    assert used[-1].weight_decay == 0.3
    state = load_arrays(tmp_path / "b" / "training.safetensors")[0]
    assert {array.split(".")[0] for array in state} == {"params", *OPTIMIZERS[name].moment_names}


def test_weight_decay_makes_a_smaller_model(tmp_path, whole):
    train(tmp_path / "run", weight_decay=1.0)
    size = lambda run: sum(float((array**2).sum()) for array in load_arrays(run / "model.safetensors")[0].values())  # noqa: E731
    assert size(tmp_path / "run") < 0.9 * size(whole)


def test_runs_clip(tmp_path, whole):
    train(tmp_path / "run", clip=1e-3)
    assert outcome(tmp_path / "run")["model"] != outcome(whole)["model"]


# checkpoints


def test_saved_arrays_come_back(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.standard_normal((3, 4)).astype(np.float32),
        "a.b": np.asfortranarray(rng.standard_normal((2, 3, 4))),
        "turned": rng.standard_normal((4, 2)).T,
        "none": np.zeros((0, 3), np.float32),
    }
    crc = save_arrays(tmp_path / "x.safetensors", arrays, {"epoch": 3, "loss": 0.1})
    found, described = load_arrays(tmp_path / "x.safetensors")
    assert described == {"format": checkpoint.FORMAT, "crc32": crc, "epoch": 3, "loss": 0.1}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


class Bomb:
    def __reduce__(self):
        return os.mkdir, (self.path,)


def bomb(path):
    thing = Bomb()
    thing.path = str(path)
    return pickle.dumps(thing)


def spoil(path, how, tmp_path):
    """Put something else in the place of a good file."""
    good = path.read_bytes()
    path.unlink()
    content = {
        "empty": b"", "garbage": b"\x00\x01garbage" * 50, "half": good[: len(good) // 2], "almost": good[:-1],
        "pickle": bomb(tmp_path / "exploded"), "null": b"null", "text": b"hello\n",
    }  # fmt: skip
    if how == "folder":
        path.mkdir()
    elif how != "missing":
        path.write_bytes(content[how])


HOW = ("missing", "folder", "empty", "garbage", "half", "pickle", "null", "text")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", FILES)
def test_broken_file_of_a_run_is_named_in_one_line(whole, tmp_path, name, how):
    run = shutil.copytree(whole, tmp_path / "run")
    spoil(run / name, how, tmp_path)
    with pytest.raises(NumseqError) as error:
        load_model(run)
    message = str(error.value)
    assert "\n" not in message and str(run) in message
    assert name in message or (name, how) == ("model.safetensors", "missing")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("how", [*HOW[1:], "almost"])
def test_broken_training_state_is_named_and_nothing_is_changed(whole, tmp_path, how):
    run = shutil.copytree(whole, tmp_path / "run")
    spoil(run / "training.safetensors", how, tmp_path)
    before = snapshot(run)
    with pytest.raises(CheckpointError, match=r"training\.safetensors: (truncated or|cannot be read)") as error:
        train(run, resume=True)
    assert "\n" not in str(error.value)
    assert snapshot(run) == before and not (tmp_path / "exploded").exists()


def test_model_of_another_shape_is_named_with_both_shapes(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    train(tmp_path / "other", epochs=1, model=MODEL | {"hidden": 8})
    _, described = load_arrays(run / "model.safetensors")
    save_arrays(run / "model.safetensors", load_arrays(tmp_path / "other" / "model.safetensors")[0], described)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit .*shape \(.*\), expected \(") as error:
        load_model(run)
    assert "\n" not in str(error.value)


def test_missing_and_unexpected_arrays_are_named(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    arrays, described = load_arrays(run / "model.safetensors")
    name, array = arrays.popitem()
    save_arrays(run / "model.safetensors", arrays, described)
    with pytest.raises(CheckpointError, match=f"model.safetensors: .*{name} is missing"):
        load_model(run)
    save_arrays(run / "model.safetensors", arrays | {name: array, "more": array}, described)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: .*more is not expected"):
        load_model(run)


def test_file_of_another_program_is_refused(whole, tmp_path):
    from safetensors.numpy import save_file

    run = shutil.copytree(whole, tmp_path / "run")
    save_file({"W": np.zeros(3, np.float32)}, run / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not written by numseq"):
        load_model(run)


def test_training_state_without_its_numbers_is_named(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    shutil.copy(run / "model.safetensors", run / "training.safetensors")
    with pytest.raises(CheckpointError, match=r"training\.safetensors: .*missing"):
        train(run, resume=True)


@pytest.mark.parametrize(
    "change",
    [lambda d: d.update(format=99), lambda d: d.pop("model"), lambda d: d["model"].update(hidden=-1),
     lambda d: d["model"].update(hidden="many"), lambda d: d["model"].update(wheels=4), lambda d: d.update(model=None),
     lambda d: d["model"].update(source_vocabulary=99)],
)  # fmt: skip
def test_configuration_that_makes_no_sense_is_named(whole, tmp_path, change):
    run = shutil.copytree(whole, tmp_path / "run")
    described = json.loads((run / "config.json").read_text())
    change(described)
    (run / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="config.json") as error:
        load_model(run)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [lambda d: d.pop("fingerprint"), lambda d: d.pop("options"), lambda d: d.pop("data"),
     lambda d: d["options"].update(lr=-1.0), lambda d: d["options"].update(wheels=4)],
)  # fmt: skip
def test_options_of_a_run_that_make_no_sense_are_named_with_it(whole, tmp_path, change):
    run = shutil.copytree(whole, tmp_path / "run")
    described = json.loads((run / "config.json").read_text())
    change(described["training"])
    (run / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match=str(run)):
        resumed_options(run)
        train(run, resume=True)


def test_tokens_of_another_run_are_refused(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    text = (run / "source.tokens.json").read_text().replace('"9": ', '"z": 13, "9": ')
    (run / "source.tokens.json").write_text(text)
    with pytest.raises(NumseqError, match=r"config\.json says vocabularies|source\.tokens\.json"):
        load_model(run)


def test_no_model_yet_says_so(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    (run / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no model yet"):
        load_model(run)


def test_loaded_model_is_the_saved_one(whole):
    model, source_tokens, target_tokens = load_model(whole)
    arrays, _ = load_arrays(whole / "model.safetensors")
    for name, leaf in trees.walk(model.params):
        np.testing.assert_array_equal(leaf, arrays[name])
    assert source_tokens.to_json() == (whole / checkpoint.SOURCE_TOKENS).read_text()
    assert target_tokens.to_json() == (whole / checkpoint.TARGET_TOKENS).read_text()


def test_package_imports_nothing_that_runs_what_it_reads():
    for path in Path(numseq.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {"pickle", "marshal", "shelve", "joblib", "dill", "torch"} & set(names), path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", path
