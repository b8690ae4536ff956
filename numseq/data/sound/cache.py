"""Frames on the disk: those of a list of files are computed once, and read as a memory map from then on.

    DIR/KEY.vN/         KEY: a digest of the options and of what is in the files
        frames          (N, D) float32, one utterance after the other
        lengths         how many each has

What cannot be read is left out, and said.
"""

import zlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from numseq import arguments
from numseq.data.cache import cached_files
from numseq.data.frames import RaggedFrames
from numseq.data.reading import DataError
from numseq.data.sound.features import FeatureOptions, Statistics, file_frames, normalized

VERSION = 1  # of how frames are computed: another one makes them anew
PIECE = 1 << 20
MANY = 1 << 14  # frames that are normalised at once


@dataclass(frozen=True, eq=False)
class FramesOfFiles:
    """frames: of the files that could be read. kept: which of the files these are. broken: why each of the others could
    not, a line. statistics: of the corpus, where it is normalised by them."""

    frames: RaggedFrames
    kept: list[int]
    broken: dict[str, str]
    statistics: Statistics | None

    def summary(self) -> str:
        """What was left out, in a line; "" when nothing was."""
        if not self.broken:
            return ""
        first = next(iter(self.broken.values()))
        return f"{len(self.broken):,} of {len(self.broken) + len(self.kept):,} files left out; the first: {first}"


def cached_frames(
    folder: str | PathLike,
    files: Iterable[str | PathLike],
    options: FeatureOptions,
    statistics: Statistics | None = None,
    say: Callable[[str], Any] = print,
    tick: Callable[[int], Any] = lambda n: None,
) -> FramesOfFiles:
    """The frames of some files: found in a folder, or computed and kept there.

    Args: folder, of the cache; made when it is not there. files, of sound or of features, no two alike. options.
        statistics, to normalise a corpus by; when the options ask for it and these are None, they are computed of these
        files. say, called with a line where what is there cannot be used. tick, called with 1 after each file.
    Returns: the FramesOfFiles.
    Raises: DataError, when no file can be read, or the folder cannot be written; ConfigError, when a library lacks.
    """
    arguments.one_of(options, "options", FeatureOptions)
    listed = arguments.listed(files, "files", "paths of files")
    paths = [arguments.path(file, f"files[{k}]") for k, file in enumerate(listed)]
    key = {
        "frames": VERSION,
        "options": asdict(options),
        "statistics": _as_json(statistics),
        "files": [[str(path), *_content(path)] for path in paths],
    }

    def write(part: Path) -> dict[str, Any]:
        return _write(part, paths, options, statistics, tick)

    return cached_files(folder, key, write, _read, say)


def _content(path):
    """[size, CRC-32] of a file; nothing of one that cannot be read."""
    crc, size = 0, 0
    try:
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                crc, size = zlib.crc32(piece, crc), size + len(piece)
    except OSError:
        return []
    return [size, crc]


def _write(part, paths, options, statistics, tick):
    """Compute the frames into a folder; what is to be known of them."""
    broken: dict[str, str] = {}
    lengths, kept = array("q"), array("q")
    by_corpus = options.normalization == "corpus"
    first = replace(options, normalization="none") if by_corpus else options
    with open(part / "frames", "wb") as file:
        for k, path in enumerate(paths):
            try:
                found = file_frames(path, first)
            except DataError as error:
                broken[str(path)] = str(error)
            else:
                file.write(found.tobytes())
                lengths.append(len(found))
                kept.append(k)
            tick(1)
    if not kept:
        why = next(iter(broken.values()), "there is no file")
        raise DataError(f"none of {len(paths):,} files can be read; the first: {why}")
    if by_corpus:
        mapped = np.memmap(part / "frames", dtype=np.float32, mode="r+")
        frames = mapped.reshape(-1, options.size)
        pieces = [frames[start : start + MANY] for start in range(0, len(frames), MANY)]
        statistics = statistics or Statistics.of(pieces)
        for piece in pieces:
            piece[:] = normalized(piece, options, statistics)
        mapped.flush()
    np.array(lengths).tofile(part / "lengths")
    return {"size": options.size, "kept": list(kept), "broken": broken, "statistics": _as_json(statistics)}


def _read(place, about):
    flat = np.memmap(place / "frames", dtype=np.float32, mode="r").view(np.ndarray).reshape(-1, about["size"])
    frames = RaggedFrames.of(flat, np.fromfile(place / "lengths", dtype=np.int64))
    found = about["statistics"]
    statistics = found and Statistics(*(np.array(found[name], dtype=np.float32) for name in ("mean", "std")))
    return FramesOfFiles(frames, about["kept"], about["broken"], statistics)


def _as_json(statistics):
    return statistics and {"mean": statistics.mean.tolist(), "std": statistics.std.tolist()}
