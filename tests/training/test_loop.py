"""The loop beyond a batch and an epoch: accumulated gradients, the moving average, validations, ends, kept models."""

import json
import math
import os
import re
import shutil
import signal
import sys
import weakref
from itertools import cycle, islice

import numpy as np
import pytest
import strict_cupy
from helpers import few_fast
from helpers_run import OF_THE_MACHINE, digits, snapshot

import numseq
from numseq import params as trees
from numseq.data import Pairs
from numseq.data.batches import Ragged
from numseq.data.tokens import Tokens
from numseq.errors import ArgumentError, ConfigError
from numseq.metrics.figures import FIGURES
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import (
    CheckpointError,
    DataOptions,
    InterruptedTraining,
    Trainer,
    TrainingOptions,
    load_model,
    mean_loss,
    train_run,
)
from numseq.training.arrays import load_arrays, save_arrays
from numseq.training.averaging import average_run
from numseq.training.checkpoint import TRAINING, Description
from numseq.training.ema import follow
from numseq.training.info import best_validation
from numseq.training.optimizers import OPTIMIZERS, Optimizer
from numseq.training.progress import Progress
from numseq.training.run import resumed_options
from numseq.training.schedules import SCHEDULES
from numseq.training.validation import scorer_of_validation
from numseq.training.verify import verify

MODEL = {"embedding": 5, "hidden": 6, "attention_size": 4, "dropout": 0.2}
DATA = DataOptions(source_tokens="char", target_tokens="char")
PAIRS, VALID = digits(60), digits(12, seed=1)
BATCHES = 8  # in an epoch


def train(folder, resume=False, say=lambda line: None, valid=VALID, **options):
    options = TrainingOptions(**{"epochs": 3, "batch": 8, "lr": 0.01, "threads": 1} | options)
    return train_run(folder, PAIRS, valid, MODEL, DATA, options, resume=resume, say=say)


def kept(folder):
    return sorted(int(path.stem) for path in (folder / "checkpoints").glob("*.safetensors"))


def history(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in OF_THE_MACHINE} for line in lines]


def outcome(folder):
    """All that a run leaves, but for times."""
    arrays, state = load_arrays(folder / TRAINING)
    of_time = ("seconds", "since", "metrics_bytes", "metrics_crc32", "crc32")
    models = [folder / "model.safetensors", *sorted((folder / "checkpoints").glob("*"))]
    return {
        "models": {path.name: path.read_bytes() for path in models},
        "arrays": {name: array.tobytes() for name, array in arrays.items()},
        "state": {name: value for name, value in state.items() if name not in of_time},
        "metrics": history(folder),
    }


def after_update(monkeypatch, n, act):
    """Call act() after the n-th update that is made from now on."""
    update, made = Optimizer.update, iter(range(1, 10_000))

    def wrapped(self, params, grads):
        update(self, params, grads)
        if next(made) == n:
            act()

    monkeypatch.setattr(Optimizer, "update", wrapped)


# an update of several batches


