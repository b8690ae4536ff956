"""numseq plot: curves of several runs in one picture, and which run was the best."""

import json

import pytest
from helpers_run import numseq_cli, snapshot

from numseq import plots


@pytest.fixture
def room(tmp_path):
    def run(name, *lines):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    run(
        "a/run",
        {"epoch": 1, "updates": 5, "train_loss": 3.0, "valid_loss": 2.0, "bleu": 10.0, "wer": 0.5, "seconds": 1},
        {"epoch": 2, "updates": 10, "train_loss": 2.0, "valid_loss": 2.5, "bleu": 30.0, "wer": 0.75, "seconds": 2.5},
    )
    run("b/run", {"epoch": 1, "updates": 6, "train_loss": 3.0, "valid_loss": 1.25, "bleu": 20.0, "seconds": 1})
    run("old", {"epoch": 1, "train_loss": 3.0, "valid_loss": 1.5, "seconds": 1, "samples": [{}]})
    run("broken", {"epoch": 1})
    (tmp_path / "broken" / "metrics.jsonl").write_text("{half")
    (tmp_path / "new").mkdir()
    run("none")
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    """What was asked of the picture."""
    asked, learning_curves = [], plots.learning_curves

    def wrapped(runs, **how):
        asked.append((list(runs), how))
        return learning_curves(runs, **how)

    monkeypatch.setattr(plots, "learning_curves", wrapped)
    return asked


def test_runs_are_compared_and_the_best_of_each_metric_has_a_star(room, drawn, monkeypatch):
    monkeypatch.chdir(room)
    result = numseq_cli("plot", "a/run", "b/run", "old")
    assert (result.code, result.err) == (0, "")
    rows = [line.split() for line in result.out.splitlines()]
    assert rows[:5] == [
        ["run", "valid_loss", "bleu", "wer"], ["a/run", "2", "30*", "0.5*"], ["b/run", "1.25*", "20", "-"],
        ["old", "1.5", "-", "-"], ["*", "the", "best"],
    ]  # fmt: skip
    assert drawn == [(["a/run", "b/run", "old"], {"x": "epoch", "y": ["loss"]})]  # an old run knows no updates
    assert (room / "runs.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_drawn_can_be_chosen(room, drawn):
    result = numseq_cli("plot", room / "a/run", "--y", "valid_loss, bleu", "--x", "seconds", "--out", room / "x.svg")
    assert result.code == 0 and "*" in result.out and "the best" not in result.out
    numseq_cli("plot", room / "a/run", room / "old", "--out", room / "x.svg")
    numseq_cli("plot", room / "a/run", "--out", room / "x.svg")
    assert [how for _, how in drawn] == [
        {"x": "seconds", "y": ["valid_loss", "bleu"]}, {"x": "epoch", "y": ["loss"]}, {"x": "updates", "y": ["loss"]},
    ]  # fmt: skip
    assert drawn[1][0] == ["run", "old"]  # a folder's name, where it is the only one of that name
    assert b"<svg" in (room / "x.svg").read_bytes()


@pytest.mark.parametrize(
    ("words", "needles"),
    [
        (["{room}/new"], ["{room}/new has no metrics.jsonl"]),
        (["{room}/nowhere"], ["{room}/nowhere: there is no such folder"]),
        (["{room}/broken"], ["{room}/broken/metrics.jsonl: cannot be read"]),
        (["{room}/none"], ["{room}/none/metrics.jsonl holds no metrics"]),
        (["{room}/a/run", "{room}/a/run"], ["a folder is named twice"]),
        (["{room}/old", "--y", "bleu"], ["old has no 'bleu': there are epoch, loss, seconds, train_loss, valid_loss"]),
        (["{room}/old", "--y", "loss,"], ["old has no ''"]),
        (["{room}/old", "--y", "samples"], ["old has no 'samples'"]),
        (["{room}/old", "--x", "updates"], ["old has no 'updates'"]),
        (["{room}/old", "--out", "{room}/x.jpg"], ["--out", "x.jpg", ".png or .svg"]),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_one_line(room, words, needles):
    before = snapshot(room)
    result = numseq_cli("plot", "--out", room / "y.png", *(word.format(room=room) for word in words))
    assert result.code in (1, 2) and snapshot(room) == before
    said = result.err.splitlines()[-1]
    assert said.startswith(("Error: ", "numseq: ")) and all(needle.format(room=room) in said for needle in needles), (
        result.err
    )
