"""The search for options: what is drawn, what is refused, that it goes on, and the table at its end."""

import json
import shutil

import numpy as np
import pytest
from helpers_run import digits, how_to_go_on, numseq_cli
from test_cli import press_ctrl_c_after
from typer import BadParameter

from numseq.cli.trials import Trials
from numseq.cli.tune import VARIABLE
from numseq.cli.vary import Choice, Range, draw, parse
from numseq.errors import ConfigError
from numseq.training.checkpoint import load_config

SMALL = ("--source-tokens", "char", "--target-tokens", "char", "--embedding", 4, "--batch", 8, "--epochs", 1)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    (folder / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in digits(40)))
    return folder


def tune(room, out, *arguments):
    return numseq_cli("tune", "--tsv", room / "pairs.tsv", *SMALL, "--out", out, *arguments)


# what is drawn


def test_what_varies_is_a_range_or_a_list_of_what_the_option_takes():
    said = [
        "lr=1e-4..1e-2",
        "hidden=8..16",
        "dropout=0,0.25",
        "cell=lstm,gru",
        "residual=yes,no",
        "source-tokens=word,char",
    ]
    assert parse(said, VARIABLE) == {
        ("training", "lr"): Range(1e-4, 1e-2),
        ("model", "hidden"): Range(8, 16),
        ("model", "dropout"): Choice((0.0, 0.25)),
        ("model", "cell"): Choice(("lstm", "gru")),
        ("model", "residual"): Choice((True, False)),
        ("data", "source_tokens"): Choice(("word", "char")),
    }


def drawn(low, high, n=2000):
    rng = np.random.default_rng(0)
    return [Range(low, high).draw(rng) for _ in range(n)]


def share(values, below):
    return sum(value < below for value in values) / len(values)


def test_a_range_over_a_decade_is_drawn_by_its_logarithm():
    found = drawn(1e-4, 1e-2)
    assert abs(share(found, 1e-3) - 0.5) < 0.05 and min(found) >= 1e-4 and max(found) <= 1e-2
    assert all(value == float(f"{value:.3g}") for value in found)


def test_a_narrower_range_or_one_from_zero_is_drawn_evenly():
    assert abs(share(drawn(0.1, 0.9), 0.5) - 0.5) < 0.05
    assert abs(share(drawn(0.0, 0.5), 0.25) - 0.5) < 0.05
    assert set(drawn(3, 6)) == {3, 4, 5, 6} and all(type(value) is int for value in drawn(3, 6))


def odd(values):
    return ConfigError("hidden is odd") if values["model", "hidden"] % 2 else None


def test_draws_differ_go_together_and_are_the_beginning_of_more_draws():
    varied = parse(["hidden=8..16"], VARIABLE)
    few, more, all_of_them = (draw(varied, np.random.default_rng(0), n, odd) for n in (2, 4, 99))
    assert more[:2] == few and all_of_them[:4] == more
    assert sorted(one["model", "hidden"] for one in all_of_them) == [8, 10, 12, 14, 16]


def test_where_nothing_goes_together_it_is_said_why():
    with pytest.raises(ConfigError, match="hidden is odd"):
        draw(parse(["hidden=7,9"], VARIABLE), np.random.default_rng(0), 1, odd)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (["lr"], "'lr': write NAME=LOW..HIGH, or NAME=A,B,C"),
        (["lr="], "write NAME=LOW..HIGH"),
        (["hiden=8..16"], "there is no option hiden to vary; the nearest is hidden"),
        (["tsv=a,b"], "there is no option tsv to vary"),
        (["lr=1..2", "lr=1,2"], "lr is varied twice"),
        (["lr=0..1"], "lr is 0.0: it must be finite and above 0"),
        (["lr=1e-2..1e-4"], "lr: the first end of a range is below the second"),
        (["lr=a..b"], "lr is 'a': it must be a number"),
        (["batch=8..16.5"], "batch is '16.5': it must be a whole number of at least 1"),
        (["cell=lstm,qrnn"], "cell is 'qrnn': choose one of lstm"),
        (["cell=gru..lstm"], "cell is 'gru..lstm': choose one of lstm"),
        (["residual=yes,maybe"], "residual is 'maybe': it must be true or false"),
        (["lr=0.1"], "one value is no choice: give more, or --lr 0.1"),
        (["lr=0.1,0.1"], "lr: a value stands there twice"),
    ],
)
def test_what_cannot_vary_is_refused(said, why):
    with pytest.raises(BadParameter) as info:
        parse(said, VARIABLE)
    assert why in str(info.value)


# the command


