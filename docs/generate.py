"""What the site says of the code, made of the code: equations, the reference of the library and of the command line.

A page has a comment in the place of what is made; the site puts it there while it is built:

    <!-- equations of numseq.layers.cells -->          the modules of a folder: equations, functions, mistakes
    <!-- equations of numseq.layers -->                the modules that lie in no folder of it
    <!-- reference of numseq.search -->                all that a package exports
    <!-- commands -->                                  all commands with their options
    <!-- timeline of docs/history.md -->               a picture of the tables of a page
    <!-- cited: Elman 1990 -->                         where numseq names a paper as its source

Text is Markdown as MyST reads it, equations are MathML.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from html import escape
from pathlib import Path

import numpy as np

import numseq.layers
from numseq.gradcheck.formulas import SPACE, mathml
from numseq.layers import sequence
from numseq.mistakes import LAYERS
from numseq.models.registry import CELLS
from numseq.plots import live
from numseq.record import StepGrad, keep_gradients

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import to_change  # noqa: E402
from timeline import timeline  # noqa: E402

PLACE = re.compile(r"<!-- (equations|reference|commands|cited|timeline)(?: of |: |)(.*?) -->")
PLAIN = "The backward as plain code, with its check: change a line and run it"
# where a chapter begins; what is not named comes after it
ORDER = [
    *["linear", "embedding", "activations"],
    *["convolution", "pooling", "batchnorm", "residual"],
    *["rnn", "lstm", "gru", "gru_before", "peephole", "layernorm_lstm", "unroll", "sequence", "bidirectional", "stack"],
    *["base", "additive", "dot", "multihead", "local", "location"],
    *["cross_entropy", "sampled", "copying", "coverage", "ctc", "doubly", "frames", "stop"],
]
SECTION = re.compile(r"^((?:Args|Returns|Backward|Raises|Source|Equations)(?:, (?:Returns|Backward|Raises))*): ?")
# what is no layer by itself: the mistakes that are known in it, and its tests, are those of what it is a part of
WITH = {
    "numseq.layers.cells.unroll": ["numseq.layers.cells.sequence"],
    "numseq.layers.cells.stack": ["numseq.layers.cells.sequence", "numseq.layers.cells.bidirectional"],
    "numseq.layers.attention.base": ["numseq.layers.attention.additive", "numseq.layers.attention.dot"],
}
# where the remark of an equation begins
REMARK = re.compile(
    r"; (?![^\[]*\])|: (?=[a-z]{2,} )|,? (?=(?:since|where) )"
    r"|, (?=(?:with|left out|which|plus that|the means|the same|written|about) )"
)
EQUATION = r"(?!With |at )\S+(?: \S+)? = "
INDENT = "    "
# what is no mathematics, while an equation is set
PLACEHOLDERS = {"-": "QhyphenQ", "a": "QarticleQ", "sum": "QsumQ", "'s": "QgenitiveQ", "_": "QunderscoreQ"}
REWRITTEN = [
    (r"(?<=[a-z]{2})-(?=[a-z]{2})", PLACEHOLDERS["-"]),
    (r"\ba(?= (?!tanh|exp|log|max)[a-z]{2,}\b)", PLACEHOLDERS["a"]),
    (r"\bsum(?= (?:over|of)\b)", PLACEHOLDERS["sum"]),
    (r"(?<=[a-z]{2})'s\b", PLACEHOLDERS["'s"]),
    (r"\b(log|d?head|step|normalise)_(?=q\b|alpha|backward)", rf"\1{PLACEHOLDERS['_']}"),
    (r"\^\(([^()]*)\)", r"^{(\1)}"),
    (r"<=", "≤"),
    (r">=", "≥"),
    (r"_t'(\w?)", r"_{t′\1}"),
    (r"\bt'", "t′"),
    (r" ?\.\.\.? ?", " … "),
]
GREEK = {"eps": "ε"}
# words that are no names, wherever they stand
SMALL = re.compile("(a|and|as|at|by|else|for|from|if|in|is|of|or|over|since|that|the|to|where|which|with)$")


# Chinese characters with their punctuation, between formulas
CHINESE = re.compile(r"( *[\u2018-\u201d\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+ *)")


def translated(text):
    """A text in the language of the site: as it is, unless another function stands here (docs/translation.py)."""
    return text


def in_language(text):
    """A text on one line, in the language of the site."""
    return translated(" ".join(text.split()))


def filled(text):
    """The text of a page with what its comments ask for."""
    made = {"equations": equations, "reference": reference, "commands": lambda _: commands(), "cited": cited}
    made["timeline"] = lambda page: timeline((ROOT / page).read_text(encoding="utf-8"))
    return PLACE.sub(lambda m: made[m[1]](m[2]), text)


# Equations


def equations(package):
    """The chapters of a folder of layers."""
    return "\n\n".join(chapter(module) for module in modules(package))


def modules(package):
    """The modules of a package of layers of which something is said: those with equations, or a public function."""
    found = [
        module
        for info in pkgutil.iter_modules(importlib.import_module(package).__path__)
        if not info.ispkg and (module := importlib.import_module(f"{package}.{info.name}")).__doc__
        if functions(module) or any(kind == "equations" for kind, _ in blocks(module.__doc__))
    ]
    names = [module.__name__.rpartition(".")[2] for module in found]
    rank = {name: ORDER.index(name) if name in ORDER else len(ORDER) for name in names}
    return [module for _, _, module in sorted(zip(map(rank.get, names), names, found, strict=True))]


def functions(module):
    """The public functions of a module of layers."""
    public = {name: getattr(numseq.layers, name) for name in numseq.layers.__all__}
    found = {n: f for n, f in public.items() if inspect.isfunction(f) and f.__module__ == module.__name__}
    return dict(sorted(found.items(), key=lambda item: item[1].__code__.co_firstlineno))


def chapter(module):
    """All that is said of a module: its equations, numbered, how they are undone, its functions, known mistakes."""
    name = module.__name__
    count = iter(range(1, 1000))
    first, *rest = textwrap.dedent(module.__doc__).strip().split("\n\n")
    title = re.split(r"[(:,.]", first)[0].strip()
    file = name.replace(".", "/") + ".py"
    parts = [
        f"({name})=\n## {in_language(title)}",
        prose(first),
        *(block(*one, count) for one in blocks("\n\n".join(rest))),
    ]
    if back := list(undone(module, count)):
        parts += [rubric("Backward"), *back]
    if drawn := list(pictures(name)):
        parts += [rubric("Data flow"), *drawn]
    if written := to_change.cells(name.replace("numseq.layers", "numseq.mistakes.layers")):
        parts += [
            f"<details><summary>{translated(PLAIN)}</summary>",
            *(f"```python\n{cell}\n```" for cell in written),
            "</details>",
        ]
    if functions(module):
        parts += [rubric("Functions"), *(signed(name, function) for name, function in functions(module).items())]
    else:
        parts += [rubric("Classes"), *(class_entry(name, one.__name__, one) for one in own(module, inspect.isclass))]
    parts += [mistakes(name), tests(name)]
    if cases := checked(name):
        parts.append(f"{translated('To check its gradients:')} `numseq gradcheck {' '.join(cases)}`")
    parts.append(f"{translated('File:')} {source_link(name, file)}")
    return "\n\n".join(filter(None, parts))


def rubric(title):
    return f":::{{rubric}} {translated(title)}\n:::"


def undone(module, count):
    """The backward equations of a module: of its steps, and of its traces."""
    for owner in own(module, inspect.isclass):
        if issubclass(owner, StepGrad) and owner.__dict__.get("equations"):
            inside = translated("Gradients inside one step, `{}`; d before a name is the derivative of the loss by it:")
            yield inside.format(owner.__name__)
            yield lines([f"{left} = {right}" for left, right in owner.equations.items()], count)
        elif "backward" in owner.__dict__ and has_equation(owner.backward.__doc__):
            yield f"`{owner.__name__}.backward`{translated(':')}"
            yield docstring(owner.backward, count)
    for function in own(module, inspect.isfunction):
        if function.__name__.endswith("_backward") and has_equation(function.__doc__):
            yield f"`{function.__name__}`{translated(':')}"
            yield docstring(function, count)


def pictures(name):
    """Of a cell of this module, how its quantities make one another: drawn from its equations, with numbers."""
    for cell in [cell for cell in CELLS.values() if type(cell).__module__ == name][:1]:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((6, 1, 3))
        trace = sequence(x, None, cell.init(rng, 3, 4, x.dtype), cell=cell)
        with keep_gradients() as inside:
            trace.backward(dh=np.ones_like(trace.h))
        title = translated("{}: six steps of four units, on random inputs; the loss is the sum of all h")
        title = title.format(type(cell).__name__)
        yield f"```{{raw}} html\n{live.cell(trace, gradients=inside, title=title).html}\n```"


def own(module, kind):
    """What of a kind is defined in a module, in its order."""
    return [one for one in vars(module).values() if kind(one) and one.__module__ == module.__name__]


def has_equation(text):
    return " = " in (text or "").split("\n\n")[0].split("Args:")[0]


def known(name):
    """What `numseq.mistakes` knows of a module's layers."""
    where = name.replace("numseq.layers", "numseq.mistakes.layers")
    return [layer for layer in LAYERS.values() if layer.backward.__module__ == where]


