"""The gradient checker on whole models: every quantity has its path, and a mistake is named at its part."""

import re
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import batch, create, few_fast

from numseq import layers
from numseq import params as trees
from numseq.gradcheck import check
from numseq.mistakes import cases
from numseq.mistakes.fixtures import S, T
from numseq.models import forward
from numseq.models.heads.vocabulary import HeadGrad, VocabularyHead
from numseq.record import Trace

lstm = sys.modules["numseq.layers.cells.lstm"]
TABLE = cases()
STEP = ["dh", "do", "dc", "di", "df", "dg", "dc_prev", "da"]
LOOK = ["dcontext", "dalpha", "de", "dprojected", "dquery"]


def of_case(name):
    return check(TABLE[name].function, TABLE[name].inputs, name=name)


def test_a_models_quantities_are_right_and_have_paths():
    found = of_case("seq2seq, attention, 1 layer").quantities
    labels = [quantity.label for quantity in found]
    assert max(quantity.error for quantity in found) <= 1e-10
    for path, steps in (("encoder.0", S), ("decoder.lowest", T)):
        assert [labels.count(f"{path}.{name}") for name in STEP[1:]] == [steps] * 7
    assert [labels.count(f"decoder.{name}") for name in LOOK] == [T] * len(LOOK)
    once = [f"objective.{path}" for path in ("dloss", "head.dloss", "head.output.dy", "head.dropout.dy")]
    once += ["decoder.read.dr", "decoder.read.da", "decoder.start.bridge.maps.0.h.dy", "encoder.dfinal.0.h"]
    once += ["source.dropout.dy", "source.embedding.dy", "target.dropout.dy", "target.embedding.dy"]
    assert [labels.count(label) for label in once] == [1] * len(once)
    assert all(re.fullmatch(r"(([a-z][a-z_]*|\d)\.)*d[a-zA-Z_]+(\.\d)?(\.[hc])?", label) for label in labels)


MODELS = {name: case.options for name, case in TABLE.items() if name.startswith("seq2seq")}
EACH = {(kind, said.get(kind)): name for name, said in MODELS.items() for kind in ("attention", "cell", "decoder")}


@pytest.mark.parametrize("name", few_fast(sorted(set(EACH.values())), sorted(set(EACH.values()))[::20]))
def test_every_quantity_inside_a_model_is_right(name):
    result = of_case(name)
    assert len(result.quantities) > 40 and max(quantity.error for quantity in result.quantities) <= 1e-10, str(result)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_a_direction_for_each_array_says_which_of_a_whole_model_are_right(monkeypatch, kind, dtype):
    model, data = create(kind, layers=2, dtype=dtype), batch()

    def checked():
        return check(lambda params: forward(params, data, model.config), {"params": model.params}, method="directional")

    result = checked()
    assert result.ok and list(result.errors) == [name for name, _ in trees.walk(model.params, "params")]
    assert result.quantities == []
    monkeypatch.setattr(layers.LSTMStep, "backward", forgets(1.01))
    wrong = checked()
    assert not wrong.ok and wrong.errors["params.head.b"] <= wrong.tolerance < wrong.errors["params.source.W"]


class StateHead(VocabularyHead):
    """Scores from the state alone."""

    def loss(self, decoded, *others):
        return StateTrace(decoded, super().loss(SimpleNamespace(r=decoded.h), *others))


@dataclass
class StateTrace(Trace):
    decoded: Any
    inner: Any

    @property
    def loss(self):
        return self.inner.loss

    def backward(self, dloss=1.0):
        grad = self.inner.backward(dloss)
        return HeadGrad(grad.params, dr=np.zeros_like(self.decoded.r), dh=grad.dr)


@pytest.mark.slow
@pytest.mark.usefixtures("parts_are_forgotten")
@pytest.mark.parametrize("kind", few_fast(["plain", "attention", "luong", "feeding"], ["plain"]))
def test_the_state_that_a_head_reads_is_not_the_query_of_a_look(kind):
    model, data = create(kind, 2, head=StateHead, residual=True, hidden=8, embedding=8), batch()
    result = check(lambda params: forward(params, data, model.config), {"params": model.params})
    assert result.ok and not [said for said in result.warnings if "is not the derivative" in said], str(result)


def forgets(factor):
    """The right backward of a step, but for a factor on the way to the previous cell; None: that without the gate."""

    def backward(self, dh, dc):
        grad = lstm.lstm_step_backward(self, dh, dc)
        grad.dc_prev = grad.dc if factor is None else factor * grad.dc_prev
        return grad

    return backward


def test_a_bug_within_a_model_is_named_at_its_part(monkeypatch):
    monkeypatch.setattr(layers.LSTMStep, "backward", forgets(None))
    found = of_case("seq2seq, attention, 1 layer").diagnosis
    assert {d.name for d in found} == {"the forget gate is missing on the way to the previous cell"}
    assert {d.where for d in found} == {"decoder.lowest", "encoder.0"}
