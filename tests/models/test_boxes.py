"""Boxes put together in other ways than the usual ones, and boxes of a reader's own, against loops written here."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import assert_close, assert_gradients, batch, create, few_fast, normal, padded

from numseq import params as trees
from numseq.backend import Array
from numseq.data import BOS, EOS, UNK, Tokens
from numseq.errors import ConfigError
from numseq.layers import LSTM, DotAttention, LayerNormLSTM, LSTMStep, layernorm_lstm_step
from numseq.layers.activations import log_softmax
from numseq.layers.attention.base import Attention, AttentionGrad
from numseq.layers.attention.products import dots, over_queries
from numseq.layers.cells.cell import Cell
from numseq.layers.cells.lstm import LSTMStepGrad, blocks
from numseq.layers.losses.cross_entropy import cross_entropy
from numseq.models import Memory, Seq2Seq, Seq2SeqConfig
from numseq.models.encoders.recurrent import ForwardEncoder
from numseq.models.heads.vocabulary import HeadGrad, VocabularyHead, VocabularyNoise
from numseq.models.noise import Noise
from numseq.record import StepGrad, StepRecord
from numseq.search import BeamOptions, GreedyOptions, Translator, beam_search, greedy

NOISE = {"dropout": 0.3, "word_dropout": 0.2, "weight_drop": 0.25, "zoneout": 0.4}
ATTENTIVE = ("attention", "luong", "feeding")
pytestmark = pytest.mark.usefixtures("parts_are_forgotten")


# the equations, one sentence at a time, without padding, masks or batches


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step_of(cell, x, state, p, extra=0):
    """One step of a cell on one vector; the new state, h first."""
    a, u = x @ p.W_x + p.b + extra, state[0] @ p.W_h
    if cell == "rnn":
        return (np.tanh(a + u),)
    if cell == "gru":
        (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3), np.split(u + p.b_h, 3)
        r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
        return ((1 - z) * np.tanh(a_n + r * u_n) + z * state[0],)
    a_i, a_f, a_g, a_o = np.split(a + u, 4)
    c = sigmoid(a_f) * state[1] + sigmoid(a_i) * np.tanh(a_g)
    return (sigmoid(a_o) * np.tanh(c), c)


def run(cell, xs, state, p):
    """The cell over a list of vectors: outputs and final state."""
    outputs = []
    for x in xs:
        state = step_of(cell, x, state, p)
        outputs.append(state[0])
    return outputs, state


def zeros(cell, H):
    return (np.zeros(H),) * (2 if cell == "lstm" else 1)


def read(config, xs, layers):
    """(outputs of the top layer, final state of each, both directions side by side)."""
    cell, H, ends = config.cell, config.hidden, []
    for p in layers:
        if config.encoder == "bidirectional":
            ahead, one = run(cell, xs, zeros(cell, H // 2), p.ahead)
            back, other = run(cell, xs[::-1], zeros(cell, H // 2), p.back)
            xs = [np.concatenate(pair) for pair in zip(ahead, back[::-1], strict=True)]
            ends.append([np.concatenate(pair) for pair in zip(one, other, strict=True)])
        elif config.encoder == "forward":
            xs, end = run(cell, xs, zeros(cell, H), p)
            ends.append(end)
        else:
            back, end = run(cell, xs[::-1], zeros(cell, H), p)
            xs = back[::-1]
            ends.append(end)
    return xs, ends


def look(config, query, states, p):
    """(context, weights) of one query."""
    if config.attention == "general":
        e = np.stack([x @ p.W @ query for x in states])
    else:
        e = np.stack([np.tanh(query @ p.W_q + x @ p.W_k + p.b) @ p.w for x in states])
    alpha = np.exp(e) / np.exp(e).sum()
    return sum(share * x for share, x in zip(alpha, states, strict=True)), alpha


def reference(model, source, target_in):
    """(log-probabilities (T, V), weights (T, S) or []) of one sentence, by the equations of the papers."""
    config, p, cell = model.config, model.params, model.config.cell
    d = p.decoder
    memory, ends = read(config, list(p.source.W[source]), p.encoder)
    states = ends
    if d.bridge is not None:
        states = []
        for end, maps in zip(ends, d.bridge, strict=True):
            h, *others = (part @ q.W + q.b for part, q in zip(end, maps, strict=True))
            states.append((np.tanh(h), *others))
    logps, alphas, r, vector = [], [], np.zeros(config.features), ends[-1][0]
    for y in p.target.W[target_in]:
        context, extra = None, 0
        if config.decoder == "bahdanau":
            context, alpha = look(config, states[0][0], memory, d.attention)
            extra = context @ d.W_extra
        elif config.decoder == "luong-feeding":
            extra = r @ d.W_extra
        x = np.concatenate([y, vector]) if config.decoder == "vector" else y
        for k, layer in enumerate(d.rnn):
            states[k] = step_of(cell, x, states[k], layer, extra if k == 0 else 0)
            x = states[k][0]
        if config.decoder.startswith("luong"):
            context, alpha = look(config, x, memory, d.attention)
        if config.decoder == "vector":
            context = vector
        if config.attends:
            alphas.append(alpha)
        r = x if context is None else np.concatenate([x, context])
        if config.readout == "tanh":
            r = np.tanh(r @ d.combine.W + d.combine.b)
        scores = r @ p.head.W + p.head.b
        logps.append(scores - np.log(np.exp(scores).sum()))
    return np.stack(logps), alphas


def reference_loss(model, given):
    """Mean of -log p over all real tokens."""
    total = 0
    for b in range(given.source.shape[1]):
        S, T = given.source_mask[:, b].sum(), given.target_mask[:, b].sum()
        logp, _ = reference(model, given.source[:S, b], given.target_in[:T, b])
        total = total - logp[np.arange(T), given.target_out[:T, b]].sum()
    return total / given.target_mask.sum()


WAYS = ("bidirectional", "forward", "backward")
TOGETHER = {
    **{f"vector, {encoder}, {cell}, {layers}": ("vector", {"encoder": encoder, "cell": cell, "layers": layers})
       for encoder in WAYS for cell, layers in (("gru", 1), ("lstm", 2), ("rnn", 1))},
    **{f"plain, {encoder}, {cell}": ("plain", {"encoder": encoder, "cell": cell, "layers": 2})
       for encoder in WAYS for cell in ("gru", "lstm")},
    **{f"{kind}, {encoder}, {cell}": (kind, {"encoder": encoder, "cell": cell, "layers": layers})
       for kind in ATTENTIVE for encoder in WAYS for cell, layers in (("gru", 1), ("lstm", 2))},
    "vector, with a hidden layer": ("vector", {"cell": "gru", "readout": "tanh"}),
    "plain, with a hidden layer": ("plain", {"encoder": "bidirectional", "readout": "tanh"}),
}  # fmt: skip
each_together = pytest.mark.parametrize("name", TOGETHER)


def small(kind, **options):
    """Small enough numbers that exp(e) of the plain loop does not overflow."""
    model = create(kind, **({"hidden": 6, "embedding": 4, "attention_size": 5} | options))
    model.params = trees.map(lambda leaf: 0.5 * leaf, model.params)
    return model


@each_together
def test_a_batch_computes_what_a_plain_loop_over_sentences_does(name):
    kind, options = TOGETHER[name]
    model, given = small(kind, **options), batch()
    both = model.config.encoder == "bidirectional"
    assert (model.params.decoder.bridge is None) == (kind == "plain" and not both)
    trace = model.forward(given)
    for b in range(given.source.shape[1]):
        S, T = given.source_mask[:, b].sum(), given.target_mask[:, b].sum()
        logp, alphas = reference(model, given.source[:S, b], given.target_in[:T, b])
        assert_close(trace.logp[:T, b], logp)
        if alphas:
            assert_close(trace.alpha[:T, b, :S], np.stack(alphas))
    assert_close(trace.loss, reference_loss(model, given))


@each_together
def test_the_gradient_is_that_of_the_plain_loop_along_a_direction_in_every_array(name):
    kind, options = TOGETHER[name]
    model, given = small(kind, **options), batch()
    grad = dict(trees.walk(model.forward(given).backward().params))
    leaves = dict(trees.walk(model.params))
    for k, (name, leaf) in enumerate(leaves.items()):
        direction = normal(*leaf.shape, seed=k)
        if name in ("source.W", "target.W"):
            direction[0] = 0  # the padding's row is never trained
        moved = {other: array.astype(complex) for other, array in leaves.items()}
        moved[name] += 1e-100j * direction
        bent = dataclasses.replace(model, params=trees.replace(model.params, moved))
        slope = reference_loss(bent, given).imag / 1e-100
        scale = np.abs(grad[name] * direction).sum()
        assert abs((grad[name] * direction).sum() - slope) <= 1e-10 * scale, name


def test_the_vector_is_how_the_reading_ended_and_every_step_sees_it():
    model, given = create("vector"), batch()
    trace = model.forward(given)
    for context in trace.decoder.context:
        assert_close(context, trace.encoder.memory.last[-1].h)
    memory, state = model.start(given.source, given.source_mask)
    _, state, _ = model.step(given.target_in[0], state, memory)
    other = state._replace(carried=(state.carried[0] + 1,))
    found, moved = (model.step(given.target_in[1], start, memory)[0] for start in (state, other))
    assert memory.attention is None and (found != moved).any(axis=-1).all()


# an encoder of one's own, whose memory has fewer places than the source


@dataclass
class HalvingTrace:
    inner: Any
    real: Array  # (S, B, 1)
    memory: Memory

    def backward(self, dmemory):
        states = None
        if dmemory.states is not None:
            states = np.repeat(dmemory.states, 2, axis=0)[: len(self.real)] * self.real
        return self.inner.backward(Memory(states=states, mask=None, last=dmemory.last))


class HalvingEncoder:
    """A place of the memory is the sum of two neighbouring states."""

    two_ways, bridged, source = False, False, "tokens"

    def __init__(self, config):
        self.inner = ForwardEncoder(config)

    @staticmethod
    def width(config):
        return config.hidden

    def init(self, rng, dtype):
        return self.inner.init(rng, dtype)

    def draw(self, draws, steps, batch, params):
        return self.inner.draw(draws, steps, batch, params)

    def forward(self, x, mask, params, noise=None):
        trace = self.inner.forward(x, mask, params, noise)
        mask = np.ones(x.shape[:2], dtype=bool) if mask is None else mask
        odd = [(0, len(x) % 2), (0, 0)]
        pairs = np.pad(trace.memory.states * mask[:, :, None], [*odd, (0, 0)])
        real = np.pad(mask, odd)
        memory = Memory(pairs[::2] + pairs[1::2], real[::2] | real[1::2], trace.memory.last)
        return HalvingTrace(trace, mask[:, :, None], memory)


def halving(kind, layers=1, **options):
    return create(kind, layers, encoder=HalvingEncoder, **options)


HALVED = [(kind, attention) for kind in ATTENTIVE for attention in ("additive", "coverage", "location", "dot")]
each_halved = pytest.mark.parametrize("kind, attention", HALVED)


@each_halved
def test_attention_has_the_width_of_the_memory(kind, attention):
    model, given = halving(kind, attention=attention), batch()
    trace = model.forward(given)
    assert trace.alpha.shape == (7, 4, 3) and trace.encoder.memory.mask.sum(axis=0).tolist() == [3, 1, 2, 1]
    real = np.broadcast_to(trace.encoder.memory.mask.T, trace.alpha.shape)
    assert (trace.alpha[~real] == 0).all() and (trace.alpha[real] > 0).all()
    assert_close(trace.alpha.sum(axis=-1), np.ones((7, 4)))


@each_halved
@pytest.mark.parametrize("layers", few_fast([1, 2], [2]))
def test_a_shorter_memory_has_the_right_gradient(kind, attention, layers):
    model, given = halving(kind, layers, attention=attention, coverage_loss=0.6, **NOISE), batch()
    assert_gradients(model, given)
    assert_gradients(model, given, model.draw_noise(given, 0))


@pytest.mark.parametrize("kind", ["plain", "vector"])
def test_an_encoder_of_ones_own_serves_decoders_without_attention(kind):
    model, given = halving(kind, 2), batch()
    assert_gradients(model, given)
    usual = create(kind, 2, encoder="forward")
    assert_close(model.forward(given).logp, usual.forward(given).logp)  # they look at how the reading ended alone


@each_halved
def test_padding_of_a_shorter_memory_changes_nothing(kind, attention):
    model, given = halving(kind, attention=attention, coverage_loss=0.6), batch()
    training = Noise(head=VocabularyNoise())
    for noise in (None, training):
        one = model.forward(given, noise)
        for steps in (1, 2, 5):
            other = model.forward(padded(given, steps, rows=1), noise)
            T, B, S = one.alpha.shape
            assert_close(other.alpha[:T, :B, :S][given.target_mask], one.alpha[given.target_mask])
            assert (other.alpha[:, :B, S:] == 0).all()
            assert_close([other.loss, other.backward().params], [one.loss, one.backward().params])


@each_halved
def test_a_shorter_memory_is_decoded_with(kind, attention):
    model, given = halving(kind, attention=attention), batch()
    memory, state = model.start(given.source, given.source_mask)
    trace, logps, alphas = model.forward(given), [], []
    for ids in given.target_in:
        logp, state, alpha = model.step(ids, state, memory)
        logps.append(logp)
        alphas.append(alpha)
    assert_close([np.stack(logps), np.stack(alphas)], [trace.logp, trace.alpha])
    limits = np.array([7, 3, 5, 4])
    said = greedy(model, given.source, given.source_mask, limits)
    beam = beam_search(model, given.source, given.source_mask, limits, BeamOptions(beam=1))
    assert (beam.ids[: len(said.ids)].reshape(said.ids.shape) == said.ids).all()
    assert said.alpha.shape[-1] == beam.alpha.shape[-1] == 3
    looked = [look[memory.places[b]] for b, look in enumerate(beam.alpha[:, :, 0].sum(axis=0))]  # place by place
    seen = beam_search(model, given.source, given.source_mask, limits, BeamOptions(beam=1, coverage_penalty=0.3))
    missed = [np.log(np.clip(look, 1e-10, 1)).sum() for look in looked]
    assert_close(seen.scores[:, 0], beam.scores[:, 0] + 0.3 * np.array(missed))
    wide = beam_search(model, given.source, given.source_mask, limits, BeamOptions(beam=4))
    for b in range(4):  # a hypothesis has the probability that the whole model gives it
        S = given.source_mask[:, b].sum()
        for k in range(4):
            ids = wide.ids[: wide.lengths[b, k] + 1, b, k]
            row = batch([given.source[:S, b].tolist()], [ids[:-1].tolist()])
            assert ids[-1] == EOS and row.target_in[0, 0] == BOS
            logp = model.forward(row).logp[np.arange(len(ids)), 0, ids].sum()
            assert_close(wide.logp[b, k], logp)


LINES = ["a b c d e", "b"]


def of_words(**options):
    known = Tokens.train(LINES, "word", 1)
    sizes = {"embedding": 4, "hidden": 4, "attention_size": 4}
    return Translator(Seq2Seq.create(Seq2SeqConfig(len(known), len(known), **sizes, **options), seed=2), known, known)


@pytest.mark.parametrize("search", [GreedyOptions(), BeamOptions(beam=2)])
def test_where_a_shorter_memory_was_looked_at_is_said_by_the_numbers_of_its_places(search):
    long, short = of_words(encoder=HalvingEncoder).translate(LINES, search=search)
    assert long.alpha.shape == (len(long.target), 3) and long.places == ["0", "1", "2"]
    assert short.alpha.shape == (len(short.target), 1) and short.places == ["b"]  # without the padding beside it
    assert_close(long.alpha.sum(axis=1), np.ones(len(long.target)), 1e-5)
    usual = of_words().translate(LINES, search=search)[0]
    assert usual.alpha.shape == (len(usual.target), 5) and usual.places == usual.source == LINES[0].split()


def test_unknown_words_are_not_replaced_by_places_that_are_no_words():
    translator = of_words(encoder=HalvingEncoder)
    translator.model.params.head.b[UNK] = 50
    with pytest.raises(ConfigError, match="not at the words of the source"):
        translator.translate(LINES, replace_unk={})


def test_models_whose_memories_differ_decode_together():
    both = Translator.ensemble([of_words(encoder=HalvingEncoder), of_words()])
    assert both.translate(LINES)[0].alpha is None
    with pytest.raises(ConfigError, match="not at the words of the source"):
        both.translate(LINES, replace_unk={})


# a head of one's own, that reads everything


@dataclass(slots=True)
class CopyingParams:
    W: Array  # (R, V)
    b: Array  # (V,)
    U: Array  # (C, V), of the context
    u: Array  # (H,), of the state: how gladly the k-th token is said where place k is looked at


@dataclass(slots=True)
class CopyingTrace:
    """logits = r W + b + context U, and of the first S tokens alpha (h . u) besides."""

    decoded: Any
    params: CopyingParams
    gate: Array  # h . u, (T, B, 1)
    scored: Any

    @property
    def loss(self):
        return self.scored.loss

    @property
    def logp(self):
        return log_softmax(self.scored.logits)

    def backward(self, dloss=1.0):
        d, p, dlogits = self.decoded, self.params, self.scored.backward(dloss).dlogits
        copied = dlogits[..., : d.alpha.shape[-1]]
        dgate = (copied * d.alpha).sum(axis=-1, keepdims=True)
        params = CopyingParams(
            W=np.einsum("tbr,tbv->rv", d.r, dlogits), b=dlogits.sum(axis=(0, 1)),
            U=np.einsum("tbc,tbv->cv", d.context, dlogits), u=np.einsum("tbh,tbo->h", d.h, dgate),
        )  # fmt: skip
        return HeadGrad(params, dr=dlogits @ p.W.T, dh=dgate * p.u, dcontext=dlogits @ p.U.T, dalpha=copied * self.gate)


class CopyingHead:
    def __init__(self, config):
        self.config = config

    def init(self, rng, dtype):
        c = self.config
        shapes = (c.features, c.target_vocabulary), (c.target_vocabulary,), (c.memory, c.target_vocabulary), (c.hidden,)
        return CopyingParams(*(rng.standard_normal(shape).astype(dtype) for shape in shapes))

    def draw(self, draws, steps, batch, params):
        return None  # nothing

    def _logits(self, d, p):
        gate = (d.h @ p.u)[..., None]
        logits = d.r @ p.W + p.b + d.context @ p.U
        logits[..., : d.alpha.shape[-1]] += gate * d.alpha
        return gate, logits

    def loss(self, decoded, targets, weights, params, noise=None):
        gate, logits = self._logits(decoded, params)
        return CopyingTrace(decoded, params, gate, cross_entropy(logits, targets, weights))

    def log_probabilities(self, decoded, params):
        return log_softmax(self._logits(decoded, params)[1])


@pytest.mark.parametrize("kind", ATTENTIVE)
@pytest.mark.parametrize("layers", few_fast([1, 3], [3]))
@pytest.mark.parametrize("encoder", few_fast(["bidirectional", HalvingEncoder], [HalvingEncoder]))
def test_a_head_that_reads_everything_gives_the_right_gradient(kind, layers, encoder):
    model, given = create(kind, layers, head=CopyingHead, encoder=encoder, residual=True, coverage_loss=0.7), batch()
    assert_gradients(model, given)
    assert_gradients(model, given, model.draw_noise(given, 0))
    noisy = create(kind, layers, head=CopyingHead, encoder=encoder, attention="coverage", coverage_loss=0.7, **NOISE)
    assert_gradients(noisy, given, noisy.draw_noise(given, 0))


@pytest.mark.parametrize("kind", ATTENTIVE)
def test_a_head_of_ones_own_is_decoded_with(kind):
    model, given = create(kind, head=CopyingHead), batch()
    trace, (memory, state) = model.forward(given), model.start(given.source, given.source_mask)
    for t, ids in enumerate(given.target_in):
        logp, state, _ = model.step(ids, state, memory)
        assert_close(logp, trace.logp[t])
    limits = np.array([7, 3, 5, 4])
    found = beam_search(model, given.source, given.source_mask, limits, BeamOptions(beam=3))
    assert np.isfinite(found.scores).all()
    wide = padded(given, 2, rows=1)
    assert_close(model.forward(wide).backward().params, model.forward(given).backward().params)


@pytest.mark.parametrize("kind", ATTENTIVE)
def test_training_adds_the_coverage_loss_whatever_a_head_draws(kind):
    model, given = create(kind, head=CopyingHead, coverage_loss=0.7), batch()
    training, evaluation = model.forward(given, model.draw_noise(given, 0)), model.forward(given)
    alpha = training.alpha * given.target_mask[:, :, None]
    again = np.minimum(training.alpha, np.cumsum(alpha, axis=0) - alpha).sum(axis=-1)[given.target_mask].mean()
    assert_close(training.loss, evaluation.loss + 0.7 * again)


class StateHead(VocabularyHead):
    """Reads the state besides, so that there is something to read where there is no attention."""

    def loss(self, decoded, targets, weights, params, noise=None):
        trace = super().loss(decoded, targets, weights, params, noise)
        read = decoded.h * weights[:, :, None]
        return StateTrace(trace, read, trace.loss + (read**2).sum())


@dataclass
class StateTrace:
    inner: Any
    read: Array
    loss: Array

    def backward(self, dloss=1.0):
        return dataclasses.replace(self.inner.backward(dloss), dh=2 * self.read * dloss)


@pytest.mark.parametrize("kind", ["plain", "vector", *ATTENTIVE])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_head_may_read_the_state_of_every_decoder(kind, layers):
    model, given = create(kind, layers, head=StateHead, residual=True, embedding=16), batch()
    assert_gradients(model, given)


# an objective of one's own


class Weighed:
    """The sum of -log p, each sentence by what it is worth."""

    def __init__(self, worth):
        self.worth = worth

    def forward(self, head, decoded, batch, params, noise=None):
        weights = self.worth * batch.target_mask
        return head.loss(decoded, batch.target_out, weights, params, noise and noise.head)


@pytest.mark.parametrize("kind", ["plain", *ATTENTIVE])
@pytest.mark.parametrize("samples", [0, 5])
def test_an_objective_that_weighs_sentences_needs_no_loss_of_its_own(kind, samples):
    model, given, worth = create(kind, samples=samples), batch(), np.array([0.5, -2.0, 0.0, 1.5])
    noise = model.draw_noise(given, 0)
    trace = model.forward(given, noise, Weighed(worth))
    assert_close(trace.loss, (worth * trace.objective.cross_entropy.nll).sum())
    assert_gradients(model, given, noise, Weighed(worth))
    one = model.forward(given, noise, Weighed(np.array([0.0, 0.0, 0.0, 1.5]))).backward().params.source.W
    assert (one[[5, 6, 8]] == 0).all() and (one[7] != 0).all()  # the tokens of sentences that are worth nothing


# cells of one's own


@dataclass(slots=True)
class CoupledStep(LSTMStep):
    """The forget gate is what the input gate leaves."""

    def backward(self, dh, dc):
        grad = LSTMStepGrad()
        grad.dh, grad.do = dh, dh * self.tanh_c
        grad.dc = dc + dh * self.o * (1 - self.tanh_c**2)
        grad.di, grad.dg = grad.dc * (self.g - self.c_prev), grad.dc * self.i
        grad.dc_prev = grad.dc * self.f
        of_i, of_o = grad.di * self.i * (1 - self.i), grad.do * self.o * (1 - self.o)
        grad.da = np.concatenate([of_i, 0 * of_i, grad.dg * (1 - self.g**2), of_o], axis=-1)
        return grad


def coupled_step(a, c_prev):
    s = CoupledStep()
    s.a, s.c_prev = a, c_prev
    a_i, _, a_g, a_o = blocks(a)
    s.i, s.g, s.o = sigmoid(a_i), np.tanh(a_g), sigmoid(a_o)
    s.f = 1 - s.i
    s.c = s.f * s.c_prev + s.i * s.g
    s.tanh_c = np.tanh(s.c)
    s.h = s.o * s.tanh_c
    return s


class MeanState(NamedTuple):
    h: Array
    c: Array
    m: Array


@dataclass(slots=True)
class MeanStep(StepRecord):
    """m_t = (m_{t-1} + c_t) / 2, and h_t = o * tanh(c_t) + m_t; otherwise as with coupled gates."""

    inner: Any = None
    c: Array = None
    m: Array = None
    h: Array = None

    def backward(self, dh, dc, dm):
        grad, of_m = MeanGrad(), dm + dh
        inner = self.inner.backward(dh, dc + of_m / 2)
        grad.da, grad.dc_prev, grad.dm_prev = inner.da, inner.dc_prev, of_m / 2
        return grad


@dataclass(slots=True)
class MeanGrad(StepGrad):
    da: Array = None
    dc_prev: Array = None
    dm_prev: Array = None


class OwnCell(Cell):
    """A cell that carries more than the library's do."""

    State = MeanState

    def init(self, rng, inputs, hidden, dtype, initializer):
        return LSTM().init(rng, inputs, hidden, dtype, initializer)

    def step(self, a, c_prev, m_prev):
        s = MeanStep()
        s.inner = coupled_step(a, c_prev)
        s.c = s.inner.c
        s.m = (m_prev + s.c) / 2
        s.h = s.inner.h + s.m
        return s


