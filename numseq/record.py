"""Records: what a call computed, one field for each quantity that its equations name.

A `Trace` is what a layer returns. Where something repeats over time, each step writes a `StepRecord`, and undoing it a
`StepGrad`; `Steps` are those of a whole sequence. An equation's result becomes a field by assignment, and is read from
there by the next equation. That assignment is where the gradient checker looks (`numseq.gradcheck.watch`); nothing
here does any work for it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Self

from numseq.backend import Array, array_module
from numseq.show import brief, fields_of, show
from numseq.show_html import html_of


class Record:
    """Base of dataclasses that hold arrays: parameters, traces, gradients. They show names and shapes, no numbers."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        if "__repr__" not in vars(cls):
            # in the class itself, for @dataclass writes its own where there is none
            cls.__repr__ = show  # type: ignore[method-assign]  # mypy holds a method for fixed

    def _repr_html_(self) -> str:
        return html_of(self)  # what a notebook shows


class Trace(Record):
    """Base of what a layer returns; `outputs` names its differentiable fields, `backward` takes their gradients."""

    __slots__ = ()
    outputs: ClassVar[tuple[str, ...]] = ()
    backward: Callable[..., Any]


class StepRecord(Record):
    """Base of a step's record: what a step's equations name, fields (B, .), and `params`, what it was computed with.

    A field may have an axis in front, for the two directions of a bidirectional layer, or for all T steps where they
    were one product: `record[k]` is the record of the k-th.
    """

    __slots__ = ("params",)
    inputs: ClassVar[tuple[str, ...]] = ()  # fields that a step only reads
    outputs: ClassVar[tuple[str, ...]]  # fields that others read
    params: Any
    backward: Callable
    blocks: ClassVar[str] = ""  # the letters of the blocks side by side in its pre-activations and weights, if any
    more_blocks: ClassVar[str] = ""  # those that only the pre-activations have, behind the others

    def __getitem__(self, k: int) -> Self:
        one = copy(self)
        for name, part in fields_of(self):
            setattr(one, name, None if part is None else part[k])
        return one


class StepGrad(StepRecord):
    """Base of the gradients inside a step, one field for each, with d before its name."""

    __slots__ = ()
    equations: ClassVar[dict[str, str]] = {}  # of a gradient the right one, in words, for the report of a check


class Steps:
    """The records of a sequence: `steps[t]` is one of them, `steps.f` the field f of all, with time in front.

    part: which of the fields' first axis, when two directions lie side by side there; None for all of it.
    """

    def __init__(self, records: Iterable[Any], part: int | None = None):
        self.records, self.part = list(records), part

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, t: int | slice) -> Any:
        if isinstance(t, slice):
            return Steps(self.records[t], self.part)
        return self.records[t] if self.part is None else self.records[t][self.part]

    def __getattr__(self, name: str) -> Any:  # called for what is not there yet; each field is put together once
        if name.startswith("_") or name in ("records", "part"):
            raise AttributeError(name)
        fields = [_field(record, name) for record in self.records]
        if fields[0] is None:
            return None
        if self.part is not None:
            fields = [field[self.part] for field in fields]
        together = array_module(fields[0]).stack(fields)
        setattr(self, name, together)
        return together

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *(name for name, _ in fields_of(self.records[0]))]

    def __repr__(self) -> str:
        return f"{len(self)} steps, {brief(self.records[0])}"

    def _repr_html_(self) -> str:
        return html_of(self)


def _field(record, name):
    try:
        return getattr(record, name)
    except AttributeError:
        has = ", ".join(field for field, _ in fields_of(record))
        raise AttributeError(f"{type(record).__name__} has no {name!r}; it has {has}") from None


def held(record: Any, name: str, shape: tuple[int, ...], by: Callable) -> Array:
    """A field of what a function made that may be a reader's own: it must be there, and of this shape.

    by, the function. Raises: TypeError or ValueError, which say in a line what is missing.
    """
    field = getattr(record, name, None)
    if field is None and record is not None:
        raise TypeError(f"{_called(by)} gave a {type(record).__name__} without {name}: assign it")
    return shaped(field, name, shape, by)


def shaped(array: Any, name: str, shape: tuple[int, ...], by: Callable) -> Array:
    """The same of an array that is returned as it is."""
    if array is None:
        raise TypeError(f"{_called(by)} returned None: is a return missing?")
    found = getattr(array, "shape", ())
    if found != shape:
        raise ValueError(f"{_called(by)} gave {name} the shape {found}: it must be {shape}")
    return array


def _called(function):
    owner = getattr(function, "__self__", None)
    return function.__name__ if owner is None else f"{type(owner).__name__}.{function.__name__}"


@cache
def names(record: type) -> list[str]:
    """The names of a record class's fields."""
    return [field.name for field in fields(record)]


class KeptGradients:
    """From the records of steps to the gradients inside them; see `keep_gradients`."""

    def __init__(self) -> None:
        self._found = {}  # id of a record to (the record, without which its id could go to another, grad, dstate)

    def add(self, record: StepRecord, grad: StepGrad, dstate: Any = None) -> None:
        """grad, the StepGrad that undid a step's record; dstate, in a recurrence, that of the state after the step."""
        self._found[id(record)] = record, grad, dstate

    def __getitem__(self, trace: Any) -> Any:
        """Of a trace with steps, or of Steps, the Steps of their StepGrads; of one step's record, its StepGrad."""
        return self._of(trace, 1)

    def states(self, trace: Any) -> Any:
        """The gradients of the states after each step, which the step made or which were carried past it: as Steps,
        so states(trace).h[t] is (B, H)."""
        return self._of(trace, 2)

    def _of(self, trace, which):
        steps = getattr(trace, "steps", trace)
        records = steps.records if isinstance(steps, Steps) else [steps]
        if isinstance(steps, Trace):
            raise KeyError(f"a {type(steps).__name__} has no steps of its own: ask for those of a trace within it")
        if missing := [record for record in records if id(record) not in self._found]:
            raise KeyError(f"of this {type(missing[0]).__name__} no gradients were kept: no backward went through it")
        found = [self._found[id(record)][which] for record in records]
        return Steps(found, steps.part) if isinstance(steps, Steps) else found[0]


_kept: ContextVar[KeptGradients | None] = ContextVar("kept gradients", default=None)


@contextmanager
def keep_gradients() -> Iterator[KeptGradients]:
    """Keep the gradients inside every step, to be read like what the steps computed.

        with keep_gradients() as inside:
            trace.backward(dh)
        inside[trace].df[3]                 the gradient of the forget gate at t = 3, beside trace.f[3]

    Every trace that has steps, within a model's trace too, is a key to the gradients inside them; so is each of the two
    directions of a bidirectional one, `inside[trace.back]`, and each single step. Without this, gradients inside steps
    are given up one by one: those of a whole sequence need more memory than its forward pass.
    """
    inside = KeptGradients()
    token = _kept.set(inside)
    try:
        yield inside
    finally:
        _kept.reset(token)


def kept_gradients() -> KeptGradients | None:
    """Where the backward of each step puts its gradients; None while nobody asked for them."""
    return _kept.get()