def checked(name):
    """What `numseq gradcheck` calls a module's layers."""
    return dict.fromkeys(layer.case.partition(",")[0] for layer in known(name))


def mistakes(name):
    """The known mistakes in a module's layers, to be opened."""
    layers = [layer for layer in known(name) if layer.bugs]
    if not layers:
        return f"{translated('Known mistakes:')} {', '.join(map(code, WITH[name]))}"
    colon, stop = translated(": "), translated(". ")
    items = [
        f"<li><strong>{layer.name}{colon}{escape(in_language(bug.name))}{stop}</strong>{escape(in_language(bug.lesson))}</li>"
        for layer in layers
        for bug in layer.bugs
    ]
    return opened(f"{translated('Known mistakes:')} {len(items)}", items)


def opened(title, items):
    """A list that a reader can open."""
    return f"<details><summary>{title}</summary><ul>\n" + "\n".join(items) + "\n</ul></details>"


# Tests

GRADIENTS = "tests/mistakes/test_gradients.py"  # which checks every layer that `numseq gradcheck` knows


def tests(name):
    """What tests a module's layers: the check of their gradients, and the tests that name them."""
    cases = list(checked(name))
    items = [f"<li>{test_link(file, test)}</li>" for file, test in tested()[name]]
    of_gradients = f'{translated("gradients:")} <code>pytest {GRADIENTS} -k "{" or ".join(cases)}"</code>'
    first = [f"<li>{test_link(GRADIENTS)}, {of_gradients}</li>"] if cases else []
    if not items and not first:
        return f"{translated('Tests:')} {', '.join(map(code, WITH[name]))}"
    return opened(f"{translated('Tests:')} {len(items) + len(first)}", [*first, *items])


