"""Which columns of a table are source and target: by number, by name, or as they stand."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numseq.data.reading import DataError
from numseq.errors import ConfigError, shown

CHOOSE = "choose two by --source-column and --target-column (source_column, target_column)"


class Columns:
    """A choice of two columns.

    Args: source, target: numbers from 1, or names, as text; dots lead into a dict within a dict ("translation.en").
        None, None for the columns as they stand, where there are two.
    Raises: ConfigError, when one is given alone, or is no number from 1.
    """

    def __init__(self, source: str | None = None, target: str | None = None):
        if (source is None) != (target is None):
            names = ("source_column", "target_column") if target is None else ("target_column", "source_column")
            raise ConfigError(f"{names[0]} is {source or target!r}, and {names[1]} is not given: they go together")
        for name, column in (("source_column", source), ("target_column", target)):
            if column is not None and (not column.strip() or (column.isdecimal() and int(column) < 1)):
                raise ConfigError(f"{name} is {column!r}: it must be a number from 1, or a name")
        self.source, self.target = source, target
        self.chosen = source is not None

    @property
    def named(self) -> bool:
        """Is a column chosen by its name, so that a table must say names?"""
        return self.chosen and not all(column.isdecimal() for column in (self.source, self.target))

    def of_header(self, names: Sequence[str], where: str) -> tuple[int, int]:
        """The places of the columns in a table with these names. Raises: DataError, which lists them."""
        found = []
        for column in (self.source, self.target):
            if column in names:
                found.append(names.index(column))
            elif column.isdecimal():
                found.append(int(column) - 1)
            else:
                raise DataError(f"{where}: no column is called {column!r}; there are {', '.join(names)}")
        return found[0], found[1]

    def of_list(self, row: Sequence[Any], where: str) -> tuple[Any, Any]:
        """Source and target of a row that is a list. Raises: DataError."""
        if not self.chosen:
            if len(row) != 2:
                raise DataError(f"{where}: {counted(len(row))} where 2 were expected; of more, {CHOOSE}")
            return row[0], row[1]
        if self.named:
            raise DataError(f"{where}: a list has no column called {self._name()!r}: choose by number")
        return at(row, int(self.source) - 1, where), at(row, int(self.target) - 1, where)

    def of_dict(self, row: Mapping[str, Any], where: str) -> tuple[Any, Any]:
        """Source and target of a row that is a dict; with none chosen the first one decides. Raises: DataError."""
        if not self.chosen:
            texts = [name for name, value in leaves(row) if isinstance(value, str)]
            if len(texts) != 2:
                there = ", ".join(f"{name} ({_kind(value)})" for name, value in leaves(row)) or "nothing"
                raise DataError(f"{where}: {len(texts)} texts in it where 2 were expected ({there}); {CHOOSE}")
            self.source, self.target = texts
            self.chosen = True
        return self._leaf(row, self.source, where), self._leaf(row, self.target, where)

    def _leaf(self, row, name, where):
        found = row
        for key in [name] if name in row else name.split("."):
            if not isinstance(found, Mapping) or key not in found:
                raise DataError(f"{where}: no {name} in it; there are {', '.join(n for n, _ in leaves(row)) or 'none'}")
            found = found[key]
        return found

    def _name(self):
        return next(column for column in (self.source, self.target) if not column.isdecimal())


def leaves(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of a dict, and of dicts within it."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def at(row: Sequence[Any], k: int, where: str) -> Any:
    """The value of a row at a place. Raises: DataError."""
    if k >= len(row):
        raise DataError(f"{where}: {counted(len(row))}, and column {k + 1} is asked for")
    return row[k]


def counted(n: int) -> str:
    return f"{n} column{'s' if n != 1 else ''}"


def as_text(value: Any, where: str, side: str) -> str:
    """A text; "" for null, which is skipped as an empty side is. Raises: DataError."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{where}: the {side} is {shown(value)}: it must be a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: the {side} is no text: it has a lone surrogate at place {error.start}") from None
    return value


def _kind(value):
    return {str: "text", type(None): "null", list: "list"}.get(type(value), "number")
