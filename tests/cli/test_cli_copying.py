"""Heads that copy, on the command line: a word that only the source has; resuming; other runs' weights."""

import json
import random

import pytest
from helpers_run import TINY, numseq_cli

from numseq.training.arrays import load_arrays
from numseq.training.checkpoint import load_tokens

HEADS = ("pointer-generator", "copynet")
NAME = "Xavier"  # in no training pair
LINE = f"ask {NAME} now"


def orders(n, seed, verbs=("call", "ask", "tell")):
    """Pairs with a name that is in no other one, so that it is in no vocabulary: it can only be copied."""
    rng = random.Random(seed)
    names = ("".join(rng.choices("abcdefgh", k=6)).capitalize() for _ in range(n))
    return [(f"{verb} {name} now", f"now {name} {verb}") for name in names for verb in rng.choices(verbs)]


def write(path, pairs):
    path.write_text("".join(f"{s}\t{t}\n" for s, t in pairs))


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Tables, and a run of each head, which has learnt its task."""
    folder = tmp_path_factory.mktemp("copying")
    write(folder / "pairs.tsv", orders(80, 0))
    write(folder / "valid.tsv", orders(5, 1))
    write(folder / "others.tsv", orders(40, 2, verbs=("ask", "visit")))
    for head in HEADS:
        assert done(*train(folder, folder / head, "--head", head, "--epochs", 8)).count("epoch ") == 8
    return folder


def train(room, out, *options, pairs="pairs.tsv"):
    return "train", "--out", out, "--tsv", room / pairs, "--val-tsv", room / "valid.tsv", *TINY, *options


def done(*arguments):
    result = numseq_cli(*arguments)
    assert result.code == 0, result
    return result.out


def translated(room, run, *options):
    """What becomes of the line with the name."""
    (room / "line.txt").write_text(LINE)
    return done("translate", run, "--input", room / "line.txt", *options)


def arrays(run):
    return load_arrays(run / "model.safetensors")[0]


@pytest.mark.parametrize("head", HEADS)
def test_a_word_that_only_the_source_has_is_translated_evaluated_and_scored(room, tmp_path, head):
    run = room / head
    assert not any(NAME in tokens.to_json() for tokens in load_tokens(run))
    for search in ((), ("--beam", 3)):
        assert translated(room, run, *search) == f"now {NAME} ask\n"
    write(tmp_path / "test.tsv", [(LINE, f"now {NAME} ask"), ("call Ismael now", "now Ismael call")])
    done("evaluate", run, "--tsv", tmp_path / "test.tsv", "--metric", "exact,ppl", "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["exact_match"] == 1 and figures["perplexity"] < 1.5
    sides = tmp_path / "sources.txt", tmp_path / "targets.txt"
    sides[0].write_text(f"{LINE}\n{LINE}\n")
    sides[1].write_text(f"now {NAME} ask\nnow Ismael ask\n")  # the second name does not stand in its source
    said = done("score", run, "--source", sides[0], "--target", sides[1])
    right, wrong = (float(row.split("\t")[0]) for row in said.splitlines())
    assert right > -1 > wrong + 1


def test_where_a_word_was_copied_from_is_drawn_and_written(room, tmp_path):
    out = tmp_path / "looks.svg"
    assert done("attention", room / HEADS[0], LINE, "--out", out) == f"now {NAME} ask\n"
    picture = out.read_text(encoding="utf-8")
    assert picture.count(NAME) == 2, "on either axis"
    assert "source, with a ring where a word was copied" in picture
    translated(room, room / HEADS[0], "--attention", tmp_path / "looks.json")
    [looks] = json.loads((tmp_path / "looks.json").read_text())
    assert looks["source"] == LINE.split() and looks["target"] == ["now", NAME, "ask", "<eos>"]


@pytest.mark.parametrize("head", HEADS)
def test_resuming_goes_on_to_the_same_bits(room, tmp_path, head):
    options = "--head", head, "--dropout", 0.2
    done(*train(room, tmp_path / "whole", *options, "--epochs", 2))
    done(*train(room, tmp_path / "parts", *options, "--epochs", 1))
    done("train", "--out", tmp_path / "parts", "--resume", "--epochs", 2)
    one, other = ((tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "parts"))
    assert one == other


@pytest.mark.parametrize("head", HEADS)
def test_a_run_with_other_words_begins_with_its_weights(room, tmp_path, head):
    said = done(*train(room, tmp_path / "new", "--from", room / head, "--epochs", 1, "--lr", 1e-30, pairs="others.tsv"))
    assert "6 of 7 source tokens and 6 of 7 target tokens are known there; 2 and 2 are left out" in said
    before, after = arrays(room / head), arrays(tmp_path / "new")
    assert before.keys() == after.keys()
    copying = [name for name in before if name in ("head.W_g", "head.b_g", "head.W_c")]
    assert copying and all((before[name] == after[name]).all() for name in copying)
    assert translated(room, tmp_path / "new") == f"now {NAME} ask\n"


def test_weights_of_a_head_that_does_not_copy_are_refused_by_what_was_said(room, tmp_path):
    done(*train(room, tmp_path / "plain", "--epochs", 1))
    result = numseq_cli(*train(room, tmp_path / "run", "--from", tmp_path / "plain", "--head", "pointer-generator"))
    assert result.code == 1 and result.err.count("\n") == 1
    assert "head pointer-generator (there vocabulary)" in result.err and not (tmp_path / "run").exists()
