"""Recipes: each is an experiment that trains on files of its form and is evaluated by the command that it names."""

from pathlib import Path

import pytest
from helpers_run import numseq_cli, words, write_parallel

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*.toml"))
SMALL = ("--embedding", 6, "--hidden", 8, "--epochs", 1, "--ema", 0.5, "--validate-every", 10)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Pairs as two files and as a table."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, pairs in (("", words(200)), ("val-", words(20, seed=5))):
        write_parallel(folder, pairs, name)
        (folder / f"{name}pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return folder


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_trains_and_is_evaluated_as_it_says(room, tmp_path, recipe):
    said = recipe.read_text(encoding="utf-8")
    if "--tsv" in said:
        train = ("--tsv", room / "pairs.tsv", "--val-tsv", room / "val-pairs.tsv")
        test = ("--tsv", room / "val-pairs.tsv")
    else:
        train = ("--source", room / "source.txt", "--target", room / "target.txt")
        train += ("--val-source", room / "val-source.txt", "--val-target", room / "val-target.txt")
        test = ("--source", room / "val-source.txt", "--reference", room / "val-target.txt")
    result = numseq_cli("train", recipe, *train, *SMALL, "--out", tmp_path / "run")
    assert (result.code, result.err) == (0, ""), result
    [line] = [line for line in said.splitlines() if "numseq evaluate" in line]
    options = line.split(" --beam ")[1].split()
    found = numseq_cli("evaluate", tmp_path / "run", *test, "--beam", *options)
    assert found.code == 0 and "sentences       20" in found.out, found


def test_there_are_recipes():
    assert {"g2p", "multi30k-en-fr"} <= {recipe.stem for recipe in RECIPES}
