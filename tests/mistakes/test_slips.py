"""Mistakes that nobody wrote down: slips in the plain equations, and the wiring of models."""

import inspect
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import at_scale_one, few_fast, lengths_to_mask, output_gradients

from numseq import layers
from numseq import params as trees
from numseq.data import Batch
from numseq.gradcheck import check, grade
from numseq.gradcheck.watch import Watch
from numseq.layers.attention import additive
from numseq.layers.cells import cell, lstm, rnn, unroll
from numseq.layers.cells.stack import StackTrace
from numseq.layers.linear import LinearTrace
from numseq.mistakes import LAYERS, cases, diagnose, function_of, match, run
from numseq.mistakes.formulas import formulas
from numseq.mistakes.slips import slips
from numseq.mistakes.table import cases_of_layers
from numseq.models import Seq2Seq, Seq2SeqConfig, draw_noise, forward, seq2seq
from numseq.models.decoders import bahdanau, base, bridge, loop, luong, luong_feeding, plain, readout
from numseq.models.encoders.recurrent import RecurrentEncoderTrace
from numseq.models.heads.vocabulary import VocabularyTrace
from numseq.models.sources.tokens import TokensTrace
from numseq.objectives.cross_entropy import CrossEntropyObjective

TABLE = cases_of_layers()


def model(**options):
    """A small model with dropout, on ragged rows: a function and its inputs."""
    real, source_real = lengths_to_mask([4, 2, 3]), lengths_to_mask([3, 1, 2])
    ids = lambda mask: np.where(mask, np.random.default_rng(8).integers(4, 8, mask.shape), 0)  # noqa: E731
    batch = Batch(ids(source_real), source_real, ids(real), ids(real), real, int(real.sum()))
    sizes = {"embedding": 3, "hidden": 2, "attention_size": 4, "dropout": 0.3}
    config = Seq2SeqConfig(8, 8, **sizes | options)
    params = at_scale_one(Seq2Seq.create(config, dtype=np.float64).params)
    noise = draw_noise(config, params, batch, 0)
    return lambda params: forward(params, batch, config, noise), {"params": params}


BAHDANAU = {"attention": "additive"}
DROPPED = BAHDANAU | {"weight_drop": 0.3}
DEEP = {"attention": "additive", "layers": 2, "hidden": 4}
VECTOR = {"decoder": "vector", "attention": "none", "readout_embedding": True}
LUONG = {"decoder": "luong", "attention": "general"}
FEEDING = {"decoder": "luong-feeding", "attention": "dot"}
COVERED = {"attention": "coverage", "coverage_loss": 0.7}
TIED = {"attention": "none", "readout": "tanh", "tied": "all"}

