"""Spoken digits that make themselves: what each is can be heard, by pitch, formants and the words themselves."""

import wave

import numpy as np
import pytest
from numpy.random import default_rng

from numseq.errors import ArgumentError
from numseq.tasks.made.speech import RATE, WORDS, Voice, make_speech, speak, write_speech

MAN, CHILD = Voice(100.0), Voice(220.0, 1.1, 1.12)


def said(text, voice=MAN, seed=0):
    return speak(text, voice, default_rng(seed))


def word(utterance, k=0):
    first, end = utterance.places[k]
    return utterance.wave[first:end]


def middle(sound, size=1024):
    first = (len(sound) - size) // 2
    return sound[first : first + size].astype(float)


def spectrum(sound):
    """Power at 0, 7.8, ... 4000 Hz."""
    return np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2


def test_the_same_seed_says_the_same_and_another_time_is_another_sound():
    first, again, other = said("one two"), said("one two"), said("one two", seed=1)
    np.testing.assert_allclose(first.wave, again.wave, atol=1e-6)
    assert first.text == "one two" and first.wave.dtype == np.float32 and first.wave.ndim == 1
    assert len(first.wave) != len(other.wave) and 0.3 < np.abs(first.wave).max() < 0.81


def test_no_digits_are_in_two_lists_and_each_has_a_voice_unless_one_is_given():
    made = make_speech(8, 3, 4, 1)
    everything = [*made.train, *made.valid, *made.test]
    assert [len(made.train), len(made.valid), len(made.test)] == [8, 3, 4]
    assert len({one.text for one in everything}) == len({one.voice for one in everything}) == 15
    assert all(set(one.text.split()) <= set(WORDS) and len(one.text.split()) in range(1, 6) for one in everything)
    assert {one.voice for one in make_speech(2, 0, 1, 1, MAN).train} == {MAN}
    assert [one.text for one in make_speech(2, 0, 1, 2).train] != [one.text for one in made.train[:2]]


@pytest.mark.parametrize("voice", [MAN, CHILD])
def test_a_voice_has_its_pitch_and_its_formants(voice):
    vowel = middle(word(said("four", voice)))
    together = np.correlate(vowel, vowel, "full")[len(vowel) - 1 :]
    shortest = RATE // 300
    turn = shortest + together[shortest : RATE // 70].argmax()
    assert abs(RATE / turn / voice.pitch - 1) < 0.2  # it falls by a quarter within a sentence
    power = spectrum(middle(word(said("three", voice)), 512)[:512])
    hertz = np.fft.rfftfreq(512, 1 / RATE)
    between, second = (power[(hertz > low) & (hertz < high)].mean() for low, high in ((900, 1500), (1950, 2750)))
    assert second > 3 * between  # as in "see", and not as in "saw"


def test_words_lie_where_they_are_said_to_lie_with_silence_between():
    utterance = said("nine six")
    (a, b), (c, d) = utterance.places
    loud = [np.abs(utterance.wave[slice(*ends)]).mean() for ends in ((0, a), (a, b), (b + 100, c), (c, d))]
    assert 0 < a < b < c < d < len(utterance.wave)
    assert min(loud[1], loud[3]) > 10 * max(loud[0], loud[2])


def segments(sound, parts=6, bands=16):
    """The mean log spectrum of so many parts of a word, (parts * bands,)."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 128)[::64]
    power = np.abs(np.fft.rfft(frames * np.hanning(128))) ** 2
    narrow = [band.mean(1) for band in np.array_split(power, bands, axis=1)]
    logs = np.log(np.stack(narrow, 1) + 1e-6)
    return np.concatenate([part.mean(0) for part in np.array_split(logs - logs.mean(), parts)])


def test_the_nearest_mean_tells_the_words_apart_in_voices_never_heard():
    def heard(seed):
        rng = default_rng(seed)
        utterances = [speak(" ".join(WORDS), Voice.any(rng), rng) for _ in range(5)]
        return [(k, segments(word(one, k))) for one in utterances for k in range(10)]

    train, test = heard(0), heard(1)
    means = np.stack([np.mean([x for k, x in train if k == digit], 0) for digit in range(10)])
    right = np.mean([((means - x) ** 2).sum(1).argmin() == k for k, x in test])
    assert right > 0.92  # guessing has 0.1


def test_files_are_pcm_of_16_bits_and_a_table(tmp_path):
    some = [said("one"), said("two three", CHILD)]
    table = write_speech(some, tmp_path / "new", "test")
    assert table == tmp_path / "new" / "test.tsv"
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    assert lines == [["test/00000.wav", "one"], ["test/00001.wav", "two three"]]
    for (file, _), utterance in zip(lines, some, strict=True):
        with wave.open(str(table.parent / file)) as sound:
            assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
            read = np.frombuffer(sound.readframes(len(utterance.wave) + 1), "<i2") / 32767
        np.testing.assert_allclose(read, utterance.wave, atol=1.6e-5)


def test_what_cannot_be_said_is_named():
    for text, words in (("one ten", "text has 'ten': only zero, one, "), (" ", "text has ' ': only"), (1, "text is 1")):
        with pytest.raises(ArgumentError, match=words):
            said(text)
    with pytest.raises(ArgumentError, match="voice is 'low': it must be of Voice"):
        said("one", "low")
    with pytest.raises(ArgumentError, match="pitch is 4000"):
        Voice(4000.0)
