"""The encoder-decoders: one equation for training and decoding, rows that do not see one another, and seeds."""

import dataclasses

import numpy as np
import pytest
from helpers import KINDS, MODELS, SOURCES, assert_close, assert_gradients, assert_same, batch, create, padded
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq import params as trees
from numseq.data import BOS, EOS, PAD
from numseq.models import Seq2Seq
from numseq.search import greedy

each_model = pytest.mark.parametrize("kind, depth", [*MODELS, ("vector", 1), ("luong", 2), ("feeding", 2)])
BLIND = ("plain", "vector")  # the decoders without attention


def decode_by_steps(model, given):
    """Log-probabilities and attention weights, step by step on the right previous tokens."""
    memory, state = model.start(given.source, given.source_mask)
    logps, alphas = [], []
    for ids in given.target_in:
        logp, state, alpha = model.step(ids, state, memory)
        logps.append(logp)
        alphas.append(alpha)
    return np.stack(logps), alphas


@pytest.mark.parametrize("kind, depth", [(kind, depth) for kind in KINDS for depth in (1, 2, 3)])
def test_decoding_by_steps_gives_the_probabilities_of_teacher_forcing(kind, depth):
    model, given = create(kind, depth), batch()
    trace = model.forward(given)
    logp, alphas = decode_by_steps(model, given)
    assert_close(logp, trace.logp)
    if kind in BLIND:
        assert trace.alpha is None and set(alphas) == {None}
    else:
        assert_close(np.stack(alphas), trace.alpha)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_three_layers_is_right_along_a_direction_in_every_array(kind):
    model, given = create(kind, 3, dropout=0.3), batch()
    assert_gradients(model, given, model.draw_noise(given, 0))


# attention


@pytest.mark.parametrize("depth", [1, 2])
def test_attention_weights_sum_to_one_over_real_positions_and_are_zero_at_padding(depth):
    given = padded(batch(), steps=2, rows=0)
    model = create("attention", depth)
    for alpha in (model.forward(given).alpha, np.stack(decode_by_steps(model, given)[1])):
        T, B, S = alpha.shape
        assert given.source.shape == (S, B) and given.target_in.shape == (T, B)
        real = np.broadcast_to(given.source_mask.T, alpha.shape)
        assert (alpha[~real] == 0).all() and (alpha[real] > 0).all()
        assert_close(alpha.sum(axis=-1), np.ones((T, B)))


def test_a_source_of_one_token_gets_all_the_attention():
    assert (create("attention").forward(batch([[5]], [[4, 6]])).alpha == 1).all()


# greedy search


def search(model, sources, limits, steps=0):
    given = padded(batch(sources, [[4]] * len(sources)), steps, rows=0)
    return greedy(model, given.source, given.source_mask, np.array(limits))


@each_model
@given(st.permutations(range(len(SOURCES))), st.integers(1, len(SOURCES)), st.integers(0, 3))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_greedy_does_not_depend_on_neighbours_nor_on_padding(kind, depth, order, count, steps):
    model, limits = create(kind, depth), [7, 3, 12, 5]
    rows = order[:count]
    found = search(model, [SOURCES[k] for k in rows], [limits[k] for k in rows], steps)
    for b, k in enumerate(rows):
        alone = search(model, [SOURCES[k]], [limits[k]])
        n = alone.lengths[0, 0]
        assert found.lengths[b, 0] == n
        assert found.ids[: n + 1, b].tolist() == alone.ids[: n + 1, 0].tolist()
        assert (found.ids[n + 1 :, b] == PAD).all()
        assert_close([found.logp[b], found.scores[b]], [alone.logp[0], alone.scores[0]])
        if kind not in BLIND:
            S = len(SOURCES[k])
            assert_close(found.alpha[: n + 1, b, 0, :S], alone.alpha[: n + 1, 0, 0])


@each_model
def test_greedy_takes_the_best_token_but_never_padding_nor_begin(kind, depth):
    model = create(kind, depth)
    given = batch()
    found = greedy(model, given.source, given.source_mask, np.full(4, 9))
    ids, lengths = found.ids[:, :, 0], found.lengths[:, 0]
    said = dataclasses.replace(given, target_in=np.concatenate([np.full((1, 4), BOS), ids[:-1]]))
    logp, _ = decode_by_steps(model, said)
    logp[:, :, [PAD, BOS]] = -np.inf
    for b, n in enumerate(lengths):
        assert not np.isin(ids[:n, b], [PAD, BOS, EOS]).any() and ids[n, b] == EOS
        until = min(n + 1, 9)  # the <eos> of a row at its limit was not chosen
        assert (ids[:until, b] == logp[:until, b].argmax(axis=-1)).all()
        assert_close(found.logp[b, 0], logp[np.arange(n + 1), b, ids[: n + 1, b]].sum())