WIRED = {  # what is wrong: (model, owner and name of what is edited, right, wrong, the name, its place)
    "one reader of the memory": (
        *(BAHDANAU, base.Start, "backward", "look.dkeys + look.dvalues", "look.dkeys"),
        *("dvalues is missing in dmemory", "decoder.start"),
    ),
    "the bridge's slope": (
        *(BAHDANAU, bridge.BridgeTrace, "backward", "tanh_backward(dh, state.h)", "dh"),
        *("the factor 1 - h ** 2 is missing in da_h", "decoder.start.bridge"),
    ),
    "the query": (
        *(BAHDANAU, bahdanau.BahdanauTrace, "backward", "summed(dh[t], dquery)", "dh[t]"),
        *("dquery is missing in dh_t", "decoder"),
    ),
    "the readout's slope": (
        *(BAHDANAU, readout.Readout, "backward", "tanh_backward(dr, s.r)", "dr"),
        *("the factor 1 - r ** 2 is missing in da_r", "decoder"),
    ),
    "dropout above the lowest layer": (
        *(DEEP, bahdanau.BahdanauTrace, "backward", "self.dropout.backward(upper.dx).dx", "upper.dx"),
        *("the backward of dropout is skipped in dh_out", "decoder"),
    ),
    "the vector's mean": (
        *(VECTOR, plain.PlainTrace, "backward", "dcontext).sum(axis=0)", "dcontext).mean(axis=0)"),
        *("a mean of dv where a sum belongs in dvector", "decoder"),
    ),
    "the query of the top state": (
        *(LUONG, luong.LuongTrace, "backward", "summed(dh_read, look.dquery, dh)", "summed(dh_read, dh)"),
        *("dquery is missing in dh_top", "decoder"),
    ),
    "input feeding": (
        *(FEEDING, luong_feeding.FeedingTrace, "backward", "dr[t] + dr_next", "dr[t]"),
        *("dr_next is missing in dr_t", "decoder"),
    ),
    "the final states": (
        *(BAHDANAU, RecurrentEncoderTrace, "backward", "dmemory.last)", "None)"),
        *("dfinal is zero", "encoder"),
    ),
    "the head's dropout": (
        *(BAHDANAU, VocabularyTrace, "backward", "self.dropout.backward(grad.dx).dx", "grad.dx"),
        *("the backward of dropout is skipped in dr", "objective.head"),
    ),
    "the coverage loss's weight": (
        *(COVERED, CrossEntropyObjective, "backward", "self.weight * dloss", "dloss"),
        *("the factor weight is missing in dloss_coverage", "objective"),
    ),
    "the order of the source": (
        *(BAHDANAU, seq2seq.Seq2SeqTrace, "backward", "encoder.dx", "encoder.dx[::-1]"),
        *("dx stands in reversed order", ""),
    ),
    "a tied matrix": (
        *(TIED, seq2seq, "untie_gradients", "grad.target.W + grad.head.W.T", "grad.head.W.T"),
        *("dW_target is missing in dW_all", ""),
    ),
    "an output's bias": (
        *(BAHDANAU, VocabularyTrace, "backward", "HeadGrad(params=grad.params,",
          "HeadGrad(params=type(grad.params)(grad.params.W, 0 * grad.params.b),"),
        *("b in dparams is zero", "objective.head"),
    ),
    "a weight decay": (
        *(BAHDANAU, VocabularyTrace, "backward", "HeadGrad(params=grad.params,",
          "HeadGrad(params=type(grad.params)(grad.params.W + 0.01 * self.output.params.W, grad.params.b),"),
        *("0.01 * params is a term too many in dparams", "objective.head"),
    ),
    "the cell that gets the query's gradient": (
        *(BAHDANAU, bahdanau.BahdanauTrace, "backward", "step_back.dstate._replace(h=step_back.dstate.h + dquery)",
          "type(step_back.dstate)(step_back.dstate.h, step_back.dstate.c + dquery)"),
        *("dquery goes to c of the lowest layer of dfirst, not to h of the lowest layer", "decoder"),
    ),
    "where the vector is cut off": (
        *(VECTOR, plain.PlainTrace, "backward", "dy, dv = dy[..., :E], summed(dy[..., E:],",
          "dy, dv = dy[..., -E:], summed(dy[..., :-E],"),
        *("the parts of dx_parts_rnn are cut in the order 2, 1", "decoder"),
    ),
    "a query that piles up": (
        *(BAHDANAU, bahdanau.BahdanauTrace, "backward", "dquery = look_back.look(t,",
          "dquery = summed(dquery, look_back.look(t,", "at(t, dalpha))  # of h_{t-1}", "at(t, dalpha)))"),
        *("dquery_after is a term too many in dquery", "decoder"),
    ),
    "weight-drop in a decoder's loop": (
        *(DROPPED, loop.Layer, "weight_gradients", "self.dropped.backward(dparams.W_h).dx", "dparams.W_h"),
        *("the recurrent matrix's gradient forgets the mask", "decoder"),
    ),
    "a sum of several readers": (
        *(BAHDANAU, bahdanau, "summed", "total + d", "(total + d) / 2"),
        *("several gradients are averaged pairwise, not summed, in dh_top, dh_t, dcontext_t, dy", "decoder"),
    ),
    "two boxes with one class": (
        *(BAHDANAU, TokensTrace, "backward", "self.dropout.backward(dx).dx", "dx"),
        *("the backward of dropout is skipped in dlooked_up", "source"),
    ),
}  # fmt: skip


