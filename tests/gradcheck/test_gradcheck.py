"""The gradient checker: what it looks at, and what it says of bad results and of bad inputs."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from helpers import at_scale_one, lengths_to_mask, normal

from numseq import layers
from numseq import params as trees
from numseq.gradcheck import Check, NotAnalyticError, check, grade
from numseq.mistakes import named, run_cases
from numseq.mistakes.fixtures import REAL
from numseq.mistakes.table import cases_of_layers
from numseq.record import StepGrad, StepRecord

lstm = sys.modules["numseq.layers.cells.lstm"]
TABLE = cases_of_layers()
T = 6  # of the table's inputs


def of_case(name, **options):
    return check(TABLE[name].function, TABLE[name].inputs, name=name, **options)


# every named quantity is looked at

STEP = ["dh", "do", "dc", "di", "df", "dg", "dc_prev", "da"]
STEPS = {  # what each cell's step names, in the order of its walk back
    "lstm": STEP,
    "peephole": STEP,
    "rnn": ["dh", "da"],
    "relu_rnn": ["dh", "da"],
    "gru": ["dh", "dz", "dn", "dh_prev", "dr", "du", "da"],
    "gru_before": ["dh", "dz", "dn", "dv", "dr", "dh_prev", "da"],
    "layernorm_lstm": ["dh", "do", "dn", "dc_hat", "dc", "di", "df", "dg", "dc_prev", "da", "dq_hat", "dq"],
}
LOOK = ["dcontext", "dalpha", "de", "dprojected", "dquery"]
QUANTITIES = {
    "bidirectional": [(name, t) for t in reversed(range(T)) for name in STEP],
    "additive_attention": [(name, t) for t in reversed(range(T)) for name in LOOK],
}
for cell, inside in STEPS.items():
    QUANTITIES[cell] = [(name, t) for t in reversed(range(T)) for name in inside]
    QUANTITIES[f"{cell}, ragged"] = QUANTITIES[cell]
    QUANTITIES[f"{cell}, ragged, reversed"] = [(name, t) for t in range(T) for name in inside]


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_named_quantity_at_every_step_is_right_in_the_order_of_the_walk_back(name):
    found = of_case(name).quantities
    assert [(quantity.label, quantity.place.t) for quantity in found] == QUANTITIES[name]
    assert max(quantity.error for quantity in found) <= 1e-10


def test_a_single_steps_quantities_are_right():
    found = {quantity.label: quantity.error for quantity in of_case("lstm_step").quantities}
    assert found.keys() >= {"do", "dc", "di", "df", "dg", "dc_prev", "da"} and max(found.values()) <= 1e-10


def test_the_right_one_is_right_in_one_line():
    result = of_case("lstm, ragged")
    assert re.fullmatch(r"lstm, ragged: right, worst relative error \d\.\de-\d\d \([\w.]+, complex-step\)", str(result))
    assert result.ok and result.first_wrong is None and result.diagnosis == [] and result.warnings == []


# what backward returns can be bad in many ways


class Toy:
    """A trace of y = f(x), with a backward to try."""

    outputs = ("y",)

    def __init__(self, y, backward):
        self.y, self._backward = y, backward

    def backward(self, dy):
        return self._backward(dy)


X = normal(3, 4, seed=1)


def toy(backward, forward=lambda x: x * x, **options):
    """Check dx = backward(x, dy) for y = forward(x)."""
    return check(lambda x: Toy(forward(x), lambda dy: backward(x, dy)), {"x": X.copy()}, name="toy", **options)


def raising(x, dy):
    raise IndexError("no such gate")


BAD = {  # what is returned: (function, what is said)
    "right": (lambda x, dy: {"dx": 2 * x * dy}, None),
    "another shape": (lambda x, dy: {"dx": (2 * x * dy).sum(axis=0)}, r"^dx has shape \(4,\).*\(3, 4\)"),
    "nothing for an input": (lambda x, dy: {}, "^backward gives no dx: the gradient by the input x is missing"),
    "None for an input": (lambda x, dy: {"dx": None}, "^backward gives no dx"),
    "None": (lambda x, dy: None, "^backward returned None.*return"),
    "complex numbers": (lambda x, dy: {"dx": 2 * x * dy + 0j}, "^dx is of dtype complex128"),
    "an error": (raising, "^backward raised IndexError: no such gate in .*line"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_result_is_one_problem_that_names_it(what):
    function, said = BAD[what]
    result = toy(function)
    assert result.ok == (said is None)
    if said:
        assert len(result.problems) == 1 and re.search(said, result.problems[0]), result.problems
        assert "toy: WRONG" in str(result) and result.worst == np.inf


MIXED = {  # these may be said to be other things as well
    "NaN": (lambda x, dy: {"dx": 2 * x * dy * np.nan}, "^dx holds numbers that are not finite"),
    "infinity": (lambda x, dy: {"dx": np.where(x > 0, np.inf, 2 * x * dy)}, "^dx holds numbers that are not finite"),
    "integers": (lambda x, dy: {"dx": np.ones((3, 4), dtype=int)}, "^dx is of dtype int"),
    "a number": (lambda x, dy: {"dx": 1.0}, "^dx is a float, not an array"),
}


@pytest.mark.parametrize("what", MIXED)
def test_a_result_that_is_no_gradient_is_a_problem(what):
    function, said = MIXED[what]
    result = toy(function)
    assert not result.ok and any(re.search(said, problem) for problem in result.problems), result.problems


def test_a_list_is_no_array():
    assert not toy(lambda x, dy: {"dx": (2 * x * dy).tolist()}).ok


def test_a_missing_and_an_unknown_parameter_are_named():
    def given(**gradients):
        return lambda s, dy: {"dx": s.backward(dy).dx, "params": gradients}

    missing = grade("linear", given(W=normal(3, 5)))
    assert any("params.b is missing" in problem for problem in missing.problems)
    unknown = grade("linear", given(V=normal(3, 5)))
    assert any("params.V is the gradient of nothing" in problem for problem in unknown.problems)


def test_what_is_zero_is_said_to_be_zero():
    result = toy(lambda x, dy: {"dx": 0 * x})
    assert result.first_wrong == ("dx", None) and result.first.shows == ["it is zero everywhere"]


SHOWS = {  # what was made of the right gradient: what is said of it
    "its sign is turned": lambda g: -g,
    "it is 1.01 times what it should be": lambda g: 1.01 * g,
    "it is right but divided by 3, the number of rows": lambda g: g / 3,
    "only in row 2 of 3": lambda g: g * np.array([1, 1, 1.5])[:, None],
    "only in rows 0, 1 of 3": lambda g: g * np.array([2, 3, 1])[:, None],
    "it is off by a factor of 1 + 1.0e-06": lambda g: g * (1 + 1e-6),
}


@pytest.mark.parametrize("said", SHOWS)
def test_numbers_show_how_they_are_wrong(said):
    result = toy(lambda x, dy: {"dx": SHOWS[said](3 * x**2 * dy)}, lambda x: x**3)
    assert said in result.first.shows, str(result)


SMALL = {"complex-step": 1e-9, "central": 1e-4, "richardson": 1e-6}  # beside 1000, and above each one's rounding


@pytest.mark.parametrize("method", SMALL)
def test_a_gradient_of_0_is_not_excused_by_larger_ones(method):
    slope = SMALL[method]
    for factor, right in ((1, True), (0, False)):
        result = check(
            lambda x, w: Toy(1e3 * x + slope * w, lambda dy: {"dx": 1e3 * dy, "dw": factor * slope * dy}),  # noqa: B023
            {"x": X, "w": normal(3, 4, seed=2)},
            method=method,
        )
        assert result.errors["dx"] <= result.tolerance and (result.errors["dw"] < 0.1) == right


# the fast part has every scale by the complex step, and one by differences
SCALED = [
    pytest.param(scale, method, marks=() if scale == 1 or method == "complex-step" else pytest.mark.slow)
    for scale in (0.1, 1.0, 3.0)
    for method in SMALL
]


@pytest.mark.parametrize("scale, method", SCALED)
def test_a_bias_that_a_softmax_does_not_see_has_a_gradient_of_0(method, scale):
    sizes = ((3, 8), (5, 8), (5, 8), (8, 4), 8, 8, 8, 4)
    params = [scale * normal(*np.atleast_1d(size), seed=k) for k, size in enumerate(sizes)]
    inputs = {"query": normal(6, 3, 3, seed=8), "keys": normal(5, 3, 5, seed=9), "values": normal(5, 3, 5, seed=10)}
    inputs["params"] = layers.MultiHeadParams(*params)
    for seed in range(3):  # of the weights: with some of them L is far smaller than what it is summed of
        result = check(lambda **kw: layers.multihead_attention(**kw, heads=2), inputs, method=method, seed=seed)
        assert result.errors["params.b_k"] == 0.0


# forward passes that the complex step does not suit


def in_a_float_buffer(x):
    y = np.zeros(x.shape)
    y[...] = x
    return y


ODD = {  # (forward, its true derivative, what the message names)
    "abs": (np.abs, np.sign, "imaginary part"),
    "real": (lambda x: 1 * x.real, np.ones_like, "imaginary part"),
    "conj": (np.conj, np.ones_like, "not analytic"),
    "a float buffer": (in_a_float_buffer, np.ones_like, r"in_a_float_buffer \(test_gradcheck.py, line \d+: y\["),
}


@pytest.mark.parametrize("what", ODD)
def test_a_forward_pass_that_is_not_analytic_is_said_to_be_so_and_has_another_method(what):
    forward, slope, said = ODD[what]
    backward = lambda x, dy: {"dx": dy * slope(x)}  # noqa: E731
    with pytest.raises(NotAnalyticError, match=said) as info:
        toy(backward, forward, method="complex-step")
    assert "method='central'" in str(info.value) and "\n" not in str(info.value)
    for method in ("central", "richardson"):
        assert toy(backward, forward, method=method).ok
        assert not toy(lambda x, dy: {"dx": 1.1 * dy * slope(x)}, forward, method=method).ok


def step_with(change):
    """An LSTM whose step makes of the new part of the cell `change(it)`, at its own line."""

    def step(a, c_prev):
        s = layers.LSTMStep()
        s.c_prev, s.a = c_prev, a
        s.gates = lstm.gates(s.a)
        s.i, s.f, s.g, s.o = lstm.blocks(s.gates)
        s.c = s.f * s.c_prev + change(s.i * s.g)
        s.tanh_c = np.tanh(s.c)
        s.h = s.o * s.tanh_c
        return s

    return layers.LSTM(step=step)


@pytest.mark.parametrize(
    "change", [np.conj, lambda x: np.abs(x) + 0j, lambda x: x.real + 0j], ids=["conj", "abs", "real"]
)
def test_the_quantity_is_named_where_a_forward_pass_stops_being_analytic(change):
    cell = step_with(lambda x: change(x) if np.iscomplexobj(x) else x)
    with pytest.raises(NotAnalyticError, match="not analytic at c of LSTMStep, step 0"):
        check(lambda **kw: layers.lstm(**kw, cell=cell), TABLE["lstm"].inputs, method="complex-step")


# what the inputs could not have shown


def lstm_inputs(T=4, B=3, **given):
    found = {"x": normal(T, B, 3, seed=1), "state": (normal(B, 2, seed=2), normal(B, 2, seed=3))}
    params = layers.LSTMParams(normal(3, 8, seed=4), normal(2, 8, seed=5), normal(8, seed=6))
    return found | {"params": params} | given


def lstm_over(lengths=(4, 2, 3)):
    return lambda **kw: layers.lstm(**kw, mask=lengths_to_mask(lengths))


def attend(S):
    params = layers.AdditiveParams(normal(2, 5), normal(3, 5), normal(5), normal(5))
    mask = lengths_to_mask([S, *[max(1, S - 1)] * 2])
    inputs = {"query": normal(4, 3, 2), "keys": normal(S, 3, 3), "values": normal(S, 3, 2), "params": params}
    return lambda **kw: layers.additive_attention(**kw, mask=mask), inputs


def look_up(ids):
    return lambda params: layers.embedding(np.array(ids), params), {"params": layers.EmbeddingParams(normal(9, 3))}


SHALLOW = {  # what is said: (function, inputs, options)
    "there is one row": (lstm_over([4]), lstm_inputs(B=1), {}),
    "there is one time step": (lstm_over([1, 1, 1]), lstm_inputs(T=1), {}),
    "there is one source position": (*attend(1), {}),
    "there is no padding": (lstm_over([4, 4, 4]), lstm_inputs(), {}),
    "no id is repeated": (*look_up([[1, 2], [3, 4]]), {}),
    "state.h is zero": (lstm_over(), lstm_inputs(state=(np.zeros((3, 2)), normal(3, 2))), {}),
    "state.h and state.c are zero": (lstm_over(), lstm_inputs(state=tuple(np.zeros((2, 3, 2)))), {}),
    "dropout is off": (lambda x: layers.dropout(x, None), {"x": normal(3, 4)}, {}),
    "params.W is square": (layers.linear, {"x": X, "params": layers.LinearParams(normal(4, 4), normal(4))}, {}),
    "the loss does not read final": (lstm_over(), lstm_inputs(), {"outputs": ("h",)}),
}
DEEP = {  # the same with nothing missing
    "lstm": (lstm_over(), lstm_inputs()),
    "attention": attend(3),
    "embedding": look_up([[1, 2], [3, 1]]),
}


@pytest.mark.parametrize("said", SHALLOW)
def test_inputs_that_hide_mistakes_are_warned_of(said):
    function, inputs, options = SHALLOW[said]
    result = check(function, inputs, **options)
    warned = [warning for warning in result.warnings if warning.startswith(f"{said}: that hides ")]
    assert result.ok and len(warned) == 1, result.warnings
    assert f"note: {warned[0]}" in str(result)


@pytest.mark.parametrize("name", DEEP)
def test_inputs_that_hide_nothing_are_not_warned_of(name):
    assert check(*DEEP[name]).warnings == []


@pytest.mark.parametrize("name", ["lstm, ragged", "bidirectional", "additive_attention"])
def test_the_librarys_own_cases_hide_nothing(name):
    assert of_case(name).warnings == []


# a function that cannot be checked


def test_a_function_that_draws_is_a_problem():
    rng = np.random.default_rng(0)

    def forward(x):
        mask = rng.integers(0, 2, x.shape)
        return Toy(x * mask, lambda dy: {"dx": dy * mask})

    problems = check(forward, {"x": X}, method="central").problems
    assert any(problem.startswith("two calls of forward with the same inputs gave different y") for problem in problems)


def test_a_backward_that_writes_to_an_input_is_a_problem():
    def backward(x, dy):
        dx = 2 * x * dy
        x *= 0.5
        return {"dx": dx}

    problems = toy(backward).problems
    assert any(problem.startswith("the input x was changed") for problem in problems)


def test_a_forward_that_writes_to_an_input_is_a_problem():
    def forward(x):
        x[0] += 1
        return 1 * x

    assert any("the input x was changed" in problem for problem in toy(lambda x, dy: {"dx": dy}, forward).problems)


def test_a_backward_that_clips_is_a_problem():
    result = toy(lambda x, dy: {"dx": np.clip(2 * x * dy, -2.0, 2.0)})
    assert [problem[:22] for problem in result.problems] == ["backward is not linear"]


# one direction alone


class LateForget(layers.LSTMStep):
    """A step whose way back through the forget gate is a hundredth too large."""

    def backward(self, dh, dc):
        grad = layers.LSTMStep.backward(self, dh, dc)
        grad.dc_prev = grad.dc_prev * 1.01
        return grad


def with_record(record):
    """An LSTM whose equations are the library's, and whose steps are records of another class."""
    return layers.LSTM(step=partial(layers.lstm_step, record=record))


