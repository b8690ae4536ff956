"""From sound to the frames that a model reads: log energies on the mel scale, or cepstra, how they change, and scaled.

l_t = log(max(S_t, floor))                                             mel, see `numseq.data.sound.mel`
d_t = sum_n n (x_{t+n} - x_{t-n}) / (2 sum_n n^2), n = 1, 2            deltas; edges go on as they are
z   = (x - mean) / std                                                 of an utterance, or of a corpus
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Self

import numpy as np

from numseq import arguments
from numseq.data.reading import DataError
from numseq.data.sound.feature_files import CEPSTRA, read_features
from numseq.data.sound.mel import SCALES, cosines, filterbank
from numseq.data.sound.reading import MAX_SECONDS, sound_blocks
from numseq.data.sound.spectrum import emphasize, spectra
from numseq.errors import ArgumentError, ConfigError
from numseq.options import option, validate

KINDS = ("mel", "cepstra", "file")
NORMALIZATIONS = ("utterance", "corpus", "none")
FLOOR = 1e-10  # of an energy: silence has a logarithm too
REACH = 2  # frames on each side that a delta looks at
LEAST = 1e-5  # a standard deviation below it is taken for 1: nothing varies there


@dataclass(frozen=True)
class FeatureOptions:
    """What frames are made of sound.

    Raises: ConfigError, naming the option, when a value makes no sense.
    """

    kind: str = option(
        "mel",
        "What a frame is: mel, log energies on the mel scale; cepstra of them; file, what a file of features has.",
        choices=KINDS,
        source="Davis & Mermelstein 1980",
    )
    rate: int = option(16000, "Samples a second that sound is brought to.", least=1000, most=192000)
    window: float = option(25.0, "Milliseconds of a frame.", above=0, most=1000)
    hop: float = option(10.0, "Milliseconds from frame to frame.", above=0, most=1000)
    emphasis: float = option(0.97, "Share of each sample that is taken from the next; 0 for none.", least=0, below=1)
    filters: int = option(40, "Filters on the mel scale.", least=2, most=1000)
    low: float = option(0.0, "Hz where the first filter begins.", least=0)
    high: float | None = option(None, "Hz where the last filter ends.", above=0, otherwise="half of the rate")
    scale: str = option("slaney", "Which mel scale.", choices=SCALES)
    cepstra: int = option(CEPSTRA, "Cepstra that are kept; and the numbers of a frame in a Sphinx file.", least=1)
    deltas: int = option(0, "How each number changes, and how that changes, beside it.", least=0, most=2)
    normalization: str = option(
        "utterance",
        "Mean 0 and standard deviation 1: of each utterance, by those of the corpus, or none.",
        choices=NORMALIZATIONS,
    )
    max_seconds: float = option(MAX_SECONDS, "Seconds of the longest file that is read.", above=0)

    def __post_init__(self) -> None:
        validate(self)
        if self.hop > self.window:
            raise ConfigError(f"hop is {self.hop:g} and window {self.window:g}: no frame would see what lies between")
        if not self.low < self.highest <= self.rate / 2:
            wanted = f"{self.low:g} < high <= {self.rate / 2:g}, half of the rate"
            raise ConfigError(f"low is {self.low:g} and high {self.highest:g}: it must be {wanted}")
        if self.kind == "cepstra" and self.cepstra > self.filters:
            raise ConfigError(f"cepstra is {self.cepstra}: it is at most filters, {self.filters}")
        if min(self.length, self.step) < 1:
            raise ConfigError(f"hop is {self.hop:g} and window {self.window:g}: at {self.rate} Hz that is no sample")
        if self.kind != "file":
            _ = self.bank

    @property
    def highest(self) -> float:
        """Hz where the last filter ends."""
        return self.rate / 2 if self.high is None else self.high

    @property
    def length(self) -> int:
        """W, samples of a frame."""
        return round(self.window * self.rate / 1000)

    @property
    def step(self) -> int:
        """Samples from frame to frame."""
        return round(self.hop * self.rate / 1000)

    @property
    def fft(self) -> int:
        """F, samples of the transform: the power of 2 from W."""
        return max(2, 1 << (self.length - 1).bit_length())

    @property
    def base(self) -> int:
        """Numbers of a frame without deltas."""
        return self.filters if self.kind == "mel" else self.cepstra

    @property
    def size(self) -> int:
        """D, numbers of a frame."""
        return self.base * (1 + self.deltas)

    @cached_property
    def bank(self) -> np.ndarray:
        """The filters, (F / 2 + 1, filters). Raises: ConfigError, when there are too many."""
        return filterbank(self.filters, self.fft, self.rate, self.low, self.highest, self.scale)


@dataclass(frozen=True, eq=False)
class Statistics:
    """The mean and the standard deviation of each number of a frame, (D,) float32."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, utterances: Iterable[np.ndarray]) -> Self:
        """Of all frames of some utterances (L, D), which may come one by one. Raises: ArgumentError, for no frame."""
        count, total, squares = 0, np.zeros(1), np.zeros(1)
        for one in utterances:
            one = one.astype(np.float64)
            count, total, squares = count + len(one), total + one.sum(axis=0), squares + (one**2).sum(axis=0)
        if not count:
            raise ArgumentError("utterances has no frame in it: nothing to normalise by")
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return cls(mean.astype(np.float32), np.where(std > LEAST, std, 1).astype(np.float32))

    def normalized(self, x: np.ndarray) -> np.ndarray:
        """(x - mean) / std, of frames (L, D)."""
        return (x - self.mean) / self.std

    def restored(self, z: np.ndarray) -> np.ndarray:
        """The inverse."""
        return z * self.std + self.mean


