"""A name for a quantity of plain code, so that a check looks at it.

f = probe("f", sigmoid(a))      going forward
df = probe("df", dc * c_prev)   going back: what backward says is the gradient of f
"""

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")
watching: list[Callable[[str, Any, int | None], Any]] = []  # who looks: the last one; nobody, outside a check


def probe(name: str, value: Value, t: int | None = None) -> Value:
    """Name a quantity. Returns the value; that is all, unless a check runs.

    Args: name, of the quantity going forward, with d before it going back. value, an array. t, the step, of one that
        comes several times; if it is not said, the steps are counted, and going back they come in reversed order.
    """
    return watching[-1](name, value, t) if watching else value


class Named:
    """The owner of a quantity that stands in no record. t, its step, or None."""

    def __init__(self, t: int | None):
        self.t = t
