"""Frames of files, computed once."""

import os

import numpy as np
import pytest

from numseq.data.reading import DataError
from numseq.data.sound import cache
from numseq.data.sound.cache import cached_frames
from numseq.data.sound.features import FeatureOptions, Statistics, file_frames

soundfile = pytest.importorskip("soundfile")
OPTIONS = FeatureOptions(rate=8000, filters=12)


@pytest.fixture
def files(tmp_path):
    """Three that can be read, one that is silent, one that is missing."""
    paths = [tmp_path / f"{k}.wav" for k in range(5)]
    for k, path in enumerate(paths[:4]):
        noise = np.random.default_rng(k).standard_normal(2000 + 500 * k) / 9
        soundfile.write(path, 0 * noise if k == 1 else noise, 8000)
    return paths


def none(*args):
    raise AssertionError("computed again")


def test_frames_are_computed_once_and_what_cannot_be_read_is_left_out(files, tmp_path, monkeypatch):
    ticks = []
    found = cached_frames(tmp_path / "cache", files, OPTIONS, tick=ticks.append)
    assert found.kept == [0, 2, 3] and len(ticks) == 5
    assert list(found.broken) == [str(files[1]), str(files[4])] and "silent" in found.broken[str(files[1])]
    assert found.summary().startswith(f"2 of 5 files left out; the first: {files[1]}: silent")
    for row, k in enumerate(found.kept):
        np.testing.assert_array_equal(found.frames[row], file_frames(files[k], OPTIONS))
    monkeypatch.setattr(cache, "file_frames", none)
    again = cached_frames(tmp_path / "cache", files, OPTIONS)
    np.testing.assert_array_equal(again.frames.flat, found.frames.flat)
    assert again.broken == found.broken and again.frames.lengths.tolist() == found.frames.lengths.tolist()
    frames, mask = again.frames.pad(np.array([2, 0]))
    assert frames.shape == (44, 2, 12) and mask.sum(axis=0).tolist() == [44, 26]


@pytest.mark.parametrize("change", ["a file", "an option"])
def test_of_other_files_or_options_they_are_computed_anew(change, files, tmp_path, monkeypatch):
    cached_frames(tmp_path / "cache", files, OPTIONS)
    monkeypatch.setattr(cache, "file_frames", none)
    options = FeatureOptions(rate=8000, filters=13) if change == "an option" else OPTIONS
    if change == "a file":
        before = os.stat(files[0])
        data = bytearray(files[0].read_bytes())
        data[-1] ^= 1
        files[0].write_bytes(data)
        os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(AssertionError, match="computed again"):
        cached_frames(tmp_path / "cache", files, options)


def test_a_corpus_is_normalised_by_its_own_statistics_or_by_those_of_another(files, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "MANY", 30)
    options = FeatureOptions(rate=8000, filters=12, normalization="corpus")
    train = cached_frames(tmp_path / "cache", [files[0], files[2]], options)
    plain = FeatureOptions(rate=8000, filters=12, normalization="none")
    statistics = Statistics.of(file_frames(files[k], plain) for k in (0, 2))
    np.testing.assert_allclose(train.statistics.mean, statistics.mean, rtol=1e-5)
    np.testing.assert_allclose(train.frames.flat.mean(axis=0), 0, atol=1e-4)
    other = cached_frames(tmp_path / "cache", files[3:4], options, train.statistics)
    np.testing.assert_allclose(other.frames[0], file_frames(files[3], options, statistics), atol=1e-4)


def test_where_nothing_can_be_read_that_is_said(files, tmp_path):
    with pytest.raises(DataError, match="none of 2 files can be read; the first: .*silent"):
        cached_frames(tmp_path / "cache", [files[1], files[4]], OPTIONS)
    assert not list((tmp_path / "cache").iterdir())


def test_files_of_features_are_kept_with_their_deltas(tmp_path):
    np.save(tmp_path / "a.npy", frames := np.random.default_rng(0).standard_normal((9, 3)))
    np.save(tmp_path / "b.npy", frames[:, :2])
    options = FeatureOptions(kind="file", cepstra=3, deltas=2, normalization="none")
    found = cached_frames(tmp_path / "cache", [tmp_path / "a.npy", tmp_path / "b.npy"], options)
    assert found.frames.size == 9 and found.kept == [0]
    np.testing.assert_array_equal(found.frames[0][:, :3], frames.astype(np.float32))
    assert "2 numbers a frame, and cepstra is 3" in found.broken[str(tmp_path / "b.npy")]
