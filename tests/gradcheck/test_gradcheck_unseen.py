"""Wrong lines in what copies, in hops and in self-attention, made without looking at the lists of known mistakes.

Each is found, at the equation that is wrong. What is another equation, right both ways, or the same one in other words,
is right.
"""

import sys

import numpy as np
import pytest
from helpers import at_scale_one, few_fast, lengths_to_mask
from helpers_edit import edited

from numseq.data import Batch
from numseq.gradcheck import check
from numseq.layers.attention.multihead import MultiHeadAttention
from numseq.layers.attention.multihop import MultiHopAttention
from numseq.layers.attention.self_attention import SelfAttentionTrace
from numseq.layers.hops import HopsTrace
from numseq.layers.losses.copying import CopyNetLossTrace, PointerLossTrace
from numseq.layers.positions import PositionsTrace
from numseq.layers.sublayer import SublayerTrace
from numseq.layers.temporal_encoding import TemporalTrace
from numseq.mistakes.table import cases_of_layers
from numseq.models import Seq2Seq, Seq2SeqConfig, draw_noise, forward, seq2seq
from numseq.models.encoders.hops import HopsEncoderTrace
from numseq.models.heads.copying import CopyNetTrace, PointerTrace

HOPS, NORM = (sys.modules[f"numseq.layers.{name}"] for name in ("hops", "layernorm"))  # hidden by functions
COPYING = sys.modules["numseq.layers.losses.copying"]
GATE = (PointerLossTrace, "da", "(self.g - self.share) * w")
PLACES = (PointerLossTrace, "dalpha", "self.match * -(w * self.per_place)[..., None]")
HOP = (HOPS, "hop_backward")
LOOK, SUMS = (MultiHeadAttention, "backward"), (MultiHeadAttention, "weight_gradients")
TABLE = cases_of_layers()
AROUND = (SublayerTrace, "backward")
# a step aside makes a weight negative, whose logarithm is asked for
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in log")
LAST = "match & (match[..., ::-1].cumsum(axis=-1)[..., ::-1] == 1)"


def checked(monkeypatch, case, *edits):
    for owner, name, *changes in edits:
        monkeypatch.setattr(owner, name, edited(owner, name, *changes))
    return check(TABLE[case].function, TABLE[case].inputs, name=case)


