"""Each table of an error analysis on lines that were counted by hand."""

import json
import random
from dataclasses import replace

import jiwer
import numpy as np
import pytest
from helpers_run import words

from numseq.data.tokens import Tokens
from numseq.errors import ArgumentError
from numseq.metrics import corpus_scores
from numseq.metrics.errors import analyse, compare_errors
from numseq.metrics.errors.by_length import length_bins
from numseq.metrics.errors.coverage import attended, coverage, unusual
from numseq.metrics.errors.edits import aligned
from numseq.metrics.errors.intervals import Difference, Rate, rate, share
from numseq.metrics.errors.lines import line_of
from numseq.metrics.errors.repeated import too_often
from numseq.metrics.errors.table import Examples, Table, shown
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.plots.fonts import text_width
from numseq.search.translate import Translator
from numseq.search.translation import Translation


def said(text, source="s", alpha=None, logp=-1.0, unknown=()):
    """A Translation, by words."""
    return Translation(text, source.split(), [*text.split(), "<eos>"], alpha, logp, logp, unknown=list(unknown))


def translator_of(sources, targets, kind="word"):
    sides = [Tokens.train(lines, kind) for lines in (sources, targets)]
    return Translator(Seq2Seq.create(Seq2SeqConfig(*map(len, sides), embedding=2, hidden=2)), *sides)


def figures(analysis):
    return {row["figure"]: row["value"] for row in analysis.overall.rows}


# edits


@pytest.mark.parametrize(
    ("wanted", "found", "pairs"),
    [
        ("a b c d", "a x d e", ["aa", "b-", "cx", "dd", "-e"]),
        ("a b", "b a", ["-b", "aa", "b-"]),  # two edits either way: the way with a hit
        ("a b c", "", ["a-", "b-", "c-"]),
        ("", "a", ["-a"]),
        ("", "", []),
        ("a a b", "a b", ["a-", "aa", "bb"]),
    ],
)
def test_edits_are_the_fewest_with_the_most_hits(wanted, found, pairs):
    assert ["".join(token or "-" for token in pair) for pair in aligned(wanted.split(), found.split())] == pairs


def test_there_are_as_many_edits_as_jiwer_finds():
    rng = random.Random(0)
    for _ in range(60):
        wanted, found = (rng.choices("abcde", k=rng.randint(1, 12)) for _ in range(2))
        pairs = aligned(wanted, found)
        known = jiwer.process_words(" ".join(wanted), " ".join(found))
        assert sum(a != b for a, b in pairs) == known.substitutions + known.deletions + known.insertions
        assert [a for a, _ in pairs if a] == wanted and [b for _, b in pairs if b] == found


# intervals


def test_wilson_s_interval_is_that_of_the_tables():
    assert np.round(share(8, 10), 4).tolist() == [0.8, 0.4902, 0.9433]
    assert np.round(share(0, 5), 4).tolist() == [0, 0, 0.4345] and np.round(share(5, 5), 4).tolist() == [1, 0.5655, 1]
    assert share(0, 0) is None


def test_a_rate_has_an_interval_from_ten_lines_on():
    assert rate([1, 0, 2], [4, 4, 4]) == Rate(0.25, None, None)
    assert rate([1] * 10, [4] * 10) == Rate(0.25, 0.25, 0.25), "lines that are alike leave no doubt"
    value, low, high = rate([0, 1] * 50, [2] * 100)
    assert value == 0.25 and 0.19 < low < 0.21 and 0.29 < high < 0.31  # 0.25 -+ 1.96 * 0.25 / 10
    assert rate([0, 1] * 50, [2] * 100) == (value, low, high) and rate([], []) is None
    assert isinstance(rate([-1] * 10, [2] * 10, Difference), Difference)


# by length


