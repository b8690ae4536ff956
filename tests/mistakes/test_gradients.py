"""Every hand-written backward agrees with numbers, and the check that says so is able to say the opposite."""

import inspect
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import arrays_in, few_fast, in_few, output_gradients

from numseq import layers, models
from numseq import params as trees
from numseq.errors import NumseqError
from numseq.gradcheck import Check, check, relative_error
from numseq.layers import layernorm
from numseq.layers.attention import base as attention
from numseq.layers.cells import bidirectional, layernorm_lstm, lstm, rnn, stack, unroll
from numseq.layers.cells import sequence as recurrent
from numseq.layers.cells.rnn import RELU
from numseq.layers.losses import cross_entropy as loss
from numseq.mistakes import CELLS, cases, fixtures, methods_of, run_cases, table
from numseq.mistakes.table import cases_of_layers

HIDDEN = ("dropout", "embedding", "linear")  # files that functions of the same names hide
dropout, embedding, linear = (sys.modules[f"numseq.layers.{name}"] for name in HIDDEN)

TABLE = cases()
LIMIT = {"complex-step": 1e-10, "central": 1e-6}
TOLERANCES = LIMIT | {"directional": LIMIT["complex-step"]}
TWO_WAYS = ["bidirectional", "stack", *(f"{kind}, {name}" for name in CELLS for kind in ("bidirectional", "stack"))]
TWO_WAYS.remove("bidirectional, lstm")  # which is the one without a name
PADDED = [f"{name}, ragged{turned}" for name in CELLS for turned in ("", ", reversed")]
PADDED += [*TWO_WAYS, "zoneout", "zoneout, evaluation", "weight_drop"]
MODELS = [name for name in TABLE if name.startswith("seq2seq")]
# those of the pairs are as small as they can be, and one has sizes alike on purpose
LARGE = [name for name in MODELS if not TABLE[name].options and "sizes alike" not in name]
RAGGED = [name for name in MODELS if "holes" not in (masks := TABLE[name].options.values()) and "nothing" not in masks]


def held(case):
    """What the function of a case closes over, by name, what is in `options` too; its mask is called `real`."""
    found = dict(inspect.getclosurevars(case.function).nonlocals)
    found |= found.pop("options", {})
    return found | ({"real": found["mask"]} if getattr(found.get("mask"), "dtype", None) == np.bool_ else {})


def run(case):
    trace = case.function(**case.inputs)
    return trace, trace.backward(**output_gradients(trace))


def _each():
    """(name, method), of which the fast part has each layer by the complex step; differences say the same more roughly,
    and of these one in eight is enough. What is combined of layers has a direction in each array there, and every
    number with the slow tests; so have those of the models that bring no option's value that others do not have."""
    few = in_few({name: TABLE[name].options for name in MODELS if TABLE[name].options})
    for k, name in enumerate(TABLE):
        methods = methods_of(name)
        if methods == ("complex-step",):
            yield pytest.param(name, "directional")
            yield pytest.param(name, "complex-step", marks=pytest.mark.slow)
            continue
        if TABLE[name].options and name in MODELS:
            yield pytest.param(name, *methods, marks=() if name in few else pytest.mark.slow)
            continue
        for method in methods:
            yield pytest.param(name, method, marks=pytest.mark.slow if method == "central" and k % 8 else ())


@pytest.mark.parametrize("name, method", list(_each()))
def test_backward_agrees_with_numbers(name, method):
    case = TABLE[name]
    result = check(case.function, case.inputs, name=name, method=method, outputs=case.outputs)
    assert result.ok and result.worst <= TOLERANCES[method], str(result)
    assert not any("nothing reads" in said for said in result.warnings), "a quantity has no reader, so is not looked at"


# what the table holds


def to_be_covered(module):
    for name in module.__all__:
        thing = getattr(module, name)
        data = name.startswith("init_") or name.endswith(("Params", "State", "Config", "Initializer", "Memory"))
        error = inspect.isclass(thing) and issubclass(thing, Exception)
        if callable(thing) and not data and not error:
            yield name


