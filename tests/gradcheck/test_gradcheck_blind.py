"""Wrong backward passes made without looking at the list of known bugs: each is found, at the equation that is wrong.

Each edits one line of a backward, as somebody would write it by mistake.
"""

import inspect
import sys
import textwrap
from functools import partial

import numpy as np
import pytest
from helpers import at_scale_one, few_fast, lengths_to_mask

from numseq import layers
from numseq.data import Batch
from numseq.gradcheck import check, grade
from numseq.layers import layernorm
from numseq.layers.attention import base as attention
from numseq.layers.cells import bidirectional, cell, gru, gru_before, layernorm_lstm, lstm, peephole, rnn, unroll
from numseq.layers.cells import sequence as recurrent
from numseq.layers.cells.stack import StackTrace
from numseq.layers.losses import cross_entropy as loss
from numseq.mistakes import Case, cases
from numseq.models import Seq2Seq, Seq2SeqConfig, draw_noise, forward
from numseq.models.decoders import bahdanau, bridge
from numseq.models.decoders import base as decoders
from numseq.models.encoders.recurrent import RecurrentEncoderTrace
from numseq.models.heads.vocabulary import VocabularyTrace
from numseq.models.sources.tokens import TokensTrace

HIDDEN = ("dropout", "embedding", "linear")  # files that functions of the same names hide
dropout, embedding, linear = (sys.modules[f"numseq.layers.{name}"] for name in HIDDEN)


def small_model(kind):
    """A model of a quarter of the cost of those among the cases, ragged and with dropout too."""
    real, source_real = lengths_to_mask([4, 2, 3]), lengths_to_mask([3, 1, 2])
    ids = lambda mask, most: np.where(mask, np.random.default_rng(most).integers(4, most, mask.shape), 0)  # noqa: E731
    batch = Batch(ids(source_real, 7), source_real, ids(real, 8), ids(real, 8), real, int(real.sum()))
    config = Seq2SeqConfig(7, 8, attention=kind, embedding=3, hidden=2, attention_size=4, dropout=0.3)
    model = Seq2Seq.create(config, dtype=np.float64)
    noise = draw_noise(config, model.params, batch, 0)
    inputs = {"params": at_scale_one(model.params)}
    return Case(lambda params: forward(params, batch, model.config, noise), inputs, ("forward",))


SMALL, PLAIN = "a small seq2seq", "a small plain seq2seq"
TABLE = cases() | {SMALL: small_model("additive"), PLAIN: small_model("none")}


