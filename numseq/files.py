"""Writing files so that a crash at any moment leaves the old one or the new one, never half of one."""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
PART = re.compile(r"\..+\.[0-9a-f]{16}\.part", re.DOTALL)  # the names that files have before they are whole


def write_atomically(path: str | PathLike, data: bytes | bytearray) -> None:
    """Write bytes so that `path` holds either what it held or all of `data`, whatever happens meanwhile.

    The bytes go to a new file beside it, are forced to the disk, and take the place of the old ones in one step. A link
    stays a link: what it leads to is written. A file keeps its mode. What is no file, such as a pipe or /dev/stdout, is
    written through.

    Raises: OSError, naming `path`.
    """
    with _naming(path):
        if _is_stream(path):
            with _opened(path) as stream:
                stream.write(data)
            return
        real = _real(path)
        part, file = _part(real)
        try:
            with file:
                file.write(data)
                file.flush()
                _again(os.fsync, file.fileno())
                if real.exists():
                    os.chmod(part, stat.S_IMODE(real.stat().st_mode))
            _again(os.replace, part, real)
        except BaseException:  # Ctrl-C too
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    _sync_folder(real.parent)


def append(path: str | PathLike, data: bytes) -> None:
    """Add bytes at the end of a file, which is made when it is not there, and force them to the disk.

    Raises: OSError; then some of the bytes may be there.
    """
    path = Path(path)
    new = not path.exists()
    with open(path, "ab") as file:
        file.write(data)
        file.flush()
        _again(os.fsync, file.fileno())
    if new:
        _sync_folder(path.parent)


def make_folder(folder: str | PathLike) -> list[Path]:
    """Make a folder and those that it is in, where they are not there. Returns: those that were made, the inmost first.

    Raises: OSError.
    """
    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in made:
        _sync_folder(path.parent)
    return made


def check_writable(path: str | PathLike) -> None:
    """Find out, before long work, whether `write_atomically` will be able to write a file; nothing is left behind.

    Raises: OSError, naming `path`.
    """
    with _naming(path):
        real = _real(path)
        if os.path.exists(path) and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if _is_stream(path):
            return  # to open a pipe and close it would be to end it
        part, file = _part(real)
        file.close()
        part.unlink()


def remove_parts(folder: str | PathLike) -> None:
    """Remove what is left of files that were being written when a process died. Only for who alone writes there."""
    for part in Path(folder).iterdir():
        if PART.fullmatch(part.name):
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def _naming(path):
    """Errors name the path that was asked for."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _real(path):
    """Where a path leads, through links. Raises: IsADirectoryError."""
    real = Path(os.path.realpath(path))
    if real.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return real


def _is_stream(path):
    """Whether something is there that a file must not take the place of: a pipe, a device, or the file that a standard
    stream was sent to, which goes on being written by what others hold open."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(found.st_mode) or _standard(found) is not None


def _opened(path):
    """A stream to write to. Of a standard stream the one that is open: opened anew, it would begin at the beginning."""
    standard = _standard(os.stat(path))
    return open(path, "wb") if standard is None else open(os.dup(standard), "wb")


def _standard(found):
    """The number of the standard stream that goes where `found` is, or None."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none, or not of the system
            if os.path.samestat(os.fstat(stream.fileno()), found):
                stream.flush()
                return stream.fileno()
    return None


def _part(real):
    """(path, open file) of a new file in the same folder, whose name nobody can have guessed; no link is followed."""
    while True:
        part = real.with_name(f".{real.name[:40]}.{secrets.token_hex(8)}.part")  # at most 40 * 4 bytes of the name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with contextlib.suppress(FileExistsError):
            return part, open(os.open(part, flags, 0o666), "wb")


def _again(call: Callable[..., Result], *args: Any) -> Result:
    """The result of a system call, made again when a signal interrupted it."""
    while True:
        with contextlib.suppress(InterruptedError):
            return call(*args)


def _sync_folder(folder):
    """Make a new name, too, outlive a power cut, where the system can."""
    if os.name != "posix":  # only there can a folder be opened
        return
    with contextlib.suppress(OSError):  # a folder that may be written but not read, or a file system that cannot
        number = os.open(folder, os.O_RDONLY)
        try:
            _again(os.fsync, number)
        finally:
            os.close(number)