BUGGY = with_record(LateForget)


def test_one_direction_takes_float32_inputs_and_leaves_them():
    inputs = {name: trees.cast(tree, np.float32) for name, tree in lstm_inputs().items()}
    result = check(lstm_over(), inputs, method="directional")
    assert result.ok and 1e-10 < result.worst <= result.tolerance < 1e-3
    assert all(leaf.dtype == np.float32 for tree in inputs.values() for leaf in trees.leaves(tree))
    wrong = check(
        lambda **kw: layers.lstm(**kw, mask=lengths_to_mask([4, 2, 3]), cell=BUGGY), inputs, method="directional"
    )
    assert not wrong.ok


def test_an_unknown_method_is_one_line():
    with pytest.raises(ValueError, match="method is 'forward': choose one of complex-step, central, richardson, direc"):
        of_case("tanh", method="forward")


def layernorm_lstm_that_doubles(leaf, part):
    """A cell whose gradient by one thing is twice too large in some columns."""

    class Cell(layers.LayerNormLSTM):
        def backward(self, s, dstate, params):
            grad, before = super().backward(s, dstate, params)
            if leaf == "a":
                grad.da[..., part] *= 2
            return grad, before

        def weight_gradients(self, *args):
            dx, dparams = super().weight_gradients(*args)
            if leaf != "a":
                getattr(dparams, leaf)[..., part] *= 2
            return dx, dparams

    return Cell()


