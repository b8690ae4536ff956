"""The self-attentive encoder and decoder: PyTorch's numbers, decoding step by step, wrong wiring caught and placed."""

import inspect
import textwrap

import numpy as np
import pytest
from helpers import assert_close, assert_gradients, at_scale_one, batch, few_fast, padded
from helpers import oracle as load
from helpers_transformer import of_block, without_b_k

from numseq import params as trees
from numseq.data import EOS, Batch, Tokens
from numseq.gradcheck import check
from numseq.layers import EmbeddingParams, LayerNormParams, LinearParams
from numseq.layers.sublayer import SublayerTrace
from numseq.layers.transformer import CrossTrace
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.models.decoders.self_attention import SelfAttentionDecoderParams, SelfAttentionDecoderTrace
from numseq.models.encoders.self_attention import SelfAttentionEncoderParams, SelfAttentionEncoderTrace
from numseq.models.seq2seq import Seq2SeqParams
from numseq.search import BeamOptions, GreedyOptions, SamplingOptions, Translator, beam_search, greedy, sample, what_if

SELF = "self-attention"
SIZES = {"embedding": 8, "hidden": 8, "attention_size": 6, "heads": 2, "feed_forward": 5, "layers": 2}


def create(encoder=SELF, decoder=SELF, **options):
    config = Seq2SeqConfig(**{"source_vocabulary": 11, "target_vocabulary": 13, **SIZES} | options,
                           encoder=encoder, decoder=decoder)  # fmt: skip
    model = Seq2Seq.create(config, dtype=np.float64)
    model.params = trees.map(lambda leaf: 0.5 * leaf, at_scale_one(model.params))
    return model


# PyTorch's


def of_torch(torch, norm, d=""):
    """Seq2SeqParams of PyTorch's model, or with d its gradients."""

    def side(name):
        blocks = [of_block(torch, d, f"{name}.layers.{k}.") for k in range(2)]
        top = LayerNormParams(torch[f"{d}{name}.norm.weight"], torch[f"{d}{name}.norm.bias"]) if norm == "pre" else None
        return [without_b_k(block) if d else block for block in blocks], top

    return Seq2SeqParams(
        source=EmbeddingParams(torch[f"{d}source.weight"]),
        encoder=SelfAttentionEncoderParams(*side("encoder")),
        target=EmbeddingParams(torch[f"{d}target.weight"]),
        decoder=SelfAttentionDecoderParams(*side("decoder"), combine=None),
        head=LinearParams(torch[f"{d}head.weight"].T, torch[f"{d}head.bias"]),
    )


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_whole_model_is_pytorchs(norm):
    torch = load("transformer", f"model/{norm}/")
    sizes = {"embedding": 6, "hidden": 6, "attention_size": 6, "heads": 2, "feed_forward": 7, "layers": 2}
    config = Seq2SeqConfig(9, 10, encoder=SELF, decoder=SELF, norm=norm, **sizes)
    ids = {name: torch[name].astype(int) for name in ("source", "target_in", "target_out")}
    masks = {name: torch[name].astype(bool) for name in ("source_mask", "target_mask")}
    given = Batch(**ids, **masks, weight=int(masks["target_mask"].sum()))
    trace = Seq2Seq(config, of_torch(torch, norm)).forward(given)
    assert_close(trace.objective.head.logits, torch["logits"])
    assert_close(trace.loss, torch["loss"])
    grad = trace.backward().params
    for block in grad.encoder.blocks + grad.decoder.blocks:
        without_b_k(block)
    assert_close(grad, of_torch(torch, norm, "d"), 1e-11)


# one step at a time


BOXES = {
    "both": {}, "both, post-norm": {"norm": "post"}, "its decoder": {"encoder": "bidirectional"},
    "its encoder": {"decoder": "bahdanau"}, "its encoder, Luong": {"decoder": "luong", "attention": "general"},
    "its encoder, one vector": {"decoder": "vector"},
    "with all that a readout can read": {"readout": "maxout", "readout_context": True, "readout_embedding": True},
    "tied": {"tied": "target"},
}  # fmt: skip


@pytest.mark.parametrize("name", BOXES)
def test_a_step_in_decoding_is_the_teacher_forced_pass(name):
    model, given = create(**BOXES[name]), batch()
    trace, (memory, state) = model.forward(given), model.start(given.source, given.source_mask)
    for t, ids in enumerate(given.target_in):
        logp, state, alpha = model.step(ids, state, memory)
        assert_close(logp, trace.logp[t], 1e-10)
        if alpha is not None:
            assert_close(alpha, trace.alpha[t], 1e-10)


