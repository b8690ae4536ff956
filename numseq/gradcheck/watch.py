"""Watching a call: every quantity that it names, what backward says of it, and probes to find what is true.

A *place* is one named quantity at one step: the forget gate `f` of the third step of the first recurrence. While a
`Watch` is on, the assignment that writes a place is seen (see `numseq.record`), and a probe can be added to it:

    dL / d place = the slope of L when a small number is added to what was written there

which is true whatever backward says. What backward says is seen too: the fields of each StepGrad, and the gradients
handed to the backward of each trace within the outermost one.
"""

import inspect
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from numseq.record import StepGrad, StepRecord, Trace, names

UNNAMED = ("trace", "run", "steps", "looks", "rnn", "layers")  # parts of a path that say nothing to a reader


class Place(NamedTuple):
    kind: str  # the record's class
    number: int  # which of all records and traces of this call, in the order of their making
    t: int | None  # the step, of a record that repeats over time
    name: str


class Claim(NamedTuple):
    """What backward says is the gradient of a place, None meaning zero."""

    place: Place
    value: Any


class Call(NamedTuple):
    """A trace's or a step's own backward: what it was given, and what it gave."""

    owner: Any
    given: dict
    result: Any
    began: int  # how many calls had begun before it, and when it ended
    ended: int


class Watch:
    """`with Watch(probes) as seen:` watches all calls in the block. One at a time, in one thread.

    Args: probes, a dict of Place to an array that is added to what is written there.
    After it: values, a dict of Place to the number array written; calls, a list of Call in the order in which they
    began; claims().
    """

    def __init__(self, probes=None):
        self.probes = probes or {}
        self.values, self.calls = {}, []
        self.kinds = {}  # name of a record's class to the class
        self._numbers, self._kept = {}, []  # id of a record to its number; the records, so that ids stay theirs
        self._grads = []  # (how many calls had begun, StepGrad)

    def __enter__(self):
        StepRecord.__setattr__ = lambda record, name, value: self._of_step(record, name, value)
        Trace.__setattr__ = lambda trace, name, value: self._of_trace(trace, name, value)
        kinds = [kind for base in (Trace, StepRecord) for kind in kinds_of(base)]
        self._wrapped = [(kind, kind.__dict__["backward"]) for kind in kinds if "backward" in kind.__dict__]
        for kind, backward in self._wrapped:
            kind.backward = self._watched(backward)
        return self

    def __exit__(self, *exc_info):
        del StepRecord.__setattr__, Trace.__setattr__
        for kind, backward in self._wrapped:
            kind.backward = backward

    def number(self, owner):
        """The number of a record or trace; a new one for one not seen before."""
        if id(owner) not in self._numbers:
            self._numbers[id(owner)] = len(self._kept)
            self._kept.append(owner)
        return self._numbers[id(owner)]

    def place(self, step, name):
        """Where a step's record keeps a quantity."""
        whole, t = getattr(step, "whole", step), getattr(step, "t", None)
        self.kinds[type(step).__name__] = type(step)
        return Place(type(step).__name__, self.number(whole), t if isinstance(t, int) else None, name)

    def _of_step(self, record, name, value):
        if name == "step":
            self._grads.append((len(self.calls), record))
        written = name not in ("t", "whole", "step") and not isinstance(record, StepGrad) and _is_set(record, name)
        if written:  # the first assignment makes the record, every other is an equation's result
            before = None if name in type(record).inputs else getattr(record, name)
            stored = before is not None and np.may_share_memory(before, value)  # as others will read it
            value = self._probed(self.place(record, name), value, in_place=stored)
        object.__setattr__(record, name, value)

    def _of_trace(self, trace, name, value):
        if name in type(trace).outputs and isinstance(value, (np.ndarray, np.generic)) and not _is_set(trace, name):
            value = self._probed(Place(type(trace).__name__, self.number(trace), None, name), value)
        object.__setattr__(trace, name, value)

    def _probed(self, place, value, in_place=False):
        probe = self.probes.get(place)
        if probe is not None:
            if in_place:
                value += probe
            else:
                value = value + probe
        self.values[place] = np.array(value)
        return value

    def _watched(self, backward):
        arguments = _signature(backward)

        def watched(trace, *args, **kw):
            given = dict(list(arguments.bind(trace, *args, **kw).arguments.items())[1:])
            at = len(self.calls)
            self.calls.append(None)
            result = backward(trace, *args, **kw)
            self.calls[at] = Call(trace, given, result, at, len(self.calls))
            return result

        return watched

    def claims(self, outermost=None):
        """What backward says, a list of Claim in the order in which it was computed.

        The gradients that the outermost trace's own backward was handed are no claims: it was told them.
        """
        calls = [(at, call) for at, call in enumerate(self.calls) if call and call.owner is not outermost]
        events = [(at, _of_call(call, self.number(call.owner))) for at, call in calls]
        events += [(at - 0.5, self._of_grad(grad)) for at, grad in self._grads]
        found = {}
        for _, claims in sorted(events, key=lambda event: event[0]):
            for claim in claims:
                found.setdefault(claim.place, claim)
        return [claim for claim in found.values() if claim.place in self.values]

    def _of_grad(self, grad):
        for name in names(type(grad)):
            if name[0] == "d" and getattr(grad, name) is not None:
                yield Claim(self.place(grad.step, name[1:]), getattr(grad, name))

    def path(self, trace):
        """How to reach every watched record from the outermost trace: a dict of number to dotted path."""
        found, stack, seen = {}, [(trace, "")], set()
        while stack:
            owner, path = stack.pop()
            if id(owner) in seen or isinstance(owner, np.ndarray):
                continue
            seen.add(id(owner))
            if id(owner) in self._numbers:
                found.setdefault(self._numbers[id(owner)], path)
            for name, part in _parts(owner):
                stack.append((part, path if name in UNNAMED else f"{path}.{name}".strip(".")))
        return found


@cache
def _signature(backward):
    return inspect.signature(backward)


def _is_set(record, name):
    try:
        object.__getattribute__(record, name)
    except AttributeError:
        return False
    return True


def kinds_of(base):
    """All classes that a class is the base of."""
    for kind in base.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def _of_call(call, number):
    for name in type(call.owner).outputs if isinstance(call.owner, Trace) else ():
        if f"d{name}" in inspect.signature(type(call.owner).backward).parameters:
            yield Claim(Place(type(call.owner).__name__, number, None, name), call.given.get(f"d{name}"))


def _parts(owner):
    """The named parts of a record, and the numbered ones of a list."""
    if isinstance(owner, (list, tuple)):
        return [(str(k), part) for k, part in enumerate(owner)]
    if isinstance(owner, dict):
        return list(owner.items())
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    slots = [name for name in slots if name not in ("whole", "t", "step") and _is_set(owner, name)]
    return [(name, getattr(owner, name)) for name in slots] + list(getattr(owner, "__dict__", {}).items())
