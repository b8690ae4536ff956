"""The mel scale, a bank of filters on it, and cepstra: what an ear, and then a voice, makes of frequencies.

    mel(f) = 2595 log10(1 + f / 700)                             HTK's scale, f in Hz
    mel(f) = 3 f / 200 below 1000, 15 + 27 ln(f / 1000) / ln 6.4 from there        Slaney's scale
    e_m    = where mel is even between low and high, m = 0 ... M + 1
    H_km   = max(0, min((f_k - e_m) / (e_{m+1} - e_m), (e_{m+2} - f_k) / (e_{m+2} - e_{m+1}))) * 2 / (e_{m+2} - e_m)
    S      = P H                                                 power P (L, F / 2 + 1) to M numbers a frame
    c_j    = sqrt(2 / M) sum_m log(S_m) cos(pi j (m + 1/2) / M)  cepstra; c_0 divided by sqrt(2) more

Filters are triangles of area 1, on either scale.

Source: Davis & Mermelstein 1980; Slaney 1998, "Auditory toolbox"; The HTK Book, section 5.4.
"""

import numpy as np

from numseq.errors import ConfigError

SCALES = ("slaney", "htk")
BREAK, LINEAR, STEP = 1000.0, 200 / 3, np.log(6.4) / 27  # Slaney's: Hz, Hz a mel below, log Hz a mel above


def to_mel(f: np.ndarray, scale: str) -> np.ndarray:
    """Hz to mel, of any shape. scale: "slaney" or "htk"."""
    f = np.asarray(f, dtype=np.float64)
    if scale == "htk":
        return 2595 * np.log10(1 + f / 700)
    return np.where(f < BREAK, f / LINEAR, BREAK / LINEAR + np.log(np.maximum(f, BREAK) / BREAK) / STEP)


def to_hz(mel: np.ndarray, scale: str) -> np.ndarray:
    """Mel to Hz, the inverse of `to_mel`."""
    mel = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < BREAK / LINEAR, LINEAR * mel, BREAK * np.exp(STEP * (mel - BREAK / LINEAR)))


def edges(filters: int, low: float, high: float, scale: str) -> np.ndarray:
    """e, (filters + 2,) Hz: where filter m begins, has its middle and ends stand at m, m + 1 and m + 2."""
    first, last = to_mel(np.array([low, high]), scale).tolist()
    return to_hz(np.linspace(first, last, filters + 2), scale)


def filterbank(filters: int, fft: int, rate: int, low: float, high: float, scale: str) -> np.ndarray:
    """H, (fft / 2 + 1, filters).

    Args: filters, M. fft, F, samples of the transform. rate, samples a second. low, high, Hz. scale, of SCALES.
    Raises: ConfigError, when a filter is so narrow that no frequency of the transform falls into it.
    """
    f = np.linspace(0, rate / 2, fft // 2 + 1)[:, None]
    e = edges(filters, low, high, scale)
    rising, falling = (f - e[:-2]) / np.diff(e)[:-1], (e[2:] - f) / np.diff(e)[1:]
    H = np.maximum(0, np.minimum(rising, falling)) * 2 / (e[2:] - e[:-2])
    if not (some := H.any(axis=0)).all():
        raise ConfigError(
            f"filters is {filters}: {filters - some.sum()} of them fall between the {fft // 2 + 1} frequencies of a "
            f"frame from {low:g} to {high:g} Hz: ask for fewer, or a longer window"
        )
    return H


def cosines(filters: int, cepstra: int) -> np.ndarray:
    """The matrix (filters, cepstra) that makes log energies cepstra; its transpose goes back, as far as it can."""
    m, j = np.arange(filters)[:, None], np.arange(cepstra)
    return np.sqrt(2 / filters) * np.cos(np.pi * j * (m + 0.5) / filters) * np.where(j == 0, np.sqrt(0.5), 1)
