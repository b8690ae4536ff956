"""The tables of options in these pages, made from the options themselves: `python docs/tables.py` writes them anew.

A table stands between two comments, of which the first says whose options it has, and which if not all:

    <!-- options of numseq.cli.asked.MODEL: dropout variational -->
    <!-- end of options -->
"""

import re
from importlib import import_module
from pathlib import Path

from numseq.cli.common import flag
from numseq.options import options_of

PAGES = sorted(Path(__file__).parent.glob("*.md"))
PLACE = re.compile(r"(<!-- options of ([\w.]+)\.(\w+)(?:: ([\w ]+))? -->\n).*?(<!-- end of options -->)", re.DOTALL)


def filled(page):
    """The text of a page with its tables as they should be."""
    return PLACE.sub(lambda m: m[1] + table(getattr(import_module(m[2]), m[3]), (m[4] or "").split()) + m[5], page)


def table(group, names=()):
    """A table of a `numseq.cli.common.Group`: of some of its options, or of all."""
    in_python = options_of(group.kind)
    rows = [("option", "default", "can be", "what it does", "source"), ("---",) * 5]
    for name in names or group.options:
        known, usual = group.options[name], group.options[name].usual
        if known.default != in_python[name].default:
            usual += f" (in Python {in_python[name].usual})"
        can_be = ", ".join(f"`{choice}`" for choice in known.choices) if known.choices else known.bounds
        rows.append(
            (f"`{flag(name)}`", usual, can_be, known.help.rstrip(".").replace("<unk>", "`<unk>`"), known.source)
        )
    if not any(row[-1] for row in rows[2:]):
        rows = [row[:-1] for row in rows]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