@pytest.mark.parametrize(
    ("lengths", "bins"),
    [
        ([1, 2, 3, 4, 5, 6], [(1, 2), (3, 4), (5, 6)]),
        ([1, 1, 1, 1, 1, 2], [(1, 1), (2, 2)]),  # lines of one length stay together
        ([5, 5, 5], [(5, 5)]),
        ([9, 1], [(1, 1), (9, 9)]),
        ([1, 2, 2, 2, 2, 3, 7, 9, 30], [(1, 2), (3, 7), (9, 30)]),
    ],
)
def test_bins_have_about_as_many_lines_each(lengths, bins):
    assert length_bins(lengths, 3) == bins


def test_errors_by_length():
    found = [said("a", "1"), said("a b x", "1 2 3"), said("a b c d", "1 2 3")]
    rows = analyse(found, ["a", "a b c", "a b c"]).by_length.rows
    assert [(row["source_tokens"], row["lines"], row["exact"][0], row["error_rate"][0]) for row in rows] == [
        ("1", 1, 1, 0),
        ("3", 2, 0, 2 / 6),
    ]
    assert [row["said_to_wanted"] for row in rows] == [1, 7 / 6]


# overall


def test_the_figures_of_all_lines_are_those_of_the_standard_scorers():
    pairs = words(30)
    references = [target for _, target in pairs]
    texts = [line.replace("1", "2").replace("7 ", "") for line in references]
    found = figures(analyse([said(text, "ab") for text in texts], references))
    expected = corpus_scores(texts, references, "bleu,chrf,exact,wer")
    assert found["exact match"].value == expected["exact_match"] and 0 < expected["wer"] < 1
    assert found["word error rate"].value == pytest.approx(expected["wer"])
    assert (found["BLEU"], found["chrF"]) == (expected["bleu"], expected["chrf"])


def test_edits_are_counted_by_kind():
    analysis = analyse([said("a x d e"), said("a b c d")], ["a b c d", "a b c d"])
    found = figures(analysis)
    assert [found[kind].value for kind in ("substitutions", "deletions", "insertions")] == [1 / 8] * 3
    assert found["word error rate"].value == 3 / 8 and found["said to wanted"] == 1
    assert "BLEU" not in found, "nor chrF, where letters are read"
    assert analysis.overall.note == "half of the edits are in 1 of 2 lines"


def test_accents_may_be_code_points_of_their_own():
    assert figures(analyse([said("caf\u00e9")], ["cafe\u0301"]))["exact match"].value == 1


# by frequency


def test_tokens_are_right_or_not_by_their_number_in_the_training_data():
    training = ["b c c", "c d d d d"]  # a never, b 1, c 3, d 4
    rows = analyse([said("a b x d"), said("x c")], ["a b c d", "a c"], training=training).by_frequency.rows
    assert [(row["in_training"], row["tokens"], row["right"].value) for row in rows] == [
        ("never", 2, 0.5), ("1", 1, 1), ("2-3", 2, 0.5), ("4-9", 1, 1),
    ]  # fmt: skip
    assert [row["most_often_missed"] for row in rows] == ["'a' 1", None, "'c' 1", None]
    assert analyse([said("a")], ["a"]).by_frequency is None


def test_training_data_are_counted_in_the_form_that_the_model_reads():
    one = translator_of(["a"], ["fi"])
    one.target_tokens = Tokens.train(["fi"], "word", normalization="nfkc")
    rows = analyse([said("x")], ["fi"], translator=one, training=["\ufb01 fi"]).by_frequency.rows
    assert [(row["in_training"], row["tokens"]) for row in rows] == [("2-3", 1)]


# unknown tokens


def test_lines_with_and_without_unknown_tokens():
    found = [said("a", "1 9", unknown=["9"]), said("a", "1"), said("b", "1")]
    rows = analyse(found, ["z", "a", "b"], translator=translator_of(["1"], ["a b"])).unknown.rows
    assert [(row["lines_with"], row["lines"], row["exact"].value, row["most_often"]) for row in rows] == [
        ("source: all known", 2, 1, None), ("source: some unknown", 1, 0, "'9' 1"),
        ("reference: all known", 2, 1, None), ("reference: some unknown", 1, 0, "'z' 1"),
    ]  # fmt: skip
    assert len(analyse(found, ["z", "a", "b"]).unknown.rows) == 2, "without the vocabulary"


