"""What a model can be: wrong values and impossible combinations are refused in one line; every other model trains."""

import dataclasses
import json
from itertools import product

import numpy as np
import pytest
from helpers import assert_close, batch
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq import params as trees
from numseq.errors import NumseqError
from numseq.layers.sublayer import NORMS
from numseq.models import ATTENTIONS, CELLS, DECODERS, ENCODERS, HEADS, ConfigError, Seq2Seq, Seq2SeqConfig
from numseq.models.config import INITS, PARTS, READOUTS, RECURRENT_INITS, TIED
from numseq.search import BeamOptions, beam_search
from numseq.training import Adam, clip_by_global_norm

FIELDS = {field.name: field for field in dataclasses.fields(Seq2SeqConfig)}
OF_TYPE = {kind: [name for name, field in FIELDS.items() if field.type in (kind, kind.__name__)]
           for kind in (int, bool, float)}  # fmt: skip
CHOICES = PARTS | {
    "readout": READOUTS, "norm": NORMS, "tied": TIED, "init": INITS, "recurrent_init": RECURRENT_INITS,
}  # fmt: skip
FOLLOW = {"feed_forward": int, "readout_context": bool}  # numbers and switches that may be left open too
OPEN = (
    "attention",
    "encoder",
    "decoder",
    "source",
    "readout",
)  # what follows from the other options when it is left open
RATES = ("dropout", "word_dropout", "weight_drop", "zoneout", "label_smoothing", "empty_memories")
LEAST = {"samples": 0, "separator": 4}  # of other whole numbers 1
WEIGHTS = ("confidence_penalty", "coverage_loss")


def config(**options):
    return Seq2SeqConfig(**({"source_vocabulary": 11, "target_vocabulary": 13} | options))


def refusal(**options):
    """The one line that says why not."""
    with pytest.raises(ConfigError) as info:
        config(**options)
    assert isinstance(info.value, NumseqError) and "\n" not in str(info.value)
    return str(info.value)


# single options


def test_every_option_is_of_a_kind_that_is_tried_here():
    of_types = [name for names in OF_TYPE.values() for name in names]
    assert sorted([*of_types, *CHOICES, *FOLLOW]) == sorted(FIELDS)
    assert {*RATES, *WEIGHTS, "forget_bias"} == set(OF_TYPE[float])


@pytest.mark.parametrize("name", OF_TYPE[int])
@pytest.mark.parametrize("value", [-1, 2.0, 2.5, "2", None, True, np.nan])
def test_sizes_are_whole_numbers(name, value):
    least = LEAST.get(name, 1)
    assert refusal(**{name: value}).startswith(f"{name} is {value!r}: it must be a whole number of at least {least}")


@pytest.mark.parametrize("name", [name for name in OF_TYPE[int] if name != "samples"])
def test_sizes_are_at_least_one(name):
    assert refusal(**{name: 0}).startswith(f"{name} is 0: it must be a whole number of at least {LEAST.get(name, 1)}")


@pytest.mark.parametrize("name", OF_TYPE[bool])
@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_switches_are_true_or_false(name, value):
    assert refusal(**{name: value}) == f"{name} is {value!r}: it must be true or false"


def test_what_may_be_left_open_is_of_its_kind_all_the_same():
    assert refusal(feed_forward=0, encoder="self-attention").startswith("feed_forward is 0: it must be a whole number")
    assert refusal(readout_context=1) == "readout_context is 1: it must be true or false"
    assert config(feed_forward=None).feed_forward is None and config(readout_context=None).readout_context is True


@pytest.mark.parametrize("name", OF_TYPE[float])
@pytest.mark.parametrize("value", ["0.1", None, True, 1j])
def test_rates_and_weights_are_numbers(name, value):
    assert refusal(**{name: value}) == f"{name} is {value!r}: it must be a number"


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("value", [1, 1.0, -0.1, 2.0, np.nan, np.inf])
def test_rates_are_below_one(name, value):
    assert refusal(**{name: value}) == f"{name} is {value}: it must be at least 0 and below 1"


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_weights_are_finite_and_not_negative(name, value):
    assert refusal(**{name: value}) == f"{name} is {value}: it must be finite and at least 0"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_forget_bias_is_finite(value):
    assert refusal(forget_bias=value) == f"forget_bias is {value}: it must be finite"


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", ["transformer", "", "LSTM"])
def test_a_name_that_is_not_known_is_answered_with_those_that_are(name, value):
    assert refusal(**{name: value}) == f"{name} is {value!r}: choose one of {', '.join(CHOICES[name])}"


