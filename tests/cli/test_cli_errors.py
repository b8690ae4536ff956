"""The command that says what a model gets wrong."""

import json
import shutil

import pytest
from helpers_run import TINY, numseq_cli, words, write_parallel

from numseq import plots
from numseq.metrics.errors import analyse
from numseq.search import Translator
from numseq.training import load_model
from numseq.training.text import hold_out


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A run with validation data, another on the same data, a plain one, and one that held out its own."""
    folder = tmp_path_factory.mktemp("errors")
    write_parallel(folder, words(100))
    write_parallel(folder, words(30, seed=5), "val-")
    (folder / "val.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in words(30, seed=5)))
    train = ("--source", folder / "source.txt", "--target", folder / "target.txt")
    valid = ("--val-source", folder / "val-source.txt", "--val-target", folder / "val-target.txt")
    for name, options in (
        ("run", valid), ("second", (*valid, "--seed", 1)), ("plain", (*valid, "--attention", "none")), ("held", ()),
    ):  # fmt: skip
        result = numseq_cli("train", *TINY, "--epochs", 2, "--out", folder / name, *train, *options)
        assert result.code == 0, result
    return folder


def said(*arguments):
    result = numseq_cli("errors", *arguments)
    assert result.code == 0, result
    return result


def files(room, name="val-"):
    return ("--source", room / f"{name}source.txt", "--reference", room / f"{name}target.txt")


def tables(room, *arguments):
    said(*arguments, "--json", room / "tables.json")
    return json.loads((room / "tables.json").read_text(encoding="utf-8"))


def test_without_files_it_is_the_validation_data_of_the_run(room):
    ways = [said(room / "run", *way) for way in ((), files(room), ("--tsv", room / "val.tsv"))]
    assert len({way.out for way in ways}) == 1 and ways[0].err == ""
    translator, pairs = Translator(*load_model(room / "run")), words(30, seed=5)
    references = [target for _, target in pairs]
    found = translator.translate([source for source, _ in pairs])
    training = [target for _, target in words(100)]
    assert ways[0].out == analyse(found, references, translator=translator, training=training).text() + "\n"
    assert max(map(len, ways[0].out.splitlines())) <= 100


def test_what_the_run_held_out_is_held_out_again(room):
    both = list(zip(words(100), hold_out(100, 0), strict=True))
    rest, valid = [pair for pair, out in both if not out], [pair for pair, out in both if out]
    found = tables(room, room / "held")["errors"]
    assert found["overall"][0]["of"].endswith(f"of {len(valid)} lines")
    translator = Translator(*load_model(room / "held"))
    expected = analyse(
        translator.translate([source for source, _ in valid]), [target for _, target in valid],
        translator=translator, training=[target for _, target in rest],
    )  # fmt: skip
    assert found == json.loads(json.dumps(expected.to_dict()))


def test_it_searches_as_evaluate_does(room):
    result = numseq_cli("evaluate", room / "run", room / "second", *files(room), "--beam", 3, "--json", room / "e.json",
                        "--metric", "exact,wer,bleu")  # fmt: skip
    assert result.code == 0, result
    expected = json.loads((room / "e.json").read_text(encoding="utf-8"))
    found = tables(room, room / "run", room / "second", *files(room), "--beam", 3)["errors"]["overall"]
    found = {row["figure"]: row["value"] for row in found}
    assert found["exact match"]["value"] == expected["exact_match"] and expected["wer"] > 0
    assert found["word error rate"]["value"] == pytest.approx(expected["wer"])


def test_numbers_are_those_of_the_files(room):
    (room / "gap-source.txt").write_text("\n1 2\n3 4\n")
    (room / "gap-target.txt").write_text("2 1\nx y z\n\n")
    result = said(room / "run", *files(room, "gap-"))
    assert "\nline 2, edits 3, of tokens 3" in result.out
    assert result.err == "warning: line 1 and 1 more: a side is empty, so left out\n"


def test_pictures_and_tables_go_into_a_folder(room, monkeypatch):
    monkeypatch.setattr(plots, "save", lambda figure, path: path.write_text(type(figure).__name__))  # which takes long
    result = said(room / "run", "--out", room / "new" / "out", "--compare", room / "second")
    names = ["errors.md", "errors.png", "confusions.png", "worst.png", "comparison.png"]
    assert result.out.splitlines()[-1] == f"{room / 'new' / 'out'}: {', '.join(names)}"
    assert {path.name for path in (room / "new" / "out").iterdir()} == {*names}
    page = (room / "new" / "out" / "errors.md").read_text(encoding="utf-8")
    assert "## By length of the source" in page and "## Better by the second" in page and "](worst.png)" in page


def test_two_models_side_by_side(room):
    found = tables(room, room / "run", "--compare", room / "second")
    alone = {name: tables(room, room / name)["errors"] for name in ("run", "second")}
    assert found["errors"] == alone["run"]
    rates = [alone[name]["overall"][1]["value"]["value"] for name in ("run", "second")]
    [row] = found["comparison"]["overall"]
    assert [row["first"]["value"], row["second"]["value"]] == rates
    assert row["difference"]["value"] == pytest.approx(rates[1] - rates[0])
    assert sum(one["better"] for one in found["comparison"]["by_length"]) == row["better"]


def test_a_plain_model_has_no_table_of_attention(room):
    result = said(room / "plain")
    assert "Attention" not in result.out and "Repeated" in result.out
    assert result.err == "warning: no attention to the tokens of the source, so nothing is said of dropped parts\n"


def test_text_in_characters(room):
    found = tables(room, room / "run", "--unit", "char")["errors"]
    assert found["unit"] == "char" and found["overall"][1]["figure"] == "character error rate"


def test_training_data_that_are_gone_are_said(room, tmp_path):
    for name in ("source.txt", "target.txt", "val-source.txt", "val-target.txt"):
        shutil.copy(room / name, tmp_path)
    both = ("--source", tmp_path / "source.txt", "--target", tmp_path / "target.txt")
    valid = ("--val-source", tmp_path / "val-source.txt", "--val-target", tmp_path / "val-target.txt")
    assert numseq_cli("train", *TINY, "--epochs", 1, "--out", tmp_path / "run", *both, *valid).code == 0
    (tmp_path / "target.txt").unlink()
    result = said(tmp_path / "run")
    assert result.err.startswith("warning: no training data, so nothing is said of the frequency of tokens: ")
    assert f"{tmp_path / 'target.txt'} is no file now" in result.err and "By frequency" not in result.out
    (tmp_path / "val-target.txt").unlink()
    result = numseq_cli("errors", tmp_path / "run")
    assert result.code == 2 and "val-target.txt" in result.err and "give --source and --reference" in result.err


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (("--source", "val-source.txt"), "--source and --reference go together"),
        (("--reference", "val-source.txt"), "--source and --reference go together"),
        (("--source", "val-source.txt", "--reference", "val-target.txt", "--tsv", "val.tsv"), "or --tsv"),
        (("--source", "val-source.txt", "--reference", "target.txt"), "they must pair up"),
        (("--source", "empty", "--reference", "empty"), "no sentence pair in it"),
        (("--tsv", "empty"), "no sentence pair in it"),
        (("--tsv", "none.tsv"), "no such file"),
        (("--max-length", "1", "--tsv", "val.tsv"), "no pair is left to analyse"),
        (("--unit", "letter"), "'letter' is not one of"),
        (("--tokenize", "x"), "tokenize is 'x'"),
        (("--out", "empty"), "no folder that can be written in"),
        (("--out", "empty/in"), "no folder that can be written in"),
        (("--json", "none/x.json"), "there is no folder none"),
        (("--compare", "none"), "none"),
    ],
)
def test_what_cannot_be_analysed_is_a_line(room, monkeypatch, arguments, refusal):
    monkeypatch.chdir(room)
    (room / "empty").write_text("")
    result = numseq_cli("errors", "run", *arguments)
    assert result.code in (1, 2) and refusal in " ".join(result.err.split()) and result.out == ""