# repeated


@pytest.mark.parametrize(
    ("found", "reference", "source", "n", "more"),
    [
        ("a b a b a b", "a b", "1 2", 2, {"a b": 2, "b a": 1}),
        ("a b a b a b", "a b a b", "1 2", 2, {"a b": 1, "b a": 1}),  # the reference allows two
        ("a b a b", "a b", "1 2 1 2", 2, {}),  # the source says something twice as well
        ("a b c a b c", "a b c", "1", 3, {"a b c": 1}),
        ("a a", "a", "1", 1, {"a": 1}),
        ("a b a", "a b", "1", 1, {}),  # not right behind itself
        ("a a", "a", "1 1", 1, {}),
        ("", "a", "1", 2, {}),
    ],
)
def test_what_is_said_too_often(found, reference, source, n, more):
    counts = too_often(found.split(), reference.split(), source.split(), n)
    assert {" ".join(gram): times for gram, times in counts.items()} == more


def test_the_table_of_repetitions():
    rows = analyse([said("a b a b a b"), said("a")], ["a b", "a"]).repeated.rows
    assert [(row["repeated"], row["lines"], row["times"]) for row in rows] == [
        ("a token after itself", 0, 0), ("2 tokens", 1, 3), ("3 tokens", 1, 2), ("4 tokens", 1, 1),
    ]  # fmt: skip
    assert rows[1]["most_often"] == "'a b' 2, 'b a' 1" and rows[1]["of_all"].value == 0.5


# attention


def looked(*weights):
    """A line whose output looked so much at each token of "x y"; the row of <eos> looks at x."""
    alpha = np.array([weights, [1.0, 0.0]])
    return line_of(1, "x y", "a", "a", "word", said("a", "x y", alpha=alpha))


def numbered(lines):
    return [replace(line, number=k) for k, line in enumerate(lines)]


def test_coverage_leaves_out_the_end():
    assert coverage(np.array([[0.5, 0.5], [0.25, 0.75], [1, 0]])).tolist() == [0.75, 1.25]


def test_what_got_less_than_a_quarter_of_the_usual_attention_is_dropped():
    found = attended(numbered([looked(1, 1)] * 8 + [looked(1, 0.2), looked(1, 0.3)]))
    [row] = found["dropped"].rows
    # the mean of all is 0.925; of 0.2 usual is (8.3 + 0.925) / 10 and a quarter 0.23; of 0.3 it is 0.228
    assert (row["token"], row["times"], row["of_all"].value, row["in_wrong_lines"]) == ("y", 1, 0.1, 0)
    assert row["usually"] == pytest.approx(0.85)
    assert found["looked_at_twice"].rows == []
    assert [(row["lines_with"], row["lines"]) for row in found["coverage"].rows] == [
        ("nothing unusual", 9), ("something dropped", 1),
    ]  # fmt: skip


def test_what_got_more_than_twice_the_usual_attention_is_looked_at_twice():
    found = attended(numbered([looked(1, 1)] * 8 + [looked(1, 3), looked(1.9, 1)]))
    assert [(row["token"], row["times"]) for row in found["looked_at_twice"].rows] == [("y", 1)]
    assert found["dropped"].rows == []


def test_where_attention_varies_much_nothing_is_unusual():
    found = attended(numbered([looked(1, 0), looked(1, 2)] * 5))
    assert found["dropped"].rows == found["looked_at_twice"].rows == []


def test_a_token_that_is_seen_once_is_compared_with_all_others():
    found = unusual({"x": np.full(20, 1.0), "y": np.array([0.2]), "z": np.array([0.9])})
    assert {token: (less.any(), more.any()) for token, (less, more) in found.items()} == {
        "x": (False, False), "y": (True, False), "z": (False, False),
    }  # fmt: skip


