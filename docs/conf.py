"""The site: `sphinx-build -W -c docs . docs/_build` in the root of a checkout. It needs no network, and no script to
show mathematics: that is MathML, which browsers set themselves.
"""

import re
import shutil
import sys
from html import escape
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE), str(HERE / "browser")]

import chinese  # noqa: E402
import generate  # noqa: E402
import make  # noqa: E402
import translation  # noqa: E402
from generate import GRADIENTS, PLACE, filled, tested  # noqa: E402

import numseq  # noqa: E402

project = "numseq"
author = "The numseq developers"
copyright = "The numseq developers"
version = release = numseq.__version__
language = "en"  # or, for the site in the folder zh_CN, -D language=zh_CN
locale_dirs = [str(HERE / "locale")]
gettext_compact = False

extensions = ["myst_nb", "sphinx.ext.viewcode"]
root_doc = "docs/index"
include_patterns = ["docs/*.md", "docs/equations/*.md", "docs/reference/*.md", "*.md", "notebooks/**.ipynb"]
exclude_patterns = ["docs/_build", ".venv", "build", "dist", "**/.ipynb_checkpoints", "CHANGELOG.md", "*.zh-CN.md"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks are shown as they are committed
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
smartquotes = False

html_theme = "furo"
html_title = "numseq"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"

BROWSER = HERE / "_build" / "browser"  # Python for the reader's tab
# the pages whose Python runs there
RUNS = re.compile(
    r"notebooks/(solutions/)?(00|02|03|04|05|06|07|12|13)_.*|docs/equations/.*"
    r"|docs/(cells-and-attention|change-an-equation|check-your-own-layer|gradient-checking|index)"
)
# browsers load no modules from files
FROM_A_FILE = """if (location.protocol === "file:") addEventListener("DOMContentLoaded", () => {
  const note = document.createElement("p");
  note.className = "run-note";
  note.textContent = "This page was opened as a file. From a server its Python can be run: say " +
    "python -m http.server -d docs/_build/html, and open http://localhost:8000";
  document.querySelector("article h1").after(note);
});"""

TAG = re.compile(r"\\tag\{([^{}]*)\}")
ARRAY = re.compile(r"\\(begin|end)\{array\}(?:\{[lcr]+\})?")
ALIGN = re.compile(r"\{(?:align\*?|split)\}")
BIG = re.compile(r"\\Big(?=[([])"), re.compile(r"\\Big(?=[)\]])")
# an index of what has an arrow over it stands beside it, not below
ARROW = re.compile(r"<munderover>\s*(<mi>.*?</mi>)\s*(<m.*?>)\s*(<mo accent.*?</mo>)\s*</munderover>")
# a function's name keeps apart from what is no bracket: log p, x tanh(a)
AFTER = re.compile(r"(<mi>[a-z]{2,}</mi>)\s*<mo>&ApplyFunction;</mo>(?!\s*<mo[^>]*>[(\[{|])")
BEFORE = re.compile(
    r"(</m(?:i|n|sub|sup|subsup|row|frac)>|<mo[^>]*>[)\]]</mo>)(?=\s*(?:<msu[bp]>\s*)?<mi>(?:log|exp|tanh|sin|cos)</mi>)"
)
THIN = r'\1<mspace width="0.17em"></mspace>'
OTHERS = {  # what docutils does not know, in words that it knows
    r"\dots": r"\ldots",
    r"\iff": r"\Longleftrightarrow",
    r"\textbf": r"\mathbf",
    r"\texttt": r"\text",
    r"\bm": r"\boldsymbol",
    r"\notag": "",
    r"\nonumber": "",
    r"\textstyle": "",
}


def formula(node, as_block=False):
    """LaTeX as MathML. An array's columns all begin on the left (site.css)."""
    text = TAG.sub("", node.astext())
    text = BIG[1].sub(r"\\Bigr", BIG[0].sub(r"\\Bigl", text))
    known = re.sub(
        r"\\[a-zA-Z]+", lambda m: OTHERS.get(m[0], m[0]), ARRAY.sub(r"\\\1{matrix}", ALIGN.sub("{aligned}", text))
    )
    try:
        made = tex2mathml(known, as_block=as_block)
    except MathError as error:
        logging.getLogger(__name__).warning("%s in %r", error, text, location=node)
        return f"<code>{escape(text)}</code>"
    made = BEFORE.sub(THIN, AFTER.sub(THIN, made))
    made = ARROW.sub(r"<msub><mover>\1\3</mover>\2</msub>", made)
    made = re.sub("<mo>(?=[⟨⟩])", '<mo stretchy="false">', made)
    return made.replace("<mtable", '<mtable class="array"', 1) if ARRAY.search(text) else made


def set_inline(translator, node):
    """Mathematics in a line."""
    translator.body.append(formula(node))
    raise SkipNode


def set_block(translator, node):
    """Mathematics that stands alone, with its number if it has one, as a tag."""
    number = "".join(f'<span class="number">({tag})</span>' for tag in TAG.findall(node.astext()))
    translator.body.append(f'<div class="math-block">{formula(node, as_block=True)}{number}</div>\n')
    raise SkipNode


def fill(app, docname, source):
    """Put what is made of the code into a page; on the site a folder is no page. docs/translation.py asks for what is
    made of the code itself."""
    if app.builder.name != "gettext":
        source[0] = filled(source[0])
    folder = (ROOT / docname).parent
    source[0] = re.sub(r"\[([^\]]+)\]\(([\w./-]+)\)", lambda m: m[1] if (folder / m[2]).is_dir() else m[0], source[0])
    source[0] = source[0].replace("[中文](README.zh-CN.md)", '<a href="zh_CN/docs/index.html">中文</a>')


def always_anew(app, env, added, changed, removed):
    """The pages that are made of code, of which a change in the code says nothing."""
    return [name for name in env.found_docs if PLACE.search(Path(env.doc2path(name)).read_text(encoding="utf-8"))]


def for_everybody(app, pagename, templatename, context, doctree):
    """What can be scrolled can be reached by the keyboard, headings of the sidebar have a level, and the parameters of
    a signature, each on a line, are no list of definitions without terms."""
    for part, old, new in [
        ("body", r"<pre>", '<pre tabindex="0">'),
        # a full stop stays beside the formula before it
        ("body", r'(?s)(<math xmlns="[^"]*">(?:(?!</math>).)*</math>[.,;:?!)]+)', r'<span class="together">\1</span>'),
        ("body", r'<span class="formula">(?=.{2000})', '<span class="formula" tabindex="0">'),
        ("body", r"<dl>\n((?:<dd>.*</dd>\n)+)</dl>", r'<span class="lines">\n\1</span>'),
        ("body", r'<dd>(<em class="sig-param">.*)</dd>', r'<span class="line">\1</span>'),
        ("furo_navigation_tree", r'role="heading"', 'role="heading" aria-level="2"'),
    ]:
        context[part] = re.sub(old, new, context.get(part, ""))


def make_python(app):
    """Python for the reader's tab; without npm the site has pages to read. The Chinese site takes the English one's."""
    if app.builder.name != "html" or app.config.language == chinese.LANGUAGE:
        return
    if shutil.which("npm"):
        make.make(BROWSER)
    else:
        logging.getLogger(__name__).info("there is no npm: nothing on the pages can be run")


def add_run(app, pagename, templatename, context, doctree):
    """Pages whose Python can be run say so below each cell."""
    if RUNS.fullmatch(pagename) and shutil.which("npm"):
        size = sum(path.stat().st_size for path in BROWSER.iterdir()) / 1e6
        app.add_js_file(None, body=FROM_A_FILE)
        alone = "equations" in pagename  # cells that need none of those above them
        script = "../../_static/run.mjs" if app.config.language == chinese.LANGUAGE else "run.mjs"
        app.add_js_file(script, type="module", **{"data-megabytes": f"{size:.0f}", "data-alone": str(alone)})


def put_python(app, error):
    """The site brings along what runs in the reader's tab."""
    if error is None and app.builder.name == "html" and app.config.language == "en" and shutil.which("npm"):
        static = Path(app.outdir) / "_static"
        shutil.copytree(BROWSER, static / "browser", dirs_exist_ok=True)
        shutil.copy(HERE / "browser" / "run.mjs", static)


def test_pages(app):
    """The files of tests that the equations link to, with a place for each test."""
    for name in sorted({GRADIENTS, *(file for found in tested().values() for file, _ in found)}):
        shown = app.builder.highlighter.highlight_block((ROOT / name).read_text(encoding="utf-8"), "python")
        marked = re.sub(
            r'(<span class="k">def</span>.*?<span class="nf">(test_\w+)</span>)', r'<span id="\2">\1</span>', shown
        )
        yield f"_tests/{name.removesuffix('.py')}", {"title": name, "body": f"<h1>{name}</h1>\n{marked}"}, "page.html"


def add_front_door(app, error):
    """The start page is found in the folder of the site too."""
    if error is None and app.builder.name == "html":
        page = '<!doctype html><meta charset="utf-8"><title>numseq</title>'
        page += '<link rel="icon" href="_static/icon.svg">'
        page += '<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">numseq</a>\n'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app):
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (set_inline, None), (set_block, None))
    app.connect("source-read", fill)
    app.connect("env-get-outdated", always_anew)
    app.connect("html-collect-pages", test_pages)
    app.connect("builder-inited", make_python)
    app.connect("html-page-context", add_run)
    app.connect("html-page-context", for_everybody, priority=900)  # after the theme
    app.connect("build-finished", put_python)
    app.connect("build-finished", add_front_door)
    if app.config.language == chinese.LANGUAGE:
        generate.translated = translation.chinese()
    chinese.setup(app)
