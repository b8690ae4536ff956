"""Reading text: parallel files with one sentence a line, and two-column TSV. Says what is wrong, and where."""

import codecs
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

from numseq import arguments
from numseq.data.reading import DataError, as_they_come, read_bytes


def read_lines(path: str | PathLike) -> list[str]:
    """The lines of a UTF-8 file, without their ends. Only a line feed ends a line, as `wc -l` counts.

    The file may be packed by gzip, bzip2 or xz, and may be a pipe; it is read once.

    Raises: DataError, when the file is missing, is a folder, cannot be read, is damaged, or is not UTF-8 (which line).
    """
    return decode_lines(read_bytes(arguments.path(path, "path")), path)


def decode_lines(raw: bytes, name: object, number: int = 1) -> list[str]:
    """The lines of UTF-8 bytes. Args: name and number, where they are from and of the first, for errors.

    Raises: DataError, not UTF-8.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + number
        utf16 = number == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        convert = "it begins as UTF-16 does: iconv -f utf-16 -t utf-8" if utf16 else "convert it to UTF-8"
        raise DataError(f"{name}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x}): {convert}") from None
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def lines_as_they_come(path: str | PathLike | None, many: int) -> Iterator[list[str]]:
    """The lines of a file in one list; those of a pipe, or of standard input, in lists of what is there already.

    Args: path, None for standard input. many, lines of a list that is long enough. Raises: as `read_lines`.
    """
    number, name = 1, "standard input" if path is None else path
    for lines in as_they_come(path, many):
        yield decode_lines(b"\n".join([*lines, b""]), name, number)
        number += len(lines)


def read_columns(*paths: str | PathLike) -> list[list[str]]:
    """The lines of several files, without space around them, which go together line by line.

    Raises: DataError, also when the files have different numbers of lines.
    """
    columns = [[line.strip() for line in read_lines(path)] for path in paths]
    first = len(columns[0])
    for path, column in zip(paths, columns, strict=True):
        if len(column) != first:
            raise DataError(f"{paths[0]} has {first:,} lines and {path} {len(column):,}: they must pair up")
    return columns


def read_parallel(source: str | PathLike, target: str | PathLike) -> tuple[list[tuple[str, str]], int]:
    """Sentence pairs of two files, line k with line k.

    Returns: (pairs, skipped): a list of (source, target) strings, and how many pairs were left out because a side was
        empty.
    Raises: DataError, also when the line counts differ or nothing is left.
    """
    return _real_pairs(list(zip(*read_columns(source, target), strict=True)), f"{source} and {target}")


def read_tsv(path: str | PathLike, say: Callable[[str], Any] = print) -> tuple[list[tuple[str, str]], int]:
    """Pairs of a file whose first two columns are source and target, with a tab between; returns and raises as
    `read_parallel`.

    A third column, as where each pair has its author, is left out. Args: say, called with a line that says so.
    """
    pairs, width = [], 0
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            pairs.append(("", ""))
            continue
        columns = line.split("\t")
        width = width or (3 if len(columns) == 3 else 2)
        if len(columns) != width:
            raise DataError(
                f"{path}, line {number}: {len(columns)} columns where {width} were expected, with a tab between; "
                "to choose two: cut -f 1,2"
            )
        pairs.append((columns[0].strip(), columns[1].strip()))
    if width == 3:
        say(f"{path} has 3 columns: the first is the source, the second the target, the third is left out")
    return _real_pairs(pairs, path)


def _real_pairs(pairs, where):
    real = [(source, target) for source, target in pairs if source and target]
    if not real:
        raise DataError(f"{where}: no sentence pair in it")
    return real, len(pairs) - len(real)
