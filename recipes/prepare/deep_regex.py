"""Regular expressions from English: NL-RX-Synth, NL-RX-Turk and KB13 (Locascio et al. 2016) as parallel files.

    python recipes/prepare/deep_regex.py IN OUT

IN has nl-rx-turk/src-train.txt, targ-train.txt, src-val.txt and so on, nl-rx-synth/ likewise, and kb13/src.txt and
targ.txt; what is not there is left out. OUT gets nl-rx-turk/train.source, train.target, dev.source, ..., and
kb13/all.source and all.target. Line k of one goes with line k of the other.
"""

from pathlib import Path

from shared import file_of, main, must, spaced

from numseq.data.lines import read_columns
from numseq.data.reading import DataError

SIDES = {"train": "-train", "dev": "-val", "test": "-test", "all": ""}


def prepare(folder: Path) -> dict[str, list[str]]:
    files = {}
    for corpus in ("nl-rx-turk", "nl-rx-synth", "kb13"):
        for side, name in SIDES.items():
            if (source := file_of(folder / corpus, f"src{name}.txt")) is None:
                continue
            target = must(folder / corpus, f"targ{name}.txt")
            columns = read_columns(source, target)
            for number, pair in enumerate(zip(*columns, strict=True), 1):
                if not all(pair):
                    raise DataError(f"{source} and {target}, line {number:,}: a side is empty")
            for kind, lines in zip(("source", "target"), columns, strict=True):
                files[f"{corpus}/{side}.{kind}"] = [spaced(line) for line in lines]
    if not files:
        raise DataError(f"{folder}: no nl-rx-turk/src-train.txt in it, and none of the others")
    return files


if __name__ == "__main__":
    main(__doc__, prepare)
