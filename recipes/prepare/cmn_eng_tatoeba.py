"""English to Chinese: sentence pairs of Tatoeba, with a split that stays.

    python recipes/prepare/cmn_eng_tatoeba.py IN OUT

IN is a table with tabs, packed by gzip or not: English, Chinese, authors. OUT gets train.tsv, dev.tsv and test.tsv with
the same columns, since the licence asks for the authors; and dev.source, dev.reference.01, .02, ..., test.source,
test.reference.01, .02, ... with each English sentence once and all its translations.

Where a pair belongs is decided by its English, in small letters and without punctuation: the first byte of the SHA-256,
0 to 12 test, 13 to 25 dev, the rest train. So no English sentence is on two sides. A pair that is there twice is taken
once, and one of train whose Chinese is in dev or test is left out; how many is said.
"""

import re
import sys
import unicodedata
from pathlib import Path

from shared import main, side_of, spaced, with_references

from numseq.data.lines import read_lines
from numseq.data.reading import DataError


def prepare(path: Path) -> dict[str, list[str]]:
    sides, seen, twice = {"train": [], "dev": [], "test": []}, set(), 0
    for number, line in enumerate(read_lines(path), 1):
        columns = [spaced(unicodedata.normalize("NFC", column)) for column in line.split("\t")]
        if len(columns) != 3 or not all(columns):
            raise DataError(f"{path}, line {number:,}: it must be English, Chinese and authors, with a tab between")
        if (key := tuple(columns[:2])) in seen:
            twice += 1
            continue
        seen.add(key)
        sides[side_of(bare(columns[0]))].append(columns)
    held = {bare(chinese) for side in ("dev", "test") for _, chinese, _ in sides[side]}
    train = [columns for columns in sides["train"] if bare(columns[1]) not in held]
    told = f"{twice:,} pairs that are there twice, and {len(sides['train']) - len(train):,} of train whose Chinese is"
    print(f"left out: {told} in dev or test", file=sys.stderr)
    sides["train"] = train
    files = {f"{side}.tsv": ["\t".join(columns) for columns in found] for side, found in sides.items()}
    for side in ("dev", "test"):
        files |= with_references(side, ((english, chinese) for english, chinese, _ in sides[side]))
    return files


def bare(text: str) -> str:
    """The letters and digits of a text, in small letters: what does not change with punctuation."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


if __name__ == "__main__":
    main(__doc__, prepare)
