"""Influence: the gradients of scores by source vectors are their slopes, and ranks are ranks."""

import numpy as np
import pytest
import strict_cupy
from helpers import at_scale_one

import numseq
from numseq import params as trees
from numseq.data.batches import Pairs, Ragged
from numseq.errors import ArgumentError
from numseq.models import Seq2Seq, Seq2SeqConfig, seq2seq
from numseq.models.seq2seq import boxes_of
from numseq.models.tying import tie
from numseq.studies.influence import influence, rank_correlation, ranks_of, shares

SOURCES, TARGETS = [[5, 9, 4, 7, 8], [6, 4, 5]], [[7, 4, 9], [5, 8]]
KINDS = {
    "bahdanau": {"layers": 2},
    "luong": {"decoder": "luong", "attention": "general", "readout_embedding": True},
    "fed back": {"decoder": "luong-feeding", "attention": "multi-head"},
    "coverage": {"attention": "coverage", "cell": "gru"},
    "plain": {"attention": "none"},
    "tied": {"tied": "all", "dropout": 0.3},
}


def model(**options):
    sizes = {"embedding": 4, "hidden": 4, "attention_size": 4}
    one = Seq2Seq.create(Seq2SeqConfig(10, 10, **sizes | options), dtype="float64")
    one.params = at_scale_one(one.params)
    return one


def batch():
    return Pairs(Ragged(SOURCES), Ragged(TARGETS)).batch(np.arange(2))


def scores(one, x, mask, target_in):
    """The logits (T, V) of one pair whose source vectors are x (S, 1, E)."""
    boxes, p = boxes_of(one.config), tie(one.params, one.config.tied)
    y = boxes.target.forward(target_in, p.target).x
    start = boxes.decoder.start(boxes.encoder.forward(x, mask, p.encoder).memory, p.decoder)
    decoded = boxes.decoder.forward(y, start, p.decoder)
    return boxes.head.loss(decoded, np.zeros(target_in.shape, int), None, p.head).logits[:, 0]


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_the_norms_are_those_of_central_differences(kind, row):
    one, given = model(**KINDS[kind]), batch()
    noise = one.draw_noise(given, 0) if kind == "tied" else None
    trace = one.forward(given, noise)
    found = influence(trace, row)
    S, T = len(SOURCES[row]), len(TARGETS[row]) + 1
    tokens = [*TARGETS[row], 3]
    x = one.forward(given).source.x[:S, row : row + 1]
    mask, target_in = np.ones((S, 1), bool), given.target_in[:T, row : row + 1]
    slopes, h = np.zeros((T, *x.shape)), 1e-5
    for at in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[at] = h
        ahead, back = (scores(one, x + sign * step, mask, target_in) for sign in (1, -1))
        slopes[(slice(None), *at)] = ((ahead - back) / (2 * h))[np.arange(T), tokens]
    np.testing.assert_allclose(found.size, np.linalg.norm(slopes[:, :, 0], axis=-1), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.logits, scores(one, x, mask, target_in)[np.arange(T), tokens], rtol=1e-10)
    assert found.tokens.tolist() == tokens and found.size.shape == (T, S)
    if kind == "plain":
        assert found.alpha is None
    elif noise is None:
        np.testing.assert_array_equal(found.alpha, trace.alpha[:T, row, :S])
        np.testing.assert_allclose(found.alpha.sum(axis=1), 1)


def test_other_tokens_have_other_scores_and_shares_sum_to_one():
    one = model()
    trace = one.forward(batch())
    chosen = trace.logp[:4, 0].argmax(axis=1)
    found, right = influence(trace, 0, chosen), influence(trace, 0)
    logits = scores(one, trace.source.x[:, :1], np.ones((5, 1), bool), batch().target_in[:, :1])
    np.testing.assert_allclose(found.logits, logits.max(axis=1), rtol=1e-10)
    differ = chosen != right.tokens
    assert differ.any() and (found.size != right.size).any(axis=1).tolist() == differ.tolist()
    np.testing.assert_allclose(found.share.sum(axis=1), 1)
    assert shares(np.array([[0.0, 0.0], [1.0, 3.0]])).tolist() == [[0, 0], [0.25, 0.75]]


def test_ranks_and_their_correlation():
    assert ranks_of(np.array([0.3, 0.1, 0.3, 7.0])).tolist() == [1.5, 0, 1.5, 3]
    assert rank_correlation(np.array([1, 2, 3]), np.array([10, 20, 1000])) == 1
    assert rank_correlation(np.array([1, 2, 3]), np.array([5, 4, -1])) == -1
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 2, 4, 3])) == pytest.approx(0.8)  # 1 - 6 * 2 / 60
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3)))
    found = influence(model().forward(batch()), 1)
    expected = [rank_correlation(a, g) for a, g in zip(found.alpha, found.size, strict=True)]
    assert found.correlation.tolist() == expected


def test_what_has_no_influence_is_an_error_that_names_it():
    trace = model().forward(batch())
    sampled = model(samples=3)
    for call, words in [
        (lambda: influence(3), "trace is 3"),
        (lambda: influence(trace, 2), "row is 2"),
        (lambda: influence(trace, 0, [4, 5]), "tokens has 2 ids: the pair has 4 steps"),
        (lambda: influence(trace, 0, [4, 5, 6, 10]), r"tokens\[3\] is 10"),
        (lambda: influence(sampled.forward(batch(), sampled.draw_noise(batch(), 0))), "sampled tokens"),
        (lambda: influence(model(attention="none").forward(batch())).correlation, "attends to nothing"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


def test_on_a_device_it_is_the_same():
    one = model()
    here = influence(one.forward(batch()), 1)
    with strict_cupy.installed(), numseq.use("cupy"):
        there = influence(seq2seq.forward(trees.to_backend(one.params), batch(), one.config), 1)
    np.testing.assert_allclose(there.size, here.size, rtol=1e-9)
    np.testing.assert_allclose(there.alpha, here.alpha, rtol=1e-9)
