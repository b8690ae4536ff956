"""Decoding by CTC, against all paths of small frames one by one."""

from functools import cache
from itertools import groupby, product

import numpy as np
import pytest
import strict_cupy
from helpers import assert_close, assert_same, lengths_to_mask, normal

import numseq
from numseq import params as trees
from numseq.backend import asarray
from numseq.data import EOS, PAD
from numseq.errors import ArgumentError
from numseq.layers import ctc_loss, log_softmax
from numseq.search import CTCPrefixScores, ctc_beam_search, ctc_greedy

S, B, V = 4, 3, 5
FRAMES = [4, 2, 3]
MASK = lengths_to_mask(FRAMES, S)
LOGP = log_softmax(2 * normal(S, B, V))
NO_EOS = log_softmax(np.where(np.arange(V) == EOS, -np.inf, 2 * normal(S, B, V, seed=4)))  # it is no token of frames


@cache
def everything(b, eos=True):
    """{what is said: log p} of a row, by all paths."""
    found, frames = {}, (LOGP if eos else NO_EOS)[: FRAMES[b], b]
    for path in product(range(V), repeat=FRAMES[b]):
        said = tuple(k for k, _ in groupby(path) if k != PAD)
        found[said] = np.logaddexp(found.get(said, -np.inf), frames[np.arange(FRAMES[b]), list(path)].sum())
    return found


def hypotheses(found, b):
    return {tuple(one.tokens.tolist()): one.logp for one in found.of_sentence(b)}


def test_the_best_path_merges_repeats_and_drops_blanks():
    logp = np.log(np.full((8, 2, 4), 0.1))
    for b, path in enumerate([[0, 1, 1, 0, 1, 2, 2, 3], [3, 3, 3, 0, 0, 1, 1, 1]]):
        logp[np.arange(8), b, path] = np.log(0.7)
    found = ctc_greedy(logp, lengths_to_mask([8, 5]))
    assert hypotheses(found, 0).keys() == {(1, 1, 2, 3)} and hypotheses(found, 1).keys() == {(3,)}
    assert_close(found.logp[:, 0], np.log(0.7) * np.array([8, 5]))
    silent = ctc_greedy(logp, np.zeros((8, 2), bool))
    assert hypotheses(silent, 0) == {(): 0.0} and silent.ids.tolist() == [[[EOS], [EOS]]]


@pytest.mark.parametrize("b", range(B))
def test_a_beam_that_holds_all_finds_all_in_order(b):
    right = everything(b)
    found = ctc_beam_search(LOGP, MASK, beam=len(right) + 5)
    assert hypotheses(found, b).keys() == right.keys()
    best = sorted(right.values(), reverse=True)
    assert_close(found.logp[b, : len(best)], np.array(best))
    assert not np.isfinite(found.logp[b, len(best) :]).any()
    assert tuple(found.of_sentence(b)[0].tokens) == max(right, key=right.get)


def test_what_it_finds_is_as_probable_as_the_loss_says():
    logp = log_softmax(8 * normal(20, 2, 7, seed=1))
    found = ctc_beam_search(logp, beam=30)
    for b in range(2):
        best = found.of_sentence(b)[0]
        nll = ctc_loss(logp[:, b : b + 1], best.tokens[:, None]).nll[0]
        assert nll - 1e-12 <= -best.logp < nll + 0.1  # some paths were left out
        assert best.score == best.logp and found.logp[b, 0] == found.logp[b].max()


def test_rows_do_not_know_of_one_another():
    logp, frames = log_softmax(3 * normal(12, 4, 6, seed=2)), [12, 5, 9, 0]
    together = ctc_beam_search(logp, lengths_to_mask(frames, 12), beam=4)
    for b, n in enumerate(frames):
        alone = ctc_beam_search(logp[:n, b : b + 1], beam=4)
        assert hypotheses(together, b).keys() == hypotheses(alone, 0).keys()
        assert_close(np.exp(together.logp[b]), np.exp(alone.logp[0]))
    assert hypotheses(together, 3) == {(): 0.0}


def by_table(rows, prefixes):
    """A bonus that is another one for every prefix of every row, and for its end."""
    seeds = [hash((int(b), *prefix.tolist())) % 1000 for b, prefix in zip(rows, prefixes, strict=True)]
    return np.array([normal(V, seed=seed) for seed in seeds])


def of_table(b, said):
    """What it gives to all that is said, its end included."""
    return sum(
        by_table([b], [np.array(said[:n], int)])[0][said[n] if n < len(said) else EOS] for n in range(len(said) + 1)
    )


@pytest.mark.parametrize("b", range(B))
def test_a_bonus_is_added_to_each_token_and_to_the_end(b):
    right = {said: logp + of_table(b, said) for said, logp in everything(b).items()}
    found = ctc_beam_search(LOGP, MASK, beam=len(right), bonus=by_table)
    scores = {tuple(one.tokens.tolist()): one.score for one in found.of_sentence(b)}
    assert scores.keys() == right.keys() and max(abs(scores[said] - right[said]) for said in right) < 1e-12
    assert found.scores[b, 0] == max(scores.values())
    assert_close(np.array([hypotheses(found, b)[said] for said in right]), np.array(list(everything(b).values())))


