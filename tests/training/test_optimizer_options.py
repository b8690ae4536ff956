"""What may be said of an optimiser reaches it, or is refused; and how a gradient is clipped."""

import numpy as np
import pytest
from helpers_run import digits

from numseq import params as trees
from numseq.data import Pairs, Tokens
from numseq.errors import ConfigError
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import SGD, Adadelta, Adam, Nesterov, Optimizer, RMSprop, Trainer, TrainingOptions, clip_by_value
from numseq.training import optimizers as module
from numseq.training.optimizers import OPTIMIZERS
from numseq.training.trainer import optimizer_of

TOKENS = Tokens.train(["0123456789"], "char", 1)
CORPUS = Pairs.encode(digits(12), TOKENS, TOKENS)
SAID = {
    "sgd": {"momentum": 0.4},
    "nesterov": {"momentum": 0.4},
    "adam": {"beta1": 0.4, "beta2": 0.5, "eps": 1e-3},
    "adamw": {"beta1": 0.4, "beta2": 0.5, "eps": 1e-3},
    "rmsprop": {"eps": 1e-3},
    "adagrad": {"eps": 1e-3},
    "adadelta": {"eps": 1e-3},
}


class Heavy(Optimizer):
    """One's own, with a momentum whose usual value is another."""

    def __init__(self, params, lr=0.01, weight_decay=0.0, momentum=0.3):
        super().__init__(params, lr, weight_decay)
        self.momentum = momentum

    def rule(self, p, g):
        p -= self.lr * g