def test_without_attention_to_tokens_nothing_is_said_of_it():
    shorter = said("a", "1 2", alpha=np.ones((2, 1)))  # an encoder that made one place of two tokens
    analysis = analyse([said("a"), shorter], ["a", "a"])
    assert (analysis.coverage, analysis.dropped, analysis.looked_at_twice) == (None, None, None)
    assert "coverage" not in analysis.tables and "dropped" not in analysis.text()


# confusions and examples


def test_confusions_are_counted():
    rows = analyse([said("b c"), said("b x y"), said("a"), said("e")], ["a c", "a x", "a a", "d"]).confusions.rows
    assert [(row["edit"], row["wanted"], row["said"], row["times"]) for row in rows] == [
        ("substituted", "a", "b", 2), ("substituted", "d", "e", 1), ("left out", "a", None, 1), ("added", None, "y", 1),
    ]  # fmt: skip
    assert [row["of_all"] and row["of_all"].value for row in rows] == [2 / 4, 1, 1 / 4, None]


def test_the_worst_lines():
    found = [said("x y", logp=-3), said("a x", logp=-0.3), said("a b", logp=-0.1), Translation("", [], [], None)]
    analysis = analyse(found, ["a b", "a b", "a b", "a b c"], numbers=[10, 20, 30, 40], examples=2)
    assert [row["line"] for row in analysis.worst.rows] == [40, 10]
    assert [row["line"] for row in analysis.sure_and_wrong.rows] == [20, 10], "line 30 is right"
    assert [row["line"] for row in analysis.least_sure.rows] == [10, 20]
    assert analysis.sure_and_wrong.rows[0]["probability"] == pytest.approx(np.exp(-0.1))


# what is compared


@pytest.mark.parametrize(
    ("kind", "target", "unit"), [("char", "2011-05", "char"), ("char", "a b", "word"), ("word", "abc", "word")]
)
def test_characters_are_compared_where_they_are_what_the_model_says(kind, target, unit):
    one = translator_of(["1"], [target], kind)
    [found] = one.translate(["1"])
    assert analyse([found], [target], translator=one).unit == unit
    assert analyse([found], [target], translator=one, unit="char").unit == "char"


def test_words_can_be_compared_by_their_characters():
    assert figures(analyse([said("abd")], ["abc"], unit="char"))["character error rate"].value == pytest.approx(1 / 3)


# shown


def test_a_table_fits_its_width_in_any_script():
    rows = [{"token": "日本語" * 30, "times": 12345, "share": Rate(0.5, 0.25, 0.75)}]
    rows += [{"token": None, "times": 1, "share": None}]
    lines = Table("日本", rows, "note " * 40).text(60).splitlines()
    assert max(map(text_width, lines)) <= 60 and lines[-2].endswith("12,345  50.0% (25.0 to 75.0)")
    assert lines[-1].split() == ["-", "1", "-"]
    source = "word " * 20 + "日" * 50 + " end"
    example = Examples("E", [{"line": 3, "source": source, "said": ""}]).text(60).splitlines()
    assert max(map(text_width, example)) <= 60 and example[2:4] == [
        "line 3",
        "    source      " + "word " * 7 + "word word",
    ]
    joined = "".join(line[16:] for line in example[3:-1])
    assert joined.replace(" ", "") == source.replace(" ", "") and "日 日" not in joined and example[-1].endswith(" -")
    assert len(Examples("E", [{"source": "x" * 10**6}]).text().splitlines()) < 20
    assert repr(Examples("E", [{"line": 3, "source": "a"}])) == "E\n-\nline 3\n    source      a"


def test_cells_have_signs_and_marks():
    assert shown(Difference(-0.01, -0.02, 0.03)) == "-1.0 (-2.0 to +3.0)" and shown(Rate(0.123)) == "12.3%"
    assert (shown(1234567), shown(0.5), shown(None), shown("x")) == ("1,234,567", "0.50", "-", "x")


