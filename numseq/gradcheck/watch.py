"""Watching a call: every quantity that it names, what backward says of it, and probes to find what is true.

A *place* is one named quantity of one record: the forget gate `f` of the third step. While a `Watch` is on, the
assignment that writes a place is seen (see `numseq.record`). Where a field is assigned again, as by a step that takes
another's record and changes it, the last assignment counts: it is the one that others read. To it a probe is added:

    dL / d place = the slope of L when a small number is added to what was written there

which is true whatever backward says. What backward says is seen too: what is assigned to each StepGrad, and the
gradients handed to the backward of each trace within the outermost one. In code without records, `probe("f", value)`
does the same: going forward it names a place, going back, as `probe("df", value)`, what is said of it.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NamedTuple, Self

import numpy as np

from numseq import params as trees
from numseq.gradcheck.assignments import Assignments, Place, Probe
from numseq.gradcheck.inputs import is_array
from numseq.gradcheck.probes import Named
from numseq.gradcheck.results import named_like
from numseq.record import Record, StepGrad, StepRecord, Steps, Trace

UNNAMED = (
    "trace",
    "run",
    "steps",
    "looks",
    "rnn",
    "layers",
    "returned",
)  # parts of a path that say nothing to a reader


class Claim(NamedTuple):
    """What backward says is the gradient of a place, None meaning zero."""

    place: Place
    value: Any
    by: type[StepGrad] | None = None  # the class of the StepGrad that says so


class Call(NamedTuple):
    """A trace's or a step's own backward: what it was given, and what it gave."""

    owner: Any
    given: dict
    result: Any
    began: int  # on the clock of the Watch
    ended: int


class Watch(Assignments):
    """`with Watch() as seen:` watches all calls in the block.

    While backward goes, `with seen.going_back()`. After it: `locate(trace)`, and then values, a dict of Place to the
    number array last written there; calls, a list of Call in the order in which they began; claims(); and
    `probe(place, array)`, to run the same calls once more.
    """

    def __init__(self) -> None:
        self.values, self.calls, self.paths = {}, [], {}
        self._last, self._count = {}, 0  # place to which of all assignments was its last; all assignments
        self._numbers, self._owners, self._steps = {}, [], {}  # id to number; number to owner; number to t
        self._clock, self._open = 0, 0  # what began and was said so far; how many calls of a backward are under way
        self._said, self._undone = {}, {}  # (id of StepGrad, name) to (clock, it); id of StepGrad to its record
        self._speaks = {}  # id of a record to the StepGrad that counts
        self._objects = {}  # place to the very array that was written there
        self._named, self._said_named, self._back = {}, {}, False  # name to the Nameds of it; to claims; going back?

    def __enter__(self) -> Self:
        kinds = [kind for base in (Trace, StepRecord) for kind in (base, *kinds_of(base))]
        self._wrapped = [(kind, kind.__dict__["backward"]) for kind in kinds if "backward" in kind.__dict__]
        for kind, backward in self._wrapped:
            kind.backward = self._watched(backward)
        return super().__enter__()

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        for kind, backward in self._wrapped:
            kind.backward = backward

    def owner(self, place: Place) -> Any:
        """The record or trace that a place is in."""
        return self._owners[place.number]

    def path_of(self, owner: Any) -> str:
        """The dotted path to a record or trace, from the outermost trace."""
        return self.paths.get(self._numbers.get(id(owner)), "")

    def probe(self, place: Place, array: np.ndarray, inplace: bool = False) -> "Probe":
        """A `with` block in which an array is added to what the same calls write at a place. inplace: to the very
        array, so that others who hold it see it too."""
        return Probe(place, array, self._last[place], inplace)

    @contextmanager
    def going_back(self) -> Iterator[None]:
        """A block in which a backward goes: what is named there are gradients."""
        self._back = True
        try:
            yield
        finally:
            self._back = False

    def when(self, place: Place) -> int:
        """Which of all assignments wrote a place."""
        return self._last[place]

    def alone(self, place: Place) -> bool:
        """Whether the array that was written at a place is at no other, so that a probe may be written into it."""
        array = self._objects[place]
        return (
            getattr(getattr(array, "flags", None), "writeable", True)
            and sum(other is array for other in self._objects.values()) == 1
        )

    def locate(self, trace: Any) -> None:
        """Find the place of each record in the outermost trace: its step, and in `paths` the dotted path to it."""
        stack: list[tuple[Any, str, int | None]] = [(trace, "", None)]
        seen = set()
        while stack:
            owner, path, t = stack.pop()
            if owner is None or id(owner) in seen or is_array(owner) or isinstance(owner, type) or callable(owner):
                continue
            seen.add(id(owner))
            if (number := self._numbers.get(id(owner))) is not None:
                self.paths.setdefault(number, path)
                self._steps.setdefault(number, t)
            if isinstance(owner, Steps):
                stack += [(record, path, t) for t, record in enumerate(owner.records)]
                continue
            for name, part in parts(owner):
                stack.append((part, path if name in UNNAMED else f"{path}.{name}".strip("."), None))
        for found in ("values", "_last", "_objects"):
            setattr(self, found, {self._placed(place): value for place, value in getattr(self, found).items()})

    def written(self, owner: Any, name: str, value: Any) -> Any:
        if not self._open:  # a backward may put records together for its own use: they are not what forward made
            place = Place(_kind(owner), self._number(owner), None, name)
            self.values[place], self._last[place], self._objects[place] = value.copy(), self._count, value
            self._count += 1
        return value

    def probed(self, name: str, value: Any, t: int | None) -> Any:
        if self._back:
            self._said_named.setdefault(name, []).append((self._tick(), t, value.copy()))
            return value
        named = Named(t)
        self._named.setdefault(name, []).append(named)
        return self.written(named, name, value)

    def handed_out(self, trace: Trace, name: str, value: Any) -> Any:
        for leaf_name, leaf in trees.walk(value, name):
            if is_array(leaf):
                self.written(trace, leaf_name, leaf)
        return value

    def said(self, grad: StepGrad, name: str, value: Any) -> Any:
        if id(grad) not in self._undone:
            self._undone[id(grad)] = record = _record_at_hand(sys._getframe(1))
            self._speaks[id(record)] = grad  # a backward that makes its StepGrad of another's speaks last
        self._said[id(grad), name] = self._tick(), grad
        return value

    def _watched(self, backward):
        arguments = _signature(backward)

        def watched(owner, *args, **kw):
            given = _defaults(arguments) | dict(list(arguments.bind(owner, *args, **kw).arguments.items())[1:])
            given = {name: _kept(value) for name, value in given.items()}
            at, began = len(self.calls), self._tick()
            self.calls.append(None)
            self._open += 1
            try:
                result = backward(owner, *args, **kw)
            finally:
                self._open -= 1
            self.calls[at] = Call(owner, given, _kept(result), began, self._tick())
            return result

        return watched

    def claims(self, outermost: Any = None) -> list[Claim]:
        """What backward says, a list of Claim in the order in which it was said.

        A gradient that was assigned again was said then. The gradients that the outermost trace's own backward was
        handed are no claims: it was told them.
        """
        events = [(clock, self._of_grad(grad, name)) for (_, name), (clock, grad) in self._said.items()]
        events += [(call.began, self._of_call(call)) for call in self.calls if call and call.owner is not outermost]
        events += self._of_probes()
        found = {}
        for _, claims in sorted(events, key=lambda event: event[0]):
            for claim in claims:
                found.setdefault(claim.place, claim)
        return [claim for claim in found.values() if claim.place in self.values]

    def _of_grad(self, grad, name):
        record = self._undone[id(grad)]
        if name[0] == "d" and id(record) in self._numbers and self._speaks[id(record)] is grad:
            yield Claim(self._place(record, name[1:]), getattr(grad, name), type(grad))

    def _of_probes(self):
        """What probes said: of one that comes several times, the last said is of the first written, as in BPTT."""
        for name, said in self._said_named.items():
            written = self._named.get(name[1:], ()) if name[0] == "d" else ()
            for k, (clock, t, value) in enumerate(said):
                of_t = [named for named in written if named.t == t]
                named = of_t[0] if t is not None and of_t else None
                if t is None and len(said) == len(written):
                    named = written[len(written) - 1 - k]
                if named is not None:
                    yield clock, [Claim(self._place(named, name[1:]), value)]

    def _of_call(self, call):
        for output in type(call.owner).outputs if isinstance(call.owner, Trace) else ():
            if f"d{output}" in _signature(type(call.owner).backward).parameters:
                handed_out = getattr(call.owner, output)
                given = dict(trees.walk(named_like(call.given.get(f"d{output}"), handed_out), output))
                for name, _ in trees.walk(handed_out, output):
                    yield Claim(self._place(call.owner, name), given.get(name))

    def _number(self, owner):
        if id(owner) not in self._numbers:
            self._numbers[id(owner)] = len(self._owners)
            self._owners.append(owner)  # kept, so that its id stays its own
        return self._numbers[id(owner)]

    def _place(self, owner, name):
        return self._placed(Place(_kind(owner), self._number(owner), None, name))

    def _placed(self, place):
        owner = self._owners[place.number]
        if isinstance(owner, Named):
            several = self._named.get(place.name, [owner])
            t = owner.t if owner.t is not None or len(several) == 1 else several.index(owner)
            return place._replace(t=t)
        return place._replace(t=self._steps.get(place.number))

    def _tick(self):
        self._clock += 1
        return self._clock


def _kind(owner):
    return "" if isinstance(owner, Named) else type(owner).__name__


def _record_at_hand(frame):
    """The record that is being undone: that which the innermost function that has one was given."""
    while frame is not None:
        code, values = frame.f_code, frame.f_locals
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            if isinstance(values.get(name), StepRecord) and not isinstance(values[name], StepGrad):
                return values[name]
        frame = frame.f_back
    return None


def _kept(value):
    """What was handed to a backward, or came of it, as it was then: the caller may go on writing into it."""
    if isinstance(value, list | tuple | dict) or (
        isinstance(value, Record) and not isinstance(value, StepRecord | Trace)
    ):
        return trees.rebuild(value, [_kept(part) for _, part in trees.children(value)])
    return value.copy() if is_array(value) else value


@cache
def _defaults(arguments):
    """Gradients that are something though nobody gives them, as dloss = 1."""
    return {n: p.default for n, p in arguments.parameters.items() if n[0] == "d" and isinstance(p.default, float)}


@cache
def _signature(backward):
    return inspect.signature(backward)


def kinds_of(base: type) -> Iterator[Any]:
    """All classes that a class is the base of."""
    for kind in base.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def parts(owner: Any) -> list[tuple[str, Any]]:
    """The named parts of a record, and the numbered ones of a list."""
    if isinstance(owner, list | tuple):
        return list(zip(getattr(owner, "_fields", map(str, range(len(owner)))), owner, strict=True))
    if isinstance(owner, dict):
        return list(owner.items())
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    found = {name: getattr(owner, name) for name in slots if hasattr(owner, name)}
    with suppress(AttributeError):  # past a __getattr__ that would look for it in a part
        found |= object.__getattribute__(owner, "__dict__")
    return list(found.items())
