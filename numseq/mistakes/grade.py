"""Grading a backward pass that somebody wrote: is each of its results right, and if not, which mistake is it?

def my_backward(s, dh, dc):  # s is what the forward pass returned: s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c
    ...
    return {"da": da, "dc_prev": dc_prev}

print(grade("lstm_step", my_backward))
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from numseq import params as trees
from numseq.errors import ConfigError
from numseq.gradcheck import Check, check
from numseq.gradcheck.results import label
from numseq.mistakes.layer import LAYERS
from numseq.mistakes.table import cases_of_layers

GRADED = [name for name, layer in LAYERS.items() if layer.graded]


@dataclass
class _Graded:
    """A trace whose backward is somebody's function."""

    trace: Any
    function: Any
    inputs: dict
    equations: str
    outputs: tuple = field(init=False)
    results: tuple = field(init=False)

    def __post_init__(self):
        self.outputs = self.trace.outputs
        self.results = _results(self.inputs)

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, "trace"), name)

    def backward(self, **upstream):
        given = self.function(self.trace, **upstream)
        if hasattr(given, "shape"):
            given = (given,)
        if (isinstance(given, tuple) and not hasattr(given, "_fields")) or isinstance(given, list):
            if len(given) > len(self.results):
                raise ValueError(
                    f"{len(given)} results where {len(self.results)} are wanted: {', '.join(self.results)}"
                )
            given = dict(zip(self.results, given, strict=False))
        if isinstance(given, dict):
            given = given | {
                name: _record(type(self.inputs[argument]), given[name], name)
                for argument, name in zip(self.inputs, self.results, strict=True)
                if isinstance(given.get(name), dict)
            }
        return given


def _record(kind, given, name):
    """A dict of gradients as the record, or the named tuple, that the parameters or the state are."""
    known = getattr(kind, "_fields", None) or [field.name for field in fields(kind)]
    if unknown := given.keys() - set(known):
        raise KeyError(f"{name}.{min(unknown)} is the gradient of nothing")
    return kind(**{part: given.get(part) for part in known})


def names() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """What can be graded: a dict of name to (what backward is called with, what it is to return)."""
    found, table = {}, cases_of_layers()
    for name in GRADED:
        case = table[LAYERS[name].case]
        outputs = case.function(**case.inputs).outputs
        found[name] = (("trace", *(f"d{output}" for output in outputs)), _results(case.inputs))
    return found


def grade(name: str, backward: Callable[..., Any], seed: int = 0) -> Check:
    """Check a backward function of your own for one of the library's equations.

    Args: name, one of `names()`. backward, called as backward(trace, d<output>=...) with what the library's forward
        pass returned and the true gradients of its outputs; it returns a dict of gradients, d<input> and `params`
        (a dict or the parameters' class), a record with such fields, or a tuple of them in the order of `names()`.
        The gradient of a first state, `dstate`, is a dict, a tuple or the state's class. Gradients of what is inside
        may be among them (`di`, `df`, ...); they are looked at too. seed, of the inputs.
    Returns: a Check; print it.
    Raises: ConfigError, when there is no such equation.
    """
    if name not in GRADED:
        raise ConfigError(f"nothing to grade is called {name!r}; there are: {', '.join(GRADED)}")
    case = cases_of_layers(seed)[LAYERS[name].case]
    inputs = {argument: trees.map(lambda leaf: leaf.copy(), tree) for argument, tree in case.inputs.items()}

    def function(**inputs):
        return _Graded(case.function(**inputs), backward, inputs, name)

    return check(function, inputs, name=getattr(backward, "__name__", name))


def _results(inputs):
    return tuple(label(argument) for argument in inputs)
