"""Every hand-written backward agrees with numbers, and the check that says so is able to say the opposite."""

import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import arrays_in, output_gradients

from numseq import layers, models
from numseq import params as trees
from numseq.errors import NumseqError
from numseq.gradcheck import Check, check, relative_error
from numseq.gradcheck import cases as table_module
from numseq.gradcheck.cases import cases, run_cases
from numseq.layers import attention, bidirectional, loss, recurrent

HIDDEN = ("dropout", "embedding", "linear", "lstm")  # files that functions of the same names hide
dropout, embedding, linear, lstm = (sys.modules[f"numseq.layers.{name}"] for name in HIDDEN)

TABLE = cases()
LIMIT = {"complex-step": 1e-10, "central": 1e-6}
PADDED = ["lstm, ragged", "lstm, ragged, reversed", "bilstm", "stack"]
MODELS = [name for name in TABLE if name.startswith("seq2seq")]


def held(case):
    """What the function of a case closes over, by name."""
    return inspect.getclosurevars(case.function).nonlocals


def run(case):
    trace = case.function(**case.inputs)
    return trace, trace.backward(**output_gradients(trace))


@pytest.mark.parametrize("method", LIMIT)
@pytest.mark.parametrize("name", TABLE)
def test_backward_agrees_with_numbers(name, method):
    result = check(TABLE[name].function, TABLE[name].inputs, name=name, method=method)
    assert result.ok and result.worst <= LIMIT[method], str(result)


# what the table holds


def to_be_covered(module):
    for name in module.__all__:
        thing = getattr(module, name)
        data = name.startswith("init_") or name.endswith(("Params", "Config"))
        error = inspect.isclass(thing) and issubclass(thing, Exception)
        if callable(thing) and not data and not error:
            yield name


def uncovered(table):
    covered = {name for case in table.values() for name in case.covers}
    return [name for module in (layers, models) for name in to_be_covered(module) if name not in covered]


def test_everything_exported_has_a_case():
    assert uncovered(TABLE) == []


def test_a_layer_exported_without_a_case_is_found(monkeypatch):
    monkeypatch.setattr(layers, "gru", lambda x: x, raising=False)
    monkeypatch.setattr(layers, "__all__", [*layers.__all__, "gru"])
    assert uncovered(TABLE) == ["gru"]


def test_a_case_runs_what_it_claims_to_cover():
    ran, before = set(), sys.getprofile()
    sys.setprofile(lambda frame, event, _: ran.add(frame.f_code) if event == "call" else None)
    try:
        for case in cases().values():
            run(case)
    finally:
        sys.setprofile(before)
    for claimed in {name for case in TABLE.values() for name in case.covers}:
        thing = getattr(layers, claimed, None) or getattr(models, claimed)
        own = inspect.getmembers(thing, inspect.isroutine) if inspect.isclass(thing) else [(claimed, thing)]
        codes = {part.__code__ for _, part in own if hasattr(part, "__code__")}
        assert codes & ran, f"{claimed} is never run"


# the fixtures are such that mistakes show


def test_fixtures_have_enough_rows_and_steps():
    assert table_module.B >= 3 and table_module.T >= 4 and table_module.S >= 4
    for name in ["linear", "lstm", "bilstm", "stack", *PADDED]:
        assert TABLE[name].inputs["x"].shape[:2] == (table_module.T, table_module.B)


@pytest.mark.parametrize("name", [*PADDED, "cross_entropy", "additive_attention", *MODELS])
def test_fixtures_are_ragged(name):
    found = held(TABLE[name])
    given = vars(found["batch"]).values() if "batch" in found else found.values()
    masks = [array for array in given if isinstance(array, np.ndarray) and array.dtype == bool]
    assert masks
    for mask in masks:
        lengths = mask.sum(axis=0)
        assert lengths.max() == len(mask) and lengths.min() >= 1 and len(set(lengths.tolist())) >= 3