def trainer(folder, dtype, scorer=None, resume=False, **options):
    folder.mkdir(exist_ok=True)
    model = Seq2Seq.create(Seq2SeqConfig(14, 14, **MODEL | {"dropout": 0.0}), seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    sides = [[rng.integers(4, 14, size=n).tolist() for n in rng.integers(1, 9, size=30)] for _ in range(2)]
    data = Pairs(*map(Ragged, sides))
    options = TrainingOptions(**{"optimizer": "sgd", "lr": 1.0} | options)
    return Trainer(model, data, data, folder, options, lambda line: None, scorer=scorer, resume=resume)


@pytest.mark.parametrize(("dtype", "most"), [("float64", 1e-13), ("float32", 2e-6)])  # sums of 30 rows in other orders
def test_the_gradient_of_a_group_is_that_of_its_rows_in_one_batch(tmp_path, dtype, most):
    rows = np.random.default_rng(1).permutation(30)
    parts = np.split(rows, [3, 14, 15])  # of unlike weights
    changes = []
    for k, group in enumerate(([rows], parts)):
        ours = trainer(tmp_path / str(k), dtype, clip=1e-3)
        before = trees.copy(ours.model.params)
        loss, norm = ours.train_on(*group)
        moved = [a - b for a, b in zip(trees.leaves(before), trees.leaves(ours.model.params), strict=True)]
        changes.append((loss, norm, np.concatenate([leaf.ravel() for leaf in moved])))
    (loss, norm, whole), (other_loss, other_norm, summed) = changes
    assert other_loss == pytest.approx(loss, rel=most) and other_norm == pytest.approx(norm, rel=most)
    assert np.linalg.norm(whole - summed) <= 10 * most * np.linalg.norm(whole)


def test_one_batch_is_not_copied(tmp_path, monkeypatch):
    ours, seen = trainer(tmp_path, "float32"), []
    gradient, update = ours.gradient, ours.optimizer.update
    monkeypatch.setattr(ours, "gradient", lambda *given: seen.append(gradient(*given)) or seen[-1])
    monkeypatch.setattr(ours.optimizer, "update", lambda params, grad: seen.append(grad) or update(params, grad))
    ours.train_on(np.arange(8))
    assert seen[1] is seen[0][1]


def test_a_gpu_is_waited_for_once_all_gradients_of_a_group_have_been_asked_for(tmp_path, monkeypatch):
    with strict_cupy.installed(), numseq.use("cupy"):
        ours, waits = trainer(tmp_path, "float32"), []
        gradient = ours.gradient

        def counted(*given):
            found = gradient(*given)
            waits.append(strict_cupy.syncs)
            return found

        monkeypatch.setattr(ours, "gradient", counted)
        strict_cupy.syncs = 0
        ours.train_on(np.arange(8), np.arange(8, 16))
    assert waits == [0, 0] and strict_cupy.syncs == 3  # for two losses and a norm


def test_a_group_holds_the_sum_of_its_gradients_and_no_other(tmp_path, monkeypatch):
    ours, made, held = trainer(tmp_path, "float32"), [], []
    gradient = ours.gradient

    def watched(*given):
        held.append([array() is not None for array in made])
        found = gradient(*given)
        made.append(weakref.ref(trees.leaves(found[1])[0]))
        return found

    monkeypatch.setattr(ours, "gradient", watched)
    ours.train_on(np.arange(8), np.arange(8, 16), np.arange(16, 24))
    assert held == [[], [True], [True, False]]


def test_groups_end_with_the_epoch(tmp_path):
    train(tmp_path / "run", accumulate=3, epochs=2)
    _, state = load_arrays(tmp_path / "run" / TRAINING)
    assert (state["updates"], state["of"]) == (6, 3)


def test_every_batch_of_an_epoch_has_noise_of_its_own(tmp_path, monkeypatch):
    numbers, gradient = [], Trainer.gradient

    def noted(self, batch, share, number):
        numbers.append(number)
        return gradient(self, batch, share, number)

    monkeypatch.setattr(Trainer, "gradient", noted)
    train(tmp_path / "run", accumulate=3, epochs=1)
    assert numbers == list(range(BATCHES))


# the moving average


def test_the_average_is_that_of_its_equation():
    rng, decay = np.random.default_rng(0), 0.7
    path = rng.standard_normal((30, 5))
    average = [path[0].copy()]
    expected = path[0].copy()
    for n, p in enumerate(path[1:], 1):
        follow(average, [p], decay, n)
        d = min(decay, (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * p
        np.testing.assert_allclose(average[0], expected, rtol=1e-12)


def test_the_averaged_parameters_are_validated_and_kept(tmp_path):
    run = tmp_path / "run"
    train(run, ema=0.9, epochs=2)
    arrays, _ = load_arrays(run / TRAINING)
    model, *tokens = load_model(run)
    best = history(run)[-1]
    for name, leaf in trees.walk(model.params):
        assert (leaf == arrays[f"ema.{name}"]).all() and (leaf != arrays[f"params.{name}"]).any()
    assert mean_loss(model, Pairs.encode(VALID, *tokens), 8) == best["valid_loss"]


def test_what_is_frozen_stays_as_it_is_in_the_average_too(tmp_path):
    train(tmp_path / "run", ema=0.9, freeze="encoder", epochs=1)
    first = Seq2Seq.create(load_model(tmp_path / "run")[0].config, 0)
    found = dict(trees.walk(load_model(tmp_path / "run")[0].params))
    for name, leaf in trees.walk(first.params):
        assert (found[name] == leaf).all() == name.startswith("encoder"), name


# validations and ends


def test_validations_come_after_so_many_updates_and_at_the_end(tmp_path):
    train(tmp_path / "run", validate_every=5, epochs=2)
    assert [(line["epoch"], line["updates"]) for line in history(tmp_path / "run")] == [
        (1, 5), (2, 10), (2, 15), (2, 16)
    ]  # fmt: skip
    weights = [line["tokens"] for line in history(tmp_path / "run")]
    assert sum(weights) == 2 * sum(len(target) + 1 for _, target in PAIRS)


def test_a_run_ends_after_so_many_updates_and_goes_on_when_there_are_to_be_more(tmp_path):
    said = []
    train(tmp_path / "run", updates=11, say=said.append)
    assert [line["updates"] for line in history(tmp_path / "run")] == [8, 11]
    assert said[-1] == "all 11 updates are done"
    train(tmp_path / "run", updates=11, resume=True, say=said.append)
    assert said[-1] == "all 11 updates are done already"
    train(tmp_path / "run", updates=13, resume=True, say=said.append)
    assert "changed from here on: updates from 11 to 13" in said
    assert [line["updates"] for line in history(tmp_path / "run")] == [8, 11, 13]


def test_patience_ends_a_run_that_does_not_get_better(tmp_path):
    other, said = [(source, "7" * len(source)) for source, _ in VALID], []
    train(tmp_path / "run", patience=2, epochs=30, lr=0.03, valid=other, say=said.append)
    losses = [line["valid_loss"] for line in history(tmp_path / "run")]
    assert len(losses) < 30 and int(np.argmin(losses)) == len(losses) - 3
    best = f"{min(losses):.4g}"
    assert said[-1] == f"the last 2 validations brought no loss better than {best}, so training ends (patience)"
    train(tmp_path / "run", patience=3, epochs=30, lr=0.03, valid=other, resume=True, say=said.append)
    assert len(history(tmp_path / "run")) > len(losses)


def test_the_share_of_a_run_that_is_done():
    options = TrainingOptions(epochs=4, updates=100)
    assert Progress().done(options) == 0
    assert Progress(epoch=2, step=3, of=6, updates=9).done(options) == 1.5 / 4
    assert Progress(epoch=2, step=3, of=6, updates=50).done(options) == 0.5
    assert Progress(epoch=5, step=0, of=6, updates=24).done(options) == 1


# to the same bits

EVERYTHING = {
    "accumulated": {"accumulate": 3, "epochs": 5},
    "averaged": {"ema": 0.9, "epochs": 2},
    "validated within epochs": {"validate_every": 3, "epochs": 2, "patience": 9},
    "all": {"accumulate": 2, "ema": 0.8, "validate_every": 3, "metric": "exact", "show": 2, "keep_best": 3,
            "keep_last": 2, "updates": 13, "epochs": 9},
}  # fmt: skip
EVERYTHING |= {
    f"{optimizer}, {schedule}": {"optimizer": optimizer, "schedule": schedule, "validate_every": 3, "epochs": 1}
    for optimizer, schedule in islice(zip(cycle(OPTIMIZERS), cycle(SCHEDULES)), max(len(OPTIMIZERS), len(SCHEDULES)))
}


@pytest.mark.parametrize("case", EVERYTHING)
def test_what_was_stopped_often_ends_with_the_same_bits(tmp_path, monkeypatch, case):
    options = EVERYTHING[case]
    train(tmp_path / "whole", **options)
    for updates in (3, 1):  # the first at a validation that is still to come
        with monkeypatch.context() as patch, pytest.raises(InterruptedTraining):
            after_update(patch, updates, lambda: signal.raise_signal(signal.SIGINT))
            train(tmp_path / "run", resume=True, **options)
    train(tmp_path / "run", resume=True, **options)
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


# models that are kept


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several") / "run"
    train(folder, validate_every=2, lr=0.05, keep_best=3, keep_last=2)
    return folder


def test_the_best_and_the_last_models_are_kept(several):
    values = {line["updates"]: line["valid_loss"] for line in history(several)}
    best = sorted(values, key=values.get)
    assert kept(several) == sorted({*best[:3], *sorted(values)[-2:]})
    for updates in kept(several):
        described = load_arrays(several / "checkpoints" / f"{updates:08d}.safetensors")[1]
        assert (described["updates"], described["value"]) == (updates, values[updates])
    ours, model = (
        load_arrays(several / name)[0] for name in (f"checkpoints/{best[0]:08d}.safetensors", "model.safetensors")
    )
    assert all((model[name] == array).all() for name, array in ours.items())
    assert [wrong for _, wrong in verify(several)] == [None] * (4 + len(kept(several)))


def test_a_run_keeps_one_model_when_nothing_else_is_asked(tmp_path):
    train(tmp_path / "run", epochs=1)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_kept_model_that_is_damaged_is_named(several, tmp_path):
    run = shutil.copytree(several, tmp_path / "run")
    path = run / "checkpoints" / f"{kept(run)[0]:08d}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    before = snapshot(run)
    with pytest.raises(CheckpointError, match=rf"{path.name}: truncated or damaged"):
        train(run, resume=True, validate_every=2, lr=0.05, keep_best=3, keep_last=2, epochs=4)
    assert [name for name, wrong in verify(run) if wrong] == [f"checkpoints/{path.name}"]
    assert snapshot(run) == before


@pytest.mark.parametrize("calls", few_fast([5, 9, 10, 11, 14, 15], [5, 10, 15]))
def test_a_crash_at_any_file_leaves_kept_models_that_resuming_makes_the_same(several, tmp_path, monkeypatch, calls):
    """The process dies as a file takes its place, or as a surplus one is removed."""
    made = iter(range(1, 1000))

    def crashing(function):
        def call(*args, **named):
            if next(made) == calls:
                raise KeyboardInterrupt
            return function(*args, **named)

        return call

    options = {"validate_every": 2, "lr": 0.05, "keep_best": 3, "keep_last": 2}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", crashing(os.replace))
        patch.setattr(os, "unlink", crashing(os.unlink))
        train(tmp_path / "run", **options)
    train(tmp_path / "run", resume=True, **options)
    assert outcome(tmp_path / "run") == outcome(several)


def test_a_model_from_after_where_the_run_stands_goes(tmp_path, monkeypatch):
    """It was kept just before the process died, and the run then ends before."""
    options = {"validate_every": 2, "keep_last": 2, "epochs": 1}
    train(tmp_path / "whole", **options)
    with monkeypatch.context() as patch, pytest.raises(InterruptedTraining):
        after_update(patch, 5, lambda: signal.raise_signal(signal.SIGINT))
        train(tmp_path / "run", **options)
    shutil.copy(tmp_path / "whole" / "checkpoints" / "00000008.safetensors", tmp_path / "run" / "checkpoints")
    train(tmp_path / "run", resume=True, updates=6, **options)
    assert kept(tmp_path / "run") == [4, 6]


def test_a_model_kept_before_a_crash_stays_the_best_where_its_validation_is_then_a_worse_one(tmp_path, monkeypatch):
    """The process dies between the model and the state that knows it; then the run goes on in another way."""
    replace, lost = os.replace, iter(range(1, 1000))

    def crashing(part, path):
        if path.name == TRAINING and next(lost) == 3:  # the second validation's: the first is the beginning's
            raise KeyboardInterrupt
        replace(part, path)

    options, said = {"validate_every": 2, "epochs": 1}, []
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", crashing)
        train(tmp_path / "run", **options | {"lr": 0.01})
    model = (tmp_path / "run" / "model.safetensors").read_bytes()
    _, described = load_arrays(tmp_path / "run" / "model.safetensors")
    train(tmp_path / "run", resume=True, say=said.append, **options | {"lr": 1.0})
    assert [line["valid_loss"] for line in history(tmp_path / "run")][1:] > [described["value"]]
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == model
    assert [wrong for _, wrong in verify(tmp_path / "run") if wrong] == []
    assert any("made before the run was stopped" in line for line in said)
    assert load_arrays(tmp_path / "run" / TRAINING)[1]["best"] == described["value"]


def test_the_mean_of_kept_models_is_a_folder_to_translate_with(several, tmp_path):
    values = {line["updates"]: line["valid_loss"] for line in history(several)}
    for how, chosen in (("best", sorted(values, key=values.get)[:3]), ("last", sorted(values)[-2:])):
        out = tmp_path / how
        assert average_run(several, out, **{how: len(chosen)}) == sorted(chosen)
        found = dict(trees.walk(load_model(out)[0].params))
        parts = [load_arrays(several / "checkpoints" / f"{n:08d}.safetensors")[0] for n in chosen]
        for name, leaf in found.items():
            expected = np.mean([part[name].astype(float) for part in parts], axis=0)
            np.testing.assert_array_equal(leaf, expected.astype(np.float32))
        assert all(wrong is None for _, wrong in verify(out))
        assert Description.load(out).training["averaged"]["updates"] == sorted(chosen)
        with pytest.raises(CheckpointError, match="holds the mean of models, and nothing to resume"):
            train(out, resume=True)


@pytest.mark.parametrize("how", [{"best": 4}, {"last": 3}])
def test_a_mean_of_more_models_than_were_kept_is_refused(several, tmp_path, how):
    [(kind, n)] = how.items()
    with pytest.raises(CheckpointError, match=f"did not keep its {n} {kind} models .*--keep-{kind} {n}"):
        average_run(several, tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()


# metrics by translating


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.metric])
def test_every_figure_is_computed(several, name):
    model, *tokens = load_model(several)
    scores, samples = scorer_of_validation(VALID, tokens, TrainingOptions(metric=name), 150)(model)
    assert math.isfinite(scores[name]) and samples == []


@pytest.mark.parametrize(("metric", "best"), [("wer", 4), ("bleu", 8)])
def test_the_best_model_is_that_of_the_metric(tmp_path, metric, best):
    values = {4: 1.0, 8: 9.0, 12: 8.0, 16: 2.0}
    ours = trainer(
        tmp_path,
        "float32",
        batch=8,
        metric=metric,
        epochs=4,
        updates=16,
        validate_every=4,
        lr=1e-3,
        scorer=lambda model: ({}, []),
    )
    ours.scorer = lambda model: ({metric: values[ours.progress.updates]}, [])
    ours.run()
    described = load_arrays(tmp_path / "model.safetensors")[1]
    assert (described["updates"], described["metric"], described["value"]) == (best, metric, values[best])
    assert (ours.progress.setbacks, ours.progress.waited) == ((3, 3) if metric == "wer" else (2, 2))


EXACT, LOSSES = {4: 0.5, 8: 1.0, 12: 1.0, 16: 1.0}, {4: 4.0, 8: 2.0, 12: 1.0, 16: 3.0}


def tied(folder, monkeypatch, resume=False, **options):
    """Trains with these values of a metric and losses; returns the Trainer, once it has run."""
    ours = trainer(
        folder,
        "float32",
        batch=8,
        metric="exact",
        validate_every=4,
        epochs=4,
        lr=1e-3,
        keep_best=2,
        resume=resume,
        scorer=lambda model: ({"exact": EXACT[ours.progress.updates]}, []),
        **options,
    )
    monkeypatch.setattr("numseq.training.trainer.mean_loss", lambda *args, **kw: LOSSES[ours.progress.updates])
    ours.run()
    return ours


def test_of_models_as_good_by_the_metric_the_one_with_the_smaller_loss_is_the_best(tmp_path, monkeypatch):
    ours = tied(tmp_path, monkeypatch, updates=16)
    described, lines = load_arrays(tmp_path / "model.safetensors")[1], history(tmp_path)
    assert (described["updates"], described["value"], described["valid_loss"]) == (12, 1.0, 1.0)
    assert best_validation(lines, "exact") == (1.0, lines[2])
    assert kept(tmp_path) == [8, 12]
    assert (ours.progress.setbacks, ours.progress.waited) == (2, 2)  # nothing is better than what was as good


def test_a_state_that_does_not_know_the_loss_of_the_best_takes_it_from_the_model(tmp_path, monkeypatch):
    """As those of versions that kept the first of equal models."""
    tied(tmp_path, monkeypatch, updates=12)
    arrays, said = load_arrays(tmp_path / TRAINING)
    assert said.pop("best_loss") == 1.0
    save_arrays(tmp_path / TRAINING, arrays, {name: value for name, value in said.items() if name != "crc32"})
    ours = tied(tmp_path, monkeypatch, updates=16, resume=True)
    assert (ours.progress.best, ours.progress.best_loss) == (1.0, 1.0)
    assert load_arrays(tmp_path / "model.safetensors")[1]["updates"] == 12


def test_the_metric_is_that_of_the_translations(tmp_path):
    from numseq.metrics import corpus_scores
    from numseq.search import Translator

    said, upper = [], [(source, target) for source, target in VALID]
    train(tmp_path / "run", metric="chrf", show=2, epochs=1, valid=[*upper, ("1" * 200, "2")], say=said.append)
    [line] = history(tmp_path / "run")
    translator = Translator(*load_model(tmp_path / "run"))
    texts = [found.text for found in translator.translate([source for source, _ in upper])]
    assert line["chrf"] == corpus_scores(texts, [target for _, target in upper], "chrf")["chrf"]
    assert line["samples"] == [
        {"source": upper[k][0], "translation": texts[k], "reference": upper[k][1]} for k in (0, len(upper) - 1)
    ]
    assert f"    translation {texts[0]}" in said[-2].splitlines()


def test_references_are_in_the_form_of_the_vocabulary(tmp_path):
    tokens = Tokens.train(["aé"], "char", normalization="nfc")
    model = Seq2Seq.create(Seq2SeqConfig(len(tokens), len(tokens), embedding=4, hidden=4, attention_size=4))
    scorer = scorer_of_validation([("a", "e\u0301")], (tokens, tokens), TrainingOptions(show=1), 150)
    scores, [sample] = scorer(model)
    assert scores == {} and sample["reference"] == "é"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"metric": "bleu", "tokenize": "magic"}, "tokenize is 'magic'"), ({"metric": "magic"}, "metric is 'magic'")],
)
def test_what_cannot_be_scored_is_said_before_anything_is_written(tmp_path, options, words):
    with pytest.raises(ConfigError, match=words):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_loop_of_ones_own_is_told_that_a_metric_needs_a_scorer(tmp_path):
    with pytest.raises(ArgumentError, match="scorer is None: something has to translate, where the metric is bleu"):
        trainer(tmp_path, "float32", metric="bleu")