def test_link(file, test=""):
    """A link to the page that shows a file of tests, at one of them."""
    to = f"../../_tests/{file.removesuffix('.py')}.html" + (f"#{test}" if test else "")
    return f'<a class="file" href="{to}"><code>{file}{"::" + test if test else ""}</code></a>'


@functools.cache
def tested():
    """The tests in tests/layers of each module of layers, (file, name of the test), by what their code names."""
    found = {name: [] for name in chapters()}
    for path in sorted((ROOT / "tests/layers").glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("numseq")
            for alias in node.names
        }
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for module in sorted({home(dotted) for dotted in dotted_names(node, imported)} & found.keys()):
                    found[module].append((path.relative_to(ROOT).as_posix(), node.name))
    return found


def dotted_names(tree, imported):
    """What a piece of code names of what was imported, as dotted names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
            yield f"{imported[node.value.id]}.{node.attr}"
        elif isinstance(node, ast.Name) and node.id in imported:
            yield imported[node.id]


@functools.cache
def home(dotted):
    """The module that defines what a dotted name stands for, or None."""
    module, _, name = dotted.rpartition(".")
    try:
        owner = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError:  # of something that is no module
        return None
    return getattr(owner, "__module__", None)


# Sources

CITED = re.compile(r"([A-Z][\w'’-]+)(?:(?:, [A-Z]\w+)*(?: & [A-Z]\w+| et al\.)?) (\d{4})")


def cited(paper):
    """Where a paper is the source, as the end of its entry."""
    where = [(name.removeprefix("numseq."), name) for name in citations()[paper]]
    return "In " + ", ".join(
        f"{{ref}}`{short} <{name}>`" if name in chapters() else f"`{short}`" for short, name in where
    )


@functools.cache
def citations():
    """The papers that docstrings name as their sources, "Elman 1990", and the modules that do."""
    found = {}
    for path in sorted((ROOT / "numseq").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for section in re.findall(
                    r"Source: (.*?)(?=\n\n|\n[A-Z]\w+: |\Z)", ast.get_docstring(node) or "", re.S
                ):
                    for author, year in CITED.findall(" ".join(section.split())):
                        found.setdefault(f"{author} {year}", {})[module] = True
    return {paper: list(modules) for paper, modules in found.items()}


# Docstrings


def signed(name, function):
    """A function as the reference has it: how it is called, and its docstring."""
    body = docstring(function)
    if name.startswith("init_"):  # the shapes are those of the parameters that it makes
        made = function.__globals__.get(inspect.signature(function).return_annotation.__name__)
        body += f"\n\n{translated('The {}:').format(made.__name__)}\n\n{fields(made)}"
    return described("function", "numseq.layers", name, arguments(function), body)


def described(kind, module, name, called, body, colons=4):
    """A MyST directive that makes an entry, which can be found and linked to."""
    fence = ":" * colons
    return f"{fence}{{py:{kind}}} {name}{called}\n:module: {module}\n\n{body}\n{fence}"


def arguments(function):
    """How a function is called, as its file has it."""
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    node.args.args = [one for one in node.args.args if one.arg not in ("self", "cls")]
    for one in [*node.args.args, *node.args.kwonlyargs]:
        one.annotation = unquoted(one.annotation)
    node.returns = unquoted(node.returns)
    return f"({ast.unparse(node.args)})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def unquoted(annotation):
    """A type, without the quotation marks that keep it from being looked up."""
    is_text = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return ast.parse(annotation.value, mode="eval").body if is_text else annotation


def docstring(owner, count=None):
    """A docstring as Markdown."""
    return "\n\n".join(block(*one, count) for one in blocks(inspect.getdoc(owner) or ""))


def blocks(text):
    """The paragraphs of a docstring: (kind, text), of which the kind is equations, code, text, or a section's name."""
    for paragraph in re.split(r"\n\s*\n", textwrap.dedent(text).strip("\n")):
        if not paragraph.strip():
            continue
        rows = paragraph.split("\n")
        dense = textwrap.dedent(paragraph).split("\n")
        if all(row.startswith(INDENT) for row in rows):
            yield ("equations" if is_equations(dense) else "code"), "\n".join(dense)
        elif len(rows) > 1 and is_equations(rows):
            yield "equations", paragraph
        else:
            yield from sections(rows)