@pytest.mark.slow
@pytest.mark.parametrize("leaf, blocks", [("W_h", "ifgo"), pytest.param("a", "ifgon", marks=pytest.mark.slow)])
def test_blocks_are_named_where_pre_activations_have_one_more_than_weights(leaf, blocks):
    H = 5  # so 4H columns could be parted in five, wrongly
    params = at_scale_one(layers.LayerNormLSTM().init(np.random.default_rng(0), 3, H, float))
    state = layers.CellState(normal(2, H, seed=1), normal(2, H, seed=2))
    inputs = {"x": normal(3, 2, 3), "state": state, "params": params}
    for k, letter in enumerate(blocks):
        cell = layernorm_lstm_that_doubles(leaf, slice(k * H, (k + 1) * H))
        result = check(lambda **kw: layers.layernorm_lstm(**kw, cell=cell), inputs)  # noqa: B023
        assert result.first_wrong[0] == ("da" if leaf == "a" else f"params.{leaf}")
        assert result.first.shows[0] == f"only in the block {letter}"


@pytest.mark.parametrize("method", ["complex-step", "central", "richardson"])
def test_every_method_finds_the_place(method):
    function = lambda **kw: layers.lstm(**kw, mask=lengths_to_mask([4, 2, 3]), cell=BUGGY)  # noqa: E731
    result = check(function, lstm_inputs(), method=method)
    assert result.first_wrong == ("dc_prev", 3) and "it is 1.01 times what it should be" in result.first.shows


