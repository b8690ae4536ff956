"""The gradient checker: what it looks at, what it says of bad results and of bad inputs, grading, and known bugs."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import assert_close, at_scale_one, batch, create, lengths_to_mask, normal, output_gradients

from numseq import layers
from numseq import params as trees
from numseq.gradcheck import BUGS, Check, NotAnalyticError, check, grade
from numseq.gradcheck.bugs import STEP_OF, named, run
from numseq.gradcheck.cases import cases, run_cases
from numseq.gradcheck.cases.case import REAL
from numseq.gradcheck.cases.cells import CELLS
from numseq.gradcheck.diagnosis import function_of, match
from numseq.gradcheck.grade import CASE_OF, names
from numseq.models import ConfigError, forward
from numseq.record import StepGrad, StepRecord
from numseq.training.optimizers import clip_by_global_norm

lstm = sys.modules["numseq.layers.lstm"]  # a file that a function of the same name hides
TABLE = cases()
T, B, S = 6, 7, 5  # of the table's inputs


def of_case(name, **options):
    return check(TABLE[name].function, TABLE[name].inputs, name=name, **options)


# every named quantity is looked at

STEP = ["dh", "do", "dc", "di", "df", "dg", "dc_prev", "da"]
STEPS = {  # what each cell's step names, in the order of its walk back
    "lstm": STEP,
    "peephole": STEP,
    "rnn": ["dh", "da"],
    "relu_rnn": ["dh", "da"],
    "gru": ["dh", "dz", "dn", "dr", "du", "dh_prev", "da"],
    "gru_before": ["dh", "dz", "dn", "dv", "dr", "dh_prev", "da"],
    "layernorm_lstm": ["dh", "do", "dn", "dc_hat", "dc", "di", "df", "dg", "dc_prev", "da", "dq_hat", "dq"],
}
LOOK = ["dcontext", "dalpha", "de", "dquery"]
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


def test_a_models_quantities_are_right_and_have_paths():
    found = of_case("seq2seq, attention, 1 layer").quantities
    labels = [quantity.label for quantity in found]
    assert max(quantity.error for quantity in found) <= 1e-10
    for path, steps in (("encoder.0", S), ("decoder", T)):
        assert [labels.count(f"{path}.{name}") for name in STEP[1:]] == [steps] * 7
    assert [labels.count(f"decoder.{name}") for name in LOOK] == [T] * 4
    once = ["readout.output.dy", "readout.dropout.dy", "decoder.read.dr", "decoder.read.da", "cross_entropy.dloss"]
    once += ["decoder.bridge.h.0.dy", "decoder.bridge.c.0.dy", "decoder.dropout.dy", "decoder.embedding.dy"]
    once += ["encoder.dh_T", "encoder.dc_T", "encoder.dropout.dy", "encoder.embedding.dy"]
    assert [labels.count(label) for label in once] == [1] * len(once)
    assert all(re.fullmatch(r"(([a-z][a-z_]*|\d)\.)*d[a-zA-Z_]+", label) for label in labels)


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
    "one too many": (lambda x, dy: {"dx": 2 * x * dy, "dz": x}, "^backward gives dz, but the inputs are x"),
    "None": (lambda x, dy: None, "^backward returned None.*return"),
    "complex numbers": (lambda x, dy: {"dx": 2 * x * dy + 0j}, "^dx is of dtype complex128"),
    "an error": (raising, "^backward raised IndexError: no such gate in raising, line"),
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


@pytest.mark.parametrize("method", SMALL)
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
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
        toy(backward, forward)
    assert "method='central'" in str(info.value) and "\n" not in str(info.value)
    for method in ("central", "richardson"):
        assert toy(backward, forward, method=method).ok
        assert not toy(lambda x, dy: {"dx": 1.1 * dy * slope(x)}, forward, method=method).ok


def step_with(change):
    """An LSTM whose step makes of the cell `change(cell)`, at its own line."""

    def step(a, c_prev, s):
        s.c_prev, s.a = c_prev, a
        s.gates = lstm.gates(s.a, out=s.gates)
        s.i, s.f, s.g, s.o = lstm.blocks(s.gates)
        s.c = np.add(s.f * s.c_prev, change(s.i * s.g), out=s.c)
        s.tanh_c = np.tanh(s.c, out=s.tanh_c)
        s.h = np.multiply(s.o, s.tanh_c, out=s.h)

    return layers.LSTM(step=step)


@pytest.mark.parametrize(
    "change", [np.conj, lambda x: np.abs(x) + 0j, lambda x: x.real + 0j], ids=["conj", "abs", "real"]
)
def test_the_quantity_is_named_where_a_forward_pass_stops_being_analytic(change):
    cell = step_with(lambda x: change(x) if np.iscomplexobj(x) else x)
    with pytest.raises(NotAnalyticError, match="not analytic at c of LSTMStep, step 0"):
        check(lambda **kw: layers.lstm(**kw, cell=cell), TABLE["lstm"].inputs)


# what the inputs could not have shown


def lstm_inputs(T=4, B=3, **given):
    found = {"x": normal(T, B, 3, seed=1), "h0": normal(B, 2, seed=2), "c0": normal(B, 2, seed=3)}
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
    "h0 is zero": (lstm_over(), lstm_inputs(h0=np.zeros((3, 2))), {}),
    "h0 and c0 are zero": (lstm_over(), lstm_inputs(h0=np.zeros((3, 2)), c0=np.zeros((3, 2))), {}),
    "dropout is off": (lambda x: layers.dropout(x, None), {"x": normal(3, 4)}, {}),
    "params.W is square": (layers.linear, {"x": X, "params": layers.LinearParams(normal(4, 4), normal(4))}, {}),
    "the loss does not read h_T, c_T": (lstm_over(), lstm_inputs(), {"outputs": ("h",)}),
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
    assert any(problem.startswith("two calls with the same inputs gave different y") for problem in problems)


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

    def backward(self, dh, dc, da=None):
        grad = layers.LSTMStep.backward(self, dh, dc, da)
        grad.dc_prev = grad.dc_prev * 1.01
        return grad


BUGGY = layers.LSTM(record=LateForget)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_one_direction_says_whether_a_whole_model_is_right(kind, dtype):
    model, data = create(kind, layers=2, dtype=dtype), batch()
    for cell, right in ((layers.LSTM(), True), (BUGGY, False)):
        result = check(
            lambda params, cell=cell: forward(params, data, model.config, cell=cell),
            {"params": model.params},
            method="directional",
        )
        assert result.ok == right, (result.worst, result.tolerance)
        assert list(result.errors) == ["along a random direction"] and result.quantities == []


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

    class Step(layers.LayerNormLSTMStep):
        def backward(self, *args):
            grad = layers.LayerNormLSTMStep.backward(self, *args)
            if leaf == "a":
                grad.da[..., part] *= 2
            return grad

    class Cell(layers.LayerNormLSTM):
        def after(self, *args):
            dx, dparams = super().after(*args)
            if leaf != "a":
                getattr(dparams, leaf)[..., part] *= 2
            return dx, dparams

    return Cell(record=Step)


@pytest.mark.parametrize("leaf, blocks", [("W_x", "ifgo"), ("W_h", "ifgo"), ("a", "ifgon")])
def test_blocks_are_named_where_pre_activations_have_one_more_than_weights(leaf, blocks):
    H = 5  # so 4H columns could be parted in five, wrongly
    params = at_scale_one(layers.LayerNormLSTM().init(np.random.default_rng(0), 3, H, float))
    inputs = {"x": normal(3, 2, 3), "h0": normal(2, H, seed=1), "c0": normal(2, H, seed=2), "params": params}
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
    assert lines[1] == "first wrong on the way back from the loss: dc_prev"
    assert lines[2] == "it should be dc * f, since c = f * c_prev + i * g"
    assert "this looks like: the forget gate is missing on the way to the previous cell" in lines
    assert "wrong: dc_prev; right: da" in lines


def test_a_wrong_sum_over_right_steps_is_told_from_a_wrong_step(monkeypatch):
    after = lstm.LSTM.after

    def average(self, *args):
        dx, dparams = after(self, *args)
        dparams.W_h /= 2
        return dx, dparams

    monkeypatch.setattr(lstm.LSTM, "after", average)
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


# grading somebody's function

GRADED = names()


@pytest.mark.parametrize("name", GRADED)
def test_the_librarys_own_backward_gets_full_marks(name):
    taken, returned = GRADED[name]
    result = grade(name, lambda s, **upstream: type(s).backward(s, **upstream))
    assert result.ok and not result.warnings, str(result)
    assert taken[0] == "trace" and all(word[0] == "d" for word in taken[1:])
    assert {leaf.split(".")[0] for leaf in result.errors} == set(returned)


def test_all_that_has_known_bugs_is_graded():
    noise = {"zoneout", "weight_drop"}  # which are of a sequence
    assert {bug.function for bug in BUGS} - {"sequence", "tied_embedding", "clip_by_global_norm"} - noise <= set(GRADED)


@pytest.mark.parametrize("name", GRADED)
def test_a_result_that_is_too_large_is_reported_whatever_it_is_of(name):
    wrong = GRADED[name][1][0]

    def backward(s, **upstream):
        grad = type(s).backward(s, **upstream)
        found = {result: getattr(grad, result) for result in GRADED[name][1]}
        return found | {wrong: trees.map(lambda leaf: 1.5 * leaf, found[wrong])}

    result = grade(name, backward)
    assert not result.ok and not result.problems and result.first_wrong[0].split(".")[0] == wrong, str(result)


def linear_parts(s, dy):
    grad = s.backward(dy)
    return grad.dx, grad.params


RETURNED = {
    "a tuple": lambda s, dy: linear_parts(s, dy),
    "a dict": lambda s, dy: dict(zip(("dx", "params"), linear_parts(s, dy), strict=True)),
    "a dict of dicts": lambda s, dy: {
        "dx": s.backward(dy).dx,
        "params": {k: getattr(s.backward(dy).params, k) for k in "bW"},
    },
    "a record": lambda s, dy: SimpleNamespace(dx=s.backward(dy).dx, params=s.backward(dy).params),
    "the library's record": lambda s, dy: s.backward(dy),
}


@pytest.mark.parametrize("what", RETURNED)
def test_gradients_are_taken_as(what):
    assert grade("linear", RETURNED[what]).ok


def test_an_array_is_the_only_gradient():
    assert grade("tanh", lambda s, dy: dy * (1 - s.y**2)).ok
    assert not grade("tanh", lambda s, dy: dy * (1 - s.y)).ok


def test_too_few_of_a_tuple_are_missed():
    assert any(
        "gives no dc_prev" in said for said in grade("lstm_step", lambda s, dh, dc: (s.backward(dh, dc).da,)).problems
    )


def test_the_name_of_a_graded_function_is_that_of_the_report():
    assert grade("lstm_step", wrong_step).name == "wrong_step"


def test_an_unknown_equation_is_one_line():
    with pytest.raises(ConfigError, match="nothing to grade is called 'mgu'; there are: sigmoid, ") as info:
        grade("mgu", wrong_step)
    assert "\n" not in str(info.value)


def test_intermediates_that_are_handed_in_are_looked_at():
    def backward(s, dh, dc, factor=1.0):
        grad = s.backward(dh, dc)
        return {"di": factor * grad.di, "df": grad.df, "da": grad.da, "dc_prev": grad.dc_prev}

    right = grade("lstm_step", backward)
    assert {"di", "df"} <= {quantity.label for quantity in right.quantities} and right.ok
    partly = grade("lstm_step", lambda s, dh, dc: backward(s, dh, dc, factor=2.0))
    assert partly.ok and any("di" in warning for warning in partly.warnings)

    def of_the_wrong_shape(s, dh, dc):
        return backward(s, dh, dc) | {"di": dh[0]}

    assert any("di has shape" in problem for problem in grade("lstm_step", of_the_wrong_shape).problems)


def test_a_wrong_intermediate_is_the_first_wrong_one():
    def backward(s, dh, dc):
        dc = dc + dh * s.o * (1 - s.tanh_c**2)
        di, df, dg, do = 2 * dc * s.g, dc * s.c_prev, dc * s.i, dh * s.tanh_c
        da = [di * s.i * (1 - s.i), df * s.f * (1 - s.f), dg * (1 - s.g**2), do * s.o * (1 - s.o)]
        return {"df": df, "di": di, "da": np.hstack(da), "dc_prev": dc * s.f}

    result = grade("lstm_step", backward)
    assert not result.ok and result.first_wrong == ("di", None)
    assert "it is 2 times what it should be" in result.first.shows


def test_other_seeds_give_other_inputs_and_the_same_verdict():
    for seed in range(3):
        assert grade("lstm_step", lambda s, dh, dc: s.backward(dh, dc), seed=seed).ok
        assert grade("lstm_step", wrong_step, seed=seed).diagnosis


# the equations once more, and known bugs

WITH_EQUATIONS = [name for name in TABLE if function_of(TABLE[name].function(**TABLE[name].inputs))]


def situation(function):
    """A trace and gradients of its outputs with which every bug of a function shows."""
    if function == "tied_embedding":
        E, ids = normal(5, 3), np.array([[1, 4], [1, 0]])
        return SimpleNamespace(ids=ids, E=E, y=E[ids]), {"dlogits": normal(2, 2, 5, seed=1)}
    if function == "clip_by_global_norm":
        return SimpleNamespace(grads={"W": normal(3, 4), "b": normal(4, seed=1)}), {"largest": 0.7}
    if function == "linear":
        trace = layers.linear(normal(6, 7, 4), layers.LinearParams(normal(4, 4, seed=1), normal(4, seed=2)))
        return trace, output_gradients(trace)
    case = TABLE[CASE_OF.get(function, function)]
    trace = case.function(**case.inputs)
    return trace, output_gradients(trace)


@pytest.mark.parametrize("name", WITH_EQUATIONS)
def test_the_equations_are_those_of_the_library(name):
    trace = TABLE[name].function(**TABLE[name].inputs)
    given = output_gradients(trace)
    found, expected = run(function_of(trace), {}, trace, given), trace.backward(**given)
    for result in [f"d{argument}" if argument != "params" else argument for argument in TABLE[name].inputs]:
        assert_close(found[result], getattr(expected, result))


def test_equations_are_held_to_all_that_has_them():
    traces = [TABLE[name].function(**TABLE[name].inputs) for name in WITH_EQUATIONS]
    found = {bug.function for trace in traces for bug in named(function_of(trace), trace)}
    assert found | {"tied_embedding", "clip_by_global_norm"} == {bug.function for bug in BUGS}
    assert all(named(function_of(trace), trace) for trace in traces)


def test_the_tied_embeddings_equation_is_a_lookup_and_a_product():
    trace, given = situation("tied_embedding")
    looked_up = layers.embedding(trace.ids, layers.EmbeddingParams(trace.E))
    product = layers.linear(looked_up.y, layers.LinearParams(trace.E.T.copy(), np.zeros(5)))
    grad = product.backward(given["dlogits"])
    assert_close(run("tied_embedding", {}, trace, given)["dE"], looked_up.backward(grad.dx).params.W + grad.params.W.T)


@pytest.mark.parametrize("largest", [0.7, 100.0])
def test_the_clipping_equation_is_the_trainers(largest):
    trace, _ = situation("clip_by_global_norm")
    expected = [leaf.copy() for leaf in trace.grads.values()]
    returned = clip_by_global_norm(expected, largest)
    expected = returned[0] if isinstance(returned, tuple) else expected
    found = run("clip_by_global_norm", {}, trace, {"largest": largest})["grads"]
    assert_close(list(found.values()), list(expected))


def test_known_bugs_have_names_and_lessons_of_their_own():
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 60
    assert all(bug.name and bug.lesson and len(bug.change) == 1 for bug in BUGS)


def test_the_page_counts_the_known_bugs():
    page = (Path(__file__).parent.parent / "docs" / "gradient-checking.md").read_text(encoding="utf-8")
    table = page.split("| weights at | bugs |")[1]
    assert re.findall(r"^\| 0\.\d+ \| (\d+) \|", table, re.MULTILINE) == [str(len(BUGS))] * 3
    clipping = sum(bug.function == "clip_by_global_norm" for bug in BUGS)
    assert f"so the three rules saw {len(BUGS) - clipping}." in table


@pytest.mark.parametrize("function", sorted({bug.function for bug in BUGS}))
def test_every_known_bug_is_named(function):
    for bug in (bug for bug in BUGS if bug.function == function):
        trace, given = situation(function)
        if bug.name == "always scaled to the largest norm":
            given = {"largest": 100.0}  # below the limit, where it makes a difference
        with np.errstate(all="ignore"):
            wrong = run(function, bug.change, trace, given)
        found = match(function_of(trace) or function, trace, given, wrong)
        assert found and found[0].name == bug.name, f"{bug.name}: {[other.name for other in found]}"
        assert found[0].lesson == bug.lesson and found[0].distance <= 1e-9


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_no_two_bugs_of_a_cell_are_the_same(cell, noise):
    """What is named is thus the only name that fits, with and without zoneout and weight-drop."""
    inputs, rng = TABLE[f"{cell}, ragged"].inputs, np.random.default_rng(0)
    shape, states = (T, *inputs["h0"].shape), CELLS[cell][0].states
    options = {
        "zoneout": tuple((rng.random(shape) < 0.8).astype(float) for _ in states),
        "weight_mask": layers.dropout_mask(rng, inputs["params"].W_h.shape, 0.4, float),
    }
    trace = layers.sequence(**({"c0": None} | inputs), cell=CELLS[cell][0], mask=REAL, **(options if noise else {}))
    given, gradients = output_gradients(trace), {}
    for bug in [None, *named(cell)]:
        with np.errstate(all="ignore"):
            try:
                found = run(cell, bug.change if bug else {}, trace, given)
            except ValueError:
                continue  # these shapes do not allow the mistake
        gradients[bug and bug.name] = np.concatenate([leaf.ravel() for leaf in trees.leaves(list(found.values()))])
    right = gradients.pop(None)
    shown = {name: wrong for name, wrong in gradients.items() if np.abs(wrong - right).max() > 1e-8}
    assert len(shown) > 25
    assert noise == ("the recurrent matrix's gradient forgets the mask" in shown)
    for name, wrong in shown.items():
        same = [other for other, theirs in shown.items() if np.abs(wrong - theirs).max() <= 1e-8 * np.abs(wrong).max()]
        assert same == [name]


def test_a_bug_is_named_in_both_directions_of_any_cell():
    for cell, name in (
        ("gru", "z and 1 - z are swapped in the update gate's gradient"),
        ("rnn", "the recurrent matrix is not transposed"),
        ("peephole", "p_o gets the previous cell"),
        ("layernorm_lstm", "the recurrent product's gain is forgotten"),
    ):
        (trace, given), bug = situation(f"bidirectional, {cell}"), next(bug for bug in BUGS if bug.name == name)
        wrong = run("bidirectional", bug.change, trace, given)
        assert [found.name for found in match("bidirectional", trace, given, wrong)] == [name]


def test_every_kind_of_step_has_bugs_of_its_own():
    assert STEP_OF.keys() == CELLS.keys()
    for function in STEP_OF.values():
        assert sum(bug.function == function for bug in BUGS) >= 6
    shared = {bug.name for bug in named("lstm_step")} & {bug.name for bug in named("peephole_step")}
    assert "the candidate's derivative is missing" in shared and "tanh' of the cell is missing" not in shared


def test_a_bug_within_a_model_is_named_at_its_part(monkeypatch):
    monkeypatch.setattr(layers.LSTMStep, "backward", LateForgetWithout.backward)
    found = of_case("seq2seq, attention, 1 layer").diagnosis
    assert {d.name for d in found} == {"the forget gate is missing on the way to the previous cell"}
    assert {d.where for d in found} == {"decoder", "encoder.0"}


class LateForgetWithout:
    """The right backward of a step, with the forget gate missing on the way to the previous cell."""

    right = layers.LSTMStep.backward

    def backward(self, dh, dc, da=None):
        grad = LateForgetWithout.right(self, dh, dc, da)
        grad.dc_prev = grad.dc
        return grad


# right code is never given the name of a bug


def random_trace(function, rng):
    """A trace of a function on inputs of random sizes and scale."""
    T, B, D, H, S, V = rng.integers(1, 6, size=6)
    scale = 10 ** rng.uniform(-2, 1)
    draw = lambda *shape: scale * rng.standard_normal(shape)  # noqa: E731
    real = np.arange(T)[:, None] < rng.integers(1, T + 1, size=B)
    real = real if rng.random() < 0.7 else None
    params_of = lambda cell: trees.map(lambda leaf: draw(*leaf.shape), cell.init(rng, D, H, np.float64))  # noqa: E731
    if function in ("sigmoid", "tanh", "softmax", "log_softmax"):
        case = TABLE[function]
        return case.function(draw(B, V) if scale < 3 else rng.standard_normal((B, V)))
    if function == "linear":
        return layers.linear(draw(T, B, D), layers.LinearParams(draw(D, V), draw(V)))
    if function == "embedding":
        return layers.embedding(rng.integers(0, V, (T, B)), layers.EmbeddingParams(draw(V, D)), rng.choice([None, 0]))
    if function == "dropout":
        return layers.dropout(draw(T, B, D), layers.dropout_mask(rng, (T, B, D), rng.choice([0, 0.5]), np.float64))
    if function == "cross_entropy":
        return layers.cross_entropy(draw(T, B, V + 1), rng.integers(0, V + 1, (T, B)), real)
    if function == "lstm_step":
        return layers.lstm_step(draw(B, 4 * H), draw(B, H))
    if function in (*CELLS, "sequence", "zoneout", "weight_drop"):
        cell = CELLS.get(function, CELLS["lstm"])[0]
        first = [draw(B, H) for _ in cell.states] + [None] * (2 - len(cell.states))
        zoned, dropped = rng.random(2) < 0.5
        zoneout = tuple((rng.random((T, B, H)) < 0.6).astype(float) for _ in cell.states) if zoned else None
        params = params_of(cell)
        drop = 2.0 * (rng.random(params.W_h.shape) < 0.5) if dropped else None
        return layers.sequence(draw(T, B, D), *first, params, cell, real, bool(rng.integers(2)), zoneout, drop)
    if function == "bidirectional":
        cell = rng.choice([cell for cell, *_ in CELLS.values()])
        first = [draw(2, B, H) for _ in cell.states] + [None] * (2 - len(cell.states))
        both = layers.BidirectionalParams(params_of(cell), params_of(cell))
        return layers.bidirectional(draw(T, B, D), *first, both, real, cell)
    if function == "additive_attention":
        params = layers.AdditiveParams(draw(H, V), draw(D, V), draw(V), draw(V))
        mask = np.arange(S)[:, None] < rng.integers(1, S + 1, size=B)
        return layers.additive_attention(draw(T, B, H), draw(S, B, D), draw(S, B, D), params, mask)
    case = TABLE[CASE_OF.get(function, function)]  # all others with the sizes of their cases
    inputs = {name: trees.map(lambda leaf: draw(*leaf.shape), tree) for name, tree in case.inputs.items()}
    return case.function(**inputs)


@pytest.mark.parametrize("function", sorted({bug.function for bug in BUGS} - {"tied_embedding", "clip_by_global_norm"}))
def test_right_code_is_never_given_the_name_of_a_bug(function):
    for seed in range(84):  # twelve functions: a thousand in all
        trace = random_trace(function, np.random.default_rng([seed, 1]))
        given = output_gradients(trace, seed)
        with np.errstate(all="ignore"):
            assert match(function, trace, given, trace.backward(**given)) == [], seed


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
        grad.step = self
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


@dataclass(slots=True)
class OwnStep(StepRecord):
    """A reader's own step, h = tanh(a), whose backward forgets the tanh or does not."""

    outputs = ("h",)
    a: object = None
    h: object = None

    def backward(self, dh, slope):
        grad = OwnGrad(dh)
        grad.step = self
        grad.da = dh * slope(self.h)
        return grad


