"""What the README shows is what its code prints."""

import contextlib
import io
import re
import sys
import types
from pathlib import Path

import numseq

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(page, kind="python"):
    return re.findall(rf"```{kind}\n(.*?)```", page, re.S)


def printed_by(blocks, known):
    """What blocks of code print, one after the other, each knowing what those before it made."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for code in blocks:
            exec(compile(code, "a page", "exec"), known)
    return printed.getvalue()


def test_the_code_prints_what_the_readme_says():
    printed, [shown] = printed_by(blocks(README), {}), blocks(README, "text")
    # the error itself is rounding: its last digits, and where it is largest, differ between processors
    rounding = re.compile(r"\d\.\de-1[56] \([\w.]+,")
    assert rounding.sub("", printed) == rounding.sub("", shown)


def test_parts_that_contributing_adds_are_right(monkeypatch, parts_are_forgotten):
    """Each block that begins with the path of a file is that file; what imports it finds it."""
    page, known, reports = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), {"__name__": "pages"}, []
    monkeypatch.setitem(sys.modules, "pages", types.ModuleType("pages"))
    for code in blocks(page):
        if not code.startswith("# numseq/"):
            assert "right, worst relative error" in printed_by([code], known), code
            reports.append(known["report"])
            continue
        name = code.partition("\n")[0].removeprefix("# ").removesuffix(".py").replace("/", ".")
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, name, "exec"), vars(module))
        known |= {key: value for key, value in vars(module).items() if not key.startswith("_")}
    assert len(reports) == 5 and all(report.ok for report in reports)


def test_every_path_that_the_readme_names_is_there():
    root = Path(__file__).parent.parent
    for path in re.findall(r"\]\(([\w/.-]+)\)", README):
        assert (root / path).exists(), path


def test_changelog_and_citation_are_of_this_version():
    root = Path(__file__).parent.parent
    released = re.search(r"^## \[(\d\S+)\] - (\S+)$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    cited = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert released[1] == numseq.__version__
    assert f"\nversion: {released[1]}\ndate-released: {released[2]}\n" in cited
