"""The table holds every two values of options that may stand together, and what each of them is for shows there."""

import inspect
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers import assert_close, few_fast, in_few, output_gradients
from helpers_edit import edited

from numseq import layers
from numseq import params as trees
from numseq.gradcheck.results import label
from numseq.layers.cells import cell, unroll
from numseq.layers.cells.stack import StackTrace
from numseq.layers.embedding import EmbeddingTrace
from numseq.mistakes import cases, function_of, looks, models, run, run_cases, sequences
from numseq.mistakes.kinks import is_off, least_std, nearest_kink
from numseq.mistakes.pairs import completed, covering, held, nothing, pairs
from numseq.models import ATTENTIONS, CELLS, Seq2SeqConfig, forward, seq2seq
from numseq.models.decoders import luong, luong_feeding
from numseq.objectives.cross_entropy import CrossEntropyObjective
from numseq.options import options_of

FILES = {"stacked": sequences, "looking": looks, "seq2seq": models}
TABLE = cases()
PAIRED = [name for name, case in TABLE.items() if case.options]


def rows_of(group):
    return {name: case.options for name, case in TABLE.items() if case.options and name.startswith(f"{group}, ")}


def each_row_of(group):
    """The names of all rows; in the fast part few, in which each value stands."""
    return few_fast(rows_of(group), in_few(rows_of(group)))


# covering arrays


def test_a_covering_array_has_every_pair_in_few_rows():
    options = {"a": (1, 2, 3), "b": (1, 2, 3), "c": (False, True), "d": (False, True)}
    rows = covering(options, lambda row: True)
    assert set(pairs(options)) == set.union(*map(held, rows)) and 9 <= len(rows) <= 12
    assert rows == covering(options, lambda row: True)


def test_a_covering_array_has_every_pair_that_is_allowed_and_no_row_that_is_not():
    options = {"a": (1, 2, 3), "b": (1, 2, 3), "c": (False, True)}
    allowed = lambda row: row["a"] != row["b"] and not (row["c"] and row["a"] == 1)  # noqa: E731
    rows = covering(options, allowed)
    assert all(map(allowed, rows))
    missing = set(pairs(options)) - set.union(*map(held, rows))
    assert missing == {(("a", k), ("b", k)) for k in (1, 2, 3)} | {(("a", 1), ("c", True))}


@cache
def impossible(group):
    """Pairs of which no allowed row was drawn."""
    file, rng, found = FILES[group], np.random.default_rng(1), set.union(*map(held, rows_of(group).values()))
    left, follows = set(pairs(file.options())) - found, getattr(file, "follows", nothing)
    tried = lambda pair: completed(pair, file.options(), file.allowed, rng, follows)  # noqa: E731
    return {pair for pair in left if not any(tried(pair) for _ in range(4))}


@pytest.mark.parametrize("group", few_fast(FILES, ["stacked"]))
def test_every_pair_that_may_stand_together_is_in_some_case(group):
    rows, options = rows_of(group), FILES[group].options()
    assert all(FILES[group].allowed(row) for row in rows.values())
    missing = set(pairs(options)) - set.union(*map(held, rows.values()))
    assert missing == impossible(group), sorted(map(str, missing - impossible(group)))
    assert len(missing) < len(list(pairs(options))) / 5


def test_a_pair_that_is_in_no_case_is_found(monkeypatch):
    """A new cell, as long as it is in no model."""
    monkeypatch.setitem(CELLS, "new", layers.LSTM(step=layers.peephole_step))
    options = models.options()
    assert "new" in options["cell"]
    rows = rows_of("seq2seq").values()
    assert {pair for pair in set(pairs(options)) - set.union(*map(held, rows)) if ("cell", "new") in pair} == {
        pair for pair in pairs(options) if ("cell", "new") in pair
    }


# the options are all


def test_every_option_of_a_model_is_tried():
    tried = set(models.options()) - {"source_mask", "target_mask"}
    assert not tried & models.ALONE.keys() and tried | models.ALONE.keys() == set(options_of(Seq2SeqConfig))


def test_every_option_of_a_sequence_is_tried():
    given = {"x": "width", "params": "biases", "cell": "cell", "reverse": "ways"}
    tried = sequences.options().keys() | {"layers", "outputs"}
    for function in (layers.sequence, layers.bidirectional, layers.stack):
        for name in inspect.signature(function).parameters:
            wanted = given.get(name, {"weight_mask": "weight_masks"}.get(name, name))
            assert wanted in tried, name
    assert set(sequences.options()["cell"]) == {each.equations for each in CELLS.values()}
    assert {len(row["outputs"]) for row in rows_of("stacked").values()} == {1, 2}


def test_every_parameter_that_may_be_missing_is_there_and_is_not():
    seen = {}
    for name in [*rows_of("stacked"), *rows_of("looking")]:
        for field, kind in optional_fields(TABLE[name].inputs.get("params")):
            seen.setdefault((kind, field), set()).add(TABLE[name].options["biases"])
    assert seen and all(len(found) >= 2 for found in seen.values()), seen


