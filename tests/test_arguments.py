"""Whatever public function is given something of the wrong kind names the argument, and has not begun to work."""

from datetime import date

import numpy as np
import pytest
from helpers_run import words

from numseq import plots
from numseq.data import Pairs, Tokens, load_vectors, read_lines
from numseq.data.batches import Ragged
from numseq.errors import ArgumentError, NumseqError
from numseq.interop import from_torch, read, to_torch, write
from numseq.layers import LSTM, EmbeddingParams, LinearParams
from numseq.metrics import (
    align,
    alignment_error_rate,
    answer_errors,
    compare,
    corpus_scores,
    distinct,
    entity_f1,
    evaluate,
    extractive_scores,
    mean_words,
    novel_ngrams,
    regex_scores,
    response_accuracy,
    self_bleu,
    share_that_parses,
)
from numseq.metrics.errors import analyse
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.options import LARGEST
from numseq.search import BeamOptions, GreedyOptions, SamplingOptions, Translator, score
from numseq.studies.copy_memory import CopyMemory, init_copy, train_copy
from numseq.studies.flow import kept_share
from numseq.tasks import make_dates
from numseq.tasks.dates import write_date
from numseq.training import (
    SGD,
    Adam,
    DataOptions,
    Trainer,
    TrainingOptions,
    clip_by_global_norm,
    load_part,
    mean_loss,
    train_run,
)
from numseq.training.text import hold_out

LINES = ["1 2 3", "4 5", "6 7 8 9 0"]
PAIRS = words(20)
SMALL = {"embedding": 6, "hidden": 8, "attention_size": 6}
TOKENS = Tokens.train([source for source, _ in PAIRS], "word")
WITHOUT = Pairs.encode([("1", "2"), (" ", "3")], TOKENS, TOKENS)
FEWER = Tokens.train(["1"], "word")


@pytest.fixture(scope="module")
def translator():
    config = Seq2SeqConfig(len(TOKENS), len(TOKENS), **SMALL)
    return Translator(Seq2Seq.create(config), TOKENS, TOKENS)


def refusal(call, *arguments, **named):
    with pytest.raises(ArgumentError) as info:
        call(*arguments, **named)
    said = str(info.value)
    assert "\n" not in said and len(said) < 300
    return said


# texts, one of which is not its letters

NO_TEXTS = {
    "one string": ("1 2 3", " is '1 2 3'"),
    "bytes": (b"1 2 3", " is b'1 2 3'"),
    "None": (None, " is None"),
    "a number": (5, " is 5"),
    "a dict": ({"1 2": "3"}, " is {"),
    "a set": ({"1 2"}, " is {"),
    "a frozen set": (frozenset({"1 2"}), " is frozenset({"),
    "None among them": (["1 2", None, "3"], "[1] is None"),
    "bytes among them": (["1 2", b"3", "4"], "[1] is b'3'"),
    "a number among them": (["1 2", "3", 7], "[2] is 7"),
    "half a letter": (["1 2", "3 \ud800", "4"], "[1] is no text"),
}
TAKE_TEXTS = {
    "Translator.translate": ("lines", lambda t, x: t.translate(x)),
    "Translator.stream": ("lines", lambda t, x: next(t.stream(x))),
    "Tokens.train": ("lines", lambda t, x: Tokens.train(x, "word")),
    "Tokens.encode": ("lines", lambda t, x: TOKENS.encode(x)),
    "Tokens.join": ("tokens", lambda t, x: TOKENS.join(x)),
    "corpus_scores, hypotheses": ("hypotheses", lambda t, x: corpus_scores(x, LINES, "exact")),
    "corpus_scores, references": ("references", lambda t, x: corpus_scores(LINES, x, "exact")),
    "corpus_scores, references of a line": ("references[0]", lambda t, x: corpus_scores(["1"], [x], "exact")),
    "compare": ("hypotheses_b", lambda t, x: compare(LINES, x, LINES)),
    "analyse": ("references", lambda t, x: analyse(t.translate(LINES), x)),
    "distinct": ("texts", lambda t, x: distinct(x, 1)),
    "self_bleu": ("texts", lambda t, x: self_bleu(x)),
    "novel_ngrams": ("summaries", lambda t, x: novel_ngrams(x, LINES)),
    "response_accuracy": ("responses", lambda t, x: response_accuracy(x, LINES, [1, 2, 3])),
    "entity_f1, entities": ("entities", lambda t, x: entity_f1(LINES, LINES, x)),
    "answer_errors": ("references", lambda t, x: answer_errors(LINES, x, [1, 2, 3])),
    "regex_scores": ("hypotheses", lambda t, x: regex_scores(x, LINES)),
    "share_that_parses": ("texts", lambda t, x: share_that_parses(x, "json")),
    "mean_words": ("references", lambda t, x: mean_words(x)),
    "extractive_scores": ("sources", lambda t, x: extractive_scores(x, LINES, 3)),
    "attention_map, source": ("source", lambda t, x: plots.attention_map(np.ones((3, 3)), x, LINES)),
    "attention_map, target": ("target", lambda t, x: plots.attention_map(np.ones((3, 3)), LINES, x)),
    "make_dates": ("locales", lambda t, x: make_dates(1, 1, 1, 0, locales=x)),
}


