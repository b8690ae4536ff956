"""All that a trace holds, part by part: for the microscope.

A part is something that repeats over time: a recurrent layer, one direction of it, an attention's looks, or a record's
own arrays of shape (T, B, n). Any record is searched, your own dataclass too: a list of records is taken for the steps
of a sequence.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numseq.backend import array_module, to_numpy
from numseq.layers.cells.bidirectional import BidirectionalTrace
from numseq.plots.live.dataflow import quantities
from numseq.record import KeptGradients, StepRecord, Steps
from numseq.show import EQUATION, fields_of

SKIPPED = {"params", "config", "saved", "attention", "mask", "real", "state", "carried", "final", "memory"}
DEEPEST = 8


@dataclass
class Part:
    """What repeats over time: arrays by name, each for every step (B, ...), and what its equations say."""

    name: str
    steps: list[dict[str, Any]]  # for each t, name to array (B, ...)
    equations: dict[str, tuple[str, str]] = field(default_factory=dict)  # name to (equation, remark)
    gradients: list[dict[str, Any]] | None = None
    words: dict[str, str] = field(default_factory=dict)  # of the gradients

    @property
    def rows(self) -> int:
        return next(iter(self.steps[0].values())).shape[0]

    def width(self, name: str, most: int) -> int:
        return min(most, int(np.prod(self.steps[0][name].shape[1:], dtype=int)))

    def numbers(self, name: str, rows: int, steps: int, most: int, of: str = "steps") -> np.ndarray | None:
        """(rows, T, n) on the host; of is "steps" or "gradients". Only what is shown is copied from a device."""
        records = getattr(self, of)
        if records is None or name not in records[0]:
            return None
        cut = [record[name].reshape(record[name].shape[0], -1)[:rows, :most] for record in records[:steps]]
        return to_numpy(array_module(cut[0]).stack(cut, axis=1))


def parts_of(trace: Any, gradients: KeptGradients | None = None) -> list[Part]:
    """All parts of a trace, the outer ones first."""
    found = [*_search(trace, "", gradients, 0, set())]
    for part in found:
        part.name = part.name or type(trace).__name__
    return found


def _search(thing, path, gradients, depth, seen) -> Iterator[Part]:
    if depth > DEEPEST or thing is None or id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, BidirectionalTrace):
        for side in ("ahead", "back"):
            yield _of_steps(getattr(thing, side), _joined(path, side), thing.run, gradients)
    elif hasattr(thing, "run") and hasattr(thing.run, "cell"):
        yield _of_steps(thing.run.steps, path, thing.run, gradients)
    elif isinstance(thing, Steps):
        yield _of_steps(thing, path, None, gradients)
    elif isinstance(thing, StepRecord):
        yield from _of_one(thing, path, gradients)
    elif isinstance(thing, list | tuple) and not hasattr(thing, "_fields"):
        if thing and all(map(_is_step, thing)) and len({type(one) for one in thing}) == 1:
            yield _of_steps(Steps(thing), path, None, gradients)
        else:
            for k, part in enumerate(thing):
                yield from _search(part, f"{path}[{k}]", gradients, depth + 1, seen)
    elif hasattr(thing, "__dataclass_fields__") or hasattr(thing, "_fields"):
        yield from _of_record(thing, path, gradients, depth, seen)


def _joined(path, name):
    return f"{path}.{name}" if path else name


def _is_step(thing):
    return hasattr(thing, "__dataclass_fields__") and bool(_arrays(thing, 2)) and not _arrays(thing, 3)


def _arrays(record, axes):
    """Fields that are arrays of real numbers with so many axes."""
    return {name: value for name, value in _real(record) if value.ndim == axes}


def _of_record(thing, path, gradients, depth, seen):
    """Arrays (T, B, n) of a record, and the parts within it; where it has arrays (B, n) alone, these as one step."""
    arrays, few = _arrays(thing, 3), _arrays(thing, 2)
    shapes = [value.shape[:2] for value in arrays.values()]
    for shape in dict.fromkeys(shapes):  # those that go over the same steps and rows together
        same = {name: value for name, value in arrays.items() if value.shape[:2] == shape}
        name = path if len(set(shapes)) == 1 else _joined(path, ", ".join(same))
        yield Part(name, [{n: value[t] for n, value in same.items()} for t in range(shape[0])])
    within = [
        part
        for name, value in fields_of(thing)
        if name not in SKIPPED
        for part in _search(value, _joined(path, name), gradients, depth + 1, seen)
    ]
    if not arrays and not within and few and len({value.shape[0] for value in few.values()}) == 1:
        yield Part(path, [few], _equations(thing, None))
    yield from within


def _of_one(record, path, gradients):
    """A step's record alone, or one whose fields have all T steps in front, as most of its arrays then show."""
    grad = None
    if gradients is not None:
        with suppress(KeyError):
            grad = gradients[record]
    words = dict(getattr(grad, "equations", {}) or {})
    arrays = {n: a for n, a in _real(record) if a.ndim >= 2}
    wide = [array for array in arrays.values() if array.ndim >= 3]
    if 2 * len(wide) <= len(arrays):
        few = {name: array for name, array in arrays.items() if array.ndim == 2}
        back = None if grad is None else [{name[1:]: array for name, array in _real(grad) if array.ndim == 2}]
        if few:
            yield Part(path, [few], _equations(record, None), back, words)
        return
    front = wide[0].shape[:2]  # (T, B)
    split = [{n: a for n, a in _real(r) if a.shape[:2] == front} for r in (record, grad) if r is not None]
    steps, *back = [[{name: array[t] for name, array in one.items()} for t in range(front[0])] for one in split]
    grads = [{name[1:]: array for name, array in one.items()} for one in back[0]] if back else None
    yield Part(path, steps, _equations(record, None), grads, words)


