"""Grading a backward pass that somebody wrote: is each of its results right, and if not, which mistake is it?

def my_backward(s, dh, dc):  # s is what the forward pass returned: s.i, s.f, s.g, s.o, s.c, s.c_prev, s.tanh_c
    ...
    return {"da": da, "dc_prev": dc_prev}

print(grade("lstm_step", my_backward))
"""

from dataclasses import dataclass, field, fields
from typing import Any

from numseq.gradcheck import diagnosis
from numseq.gradcheck.cases import cases
from numseq.models import ConfigError

RECURRENT = ("rnn", "relu_rnn", "lstm", "gru", "gru_before", "peephole", "layernorm_lstm")
CASE_OF = {name: f"{name}, ragged" for name in RECURRENT} | {"sequence": "lstm, ragged"}  # which shows most of it


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
        if isinstance(given, (tuple, list)):
            if len(given) > len(self.results):
                raise ValueError(
                    f"{len(given)} results where {len(self.results)} are wanted: {', '.join(self.results)}"
                )
            given = dict(zip(self.results, given, strict=False))
        if isinstance(given, dict) and isinstance(given.get("params"), dict):
            given = given | {"params": self._params(given["params"])}
        return given

    def _params(self, given):
        """A dict of gradients as the record that the parameters are."""
        record = type(self.inputs["params"])
        if unknown := given.keys() - {field.name for field in fields(record)}:
            raise KeyError(f"params.{min(unknown)} is the gradient of nothing")
        return record(**{field.name: given.get(field.name) for field in fields(record)})


def names():
    """What can be graded: a dict of name to (what backward is called with, what it is to return)."""
    found = {}
    for name in GRADED:
        case = _case(name)
        outputs = case.function(**case.inputs).outputs
        found[name] = (("trace", *(f"d{output}" for output in outputs)), _results(case.inputs))
    return found


GRADED = (
    "sigmoid",
    "tanh",
    "relu",
    "maxout",
    "softmax",
    "log_softmax",
    "linear",
    "embedding",
    "dropout",
    "variational_dropout",
    "word_dropout",
    "cross_entropy",
    "regularised_cross_entropy",
    "sampled_cross_entropy",
    "lstm_step",
    "rnn_step",
    "relu_step",
    "gru_step",
    "gru_before_step",
    "peephole_step",
    "layernorm_lstm_step",
    *RECURRENT,
    "bidirectional",
    "layer_norm",
    "additive_attention",
    "dot_attention",
    "scaled_dot_attention",
    "general_attention",
    "multihead_attention",
    "local_attention",
    "location_attention",
    "coverage_attention",
    "coverage_loss",
)


def grade(name, backward, seed=0):
    """Check a backward function of your own for one of the library's equations.

    Args: name, one of `names()`. backward, called as backward(trace, d<output>=...) with what the library's forward
        pass returned and the true gradients of its outputs; it returns a dict of gradients, d<input> and `params`
        (a dict or the parameters' class), a record with such fields, or a tuple of them in the order of `names()`.
        Gradients of what is inside may be among them (`di`, `df`, ...); they are looked at too. seed, of the inputs.
    Returns: a Check; print it.
    Raises: ConfigError, when there is no such equation.
    """
    if name not in GRADED:
        raise ConfigError(f"nothing to grade is called {name!r}; there are: {', '.join(GRADED)}")
    case = _case(name, seed)

    def function(**inputs):
        return _Graded(case.function(**inputs), backward, inputs, name)

    return diagnosis.check(function, case.inputs, name=getattr(backward, "__name__", name))


def _case(name, seed=0):
    return cases(seed)[CASE_OF.get(name, name)]


def _results(inputs):
    return tuple("params" if argument == "params" else f"d{argument}" for argument in inputs)