def test_a_search_ends_with_a_table_best_first_whose_rows_are_runs(room, tmp_path):
    vary = ("--vary", "lr=1e-3..1e-1", "--vary", "hidden=4,6,8")
    result = tune(room, tmp_path / "s", *vary, "--trials", 3)
    assert (result.code, result.err) == (0, "")
    header, *rows = (line.split("\t") for line in (tmp_path / "s" / "trials.tsv").read_text().splitlines())
    assert header == ["trial", "loss", "lr", "hidden", "updates", "seconds", "failed"]
    assert sorted(row[0] for row in rows) == ["001", "002", "003"]
    losses = [float(row[1]) for row in rows]
    assert losses == sorted(losses)
    for number, loss, lr, hidden, updates, *_ in rows:
        config, training = load_config(tmp_path / "s" / number)
        assert (config.hidden, config.attention_size) == (int(hidden), int(hidden))
        assert training["options"]["lr"] == float(lr)
        [line] = (tmp_path / "s" / number / "metrics.jsonl").read_text().splitlines()
        assert (json.loads(line)["valid_loss"], json.loads(line)["updates"]) == (float(loss), int(updates))
    said = result.out.splitlines()
    assert [line.split()[0] for line in said[-4:-1]] == [row[0] for row in rows]
    assert f"the best is in {tmp_path}/s/{rows[0][0]};" in said[-1] and "failed" not in result.out


@pytest.mark.parametrize(("metric", "order"), [("loss", "2143"), ("bleu", "4123")])
def test_what_is_best_stands_first_and_what_failed_last(tmp_path, metric, order):
    trials = Trials(tmp_path / metric, {"training": {"metric": metric}}, resume=False)
    trials.begin()
    trials.add(3, {"lr": 9.0}, failed="diverged")
    for number, value in ((1, 2.0), (2, 1.0), (4, 3.0)):
        trials.add(number, {"lr": 0.1}, metric=value, updates=5, seconds=1.5)
    assert [line.split()[0].lstrip("0") for line in trials.table().splitlines()[1:]] == list(order)
    assert trials.best() == int(order[0])


def test_the_metric_says_what_is_best_and_which_way(room, tmp_path):
    result = tune(room, tmp_path / "s", "--vary", "lr=1e-3,0.1", "--trials", 2, "--metric", "chrf", "--hidden", 4)
    assert (result.code, result.err) == (0, "")
    header, *rows = (line.split("\t") for line in (tmp_path / "s" / "trials.tsv").read_text().splitlines())
    assert header[1] == "chrf" and float(rows[0][1]) >= float(rows[1][1])


def rows_of(search):
    """Without the seconds."""
    lines = [line.split("\t") for line in (search / "trials.tsv").read_text().splitlines()]
    return [line[:-2] + line[-1:] for line in lines]


def test_a_search_that_was_stopped_goes_on_with_the_trial_at_work_and_gives_the_same(room, tmp_path, monkeypatch):
    vary = ("--vary", "lr=1e-3..1e-1", "--vary", "dropout=0,0.2", "--hidden", 4, "--trials", 3)
    assert tune(room, tmp_path / "whole", *vary).code == 0
    with monkeypatch.context() as patch:
        press_ctrl_c_after(patch, 7)  # in the second
        result = tune(room, tmp_path / "s", *vary)
    assert result.code == 130
    result = numseq_cli(*how_to_go_on(result.err))
    assert (result.code, result.err) == (0, "") and "trial 1 of 3" not in result.out and "going on" in result.out
    assert rows_of(tmp_path / "s") == rows_of(tmp_path / "whole")


def test_a_trial_that_fails_is_a_row_that_says_so(room, tmp_path):
    given = ("--vary", "lr=1e-3,1e30", "--hidden", 4, "--optimizer", "sgd", "--clip", 1e30)
    result = tune(room, tmp_path / "s", *given, "--trials", 2)
    assert result.code == 0
    _, good, failed = (line.split("\t") for line in (tmp_path / "s" / "trials.tsv").read_text().splitlines())
    assert float(good[1]) < 10 and good[-1] == ""
    assert failed[1] == "" and failed[2] == "1e+30" and "training stopped" in failed[-1]
    again = tune(room, tmp_path / "s", *given, "--trials", 2, "--resume")
    assert again.code == 0 and "trial " not in again.out.replace("trial  ", "")