def test_a_bonus_changes_what_is_kept_and_is_asked_of_each_prefix_when_it_is_new():
    asked = []

    def without_2(rows, prefixes):
        asked.extend(zip(rows.tolist(), (tuple(p.tolist()) for p in prefixes), strict=True))
        return np.tile(np.where(np.arange(V) == 2, -np.inf, 0.0), (len(rows), 1))

    found = ctc_beam_search(LOGP, MASK, beam=3, bonus=without_2)
    assert not any(2 in said for b in range(B) for said in hypotheses(found, b))
    assert (0, ()) in asked and len(asked) < S * B * 3


def test_a_bonus_of_another_shape_is_refused():
    with pytest.raises(ArgumentError, match=r"bonus gave the shape \(3,\): it must be \(3, 5\), a score of each token"):
        ctc_beam_search(LOGP, MASK, bonus=lambda rows, prefixes: np.zeros(len(rows)))


# prefixes


def begins(b, prefix):
    """log p of all that begins with a prefix."""
    return np.logaddexp.reduce([p for said, p in everything(b, eos=False).items() if said[: len(prefix)] == prefix])


@pytest.mark.parametrize("prefix", [(), (1,), (2, 2), (1, 2), (4, 1, 4)])
def test_a_prefix_is_as_probable_as_all_that_begins_with_it(prefix):
    scores = CTCPrefixScores(NO_EOS, MASK)
    state, total = scores.start(), np.zeros(B)
    for token in prefix:
        total += scores.next(state)[:, token]
        state = scores.go_on(state, np.full(B, token))
    rows = [b for b in range(B) if np.isfinite(begins(b, prefix))]
    assert rows and (total[[b for b in range(B) if b not in rows]] == -np.inf).all()
    next_one = scores.next(state)
    for b in rows:
        p = np.exp(begins(b, prefix))
        assert_close(np.exp([total[b], state.prefix[b]]), np.array([p, p]))
        assert_close(p * np.exp(next_one[b, [1, 2, 4]]), np.exp([begins(b, (*prefix, c)) for c in (1, 2, 4)]))
        assert_close(p * np.exp(next_one[b, EOS]), np.exp(everything(b, eos=False).get(prefix, -np.inf)))
        assert_close(np.exp(next_one[b]).sum(), 1.0)
        assert next_one[b, PAD] == -np.inf


def test_prefixes_can_be_dropped_and_repeated():
    scores = CTCPrefixScores(NO_EOS, MASK)
    state = trees.map(lambda array: array[[2, 2, 0, 2]], scores.start())
    state = scores.go_on(state, np.array([1, 4, 2, 1]))
    state = trees.map(lambda array: array[[3, 1, 2]], state)
    found = scores.next(scores.go_on(state, np.array([1, 1, 4])))
    for b, prefix, next_one in zip([2, 2, 0], [(1, 1), (4, 1), (2, 4)], found, strict=True):
        assert_close(np.exp(next_one[4]), np.exp(begins(b, (*prefix, 4)) - begins(b, prefix)))


def test_after_what_is_impossible_nothing_comes():
    scores = CTCPrefixScores(NO_EOS, MASK)
    state = scores.start()
    for _ in range(3):
        state = scores.go_on(state, np.ones(B, int))  # needs 5 frames
    assert (scores.next(state) == -np.inf).all() and (state.prefix == -np.inf).all()
    none = CTCPrefixScores(NO_EOS[:0])
    assert_same(none.next(none.start()), np.where(np.arange(V) == EOS, np.zeros((B, 1)), -np.inf))


def test_thousands_of_frames_lose_nothing():
    logp = log_softmax(5 * normal(1000, 1, V, seed=6))
    scores, said = CTCPrefixScores(logp), [1, 2, 2, 4]
    state, total = scores.start(), 0.0
    for token in said:
        total += scores.next(state)[0, token]
        state = scores.go_on(state, np.array([token]))
    total += scores.next(state)[0, EOS]
    assert_close(-total, ctc_loss(logp, np.array(said)[:, None]).nll[0])


SEARCHES = [ctc_greedy, ctc_beam_search, CTCPrefixScores]


@pytest.mark.parametrize("search", SEARCHES)
def test_what_does_not_fit_is_named(search):
    with pytest.raises(ArgumentError, match="logp has the shape"):
        search(LOGP[0])
    with pytest.raises(ArgumentError, match="mask has the shape"):
        search(LOGP, MASK[1:])
    with pytest.raises(ArgumentError, match="mask has a gap"):
        search(LOGP, MASK[::-1])
    with pytest.raises(ArgumentError, match="beam is 0"):
        ctc_beam_search(LOGP, beam=0)


@pytest.mark.parametrize("search", SEARCHES[:2])
def test_frames_may_lie_on_a_gpu(search):
    with strict_cupy.installed(), numseq.use("cupy"):
        there = search(asarray(LOGP), asarray(MASK))
    assert hypotheses(there, 0) == hypotheses(search(LOGP, MASK), 0)
