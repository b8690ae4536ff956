"""Recipes: the commands at the head of each work on small files of its form."""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from helpers_run import numseq_cli, words

from numseq.tasks.made import make_dialogues, make_questions

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*.toml"))
SMALL = ("--embedding", 6, "--hidden", 8, "--epochs", 1, "--ema", 0.5, "--validate-every", 3)
LINES = 20


def commands(recipe):
    """The numseq commands of a recipe's head, as lists of words; of a pattern one file is left."""
    head = recipe.read_text(encoding="utf-8").split("\n\n")[0].replace("\n", " ").replace("\\ #", "")
    lines = re.findall(r"numseq (?:train|evaluate)(?:(?!  ).)*?(?=\s+#|$)", re.sub(r" +", " ", head))
    lines = [re.sub(r"\$\(printf -- '(--[\w-]+) %s ' (\S+)\)", r"\1 \2", line).replace("*", "1") for line in lines]
    return [shlex.split(line)[1:] for line in lines]


def write(path, option, task):
    """Small data of what an option of the command line reads."""
    pairs = words(LINES, seed=len(option))
    made = {"dialogue": make_dialogues, "questions": make_questions}
    if option.endswith("text"):
        blocks = made[task](LINES, 1, 1, seed=len(option)).train
        text = "\n".join("".join(f"{n} {line}\n" for n, line in enumerate(block, 1)) for block in blocks)
    elif option.endswith("tsv"):
        text = "".join(f"{source}\t{target}\n" for source, target in pairs)
    elif option.endswith("jsonl"):
        text = "".join(f'{{"source": "{source}", "target": "{target}"}}\n' for source, target in pairs)
    else:
        text = "".join(f"{pair[option.endswith(('target', 'reference'))]}\n" for pair in pairs)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_the_commands_of_a_recipe_work(tmp_path, monkeypatch, recipe):
    task = tomllib.loads(recipe.read_text(encoding="utf-8"))["data"].get("task")
    monkeypatch.chdir(tmp_path)
    train, *rest = commands(recipe)
    assert train[:2] == ["train", f"recipes/{recipe.name}"] and rest, recipe
    for option, path in [pair for line in (train, *rest) for pair in pairwise(line)]:
        if re.fullmatch(r"--(val-)?(source|target|tsv|jsonl|text|reference|entities)", option):
            write(Path(path), option, task)
    trained = numseq_cli("train", recipe, *train[2:], *SMALL)
    assert (trained.code, trained.err) == (0, ""), trained
    for line in rest:
        found = numseq_cli(*line)
        assert found.code == 0 and re.search(r"(sentences|responses|questions) +\d", found.out), found


def test_there_are_recipes():
    assert {"g2p", "multi30k-en-fr", "regex", "scan", "story-questions"} <= {recipe.stem for recipe in RECIPES}