def uncovered(table):
    covered = {name for case in table.values() for name in case.covers}
    return [name for module in (layers, models) for name in to_be_covered(module) if name not in covered]


def test_everything_exported_has_a_case():
    assert uncovered(TABLE) == []


def test_a_layer_exported_without_a_case_is_found(monkeypatch):
    monkeypatch.setattr(layers, "mgu", lambda x: x, raising=False)
    monkeypatch.setattr(layers, "__all__", [*layers.__all__, "mgu"])
    assert uncovered(TABLE) == ["mgu"]


def test_every_kind_of_cell_has_every_kind_of_case():
    for name, layer in CELLS.items():
        wanted = [layer.step.name, name, f"{name}, ragged", f"{name}, ragged, reversed", f"stack, {name}"]
        wanted.append("bidirectional" if name == "lstm" else f"bidirectional, {name}")
        assert not set(wanted) - TABLE.keys() and layer.cell.equations == name
    exported = {kind for kind in vars(layers).values() if inspect.isclass(kind) and issubclass(kind, layers.Cell)}
    assert exported - {layers.Cell} == {type(layer.cell) for layer in CELLS.values()}


@pytest.mark.slow
def test_a_case_runs_what_it_claims_to_cover():
    ran, before = set(), sys.getprofile()
    sys.setprofile(lambda frame, event, _: ran.add(frame.f_code) if event == "call" else None)
    try:
        [made.cache_clear() for made in (table._cases_of, cases_of_layers, table.cases_without_models)]
        for case in cases.__wrapped__().values():  # made anew: what draws their masks is covered too
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
    assert fixtures.B >= 3 and fixtures.T >= 4 and fixtures.S >= 4
    for name in ["linear", *CELLS, *PADDED]:
        T, B = TABLE[name].inputs["x"].shape[:2]
        assert (T, B) == (fixtures.T, fixtures.B) or (name.startswith("stack, ") and T >= 4 <= B)


@pytest.mark.parametrize("name", [*PADDED, "cross_entropy", "additive_attention", *RAGGED])
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
        rows = [row[real] for row, real in zip(array.T, mask.T, strict=True)]
        assert any(len(np.unique(row)) < len(row) for row in rows), "no id twice in a row"


@pytest.mark.parametrize("name", [*CELLS, *PADDED])
def test_first_states_are_not_zero(name):
    states = trees.leaves(TABLE[name].inputs["state"])
    assert states and all((state != 0).all() for state in states)


@pytest.mark.parametrize("name", ["dropout", "stack", *MODELS])
def test_dropout_drops_and_keeps(name):
    found = held(TABLE[name])
    masks = found.get("noise", found.get("dropout_masks", found.get("mask")))
    for place, mask in trees.walk(masks):
        assert "samples" in place or ((mask == 0).any() and (mask >= 1).any())


def test_every_kind_of_noise_is_on_in_some_model():
    drawn = [{re.sub(r"\.\d.*", "", place) for place, _ in trees.walk(held(TABLE[name])["noise"])} for name in MODELS]
    both = {f"{side}.{kind}" for side in ("encoder", "decoder") for kind in ("dropout", "weights", "zoneout")}
    heads = {"head", "head.dropout", "head.samples"}  # one that copies draws one mask and no samples
    assert set.union(*drawn) == {"source", "encoder", "target", *heads, *both}
    assert sum("source" in places for places in drawn) > len(MODELS) / 2


def test_the_sizes_of_the_layers_are_all_different():
    S, T, B, D, H, A, V = (getattr(fixtures, size) for size in "STBDHAV")
    sizes = {"S": S, "T": T, "B": B, "D": D, "H": H, "2H": 2 * H, "4H": 4 * H, "A": A, "V": V}
    assert len(set(sizes.values())) == len(sizes), sizes


