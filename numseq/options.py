"""An option is written once: a field of a dataclass that says what it is by default, what it does, and what it may be.

    @dataclass(frozen=True)
    class SamplingOptions:
        temperature: float = option(1.0, "Below 1 the probable becomes more so.", above=0)

        def __post_init__(self):
            validate(self)

The rest is made from that line: what is refused, and with which words; the command line and its help
(`cli.common.Group`); the tables of the documentation (`docs/tables.py`).
"""

import math
import os
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Any, get_args, get_type_hints

import numpy as np

from numseq.errors import ArgumentError, shown

LARGEST = 2**63 - 1  # whole numbers are of 64 bits, here and in most libraries


def option(default: Any = MISSING, help: str = "", **more: Any) -> Any:
    """A field of a dataclass that is an option.

    Args: default, its value when nothing is said; without one it has to be given in Python, and the command line, which
        finds it in the data, does not have it. help, a sentence. more, what else `Option` has to say of it.
    """
    return field(default=default, metadata={"help": help} | more)


@dataclass(frozen=True, kw_only=True)
class Option:
    """What is known of an option.

    kinds, the types that its field is annotated with: bool, int, float, str, os.PathLike (kept as a string), None,
    or a class whose instances are taken as they are. choices, the names that a string may be: a tuple, or a
    registry, which is looked at only when a value comes. least, above, most, below: bounds of a number, which is
    finite besides, and of 64 bits where it is whole. several: a list of such values may be given too, and is kept
    as a list. numbered: a text that may be given as a whole number, and is kept as its digits. otherwise, what None
    stands for. source, the paper that it is from.
    """

    name: str
    kinds: tuple
    default: Any = MISSING
    help: str = ""
    choices: Any = None
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    several: bool = False
    numbered: bool = False
    otherwise: str = ""
    source: str = ""

    def checked(self, value: Any, called: str | None = None) -> Any:
        """The value as it is kept: NumPy's numbers as Python's, an array of no axis as its number, a path as its name.

        Raises: ArgumentError, which calls the option as it was `called`.
        """
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if value is None and (self.default is None or NoneType in self.kinds):
            return None
        if self.several and isinstance(value, list | tuple) and value:
            each = [replace(self, several=False).checked(one, called) for one in value]
            return each if len(each) > 1 else each[0]
        number = isinstance(value, Real) and not isinstance(value, bool)
        if int in self.kinds and number and abs(value) > LARGEST:
            raise ArgumentError(f"{called or self.name} is {shown(value)}: it must be a whole number of 64 bits")
        for kind in self.kinds:
            if kind is bool:
                if isinstance(value, bool | np.bool_):
                    return bool(value)
            elif kind is int:
                if number and isinstance(value, Integral) and self._within(int(value)):
                    return int(value)
            elif kind is float:
                if number and math.isfinite(kept := _float(value)) and self._within(kept):
                    return kept
            elif kind is str:
                if self.numbered and number and isinstance(value, Integral):
                    return str(int(value))
                if isinstance(value, str) and (self.choices is None or value in tuple(self.choices)):
                    return str(value)
            elif isinstance(value, kind):
                return os.fspath(value) if kind is os.PathLike else value
        raise ArgumentError(f"{called or self.name} is {shown(value)}: {self._wanted(number)}")

    def _within(self, x):
        return (
            (self.least is None or x >= self.least)
            and (self.above is None or x > self.above)
            and (self.most is None or x <= self.most)
            and (self.below is None or x < self.below)
        )

    def _wanted(self, number):
        """What to do about a value that is refused; a number was refused for its size, if it can be one."""
        if self.choices is not None:
            others = [f", or give a {kind.__name__}" for kind in self.kinds if kind not in (str, NoneType)]
            return f"choose one of {', '.join(self.choices)}" + "".join(others)
        if bool in self.kinds:
            return "it must be true or false"
        if int in self.kinds:
            return "it must be a whole number" + (f" of {self.bounds}" if self.bounds else "")
        if float in self.kinds and number:
            endless = self.most is None and self.below is None
            return "it must be " + " and ".join(filter(None, ["finite" if endless else "", self.bounds]))
        return "it must be " + ("a number" if float in self.kinds else "a text")

    @property
    def bounds(self) -> str:
        """The bounds in words: "at least 0 and below 1"."""
        words = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        return " and ".join(f"{word} {bound}" for word, bound in words.items() if bound is not None)

    @property
    def usual(self) -> str:
        """The default in words, "" where there is nothing to say."""
        if isinstance(self.default, bool):
            return "yes" if self.default else "no"
        return self.otherwise if self.default is None else str(self.default)


def _float(x):
    try:
        return float(x)
    except OverflowError:  # a whole number that no float can hold
        return math.inf


@cache
def options_of(kind: type) -> dict[str, Option]:
    """{name: Option} of a dataclass, in the order of its fields."""
    types = get_type_hints(kind)
    return {
        f.name: Option(name=f.name, kinds=get_args(types[f.name]) or (types[f.name],), default=f.default, **f.metadata)
        for f in fields(kind)
    }


def validate(options: Any) -> None:
    """Check every option of a dataclass's instance by itself, for its `__post_init__`. Raises: ArgumentError."""
    for known in options_of(type(options)).values():  # type: ignore[arg-type]  # mypy takes no class for hashable
        object.__setattr__(options, known.name, known.checked(getattr(options, known.name)))
