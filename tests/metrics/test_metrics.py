"""The figures are those of the standard libraries on the same lines, or numbers worked out by hand."""

import math
import os
import random
import sys
import unicodedata
from unittest import mock

import jiwer
import numpy as np
import pytest
import sacrebleu
from helpers_run import words
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from numseq.data.batches import Pairs
from numseq.data.tokens import Tokens
from numseq.errors import ConfigError
from numseq.metrics import METRICS, align, alignment_error_rate, compare, corpus_scores, distinct, evaluate, self_bleu
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.search.beam import BeamOptions
from numseq.search.scoring import score
from numseq.search.translate import Translator

TEXTUAL = [name for name in METRICS if name not in ("novel", "ppl")]  # which need more than lines and references
HYPOTHESES = [
    "The cat sat on a mat.",
    "he reads the long book quickly",
    "",
    "Good morning, everyone!",
    "it rains today",
]
FIRST = ["The cat sat on the mat.", "he quickly reads the book", "nothing", "Good morning, everyone!", "today it rains"]
SECOND = ["There was a cat on a mat.", "he is reading a long book", "", "Good day to all!", "rain falls today"]
SEVERAL = [[FIRST[0], SECOND[0]], [FIRST[1]], [FIRST[2], "not a thing"], [SECOND[3], FIRST[3]], [FIRST[4], SECOND[4]]]


def systems(lines=60, seed=0):
    """(references, good, bad): a tenth and a third of the words wrong."""
    rng = random.Random(seed)
    vocabulary = [f"word{k}" for k in range(40)]
    references = [" ".join(rng.choices(vocabulary, k=rng.randint(6, 14))) for _ in range(lines)]

    def noisy(share):
        return [" ".join(w if rng.random() > share else rng.choice(vocabulary) for w in r.split()) for r in references]

    return references, noisy(0.1), noisy(0.33)


@pytest.fixture(scope="module")
def translator():
    pairs = words(30)
    sides = [Tokens.train(list(side), "word") for side in zip(*pairs, strict=True)]
    return Translator(Seq2Seq.create(Seq2SeqConfig(len(sides[0]), len(sides[1]), embedding=6, hidden=8)), *sides)


# corpus_scores: the figures of sacrebleu, rouge-score and jiwer


@pytest.mark.parametrize("tokenize", ["13a", "none", "char"])
def test_bleu_chrf_and_ter_are_those_of_sacrebleu(tokenize):
    found = corpus_scores(HYPOTHESES, FIRST, ("bleu", "chrf", "ter"), tokenize)
    bleu = BLEU(tokenize=tokenize, force=True)
    assert found["bleu"] == bleu.corpus_score(HYPOTHESES, [FIRST]).score > 0
    assert found["chrf"] == sacrebleu.corpus_chrf(HYPOTHESES, [FIRST]).score
    assert found["ter"] == sacrebleu.corpus_ter(HYPOTHESES, [FIRST]).score
    assert found["bleu_signature"] == str(bleu.get_signature()) and f"tok:{tokenize}" in found["bleu_signature"]
    assert "nc:6" in found["chrf_signature"] and "tok:tercom" in found["ter_signature"]
    assert found["sentences"] == 5


def test_sacrebleu_takes_several_references_and_different_numbers_of_them():
    streams = [[r[0] for r in SEVERAL], [r[1] if len(r) > 1 else None for r in SEVERAL]]
    found = corpus_scores(HYPOTHESES, SEVERAL, "bleu,chrf,ter")
    assert found["bleu"] == sacrebleu.corpus_bleu(HYPOTHESES, streams).score
    assert found["chrf"] == sacrebleu.corpus_chrf(HYPOTHESES, streams).score
    assert found["ter"] == sacrebleu.corpus_ter(HYPOTHESES, streams).score
    assert found["bleu_signature"].startswith("nrefs:var")
    assert found["bleu"] > corpus_scores(HYPOTHESES, [r[0] for r in SEVERAL])["bleu"]