@pytest.mark.parametrize("wrong", NO_TEXTS)
@pytest.mark.parametrize("door", TAKE_TEXTS)
def test_what_is_no_list_of_texts_is_named(translator, door, wrong):
    (called, call), (given, words) = TAKE_TEXTS[door], NO_TEXTS[wrong]
    if called == "references[0]" and isinstance(given, str):
        return  # one reference of a line may stand alone
    assert refusal(call, translator, given).startswith(called + words)


class OldSequence:
    """As before there was __iter__."""

    def __getitem__(self, k):
        return LINES[k]


def test_any_iterable_that_has_an_order_is_taken(translator):
    expected = [one.text for one in translator.translate(LINES)]
    for lines in (
        tuple(LINES),
        iter(LINES),
        (line for line in LINES),
        np.array(LINES),
        dict.fromkeys(LINES).keys(),
        OldSequence(),
    ):
        assert [one.text for one in translator.translate(lines)] == expected
    assert TOKENS.encode(line for line in LINES) == TOKENS.encode(LINES)
    assert corpus_scores(iter(LINES), iter(LINES), "exact")["exact_match"] == 1


# pairs

NO_PAIRS = {
    "dicts": ([{"source": "1 2", "target": "2 1"}] * 3, "[0] is {"),  # which train_run takes
    "triples": ([("1", "2"), ("1", "2", "3")], "[1] is ('1', '2', '3')"),
    "strings of two letters": (["ab", "cd"], "[0] is 'ab'"),
    "None on a side": ([("1", "2"), ("1", None)], "[1][1] is None"),
    "bytes on a side": ([(b"1", "2")], "[0][0] is b'1'"),
    "numbers": ([(1, 2)], "[0][0] is 1"),
    "lists of tokens": ([(["1"], ["2"])], "[0][0] is ['1']"),
    "half a letter": ([("1", "\udc80")], "[0][1] is no text"),
    "none at all": ([], " has no pair"),
    "a dict": ({"1": "2"}, " is {"),
    "a string": ("1 2", " is '1 2'"),
    "a number": (3, " is 3"),
}
TAKE_PAIRS = {
    "train_run, train": ("train", lambda t, x, folder: run(folder, train=x)),
    "train_run, valid": ("valid", lambda t, x, folder: run(folder, valid=x)),
    "evaluate": ("pairs", lambda t, x, folder: evaluate(t, x)),
    "Pairs.encode": ("pairs", lambda t, x, folder: Pairs.encode(x, TOKENS, TOKENS)),
}


def run(folder, **given):
    usual = {
        "train": PAIRS,
        "valid": None,
        "model": SMALL,
        "data": DataOptions(),
        "training": TrainingOptions(epochs=1),
    }
    return train_run(folder, **(usual | {"say": lambda line: None} | given))


