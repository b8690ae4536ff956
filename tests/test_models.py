"""The encoder-decoders: one equation for training and decoding, rows that do not see one another, and seeds."""

import dataclasses

import numpy as np
import pytest
from helpers import MODELS, SOURCES, assert_close, assert_same, batch, create, normal, padded
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq import params as trees
from numseq.data import BOS, EOS, PAD
from numseq.models import Seq2Seq, draw_masks, forward
from numseq.search import greedy

each_model = pytest.mark.parametrize("kind, depth", MODELS)
KINDS = ("plain", "attention")


def decode_by_steps(model, given):
    """Logits and attention weights, step by step on the right previous tokens."""
    memory, state = model.start(given.source, given.source_mask)
    logits, alphas = [], []
    for ids in given.target_in:
        step, state, alpha = model.step(ids, state, memory)
        logits.append(step)
        alphas.append(alpha)
    return np.stack(logits), alphas


@pytest.mark.parametrize("kind, depth", [*MODELS, ("plain", 3), ("attention", 3)])
def test_decoding_by_steps_gives_the_logits_of_teacher_forcing(kind, depth):
    model, given = create(kind, depth), batch()
    trace = model.forward(given)
    logits, alphas = decode_by_steps(model, given)
    assert_close(logits, trace.logits)
    if kind == "plain":
        assert trace.alpha is None and set(alphas) == {None}
    else:
        assert_close(np.stack(alphas), trace.alpha)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_three_layers_is_right_along_a_direction_in_every_array(kind):
    model, given = create(kind, 3, dropout=0.3), batch()
    masks = draw_masks(model.config, model.params, given, 0)
    grad = dict(trees.walk(forward(model.params, given, model.config, masks).backward().params))
    leaves = dict(trees.walk(model.params))
    for k, (name, leaf) in enumerate(leaves.items()):
        direction = normal(*leaf.shape, seed=k)
        moved = {other: array.astype(np.complex128) for other, array in leaves.items()}
        moved[name] += 1e-100j * direction
        slope = forward(trees.replace(model.params, moved), given, model.config, masks).loss.imag / 1e-100
        scale = np.abs(grad[name] * direction).sum()  # terms of both signs are added, so errors are of their size
        assert abs((grad[name] * direction).sum() - slope) <= 1e-10 * scale, name


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
        n = alone.lengths[0]
        assert found.lengths[b] == n
        assert found.ids[: n + 1, b].tolist() == alone.ids[: n + 1, 0].tolist()
        assert (found.ids[n + 1 :, b] == PAD).all()
        if kind == "attention":
            S = len(SOURCES[k])
            assert_close(found.alpha[: n + 1, b, :S], alone.alpha[: n + 1, 0])


@each_model
def test_greedy_takes_the_best_token_but_never_padding_nor_begin(kind, depth):
    model = create(kind, depth)
    given = batch()
    found = greedy(model, given.source, given.source_mask, np.full(4, 9))
    said = dataclasses.replace(given, target_in=np.concatenate([np.full((1, 4), BOS), found.ids[:-1]]))
    logits, _ = decode_by_steps(model, said)
    logits[:, :, [PAD, BOS]] = -np.inf
    for b, n in enumerate(found.lengths):
        assert not np.isin(found.ids[:n, b], [PAD, BOS, EOS]).any() and found.ids[n, b] == EOS
        until = min(n + 1, 9)  # the <eos> of a row at its limit was not chosen
        assert (found.ids[:until, b] == logits[:until, b].argmax(axis=-1)).all()


@each_model
def test_greedy_keeps_each_rows_limit(kind, depth):
    model = create(kind, depth)
    model.params.decoder.readout.b[EOS] = -1e9  # never ends by itself
    found = search(model, SOURCES, [0, 2, 5, 1])
    assert found.lengths.tolist() == [0, 2, 5, 1]
    assert found.ids.shape == (6, 4)
    for b, n in enumerate([0, 2, 5, 1]):
        assert found.ids[n, b] == EOS and (found.ids[n + 1 :, b] == PAD).all()
        assert not np.isin(found.ids[:n, b], [PAD, BOS, EOS]).any()


def test_greedy_stops_when_every_row_has_ended():
    model = create("attention")
    model.params.decoder.readout.b[EOS] = 1e9
    found = search(model, SOURCES, [9, 9, 9, 9])
    assert found.ids.tolist() == [[EOS] * 4] and found.lengths.tolist() == [0] * 4
    assert found.alpha.shape == (1, 4, 5)


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
    biases = {
        name: b for name, b in trees.walk(Seq2Seq.create(config).params) if name.endswith(".b") and "W" not in name
    }
    gates = [b for name, b in biases.items() if "rnn" in name or "upper" in name]
    assert len(gates) == (4 if kind == "plain" else 6)
    for b in gates:
        assert (b == np.repeat([0, 1, 0, 0], len(b) // 4)).all()


@each_model
def test_dropout_masks_follow_their_seed(kind, depth):
    model, given = create(kind, depth, dropout=0.4), batch()
    first, again, other = (draw_masks(model.config, model.params, given, 5, k) for k in (1, 1, 2))
    assert_same(list(first.values()), list(again.values()))
    pairs = zip(trees.leaves(list(first.values())), trees.leaves(list(other.values())), strict=True)
    assert all(not np.array_equal(a, b) for a, b in pairs)
    assert len(trees.leaves(list(first.values()))) == 3 + 2 * (depth - 1)
    losses = [model.forward(given, masks).loss for masks in (first, again, other, None)]
    assert losses[0] == losses[1] and len(set(losses)) == 3


def test_without_dropout_there_are_no_masks():
    model = create("plain")
    assert draw_masks(model.config, model.params, batch(), 0) == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 3])
def test_every_dropout_mask_is_used(kind, depth):
    model, given = create(kind, depth, dropout=0.4), batch()
    masks = draw_masks(model.config, model.params, given, 0)
    expected = model.forward(given, masks).loss
    for name, mask in masks.items():
        for k in range(len(mask)) if isinstance(mask, list) else [None]:
            changed = dict(masks)
            changed[name] = 2 * mask if k is None else [2 * m if j == k else m for j, m in enumerate(mask)]
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
        changed = model.forward(dataclasses.replace(given, source=source)).logits
        before = model.forward(given).logits
        assert (changed[:, 0] != before[:, 0]).any(axis=-1).all() and (changed[:, 1:] == before[:, 1:]).all()


@each_model
def test_no_step_sees_a_later_target(kind, depth):
    model, given = create(kind, depth), batch()
    target_in = given.target_in.copy()
    target_in[3, 0] = 7
    changed = model.forward(dataclasses.replace(given, target_in=target_in)).logits
    before = model.forward(given).logits
    assert (changed[:3] == before[:3]).all() and (changed[3:, 0] != before[3:, 0]).any(axis=-1).all()