class Anything(Optimizer):
    def __init__(self, params, **said):
        super().__init__(params)
        self.said = said

    def rule(self, p, g):
        p -= self.lr * g


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_said_of_an_optimiser_reaches_it_and_the_rest_is_its_own(name):
    made, usual = optimizer_of(TrainingOptions(optimizer=name, **SAID[name]), [np.zeros(3)]), OPTIMIZERS[name]([])
    assert {one: getattr(made, one) for one in SAID[name]} == SAID[name]
    assert all(getattr(usual, one) != value for one, value in SAID[name].items())
    left = optimizer_of(TrainingOptions(optimizer=name), [np.zeros(3)])
    assert all(getattr(left, one) == getattr(usual, one) for one in ("lr", "weight_decay", *SAID[name]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_optimiser_has_not_is_refused_with_those_that_have_it(name):
    for one in {"momentum", "beta1", "beta2", "eps"} - SAID[name].keys():
        with pytest.raises(ConfigError, match=rf"^{one} is 0.5, and {name} has none: it is of \w+, \w+") as error:
            TrainingOptions(optimizer=name, **{one: 0.5})
        assert f" {name}" not in str(error.value).rpartition(":")[2]


@pytest.mark.usefixtures("parts_are_forgotten")
def test_ones_own_optimiser_gets_what_its_constructor_takes():
    assert optimizer_of(TrainingOptions(optimizer=Heavy), [np.zeros(3)]).momentum == 0.3
    assert optimizer_of(TrainingOptions(optimizer=Heavy, momentum=0.8), [np.zeros(3)]).momentum == 0.8
    with pytest.raises(ConfigError, match=r"eps is 0.5, and .*Heavy has none"):
        TrainingOptions(optimizer=Heavy, eps=0.5)
    options = TrainingOptions(optimizer=Anything, beta1=0.1, lr=2.0)
    assert optimizer_of(options, [np.zeros(3)]).said == {"beta1": 0.1, "lr": 2.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD([], momentum=1), "momentum is 1: it must be at least 0 and below 1"),
        (lambda: Nesterov([], momentum=-0.1), "momentum is -0.1"),
        (lambda: Adam([], beta2=1.0), "beta2 is 1.0"),
        (lambda: RMSprop([], eps=-1), "eps is -1"),
        (lambda: Adadelta([], rho="x"), "rho is 'x'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_plain_sgd_keeps_no_moment():
    params = [np.array([1.0, 2.0])]
    plain = SGD(params, lr=0.5, momentum=0)
    assert plain.moments == {} and SGD(params).moments.keys() == {"v"}
    for _ in range(2):
        plain.update(params, [np.array([1.0, -1.0])])
    assert params[0].tolist() == [0.0, 3.0]


@pytest.mark.parametrize("piece", [1, 1 << 16])
def test_nesterov_and_adadelta_are_plain_loops(monkeypatch, piece):
    monkeypatch.setattr(module, "PIECE", piece)
    p, v = 1.0, 0.0
    params = [np.array([p, p])]
    optimizer = Nesterov(params, lr=0.1, momentum=0.7)
    for g in (1.0, -2.0, 0.5):
        v = 0.7 * v + g
        p -= 0.1 * (g + 0.7 * v)
        optimizer.update(params, [np.array([g, g])])
        assert params[0].tolist() == pytest.approx([p, p], rel=1e-12)
    p, v, u = 1.0, 0.0, 0.0
    params = [np.array([p, p])]
    optimizer = Adadelta(params, lr=0.5, rho=0.8, eps=1e-3)
    for g in (1.0, -2.0, 0.5):
        v = 0.8 * v + 0.2 * g * g
        d = ((u + 1e-3) / (v + 1e-3)) ** 0.5 * g
        u = 0.8 * u + 0.2 * d * d
        p -= 0.5 * d
        optimizer.update(params, [np.array([g, g])])
        assert params[0].tolist() == pytest.approx([p, p], rel=1e-12)


# clipping


def test_clipping_by_value_cuts_every_number_in_place():
    gradient = [np.array([3.0, -0.2]), np.array([[-0.5], [0.5000001]])]
    held = list(gradient)
    clip_by_value(gradient, 0.5)
    assert [leaf.tolist() for leaf in gradient] == [[0.5, -0.2], [[-0.5], [0.5]]]
    assert all(a is b for a, b in zip(gradient, held, strict=True))
    with pytest.raises(ConfigError, match="largest is 0: it must be above 0"):
        clip_by_value(gradient, 0)


class Seen(Exception):
    pass


@pytest.mark.parametrize(
    ("said", "norm", "value"),
    [({}, 1.0, None), ({"clip": 0.1}, 0.1, None), ({"clip": 0}, None, None),
     ({"clip": 0, "clip_value": 1e-3}, None, 1e-3), ({"clip": 0.1, "clip_value": 1e-2}, 0.1, 1e-2)],
)  # fmt: skip
def test_a_run_clips_by_norm_by_value_or_by_both(tmp_path, monkeypatch, said, norm, value):
    """The gradient that the optimiser gets is that of the model, scaled by 1000, and then clipped as it is said."""
    seen = []

    def stop(self, params, grads):
        seen.append(trees.map(np.copy, grads))
        raise Seen

    def larger(self, batch, share, number):
        loss, grad = usual(self, batch, share, number)
        seen.append(trees.map(lambda leaf: 1000 * leaf, grad))
        return loss, trees.map(np.copy, seen[-1])

    usual = Trainer.gradient
    monkeypatch.setattr(Trainer, "gradient", larger)
    monkeypatch.setattr(Optimizer, "update", stop)
    model = Seq2Seq.create(Seq2SeqConfig(len(TOKENS), len(TOKENS), embedding=4, hidden=4))
    trainer = Trainer(model, CORPUS, CORPUS, tmp_path, TrainingOptions(batch=12, **said), say=lambda line: None)
    with pytest.raises(Seen):
        trainer.run()
    given, got = seen
    scale = 1.0 if norm is None else norm / float(trees.global_norm(given))
    assert scale < 0.5 or norm is None
    for before, after in zip(trees.leaves(given), trees.leaves(got), strict=True):
        expected = before * scale if value is None else np.clip(before * scale, -value, value)
        np.testing.assert_allclose(after, expected, rtol=1e-5)
    if value is not None:
        assert max(abs(leaf).max() for leaf in trees.leaves(got)) == pytest.approx(value)


def test_a_limit_of_numbers_that_the_norm_keeps_anyway_is_refused():
    with pytest.raises(ConfigError, match="clip_value is 5.0, and no number is larger than the norm, at most 1.0 by"):
        TrainingOptions(clip_value=5)
    assert TrainingOptions(clip_value=5, clip=0).clip_value == 5
