"""Files of sound as one channel of numbers, at the rate that is wanted, in blocks, so that no file fills the memory.

    x_n = mean of the channels                               between -1 and 1, whatever the file keeps, 8 bits too
    y   = lowpass(x with up - 1 zeros between)[::down]       rate = rate of the file * up / down, in lowest terms

The lowpass looks at a few samples on both sides, so a block is resampled with some of its neighbours, and what comes
out is the same as of the whole.
"""

import math
import os
import struct
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from numseq import arguments
from numseq.data.reading import DataError
from numseq.errors import ConfigError

MAX_SECONDS = 600.0
BLOCK = 10  # seconds
SIDE = 10  # samples of the slower rate that the lowpass of `scipy.signal.resample_poly` looks at, on each side
STEP = 2.0**-15  # of 16 bits: what varies by less is silent
UNKNOWN = 0x7FFFF000  # a WAV that says so many bytes or more was written to a pipe, by who did not know yet


def read_sound(path: str | PathLike, rate: int, max_seconds: float = MAX_SECONDS) -> np.ndarray:
    """All of a file of sound, (N,) float32. Args, Raises: as `sound_blocks`."""
    return np.concatenate(list(sound_blocks(path, rate, max_seconds)))


def sound_blocks(path: str | PathLike, rate: int, max_seconds: float = MAX_SECONDS) -> Iterator[np.ndarray]:
    """A file of sound that libsndfile knows (WAV, FLAC, OGG and others), block by block.

    Several channels become their mean; whatever its bits and its rate are, it is brought to float32 and to `rate`.

    Args: path. rate, wanted, samples a second. max_seconds, of the longest file that is read.
    Yields: (n,) float32, about 10 seconds each.
    Raises: DataError, one line that names the file and what to do, when it is missing, no sound, cut short, of 0
        seconds, too long, or silent; that something is wrong near the end is found there. ConfigError, without
        soundfile or, for another rate, scipy.
    """
    path, rate = arguments.path(path, "path"), arguments.whole(rate, "rate", least=1)
    max_seconds = arguments.number(max_seconds, "max_seconds", above=0)
    soundfile = library("soundfile")
    _check_whole(path)
    try:
        file = soundfile.SoundFile(os.fspath(path))
    except (soundfile.SoundFileError, TypeError):  # TypeError: of a name that ends in .raw
        raise DataError(f"{path}: no sound that can be read, or damaged: convert it to WAV, or leave it out") from None
    with file:
        _check_length(path, file.frames, file.samplerate, max_seconds)
        blocks = _checked(path, file, soundfile.SoundFileError)
        yield from blocks if file.samplerate == rate else _resampled(blocks, file.samplerate, rate)


def library(name: str) -> Any:
    """soundfile or scipy.signal. Raises: ConfigError."""
    try:
        if name == "soundfile":
            import soundfile

            return soundfile
        import scipy.signal

        return scipy.signal
    except (ImportError, OSError) as error:  # OSError: soundfile without libsndfile
        raise ConfigError(f"sound needs {name} ({error}): pip install 'numseq[sound]'") from None


def _check_whole(path):
    """Raises: DataError, when a file cannot be read, is empty, or ends before it should."""
    try:
        with open(path, "rb") as file:
            size, first = os.fstat(file.fileno()).st_size, file.read(12)
            lacks = first[:4] == b"RIFF" and first[8:] == b"WAVE" and _wav_lacks(file, size)
            lacks = lacks or (first[:4] == b"OggS" and _ogg_lacks(file, size))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not first:
        raise DataError(f"{path}: an empty file: leave it out")
    if lacks:
        raise _cut_short(path)


def _cut_short(path):
    return DataError(f"{path}: cut short or damaged, it has less sound than it says: fetch it again, or leave it out")


def _wav_lacks(file: BinaryIO, size: int) -> bool:
    """Does the chunk of samples go beyond the end, or is there none? libsndfile would read what is there."""
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name == b"data":
            return length < UNKNOWN and file.tell() + length > size
        file.seek(length + length % 2, os.SEEK_CUR)
    return True


def _ogg_lacks(file: BinaryIO, size: int) -> bool:
    """Is the last page not whole, or not marked as the last?"""
    file.seek(max(0, size - (1 << 17)))  # a page has less than 2**16 bytes
    end = file.read()
    at = end.rfind(b"OggS")
    if at < 0 or len(end) < at + 27:
        return True
    segments = end[at + 27 : at + 27 + end[at + 26]]
    return not end[at + 5] & 4 or len(segments) < end[at + 26] or at + 27 + len(segments) + sum(segments) > len(end)


def _check_length(path, frames, rate, max_seconds):
    if not frames:
        raise DataError(f"{path}: 0 seconds of sound: leave it out")
    if frames > max_seconds * rate:
        raise DataError(
            f"{path}: {frames / rate:,.1f} seconds long, and at most {max_seconds:g} are read: cut it into pieces, "
            "allow more (max_seconds), or leave it out"
        )


def _checked(path, file, damaged):
    """The blocks of an open file, as one channel. Raises: DataError, also where reading raises `damaged`."""
    found, low, high = 0, np.inf, -np.inf
    while True:
        try:
            block = file.read(BLOCK * file.samplerate, dtype="float32", always_2d=True).mean(axis=1)
        except damaged:
            raise _cut_short(path) from None
        if not len(block):
            break
        if not np.isfinite(block).all():
            raise DataError(f"{path}: samples that are not finite (nan or inf): make it anew, or leave it out")
        found, low, high = found + len(block), min(low, block.min()), max(high, block.max())
        yield block
    if found < file.frames:
        raise _cut_short(path)
    if high - low < STEP:
        raise DataError(f"{path}: silent, nothing varies in it: leave it out")


def _resampled(blocks, found, rate):
    """Blocks of one rate at another."""
    resample = library("scipy").resample_poly
    common = math.gcd(found, rate)
    up, down = rate // common, found // common
    side = down * math.ceil(SIDE * max(up, down) / up / down)  # samples, a whole number of which come out
    step = down * math.ceil(BLOCK * found / down)
    first, last = side * up // down, (side + step) * up // down
    held = np.zeros(side, dtype=np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= side + step + side:
            yield resample(held[: side + step + side], up, down)[first:last]
            held = held[step:]
    yield resample(held, up, down)[first:]
