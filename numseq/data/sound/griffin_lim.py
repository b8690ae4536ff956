"""From log energies on the mel scale back to a sound that can be played.

    S = exp(l)                                     energies of the filters, (L, M)
    P = P * ((S / (P H)) H^T) / (1 H^T)            power of each frequency, (L, F / 2 + 1), again and again

    c_n = stft(istft(A t_{n-1} / |t_{n-1}|))       A = sqrt(P): the nearest spectrum that a sound has
    t_n = c_n + a (c_n - c_{n-1})                  and a step further in the same direction

The rounds of P lower the divergence of S from P H, sum S log(S / (P H)) - S + P H, and keep P from 0 on: what counts
is by which factor an energy is wrong, so that quiet filters are right as well. The mel scale keeps no phases and blurs
high frequencies, so what is heard is rough. a = 0 is the algorithm of 1984.

Source: Griffin & Lim 1984; Perraudin et al. 2013, for the momentum; Lee & Seung 2001, for energies to power, theorem 2.
"""

import io
from os import PathLike

import numpy as np

from numseq import arguments
from numseq.backend import Generator
from numseq.data.sound.features import FeatureOptions, Statistics
from numseq.data.sound.mel import cosines
from numseq.data.sound.reading import library
from numseq.data.sound.spectrum import de_emphasize, istft, stft
from numseq.errors import ArgumentError
from numseq.files import write_atomically

MOMENTUM = 0.99
ROUNDS = 60  # of phases
STEPS = 50  # of energies to power
TINY = 1e-12
LOUDEST = 25.0  # of a log energy: what a model says beyond it would fill all there is


def hear(
    frames: np.ndarray,
    options: FeatureOptions,
    rng: Generator,
    statistics: Statistics | None = None,
    rounds: int = ROUNDS,
) -> np.ndarray:
    """The sound of some frames, (N,) float32, N = (L - 1) hop or 1.

    Args: frames, (L, D), as `features` gives them. options, that they were made with. rng, of the first phases.
        statistics, that they were normalised by, if they were. rounds, of the search for phases.
    Raises: ArgumentError, when the frames are of another size, or hold what is not finite, or the statistics lack;
        ConfigError, without scipy.
    """
    arguments.one_of(options, "options", FeatureOptions)
    power = mel_to_power(log_mel_of(frames, options, statistics), options)
    y = griffin_lim(np.sqrt(power), options.length, options.step, rng, arguments.whole(rounds, "rounds", least=0))
    return de_emphasize(y, options.emphasis).astype(np.float32)


def log_mel_of(frames: np.ndarray, options: FeatureOptions, statistics: Statistics | None = None) -> np.ndarray:
    """The log energies (L, filters) of frames (L, D): without deltas, and of cepstra what they keep."""
    frames = arguments.numbers(frames, "frames", "L D")
    if options.kind == "file" or frames.shape[1] != options.size or not len(frames):
        raise ArgumentError(f"frames has shape {frames.shape}: it must be (L, {options.size}), made of sound")
    if not np.isfinite(frames).all():
        raise ArgumentError("frames holds what is not finite (nan or inf)")
    if options.normalization != "none":
        if statistics is None:
            raise ArgumentError(f"statistics is None: normalization is {options.normalization}, and has to be undone")
        frames = statistics.restored(frames)
    base = frames[:, : options.base]
    return base if options.kind == "mel" else base @ cosines(options.filters, options.cepstra).T


def mel_to_power(log_mel: np.ndarray, options: FeatureOptions) -> np.ndarray:
    """P, (L, F / 2 + 1), of log energies (L, filters)."""
    H = options.bank
    S = np.exp(np.minimum(log_mel.astype(np.float64), LOUDEST))
    reach = np.maximum(H.sum(axis=1), TINY)
    P = S @ H.T / reach
    for _ in range(STEPS):
        P *= (S / (P @ H + TINY)) @ H.T / reach
    return P


def griffin_lim(
    size: np.ndarray, length: int, hop: int, rng: Generator, rounds: int = ROUNDS, momentum: float = MOMENTUM
) -> np.ndarray:
    """A sound (N,) whose spectrum has these sizes, (L, F / 2 + 1), as nearly as there is one. N = (L - 1) hop or 1.

    Args: size, from 0. length, hop, samples of a frame and from frame to frame. rng, of the first phases. rounds.
        momentum, a.
    """
    L, K = size.shape
    samples, fft = max(1, (L - 1) * hop), 2 * (K - 1)
    t = np.exp(2j * np.pi * rng.random(size.shape))
    c = np.zeros_like(t)
    for _ in range(rounds):
        before, c = c, stft(istft(size * direction(t), length, hop, samples), length, hop, fft)[:L]
        t = c + momentum * (c - before)
    return istft(size * direction(t), length, hop, samples)


def direction(t: np.ndarray) -> np.ndarray:
    """t / |t|."""
    return t / np.maximum(np.abs(t), TINY)


def write_wav(path: str | PathLike, sound: np.ndarray, rate: int) -> None:
    """Write a sound (N,) as WAV, PCM of 16 bits; one that goes beyond -1 or 1 is made less loud until it does not.

    Raises: ArgumentError, when it is no sound; ConfigError, without soundfile; OSError.
    """
    rate, sound = arguments.whole(rate, "rate", least=1), arguments.numbers(sound, "sound", "N")
    if not sound.size or not np.isfinite(sound).all():
        raise ArgumentError(f"sound of shape {sound.shape} is empty, or holds what is not finite (nan or inf)")
    file = io.BytesIO()
    peak = max(1.0, float(np.abs(sound).max()))
    library("soundfile").write(file, sound / peak, rate, format="WAV", subtype="PCM_16")
    write_atomically(path, file.getvalue())
