"""Files of sound, of all kinds, good and bad."""

import io
import struct
import sys
import wave

import numpy as np
import pytest

from numseq.data.reading import DataError
from numseq.data.sound import reading
from numseq.data.sound.reading import read_sound, sound_blocks
from numseq.errors import ConfigError

soundfile = pytest.importorskip("soundfile")
RATE = 8000


def tone(seconds=0.5, rate=RATE, hz=440.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def written(path, sound, rate=RATE, **more):
    soundfile.write(path, sound, rate, **more)
    return path


KINDS = {
    "wav": ({"subtype": "PCM_16"}, 1e-4),
    "8 bits.wav": ({"subtype": "PCM_U8"}, 1e-2),
    "float.wav": ({"subtype": "FLOAT"}, 0),
    "flac": ({"subtype": "PCM_16"}, 1e-4),
    "ogg": ({"subtype": "VORBIS"}, 0.1),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_is_read(name, tmp_path):
    more, least = KINDS[name]
    found = read_sound(written(tmp_path / f"a.{name}", tone(), **more), RATE)
    assert found.shape == tone().shape and found.dtype == np.float32
    np.testing.assert_allclose(found, tone(), atol=least)


def test_of_two_channels_it_is_the_mean(tmp_path):
    both = np.stack([tone(), tone(hz=300)], axis=1)
    found = read_sound(written(tmp_path / "a.wav", both, subtype="FLOAT"), RATE)
    np.testing.assert_allclose(found, both.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [11025, 16000, 44100])
def test_another_rate_is_brought_to_the_one_that_is_wanted(rate, tmp_path):
    found = read_sound(written(tmp_path / "a.wav", tone(rate=rate), rate), RATE)
    assert found.shape == tone().shape and found.dtype == np.float32
    np.testing.assert_allclose(found[100:-100], tone()[100:-100], atol=2e-3)


@pytest.mark.parametrize("rate", [8000, 11025, 6000])
def test_in_blocks_it_is_the_same_as_at_once(rate, tmp_path, monkeypatch):
    signal = pytest.importorskip("scipy.signal")
    sound = np.random.default_rng(0).standard_normal(5 * rate + 17).astype(np.float32) / 9
    path = written(tmp_path / "a.wav", sound, rate, subtype="FLOAT")
    monkeypatch.setattr(reading, "BLOCK", 1)
    blocks = list(sound_blocks(path, RATE))
    common = np.gcd(rate, RATE)
    whole = signal.resample_poly(sound, RATE // common, rate // common) if rate != RATE else sound
    assert len(blocks) > 3 and max(map(len, blocks)) < 2 * RATE
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)


def refusal(path, **more):
    with pytest.raises(DataError) as info:
        read_sound(path, RATE, **more)
    said = str(info.value)
    assert said.startswith(f"{path}: ") and "\n" not in said and len(said) < 200 + len(str(path))
    return said


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("share", [0.3, 0.97])
def test_a_file_that_is_cut_short_is_named(kind, share, tmp_path):
    path = written(tmp_path / f"a.{kind}", np.random.default_rng(0).standard_normal(RATE) / 9)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "cut short" in refusal(path)


@pytest.mark.parametrize(("kind", "begins"), [("ogg", b"OggS"), ("flac", b"\xff\xf8")])
def test_a_file_that_ends_between_two_pieces_is_cut_short_too(kind, begins, tmp_path):
    path = written(tmp_path / f"a.{kind}", np.random.default_rng(0).standard_normal(6 * RATE) / 9)
    data = path.read_bytes()
    first = data.index(begins)
    path.write_bytes(data[: data.rindex(data[first : first + 4])])
    assert "cut short" in refusal(path)


def test_where_less_comes_than_was_said_it_is_cut_short(tmp_path, monkeypatch):
    path = written(tmp_path / "a.wav", tone())
    monkeypatch.setattr(soundfile.SoundFile, "frames", len(tone()) + 1)
    assert "cut short" in refusal(path)


def test_a_wav_that_was_written_to_a_pipe_does_not_know_its_length(tmp_path):
    path = written(tmp_path / "a.wav", tone())
    data = path.read_bytes()
    at = data.index(b"data") + 4
    path.write_bytes(data[:at] + struct.pack("<I", 0xFFFFFFFF) + data[at + 4 :])
    assert len(read_sound(path, RATE)) == len(tone())


def no_samples():
    with wave.open(data := io.BytesIO(), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "an empty file"), (b"no sound at all", "no sound that can be read"), (no_samples(), "0 seconds")],
)
@pytest.mark.parametrize("name", ["a.wav", "a.raw"])
def test_what_is_no_sound_is_named(name, data, said, tmp_path):
    (tmp_path / name).write_bytes(data)
    if name == "a.wav" or data != no_samples():
        assert said in refusal(tmp_path / name)


def test_silence_is_named_and_so_is_what_is_not_finite(tmp_path):
    for kind in ("PCM_16", "PCM_U8"):
        assert "silent" in refusal(written(tmp_path / "a.wav", np.zeros(RATE), subtype=kind))
    assert "silent" in refusal(written(tmp_path / "a.wav", np.full(RATE, 0.25), 2 * RATE))
    assert "not finite" in refusal(written(tmp_path / "a.wav", np.full(RATE, np.nan, np.float32), subtype="FLOAT"))


def test_what_is_too_long_is_named_before_it_is_read(tmp_path):
    path = written(tmp_path / "a.wav", tone(2.0))
    assert "2.0 seconds long, and at most 1.5 are read" in refusal(path, max_seconds=1.5)
    assert len(read_sound(path, RATE, max_seconds=2)) == 2 * RATE


def test_what_is_not_there_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "a.wav")
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize(("name", "rate"), [("soundfile", RATE), ("scipy.signal", 11025)])
def test_a_library_that_is_missing_is_named(name, rate, tmp_path, monkeypatch):
    path = written(tmp_path / "a.wav", tone(), rate)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'numseq\[sound\]'"):
        read_sound(path, RATE)