def is_equations(rows):
    return all(re.match(r"(?![A-Z]{2})[\w^{}(), '-]+? += ", row) for row in rows)


def sections(rows):
    """The sections of a paragraph, as Args and Returns; what comes before is text."""
    kind, said = "text", []
    for row in rows:
        if found := SECTION.match(row):
            if said:
                yield kind, " ".join(said)
            kind, said = found[1], [row[found.end() :]]
        else:
            said.append(row.strip())
    yield kind, " ".join(said)


def block(kind, text, count=None):
    """A paragraph as Markdown."""
    if kind == "equations":
        return lines(text.split("\n"), count)
    if kind == "code":
        return f"```text\n{text}\n```"
    if kind == "Equations" and " = " in text:
        made = sentences(text, count)
        return f"**{translated('Equations')}**\n\n{made}" if "<math" in made else section(kind, text)
    if kind == "text" and count is not None and is_derivation(text):
        return sentences(text, count)
    return prose(text) if kind == "text" else section(kind, text)


def section(kind, text):
    return f"**{translated(kind)}**{translated(': ')}{prose(text)}"


def sentences(text, count):
    """Sentences that are equations, with semicolons between them, each on a line; others as text."""
    made = []
    for sentence in re.split(r"(?<=[\w)\]]\.) +(?=[A-Z][a-z]+ )", text):
        if re.match(EQUATION, sentence):
            made.append(lines(re.split(rf"; +(?={EQUATION})(?![^\[]*\])", sentence.rstrip(".")), count))
        elif " = " in sentence and "`" not in sentence:
            made.append(f"<p>{said(sentence)}</p>")
        else:
            made.append(prose(sentence))
    return "\n\n".join(made)