@pytest.mark.parametrize("kind", ["plain", "vector", *ATTENTIVE])
@pytest.mark.parametrize("cell", [LSTM(step=coupled_step), OwnCell()], ids=["step", "class"])
@pytest.mark.parametrize("encoder", few_fast(["bidirectional", "backward"], ["bidirectional"]))
def test_a_cell_handed_in_is_trained_and_decoded_with(kind, cell, encoder):
    model, given = create(kind, 2, cell=cell, encoder=encoder, residual=True, **NOISE), batch()
    usual = create(kind, 2, cell="lstm", encoder=encoder, residual=True, **NOISE)
    assert (model.forward(given).logp != usual.forward(given).logp).any(axis=-1).all()
    assert_gradients(model, given)
    assert_gradients(model, given, model.draw_noise(given, 0))
    trace, (memory, state) = model.forward(given), model.start(given.source, given.source_mask)
    for t, ids in enumerate(given.target_in):
        logp, state, _ = model.step(ids, state, memory)
        assert_close(logp, trace.logp[t])
    picked = model.select_rows(memory, state, np.array([2, 0]))[1]
    assert all(type(layer) is model.config.cell_part.State for layer in [*state.layers, *picked.layers])


def normalised_step(*given):
    return layernorm_lstm_step(*given)


