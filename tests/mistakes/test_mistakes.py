"""What is known to go wrong: grading somebody's function, the equations once more, and every known bug."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import assert_close, few_fast, normal, output_gradients

from numseq import layers
from numseq import params as trees
from numseq.errors import ConfigError
from numseq.gradcheck import grade
from numseq.gradcheck.results import label
from numseq.mistakes import BUGS, CELLS, LAYERS, function_of, match, named, run
from numseq.mistakes.fixtures import REAL, T
from numseq.mistakes.grade import names
from numseq.mistakes.layer import Step
from numseq.mistakes.table import cases_of_layers
from numseq.training.optimizers import clip_by_global_norm

TABLE = cases_of_layers()
NO_GRADIENT = "clip_by_global_norm"  # the one that is known and has none


# grading somebody's function


def wrong_step(s, dh, dc):
    """The forget gate is missing on the way to the previous cell."""
    right = s.backward(dh, dc)
    return {"da": right.da, "dc_prev": right.dc}


GRADED = names()


@pytest.mark.parametrize("name", GRADED)
def test_the_librarys_own_backward_gets_full_marks(name):
    taken, returned = GRADED[name]
    result = grade(name, lambda s, **upstream: type(s).backward(s, **upstream))
    assert result.ok and not result.warnings, str(result)
    assert taken[0] == "trace" and all(word[0] == "d" for word in taken[1:])
    assert {leaf.split(".")[0] for leaf in result.errors} == set(returned)


def test_all_that_has_known_bugs_is_graded():
    of_a_sequence = {"sequence", "zoneout", "weight_drop"}
    assert {bug.function for bug in BUGS} - of_a_sequence - {NO_GRADIENT} <= set(GRADED)


@pytest.mark.parametrize("name", few_fast(GRADED, ["linear", "lstm_step", "additive_attention", "cross_entropy"]))
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


def state_as(form):
    def backward(s, **upstream):
        grad = s.backward(**upstream)
        return {"dx": grad.dx, "dstate": form(grad.dstate), "params": grad.params}

    return backward


@pytest.mark.parametrize("form", few_fast([tuple, list, lambda state: state._asdict(), lambda state: state], [tuple]))
@pytest.mark.parametrize("name", few_fast(["lstm", "gru"], ["gru"]))
def test_the_gradient_of_a_state_is_taken_as(name, form):
    assert grade(name, state_as(form)).ok
    wrong = grade(name, state_as(lambda state: form(state._replace(h=1.5 * state.h))))
    assert wrong.first_wrong == ("dstate.h", None)


def test_the_fixtures_stay_as_they_are_whatever_is_graded():
    def spoils(s, dh, dfinal):
        grad = s.backward(dh, dfinal)
        s.x[...] = 0
        s.params.W_x[...] = 0
        return grad

    before = trees.map(np.copy, TABLE["lstm, ragged"].inputs["params"])
    assert any("the input x was changed" in problem for problem in grade("lstm", spoils).problems)
    assert_close(TABLE["lstm, ragged"].inputs["params"], before, 0)
    assert grade("lstm", lambda s, dh, dfinal: s.backward(dh, dfinal)).ok


def test_an_array_is_the_only_gradient():
    assert grade("tanh", lambda s, dy: dy * (1 - s.y**2)).ok
    assert not grade("tanh", lambda s, dy: dy * (1 - s.y)).ok


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


def situation(name):
    """A trace and gradients of its outputs with which every bug of a layer shows."""
    if name == NO_GRADIENT:
        return SimpleNamespace(grads={"W": normal(3, 4), "b": normal(4, seed=1)}), {"largest": 0.7}
    case = TABLE[LAYERS[name].shows if name in LAYERS else name]
    trace = case.function(**case.inputs)
    return trace, output_gradients(trace)


@pytest.mark.parametrize("name", WITH_EQUATIONS)
def test_the_equations_are_those_of_the_library(name):
    trace = TABLE[name].function(**TABLE[name].inputs)
    given = output_gradients(trace)
    found, expected = run(function_of(trace), {}, trace, given), trace.backward(**given)
    for result in map(label, TABLE[name].inputs):
        assert_close(found[result], getattr(expected, result))


def test_equations_are_held_to_all_that_has_them():
    traces = [TABLE[name].function(**TABLE[name].inputs) for name in WITH_EQUATIONS]
    found = {bug.function for trace in traces for bug in named(function_of(trace), trace)}
    assert found | {NO_GRADIENT} == {bug.function for bug in BUGS}
    assert all(named(function_of(trace), trace) for trace in traces if not LAYERS[function_of(trace)].wires)


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
    assert all(bug.name and bug.lesson and bug.change for bug in BUGS)
    assert sum(len(bug.change) > 1 for bug in BUGS) <= 1  # what takes two equations is no single slip


def test_the_page_counts_the_known_bugs():
    page = (Path(__file__).parents[2] / "docs" / "gradient-checking.md").read_text(encoding="utf-8")
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
    options = {
        "zoneout": tuple((rng.random((T, *part.shape)) < 0.8).astype(float) for part in inputs["state"]),
        "weight_mask": layers.dropout_mask(rng, inputs["params"].W_h.shape, 0.4, float),
    }
    trace = layers.sequence(**inputs, cell=CELLS[cell].cell, mask=REAL, **(options if noise else {}))
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
    steps = {name for name, layer in LAYERS.items() if isinstance(layer, Step)}
    assert steps == {layer.step.name for layer in CELLS.values()} and len(steps) == len(CELLS)
    assert all(len(LAYERS[name].bugs) >= 6 for name in steps)
    shared = {bug.name for bug in named("lstm_step")} & {bug.name for bug in named("peephole_step")}
    assert "the candidate's derivative is missing" in shared and "tanh' of the cell is missing" not in shared


def test_a_record_has_the_equations_of_a_step_only_if_the_step_would_write_it():
    s = layers.lstm_step(normal(3, 8), normal(3, 2, seed=1))
    assert function_of(s) == "lstm_step"
    s.h = s.h * (1 + 1e-6)
    assert function_of(s) is None
    assert function_of(layers.LSTMStep()) is None
    assert function_of(SimpleNamespace(equations="mgu")) is None


def test_every_layers_file_is_found_by_lying_there():
    root = Path(layers.__file__).parent
    theirs = {path.relative_to(root) for path in root.rglob("*.py") if path.name != "__init__.py"}
    mistakes = Path(sys.modules["numseq.mistakes.layers"].__file__).parent
    ours = {path.relative_to(mistakes) for path in mistakes.rglob("*.py") if path.name != "__init__.py"}
    shared = {Path("cells/fixtures.py"), Path("attention/look.py")}
    helpers = {
        "fit.py", "init.py", "cells/cell.py", "cells/unroll.py", "attention/base.py", "attention/products.py",
        "losses/weights.py",
    }  # fmt: skip
    assert ours - shared == theirs - {Path(name) for name in helpers}  # what has no backward of its own


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
        return layers.embedding(
            rng.integers(0, V, (T, B)), layers.EmbeddingParams(draw(V, D)), padding_id=rng.choice([None, 0])
        )
    if function == "dropout":
        return layers.dropout(draw(T, B, D), layers.dropout_mask(rng, (T, B, D), rng.choice([0, 0.5]), np.float64))
    if function == "cross_entropy":
        return layers.cross_entropy(draw(T, B, V + 1), rng.integers(0, V + 1, (T, B)), real)
    if function == "lstm_step":
        return layers.lstm_step(draw(B, 4 * H), draw(B, H))
    if function in (*CELLS, "sequence", "zoneout", "weight_drop"):
        cell = CELLS.get(function, CELLS["lstm"]).cell
        state = cell.State(*(draw(B, H) for _ in cell.State._fields))
        zoned, dropped = rng.random(2) < 0.5
        zoneout = tuple((rng.random((T, B, H)) < 0.6).astype(float) for _ in state) if zoned else None
        params = params_of(cell)
        drop = 2.0 * (rng.random(params.W_h.shape) < 0.5) if dropped else None
        options = {"mask": real, "reverse": bool(rng.integers(2)), "zoneout": zoneout, "weight_mask": drop}
        return layers.sequence(draw(T, B, D), state, params, cell=cell, **options)
    if function == "bidirectional":
        cell = rng.choice([layer.cell for layer in CELLS.values()])
        state = cell.State(*(draw(2, B, H) for _ in cell.State._fields))
        both = layers.BidirectionalParams(params_of(cell), params_of(cell))
        return layers.bidirectional(draw(T, B, D), state, both, mask=real, cell=cell)
    if function == "additive_attention":
        params = layers.AdditiveParams(draw(H, V), draw(D, V), draw(V), draw(V))
        mask = np.arange(S)[:, None] < rng.integers(1, S + 1, size=B)
        return layers.additive_attention(draw(T, B, H), draw(S, B, D), draw(S, B, D), params, mask=mask)
    case = TABLE[LAYERS[function].case]  # all others with the sizes of their cases
    inputs = {name: trees.map(lambda leaf: draw(*leaf.shape), tree) for name, tree in case.inputs.items()}
    if function == "pointer_loss":
        inputs["alpha"] = layers.softmax(inputs["alpha"])  # probabilities
    return case.function(**inputs)


@pytest.mark.parametrize("function", sorted({bug.function for bug in BUGS} - {NO_GRADIENT}))
def test_right_code_is_never_given_the_name_of_a_bug(function):
    for seed in range(84):  # twelve functions: a thousand in all
        trace = random_trace(function, np.random.default_rng([seed, 1]))
        given = output_gradients(trace, seed)
        with np.errstate(all="ignore"):
            assert match(function, trace, given, trace.backward(**given)) == [], seed
