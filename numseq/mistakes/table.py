"""All that is known: every layer with its equations and bugs, and the table of everything that has a backward."""

import pkgutil
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module

import numpy as np

from numseq.errors import ConfigError
from numseq.gradcheck import Check, check
from numseq.mistakes import layers, models, registered, training  # noqa: F401  (training makes itself known)
from numseq.mistakes.fixtures import Case
from numseq.mistakes.layer import LAYERS

FILES = [import_module(found.name) for found in pkgutil.walk_packages(layers.__path__, f"{layers.__name__}.")]
BUGS = [bug for layer in LAYERS.values() for bug in layer.bugs]
CELLS = {name: layer for name, layer in LAYERS.items() if getattr(layer, "cell", None)}


@cache
def cases(seed: int = 0) -> dict[str, Case]:
    """All cases by name; the same seed gives the same table, so change nothing in it."""
    return cases_of_layers(seed) | _cases_of(registered, seed) | _cases_of(models, seed)


@cache
def cases_of_layers(seed: int = 0) -> dict[str, Case]:
    """The same of the layers in `numseq.mistakes.layers` alone."""
    files = (file for file in FILES if hasattr(file, "cases"))
    return {name: case for file in files for name, case in _cases_of(file, seed).items()}


def _cases_of(file, seed):
    """The cases in a file, drawn on their own: a new layer changes the inputs of none."""
    return file.cases(np.random.default_rng((seed, zlib.crc32(file.__name__.encode()))))


def methods_of(name: str) -> tuple[str, ...]:
    """The methods that a case is checked by. A model has many numbers, so it has the complex step alone, which holds
    itself to a central difference along one direction."""
    return ("complex-step",) if name.startswith("seq2seq") else ("complex-step", "central")


def run_cases(names: Iterable[str] = (), methods: Iterable[str] | None = None) -> Iterator[Check]:
    """Check the named cases, or all, by some methods, or by those of `methods_of`; yields a Check each.

    A name stands for every case that begins with it: "lstm, ragged" for one, "seq2seq" for all models.
    Raises: ConfigError, when a name stands for none.
    """
    table = cases()
    if unknown := [name for name in names if not any(_named(case, name) for case in table)]:
        raise ConfigError(f"nothing is called {unknown[0]!r}; there are: {'; '.join(table)}")
    for name, case in table.items():
        if not names or any(_named(name, wanted) for wanted in names):
            for method in methods or methods_of(name):
                yield check(case.function, case.inputs, name=name, method=method)


def _named(case, wanted):
    return case == wanted or case.startswith(f"{wanted},")
