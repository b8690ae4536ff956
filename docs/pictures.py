"""The pictures of these pages that need no run: `python docs/pictures.py` draws them anew, into docs/images."""

from pathlib import Path

import numpy as np

from numseq import plots
from numseq.layers import ctc_loss
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


def lattice():
    """The word "too" under 14 frames, whose scores are noise and a path that may say it."""
    said = [0, 1, 1, 0, 2, 2, 2, 0, 0, 0, 2, 2, 0, 0]  # what is scored high; 1 is t, 2 is o
    logits = 1.2 * np.random.default_rng(1).standard_normal((len(said), 1, 4))
    logits[np.arange(len(said)), 0, said] += 2
    trace = ctc_loss(logits, np.array([[1], [2], [2]]))
    return plots.ctc_lattice(trace, list("too"), title="Which state of “too” a frame is in")


if __name__ == "__main__":
    plots.save(schedules(), IMAGES / "schedules.png")
    plots.save(lattice(), IMAGES / "ctc-lattice.png")
