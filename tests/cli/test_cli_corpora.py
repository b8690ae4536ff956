"""The files of numseq train: several, columns, JSON, standard input, of an experiment, and when a run goes on."""

import json

import pytest
from helpers_run import TINY, edit_config, numseq_cli, words, write_parallel

from numseq.training.checkpoint import load_config

ONE = ("--epochs", 1, *TINY)
COLUMNS = ("--source-column", "en", "--target-column", "fr")


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """The same pairs in files of all kinds, and a run on them."""
    folder = tmp_path_factory.mktemp("corpora")
    pairs = words(40)
    write_parallel(folder, pairs)
    write_parallel(folder, pairs[:15], "a-")
    write_parallel(folder, pairs[15:], "b-")
    rows = [["en", "by", "fr"], *([s, "me", t] for s, t in pairs)]
    (folder / "named.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    objects = [{"id": k, "translation": {"en": s, "fr": t}} for k, (s, t) in enumerate(pairs)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in objects))
    assert train(folder / "run", "--source", folder / "source.txt", "--target", folder / "target.txt").code == 0
    return folder


def train(out, *arguments):
    return numseq_cli("train", "--out", out, *ONE, *arguments)


WAYS = {
    "several": " ".join(f"--{side} {{r}}/{k}-{side}.txt" for k in "ab" for side in ("source", "target")),
    "columns": "--tsv {r}/named.tsv --source-column en --target-column fr",
    "json": "--jsonl {r}/rows.jsonl",
    "json, columns": "--jsonl {r}/rows.jsonl --source-column translation.en --target-column translation.fr",
    "cached": "--jsonl {r}/rows.jsonl --cache {r}/cache",
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_pairs_are_the_same_run_whatever_they_are_in(room, tmp_path, way):
    result = train(tmp_path / "run", *WAYS[way].format(r=room).split())
    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (room / "run" / "model.safetensors").read_bytes()
    origin = load_config(tmp_path / "run")[1]["origin"]
    assert (isinstance(origin["source"], list) and len(origin["source"]) == 2) == (way == "several")
    assert numseq_cli("train", "--out", tmp_path / "run", "--resume", "--epochs", 2).code == 0


def test_an_experiment_has_lists_of_files(room, tmp_path):
    file = tmp_path / "e.toml"
    sides = {side: json.dumps([str(room / f"{part}-{side}.txt") for part in "ab"]) for side in ("source", "target")}
    file.write_text("[files]\n" + "".join(f"{side} = {names}\n" for side, names in sides.items()))
    assert train(tmp_path / "run", file).code == 0
    again = numseq_cli("train", tmp_path / "run" / "experiment.toml", "--out", tmp_path / "again")
    assert again.code == 0
    for run in ("run", "again"):
        assert (tmp_path / run / "model.safetensors").read_bytes() == (room / "run" / "model.safetensors").read_bytes()


def test_standard_input_is_a_file(room, tmp_path, monkeypatch):
    with open(room / "rows.jsonl", "rb") as file:
        monkeypatch.setattr("sys.stdin", type("Input", (), {"buffer": file}))
        monkeypatch.setattr("numseq.data.reading.is_on_disk", lambda path: False)
        assert train(tmp_path / "run", "--jsonl", "-").code == 0
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (room / "run" / "model.safetensors").read_bytes()
    refused = numseq_cli("train", "--out", tmp_path / "run", "--resume")
    assert refused.code == 2 and "--jsonl again" in " ".join(refused.err.split())


def test_a_run_goes_on_from_other_files(room, tmp_path):
    assert train(tmp_path / "run", "--tsv", room / "named.tsv", *COLUMNS).code == 0
    on = ("train", "--out", tmp_path / "run", "--resume", "--epochs")
    assert numseq_cli(*on, 2, "--source", room / "source.txt", "--target", room / "target.txt").code == 0
    assert numseq_cli(*on, 3).code == 0
    assert numseq_cli(*on, 4, "--jsonl", room / "rows.jsonl").code == 0
    refused = numseq_cli(*on, 5, "--jsonl", room / "rows.jsonl", *COLUMNS)
    assert refused.code == 1 and "line 1: no en in it; there are id, translation.en, translation.fr" in refused.err


def test_a_run_of_a_version_that_knew_fewer_kinds_of_files_goes_on(room, tmp_path):
    sides = ("--source", room / "source.txt", "--target", room / "target.txt")
    assert train(tmp_path / "run", *sides).code == 0

    def forget(said):
        del said["training"]["origin"]["jsonl"], said["training"]["origin"]["val_jsonl"]

    edit_config(tmp_path / "run", forget)
    assert numseq_cli("train", "--out", tmp_path / "run", "--resume", "--epochs", 2).code == 0


@pytest.mark.parametrize(("given", "code", "says"), [
    ("--source - --target -", 2, "--source and --target are both standard input"),
    ("--source {r}/source.txt --target {r}/target.txt --source-column 1 --target-column 2", 2, "of --tsv and --jsonl"),
    ("--tsv {r}/named.tsv --jsonl {r}/rows.jsonl", 2, "--tsv, or --jsonl: one of these"),
    ("--source {r}/source.txt", 2, "--source and --target go together"),
    ("--source {r}/source.txt --source {r}/source.txt --target {r}/target.txt", 2, "2 source files and 1 target files"),
    ("--tsv {r}/named.tsv --source-column en", 2, "source_column is 'en', and target_column is not given"),
    ("--tsv {r}/named.tsv --source-column en --target-column de", 1, "no column is called 'de'; there are en, by, fr"),
    ("--jsonl {r}/named.tsv", 1, "named.tsv, line 1: not JSON"),
    ("--jsonl {r}/rows.jsonl --cache {r}/source.txt", 1, "source.txt: cannot be used as a cache"),
    ("--jsonl {r}/rows.jsonl --source-vocabulary-file {r}/run/source.tokens.json --source-tokens bpe", 1,
     "made with tokens word, and bpe is asked for")])  # fmt: skip
def test_files_that_cannot_be_used_are_refused_in_a_line(room, tmp_path, given, code, says):
    result = train(tmp_path / "run", *given.format(r=room).split())
    assert result.code == code and says in " ".join(result.err.split()), result
    assert not (tmp_path / "run").exists()
