"""Spectra, filters, cepstra and deltas, held to librosa's numbers (oracles/sound.npz, which oracles/make_sound.py
wrote), and to their own equations."""

from pathlib import Path

import numpy as np
import pytest

from numseq.data.sound.features import FeatureOptions, Statistics, features, log_mel, with_deltas
from numseq.data.sound.mel import SCALES, cosines, edges, filterbank, to_hz, to_mel
from numseq.data.sound.spectrum import istft, stft
from numseq.errors import ArgumentError, ConfigError

ORACLE = dict(np.load(Path(__file__).parent.parent / "oracles" / "sound.npz"))
X = ORACLE["x"]
SAME = {"rate": 8000, "filters": 20, "low": 60, "high": 3800, "normalization": "none"}
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def emphasized(x):
    return np.append(x[0], x[1:] - 0.97 * x[:-1])


def test_the_spectrum_is_that_of_librosa_and_goes_back():
    spectrum = stft(emphasized(X), 200, 80, 256)
    np.testing.assert_allclose(np.abs(spectrum), ORACLE["size"], **CLOSE)
    back = istft(spectrum, 200, 80, len(X))
    np.testing.assert_allclose(back, ORACLE["inverse"], **CLOSE)
    np.testing.assert_allclose(back, emphasized(X), **CLOSE)


@pytest.mark.parametrize("scale", SCALES)
def test_filters_log_energies_and_cepstra_are_those_of_librosa(scale):
    np.testing.assert_allclose(filterbank(20, 256, 8000, 60, 3800, scale), ORACLE[f"{scale}_bank"], **CLOSE)
    np.testing.assert_allclose(to_hz(np.linspace(0, to_mel(8000, scale), 12), scale), ORACLE[f"{scale}_hz"], **CLOSE)
    options = FeatureOptions(**SAME, scale=scale)
    np.testing.assert_allclose(log_mel(X, options), ORACLE[f"{scale}_mel"], **CLOSE)
    np.testing.assert_allclose(ORACLE[f"{scale}_mel"] @ cosines(20, 13), ORACLE[f"{scale}_cepstra"], **CLOSE)
    single = features(X.astype(np.float32), FeatureOptions(**SAME, scale=scale, kind="cepstra"))
    np.testing.assert_allclose(single, ORACLE[f"{scale}_cepstra"], rtol=1e-4, atol=1e-3)


def test_deltas_are_those_of_librosa_and_edges_go_on():
    cepstra = ORACLE["slaney_cepstra"]
    found = with_deltas(cepstra, 2)
    np.testing.assert_array_equal(found[:, :13], cepstra)
    np.testing.assert_allclose(found[:, 13:26], ORACLE["deltas"], **CLOSE)
    np.testing.assert_allclose(found[5, 26], (found[6, 13] - found[4, 13] + 2 * (found[7, 13] - found[3, 13])) / 10)
    np.testing.assert_array_equal(with_deltas(cepstra[:1], 2)[:, 13:], 0)


@pytest.mark.parametrize("cuts", [[1], [3, 90, 91, 1000], list(range(50, 2000, 50))])
def test_in_blocks_it_is_the_same_as_at_once(cuts):
    options = FeatureOptions(**SAME)
    np.testing.assert_allclose(log_mel(iter(np.split(X, cuts)), options), log_mel(X, options), rtol=0, atol=1e-9)


@pytest.mark.parametrize("samples", [1, 79, 80, 81, 2000])
def test_a_frame_begins_at_every_hop(samples):
    found = features(X[:samples], FeatureOptions(**SAME))
    assert found.shape == (1 + samples // 80, 20) and found.dtype == np.float32 and np.isfinite(found).all()


def test_a_tone_is_loud_in_the_filter_that_has_it_in_the_middle():
    options = FeatureOptions(normalization="none")
    middle = edges(40, 0, 8000, "slaney")[21]
    tone = np.sin(2 * np.pi * middle * np.arange(8000) / 16000)
    assert (log_mel(tone, options)[3:-3].argmax(axis=1) == 20).all()


def test_frames_are_normalised_of_an_utterance_or_of_a_corpus():
    plain, own = (features(X, FeatureOptions(**SAME | {"normalization": of})) for of in ("none", "utterance"))
    np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(own.std(axis=0), 1, atol=1e-4)
    parts = Statistics.of([plain[:7], plain[7:]])
    np.testing.assert_allclose(parts.mean, plain.mean(axis=0), **CLOSE)
    np.testing.assert_allclose(parts.restored(parts.normalized(plain)), plain, rtol=1e-4, atol=1e-4)
    by_corpus = FeatureOptions(**SAME | {"normalization": "corpus"})
    np.testing.assert_allclose(features(X, by_corpus, parts), own, atol=1e-3)
    with pytest.raises(ArgumentError, match="statistics is None"):
        features(X, by_corpus)


def test_what_never_varies_is_divided_by_one():
    still = np.ones((5, 2), dtype=np.float32) * np.array([3, 0], dtype=np.float32)
    np.testing.assert_array_equal(Statistics.of([still]).normalized(still), 0)
    with pytest.raises(ArgumentError, match="no frame"):
        Statistics.of([still[:0]])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"filters": 400}, "filters is 400: .* ask for fewer"),
        ({"hop": 30}, "hop is 30 and window 25"),
        ({"high": 9000}, "low is 0 and high 9000"),
        ({"low": 4000, "high": 4000}, "low is 4000"),
        ({"kind": "cepstra", "cepstra": 41}, "cepstra is 41: it is at most filters, 40"),
        ({"hop": 0.001}, "that is no sample"),
        ({"kind": "noise"}, "kind is 'noise'"),
    ],
)
def test_options_that_do_not_go_together_are_named(wrong, said):
    with pytest.raises(ConfigError, match=said):
        FeatureOptions(**wrong)


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros((2, 9)), np.zeros(9, dtype=int)])
def test_what_is_no_sound_is_named(sound):
    with pytest.raises(ArgumentError, match="sound holds"):
        features(sound, FeatureOptions())
