"""What the site makes of the code has all of it: equations, shapes, sources, options, names."""

import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import pkgutil
import re
import sys
from dataclasses import fields
from html import unescape
from pathlib import Path

import pytest

import numseq
from numseq import layers
from numseq.mistakes import cases
from numseq.models.registry import CELLS
from numseq.record import StepGrad

DOCS = Path(__file__).parent.parent / "docs"
FUNCTIONS = [name for name in layers.__all__ if inspect.isfunction(getattr(layers, name))]
PACKAGES = [
    info.name
    for info in pkgutil.iter_modules(numseq.__path__, "numseq.")
    if info.ispkg and hasattr(importlib.import_module(info.name), "__all__")
]


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generate):
    """The pages of equations, as they are built."""
    return [generate.filled(path.read_text(encoding="utf-8")) for path in sorted((DOCS / "equations").glob("*.md"))]


def plain(text):
    """A text with nothing but its letters and digits: however it is set, these are the same."""
    text = re.sub(r'<span class="number">.*?</span>', "", text)
    text = re.sub(r"</?[a-z][^>]*>|\{py:obj\}|<numseq\.[\w.]+>|\]\(#[\w.]+\)", "", text)
    text = unescape(text)
    for letter, name in {"α": "alpha", "σ": "sigma", "∑": "sum", "β": "beta", "ε": "eps"}.items():
        text = text.replace(letter, name)
    return re.sub(r"[\W_]", "", text)


def chapter(pages, module):
    """The chapter of a module, from its mark to the next."""
    [found] = [
        one
        for page in pages
        for one in re.split(r"^(?=\(numseq[\w.]+\)=$)", page, flags=re.M)
        if one.startswith(f"({module})=")
    ]
    return found


def entry(pages, name):
    [found] = [
        one
        for page in pages
        for one in re.findall(rf"^::::\{{py:function\}} {name}\(.*?^::::$", page, flags=re.M | re.S)
    ]
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_layer_function_has_its_entry_with_shapes_and_source(pages, name):
    shown, doc = entry(pages, name), inspect.getdoc(getattr(layers, name))
    assert plain(doc) in plain(shown)  # all that it says, in its order
    assert re.search(r"\([^()]*[A-Z][^()]*\)|any shape|as of|as `|shape", shown)
    source = re.search(r"^Source: (.*)", doc, re.M)
    assert bool(source) == ("**Source**: " in shown)


@pytest.mark.parametrize("module", sorted({getattr(layers, name).__module__ for name in FUNCTIONS}))
def test_a_chapter_has_what_its_module_says_and_its_equations(pages, module):
    shown, owner = chapter(pages, module), importlib.import_module(module)
    for paragraph in owner.__doc__.split("\n\n"):
        assert plain(paragraph) in plain(shown)
    assert not re.search(r"_\d\w*[+-]\d", inspect.getsource(owner))  # an index that is a sum stands in braces
    assert "<math>" in shown
    for grads in vars(owner).values():
        if inspect.isclass(grads) and issubclass(grads, StepGrad) and grads.__module__ == module:
            for left, right in grads.__dict__.get("equations", {}).items():
                assert plain(f"{left} = {right}") in plain(shown)
    assert module.replace(".", "/") + ".py" in shown


def test_an_equation_is_that_of_a_gradient_which_the_step_has():
    kinds = [StepGrad]
    for kind in kinds:  # with those that are found on the way
        kinds += [one for one in kind.__subclasses__() if one.__module__.startswith("numseq.")]
        assert not kind.equations or kind.equations.keys() <= {field.name for field in fields(kind)}, kind
    assert len(kinds) > 10


def test_what_is_to_be_checked_has_the_names_that_gradcheck_knows(generate, pages):
    commands = re.findall(r"`numseq gradcheck (.*?)`", "".join(pages))
    assert "lstm_step" in commands and len(commands) > 15
    names = {name.partition(",")[0] for name in cases()}
    assert set(" ".join(commands).split()) <= names


def test_equations_lead_to_functions_backward_shapes_tests_and_known_mistakes(generate, pages):
    linked = set()
    for module in generate.chapters():
        shown = chapter(pages, module)
        assert "{rubric} Functions" in shown or "{rubric} Classes" in shown, module
        assert re.search(r"\((?:\.\.\., )?[A-Z](, [A-Z])*\\?\)", shown), module
        derived = "{rubric} Backward" in shown or "step_backward" in shown  # that of the loop over time
        assert derived or 'class="number"' not in shown, module
        links = re.findall(r'_tests/([\w/]+)\.html#?(\w*)"><code>(?:[\w/]+\.py)', shown)
        for file, name in links:
            linked.add((file, name))
        mistakes = re.search(r"Known mistakes: (?:(\d+)|(.+))", shown)
        found = generate.known(module)
        assert mistakes[1] is None or int(mistakes[1]) == sum(len(layer.bugs) for layer in found) > 0
        for other in (mistakes[2] or "").split(", ") if mistakes[2] else ():
            assert re.search(r"Known mistakes: \d+", chapter(pages, other.partition("(#")[2].rstrip(")")))
        others = re.findall(r"^Tests: (.+)", shown, re.M)
        assert len(links) > 0 or others == [mistakes[2]], module
        for layer in found:
            assert layer.case.partition(",")[0] in re.search(r"pytest .*? -k (.*?)</code>", shown)[1], module
    assert len(linked) > 50
    for file, name in linked:
        text = (DOCS.parent / f"{file}.py").read_text(encoding="utf-8")
        assert not name or f"\ndef {name}(" in text


