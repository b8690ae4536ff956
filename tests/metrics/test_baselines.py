"""Extractive baselines: ranks by hand, and what the command prints."""

import json

import numpy as np
import pytest
from helpers_run import numseq_cli

from numseq.errors import ConfigError
from numseq.metrics import best_sentence, corpus_scores, extractive_scores, first_words, mean_words, textrank
from numseq.metrics.baselines import ranks, sentences, similarities

TEXT = "Dogs bark. The cat sat on the mat! A cat sat on a hat? v1.2 is out"
PARTS = ["Dogs bark.", "The cat sat on the mat!", "A cat sat on a hat?", "v1.2 is out"]


def test_sentences():
    assert sentences(TEXT) == PARTS
    assert sentences("猫坐着。狗呢？\none line\n\n another ") == ["猫坐着。", "狗呢？", "one line", "another"]
    assert sentences("  ") == []


def test_first_words_and_how_many():
    assert first_words(" a  b c ", 2) == "a b" and first_words("a", 5) == "a"
    assert mean_words(["a b c", "a b", "a b c"]) == 3 and mean_words(["", ""]) == 1


def test_similarity_by_hand():
    w = similarities(PARTS)
    assert w[1, 2] == w[2, 1] == pytest.approx(3 / (2 * np.log(5)))  # cat sat on: of 5 different words each
    assert np.count_nonzero(w) == 2
    assert not similarities(["a", "a", "!"]).any(), "of one word each: the logarithms are 0"


def test_ranks_are_the_solution_of_their_equation():
    w = np.array([[0, 1.0, 0, 0], [1, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0]])
    share = w / np.array([1, 3, 2, 1])[:, None]
    assert ranks(w) == pytest.approx(np.linalg.solve(np.eye(4) - 0.85 * share.T, np.full(4, 0.15)), abs=1e-5)
    assert np.argmax(ranks(w)) == 1 and ranks(w)[3] == pytest.approx(0.15)


def test_textrank_takes_what_is_most_central():
    assert textrank(TEXT) == PARTS[1], "the first of equals"
    hub = "red fish swim. red and blue fish swim and jump. blue whales jump."
    assert textrank(hub) == "red and blue fish swim and jump."
    assert textrank("") == "" and textrank("alone") == "alone"


def test_the_oracle_takes_what_the_reference_is_most_like():
    assert best_sentence(TEXT, "a hat") == PARTS[2]
    assert best_sentence(TEXT, ["nothing", "dogs"]) == PARTS[0]
    assert best_sentence("", "a") == ""


def test_scores_are_rouge_of_what_is_taken():
    texts, references = [TEXT, "one two. three"], ["a cat on a hat", ["three", "four"]]
    found = extractive_scores(texts, references, 2)
    for name, lines in {
        "first words": ["Dogs bark.", "one two."],
        "TextRank": [PARTS[1], "one two."],
        "best sentence": [PARTS[2], "three"],
    }.items():
        scores = corpus_scores(lines, references, "rouge")
        assert found[name] == {key: scores[key] for key in ("rouge1", "rouge2", "rougeL")} | {
            "words": sum(len(line.split()) for line in lines) / 2
        }


def test_errors():
    for call, words in (
        (lambda: extractive_scores(["a"], [], 1), "references has 0 lines, sources 1"),
        (lambda: extractive_scores([], [], 1), "sources has no line"),
        (lambda: extractive_scores(["a"], ["a"], 0), "words is 0"),
        (lambda: extractive_scores(["a"], ["a"], 1, "x"), "tokenize is 'x'"),
        (lambda: mean_words([]), "references has no line"),
        (lambda: first_words(None, 1), "text is None"),
    ):
        with pytest.raises(ConfigError, match=f"^{words}"):
            call()


# the command


@pytest.fixture
def room(tmp_path):
    rows = [(TEXT, "the cat on the mat"), ("one two. three", "three")]
    (tmp_path / "test.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    lines = [json.dumps({"source": a, "target": b}) for a, b in [*rows, ("x", "")]]
    (tmp_path / "test.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for k, name in enumerate(("source", "target")):
        (tmp_path / name).write_text("".join(f"{row[k]}\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_the_command_prints_a_table_of_whatever_form(room):
    by_table = numseq_cli("baselines", "--tsv", room / "test.tsv", "--words", 2, "--json", room / "out.json")
    assert (by_table.code, by_table.err) == (0, "")
    rows = [line.split("  ")[0] for line in by_table.out.splitlines()[1:]]
    assert rows == ["first 2 words", "TextRank", "best sentence (oracle)", f"2 pairs of {room / 'test.tsv'}"]
    found = json.loads((room / "out.json").read_text(encoding="utf-8"))
    assert found["pairs"] == 2 and found["TextRank"]["rouge1"] > found["first words"]["rouge1"]
    by_lines = numseq_cli("baselines", "--source", room / "source", "--reference", room / "target", "--words", 2)
    assert by_lines.out.splitlines()[:4] == by_table.out.splitlines()[:4]
    by_json = numseq_cli("baselines", "--jsonl", room / "test.jsonl", "--train", room / "test.jsonl")
    assert "first 3 words" in by_json.out and "1 lines of" in by_json.err
    without = numseq_cli("baselines", "--tsv", room / "test.tsv")
    assert "first 3 words" in without.out and "--train" in without.err


def test_what_does_not_go_together_is_refused(room):
    for options, words in (
        ((), "give --source and --reference, or --tsv, or --jsonl"),
        (("--tsv", room / "test.tsv", "--jsonl", room / "test.jsonl"), "one of these"),
        (("--tsv", room / "test.tsv", "--source", room / "source"), "one of these"),
        (("--source", room / "source"), "go together"),
        (("--tsv", room / "test.tsv", "--words", 2, "--train", room / "target"), "choose one"),
        (("--source", room / "source", "--reference", room / "target", "--source-column", 1), "are of --tsv"),
        (("--tsv", room / "none.tsv"), "no such file"),
    ):
        result = numseq_cli("baselines", *options)
        assert result.code in (1, 2) and words in " ".join(result.err.split()) and result.out == "", result


def test_rouge_that_is_not_installed_is_said(room, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rouge_score", None)
    with pytest.raises(ConfigError, match="^ROUGE needs more: pip install rouge-score$"):
        best_sentence("a", "a")
