"""Measures of summaries, dialogues, answers and code: numbers worked out by hand."""

import pytest

from numseq.errors import ConfigError
from numseq.metrics import (
    answer_errors,
    corpus_scores,
    entity_f1,
    novel_ngrams,
    parses,
    regex_scores,
    response_accuracy,
    share_that_parses,
)

# summaries


def test_novel_ngrams_by_hand():
    summaries, sources = ["The cat sat down.", "b"], ["the big cat sat.", "a b c"]
    # words: the cat sat down . | b      pairs: the-cat cat-sat sat-down down-.
    found = novel_ngrams(summaries, sources)
    assert found == {"novel_1": 1 / 6, "novel_2": 3 / 4, "novel_3": 1, "novel_4": 1}
    assert novel_ngrams(["a b a b"], ["a b"])["novel_2"] == 1 / 3, "each time that it is there"
    assert novel_ngrams(sources, sources) == dict.fromkeys(found, 0)
    assert novel_ngrams(["", "x"], ["a", ""]) == {"novel_1": 1, "novel_2": 0, "novel_3": 0, "novel_4": 0}
    assert novel_ngrams(["猫坐"], ["坐着"], "char")["novel_1"] == 1 / 2


def test_novel_ngrams_are_a_metric_with_those_of_the_references():
    found = corpus_scores(["a b"], [["a c", "x"]], "novel", sources=["a b"])
    assert (found["novel_1"], found["reference_novel_1"], found["reference_novel_2"]) == (0, 1 / 2, 1)


# dialogues


def test_responses_and_dialogues_by_hand():
    responses = ["hello", "api_call  a", "x", "bye", "ok "]
    references = ["hello", "api_call a", "y", "bye", "ok"]
    found = response_accuracy(responses, references, [1, 1, 2, 2, 3])
    assert found == {"per_response": 4 / 5, "per_dialogue": 2 / 3, "responses": 5, "dialogues": 3}
    assert response_accuracy(["a", "b"], [["x", "a"], ["x"]], [1, 1])["per_response"] == 1 / 2


NAMES = ["prezzo", "west", "italian", "the copper kettle", "moderate"]


def test_entity_f1_by_hand():
    responses = [
        "prezzo is in the west",  # 2 right, of 3 wanted
        "the copper kettle is italian and moderate",  # 1 right, and 2 not wanted
        "west west",  # not wanted: once
        "sorry",  # 1 missing
    ]
    references = ["prezzo serves italian food in the west", "the copper kettle is nice", "anything else", "try prezzo"]
    found = entity_f1(responses, references, NAMES)  # tp 3, fp 3, fn 2
    assert found["entity_precision"] == 3 / 6 and found["entity_recall"] == 3 / 5
    assert found["entity_f1"] == pytest.approx(2 * 0.5 * 0.6 / 1.1) and found["entities"] == 5
    first, second = 2 * 2 / (4 + 1), 2 * 1 / (2 + 2)
    assert found["entity_f1_mean"] == pytest.approx((first + second + 0) / 3)


def test_entities_of_the_reference_count_as_often_as_they_are_there():
    found = entity_f1(["west"], ["west west prezzo"], NAMES)
    assert (found["entity_recall"], found["entities"]) == (2 / 3, 3)
    assert entity_f1(["a"], ["b"], NAMES) == dict.fromkeys(found, 0)


# answers


def test_answers_by_kind_by_hand():
    answers = ["kitchen", "s,s", " yes", "no", "n,w"]
    references = ["kitchen", "s,e", "yes", "no", "n,w"]
    found = answer_errors(answers, references, ["one", "path", "yes-no", "yes-no", "path"])
    assert found["errors"] == {"one": 0, "path": 1 / 2, "yes-no": 0}
    assert found["mean_error"] == pytest.approx(1 / 6) and (found["failed"], found["questions"]) == (1, 5)
    assert found["accuracy"] == pytest.approx(4 / 5)
    twenty = answer_errors(["a"] * 19 + ["b"], ["a"] * 20, ["k"] * 20)
    assert (twenty["errors"], twenty["failed"]) == ({"k": 0.05}, 0), "5 % is not yet failed"


# code


@pytest.mark.parametrize(
    "language, right, wrong",
    [
        (
            "python",
            ["x = [1, 2]", "def f():\n    return '\\d'"],
            ["x = [1, 2", "return = 1", "a\0", "(" * 1000, "-" * 100_000 + "1", " "],
        ),
        ("json", ['{"a": [1, null]}', "3"], ["{'a': 1}", "[1,]", "NaN", "[" * 100_000, ""]),
        ("regex", ["( [ <NUM> ] ) * | a"], ["( [ <NUM> ]", "* a", ""]),
    ],
)
def test_what_parses(language, right, wrong):
    assert all(parses(text, language) for text in right) and not any(parses(text, language) for text in wrong)
    assert share_that_parses(right + wrong, language) == len(right) / len(right + wrong)


def test_parseability_is_a_metric():
    found = corpus_scores(["f(1)", "{"], ["a", "b"], "python,json")
    assert found == {"python_parses": 1 / 2, "json_parses": 0, "sentences": 2}


ERRORS = {
    "novel, pairs": (lambda: novel_ngrams(["a", "b"], ["a"]), "sources has 1 lines, summaries 2"),
    "novel, nothing": (lambda: novel_ngrams([], []), "summaries has no line"),
    "novel, tokeniser": (lambda: novel_ngrams(["a"], ["a"], "x"), "tokenize is 'x'"),
    "responses, pairs": (lambda: response_accuracy(["a"], [], [1]), "references has 0 lines, responses 1"),
    "responses, no reference": (lambda: response_accuracy(["a"], [[]], [1]), "references has none for line 1"),
    "responses, dialogues": (lambda: response_accuracy(["a"], ["a"], []), "dialogues has 0 lines, responses 1"),
    "responses, one number": (lambda: response_accuracy(["a"], ["a"], 3), "dialogues is 3"),
    "responses, nothing": (lambda: response_accuracy([], [], []), "responses has no line"),
    "entities, none": (lambda: entity_f1(["a"], ["a"], [" "]), "entities has no name"),
    "entities, a text": (lambda: entity_f1(["a"], ["a"], "west"), "entities is 'west'"),
    "answers, kinds": (lambda: answer_errors(["a"], ["a"], ["k", "k"]), "kinds has 2 lines, answers 1"),
    "regex, pairs": (lambda: regex_scores(["a"], []), "references has 0 lines, hypotheses 1"),
    "regex, nothing": (lambda: regex_scores([], []), "hypotheses has no line"),
    "parses, language": (lambda: parses("a", "perl"), "language is 'perl': choose one of python, json, regex"),
    "parses, no text": (lambda: parses(3, "json"), "text is 3"),
    "share, nothing": (lambda: share_that_parses([], "json"), "texts has no line"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_what_is_wrong(name):
    call, words = ERRORS[name]
    with pytest.raises(ConfigError) as error:
        call()
    assert str(error.value).startswith(words) and "\n" not in str(error.value)
