"""Whatever a model can be made of has what it needs: equations, cases, numbers of others, and a line in the pages."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import oracle

from numseq import layers
from numseq.gradcheck import check
from numseq.mistakes import LAYERS, cases, function_of, registered
from numseq.mistakes.models import cases as cases_of_models
from numseq.models import ATTENTIONS, CELLS, DECODERS, ENCODERS, HEADS, SOURCES, TARGETS
from numseq.models.config import PARTS
from numseq.models.heads.vocabulary import VocabularyHead, VocabularyNoise
from numseq.objectives import OBJECTIVES

TABLE = cases()
PAGE = (Path(__file__).parents[2] / "docs" / "cells-and-attention.md").read_text(encoding="utf-8")
ATTENDING = {name: kind for name, kind in ATTENTIONS.items() if kind is not None}
BOXES = {"source": SOURCES, "encoder": ENCODERS, "target": TARGETS, "decoder": DECODERS, "head": HEADS}
IN_BOXES = [(kind, name) for kind, registry in BOXES.items() for name in registry]
ORACLES = {  # of a part: where in oracles/ the numbers of another library lie, or why there are none
    "lstm": ("cells", "lstm/"),
    "lstm-peephole": ("cells", "peephole/"),
    "lstm-layernorm": ("cells", "layernorm_lstm/"),
    "gru": ("cells", "gru/"),
    "gru-reset-before": ("cells", "gru_before/"),
    "rnn": ("cells", "rnn/"),
    "rnn-relu": ("cells", "relu_rnn/"),
    "additive": ("attentions", "additive/"),
    "concat": ("attentions", "concat/"),
    "dot": ("attentions", "dot/"),
    "scaled-dot": ("attentions", "scaled/"),
    "general": ("attentions", "general/"),
    "local-p": ("attentions", "local/"),
    "location": ("attentions", "location/"),
    "coverage": ("attentions", "coverage/"),
    "multi-head": ("attentions", "packed/"),
}


def case_of(equations):
    return next(case for name, case in TABLE.items() if name.split(",")[0] == LAYERS[equations].case.split(",")[0])


def without_equations(parts):
    """Those whose backward is not written once more, or has no usual mistake beside it."""
    named = {name: getattr(part, "equations", None) for name, part in parts.items()}
    return [name for name, known in named.items() if known not in LAYERS or not LAYERS[known].possible()]


def without_oracle(parts):
    return [name for name in parts if name not in ORACLES]


def without_line(parts):
    """Those which the page does not name: in the first column of a table, or in a sentence of their own."""
    text = re.sub(r"^\|(.*?)\|.*", r"\1", PAGE, flags=re.MULTILINE)
    return [name for name in parts if f"`{name}`" not in text]


def without_case(registry, kind):
    """Boxes that no model among the cases is made of."""
    configs = [inspect.getclosurevars(case.function).nonlocals["config"] for case in models().values()]
    used = {getattr(config, kind) for config in configs}
    return sorted(set(registry) - used)


def models():
    return {name: case for name, case in TABLE.items() if name.startswith("seq2seq")}


@pytest.mark.parametrize("name", [*CELLS, *ATTENDING])
def test_every_cell_and_attention_has_plain_equations_that_are_its_own(name):
    parts = CELLS | ATTENDING
    assert without_equations({name: parts[name]}) == []
    case = case_of(parts[name].equations)
    assert function_of(case.function(**case.inputs)) == parts[name].equations


@pytest.mark.parametrize("name", ORACLES)
def test_numbers_of_another_library_are_there(name):
    where = ORACLES[name]
    assert isinstance(where, str) or oracle(*where)  # or the reason why not


def test_every_cell_and_attention_is_held_to_numbers_of_another_library():
    assert without_oracle(CELLS | ATTENDING) == [] and set(ORACLES) == set(CELLS | ATTENDING)


def test_every_part_is_on_the_page():
    for registry in (CELLS, ATTENTIONS, *BOXES.values()):
        assert without_line(registry) == [], registry.kind


@pytest.mark.parametrize("kind", ["cell", "attention", *BOXES])
def test_every_part_is_in_a_model_that_is_checked(kind):
    assert without_case(PARTS[kind], kind) == []


def test_the_registries_are_all_walked():
    assert PARTS.keys() == {"cell", "attention", *BOXES} and list(OBJECTIVES) == ["cross-entropy"]


class Forgetful(layers.RNN):
    """A cell of which nothing is known but that it is registered; and whose backward is wrong."""

    equations = None

    def backward(self, s, dstate, params):
        grad, before = super().backward(s, dstate, params)
        return grad, layers.HiddenState(0.5 * before.h)


class Nearest(layers.DotAttention):
    equations = None


@pytest.mark.usefixtures("parts_are_forgotten")
def test_a_part_that_has_nothing_is_found_and_is_checked_all_the_same(monkeypatch):
    for kind in (Forgetful, Nearest):
        monkeypatch.setattr(kind, "__module__", "numseq.layers.new")
    CELLS["forgetful"], ATTENTIONS["nearest"] = Forgetful(), Nearest
    ENCODERS["tree"] = type("TreeEncoder", (ENCODERS["forward"],), {})
    parts = {"forgetful": CELLS["forgetful"], "nearest": Nearest}
    assert without_equations(parts) == without_oracle(parts) == without_line(parts) == ["forgetful", "nearest"]
    assert "forgetful" in without_case(CELLS, "cell") and "tree" in without_case(ENCODERS, "encoder")
    tried = registered.cases(np.random.default_rng(0))
    found = {name: check(case.function, case.inputs) for name, case in tried.items()}
    assert {"forgetful, ragged", "bidirectional, forgetful", "stack, forgetful", "nearest, attention"} < found.keys()
    assert found["nearest, attention"].ok and found["forgetful"].first_wrong == ("dh", 4)
    assert found["forgetful"].diagnosis == []


@pytest.mark.usefixtures("parts_are_forgotten")
def test_a_box_that_no_model_is_made_of_is_checked_in_one_all_the_same():
    class Hasty(VocabularyHead):
        def loss(self, *given):
            trace = super().loss(*given)
            trace.dropout.mask = None  # on the way back alone
            return trace

        def draw(self, draws, steps, batch, params):
            return VocabularyNoise(np.full((steps, batch, self.config.features), 2.0))

    assert "seq2seq, head hasty" not in TABLE
    HEADS["hasty"] = Hasty
    case = cases_of_models(np.random.default_rng(0))["seq2seq, head hasty"]
    assert not check(case.function, case.inputs).ok
