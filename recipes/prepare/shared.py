"""What the scripts of this folder share: their command line, reading, splitting and writing."""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from numseq.data.lines import read_lines
from numseq.data.reading import DataError
from numseq.errors import NumseqError
from numseq.files import write_atomically

TAB = "\t"
EDGES = re.compile(r"""(["'“‘«(\[{]*)(.*?)([.,;:!?…"'”’»)\]}]*)""")


def main(usage: str, prepare: Callable[..., dict[str, list[str]]], more: int = 0) -> None:
    """Run a script: `python NAME.py IN OUT`, and up to `more` words: what `prepare(IN, *words)` gives goes to OUT.

    It gives {name of a file: its lines}. What is wrong is said in one line, and ends with code 1; with 2 where the
    command was not understood.
    """
    words = sys.argv[1:]
    if {"-h", "--help"} & {*words}:
        print(usage.strip())
        sys.exit()
    if not 2 <= len(words) <= 2 + more:
        print(usage.strip(), file=sys.stderr)
        sys.exit(2)
    source, folder = map(Path, words[:2])
    try:
        if not source.exists():
            raise DataError(f"{source}: no such file or folder")
        write(folder, prepare(source, *words[2:]))
    except (NumseqError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def write(folder: Path, files: dict[str, list[str]]) -> None:
    """Write files of lines, and print how many each has; none where one is there that holds something else."""
    data = {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in files.items()}
    for name, wanted in data.items():
        path = folder / name
        if path.exists() and (path.is_dir() or path.read_bytes() != wanted):
            raise DataError(f"{path} is there and holds something else: choose another folder, or move it away")
    for name, wanted in data.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, wanted)
    width = max(len(str(folder / name)) for name in files)
    for name, lines in files.items():
        many = f"{len(lines):,} lines"
        if name.endswith(".txt") and "" in lines:
            many = f"{lines.count(''):,} parts, {sum(TAB in line for line in lines):,} lines with a tab"
        if ".reference." not in name or name.endswith(".01"):
            print(f"{folder / name!s:<{width}}  {many}")
    if more := sum(".reference." in name for name in files):
        print(f"{more} files of references, line by line with their sources")


def file_of(folder: Path, *names: str) -> Path | None:
    """The first of these files that is in a folder, as it is or packed (.gz); None where there is none."""
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None


def must(folder: Path, *names: str) -> Path:
    """The same. Raises: DataError, where there is none."""
    if (path := file_of(folder, *names)) is None:
        raise DataError(f"{folder}: no {' or '.join(names)} in it, packed or not")
    return path


def spaced(text: str) -> str:
    """The text with one space where there is any white space, as a line feed."""
    return " ".join(text.split())


def cut(text: str) -> str:
    """The text with a space between a word and the punctuation around it, so that a word is the same one wherever it
    stands: "who makes it (cetirizine)?" becomes "who makes it ( cetirizine ) ?". What is inside of a word stays."""
    pieces = []
    for word in text.split():
        before, inside, behind = EDGES.fullmatch(word).groups()
        pieces += [*before, *filter(None, [inside]), *behind]
    return " ".join(pieces)


def side_of(name: str, test: int = 13, dev: int = 13) -> str:
    """Where what is called so belongs, by the first byte of its SHA-256: the first `test` of its 256 values are "test",
    the next `dev` "dev", the rest "train"."""
    byte = hashlib.sha256(name.encode()).digest()[0]
    return "test" if byte < test else "dev" if byte < test + dev else "train"


def as_json(source: str, target: str) -> str:
    """A pair as a line of JSON."""
    return json.dumps({"source": source, "target": target}, ensure_ascii=False)


def with_references(name: str, pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Files for `numseq evaluate` where a source has several targets: NAME.source, each source once, and
    NAME.reference.01, .02 and so on, of which line k are targets of source k; empty where it has no more."""
    targets = {}
    for source, target in pairs:
        targets.setdefault(source, []).append(target)
    most = max(map(len, targets.values()), default=0)
    columns = [[found[k] if k < len(found) else "" for found in targets.values()] for k in range(most)]
    return {f"{name}.source": list(targets)} | {
        f"{name}.reference.{k + 1:02}": lines for k, lines in enumerate(columns)
    }


def numbered(path: Path) -> list[list[tuple[int, str]]]:
    """The parts of a file whose lines are numbered from 1, "1 hello": (line of the file, text) of each. A blank line,
    or the number 1, begins a part. Raises: DataError, where a line has no number or not the next one."""
    parts, expected = [], 1
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            expected = 1
            continue
        count, _, text = line.strip(" ").partition(" ")
        if not count.isdecimal() or int(count) not in (1, expected):
            raise DataError(f"{path}, line {number:,}: begins with {count[:20]!r} where {expected} was expected")
        if int(count) == 1:
            parts.append([])
        parts[-1].append((number, text))
        expected = int(count) + 1
    if not parts:
        raise DataError(f"{path}: no line in it")
    return parts


def renumbered(parts: Iterable[Iterable[str]]) -> list[str]:
    """The lines of parts, each numbered from 1 and with a blank line behind it."""
    return [line for part in parts for line in [*(f"{k} {text}" for k, text in enumerate(part, 1)), ""]]


if __name__ == "__main__":
    sys.exit("this is a part of the other scripts, and no script")
