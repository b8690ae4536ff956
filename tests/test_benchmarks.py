"""The benchmarks run, those with PyTorch where it is, and what they count is right."""

import gc
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers_run import digits, numseq_cli, write_parallel

from numseq.backend import processors
from numseq.threads import blas_threads
from numseq.training import DataOptions, Trainer, TrainingOptions, train_run
from numseq.training.arrays import load_arrays
from numseq.training.checkpoint import MODEL, TRAINING


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent)


def test_sides_are_timed_in_turn_by_the_clock_that_is_given(monkeypatch):
    from benchmarks import timing

    monkeypatch.setattr(timing, "SETTLE", 0)
    asked = (k**2 for k in range(10))  # a side asks twice a round, and once to warm up
    times = timing.in_turn({"one": str, "other": str}, rounds=2, warm_up=1, clock=lambda: next(asked))
    assert times == {"one": [5, 13], "other": [9, 17]}


def test_an_lstm_of_as_many_parameters_has_a_few_more_at_most():
    from benchmarks.shapes import hidden_of_equal
    from numseq.models import Seq2Seq, Seq2SeqConfig
    from numseq.params import count

    H = hidden_of_equal(60, 64, 1, 100_000)
    fewer, found = (
        count(Seq2Seq.create(Seq2SeqConfig(60, 60, embedding=64, hidden=h, attention_size=h)).params)
        for h in (H - 2, H)
    )
    assert fewer < 100_000 <= found


def test_the_share_of_the_floor_is_a_share(monkeypatch):
    from benchmarks import floor
    from benchmarks.shapes import SHAPES

    def once(sides, rounds):
        for side in sides.values():
            side()
        return {"step": [3.0, 1.0, 2.0], "square": [0.5], "readout": [1e9]}

    monkeypatch.setattr(floor, "in_turn", once)
    row = floor.share("small", SHAPES["small"], rounds=1)
    products = floor.operations(*SHAPES["small"]) / (2 * 1024**3 / 0.5)  # seconds at the better of the two rates
    assert (row["numseq_s"], row["peer_s"], row["ratio"]) == (2, products, products / 2)
    assert products < 0.5  # a step of this shape multiplies less than that square does


def test_cost_is_measured_along_an_axis():
    from benchmarks.scaling import exponent, grow

    row = grow("T", 2, rounds=1, base={"V": 20, "E": 4, "H": 4, "B": 2, "S": 3, "T": 3})
    assert row["sizes"] == [3, 6, 12] and row["bytes"][1] > row["bytes"][0]
    assert exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)


def test_a_training_step_leaves_nothing_behind():
    from benchmarks.process import SHAPES, numseq_step

    step = numseq_step(SHAPES["small"])
    tracemalloc.start()
    for _ in range(20):
        step()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(30):
        step()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 30 * 1024  # a single (B, H) array left by each step would be 30 * 8192


def test_every_cell_and_attention_can_be_timed(monkeypatch):
    from benchmarks import cells

    def once(sides, rounds):
        for side in sides.values():
            side()
        return {name: [1.0] for name in sides}

    monkeypatch.setattr(cells, "in_turn", once)
    monkeypatch.setattr(cells, "SHAPES", {"middle": (20, 4, 8, 2, 3, 3)})
    for name, size in {"T": 3, "B": 2, "D": 4, "H": 6}.items():
        monkeypatch.setattr(cells, name, size)
    names = {row["name"] for row in cells.cells(1) + cells.attentions(1)}
    assert names >= {"lstm", "gru", "rnn-relu", "additive", "multi-head", "dot, luong-feeding"}


@pytest.mark.slow
def test_self_attention_is_timed_beside_the_same_model():
    """The benchmark itself compares loss and gradients."""
    pytest.importorskip("torch", reason="pip install -e '.[bench]'")
    from benchmarks.transformer import sides

    steps = sides((30, 16, 16, 3, 5, 4), heads=4, layers=2)
    assert list(steps) == ["numseq", "torch eager", "LSTM"]
    for step in steps.values():
        step()


