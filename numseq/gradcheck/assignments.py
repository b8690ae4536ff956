"""Seeing assignments: what is written to the records and the outputs of traces, and what `probe` is called with.

`Watch` (`numseq.gradcheck.watch`) keeps what it sees; a `Probe` adds a small number to one of them.
"""

from typing import Any, NamedTuple, Self

import numpy as np

from numseq import params as trees
from numseq.backend import array_module
from numseq.gradcheck.inputs import is_array
from numseq.gradcheck.probes import Named, watching
from numseq.record import StepGrad, StepRecord, Trace


class Place(NamedTuple):
    kind: str  # the record's class
    number: int  # which of all records and traces of this call, in the order in which they were written
    t: int | None  # the step, of a record that lies in the Steps of a sequence, or of a probe that comes several times
    name: str  # of the field; of an output that is a tree, the dotted name of a leaf


class Assignments:
    """Sees all arrays that are assigned to records, and to the outputs of traces, while a `with` block runs. One at a
    time, in one thread."""

    def __enter__(self) -> Self:
        # mypy holds a method for fixed; here it is put in and taken out again
        StepRecord.__setattr__ = lambda *given: self._to_record(*given)  # type: ignore[method-assign]
        Trace.__setattr__ = lambda *given: self._to_trace(*given)  # type: ignore[method-assign]
        watching.append(self.probed)
        return self

    def __exit__(self, *exc_info: object) -> None:
        watching.remove(self.probed)
        del StepRecord.__setattr__, Trace.__setattr__

    def _to_record(self, record, name, value):
        if is_array(value):
            value = (
                self.said(record, name, value) if isinstance(record, StepGrad) else self.written(record, name, value)
            )
        object.__setattr__(record, name, value)

    def _to_trace(self, trace, name, value):
        if name in type(trace).outputs:
            value = self.handed_out(trace, name, value)
        object.__setattr__(trace, name, value)

    def handed_out(self, trace: Trace, name: str, value: Any) -> Any:
        """An output of a trace, which may be a tree of arrays."""
        raise NotImplementedError

    def written(self, owner: Any, name: str, value: Any) -> Any:
        """An equation's result: what to keep in its place."""
        raise NotImplementedError

    def said(self, grad: StepGrad, name: str, value: Any) -> Any:
        """A gradient in a StepGrad: what to keep in its place."""
        return value

    def probed(self, name: str, value: Any, t: int | None) -> Any:
        """What `probe` was called with: what it returns."""
        return self.written(Named(t), name, value)


class Probe(Assignments):
    """See `Watch.probe`. at: which of all assignments it is that writes the place for the last time."""

    def __init__(self, place: Place, array: np.ndarray, at: int, inplace: bool = False):
        self.place, self.array, self.left, self.inplace = place, array, at, inplace

    def written(self, owner: Any, name: str, value: Any) -> Any:
        self.left -= 1
        if self.left != -1:
            return value
        array = array_module(value).asarray(self.array)
        if not self.inplace:
            return value + array
        value += array
        return value

    def handed_out(self, trace: Trace, name: str, value: Any) -> Any:
        counted = [leaf for leaf in trees.leaves(value) if is_array(leaf)]
        if not 0 <= self.left < len(counted):
            self.left -= len(counted)
            return value
        return trees.map(lambda leaf: self.written(trace, name, leaf), value)
