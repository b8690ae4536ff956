"""What a live picture is: numbers, and a script that draws them, in one piece of HTML that needs nothing else.

    picture = live.cell(trace)      numbers are computed here, once
    picture                         a notebook shows it: as HTML where scripts may run, as a still picture elsewhere
    picture.save("cell.html")       a page of its own
    picture.html, picture.png       the piece of HTML, and the still picture

The piece of HTML holds its numbers as JSON, its style, and two scripts: `web/common.js`, which all pictures share, and
one of the picture's own, `web/NAME.js`, which hands a function that draws to `picture` in the other. A style that a
picture alone has is `web/NAME.css`. Nothing is loaded from anywhere, no server answers, and several pictures, or one of
them twice, can stand in one page.
"""

import hashlib
import io
import json
from collections.abc import Callable, Collection
from functools import cache
from html import escape
from importlib.resources import files
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.backend import to_numpy
from numseq.errors import ArgumentError
from numseq.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIGITS = 4  # of a number in a picture
MOST_NUMBERS = 200_000  # of a picture; about a megabyte

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>:root {{ color-scheme: light dark }} body {{ margin: 1rem; font: 16px/1.5 system-ui, sans-serif;
background: #fff; color: #1b1f24 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #131416; color: #e6e8eb }} }}
</style></head><body><main><h1 style="font-size: 1.25rem; margin: 0 0 .5rem">{title}</h1>
{fragment}
</main></body></html>
"""


class LivePicture:
    """A picture that moves, of numbers that were computed beforehand.

    Args: name: of the picture's script, `web/NAME.js`. data: what the script is given: dicts, lists, texts, numbers and
        arrays, which become lists of numbers of four digits. still: makes the still picture, a Figure of matplotlib.
        title: what is seen, in words; for those who do not see it as well.
    Raises: ArgumentError, when data holds more than 200,000 numbers, or there is no such script.
    """

    def __init__(self, name: str, data: dict[str, Any], still: Callable[[], "Figure"], title: str):
        self.name, self.title, self.still = name, arguments.text(title, "title"), still
        if not _web(f"{name}.js"):
            raise ArgumentError(f"name is {name!r}: there is no live picture of that name")
        if (numbers := count(data)) > MOST_NUMBERS:
            raise ArgumentError(
                f"the picture would hold {numbers:,} numbers, of which {MOST_NUMBERS:,} are the most: draw fewer rows, "
                "steps or units"
            )
        self.data = plain(data)

    def __repr__(self) -> str:
        return f"<live picture: {self.title}>"

    @property
    def json(self) -> str:
        """The numbers, as the script reads them. Whatever the texts in it, it ends no script."""
        text = json.dumps(self.data, separators=(",", ":"), allow_nan=False)
        return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")

    @property
    def html(self) -> str:
        """The piece of HTML. The same picture makes the same bytes."""
        data = self.json
        key = hashlib.sha256(f"{self.name} {self.title} {data}".encode()).hexdigest()[:12]
        return (
            f'<div class="numseq-live tex2jax_ignore mathjax_ignore" data-key="{key}" data-picture="{self.name}" '
            f'data-role="picture" role="group" aria-label="{escape(self.title)}">\n'
            f"<style>{_web('style.css')}{_web(f'{self.name}.css')}</style>\n"
            '<noscript>This picture needs JavaScript.</noscript><div data-role="stage"></div>\n'
            f'<script>\n(() => {{\n"use strict";\nconst KEY = "{key}";\nconst DATA = {data};\n'
            f"{_web('common.js')}{_web(f'{self.name}.js')}}})();\n</script>\n</div>"
        )

    @property
    def page(self) -> str:
        """A whole page of HTML."""
        return PAGE.format(title=escape(self.title), fragment=self.html)

    @property
    def png(self) -> bytes:
        """The still picture."""
        buffer = io.BytesIO()
        self.still().savefig(buffer, format="png", dpi=100, bbox_inches="tight")
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: Collection[str] | None = None, exclude: Collection[str] | None = None) -> dict:
        """What a notebook takes: the richest that it can show. One that is not trusted shows the still picture."""
        made = {"text/html": lambda: self.html, "image/png": lambda: self.png, "text/plain": lambda: repr(self)}
        wanted = set(made if include is None else include) - set(exclude or ())
        return {kind: make() for kind, make in made.items() if kind in wanted}

    def save(self, path: str | PathLike) -> None:
        """Write a page (.html), which a browser shows as it is, or the still picture (.png).

        Raises: ArgumentError, when the name ends in neither.
        """
        path = arguments.path(path, "path")
        suffix = path.suffix.lower()
        if suffix not in (".html", ".png"):
            raise ArgumentError(f"cannot save a live picture as {path.name!r}: the name must end in .html or .png")
        write_atomically(path, self.page.encode() if suffix == ".html" else self.png)


@cache
def _web(name):
    """The text of a file in `web`; "" where there is none."""
    file = files(__package__).joinpath("web", name)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def count(data: Any) -> int:
    """How many numbers there are in dicts, lists and arrays."""
    if isinstance(data, dict):
        return sum(map(count, data.values()))
    if isinstance(data, list | tuple):
        return sum(map(count, data))
    return getattr(data, "size", 1)


def plain(data: Any) -> Any:
    """What JSON can say: arrays of any backend as lists, numbers rounded; None for what is not finite."""
    if isinstance(data, dict):
        return {str(name): plain(part) for name, part in data.items()}
    if isinstance(data, list | tuple):
        return [plain(part) for part in data]
    if hasattr(data, "dtype"):
        return _rounded(to_numpy(data))
    if isinstance(data, float):
        return _rounded(np.asarray(data))
    return data


def _rounded(array):
    """Four digits of each number, in nested lists; a whole number as one."""
    if array.dtype.kind in "bui":
        return array.tolist()
    if array.dtype.kind != "f":
        raise ArgumentError(f"a live picture shows real numbers: not {array.dtype}")
    flat = [None if not np.isfinite(x) else _short(x) for x in array.astype(float).ravel().tolist()]
    shaped = np.empty(array.size, object)
    shaped[:] = flat
    return shaped.reshape(array.shape).tolist()


def _short(x):
    x = float(f"{x:.{DIGITS}g}")
    return int(x) if x.is_integer() and abs(x) < 1e6 else x