def is_derivation(text):
    return re.match(r"d\w+(\[[^]]*\])? = ", text)


def lines(rows, count=None):
    """Equations under one another, each with a number and what is said of it."""
    made = []
    for row in rows:
        equation, remark = parted(row)
        number = f'<span class="number">({next(count)})</span>' if count else ""
        remark = f'<span class="remark">{said(remark)}</span>' if remark else ""
        formula = typeset(equation)
        if re.search("[a-z]{2}", re.sub("<math>.*?</math>", "", formula)):  # it has words
            formula = typeset(in_language(equation))
        made.append(f'<div class="equation">{number}<span class="formula">{formula}</span>{remark}</div>')
    return '<div class="equations">\n' + "\n".join(made) + "\n</div>"


def parted(row):
    """An equation, and what is said of it: behind a gap, or behind a comma."""
    gap = re.search(r" {3,}(?![ =])(?=\S)|(?<=\]) {2,}", row)
    if gap:
        return re.sub(r" {2,}=", " =", row[: gap.start()]), re.sub(r" {3,}", ", ", row[gap.end() :])
    comma = REMARK.search(row)
    if comma:
        return row[: comma.start()], row[comma.end() :]
    return re.sub(r" {2,}=", " =", row), ""


def typeset(words):
    """An equation with words in it: mathematics as MathML, words as text, so that a line can be broken."""
    pieces = CHINESE.split(words)
    return "".join(escape(piece) if k % 2 else typeset_latin(piece) for k, piece in enumerate(pieces) if piece)


def typeset_latin(words):
    for pattern, other in REWRITTEN:
        words = re.sub(pattern, other, words)
    parts, made, of_math = list(ET.fromstring(mathml(words))), [], False
    for before, part, after in zip([None, *parts], parts, [*parts[1:], None], strict=False):
        text = (part.text or "").replace("\u00a0", " ")
        word = text.strip()
        closing = after is not None and next(after.iter("mo"), after).text in (")", "]")
        if before is not None and before.text in ("(", "["):
            text = text.lstrip()
        if closing:
            text = text.rstrip()
        if part.tag == "mtext" and not is_quantity(word, before, after):
            made.append(escape(text))
            of_math = False
            continue
        if part.tag == "mtext":
            part.tag, part.text = "mi", GREEK.get(word, word)
        as_written(part)
        element = ET.tostring(part, encoding="unicode")
        if part.tag == "mi" and after is not None and after.tag in ("mi", "msub", "msup") and not closing:
            element += SPACE
        if of_math:  # one element for all that stands together
            element = made.pop().removeprefix("<math>").removesuffix("</math>") + element
        made.append(f"<math>{element}</math>")
        of_math = True
    text = "".join(made)
    for word, placeholder in PLACEHOLDERS.items():
        text = text.replace(placeholder, word)
    return re.sub(r" +(?=[,;:])", "", re.sub(r" +", " ", text)).strip()


def as_written(part):
    """Indices, as t and j in e_tj, are letters and no name; brackets stay as high as the line."""
    for below in (sub[1] for sub in part.iter("msub")):
        if re.fullmatch("[hijkt]{2,3}", letters := "".join(below.itertext())):
            below.clear()
            below.tag = "mrow"
            for letter in letters:
                ET.SubElement(below, "mi").text = letter
    for bracket in part.iter("mo"):
        if bracket.text in tuple("()[]"):
            bracket.set("stretchy", "false")


