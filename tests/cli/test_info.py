"""What a run says of itself: whole, stopped, under way, and with files that say less."""

import json
import shlex
import shutil

import pytest
from helpers_run import TINY, digits, edit_config, numseq_cli
from test_cli import press_ctrl_c_after

from numseq.models import Seq2SeqConfig
from numseq.training import TrainingOptions, load_config
from numseq.training.info import best_validation, describe, differing
from numseq.training.lock import locked


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    (folder / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in digits(40)))
    given = ("--tsv", folder / "pairs.tsv", "--source-tokens", "char", "--target-tokens", "char", *TINY)
    assert numseq_cli("train", *given, "--epochs", 2, "--metric", "exact", "--out", folder / "run").code == 0
    return folder


def told(run):
    """{title: text}, lines that go on joined."""
    result = numseq_cli("info", run)
    assert (result.code, result.err) == (0, "")
    found = {}
    for line in result.out.splitlines():
        title = line[:10].strip() or title  # noqa: F821  (the line before)
        found[title] = f"{found.get(title, '')} {line[11:]}".strip()
    return found


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_it_says_what_a_run_is_how_it_was_made_and_how_good_it_is(room):
    run = room / "run"
    said, best = told(run), best_validation(lines(run), "exact")[1]
    assert said["run"] == f"{run}: finished, all 2 epochs are done"
    assert said["model"].startswith("lstm, 1 layer, bidirectional encoder, bahdanau decoder, additive attention;")
    assert "embedding 6, hidden 8; " in said["model"] and said["tokens"].startswith("14 source tokens (char)")
    assert said["files"] == f"--tsv {room}/pairs.tsv"
    assert said["options"] == (
        "--embedding 6 --hidden 8 --source-tokens char --target-tokens char --epochs 2 --batch 8 --lr 0.03 "
        "--metric exact"
    )
    updates = lines(run)[-1]["updates"]
    assert said["training"].startswith(f"2 of 2 epochs, {updates} updates, ")
    assert "tokens/s, peak memory " in said["training"]
    assert said["best"].startswith(f"exact {best['exact']:.4g}, loss {best['valid_loss']:.4g}, perplexity ")
    assert said["best"].endswith(f"after epoch {best['epoch']}, update {best['updates']}")


def test_files_and_options_can_be_typed_and_make_the_run_again(room, tmp_path):
    given = ("--tsv", room / "pairs.tsv", *TINY, "--source-tokens", "char", "--target-tokens", "char", "--epochs", 1)
    given += ("--no-readout-context", "--residual", "--freeze", "source,head.b", "--attention", "multi-head")
    given += ("--heads", 2)
    assert numseq_cli("train", *given, "--out", tmp_path / "its-own run").code == 0
    said = told(tmp_path / "its-own run")
    again = numseq_cli("train", *shlex.split(f"{said['files']} {said['options']}"), "--out", tmp_path / "again")
    assert (again.code, again.err) == (0, "")
    assert load_config(tmp_path / "again")[0] == load_config(tmp_path / "its-own run")[0]
    model, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("its-own run", "again"))
    assert model == other


def test_json_has_all_of_it(room):
    result = numseq_cli("info", room / "run", "--json")
    found = json.loads(result.out)
    assert found == describe(room / "run")
    config, described = load_config(room / "run")
    assert found["model"] == vars(config) and found["training"] == described["options"]
    assert (found["epochs"], found["updates"], found["state"]) == (2, lines(room / "run")[-1]["updates"], "finished")
    assert found["best"].items() >= best_validation(lines(room / "run"), "exact")[1].items()


def test_a_run_that_was_stopped_says_how_to_go_on_and_one_under_way_that_it_is(room, tmp_path, monkeypatch):
    given = ("--tsv", room / "pairs.tsv", *TINY, "--source-tokens", "char", "--target-tokens", "char", "--epochs", 3)
    press_ctrl_c_after(monkeypatch, 7)
    assert numseq_cli("train", *given, "--out", tmp_path / "its-own run").code == 130
    said = told(tmp_path / "its-own run")
    assert said["run"].endswith(f"not finished; to go on: numseq train --out '{tmp_path}/its-own run' --resume")
    assert said["training"].startswith("1 of 3 epochs, 7 updates")
    with locked(tmp_path / "its-own run"):
        assert told(tmp_path / "its-own run")["run"].endswith(": in training now")


def test_the_mean_of_models_says_that_it_is_one(room, tmp_path):
    experiment = room / "run" / "experiment.toml"
    assert numseq_cli("train", experiment, "--keep-last", 2, "--out", tmp_path / "run").code == 0
    assert numseq_cli("average", tmp_path / "run", "--last", 1, "--out", tmp_path / "mean").code == 0
    assert describe(tmp_path / "mean")["state"] == "averaged"
    said = told(tmp_path / "mean")
    assert "the mean of 1 model, after " in said["run"] and "resume" not in said["run"]


def test_data_that_no_option_names_are_not_told_as_one(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    edit_config(run, lambda said: said["training"].update(origin={"task": "dates"}))
    said = told(run)
    assert said["data"] == "task dates" and "files" not in said


def test_what_a_run_does_not_say_is_left_out(room, tmp_path):
    run = shutil.copytree(room / "run", tmp_path / "run")
    less = [{name: line[name] for name in ("epoch", "valid_loss", "valid_perplexity")} for line in lines(run)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in less))
    edit_config(run, lambda said: said["training"]["options"].pop("metric"))  # as before there was a choice
    said = told(run)
    assert "tokens/s" not in said["training"] and "peak memory" not in said["training"]
    assert said["best"].startswith("loss ") and "update" not in said["best"]
    for name in ("metrics.jsonl", "training.safetensors", "model.safetensors"):
        (run / name).unlink()
    said = told(run)
    assert said.keys() == {"run", "model", "tokens", "files", "options"} and "not finished" in said["run"]


def test_what_is_no_run_or_is_broken_is_said_in_a_line(room, tmp_path):
    result = numseq_cli("info", tmp_path)
    assert result.code == 1 and "not a run of numseq" in result.err
    run = shutil.copytree(room / "run", tmp_path / "run")
    (run / "metrics.jsonl").write_text("half a li")
    result = numseq_cli("info", run)
    assert result.code == 1 and f"{run}/metrics.jsonl: cannot be read" in result.err


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"attention": "none"},
        {"decoder": "vector", "attention": "none"},
        {"hidden": 6, "attention": "multi-head", "heads": 3},
        {"attention": "none", "readout": "tanh", "encoder": "bidirectional"},
    ],
)
def test_options_that_follow_from_others_are_none_that_somebody_said(said):
    size = said.get("hidden", 256)
    config = Seq2SeqConfig(9, 9, **{"attention_size": size} | said)
    assert differing(config, {"attention_size": size}) == said


def test_the_best_validation_is_best_in_the_metrics_own_way():
    found = [{"valid_loss": 2, "bleu": 3}, {"valid_loss": 1, "bleu": 2}, {"valid_loss": 3}]
    assert best_validation(found, "loss") == (1, found[1])
    assert best_validation(found, "bleu") == (3, found[0])
    assert best_validation(found, "chrf") == best_validation([], "loss") == (None, None)
    assert TrainingOptions().metric == "loss"