WRONG = {  # what is wrong: (case, edit, the first wrong quantity and its step, a part of its name or None without one)
    "the gate hears of the copying way alone": (
        "pointer_loss", (*GATE, "(1 - self.share) * self.g * w"), ("da", None), "da_generated is missing"),
    "the gate hears of the generating way alone": (
        "pointer_loss", (*GATE, "-self.share * (1 - self.g) * w"), ("da", None), "da_pointed is missing"),
    "a repeated word's places each count as often as it stands there": (
        "pointer_loss", (*PLACES, "self.match * self.match.sum(-1, keepdims=True) * -(w * self.per_place)[..., None]"),
        ("dalpha", None), None),
    "an eps beside p, on the way back alone": (
        "pointer_loss", (*PLACES, "self.match * -(w * self.per_place / (1 + 1e-8 * self.per_place))[..., None]"),
        ("dalpha", None), None),
    "a repeated word's weights overwrite one another, in forward alone": (
        "pointer_loss", (COPYING, "_mixture", "(alpha * match).sum(axis=-1)", f"(alpha * ({LAST})).sum(axis=-1)"),
        ("dalpha", None), None),
    "what competes with the words is spread over padding too": (
        "copynet_loss", (CopyNetLossTrace, "backward", "da[..., None] * self.alpha", "da[..., None] / len(self.psi.T)"),
        ("dpsi", None), None),
    "the way around a hop is dropped": (
        "hops", (*HOP, "grad.du + weighted_mean(grad.de, m)", "weighted_mean(grad.de, m)"),
        ("du_prev", 2), "not passed on"),
    "the way around a hop is there on the way back alone": (
        "hops", (HOPS, "hop", "s.u = s.u_prev + s.o", "s.u = 1 * s.o"), ("du_prev", 2), None),
    "a memory between two hops is overwritten": (
        "hops", (HopsTrace, "backward", "dmemories[1:] +=", "dmemories[1:] ="), ("dmemories", None), "assigned"),
    "ages are turned on the way back": (
        "temporal_encoding", (TemporalTrace, "backward", "self.mask, self.age, A", "self.mask, A - 1 - self.age, A"),
        ("params.T", None), None),
    "what is no memory trains the ages": (
        "temporal_encoding", (TemporalTrace, "backward", "array_module(dy).where(self.mask, self.age, A)", "self.age"),
        ("params.T", None), "no memory"),
    "W between looks is used twice, in forward alone": (
        "multihop_attention, general", (MultiHopAttention, "forward", "q + self._heard(", "q + 2 * self._heard("),
        ("1.dcontext", None), None),
    "dq is not scaled": (
        "self_attention", (*LOOK, "dq = self.scale * weighted_mean", "dq = weighted_mean"), ("dq", None), "scale"),
    "heads are cut the other way": (
        "self_attention", (*LOOK, "dq.reshape(s.q.shape)",
                           "dq.reshape(*s.q.shape[:-1], self.heads, self.size).swapaxes(-1, -2).reshape(s.q.shape)"),
        ("dq", None), None),
    "rows that see nothing have a bias all the same": (
        "self_attention, padding in front", (*SUMS, "rows(self._if_seen(grads.dcontext))", "rows(grads.dcontext)"),
        ("params.b_o", None), None),
    "nobody was given": (
        "self_attention", (SelfAttentionTrace, "backward", "look.dkeys + look.dvalues", "look.dkeys"),
        ("dx", None), "values is missing"),
    "the embeddings' scale is in forward alone": (
        "add_positions", (PositionsTrace, "backward", "self.scale * dy", "1 * dy"), ("dx", None), "forgotten"),
    "the way around goes through the norm": (
        "pre_norm", (*AROUND, "self.norm.backward(part.dx)", "self.norm.backward(dy + part.dx)",
                     "dx=dy + norm.dx", "dx=norm.dx"), ("norm.dy", None), None),
    "the part does not go through the norm": (
        "post_norm", (*AROUND, "self._through(norm.dx, dpart", "self._through(dy, dpart"), ("dropout.dy", None), None),
}  # fmt: skip


@pytest.mark.parametrize("mistake", few_fast(WRONG, [name for name in WRONG if name != "heads are cut the other way"]))
def test_a_wrong_line_is_found_where_it_is_wrong_and_told_once(monkeypatch, mistake):
    case, (owner, name, *changes), where, said = WRONG[mistake]
    result = checked(monkeypatch, case, (owner, name, *changes))
    assert not result.ok and result.first_wrong == where, str(result)
    names = [found.name for found in result.diagnosis]
    assert len(names) == len(set(names)) and (not names if said is None else said in names[0]), str(result)


RIGHT = {  # (case, edits)
    "eps inside the log, both ways": ("pointer_loss", [
        (COPYING, "_mixture", "nll = xp.where(real", "log_p = xp.log(xp.exp(log_p) + 1e-2)\n    nll = xp.where(real"),
        (*GATE, "(self.g * self.per_place * (self.alpha * self.match).sum(axis=-1) - (1 - self.g) * self.share) * w")]),
    "no way around a hop, both ways": ("hops", [
        (HOPS, "hop", "s.u = s.u_prev + s.o", "s.u = 1 * s.o"),
        (*HOP, "grad.du + weighted_mean(grad.de, m)", "weighted_mean(grad.de, m)")]),
    "no mean in the norm, both ways": ("layer_norm", [
        (NORM, "normalise", "x_hat = x - x.mean(axis=-1, keepdims=True)", "x_hat = 1 * x"),
        (NORM, "normalise_backward", "dx_hat - dx_hat.mean(axis=-1, keepdims=True)", "1 * dx_hat")]),
    "CopyNet by its one softmax": ("copynet_loss", [
        (CopyNetLossTrace, "backward", "softmax_backward(mixture.dalpha(w), self.alpha) - da[..., None] * self.alpha",
         "w[..., None] * self.alpha * ((1 - mixture.g)[..., None] - mixture.match * mixture.per_place[..., None])")]),
    "b_v by what the heads found": ("self_attention", [
        (*SUMS, "else dv.sum(axis=0)", "else rows(grads.dmixed).sum(axis=0)")]),
}  # fmt: skip