def is_quantity(word, before, after):
    """Is a word beside an operator a name, as logits in exp(logits - m)?"""
    beside = any(one is not None and one.tag == "mo" for one in (before, after))
    return beside and word.isalpha() and not SMALL.match(word)


def said(remark):
    """A remark: words and mathematics, code between backticks, and full stops."""
    parts = re.split(r"`([^`]+)`|(?<=[\w)])(\.)(?=\s|$)", in_language(remark))
    words, names, stops = parts[::3], parts[1::3], parts[2::3]
    between = [
        stop + " " if stop else f" <code>{escape(name)}</code> " for name, stop in zip(names, stops, strict=True)
    ]
    return "".join(typeset(one) + gap for one, gap in zip(words, [*between, ""], strict=True)).strip()


def prose(text):
    """Plain text as Markdown. What stands between backticks is code, and a link where it is a name; so are names."""
    return "".join(MEANT[m.lastgroup](m[0]) if m.lastgroup else plain(m[0]) for m in PROSE.finditer(in_language(text)))


def plain(text):
    return re.sub(r"([\\`*_{}\[\]()#+!|<>$~^&:-])", r"\\\1", text)


def code(name):
    """A name, as a link where the site has a place for it."""
    name = name.strip("`")
    where = [one for one in (name, name.rpartition(".")[0]) if one in chapters()]
    if where:
        return f"[`{name}`](#{where[0]})"
    if name in numseq.layers.__all__:
        return f"{{py:obj}}`{name} <numseq.layers.{name}>`"
    return f"`{name}`"


@functools.cache
def chapters():
    """The names of all modules that have a chapter."""
    packages = ("numseq.layers", "numseq.layers.cells", "numseq.layers.attention", "numseq.layers.losses")
    return {module.__name__ for package in packages for module in modules(package)}


PROSE = re.compile(
    r"(?P<code>`[^`]+`)"
    r"|(?P<emphasis>(?<!\S)\*[A-Za-z][^*=]*[a-z]\*|\*[\u4e00-\u9fff]+\*)"
    r"|(?P<math>\b(?:[A-Za-z]|d[a-z]|alpha|dalpha|cov|sum|max|mean)(?:_(?:\{[^{}]*\}|[A-Za-z0-9]+))+(?:\^T)?(?!\w|\.\w))"
    r"|(?P<name>\b[A-Za-z]\w*(?:\.[a-z]\w+)+\b|\b\w+_\w+\b)"
    r"|[^`*\w]+|\w+|.",
)
MEANT = {"code": code, "emphasis": str, "math": typeset, "name": code}


# Reference


def reference(package):
    """All that a package exports. A layer's function is described where its equations are."""
    module = importlib.import_module(package)
    shown = [docstring(module)]
    names = getattr(module, "__all__", None) or public(module)
    for name in sorted(names, key=lambda name: (name.lower(), name)):
        owner = getattr(module, name)
        if home := elsewhere(package, name, owner):
            shown.append(f"{{py:obj}}`{home}.{name}`, which can be had here as well.")
        elif inspect.isclass(owner):
            shown.append(class_entry(package, name, owner))
        elif package == "numseq.layers" and inspect.isfunction(owner):
            shown.append(f"{{py:func}}`numseq.layers.{name}`: {prose(blocks_first(owner))}")
        elif inspect.isfunction(owner):
            shown.append(described("function", package, name, arguments(owner), docstring(owner)))
        else:
            shown.append(described("data", package, name, "", of_data(owner)))
    return "\n\n".join(shown)


def public(module):
    """The public functions and classes of a module that does not list them."""
    found = own(module, inspect.isclass) + own(module, inspect.isfunction)
    return [one.__name__ for one in found if not one.__name__.startswith("_") and one.__doc__]


def elsewhere(package, name, owner):
    """The package that owns what another one exports too, or None."""
    home = ".".join((getattr(owner, "__module__", None) or package).split(".")[:2])
    if package in ("numseq", home) or not home.startswith("numseq."):
        return None
    other = importlib.import_module(home)
    same = name in getattr(other, "__all__", ()) and getattr(other, name) is owner
    return home if same else None


