"""From frames back to sound: a made vowel is heard as what it was."""

import wave

import numpy as np
import pytest

from numseq.data.sound.features import FeatureOptions, Statistics, features
from numseq.data.sound.griffin_lim import griffin_lim, hear, log_mel_of, mel_to_power, write_wav
from numseq.data.sound.spectrum import stft
from numseq.errors import ArgumentError

pytest.importorskip("scipy")
SMALL = {"rate": 8000, "window": 32, "hop": 8, "normalization": "none"}
OPTIONS = FeatureOptions(**SMALL, filters=40)


def vowel(rate=8000, seconds=0.4):
    """Pulses that rise from 100 to 140 Hz through two resonances."""
    t = np.arange(round(rate * seconds)) / rate
    turns = 100 * t + 50 * t**2
    harmonics = np.arange(1, 25)[:, None]
    loud = sum(1 / (1 + ((harmonics * 120 - f) / w) ** 2) for f, w in ((700, 130), (1200, 170)))
    return (0.1 * (loud * np.cos(2 * np.pi * harmonics * turns)).sum(axis=0)).astype(np.float32)


def rng():
    return np.random.default_rng(0)


def far(sound, log_mel):
    """The mean distance of two log energies where there is sound, in nats."""
    found = features(sound, OPTIONS)[: len(log_mel)]
    some = log_mel[3:-3] > log_mel.max() - 10
    return np.abs(found[3:-3] - log_mel[3:-3])[some].mean()


def test_a_vowel_is_near_itself_again_and_phases_bring_it_there():
    log_mel = features(vowel(), OPTIONS)
    sound = hear(log_mel, OPTIONS, rng())
    assert sound.shape == ((len(log_mel) - 1) * OPTIONS.step,) and sound.dtype == np.float32
    assert far(sound, log_mel) < 0.2 < far(hear(log_mel, OPTIONS, rng(), rounds=0), log_mel)


def test_momentum_brings_the_spectrum_nearer():
    size = np.abs(stft(vowel().astype(float), 256, 64, 256))
    away = {}
    for momentum in (0.0, 0.99):
        sound = griffin_lim(size, 256, 64, rng(), rounds=30, momentum=momentum)
        found = np.abs(stft(sound, 256, 64, 256))[: len(size)]
        away[momentum] = np.linalg.norm(found - size) / np.linalg.norm(size)
    assert away[0.99] < away[0.0] < 0.25


def test_power_has_the_energies_that_it_was_made_of():
    log_mel = features(vowel(), OPTIONS)
    power = mel_to_power(log_mel, OPTIONS)
    assert power.shape == (len(log_mel), 129) and power.min() >= 0
    some = log_mel > log_mel.max() - 10
    assert np.abs(np.log(power @ OPTIONS.bank) - log_mel)[some].mean() < 0.01


def test_cepstra_deltas_and_normalisation_are_undone():
    options = FeatureOptions(**SMALL | {"normalization": "corpus"}, filters=20, kind="cepstra", cepstra=20, deltas=1)
    plain = FeatureOptions(**SMALL, filters=20)
    log_mel = features(vowel(), plain)
    raw = features(vowel(), FeatureOptions(**SMALL, filters=20, kind="cepstra", cepstra=20, deltas=1))
    statistics = Statistics.of([raw])
    back = log_mel_of(features(vowel(), options, statistics), options, statistics)
    np.testing.assert_allclose(back, log_mel, atol=1e-3)
    with pytest.raises(ArgumentError, match="statistics is None"):
        log_mel_of(raw, options)


@pytest.mark.parametrize("wrong", [np.zeros((0, 40)), np.zeros((3, 39)), np.full((3, 40), np.inf)])
def test_what_is_no_frames_is_named(wrong):
    with pytest.raises(ArgumentError, match="frames"):
        hear(wrong, OPTIONS, rng())


def test_one_frame_can_be_heard():
    assert hear(np.zeros((1, 40)), OPTIONS, rng()).shape == (1,)


def test_a_wav_has_what_was_written(tmp_path):
    pytest.importorskip("soundfile")
    for loud in (1.0, 20.0):
        write_wav(tmp_path / "a.wav", loud * vowel(), 8000)
        with wave.open(str(tmp_path / "a.wav")) as file:
            assert file.getparams()[:4] == (1, 2, 8000, len(vowel()))
            found = np.frombuffer(file.readframes(len(vowel())), "<i2") / 32768
        wanted = loud * vowel()
        np.testing.assert_allclose(found, wanted / max(1, np.abs(wanted).max()), atol=1e-4)
    with pytest.raises(ArgumentError, match="sound"):
        write_wav(tmp_path / "b.wav", np.full(4, np.nan), 8000)