def test_cases_are_run_by_the_methods_asked_for():
    assert [(c.method, c.ok) for c in run_cases(["tanh"], methods=("richardson",))] == [("richardson", True)]
    assert [c.method for c in run_cases(["tanh"])] == ["complex-step", "central"]


# reports


def wrong_step(s, dh, dc):
    """The forget gate is missing on the way to the previous cell."""
    right = s.backward(dh, dc)
    return {"da": right.da, "dc_prev": right.dc}


def test_a_wrong_one_is_told_with_its_place_equation_and_lesson():
    lines = [line.strip() for line in str(grade("lstm_step", wrong_step)).splitlines()]
    assert lines[0].startswith("wrong_step: WRONG, worst relative error ") and "(dc_prev, complex-step)" in lines[0]
    assert lines[1] == "wrong: dc_prev"
    assert lines[2] == "dc_prev should be dc * f, since c = f * c_prev + i * g"
    assert "this looks like: the forget gate is missing on the way to the previous cell" in lines
    assert "right: da" in lines


def test_a_wrong_sum_over_right_steps_is_told_from_a_wrong_step(monkeypatch):
    right = lstm.LSTM.weight_gradients

    def average(self, *args):
        dx, dparams = right(self, *args)
        dparams.W_h /= 2
        return dx, dparams

    monkeypatch.setattr(lstm.LSTM, "weight_gradients", average)
    result = of_case("lstm, ragged")
    assert result.first_wrong == ("params.W_h", None) and result.first.sums
    assert "every quantity inside is right" in str(result)


