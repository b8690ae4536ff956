"""Frames of utterances, side by side."""

import numpy as np
import pytest

from numseq.data.frames import RaggedFrames
from numseq.errors import ArgumentError

rng = np.random.default_rng(0)
UTTERANCES = [rng.standard_normal((length, 3)) for length in (4, 1, 0, 7)]
FRAMES = RaggedFrames(UTTERANCES)


def test_a_batch_has_the_frames_and_zeros_where_none_is_real():
    rows = np.array([3, 0, 2])
    frames, mask = FRAMES.pad(rows)
    assert frames.shape == (7, 3, 3) and frames.dtype == np.float32 and mask.sum(axis=0).tolist() == [7, 4, 0]
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(frames[mask[:, k], k], UTTERANCES[row].astype(np.float32))
    assert not frames[~mask].any()


def test_of_a_memory_map_it_is_the_same(tmp_path):
    FRAMES.flat.tofile(tmp_path / "frames")
    kept = np.memmap(tmp_path / "frames", dtype=np.float32, mode="r").reshape(-1, 3)
    mapped = RaggedFrames.of(kept, FRAMES.lengths)
    assert len(mapped) == 4 and mapped.size == 3
    for row in range(4):
        np.testing.assert_array_equal(mapped[row], UTTERANCES[row].astype(np.float32))
    for one, other in zip(mapped.pad(np.arange(4)), FRAMES.pad(np.arange(4)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "none": ([], "utterances has no array"),
        "a vector": ([UTTERANCES[0], np.ones(3)], r"utterances\[1\] holds float64 of shape \(3,\)"),
        "another size": ([UTTERANCES[0], np.ones((2, 4))], r"utterances\[1\] has 4 numbers a frame: .* 3"),
        "nan": ([np.full((2, 2), np.nan)], r"utterances\[0\] holds what is not finite"),
    }.values(),
)
def test_what_is_no_frames_is_named(wrong, said):
    with pytest.raises(ArgumentError, match=said):
        RaggedFrames(wrong)
