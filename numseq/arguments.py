"""What a public function was given: of the right kind, or an error that names the argument, before any work is done.

    lines = texts(lines, "lines")                        a list of strings: one string is not taken for its letters
    train = pairs(train, "train")                        a list of (source, target) strings: no dicts, bytes or None
    rows = whole(rows, "rows", least=1)                  a whole number, NumPy's too, as Python's
    search = one_of(search, "search", BeamOptions)       an object of a class

What the public functions of all other files were given is put through these at their top. Arrays have
`numseq.layers.fit`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from numseq.backend import to_numpy
from numseq.errors import ArgumentError, shown
from numseq.options import Option


def texts(given: Iterable[str], called: str) -> list[str]:
    """The strings of any iterable that has an order.

    Raises: ArgumentError, when it is one string, a dict or a set, or holds what is no string, or none that can be
        written as UTF-8.
    """
    return list(Texts(given, called))


class Texts:
    """The same, one by one, as often as it can be gone over; nothing is kept. Raises: as `texts`, on the way."""

    def __init__(self, given: Iterable[str], called: str):
        self.given, self.called = given, called

    def __iter__(self) -> Iterator[str]:
        for k, line in enumerate(iterated(self.given, self.called, "texts, such as a list of strings")):
            if type(line) is not str or not line.isascii():
                text(line, f"{self.called}[{k}]")
            yield line


def text(given: str, called: str) -> str:
    """A string. Raises: ArgumentError, when it is none, or holds half of a surrogate pair, which no UTF-8 has."""
    if not isinstance(given, str):
        raise ArgumentError(f"{called} is {shown(given)}: it must be a text (str)")
    if not given.isascii():
        try:
            given.encode()
        except UnicodeEncodeError as error:
            raise ArgumentError(f"{called} is no text: it has a lone surrogate at place {error.start}") from None
    return given


def pair(given: tuple, called: str, wanted: str = "a pair") -> tuple:
    """Two things, in a tuple or a list. Raises: ArgumentError."""
    if not isinstance(given, tuple | list | np.ndarray) or len(given) != 2:
        raise ArgumentError(f"{called} is {shown(given)}: it must be {wanted}")
    return tuple(given)


def pairs(given: Iterable[tuple[str, str]], called: str) -> list[tuple[str, str]]:
    """(source, target) strings, of which there is at least one.

    Raises: ArgumentError, when there is none, or one is no tuple or list of two strings.
    """
    found = []
    for k, both in enumerate(listed(given, called, "pairs (source, target) of texts")):
        where = f"{called}[{k}]"
        source, target = pair(both, where, "a pair (source, target) of texts")
        text(source, f"{where}[0]")
        text(target, f"{where}[1]")
        found.append((source, target))
    if not found:
        raise ArgumentError(f"{called} has no pair in it")
    return found


def dictionary(given: Mapping[str, str], called: str, of: str) -> Mapping[str, str]:
    """A dict of strings to strings; `of` says what they are. Raises: ArgumentError."""
    if not isinstance(given, Mapping):
        raise ArgumentError(f"{called} is {shown(given)}: it must be {of}")
    for key, value in given.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise ArgumentError(f"{called} has {shown(key)}: {shown(value)}: it must be {of}")
    return given


def ids(given: Iterable[int], called: str, size: int) -> list[int]:
    """Whole numbers from 0 and below `size`, as Python's. Raises: ArgumentError, for the first that is none."""
    found = listed(given, called, "ids")
    for k, one in enumerate(found):
        if type(one) is not int or not 0 <= one < size:  # no name is made of what is right
            found[k] = an_id(one, f"{called}[{k}]", size)
    return found


def an_id(given: int, called: str, size: int) -> int:
    """The same of one."""
    if type(given) is int and 0 <= given < size:  # nearly always, and quick
        return given
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not 0 <= given < size:
        raise ArgumentError(f"{called} is {shown(given)}: an id is a whole number from 0 to {size - 1:,}")
    return int(given)


def whole(given: int, called: str, least: int | None = None, most: int | None = None) -> int:
    """A whole number within bounds. Raises: ArgumentError."""
    return Option(name=called, kinds=(int,), default=MISSING, least=least, most=most).checked(given)


def number(
    given: float,
    called: str,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> float:
    """A finite number within bounds. Raises: ArgumentError."""
    known = Option(name=called, kinds=(float,), default=MISSING, least=least, above=above, most=most, below=below)
    return known.checked(given)


def numbers(given: Any, called: str, axes: str) -> np.ndarray:
    """An array of real numbers on the host, with as many axes as `axes` names: "T S". Raises: ArgumentError."""
    wanted = f"numbers of shape ({', '.join(axes.split())}{',' * (' ' not in axes)})"
    try:
        array = to_numpy(given)
    except (TypeError, ValueError):  # of lists that are not of one length
        raise ArgumentError(f"{called} is {shown(given)}: it must be {wanted}") from None
    if array.dtype.kind not in "fiu" or array.ndim != len(axes.split()):
        raise ArgumentError(f"{called} holds {array.dtype} of shape {array.shape}: it must be {wanted}")
    return array


def one_of(given: Any, called: str, *kinds: type) -> Any:
    """An object of one of these classes. Raises: ArgumentError."""
    if not isinstance(given, kinds):
        *more, last = (kind.__name__ for kind in kinds if kind is not type(None))
        wanted = f"{', '.join(more)} or {last}" if more else last
        raise ArgumentError(f"{called} is {shown(given)}: it must be of {wanted}")
    return given


def having(given: Any, called: str, wanted: str, *names: str) -> Any:
    """An object that has these attributes, as those that are `wanted` have. Raises: ArgumentError."""
    if missing := [name for name in names if not hasattr(given, name)]:
        raise ArgumentError(f"{called} is {shown(given)}, which has no {missing[0]}: it must be {wanted}")
    return given


def path(given: str | PathLike, called: str) -> Path:
    """A path. Raises: ArgumentError."""
    if not isinstance(given, str | PathLike):
        raise ArgumentError(f"{called} is {shown(given)}: it must be a path")
    return Path(given)


def function(given: Any, called: str) -> Any:
    """Something that can be called. Raises: ArgumentError."""
    if not callable(given):
        raise ArgumentError(f"{called} is {shown(given)}: it must be a function")
    return given


def listed(given: Iterable, called: str, wanted: str) -> list:
    """What an iterable that has an order holds. Raises: see `iterated`."""
    return list(iterated(given, called, wanted))


def iterated(given: Iterable, called: str, wanted: str) -> Iterator:
    """The iterator of an iterable that has an order. Raises: ArgumentError, for a string, a dict or a set, and for what
    is none."""
    no_list = isinstance(given, str | bytes | Mapping | set | frozenset)
    if not no_list:
        try:
            given = iter(given)
        except TypeError:
            no_list = True
    if no_list:
        raise ArgumentError(f"{called} is {shown(given)}: it must be {wanted}")
    return iter(given)