@pytest.mark.parametrize("backward", [lambda x, dy: {"dx": 2 * x * dy}, lambda x, dy: {"dx": x * np.nan}, raising])
def test_a_report_is_fit_for_json(backward):
    found = json.loads(json.dumps(toy(backward).to_dict(), allow_nan=False))
    assert found["name"] == "toy" and found["method"] == "complex-step" and isinstance(found["ok"], bool)
    assert isinstance(found["problems"], list) and found["ok"] == (not found["problems"])


def test_a_report_of_something_wrong_is_fit_for_json():
    found = json.loads(json.dumps(grade("lstm_step", wrong_step).to_dict(), allow_nan=False))
    assert (
        not found["ok"] and found["first_wrong"] == ["dc_prev", None] and found["worst"] == found["errors"]["dc_prev"]
    )
    assert found["diagnosis"][0]["name"] == "the forget gate is missing on the way to the previous cell"


def test_a_notebook_shows_text_and_no_markup_of_others():
    result = Check("<b>&", "central", 1e-6, errors={"<i>": 1.0}, problems=["<script>"], warnings=["a < b"])
    shown = result._repr_html_()
    for raw in ("<b>&", "<i>", "<script>", "a < b"):
        assert raw not in shown
    for escaped in ("&lt;b&gt;&amp;", "&lt;i&gt;", "&lt;script&gt;", "a &lt; b"):
        assert escaped in shown


