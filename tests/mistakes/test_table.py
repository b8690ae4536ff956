"""The table of cases is made by forward passes alone, and nothing that is checked can end it."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import few_fast

from numseq import layers
from numseq.layers.attention.base import Attention, LookBack
from numseq.layers.cells.unroll import Rewind, Unroll
from numseq.mistakes import cases, fixtures, run_cases, table
from numseq.models.decoders.readout import Readout
from numseq.models.heads.vocabulary import VocabularyHead
from numseq.record import StepRecord, Trace

MADE = (table.cases, table.cases_without_models, table.cases_of_layers, table._cases_of)


@pytest.fixture
def made_anew():
    """The table is made again in the test, and forgotten after it."""
    for made in MADE:
        made.cache_clear()
    yield
    for made in MADE:
        made.cache_clear()


def kinds_of(base):
    yield base
    for kind in base.__subclasses__():
        yield from kinds_of(kind)


def raises(*given, **named):
    raise ArithmeticError("this backward was called")


def spoil_every_backward(monkeypatch, wrong):
    found = [kind for base in (Trace, StepRecord, layers.Cell, Attention, Readout) for kind in kinds_of(base)]
    for kind in found:
        if "backward" in vars(kind):
            monkeypatch.setattr(kind, "backward", wrong)
    for owner, name in ((Rewind, "step"), (LookBack, "look"), (Unroll, "step_backward")):
        monkeypatch.setattr(owner, name, wrong)
    assert len(found) > 40


@pytest.mark.slow
def test_making_the_table_calls_no_backward(monkeypatch, made_anew):
    before = dict(table.cases())
    for made in MADE:
        made.cache_clear()
    spoil_every_backward(monkeypatch, raises)
    assert cases().keys() == before.keys()
    for name in ("lstm", "relu_rnn", "local_attention", "coverage_loss", "seq2seq, vector, gru"):
        trace = cases()[name].function(**cases()[name].inputs)
        with pytest.raises(ArithmeticError, match="this backward was called"):
            trace.backward(*(getattr(trace, output) for output in trace.outputs))


def test_a_backward_that_gives_zeros_is_wrong_and_no_endless_search(monkeypatch, made_anew):
    monkeypatch.setattr(layers.ReLUStep, "backward", lambda s, dh: SimpleNamespace(dh=dh, da=0 * dh))
    found = list(run_cases(["relu_rnn", "linear"]))
    assert {check.name: check.ok for check in found}["linear"]
    assert not any(check.ok for check in found if check.name.startswith("relu_rnn"))


def test_no_model_is_drawn_where_none_is_named(monkeypatch, made_anew):
    monkeypatch.setattr(table.models, "cases", raises)
    assert all(check.ok for check in run_cases(["linear", "tanh"]))
    assert not any(check.ok for check in run_cases(["models"]))  # that they cannot be drawn is said


def test_inputs_that_are_fit_are_looked_for_so_often_and_no_more():
    drawn = []

    def draw():
        drawn.append(fixtures.Case(lambda x: x, {"x": len(drawn)}, ()))
        return drawn[-1]

    assert fixtures.fit(draw, lambda trace: trace == 3).inputs["x"] == 3 and len(drawn) == 4
    drawn.clear()
    assert fixtures.fit(draw, lambda trace: False) is drawn[-1] and len(drawn) == fixtures.DRAWS
    drawn.clear()
    assert fixtures.fit(draw, raises) is drawn[0] and len(drawn) == 1


SPOILT = {  # what raises: (owner, name, a case that it ends, one that it does not)
    "a forward": (layers.LSTM, "forward", "lstm", "gru_step"),
    "a forward that inputs are tried on": (layers.RNN, "forward", "relu_rnn", "gru_step"),
    "first values": (layers.LSTM, "init", "lstm", "gru_step"),
    "a backward": (layers.LSTMStep, "backward", "lstm, ragged", "gru_step"),
    "first values of a model": (VocabularyHead, "init", "seq2seq, attention, 1 layer", "gru_step"),
    "a model's noise": (VocabularyHead, "draw", "seq2seq, attention, 1 layer", "gru_step"),
    "a model's forward": (VocabularyHead, "loss", "seq2seq, attention, 1 layer", "gru_step"),
}


@pytest.mark.parametrize("what", few_fast(SPOILT, ["a backward", "a model's forward"]))
def test_what_raises_is_a_line_of_the_table_and_the_others_go_on(monkeypatch, made_anew, what):
    owner, name, ended, other = SPOILT[what]
    monkeypatch.setattr(owner, name, raises)
    found = {check.name: check for check in run_cases([ended, other])}
    assert found[other].ok
    for check in (check for name, check in found.items() if name != other):
        assert not check.ok and check.worst == np.inf
        assert any("ArithmeticError" in said and "this backward was called" in said for said in check.problems)
        assert not any("\n" in said for said in check.problems)


def test_a_function_that_is_not_analytic_is_a_line_too(monkeypatch, made_anew):
    monkeypatch.setitem(
        table.cases_without_models(),
        "linear",
        fixtures.Case(lambda x, params: layers.linear(abs(x), params), *_linear()),
    )
    [first, second] = run_cases(["linear"])
    assert not first.ok and "NotAnalyticError" in first.problems[0] and not second.ok


def _linear():
    case = table.cases_without_models()["linear"]
    return case.inputs, case.covers


@pytest.mark.slow
def test_a_model_that_is_wrong_is_looked_at_number_by_number(monkeypatch):
    name = "seq2seq, vector, gru"
    right = next(run_cases([name]))
    assert right.ok and right.method == "directional"
    monkeypatch.setattr(layers.GRUStep, "backward", _half)
    wrong = next(run_cases([name]))
    assert not wrong.ok and wrong.method == "complex-step" and wrong.first_wrong[0].endswith("da")
    asked = next(run_cases([name], methods=("directional",)))
    assert not asked.ok and asked.method == "directional"


def _half(s, dh, right=layers.GRUStep.backward):
    grad = right(s, dh)
    grad.da = grad.da / 2
    return grad
