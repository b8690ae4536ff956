"""One writer: a run's folder is locked while something writes there."""

import contextlib
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from numseq.files import make_folder, remove_parts
from numseq.training.arrays import CheckpointError

LOCK = ".lock"
_held: dict[tuple[int, int], tuple[int, int]] = {}  # (device, inode) of a folder to (process, thread) that has it


class LockedError(CheckpointError):
    """Another process writes in the folder."""


@contextlib.contextmanager
def locked(folder: str | PathLike, say: Callable[[str], Any] = print) -> Iterator[None]:
    """A block in which nobody else writes in a run's folder, which is made when it is not there.

    The system holds the lock, and gives it free when the process ends, however it ends. The thread that has it may ask
    for it again. A folder that was made here goes again if nothing came to be in it.

    Args: folder. say: called with a line of text where the file system cannot lock, as some network file systems:
        whether another process writes there is then not known.
    Raises: LockedError, which names who has the lock; CheckpointError, where a file is in the folder's place.
    """
    folder = Path(folder)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise CheckpointError(f"{folder} cannot be the folder of a run: {there} is a file")
    made = make_folder(folder)
    place, me = _place(folder), _me()
    if _held.get(place) == me:
        yield
        return
    number = _taken(folder, say)
    _held[place] = me
    try:
        remove_parts(folder)
        yield
    finally:
        del _held[place]
        _leave(folder, number, made)


def check_held(folder: str | PathLike) -> None:
    """Find out, before something is written, whether the folder of this name is still the one that is locked.

    Raises: CheckpointError, when it was renamed or removed meanwhile; another run may have its name now.
    """
    try:
        held = _held.get(_place(folder)) == _me()
    except FileNotFoundError:
        held = False
    if not held:
        raise CheckpointError(
            f"{folder} was renamed or removed while something trained in it: nothing more is written; what was saved "
            "is where it was moved to"
        )


def writer(folder: str | PathLike) -> str | None:
    """Who has the lock of a folder, None when nobody has."""
    try:
        number = os.open(Path(folder) / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        _lock(number, shared=True)
    except (BlockingIOError, PermissionError):
        return _read(number)
    except OSError:  # a file system that cannot lock
        return None
    finally:
        os.close(number)
    return None


def _place(folder):
    there = os.stat(folder)
    return there.st_dev, there.st_ino


def _me():
    return os.getpid(), threading.get_ident()


def _taken(folder, say):
    """The number of the lock's file, open and locked, with the name of this process in it."""
    path = folder / LOCK
    while True:
        number = _open(path)
        try:
            _lock(number)
        except (BlockingIOError, PermissionError):
            who = _read(number)
            os.close(number)
            raise LockedError(f"{folder} is in use by {who}: wait for it, or choose another folder") from None
        except OSError as error:
            say(f"{folder} cannot be locked here ({error.strerror}): make sure that nothing else trains in it")
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(number), path.stat()):  # else it was removed by who had it before
                break
        os.close(number)
    with contextlib.suppress(OSError):  # a full disk, or somebody else's file: it is locked all the same
        os.ftruncate(number, 0)
        os.write(number, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return number


def _open(path):
    """The number of the lock's file; one that another user's dead process left may perhaps only be read."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        with contextlib.suppress(OSError):
            return os.open(path, os.O_RDONLY)
        raise


def _read(number):
    """Who has the lock, as its file says. Until the new one has written its name there, one that died may stand there,
    or nobody."""
    said = ""
    with contextlib.suppress(OSError):
        said = os.read(number, 200).decode(errors="replace")
    return "another process" if not said or _has_ended(said) else said


def _has_ended(name):
    found = re.fullmatch(r"process (\d+) on (.*)", name)
    if sys.platform == "win32" or not found or found[2] != socket.gethostname():
        return False  # nobody here knows
    try:
        os.kill(int(found[1]), 0)  # asks, and kills nothing
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's
        pass
    return False


def _leave(folder, number, made):
    """Give the lock free; folders in which nothing came to be go with it."""
    with contextlib.suppress(OSError):  # not empty, or a system that removes no open file
        (folder / LOCK).unlink()
        for path in made:
            path.rmdir()
    os.close(number)


if sys.platform == "win32":
    import msvcrt

    FAR = 1 << 30  # a byte beyond the text, which others may go on reading

    def _lock(number, shared=False):
        os.lseek(number, FAR, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # raises PermissionError where another has it
        os.lseek(number, 0, os.SEEK_SET)

elif sys.platform == "emscripten":

    def _lock(number, shared=False):
        """In a browser the files belong to one process."""

else:
    import fcntl

    def _lock(number, shared=False):
        fcntl.flock(number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
