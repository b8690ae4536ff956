"""The cell as a machine: its data flow, with the numbers of a trace on every wire."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numseq import arguments
from numseq.layers.cells.cell import Cell
from numseq.models.decoders.loop import Layer
from numseq.plots.live.dataflow import TALL, WIDE, Drawing, Quantity, lay_out, quantities
from numseq.plots.live.picture import LivePicture
from numseq.plots.live.still import draw_cell
from numseq.plots.reading import Reading, limit_of, token_list
from numseq.record import KeptGradients

if TYPE_CHECKING:
    pass

MOST = 60_000  # numbers in the picture; of larger traces fewer units are shown
UNITS = 32  # of each quantity; more could not be told apart in a strip


def cell(
    trace: Any,
    tokens: Sequence[str] | None = None,
    *,
    gradients: KeptGradients | None = None,
    row: int = 0,
    direction: str | None = None,
    title: str | None = None,
) -> LivePicture:
    """The cell of a recurrent layer as a machine: each quantity of its equations, and the wires between them, with the
    numbers of one sequence, step by step; and, where gradients were kept, what comes back on the same wires.

    The drawing is made from the equations of the step's record, so every cell has one, your own too.

    Args: trace, of a recurrent layer, whatever its cell; of a bidirectional one, direction says which of the two,
        "ahead" or "back". tokens: the text, one for each of its T steps; None for 0, 1, 2, ... gradients: what
        `numseq.record.keep_gradients` kept, or None. row: which sequence of the batch. title.
    Returns: a LivePicture. Where a layer has many units, of each quantity the first ones are shown.
    Raises: ArgumentError.
    """
    data, T = picture_of(trace, tokens, gradients, row, direction, title)
    return LivePicture("cell", data, lambda: draw_cell(data, min(T - 1, T // 2)), data["title"])


def picture_of(
    trace: Any,
    tokens: Sequence[str] | None,
    gradients: KeptGradients | None,
    row: int,
    direction: str | None,
    title: str | None,
) -> tuple[dict[str, Any], int]:
    """(what the picture is made of, T), from what `cell` is given."""
    reading = Reading(trace, row, direction, gradients, units=_units(trace))
    tokens = token_list(tokens, reading.T, len(reading.steps))
    step = getattr(reading.run.cell, "step", None)
    outside = [*(f"{name}_prev" for name in reversed(reading.states)), *(["x"] if "x" in reading.values else [])]
    projected = getattr(type(reading.run.cell), "forward", None) is Cell.forward
    found = quantities(reading.record, step, outside, reading.blocks, projected)
    if isinstance(trace, Layer):
        for q in found:
            if q.name == "a":
                q.remark = f"{q.remark}; in the lowest layer of a decoder, what its loop adds as well".removeprefix(
                    "; "
                )
    drawing = lay_out(found, reading.states)
    kind = type(reading.run.cell).__name__
    title = arguments.text(title or f"{kind}: one step, and what is in it", "title")
    return _data(reading, tokens, found, drawing, title), reading.T


def _units(trace):
    """How many units of each quantity a picture has room for."""
    run = getattr(trace, "run", None)
    if run is None or not hasattr(run, "after"):
        return None
    wide = sum(getattr(value, "shape", (0,))[-1] for value in _first_values(run))
    H = run.after.h.shape[-1]
    each = 2 * len(run.after.h) * max(wide / H, 1)
    return int(max(1, min(UNITS, H, MOST // each)))


def _first_values(run):
    record = run.steps.records[0]
    names = getattr(record, "__dataclass_fields__", None) or getattr(record, "__dict__", ())
    return [value for name in names if name != "params" and hasattr(value := getattr(record, name), "shape")]


def _data(reading: Reading, tokens: list[str], found: list[Quantity], drawing: Drawing, title: str) -> dict[str, Any]:
    nodes = []
    for q in found:
        values, grads = reading.values.get(q.name), reading.gradients.get(q.name)
        x, y = drawing.places[q.name]
        node = {
            "name": q.name,
            "x": x,
            "y": y,
            "equation": q.equation or _outside(q.name, reading.states),
            "remark": q.remark,
            "signs": q.signs,
            "values": values,
            "limit": limit_of(values),
            "backward": _backward(q.name, reading),
            "gradients": grads,
            "gradient_limit": limit_of(grads, least=0),
            "shape": None if values is None else list(values.shape[1:]),
        }
        nodes.append(node)
    return {
        "title": title,
        "tokens": tokens,
        "width": drawing.width,
        "height": drawing.height,
        "box": [WIDE, TALL],
        "nodes": nodes,
        "wires": [{"from": a, "to": b, "points": points} for a, b, points in drawing.wires],
        "ends": [{"from": name, "x": x, "y": y} for name, (x, y) in drawing.ends.items()],
        "blocks": list(reading.blocks),
        "units": [min(reading.limit, reading.H), reading.H],
        "backward": bool(reading.gradients),
    }


def _outside(name, states):
    if name == "x":
        return "x: the input of this step"
    base = name.removesuffix("_prev")
    return f"{name}: {base} of the step before" if base in states and name != base else name


def _backward(name, reading):
    if name not in reading.gradients:
        return f"d{name}: no numbers were kept"
    words = reading.words.get(f"d{name}", "the gradient of the loss")
    return f"d{name} = {words}"
