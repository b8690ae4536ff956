"""What is known of one layer: its backward pass once more, equation by equation, and how people get it wrong.

    def tanh(trace, dy, change):
        eq, y = equations(change), trace.y
        return {"dx": eq("dx", dy * (1 - y**2))}

    know(Layer("tanh", tanh), ("the square is missing from tanh'", "dx", lambda v: v.dy * (1 - v.y), "tanh' = 1 - y^2"))

The *plain equations* have a name each, and no care for speed: `eq("dx", value)` is the value, or what `change` puts in
its place, a function of everything named so far (`v.dy`, `v.y`; `v.value` is the right answer). With no change they
give the layer's own gradients, and a test holds the two equal. A *bug* is one change, seldom two that go together, with
its lesson. Besides those that are written down, `numseq.mistakes.slips` makes others out of the equations' source: so
each equation is one expression, made of names that read like the derivation.

Each layer has a file, found by lying in `numseq.mistakes.layers`, where a layer's own file lies in `numseq.layers`. It
also has the layer's *fixtures*, `cases(rng)`: inputs that show its mistakes (see `numseq.mistakes.fixtures`).
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from inspect import signature
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from numseq import params as trees
from numseq.gradcheck import relative_error
from numseq.record import StepGrad

LAYERS = {}  # by name, in the order in which they became known


@dataclass(frozen=True, slots=True)
class Bug:
    """name, what was done; function, the layer in which; lesson, why it is wrong; change, equation to function."""

    name: str
    function: str
    lesson: str
    change: dict[str, Callable]


@dataclass
class Layer:
    """A layer's plain equations, and where they hold.

    name, under which a trace gives it as `equations`. backward, called as backward(trace, d<output>=..., change=...);
    it returns a dict of gradients. of, the class of the layer's traces or records, if these do not say `equations`.
    case, the name of the case that shows most of it, by default its own. shows, of the case on which each of its bugs
    can be made, if it is another. graded: can somebody's own backward stand in its place? also, functions that
    backward calls and that have equations too. says, what a result should be, in words, by its name; of one that is not
    among them its equation is read out of the source. besides, what else is named (`numseq.mistakes.beginners`).
    """

    name: str
    backward: Callable
    of: type | None = None
    case: str | None = None
    shows: str | None = None
    graded: bool = True
    also: tuple[Callable, ...] = ()
    says: dict[str, str] = field(default_factory=dict)
    bugs: list[Bug] = field(default_factory=list)
    besides: list[Bug] = field(default_factory=list)
    wires: ClassVar[bool] = False  # are the equations of what lies between parts that are traces?
    ways: ClassVar[tuple[str, ...]] = ()  # of one that uses its equations several times: each use, see `one_way`

    def __post_init__(self) -> None:
        self.case = self.case or self.name
        self.shows = self.shows or self.case

    def undo(self, trace: Any, given: dict[str, Any], change: dict[str, Callable]) -> tuple[dict[str, Any], list]:
        """The gradients with some of the equations changed, a dict; and the calls of its pieces, of wiring."""
        return self.backward(trace, **given, change=change), []

    def results(self, result: Any) -> Any:
        """What a backward of the library's gave, with a name for each result: a record or a dict."""
        return result

    def functions(self, trace: Any = None) -> list[Callable]:
        """All functions in which its equations are written."""
        return [self.backward, *self.also]

    def possible(self, trace: Any = None) -> list[Bug]:
        """All bugs that can be made in it; of a trace that does not say by its name what is inside, in that one."""
        return list(self.bugs)

    def holds(self, owner: Any) -> bool:
        """Whether the equations are those of a trace or record of the class."""
        return True


@dataclass
class Wiring(Layer):
    """What lies between parts: which gradient is handed to which, what is summed, split, masked.

    Its backward calls that of each part as it is, right or wrong, since a part is judged by what it was given. A piece
    that is no trace, as a layer which goes step by step in a decoder's loop, is given back under "pieces", a list of
    (name of a layer, trace, given, result). gives, the names of the results, of a backward that returns a tuple or a
    single one.
    """

    gives: tuple[str, ...] = ()
    wires = True

    def undo(self, trace: Any, given: dict[str, Any], change: dict[str, Callable]) -> tuple[dict[str, Any], list]:
        results = super().undo(trace, given, change)[0]
        return results, results.pop("pieces", [])

    def results(self, result: Any) -> Any:
        if not self.gives:
            return result
        return dict(zip(self.gives, result if len(self.gives) > 1 else (result,), strict=True))

    def holds(self, owner: Any) -> bool:
        """A class that is made from a box of ours may wire its parts otherwise."""
        return type(owner) is self.of


@dataclass
class Step(Layer):
    """One step of a cell. step, the function that computes it. grad, the class of its StepGrad, which has the
    equations in words. like, another step, and shared, the names of the equations that this one has from there."""

    step: Callable = None
    grad: type[StepGrad] = None
    like: str | None = None
    shared: frozenset = frozenset()

    def possible(self, trace: Any = None) -> list[Bug]:
        """Its own bugs, and the other's in the equations that they share."""
        other = LAYERS[self.like].bugs if self.like else ()
        return self.bugs + [bug for bug in other if bug.change.keys() <= self.shared]

    def holds(self, owner: Any) -> bool:
        """Whether a record is what the step makes of its inputs, whoever wrote it. The record of a changed equation,
        of the same class or of one that is made from it, has other equations backwards too: none is known of it."""
        try:
            inputs = [name for name, each in signature(self.step).parameters.items() if each.default is each.empty]
            again = self.step(*(getattr(owner, name) for name in inputs))
            fields = [(getattr(owner, name), value) for name, value in trees.walk(again)]
            return all(relative_error(np.asarray(ours), np.asarray(value)) < 1e-9 for ours, value in fields)
        except (AttributeError, ValueError, TypeError):  # the record lacks something, or holds something else
            return False


def know(layer: Layer, *rows: tuple[str, str, Callable, str]) -> Layer:
    """Make a layer known, with its bugs: rows of (name, equation, what is put in its place, lesson)."""
    LAYERS[layer.name] = layer
    layer.bugs.extend(Bug(name, layer.name, lesson, {equation: wrong}) for name, equation, wrong, lesson in rows)
    return layer


def equations(change: dict[str, Callable] | None) -> Callable[[str, Any], Any]:
    """eq(name, value): the value, or what `change` makes of the caller's local names."""
    change = change or {}

    def eq(name, value):
        if name not in change:
            return value
        return change[name](SimpleNamespace(value=value, **sys._getframe(1).f_locals))

    return eq


def one_way(change: dict[str, Callable] | None, way: str) -> dict[str, Callable]:
    """The changes as one of several uses of the same equations has them: "back.dW_x" is of dW_x in the use "back"."""
    change = change or {}
    return change | {
        name.removeprefix(f"{way}."): wrong for name, wrong in change.items() if name.startswith(f"{way}.")
    }


# what several bugs do


def fresh(mask: np.ndarray) -> np.ndarray:
    """A mask of the same rate, drawn anew."""
    return np.random.default_rng(0).permutation(mask.reshape(-1)).reshape(mask.shape)


def logit(gate: np.ndarray) -> np.ndarray:
    return np.log(gate / (1 - gate))  # back to the pre-activation


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def swapped(blocks: Iterable[np.ndarray], j: int, k: int) -> list[np.ndarray]:
    blocks = list(blocks)
    blocks[j], blocks[k] = blocks[k], blocks[j]
    return blocks
