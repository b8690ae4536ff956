"""Runs of the format before this one are brought to today's: the same parameters under other names, ready to go on."""

import json
import re
import shutil

import numpy as np
import pytest
from helpers_run import digits, numseq_cli

from numseq.files import write_atomically
from numseq.training import CheckpointError, DataOptions, TrainingOptions, load_model, train_run
from numseq.training import checkpoint as files
from numseq.training.arrays import load_arrays, save_arrays
from numseq.training.convert import convert

PAIRS, VALID = digits(60), digits(12, seed=1)
DATA = DataOptions(source_tokens="char", target_tokens="char")
SMALL = {"embedding": 5, "hidden": 6, "attention_size": 4}
MODELS = {  # options of today, and what stood for decoder and encoder then
    "bahdanau": ({"layers": 2}, {"attention": "additive", "order": "bahdanau", "input_feeding": False}),
    "luong": ({"decoder": "luong", "layers": 2}, {"order": "luong", "input_feeding": False}),
    "feeding": ({"decoder": "luong-feeding"}, {"order": "luong", "input_feeding": True}),
    "plain": ({"attention": "none", "layers": 2}, {"order": "bahdanau", "input_feeding": False}),
}


def old_name(name, kind):
    """What a parameter was called: source.W was encoder.embedding.W."""
    lowest_apart = kind == "bahdanau"
    for new, old in (
        (r"^source\.", "encoder.embedding."),
        (r"^encoder\.(?=\d)", "encoder.rnn."),
        (r"^target\.", "decoder.embedding."),
        (r"^head\.", "decoder.readout."),
        (r"^decoder\.W_extra$", "decoder.W_context" if lowest_apart else "decoder.W_feed"),
    ):
        name = re.sub(new, old, name)
    if lowest_apart:
        name = re.sub(r"^decoder\.rnn\.0\.", "decoder.rnn.", name)
        name = re.sub(r"^decoder\.rnn\.1\.", "decoder.upper.0.", name)
    return name


OF_TODAY = ("of", "validations", "validated", "waited", "since")  # numbers of a state that old ones have not


def as_of_old(folder, kind, lr):
    """Make a run of today one of format 2."""
    for name in (files.MODEL, files.TRAINING):
        arrays, state = load_arrays(folder / name)
        renamed = {}
        for array_name, array in arrays.items():
            moment, _, own = array_name.partition(".") if name == files.TRAINING else ("", "", array_name)
            renamed[f"{moment}.".lstrip(".") + old_name(own, kind)] = array
        if name == files.TRAINING:
            state["tokens"], state["lr"] = state.pop("weight"), lr
            for added in ("setbacks", *OF_TODAY):
                del state[added]
        del state["format"]
        save_arrays(folder / name, renamed, state | {"format": 2})
    path = folder / files.CONFIG
    described = json.loads(path.read_text())
    described["format"] = 2
    described["model"] |= MODELS[kind][1]
    for name in ("decoder", "encoder", "source", "target", "head"):
        del described["model"][name]
    for name in ("objective", "schedule", "freeze"):
        del described["training"]["options"][name]
    write_atomically(path, json.dumps(described).encode())


def train(folder, kind, epochs=1, resume=False):
    options = TrainingOptions(epochs=epochs, batch=8, lr=0.01)
    return train_run(folder, PAIRS, VALID, SMALL | MODELS[kind][0], DATA, options, resume=resume, say=lambda line: None)


@pytest.mark.parametrize("kind", MODELS)
def test_an_old_run_says_what_it_said_and_goes_on(tmp_path, kind):
    train(tmp_path / "run", kind)
    model, *_ = load_model(tmp_path / "run")
    before, _ = load_arrays(tmp_path / "run" / files.TRAINING)
    shutil.copytree(tmp_path / "run", tmp_path / "old")
    as_of_old(tmp_path / "old", kind, lr=0.0025)  # after two epochs without progress
    with pytest.raises(CheckpointError, match="format 2.*numseq convert"):
        load_model(tmp_path / "old")
    convert(tmp_path / "old")
    again, *_ = load_model(tmp_path / "old")
    assert again.config == model.config
    after, state = load_arrays(tmp_path / "old" / files.TRAINING)
    assert after.keys() == before.keys() and all((after[name] == before[name]).all() for name in before)
    assert state["setbacks"] == 2 and state["weight"] == 0
    _, metrics = train(tmp_path / "old", kind, epochs=2, resume=True)
    assert metrics[-1]["epoch"] == 2 and metrics[-1]["lr"] == 0.0025 and np.isfinite(metrics[-1]["train_loss"])


def test_a_conversion_that_was_stopped_is_done_again(tmp_path, monkeypatch):
    train(tmp_path / "run", "bahdanau")
    as_of_old(tmp_path / "run", "bahdanau", lr=0.01)
    with monkeypatch.context() as patch:
        patch.setattr("numseq.training.convert.Description.save", lambda *args: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            convert(tmp_path / "run")
    convert(tmp_path / "run")
    load_model(tmp_path / "run")


def test_what_is_no_old_run_is_refused_in_a_line(tmp_path):
    train(tmp_path / "run", "plain")
    for folder, words in (("run", ["format 4"]), ("nowhere", ["not a run"])):
        result = numseq_cli("convert", tmp_path / folder)
        assert result.code == 1 and result.err.count("\n") == 1 and all(word in result.err for word in words)


def test_the_command_converts(tmp_path):
    train(tmp_path / "run", "luong")
    as_of_old(tmp_path / "run", "luong", lr=0.01)
    result = numseq_cli("convert", tmp_path / "run")
    assert result.code == 0 and "format" in result.out
    load_model(tmp_path / "run")