def test_fixtures_repeat_ids():
    batches = [held(TABLE[name])["batch"] for name in MODELS]
    real = [(b.source, b.source_mask) for b in batches] + [(b.target_in, b.target_mask) for b in batches]
    ids = held(TABLE["embedding"])["ids"]
    for array, mask in [*real, (ids, ids >= 0)]:
        counts = np.unique(array[mask], return_counts=True)[1]
        assert counts.max() >= 3
        assert (array == array[0]).sum() > array.shape[1] or counts.max() > len(array), "no id twice in a row"


@pytest.mark.parametrize("name", ["lstm", *PADDED])
def test_first_states_are_not_zero(name):
    assert all((TABLE[name].inputs[state] != 0).all() for state in ("h0", "c0"))


@pytest.mark.parametrize("name", ["dropout", "stack", *MODELS])
def test_dropout_drops_and_keeps(name):
    found = held(TABLE[name])
    masks = found.get("masks", found.get("between", found.get("mask")))
    leaves = trees.leaves(list(masks.values()) if isinstance(masks, dict) else masks)
    assert leaves
    for mask in leaves:
        assert (mask == 0).any() and (mask > 1).any()


def test_the_sizes_of_the_layers_are_all_different():
    S, T, B, D, H, A, V = (getattr(table_module, size) for size in "STBDHAV")
    sizes = {"S": S, "T": T, "B": B, "D": D, "H": H, "2H": 2 * H, "4H": 4 * H, "A": A, "V": V}
    assert len(set(sizes.values())) == len(sizes), sizes


