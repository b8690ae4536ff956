"""Gates under the text: mark a span, and see where else the same units stay open."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.plots.live.picture import LivePicture
from numseq.plots.maps import heat_maps
from numseq.plots.reading import LEFT_OUT, Reading, like_order, limit_of

MOST = 60_000  # numbers in the picture
SENTENCES = 24


def gates(
    trace: Any, tokens: Sequence[Sequence[str]], *, direction: str | None = None, title: str | None = None
) -> LivePicture:
    """Gates under several texts: a map of units by characters for i, f, g, o, c, h, or whatever the cell has. Mark a
    span, and the other texts in which the same units stay open are listed.

    The units of a span are the five that are open there, at every step of it, the furthest above their mean over all
    texts. They stay open elsewhere while their mean is nearer to the lowest that it has in the span than to that of all
    texts, for at least half as long as the span is.

    Args: trace, of a recurrent layer that read B texts, one a row. tokens: for each row its text, a string or a list of
        texts, at most T long; what comes after its end is padding, and not shown. direction: of a bidirectional layer.
        title.
    Returns: a LivePicture; of many texts it has the first, of many units those that change most.
    Raises: ArgumentError.
    """
    texts = [list(line) if isinstance(line, str) else arguments.texts(line, "tokens") for line in _lines(tokens)]
    readings = [Reading(trace, row, direction) for row in range(min(len(texts), SENTENCES, _rows(trace)))]
    if not readings or len(texts) > readings[0].B:
        raise ArgumentError(f"tokens has {len(texts)} texts: the trace has {_rows(trace)} rows, one for each")
    first = readings[0]
    for k, (text, reading) in enumerate(zip(texts, readings, strict=False)):
        if not 0 < len(text) <= reading.T:
            raise ArgumentError(
                f"tokens[{k}] has {len(text)} texts: it must have from 1 to {reading.T}, the steps of its row"
            )
    names = [
        n for n, v in first.values.items() if v.shape[1] == first.H and n not in LEFT_OUT and not n.endswith("_prev")
    ]
    values = {
        name: [reading.values[name][: len(text)] for reading, text in zip(readings, texts, strict=False)]
        for name in names
    }
    steps = sum(len(text) for text in texts[: len(readings)])
    units = _units(values, max(2, min(first.H, MOST // (steps * len(names)))))
    title = arguments.text(title or f"{type(first.run.cell).__name__}: gates under the text", "title")
    data = {
        "title": title,
        "texts": texts[: len(readings)],
        "units": units,
        "of": first.H,
        "left_out": len(texts) - len(readings),
        "quantities": [
            {
                "name": name,
                "limit": limit_of(np.concatenate(rows)),
                "values": [row[:, units] for row in rows],
                "mean": np.concatenate(rows)[:, units].mean(axis=0),
            }
            for name, rows in values.items()
        ],
    }
    return LivePicture("gates", data, lambda: _still(data), title)


def _lines(tokens):
    if isinstance(tokens, str):
        raise ArgumentError("tokens is one text: it must be a list of texts, one for each row of the trace")
    return arguments.listed(tokens, "tokens", "a list of texts, one for each row of the trace")


def _rows(trace):
    return Reading(trace, 0, units=1).B


def _units(values, most):
    """Which units are shown, like ones side by side: those that change most over all texts."""
    together = np.concatenate([np.concatenate(rows) / limit_of(np.concatenate(rows)) for rows in values.values()])
    T = len(together) // len(values)
    changes = together.reshape(len(values), T, -1).std(axis=1).sum(axis=0)
    kept = np.sort(np.argsort(-changes, kind="stable")[:most])
    return kept[like_order(together[:, kept])].tolist()


def _still(data):
    """The first text."""
    panels = {q["name"]: np.asarray(q["values"][0], float).T for q in data["quantities"]}
    return heat_maps(panels, {q["name"]: q["limit"] for q in data["quantities"]}, data["texts"][0], data["title"])
