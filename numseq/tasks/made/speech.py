"""Digits said by a machine: made sound, as a source and a filter make it, and no recording of anybody.

Each of the ten words is a sequence of phones. Within a phone, resonances (formants) go from one place to another, and
what they shape is a train of pulses, as of the vocal cords, or noise, as of air in a narrow place:

    y_t = A x_t + B y_{t-1} + C y_{t-2}                       one formant, of frequency F and bandwidth W, at rate R
    C = -exp(-2 pi W / R)    B = 2 exp(-pi W / R) cos(2 pi F / R)    A = 1 - B - C

Source: Klatt 1980, whose resonator this is. The formants of the vowels are near those that were measured of men.
"""

import io
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng

from numseq import arguments
from numseq.errors import ArgumentError, shown
from numseq.files import write_atomically
from numseq.tasks.made.draw import Made, draw

RATE = 8000  # samples a second
HOP, FRAME, FFT = 64, 128, 512  # samples: from frame to frame, of one, and of one with the resonances' end
HANN = np.sin(np.pi * np.arange(FRAME) / FRAME) ** 2  # two that overlap by half add up to 1
Z = np.exp(-2j * np.pi * np.arange(FFT // 2 + 1) / FFT)  # one sample's delay, at each frequency of a frame
WIDTHS = (70.0, 100.0, 150.0)  # Hz, bandwidths of the formants
DULL = np.exp(-2 * np.pi * 600 / RATE)  # the pulses of the vocal cords lose what is above 600 Hz
HIGHEST = 3700.0  # Hz, of a resonance

# milliseconds, loudness of the pulses and of the noise, three formants at the beginning and at the end, and where the
# noise is and how wide
PHONES: dict[str, tuple] = {
    "-": (50, 0.0, 0.0, (500, 1500, 2500), (500, 1500, 2500), (2500, 900)),
    "iy": (150, 1.0, 0.0, (270, 2290, 3010), (270, 2290, 3010), (2500, 900)),
    "ih": (100, 1.0, 0.0, (390, 1990, 2550), (390, 1990, 2550), (2500, 900)),
    "eh": (110, 1.0, 0.0, (530, 1840, 2480), (530, 1840, 2480), (2500, 900)),
    "uh": (110, 1.0, 0.0, (640, 1190, 2390), (640, 1190, 2390), (2500, 900)),
    "ao": (150, 1.0, 0.0, (570, 840, 2410), (570, 840, 2410), (2500, 900)),
    "uw": (170, 1.0, 0.0, (300, 1100, 2240), (300, 870, 2240), (2500, 900)),
    "ow": (170, 1.0, 0.0, (560, 950, 2400), (370, 780, 2300), (2500, 900)),
    "ey": (170, 1.0, 0.0, (500, 1850, 2480), (300, 2250, 2900), (2500, 900)),
    "ai": (200, 1.0, 0.0, (730, 1090, 2440), (390, 1990, 2550), (2500, 900)),
    "r": (70, 0.8, 0.0, (420, 1250, 1600), (420, 1300, 1650), (2500, 900)),
    "w": (70, 0.7, 0.0, (290, 610, 2150), (320, 700, 2200), (2500, 900)),
    "n": (80, 0.5, 0.0, (260, 1450, 2600), (260, 1450, 2600), (2500, 900)),
    "v": (70, 0.4, 0.08, (230, 1100, 2080), (230, 1100, 2080), (1500, 1800)),
    "z": (80, 0.4, 0.25, (250, 1600, 2560), (250, 1600, 2560), (3500, 700)),
    "s": (110, 0.0, 0.5, (320, 1600, 2560), (320, 1600, 2560), (3500, 600)),
    "f": (90, 0.0, 0.25, (340, 1100, 2080), (340, 1100, 2080), (1500, 2000)),
    "th": (80, 0.0, 0.25, (320, 1290, 2540), (320, 1290, 2540), (2700, 1200)),
    "t": (30, 0.0, 0.6, (300, 1700, 2600), (300, 1700, 2600), (3300, 900)),
    "k": (30, 0.0, 0.5, (300, 1900, 2500), (300, 1900, 2500), (1900, 500)),
}
WORDS = {
    "zero": ("z", "ih", "r", "ow"),
    "one": ("w", "uh", "n"),
    "two": ("t", "uw"),
    "three": ("th", "r", "iy"),
    "four": ("f", "ao", "r"),
    "five": ("f", "ai", "v"),
    "six": ("s", "ih", "-", "k", "s"),
    "seven": ("s", "eh", "v", "uh", "n"),
    "eight": ("ey", "-", "t"),
    "nine": ("n", "ai", "n"),
}
LONGEST = 5  # words of an utterance


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks. pitch: of the vocal cords, Hz. pace: how much faster than the phones say. scale: of all formants,
    which are higher in a shorter throat."""

    pitch: float = 120.0
    pace: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        arguments.number(self.pitch, "pitch", least=50, most=400)
        arguments.number(self.pace, "pace", least=0.5, most=2)
        arguments.number(self.scale, "scale", least=0.7, most=1.4)

    @classmethod
    def any(cls, rng: Generator) -> "Voice":
        """One at random: of a man, a woman or a child."""
        pitch, pace, scale = rng.uniform((np.log(90), 0.85, 0.9), (np.log(240), 1.2, 1.15)).tolist()
        return cls(float(np.exp(pitch)), pace, scale)


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """Some digits, as they were said."""

    wave: np.ndarray  # (N,) float32 between -1 and 1, RATE samples a second
    text: str  # "three one four"
    places: np.ndarray  # (words, 2) samples: where each word begins and ends
    voice: Voice


def make_speech(n_train: int, n_valid: int, n_test: int, seed: int, voice: Voice | None = None) -> Made:
    """Utterances of one to five digits, no two of the same digits.

    Args: n_train, n_valid, n_test, seed. voice: who says all of them; None for another voice each time.
    Returns: a Made, whose lists hold Utterances.
    Raises: ArgumentError.
    """
    texts = draw(_text, (n_train, n_valid, n_test), seed, key=str)

    def said(lines, part):
        for k, text in enumerate(lines):
            rng = default_rng((seed, part, k))
            yield speak(text, voice or Voice.any(rng), rng)

    return Made(*([*said(lines, part)] for part, lines in enumerate((texts.train, texts.valid, texts.test))))


def _text(rng):
    return " ".join(tuple(WORDS)[k] for k in rng.integers(len(WORDS), size=rng.integers(1, LONGEST + 1)))


def speak(text: str, voice: Voice, rng: Generator) -> Utterance:
    """Say some digits: no two times alike, for lengths, formants, pitch, pauses and noise are drawn anew.

    Args: text, digits in words with spaces between, "three one four". voice. rng, of all that is drawn.
    Returns: the Utterance.
    Raises: ArgumentError, for a word that is no digit.
    """
    words = arguments.text(text, "text").split()
    arguments.one_of(voice, "voice", Voice)
    if wrong := [word for word in words if word not in WORDS] or [text] * (not words):
        raise ArgumentError(f"text has {shown(wrong[0])}: only {', '.join(WORDS)} can be said")
    tracks, ends = [_silence(rng)], []
    for word in words:
        said = [_phone(name, voice, rng) for name in WORDS[word]]
        begins = sum(map(len, tracks))
        ends.append((begins, begins + sum(map(len, said))))
        tracks += [*said, _silence(rng)]
    controls = np.concatenate(tracks)
    sound = _sound(_smooth(controls[:, :2], 3), _smooth(controls[:, 2:], 5), voice, rng)
    return Utterance(sound.astype(np.float32), " ".join(words), HOP * np.array(ends), voice)


def _silence(rng):
    """The controls of a pause, of 50 to 200 ms."""
    return _steps(int(rng.integers(50, 200)), PHONES["-"][1:], 1.0)


def _phone(name, voice, rng):
    """The controls of a phone, somewhat longer or shorter and higher or lower than they should be."""
    ms, *sizes = PHONES[name]
    return _steps(ms * rng.uniform(0.85, 1.15) / voice.pace, sizes, voice.scale * rng.uniform(0.97, 1.03))


def _steps(ms, sizes, scale):
    """(frames, 7): loudness of pulses and of noise, three formants, place and width of the noise."""
    pulses, noise, start, end, hiss = sizes
    frames = max(1, round(ms * RATE / HOP / 1000))
    controls = np.linspace((pulses, noise, *start, *hiss), (pulses, noise, *end, *hiss), frames)
    controls[:, 2:6] = np.minimum(scale * controls[:, 2:6], HIGHEST)
    return controls


def _smooth(controls, frames):
    """The mean of so many frames around each: the mouth cannot jump."""
    padded = np.pad(controls, ((frames // 2, frames // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, frames, axis=0).mean(-1)


def _sound(loudness, places, voice, rng):
    """Pulses and noise through the filters of each frame, (N,)."""
    frames = len(loudness)
    wander = _smooth(rng.normal(0, 0.06, (frames, 1)), 9)[:, 0]
    pitch = voice.pitch * (np.linspace(1.12, 0.88, frames) + wander)  # a sentence falls
    pulses = _pulses(np.interp(np.arange(frames * HOP), HOP * np.arange(frames), pitch))
    noise = rng.standard_normal(frames * HOP)
    throat = (1 - DULL) / (1 - DULL * Z) * loudness[:, :1]
    for k, width in enumerate(WIDTHS):
        throat = throat * _resonance(places[:, k], width)
    hiss = _resonance(places[:, 3], places[:, 4])
    hiss *= loudness[:, 1:] / np.abs(hiss).max(1, keepdims=True)
    sound = _filtered(pulses, throat) + _filtered(noise, hiss)
    sound += 0.003 * np.abs(sound).max() * rng.standard_normal(len(sound))  # the room
    return rng.uniform(0.3, 0.8) * sound / np.abs(sound).max()


def _pulses(pitch):
    """One for each turn of the vocal cords, of unit power, shared between the two samples that it falls between."""
    turns = np.cumsum(pitch) / RATE
    [at] = np.nonzero(np.diff(np.floor(turns)))  # a turn ends between this sample and the next
    late = (np.floor(turns[at + 1]) - turns[at]) / (turns[at + 1] - turns[at])
    pulses = np.zeros(len(pitch))
    size = np.sqrt(RATE / pitch[at])
    pulses[at] += size * (1 - late)
    pulses[at + 1] += size * late
    return pulses


def _resonance(frequency, width):
    """What a formant makes of each frequency, (frames, FFT / 2 + 1): frequency (frames,) and width in Hz."""
    r = np.exp(-np.pi * np.broadcast_to(width, frequency.shape) / RATE)[:, None]
    b, c = 2 * r * np.cos(2 * np.pi * frequency / RATE)[:, None], -(r**2)
    return (1 - b - c) / (1 - b * Z - c * Z**2)


def _filtered(source, response):
    """A source (N,) through filters that differ from frame to frame, (frames, FFT / 2 + 1): each frame by its own, and
    what they give added."""
    padded = np.pad(source, (HOP, 0))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP] * HANN
    rung = np.fft.irfft(np.fft.rfft(pieces, FFT) * response, FFT)
    total = np.zeros((len(rung) + FFT // HOP, HOP))
    for k in range(FFT // HOP):
        total[k : k + len(rung)] += rung[:, k * HOP : (k + 1) * HOP]
    return total.reshape(-1)[HOP : HOP + len(source)]


def write_speech(utterances: Iterable[Utterance], folder: str | PathLike, name: str) -> Path:
    """Write FOLDER/NAME/00000.wav and so on (PCM, 16 bits), and FOLDER/NAME.tsv, whose lines are a file and its text.

    The table is written last: where it is, all files are.
    Returns: the path of the table. Raises: OSError.
    """
    folder = arguments.path(folder, "folder")
    (folder / arguments.text(name, "name")).mkdir(parents=True, exist_ok=True)
    lines = []
    for k, one in enumerate(utterances):
        file = f"{name}/{k:05}.wav"
        (folder / file).write_bytes(_wav(one.wave))
        lines.append(f"{file}\t{one.text}\n")
    write_atomically(table := folder / f"{name}.tsv", "".join(lines).encode())
    return table


def _wav(sound):
    """The bytes of a WAV file."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.round(32767 * sound).astype("<i2").tobytes())
    return data.getvalue()
