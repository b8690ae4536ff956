"""Looking inside plain code: arrays that tell of every operation with them.

Two questions are answered so. Which line drops the imaginary part? And, of the quantities that somebody keeps by name
in a cache, as in cache["f"], which operation made each: there a probe can be added to it, as at an assignment to a
record (`numseq.gradcheck.watch`), since later operations read that very array.
"""

import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.inputs import is_floating

HERE = str(Path(__file__).parent)
NUMPY = str(Path(np.__file__).parent)
_told: list[Callable[[str, bool, Any], Any]] = []  # who is told of (operation, were its operands complex?, result)


class Spied(np.ndarray):
    """An array whose operations are told of; what they give is such an array again."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if out is not None:
            options["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **options)
        told = _tell(ufunc.__name__, inputs, result)
        return out[0] if out is not None and len(out) == 1 and told is not NotImplemented else told

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = func(*_plain(args), **_plain(kwargs))
        return _tell(func.__name__, [*args, *kwargs.values()], result)

    def __getitem__(self, index: Any) -> Any:
        return _tell("getitem", [self], self.view(np.ndarray)[index])

    @property  # type: ignore[misc]  # NumPy's can be written to as well
    def real(self) -> Any:
        return _tell("real", [self], self.view(np.ndarray).real)

    def conj(self) -> Any:
        return _tell("conj", [self], self.view(np.ndarray).conj())

    conjugate = conj


def spied(tree: Any) -> Any:
    """The same tree of arrays, spied."""
    return trees.map(lambda leaf: np.asarray(leaf).view(Spied) if is_floating(leaf) else leaf, tree)


def _plain(value):
    if isinstance(value, Spied):
        return value.view(np.ndarray)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value


def _tell(name, operands, result):
    if not is_floating(result):
        return result
    was_complex = any(is_floating(each) and each.dtype.kind == "c" for each in _flat(operands))
    result = np.asarray(result).view(Spied)
    return _told[-1](name, was_complex, result) if _told else result


def _flat(operands):
    for each in operands:
        if isinstance(each, list | tuple):
            yield from each
        else:
            yield each


@contextmanager
def _telling(whom: Callable[[str, bool, Any], Any]) -> Iterator[None]:
    _told.append(whom)
    try:
        yield
    finally:
        _told.remove(whom)


def line_that_is_not_analytic(run: Callable[[dict[str, Any]], Any], inputs: dict[str, Any], real: bool = True) -> str:
    """The line that makes real numbers of complex ones, or conjugates them; "" when none is seen.

    Args: run, called with spied inputs. inputs, complex. A softmax may take its maximum off the real part, which is no
        harm, so .real is named only when there is nothing else. real: whether it is named at all.
    """
    found: dict[bool, str] = {}

    def tell(name, was_complex, result):
        if was_complex and (result.dtype.kind != "c" or name in ("conj", "conjugate")):
            found.setdefault(name == "real", _line())
        return result

    # it may end in an error, of which somebody else speaks
    with _telling(tell), suppress(Exception), warnings.catch_warnings(action="ignore"):
        run(spied(inputs))
    return found.get(False, found.get(True, "") if real else "")


def _line():
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith((HERE, NUMPY))]
    frame = frames[-1]
    return f"{frame.name} ({Path(frame.filename).name}, line {frame.lineno}: {frame.line})"


class Tape:
    """Which operation made each array that a cache names, and its value.

    made, {dotted name in the cache: which of all operations}; values, {the same: array}.
    """

    def __init__(self, run: Callable[[dict[str, Any]], Any], inputs: dict[str, Any]):
        """run, called with spied inputs, returns what holds the named arrays."""
        self.made: dict[str, int] = {}
        self.values: dict[str, np.ndarray] = {}
        results: list[tuple[str, Any]] = []

        def tell(name, was_complex, result):
            results.append((name, result))
            return result

        with _telling(tell):
            cache = run(spied(inputs))
        by_memory: dict[Any, int] = {}  # the last to write there counts, and x.real, or x[:], writes nothing
        for k, (name, result) in enumerate(results):
            if _writes(name):
                by_memory[_memory(result)] = k
            else:
                by_memory.setdefault(_memory(result), k)
        for name, leaf in named_arrays(cache):
            if isinstance(leaf, Spied) and (k := by_memory.get(_memory(leaf))) is not None:
                self.made[name], self.values[name] = k, np.array(leaf)

    @contextmanager
    def probe(self, named: str, array: np.ndarray) -> Iterator[None]:
        """A block in which an array is added to what the operation gives that made what is named so."""
        left = self.made[named]

        def tell(name, was_complex, result):
            nonlocal left
            left -= 1
            if left != -1:
                return result
            plain, array_there = result.view(np.ndarray), array.reshape(result.shape)
            if not _writes(name):  # a view of what others read without the probe
                return (plain + array_there).view(Spied)
            plain += array_there
            return result

        with _telling(tell):
            yield


def _writes(name):
    """Whether an operation writes numbers of its own, maybe over others; the rest may be views."""
    return isinstance(getattr(np, name, None), np.ufunc)


def _memory(array):
    interface = array.__array_interface__
    return interface["data"][0], array.shape, array.strides


def named_arrays(cache: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(dotted name, array) of what a cache, or an object, holds."""
    if isinstance(cache, dict):
        parts = cache.items()
    elif isinstance(cache, list | tuple):
        parts = getattr(cache, "_asdict", lambda: dict(enumerate(cache)))().items()
    else:
        parts = getattr(cache, "__dict__", {}).items()
    for name, part in parts:
        dotted = f"{prefix}.{name}" if prefix else str(name)
        if is_floating(part):
            yield dotted, part
        elif depth < 3 and part is not None and not isinstance(part, str | type) and not callable(part):
            yield from named_arrays(part, dotted, depth + 1)
