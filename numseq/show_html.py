"""How records show themselves in a notebook: equations, names, shapes, and a small picture of each array.

A picture is a corner of the array, so of a device a few numbers are copied and of a model's trace with millions of
numbers there is a page of at most 50 KB. All of it is plain strings: nothing has to be installed.
"""

import base64
import struct
import zlib
from html import escape
from typing import Any

import numpy as np

from numseq.backend import array_module, to_numpy
from numseq.show import brief, equations_of, fields_of

STEPS, UNITS = 40, 10  # of an array, in a picture
ROOM = 44_000  # characters; what is nested has its names alone from there on
DEEPEST = 6
CELL = 4  # pixels
SHADES = 16  # on either side of zero
LOW, ZERO, HIGH = (23, 92, 158), (242, 242, 242), (190, 80, 0)
STYLE = "border-collapse:collapse;margin:.2em 0;font-size:90%"
PLACE = "text-align:left;padding:1px 10px 1px 0;vertical-align:middle;white-space:nowrap"


def html_of(record: Any) -> str:
    """A record, or Steps, as HTML."""
    page = _Page()
    return f'<div class="numseq-record" style="overflow-x:auto">{page.part("", record, 0, True)}</div>'


class _Page:
    def __init__(self) -> None:
        self.left, self.seen = ROOM, set()

    def part(self, name, record, depth, unfolded=False):
        """What can be unfolded: a name, its equations, and a table of what is in it."""
        head = escape(f"{name}: {_kind(record)}" if name else _kind(record))
        if self.left < 400 or depth > DEEPEST or id(record) in self.seen:
            return f"<div>{head}</div>"
        self.seen.add(id(record))
        equations = "\n".join(line.strip() for line in equations_of(record))
        body = f'<pre style="margin:.2em 0">{escape(equations)}</pre>' if equations and unfolded else ""
        self.left -= len(head) + len(body) + 200
        rows, within = [], []
        for part_name, value in _members(record):
            if _has_parts(value):
                within.append((part_name, value))
            else:
                rows.append(self.row(part_name, value))
        table = f'<table style="{STYLE}"><tbody>{"".join(rows)}</tbody></table>' if rows else ""
        inner = "".join(self.shared(within, depth + 1))
        inner = f'<div style="margin-left:1em">{inner}</div>' if inner else ""
        return f"<details{' open' if unfolded else ''}><summary>{head}</summary>{body}{table}{inner}</details>"

    def shared(self, within, depth):
        """Parts one after the other; each may take its share of the room, and leaves what it does not need."""
        for k, (name, value) in enumerate(within):
            share = self.left // (len(within) - k)
            rest, self.left = self.left - share, share
            yield self.part(name, value, depth)
            self.left += rest

    def row(self, name, value):
        said = escape(_cut(_Field.text(value)))
        picture = _picture(name, value) if self.left > 0 else ""
        row = f'<tr><td style="{PLACE}"><b>{escape(name)}</b></td><td style="{PLACE}">{said}</td>'
        row += f'<td style="{PLACE}">{picture}</td></tr>'
        if self.left < -4000:
            return ""
        self.left -= len(row)
        return row


class _Field:
    """A field of all steps together, which is not put together for this."""

    def __init__(self, records, name, part):
        self.first = getattr(records[0], name)
        self.records, self.name, self.part = records, name, part

    @property
    def shape(self):
        shape = self.first.shape if self.part is None else self.first.shape[1:]
        return (len(self.records), *shape)

    def corner(self):
        """(units, steps) of the first row."""
        fields = [getattr(record, self.name) for record in self.records[:STEPS]]
        fields = [field if self.part is None else field[self.part] for field in fields]
        while fields[0].ndim > 1:
            fields = [field[0] for field in fields]
        fields = [field[:UNITS] for field in fields]
        return to_numpy(array_module(fields[0]).stack(fields)).reshape(len(fields), -1).T

    @staticmethod
    def text(value):
        return f"{value.shape} {value.first.dtype}" if isinstance(value, _Field) else brief(value)


