"""numseq lr-range: the options of numseq train, a table, a picture, and nothing that is kept of what was trained."""

import pytest
from helpers_run import digits, numseq_cli, snapshot

from numseq.data import Pairs, Tokens
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import RangeOptions, TrainingOptions, lr_range
from numseq.training.text import hold_out

SIZES = ("--hidden", 8, "--embedding", 6, "--batch", 8, "--source-tokens", "char", "--target-tokens", "char")


@pytest.fixture
def room(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in digits(60)))
    return tmp_path


def tried(room, *words):
    return numseq_cli("lr-range", "--tsv", room / "pairs.tsv", *SIZES, "--out", room / "x.svg", *words)


def test_what_is_suggested_is_that_of_the_run_that_would_begin(room):
    """The same pairs held out, vocabularies, first parameters and batches as numseq train has them."""
    result = tried(room, "--from-lr", 1e-3, "--steps", 25, "--seed", 4, "--dropout", 0.1)
    assert (result.code, result.err) == (0, "")
    train = [pair for pair, held in zip(digits(60), hold_out(60, 4), strict=True) if not held]
    tokens = [Tokens.train(side, "char", 1) for side in zip(*train, strict=True)]
    sizes = {"embedding": 6, "hidden": 8, "attention_size": 8, "dropout": 0.1}
    model = Seq2Seq.create(Seq2SeqConfig(*map(len, tokens), **sizes), 4)
    found = lr_range(model, Pairs.encode(train, *tokens), TrainingOptions(batch=8, seed=4), RangeOptions(1e-3, 10, 25))
    assert f"--lr {found.suggestion:.2g}\n" in result.out and f"lowest at {found.lowest:.2g};" in result.out
    rows = [line.split() for line in result.out.splitlines()]
    assert [[f"{lr:.1e}", f"{loss:.4f}"] for lr, loss in zip(found.lrs, found.smoothed, strict=True)][::2] == [
        row for row in rows if len(row) == 2 and "e" in row[0] and row[0][0].isdigit()
    ]
    assert ("ended early" in result.out) == (found.ended is not None)
    assert b"<svg" in (room / "x.svg").read_bytes()
    assert sorted(path.name for path in room.iterdir()) == ["pairs.tsv", "x.svg"]


def test_what_cannot_be_suggested_is_said(room):
    result = tried(room, "--from-lr", 1e-9, "--to-lr", 1e-8, "--steps", 3)
    assert result.code == 0 and ("still falling" in result.out or "no step size is suggested" in result.out)


def test_an_experiment_may_be_in_a_file_and_its_folder_is_left_alone(room):
    (room / "e.toml").write_text('out = "run"\n[files]\ntsv = "pairs.tsv"\n[model]\nhidden = 8\n')
    result = numseq_cli("lr-range", room / "e.toml", "--steps", 2, "--out", room / "x.png")
    assert (result.code, result.err) == (0, "") and (room / "x.png").exists() and not (room / "run").exists()


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (["--from-lr", 1, "--to-lr", 0.5], "to_lr is 0.5: it must be above from_lr, which is 1.0"),
        (["--steps", 1], "--steps is 1: it must be a whole number of at least 2"),
        (["--out", "x.gif"], "x.gif"),
        (["--source", "x"], "give --source and --target, or --tsv"),
        (["--optimizer", "adam", "--momentum", 0.5], "momentum is 0.5, and adam has none: it is of sgd, nesterov"),
    ],
)
def test_what_cannot_be_is_one_line(room, words, needle):
    before = snapshot(room)
    result = tried(room, *words)
    assert result.code in (1, 2) and snapshot(room) == before
    assert needle in result.err.splitlines()[-1]