def optional_fields(params):
    each = params if isinstance(params, list) else [getattr(params, "look", params)]  # what several hops share
    each = [part for one in each for part in ((one.ahead, one.back) if hasattr(one, "ahead") else (one,))]
    for one in (one for one in each if one is not None):
        for name, said in inspect.get_annotations(type(one)).items():
            if "None" in str(said):
                yield name, type(one).__name__


def test_every_attention_is_tried():
    assert set(looks.options()["attention"]) == set(ATTENTIONS) - {"none"}
    made_with = {name for kind in ATTENTIONS.values() if kind for name in kind.options}
    assert made_with == looks.MADE_WITH.keys()


# they do something


@pytest.mark.parametrize("name", PAIRED)
def test_no_gradient_is_hardly_there(name):
    """If this fails after options have changed, another SEED in the file of the case will do."""
    case = TABLE[name]
    grad = gradients(case.function(**case.inputs), case)
    for leaf, d in grad.items():
        # b_k moves no weight: it adds the same to all scores of a query
        assert leaf in ("params.b_k", "params.look.b_k") or np.abs(d).max() > 1e-5, leaf


@pytest.mark.parametrize("name", PAIRED)
def test_no_case_is_near_a_kink_or_behind_units_that_are_off(name):
    trace = TABLE[name].function(**TABLE[name].inputs)
    assert nearest_kink(trace) > 1e-3 and not is_off(trace) and least_std(trace) > 1e-3


def gradients(trace, case):
    """All gradients of a case by name, for the same gradients of its outputs."""
    given = {"dloss": 1.0} if hasattr(trace, "loss") else output_gradients(trace)
    if case.outputs:
        given = {name: d for name, d in given.items() if name[1:] in case.outputs}
    grad = trace.backward(**given)
    return {
        leaf: d for argument in case.inputs for leaf, d in trees.walk(getattr(grad, label(argument)), label(argument))
    }


KEPT = ("residual", "samples", "label_smoothing", "confidence_penalty", "coverage_loss", "encoder")
MASKED = ("source_mask", "target_mask")


def differs(one, other):
    return one.keys() != other.keys() or any(
        one[leaf].shape != other[leaf].shape or np.abs(one[leaf] - other[leaf]).max() > 1e-9 for leaf in one
    )


@pytest.mark.parametrize("name", each_row_of("seq2seq"))
def test_what_is_on_in_a_model_changes_its_gradient(name):
    case, row = TABLE[name], TABLE[name].options
    found = inspect.getclosurevars(case.function).nonlocals
    config, batch, noise = found["config"], found["batch"], found["noise"]
    params = case.inputs["params"]
    usual = gradients(case.function(**case.inputs), case)
    for option in KEPT:
        off = FILES["seq2seq"].options()[option][0] if option != "encoder" else {"forward": "backward"}.get(
            row["encoder"], "forward"
        )  # fmt: skip
        if row[option] == off or (
            option == "encoder" and row["encoder"] in ("bidirectional", "hops", "self-attention")
        ):
            continue  # another encoder of these has other parameters
        without = noise if option != "samples" else replace(noise, head=replace(noise.head, samples=None))
        trace = forward(params, batch, replace(config, **{option: off}), without)
        assert differs(usual, gradients(trace, case)), option
    for mask in MASKED:
        full = type(batch)(**vars(batch) | {mask: np.ones_like(getattr(batch, mask))})
        assert differs(usual, gradients(forward(params, full, config, noise), case)), mask
    for place, drawn in trees.walk(noise):
        off = np.zeros_like(drawn) if "samples" in place else np.ones_like(drawn)
        assert "samples" in place or ((drawn == 0).any() and (drawn > 0).any()), place
        if "samples" not in place:
            other = trees.map(lambda leaf, drawn=drawn, off=off: off if leaf is drawn else leaf, noise)
            assert differs(usual, gradients(forward(params, batch, config, other), case)), place


@pytest.mark.parametrize("name", each_row_of("stacked"))
def test_what_is_on_in_a_stack_changes_its_gradient(name):
    case, row = TABLE[name], TABLE[name].options
    given = inspect.getclosurevars(case.function).nonlocals["given"]
    state = case.inputs.get("state")
    usual = gradients(case.function(**case.inputs), case)

    def without(**off):
        trace = layers.stack(case.inputs["x"], state, case.inputs["params"], **given | off)
        return gradients(trace, case)

    off = {"residual": False, "weight_masks": None, "dropout_masks": None, "mask": None}
    for option, value in off.items():
        if given[option] is not value:
            assert differs(usual, without(**{option: value})), option
    for k, each in enumerate(given["zoneout"]):
        if each is not None:
            assert differs(usual, without(zoneout=[None if j == k else z for j, z in enumerate(given["zoneout"])])), k
    if row["ways"] != "both":
        assert differs(usual, without(reverse=not given["reverse"]))


@pytest.mark.parametrize("name", each_row_of("looking"))
def test_the_equations_of_attentions_hold_with_every_option(name):
    case = TABLE[name]
    trace = case.function(**case.inputs)
    given = {f"d{output}": output_gradients(trace)[f"d{output}"] for output in case.outputs}
    found, expected = run(function_of(trace), {}, trace, given), trace.backward(**given)
    for result in map(label, case.inputs):
        assert_close(found[result], getattr(expected, result))


