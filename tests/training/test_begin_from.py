"""A run that begins with another's weights: which parameters count tokens, and what becomes of them."""

import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from helpers_run import digits

from numseq import params as trees
from numseq.models import HEADS, Seq2Seq, Seq2SeqConfig
from numseq.models.heads.vocabulary import VocabularyHead
from numseq.training import CheckpointError, DataOptions, TrainingOptions, begin_from, load_tokens, train_run
from numseq.training.arrays import load_arrays
from numseq.training.begin_from import token_axes
from numseq.training.checkpoint import METRICS, MODEL, TRAINING

SMALL = {"embedding": 4, "hidden": 6, "attention_size": 5}
DATA = DataOptions(source_tokens="char", target_tokens="char")
PAIRS = digits(40)
NEW = str.maketrans("789", "abc")
OTHERS = [(s.translate(NEW), t.translate(NEW)) for s, t in digits(40, seed=1)]  # whose tokens have another order
HARDLY = TrainingOptions(epochs=1, batch=16, lr=1e-30)  # steps too small to be seen


def train(folder, pairs, options=HARDLY, say=lambda line: None, **more):
    return train_run(folder, pairs, pairs[:5], SMALL | more.pop("model", {}), DATA, options, say=say, **more)


def arrays(run):
    return load_arrays(run / MODEL)[0]


# which parameters count tokens

EMBEDDING, OUTPUT = ("target", 0), {"head.W": ("target", 1), "head.b": ("target", 0)}
AXES = {
    "none": {"source.W": ("source", 0), "target.W": EMBEDDING} | OUTPUT,
    "target": {"source.W": ("source", 0), "target.W": EMBEDDING, "head.b": ("target", 0)},
    "all": {"target.W": EMBEDDING, "head.b": ("target", 0)},
}


@pytest.mark.parametrize("tied", AXES)
@pytest.mark.parametrize("size", [6, 7])  # one of them is a layer's size too
def test_the_axis_of_tokens_is_the_one_that_grows_with_the_vocabulary(tied, size):
    assert token_axes(Seq2SeqConfig(size, size, tied=tied, **SMALL)) == AXES[tied]


@dataclass
class PairHeadParams:
    W: np.ndarray  # (R, V)
    U: np.ndarray  # (2 V,)


class PairHead(VocabularyHead):
    """One whose second parameter has two numbers for a token, one after the other."""

    def init(self, rng, dtype):
        first = super().init(rng, dtype)
        return PairHeadParams(first.W, np.zeros(2 * first.W.shape[1], dtype))


@pytest.mark.usefixtures("parts_are_forgotten")
def test_a_parameter_that_grows_in_another_way_is_refused():
    HEADS["pairs"] = PairHead
    with pytest.raises(CheckpointError, match=r"head\.U has no axis of tokens"):
        token_axes(Seq2SeqConfig(9, 9, head="pairs", **SMALL))


# what becomes of them


def in_parts(run):
    """{token: its numbers} of every parameter that counts tokens, and the others, of a run."""
    tokens = dict(zip(("source", "target"), load_tokens(run), strict=True))
    found = arrays(run)
    axes = AXES[next(tied for tied, axes in AXES.items() if axes.keys() <= found.keys())]
    by_token = {
        name: {tokens[side].token(k): found[name].take(k, axis) for k in range(len(tokens[side]))}
        for name, (side, axis) in axes.items()
    }
    return by_token, {name: array for name, array in found.items() if name not in axes}


@pytest.mark.parametrize("tied", AXES)
def test_tokens_that_both_have_keep_their_numbers_and_new_ones_have_first_values(tmp_path, tied):
    usual = {"model": {"tied": tied}}
    train(tmp_path / "a", PAIRS, TrainingOptions(epochs=1, batch=8, lr=0.1), **usual)
    train(tmp_path / "new", OTHERS, **usual)
    said, known = [], "11 of 14 source tokens and 11 of 14 target tokens are known there; 3 and 3 are left out"
    train(tmp_path / "b", OTHERS, begin=tmp_path / "a", say=said.append, **usual)
    assert f"begins with the weights of {tmp_path}/a: {known}" in said
    (before, others), (found, taken), (first, _) = (in_parts(tmp_path / name) for name in ("a", "b", "new"))
    for name, of in found.items():
        assert set(of) - set(before[name]) == set("abc")
        for token, numbers in of.items():
            expected = (first if token in "abc" else before)[name][token]
            assert np.allclose(numbers, expected, rtol=0, atol=1e-25), (name, token)  # biases begin with 0
    assert all(np.array_equal(taken[name], array) for name, array in others.items())


def test_what_is_not_said_of_the_model_is_as_there(tmp_path):
    train(tmp_path / "a", PAIRS, model={"cell": "gru"})
    translator, _ = train_run(
        tmp_path / "b", OTHERS, None, {"dropout": 0.2}, DATA, HARDLY, begin=tmp_path / "a", say=lambda line: None
    )
    config = translator.model.config
    assert (config.cell, config.hidden, config.dropout) == ("gru", 6, 0.2)


def test_a_model_of_other_sizes_is_refused_by_what_was_said(tmp_path):
    train(tmp_path / "a", PAIRS)
    with pytest.raises(CheckpointError, match=r"hidden 8 \(there 6\)$"):
        train(tmp_path / "b", PAIRS, begin=tmp_path / "a", model={"hidden": 8})
    with pytest.raises(CheckpointError, match=r"layers 2 \(there 1\)$"):
        train(tmp_path / "b", PAIRS, begin=tmp_path / "a", model={"layers": 2})
    assert not (tmp_path / "b").exists()


def test_a_model_can_be_given_weights_without_a_run(tmp_path):
    train(tmp_path / "a", PAIRS)
    tokens, said = load_tokens(tmp_path / "a"), []
    model = Seq2Seq.create(Seq2SeqConfig(14, 14, **SMALL), seed=7)
    begin_from(model, tokens, tmp_path / "a", say=said.append)
    assert len(said) == 1
    assert all(np.array_equal(leaf, arrays(tmp_path / "a")[name]) for name, leaf in trees.walk(model.params))


def stopped_before_its_first_step(run):
    for name in (MODEL, TRAINING, METRICS):
        (run / name).unlink()


def test_a_run_that_was_stopped_before_its_first_step_begins_with_the_same_weights_again(tmp_path):
    options = TrainingOptions(epochs=1, batch=8, lr=0.01)
    train(tmp_path / "a", PAIRS, options)
    train(tmp_path / "b", OTHERS, options, begin=tmp_path / "a")
    again = shutil.copytree(tmp_path / "b", tmp_path / "again")
    stopped_before_its_first_step(again)
    train(again, OTHERS, options, resume=True)
    assert (again / MODEL).read_bytes() == (tmp_path / "b" / MODEL).read_bytes()


def test_weights_that_have_changed_meanwhile_are_not_taken_for_the_same(tmp_path):
    train(tmp_path / "a", PAIRS)
    train(tmp_path / "b", OTHERS, begin=tmp_path / "a")
    stopped_before_its_first_step(tmp_path / "b")
    shutil.rmtree(tmp_path / "a")
    train(tmp_path / "a", PAIRS, TrainingOptions(epochs=1, lr=0.01))
    with pytest.raises(CheckpointError, match="has others by now"):
        train(tmp_path / "b", OTHERS, resume=True)
