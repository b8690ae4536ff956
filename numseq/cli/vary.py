"""What numseq tune varies, and how it is drawn:

lr=1e-4..1e-2       a range; over a factor of ten or more all sizes are alike, so the logarithm is drawn
hidden=128..512     whole numbers, where the option is one
cell=lstm,gru       one of a list
"""

import math
from dataclasses import dataclass
from os import PathLike
from types import NoneType
from typing import Any

from typer import BadParameter

from numseq.cli.common import flag
from numseq.cli.experiment import full, nearest
from numseq.errors import ConfigError, shown

DECADE = 10  # the factor between the ends of a range from which on its logarithm is drawn
TRIES = 1000  # for values that go together, and have not been drawn yet
WORDS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, ends included."""

    low: float
    high: float

    def draw(self, rng):
        if isinstance(self.low, int):
            return int(rng.integers(self.low, self.high + 1))
        if self.low > 0 and self.high / self.low >= DECADE:
            drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            drawn = rng.uniform(self.low, self.high)
        return min(max(float(f"{drawn:.3g}"), self.low), self.high)  # three digits say enough, and can be typed


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple

    def draw(self, rng):
        return self.values[rng.integers(len(self.values))]


def parse(texts, groups):
    """{(table, option): Range or Choice} of what --vary said; groups, {table: Group} of what can be varied.

    Raises: BadParameter.
    """
    varied = {}
    for text in texts:
        name, equals, said = text.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        if not equals or not said.strip():
            raise _bad(text, "write NAME=LOW..HIGH, or NAME=A,B,C")
        tables = [table for table, group in groups.items() if name in group.options]
        if not tables:
            raise _bad(text, f"there is no option {name} to vary{nearest(name, _names(groups))}")
        if (tables[0], name) in varied:
            raise _bad(text, f"{name} is varied twice")
        try:
            varied[tables[0], name] = _values(groups[tables[0]].options[name], said.strip())
        except ConfigError as error:
            raise _bad(text, str(error)) from None
    return varied


def _bad(text, why):
    return BadParameter(f"{shown(text)}: {why}", param_hint="--vary")


def _names(groups):
    return [name for group in groups.values() for name in group.options]


def _values(known, said):
    is_number = any(kind in (int, float) for kind in known.kinds)
    if is_number and ".." in said:
        low, high = (_value(known, end) for end in said.split("..", 1))
        if not low < high:
            raise ConfigError(f"{known.name}: the first end of a range is below the second")
        return Range(low, high)
    values = tuple(_value(known, one) for one in said.split(","))
    if len(values) == 1:
        raise ConfigError(f"one value is no choice: give more, or {flag(known.name)} {said}")
    if len(set(values)) < len(values):
        raise ConfigError(f"{known.name}: a value stands there twice")
    return Choice(values)


def _value(known, text):
    """What a text says, as the option keeps it. Raises: ConfigError."""
    [kind] = {kind for kind in known.kinds if kind not in (NoneType, PathLike)} or {PathLike}
    text = text.strip()
    if kind is bool:
        return known.checked(WORDS.get(text, text))
    if kind in (int, float):
        try:
            return known.checked(kind(text))
        except ValueError as error:
            if isinstance(error, ConfigError):
                raise
            return known.checked(text)  # which says what it must be
    return full(text) if PathLike in known.kinds else known.checked(text)


def draw(varied, rng, n, refused):
    """n different draws, each {(table, option): value}, or fewer where no more are found; more of them begin alike.

    Args: varied, from `parse`. rng, a generator. refused: called with a draw; why it makes no sense, an error, or None.
    Raises: that error, when nothing makes sense.
    """
    found: list[dict[tuple[str, str], Any]] = []
    while len(found) < n:
        for _ in range(TRIES):
            drawn = {key: one.draw(rng) for key, one in varied.items()}
            if drawn not in found and (why := refused(drawn)) is None:
                found.append(drawn)
                break
        else:
            break
    if not found:
        raise why
    return found