def edit(owner, name, *changes):
    """owner, name and a new function of that name, whose source has each second of `changes` for the one before."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    for right, wrong in zip(changes[::2], changes[1::2], strict=True):
        assert source.count(right) == 1, f"{right!r} is not once in {name}"
        source = source.replace(right, wrong)
    scope = {}
    exec(source, function.__globals__, scope)
    return owner, name, scope[name]


def checked(monkeypatch, case, *edits):
    for change in edits:
        monkeypatch.setattr(*edit(*change))
    return check(TABLE[case].function, TABLE[case].inputs, name=case)


STEP = (lstm, "lstm_step_backward")
WAY_BACK = "grad.da @ params.W_h.swapaxes(-1, -2)"
CELL = (cell.Cell, "backward", WAY_BACK)
SUMS = (cell, "product_gradients")
PARTED = (unroll.Unroll, "_parted")
REWIND = (unroll.Rewind, "step")
BOTH = (bidirectional.BidirectionalTrace, "backward")
DECODER = (bahdanau.BahdanauTrace, "backward")

WRONG = {  # what is wrong: (case, edit, the first wrong quantity and its step)
    "the forget gate is a hundredth too large": (
        "lstm",
        (*STEP, "grad.dc * s.f", "1.01 * grad.dc * s.f"),
        ("dc_prev", 5),
    ),
    "tanh's derivative without the square": (
        "lstm, ragged",
        (*STEP, "tanh_backward(grad.dh * s.o, s.tanh_c)", "grad.dh * s.o * (1 - s.tanh_c)"),
        ("dc", 5),
    ),
    "tanh's derivative without the square, in a single step": (
        "lstm_step",
        (*STEP, "tanh_backward(grad.dh * s.o, s.tanh_c)", "grad.dh * s.o * (1 - s.tanh_c)"),
        ("dc", None),
    ),
    "the input gate's own value for the candidate's": (
        "lstm, ragged, reversed",
        (*STEP, "grad.di = grad.dc * s.g", "grad.di = grad.dc * s.i"),
        ("di", 0),
    ),
    "one row of one step": (
        "lstm",
        (*REWIND, "self.da[t] = grad.da", "grad.da[3] *= 1.001 if t == 2 else 1\n    self.da[t] = grad.da"),
        ("da", 2),
    ),
    "one column": (
        "lstm, ragged",
        (*STEP, "return grad", "grad.da[:, 5] += grad.da[:, 4]\n    return grad"),
        ("da", 5),
    ),
    "the output gate sees the cell before its tanh": (
        "bidirectional",
        (*STEP, "grad.dh * s.tanh_c", "grad.dh * s.c_prev"),
        ("do", 5),
    ),
    "a millionth on the way from step to step": (
        "lstm",
        (*CELL, f"{WAY_BACK} * (1 + 1e-6)"),
        ("dh", 4),
    ),
    "the hidden state is cut between two steps": (
        "lstm",
        (
            *(*REWIND, "self.da[t] = grad.da"),
            "self.da[t] = grad.da\n    self.dstate = self.dstate._replace(h=self.dstate.h * (t != 3))",
        ),
        ("dh", 2),
    ),
    "an output's gradient replaces that of the next step": (
        "lstm, ragged",
        (*REWIND, "dstate._replace(h=dstate.h + dh)", "dstate._replace(h=dh)"),
        ("dh", 5),
    ),
    "padding does not carry the cell": (
        "lstm, ragged",
        (*PARTED, "where(real, past, d)", "where(real, past, d * (k == 0))"),
        ("dc", 4),
    ),
    "padding is handed to the step as well": (
        "lstm, ragged",
        (*PARTED, "where(real, into, 0)", "into"),
        ("dh", 5),
    ),
    "the mask of the step after": (
        "lstm, ragged",
        (*PARTED, "self.mask[t][", "self.mask[min(t + 1, len(self.mask) - 1)]["),
        ("dh", 4),
    ),
    "the weights see the state after the step": (
        "lstm",
        (*SUMS, "rows(h_prev)", "rows(h_prev[[*range(1, len(h_prev)), 0]])"),
        ("params.W_h", None),
    ),
    "the bias leaves out one row": (
        "lstm, ragged",
        (*SUMS, "da_rows.sum(axis=0)", "da_rows[1:].sum(axis=0)"),
        ("params.b", None),
    ),
    "the input's columns are turned": (
        "lstm",
        (*SUMS, "reshape(x.shape)", "reshape(x.shape)[..., ::-1]"),
        ("dx", None),
    ),
    "one direction's final states are forgotten": (
        "bidirectional",
        (*BOTH, "bptt(run, dh, dfinal)", "bptt(run, dh, [d * xp.array([1, 0])[:, None, None] for d in dfinal])"),
        ("dh", 5),
    ),
    "the back direction's outputs are not turned": (
        "bidirectional",
        (*BOTH, "dh[::-1, :, H:]", "dh[:, :, H:]"),
        ("dh", 5),
    ),
    "the back direction's steps are not turned": (
        "bidirectional",
        (*BOTH, "da[::-1, 1]", "da[:, 1]"),
        ("dx", None),
    ),
    "the first states of the two directions are swapped": (
        "bidirectional",
        (*BOTH, "dstate=dstate", "dstate=type(dstate)(*(d[::-1] for d in dstate))"),
        ("dstate.h", None),
    ),
    "both directions go back through one matrix": (
        "bidirectional",
        (*CELL, "grad.da @ params.W_h[0].T"),
        ("dh", 4),
    ),
    "the back direction's record is not turned": (
        "bidirectional, gru",
        (*BOTH, "h_prev[::-1, 1], self.back", "h_prev[::-1, 1], Steps(self.steps.records, part=1)"),
        ("params.back.W_h", None),
    ),
    "the back direction's states are not turned": (
        "bidirectional, rnn",
        (*BOTH, "h_prev[::-1, 1]", "h_prev[:, 1]"),
        ("params.back.W_h", None),
    ),
    "one direction alone reads the input": (
        "bidirectional, gru_before",
        (*BOTH, "dx += dx_back", "pass"),
        ("dx", None),
    ),
    "the directions' normalised products are swapped": (
        "bidirectional, layernorm_lstm",
        (*BOTH, "(saved_ahead, saved_back), h_prev =", "(saved_back, saved_ahead), h_prev ="),
        ("dx", None),
    ),
    "the candidate is given the share of the old state": (
        "gru, ragged",
        (gru, "gru_step_backward", "grad.dh * (1 - s.z)", "grad.dh * s.z"),
        ("dn", 5),
    ),
    "the state is not reset on the way back": (
        "gru_before, ragged, reversed",
        (gru_before, "gru_before_step_backward", "grad.dv * s.r", "grad.dv"),
        ("dh_prev", 0),
    ),
    "the reset product's gradient is that of the candidate": (
        "gru",
        (gru, "gru_step_backward", "da_n * s.r", "da_n"),
        ("du", 5),
    ),
    "the product's gradient is taken for the pre-activation's": (
        "gru",
        (gru.GRU, "backward", "[da_r, da_z, grad.du]", "[da_r, da_z, _]"),
        ("dh", 4),
    ),
    "the bias inside of the reset sees what is outside": (
        "gru, ragged",
        (gru.GRU, "weight_gradients", "else dproduct.sum(axis=0)", "else da_rows.sum(axis=0)"),
        ("params.b_h", None),
    ),
    "a simple network's slope of the wrong number": (
        "rnn, ragged",
        (rnn, "rnn_step_backward", "tanh_backward(grad.dh, s.h", "tanh_backward(grad.dh, 1 - s.h"),
        ("da", 5),
    ),
    "a relu unit is on where it is off": (
        "relu_rnn, ragged",
        (rnn, "relu_step_backward", "relu_backward(grad.dh, s.h", "relu_backward(grad.dh, 1 - s.h"),
        ("da", 5),
    ),
    "the output gate's peephole looks at the old cell on the way back": (
        "peephole, ragged",
        (peephole, "peephole_step_backward", " + da_o * p.p_o", ""),
        ("dc", 5),
    ),
    "a peephole is summed over one row": (
        "peephole",
        (peephole.PeepholeLSTM, "weight_gradients", "(da_f * steps.c_prev)", "(da_f * steps.c_prev)[:, :1]"),
        ("params.p_f", None),
    ),
    "the normalised cell's gradient is not normalised": (
        "layernorm_lstm, ragged",
        (
            layernorm_lstm,
            "layernorm_lstm_step_backward",
            "normalise_backward(grad.dc_hat, s.c_hat, s.c_std)",
            "grad.dc_hat",
        ),
        ("dc", 5),
    ),
    "a gain of the wrong product": (
        "layernorm_lstm",
        (layernorm_lstm.LayerNormLSTM, "weight_gradients", "(da * x_hat)", "(da * steps.q_hat)"),
        ("params.g_x", None),
    ),
    "the mean has no say": (
        "layer_norm",
        (layernorm, "normalise_backward", "dx_hat - dx_hat.mean(axis=-1, keepdims=True)", "1 * dx_hat"),
        ("dx", None),
    ),
    "zoneout gives the step all of it": (
        "zoneout",
        (*PARTED, "share * d, (1 - share) * d", "d, (1 - share) * d"),
        ("dh", 5),
    ),
    "zoneout's expectation is taken twice": (
        "zoneout, evaluation",
        (*PARTED, "share * d, (1 - share) * d", "share * share * d, (1 - share) * d"),
        ("dh", 5),
    ),
    "the dropped matrix's gradient is whole": (
        "weight_drop",
        (recurrent.RecurrentTrace, "backward", "if self.weight_drop:", "if False:"),
        ("params.W_h", None),
    ),
    "the dropout between two layers is skipped": (
        "stack",
        (StackTrace, "backward", "self.dropouts[k - 1].backward(dx).dx", "dx"),
        ("0.dh", None),
    ),
    "the final states of two layers are swapped": (
        "stack",
        (StackTrace, "backward", "dfinal[k]", "dfinal[1 - k]"),
        ("1.dfinal.h", None),
    ),
    "what goes around a layer is forgotten": (
        "stack, gru",
        (StackTrace, "backward", "dx = dx + dh", "pass"),
        ("dropouts.0.dy", None),
    ),
    "padded targets count": (
        "cross_entropy",
        (loss.CrossEntropyTrace, "backward", "self.weights.reshape(-1)", "(self.weights.max() + 0 * self.z)"),
        ("dlogits", None),
    ),
    "the targets of the next row": (
        "cross_entropy",
        (loss.CrossEntropyTrace, "backward", "self.targets", "xp.roll(self.targets, 1, axis=1)"),
        ("dlogits", None),
    ),
    "the first token is not counted": (
        "embedding",
        (
            embedding.EmbeddingTrace,
            "backward",
            "self.ids.reshape(-1), rows(dy)",
            "self.ids.reshape(-1)[1:], rows(dy)[1:]",
        ),
        ("params.W", None),
    ),
    "what dropout keeps is not scaled": (
        "dropout",
        (dropout.DropoutTrace, "backward", "dy * self.mask", "dy * (self.mask > 0)"),
        ("dx", None),
    ),
    "the neighbour's input": (
        "linear",
        (linear.LinearTrace, "backward", "rows(self.x)", "rows(np.roll(self.x, 1, axis=1))"),
        ("params.W", None),
    ),
    "a millionth": (
        "linear",
        (linear.LinearTrace, "backward", "(dy_rows @ self.params.W.T)", "(dy_rows @ self.params.W.T * (1 - 1e-6))"),
        ("dx", None),
    ),
    "the softmax sums over rows": (
        "additive_attention",
        (attention, "softmax_backward", "axis=-1", "axis=0"),
        ("de", 5),
    ),
    "the weights' own gradient counts twice": (
        "additive_attention",
        (attention.Attention, "backward", "through_context + dalpha", "through_context + 2 * dalpha"),
        ("dalpha", 5),
    ),
    "the keys see the last look only": (
        "additive_attention",
        (layers.AdditiveAttention, "score_backward", "of_keys += dz", "of_keys[...] = dz"),
        ("dkeys", None),
    ),
    "the query's gradient lacks the scores' vector": (
        "additive_attention",
        (layers.AdditiveAttention, "score_backward", "dz.sum(axis=0) * p.w", "dz.sum(axis=0)"),
        ("dprojected", 5),
    ),
    "the scores' vector is given the slope": (
        "additive_attention",
        (layers.AdditiveAttention, "score_backward", "rows(s.u)", "rows(1 - s.u**2)"),
        ("params.w", None),
    ),
    "the step does not pass its context back": (
        SMALL,
        (*DECODER, "dcontext_t = da[:, : W_extra.shape[1]] @ W_extra.T", "dcontext_t = 0 * dcontext[t]"),
        ("decoder.dcontext", 3),
    ),
    "the attention does not pass its query back": (
        SMALL,
        (*DECODER, "summed(dh[t], dquery)", "dh[t]"),
        ("decoder.lowest.dh", 2),
    ),
    "the query goes back a step too early": (
        SMALL,
        (
            *DECODER,
            *("step_back, look_back, dquery =", "early = None\n    step_back, look_back, dquery ="),
            *("step(t, summed(dh[t], dquery))", "step(t, summed(dh[t], early))\n        early = dquery"),
        ),
        ("decoder.lowest.dh", 2),
    ),
    "state and context are taken for one another": (
        SMALL,
        (*DECODER, "(dh_read, dcontext_read, dy_read) =", "(dcontext_read, dh_read, dy_read) ="),
        ("decoder.lowest.dh", 3),
    ),
    "the context's weights see the context of the step before": (
        SMALL,
        (*DECODER, "rows(self.looks.context)", "rows(self.looks.context[[-1, *range(len(da) - 1)]])"),
        ("params.decoder.W_extra", None),
    ),
    "the bridge forgets its tanh": (
        SMALL,
        (bridge.BridgeTrace, "backward", "tanh_backward(dh, state.h)", "dh"),
        ("decoder.start.bridge.maps.0.h.dy", None),
    ),
    "the bridge confuses the two directions": (
        SMALL,
        (bridge, "joined_backward", "stack([d[:, :half], d[:, half:]])", "stack([d[:, half:], d[:, :half]])"),
        ("encoder.dfinal.0.h", None),
    ),
    "the encoder does not hear of its final states": (
        SMALL,
        (RecurrentEncoderTrace, "backward", "(dmemory.states, dmemory.last)", "(dmemory.states)"),
        ("encoder.dfinal.0.h", None),
    ),
    "the memory is taken for keys alone": (
        SMALL,
        (decoders.Start, "backward", "look.dkeys + look.dvalues", "look.dkeys"),
        ("encoder.dh", None),
    ),
    "the tokens' dropout is skipped": (
        SMALL,
        (TokensTrace, "backward", "self.dropout.backward(dx).dx", "dx"),
        ("source.embedding.dy", None),
    ),
    "the readout's dropout is skipped": (
        SMALL,
        (VocabularyTrace, "backward", "self.dropout.backward(grad.dx).dx", "grad.dx"),
        ("decoder.read.dr", None),
    ),
    "the encoder is given h for c": (
        PLAIN,
        (decoders.Start, "backward", "(dlayers, None)", "([type(d)(d.h, d.h) for d in dlayers], None)"),
        ("encoder.dfinal.0.c", None),
    ),
}


@pytest.mark.parametrize("mistake", few_fast(WRONG, list(WRONG)[1::12]))
def test_a_wrong_backward_is_found_where_it_is_wrong(monkeypatch, mistake):
    case, change, where = WRONG[mistake]
    result = checked(monkeypatch, case, change)
    assert not result.ok and not result.problems
    assert result.first_wrong == where, str(result)


FORGET = (*STEP, "grad.dc * s.f", "grad.dc")
MEAN = (linear.LinearTrace, "backward", "dy_rows.sum(axis=0)", "dy_rows.mean(axis=0)")
ONE_HOT = (loss.CrossEntropyTrace, "backward", "-= weights", "-= 0")

PAIRS = {  # (case, two edits, the first wrong quantity and its step)
    "no forget gate, and a bias that is a mean": (
        "lstm",
        (FORGET, (*SUMS, "da_rows.sum(axis=0)", "da_rows.mean(axis=0)")),
        ("dc_prev", 5),
    ),
    "no forget gate, and no derivative of the gates": (
        "lstm_step",
        ((*FORGET, "gates_backward(dgates, beside(s.i, s.f, s.g, s.o))", "dgates"),),
        ("dc_prev", None),
    ),
    "no forget gate, and the cell's own way is forgotten": (
        "lstm, ragged",
        ((*FORGET, "dc + tanh_backward(", "tanh_backward("),),
        ("dc", 5),
    ),
    "no matrix on the way to the previous step, and padding does not carry": (
        "lstm, ragged",
        ((*CELL, "grad.da[:, : len(params.W_h)]"), (*PARTED, "where(real, past, d)", "0 * d")),
        ("dh", 4),
    ),
    "a diagonal softmax, and keys without their matrix": (
        "additive_attention",
        (
            (attention, "softmax_backward", "(dp - (dp * p).sum(axis=-1, keepdims=True))", "dp"),
            (layers.AdditiveAttention, "weight_gradients", "(dprojected @ p.W_k.T)", "(0 * dprojected @ p.W_k.T)"),
        ),
        ("de", 5),
    ),
    "no one-hot, and biases that are means": (SMALL, (ONE_HOT, MEAN), ("objective.head.output.dy", None)),
    "no forget gate, and biases that are means": (SMALL, (FORGET, MEAN), ("decoder.lowest.dc_prev", 3)),
    "no query, and no dropout of the tokens": (
        SMALL,
        (WRONG["the attention does not pass its query back"][1], WRONG["the tokens' dropout is skipped"][1]),
        ("decoder.lowest.dh", 2),
    ),
}


@pytest.mark.parametrize("mistakes", few_fast(PAIRS, list(PAIRS)[1::8]))
def test_two_mistakes_are_not_taken_for_one(monkeypatch, mistakes):
    case, changes, where = PAIRS[mistakes]
    result = checked(monkeypatch, case, *changes)
    assert not result.ok and result.first_wrong == where, str(result)
    assert len({found.name for found in result.diagnosis}) != 1, str(result)


# a record with a backward of its own


class ForgetsByInput(layers.LSTMStep):
    """The previous cell's gradient goes through the input gate."""

    def backward(self, dh, dc):
        grad = layers.LSTMStep.backward(self, dh, dc)
        grad.dc_prev = grad.dc * self.i
        return grad