@pytest.mark.slow
def test_convolution_is_timed_beside_the_same():
    """The benchmark itself compares outputs and gradients."""
    pytest.importorskip("torch", reason="pip install -e '.[bench]'")
    from benchmarks.convolution import batch_norm_sides, convolution_sides, pooling_sides

    made = [convolution_sides(7, 2, 3, k=3, outputs=4, stride=2), convolution_sides(5, 6, 2, 3, k=3, outputs=4)]
    for sides in (*made, pooling_sides(6, 4, 2, 3, k=2), batch_norm_sides(6, 4, 2, 3)):
        for side in sides.values():
            side()


@pytest.mark.slow
def test_a_step_beside_other_work_takes_no_more_of_the_processors():
    """Told by the processors' time that it uses: how long it takes is the system's to say."""
    from benchmarks.busy import measured, step_of
    from benchmarks.shapes import SHAPES

    step, chosen = step_of(SHAPES["middle"])
    with blas_threads(2):  # what BLAS would do by itself
        times = measured(step, sorted({1, chosen}), rounds=5)
    alone, beside = (np.median([used for _, used in times[key]]) for key in ((1, 0), (chosen, processors())))
    assert beside < 3 * alone


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"optimizer": "adamw", "weight_decay": 0.1, "ema": 0.9, "warmup": 2}])
def test_a_run_in_pytorch_is_that_of_numseq(tmp_path, more):
    pytest.importorskip("torch", reason="pip install -e '.[bench]'")
    from benchmarks.torch_training import TorchTrainer

    model = {"hidden": 8, "embedding": 6, "attention_size": 5, "label_smoothing": 0.1}
    characters = DataOptions(source_tokens="char", target_tokens="char")
    options = TrainingOptions(updates=3, batch=8, lr=0.01, eps=0.01, beta2=0.9, clip=0.1, threads=1, **more)
    for name, trainer in (("numseq", Trainer), ("torch", TorchTrainer)):
        pairs = digits(30), digits(8, 1)
        train_run(tmp_path / name, *pairs, model, characters, options, trainer=trainer, say=lambda line: None)
    for file in (MODEL, TRAINING):
        ours, theirs = (load_arrays(tmp_path / name / file)[0] for name in ("numseq", "torch"))
        assert ours.keys() == theirs.keys()
        for name in ours:
            # Gradients are clipped to 0.1 and equal to a hundred-thousandth of that. The difference goes into each of
            # the three steps, times lr / eps, which is 1. Another rule makes a hundred times as much.
            assert np.abs(ours[name] - theirs[name]).max() < 3e-6, name


def run_in_pytorch(folder, monkeypatch, *options):
    """Call benchmarks.torch_training; returns what the process would end with."""
    pytest.importorskip("torch", reason="pip install -e '.[bench]'")
    from benchmarks import torch_training

    source, target = write_parallel(folder, digits(40))
    tokens = "--source-tokens", "char", "--target-tokens", "char"
    asked = "--source", source, "--target", target, *tokens, "--out", folder / "run", *options
    monkeypatch.setattr(sys, "argv", ["torch_training", *map(str, asked)])
    with pytest.raises(SystemExit) as stop:
        torch_training.main()
    return stop.value.code


@pytest.mark.slow
def test_a_run_of_pytorch_can_be_evaluated(tmp_path, monkeypatch):
    assert run_in_pytorch(tmp_path, monkeypatch, "--hidden", 8, "--epochs", 2, "--ema", 0.9, "--dropout", 0.5) == 0
    files = "--source", tmp_path / "source.txt", "--reference", tmp_path / "target.txt"
    result = numseq_cli("evaluate", tmp_path / "run", *files)
    assert result.code == 0 and "perplexity" in result.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "value", "only"), [("layers", 2, "1"), ("accumulate", 2, "1"), ("optimizer", "sgd", "'adam' or 'adamw'")]
)
def test_a_run_that_pytorch_does_not_have_is_refused(tmp_path, monkeypatch, option, value, only):
    said = run_in_pytorch(tmp_path, monkeypatch, f"--{option}", value)
    assert said == f"{option} is {value!r}: in PyTorch there is only {only}"
    assert not (tmp_path / "run").exists()
