"""Heads that copy: step by step as all at once, in every order; tied; beside the coverage loss; what is refused."""

import dataclasses

import numpy as np
import pytest
from helpers import TARGETS, assert_close, assert_gradients, batch, create, padded

from numseq.errors import ArgumentError, ConfigError
from numseq.models import Memory
from numseq.models.encoders.recurrent import ForwardEncoder
from numseq.objectives import CrossEntropy

V = 13
HEADS = ("pointer-generator", "copynet")
EACH = [
    (head, kind)
    for head in HEADS
    for kind in ("plain", "vector", "attention", "luong", "feeding")
    if head == "copynet" or kind not in ("plain", "vector")
]
pytestmark = pytest.mark.usefixtures("parts_are_forgotten")


def with_copies(targets=TARGETS):
    """A batch in which two words of the sources, 6 and 10, are none of the target's vocabulary but in the targets."""
    data = batch(targets=targets)
    data.copies = np.where(data.source == 6, V, np.where(data.source == 10, V + 1, data.source))
    for name in ("target_in", "target_out"):
        ids = getattr(data, name)
        ids[ids == 4] = V  # said in the first and the third row alone, which have it
    return data


@pytest.mark.parametrize(("head", "kind"), EACH)
def test_step_by_step_is_all_at_once(head, kind):
    model, data = create(kind, 2, head=head), with_copies()
    trace = model.forward(data)
    memory, state = model.start(data.source, data.source_mask, data.copies)
    for t in range(len(data.target_in)):
        logp, state, _ = model.step(data.target_in[t], state, memory)
        assert_close(np.exp(logp), np.exp(trace.logp[t]), 1e-9)
    assert logp.shape == (4, V + 2)
    rows = np.array([2, 2, 0])
    memory, state = model.select_rows(*model.start(data.source, data.source_mask, data.copies), rows)
    assert_close(np.exp(model.step(data.target_in[0][rows], state, memory)[0]), np.exp(trace.logp[0][rows]), 1e-9)


@pytest.mark.parametrize(("head", "kind"), EACH)
def test_gradients_are_right(head, kind):
    tied = {"tied": "target", "embedding": 16, "readout": "tanh"} if kind in ("vector", "luong") else {}
    assert_gradients(create(kind, head=head, **tied), with_copies())


def test_the_coverage_loss_and_the_copies_both_read_the_attention():
    model, data = create("attention", head="pointer-generator", coverage_loss=0.7), with_copies()
    assert_gradients(model, data, noise=model.draw_noise(data, 0))
    trace = CrossEntropy(model.config)
    both = model.forward(data, model.draw_noise(data, 0), trace).objective
    assert_close(both.loss, both.head.loss + 0.7 * both.coverage.loss)


@pytest.mark.parametrize("head", HEADS)
def test_the_loss_is_that_of_the_probabilities_and_padding_changes_nothing(head):
    model, data = create("attention", head=head), with_copies()
    trace, real = model.forward(data), data.target_mask
    said = np.take_along_axis(trace.logp, data.target_out[..., None], axis=2)[..., 0]
    assert_close(trace.loss, -said[real].mean())
    assert_close(np.exp(trace.logp).sum(axis=-1), np.ones(real.shape))
    more = padded(dataclasses.replace(data, copies=None))
    more.copies = np.pad(data.copies, [(0, 3), (0, 2)])
    again = model.forward(more)
    assert_close(again.loss, trace.loss)
    assert_close(again.backward().params, trace.backward().params, 1e-10)


@pytest.mark.parametrize("head", HEADS)
def test_a_word_that_only_the_source_has_is_read_as_unknown_and_can_be_said_where_it_stands(head):
    model, data = create("attention", head=head), with_copies()
    logp = model.forward(data).logp
    there = np.array([[(data.copies[data.source_mask[:, b], b] == V + k).any() for k in range(2)] for b in range(4)])
    assert np.array_equal(np.isfinite(logp[:, :, V:]), np.broadcast_to(there, (*logp.shape[:2], 2)))
    read = [
        model.step(np.full(4, k), *model.start(data.source, data.source_mask, data.copies)[::-1])[0] for k in (1, V)
    ]
    assert np.array_equal(*read)


@pytest.mark.parametrize("head", HEADS)
def test_without_copies_it_is_said_what_is_missing(head):
    model, data = create("attention", head=head), batch()
    with pytest.raises(ArgumentError, match=f"copies is None: head {head} needs what stands at each place"):
        model.forward(data)
    with pytest.raises(ArgumentError, match="copies is None"):
        model.start(data.source, data.source_mask)


class HalfEncoder(ForwardEncoder):
    """Every second state."""

    def forward(self, x, mask, params, noise=None):
        trace = super().forward(x, mask, params, noise)
        memory = trace.memory
        trace.memory = Memory(memory.states[::2], memory.mask if memory.mask is None else memory.mask[::2], memory.last)
        return trace


@pytest.mark.parametrize("head", HEADS)
def test_a_memory_of_other_places_cannot_be_copied_from(head):
    model, data = create("attention", head=head, encoder=HalfEncoder), with_copies()
    with pytest.raises(ConfigError, match="copies the words of the source, and has 5 of them, but encoder .* 3 places"):
        model.forward(data)


def test_no_array_of_a_training_step_is_wider_than_the_vocabulary():
    """What is held grows by no more than the plain head's with the vocabulary, and by S with the source."""
    import tracemalloc

    def most(head):
        model, data = create("attention", head=head, target_vocabulary=2000, dtype=np.float32), with_copies()
        data.copies[data.copies >= V] += 2000 - V
        for name in ("target_in", "target_out"):
            ids = getattr(data, name)
            ids[ids >= V] += 2000 - V
            if head == "vocabulary":
                ids[ids >= 2000] = 1
        tracemalloc.start()
        try:
            model.forward(data).backward()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most("vocabulary")
    plain = most("vocabulary")
    assert all(most(head) < plain + 2e5 for head in HEADS)  # an array (T, B, V) has 224 kB
