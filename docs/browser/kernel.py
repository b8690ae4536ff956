"""What runs the cells of a page in a browser, as a notebook's kernel does: one after the other, in one namespace."""

import ast
import base64
import io
import linecache
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import matplotlib  # the stand-in

Show = Callable[[str, str], Any]  # a kind of output (text, warning, html, png, picture, error) and the output
names: dict[str, Any] = {"__name__": "__main__"}
shown: Show


class Stream(io.TextIOBase):
    """What is printed goes to the page line by line."""

    def __init__(self, kind: str):
        self.kind, self.rest = kind, ""

    def write(self, text: str) -> int:
        lines, newline, rest = (self.rest + text).rpartition("\n")
        if newline:
            shown(self.kind, lines + newline)
        self.rest = rest
        return len(text)

    def flush(self) -> None:
        if self.rest:
            shown(self.kind, self.rest)
        self.rest = ""


def display(value: Any) -> None:
    """Show a value as a notebook does, by the best of the forms that it has."""
    sys.stdout.flush()
    if isinstance(value, matplotlib.Nothing):  # the page says what it shows instead
        return None
    if bundle := getattr(value, "_repr_mimebundle_", None):
        [(kind, text)] = bundle(include=["text/html"]).items()
        return shown("html" if kind == "text/html" else "text", text)
    for method in ("_repr_html_", "_repr_svg_", "_repr_markdown_"):
        if not isinstance(value, type) and (made := getattr(value, method, None)) and (text := made()) is not None:
            return shown("text" if "markdown" in method else "html", text)
    if made := getattr(value, "_repr_png_", None):
        png = made()
        return shown("png", base64.b64encode(png).decode()) if png else None
    return shown("text", repr(value))


def run(code: str, name: str, show: Show) -> bool:
    """Run a cell. What it prints and what its last line is worth is shown. Returns: whether it came to its end."""
    global shown
    shown = show
    linecache.cache[name] = len(code), None, code.splitlines(keepends=True), name  # for tracebacks and inspect
    matplotlib.asked = False
    with redirect_stdout(Stream("text")), redirect_stderr(Stream("warning")):
        try:
            _run(code, name)
        except BaseException as error:
            sys.stdout.flush()
            show("error", _told(error, name))
            return False
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            if matplotlib.asked:
                show("picture", "")
    return True


def _run(code, name):
    tree = ast.parse(code, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), name, "eval"), names)
        if value is not None and not code.rstrip().endswith(";"):
            display(value)


def _told(error, name):
    """The traceback from the cell on."""
    told = traceback.TracebackException.from_exception(error)
    while told.stack and told.stack[0].filename != name:
        told.stack.pop(0)
    if told.stack and told.stack[-1].filename.startswith(
        "<cell "
    ):  # the fault is in a cell: what called it says little
        told.stack[:] = [frame for frame in told.stack if frame.filename.startswith("<cell ")]
    text = "".join(told.format())
    if isinstance(error, ModuleNotFoundError):
        text += f"{error.name} is not in this tab, which has Python, NumPy and numseq. Install both to have it.\n"
    return text