def test_rouge_is_the_mean_of_rouge_score():
    names = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(names)
    one = [scorer.score(reference, line) for reference, line in zip(FIRST, HYPOTHESES, strict=True)]
    best = [scorer.score_multi(references, line) for references, line in zip(SEVERAL, HYPOTHESES, strict=True)]
    for references, wanted in ((FIRST, one), (SEVERAL, best)):
        found = corpus_scores(HYPOTHESES, references, ["rouge"])
        for name in names:
            assert found[name] == pytest.approx(100 * np.mean([scores[name].fmeasure for scores in wanted]))


def test_rouge_by_hand():
    found = corpus_scores(["a b c d"], ["a c b"], ["rouge"])  # 3 words, no pair of words, 2 in order, of 4 and of 3
    assert (found["rouge1"], found["rouge2"]) == (pytest.approx(600 / 7), 0)
    assert found["rougeL"] == pytest.approx(400 / 7)


def test_rouge_of_another_script_needs_a_tokeniser():
    line = "добрый день всем"
    assert corpus_scores([line], [line], "rouge")["rouge1"] == 0
    for tokenize in ("none", "intl"):
        assert corpus_scores([line], [line], "rouge", tokenize)["rougeL"] == pytest.approx(100)


def test_word_error_rate_is_that_of_jiwer():
    found = corpus_scores(HYPOTHESES, FIRST, ["wer", "per"])
    assert found["wer"] == found["per"] == jiwer.wer(FIRST, HYPOTHESES) > 0
    assert found["word_errors"] == 4 / 5


def test_error_rates_by_hand():
    # one of 3 phones replaced; right; one of 2 left out; two too many after 1
    found = corpus_scores(["K AE D", "D AO G", "AH", "S IY Z"], ["K AE T", "D AO G", "AH N", "S"], "per,wer,exact")
    assert found == {"exact_match": 0.25, "wer": 4 / 9, "per": 4 / 9, "word_errors": 0.75, "sentences": 4}


def test_the_closest_reference_counts():
    assert corpus_scores(["a b c"], [["a x", "a b d e"]], "wer")["wer"] == 2 / 4  # both 2 edits away: the longer
    assert corpus_scores(["a b c"], [["x y z v w", "a b"]], "wer")["wer"] == 1 / 2
    pronunciations = [["R IY D", "R EH D"], ["T AH"]]
    found = corpus_scores(["R EH D", "T OW"], pronunciations, ("per", "exact"))
    assert (found["per"], found["word_errors"], found["exact_match"]) == (1 / 5, 1 / 2, 1 / 2)


def test_exact_match_is_of_any_reference():
    assert corpus_scores(HYPOTHESES, FIRST, "exact") == {"exact_match": 0.2, "sentences": 5}
    assert corpus_scores(["a", "b", "c"], [["x", "a"], ["b"], "d"], ["exact"])["exact_match"] == 2 / 3


def test_empty_lines_are_scored():
    found = corpus_scores(["", "a b", ""], ["c d", "", ""], TEXTUAL)
    assert found["wer"] == found["per"] == 4 / 2  # two left out, two too many
    assert (found["word_errors"], found["exact_match"]) == (2 / 3, 1 / 3)
    assert found["bleu"] == found["rouge1"] == 0
    assert corpus_scores([""], [""], TEXTUAL)["wer"] == 0
    assert corpus_scores(["a b c"], [""], TEXTUAL)["wer"] == 3 == jiwer.wer([""], ["a b c"])
    assert corpus_scores(["a", ""], [["", "a"], ["", "b"]], TEXTUAL)["wer"] == 0


LINES = st.lists(st.lists(st.sampled_from("abcde"), max_size=7).map(" ".join), min_size=1, max_size=5)


@given(LINES)
@settings(max_examples=30, deadline=None)
def test_identical_lines_are_perfect(lines):
    found = corpus_scores(lines, lines, TEXTUAL, "none")
    assert found["wer"] == found["per"] == found["word_errors"] == found["ter"] == 0 and found["exact_match"] == 1
    share = sum(bool(line) for line in lines) / len(lines)  # of nothing, rouge-score makes 0
    assert found["rouge1"] == found["rougeL"] == pytest.approx(100 * share)
    assert found["chrf"] == pytest.approx(100 * any(lines))
    if max(len(line.split()) for line in lines) >= 4:  # else there is no 4-gram, and sacrebleu says 0
        assert found["bleu"] == pytest.approx(100)


