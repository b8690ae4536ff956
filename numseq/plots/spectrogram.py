"""The frames of a sound over time, and where a decoder looked in them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.data.sound.features import FeatureOptions
from numseq.data.sound.mel import edges
from numseq.errors import ArgumentError
from numseq.plots.figure import LARGEST_SIDE, cut, figure_class, set_title
from numseq.plots.fonts import drawable, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INCHES = 3.0  # of a second, and at most LARGEST_SIDE in all
LINE = 0.22  # inches, of a token
LABELS = 6  # frequencies that are written


def spectrogram(
    frames: Array,
    options: FeatureOptions,
    *,
    alpha: Array | None = None,
    target: Sequence[str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw frames, time from left to right; below, on the same time, attention weights, a row for each target token.

    Shapes: `frames` (L, D), of which the first numbers are drawn and deltas are not; `options`, that they were made
    with, which say how long a frame is and what its numbers are; `alpha` (T, S) of weights from 0 to 1, S being L or
    fewer where an encoder shortens time; `target` T strings.
    Returns a `Figure`: a notebook shows it, `save` writes it.
    Warns when no installed font has a character; its code, such as U+4E2D, is drawn in its place.
    Raises ArgumentError when the arrays do not fit the options, one another or the tokens, hold what is not finite or,
    for attention, other than weights, or one of alpha and target is given without the other.
    """
    arguments.one_of(options, "options", FeatureOptions)
    frames = arguments.numbers(frames, "frames", "L D")
    if not len(frames) or frames.shape[1] not in (options.base, options.size):
        raise ArgumentError(f"frames has shape {frames.shape}: the options say (L, {options.size}), L at least 1")
    if not np.isfinite(frames).all():
        raise ArgumentError("frames holds values that are not finite (nan or inf)")
    if (alpha is None) != (target is None):
        raise ArgumentError(f"{'alpha' if alpha is None else 'target'} is None: alpha and target go together")
    tokens = [] if target is None else arguments.texts(target, "target")
    if alpha is not None:
        alpha = _weights(alpha, len(tokens), len(frames))
    title = arguments.text(title or "", "title")
    (rows, family), (heading, title_family) = drawable([cut(visible(t)) for t in tokens], [title])

    seconds = len(frames) * options.step / options.rate
    width = min(LARGEST_SIDE, max(4.0, INCHES * seconds)) + 1.5
    heights = [2.4] + ([] if alpha is None else [min(LARGEST_SIDE, max(1.2, LINE * len(rows)))])
    figure = figure_class()(figsize=(width, sum(heights) + 1.0), layout="compressed")
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    how = {"aspect": "auto", "interpolation": "nearest", "cmap": "viridis"}
    shown = frames[:, : options.base].T
    image = panels[0].imshow(shown, origin="lower", extent=(0, seconds, -0.5, len(shown) - 0.5), **how)
    figure.colorbar(image, ax=panels[0], label="log energy" if options.kind == "mel" else "value")
    if options.kind == "mel":
        middles = edges(options.filters, options.low, options.highest, options.scale)[1:-1]
        some = np.unique(np.linspace(0, options.filters - 1, LABELS).round().astype(int))
        panels[0].set_yticks(some, [f"{middles[k]:,.0f}" for k in some])
    panels[0].set_ylabel("Hz" if options.kind == "mel" else "cepstrum" if options.kind == "cepstra" else "number")
    if alpha is not None:
        T = len(rows)
        image = panels[1].imshow(alpha, extent=(0, seconds, T - 0.5, -0.5), vmin=0, vmax=max(alpha.max(), 1e-3), **how)
        figure.colorbar(image, ax=panels[1], label="attention weight")
        every = math.ceil(T * LINE / heights[1])
        panels[1].set_yticks(range(0, T, every), rows[::every], family=family, parse_math=False)
        panels[1].set_ylabel("target")
    panels[-1].set_xlabel("seconds")
    set_title(panels[0], heading[0], title_family, width)
    return figure


def _weights(alpha, T, L):
    """alpha (T, S), checked. Raises: ArgumentError."""
    alpha = arguments.numbers(alpha, "alpha", "T S")
    if not alpha.size or alpha.shape[0] != T or alpha.shape[1] > L:
        raise ArgumentError(f"alpha has shape {alpha.shape}: {T} tokens and {L} frames need ({T}, {L} or fewer)")
    if not np.isfinite(alpha).all() or alpha.min() < -1e-3 or alpha.max() > 1 + 1e-3:  # room for low precision
        raise ArgumentError("alpha must hold weights from 0 to 1")
    return alpha
