"""Files of features of other programs, written here byte by byte as their descriptions say."""

import struct

import numpy as np
import pytest

from numseq.data.reading import DataError
from numseq.data.sound.feature_files import read_features

FRAMES = np.random.default_rng(0).standard_normal((5, 13)).astype(np.float32)


def sphinx(order=">", frames=FRAMES):
    return struct.pack(f"{order}i", frames.size) + frames.astype(f"{order}f4").tobytes()


def htk(kind=6, frames=FRAMES, end=b""):
    header = struct.pack(">iihh", len(frames), 100_000, 4 * frames.shape[1], kind)
    return header + frames.astype(">f4").tobytes() + end


def numpy(tmp_path, array):
    np.save(tmp_path / "array.npy", array)
    return (tmp_path / "array.npy").read_bytes()


GOOD = {
    "Sphinx": lambda folder: sphinx(),
    "Sphinx, the other order": lambda folder: sphinx("<"),
    "HTK": lambda folder: htk(),
    "HTK with a checksum": lambda folder: htk(6 | 0o10000, end=b"ab"),
    "NumPy": lambda folder: numpy(folder, FRAMES),
    "NumPy, double": lambda folder: numpy(folder, FRAMES.astype(float)),
}


@pytest.mark.parametrize("kind", GOOD)
def test_features_are_read_as_they_are(kind, tmp_path):
    (tmp_path / "a.mfc").write_bytes(GOOD[kind](tmp_path))
    frames = read_features(tmp_path / "a.mfc")
    assert frames.dtype == np.float32 and frames.flags.writeable
    np.testing.assert_array_equal(frames, FRAMES)


def test_a_sphinx_file_has_frames_of_the_size_that_is_said(tmp_path):
    (tmp_path / "a.mfc").write_bytes(sphinx(frames=FRAMES[:, :12]))
    np.testing.assert_array_equal(read_features(tmp_path / "a.mfc", size=12), FRAMES[:, :12])


NAN = np.where(FRAMES > 0, FRAMES, np.nan).astype(np.float32)
BAD = {
    "nothing": (b"", "no features of Sphinx, HTK or NumPy"),
    "text": (b"not a feature in it", "no features of Sphinx, HTK or NumPy"),
    "Sphinx, cut short": (sphinx()[:-4], "not as long as it says"),
    "Sphinx, other frames": (sphinx(frames=FRAMES[:, :12]), "60 numbers, which make no frames of 13"),
    "Sphinx, no frame": (sphinx(frames=FRAMES[:0]), "no frame in it"),
    "Sphinx, not finite": (sphinx(frames=NAN), "not finite"),
    "HTK, cut short": (htk()[:-1], "not as long as it says"),
    "HTK, compressed": (htk(6 | 0o2000), "SAVECOMPRESSED"),
    "HTK, sound": (htk(0), "but sound"),
}


@pytest.mark.parametrize("wrong", BAD)
def test_what_cannot_be_read_is_one_line(wrong, tmp_path):
    data, said = BAD[wrong]
    (tmp_path / "a.mfc").write_bytes(data)
    with pytest.raises(DataError, match=said) as info:
        read_features(tmp_path / "a.mfc")
    assert str(info.value).startswith(f"{tmp_path / 'a.mfc'}: ") and "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: numpy(folder, FRAMES)[:-1], "damaged or cut short"),
        (lambda folder: numpy(folder, FRAMES[0]), r"of shape \(13,\)"),
        (lambda folder: numpy(folder, np.array([["a"]])), "frames are numbers"),
    ],
)
def test_an_array_that_is_no_frames_is_one_line(make, said, tmp_path):
    (tmp_path / "a").write_bytes(make(tmp_path))
    with pytest.raises(DataError, match=said) as info:
        read_features(tmp_path / "a")
    assert "\n" not in str(info.value)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        read_features(tmp_path / "nowhere.mfc")
