"""How records show themselves: equations, names and shapes, and no numbers, of which a model's trace has millions."""

import re
import sys
from dataclasses import is_dataclass
from typing import Any

WIDTH = 120
EQUATION = re.compile(r" *\w+(, \w+)* += ")  # how a line of a module's docstring begins that is one


def show(record: Any) -> str:
    """The class of a record, the equations it comes from, and a line for each of its fields that is not None."""
    parts = list(_rows(record))
    width = max((len(name) for name, _ in parts), default=0)
    words = getattr(record, "equations", None)  # of a StepGrad, in words
    lines = [f"    {name:<{width}}  {brief(value)}" for name, value in parts]
    if isinstance(words, dict):
        lines = [f"{line:<40}  {words.get(name, '')}".rstrip() for line, (name, _) in zip(lines, parts, strict=True)]
    return "\n".join(map(_cut, [type(record).__name__, *equations_of(record), *lines]))


def _rows(record):
    """(name, value) of what is there; of a list of records each is a row."""
    for name, value in fields_of(record):
        if _is_list(value) and value and all(map(_is_record, value)):
            yield from ((f"{name}[{k}]", part) for k, part in enumerate(value))
        elif value is not None and not (_is_list(value) and not any(part is not None for part in value)):
            yield name, value


def brief(value: Any) -> str:
    """A value in one line: an array by its shape, a record by its fields, a number as it is."""
    if hasattr(value, "shape"):
        return f"{value.shape} {value.dtype}" if value.shape else f"{value} {value.dtype}"
    if _is_list(value):
        return f"[{'; '.join(map(brief, value))}]"
    if _is_record(value):
        found = [(name, part) for name, part in fields_of(value) if part is not None]
        said = (f"{name} {part.shape}" if hasattr(part, "shape") else name for name, part in found)
        return f"{type(value).__name__}: {', '.join(said)}"
    plain = repr(value)
    return type(value).__name__ if plain.startswith("<") or "\n" in plain else plain


def _is_list(value):
    return isinstance(value, list) or type(value) is tuple


def _is_record(value):
    return is_dataclass(value) or hasattr(value, "_fields")


def fields_of(record: Any) -> list[tuple[str, Any]]:
    """(name, value) of the fields of a dataclass or named tuple, or of what else an object holds."""
    named = getattr(record, "__dataclass_fields__", getattr(record, "_fields", ()))
    return [(name, getattr(record, name)) for name in dict.fromkeys([*named, *getattr(record, "__dict__", ())])]


def equations_of(record: Any) -> list[str]:
    """The lines of equations in the module of a step's record; of a trace, in that of its steps."""
    steps = getattr(record, "steps", record)
    kind = type(steps[0] if hasattr(steps, "records") else steps)
    if isinstance(getattr(record, "equations", None), dict) or not hasattr(kind, "blocks"):
        return []
    text = sys.modules[kind.__module__].__doc__ or ""
    return [f"    {line.strip()}" for line in text.splitlines() if EQUATION.match(line)]


def _cut(line):
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
