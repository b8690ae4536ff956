"""Regular expressions from English: NL-RX-Synth, NL-RX-Turk and KB13 (Locascio et al. 2016) as parallel files.

    python recipes/prepare/deep_regex.py IN OUT

IN has nl-rx-turk/src-train.txt, targ-train.txt, src-val.txt and so on, nl-rx-synth/ likewise, and kb13/src.txt and
targ.txt; what is not there is left out. OUT gets train.source, train.target, dev.source, ..., test.target in a folder
of each. Line k of one goes with line k of the other.

KB13 came without a split. Here a pair belongs where the first byte of the SHA-256 of its English says: 0 to 63 test, 64
to 89 dev, the rest train. These are about the shares of the other two, and no English sentence is on two sides.
"""

from pathlib import Path

from shared import file_of, main, must, side_of, spaced

from numseq.data.lines import read_columns
from numseq.data.reading import DataError

SIDES = {"train": "-train", "dev": "-val", "test": "-test"}


def prepare(folder: Path) -> dict[str, list[str]]:
    files = {}
    for corpus in ("nl-rx-turk", "nl-rx-synth"):
        for side, name in SIDES.items():
            if pairs := pairs_of(folder / corpus, name):
                files |= parallel(f"{corpus}/{side}", pairs)
    if pairs := pairs_of(folder / "kb13", ""):
        for side in SIDES:
            files |= parallel(f"kb13/{side}", [pair for pair in pairs if side_of(pair[0], test=64, dev=26) == side])
    if not files:
        raise DataError(f"{folder}: no nl-rx-turk/src-train.txt in it, and none of the others")
    return files


def pairs_of(folder: Path, name: str) -> list[tuple[str, str]]:
    """The pairs of src{name}.txt and targ{name}.txt; none where the first is not there."""
    if (source := file_of(folder, f"src{name}.txt")) is None:
        return []
    target = must(folder, f"targ{name}.txt")
    pairs = [(spaced(one), spaced(other)) for one, other in zip(*read_columns(source, target), strict=True)]
    for number, pair in enumerate(pairs, 1):
        if not all(pair):
            raise DataError(f"{source} and {target}, line {number:,}: a side is empty")
    return pairs


def parallel(name: str, pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {f"{name}.source": [source for source, _ in pairs], f"{name}.target": [target for _, target in pairs]}


if __name__ == "__main__":
    main(__doc__, prepare)