@pytest.mark.parametrize(
    ("door", "wrong"),  # train_run takes dicts, the rows of a data set: tests/training/test_text.py
    [(door, wrong) for door in TAKE_PAIRS for wrong in NO_PAIRS if not (wrong == "dicts" and "train_run" in door)],
)
def test_what_are_no_pairs_of_texts_is_named(translator, tmp_path, door, wrong):
    (called, call), (given, words) = TAKE_PAIRS[door], NO_PAIRS[wrong]
    assert refusal(call, translator, given, tmp_path / "run").startswith(called + words)
    assert not (tmp_path / "run").exists()


def test_pairs_may_be_lists_rows_of_arrays_and_come_from_a_generator():
    expected = Pairs.encode(PAIRS, TOKENS, TOKENS).source.flat.tolist()
    for pairs in ([list(pair) for pair in PAIRS], np.array(PAIRS), (pair for pair in PAIRS)):
        assert Pairs.encode(pairs, TOKENS, TOKENS).source.flat.tolist() == expected


# train_run: nothing is made of a folder


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"folder": 5}, "folder is 5: it must be a path"),
        ({"model": None}, "model is None: it must be a dict, of options of a Seq2SeqConfig"),
        ({"model": Seq2SeqConfig(9, 9)}, "model is Seq2SeqConfig"),
        ({"model": SMALL | {"hiden": 8}}, "model has 'hiden', which is no option"),
        ({"model": SMALL | {"source_vocabulary": 8}}, "model has source_vocabulary: that follows from the data"),
        ({"model": SMALL | {5: 8}}, "model has 5, which is no option"),
        ({"model": SMALL | {"hidden": 8.0}}, "hidden is 8.0: it must be a whole number"),
        ({"data": {}}, "data is {}: it must be of DataOptions"),
        ({"data": TrainingOptions()}, "data is TrainingOptions"),
        ({"training": {"epochs": 2}}, "training is {'epochs': 2}: it must be of TrainingOptions"),
        ({"resume": "no"}, "resume is 'no': it must be of bool"),
        ({"say": None}, "say is None: it must be a function"),
        ({"begin": 3}, "begin is 3: it must be a path"),
        ({"prepare": 3}, "prepare is 3: it must be a function"),
        ({"trainer": 3}, "trainer is 3: it must be a function"),
        ({"origin": "here"}, "origin is 'here': it must be a dict"),
        ({"origin": {"made": {1, 2}}}, "origin cannot be kept as JSON: "),
    ],
)
def test_training_that_cannot_begin_makes_no_folder(tmp_path, wrong, words):
    folder = wrong.pop("folder", tmp_path / "run")
    assert refusal(run, folder, **wrong).startswith(words)
    assert list(tmp_path.iterdir()) == []


# numbers

WHOLE = {
    "stream, batch_size": ("batch_size", lambda t, n: t.translate(LINES, n)),
    "Translator": ("extra", lambda t, n: Translator(t.model, TOKENS, TOKENS, extra=n)),
    "stream, numbered_from": ("numbered_from", lambda t, n: t.translate(LINES, numbered_from=n)),
    "rescore": ("batch_size", lambda t, n: t.rescore([], n)),
    "score": ("batch_size", lambda t, n: score(t.model, Pairs.encode(PAIRS, TOKENS, TOKENS), n)),
    "evaluate": ("batch_size", lambda t, n: evaluate(t, PAIRS, batch_size=n)),
    "compare, samples": ("samples", lambda t, n: compare(LINES, LINES, LINES, samples=n)),
    "compare, seed": ("seed", lambda t, n: compare(LINES, LINES, LINES, seed=n)),
    "distinct": ("n", lambda t, n: distinct(LINES, n)),
    "Tokens.train": ("min_count", lambda t, n: Tokens.train(2 * LINES, "word", n)),
    "hold_out": ("seed", lambda t, n: hold_out(9, n)),
    "make_dates, n_test": ("n_test", lambda t, n: make_dates(1, 1, n, 0)),
    "make_dates, seed": ("seed", lambda t, n: make_dates(1, 1, 1, n)),
    "CopyMemory": ("length", lambda t, n: CopyMemory(length=n)),
    "CopyMemory.batch": ("rows", lambda t, n: CopyMemory().batch(np.random.default_rng(0), n)),
    "kept_share": ("start", lambda t, n: kept_share(np.ones((3, 2, 2)), n)),
    "TrainingOptions": ("epochs", lambda t, n: TrainingOptions(epochs=n)),
    "SamplingOptions": ("top_k", lambda t, n: SamplingOptions(top_k=n)),
    "GreedyOptions": ("min_length", lambda t, n: GreedyOptions(min_length=n)),
    "BeamOptions": ("beam", lambda t, n: BeamOptions(beam=n)),
    "Seq2SeqConfig": ("hidden", lambda t, n: Seq2SeqConfig(9, 9, hidden=n)),
}


