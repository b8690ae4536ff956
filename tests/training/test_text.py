"""The text of a run: where it comes from changes nothing, and what is left out is said."""

import shutil

import numpy as np
import pytest
from helpers_run import digits, edit_config, words

from numseq.data import DataError
from numseq.data.corpus import Rows, TsvFiles
from numseq.errors import ConfigError
from numseq.training import CheckpointError, DataOptions, TrainingOptions, train_run
from numseq.training.checkpoint import Description, load_tokens
from numseq.training.run import resumed_options
from numseq.training.text import survey

PAIRS = words(60)
MODEL = {"embedding": 4, "hidden": 4, "attention_size": 4}
FILES = ("config.json", "model.safetensors", "source.tokens.json", "target.tokens.json")


def train(folder, pairs=PAIRS, valid=None, data=None, say=lambda line: None, resume=False, **options):
    options = TrainingOptions(**({"epochs": 1, "batch": 8, "lr": 0.01} | options))
    return train_run(folder, pairs, valid, MODEL, DataOptions(**(data or {})), options, say=say, resume=resume)


def bits(folder, but=()):
    return {name: (folder / name).read_bytes() for name in FILES if name not in but}


def forms(folder):
    """The same pairs in every form that a corpus can have."""
    table = folder / "pairs.tsv"
    table.write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS))
    yield PAIRS
    yield iter(PAIRS)
    yield np.array(PAIRS)
    yield [{"translation": {"en": s, "fr": t}} for s, t in PAIRS]
    yield TsvFiles(table)


def test_the_form_of_the_corpus_changes_no_bit(tmp_path):
    found = []
    for k, corpus in enumerate(forms(tmp_path)):
        train(tmp_path / str(k), corpus)
        found.append(bits(tmp_path / str(k)))
    assert all(one == found[0] for one in found)


def test_texts_that_differ_in_where_a_tab_or_a_line_feed_stands_are_told_apart():
    corpora = [
        [("a\tb", "c"), ("d", "e")],
        [("a", "b\tc"), ("d", "e")],
        [("a\0", "b\tc"), ("d", "e")],
        [("a", "b\tc\nd\te"), ("d", "e")],
        [("a", "b\tc"), ("d", "e"), ("d", "e")],
    ]
    found = {survey(Rows(pairs, "train"), None, 0, print).fingerprint for pairs in corpora}
    assert len(found) == len(corpora)
    parts = survey(Rows(PAIRS[:9], "train"), Rows(PAIRS[9:], "valid"), 0, print)
    assert parts.fingerprint != survey(Rows(PAIRS[:8], "train"), Rows(PAIRS[8:], "valid"), 0, print).fingerprint


@pytest.mark.parametrize(
    "data", [{}, {"source_tokens": "bpe", "target_tokens": "char", "max_length": 9, "long": "cut"}]
)
def test_a_cache_changes_no_number_and_the_second_time_nothing_is_cut_into_tokens(tmp_path, monkeypatch, data):
    train(tmp_path / "plain", data=data)
    told = [[], []]
    for k, said in enumerate(told):
        if k:
            monkeypatch.setattr("numseq.training.text.encode", None)
        train(tmp_path / str(k), data=data | {"cache": str(tmp_path / "cache")}, say=said.append)
        assert bits(tmp_path / str(k), ["config.json"]) == bits(tmp_path / "plain", ["config.json"])
        assert Description.load(tmp_path / str(k)).run == Description.load(tmp_path / "plain").run
    of_text = [[line for line in said if not line.startswith(("epoch", "memory"))] for said in told]
    assert of_text[0] == of_text[1] and of_text[0]
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_text_may_be_elsewhere_when_a_run_goes_on(tmp_path):
    rows = [[t, "?", s] for s, t in PAIRS]
    train(tmp_path / "run", rows, data={"source_column": "3", "target_column": "1"})
    train(tmp_path / "whole", epochs=2)
    train(tmp_path / "run", data={"cache": str(tmp_path / "c")}, resume=True, epochs=2)
    assert bits(tmp_path / "run", ["config.json"]) == bits(tmp_path / "whole", ["config.json"])
    _, data, _, _ = resumed_options(tmp_path / "run")
    assert (data.source_column, data.cache) == (None, str(tmp_path / "c"))
    with pytest.raises(CheckpointError, match="the training data are not those that this run began with"):
        train(tmp_path / "run", PAIRS[1:], resume=True)
    with pytest.raises(CheckpointError, match="lowercase is True, but the run began with False"):
        train(tmp_path / "run", data={"lowercase": True}, resume=True)