@dataclass(slots=True)
class OwnGrad(StepGrad):
    dh: object = None
    da: object = None


class OwnCell:
    """No more than what the protocol of a cell asks for; `equations` is no part of it."""

    states = ("h",)

    def __init__(self, slope):
        self.slope = slope

    def before(self, x, params):
        return x @ params.W_x + params.b, None

    def storage(self, a, prev, out):
        return OwnStep(None, out[0])

    def forward(self, a, state, params, s):
        s.a = a + state[0] @ params.W_h
        s.h[...] = np.tanh(s.a)
        s.h = s.h

    def backward(self, s, dstate, params, da):
        da[...] = s.backward(*dstate, self.slope).da
        return (da @ params.W_h.swapaxes(-1, -2),)

    def after(self, x, kept, steps, prev, da, params):
        sums = np.einsum("tbd,tbh->dh", x, da), np.einsum("tbd,tbh->dh", prev[0], da), da.sum(axis=(0, 1))
        return da @ params.W_x.T, layers.RNNParams(*sums)


@pytest.mark.parametrize("both", [False, True])
def test_a_readers_own_cell_is_looked_into_without_a_list_of_its_equations(both):
    one = [layers.RNNParams(normal(3, 4, seed=k), normal(4, 4, seed=k + 2), normal(4, seed=k + 4)) for k in range(2)]
    inputs = {"x": normal(3, 2, 3, seed=6), "h0": normal(*[2] * both, 2, 4, seed=7)}
    inputs["params"] = layers.BidirectionalParams(*one) if both else one[0]
    function = layers.bidirectional if both else layers.sequence
    for slope, right in ((lambda h: 1 - h**2, True), (lambda h: 1 + 0 * h, False)):
        cell = OwnCell(slope)
        result = check(lambda **kw: function(**kw, c0=None, cell=cell), inputs)  # noqa: B023
        assert result.ok == right and not result.problems, str(result)
        assert function(**inputs, c0=None, cell=cell).equations is None
    assert result.first_wrong == ("da", 2) and result.diagnosis == [] and "not one of the known mistakes" in str(result)
    assert {bug.function for bug in named("bidirectional", function(**inputs, c0=None, cell=cell))} == {"bidirectional"}
