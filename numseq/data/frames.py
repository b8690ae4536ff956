"""Frames side by side: utterances of different lengths, of D numbers a frame, as batches need them."""

from collections.abc import Iterable

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.data.batches import Ragged
from numseq.errors import ArgumentError


class RaggedFrames(Ragged):
    """Many utterances (L, D) in one array (N, D), so that padding a batch is one assignment.

    Args: utterances, arrays (L, D) of one D.
    Raises: ArgumentError, when there is none, one is no such array, or holds what is not finite.
    """

    def __init__(self, utterances: Iterable[Array]):
        found = [arguments.numbers(one, f"utterances[{k}]", "L D") for k, one in enumerate(utterances)]
        if not found:
            raise ArgumentError("utterances has no array in it")
        for k, one in enumerate(found):
            if one.shape[1] != found[0].shape[1]:
                wanted = f"{found[0].shape[1]}, as utterances[0] has"
                raise ArgumentError(f"utterances[{k}] has {one.shape[1]} numbers a frame: it must have {wanted}")
            if not np.isfinite(one).all():
                raise ArgumentError(f"utterances[{k}] holds what is not finite (nan or inf)")
        lengths = np.array([len(one) for one in found], dtype=np.int64)
        self._set(np.concatenate(found).astype(np.float32, copy=False), lengths)

    @property
    def size(self) -> int:
        """D, the numbers of a frame."""
        return self.flat.shape[1]

    def __getitem__(self, row: int) -> np.ndarray:
        """The frames (L, D) of one utterance."""
        start = self.starts[row]
        return self.flat[start : start + self.lengths[row]]

    def pad(self, rows: Array) -> tuple[Array, Array]:
        """(frames (L, B, D), mask (L, B)) of the chosen rows, L being the longest; zeros where nothing is real."""
        lengths = self.lengths[rows]
        places = np.arange(lengths.max())[:, None]
        mask = places < lengths  # (L, B)
        frames = np.zeros((*mask.shape, self.size), dtype=self.flat.dtype)
        frames[mask] = self.flat[(self.starts[rows] + places)[mask]]
        return frames, mask
