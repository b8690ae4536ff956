"""SpecAugment: some frames and some filters of an utterance are hidden, so that a model relies on none of them.

    f ~ whole numbers from 0 to F, f0 ~ from 0 to D - f          filters f0 ... f0 + f - 1 are hidden
    t ~ whole numbers from 0 to min(T, p L), t0 ~ from 0 to L - t         frames t0 ... t0 + t - 1 are hidden

What is hidden becomes 0, which is the mean of frames that are normalised. The paper's time warping is left out: it
gained least there.

Source: Park et al. 2019, section 2.
"""

from dataclasses import dataclass

import numpy as np

from numseq import arguments
from numseq.backend import Array, Generator, array_module, to_numpy
from numseq.errors import ArgumentError
from numseq.options import option, validate


@dataclass(frozen=True)
class SpecAugmentOptions:
    """What is hidden of each utterance.

    Raises: ConfigError, naming the option, when a value makes no sense.
    """

    time_masks: int = option(2, "Stretches of frames to hide.", least=0, source="Park et al. 2019")
    time_width: int = option(40, "Most frames of such a stretch.", least=1)
    time_share: float = option(0.2, "Most of an utterance that a stretch may be.", above=0, most=1)
    frequency_masks: int = option(2, "Bands of filters to hide.", least=0)
    frequency_width: int = option(8, "Most filters of such a band.", least=1)

    def __post_init__(self) -> None:
        validate(self)


def spec_augment(frames: Array, mask: Array, options: SpecAugmentOptions, rng: Generator) -> Array:
    """A batch with some of it hidden; each utterance has draws of its own.

    Equations: those of the module; L is how long an utterance is without its padding.

    Args: frames, (S, B, D). mask, (S, B), True where a frame is real. options. rng, a seeded generator of NumPy.
    Returns: (S, B, D); frames itself stays as it is.
    Raises: ArgumentError, when frames and mask do not go together.
    """
    arguments.one_of(options, "options", SpecAugmentOptions)
    if getattr(frames, "ndim", None) != 3 or getattr(mask, "shape", None) != frames.shape[:2]:
        shapes = f"{getattr(frames, 'shape', None)} and {getattr(mask, 'shape', None)}"
        raise ArgumentError(f"frames and mask have shapes {shapes}: they must be (S, B, D) and (S, B)")
    S, B, D = frames.shape
    lengths = to_numpy(mask).sum(axis=0)
    widest = np.minimum(options.time_width, (options.time_share * lengths).astype(np.int64))
    in_time = hidden(rng, options.time_masks, widest, lengths, S)  # (S, B)
    width = np.full(B, min(options.frequency_width, D))
    in_frequency = hidden(rng, options.frequency_masks, width, np.full(B, D), D)  # (D, B)
    xp = array_module(frames)
    shown = ~(in_time[:, :, None] | in_frequency.T[None])
    return frames * xp.asarray(shown).astype(frames.dtype)


def hidden(rng: Generator, masks: int, widest: np.ndarray, lengths: np.ndarray, size: int) -> np.ndarray:
    """Which of `size` places are hidden, (size, B), by so many stretches within the first (B,) lengths, each of at most
    (B,) widest."""
    width = rng.integers(0, widest + 1, size=(masks, len(lengths)))
    first = rng.integers(0, lengths - width + 1)
    places = np.arange(size)[:, None, None]
    return np.logical_or.reduce((first <= places) & (places < first + width), axis=1)
