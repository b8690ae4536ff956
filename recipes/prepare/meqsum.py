"""Summaries of health questions: MeQSum (Ben Abacha & Demner-Fushman 2019), a spreadsheet of 1,000 pairs.

    python recipes/prepare/meqsum.py IN OUT

IN is the .xlsx; its first row has the names File, CHQ and Summary. OUT gets train.jsonl, dev.jsonl and test.jsonl with
{"source": question, "target": summary} a line.

The paper trains on 500 pairs and tests on 500, and does not say on which. Here the first half, in the order of the
sheet, is for training, its last tenth being dev.jsonl, and the second half is the test. To train on all 500 in the end,
name both: --jsonl train.jsonl --jsonl dev.jsonl. Words and the punctuation around them are cut apart, so that a word
can be copied.
"""

import re
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

from shared import as_json, cut, main, spaced

from numseq.data.reading import DataError

SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def prepare(path: Path) -> dict[str, list[str]]:
    names, *rows = sheet(path)
    if missing := [name for name in ("CHQ", "Summary") if name not in names]:
        raise DataError(f"{path}: no column {missing[0]}; there are {', '.join(filter(None, names))}")
    pairs = []
    for number, row in enumerate(rows, 2):
        source, target = (spaced(row[names.index(name)]) for name in ("CHQ", "Summary"))
        if not (source or target):
            continue  # formatted, and nothing in it
        if not (source and target):
            raise DataError(f"{path}, row {number:,}: no {'Summary' if source else 'CHQ'}")
        pairs.append(as_json(cut(source), cut(target)))
    half, held = len(pairs) // 2, len(pairs) // 20
    return {"train.jsonl": pairs[: half - held], "dev.jsonl": pairs[half - held : half], "test.jsonl": pairs[half:]}


def sheet(path: Path) -> list[list[str]]:
    """The first sheet of a spreadsheet: rows of texts, all as long as the first. The format is a zip archive of XML."""
    try:
        with zipfile.ZipFile(path) as archive:
            shared = [
                "".join(part.text or "" for part in one.iter(f"{SPACE}t"))
                for one in ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
            ]
            cells = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    except (zipfile.BadZipFile, zlib.error, KeyError, ElementTree.ParseError, IsADirectoryError):
        raise DataError(f"{path}: no spreadsheet (.xlsx) that can be read: fetch it again") from None
    rows = []
    for row in cells.iter(f"{SPACE}row"):
        found = {}
        for cell in row.iter(f"{SPACE}c"):
            value = cell.findtext(f"{SPACE}v") or "".join(part.text or "" for part in cell.iter(f"{SPACE}t"))
            found[_column(cell.get("r", ""))] = shared[int(value)] if cell.get("t") == "s" else value
        width = len(rows[0]) if rows else max(found, default=-1) + 1
        rows.append([found.get(k, "") for k in range(width)])
    if not rows:
        raise DataError(f"{path}: no row in it")
    return rows


def _column(place):
    """The number of a column from 0: of "A7" 0, of "AB7" 27."""
    number = 0
    for letter in re.match("[A-Z]*", place)[0]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


if __name__ == "__main__":
    main(__doc__, prepare)
