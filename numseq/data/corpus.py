"""Reading text: parallel files with one sentence a line, and two-column TSV. Says what is wrong, and where."""

import codecs
from os import PathLike
from pathlib import Path

from numseq.errors import NumseqError


class DataError(NumseqError):
    """Text that cannot be used; the message says which file and line."""


def read_lines(path: str | PathLike) -> list[str]:
    """The lines of a UTF-8 file, without their ends. Only a line feed ends a line, as `wc -l` counts.

    Raises: DataError, when the file is missing, is a folder, cannot be read, or is not UTF-8 (which line).
    """
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return decode_lines(raw, path)


def decode_lines(raw: bytes, name: object) -> list[str]:
    """The lines of UTF-8 bytes; `name` says in an error where they are from. Raises: DataError, not UTF-8."""
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x})") from None
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_parallel(source: str | PathLike, target: str | PathLike) -> tuple[list[tuple[str, str]], int]:
    """Sentence pairs of two files, line k with line k.

    Returns: (pairs, skipped): a list of (source, target) strings, and how many pairs were left out because a side was
        empty.
    Raises: DataError, also when the line counts differ or nothing is left.
    """
    sources, targets = read_lines(source), read_lines(target)
    if len(sources) != len(targets):
        raise DataError(f"{source} has {len(sources):,} lines and {target} {len(targets):,}: they must pair up")
    return _real_pairs(zip(sources, targets, strict=True), f"{source} and {target}")


def read_tsv(path: str | PathLike) -> tuple[list[tuple[str, str]], int]:
    """Pairs of a file with two columns separated by a tab; returns and raises as `read_parallel`."""
    pairs = []
    for number, line in enumerate(read_lines(path), 1):
        columns = line.split("\t") if line.strip() else ["", ""]
        if len(columns) != 2:
            raise DataError(f"{path}, line {number}: {len(columns)} columns where 2 were expected")
        pairs.append(columns)
    return _real_pairs(pairs, path)


def _real_pairs(pairs, where):
    pairs = list(pairs)
    real = [(source.strip(), target.strip()) for source, target in pairs]
    real = [(source, target) for source, target in real if source and target]
    if not real:
        raise DataError(f"{where}: no sentence pair in it")
    return real, len(pairs) - len(real)