def test_a_run_from_before_these_options_has_what_was_usual(tmp_path):
    train(tmp_path / "run")
    old = shutil.copytree(tmp_path / "run", tmp_path / "old")
    new = ("joint", "max_vocabulary", "lowercase", "source_vocabulary_file", "target_vocabulary_file", "long")

    def forget(said):
        del said["training"]["where"], said["training"]["options"]["batch_by"]
        for name in new:
            del said["training"]["data"][name]

    edit_config(old, forget)
    assert resumed_options(old)[1:3] == resumed_options(tmp_path / "run")[1:3]


def test_long_pairs_are_cut_where_that_is_asked_for_and_counted(tmp_path):
    some = [*digits(30), ("1" * 40, "2"), ("1", "2" * 10**5)]
    said = []
    characters = {"source_tokens": "char", "target_tokens": "char", "max_length": 8}
    train(tmp_path / "cut", some, digits(9), characters | {"long": "cut"}, said.append)
    assert "cut 2 training pairs of more than 8 tokens" in said and any("; 32 training pairs" in line for line in said)
    said.clear()
    train(tmp_path / "drop", some, digits(9), characters, said.append)
    assert "left out 2 training pairs of more than 8 tokens" in said
    assert any("; 30 training pairs" in line for line in said)


def test_many_unknown_tokens_are_said_with_what_keeps_more(tmp_path):
    rare = [(f"{s} word{k}", t) for k, (s, t) in enumerate(PAIRS)]
    said = []
    train(tmp_path / "run", rare, PAIRS[:9], say=said.append)
    [advice] = [line for line in said if line.startswith("so many unknown")]
    assert "source tokens" in advice and "a lower --min-count, or --source-tokens bpe" in advice
    assert not any("--max-vocabulary" in line for line in said)
    train(tmp_path / "few", PAIRS, PAIRS[:9], {"max_vocabulary": 8, "min_count": 1}, said.append)
    assert any("a larger --max-vocabulary, or --target-tokens bpe" in line for line in said)


def test_batches_by_tokens_train_and_go_on_to_the_same_bits(tmp_path):
    by_tokens = {"batch": 40, "batch_by": "tokens"}
    train(tmp_path / "whole", epochs=2, **by_tokens)
    train(tmp_path / "run", epochs=1, **by_tokens)
    train(tmp_path / "run", epochs=2, resume=True, **by_tokens)
    assert bits(tmp_path / "run", ["config.json"]) == bits(tmp_path / "whole", ["config.json"])
    with pytest.raises(CheckpointError, match="batch_by is sentences, but the run began with tokens"):
        train(tmp_path / "run", epochs=2, resume=True, batch=40)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_sub_words_translate_raw_text(tmp_path, kind):
    data = {"source_tokens": kind, "target_tokens": kind, "max_vocabulary": 30, "joint": True}
    translator, _ = train(tmp_path / "run", [(s, s) for s, _ in PAIRS], data=data, epochs=6, lr=0.03)
    source, target = load_tokens(tmp_path / "run")
    assert source.to_json() == target.to_json() and source.kind == kind
    [one] = translator.translate(["1 2 ü"], replace_unk={})
    assert one.unknown == ["ü"] and "▁" not in one.text and "".join(one.source) == "▁1▁2▁ü"


@pytest.mark.parametrize(("pairs", "data", "says"), [
    ([("", "a")] * 3, {}, "train: no sentence pair in it"),
    ([("a", "b")], {}, "one sentence pair cannot be split"),
    ([("a b c", "a")] * 9, {"max_length": 2}, "no training pair is left"),
    ([{"a": "1", "b": "2", "c": "3"}] * 9, {}, r"train\[0\]: 3 texts in it where 2 were expected")])  # fmt: skip
def test_text_that_cannot_be_trained_on_leaves_no_folder(tmp_path, pairs, data, says):
    with pytest.raises(DataError, match=says):
        train(tmp_path / "run", pairs, data=data)
    assert not (tmp_path / "run").exists()


def test_one_column_alone_is_refused():
    with pytest.raises(ConfigError, match="go together"):
        DataOptions(source_column="1")
