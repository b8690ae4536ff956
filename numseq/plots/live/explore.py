"""The microscope: every number of a trace, beside its equation."""

from collections.abc import Mapping, Sequence
from typing import Any

from numseq import arguments
from numseq.errors import ArgumentError, shown
from numseq.plots.live.parts import Part, parts_of
from numseq.plots.live.picture import LivePicture
from numseq.plots.live.still import draw_part
from numseq.plots.reading import limit_of
from numseq.record import KeptGradients

MOST = 60_000  # numbers in the picture; about half a megabyte
ROWS, STEPS, UNITS = 8, 400, 32  # of a trace that is larger, the first ones


def explore(
    trace: Any,
    tokens: Sequence[str] | Sequence[Sequence[str]] | Mapping[str, Any] | None = None,
    *,
    gradients: KeptGradients | None = None,
    title: str | None = None,
) -> LivePicture:
    """The microscope: choose an example, a part of the trace and a time step, and see every gate, state and attention
    weight there, and its gradient if it was kept, beside its equation.

    Args: trace, any: a layer's, a stack's, a whole model's, a step's record, a dataclass of your own with arrays
        (T, B, n) or with a list of steps' records. tokens: of the first example a text for each step, or for each
        example a string or list of texts, as long as T or shorter; of a trace whose parts read different texts, a dict:
        the beginning of a part's name, as "encoder", to such lists. gradients: what
        `numseq.record.keep_gradients` kept, or None. title.
    Returns: a LivePicture. Of a large trace it has the first examples, steps and units, and says so.
    Raises: ArgumentError, when nothing in the trace has steps, or tokens are no texts.
    """
    if gradients is not None:
        arguments.one_of(gradients, "gradients", KeptGradients)
    parts = parts_of(trace, gradients)
    if not parts:
        raise ArgumentError(f"trace is {shown(trace)}: it must be a record with arrays of numbers, (T, B, n)")
    title = arguments.text(title or f"{type(trace).__name__}: every number", "title")
    rows, steps, units = _sizes(parts)
    start = max(range(len(parts)), key=lambda k: (len(parts[k].equations), -k))
    said = [_tokens(tokens, part) for part in parts]
    if tokens is not None and not any(said):
        raise ArgumentError(f"tokens is {shown(tokens)}: it must have a text for each step of a part of the trace")
    data: dict[str, Any] = {
        "title": title,
        "start": start,
        "parts": [_part(part, rows, steps, units, lines) for part, lines in zip(parts, said, strict=True)],
    }
    data["notes"] = _notes(parts, rows, steps, units)
    return LivePicture("explore", data, lambda: draw_part(data, start), title)


def _sizes(parts):
    """How many rows, steps and units there is room for."""
    most = min(ROWS, max(part.rows for part in parts))
    steps, units = STEPS, UNITS
    while True:
        rows = MOST // max(1, sum(_size(part, steps, units) for part in parts))
        if rows >= min(most, 4) or steps <= 8:
            return max(1, min(most, rows)), steps, units
        if units > 8:
            units //= 2
        elif rows:
            return rows, steps, units
        else:
            steps //= 2


def _size(part, steps, units):
    wide = sum(part.width(name, _most(name, units)) for name in part.steps[0])
    if part.gradients:
        wide += sum(part.width(name, _most(name, units)) for name in part.gradients[0] if name in part.steps[0])
    return wide * min(len(part.steps), steps)


def _most(name, units):
    return 4 * units if name in ("alpha", "e") else units


def _part(part: Part, rows: int, steps: int, units: int, tokens: list[list[str]] | None) -> dict[str, Any]:
    quantities = []
    names = list(part.steps[0])
    names += [name for name in (part.gradients or [{}])[0] if name not in names and name.endswith("_prev")]
    for name in names:
        equation, remark = part.equations.get(name, ("", ""))
        most = _most(name, units)
        values = part.numbers(name, rows, steps, most)
        grads = part.numbers(name, rows, steps, most, of="gradients")
        if values is None and grads is None:
            continue
        quantities.append(
            {
                "name": name,
                "shape": list((part.steps if values is not None else part.gradients)[0][name].shape[1:]),
                "equation": equation or name,
                "remark": remark,
                "backward": f"d{name} = {part.words[f'd{name}']}" if f"d{name}" in part.words else f"d{name}",
                "values": values,
                "limit": limit_of(values),
                "gradients": grads,
                "gradient_limit": limit_of(grads, least=0),
            }
        )
    T, B = min(len(part.steps), steps), min(part.rows, rows)
    labels = [[str(t) for t in range(T)] for _ in range(B)]
    for row, line in enumerate((tokens or [])[:B]):
        labels[row] = [*line[:T], *[""] * (T - len(line))]  # behind a text there is padding
    return {"name": part.name, "tokens": labels, "quantities": quantities, "kept": part.gradients is not None}


def _tokens(tokens, part):
    """The texts of a part, a list for each example; None where there are none for as many steps."""
    if tokens is None:
        return None
    if isinstance(tokens, Mapping):
        found = [name for name in tokens if part.name.startswith(arguments.text(name, "a name in tokens"))]
        if not found:
            return None
        tokens = tokens[max(found, key=len)]
    lines = [tokens] if isinstance(tokens, str) else arguments.listed(tokens, "tokens", "texts, or lists of them")
    if len(lines) == len(part.steps) and all(isinstance(line, str) for line in lines):
        lines = [lines]  # a text for each step of the first example
    lines = [list(line) if isinstance(line, str) else arguments.texts(line, "tokens") for line in lines]
    return lines if len(lines) <= part.rows and all(len(line) <= len(part.steps) for line in lines) else None


def _notes(parts, rows, steps, units):
    """What is left out, in words."""
    notes = []
    most = max(part.rows for part in parts)
    if most > rows:
        notes.append(f"the first {rows} of {most} examples")
    if (longest := max(len(part.steps) for part in parts)) > steps:
        notes.append(f"the first {steps} of {longest} steps")
    if any(part.width(name, 10**9) > _most(name, units) for part in parts for name in part.steps[0]):
        notes.append(f"the first {units} numbers of each quantity")
    return f"Shown are {', '.join(notes)}." if notes else ""