@pytest.mark.parametrize("given", [2.5, 2.0, "2", None, -1, True, np.float32(2), np.array([2]), 2j, LARGEST + 1])
@pytest.mark.parametrize("door", WHOLE)
def test_what_is_no_whole_number_in_bounds_is_named(translator, door, given):
    called, call = WHOLE[door]
    assert refusal(call, translator, given).startswith(f"{called} is ")


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int16, np.array])
@pytest.mark.parametrize("door", [door for door in WHOLE if door != "kept_share"])
def test_whole_numbers_of_numpy_are_numbers(translator, door, kind):
    WHOLE[door][1](translator, kind(2))


def test_a_number_too_long_to_be_written_is_refused_in_a_short_line():
    assert refusal(BeamOptions, beam=10**5000).startswith("beam is a number of thousands of digits: ")
    assert refusal(TrainingOptions, lr=10**5000).startswith("lr is a number of thousands of digits: ")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: t.translate(LINES, max_ratio="2"), "max_ratio is '2': it must be a number"),
        (lambda t: t.translate(LINES, max_ratio=np.nan), "max_ratio is nan"),
        (lambda t: t.translate(LINES, max_ratio=-1), "max_ratio is -1"),
        (lambda t: t.translate(LINES, extra=2e6), "extra is 2000000.0"),
        (lambda t: t.translate(LINES, extra=-1), "extra is -1"),
        (lambda t: TrainingOptions(lr="1e-3"), "lr is '1e-3'"),
        (lambda t: train_copy(*copying(), updates=2.5), "updates is 2.5"),
        (lambda t: train_copy(*copying(), updates=2, clip="1"), "clip is '1'"),
        (lambda t: train_copy("copy", *copying()[1:], updates=2), "task is 'copy': it must be of CopyMemory"),
    ],
)
def test_other_numbers(translator, call, words):
    assert refusal(call, translator).startswith(words)


def copying():
    task, cell = CopyMemory(2, 1, 2), LSTM()
    return task, cell, init_copy(np.random.default_rng(0), task, cell, 4)


# ids


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TOKENS.decode([5, -1]), "ids[1] is -1: an id is a whole number from 0 to "),
        (lambda: TOKENS.decode([5, len(TOKENS)]), f"ids[1] is {len(TOKENS)}: "),
        (lambda: TOKENS.decode([5.0]), "ids[0] is 5.0: "),
        (lambda: TOKENS.decode([True]), "ids[0] is True: "),
        (lambda: TOKENS.decode(["5"]), "ids[0] is '5': "),
        (lambda: TOKENS.decode("5 6"), "ids is '5 6': "),
        (lambda: TOKENS.decode(5), "ids is 5: "),
        (lambda: TOKENS.token(-1), "k is -1: "),
        (lambda: TOKENS.token(len(TOKENS)), f"k is {len(TOKENS)}: "),
        (lambda: TOKENS.token(4.5), "k is 4.5: "),
        (lambda: Ragged([[4, 5], [6, -1]]), "sequences holds -1: ids are whole numbers from 0"),
        (lambda: Ragged([[4, 2.5]]), "sequences holds float64: "),
        (lambda: Ragged([["a", "b"]]), "sequences holds <U1: "),
        (lambda: Ragged([[True, False]]), "sequences holds bool: "),
    ],
)
def test_what_is_no_id_is_named(call, words):
    assert refusal(call).startswith(words)