class HastyCandidate(layers.LSTMStep):
    """The candidate's gradient is wrong, and only in the record: da is right."""

    def backward(self, dh, dc):
        grad = layers.LSTMStep.backward(self, dh, dc)
        grad.dg = grad.dg * 1.01
        return grad


def coupled_step(a, c_prev):
    """A step whose input gate is i = 1 - f, and whose record brings the backward of another equation."""
    s = layers.LSTMStep()
    s.c_prev, s.a = c_prev, a
    s.gates = lstm.gates(s.a)
    s.i, s.f, s.g, s.o = lstm.blocks(s.gates)
    s.i = 1 - s.f
    s.c = s.f * s.c_prev + s.i * s.g
    s.tanh_c = np.tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


def checked_step(step):
    mask = lengths_to_mask([6, 2, 4, 1, 3, 5, 2])
    return check(lambda **kw: layers.lstm(**kw, mask=mask, cell=layers.LSTM(step=step)), TABLE["lstm"].inputs)


def test_a_records_own_wrong_backward_is_found():
    result = checked_step(partial(layers.lstm_step, record=ForgetsByInput))
    assert result.first_wrong == ("dc_prev", 5)
    assert [d.name for d in result.diagnosis] == ["the input gate where the forget gate belongs"]


def test_a_changed_equation_needs_another_backward():
    result = checked_step(coupled_step)
    assert not result.ok and result.first_wrong == ("df", 5) and not result.diagnosis
    assert result.first.equation is None


