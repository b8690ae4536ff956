"""Where a model looked, beside what moves its scores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.plots.figure import cut, figure_class
from numseq.plots.fonts import drawable, visible
from numseq.plots.live.picture import LivePicture
from numseq.plots.maps import colours
from numseq.studies.influence import Influence, influence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numseq.models.seq2seq import Seq2SeqTrace


def looked_and_moved(
    trace: "Seq2SeqTrace",
    source: Sequence[str],
    target: Sequence[str],
    *,
    row: int = 0,
    tokens: Sequence[int] | None = None,
    title: str | None = None,
) -> LivePicture:
    """Where a model looked at each step, beside what moves the score of the token of that step: the attention weights
    alpha_tj, and the norms of the gradients of logit_t by the source vectors x_j, both as shares of their row. Choose a
    step, and its two rows stand as bars above and below the source text.

    Attention is not influence: a state of the encoder that is looked at was itself made of all of the text, and the
    decoder's own state brings what was read at the beginning, with no look at all. How far the two agree is said by the
    rank correlation of each row.

    Equations: those of `numseq.studies.influence`.

    Args: trace, of a model with an attention, a whole one. source, target: the texts of the pair, a list of tokens or a
        string of characters; target may or may not have its <eos>. row: which pair of the batch. tokens: for each step
        the id whose score is taken; None for the right ones. title.
    Returns: a LivePicture.
    Raises: ArgumentError, when there is no attention to the source's positions, or the texts do not fit.
    Source: Jain & Wallace 2019; Wiegreffe & Pinter 2019 on what does not follow from it.
    """
    found = influence(trace, row, tokens)
    if found.alpha is None or found.alpha.shape != found.size.shape:
        raise ArgumentError("trace attends to no positions of the source, so there is nothing to hold against them")
    source, target = _texts(source, "source"), _texts(target, "target")
    T, S = found.size.shape
    if len(target) == T - 1:
        target = [*target, "<eos>"]
    for name, texts, n in (("source", source, S), ("target", target, T)):
        if len(texts) != n:
            raise ArgumentError(f"{name} has {len(texts)} texts: it must have {n}")
    title = arguments.text(title or "Looked at, and moved by", "title")
    data: dict[str, Any] = {
        "title": title,
        "source": source,
        "target": target,
        "alpha": found.alpha,
        "share": found.share,
        "norms": found.size.sum(axis=1),
        "correlation": found.correlation,
        "sentence": sentence(found),
    }
    return LivePicture("looked", data, lambda: _still(data), title)


def _texts(given, called):
    return list(given) if isinstance(given, str) else arguments.texts(given, called)


def sentence(found: Influence) -> str:
    """What the numbers say, in words."""
    known = found.correlation[np.isfinite(found.correlation)]
    T = len(found.size)
    same = int((found.alpha.argmax(axis=1) == found.size.argmax(axis=1)).sum())
    apart = np.abs(found.alpha - found.share).sum(axis=1).mean() / 2
    steps = "step" if T == 1 else "steps"
    said = f"At {same} of {T} {steps} the place that was looked at most is the place that moves the score most"
    if len(known):
        said += (
            f"; the rank correlation of the two is {np.median(known):.2f} in the middle, "
            f"from {known.min():.2f} to {known.max():.2f}"
        )
    return f"{said}. On average {apart:.0%} of the weight stands elsewhere than the influence."


def _still(data):
    source, target = ([visible(cut(text)) for text in data[side]] for side in ("source", "target"))
    (columns, x_family), (rows, y_family), (heading, family) = drawable(source, target, [data["title"]])
    wide, tall = min(16.0, 2 * (1.2 + 0.2 * len(columns))), 1.4 + 0.2 * len(rows)
    figure: Figure = figure_class()(figsize=(max(6.0, wide), tall), layout="constrained")
    for axes, name, words in zip(
        figure.subplots(1, 2, sharey=True),
        ("alpha", "share"),
        ("looked at: attention", "moved by: gradient"),
        strict=True,
    ):
        limit = np.max(data[name])
        axes.imshow(data[name], cmap=colours(), vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
        axes.set_xticks(range(len(columns)), columns, family=x_family, fontsize=8, parse_math=False)
        axes.set_yticks(range(len(rows)), rows, family=y_family, fontsize=8, parse_math=False)
        if max(map(len, columns)) > 2:
            axes.tick_params(axis="x", labelrotation=90)
        axes.set_title(f"{words}, up to {limit:.0%} of a row", fontsize=9)
        axes.set_xlabel("source")
    figure.axes[0].set_ylabel("target")
    figure.suptitle(heading[0], family=family, parse_math=False, fontsize=11)
    return figure