@pytest.mark.parametrize("name", LARGE)
def test_the_sizes_of_the_models_are_all_different(name):
    config = held(TABLE[name])["config"]
    sizes = {"S": fixtures.S, "T": fixtures.T, "B": fixtures.B}
    sizes |= {"V source": config.source_vocabulary}
    if config.tied != "all":  # then there is one vocabulary
        sizes |= {"V target": config.target_vocabulary}
    sizes |= {"H": config.hidden}
    if all(config.recurrent):  # blocks of self-attention add to the embeddings, so these are as wide
        sizes |= {"E": config.embedding}
    if config.attends:
        sizes |= {"A": config.attention_size, "H / 2": config.hidden // 2}
    assert len(set(sizes.values())) == len(sizes), sizes


def test_no_gradient_of_any_case_is_all_zero():
    for name, case in TABLE.items():  # of those that are tried in pairs another test holds more
        grad = run(case)[1] if not case.options else ()
        zero = getattr(getattr(grad, "params", None), "b_k", None)  # it moves no weight
        for array in arrays_in(grad):
            assert (array == 0).all() if array is zero else np.abs(array).max() > 1e-6, name


# what is zero is exactly zero


@pytest.mark.parametrize("name", PADDED)
def test_the_input_gets_no_gradient_where_it_is_padding(name):
    real = held(TABLE[name])["real"]
    dx = run(TABLE[name])[1].dx
    assert (dx[~real] == 0).all() and (dx[real] != 0).all(axis=-1).mean() > 0.5
    # the units of a relu can all be off, and zoneout can keep all of a row, so that nothing comes back
    if held(TABLE[name]).get("cell") is not RELU and not name.startswith("stack, "):
        assert (dx[real] != 0).all()


@pytest.mark.parametrize("name", [f"stack, {cell}" for cell in CELLS])
def test_zoneout_and_weight_drop_keep_and_drop(name):
    found = held(TABLE[name])
    zoneout, weights = found["zoneout"][0], found["weight_masks"][1]
    assert len(zoneout) == len(found["cell"].State._fields) == len({mask.tobytes() for mask in zoneout})
    for mask in zoneout:
        assert set(np.unique(mask)) == {0, 1}
    assert (weights == 0).any() and (weights > 1).any()
    assert weights.ndim == 2 or not np.array_equal(*weights)  # each direction has its own


@pytest.mark.parametrize("name", [name for name in TABLE if "relu_rnn" in name and not TABLE[name].options])
def test_a_central_difference_does_not_reach_over_the_kink_of_a_relu(name):
    trace = run(TABLE[name])[0]
    for layer in getattr(trace, "layers", [trace]):
        assert np.abs(layer.run.steps.a[layer.run.steps.a != 0]).min() > 20 * 1e-5  # nothing moves what is 0


def test_logits_get_no_gradient_where_they_are_padding():
    case = TABLE["cross_entropy"]
    real, dlogits = held(case)["weights"], run(case)[1].dlogits
    assert (dlogits[~real] == 0).all() and (dlogits[real] != 0).all()


def test_masked_source_positions_get_no_weight_and_no_gradient():
    case = TABLE["additive_attention"]
    trace, grad = run(case)
    real = held(case)["real"]
    masked = np.broadcast_to(~real.T, trace.alpha.shape)
    assert (trace.alpha[masked] == 0).all() and (trace.alpha[~masked] > 0).all()
    assert (grad.dvalues[~real] == 0).all() and (grad.dvalues[real] != 0).all()


def test_the_row_of_the_padding_id_gets_no_gradient():
    ids, params = held(TABLE["embedding"])["ids"], TABLE["embedding"].inputs["params"]
    assert (ids == 0).any()
    dy = np.ones((*ids.shape, params.W.shape[1]))
    assert (layers.embedding(ids, params, padding_id=0).backward(dy).params.W[0] == 0).all()
    assert (layers.embedding(ids, params).backward(dy).params.W[0] != 0).all()


@pytest.mark.parametrize("name", LARGE)
def test_models_have_no_gradient_for_the_padding_id_nor_for_ids_that_do_not_occur(name):
    grad, batch = run(TABLE[name])[1].params, held(TABLE[name])["batch"]
    sides = ((grad.source, batch.source, batch.source_mask), (grad.target, batch.target_in, batch.target_mask))
    for side, ids, mask in sides:
        occur = np.isin(np.arange(len(side.W)), ids[mask])
        assert not occur[0] and (side.W[~occur] == 0).all()
        assert (side.W[occur] != 0).any(axis=1).all()


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


def _padding_not_carried(self, t, dstate):
    return self.cell.backward(self.steps[t], dstate, self.params)


def _last_step_only(self, x, saved, h_prev, steps, da, params):
    dparams = layers.LSTMParams(x[-1].T @ da[-1], h_prev[-1].T @ da[-1], da[-1].sum(axis=0))
    return da @ params.W_x.T, dparams


def sums_of(monkeypatch, kind, edit):
    """Let `weight_gradients` of a cell return what `edit` makes of the right gradients of its parameters."""
    right = kind.weight_gradients

    def wrong(self, *args):
        dx, dparams = right(self, *args)
        edit(dparams)
        return dx, dparams

    monkeypatch.setattr(kind, "weight_gradients", wrong)


def _unreset(right):
    def weight_gradients(self, x, saved, h_prev, steps, da, params):
        return right(self, x, saved, h_prev, SimpleNamespace(v=steps.h_prev), da, params)

    return weight_gradients


def _half_normalised(dx_hat, x_hat, std):
    return (dx_hat - dx_hat.mean(axis=-1, keepdims=True)) / std


WRONG = {  # what is wrong: (case, a function that makes it so)
    "no forget gate on the way to c_prev": (
        "lstm",
        lambda m: backward_of(m, layers.LSTMStep, change(dc_prev=lambda grad, s: grad.dc)),
    ),
    "no way through h to the cell": (
        "lstm_step",
        lambda m: m.setattr(lstm, "tanh_backward", lambda dy, y: 0 * dy),
    ),
    "the sigmoid's derivative is left out": (
        "lstm",
        lambda m: m.setattr(lstm, "gates_backward", lambda dy, y: dy),
    ),
    "weights see the last step only": ("lstm", lambda m: m.setattr(layers.LSTM, "weight_gradients", _last_step_only)),
    "a padded step is undone like a real one": (
        "lstm, ragged",
        lambda m: m.setattr(unroll.Unroll, "step_backward", _padding_not_carried),
    ),
    "the gradient of the final cell is forgotten": (
        "lstm",
        lambda m: m.setattr(recurrent, "bptt", lambda run, dh, ends, right=unroll.bptt: right(run, dh, (ends.h, None))),
    ),
    "dx of one direction only": (
        "bidirectional",
        lambda m: backward_of(m, bidirectional.BidirectionalTrace, change(dx=lambda grad, t: grad.dx * 0.5)),
    ),
    "the reset product's bias is not reset": (
        "gru, ragged",
        lambda m: sums_of(m, layers.GRU, lambda dparams: setattr(dparams, "b_h", dparams.b)),
    ),
    "the candidate's matrix sees the state that was not reset": (
        "gru_before, ragged",
        lambda m: m.setattr(layers.GRUBefore, "weight_gradients", _unreset(layers.GRUBefore.weight_gradients)),
    ),
    "what the update gate kept is not passed back": (
        "gru",
        lambda m: backward_of(m, layers.GRUStep, change(dh_prev=lambda grad, s: 0 * grad.dh_prev)),
    ),
    "a simple network without its tanh": (
        "rnn, ragged",
        lambda m: m.setattr(rnn, "tanh_backward", lambda dy, y: 1 * dy),
    ),
    "a relu network that is always on": (
        "relu_rnn, ragged",
        lambda m: m.setattr(rnn, "relu_backward", lambda dy, y: 1 * dy),
    ),
    "a peephole gets no gradient": (
        "peephole, ragged",
        lambda m: sums_of(m, layers.PeepholeLSTM, lambda dparams: setattr(dparams, "p_o", 0 * dparams.p_o)),
    ),
    "the previous cell hears nothing of the peepholes": (
        "peephole",
        lambda m: backward_of(m, layers.PeepholeStep, change(dc_prev=lambda grad, s: grad.dc * s.f)),
    ),
    "layer normalisation forgets its deviation": (
        "layer_norm",
        lambda m: m.setattr(layernorm, "normalise_backward", _half_normalised),
    ),
    "the normalised LSTM forgets the deviation": (
        "layernorm_lstm, ragged",
        lambda m: m.setattr(layernorm_lstm, "normalise_backward", _half_normalised),
    ),
    "zoneout passes nothing by": (
        "zoneout",
        lambda m: m.setattr(
            unroll.Unroll,
            "_parted",
            lambda self, k, t, d, right=unroll.Unroll._parted: (right(self, k, t, d)[0], 0 * d),
        ),
    ),
    "weight-drop forgets its mask": (
        "weight_drop",
        lambda m: m.setattr(dropout.DropoutTrace, "backward", lambda self, dy: SimpleNamespace(dx=dy)),
    ),
    "residual connections are forgotten": (
        "stack, gru",
        lambda m: m.setattr(
            stack.StackTrace,
            "backward",
            lambda self, *given, right=stack.StackTrace.backward, **named: right(
                replace(self, residual=[False, False]), *given, **named
            ),
        ),
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
            attention.Attention,
            "backward",
            lambda self, s, dcontext, shared, dalpha=None, dcarried=(), right=attention.Attention.backward: right(
                self, s, dcontext, shared, None, dcarried
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


LONG = (  # what they do is done by others too: to a norm, to a step of an LSTM, to what goes around
    "the normalised LSTM forgets the deviation",
    "the sigmoid's derivative is left out",
    "weights see the last step only",
    "zoneout passes nothing by",
    "residual connections are forgotten",
)


@pytest.mark.parametrize("method", few_fast(LIMIT, ["complex-step"]))
@pytest.mark.parametrize("mistake", few_fast(WRONG, [mistake for mistake in WRONG if mistake not in LONG]))
def test_a_wrong_backward_is_found(monkeypatch, mistake, method):
    name, make_wrong = WRONG[mistake]
    make_wrong(monkeypatch)
    case = cases()[name]
    result = check(case.function, case.inputs, name=name, method=method)
    assert not result.ok and result.worst > 1e-3 and "WRONG" in str(result)


def test_the_checker_says_which_array_is_wrong(monkeypatch):
    too_large = change(dstate=lambda grad, t: grad.dstate._replace(c=1.01 * grad.dstate.c))
    backward_of(monkeypatch, layers.RecurrentTrace, too_large)
    result = check(TABLE["lstm"].function, TABLE["lstm"].inputs)
    assert result.where == "dstate.c" and 0.009 < result.worst < 0.011
    assert all(error < 1e-10 for name, error in result.errors.items() if name != "dstate.c")


def test_a_missing_gradient_is_a_problem(monkeypatch):
    backward_of(monkeypatch, layers.RecurrentTrace, lambda grad, t: SimpleNamespace(dx=grad.dx))
    result = check(TABLE["lstm"].function, TABLE["lstm"].inputs)
    assert not result.ok and result.worst == np.inf
    assert [problem.split(":")[0] for problem in result.problems] == [
        "backward gives no dstate",
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
    with pytest.raises(NumseqError, match="nothing is called 'LSTM'; did you mean 'lstm'[?] ") as info:
        list(run_cases(["LSTM"]))
    assert "\n" not in str(info.value) and len(str(info.value)) < 200


def test_the_same_seed_gives_the_same_inputs():
    [made.cache_clear() for made in (table._cases_of, cases_of_layers, table.cases_without_models)]
    again = cases.__wrapped__()
    for name, case in TABLE.items():
        for argument, tree in case.inputs.items():
            assert all(map(np.array_equal, trees.leaves(tree), trees.leaves(again[name].inputs[argument])))