def test_the_state_grows_and_its_rows_can_be_chosen():
    model, given = create(), batch()
    memory, state = model.start(given.source, given.source_mask)
    rows = np.array([2, 0, 0])
    for t in range(3):
        assert [part.shape for part in trees.leaves(state)] == [(4, t, 6)] * 4
        _, state, _ = model.step(given.target_in[t], state, memory)
    logp, _, alpha = model.step(given.target_in[3], state, memory)
    chosen = model.step(given.target_in[3][rows], *reversed(model.select_rows(memory, state, rows)))
    assert_close([chosen[0], chosen[2]], [logp[rows], alpha[rows]])


@pytest.mark.parametrize("options", [{}, {"norm": "post", "coverage_loss": 0.5, "variational": True, "tied": "target"}])
def test_gradients_with_noise(options):
    model, given = create(dropout=0.3, label_smoothing=0.1, **options), batch()
    assert_gradients(model, given, model.draw_noise(given, 0), tolerance=1e-8)  # some are tiny, and rounding is not


def test_padding_changes_nothing():
    for options in ({}, {"decoder": "bahdanau"}, {"decoder": "vector", "norm": "post"}):
        model, given = create(**options), batch()
        one, other = model.forward(given), model.forward(padded(given, steps=2, rows=1))
        assert_close([other.loss, other.backward().params], [one.loss, one.backward().params], 1e-10)


def test_a_source_without_anything_real_is_read_as_nothing():
    for options in ({}, {"decoder": "bahdanau"}):
        model, given = create(**options), batch()
        given.source_mask[:, 1] = False
        trace = model.forward(given)
        assert (trace.alpha[:, 1] == 0).all() and np.isfinite(trace.loss)
        assert_gradients(model, given)


def test_searches_find_what_the_model_gives():
    model, given, limits = create(), batch(), np.array([7, 3, 5, 4])
    said = greedy(model, given.source, given.source_mask, limits)
    one = beam_search(model, given.source, given.source_mask, limits, BeamOptions(beam=1))
    assert (one.ids[: len(said.ids)].reshape(said.ids.shape) == said.ids).all()
    wide = beam_search(model, given.source, given.source_mask, limits, BeamOptions(beam=4))
    for b in range(4):
        S = given.source_mask[:, b].sum()
        ids = wide.ids[: wide.lengths[b, 0] + 1, b, 0]
        row = batch([given.source[:S, b].tolist()], [ids[:-1].tolist()])
        assert ids[-1] == EOS
        assert_close(wide.logp[b, 0], model.forward(row).logp[np.arange(len(ids)), 0, ids].sum(), 1e-10)
    drawn = sample(model, given.source, given.source_mask, limits, SamplingOptions(seed=1))
    assert (drawn.lengths <= limits[:, None]).all()


def test_what_if_the_top_block_looked_elsewhere():
    known = Tokens.train(["a b c d e", "b"], "word", 1)
    config = Seq2SeqConfig(len(known), len(known), encoder=SELF, decoder=SELF, **SIZES)
    translator = Translator(Seq2Seq.create(config, seed=2), known, known)
    usual, told = what_if(translator, "a b c"), what_if(translator, "a b c", looks={0: 2})
    assert [t.text for t in translator.translate(["a b c"], search=BeamOptions(beam=5))] == [usual.text]
    assert told.alpha[0].tolist() == [0, 0, 1] and told.best[0] != usual.best[0]
    assert len(translator.translate(["a b c", "b"], search=GreedyOptions())) == 2


# wrong wiring