def test_a_scorer_that_does_not_give_the_metric_is_told(tmp_path):
    ours = trainer(tmp_path, "float32", metric="bleu", lr=1e-3, scorer=lambda model: ({"chrf": 1.0}, []))
    with pytest.raises(ArgumentError, match="scorer gives chrf, and not bleu, the metric of the options"):
        ours.run()


# TensorBoard


def events(folder):
    """[(name, updates, value)] of what TensorBoard would read."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in folder.glob("events.*"):
        data = path.read_bytes()
        while data:
            n = int.from_bytes(data[:8], "little")
            event, data = Event.FromString(data[12 : 12 + n]), data[16 + n :]
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
    return found


def test_tensorboard_has_each_metric_once_however_often_a_run_was_stopped(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(InterruptedTraining):
        after_update(patch, 7, lambda: signal.raise_signal(signal.SIGINT))
        train(run, tensorboard=True, validate_every=3, epochs=2)
    for path in (run / "tensorboard").iterdir():
        path.rename(path.with_name("events.out.tfevents.1.machine"))  # as if it were of a time before
    train(run, tensorboard=True, validate_every=3, epochs=2, resume=True)
    found = [(updates, value) for name, updates, value in events(run / "tensorboard") if name == "valid_loss"]
    assert found == [(line["updates"], pytest.approx(line["valid_loss"], rel=1e-6)) for line in history(run)]


def test_tensorboard_that_is_not_there_is_a_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ConfigError, match=re.escape("tensorboard needs more: pip install tensorboardX")):
        train(tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


# on a GPU


def test_all_of_it_runs_on_a_gpu_or_what_is_as_strict(tmp_path):
    run, options = tmp_path / "run", EVERYTHING["all"] | {"freeze": "source"}
    with strict_cupy.installed(), numseq.use("cupy"):
        train(run, **options | {"updates": 4})
        train(run, **options | {"updates": 7}, resume=True)
        average_run(run, tmp_path / "mean", last=2)
    assert [line["updates"] for line in history(run)] == [3, 4, 6, 7]
    assert all(wrong is None for folder in (run, tmp_path / "mean") for _, wrong in verify(folder))


# other options on resuming


def test_what_may_change_on_resuming_is_said_and_kept(tmp_path):
    run, said = tmp_path / "run", []
    train(run, epochs=1)
    began = Description.load(run).run
    train(run, epochs=2, lr=0.002, schedule="constant", keep_last=2, patience=5, resume=True, say=said.append)
    assert (
        "changed from here on: epochs from 1 to 2, lr from 0.01 to 0.002, schedule from plateau to constant, "
        "patience from never to 5, keep_last from 0 to 2"
    ) in said
    assert "step size of the next update: 0.002" in said
    assert [line["lr"] for line in history(run)] == [0.01, 0.002] and kept(run) == [16]
    assert Description.load(run).run == began and resumed_options(run)[2].lr == 0.002
    assert Description.load(run).training["options"]["lr"] == 0.01
    train(run, epochs=3, lr=0.01, resume=True, say=said.append)
    assert Description.load(run).training["changed"] == {"epochs": 3}
    assert all(wrong is None for _, wrong in verify(run))


def test_a_run_of_the_version_before_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """It had fewer options, and its state fewer numbers."""
    options = {"epochs": 2}
    train(tmp_path / "whole", **options)
    with monkeypatch.context() as patch, pytest.raises(InterruptedTraining):
        after_update(patch, 11, lambda: signal.raise_signal(signal.SIGINT))
        train(tmp_path / "run", **options)
    for folder in (tmp_path / "whole", tmp_path / "run"):
        as_before(folder)
    train(tmp_path / "run", resume=True, **options)
    ours, theirs = outcome(tmp_path / "run"), outcome(tmp_path / "whole")
    assert ours["arrays"] == theirs["arrays"]
    assert [line["valid_loss"] for line in ours["metrics"]] == [line["valid_loss"] for line in theirs["metrics"]]
    assert all(wrong is None for _, wrong in verify(tmp_path / "run"))


def as_before(folder):
    """Make of a run one that the version before could have written."""
    described = Description.load(folder)
    old = ("epochs", "batch", "optimizer", "objective", "lr", "weight_decay", "schedule", "decay", "clip", "freeze",
           "seed", "threads")  # fmt: skip
    described.training.pop("changed", None)
    described.training["options"] = {name: described.training["options"][name] for name in old}
    described.save(folder)
    new = ("of", "lr", "validations", "validated", "waited", "since", "validation", "metric", "value")
    for name in ("model.safetensors", TRAINING):
        arrays, said = load_arrays(folder / name)
        keep = {key: value for key, value in said.items() if key not in new} | {"run": Description.load(folder).run}
        if name == TRAINING:
            keep["model_crc32"] = load_arrays(folder / "model.safetensors")[1]["crc32"]
        else:
            del keep["updates"]
        save_arrays(folder / name, arrays, keep)