@pytest.mark.parametrize("name", [name for name in CHOICES if name not in PARTS])
@pytest.mark.parametrize("value", [1, ["lstm"]])
def test_a_name_is_a_text(name, value):
    assert refusal(**{name: value}) == f"{name} is {value!r}: choose one of {', '.join(CHOICES[name])}"


def test_some_options_may_be_left_open():
    for name in CHOICES:
        if name not in OPEN:
            assert refusal(**{name: None}).startswith(f"{name} is None: choose one of ")


def test_values_at_their_borders_are_taken():
    for name in OF_TYPE[int]:
        if name not in ("hidden", "samples", "separator"):
            config(**{name: 1})
    config(hidden=2, separator=4, **dict.fromkeys(RATES + WEIGHTS, 0))
    config(samples=12, forget_bias=-3)
    config(encoder="hops", **dict.fromkeys(RATES, 0.999))


# combinations

PLAIN, LUONG, FEEDING = {"attention": "none"}, {"decoder": "luong"}, {"decoder": "luong-feeding"}
HOPS = {"encoder": "hops"}
IMPOSSIBLE = {  # (options, words that the one line has)
    "odd halves": ({"hidden": 7}, ["hidden is 7", "even", "two directions"]),
    "luong without attention": (PLAIN | LUONG, ["decoder luong", "attention is none", "plain or vector"]),
    "attention that nobody looks with": (
        {"attention": "dot", "decoder": "vector"}, ["attention is dot", "decoder vector", "leave one of them out"]),
    "coverage loss without attention": (PLAIN | {"coverage_loss": 1.0}, ["coverage_loss", "attention is none"]),
    "feeding without attention": (PLAIN | FEEDING, ["decoder luong-feeding", "attention is none"]),
    "feeding layers of layer normalisation": (
        FEEDING | {"cell": "lstm-layernorm", "layers": 2},
        ["lstm-layernorm", "luong-feeding", "choose layers 1 or another cell"]),
    "several looks without attention": (PLAIN | {"hops": 2}, ["hops", "attention is none", "leave hops out"]),
    "sentences for who reads tokens": (
        {"source": "sentences", "encoder": "forward"}, ["source is sentences", "encoder forward", "tokens"]),
    "tokens for who reads sentences": ({"source": "tokens", "encoder": "hops"}, ["source is tokens", "sentences"]),
    "a separator that is no token": (HOPS | {"separator": 11}, ["separator is 11", "has 11 tokens"]),
    "all tied, several embeddings": (
        HOPS | {"tied": "all"}, ["tied is all", "encoder hops", "none"]),
    "words of a memory of sentences": (
        HOPS | {"head": "copynet"}, ["head copynet", "encoder hops has sentences", "another encoder"]),
    "empty memories of who has none": ({"empty_memories": 0.1}, ["empty_memories", "encoder is bidirectional"]),
    "a product of two widths": (
        HOPS | {"attention": "dot", "embedding": 8, "hidden": 6}, ["dot", "6", "8", "general", "equally wide"]),
    "a context that nobody reads": (LUONG | {"readout_context": False}, ["decoder luong", "readout_context"]),
    "heads that do not divide": (
        {"attention": "multi-head", "attention_size": 6, "heads": 5}, ["heads is 5", "attention_size, which is 6"]),
    "samples of everything": ({"samples": 13}, ["samples is 13", "target vocabulary has 13", "choose fewer"]),
    "samples and smoothing": ({"samples": 4, "label_smoothing": 0.1}, ["label_smoothing", "samples"]),
    "samples and penalty": ({"samples": 4, "confidence_penalty": 0.1}, ["confidence_penalty", "samples"]),
    "copying what nobody looks at": (
        PLAIN | {"head": "pointer-generator"}, ["pointer-generator", "attention is none", "choose an attention"]),
    "copying by what is no distribution": (
        {"attention": "local-p", "head": "pointer-generator"}, ["pointer-generator", "local-p", "sum to 1"]),
    "samples of words that are copied": ({"samples": 4, "head": "pointer-generator"}, ["samples", "pointer-generator"]),
    "smoothing of copies": ({"label_smoothing": 0.1, "head": "copynet"}, ["label_smoothing", "copynet"]),
    "penalty of copies": ({"confidence_penalty": 0.1, "head": "copynet"}, ["confidence_penalty", "copynet"]),
    "all tied, two vocabularies": ({"tied": "all"}, ["tied is all", "one vocabulary", "11 and 13"]),
    "tied, linear with context": (
        {"tied": "target", "readout": "linear", "embedding": 100},
        ["tied", "512", "100", "make them equal", "tanh or maxout"]),
    "tied, plain and linear": (
        PLAIN | {"tied": "target", "embedding": 5, "hidden": 7}, ["tied", "7", "5", "make them equal"]),
    "a cell of self-attention": (
        {"encoder": "self-attention", "decoder": "self-attention", "cell": "gru"}, ["cell", "recurrent"]),
    "hops whose end nobody reads": (
        {"encoder": "hops", "decoder": "self-attention"}, ["decoder self-attention looks at", "encoder hops found"]),
    "self-attention that looks otherwise": (
        {"decoder": "self-attention", "attention": "dot"}, ["decoder self-attention", "attention is dot"]),
    "two widths that are added": (
        {"encoder": "self-attention", "hidden": 64}, ["encoder self-attention", "embedding, which is 256", "64"]),
    "two widths that a decoder adds": (
        {"decoder": "self-attention", "embedding": 64}, ["decoder self-attention", "64", "must be equal"]),
    "heads of self-attention that do not divide": (
        {"encoder": "self-attention", "heads": 5}, ["heads is 5", "attention_size, which is 256"]),
    "a norm of nothing": ({"norm": "post"}, ["norm is about self-attention", "bahdanau"]),
    "a feed-forward network of nothing": ({"feed_forward": 9}, ["feed_forward is about self-attention"]),
    "a cell of nothing": (
        {"encoder": "self-attention", "decoder": "self-attention", "cell": "gru"}, ["cell", "recurrent"]),
    "zoneout of nothing": (
        {"encoder": "self-attention", "decoder": "self-attention", "zoneout": 0.1}, ["zoneout", "recurrent"]),
    "forget bias of a GRU": ({"cell": "gru", "forget_bias": 0.0}, ["forget_bias", "cell is gru"]),
    "forget bias of an RNN": ({"cell": "rnn-relu", "forget_bias": 2.0}, ["forget_bias", "cell is rnn-relu"]),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_does_not_go_together_is_refused_by_both_names(case):
    options, words = IMPOSSIBLE[case]
    said = refusal(**options)
    assert all(word in said for word in words), said
    for name in options:  # and with one option less it is taken, or refused for another reason
        rest = {other: value for other, value in options.items() if other != name}
        try:
            config(**rest)
        except ConfigError as error:
            assert str(error) != said, name


def test_the_readout_of_attention_is_tanh_and_that_of_the_plain_model_linear():
    assert config().readout == config(decoder="luong").readout == "tanh"
    assert config(attention="none").readout == "linear"
    assert config(attention="none", readout="tanh").readout == "tanh" and config(readout="linear").readout == "linear"
    assert config() == config(readout="tanh")


def test_what_is_left_open_follows_from_the_rest():
    def of(**options):
        made = config(**options)
        return made.attention, made.encoder, made.decoder

    assert of() == ("additive", "bidirectional", "bahdanau")
    assert of(attention="none") == of(decoder="plain") == ("none", "backward", "plain")
    assert of(decoder="vector") == ("none", "backward", "vector")
    assert of(decoder="luong", attention="dot", encoder="forward") == ("dot", "forward", "luong")
    assert of(decoder="self-attention") == ("multi-head", "bidirectional", "self-attention")
    whole = config(decoder="self-attention", encoder="self-attention")
    assert (whole.readout, whole.readout_context, whole.feed_forward) == ("linear", False, 4 * whole.hidden)
    assert config(encoder="self-attention").readout == "tanh"


def test_the_plain_model_takes_an_odd_size():
    sizes = {"embedding": 3, "hidden": 7}
    assert np.isfinite(Seq2Seq.create(config(attention="none", **sizes)).forward(batch()).loss)


def test_a_sentence_says_all_that_differs_from_the_default():
    assert config() == config(cell="lstm", attention="additive", layers=1) != config(cell="gru")
    assert hash(config(cell="gru")) == hash(config(cell="gru"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config().hidden = 3


# whatever is not refused works

SIZES = {"embedding": 6, "hidden": 6, "attention_size": 6, "heads": 2, "window": 1, "encoder_hops": 2, "separator": 6}
STORIES = ([5, 6, 7, 7, 6, 8], [9, 4], [5, 6, 10, 6, 4], [7, 6])  # 6 parts sentences
ATTENDING = [name for name, kind in DECODERS.items() if kind.attends and kind.recurrent]


def trains_and_decodes(**options):
    """Two steps down, then a search, in single precision."""
    made = Seq2SeqConfig(**({"source_vocabulary": 13, "target_vocabulary": 13} | SIZES | options))
    assert Seq2SeqConfig(**json.loads(json.dumps(dataclasses.asdict(made)))) == made
    sources = {"sources": STORIES} if made.source == "sentences" else {}
    model, data, moved = Seq2Seq.create(made, seed=1), batch(**sources), set()
    if made.copies:
        data.copies = np.where(data.source == data.source[0, 0], 13, data.source)
    optimizer = Adam(model.params, lr=0.01)
    for step in range(2):
        trace = model.forward(data, model.draw_noise(data, 0, step))
        grad = trace.backward().params
        assert np.isfinite(trace.loss) and 0 < clip_by_global_norm(grad, 1.0) < np.inf
        moved |= {name for name, leaf in trees.walk(grad) if leaf.any()}  # by however little
        optimizer.update(model.params, grad)
    for name, now in trees.walk(model.params):
        assert now.dtype == np.float32 and np.isfinite(now).all() and name in moved, name
    limits = np.array([5, 3, 4, 2])
    found = beam_search(model, data.source, data.source_mask, limits, BeamOptions(beam=2), copies=data.copies)
    assert np.isfinite(found.scores[:, 0]).all() and (found.lengths[:, 0] <= limits).all()
    trace = model.forward(data)
    real = data.target_mask
    assert_close(np.exp(trace.logp.astype(np.float64)).sum(axis=-1), np.ones(real.shape), 1e-5)
    if made.head in HEADS:  # others may have another loss
        assert_close(trace.loss, -trace.logp[real][np.arange(real.sum()), data.target_out[real]].mean(), 1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("attention", [name for name in ATTENTIONS if name != "none"])
@pytest.mark.parametrize("decoder", ATTENDING)
def test_every_cell_goes_with_every_attention_in_every_order(cell, attention, decoder):
    trains_and_decodes(cell=cell, attention=attention, decoder=decoder)


@pytest.mark.parametrize(
    ("encoder", "decoder"), [pair for pair in product(ENCODERS, DECODERS) if pair != ("hops", "self-attention")]
)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_every_encoder_goes_with_every_decoder(encoder, decoder, cell):
    if encoder == decoder == "self-attention":
        cell = "lstm"  # there is none
    trains_and_decodes(encoder=encoder, decoder=decoder, cell=cell, layers=2, readout_embedding=True)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_cell_makes_a_plain_model(cell, readout, layers):
    trains_and_decodes(cell=cell, attention="none", readout=readout, layers=layers)


@st.composite
def sentences(draw):
    """Any options; most of them go together."""
    named = {name: st.sampled_from(list(choices)) for name, choices in CHOICES.items()}
    numbers = {"layers": st.integers(1, 3), "hops": st.sampled_from([1, 1, 2]),
               "samples": st.sampled_from([0, 0, 5]), "embedding": st.sampled_from([5, 6]),
               "forget_bias": st.sampled_from([1.0, 1.0, 0.0])}  # fmt: skip
    rates = {name: st.sampled_from([0.0, 0.3]) for name in (*RATES, *WEIGHTS)}
    switches = {name: st.booleans() for name in OF_TYPE[bool]}
    return {name: draw(values) for name, values in (named | numbers | rates | switches).items()}


@given(sentences())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_sentence_is_refused_in_one_line_or_trains_and_decodes(options):
    try:
        Seq2SeqConfig(13, 13, **(SIZES | options))
    except ConfigError as error:
        assert "\n" not in str(error) and len(str(error)) < 200
        return
    trains_and_decodes(**options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"cell": "gru"}, ["gru"]),
        ({"encoder": "self-attention"}, ["self-attention", "lstm"]),
        ({"decoder": "self-attention"}, ["lstm", "self-attention"]),
        ({"encoder": "self-attention", "decoder": "self-attention"}, ["self-attention"]),
        ({"encoder": "hops", "cell": "rnn"}, ["hops", "rnn"]),
    ],
)
def test_what_a_model_is_made_of(options, expected):
    assert config(**options).made_of == expected