def _kind(record):
    if _is_steps(record):
        return f"{len(record)} steps, {type(record.records[0]).__name__}"
    if isinstance(record, list | tuple) and not hasattr(record, "_fields"):
        return f"{len(record)} of them"
    return type(record).__name__


def _is_steps(record):
    return "records" in getattr(record, "__dict__", ()) and hasattr(type(record), "__len__")


def _members(record):
    """(name, value) of what is there."""
    if _is_steps(record):
        first = record.records[0]
        named = fields_of(first) if first is not None else []
        arrays = [name for name, value in named if getattr(value, "ndim", 0)]
        return [(name, _Field(record.records, name, record.part)) for name in arrays]
    if isinstance(record, list | tuple) and not hasattr(record, "_fields"):
        return [(f"[{k}]", value) for k, value in enumerate(record) if value is not None]
    steps = getattr(record, "steps", None)
    left_out = ("steps", "run") if _is_steps(steps) else ()
    named = [(name, value) for name, value in fields_of(record) if value is not None and name not in left_out]
    return named + ([("steps", steps)] if left_out else [])


def _has_parts(value):
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return any(map(_has_parts, value)) or any(hasattr(one, "shape") for one in value)
    if _is_steps(value):
        return True
    fields = fields_of(value) if hasattr(value, "__dataclass_fields__") or hasattr(value, "_fields") else []
    return any(hasattr(part, "shape") or _has_parts(part) for _, part in fields)


def _cut(text):
    return text if len(text) <= 100 else f"{text[:97]}..."


def _picture(name, value):
    """A corner of an array: units from top to bottom, and steps, or the second axis, from left to right."""
    if not isinstance(value, _Field):
        if not getattr(value, "ndim", 0) or not value.size or value.dtype.kind not in "fciub":
            return ""
        value = value[:, 0] if value.ndim == 3 else value  # (T, B, n): of the first row
        while value.ndim > 2:
            value = value[0]
        time_first = value.ndim == 2 and len(value) > UNITS
        value = (
            value[None, :STEPS] if value.ndim == 1 else value[:STEPS, :UNITS].T if time_first else value[:UNITS, :STEPS]
        )
        value = to_numpy(value)
    else:
        value = value.corner()
    corner = value.real.astype(float)
    finite = corner[np.isfinite(corner)]
    if not finite.size:
        return ""
    low, high = finite.min(), finite.max()
    limit = max(abs(low), abs(high)) or 1.0
    if limit < 1:  # gates and what tanh gives are compared with 1, all else with its own largest number
        limit = 1.0 if limit > 0.1 else limit
    levels = np.where(np.isfinite(corner), np.round(SHADES * corner / limit) + SHADES, 2 * SHADES + 1).astype(np.uint8)
    rows, columns = levels.shape
    said = escape(f"{name}: a corner, from {low:.3g} to {high:.3g}", quote=True)
    size = f'width="{columns * CELL}" height="{rows * CELL}"'
    style = "image-rendering:pixelated;border:1px solid #999;vertical-align:middle;max-width:none"
    return f'<img src="data:image/png;base64,{_png(levels)}" {size} alt="{said}" title="{said}" style="{style}">'


def _png(levels):
    """A picture's bytes in base 64. Levels go from 0 to 2 SHADES, the middle is zero; behind them is nothing."""
    rows, columns = levels.shape
    palette = [_colour(k / SHADES - 1) for k in range(2 * SHADES + 1)]
    lines = b"".join(b"\0" + line.tobytes() for line in levels)  # each with the filter "none"
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes([*(part for one in palette for part in one), 0, 0, 0])),
    ]
    chunks += [(b"tRNS", b"\xff" * len(palette) + b"\0")] if levels.max() > 2 * SHADES else []
    chunks += [(b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def _colour(x):
    """Of a number from -1 to 1."""
    return [round(zero + (end - zero) * abs(x)) for zero, end in zip(ZERO, LOW if x < 0 else HIGH, strict=True)]
