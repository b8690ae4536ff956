"""Records: what a call computed, one field for each quantity that its equations name.

A `Trace` is what a layer returns. Where something repeats over time, each step writes a `StepRecord`, and undoing it a
`StepGrad`. An equation's result becomes a field by assignment, and is read from there by the next equation. That
assignment is where the gradient checker hooks in (`numseq.gradcheck.watch`); nothing here does any work for it.
"""

from dataclasses import fields
from functools import cache
from numbers import Integral

from numseq.backend import array_module


class Trace:
    """Base of what a layer returns; `outputs` names its differentiable fields, `backward` takes their gradients."""

    __slots__ = ()
    outputs = ()


class StepRecord:
    """Base of a step's record.

    The same class serves for one step (fields (B, .)) and for a whole sequence (fields (T, B, .)): `record[t]` is
    step t, as views, so what a step writes is what the sequence keeps. It knows its `t` and the `whole` it is part of.
    """

    __slots__ = ("t", "whole")
    inputs = ()  # fields that a step only reads
    blocks = ""  # the letters of the blocks that lie side by side in its pre-activations and weights, if any
    more_blocks = ""  # those that only the pre-activations have, behind the others

    def __getitem__(self, t):
        parts = (getattr(self, name) for name in names(type(self)))
        step = type(self)(*[None if part is None else part[t] for part in parts])
        step.t, step.whole = int(t) if isinstance(t, Integral) else t, self
        return step


class StepGrad(StepRecord):
    """Base of the gradients inside a step; `step` is the record of the step that they undo."""

    __slots__ = ("step",)
    equations = {}  # name of a gradient to its right equation, in words, for the report of a check


@cache
def names(record):
    """The names of a record class's fields."""
    return [field.name for field in fields(record)]


def gather(steps):
    """One record with a leading axis T, from a list of T records of one class."""
    stack = array_module(getattr(steps[0], names(type(steps[0]))[0])).stack
    return type(steps[0])(*(stack([getattr(step, name) for step in steps]) for name in names(type(steps[0]))))


def put(place, value):
    """`value` itself, or, when there is storage for it, that storage holding its numbers."""
    if place is None:
        return value
    place[...] = value
    return place
