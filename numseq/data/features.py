"""What another network has made of pictures, as an array (N, positions, D) of a file: nothing is computed here.

Any extractor serves, as long as it writes a .npy file and a text file with the name of each picture, a line for a row.
"""

from collections.abc import Iterable
from os import PathLike
from pathlib import PurePath
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import Array, asarray
from numseq.data.lines import read_lines
from numseq.data.reading import DataError
from numseq.errors import ConfigError, shown


class FeatureArray:
    """Features of pictures by their names; the array stays on the disk, and what is asked for is read.

    A picture may be asked for with a folder before its name, as a table names it: where no line has all of it, the last
    part counts.

    Args: features, a .npy file of (N, positions, D), floating or int8. names, a text file with N lines. scale, what a
        number of the file is multiplied by; int8 needs one.
    Raises: DataError, when a file is missing, no .npy file, of another shape or type, or the names do not fit;
        ConfigError, for int8 without a scale.
    """

    kind = "array"

    def __init__(self, features: str | PathLike, names: str | PathLike, scale: float | None = None):
        self.path = arguments.path(features, "features")
        self.array = _mapped(self.path)
        if self.array.dtype == np.int8 and scale is None:
            raise ConfigError(f"{features} holds int8: say what a step of it is worth (scale)")
        self.scale = arguments.number(1.0 if scale is None else scale, "scale", above=0)
        self.names_path = arguments.path(names, "names")
        self.names = read_lines(self.names_path)
        if len(self.names) != len(self.array):
            raise DataError(f"{names} has {len(self.names):,} names, and {features} has {len(self.array):,} rows")
        self._row = {name: k for k, name in enumerate(self.names)}
        if len(self._row) < len(self.names):
            twice = next(name for k, name in enumerate(self.names) if self._row[name] != k)
            raise DataError(f"{names} has {shown(twice)} twice: each row needs a name of its own")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def positions(self) -> int:
        """How many vectors a picture has."""
        return self.array.shape[1]

    @property
    def size(self) -> int:
        """D, the numbers of a vector."""
        return self.array.shape[2]

    def options(self) -> dict[str, Any]:
        """What it was made of, as JSON can hold it."""
        return {"features": str(self.path), "names": str(self.names_path), "scale": self.scale}

    def rows(self, names: Iterable[str]) -> np.ndarray:
        """Which rows these pictures have, (B,) int64. Raises: DataError, for one that is not there."""
        return np.array([self._find(name) for name in arguments.texts(names, "names")], dtype=np.int64)

    def _find(self, name):
        row = self._row.get(name, self._row.get(PurePath(name).name))
        if row is None:
            raise DataError(f"{self.path} has no features of {shown(name)}: leave it out, or compute them")
        return row

    def batch(self, rows: Array) -> Array:
        """The features of the chosen rows, (positions, B, D) float32, on the current backend.

        Raises: DataError, when a number of them is not finite.
        """
        return asarray(np.ascontiguousarray(self._numbers(rows).swapaxes(0, 1)))

    def read(self, name: str) -> np.ndarray:
        """Those of one picture, (positions, D) float32. Raises: as `rows` and `batch`."""
        return self._numbers(self.rows([name]))[0]

    def places(self, name: str, length: int) -> list[str]:
        """How a picture calls its positions: by numbers from 1."""
        return [str(k) for k in range(1, length + 1)]

    def _numbers(self, rows):
        found = self.array[rows].astype(np.float32) * np.float32(self.scale)  # (B, positions, D)
        finite = np.isfinite(found).all((1, 2))
        if not finite.all():
            name = self.names[rows[int(finite.argmin())]]
            raise DataError(f"{self.path}: {name} has numbers that are not finite: leave it out")
        return found


def _mapped(path):
    try:
        array = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, EOFError):
        raise DataError(f"{path}: not a whole .npy file of numbers: unpack it, or write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{path}: several arrays (.npz): write the one of the features with numpy.save")
    if array.ndim != 3 or not array.size or (array.dtype.kind != "f" and array.dtype != np.int8):
        raise DataError(
            f"{path}: {array.dtype} of shape {array.shape}: features are (N, positions, D), of a floating type or int8"
        )
    return array.view(np.ndarray)
