"""Commands and actions: SCAN, whose tests ask for new compositions of what is known (Lake & Baroni 2018).

    python recipes/prepare/scan.py IN OUT

IN has tasks_train_simple.txt, tasks_test_simple.txt and the like (length, addprim_jump, addprim_turn_left), packed by
gzip or not; a line is "IN: jump twice OUT: I_JUMP I_JUMP". OUT gets simple/train.tsv and simple/test.tsv and so on.
There is nothing for development: numseq train holds out 1 in 20 pairs.
"""

import re
from pathlib import Path

from shared import main, spaced

from numseq.data.lines import read_lines
from numseq.data.reading import DataError

NAME = re.compile(r"tasks_(train|test)_(\w+)\.txt(\.gz)?")
LINE = re.compile(r"IN: (.*\S) OUT: (.*\S)\s*")


def prepare(folder: Path) -> dict[str, list[str]]:
    files = {}
    for path in sorted(folder.iterdir()):
        if name := NAME.fullmatch(path.name):
            files[f"{name[2]}/{name[1]}.tsv"] = [pair(line, path, n) for n, line in enumerate(read_lines(path), 1)]
    if not files:
        raise DataError(f"{folder}: no tasks_train_simple.txt in it, and none of the others")
    return files


def pair(line: str, path: Path, number: int) -> str:
    if not (found := LINE.fullmatch(line)):
        raise DataError(f"{path}, line {number:,}: it must be IN: words OUT: actions")
    return f"{spaced(found[1])}\t{spaced(found[2])}"


if __name__ == "__main__":
    main(__doc__, prepare)