def test_ids_of_numpy_are_ids():
    assert TOKENS.decode(np.array([4, 5])) == TOKENS.decode([4, 5]) == TOKENS.decode(iter([np.int32(4), np.int64(5)]))
    assert TOKENS.token(np.int64(4)) == TOKENS.token(4)
    assert Ragged([np.array([4, 5]), []]).flat.tolist() == [4, 5]
    assert Ragged(iter([[4, 5], [6]])).lengths.tolist() == [2, 1]


def test_ids_that_the_model_lacks_are_named_before_anything_is_computed(translator, tmp_path):
    beyond = len(TOKENS)
    right, wrong = Pairs(Ragged([[4, 5]]), Ragged([[4]])), Pairs(Ragged([[4, 5]]), Ragged([[beyond]]))
    said = f"has the target id {beyond}: the model knows those below {beyond}"
    assert refusal(score, translator.model, wrong) == f"pairs {said}"
    assert refusal(Trainer, translator.model, wrong, right, tmp_path, TrainingOptions()) == f"train {said}"
    assert refusal(Trainer, translator.model, right, wrong, tmp_path, TrainingOptions()) == f"valid {said}"
    assert list(tmp_path.iterdir()) == []


# objects

CHECKED = "a Check, as numseq.gradcheck.check returns it"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: t.translate(LINES, search="beam"), "search is 'beam': it must be of GreedyOptions, BeamOptions or "),
        (lambda t: t.translate(LINES, search={"beam": 5}), "search is {'beam': 5}: "),
        (lambda t: t.translate(LINES, search=BeamOptions), "search is <class "),
        (lambda t: t.translate(LINES, search=TrainingOptions()), "search is TrainingOptions("),
        (lambda t: t.translate(LINES, replace_unk=True), "replace_unk is True: it must be a dict of source words to "),
        (lambda t: t.translate(LINES, replace_unk=["a"]), "replace_unk is ['a']: "),
        (lambda t: t.translate(LINES, replace_unk={"a": None}), "replace_unk has 'a': None: "),
        (lambda t: t.rescore(["1 2"]), "translations[0] is '1 2': it must be of Translation"),
        (lambda t: Translator.ensemble([]), "translators holds none"),
        (lambda t: score(t.model, PAIRS), "pairs is [("),
        (lambda t: score(t, Pairs.encode(PAIRS, TOKENS, TOKENS)), "model is Translator("),
        (lambda t: Translator(t.model, FEWER, TOKENS), f"source_tokens has 5 tokens, and the model {len(TOKENS)}"),
        (lambda t: Translator(t.model, TOKENS, FEWER), f"target_tokens has 5 tokens, and the model {len(TOKENS)}"),
        (lambda t: Translator(t, TOKENS, TOKENS), "model is Translator("),
        (lambda t: Translator(t.model, "word", TOKENS), "source_tokens is 'word': it must be of Tokens"),
        (lambda t: Translator.ensemble([t, t.model]), "translators[1] is Seq2Seq"),
        (lambda t: Translator.ensemble(5), "translators is 5"),
        (lambda t: t.rescore(None), "translations is None"),
        (lambda t: Seq2Seq.create({"hidden": 8}), "config is {'hidden': 8}: it must be of Seq2SeqConfig"),
        (lambda t: mean_loss(t, Pairs.encode(PAIRS, TOKENS, TOKENS)), "model is Translator("),
        (lambda t: mean_loss(t.model, PAIRS), "corpus is [("),
        (lambda t: mean_loss(t.model, Pairs(Ragged([]), Ragged([]))), "corpus has no pair in it"),
        (lambda t: mean_loss(t.model, WITHOUT), "corpus has a pair without a source, the first is number 2"),
        (lambda t: Trainer(t.model, WITHOUT, WITHOUT, ".", TrainingOptions()), "train has a pair without a source"),
        (lambda t: load_part(t, "run", "encoder"), "model is Translator("),
        (lambda t: load_part(t.model, "run", None), "prefix is None: it must be a text"),
        (lambda t: read_lines(None), "path is None: it must be a path"),
        (lambda t: read_lines(0), "path is 0: it must be a path"),
        (lambda t: load_vectors("vectors", "word", 8), "tokens is 'word': it must be of Tokens"),
        (lambda t: Adam(t.model.params, lr="0.1"), "lr is '0.1': it must be of Real"),
        (lambda t: Adam(t.model.params, lr=-0.1), "lr is -0.1: it must be a number of at least 0"),
        (lambda t: SGD(t.model.params, lr=np.nan), "lr is nan: it must be a number of at least 0"),
        (lambda t: SGD(t.model.params, weight_decay=-1), "weight_decay is -1: it must be finite and at least 0"),
        (lambda t: clip_by_global_norm(t.model.params, -1), "largest is -1: it must be above 0"),
        (lambda t: clip_by_global_norm(t.model.params, np.nan), "largest is nan: it must be above 0"),
        (lambda t: Trainer(t, PAIRS, PAIRS, ".", TrainingOptions()), "model is Translator("),
        (lambda t: Trainer(t.model, PAIRS, PAIRS, ".", TrainingOptions()), "train is [("),
        (lambda t: Trainer(t.model, PAIRS, PAIRS, "no such folder", TrainingOptions()), "folder is 'no such folder': "),
        (lambda t: Trainer(t.model, PAIRS, PAIRS, ".", {"epochs": 1}), "options is {'epochs': 1}: "),
        (lambda t: Trainer(t.model, PAIRS, PAIRS, ".", TrainingOptions(), say=1), "say is 1: it must be a function"),
        (lambda t: corpus_scores(LINES, LINES, [5]), "metrics[0] is 5"),
        (lambda t: corpus_scores(LINES, LINES, 5), "metrics is 5"),
        (lambda t: align(None), "alpha is None"),
        (lambda t: align([[0.5, 0.5], [1.0]]), "alpha is [[0.5, 0.5], [1.0]]: it must be numbers of shape (T, S)"),
        (lambda t: align([0.5, 0.5]), "alpha holds float64 of shape (2,): it must be numbers of shape (T, S)"),
        (lambda t: align("ab"), "alpha holds <U2 of shape (): "),
        (lambda t: alignment_error_rate([{(0, 0)}], [{(0, 0.5)}], [set()]), "sure[0][0] is (0, 0.5): "),
        (lambda t: alignment_error_rate([["00"]], [[]], [[]]), "alignments[0][0] is '00': "),
        (lambda t: alignment_error_rate([[(0, 0, 0)]], [[]], [[]]), "alignments[0][0] is (0, 0, 0): it must be a pair"),
        (lambda t: alignment_error_rate("0-0", [[]], [[]]), "alignments is '0-0': "),
        # pictures
        (lambda t: plots.attention_map(None, LINES, LINES), "alpha is None: a plain model attends to nothing"),
        (lambda t: plots.attention_map([["a"]], ["a"], ["b"]), "alpha holds <U1 of shape (1, 1): it must be "),
        (lambda t: plots.attention_map(np.ones((1, 1)), ["a"], ["b"], title=5), "title is 5"),
        (lambda t: plots.learning_curve("run"), "metrics is 'run': it must be a list of dicts"),
        (lambda t: plots.learning_curve({"epoch": 1}), "metrics is {'epoch': 1}: "),
        (lambda t: plots.learning_curve(["epoch 1"]), "metrics[0] is 'epoch 1': "),
        (lambda t: plots.learning_curve([{"train_loss": "low"}]), "metrics[0] has the train_loss 'low': "),
        (lambda t: plots.learning_curves([]), "runs is []: it must be a dict of labels to lines"),
        (lambda t: plots.learning_curves({"a": 5}), "runs['a'] is 5: it must be a list of dicts"),
        (lambda t: plots.learning_curves({"a": [5]}), "runs['a'][0] is 5: it must be a list of dicts"),
        (lambda t: plots.learning_curves({"a": [{"train_loss": "low"}]}), "runs['a'][0] has the train_loss 'low': "),
        (lambda t: plots.learning_curves({"a": [{"train_loss": 1}]}, x=5), "x is 5"),
        (lambda t: plots.learning_curves({"a": [{"train_loss": 1}]}, log=1), "log is 1"),
        (lambda t: plots.gradient_errors("lstm"), f"check is 'lstm', which has no quantities: it must be {CHECKED}"),
        (lambda t: plots.error_curve([1, 2]), "curves is [1, 2]: "),
        (lambda t: plots.error_curve({"central": [1, 2, 3]}), "curves['central'] is [1, 2, 3]: it must be a pair"),
        (lambda t: plots.error_curve({"central": ([1, 2], [1])}), "curves['central'] has 2 steps and 1 errors"),
        (lambda t: plots.gradient_flow({"a": {"b": [1]}}), "rows['a']['b'] is [1]: "),
        (lambda t: plots.gradient_flow({"a": {"b": {"c": ["x"]}}}), "rows['a']['b']['c'] holds <U1 of shape (): "),
        (lambda t: plots.saturation({"a": {"b": {"f": 0.5}}}), "rows['a']['b']['f'] is 0.5, which has no above: "),
        (lambda t: plots.updates({"a": {"b": [0.5]}}), "panels['a']['b'] is 0.5, which has no loss: "),
        (lambda t: plots.beam_tree([]), "rows has no node"),
        (lambda t: plots.beam_tree([["a"]]), "rows[0] is 'a', which has no token: "),
        (lambda t: plots.save("figure", "a.png"), "figure is 'figure', which has no savefig: "),
        (lambda t: plots.save(plots.learning_curve([{"train_loss": 1}]), 5), "path is 5: it must be a path"),
        # other libraries' weights
        (lambda t: read(5), "path is 5: it must be a path"),
        (lambda t: write(None, {}), "path is None: it must be a path"),
        (lambda t: from_torch({1: np.ones(2)}), "a name of the state dict is 1"),
        (lambda t: from_torch({"weight": np.ones((2, 2))}, ["Linear"]), "kind is ['Linear']"),
        (lambda t: from_torch({"weight": np.ones((2, 2))}, prefix=None), "prefix is None"),
        (lambda t: to_torch(LinearParams(np.ones((2, 2)), None), prefix=5), "prefix is 5"),
        (lambda t: to_torch(EmbeddingParams(np.ones((2, 2))), prefix=b"a."), "prefix is b'a.'"),
        # dates
        (lambda t: make_dates(1, 1, 1, 0, first="2011"), "first is '2011': it must be of date"),
        (lambda t: write_date("2011-05-10", "{y}", "fr"), "day is '2011-05-10': it must be of date"),
        (lambda t: write_date(date(2011, 5, 10), "{ddd}", "fr"), "pattern is '{ddd}', which is none of fr's"),
        (lambda t: write_date(date(2011, 5, 10), "{d", "fr"), "pattern is '{d', which is none of fr's"),
        (lambda t: write_date(date(2011, 5, 10), "{d}", "xx"), "unknown locale 'xx'"),
    ],
)  # fmt: skip
def test_objects_of_the_wrong_kind_are_named(translator, call, words):
    assert refusal(call, translator).startswith(words)


def test_an_argument_that_is_refused_is_a_mistake_of_a_user_and_a_value_error():
    """So the command line shows it as a line, and whoever catches ValueError has it."""
    assert issubclass(ArgumentError, NumseqError) and issubclass(ArgumentError, ValueError)