@each_model
def test_greedy_keeps_each_rows_limit(kind, depth):
    model = create(kind, depth)
    model.params.head.b[EOS] = -1e9  # never ends by itself
    found = search(model, SOURCES, [0, 2, 5, 1])
    assert found.lengths[:, 0].tolist() == [0, 2, 5, 1]
    assert found.ids.shape == (6, 4, 1)
    for b, n in enumerate([0, 2, 5, 1]):
        assert found.ids[n, b, 0] == EOS and (found.ids[n + 1 :, b] == PAD).all()
        assert not np.isin(found.ids[:n, b], [PAD, BOS, EOS]).any()


def test_greedy_stops_when_every_row_has_ended():
    model = create("attention")
    model.params.head.b[EOS] = 1e9
    found = search(model, SOURCES, [9, 9, 9, 9])
    assert found.ids.tolist() == [[[EOS]] * 4] and found.lengths.tolist() == [[0]] * 4
    assert found.alpha.shape == (1, 4, 1, 5)


@each_model
def test_rows_that_have_ended_are_no_longer_computed(kind, depth):
    rows = []

    class Counting(Seq2Seq):
        def step(self, ids, state, memory):
            rows.append(len(ids))
            return super().step(ids, state, memory)

    model = create(kind, depth)
    model.params.head.b[EOS] = -1e9  # every row runs to its limit
    search(Counting(model.config, model.params), SOURCES, [0, 2, 5, 1])
    assert rows == [4, 3, 2, 1, 1, 1]


# seeds


@each_model
def test_the_same_seed_gives_the_same_model_and_another_another(kind, depth):
    config = create(kind, depth).config
    first, again, other = (Seq2Seq.create(config, seed).params for seed in (3, 3, 4))
    assert_same(first, again)
    drawn = [k for k, (name, _) in enumerate(trees.walk(first)) if not name.endswith(".b")]
    for k in drawn:
        assert not np.array_equal(trees.leaves(first)[k], trees.leaves(other)[k])


@pytest.mark.parametrize("kind", KINDS)
def test_precision_does_not_change_the_first_values(kind):
    config = create(kind).config
    double = Seq2Seq.create(config, 1, np.float64).params
    assert_same(Seq2Seq.create(config, 1).params, trees.cast(double, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_every_lstm_of_a_new_model_starts_with_an_open_forget_gate(kind):
    config = dataclasses.replace(create(kind).config, layers=2)
    params = Seq2Seq.create(config).params
    cells = trees.walk([params.encoder, params.decoder.rnn])
    gates = [b for name, b in cells if name.endswith(".b")]
    assert len(gates) == (4 if kind in BLIND else 6)
    for b in gates:
        assert (b == np.repeat([0, 1, 0, 0], len(b) // 4)).all()


@each_model
def test_noise_follows_its_seed(kind, depth):
    model, given = create(kind, depth, dropout=0.4), batch()
    first, again, other = (model.draw_noise(given, 5, k) for k in (1, 1, 2))
    assert_same(first, again)
    pairs = zip(trees.leaves(first), trees.leaves(other), strict=True)
    assert all(not np.array_equal(a, b) for a, b in pairs)
    assert len(trees.leaves(first)) == 3 + 2 * (depth - 1)
    losses = [model.forward(given, noise).loss for noise in (first, again, other, None)]
    assert losses[0] == losses[1] and len(set(losses)) == 3


def test_without_dropout_nothing_is_drawn():
    assert trees.leaves(create("plain").draw_noise(batch(), 0)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 3])
def test_every_dropout_mask_is_used(kind, depth):
    model, given = create(kind, depth, dropout=0.4), batch()
    noise = model.draw_noise(given, 0)
    masks, expected = dict(trees.walk(noise)), model.forward(given, noise).loss
    assert len(masks) == 3 + 2 * (depth - 1)
    for name, mask in masks.items():
        changed = trees.replace(noise, masks | {name: 2 * mask})
        assert model.forward(given, changed).loss != expected, name


# the loss


@each_model
def test_an_untrained_model_is_about_as_good_as_guessing(kind, depth):
    config = dataclasses.replace(create(kind, depth).config, dropout=0.0)
    assert abs(Seq2Seq.create(config).forward(batch()).loss - np.log(13)) < 0.3


@each_model
def test_the_decoder_sees_the_source(kind, depth):
    model, given = create(kind, depth), batch()
    for position in range(len(SOURCES[0])):
        source = given.source.copy()
        source[position, 0] = 10
        changed = model.forward(dataclasses.replace(given, source=source)).logp
        before = model.forward(given).logp
        assert (changed[:, 0] != before[:, 0]).any(axis=-1).all() and (changed[:, 1:] == before[:, 1:]).all()


@each_model
def test_no_step_sees_a_later_target(kind, depth):
    model, given = create(kind, depth), batch()
    target_in = given.target_in.copy()
    target_in[3, 0] = 7
    changed = model.forward(dataclasses.replace(given, target_in=target_in)).logp
    before = model.forward(given).logp
    assert (changed[:3] == before[:3]).all() and (changed[3:, 0] != before[3:, 0]).any(axis=-1).all()