def test_markdown_and_html_take_any_text():
    found = Table("T", [{"a": "|<b>*"}])
    assert found.markdown().splitlines()[-1] == r"| \|\<b\>\* |" and "&lt;b&gt;" in found._repr_html_()


def test_an_analysis_shows_itself_in_short_and_is_json():
    analysis = analyse([said("a b")], ["a c"], training=["a"])
    assert repr(analysis).startswith("ErrorAnalysis of 1 lines: exact match 0.0% (0.0 to 79.3), word error rate 50.0%")
    assert analysis._repr_html_().count("<details>") == len(analysis.tables) - 1
    assert json.loads(json.dumps(analysis.to_dict()))["confusions"][0]["of_all"]["value"] == 1
    assert analysis.markdown().count("\n## ") == len(analysis.tables)


# two models


def test_lines_that_became_better_and_worse():
    references = ["a b", "a b", "a b"]
    first, second = (
        analyse([said(text) for text in texts], references, training=["a"])
        for texts in (["a b", "x y", "a x"], ["a x", "a b", "a x"])
    )
    found = compare_errors(first, second)
    [row] = found.overall.rows
    assert (row["first"].value, row["second"].value, row["better"], row["worse"]) == (0.5, pytest.approx(1 / 3), 1, 1)
    assert row["difference"].value == pytest.approx(-1 / 6)
    assert [one["line"] for one in found.better.rows] == [2] and [one["line"] for one in found.worse.rows] == [1]
    assert [row["number"] for row in found.by_length.rows] == [3]
    right = [(row["first"].value, row["second"].value) for row in found.by_frequency.rows]
    assert right == [(1 / 3, 1 / 3), (2 / 3, 1)]
    assert json.loads(json.dumps(found.to_dict()))["better"][0]["said_second"] == "a b"


def test_only_analyses_of_the_same_lines_are_compared():
    first = analyse([said("a")], ["a"])
    for other in (analyse([said("a")], ["b"]), analyse([said("a")], ["a"], numbers=[2])):
        with pytest.raises(ArgumentError, match="not of the same lines"):
            compare_errors(first, other)
    with pytest.raises(ArgumentError, match="one unit"):
        compare_errors(first, analyse([said("a")], ["a"], unit="char"))
    with pytest.raises(ArgumentError, match=r"second is \[\]"):
        compare_errors(first, [])


# what cannot be analysed


@pytest.mark.parametrize(
    ("found", "references", "more", "refusal"),
    [
        ([], [], {}, "translations holds none"),
        ([said("a")], [], {}, "references has 0 lines, translations 1"),
        ([said("a")], ["a", "b"], {}, "references has 2 lines, translations 1"),
        (["a"], ["a"], {}, r"translations\[0\] is 'a'"),
        ([said("a")], "a", {}, "references is 'a'"),
        ([said("a")], ["a"], {"unit": "letter"}, "unit is 'letter'"),
        ([said("a")], ["a"], {"training": "abc"}, "training is 'abc'"),
        ([said("a")], ["a"], {"numbers": [1, 2]}, "numbers has 2 lines"),
        ([said("a")], ["a"], {"numbers": 3}, "numbers is 3"),
        ([said("a")], ["a"], {"numbers": ["x"]}, r"numbers\[0\] is 'x'"),
        ([said("a")], ["a"], {"examples": -1}, "examples is -1"),
        ([said("a")], ["a"], {"translator": 3}, "translator is 3"),
    ],
)
def test_what_cannot_be_analysed_is_named(found, references, more, refusal):
    with pytest.raises(ArgumentError, match=refusal):
        analyse(found, references, **more)


def test_nothing_said_and_nothing_wanted_are_lines_too():
    analysis = analyse([said(""), Translation("", [], [], None)], ["a b", ""])
    assert figures(analysis)["word error rate"].value == 1 and analysis.lines[1].exact and analysis.text()