def log_mel(sound: np.ndarray | Iterable[np.ndarray], options: FeatureOptions) -> np.ndarray:
    """Log energies on the mel scale, (L, filters), of the type of the sound.

    Args: sound, (N,) floating, or blocks of it, one after the other.
    """
    blocks = [sound] if isinstance(sound, np.ndarray) else sound
    found = []
    for X in spectra(emphasize(blocks, options.emphasis), options.length, options.step, options.fft):
        power = X.real**2 + X.imag**2
        found.append(np.log(np.maximum(power @ options.bank.astype(power.dtype), FLOOR)))
    return np.concatenate(found)


def with_deltas(x: np.ndarray, times: int) -> np.ndarray:
    """Frames (L, D) with how they change, and how that changes, beside them: (L, D (1 + times))."""
    parts, L = [x], len(x)
    for _ in range(times):
        padded = np.pad(parts[-1], ((REACH, REACH), (0, 0)), mode="edge")
        steps = range(1, REACH + 1)
        slopes = sum(n * (padded[REACH + n :][:L] - padded[REACH - n :][:L]) for n in steps)
        parts.append(slopes / (2 * sum(n * n for n in steps)))
    return np.concatenate(parts, axis=1)


def features(
    sound: np.ndarray | Iterable[np.ndarray], options: FeatureOptions, statistics: Statistics | None = None
) -> np.ndarray:
    """The frames of a sound.

    Equations: those of the module.

    Args: sound, (N,) floating at `options.rate`, or blocks of it. statistics, of the corpus, where options ask for it.
    Returns: (L, D) float32, L = 1 + N // hop.
    Raises: ArgumentError, when options speak of a file of features, or the statistics lack.
    """
    arguments.one_of(options, "options", FeatureOptions)
    if options.kind == "file":
        raise ArgumentError("options.kind is file: no frames are made of sound, read them with file_frames")
    if isinstance(sound, np.ndarray) and (sound.ndim != 1 or sound.dtype.kind != "f" or not sound.size):
        raise ArgumentError(f"sound holds {sound.dtype} of shape {sound.shape}: it must be floating, (N,), N > 0")
    found = log_mel(sound, options)
    if options.kind == "cepstra":
        found = found @ cosines(options.filters, options.cepstra).astype(found.dtype)
    return normalized(with_deltas(found, options.deltas), options, statistics).astype(np.float32)


def normalized(x: np.ndarray, options: FeatureOptions, statistics: Statistics | None = None) -> np.ndarray:
    """Frames (L, D) as the options have them normalised. Raises: ArgumentError, when the corpus's statistics lack."""
    if options.normalization == "none":
        return x
    if options.normalization == "utterance":
        return Statistics.of([x]).normalized(x)
    if statistics is None:
        raise ArgumentError("statistics is None: normalization is corpus, which needs them")
    return statistics.normalized(x)


def file_frames(path: str | PathLike, options: FeatureOptions, statistics: Statistics | None = None) -> np.ndarray:
    """The frames of a file, of sound or, where `options.kind` is "file", of features.

    Args: as `features`. Returns: (L, D) float32.
    Raises: DataError, one line that names the file; ConfigError, when soundfile or scipy lacks.
    """
    if options.kind != "file":
        return features(sound_blocks(path, options.rate, options.max_seconds), options, statistics)
    found = read_features(path, options.cepstra)
    if found.shape[1] != options.cepstra:
        raise DataError(f"{path}: {found.shape[1]} numbers a frame, and cepstra is {options.cepstra}: say how many")
    return normalized(with_deltas(found, options.deltas), options, statistics).astype(np.float32)
