"""Write sound.npz: what tests/data/test_sound_features.py holds spectra, filters and cepstra to.

    python tests/oracles/make_sound.py

Made by librosa 0.11, which numseq does not need; nothing of numseq is imported. The sound is a few sines and noise.
"""

from pathlib import Path

import librosa
import numpy as np

RATE, WINDOW, HOP, FFT, FILTERS, CEPSTRA = 8000, 200, 80, 256, 20, 13
LOW, HIGH = 60.0, 3800.0


def made() -> np.ndarray:
    rng = np.random.default_rng(7)
    t = np.arange(2000) / RATE
    tones = sum(np.sin(2 * np.pi * f * t * (1 + t)) / k for k, f in enumerate((150, 620, 1190, 2400), 1))
    return tones / 4 + 0.01 * rng.standard_normal(len(t))


if __name__ == "__main__":
    x = made()
    y = np.append(x[0], x[1:] - 0.97 * x[:-1])  # librosa's own begins with a guess of what was before
    X = librosa.stft(
        y, n_fft=FFT, hop_length=HOP, win_length=WINDOW, window="hann", center=True, pad_mode="constant", dtype=complex
    )
    kept = {"x": x, "size": np.abs(X).T, "inverse": librosa.istft(X, hop_length=HOP, win_length=WINDOW, length=len(x))}
    for scale in ("slaney", "htk"):
        bank = librosa.filters.mel(
            sr=RATE, n_fft=FFT, n_mels=FILTERS, fmin=LOW, fmax=HIGH, htk=scale == "htk", norm="slaney", dtype=np.float64
        )
        log_mel = np.log(np.maximum(bank @ np.abs(X) ** 2, 1e-10))
        cepstra = librosa.feature.mfcc(S=log_mel, n_mfcc=CEPSTRA, dct_type=2, norm="ortho")
        kept |= {f"{scale}_bank": bank.T, f"{scale}_mel": log_mel.T, f"{scale}_cepstra": cepstra.T}
        kept[f"{scale}_hz"] = librosa.mel_frequencies(12, fmin=0, fmax=8000, htk=scale == "htk")
    kept["deltas"] = librosa.feature.delta(kept["slaney_cepstra"].T, width=5, mode="nearest").T
    np.savez_compressed(Path(__file__).with_name("sound.npz"), **kept)
