"""Lines of text files: UTF-8, plain or packed, from a file, a pipe or standard input.

What is wrong is said with file and line.
"""

import codecs
from collections.abc import Iterator
from os import PathLike

from numseq import arguments
from numseq.data.reading import Again, DataError, as_they_come, read_bytes


def read_lines(path: str | PathLike) -> list[str]:
    """The lines of a UTF-8 file, without their ends. Only a line feed ends a line, as `wc -l` counts.

    The file may be packed by gzip, bzip2 or xz, and may be a pipe; it is read once.

    Raises: DataError, when the file is missing, is a folder, cannot be read, is damaged, or is not UTF-8 (which line).
    """
    return decode_lines(read_bytes(arguments.path(path, "path")), path)


def lines_of(file: Again) -> Iterator[str]:
    """The lines of a file one by one; see `read_lines`."""
    number = 1
    for lines in file.lines():
        yield from decode_lines(b"\n".join([*lines, b""]), file.name, number) if lines else ()
        number += len(lines)


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