def test_the_timeline_has_every_row_of_the_history_at_its_year(generate):
    page = (DOCS / "history.md").read_text(encoding="utf-8")
    drawn = generate.filled(page).partition("</svg>")[0]
    rows = re.findall(r"^\| (\d{4}) \| ([^|]+) \|", page, re.M)
    label = unescape(re.search(r'aria-label="(.*?)"', drawn)[1])
    for year, who in rows:
        assert f'<tspan class="when">{year}</tspan> {who.replace("&", "&amp;")}</text>' in drawn
        assert f"{who} {year}" in label
    dots = [(int(year), float(y)) for y, year in re.findall(r'cy="([\d.]+)" r="3.5".*?"when">(\d{4})<', drawn)]
    assert len(dots) == len(rows) > 20
    for year, y in dots:  # linear in time
        ahead, last = min(dots), max(dots)
        assert y == pytest.approx(ahead[1] + (year - ahead[0]) * (last[1] - ahead[1]) / (last[0] - ahead[0]), abs=0.2)


def test_the_sources_that_docstrings_name_are_on_the_page_of_sources(generate):
    page = (DOCS / "sources.md").read_text(encoding="utf-8")
    listed = re.findall(r"<!-- cited: (.+?) -->", page)
    assert sorted(listed) == sorted(generate.citations()) and len(listed) > 50
    for paper in listed:  # each stands at the end of its own entry
        author, year = paper.split()
        [entry] = re.findall(rf"^- (?:(?!\n- ).)*<!-- cited: {paper} -->", page, re.M | re.S)
        assert author in entry and year in entry
    assert "numseq.layers.cells.rnn" in generate.filled(page)
    for layer in FUNCTIONS:  # none is written so that it is not seen
        source = re.search(
            r"^Source: (.*?)(?=\n\n|\n[A-Z]\w+: |\Z)", inspect.getdoc(getattr(layers, layer)), re.M | re.S
        )
        if source and re.search(r"\b(19|20)\d\d\b", source[1]):
            assert generate.CITED.search(source[1].replace("\n", " ")), layer


def test_the_equations_of_a_chapter_are_numbered_in_order(pages):
    numbers = [int(n) for n in re.findall(r'class="number">\((\d+)\)', chapter(pages, "numseq.layers.cells.lstm"))]
    assert len(numbers) == 7 + 8 and numbers == list(range(1, len(numbers) + 1))


def test_an_equation_is_set_as_mathematics(generate):
    set_ = generate.lines(["c_t = f_t * c_{t-1} + i_t * g_t            cell"])
    assert "<msub><mi>c</mi><mrow><mi>t</mi><mo>−</mo><mn>1</mn></mrow></msub>" in set_ and "⊙" in set_
    assert '<span class="remark">cell</span>' in set_
    assert "logits</mi>" in generate.typeset("exp(logits - m)")
    assert "<math>" not in generate.typeset("as an output")


def test_words_of_a_docstring_mean_nothing_to_markdown(generate):
    assert generate.prose("a [b](c) <d> # * e") == r"a \[b\]\(c\) \<d\> \# \* e"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_a_page_with_all_that_it_exports(generate, package):
    page = generate.filled((DOCS / "reference" / f"{package.partition('.')[2]}.md").read_text(encoding="utf-8"))
    for name in importlib.import_module(package).__all__:
        assert re.search(rf"\}} {name}\b|`[\w.]*\.{name}`", page), name


def test_every_command_is_there_with_every_option(generate):
    import typer

    from numseq.cli.commands import app

    page = generate.filled((DOCS / "command-line.md").read_text(encoding="utf-8"))
    for name, command in typer.main.get_command(app).commands.items():
        shown = re.search(rf"^## numseq {name}$(.*?)(?=^## |\Z)", page, re.M | re.S)[1]
        for one in command.params:
            assert all(
                f"<code>{flag}" in shown or f" {flag}" in shown or f"/{flag}" in shown
                for flag in one.opts
                if "-" in flag
            )


TERM = re.compile(r"^- \*\*(.+?)\*\*(.*?)(?=^- |^#|\Z)", re.M | re.S)


def test_the_glossary_has_a_chinese_term_beside_each_english_one():
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
    terms = TERM.findall(page)
    assert len(terms) > 80
    assert [term for term, said in terms if not re.match(r"[ \w（），、]*[一-鿿]", said)] == []
    known = ", ".join(term for term, _ in terms).lower()
    for word in (
        "padding",
        "complex step",
        "perplexity",
        "logits",
        "glorot",
        "zoneout",
        "teacher forcing",
        "beam search",
    ):
        assert word in known
    for section in page.split("\n## ")[1:]:
        order = [term.lower() for term, _ in TERM.findall(section)]
        assert order == sorted(order)


def test_every_cell_is_drawn_from_its_equations(generate):
    for cell in CELLS.values():
        chapter = generate.chapter(sys.modules[type(cell).__module__])
        [drawn] = re.findall(r"```\{raw\} html\n.*?const DATA = (.*?);\n", chapter, re.DOTALL)
        assert {"h", "x"} <= {node["name"] for node in json.loads(drawn)["nodes"]}


def test_the_plain_code_of_a_chapter_is_a_right_backward(generate, pages):
    found = re.findall(r"```python\n(.*?)\n```", "".join(pages), re.DOTALL)
    codes = [code for code in found if "grade(" in code]
    graded = re.findall(r'grade\("(\w+)"', "".join(codes))
    assert len(graded) == len(set(graded)) >= 30 and {"lstm_step", "additive_attention", "cross_entropy"} <= set(graded)
    for code in codes:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "a chapter", "exec"), {"__name__": "a chapter"})
        assert ": right" in printed.getvalue(), code
