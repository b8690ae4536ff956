"""The record of a step: one array for each quantity that the step's equations name."""

from dataclasses import fields
from functools import cache

from numseq.backend import array_module


class StepRecord:
    """Base of a step's record.

    The same class serves for one step (fields (B, .)) and for a whole sequence (fields (T, B, .)): `record[t]` is
    step t, as views, so what a step writes is what the sequence keeps.
    """

    __slots__ = ()

    def __getitem__(self, t):
        return type(self)(*[getattr(self, name)[t] for name in _names(type(self))])


@cache
def _names(record):
    return [field.name for field in fields(record)]


def gather(steps):
    """One record with a leading axis T, from a list of T records of one class."""
    names = _names(type(steps[0]))
    stack = array_module(getattr(steps[0], names[0])).stack
    return type(steps[0])(*(stack([getattr(step, name) for step in steps]) for name in names))


def put(place, value):
    """`value` itself, or, when there is storage for it, that storage holding its numbers."""
    if place is None:
        return value
    place[...] = value
    return place