def test_what_fails_whatever_is_drawn_ends_the_search(room, tmp_path):
    given = ("--val-tsv", tmp_path / "valid.tsv", "--vary", "hidden=4,6", "--trials", 2)
    result = tune(room, tmp_path / "s", *given)
    assert result.code == 1 and result.err.endswith("valid.tsv: no such file\n"), result
    assert not (tmp_path / "s").exists()
    (tmp_path / "valid.tsv").write_text("1 2\t2 1\n")
    again = tune(room, tmp_path / "s", *given, "--resume")
    assert again.code == 0 and len(rows_of(tmp_path / "s")) == 1 + 2
    (tmp_path / "of-another").mkdir()
    assert tune(room, tmp_path / "of-another", *given, "--target-vectors", tmp_path / "none").code == 1
    assert [*(tmp_path / "of-another").iterdir()] == []
    # what a trial can draw may be why there is no text left, so others are tried
    result = tune(room, tmp_path / "t", "--vary", "max_length=1,50", "--trials", 2)
    assert result.code == 0 and "no training pair is left" in result.out


def test_losses_over_other_vocabularies_are_said_to_be_no_comparison(room, tmp_path):
    vary = ("--vary", "max_vocabulary=6,8", "--trials", 1)
    word = "losses of different vocabularies"
    assert word in tune(room, tmp_path / "a", *vary).err
    assert word not in tune(room, tmp_path / "b", *vary, "--metric", "exact").err
    assert word not in tune(room, tmp_path / "c", "--vary", "max_length=40,50", "--trials", 1).err


def test_more_trials_can_be_asked_of_a_search_but_nothing_else(room, tmp_path):
    assert tune(room, tmp_path / "s", "--vary", "hidden=4,6,8", "--trials", 1).code == 0
    again = tune(room, tmp_path / "s", "--vary", "hidden=4,6,8", "--trials", 9, "--resume")
    assert again.code == 0 and "only 3 different trials can be drawn" in again.out
    assert "trial 1 " not in again.out and "trial 3 of 3" in again.out
    for given, words in (
        (("--vary", "hidden=4,6,8"), ["already holds a search: add --resume"]),
        (("--vary", "hidden=4,6", "--resume"), ["--vary is", "began with"]),
        (("--vary", "hidden=4,6,8", "--resume", "--lr", 0.1), ["--lr is 0.1", "began with None"]),
    ):
        result = tune(room, tmp_path / "s", *given)
        assert result.code == 1 and all(word in result.err for word in words), result


def test_nothing_is_made_where_a_search_makes_no_sense(room, tmp_path):
    for given, words in (
        ((), ["--vary"]),
        (("--vary", "hidden=7,9"), ["hidden is", "even"]),
        (("--vary", "lr=1..2", "--lr", 1), ["lr is varied, and --lr says what it is"]),
        (("--vary", "metric=loss,bleu"), ["metric is what runs are compared by"]),
        (("--vary", "lr=1..2", "--window", 3), ["it is of --attention local-p"]),
        (("--vary", "lr=1..2", "--trials", 0), ["--trials"]),
    ):
        result = tune(room, tmp_path / "s", *given)
        assert result.code == 2 and all(word in " ".join(result.err.split()) for word in words), result
        assert not (tmp_path / "s").exists()


def test_a_folder_of_runs_is_not_taken_for_a_search(room, tmp_path):
    assert tune(room, tmp_path / "s", "--vary", "hidden=4,6", "--trials", 1).code == 0
    (tmp_path / "s" / "tune.json").write_text("{}")
    result = tune(room, tmp_path / "s", "--vary", "hidden=4,6", "--trials", 1, "--resume")
    assert result.code == 1 and "not the record of a search" in result.err
    (tmp_path / "s" / "tune.json").unlink()
    result = tune(room, tmp_path / "s", "--vary", "hidden=4,6", "--trials", 1)
    assert result.code == 1 and "holds runs, but no tune.json" in result.err


def test_attention_itself_may_vary_with_what_one_of_them_has(room, tmp_path):
    vary = ("--vary", "attention=local-p,dot", "--vary", "window=2..4")
    assert tune(room, tmp_path / "s", *vary, "--hidden", 4, "--trials", 2).code == 0


def test_an_experiment_and_weights_to_begin_with_are_those_of_every_trial(room, tmp_path):
    train = ("--tsv", room / "pairs.tsv", *SMALL, "--hidden", 4, "--out", tmp_path / "run")
    assert numseq_cli("train", *train).code == 0
    (tmp_path / "e.toml").write_text(f'from = "run"\n[files]\ntsv = "{room}/pairs.tsv"\n[training]\nepochs = 1\n')
    given = ("--vary", "lr=1e-3,1e-2", "--trials", 2, "--out", tmp_path / "s")
    result = numseq_cli("tune", tmp_path / "e.toml", *given)
    assert (result.code, result.err) == (0, "")
    assert result.out.count("begins with the weights of") == 2 and load_config(tmp_path / "s" / "001")[0].hidden == 4
    shutil.rmtree(tmp_path / "s")
    result = numseq_cli("tune", tmp_path / "e.toml", *given, "--vary", "dropout=0..0.5")
    assert result.code == 0 and "failed" not in result.out
