"""The memory network as an encoder, and decoders that look several times: against loops written here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import KINDS, assert_close, assert_gradients, assert_same, batch, create, few_fast, padded
from helpers_edit import edited
from helpers_search import arrays

from numseq import params as trees
from numseq.gradcheck import check
from numseq.layers import CellState
from numseq.models import Memory
from numseq.models.encoders.hops import HopsEncoder, HopsEncoderTrace
from numseq.models.seq2seq import Seq2SeqGrad, Seq2SeqParams
from numseq.models.sources.sentences import SentenceSource, SentencesTrace, sentences
from numseq.record import Trace
from numseq.search import BeamOptions, GreedyOptions, SamplingOptions, beam_search, greedy, sample

STORIES = ([5, 6, 4, 7, 5, 8, 4, 9, 6], [9, 4, 6, 6], [6, 6, 10, 4, 5, 4], [7], [4, 5, 4, 6, 4, 7, 4, 8, 9, 4, 4])
ANSWERS = ([4, 5], [6], [7, 8, 9], [4], [5, 5])
ATTENDING = [kind for kind, said in KINDS.items() if kind not in ("plain", "vector")]


def stories():
    return batch(STORIES, ANSWERS)


def cut(line, separator=4):
    """The sentences of a line, by hand."""
    found = [[]]
    for token in line:
        if token == separator:
            found.append([])
        else:
            found[-1].append(token)
    return [sentence for sentence in found if sentence]


def encoded(words):
    """A sentence's words (J, N, D) by the paper's section 4.1."""
    j, k = np.arange(1, len(words) + 1)[:, None] / len(words), np.arange(1, words.shape[-1] + 1) / words.shape[-1]
    return (((1 - j) - k * (1 - 2 * j))[:, None] * words).sum(axis=0)


def reference(model, line):
    """(u after the last hop, what the sentences give in it (S, E), where each hop looked (K, S)) of one line."""
    config, p = model.config, model.params
    N, E = config.encoder_hops + 1, config.embedding
    W, T = p.source.W.reshape(-1, N, E), p.encoder.T.reshape(-1, N, E)
    *facts, question = [encoded(W[sentence]) for sentence in cut(line)][-config.sentences - 1 :]
    memory = [fact + T[len(facts) - 1 - s] for s, fact in enumerate(facts)]
    u, looked = question[0], []
    for k in range(N - 1):
        e = np.exp([m[k] @ u for m in memory])
        looked.append(e / e.sum())
        u = u + sum(share * m[k + 1] for share, m in zip(looked[-1], memory, strict=True))
    return u, np.array([m[-1] for m in memory]).reshape(-1, E), np.array(looked)


def small(kind, **options):
    """Numbers so small that exp of the plain loop does not overflow."""
    model = create(kind, encoder="hops", **{"encoder_hops": 2} | options)
    model.params = trees.map(lambda leaf: 0.4 * leaf, model.params)
    return model


@pytest.mark.parametrize("forgets", [False, True])
def test_the_encoder_is_the_papers_loop(forgets):
    model, given = small("plain", **({"sentences": 2} if forgets else {})), stories()
    trace = model.forward(given).encoder
    for b, line in enumerate(STORIES):
        u, states, looked = reference(model, line)
        n = len(states)
        assert_close(trace.memory.last[0].h[b], u)
        assert trace.memory.mask[:, b].tolist() == [True] * n + [False] * (len(trace.memory.mask) - n)
        if n:
            assert_close(trace.memory.states[:n, b], states)
            assert_close(trace.p[:, b, :n], looked)
    assert trace.memory.mask.sum(axis=0).tolist() == ([2, 1, 1, 0, 2] if forgets else [2, 1, 1, 0, 3])


def test_sentences_are_cut_wherever_separators_stand():
    ids = np.array([[4, 5, 4, 9], [5, 4, 4, 4], [6, 4, 4, 9], [4, 7, 4, 4], [4, 4, 4, 8], [9, 4, 4, 8]])
    number, counts = sentences(ids, None, 4)
    assert number.T.tolist() == [
        [-1, 0, 0, -1, -1, 1], [0, -1, -1, 1, -1, -1], [-1] * 6, [0, -1, 1, -1, 2, 2]]  # fmt: skip
    assert counts.tolist() == [2, 2, 0, 3]
    number, counts = sentences(ids, np.arange(6)[:, None] < np.array([5, 1, 6, 4]), 4)
    assert counts.tolist() == [1, 1, 0, 2] and (number[-1] == -1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_decoder_has_the_right_gradient(kind):
    options = {"hops": 3} if kind in ATTENDING else {}
    model, given = small(kind, empty_memories=0.4, dropout=0.3, **options), stories()
    assert_gradients(model, given, model.draw_noise(given, 0))


@pytest.mark.parametrize("kind", ["vector", "feeding"])
def test_padding_changes_nothing(kind):
    model, given = create(kind, encoder="hops"), stories()
    one, other = model.forward(given), model.forward(padded(given, 3, rows=1))
    assert_close([other.loss, other.backward().params], [one.loss, one.backward().params])


def test_empty_memories_make_sentences_older_and_nothing_else():
    model, given = create("plain", encoder="hops", sentences=4), stories()
    noise = model.draw_noise(given, 0)
    noise.encoder = np.ones((9, 5))
    usual = model.forward(given, noise).encoder.temporal.age
    noise.encoder[1] = 0  # an empty memory stands behind the second sentence of each row
    age = model.forward(given, noise).encoder.temporal.age
    assert usual.T[[0, 4], :3].tolist() == [[1, 0, 0], [2, 1, 0]]
    assert age.T[[0, 4], :3].tolist() == [[2, 1, 0], [3, 2, 0]]
    noise.encoder[:] = 0
    assert model.forward(given, noise).encoder.temporal.age.max() == 3  # no age but those that have a vector


# a step in a search is the pass of training


@pytest.mark.parametrize("attention", ["additive", "coverage", "multi-head"])
@pytest.mark.parametrize("kind", ATTENDING)
def test_steps_of_several_looks_are_the_teacher_forced_pass(kind, attention):
    model, given = create(kind, 2, attention=attention, hops=2, attention_size=8), stories()
    trace = model.forward(given)
    memory, state = model.start(given.source, given.source_mask)
    for t in range(len(given.target_in)):
        logp, state, alpha = model.step(given.target_in[t], state, memory)
        assert_close([logp, alpha], [trace.logp[t], trace.alpha[t]])


@pytest.mark.parametrize("kind, options", [("plain", {}), ("attention", {"hops": 2}), ("feeding", {"hops": 2})])
def test_searches_say_what_each_line_alone_has_said(kind, options):
    model, limits = create(kind, encoder="hops", **options), [6, 3, 5, 4, 6]
    given = arrays(STORIES, limits)
    for search in (
        lambda *each: greedy(model, *each, GreedyOptions()),
        lambda *each: beam_search(model, *each, BeamOptions(beam=3)),
    ):
        together = search(*given)
        for b in range(len(STORIES)):
            alone = search(*arrays([STORIES[b]], [limits[b]]))
            n = alone.lengths[0, 0]
            assert together.lengths[b, 0] == n
            assert_same(together.ids[:n, b, 0], alone.ids[:n, 0, 0])
    drawn = sample(model, *given, SamplingOptions(samples=2))
    assert (drawn.lengths <= np.array(limits)[:, None]).all()


# wrong versions of both boxes are caught, and placed

SUMS, AGES = "source.summed.dm", "encoder.temporal.dy"
WRONG = {  # what is wrong: (owner, what is right in its backward, what is written, where it is found)
    "the question gets nothing": (
        HopsEncoderTrace, "self.asked[:, :, None] * read.du", "0 * self.asked[:, :, None] * read.du", SUMS),
    "every sentence gets the question's gradient": (
        HopsEncoderTrace, "self.asked[:, :, None] * read.du", "read.du", SUMS),
    "the question's gradient is overwritten": (HopsEncoderTrace, "] += self.asked", "] = self.asked", SUMS),
    "the question's gradient goes to all K + 1 vectors": (
        HopsEncoderTrace, "dx[:, :, : read.du.shape[-1]] += self.asked[:, :, None] * read.du",
        "dx += self.asked[:, :, None] * array_module(dx).concatenate([read.du] * len(memories), axis=-1)", SUMS),
    "the question's gradient goes to the last vectors": (
        HopsEncoderTrace, "[:, :, : read.du.shape[-1]]", "[:, :, -read.du.shape[-1] :]", SUMS),
    "the decoder's looks are not heard": (
        HopsEncoderTrace, "dmemories[-1] += dmemory.states", "pass", AGES),
    "the decoder's looks go to how sentences are addressed": (
        HopsEncoderTrace, "dmemories[-1] +=", "dmemories[0] +=", AGES),
    "the decoder's looks are all that is heard": (HopsEncoderTrace, "dmemories[-1] +=", "dmemories[-1] =", AGES),
    "one part of the end alone": (HopsEncoderTrace, "sum(dlast,", "sum(dlast[:1],", "encoder.hops.du"),
    "the mean of the end's parts": (
        HopsEncoderTrace, "read = self.hops.backward(sum(dlast, array_module(memories).zeros_like(memories[0, 0])))",
        "read = self.hops.backward(sum(dlast) / len(dlast))", "encoder.hops.du"),
    "vectors and sentences are mixed up": (
        HopsEncoderTrace, "transpose(1, 2, 0, 3)", "transpose(1, 2, 0, 3)[:, :, ::-1]", AGES),
    "ages get nothing": (
        HopsEncoderTrace, "params=grad.params", "params=type(grad.params)(0 * grad.params.T)", "params.encoder.T"),
    "words forget their dropout": (
        SentencesTrace, "self.dropout.backward(dwords.reshape(self.dropout.y.shape)).dx",
        "dwords.reshape(self.dropout.y.shape)", "source.embedding.dy"),
    "words forget their positions": (
        SentencesTrace, "self.summed.backward(dx.reshape(self.summed.m.shape)).dx",
        "self.summed.backward(dx.reshape(self.summed.m.shape)).dx / self.summed.l", "source.dropout.dy"),
    "sentences are turned around": (
        SentencesTrace, "dx.reshape(self.summed.m.shape)", "dx[::-1].reshape(self.summed.m.shape)", SUMS),
    "the vectors of a word change places": (
        SentencesTrace, "dx.reshape(self.summed.m.shape)", "dx.reshape(self.summed.m.shape)[:, :, ::-1]", SUMS),
}  # fmt: skip


@dataclass(slots=True)
class Read(Trace):
    """A source and an encoder alone: how the reading ended, and the memory."""

    outputs = ("u", "states")
    source: Any
    encoder: Any
    u: Any
    states: Any

    def backward(self, du, dstates):
        grad = self.encoder.backward(Memory(dstates, None, [CellState(0.3 * du, 0.7 * du)]))
        params = Seq2SeqParams(self.source.backward(grad.dx), grad.params, None, None, None)
        return Seq2SeqGrad(params=params)


def read(params, given, config, noise):
    source = SentenceSource(config).forward(given.source, given.source_mask, params.source, noise.source)
    encoder = HopsEncoder(config).forward(source.x, source.mask, params.encoder, noise.encoder)
    end = encoder.memory.last[0]
    return Read(source, encoder, 0.3 * end.h + 0.7 * end.c, encoder.memory.states)


@pytest.mark.parametrize("what", few_fast(WRONG, list(WRONG)[::3]))
def test_a_wrong_line_of_the_boxes_is_caught_and_placed(monkeypatch, what):
    owner, right, wrong, where = WRONG[what]
    sizes = {"embedding": 2, "hidden": 3, "encoder_hops": 2, "sentences": 3, "dropout": 0.3, "source_vocabulary": 11}
    model, given = create("plain", encoder="hops", **sizes), stories()
    noise = model.draw_noise(given, 0)
    params = Seq2SeqParams(model.params.source, model.params.encoder, None, None, None)
    monkeypatch.setattr(owner, "backward", edited(owner, "backward", right, wrong))
    found = check(lambda params: read(params, given, model.config, noise), {"params": params})
    assert not found.ok
    assert found.first_wrong[0] == where, str(found)
