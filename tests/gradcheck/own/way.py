"""The registry of ways in which people write a layer of their own, and the numbers that they feed it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Way:
    """`check(*args, **kwargs)` with what `make` returns, fresh at each call.

    right: True, the check is ok, and a note says `says`; False, it is not, and the report says `says`; None, the
    contract is broken: `error` is raised if there is one, else the message of an error or the report (a problem or a
    note) says `says`.
    says: regular expressions, every one of which is found (`re.search`, ignoring case).
    """

    make: Callable[[], tuple[tuple, dict[str, Any]]]
    right: bool | None = True
    says: list[str] = field(default_factory=list)
    error: type[Exception] | tuple[type[Exception], ...] | None = None


WAYS: dict[str, Way] = {}

BAD_INPUT = (TypeError, ValueError)


def way(name, make, right=True, says=(), error=None):
    """Register a way under its name."""
    assert name not in WAYS, name
    WAYS[name] = Way(make, right, list(says), error)


def wrong(name, make, *says):
    """Register a way whose backward has a mistake."""
    way(name, make, False, says)


def call(*args, **kwargs):
    """What `check` is called with."""
    return args, kwargs


def grad(name):
    """A regular expression for the gradient of `name`, however the report spells it."""
    return rf"\b(d|d_|grad_)?{name}\b"


def normal(seed, *shape):
    """Deterministic numbers."""
    return np.random.default_rng(seed).normal(size=shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))
