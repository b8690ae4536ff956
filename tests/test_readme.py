"""What the README shows is what its code prints."""

import contextlib
import io
import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_code_prints_what_the_readme_says():
    code, shown = (re.search(rf"```{kind}\n(.*?)```", README, re.S)[1] for kind in ("python", "text"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    # the error itself is rounding: its last digits, and where it is largest, differ between processors
    rounding = re.compile(r"\d\.\de-1[56] \([\w.]+,")
    assert rounding.sub("", printed.getvalue()) == rounding.sub("", shown)


def test_every_path_that_the_readme_names_is_there():
    root = Path(__file__).parent.parent
    for path in re.findall(r"\]\(([\w/.-]+)\)", README):
        assert (root / path).exists(), path
