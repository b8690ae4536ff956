"""Text from data: descriptions of restaurants from meaning representations, the E2E challenge (Novikova et al. 2017).

    python recipes/prepare/e2e_nlg.py IN OUT [lower]

IN has devset.csv and testset_w_refs.csv with the columns mr and ref, packed by gzip or not, and for training either
trainset.csv or e2e_aligned.tar.gz, which has src_train.txt and train.txt: text cut into words, which is joined again
here ("family - friendly" to "family-friendly").

OUT gets train.tsv and dev.tsv, a pair a line; dev.source and test.source, each meaning representation once; and their
descriptions in dev.reference.01, .02, ..., test.reference.01, .02, .... A source is
"name[ Blue Spice ] eatType[ pub ]": names of fields, brackets and the words of a value are words. In the tables words
and the punctuation around them are cut apart; the references are as they were written, which is the same for BLEU. To
evaluate with all descriptions:

    numseq evaluate RUN --source OUT/test.source $(printf -- '--reference %s ' OUT/test.reference.*)

With "lower" all is in small letters, as the published BLEU is measured. Names are left in their places (no
delexicalisation).
"""

import csv
import io
import re
import tarfile
import zlib
from pathlib import Path

from shared import cut, file_of, main, must, spaced, with_references

from numseq.data.lines import decode_lines
from numseq.data.reading import DataError, read_bytes

FIELD = re.compile(r"\s*([^\[\],]+)\[([^\]]*)\]\s*(?:,|$)")
MARKED = re.compile(r"\s*__start_(\w+?)__ (.*?) __end_\1__\s*")
NAMES = {"customerrating": "customer_rating"}  # what a field is called in the archive


def prepare(folder: Path, case: str = "") -> dict[str, list[str]]:
    if case not in ("", "lower"):
        raise DataError(f"the third word is {case!r}: it can be lower")
    table, archive = file_of(folder, "trainset.csv"), folder / "e2e_aligned.tar.gz"
    pairs = {
        "train": of_table(table) if table else of_archive(archive),
        "dev": of_table(must(folder, "devset.csv")),
        "test": of_table(must(folder, "testset_w_refs.csv", "testset.csv")),
    }
    if case:
        pairs = {side: [(source.lower(), text.lower()) for source, text in found] for side, found in pairs.items()}
    files = {f"{side}.tsv": [f"{source}\t{cut(text)}" for source, text in pairs[side]] for side in ("train", "dev")}
    return files | with_references("dev", pairs["dev"]) | with_references("test", pairs["test"])


def of_table(path: Path) -> list[tuple[str, str]]:
    """The pairs of a table with the columns mr and ref."""
    rows = csv.DictReader(io.StringIO("\n".join(decode_lines(read_bytes(path), path))))
    if missing := [name for name in ("mr", "ref") if name not in (rows.fieldnames or ())]:
        raise DataError(f"{path}: no column {missing[0]}; there are {', '.join(rows.fieldnames or ['none'])}")
    pairs = []
    for row in rows:
        where = f"{path}, line {rows.line_num:,}"
        if not (row["mr"] and row["ref"]):
            raise DataError(f"{where}: a side is empty")
        pairs.append((written(all_of(FIELD, row["mr"], where)), spaced(row["ref"])))
    return pairs


def of_archive(path: Path) -> list[tuple[str, str]]:
    """The pairs of the archive of aligned text."""
    if not path.is_file():
        raise DataError(f"{path.parent}: neither trainset.csv nor {path.name} in it")
    sides = []
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: member for member in archive if member.isfile()}
            for name in ("src_train.txt", "train.txt"):
                if name not in members:
                    raise DataError(f"{path}: no {name} in it")
                sides.append(decode_lines(archive.extractfile(members[name]).read(), f"{path}, {name}"))
    except (tarfile.TarError, EOFError, OSError, zlib.error):
        raise DataError(f"{path}: no archive (.tar.gz) that can be read: fetch it again") from None
    if len(sides[0]) != len(sides[1]):
        raise DataError(f"{path}: src_train.txt has {len(sides[0]):,} lines and train.txt {len(sides[1]):,}")
    pairs = []
    for number, (source, text) in enumerate(zip(*sides, strict=True), 1):
        text, end, _ = text.partition("<eos>|||")
        if not end:
            raise DataError(f"{path}, train.txt, line {number:,}: no <eos>||| with what is aligned behind the text")
        fields = all_of(MARKED, source, f"{path}, src_train.txt, line {number:,}")
        pairs.append((written((NAMES.get(name, name), joined(value)) for name, value in fields), joined(text)))
    return pairs


def all_of(pattern, text, where):
    """All matches, one behind the other, of which a text consists. Raises: DataError, where it does not."""
    found, place = [], 0
    while place < len(text):
        if not (match := pattern.match(text, place)):
            raise DataError(f"{where}: no field begins at {text[place : place + 30]!r}")
        found.append(match.groups())
        place = match.end()
    return found


def written(fields) -> str:
    return " ".join(f"{name.strip().replace(' ', '_')}[ {spaced(value)} ]" for name, value in fields)


def joined(text: str) -> str:
    """Text that was cut into words, as it is written."""
    text = re.sub(r" ([.,;:!?]|'(?:s|t|re|ll|ve|d|m)\b)", r"\1", spaced(text))
    return re.sub(r"(?<=\w) - (?=[\w£])", "-", text.replace("£ ", "£"))


if __name__ == "__main__":
    main(__doc__, prepare, more=1)
