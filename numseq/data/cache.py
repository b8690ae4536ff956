"""What is made of a corpus once, on the disk: ids of its tokens, read as a memory map from then on.

    DIR/KEY.vN/             KEY: a digest of text, vocabularies and what is left out; N: the version of the format
        source.ids          numbers, one sequence after the other
        source.lengths      how many each sequence has
        target.ids, target.lengths, and perhaps copies.ids, copies.lengths
        about.json          what the others are and their checksums, and what was said when they were made

It is made in a folder of another name, which takes its place in one step once all is there. So whoever looks finds all
of it or nothing, and two that make the same at once both have it. What a process that died left behind is removed by
the next one. Anything else that can be kept in files is kept so as well (`cached_files`).
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import sys
import time
import zlib
from array import array
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from numseq.data.batches import Pairs, Ragged
from numseq.data.reading import DataError

FORMAT = 1
ABOUT = "about.json"
SIDES = ("source", "target", "copies")  # the last for a head that copies alone
PART = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8,9}\.part")
OLD = 7 * 24 * 3600  # seconds after which what another machine left behind is taken for dead
PIECE = 1 << 20

Made = dict[str, Any]  # JSON: what is to be known of the corpus
Kept = TypeVar("Kept")


class DamagedError(Exception):
    """What is there cannot be used; the message says why."""


class InFile:
    """A store (`numseq.data.encoding.Store`) that writes to a folder."""

    def __init__(self, folder: Path, side: str, kind: np.dtype):
        self.folder, self.side, self.kind = folder, side, kind
        self._file, self._lengths = open(folder / f"{side}.ids", "wb"), array("q")  # noqa: SIM115

    def add(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        self._file.write(ids.astype(self.kind).tobytes())
        self._lengths.frombytes(lengths.tobytes())

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
        with open(self.folder / f"{self.side}.lengths", "wb") as file:
            self._lengths.tofile(file)


def cached(
    folder: str | PathLike,
    key: dict[str, Any],
    kinds: Sequence[np.dtype],
    make: Callable[[Sequence[InFile]], Made],
    say: Callable[[str], Any] = print,
) -> tuple[Pairs, Made]:
    """The corpus of a key: found in a folder, or made there.

    Args: folder, of the cache. key, a JSON-able dict of all that the ids follow from. kinds, the types of the ids of
        each side. make, called where there is none with a store for each side; what it returns is kept. say: called
        with a line, where what is there cannot be used.
    Returns: (Pairs, what make returned, now or then).
    Raises: DataError, where the folder cannot be written, as when the disk is full.
    """

    def write(part: Path) -> Made:
        with contextlib.ExitStack() as stack:
            stores = [InFile(part, side, kind) for side, kind in zip(SIDES, kinds, strict=False)]
            for store in stores:
                stack.callback(store.close)
            made = make(stores)
        return {"types": [kind.str for kind in kinds], "made": made}

    return cached_files(folder, key, write, _read_ids, say)


def _read_ids(place, about):
    sides = []
    for side, kind in zip(SIDES, about["types"], strict=False):
        ids = np.memmap(place / f"{side}.ids", dtype=kind, mode="r").view(np.ndarray)
        sides.append(Ragged.of(ids, np.fromfile(place / f"{side}.lengths", dtype=np.int64)))
    return Pairs(*sides), about["made"]


def cached_files(
    folder: str | PathLike,
    key: dict[str, Any],
    write: Callable[[Path], Made],
    read: Callable[[Path, Made], Kept],
    say: Callable[[str], Any] = print,
) -> Kept:
    """Whatever can be kept in files: found in a folder, or made there, whole or not at all.

    Args: folder, of the cache. key, a JSON-able dict of all that the files follow from. write, called where there is
        nothing with the path of an empty folder, writes files there, and returns what is to be known of them. read,
        called with the path of the folder and a dict that has all that `write` returned. say: called with a line, where
        what is there cannot be used.
    Returns: what `read` returned.
    Raises: as `cached`.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(folder)
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        place = folder / f"{digest}.v{FORMAT}"
        try:
            return _open(place, read)
        except FileNotFoundError:
            if others := sorted(path.name for path in folder.glob(f"{digest}.v*")):
                say(f"{folder / others[-1]}: a cache of another version of numseq: made anew beside it")
        except DamagedError as error:
            say(f"{place}: {error}: made anew")
        _make(place, write, read)
        return _open(place, read)
    except DamagedError as error:
        raise DataError(f"{place}: {error}, though it was just made: leave the cache out") from None
    except OSError as error:
        raise DataError(f"{folder}: cannot be used as a cache ({error.strerror or error})") from None


def _make(place, write, read):
    """Put a new cache into its place; of two that are made at once one is as good as the other."""
    part = place.with_name(f".{place.name}.{_host()}.{os.getpid()}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        known = write(part)
        for path in part.iterdir():
            with open(path, "r+b") as file:
                _sync(file)
        files = {path.name: [path.stat().st_size, _crc32(path)] for path in sorted(part.iterdir())}
        with open(part / ABOUT, "w", encoding="utf-8") as file:
            json.dump(known | {"format": FORMAT, "files": files}, file)
            _sync(file)
        try:
            os.rename(part, place)
        except OSError:
            if not _is_good(place, read):  # else another process was quicker
                os.rename(place, aside := part.with_name(f"{part.name[: -len('.part')]}0.part"))
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(part, place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_good(place, read):
    try:
        _open(place, read)
    except (DamagedError, FileNotFoundError):
        return False
    return True


def _open(place, read):
    """What `read` makes of a cache that is whole. Raises: FileNotFoundError; DamagedError."""
    os.stat(place)
    try:
        about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        for name, (size, crc32) in about["files"].items():
            if (found := (place / name).stat().st_size) != size:
                raise DamagedError(f"{name} has {found:,} bytes and not {size:,}")
            if _crc32(place / name) != crc32:
                raise DamagedError(f"{name} is not what was written")
        if about["format"] != FORMAT:
            raise DamagedError(f"of format {about['format']}")
        return read(place, about)
    except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError) as error:
        raise DamagedError(f"not whole ({error})") from None


def _crc32(path):
    crc = 0
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            crc = zlib.crc32(piece, crc)
    return crc


def _remove_left_overs(folder):
    for path in folder.glob(".*.part"):
        if (found := PART.fullmatch(path.name)) and _has_died(path, int(found[1])):
            shutil.rmtree(path, ignore_errors=True)


def _has_died(path, process):
    """Has the process ended that made a folder?"""
    if f".{_host()}.{process}." not in path.name or sys.platform in ("win32", "emscripten"):
        with contextlib.suppress(OSError):
            return time.time() - path.stat().st_mtime > OLD
        return False
    try:
        os.kill(process, 0)  # asks, and kills nothing
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's
        pass
    return False


def _host():
    return re.sub(r"[^\w-]", "-", socket.gethostname())


def _sync(file):
    file.flush()
    os.fsync(file.fileno())
