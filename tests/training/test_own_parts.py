"""A reader's own cell, optimiser, schedule and objective are at home: they train, are saved, resumed and asked for.
Parts of a model can be taken over and frozen."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from helpers_run import digits

from numseq import params as trees
from numseq.errors import ConfigError
from numseq.layers import LSTM, AdditiveAttention
from numseq.layers.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from numseq.models import CELLS, Seq2Seq, Seq2SeqConfig
from numseq.objectives import CrossEntropy
from numseq.record import StepGrad, StepRecord
from numseq.registry import Registry, qualified_name
from numseq.training import (
    OPTIMIZERS,
    SGD,
    CheckpointError,
    DataOptions,
    InterruptedTraining,
    TrainingOptions,
    load_model,
    load_part,
    train_run,
)
from numseq.training.arrays import load_arrays
from numseq.training.optimizers import Optimizer
from numseq.training.run import resumed_options

pytestmark = pytest.mark.usefixtures("parts_are_forgotten")
MODEL = {"embedding": 5, "hidden": 6, "attention_size": 4}
DATA = DataOptions(source_tokens="char", target_tokens="char")
PAIRS, VALID = digits(60), digits(12, seed=1)


@dataclasses.dataclass
class CoupledStep(StepRecord):
    """f = 1 - i, as a reader would write it down from the textbook."""

    a: object = None
    c_prev: object = None
    i: object = None
    g: object = None
    o: object = None
    c: object = None
    h: object = None

    def backward(self, dh, dc):
        grad, tanh_c = CoupledGrad(), tanh(self.c)
        do = dh * tanh_c
        dc = dc + tanh_backward(dh * self.o, tanh_c)
        di, dg = dc * (self.g - self.c_prev), dc * self.i
        da_i, da_g, da_o = sigmoid_backward(di, self.i), tanh_backward(dg, self.g), sigmoid_backward(do, self.o)
        grad.da = np.concatenate([da_i, np.zeros_like(da_i), da_g, da_o], axis=-1)
        grad.dc_prev = dc * (1 - self.i)
        return grad


@dataclasses.dataclass
class CoupledGrad(StepGrad):
    da: object = None
    dc_prev: object = None


def coupled_step(a, c_prev):
    s, H = CoupledStep(), c_prev.shape[-1]
    s.a, s.c_prev = a, c_prev
    s.i, s.g, s.o = sigmoid(a[..., :H]), tanh(a[..., 2 * H : 3 * H]), sigmoid(a[..., 3 * H :])
    s.c = (1 - s.i) * c_prev + s.i * s.g
    s.h = s.o * tanh(s.c)
    return s


class ToldAttention(AdditiveAttention):
    """Additive attention under another name."""


class Sign(Optimizer):
    """p <- p - lr * sign(g)."""

    def __init__(self, params, lr=0.01, weight_decay=0.0):
        super().__init__(params, lr, weight_decay)

    def rule(self, p, g):
        p -= self.lr * np.sign(g)


def by_update(lr, progress, options):
    return lr / (1 + progress.updates)


class Doubled(CrossEntropy):
    """Twice the cross-entropy."""

    def forward(self, head, decoded, batch, params, noise=None):
        trace = super().forward(head, decoded, batch, params, noise)
        one = trace.backward
        trace.loss = 2 * trace.loss
        return DoubledTrace(trace.loss, one)


@dataclasses.dataclass
class DoubledTrace:
    loss: object
    one: object

    def backward(self, dloss=1.0):
        return self.one(2 * dloss)


def train(folder, model=MODEL, resume=False, prepare=None, **options):
    options = TrainingOptions(**{"epochs": 2, "batch": 8, "lr": 0.01} | options)
    return train_run(folder, PAIRS, VALID, model, DATA, options, resume=resume, prepare=prepare, say=lambda line: None)


def arrays_of(folder, file="model.safetensors"):
    return load_arrays(folder / file)[0]


def test_a_step_of_ones_own_trains_is_saved_and_translates(tmp_path):
    cell = LSTM(step=coupled_step)
    translator, metrics = train(tmp_path / "run", MODEL | {"cell": cell}, epochs=3)
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"]
    model, *_ = load_model(tmp_path / "run")
    assert model.config.cell == f"numseq.layers.cells.lstm.LSTM(step={__name__}.coupled_step)"
    assert model.config.cell_part == cell
    train(tmp_path / "usual", epochs=3)
    assert translator.translate(["12345"])[0].alpha is not None
    ours, theirs = arrays_of(tmp_path / "run"), arrays_of(tmp_path / "usual")
    assert any((ours[name] != theirs[name]).any() for name in ours), "the step of one's own was not used"


def test_a_run_that_needs_a_part_is_refused_without_it(tmp_path):
    train(tmp_path / "run", MODEL | {"cell": LSTM(step=coupled_step)}, epochs=1)
    name = load_model(tmp_path / "run")[0].config.cell
    del CELLS[name]
    with pytest.raises(CheckpointError) as error:
        load_model(tmp_path / "run")
    assert name in str(error.value) and f"CELLS.register(part, {name!r})" in str(error.value)
    assert "\n" not in str(error.value)
    CELLS.register(LSTM(step=coupled_step), name)
    assert load_model(tmp_path / "run")[0].config.cell == name


def test_another_process_refuses_it_in_one_line(tmp_path):
    train(tmp_path / "run", MODEL | {"cell": LSTM(step=coupled_step)}, epochs=1)
    done = subprocess.run(
        [sys.executable, "-m", "numseq", "translate", str(tmp_path / "run")],
        input="123\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and done.stdout == ""
    assert "coupled_step" in done.stderr and "register" in done.stderr and "Traceback" not in done.stderr


def test_a_part_has_a_name_of_ones_choice_too(tmp_path):
    CELLS.register(LSTM(step=coupled_step), "coupled")
    assert Seq2SeqConfig(9, 9, cell="coupled").cell_part.step is coupled_step
    assert Seq2SeqConfig(9, 9, cell=LSTM(step=coupled_step)).cell == "coupled"
    assert Seq2SeqConfig(9, 9, cell=LSTM()).cell == "lstm"


def test_an_attention_of_ones_own_is_a_class():
    config = Seq2SeqConfig(9, 9, attention=ToldAttention)
    assert config.attention == f"{__name__}.ToldAttention" and config.attention_part is ToldAttention


def test_a_lambda_has_no_name():
    with pytest.raises(ConfigError, match="a lambda has no name .* def"):
        Seq2SeqConfig(9, 9, cell=LSTM(step=lambda a, c_prev: None))
    assert not any("lambda" in name for name in CELLS)


def test_names_of_parts():
    assert qualified_name(by_update) == f"{__name__}.by_update"
    assert qualified_name(Sign) == f"{__name__}.Sign"
    assert qualified_name(LSTM()) == "numseq.layers.cells.lstm.LSTM()"
    registry = Registry("thing", {"one": Sign})
    assert registry.name_of(Sign) == registry.name_of("one") == "one" and registry.name_of(None) is None
    with pytest.raises(ConfigError, match="thing is 'two': choose one of one"):
        registry.find("two")


def test_optimiser_schedule_and_objective_of_ones_own(tmp_path, monkeypatch):
    own = {"optimizer": Sign, "schedule": by_update, "objective": Doubled}
    _, metrics = train(tmp_path / "run", **own)
    assert metrics[0]["lr"] == 0.01 / 8 and metrics[1]["lr"] == 0.01 / 16, "8 batches in an epoch"
    _, usual = train(tmp_path / "usual", **own | {"objective": "cross-entropy"})
    # signs do not see the factor, so every number but the loss is the same
    assert [line["train_loss"] for line in metrics] == pytest.approx([2 * line["train_loss"] for line in usual])
    ours, theirs = arrays_of(tmp_path / "run"), arrays_of(tmp_path / "usual")
    assert all((ours[name] == theirs[name]).all() for name in ours)
    described = json.loads((tmp_path / "run" / "config.json").read_text())["training"]["options"]
    assert described["optimizer"] == f"{__name__}.Sign" and described["schedule"] == f"{__name__}.by_update"


class Bare(Optimizer):
    def rule(self, p, g):
        assert p.dtype == (self.lr * g).dtype  # a step size that is a number of NumPy's would make it float64
        p -= self.lr * g


def tenth(lr, progress, options):
    return np.float64(lr) * np.sqrt(0.01)


class Large:
    """In other units, whose exp is no number, and of which nobody knows what guessing gives."""

    def __init__(self, config):
        self.inner = CrossEntropy(config)

    def forward(self, *given):
        trace = self.inner.forward(*given)
        trace.loss = 1000 * trace.loss
        return trace


def test_as_little_as_a_part_of_training_has_to_say(tmp_path):
    _, metrics = train(tmp_path / "run", optimizer=Bare, schedule=tenth, objective=Large)
    assert metrics[-1]["valid_loss"] > 1000 and metrics[-1]["lr"] == pytest.approx(0.001)
    train(tmp_path / "usual", optimizer=Bare, lr=None)


def test_a_run_with_parts_of_ones_own_resumes_to_the_same_bits(tmp_path, monkeypatch):
    own = {"optimizer": Sign, "schedule": by_update, "objective": Doubled}
    train(tmp_path / "whole", **own)
    with monkeypatch.context() as patch:
        update, count = Optimizer.update, iter(range(1, 100))

        def stop(self, params, grads):
            update(self, params, grads)
            if next(count) == 3:
                raise InterruptedTraining("here")

        train(tmp_path / "run", **own | {"epochs": 1})
        patch.setattr(Optimizer, "update", stop)
        patch.setattr("numseq.training.trainer.SAVE_EVERY", 0)
        with pytest.raises(InterruptedTraining):
            train(tmp_path / "run", resume=True, **own)
    train(tmp_path / "run", resume=True, **own)
    ours, theirs = (arrays_of(tmp_path / run, "training.safetensors") for run in ("run", "whole"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_a_resumed_run_asks_for_its_optimiser(tmp_path):
    train(tmp_path / "run", optimizer=Sign, epochs=1)
    del OPTIMIZERS[f"{__name__}.Sign"]
    with pytest.raises(CheckpointError, match="optimizer is '.*Sign'"):
        resumed_options(tmp_path / "run")


def test_plateau_and_constant(tmp_path):
    other = [(source, "7" * len(source)) for source, _ in VALID]
    for schedule, halved in (("plateau", True), ("constant", False)):
        options = TrainingOptions(epochs=8, batch=8, lr=0.05, schedule=schedule)
        _, metrics = train_run(tmp_path / schedule, PAIRS, other, MODEL, DATA, options, say=lambda line: None)
        assert (metrics[-1]["lr"] < 0.05) == halved


# parts of a model


def test_frozen_parameters_stay_and_the_others_move(tmp_path):
    first = {}

    def remember(model):
        first.update({name: leaf.copy() for name, leaf in trees.walk(model.params)})

    train(tmp_path / "run", freeze="source, decoder.attention,encoder.0.ahead", prepare=remember)
    now = arrays_of(tmp_path / "run")
    for name, before in first.items():
        frozen = name.startswith(("source.", "decoder.attention.", "encoder.0.ahead."))
        assert (now[name] == before).all() == frozen, name


def test_frozen_parameters_count_in_no_norm_and_have_no_moments(tmp_path):
    model = Seq2Seq.create(Seq2SeqConfig(9, 9, **MODEL))
    left = trees.without(model.params, ("encoder", "head.b"))
    names = [name for name, _ in trees.walk(left)]
    assert not any(name.startswith("encoder") or name == "head.b" for name in names) and "head.W" in names
    assert [name for name, _ in trees.walk(SGD(left).moments["v"])] == names


def test_a_part_that_is_not_there_cannot_be_frozen(tmp_path):
    with pytest.raises(ConfigError, match="freeze: no parameter is called 'embedding': .* source, encoder, target"):
        train(tmp_path / "run", freeze="embedding")


def test_something_has_to_be_trained(tmp_path):
    with pytest.raises(ConfigError, match="freeze: nothing is left to train"):
        train(tmp_path / "run", freeze="source,encoder,target,decoder,head")
    assert not (tmp_path / "run").exists()


def test_a_part_of_another_run_is_taken_over(tmp_path):
    train(tmp_path / "first", epochs=1)
    theirs = arrays_of(tmp_path / "first")
    model = Seq2Seq.create(load_model(tmp_path / "first")[0].config, seed=5)
    before = {name: leaf.copy() for name, leaf in trees.walk(model.params)}
    load_part(model, tmp_path / "first", "encoder")
    for name, leaf in trees.walk(model.params):
        assert (leaf == (theirs if name.startswith("encoder.") else before)[name]).all(), name
    train(tmp_path / "second", prepare=lambda model: load_part(model, tmp_path / "first", "encoder"), freeze="encoder")
    now = arrays_of(tmp_path / "second")
    assert all((now[name] == theirs[name]).all() for name in now if name.startswith("encoder."))


def test_a_part_of_another_shape_is_refused(tmp_path):
    train(tmp_path / "first", epochs=1)
    config = load_model(tmp_path / "first")[0].config
    wide = Seq2Seq.create(dataclasses.replace(config, hidden=8))
    with pytest.raises(CheckpointError, match=r"encoder\.0\.ahead\.W_x is of shape .* this model's has shape"):
        load_part(wide, tmp_path / "first", "encoder")
    with pytest.raises(CheckpointError, match="no parameter whose name begins with 'engine'"):
        load_part(wide, tmp_path / "first", "engine")