@pytest.mark.parametrize("name", MODELS)
def test_the_sizes_of_the_models_are_all_different(name):
    config = held(TABLE[name])["model"].config
    sizes = {"S": table_module.S, "T": table_module.T, "B": table_module.B}
    sizes |= {"V source": config.source_vocabulary, "V target": config.target_vocabulary}
    sizes |= {"E": config.embedding, "H": config.hidden}
    if config.model == "attention":
        sizes |= {"A": config.attention, "H / 2": config.hidden // 2}
    assert len(set(sizes.values())) == len(sizes), sizes


def test_no_gradient_of_any_case_is_all_zero():
    for name, case in TABLE.items():
        for array in arrays_in(run(case)[1]):
            assert np.abs(array).max() > 1e-6, name


# what is zero is exactly zero


@pytest.mark.parametrize("name", PADDED)
def test_the_input_gets_no_gradient_where_it_is_padding(name):
    real = held(TABLE[name])["real"]
    dx = run(TABLE[name])[1].dx
    assert (dx[~real] == 0).all() and (dx[real] != 0).all()


def test_logits_get_no_gradient_where_they_are_padding():
    case = TABLE["cross_entropy"]
    real, dlogits = held(case)["real"], run(case)[1].dlogits
    assert (dlogits[~real] == 0).all() and (dlogits[real] != 0).all()


def test_masked_source_positions_get_no_weight_and_no_gradient():
    case = TABLE["additive_attention"]
    trace, grad = run(case)
    real = held(case)["source_real"]
    masked = np.broadcast_to(~real.T, trace.alpha.shape)
    assert (trace.alpha[masked] == 0).all() and (trace.alpha[~masked] > 0).all()
    assert (grad.dvalues[~real] == 0).all() and (grad.dvalues[real] != 0).all()


def test_the_row_of_the_padding_id_gets_no_gradient():
    ids, params = held(TABLE["embedding"])["ids"], TABLE["embedding"].inputs["params"]
    assert (ids == 0).any()
    dy = np.ones((*ids.shape, params.W.shape[1]))
    assert (layers.embedding(ids, params, padding_id=0).backward(dy).params.W[0] == 0).all()
    assert (layers.embedding(ids, params).backward(dy).params.W[0] != 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_models_have_no_gradient_for_the_padding_id_nor_for_ids_that_do_not_occur(name):
    grad, batch = run(TABLE[name])[1].params, held(TABLE[name])["batch"]
    sides = ((grad.encoder, batch.source, batch.source_mask), (grad.decoder, batch.target_in, batch.target_mask))
    for side, ids, mask in sides:
        occur = np.isin(np.arange(len(side.embedding.W)), ids[mask])
        assert not occur[0] and (side.embedding.W[~occur] == 0).all()
        assert (side.embedding.W[occur] != 0).any(axis=1).all()


# the checker can say no


def backward_of(monkeypatch, owner, change):
    """Let owner.backward return what `change(grad, trace)` makes of the right gradient."""
    right = owner.backward
    monkeypatch.setattr(owner, "backward", lambda self, *args, **kw: change(right(self, *args, **kw), self))


def change(**fields):
    """Put new values in a gradient: field=function(grad, trace)."""

    def edit(grad, trace):
        for name, function in fields.items():
            setattr(grad, name, function(grad, trace))
        return grad

    return edit


def _no_onehot(grad, trace):
    p = layers.softmax(trace.logits)
    return SimpleNamespace(dlogits=p * trace.weights[..., None])


def _rows_assigned(n_rows, ids, values):
    out = np.zeros((n_rows, values.shape[1]))
    out[ids] = values
    return out


def _padding_not_carried(self, t, dstate, da):
    return self.cell.backward(self.steps[t], dstate, self.params, da)


def _last_step_only(self, x, prev, da, params):
    dparams = lstm.LSTMParams(x[-1].T @ da[-1], prev[0][-1].T @ da[-1], da[-1].sum(axis=0))
    return da @ params.W_x.T, dparams


WRONG = {  # what is wrong: (case, a function that makes it so)
    "no forget gate on the way to c_prev": (
        "lstm",
        lambda m: backward_of(m, lstm.LSTMStep, change(dc_prev=lambda grad, s: grad.dc)),
    ),
    "no way through h to the cell": (
        "lstm_step",
        lambda m: m.setattr(lstm, "tanh_backward", lambda dy, y, out=None: np.multiply(dy, 0, out=out)),
    ),
    "the sigmoid's derivative is left out": (
        "lstm",
        lambda m: m.setattr(lstm, "gates_backward", lambda dy, y, out=None: dy),
    ),
    "weights see the last step only": ("lstm", lambda m: m.setattr(lstm.LSTM, "after", _last_step_only)),
    "a padded step is undone like a real one": (
        "lstm, ragged",
        lambda m: m.setattr(recurrent.Unroll, "step_backward", _padding_not_carried),
    ),
    "the gradient of the final cell is forgotten": (
        "lstm",
        lambda m: m.setattr(
            lstm, "unroll_backward", lambda run, x, dh, ends: recurrent.unroll_backward(run, x, dh, (ends[0], None))
        ),
    ),
    "dx of one direction only": (
        "bilstm",
        lambda m: backward_of(m, bidirectional.BiLSTMTrace, change(dx=lambda grad, t: grad.dx * 0.5)),
    ),
    "the one-hot is not subtracted": (
        "cross_entropy",
        lambda m: backward_of(m, loss.CrossEntropyTrace, _no_onehot),
    ),
    "the loss's gradient is averaged over padding too": (
        "cross_entropy",
        lambda m: backward_of(
            m,
            loss.CrossEntropyTrace,
            change(dlogits=lambda grad, t: grad.dlogits * (t.weights > 0).mean()),
        ),
    ),
    "embedding rows are assigned": (
        "embedding",
        lambda m: m.setattr(embedding, "scatter_add_rows", _rows_assigned),
    ),
    "dropout forgets its mask": (
        "dropout",
        lambda m: m.setattr(dropout.DropoutTrace, "backward", lambda self, dy: SimpleNamespace(dx=dy)),
    ),
    "the bias's gradient is a mean": (
        "linear",
        lambda m: backward_of(
            m,
            linear.LinearTrace,
            lambda grad, t: SimpleNamespace(
                dx=grad.dx, params=layers.LinearParams(grad.params.W, grad.params.b / len(t.x))
            ),
        ),
    ),
    "the softmax's Jacobian is taken for diagonal": (
        "additive_attention",
        lambda m: m.setattr(attention, "softmax_backward", lambda dp, p: dp * p),
    ),
    "the weights' own gradient is ignored": (
        "additive_attention",
        lambda m: m.setattr(
            attention.AdditiveAttention,
            "step_backward",
            lambda self, s, dcontext, dkeys, dalpha=None, right=attention.AdditiveAttention.step_backward: right(
                self, s, dcontext, dkeys
            ),
        ),
    ),
    "a gradient that is not a number": (
        "linear",
        lambda m: backward_of(m, linear.LinearTrace, change(dx=lambda grad, t: grad.dx * np.nan)),
    ),
    "a gradient of another shape": (
        "linear",
        lambda m: backward_of(m, linear.LinearTrace, change(dx=lambda grad, t: grad.dx.sum(axis=0))),
    ),
}


@pytest.mark.parametrize("method", LIMIT)
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_backward_is_found(monkeypatch, mistake, method):
    name, make_wrong = WRONG[mistake]
    make_wrong(monkeypatch)
    case = cases()[name]
    result = check(case.function, case.inputs, name=name, method=method)
    assert not result.ok and result.worst > 1e-3 and "WRONG" in str(result)


def test_the_checker_says_which_array_is_wrong(monkeypatch):
    backward_of(monkeypatch, lstm.LSTMTrace, change(dc0=lambda grad, t: 1.01 * grad.dc0))
    result = check(TABLE["lstm"].function, TABLE["lstm"].inputs)
    assert result.where == "dc0" and 0.009 < result.worst < 0.011
    assert all(error < 1e-10 for name, error in result.errors.items() if name != "dc0")


def test_a_missing_gradient_is_a_problem(monkeypatch):
    backward_of(monkeypatch, lstm.LSTMTrace, lambda grad, t: SimpleNamespace(dx=grad.dx, dh0=grad.dh0))
    result = check(TABLE["lstm"].function, TABLE["lstm"].inputs)
    assert not result.ok and result.worst == np.inf
    assert [problem.split(":")[0] for problem in result.problems] == [
        "backward gives no dc0",
        "backward gives no params",
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_inputs_of_another_dtype_are_refused(dtype):
    inputs = {name: trees.cast(tree, dtype) for name, tree in TABLE["linear"].inputs.items()}
    with pytest.raises(TypeError, match="float64"):
        check(layers.linear, inputs)


def test_the_check_leaves_inputs_as_they_were():
    for method in LIMIT:
        case = cases()["lstm"]
        before = {name: trees.map(np.copy, tree) for name, tree in case.inputs.items()}
        check(case.function, case.inputs, method=method)
        for name, tree in case.inputs.items():
            assert all(map(np.array_equal, trees.leaves(tree), trees.leaves(before[name])))


def test_relative_error_is_of_the_largest_number():
    assert relative_error(np.array([1.0, 100.0]), np.array([2.0, 100.0])) == 0.01
    assert relative_error(np.zeros(3), np.zeros(3)) == 0.0
    assert relative_error(np.zeros(3), np.full(3, 1e-300)) == 1.0
    assert relative_error(np.zeros(3), np.zeros((1, 3))) == np.inf


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_infinitely_wrong_on_either_side(bad):
    good, spoiled = np.ones(2), np.array([1.0, bad])
    assert relative_error(spoiled, good) == np.inf
    assert relative_error(good, spoiled) == np.inf
    assert relative_error(spoiled, spoiled) == np.inf


def test_an_error_that_is_not_a_number_is_not_ok():
    assert not Check("x", "central", 1e-6, errors={"a": 0.0, "b": np.nan}).ok
    assert Check("x", "central", 1e-6, errors={"a": 0.0, "b": 1e-6}).ok


def test_run_cases_checks_by_both_methods_and_by_prefix():
    found = list(run_cases(["tanh", "lstm, ragged"]))
    assert [(c.name, c.method) for c in found] == [
        (name, method) for name in ("tanh", "lstm, ragged", "lstm, ragged, reversed") for method in LIMIT
    ]
    assert all(c.ok for c in found)


def test_an_unknown_case_is_one_line():
    with pytest.raises(NumseqError, match="nothing is called 'gpu'; there are: ") as info:
        list(run_cases(["gpu"]))
    assert "\n" not in str(info.value)


def test_the_same_seed_gives_the_same_inputs():
    again = cases()
    for name, case in TABLE.items():
        for argument, tree in case.inputs.items():
            assert all(map(np.array_equal, trees.leaves(tree), trees.leaves(again[name].inputs[argument])))