# a reader's own records and cells


@dataclass(slots=True)
class SquareGrad(StepGrad):
    dy: object = None


@dataclass(slots=True)
class Square(StepRecord):
    """A reader's own step, z = 2 x^2, whose backward takes 3 for the 2."""

    outputs = ("z",)
    x: object = None
    y: object = None
    z: object = None

    def backward(self, dz):
        grad = SquareGrad(dy=3 * dz)
        return {"dx": grad.dy * 2 * self.x}


def square(x):
    s = Square(x=x)
    s.y = s.x**2
    s.z = 2 * s.y
    return s


def test_a_readers_own_record_is_looked_into_without_a_list_of_its_equations():
    result = check(square, {"x": normal(3, 4)})
    assert result.first_wrong == ("dy", None) and result.first.shows == ["it is 1.5 times what it should be"]
    assert result.first.equation is None


class Coupled(layers.LSTMStep):
    """A step with one gate for both: f = 1 - i; with its own way back."""

    def backward(self, dh, dc):
        grad = lstm.LSTMStepGrad()
        grad.dh = dh
        grad.do = grad.dh * self.tanh_c
        grad.dc = dc + grad.dh * self.o * (1 - self.tanh_c**2)
        grad.df = grad.dc * self.c_prev
        grad.di = grad.dc * self.g - grad.df
        grad.dg = grad.dc * self.i
        grad.dc_prev = grad.dc * self.f
        slopes = [self.i * (1 - self.i), 0, 1 - self.g**2, self.o * (1 - self.o)]
        parts = zip([grad.di, grad.df, grad.dg, grad.do], slopes, strict=True)
        grad.da = np.concatenate([d * slope for d, slope in parts], axis=-1)
        return grad


def coupled(record):
    """Equations written out, on a record of one's own or of the library's."""

    def coupled_step(a, c_prev):
        s = record()
        s.c_prev, s.a = c_prev, a
        s.gates = lstm.gates(s.a)
        s.i, _, s.g, s.o = lstm.blocks(s.gates)
        s.f = 1 - s.i
        s.c = s.f * s.c_prev + s.i * s.g
        s.tanh_c = np.tanh(s.c)
        s.h = s.o * s.tanh_c
        return s

    return coupled_step


def changed_lstm_step(a, c_prev):
    """The library's step, some of whose results are put in anew: the record's last assignments are what counts."""
    s = layers.lstm_step(a, c_prev)
    s.f = 1 - s.i
    s.c = s.f * s.c_prev + s.i * s.g
    s.tanh_c = np.tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


def lstm_of(step, mask=None):
    return lambda **kw: layers.lstm(**kw, mask=mask, cell=layers.LSTM(step=step))


SITUATIONS = {  # of a step: (a function that runs it, inputs)
    "a step": lambda step: (step, TABLE["lstm_step"].inputs),
    "a sequence": lambda step: (lstm_of(step), TABLE["lstm"].inputs),
    "with padding": lambda step: (lstm_of(step, REAL), TABLE["lstm"].inputs),
    "both directions": lambda step: (
        lambda **kw: layers.bidirectional(**kw, mask=REAL, cell=layers.LSTM(step=step)),
        TABLE["bidirectional"].inputs,
    ),
}


