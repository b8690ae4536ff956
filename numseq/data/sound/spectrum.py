"""From sound to the spectrum of each frame, and back.

    y_n  = x_n - a x_{n-1}                                       pre-emphasis
    w_n  = 1/2 - 1/2 cos(2 pi n / W)                             Hann window, n = 0 ... W - 1
    X_tk = sum_n w_n y_{t hop + n - W/2} exp(-2 pi i k n / F)    short-time Fourier transform, 0 beyond the ends
    y    = sum_t w (inverse transform of X_t) / sum_t w^2        overlap-add, where frame t stood

N samples have 1 + N // hop frames, the middle of the first at the first sample. The inverse is the least squares
solution: of a spectrum that no sound has, the sound whose spectrum is nearest.

Source: Griffin & Lim 1984, for the inverse.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from numseq.data.sound.reading import library

LEAST = 1e-8  # of a sum of squared windows: below it no frame says what a sample is


def emphasize(blocks: Iterable[np.ndarray], share: float) -> Iterator[np.ndarray]:
    """High frequencies louder: y_n = x_n - share x_{n-1}, block by block, each (n,)."""
    before = np.zeros(1, dtype=np.float32)
    for block in blocks:
        yield block - np.asarray(share, block.dtype) * np.concatenate([before, block[:-1]])
        before = block[-1:] if len(block) else before


def de_emphasize(y: np.ndarray, share: float) -> np.ndarray:
    """The inverse, x_n = y_n + share x_{n-1}, (N,). Raises: ConfigError, without scipy."""
    return library("scipy").lfilter([1.0], [1.0, -share], y).astype(y.dtype) if share else y


def window(length: int) -> np.ndarray:
    """Hann's window, periodic, (length,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def frames(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """The frames of a sound that comes block by block: (l, length) each time, 1 + N // hop in all."""
    held: np.ndarray = np.zeros(length // 2, dtype=np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        if len(held) >= length:
            yield (found := np.lib.stride_tricks.sliding_window_view(held, length)[::hop])
            held = held[len(found) * hop :]
    held = np.concatenate([held, np.zeros(length - length // 2, dtype=held.dtype)])
    if len(held) >= length:
        yield np.lib.stride_tricks.sliding_window_view(held, length)[::hop]


def spectra(blocks: Iterable[np.ndarray], length: int, hop: int, fft: int) -> Iterator[np.ndarray]:
    """X of a sound that comes block by block: (l, fft / 2 + 1), complex, each time."""
    for found in frames(blocks, length, hop):
        yield np.fft.rfft(found * window(length).astype(found.dtype), fft)


def stft(x: np.ndarray, length: int, hop: int, fft: int) -> np.ndarray:
    """X of a sound (N,): (L, fft / 2 + 1), complex.

    Args: x, floating. length W and hop, samples. fft F, at least W.
    """
    return np.concatenate(list(spectra([x], length, hop, fft)))


def istft(X: np.ndarray, length: int, hop: int, samples: int) -> np.ndarray:
    """The sound (samples,) whose spectrum is nearest to X, (L, fft / 2 + 1)."""
    w = window(length)
    pieces = np.fft.irfft(X)[:, :length] * w.astype(X.real.dtype)
    total = overlap_add(pieces, hop)
    covered = overlap_add(np.broadcast_to(w.astype(X.real.dtype) ** 2, pieces.shape), hop)
    y = (total / np.maximum(covered, LEAST))[length // 2 :][:samples]
    return np.pad(y, (0, samples - len(y)))


def overlap_add(pieces: np.ndarray, hop: int) -> np.ndarray:
    """Frames (L, W), each hop samples after the one before, added."""
    L, W = pieces.shape
    parts = -(-W // hop)
    padded = np.pad(pieces, ((0, 0), (0, parts * hop - W))).reshape(L, parts, hop)
    total = np.zeros((L + parts - 1, hop), dtype=pieces.dtype)
    for k in range(parts):
        total[k : k + L] += padded[:, k]
    return total.reshape(-1)
