"""numseq's errors: mistakes that one line can explain to the person who made them."""

from numbers import Real
from typing import Any


class NumseqError(Exception):
    """Something a user can put right; the command line shows the message alone, without a stack trace."""


class ConfigError(NumseqError):
    """An option or a configuration that makes no sense; the message says which, and what would."""


class ArgumentError(ConfigError, ValueError):
    """An argument of the wrong kind, size or shape; the message names it, and says what it must be."""


def shown(value: Any) -> str:
    """A value as a message shows it: in one short line, whatever it is."""
    try:
        text = str(value) if isinstance(value, Real) else repr(value)
    except ValueError:  # Python writes no number of more digits than sys.get_int_max_str_digits()
        text = "a number of thousands of digits"
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."
