"""Frames that another program has made: files of Sphinx, HTK and NumPy, read as they are.

    Sphinx (.mfc)   count, then so many numbers                    int32, float32; big- or little-endian
    HTK             frames, period, bytes of a frame, kind          int32, int32, int16, int16; big-endian
                    then the frames                                 float32, big-endian
    NumPy (.npy)    an array (L, D)

Which it is, is known by what is in it and how long it is, since Sphinx and HTK use the same names.
"""

import io
from os import PathLike

import numpy as np

from numseq import arguments
from numseq.data.reading import DataError, read_bytes

NUMPY = b"\x93NUMPY"
CEPSTRA = 13  # what Sphinx keeps of a frame, unless it is told otherwise
COMPRESSED, CHECKSUM = 0o2000, 0o10000  # of HTK's kind: int16 in place of float32; two bytes more at the end
WAVEFORM, KIND = 0, 0o77
LEAVE = "make it anew, or leave it out"


def read_features(path: str | PathLike, size: int = CEPSTRA) -> np.ndarray:
    """The frames of a file of Sphinx, HTK or NumPy.

    Args: path, of the file, packed (gzip, bzip2, xz) or not. size, D of a Sphinx file, which does not say it; the
        others do.
    Returns: (L, D) float32.
    Raises: DataError, one line that names the file, when it is missing, of another kind, cut short, empty, or holds
        what is not finite.
    Source: The HTK Book, section 5.10; Sphinx's own description of its files of features.
    """
    path, size = arguments.path(path, "path"), arguments.whole(size, "size", least=1)
    data = read_bytes(path)
    if data.startswith(NUMPY):
        frames = _numpy(path, data)
    elif len(data) >= 4 and (order := _sphinx_order(data)):
        frames = _sphinx(path, data, order, size)
    elif len(data) >= 12 and _is_htk(data):
        frames = _htk(path, data)
    else:
        raise DataError(
            f"{path}: no features of Sphinx, HTK or NumPy, or not as long as it says (it has {len(data):,} bytes): "
            + LEAVE
        )
    if not frames.size:
        raise DataError(f"{path}: no frame in it: {LEAVE}")
    if not np.isfinite(frames).all():
        raise DataError(f"{path}: it holds numbers that are not finite (nan or inf): {LEAVE}")
    return frames


def _numpy(path, data):
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: damaged or cut short ({' '.join(str(error).split())}): {LEAVE}") from None
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise DataError(f"{path}: {array.dtype} of shape {array.shape}, and frames are numbers (L, D): {LEAVE}")
    return array.astype(np.float32)


def _sphinx_order(data):
    """ ">" or "<", if a file is as long as its first number says in that order of bytes; else None."""
    for order in "><":
        if 4 + 4 * int(np.frombuffer(data, f"{order}i4", 1)[0]) == len(data):
            return order
    return None


def _sphinx(path, data, order, size):
    numbers = np.frombuffer(data, f"{order}f4", offset=4).astype(np.float32)
    if len(numbers) % size:
        raise DataError(f"{path}: {len(numbers):,} numbers, which make no frames of {size}: say how many a frame has")
    return numbers.reshape(-1, size)


def _header(data):
    """(frames, bytes of a frame, kind)."""
    (frames, _), (width, kind) = np.frombuffer(data, ">i4", 2), np.frombuffer(data, ">i2", 2, offset=8)
    return int(frames), int(width), int(kind)


def _is_htk(data):
    frames, width, kind = _header(data)
    return frames >= 0 and width > 0 and 12 + frames * width + (2 if kind & CHECKSUM else 0) == len(data)


def _htk(path, data):
    frames, width, kind = _header(data)
    if kind & COMPRESSED:
        raise DataError(f"{path}: HTK's compressed form: write it with SAVECOMPRESSED = F, or leave it out")
    if kind & KIND == WAVEFORM or width % 4:
        raise DataError(f"{path}: no features in it but sound, or whole numbers: {LEAVE}")
    numbers = np.frombuffer(data, ">f4", frames * width // 4, offset=12)
    return numbers.reshape(frames, width // 4).astype(np.float32)