def _real(record):
    """(name, array) of a record's arrays of real numbers."""
    found = ((name, value) for name, value in fields_of(record) if name not in SKIPPED)
    return [
        (name, value) for name, value in found if getattr(value, "ndim", 0) and value.dtype.kind == "f" and value.size
    ]


def _of_steps(steps, path, run, gradients):
    first = steps[0]
    T = len(steps)
    names = [name for name, value in fields_of(first) if name not in SKIPPED and getattr(value, "ndim", 0) >= 1]
    B = max((getattr(first, name).shape[0] for name in names if getattr(first, name).ndim == 2), default=0)
    names = [name for name in names if getattr(first, name).shape[0] == B and getattr(first, name).dtype.kind == "f"]
    records = [{name: getattr(steps[t], name) for name in names} for t in range(T)]
    part = Part(path, records, _equations(first, run))
    if gradients is not None:
        try:
            kept = gradients[steps]
        except KeyError:
            return part
        part.words = dict(getattr(kept[0], "equations", {}) or {})
        backs = [name for name, value in fields_of(kept[0]) if name[:1] == "d" and getattr(value, "ndim", 0) >= 2]
        part.gradients = [{name[1:]: getattr(kept[t], name) for name in backs} for t in range(T)]
    return part


def _equations(record, run):
    """{name: (equation, remark)} of a record: of its own module, and of those that its class builds on."""
    found = {}
    step = None if run is None else getattr(run.cell, "step", None)
    outside = () if run is None else ("x", *(f"{name}_prev" for name in run.after._fields))
    blocks = f"{getattr(record, 'blocks', '')}{getattr(record, 'more_blocks', '')}"
    for q in quantities(record, step, outside, blocks):
        if q.equation:
            found[q.name] = q.equation, q.remark
    known = {name for name, _ in fields_of(record)}
    for kind in type(record).__mro__:
        if kind.__module__.startswith(("builtins", "numseq.record")):
            continue
        for line in (getattr(sys.modules.get(kind.__module__), "__doc__", None) or "").splitlines():
            if EQUATION.match(line):
                equation, _, remark = re.sub(" += ", " = ", line.strip(), count=1).partition("   ")
                name = equation.split(" = ")[0].split("_")[0]  # e_tj is e
                if name in known:
                    found.setdefault(name, (equation, remark.strip()))
    return found
