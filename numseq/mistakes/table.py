"""All that is known: every layer with its equations and bugs, and the table of everything that has a backward."""

import pkgutil
import traceback
import zlib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

from numseq import gradcheck
from numseq.errors import ConfigError
from numseq.gradcheck import TOLERANCE, Check, check
from numseq.mistakes import layers, looks, models, registered, sequences, training  # noqa: F401  (training makes itself known)
from numseq.mistakes.fixtures import Case, unmade
from numseq.mistakes.layer import LAYERS

FILES = [import_module(found.name) for found in pkgutil.walk_packages(layers.__path__, f"{layers.__name__}.")]
import_module("numseq.mistakes.beginners")  # of the layers, which are known by now
OTHERS = [registered, sequences, looks, models]
BUGS = [bug for layer in LAYERS.values() for bug in layer.bugs]
CHECKER = str(Path(gradcheck.__file__).parent)
CELLS = {name: layer for name, layer in LAYERS.items() if getattr(layer, "cell", None)}


@cache
def cases(seed: int = 0) -> dict[str, Case]:
    """All cases by name; the same seed gives the same table, so change nothing in it."""
    return cases_without_models(seed) | _cases_of(models, seed)


@cache
def cases_without_models(seed: int = 0) -> dict[str, Case]:
    """The same without whole models, which take longest to draw."""
    files = [file for file in OTHERS if file is not models]
    return cases_of_layers(seed) | {name: case for file in files for name, case in _cases_of(file, seed).items()}


@cache
def cases_of_layers(seed: int = 0) -> dict[str, Case]:
    """The same of the layers in `numseq.mistakes.layers` alone."""
    return {name: case for file in FILES for name, case in _cases_of(file, seed).items()}


def groups() -> dict[str, list[str]]:
    """The names of all cases, by the folder or file that they are in."""
    found = {}
    for file in [*FILES, *OTHERS]:
        *folder, name = file.__name__.removeprefix(f"{__package__}.").split(".")
        found.setdefault(folder[-1] if folder else name, []).extend(_cases_of(file, 0))
    return {group: names for group, names in found.items() if names}


@cache
def _cases_of(file, seed):
    """The cases in a file, drawn on their own: a new layer changes the inputs of none. If they cannot be made, one
    that says so has the file's name."""
    if not hasattr(file, "cases"):
        return {}
    try:
        return file.cases(np.random.default_rng((seed, zlib.crc32(file.__name__.encode()))))
    except Exception as error:
        return {file.__name__.rpartition(".")[-1]: unmade(error)}


def methods_of(name: str) -> tuple[str, ...]:
    """The methods that a case is checked by: a layer by two that know nothing of one another; what is combined of
    layers, and exact already, by the complex step. A model has many numbers, so it is checked along random directions;
    if that finds it wrong, the complex step of every number says where."""
    if name.startswith("seq2seq"):
        return ("directional",)
    return ("complex-step",) if name.startswith(("stacked", "looking")) else ("complex-step", "central")


def run_cases(names: Iterable[str] = (), methods: Iterable[str] | None = None) -> Iterator[Check]:
    """Check the named cases, or all, by some methods, or by those of `methods_of`; yields a Check each.

    A name stands for every case that begins with it: "lstm, ragged" for one, "seq2seq" for all models. Whatever a case
    raises is its Check's problem, and the others go on.
    Raises: ConfigError, when a name stands for none.
    """
    table = _holding(names)
    if unknown := [name for name in names if not any(_named(case, name) for case in table)]:
        raise ConfigError(f"nothing is called {unknown[0]!r}; {_nearest(unknown[0], table)}")
    for name, case in table.items():
        if not names or any(_named(name, wanted) for wanted in names):
            for method in methods or methods_of(name):
                result = _checked(name, case, method)
                if method == "directional" and not methods and not result.ok:
                    place = _checked(name, case, "complex-step")
                    result = result if place.ok else place
                yield result


def _holding(names):
    """A table that has what is named; no model is drawn where no name is of one."""
    quick = cases_without_models()
    return quick if names and all(any(_named(case, name) for case in quick) for name in names) else cases()


def _checked(name, case, method):
    try:
        return check(case.function, case.inputs, name=name, method=method, outputs=case.outputs)
    except Exception as error:
        return Check(name, method, TOLERANCE.get(method, 0.0), problems=[_raised(error)])


def _raised(error):
    """An exception in one line, and where in what was checked it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    at = next((frame for frame in reversed(frames) if not frame.filename.startswith(CHECKER)), None)
    where = f" in {at.name}, line {at.lineno} of {Path(at.filename).name}" if at else ""
    return " ".join(f"{type(error).__name__}{where}: {error}".split())


def _nearest(name, table):
    """What a name was meant to be, in a sentence."""
    known = {case.casefold(): case for case in [*(case.split(",")[0] for case in table), *table]}
    close = get_close_matches(name.casefold(), known, n=3)
    found = [known[name.casefold()]] if name.casefold() in known else [known[case] for case in close]
    meant = f"did you mean {' or '.join(map(repr, found))}? " if found else ""
    return f"{meant}numseq gradcheck --list has all names"


def _named(case, wanted):
    return case == wanted or case.startswith(f"{wanted},")
