"""SpecAugment: what it hides, and that it hides no more than it may."""

import numpy as np
import pytest

from numseq.data.sound.spec_augment import SpecAugmentOptions, hidden, spec_augment
from numseq.errors import ArgumentError

LENGTHS = np.array([50, 20, 1, 0])
MASK = np.arange(50)[:, None] < LENGTHS
FRAMES = np.where(MASK[:, :, None], 1.0, 0.0).astype(np.float32) * np.ones(16, dtype=np.float32)


def test_bands_and_stretches_are_hidden_as_wide_as_they_may_be():
    options = SpecAugmentOptions(time_masks=1, frequency_masks=1, time_width=8, time_share=0.2, frequency_width=5)
    widths = []
    for seed in range(300):
        found = spec_augment(FRAMES, MASK, options, np.random.default_rng(seed))
        assert found.dtype == np.float32 and set(np.unique(found)) <= {0, 1}
        rows, columns = found.any(axis=2).sum(axis=0), found.any(axis=0).sum(axis=1)
        assert ((LENGTHS - rows)[:2] <= [8, 4]).all() and rows[2] == 1 and (columns[:3] >= 11).all()
        hid = np.flatnonzero(~found[:, 0].any(axis=1))
        assert not len(hid) or np.ptp(hid) == len(hid) - 1  # one stretch
        widths.append([50 - rows[0], 20 - rows[1], 16 - columns[0], 16 - columns[1]])
    assert np.max(widths, axis=0).tolist() == [8, 4, 5, 5] and np.min(widths, axis=0).tolist() == [0, 0, 0, 0]
    assert (FRAMES.sum(axis=2) == 16 * MASK).all()  # what was handed in stays


def test_every_place_is_hidden_now_and_then_and_rows_differ():
    shares = hidden(np.random.default_rng(0), 1, np.full(4000, 3), np.full(4000, 10), 12).mean(axis=1)
    assert (shares[:10] > 0.04).all() and not shares[10:].any()
    first, second = hidden(np.random.default_rng(0), 2, np.full(2, 9), np.full(2, 40), 40).T
    assert (first != second).any()


def test_the_same_generator_hides_the_same_and_no_mask_hides_nothing():
    options = SpecAugmentOptions()
    one, two = (spec_augment(FRAMES, MASK, options, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    none = SpecAugmentOptions(time_masks=0, frequency_masks=0)
    np.testing.assert_array_equal(spec_augment(FRAMES, MASK, none, np.random.default_rng(3)), FRAMES)


def test_frames_and_mask_have_to_go_together():
    with pytest.raises(ArgumentError, match="frames and mask have shapes"):
        spec_augment(FRAMES, MASK[:, :2], SpecAugmentOptions(), np.random.default_rng(0))