@pytest.mark.parametrize("where", SITUATIONS)
def test_a_changed_equation_with_its_own_backward_is_right(where):
    function, inputs = SITUATIONS[where](coupled(Coupled))
    result = check(function, inputs)
    assert result.ok and max(quantity.error for quantity in result.quantities) <= 1e-10, str(result)
    assert {quantity.label for quantity in result.quantities} == {"dh", "do", "dc", "df", "di", "dg", "dc_prev", "da"}


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize("step", [coupled(layers.LSTMStep), changed_lstm_step])
def test_a_changed_equation_with_the_backward_of_another_is_wrong_and_is_told_nothing_of_the_other(step, where):
    function, inputs = SITUATIONS[where](step)
    result = check(function, inputs)
    assert result.first_wrong == ("di", None if where == "a step" else T - 1), str(result)
    assert not result.ok and result.first.equation is None and result.diagnosis == []
    assert "it should be" not in str(result) and "known mistakes" not in str(result)


def test_a_step_that_is_the_lstms_to_the_letter_is_told_the_lstms_equations():
    class NoForget(layers.LSTMStep):
        def backward(self, dh, dc):
            grad = layers.LSTMStep.backward(self, dh, dc)
            grad.dc_prev = grad.dc
            return grad

    result = check(lambda **kw: layers.lstm(**kw, mask=REAL, cell=with_record(NoForget)), TABLE["lstm"].inputs)
    assert result.first_wrong == ("dc_prev", T - 1) and result.first.equation.startswith("dc * f, since")
    assert [d.name for d in result.diagnosis] == ["the forget gate is missing on the way to the previous cell"]


def test_gradients_are_looked_at_in_the_order_in_which_they_were_said():
    """Not in that of the StepGrad's fields, and what was said anew was said last."""

    class Turned(layers.LSTMStep):
        def backward(self, dh, dc):
            right, grad = layers.LSTMStep.backward(self, dh, dc), lstm.LSTMStepGrad()
            for name in ("dg", "da", "dc", "do"):
                setattr(grad, name, getattr(right, name))
            grad.dg = right.dg
            grad.dc_prev = right.dc_prev
            return grad

    found = check(with_record(Turned).step, TABLE["lstm_step"].inputs).quantities
    assert [quantity.label for quantity in found] == ["da", "dc", "do", "dg", "dc_prev"]
    assert max(quantity.error for quantity in found) <= 1e-10


def hasty(keep):
    """A step whose equations read local variables, and not s.a and s.i; keep(i) is what the record gets."""

    def step(a, c_prev):
        s = layers.LSTMStep()
        s.c_prev, s.a = c_prev, a
        s.gates = lstm.gates(a)
        i, s.f, s.g, s.o = lstm.blocks(s.gates)
        s.i = keep(i)
        s.c = s.f * s.c_prev + i * s.g
        s.tanh_c = np.tanh(s.c)
        s.h = s.o * s.tanh_c
        return s

    return step


def test_a_local_variable_of_the_same_array_is_looked_at_too():
    result = check(hasty(lambda i: i), TABLE["lstm_step"].inputs)
    assert result.ok and not result.warnings
    assert {"da", "di"} <= {quantity.label for quantity in result.quantities if quantity.error < 1e-10}


def test_what_nobody_reads_from_a_record_is_noted_and_not_taken_for_wrong():
    result = check(hasty(np.copy), TABLE["lstm_step"].inputs)
    assert result.ok and "di" not in {quantity.label for quantity in result.quantities}
    assert [warning.split(",")[0] for warning in result.warnings] == ["nothing reads i of LSTMStep from the record"]


def test_a_backward_may_put_records_together_for_its_own_use():
    class Copying(layers.LSTM):
        def backward(self, s, dstate, params):
            copied = layers.LSTMStep(*(getattr(s, name) for name in layers.LSTMStep.__dataclass_fields__))
            lstm.lstm_step_backward(copied, *dstate)  # what is said of the copy is said of nothing that forward made
            return super().backward(s, dstate, params)

    result = check(lambda **kw: layers.lstm(**kw, cell=Copying()), TABLE["lstm"].inputs)
    assert result.ok and len(result.quantities) == 8 * T


@dataclass(slots=True)
class OwnGrad(StepGrad):
    dh: object = None
    da: object = None