ENCODER, DECODER, MEAN = {}, {}, {"decoder": "bahdanau", "attention": "dot"}
WRONG = {  # what is wrong: (model, owner, right, wrong, its place, None where it has no name)
    "the mean's share is forgotten": (
        MEAN, SelfAttentionEncoderTrace, "self.share[:, :, None] * dmean", "dmean", "encoder"),
    "the mean has no gradient": (MEAN, SelfAttentionEncoderTrace, "d = of_mean if d is None else d + of_mean", "pass",
                                 "encoder"),
    "the mean alone has a gradient": (
        MEAN, SelfAttentionEncoderTrace, "d = of_mean if d is None else d + of_mean", "d = of_mean", "encoder"),
    "the encoder's norm is skipped": (
        ENCODER, SelfAttentionEncoderTrace, "d, norm = grad.dx, grad.params", "norm = grad.params", "encoder"),
    "the encoder's blocks go the wrong way": (
        ENCODER, SelfAttentionEncoderTrace, "reversed(self.blocks)", "self.blocks", None),
    "the encoder's blocks stand in reversed order": (
        ENCODER, SelfAttentionEncoderTrace, "blocks.insert(0, back.params)", "blocks.append(back.params)", "encoder"),
    "every block is given what the top one got": (
        ENCODER, SelfAttentionEncoderTrace, "d = back.dx", "last = back.dx", "encoder"),
    "the source's embeddings are not scaled": (
        ENCODER, SelfAttentionEncoderTrace, "self.positions.backward(d).dx", "d", "encoder"),
    "the memory hears of the lowest block alone": (
        DECODER, SelfAttentionDecoderTrace, "summed(dstates, back.dmemory)", "back.dmemory", "decoder"),
    "the memory hears of the top block alone": (
        DECODER, SelfAttentionDecoderTrace, "summed(dstates, back.dmemory)",
        "back.dmemory if dstates is None else dstates", "decoder"),
    "the memory's gradients are averaged": (
        DECODER, SelfAttentionDecoderTrace, "dmemory=Memory(states=dstates,", "dmemory=Memory(states=dstates / 2,",
        "decoder"),
    "the decoder's norm is skipped": (
        DECODER, SelfAttentionDecoderTrace, "d, norm = grad.dx, grad.params", "norm = grad.params", "decoder"),
    "the decoder's blocks go the wrong way": (
        DECODER, SelfAttentionDecoderTrace, "reversed(self.blocks)", "self.blocks", None),
    "the coverage loss is not passed on": (
        {"coverage_loss": 0.7}, SelfAttentionDecoderTrace, "(summed(dcontext_read, dcontext), dalpha)",
        "(summed(dcontext_read, dcontext), None)", "decoder"),
    "the readout's context gets nothing": (
        {"readout": "tanh", "readout_context": True}, SelfAttentionDecoderTrace,
        "(summed(dcontext_read, dcontext), dalpha)", "(None, dalpha)", "decoder"),
    "the readout's embedding gets nothing": (
        {"readout": "tanh", "readout_embedding": True}, SelfAttentionDecoderTrace,
        "summed(self.positions.backward(d).dx, dy_read)", "self.positions.backward(d).dx", "decoder"),
    "the target's embeddings are not scaled": (
        DECODER, SelfAttentionDecoderTrace, "self.positions.backward(d).dx", "d", "decoder"),
    "keys of the memory get nothing": (
        DECODER, CrossTrace, "look.dkeys + look.dvalues", "look.dvalues", "decoder.blocks.1.cross.part"),
    "the way around is lost": (
        DECODER, SublayerTrace, "dx=dy + norm.dx", "dx=norm.dx", "decoder.blocks.1.feed"),
    "the way around is lost after the norm": (
        {"norm": "post"}, SublayerTrace, "dx=norm.dx + part.dx", "dx=part.dx", "decoder.blocks.1.feed"),
}  # fmt: skip


@pytest.mark.parametrize("what", few_fast(WRONG, ["the way around is lost after the norm"]))
def test_wrong_wiring_is_caught_and_placed(monkeypatch, what):
    options, owner, right, wrong, where = WRONG[what]
    source = textwrap.dedent(inspect.getsource(owner.backward))
    assert source.count(right) == 1
    scope = {}
    exec(source.replace(right, wrong), vars(inspect.getmodule(owner)), scope)
    monkeypatch.setattr(owner, "backward", scope["backward"])
    model, given = create(dropout=0.2, **options), batch()
    noise = model.draw_noise(given, 0)
    found = check(lambda params: Seq2Seq(model.config, params).forward(given, noise), {"params": model.params})
    assert not found.ok
    places = [d.where for d in found.diagnosis]  # none where the mistake has no name
    if owner is SublayerTrace:  # of both boxes: all are named, first the one that is first on the way back
        assert places[0] == where and {place.split(".")[0] for place in places} == {"encoder", "decoder"}
        return
    box = "" if where is None else where.split(".")[0]
    assert all(place.startswith(box) for place in places), places