def test_a_wrong_number_in_the_record_alone_is_noted():
    result = checked_step(partial(layers.lstm_step, record=HastyCandidate))
    assert result.ok and any("dg at t = 5" in warning for warning in result.warnings)


# functions handed in to be graded


def step_backward(s, dh, dc):
    """The right backward of an LSTM step, as somebody would write it, with everything inside."""
    do = dh * s.tanh_c
    dc = dc + dh * s.o * (1 - s.tanh_c**2)
    di, df, dg = dc * s.g, dc * s.c_prev, dc * s.i
    da = np.hstack([di * s.i * (1 - s.i), df * s.f * (1 - s.f), dg * (1 - s.g**2), do * s.o * (1 - s.o)])
    return {"do": do, "di": di, "df": df, "dg": dg, "da": da, "dc_prev": dc * s.f}


def blocks_in_another_order(s, dh, dc):
    grad = step_backward(s, dh, dc)
    i, f, g, o = np.split(grad["da"], 4, axis=1)
    return grad | {"da": np.hstack([i, f, o, g])}


def forgets_the_slope_of_one_gate(s, dh, dc):
    grad = step_backward(s, dh, dc)
    H = s.c.shape[1]
    grad["da"][:, 3 * H :] = grad["do"] * s.o
    return grad


