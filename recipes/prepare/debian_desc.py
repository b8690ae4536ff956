"""One-line summaries of software packages: the synopsis of a package from the first paragraph of its description.

    python recipes/prepare/debian_desc.py IN OUT

IN is a table with tabs, packed by xz or not: package, section, source, synopsis, paragraph. OUT gets train.jsonl,
dev.jsonl and test.jsonl with {"source": paragraph, "target": synopsis} a line. The first byte of the SHA-256 of the
source's name decides where a package belongs: 0 to 12 test, 13 to 25 dev, the rest train. Words and the punctuation
around them are cut apart, so that a word can be copied.
"""

from pathlib import Path

from shared import as_json, cut, main, side_of, spaced

from numseq.data.lines import read_lines
from numseq.data.reading import DataError


def prepare(path: Path) -> dict[str, list[str]]:
    files = {f"{side}.jsonl": [] for side in ("train", "dev", "test")}
    for number, line in enumerate(read_lines(path), 1):
        columns = [spaced(column) for column in line.split("\t")]
        if len(columns) != 5 or not all(columns[2:]):
            wanted = "package, section, source, synopsis and paragraph, with a tab between"
            raise DataError(f"{path}, line {number:,}: it must be {wanted}; only the first two may be empty")
        _, _, source, synopsis, paragraph = columns
        files[f"{side_of(source)}.jsonl"].append(as_json(cut(paragraph), cut(synopsis)))
    if not any(files.values()):
        raise DataError(f"{path}: no line in it")
    return files


if __name__ == "__main__":
    main(__doc__, prepare)