@pytest.mark.parametrize("way", RIGHT)
def test_another_equation_or_another_way_to_write_it_is_right(monkeypatch, way):
    case, edits = RIGHT[way]
    result = checked(monkeypatch, case, *edits)
    assert result.ok and not result.diagnosis and result.points == 1, str(result)


def test_a_place_that_is_left_out_in_some_rows_is_no_loop_that_ended_early(monkeypatch):
    first = "(self.match & (self.match.cumsum(axis=-1) == 1))"
    change = (*PLACES, f"{first} * -(w * self.per_place)[..., None]")
    result = checked(monkeypatch, "pointer_loss", change)
    assert "wrong from" in str(result) and "end too early" not in str(result), str(result)


# the boxes of models


def small(head="vocabulary", **options):
    """(function, inputs) of a small model with dropout; its source has a word that only it has, which is said."""
    config = Seq2SeqConfig(7, 8, embedding=3, hidden=2, attention_size=4, dropout=0.3, head=head, **options)
    source = np.array([[5, 6, 4, 6, 4, 6, 5], [6, 5, 4, 5, 0, 0, 0]]).T
    said = np.array([[8, 6, 7], [5, 8, 0]]).T
    real = lengths_to_mask([3, 2])
    copies = np.where(source == 5, 8, source)
    given = Batch(
        source, source != 0, np.minimum(said, 7), said if config.copies else np.minimum(said, 7), real, 5, copies
    )
    params = at_scale_one(Seq2Seq.create(config, dtype=np.float64).params)
    noise = draw_noise(config, params, given, 0)
    return lambda params: forward(params, given, config, noise), {"params": params}


POINTER = {"head": "pointer-generator", "decoder": "bahdanau"}
COPYNET = {"head": "copynet", "decoder": "bahdanau"}
HOPS_READ = {
    "encoder": "hops",
    "decoder": "plain",
    "attention": "none",
    "cell": "rnn",
    "encoder_hops": 2,
    "separator": 4,
}
IN_BOXES = {  # what is wrong: (model, owner, changes, the first wrong quantity, its name's place and a part of it)
    "the gate's state and context are exchanged": (
        POINTER, PointerTrace, ["dh=gate.dx[..., :H]", "dh=gate.dx[..., H : H + C]",
                                "dcontext=gate.dx[..., H : H + C]", "dcontext=gate.dx[..., :H]"],
        "decoder.lowest.dh", ("objective.head", "dh and dcontext are exchanged")),
    "the attention hears nothing of the copies": (
        POINTER, PointerTrace, ["dalpha=grad.dalpha", "dalpha=None"],
        "decoder.dalpha", ("objective.head", "dalpha is zero")),
    "the state hears of the states and not of the keys": (
        COPYNET, CopyNetTrace, ["weighted_mean(grad.dpsi, keys)", "weighted_mean(grad.dpsi, states @ self.params.W_c)"],
        "decoder.lowest.dh", None),
    "what the head read of the memory takes the place of what the decoder read": (
        COPYNET, seq2seq.Seq2SeqTrace, ["summed(decoder.dmemory.states, o.dstates)", "o.dstates"],
        "encoder.dh", ("", "dstates_read in the place of dstates")),
    "every sentence is given what the question is": (
        HOPS_READ, HopsEncoderTrace, ["self.asked[:, :, None] *", ""], "source.summed.dm", None),
}  # fmt: skip


@pytest.mark.parametrize("mistake", few_fast(IN_BOXES, list(IN_BOXES)[:1]))
def test_a_wrong_line_of_a_box_is_found_and_placed(monkeypatch, mistake):
    options, owner, changes, first, named = IN_BOXES[mistake]
    function, inputs = small(**options)
    assert check(function, inputs, method="directional").ok
    monkeypatch.setattr(owner, "backward", edited(owner, "backward", *changes))
    result = check(function, inputs)
    assert not result.ok and result.first_wrong[0] == first, str(result)
    assert [found.where for found in result.diagnosis] == ([named[0]] if named else []), str(result)
    assert named is None or named[1] in result.diagnosis[0].name, str(result)