@dataclass(slots=True)
class OwnStep(StepRecord):
    """A reader's own step, h = tanh(a), whose backward forgets the tanh or does not."""

    outputs = ("h",)
    a: object = None
    h: object = None


class OwnCell:
    """No more than what the protocol of a cell asks for; `equations` is no part of it."""

    State = layers.HiddenState

    def __init__(self, slope):
        self.slope = slope

    def project_inputs(self, x, params):
        return x @ params.W_x + params.b, None

    def forward(self, a, state, params):
        s = OwnStep()
        s.a = a + state.h @ params.W_h
        s.h = np.tanh(s.a)
        return s

    def backward(self, s, dstate, params):
        grad = OwnGrad(dstate.h)
        grad.da = dstate.h * self.slope(s.h)
        return grad, layers.HiddenState(grad.da @ params.W_h.swapaxes(-1, -2))

    def weight_gradients(self, x, saved, h_prev, steps, da, params):
        sums = np.einsum("tbd,tbh->dh", x, da), np.einsum("tbd,tbh->dh", h_prev, da), da.sum(axis=(0, 1))
        return da @ params.W_x.T, layers.RNNParams(*sums)


@pytest.mark.parametrize("both", [False, True])
def test_a_readers_own_cell_is_looked_into_without_a_list_of_its_equations(both):
    one = [layers.RNNParams(normal(3, 4, seed=k), normal(4, 4, seed=k + 2), normal(4, seed=k + 4)) for k in range(2)]
    inputs = {"x": normal(3, 2, 3, seed=6), "state": normal(*[2] * both, 2, 4, seed=7)}
    inputs["params"] = layers.BidirectionalParams(*one) if both else one[0]
    function = layers.bidirectional if both else layers.sequence
    for slope, right in ((lambda h: 1 - h**2, True), (lambda h: 1 + 0 * h, False)):
        cell = OwnCell(slope)
        result = check(lambda **kw: function(**kw, cell=cell), inputs)  # noqa: B023
        assert result.ok == right and not result.problems, str(result)
        assert function(**inputs, cell=cell).equations is None
    assert result.first_wrong == ("da", 2) and result.diagnosis == []
    assert "dstate.h" in result.errors
    assert {bug.function for bug in named("bidirectional", function(**inputs, cell=cell))} == {"bidirectional"}


FORMS = {  # of the gradient of a state
    "as the library's": lambda grad: grad,
    "a tuple": lambda grad: replace(grad, dstate=tuple(grad.dstate)),
    "a list": lambda grad: replace(grad, dstate=list(grad.dstate)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("given", [tuple, list, lambda state: layers.CellState(*state)])
def test_a_state_is_a_tuple_with_names_or_without(monkeypatch, form, given):
    right = layers.RecurrentTrace.backward
    monkeypatch.setattr(
        layers.RecurrentTrace, "backward", lambda self, **upstream: FORMS[form](right(self, **upstream))
    )
    result = check(lstm_over(), lstm_inputs() | {"state": given(lstm_inputs()["state"])})
    assert result.ok and len(result.errors) == 6, str(result)
    if form == "as the library's":
        assert {"dstate.h", "dstate.c"} < result.errors.keys()


def test_a_state_without_one_of_its_parts_is_a_problem(monkeypatch):
    right = layers.RecurrentTrace.backward

    def halved(self, **upstream):
        return replace(right(self, **upstream), dstate=(right(self, **upstream).dstate.h,))

    monkeypatch.setattr(layers.RecurrentTrace, "backward", halved)
    problems = check(lstm_over(), lstm_inputs()).problems
    assert any("dstate.1 is missing" in problem for problem in problems), problems


def test_checking_what_is_right_imports_no_layer_and_no_list_of_mistakes():
    code = """
import sys
import numpy as np
from numseq.gradcheck import check

class Square:
    outputs = ("y",)
    def __init__(self, x):
        self.x, self.y = x, x * x
    def backward(self, dy):
        return {"dx": 2 * self.x * dy}

assert check(Square, {"x": np.arange(6.0).reshape(2, 3)}).ok
print(*sorted(name for name in sys.modules if name.startswith("numseq.") and name.count(".") == 1))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numseq.layers", "numseq.models", "numseq.mistakes"} & set(done.stdout.split())
