"""The commands that decode, with their searches, scores and refusals."""

import json

import numpy as np
import pytest
from helpers_run import TINY, edit_config, numseq_cli, words, write_parallel

from numseq.data import Pairs
from numseq.search import BeamOptions, GreedyOptions, SamplingOptions, Translator, score
from numseq.training.checkpoint import load_extra, load_metrics, load_model


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Two runs on the same data, one on other data, one plain; and a file to translate, with an empty line."""
    folder = tmp_path_factory.mktemp("decode")
    source, target = write_parallel(folder, words(100))
    write_parallel(folder, words(60, seed=5), "other-")
    valid = ("--val-source", folder / "other-source.txt", "--val-target", folder / "other-target.txt")
    both = ("--source", source, "--target", target, *valid)
    other = ("--source", folder / "other-source.txt", "--target", folder / "other-target.txt")
    for name, arguments in (
        ("run", both), ("second", (*both, "--seed", 1)), ("other", (*other, "--max-length", 4)),
        ("plain", (*both, "--attention", "none")),
    ):  # fmt: skip
        result = numseq_cli("train", *TINY, "--epochs", 2, "--out", folder / name, *arguments)
        assert result.code == 0, result
    lines = [s for s, _ in words(12, seed=3)]
    (folder / "lines.txt").write_text("\n".join([*lines[:5], "", *lines[5:]]) + "\n")
    return folder


def translated(room, *options, run="run"):
    result = numseq_cli("translate", *(room / name for name in run.split()), "--input", room / "lines.txt", *options)
    assert result.code == 0, result
    return result.out.splitlines()


def lines_of(room):
    return (room / "lines.txt").read_text().splitlines()


def test_a_beam_of_one_says_what_greedy_search_says(room):
    assert translated(room, "--beam", 1) == translated(room) and len(translated(room)) == 13
    assert translated(room)[5] == ""


def test_nbest_with_scores_is_the_search_of_the_library(room):
    rows = [row.split("\t") for row in translated(room, "--beam", 4, "--nbest", 2, "--scores")]
    assert rows[10:12] == [["nan", "nan", ""]] * 2, "an empty line has as many rows"
    del rows[10:12]
    translator = Translator(*load_model(room / "run"))
    expected = [
        hypothesis
        for line, first in zip(lines_of(room), translator.translate(lines_of(room), search=BeamOptions(4)), strict=True)
        if line
        for hypothesis in [first, *first.others][:2]
    ]
    assert [row[2] for row in rows] == [hypothesis.text for hypothesis in expected]
    assert np.allclose([float(row[0]) for row in rows], [h.score for h in expected], atol=1e-4)
    assert np.allclose([float(row[1]) for row in rows], [h.logp for h in expected], atol=1e-4)


def test_options_of_the_search_arrive(room):
    options = ("--length-penalty", 0.6, "--norm", "gnmt", "--min-length", 3, "--no-repeat-ngram", 2, "--groups", 2)
    said = translated(room, "--beam", 4, *options, "--coverage-penalty", 0.1)
    search = BeamOptions(
        4, nbest=1, length_penalty=0.6, norm="gnmt", coverage_penalty=0.1, min_length=3, no_repeat_ngram=2, groups=2
    )
    found = Translator(*load_model(room / "run")).translate(lines_of(room), search=search)
    assert said == [translation.text for translation in found]


def test_bans_and_scores_go_with_every_search(room):
    translator, bans = Translator(*load_model(room / "run")), {"min_ratio": 1.5, "no_repeat_ngram": 2}
    ways = {"": GreedyOptions(**bans), "--beam 2": BeamOptions(2, nbest=1, **bans),
            "--sample --seed 5": SamplingOptions(seed=5, **bans)}  # fmt: skip
    for options, search in ways.items():
        said = translated(room, "--min-ratio", 1.5, "--no-repeat-ngram", 2, "--scores", *options.split())
        found = translator.translate(lines_of(room), search=search)
        for line, row, one in zip(lines_of(room), said, found, strict=True):
            if not line:
                assert row == "nan\tnan\t"
                continue
            given_score, given_logp, text = row.split("\t")
            assert text == one.text and len(one.target) - 1 >= 1.5 * len(line.split())
            assert np.allclose([float(given_score), float(given_logp)], [one.score, one.logp], atol=1e-4)


def test_lengths_are_bounded_by_those_of_the_source(room):
    longest = [len(line.split()) for line in lines_of(room)]
    for said, n in zip(translated(room, "--max-ratio", 0.5, "--extra", 1), longest, strict=True):
        assert len(said.split()) <= n // 2 + 1
    for said, n in zip(translated(room, "--beam", 2, "--min-ratio", 1.5), longest, strict=True):
        assert len(said.split()) >= 1.5 * n
    for said, n in zip(
        translated(room, "--beam", 2, "--min-ratio", 9, "--max-ratio", 1, "--extra", 0), longest, strict=True
    ):
        assert len(said.split()) == n


def test_samples_are_those_of_their_seed(room):
    options = ("--sample", "--temperature", 1.5, "--top-k", 6, "--top-p", 0.9, "--nbest", 2)
    said = translated(room, *options, "--seed", 3)
    assert said == translated(room, *options, "--seed", 3, "--batch", 2) != translated(room, *options, "--seed", 4)
    search = SamplingOptions(2, 1.5, 6, 0.9, 3)
    found = Translator(*load_model(room / "run")).translate(lines_of(room), search=search)
    assert said == [h.text for first in found for h in ([first, *first.others] if first.source else [first, first])]


def test_several_models_decode_together(room):
    both = Translator.ensemble([Translator(*load_model(room / name)) for name in ("run", "second")])
    found = both.translate(lines_of(room), search=BeamOptions(3))
    assert translated(room, "--beam", 3, run="run second") == [translation.text for translation in found]
    for options, search in ((), None), (("--sample", "--seed", 2), SamplingOptions(seed=2)):
        found = both.translate(lines_of(room), search=search)
        assert translated(room, *options, run="run second") == [translation.text for translation in found]


def test_attention_of_every_line_is_written(room, tmp_path):
    translated(room, "--attention", tmp_path / "a.json", "--beam", 2)
    found = json.loads((tmp_path / "a.json").read_text())
    assert len(found) == 13 and found[5] == {"source": [], "target": [], "alpha": None}
    for line, one in zip(lines_of(room), found, strict=True):
        assert one["source"] == line.split()
        if line:
            assert np.shape(one["alpha"]) == (len(one["target"]), len(one["source"]))


def test_unknown_words_are_replaced(room, tmp_path):
    (room / "unknown.txt").write_text("1 xyzzy 2\n")
    (tmp_path / "words.tsv").write_text("xyzzy\tplugh\n")
    for more, word in (((), "xyzzy"), (("--dictionary", tmp_path / "words.tsv"), "plugh")):
        result = numseq_cli("translate", room / "run", "--input", room / "unknown.txt", "--replace-unk", *more)
        assert result.code == 0 and "<unk>" not in result.out
        plain = numseq_cli("translate", room / "run", "--input", room / "unknown.txt").out
        assert ("<unk>" in plain) <= (word in result.out or "1" in result.out or "2" in result.out)


def test_scores_of_given_translations(room, tmp_path):
    files = ("--source", room / "source.txt", "--target", room / "target.txt")
    result = numseq_cli("score", room / "run", *files, "--json", tmp_path / "s.json")
    rows = [[float(x) for x in row.split("\t")] for row in result.out.splitlines()]
    model, source_tokens, target_tokens = load_model(room / "run")
    expected = score(model, Pairs.encode(words(100), source_tokens, target_tokens))
    assert np.allclose(rows, [[one.total, one.perplexity] for one in expected], rtol=1e-4)
    found = json.loads((tmp_path / "s.json").read_text())
    assert [len(one["rank"]) for one in found] == [len(t.split()) + 1 for _, t in words(100)]


def test_evaluation_with_other_metrics_references_and_a_rival(room, tmp_path):
    files = ("--source", room / "source.txt", "--reference", room / "target.txt", "--reference", room / "source.txt")
    options = ("--metric", "bleu,ter,rouge,wer,per", "--compare", room / "second", "--beam", 2, "--tokenize", "none")
    result = numseq_cli("evaluate", room / "run", *files, *options, "--json", tmp_path / "e.json")
    assert result.code == 0, result
    found = json.loads((tmp_path / "e.json").read_text())
    assert found.keys() >= {"bleu", "ter", "rouge1", "rougeL", "wer", "per", "word_errors", "compare_bleu_p_value"}
    assert found["compare_bleu_score_a"] == pytest.approx(found["bleu"])
    assert all(line.split()[0] in found for line in result.out.splitlines())


def test_several_models_are_evaluated_together_without_perplexity(room):
    files = ("--source", room / "source.txt", "--reference", room / "target.txt")
    result = numseq_cli("evaluate", room / "run", room / "second", *files)
    assert result.code == 0 and "perplexity" not in result.out


def test_long_lines_are_counted_or_refused(room):
    result = numseq_cli("translate", room / "other", "--input", room / "lines.txt")
    long = [k for k, line in enumerate(lines_of(room), 1) if len(line.split()) > 4]
    assert result.code == 0 and len(result.out.splitlines()) == 13
    assert result.err.startswith(f"warning: line {long[0]} and {len(long) - 1} more: longer than the 4 tokens")
    result = numseq_cli("translate", room / "other", "--input", room / "lines.txt", "--strict")
    assert result.code == 1 and result.err.startswith(f"numseq: line {long[0]} and") and result.out == ""


@pytest.mark.parametrize(
    ("runs", "options", "words"),
    [
        ("run", ("--sample", "--beam", 2), ["--beam", "--sample", "choose one"]),
        ("run", ("--beam", 2, "--nbest", 3), ["--nbest", "--beam 3"]),
        ("run", ("--nbest", 3), ["--nbest", "--beam 3"]),
        ("run", ("--temperature", 2), ["--temperature", "--sample"]),
        ("run", ("--groups", 2), ["--groups", "--beam"]),
        ("run", ("--beam", 3, "--groups", 2), ["groups is 2"]),
        ("run", ("--dictionary", "x.tsv"), ["--dictionary", "--replace-unk"]),
        ("run", ("--sample", "--top-p", 0), ["--top-p is 0"]),
        ("run", ("--sample", "--length-penalty", 2), ["--length-penalty", "--beam"]),
        ("run", ("--length-penalty", 2), ["--length-penalty", "--beam"]),
        ("run", ("--seed", 7), ["--seed", "--sample"]),
        ("run", ("--attention", "nowhere/F.json"), ["--attention", "nowhere"]),
        ("run", ("--max-ratio", "inf"), ["--max-ratio is inf", "finite"]),
        ("run", ("--max-ratio", 1e7), ["max_ratio is 10000000.0", "at most 1000000"]),
        ("run other", ("--beam", 2), ["different source vocabularies"]),
        ("plain", ("--replace-unk",), ["plain model"]),
    ],
)
def test_options_that_contradict_each_other_are_refused(room, runs, options, words):
    result = numseq_cli("translate", *(room / run for run in runs.split()), "--input", room / "lines.txt", *options)
    assert result.code == 2 and result.out == "", result
    assert all(word in result.err for word in words), result.err


def test_an_nbest_list_is_put_in_another_models_order(room):
    one, other = (Translator(*load_model(room / name)) for name in ("run", "second"))
    given = one.translate(lines_of(room), search=BeamOptions(4))
    found = other.rescore(given)
    assert [translation.text for translation in found][5] == "" and found[5].others == []
    for before, after in zip(given, found, strict=True):
        texts, hypotheses = {h.text for h in [before, *before.others]}, [after, *after.others]
        assert {h.text for h in hypotheses} == texts
        scores = [h.score for h in hypotheses if h.source]
        assert scores == sorted(scores, reverse=True)
    own = other.translate(lines_of(room), search=BeamOptions(1))
    again = other.rescore(own)
    known = [(a.logp, b.logp) for a, b in zip(own, again, strict=True) if a.source and "<unk>" not in a.target]
    assert np.allclose(*zip(*known, strict=True), atol=1e-4)
    assert other.rescore([]) == []


def test_an_answer_that_is_long_for_its_question_is_not_cut(tmp_path):
    """14 tokens for one: the usual limit is 12."""
    answer, run = " ".join("abcdefghijklmn"), tmp_path / "run"
    (tmp_path / "in").write_text("go\n")
    (tmp_path / "pairs.tsv").write_text(f"go\t{answer}\n" * 24)
    given = ("--tsv", tmp_path / "pairs.tsv", "--val-tsv", tmp_path / "pairs.tsv", "--metric", "exact")
    sure = ("--dropout", 0, "--schedule", "constant", "--epochs", 40)
    assert numseq_cli("train", *given, *TINY, *sure, "--out", run).code == 0
    assert load_metrics(run)[-1]["exact"] == 1
    for more, said in ((), answer), (("--beam", 2), answer), (("--extra", 10), answer[:23]):
        assert numseq_cli("translate", run, "--input", tmp_path / "in", *more).out == f"{said}\n"
    model = load_model(run)
    assert Translator(*model, extra=load_extra(run)).translate(["go"])[0].text == answer
    assert Translator(*model).translate(["go"])[0].text == answer[:23]  # the usual limit
    assert "exact_match     1.0000" in numseq_cli("evaluate", run, *given[:2], "--metric", "exact").out
    edit_config(run, lambda said: said["training"].update(extra="many"))
    assert "extra is 'many'" in numseq_cli("translate", run, "--input", tmp_path / "in").err
