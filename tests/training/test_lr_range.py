"""The range test: the updates of a training, with a step size that grows; what it suggests, and when it ends."""

import math

import numpy as np
import pytest
from helpers_run import digits

from numseq import params as trees
from numseq.data import Pairs, Tokens
from numseq.errors import ArgumentError, ConfigError
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import DivergedError, RangeOptions, Trainer, TrainingOptions, lr_range

TOKENS = Tokens.train(["0123456789"], "char", 1)
CORPUS = Pairs.encode(digits(60), TOKENS, TOKENS)
OPTIONS = TrainingOptions(batch=8, seed=3, accumulate=2, optimizer="sgd", clip_value=0.1)


@pytest.fixture
def model():
    config = Seq2SeqConfig(len(TOKENS), len(TOKENS), embedding=6, hidden=8, attention_size=4, dropout=0.2)
    return Seq2Seq.create(config)


def growing(lr, progress, options):
    return 1e-3 * 100 ** (progress.updates / 9)


@pytest.mark.usefixtures("parts_are_forgotten")
def test_it_makes_the_updates_of_a_training_and_leaves_the_model_alone(model, tmp_path, monkeypatch):
    """Ten of them, in the third epoch of four updates each."""
    before, losses = trees.map(np.copy, model.params), []
    found = lr_range(model, CORPUS, OPTIONS, RangeOptions(1e-3, 0.1, 10))
    assert all((a == b).all() for a, b in zip(*map(trees.leaves, (before, model.params)), strict=True))
    train_on = Trainer.train_on

    def kept(self, *group):
        loss, norm = train_on(self, *group)
        losses.append(loss)
        return loss, norm

    monkeypatch.setattr(Trainer, "train_on", kept)
    options = TrainingOptions(batch=8, seed=3, accumulate=2, optimizer="sgd", clip_value=0.1, updates=10,
                              schedule=growing)  # fmt: skip
    Trainer(model, CORPUS, CORPUS, tmp_path, options, say=lambda line: None).run()
    assert found.losses == losses and found.lrs == pytest.approx([1e-3 * 100 ** (k / 9) for k in range(10)])
    assert found.ended is None


def stand_in(monkeypatch, losses):
    """Let the losses of a training be these."""
    given = iter(losses)

    def gradient(self, batch, share, number):
        return next(given), trees.map(np.zeros_like, self.model.params)

    monkeypatch.setattr(Trainer, "gradient", gradient)


def smoothed_by_hand(losses):
    means = []
    for k in range(1, len(losses) + 1):
        weights = [0.9 ** (k - 1 - j) for j in range(k)]
        means.append(sum(w * x for w, x in zip(weights, losses, strict=False)) / sum(weights))
    return means


def test_a_tenth_of_the_step_size_at_the_lowest_smoothed_loss_is_suggested(model, monkeypatch):
    losses = [4, 4, 3, 2, 1, 1, 1, 5, 6, 7]
    stand_in(monkeypatch, losses)
    found = lr_range(model, CORPUS, tried=RangeOptions(1e-5, 1e4, 10))
    assert found.losses == losses and found.smoothed == pytest.approx(smoothed_by_hand(losses))
    assert np.argmin(found.smoothed) == 6 and found.lowest == pytest.approx(10) and found.ended is None
    assert found.suggestion == pytest.approx(1)


def test_it_ends_where_the_loss_is_four_times_the_lowest(model, monkeypatch):
    stand_in(monkeypatch, [2, 1, 1, 100, 3, 3])
    found = lr_range(model, CORPUS, tried=RangeOptions(1e-3, 1e2, 6))
    assert len(found.lrs) == len(found.losses) == len(found.smoothed) == 4
    assert found.ended == "at 1 the loss was 4 times the lowest"


def test_it_ends_where_the_loss_is_no_number(model, monkeypatch):
    stand_in(monkeypatch, [2, 1, math.nan])
    found = lr_range(model, CORPUS, tried=RangeOptions(1e-3, 1e2, 6))
    assert found.losses == [2, 1] and found.ended == "at 0.1 loss or gradient was no number"
    stand_in(monkeypatch, [math.inf])
    with pytest.raises(DivergedError, match="the loss of the first batch is no number"):
        lr_range(model, CORPUS)


def test_where_the_loss_never_fell_nothing_is_suggested(model, monkeypatch):
    stand_in(monkeypatch, [2, 3, 4])
    found = lr_range(model, CORPUS, tried=RangeOptions(steps=3))
    assert found.suggestion is None and found.lowest == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"from_lr": 0}, "from_lr is 0: it must be finite and above 0"),
        ({"from_lr": 1, "to_lr": 1}, "to_lr is 1.0: it must be above from_lr, which is 1.0"),
        ({"steps": 1}, "steps is 1: it must be a whole number of at least 2"),
    ],
)
def test_step_sizes_that_cannot_be_are_named(given, message):
    with pytest.raises(ConfigError, match=message):
        RangeOptions(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"model": 3}, "model is 3"), ({"options": {}}, "options is {}"), ({"tried": {}}, "tried is {}"),
     ({"corpus": []}, "train is")],
)  # fmt: skip
def test_what_cannot_be_is_named(model, given, message):
    with pytest.raises(ArgumentError, match=message):
        lr_range(**{"model": model, "corpus": CORPUS} | given)


def test_what_needs_a_validation_is_left_out(model):
    options = TrainingOptions(batch=30, metric="bleu", ema=0.9, freeze="source")
    assert len(lr_range(model, CORPUS, options, RangeOptions(steps=2)).lrs) == 2
