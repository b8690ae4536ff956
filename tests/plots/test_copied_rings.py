"""Where words were copied from, in the picture of where a model looked."""

import numpy as np
import pytest

from numseq.errors import ArgumentError
from numseq.plots import attention_map

ALPHA = np.array([[0.9, 0.1, 0.0], [0.2, 0.2, 0.6]])


def test_a_copied_word_has_a_ring():
    figure = attention_map(ALPHA, ["a", "b", "c"], ["c", "<eos>"], copied=[2])
    [rings] = figure.axes[0].collections
    assert rings.get_offsets().tolist() == [[2, 0]]
    assert "ring" in figure.axes[0].get_xlabel()
    for copied in (None, [None]):
        assert not attention_map(ALPHA, ["a", "b", "c"], ["c", "<eos>"], copied=copied).axes[0].collections


@pytest.mark.parametrize(("copied", "words"), [([3], r"copied\[0\]"), ([0, None, 1], "copied is of 3 tokens")])
def test_a_place_that_is_not_there_is_named(copied, words):
    with pytest.raises(ArgumentError, match=words):
        attention_map(ALPHA, ["a", "b", "c"], ["c", "<eos>"], copied=copied)