def test_a_cell_that_takes_all_inputs_at_once_is_refused_where_they_come_one_by_one():
    for kind in ("plain", "attention", "luong"):
        assert_gradients(create(kind, 2, cell=LayerNormLSTM(step=normalised_step)), batch())
    assert_gradients(create("feeding", 1, cell=LayerNormLSTM(step=normalised_step)), batch())
    with pytest.raises(ConfigError) as caught:
        create("feeding", 2, cell=LayerNormLSTM(step=normalised_step)).forward(batch())
    assert str(caught.value) == (
        "a cell such as LayerNormLSTM takes the inputs of all steps at once, which decoder luong-feeding allows in the "
        "lowest layer alone: choose layers 1 or another cell"
    )


# attentions of one's own


class Tempered(DotAttention):
    """Dot products divided by an option of the model's."""

    equations = None
    options = ("heads",)

    def __init__(self, keys, values, params=None, mask=None, heads=1):
        super().__init__(keys, values, params, mask)
        self.scale = 1 / heads


class Nearest(Attention):
    """e_j = -|q - k_j|^2 / 2"""

    @staticmethod
    def init(rng, query, keys, size, dtype, initializer):
        return None

    def score(self, s):
        return (-0.5 * (s.query - self.keys) ** 2).sum(axis=-1).T

    def score_backward(self, s, grad, shared):
        grad.dquery = (grad.de.T[:, :, None] * (self.keys - s.query)).sum(axis=0)

    def weight_gradients(self, steps, grads, shared):
        dkeys = over_queries(grads.de, steps.query) - grads.de.sum(axis=0).T[:, :, None] * self.keys
        return AttentionGrad(grads.dquery, dkeys, over_queries(steps.alpha, grads.dcontext), None)