def edited(owner, name, *changes):
    """A function whose source has each second of the changes for the one before."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    for right, wrong in zip(changes[::2], changes[1::2], strict=True):
        assert source.count(right) == 1
        source = source.replace(right, wrong)
    scope = {}
    exec(source, function.__globals__, scope)
    return scope[name]


@pytest.mark.parametrize("mistake", few_fast(WIRED, list(WIRED)[::9]))
def test_wrong_wiring_is_named_at_its_place(monkeypatch, mistake):
    options, owner, name, *changes, said, where = WIRED[mistake]
    monkeypatch.setattr(owner, name, edited(owner, name, *changes))
    found = check(*model(**options)).diagnosis
    assert {d.name for d in found} == {said} and found[0].where == where


STEP = (lstm, "lstm_step_backward")
SUMS = (cell, "product_gradients")
SLIPPED = {  # what is wrong: (case, what is edited, right, wrong, ..., the names)
    "two factors exchanged": (
        *("lstm, ragged", *STEP, "grad.dc * s.g", "grad.dc * s.i", "dg = grad.dc * s.i", "dg = grad.dc * s.g"),
        ["di and dg are exchanged"],
    ),
    "a factor in its own place": (
        *("lstm, ragged", *STEP, "grad.dc * s.g", "grad.dc * s.i"), ["i in the place of g in di"],
    ),
    "a term twice": (*("lstm_step", *STEP, "dc + tanh_backward", "2 * dc + tanh_backward"),
                     ["dc_in is counted twice in dc"]),
    "a bracket": (
        *("rnn_step", rnn, "rnn_step_backward", "tanh_backward(grad.dh, s.h)", "grad.dh * 1 - s.h * s.h"),
        ["h ** 2 is not multiplied by dh in da"],
    ),
    "arguments in another order": (
        *("rnn_step", rnn, "rnn_step_backward", "tanh_backward(grad.dh, s.h)", "tanh_backward(s.h, grad.dh)"),
        ["dh and h have changed places in da"],
    ),
    "blocks in another order": (
        *("lstm_step", *STEP, "grad.dg, grad.do)", "grad.do, grad.dg)"),
        ["do and dg have changed places"],
    ),
    "one block of four": (
        *("lstm, ragged", cell.Cell, "backward", "grad.da @ params.W_h.swapaxes(-1, -2)",
          "grad.da[..., :2] @ params.W_h[..., :2].swapaxes(-1, -2)"),
        ["the product dq[t] @ W_h.T takes of 4 blocks the first alone in dh_product"],
    ),
    "rows for steps": (
        *("lstm, ragged", *SUMS, "(da_rows @ params.W_x.T).reshape(x.shape)",
          "(da_rows @ params.W_x.T).reshape(x.shape[1], x.shape[0], -1).swapaxes(0, 1)"),
        ["dx is put into shape in another order of its axes"],
    ),
    "what one equation reads": (
        *("additive_attention", additive.AdditiveAttention, "score_backward", "grad.dprojected @ p.W_q.T",
          "dz.sum(axis=0) @ p.W_q.T"),
        ["the factor w is missing in dprojected, as dquery alone reads it,"],
    ),
    "what is read instead of its tanh": (
        *("lstm, ragged", *STEP, "grad.do = grad.dh * s.tanh_c", "grad.do = grad.dh * s.h"),
        ["h in the place of tanh_c in do"],
    ),
    "a matrix and a bias": (
        *("lstm, ragged", *SUMS, "rows(x).T @ da_rows", "x[0].T @ da[0]", "da_rows.sum(axis=0)", "da[0].sum(axis=0)"),
        ["weight gradients of the first step only (W_x)", "b of the first step only"],
    ),
    "both shares of zoneout": (
        *("zoneout", unroll.Unroll, "_parted", "share * d, (1 - share) * d", "(1 - share) * d, share * d"),
        ["1 - k_h in the place of k_h, and likewise in k_c"],
    ),
    "dropout of a stack": (
        *("stack", StackTrace, "backward", "self.dropouts[k - 1].backward(dx).dx", "dx"),
        ["the backward of dropouts[k - 1] is skipped in dh"],
    ),
    "a third of a bias": (
        *("linear", LinearTrace, "backward", "dy_rows.sum(axis=0)", "dy_rows.sum(axis=0) / 3"),
        ["db is divided by 3 (there is a size of 3 here)"],
    ),
    "a factor that is no size": (
        *("linear", LinearTrace, "backward", "dy_rows.sum(axis=0)", "dy_rows.sum(axis=0) * 0.3"),
        ["db is 0.3 times what it should be"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", few_fast(SLIPPED, list(SLIPPED)[::4]))
def test_a_slip_is_named(monkeypatch, mistake):
    case, owner, name, *changes, said = SLIPPED[mistake]
    monkeypatch.setattr(owner, name, edited(owner, name, *changes))
    found = check(TABLE[case].function, TABLE[case].inputs).diagnosis
    assert [d.name for d in found] == said, [d.name for d in found]


def by_hand(s, dh, dfinal, assigned=False, slopes=True, carried=True):
    """Backpropagation through time of an LSTM as somebody would write it."""
    run, p, x, mask = s.run, s.params, s.x, s.run.mask
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * p.W_x, 0 * p.W_h, 0 * p.b
    dh_next, dc_next = dfinal
    for t in reversed(range(len(x))):
        i, f, g, o, c_prev, tanh_c = (getattr(s, name)[t] for name in ("i", "f", "g", "o", "c_prev", "tanh_c"))
        real, dh_all, dc_all = mask[t][:, None], dh[t] + dh_next, dc_next
        dh_t, dc_t = np.where(real, dh_all, 0), np.where(real, dc_all, 0)
        dc = dc_t + dh_t * o * (1 - tanh_c**2)
        gates = [(dc * g, i), (dc * c_prev, f), (dc * i * (1 - g**2), None), (dh_t * tanh_c, o)]
        da = np.hstack([d if y is None or not slopes else d * y * (1 - y) for d, y in gates])
        keep = 0 if assigned else 1
        dW_x, dW_h, db = keep * dW_x + x[t].T @ da, keep * dW_h + run.before.h[t].T @ da, keep * db + da.sum(axis=0)
        dx[t] = da @ p.W_x.T
        dh_next = np.where(real, da @ p.W_h.T, dh_all if carried else 0)
        dc_next = np.where(real, dc * f, dc_all if carried else 0)
    return {"dx": dx, "dstate": (dh_next, dc_next), "params": {"W_x": dW_x, "W_h": dW_h, "b": db}}


@pytest.mark.slow
def test_bptt_by_hand_has_its_mistakes_named():
    def names(**options):
        return [d.name for d in grade("lstm", lambda s, dh, dfinal: by_hand(s, dh, dfinal, **options)).diagnosis]

    assert grade("lstm", by_hand).ok
    assert names(slopes=False) == ["sigma' of i is missing in da_i, and likewise in da_f, da_o"]
    assert names(carried=False) == ["past_h is zero, and likewise in past_c"]
    assert len(names(assigned=True)) == 3 and all("first" in said or "t = 0" in said for said in names(assigned=True))


def test_a_state_that_is_returned_as_a_tuple_is_compared():
    def backward(s, dh, dfinal):
        right = by_hand(s, dh, dfinal)
        return right | {"dstate": (0 * right["dstate"][0], right["dstate"][1])}

    assert [d.name for d in grade("lstm", backward).diagnosis] == ["dh_product is zero at t = 0"]


WIRINGS = {name for name, layer in LAYERS.items() if layer.wires and not layer.graded}  # of boxes; others have cases


def test_the_wiring_of_right_models_is_right_and_is_never_named():
    seen_of = set()
    for name, case in cases().items():
        if name.startswith("seq2seq"):
            with Watch() as seen:
                trace = case.function(**case.inputs)
                grad = trace.backward()
            seen.locate(trace)
            checking = SimpleNamespace(trace=trace, upstream={}, claimed=grad, seen=seen, agrees=lambda ours: True)
            assert diagnose(checking) == [], name
            seen_of |= {function_of(call.owner) for call in seen.calls} - {None}
    assert seen_of >= WIRINGS


def test_a_class_made_from_a_box_has_no_wiring_of_ours():
    class Mine(RecurrentEncoderTrace):
        pass

    assert function_of(Mine(None, None)) is None and function_of(RecurrentEncoderTrace(None, None)) == "encoder"


SHOWN = ["linear", "lstm_step", "softmax", "dropout", "stack", "bidirectional, rnn"]


@pytest.mark.parametrize("name", few_fast(SHOWN, ["linear", "lstm_step", "softmax", "stack"]))
def test_slips_that_change_something_are_named(name):
    trace = TABLE[name].function(**TABLE[name].inputs)
    given, layer = output_gradients(trace), function_of(trace)
    doubled = {name: trees.map(lambda leaf: 2 * leaf, tree) for name, tree in given.items()}
    made = [bug for function in LAYERS[layer].functions(trace) for bug in every_slip(function)]
    tried = 0
    for bug in made[:: max(1, len(made) // 30)]:
        with np.errstate(all="ignore"):
            try:
                wrong = run(layer, bug.change, trace, given)
                twice = run(layer, bug.change, trace, doubled)
            except (ValueError, TypeError, IndexError, AttributeError):
                continue  # these shapes do not allow it
        assert bug.lesson and bug.name
        found = match(layer, trace, given, wrong)
        right = run(layer, {}, trace, given)
        linear = all(np.allclose(2 * a, b, 1e-9, 0) for a, b in zip(arrays(wrong), arrays(twice), strict=True))
        if linear and not all(np.allclose(a, b, 1e-6, 0) for a, b in zip(arrays(wrong), arrays(right), strict=True)):
            tried += 1
            assert found, bug.name
    assert tried


def every_slip(function):
    by_kind, at_once = slips(function, lambda name: True)
    return [bug for kind in by_kind for bug in kind] + list(at_once)


def arrays(results):
    return trees.leaves(list(results.values()))


def test_names_of_slips_are_their_own():
    made = [bug.name for bug in every_slip(LAYERS["lstm_step"].backward)]
    assert len(set(made)) > 0.98 * len(made) > 1000
    assert [f.text for f in formulas(LAYERS["lstm_step"].backward)][2] == "di = dc * g"


def test_noise_where_a_sum_cancels_is_no_mistake():
    x, W = np.ones((3, 2, 4)), np.ones((4, 3))
    trace = layers.linear(x, layers.LinearParams(W, np.ones(3)))
    dy = np.random.default_rng(0).standard_normal((3, 2, 3))
    dy -= dy.mean(axis=-1, keepdims=True)
    result = trace.backward(dy)
    assert match("linear", trace, {"dy": dy}, {"dx": result.dx * 1.5, "params": result.params}) == []


def test_where_plain_equations_cannot_be_computed_there_is_no_name(monkeypatch):
    logits, targets = np.zeros((3, 2, 1)), np.zeros((3, 2), dtype=int)  # smoothing divides by V - 1

    def smoothed(logits):
        return layers.cross_entropy(logits, targets, smoothing=0.1)

    kind = type(smoothed(logits))
    monkeypatch.setattr(kind, "backward", lambda trace, dloss=1.0: SimpleNamespace(dlogits=np.ones((3, 2, 1))))
    result = check(smoothed, {"logits": logits})
    assert not result.ok and result.diagnosis == []
