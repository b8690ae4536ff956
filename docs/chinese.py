"""The Chinese site, in the folder zh_CN of the English one: it has the pages that are translated (docs/translation.py),
and whatever else they link to is the English page."""

import re
import subprocess
import sys

from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.errors import ExtensionError
from sphinx.search import SearchLanguage
from translation import pages

LANGUAGE, FOLDER = "zh_CN", "zh_CN"
PAGES = set(pages())
# links of the Chinese pages to English ones
TO_ENGLISH = re.compile(r'(<a [^>]*href="(?:\.\./)+(?:docs|notebooks|_tests|_modules|[A-Z]+\.html)[^"]*")')


class ChineseSite(StandaloneHTMLBuilder):
    """Reads all pages, so that every link finds its place; writes those that are translated."""

    def get_target_uri(self, docname, typ=None):
        english = docname not in PAGES and (docname in self.env.found_docs or docname.startswith("_"))
        return "../" * english + super().get_target_uri(docname, typ)

    def write_documents(self, docnames):
        super().write_documents(set(docnames) & PAGES)

    def gen_pages_from_extensions(self):
        """Those of the English site serve here too."""


class ChineseSearch(SearchLanguage):
    """Chinese has no spaces. Each pair of characters is a word, and so is all that stands between two signs: a word of
    three or more is found as a part of it."""

    lang, language_name = "zh", "Chinese"

    def split(self, input):
        runs = re.findall("[\u4e00-\u9fff]+", input)
        return [*re.findall(r"[A-Za-z0-9_]+", input), *runs, *(run[k : k + 2] for run in runs for k in range(len(run)))]

    def word_filter(self, word):
        return len(word) > 1


def other_language(app, pagename, templatename, context, doctree):
    """Each page that is translated links to itself in the other language, first of all."""
    if pagename not in PAGES:
        return
    up = "../" * pagename.count("/")
    if app.config.language == LANGUAGE:
        context["body"] = TO_ENGLISH.sub(r'\1 hreflang="en"', context["body"])
        context["body"] = context["body"].replace('class="file" href="../../_', 'class="file" href="../../../_')
        to, language, name = f"{up}../{pagename}.html", "en", "English"
    else:
        to, language, name = f"{up}{FOLDER}/{pagename}.html", "zh-CN", "中文"
    link = f'<a class="language" href="{to}" hreflang="{language}" lang="{language}">{name}</a>\n'
    context["body"] = link + context["body"]
    context["metatags"] = context.get("metatags", "") + f'<link rel="alternate" hreflang="{language}" href="{to}">\n'


def build(app, error):
    """The English site brings along the Chinese one."""
    if error is None and app.builder.name == "html" and app.config.language != LANGUAGE:
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-D", f"language={LANGUAGE}"]
        done = subprocess.run([*command, "-c", app.confdir, app.srcdir, app.outdir / FOLDER], check=False)
        if done.returncode:
            raise ExtensionError("the Chinese site could not be built")


def setup(app):
    """Called by conf.py."""
    app.connect("html-page-context", other_language, priority=800)
    app.connect("build-finished", build)
    if app.config.language == LANGUAGE:
        app.add_builder(ChineseSite, override=True)
        app.add_search_language(ChineseSearch)
