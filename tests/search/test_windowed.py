"""A window on the memory: where looks may go in a search, and that nothing else changes."""

from itertools import pairwise

import numpy as np
import pytest
import strict_cupy
from helpers import assert_close, assert_same, batch, create

import numseq
from numseq import params as trees
from numseq.backend import asarray
from numseq.errors import ConfigError
from numseq.search import BeamOptions, GreedyOptions, SamplingOptions, beam_search, greedy, sample
from numseq.search.windowed import windowed

LENGTHS = np.array([6, 5, 6, 4])
MODELS = {
    "additive": ("attention", {}),
    "coverage": ("attention", {"attention": "coverage"}),
    "location": ("attention", {"attention": "location"}),
    "two looks": ("attention", {"hops": 2}),
    "multi-head": ("luong", {"attention": "multi-head", "heads": 4, "attention_size": 8}),
    "general": ("luong", {}),
    "feeding": ("feeding", {}),
}
SEARCHES = {
    "greedy": (greedy, GreedyOptions),
    "beam": (beam_search, lambda **options: BeamOptions(beam=3, **options)),
    "sampled": (sample, lambda **options: SamplingOptions(samples=3, **options)),
}
each_model = pytest.mark.parametrize("name", MODELS)


def model_of(name):
    kind, options = MODELS[name]
    return create(kind, **options)


def steps(model, window, ids=(4, 9, 5, 6, 7, 4)):
    """(log-probabilities, where it looked) at each step of the same words in all rows."""
    given = batch()
    memory, state = model.start(asarray(given.source), asarray(given.source_mask))
    if window:
        memory, state = windowed(memory, state, window)
    found = []
    for word in ids:
        logp, state, alpha = model.step(asarray(np.full(4, word)), state, memory)
        found.append((logp, alpha))
    return found


@each_model
@pytest.mark.parametrize("window", [1, 2])
def test_no_look_goes_further_than_the_window(name, window):
    found = [alpha for _, alpha in steps(model_of(name), window)]
    free = [alpha for _, alpha in steps(model_of(name), None)]
    assert_same(found[0], free[0])
    places = np.arange(found[0].shape[1])
    for before, alpha in pairwise(found):
        far = abs(places - before.argmax(axis=1)[:, None]) > window
        assert (alpha[far] == 0).all() and far.any()
        assert_close(alpha.sum(axis=1), np.ones(4))
    assert (alpha[~batch().source_mask.T] == 0).all()
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(found, free, strict=True))


@each_model
def test_a_window_that_holds_all_places_changes_nothing(name):
    model = model_of(name)
    assert_same(steps(model, 5), steps(model, None))


def test_weights_within_the_window_are_those_of_a_memory_that_is_no_larger():
    """Additive attention carries nothing, so a look is the softmax of the same scores among what is near."""
    model = model_of("additive")
    (_, first), (_, second) = steps(model, 1)[:2]
    (_, same), (_, free) = steps(model, None)[:2]
    assert_same(first, same)
    near = abs(np.arange(first.shape[1]) - first.argmax(axis=1)[:, None]) <= 1
    expected = np.where(near, free, 0)
    assert_close(second, expected / expected.sum(axis=1, keepdims=True), 1e-9)


def jumps(found):
    """The furthest that a hypothesis jumped between two looks, of each."""
    alpha = found.alpha.transpose(1, 2, 0, 3).reshape(-1, *found.alpha.shape[::3])  # (B K, T, S)
    each = zip(alpha, found.lengths.reshape(-1), strict=True)
    return [np.abs(np.diff(looks[: length + 1].argmax(axis=-1))).max(initial=0) for looks, length in each]


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_keeps_to_it(name):
    search, options = SEARCHES[name]
    model, given = model_of("coverage"), batch()
    found, free = (
        search(model, given.source, given.source_mask, LENGTHS, o) for o in (options(attention_window=1), options())
    )
    assert max(jumps(found)) == 1 < max(jumps(free))


@pytest.mark.parametrize("kind, words", [("plain", "look once"), ("local", "local-p"), ("blocks", "look once")])
def test_where_there_is_no_such_attention_it_is_refused(kind, words):
    blocks = {"decoder": "self-attention", "attention": "multi-head", "attention_size": 8, "embedding": 16}
    options = {"plain": {}, "local": {"decoder": "luong", "attention": "local-p"}, "blocks": blocks}
    model, given = create("plain", **options[kind]), batch()
    with pytest.raises(ConfigError, match=f"^attention_window .*{words}"):
        greedy(model, given.source, given.source_mask, LENGTHS, GreedyOptions(attention_window=2))


def test_it_runs_on_cupys_names_without_waiting_and_gives_the_same():
    model = model_of("coverage")
    expected = steps(model, 1)
    with strict_cupy.installed(), numseq.use("cupy"):
        there = model_of("coverage")
        there.params = trees.map(asarray, there.params)
        strict_cupy.syncs = 0
        found = steps(there, 1)
        assert strict_cupy.syncs == 0
        found = trees.to_host(found)
    assert_close(found, expected)
