"""Chinese by characters: every mix of words and characters, full-width forms, and the figures that suit it."""

import json

import pytest
from helpers_run import TINY, numseq_cli

from numseq.tasks.made import make_chinese
from numseq.training.checkpoint import load_metrics

ONE = ("--epochs", 2, *TINY, "--min-count", 1)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Pairs of English and Chinese, some with full-width forms."""
    folder = tmp_path_factory.mktemp("chinese")
    marked = [(f"{source} .", f"{target}，Ａ！") for source, target in make_chinese(40, 0, 0, 0).train]
    (folder / "pairs.tsv").write_text("".join("\t".join(pair) + "\n" for pair in marked), encoding="utf-8")
    plain = [(source, target.replace("，", ",").replace("Ａ", "A").replace("！", "!")) for source, target in marked]
    (folder / "plain.tsv").write_text("".join("\t".join(pair) + "\n" for pair in plain), encoding="utf-8")
    back = "".join("\t".join(pair[::-1]) + "\n" for pair in marked)
    (folder / "back.tsv").write_text(back, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("file", "source", "target"),
    [("pairs.tsv", "word", "char"), ("back.tsv", "char", "word"), ("pairs.tsv", "bpe", "char")],
)
def test_words_characters_and_sub_words_mix(room, tmp_path, file, source, target):
    kinds = ("--source-tokens", source, "--target-tokens", target)
    how = ("--metric", "bleu", "--tokenize", "zh") if target == "char" else ("--metric", "chrf")
    trained = numseq_cli("train", "--tsv", room / file, "--out", tmp_path / "run", *kinds, *how, *ONE)
    assert (trained.code, trained.err) == (0, "")
    assert how[1] in load_metrics(tmp_path / "run")[-1]
    (tmp_path / "in").write_text((room / file).read_text(encoding="utf-8").split("\t")[0] + "\n", encoding="utf-8")
    said = numseq_cli("translate", tmp_path / "run", "--input", tmp_path / "in", "--min-length", 2)
    assert said.code == 0 and said.out.strip()
    if target == "char":
        assert " " not in said.out
    scores = tmp_path / "scores.json"
    assert (
        numseq_cli("evaluate", tmp_path / "run", "--tsv", room / file, "--tokenize", "zh", "--json", scores).code == 0
    )
    found = json.loads(scores.read_text())
    assert "tok:zh" in found["bleu_signature"] and found["chrf"] >= 0


def test_full_width_forms_become_plain_ones_and_references_of_another_form_are_told(room, tmp_path):
    run = tmp_path / "run"
    how = ("--target-tokens", "char", "--normalization", "nfkc", *ONE)
    assert numseq_cli("train", "--tsv", room / "pairs.tsv", "--out", run, *how).code == 0
    tokens = json.loads((run / "target.tokens.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert {",", "A", "!"} <= tokens.keys() and not {"，", "Ａ", "！"} & tokens.keys()
    said = "40 lines of the references have another form than the model can write"
    assert said in numseq_cli("evaluate", run, "--tsv", room / "pairs.tsv", "--metric", "exact").err
    assert said not in numseq_cli("evaluate", run, "--tsv", room / "plain.tsv", "--metric", "exact").err