@pytest.mark.parametrize("kind", ATTENTIVE)
@pytest.mark.parametrize("own", [Tempered, Nearest])
@pytest.mark.parametrize("layers", few_fast([1, 2], [2]))
def test_an_attention_handed_in_is_trained_and_decoded_with(kind, own, layers):
    model, given = create(kind, layers, attention=own, heads=3, coverage_loss=0.4), batch()
    assert_gradients(model, given)
    assert_gradients(model, given, model.draw_noise(given, 0))
    trace, (memory, state) = model.forward(given), model.start(given.source, given.source_mask)
    for t, ids in enumerate(given.target_in):
        logp, state, alpha = model.step(ids, state, memory)
        assert_close([logp, alpha], [trace.logp[t], trace.alpha[t]])
    rows = np.array([1, 1, 3])
    picked = model.step(given.target_in[0][rows], *model.select_rows(memory, state, rows)[::-1])
    assert_close(picked[0], model.step(given.target_in[0], state, memory)[0][rows])


def test_an_attention_gets_the_options_that_are_its_own():
    given, trace = batch(), create("luong", attention=Tempered, heads=4).forward(batch())
    memory = trace.encoder.memory
    e = dots(trace.decoder.h, memory.states) / 4
    e = np.where(memory.mask.T, e, -np.inf)
    assert_close(trace.alpha, np.exp(e) / np.exp(e).sum(axis=-1, keepdims=True))
    assert (create("luong", attention=Tempered, heads=2).forward(given).alpha != trace.alpha)[:, 0].all()
