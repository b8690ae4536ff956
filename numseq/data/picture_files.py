"""The pictures of a corpus: each file is read once, and from then on they are one memory map of bytes.

DIR/KEY.vN/pixels       (N, rows, columns, 3) uint8; KEY: a digest of the files, their times and the size
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array, asarray
from numseq.data.cache import cached_files
from numseq.data.pictures import Size, as_size, pillow, read_picture
from numseq.data.reading import DataError
from numseq.errors import shown

PIXELS = "pixels"
PIECE = 256  # pictures that a mean is taken over at once


@dataclass(slots=True, eq=False)
class Pictures:
    """Pictures of one size, by the names of their files; why others could not be read, in a line for each."""

    names: list[str]
    pixels: np.ndarray  # (N, rows, columns, 3) uint8, perhaps a memory map
    left_out: dict[str, str] = field(default_factory=dict)
    _row: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._row = {name: k for k, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._row

    def rows(self, names: Iterable[str]) -> np.ndarray:
        """Which pictures these are, (B,) int64. Raises: DataError, for one that is not there, and why."""
        return np.array([self._find(name) for name in arguments.texts(names, "names")], dtype=np.int64)

    def _find(self, name):
        if name not in self._row:
            raise DataError(self.left_out.get(name, f"no picture is called {shown(name)}"))
        return self._row[name]

    def batch(self, rows: Array) -> Array:
        """The chosen pictures, (rows, columns, B, 3) float32 from 0 to 1, on the current backend."""
        chosen = np.moveaxis(self.pixels[rows], 0, 2)
        return asarray(np.ascontiguousarray(chosen)).astype(np.float32) / np.float32(255)

    def mean_and_std(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each colour over all pixels, (3,) and (3,) float32: what `normalize` takes."""
        counts = np.zeros((3, 256))
        for first in range(0, len(self), PIECE):
            piece = self.pixels[first : first + PIECE].reshape(-1, 3)
            counts += [np.bincount(piece[:, k], minlength=256) for k in range(3)]
        share, values = counts / counts[0].sum(), np.arange(256) / 255
        mean = share @ values
        std = np.sqrt((share * (values - mean[:, None]) ** 2).sum(1))
        return mean.astype(np.float32), std.astype(np.float32)


def normalize(x: Array, mean: Array, std: Array) -> Array:
    """(x - mean) / std, colour by colour; a colour that never varies is divided by 1.

    Args: x, (..., 3). mean, std, (3,).
    """
    mean, std = (asarray(of, dtype=x.dtype) for of in (mean, std))
    return (x - mean) / (std + (std < 1e-5))


def read_pictures(
    names: Iterable[str],
    size: Size,
    cache: str | PathLike,
    folder: str | PathLike = "",
    tick: Callable[[int], Any] = lambda n: None,
    say: Callable[[str], Any] = print,
) -> Pictures:
    """Read the pictures of a corpus, or find them in a cache; one that cannot be read is left out.

    Args: names, of files; one that stands there several times is read once. size, (rows, columns); see `read_picture`.
        cache, the folder of the cache. folder, that the names begin from. tick, called with 1 for each that is read.
        say: called with a line, where the cache cannot be used.
    Returns: the Pictures.
    Raises: DataError, when none of them can be read, or the cache cannot be written; ConfigError, without pillow.
    """
    image_module, _ = pillow()
    names = [*dict.fromkeys(arguments.texts(names, "names"))]
    size, folder = as_size(size), arguments.path(folder, "folder")
    if not names:
        raise DataError("names is empty: there is no picture to read")

    def write(part: Path) -> dict[str, Any]:
        left_out = {}
        with open(part / PIXELS, "wb") as file:
            for name in names:
                try:
                    file.write(np.round(255 * read_picture(folder / name, size)).astype(np.uint8).tobytes())
                except DataError as error:
                    left_out[name] = str(error)
                tick(1)
        if len(left_out) == len(names):
            raise DataError(f"none of {len(names):,} pictures can be read; the first: {left_out[names[0]]}")
        return {"left_out": left_out}

    def read(place: Path, about: dict[str, Any]) -> Pictures:
        kept = [name for name in names if name not in about["left_out"]]
        pixels = np.memmap(place / PIXELS, dtype=np.uint8, mode="r", shape=(len(kept), *size, 3))
        return Pictures(kept, pixels.view(np.ndarray), about["left_out"])

    files = [(name, *_stamp(folder / name)) for name in names]
    key = {"pictures": files, "folder": os.path.abspath(folder), "size": size, "pillow": image_module.__version__}
    return cached_files(cache, key, write, read, say)


def _stamp(path):
    """What changes with a file: its size and its time; nothing, where there is none."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_size, found.st_mtime_ns
    return ()