def blocks_first(owner):
    return inspect.getdoc(owner).split("\n\n")[0]


def of_data(value):
    """What is said of something that is no class and no function."""
    if isinstance(value, int | float | str | tuple):
        return f"`{value!r}`"
    names = list(value) if isinstance(value, dict) or hasattr(value, "__iter__") else []
    known = ", ".join(f"`{name}`" for name in names if isinstance(name, str))
    return f"A {type(value).__name__}" + (f" of {known}." if known else ".")


def class_entry(package, name, owner):
    """A class: its docstring, its fields with their shapes, its public methods."""
    parts = [docstring(owner) if "__doc__" in owner.__dict__ and not is_signature(owner) else "", fields(owner)]
    for key, value in owner.__dict__.items():
        method = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if not key.startswith("_") and inspect.isfunction(method) and method.__doc__:
            parts.append(described("method", package, f"{name}.{key}", arguments(method), docstring(method)))
        elif isinstance(value, property | functools.cached_property) and not key.startswith("_"):
            getter = value.fget if isinstance(value, property) else value.func
            if getter.__doc__:
                parts.append(described("property", package, f"{name}.{key}", "", docstring(getter)))
    init = owner.__dict__.get("__init__")
    called = (
        arguments(init) if init and hasattr(init, "__code__") and not hasattr(owner, "__dataclass_fields__") else ""
    )
    return described("class", package, name, called, "\n\n".join(filter(None, parts)), colons=5)


def is_signature(owner):
    """Is a docstring only what dataclass makes, "Name(field, ...)"?"""
    return owner.__doc__ is None or owner.__doc__.startswith(f"{owner.__name__}(")


def fields(owner):
    """The fields of a class as its file has them, with their shapes."""
    if not hasattr(owner, "__dataclass_fields__"):
        return ""
    source = textwrap.dedent(inspect.getsource(owner))
    rows = source.split("\n")
    kept = [
        "\n".join(rows[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(source).body[0].body
        if isinstance(node, ast.AnnAssign) and not node.target.id.startswith("_")
    ]
    return "```python\n" + textwrap.dedent("\n".join(kept)) + "\n```" if kept else ""


def source_link(name, file):
    """A link to the page that shows a module's source."""
    return f'<a class="file" href="../../_modules/{name.replace(".", "/")}.html"><code>{file}</code></a>'


# Commands


class _Sections:
    """Takes what a command writes of its options, in place of the terminal's formatter."""

    def __init__(self):
        self.found = {}

    @contextmanager
    def section(self, title):
        self.rows = self.found.setdefault(title, [])
        yield

    def write_dl(self, rows):
        self.rows += rows


def commands():
    """All commands: what they do, how they are called, and their options, from their own help."""
    import typer

    from numseq.cli.commands import app

    group = typer.main.get_command(app)
    shown = []
    for name in sorted(group.commands):
        command = group.commands[name]
        context = command.make_context(f"numseq {name}", [], resilient_parsing=True)
        usage = " ".join(["numseq", name, *command.collect_usage_pieces(context)])
        paragraphs = [helped(one) for one in re.split(r"\n\s*\n", inspect.cleandoc(command.help))]
        shown += [f"(numseq-{name})=\n## numseq {name}", *paragraphs, f"```sh\n{usage}\n```"]
        told = _Sections()
        command.format_options(context, told)
        for title, rows in told.found.items():
            shown += [rubric(title), options(rows)]
    return "\n\n".join(shown)


def helped(paragraph):
    """A paragraph of a command's help: lines that are set in are code."""
    if paragraph.startswith("\b"):
        return block("code", textwrap.dedent(paragraph.removeprefix("\b\n")))
    return prose(paragraph)


def options(rows):
    """Options and what is said of them."""
    rows = [
        (re.sub(r"list\[(\w+)\]", lambda m: m[1].lower(), told.replace(" range>", ">")), said) for told, said in rows
    ]
    made = "".join(f"<dt><code>{escape(told)}</code></dt><dd>{escape(said)}</dd>\n" for told, said in rows)
    return f'<dl class="options">\n{made}</dl>'