@given(LINES, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_figures_stay_in_their_ranges_and_do_not_depend_on_order(lines, rng):
    references = [[rng.choice(lines) for _ in range(rng.randint(1, 3))] for _ in lines]
    found = corpus_scores(lines, references, TEXTUAL, "none")
    for name in ("bleu", "chrf", "rouge1", "rouge2", "rougeL"):
        assert 0 <= found[name] <= 100 + 1e-9
    assert found["wer"] >= 0 and found["ter"] >= 0
    assert found["word_errors"] == pytest.approx(1 - found["exact_match"])
    turned = corpus_scores(lines[::-1], references[::-1], TEXTUAL, "none")
    for name, value in found.items():
        assert turned[name] == (value if isinstance(value, str) else pytest.approx(value))
    kept = ["rouge", "wer", "per", "exact"]  # chrF, of references equally good, takes the first: lengths differ
    turned = corpus_scores(lines, [r[::-1] for r in references], kept, "none")
    assert turned == {name: pytest.approx(found[name]) for name in turned}


def test_metrics_choose_the_keys():
    assert corpus_scores(["a"], ["a"]).keys() == {
        "bleu", "chrf", "exact_match", "sentences", "bleu_signature", "chrf_signature"}  # fmt: skip
    assert corpus_scores(["a"], ["a"], "rouge").keys() == {"rouge1", "rouge2", "rougeL", "sentences"}


ERRORS = {
    "unknown metric": (lambda: corpus_scores(["a"], ["a"], ["bleu", "meteor"]), ["metrics", "meteor", "bleu, chrf"]),
    "no metric": (lambda: corpus_scores(["a"], ["a"], []), ["metrics", "bleu, chrf"]),
    "novel without sources": (lambda: corpus_scores(["a"], ["a"], "novel"), ["metrics has novel", "sources"]),
    "sources do not pair up": (lambda: corpus_scores(["a"], ["a"], "novel", sources=[]), ["sources has 0", "1"]),
    "perplexity of lines": (lambda: corpus_scores(["a"], ["a"], METRICS), ["metrics", "ppl", "model"]),
    "unknown tokeniser": (lambda: corpus_scores(["a"], ["a"], tokenize="magic"), ["tokenize", "magic", "13a"]),
    "lines do not pair up": (lambda: corpus_scores(["a", "b"], ["a"]), ["references has 1", "hypotheses 2"]),
    "nothing": (lambda: corpus_scores([], []), ["hypotheses", "nothing to score"]),
    "line without reference": (lambda: corpus_scores(["a", "b"], [["a"], []]), ["references", "line 2"]),
    "compare by rouge": (lambda: compare(["a"], ["a"], ["a"], "rouge"), ["metric is 'rouge'", "bleu, chrf, ter"]),
    "compare, unknown tokeniser": (lambda: compare(["a"], ["a"], ["a"], tokenize="x"), ["tokenize is 'x'", "13a"]),
    "compare too few": (lambda: compare(["a"], [], ["a"]), ["references has 1", "hypotheses_b 0"]),
    "compare too many": (lambda: compare(["a", "b"], ["a"], ["a"]), ["references has 1", "hypotheses_a 2"]),
    "compare nothing": (lambda: compare([], [], []), ["hypotheses_a", "nothing to score"]),
    "no samples": (lambda: compare(["a"], ["a"], ["a"], samples=0), ["samples is 0"]),
    "negative seed": (lambda: compare(["a"], ["a"], ["a"], seed=-1), ["seed is -1"]),
    "alignments do not pair up": (lambda: alignment_error_rate([set()], [], []), ["alignments", "1, 0 and 0"]),
    "no alignments": (lambda: alignment_error_rate([], [], []), ["alignments", "nothing to score"]),
    "no weights": (lambda: align(None), ["alpha", "plain"]),
    "distinct-0": (lambda: distinct(["a"], 0), ["n is 0"]),
    "self-BLEU of one": (lambda: self_bleu(["a"]), ["texts has 1", "2"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_one_line(name):
    call, parts = ERRORS[name]
    with pytest.raises(ConfigError) as error:
        call()
    assert "\n" not in str(error.value)
    assert all(part in str(error.value) for part in parts), str(error.value)


# compare


@pytest.mark.parametrize("metric", ["bleu", "chrf", "ter"])
def test_systems_that_differ_are_told_apart(metric):
    references, good, bad = systems()
    found = compare(bad, good, references, metric, samples=200)
    low, high = found["interval"]
    assert found["p_value"] < 0.05 and low < found["difference"] < high
    assert (high < 0) if metric == "ter" else (low > 0)
    scores = [corpus_scores(lines, references, [metric])[metric] for lines in (bad, good)]
    assert [found["score_a"], found["score_b"]] == pytest.approx(scores)
    assert found["difference"] == found["score_b"] - found["score_a"] and "bs:200" in found["signature"]
    turned = compare(good, bad, references, metric, samples=200)
    assert turned["interval"] == pytest.approx([-high, -low]) and turned["p_value"] == found["p_value"]


@pytest.mark.parametrize("metric", ["bleu", "chrf", "ter"])
def test_a_system_does_not_differ_from_itself(metric):
    references, good, _ = systems()
    found = compare(good, good, references, metric, samples=50)
    assert (found["difference"], found["interval"], found["p_value"]) == (0, [0, 0], 1)


def test_systems_alike_are_not_told_apart():
    references, good, _ = systems(40)
    other = good[:-1] + [references[-1].replace("word1", "word2")]
    found = compare(good, other, references, samples=200)
    assert found["p_value"] > 0.05 and found["interval"][0] <= 0 <= found["interval"][1]


def test_p_value_is_that_of_sacrebleu_and_seeded():
    references, good, bad = systems()
    other = [g if k % 4 else b for k, (g, b) in enumerate(zip(good, bad, strict=True))]
    before = dict(os.environ)
    found = compare(good, other, references, samples=100, seed=4)
    assert dict(os.environ) == before
    with mock.patch.dict(os.environ, SACREBLEU_SEED="5"):
        signatures, results = PairedTest([("a", good), ("b", other)], {"b": BLEU()}, [references], "bs", 100)()
    assert found["p_value"] == results["BLEU"][1].p_value and found["signature"] == str(signatures["BLEU"])
    for seed in (0, 4):
        first = compare(good, other, references, samples=100, seed=seed)
        assert first == compare(good, other, references, samples=100, seed=seed)
    assert first["interval"] != compare(good, other, references, samples=100, seed=5)["interval"]


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_interval_is_that_of_corpora_drawn_and_scored_anew(metric):
    references, good, bad = systems(12)
    rng = np.random.default_rng(3 + 1)
    differences = []
    for rows in rng.choice(12, size=(40, 12)):
        drawn = [[lines[k] for k in rows] for lines in (references, good, bad)]
        a, b = (corpus_scores(lines, drawn[0], [metric])[metric] for lines in drawn[1:])
        differences.append(b - a)
    found = compare(good, bad, references, metric, samples=40, seed=3)
    assert found["interval"] == pytest.approx(list(np.percentile(differences, [2.5, 97.5])))


def test_compare_takes_several_references():
    found = compare(HYPOTHESES, FIRST, SEVERAL, samples=20)
    assert found["score_a"] == corpus_scores(HYPOTHESES, SEVERAL)["bleu"] and found["score_b"] == pytest.approx(100)
    assert found["signature"].startswith("nrefs:var")


# alignments


def test_alignment_error_rate_by_hand():
    sure = [{(0, 0), (1, 1)}, {(0, 0)}]
    possible = [{(2, 1)}, set()]
    found = [{(0, 0), (2, 1), (2, 2)}, {(1, 0)}]  # |A| 4, |S| 3, |A ∩ S| 1, |A ∩ P| 2
    assert alignment_error_rate(found, sure, possible) == pytest.approx(1 - 3 / 7)
    listed = [[[s, t] for s, t in pairs] for pairs in found]  # as JSON has them
    also = [s | p for s, p in zip(sure, possible, strict=True)]
    assert alignment_error_rate(listed, sure, also) == pytest.approx(1 - 3 / 7)


def test_alignment_error_rate_at_its_ends():
    sure, possible = [{(0, 0), (1, 2)}], [{(0, 0), (1, 2), (1, 1)}]
    assert alignment_error_rate(sure, sure, possible) == alignment_error_rate(possible, sure, possible) == 0
    assert alignment_error_rate([{(5, 5)}], sure, possible) == 1
    assert alignment_error_rate([set()], sure, possible) == 1
    assert alignment_error_rate([set()], [set()], [{(0, 0)}]) == 0


def test_align_takes_what_was_attended_to_most():
    alpha = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.0, 0.9, 0.1]])
    assert align(alpha) == {(1, 0), (0, 1), (2, 2), (1, 3)}
    assert align(alpha[:-1]) == {(1, 0), (0, 1), (2, 2)}
    assert align(np.zeros((0, 3))) == align(np.zeros((2, 0))) == set()


def test_alignment_of_a_translation(translator):
    [found] = translator.translate([words(1)[0][0]])
    pairs = align(found.alpha)
    assert {t for _, t in pairs} == set(range(len(found.target)))
    assert {s for s, _ in pairs} <= set(range(len(found.source)))


# variety


def test_distinct_by_hand():
    texts = ["a b a", "a b", ""]
    assert distinct(texts, 1) == 2 / 5 and distinct(texts, 2) == 2 / 3 and distinct(texts, 3) == 1
    assert distinct(texts, 4) == distinct([], 1) == distinct([""], 1) == 0


def test_self_bleu_is_the_mean_of_sentence_bleu():
    texts = ["the cat sat on the mat", "the cat lay on the mat", "a dog ran over the road"]
    scores = [sacrebleu.sentence_bleu(text, texts[:k] + texts[k + 1 :]).score for k, text in enumerate(texts)]
    assert self_bleu(texts) == pytest.approx(np.mean(scores))
    assert self_bleu([texts[0]] * 3) == pytest.approx(100)
    assert self_bleu(["a b"] * 2) == pytest.approx(100)  # n-grams longer than a text are left out
    assert self_bleu(["a b", "c d"]) == self_bleu(["", "a"]) == 0


# evaluate


def test_evaluation_is_translation_and_scoring(translator):
    pairs = words(12, seed=1)
    found = evaluate(translator, pairs)
    assert found.keys() == {
        "bleu", "chrf", "perplexity", "exact_match", "sentences", "bleu_signature", "chrf_signature"}  # fmt: skip
    lines = [result.text for result in translator.translate([source for source, _ in pairs])]
    references = [target for _, target in pairs]
    assert found == {"perplexity": found["perplexity"]} | corpus_scores(lines, references)
    scored = score(translator.model, Pairs.encode(pairs, translator.source_tokens, translator.target_tokens))
    assert found["perplexity"] == pytest.approx(math.exp(-np.concatenate([s.logp for s in scored]).mean()), rel=1e-5)


def test_evaluation_by_beam_search_with_further_references(translator):
    pairs, search = words(12, seed=1), BeamOptions(beam=3)
    dictionary = {str(k): f"<{k}>" for k in range(10)}
    lines = [r.text for r in translator.translate([s for s, _ in pairs], search=search, replace_unk=dictionary)]
    further = [lines[0], [], [lines[2], "x"], *[[]] * 9]
    found = evaluate(translator, pairs, metrics="wer,exact", search=search, replace_unk=dictionary, references=further)
    wanted = [[target, *([f] if isinstance(f, str) else f)] for (_, target), f in zip(pairs, further, strict=True)]
    assert found == corpus_scores(lines, wanted, ["wer", "exact"])
    assert found["exact_match"] >= 2 / 12


def test_what_is_new_is_counted_against_the_sources(translator):
    pairs = words(5, seed=1)
    sources, references = (list(side) for side in zip(*pairs, strict=True))
    lines = [result.text for result in translator.translate(sources)]
    found = evaluate(translator, pairs, metrics="novel,regex")
    assert found == corpus_scores(lines, references, "novel,regex", sources=sources)
    assert found["reference_novel_1"] == 0, "the same words, turned round"


def test_perplexity_alone_translates_nothing(translator):
    with mock.patch.object(Translator, "stream", side_effect=AssertionError):
        assert evaluate(translator, words(3), metrics=["ppl"]).keys() == {"perplexity", "sentences"}


def test_what_cannot_be_evaluated_is_said_before_anything_is_translated(translator):
    pairs = words(2)
    both = Translator.ensemble([translator, translator])
    wrong = {
        "pairs has no pair in it": lambda: evaluate(translator, []),
        "references has 1 lines, pairs 2": lambda: evaluate(translator, pairs, references=["a"]),
        "metrics has 'x'": lambda: evaluate(translator, pairs, metrics=["x"]),
        "tokenize is 'x'": lambda: evaluate(translator, pairs, "x"),
        "metrics asks for ppl": lambda: evaluate(both, pairs),
        "pairs has an empty source, number 3": lambda: evaluate(translator, [*pairs, (" ", "1")]),
    }
    with mock.patch.object(Translator, "stream", side_effect=AssertionError):
        for message, call in wrong.items():
            with pytest.raises(ConfigError, match=f"^{message}"):
                call()
    assert evaluate(both, [*pairs, ("", "")], metrics="exact") == {"exact_match": 1 / 3, "sentences": 3}


def test_pairs_that_are_too_long_are_left_out_of_all_figures_and_counted(translator):
    pairs = words(6, seed=1)
    long = [*pairs[:2], ("1 " * 1001, "1"), *pairs[2:], ("1", "1 " * 1001)]
    expected = evaluate(translator, pairs)
    assert evaluate(translator, long) == expected | {"left_out": 2}
    assert evaluate(translator, [(" ".join("1" * 9), "1"), *pairs], max_length=8) == expected | {"left_out": 1}
    exact = evaluate(translator, long, metrics="exact")
    assert (exact["sentences"], exact["left_out"]) == (7, 1), "a reference that is only compared may be long"
    with pytest.raises(ConfigError, match="every pair has a side of more than 1 tokens: max_length can be set higher"):
        evaluate(translator, [("1 2", "2 1")], max_length=1)


def test_translations_can_be_watched_while_they_come(translator):
    seen = []

    def watch(found, total):
        seen.append(total)
        for one in found:
            seen.append(one.text)
            yield one

    pairs = words(3, seed=1)
    assert evaluate(translator, pairs, progress=watch) == evaluate(translator, pairs)
    assert seen == [3, *(one.text for one in translator.translate([source for source, _ in pairs]))]


@pytest.mark.parametrize("metric", ["bleu", "chrf", "ter", "rouge", "wer", "exact"])
def test_letters_are_equal_however_their_accents_are_written(metric):
    lines = ["un caf\u00e9 noir \u00e0 l'\u00e9t\u00e9 ,", "\u00e9t\u00e9 ou hiver , c'est \u00e9gal"]
    other = [unicodedata.normalize("NFD", line) for line in lines]
    assert other != lines
    perfect = corpus_scores(lines, lines, [metric])
    assert (
        corpus_scores(other, lines, [metric]) == corpus_scores(lines, [[line] for line in other], [metric]) == perfect
    )
    if metric in ("bleu", "chrf", "ter"):
        assert compare(other, lines, lines, metric, samples=2)["difference"] == 0


@pytest.mark.parametrize("metric, package", [("rouge", "rouge_score"), ("wer", "jiwer"), ("per", "jiwer")])
def test_what_is_not_installed_is_said_before_anything_is_translated(translator, monkeypatch, metric, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"^metrics has '{metric}', which needs more: pip install jiwer rouge-score$"
    with (
        mock.patch.object(Translator, "stream", side_effect=AssertionError),
        pytest.raises(ConfigError, match=message),
    ):
        evaluate(translator, words(3), metrics=["bleu", metric])
    assert evaluate(translator, words(3), metrics="exact").keys() == {"exact_match", "sentences"}
