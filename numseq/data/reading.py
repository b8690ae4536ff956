"""Bytes of text files: plain or packed (gzip, bzip2, xz), of a disk or a pipe; each is opened and read once.

What is packed is known by its first bytes, whatever its name. So `<(zcat corpus.gz)`, a named pipe, /dev/stdin and
corpus.gz itself all stand where a file does.
"""

import os
import select
import stat
import sys
import tempfile
import time
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from os import PathLike
from typing import Any, BinaryIO

from numseq.errors import NumseqError

CHUNK = 1 << 16
SMALL = 1 << 12  # of what is packed: it may become a thousand times as much
PAUSE = 0.05  # seconds after which whoever writes no more waits for an answer


class DataError(NumseqError):
    """Text that cannot be used; the message says which file and line."""


def _gzip():
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _bzip2():
    import bz2

    return bz2.BZ2Decompressor()


def _xz():
    import lzma

    return lzma.LZMADecompressor()


PACKED: dict[bytes, Callable[[], Any]] = {b"\x1f\x8b": _gzip, b"\xfd7zXZ\x00": _xz}  # by how a file begins
PACKED |= {b"BZh%d" % size + block: _bzip2 for size in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")}


def read_bytes(path: str | PathLike) -> bytes:
    """All of a file, unpacked. Raises: DataError, when it is missing, cannot be read, or is damaged."""
    with _opened(path) as file:
        return b"".join(_unpacked(file))


def byte_lines(path: str | PathLike) -> Iterator[bytes]:
    """The lines of a file, unpacked, without their line feeds, one by one. Raises: as `read_bytes`."""
    with _opened(path) as file:
        for lines in _complete(_unpacked(file)):
            yield from lines


class Again:
    """A file whose bytes can be gone over again: of a disk as it is; what comes once only, as a pipe or standard input,
    is kept in a temporary file while it is read for the first time.

    Args: path, or "-" for standard input. Raises: on the way, as `read_bytes`.
    """

    def __init__(self, path: str | PathLike):
        self.path = None if str(path) == "-" else path
        self.name = "standard input" if self.path is None else path
        self._kept: Any = None

    def lines(self) -> Iterator[list[bytes]]:
        """Lists of lines, unpacked, without their line feeds."""
        if self._kept is None and not is_on_disk(self.path):
            self._keep()
        if self._kept is None:
            with _opened(self.path) as file:
                yield from _complete(_unpacked(file))
        else:
            with _naming(self.name):
                yield from _complete(_unpacked(_FromStart(self._kept)))

    def _keep(self):
        with _opened(self.path) as file:
            self._kept = kept(self, _pieces(file), self.name)


def kept(owner: object, pieces: Iterable[bytes], name: object) -> BinaryIO:
    """A temporary file with all that comes, which is gone when its owner is.

    Args: owner, a corpus. name, of what comes, for errors. Raises: DataError, when the disk is full.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115
    weakref.finalize(owner, file.close)
    try:
        for piece in pieces:
            try:
                file.write(piece)
            except OSError as error:
                raise DataError(
                    f"{name} comes once only, and cannot be kept in {tempfile.gettempdir()} ({error.strerror}): set "
                    "TMPDIR to a folder with more space, or give a file"
                ) from None
    except BaseException:
        file.close()
        raise
    return file


class _FromStart:
    """Reads a file from its start, whoever else reads it meanwhile."""

    def __init__(self, file):
        self.file, self.place = file, 0

    def read(self, n):
        self.file.seek(self.place)
        piece = self.file.read(n)
        self.place += len(piece)
        return piece


def as_they_come(path: str | PathLike | None, many: int) -> Iterator[list[bytes]]:
    """Lists of lines: of a file on a disk one list of all; of a pipe or a terminal those that are there already, at
    most `many` and a piece of the input, so that what is written there can be answered before more is written.

    Args: path, None for standard input. Raises: as `read_bytes`.
    """
    with _opened(path) as file:
        whole, waiting, since = is_on_disk(path), [], 0.0
        for lines in _complete(_unpacked(file)):
            since = since if waiting else time.monotonic()
            waiting += lines
            if waiting and not whole:
                patience = max(0, since + PAUSE - time.monotonic())
                if len(waiting) >= many or not _readable(file, patience):
                    yield waiting
                    waiting = []
        if waiting:
            yield waiting


def is_on_disk(path: str | PathLike | None) -> bool:
    """Is it a file on a disk, all of which is there, and not a pipe or a terminal? None is standard input."""
    try:
        return stat.S_ISREG(os.stat(0 if path is None else path).st_mode)
    except FileNotFoundError:  # which is for who opens it to say; or it has lost its name since
        return False


def _readable(file, seconds=None):
    """Is there a byte, or the end, within this time?"""
    try:
        return bool(select.select([file], [], [], seconds)[0])
    except OSError:  # a system where only sockets can be asked
        return True


@contextmanager
def _opened(path):
    name = "standard input" if path is None else path
    if path is None and sys.stdin is None:
        raise DataError("standard input is closed: name a file")
    with _naming(name):
        if path is None:
            yield getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        else:
            with open(path, "rb", buffering=0) as file:
                yield file


@contextmanager
def _naming(name):
    """Errors are of the file of this name."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror})") from None
    except EOFError:
        raise DataError(f"{name}: damaged or cut short: fetch it again") from None


def _pieces(file: Any) -> Iterator[bytes]:
    while (piece := file.read(CHUNK)) != b"":
        if piece is None:  # a pipe that does not wait by itself
            _readable(file)
        else:
            yield piece


def _unpacked(file: Any) -> Iterable[bytes]:
    """A file in pieces, unpacked."""
    pieces, first = _pieces(file), b""
    while any(magic.startswith(first) and magic != first for magic in PACKED):
        piece = next(pieces, b"")
        first += piece
        if not piece:
            break
    pieces = chain([first], pieces)
    unpack = next((unpack for magic, unpack in PACKED.items() if first.startswith(magic)), None)
    return _unpack(pieces, unpack) if unpack else pieces


def _unpack(pieces, unpack):
    """What is packed in these pieces, one member or several. Raises: EOFError, when it is damaged or ends too early."""
    member = unpack()
    small = (piece[k : k + SMALL] for piece in pieces for k in range(0, len(piece), SMALL))
    for piece in small:
        while piece:
            if member.eof:
                piece = piece.lstrip(b"\0")  # some tools fill up with zeros after a member
                if not piece:
                    break
                member = unpack()
            try:
                yield member.decompress(piece)
            except MemoryError:
                raise
            except Exception:  # each library has its own
                raise EOFError from None
            piece = member.unused_data
    if not member.eof:
        raise EOFError


def _complete(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """For each piece the lines that it completes; at last the one that no line feed ends."""
    begun = []
    for piece in pieces:
        rest, *more = piece.split(b"\n")
        begun.append(rest)
        lines = []
        if more:
            lines = [b"".join(begun), *more[:-1]]
            begun = more[-1:]
        yield lines
    if last := b"".join(begun):
        yield [last]
