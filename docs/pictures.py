"""The pictures of these pages that need no run: `python docs/pictures.py` draws them anew, into docs/images."""

from pathlib import Path

import numpy as np
from numpy.random import default_rng

from numseq import plots
from numseq.layers import ctc_loss
from numseq.plots.figure import figure_class
from numseq.tasks import made
from numseq.training import SCHEDULES, TrainingOptions, step_sizes

IMAGES = Path(__file__).parent / "images"
NO_BETTER = (300, 400, 700)  # after so many updates plateau's validation is no better


SHOWN = {
    "constant": {},
    "plateau": {},
    "step": {},
    "step, min_lr 0.2": {"lr": 1.0, "min_lr": 0.2},
    "exponential, decay 0.8": {"decay": 0.8},
    "inverse-sqrt, warmup 100": {"warmup": 100},
    "cosine, warmup 50": {"warmup": 50},
    "one-cycle": {},
}


def schedules():
    """All schedules over 10 epochs of 100 updates, some with what goes before them and below them."""
    runs = {heading: TrainingOptions(schedule=heading.split(",")[0], **more) for heading, more in SHOWN.items()}
    assert {options.schedule for options in runs.values()} == set(SCHEDULES)
    return plots.schedules({heading: step_sizes(options, 100, 1.0, NO_BETTER) for heading, options in runs.items()})


def speech():
    """The same digits, as two voices say them."""
    figure = figure_class()(figsize=(7, 3.4), layout="constrained")
    for axes, voice in zip(figure.subplots(2, 1), (made.Voice(100), made.Voice(220, 1.1, 1.12)), strict=True):
        said = made.speak("three one four", voice, default_rng(0))
        axes.specgram(said.wave, NFFT=128, noverlap=96, pad_to=256, Fs=8000, vmin=-80, vmax=-40)
        for word, ends in zip(said.text.split(), said.places / 8000, strict=True):
            axes.text(ends.mean(), 3600, word, color="white", ha="center")
        axes.set_title(f"pitch {voice.pitch:.0f} Hz", fontsize=10)
        axes.set_ylabel("Hz")
    axes.set_xlabel("seconds")
    return figure


def shapes():
    """Pictures with one to three shapes, and one of the sentences of each."""
    figure = figure_class()(figsize=(9, 2.1), layout="constrained")
    pictures = sorted(made.make_pictures(24, 0, 0, 0).train, key=lambda one: len(one.scene.things))
    for axes, one in zip(figure.subplots(1, 6), [*pictures[:2], *pictures[10:12], *pictures[-2:]], strict=True):
        axes.imshow(one.pixels)
        words = one.captions[0].split()
        axes.set_title("\n".join(" ".join(part) for part in np.array_split(words, -(-len(words) // 4))), fontsize=8)
        axes.axis("off")
    return figure


def lattice():
    """The word "too" under 14 frames, whose scores are noise and a path that may say it."""
    said = [0, 1, 1, 0, 2, 2, 2, 0, 0, 0, 2, 2, 0, 0]  # what is scored high; 1 is t, 2 is o
    logits = 1.2 * np.random.default_rng(1).standard_normal((len(said), 1, 4))
    logits[np.arange(len(said)), 0, said] += 2
    trace = ctc_loss(logits, np.array([[1], [2], [2]]))
    return plots.ctc_lattice(trace, list("too"), title="Which state of “too” a frame is in")


if __name__ == "__main__":
    plots.save(speech(), IMAGES / "made-speech.png")
    plots.save(shapes(), IMAGES / "made-pictures.png")
    plots.save(schedules(), IMAGES / "schedules.png")
    plots.save(lattice(), IMAGES / "ctc-lattice.png")
