"""What the pages of docs/ show is what numseq does: their code runs, and the names that they give are there."""

import ast
import contextlib
import importlib
import io
import re
import sys
import types
from pathlib import Path

import pytest
from helpers_run import words

import numseq
from numseq.training import DataOptions, TrainingOptions, train_run

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
SOURCES = sorted(Path(numseq.__file__).parent.rglob("*.py"))
PRINTED = [  # they show what their code prints
    "check-your-own-layer.md",
    "data-beyond-text.md",
    "frames.md",
    "gradient-checking.md",
    "questions.md",
]
WHOLE = [
    "change-an-equation.md",
    "cells-and-attention.md",
    "ctc.md",
    "convolution.md",
    "decoding.md",
    "error-analysis.md",
    "frames.md",
    "gradient-flow.md",
    "index.md",
    "memory-with-hops.md",
    "self-attention.md",
    "sound.md",
    "tasks.md",
    "text-to-text.md",
    "training.md",
]  # each block follows those above it
FRAGMENTS = {"architecture.md", "options.md"}  # of what stands elsewhere, or of no language
ELSEWHERE = {"interop.md"}  # it has a test of its own, in test_interop.py


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_every_page_with_code_is_run():
    assert {page.name for page in DOCS.glob("*.md") if blocks(page.name)} == {*WHOLE, *PRINTED, *FRAGMENTS, *ELSEWHERE}


@pytest.mark.usefixtures("parts_are_forgotten")
@pytest.mark.parametrize("page", WHOLE)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if page in ("decoding.md", "error-analysis.md"):  # a run, and pairs to score
        data, options = DataOptions(min_count=1), TrainingOptions(epochs=1)
        train_run("run", words(40), words(8), {"embedding": 4, "hidden": 4}, data, options, say=lambda line: None)
    module = types.ModuleType("a_page")  # a registry knows a part by the name of its module
    monkeypatch.setitem(sys.modules, "a_page", module)
    for code in blocks(page):
        exec(compile(code, page, "exec"), vars(module))


ROUNDING = re.compile(r"\d\.\de-1\d \([\w.]+,")  # how large an error is that is none, and where, differs by processor


@pytest.mark.parametrize("page", PRINTED)
def test_a_page_shows_what_its_code_prints(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known, printed, compared = {}, "", 0
    for kind, block in re.findall(r"```(python|text)\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL):
        if kind == "text":
            assert ROUNDING.sub("", printed) == ROUNDING.sub("", block)
            compared += 1
            continue
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block, page, "exec"), known)
            for name in [name for name in known if name.startswith("test_")]:
                known.pop(name)()
        printed = said.getvalue()
    assert compared


NAME = re.compile(r"`(numseq(?:\.\w+)+)")
FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py)\b")
LINK = re.compile(r"\]\(([^()\s]+)\)")
FILES = {f"/{path.relative_to(ROOT).as_posix()}" for folder in ("numseq", "benchmarks", "docs", "notebooks", "tests")
         for path in (ROOT / folder).rglob("*.py")}  # fmt: skip


def spoken(path):
    """What a source file says to its readers: docstrings and comments."""
    text = path.read_text(encoding="utf-8")
    nodes = (
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    )
    return "\n".join([*filter(None, map(ast.get_docstring, nodes)), *re.findall(r"# .*", text)])


def read(path):
    return path.read_text(encoding="utf-8") if path.suffix == ".md" else spoken(path)


TEXTS = {path.relative_to(ROOT).as_posix(): read(path) for path in (*PAGES, *SOURCES)}


def resolve(name):
    """What a dotted name stands for. Raises: AttributeError, when there is no such thing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, last = name.rpartition(".")
        return getattr(resolve(module), last)


@pytest.mark.parametrize("place", [place for place, text in TEXTS.items() if NAME.search(text)])
def test_the_dotted_names_in_pages_and_docstrings_are_there(place):
    for name in NAME.findall(TEXTS[place]):
        resolve(name)


@pytest.mark.parametrize("place", [path.relative_to(ROOT).as_posix() for path in PAGES])
def test_the_files_and_links_in_a_page_are_there(place):
    page = TEXTS[place]
    added = re.findall(r"^# numseq/.*/(\w+\.py)$", page, re.MULTILINE)  # by the page's own code
    for file in FILE.findall(page):
        assert file.rpartition("/")[2] in added or any(path.endswith(f"/{file}") for path in FILES), file
    for link in LINK.findall(page):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (ROOT / place).parent / target if target else ROOT / place
        assert path.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, link