@pytest.mark.parametrize("name", each_row_of("stacked"))
def test_the_equations_of_cells_hold_with_every_option(name):
    trace = TABLE[name].function(**TABLE[name].inputs)
    for layer in trace.layers:
        given = output_gradients(layer)
        found, expected = run(function_of(layer), {}, layer, given), layer.backward(**given)
        for result in ("dx", "dstate", "params"):
            assert_close(found[result], getattr(expected, result))


def test_there_is_a_row_in_which_nothing_is_real():
    for group, source in (("looking", "mask"), ("seq2seq", "source_mask")):
        found = [name for name, row in rows_of(group).items() if row[source] == "nothing"]
        alpha = TABLE[found[0]].function(**TABLE[found[0]].inputs).alpha
        assert len(found) > 8 and (alpha is None or (alpha[:, 1] == 0).all())


# a mistake that only one option shows


WRONG = {  # what is wrong: (owner, function, what is right there, what is written, where it shows)
    "a second bias of the cells that share their sums gets nothing": (
        cell, "product_gradients", "else db.copy()", "else 0 * db", ["lstm", "rnn", "relu_rnn", "peephole"], "stacked",
    ),
    "past a hole in the mask the gradient is lost": (
        unroll.Unroll, "_parted", "where(real, past, d)",
        "where(real, past, where(self.mask[t:].any(axis=0)[..., None], 0, d))", ["lstm", "gru", "rnn"], "stacked",
    ),
    "of three layers each has the dropout of the first": (
        StackTrace, "backward", "self.dropouts[k - 1]", "self.dropouts[0]", ["lstm", "gru", "rnn"], "stacked",
    ),
    "a residual lowest layer is not gone around": (
        StackTrace, "backward", "if self.residual[k] and", "if k and self.residual[k] and", ["lstm", "gru"], "stacked",
    ),
    "the padding's row gets a gradient": (
        EmbeddingTrace, "backward", "if self.padding_id is not None", "if False", ["embedding"], "",
    ),
    "b_o gets a gradient of rows in which nothing is real": (
        layers.MultiHeadAttention, "weight_gradients", "rows(self._if_seen(grads.dcontext))", "rows(grads.dcontext)",
        ["multi-head"], "looking",
    ),
    "what was carried to the first look is taken for nothing": (
        layers.LocationAttention, "weight_gradients", "windows(steps.alpha_prev, len(self.params.F))",
        "windows(steps.alpha_prev * (np.arange(len(grads)) > 0)[:, None, None], len(self.params.F))",
        ["location"], "looking",
    ),
    "in Luong's order the cell gets nothing through the bridge": (
        luong.LuongTrace, "backward", "self.start.backward(rnn.dstate, look)",
        "self.start.backward([type(d)(d[0], *(0 * c for c in d[1:])) for d in rnn.dstate], look)",
        ["luong, additive", "luong, concat", "luong, dot"], "seq2seq",
    ),
    "in Luong's order the coverage loss is not passed on": (
        luong.LuongTrace, "backward", "dcontext), dalpha)", "dcontext))", ["luong"], "seq2seq",
    ),
    "in Luong's order the readout's embedding gets nothing": (
        luong.LuongTrace, "backward", "summed(rnn.dx, dy_read)", "rnn.dx", ["luong"], "seq2seq",
    ),
    "with feeding the coverage loss is not passed on": (
        luong_feeding.FeedingTrace, "backward", ", at(t, dalpha))", ")", ["luong-feeding"], "seq2seq",
    ),
    "with feeding the readout's embedding gets nothing": (
        luong_feeding.FeedingTrace, "backward", "summed(dx, around, dy_read)", "summed(dx, around)", ["luong-feeding"],
        "seq2seq",
    ),
    "with feeding a residual lowest layer is not gone around": (
        luong_feeding.FeedingTrace, "backward", "xp.stack(dh_lowest) if layers[0].residual else None", "None",
        ["luong-feeding"], "seq2seq",
    ),
    "the source's gradient is added wherever shapes agree": (
        seq2seq, "untie_gradients", 'if tied == "all":', "if grad.source.W.shape == dW.shape:", ["target tied"],
        "seq2seq",
    ),
    "of a coverage loss the weight is forgotten": (
        CrossEntropyObjective, "backward", "self.weight * dloss", "dloss", ["bahdanau"], "seq2seq",
    ),
}  # fmt: skip


FAST = ["the source's gradient is added wherever shapes agree"]


@pytest.mark.parametrize("what", few_fast(WRONG, FAST))
def test_a_mistake_that_few_options_show_is_caught(monkeypatch, what):
    owner, function, right, wrong, names, group = WRONG[what]
    names = [f"{group}, {name}" if group else name for name in names]
    monkeypatch.setattr(owner, function, edited(owner, function, right, wrong))
    assert any(not result.ok for result in run_cases(names))