def one_gate_a_little_off(s, dh, dc):
    grad = step_backward(s, dh, dc)
    return grad | {"df": 1.001 * grad["df"], "da": 1.001 * grad["da"]}


def one_number_off(s, dh, dc):
    grad = step_backward(s, dh, dc)
    grad["dc_prev"][4, 1] += 1e-8
    return grad


def softmax_of_the_wrong_axis(s, dy):
    return s.y * (dy - (dy * s.y).sum(axis=0))


def rows_added_once(s, dy):
    dW = np.zeros_like(s.params.W)
    dW[s.ids] += dy  # a repeated id is added once
    return {"params": {"W": dW}}


def mean_over_all(s, dloss):
    return dloss * (s.weights > 0)[..., None] * (s.p - np.eye(s.p.shape[-1])[s.targets]) / s.targets.size


def no_padding(s, dh, dfinal):
    """BPTT that does not know of padding."""
    run, da, (dh_next, dc_next) = s.run, [None] * len(s.x), dfinal
    for t in reversed(range(len(s.x))):
        grad = s.steps[t].backward(dh[t] + dh_next, dc_next)
        da[t], dh_next, dc_next = grad.da, grad.da @ run.params.W_h.T, grad.dc_prev
    da = np.array(da)
    sums = {"W_x": np.einsum("tbd,tbk->dk", s.x, da), "W_h": np.einsum("tbd,tbk->dk", run.before.h, da)}
    return {"dx": da @ run.params.W_x.T, "dstate": (dh_next, dc_next), "params": sums | {"b": da.sum(axis=(0, 1))}}


GRADED = {  # (what is graded, the function, the first wrong quantity)
    "blocks in another order": ("lstm_step", blocks_in_another_order, "da"),
    "one gate's slope is forgotten": ("lstm_step", forgets_the_slope_of_one_gate, "da"),
    "one gate a thousandth off": ("lstm_step", one_gate_a_little_off, "df"),
    "one number off in the eighth digit": ("lstm_step", one_number_off, "dc_prev"),
    "a sum over the wrong axis": ("softmax", softmax_of_the_wrong_axis, "dx"),
    "repeated ids": ("embedding", rows_added_once, "params.W"),
    "a mean over padding too": ("cross_entropy", mean_over_all, "dlogits"),
    "no padding": ("lstm", no_padding, "dh"),
}


def test_the_function_that_the_wrong_ones_are_made_of_is_right():
    result = grade("lstm_step", step_backward)
    assert result.ok and max(quantity.error for quantity in result.quantities) < 1e-12, str(result)


@pytest.mark.parametrize("mistake", GRADED)
def test_a_wrong_function_is_found_where_it_is_wrong(mistake):
    name, function, where = GRADED[mistake]
    result = grade(name, function)
    assert not result.ok and not result.problems and result.first_wrong[0] == where, str(result)


def test_weights_of_which_some_are_on_a_kink_for_good_are_blamed_for_themselves(monkeypatch):
    """At padding both alpha and coverage are 0, and a coverage loss takes the smaller; that excuses no other number."""
    rows = {name: case.options or {} for name, case in TABLE.items() if name.startswith("seq2seq, bahdanau")}
    case = next(name for name, row in rows.items() if row.get("coverage_loss") and row["hops"] == 1)
    result = checked(monkeypatch, case, (*DECODER, "at(t, dalpha)", "at(-1 - t, dalpha)"))
    assert result.first_wrong[0] == "decoder.dalpha", str(result)
