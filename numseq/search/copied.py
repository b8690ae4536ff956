"""Which words of translations were copied, and from where, by a head that copies.

    copied    where the larger part of p(word) is that of copying it
    from      the place of the word that has the most of it

Searches need p(word) alone, so this is asked of their result, in one pass over what they found.
"""

from typing import TYPE_CHECKING

import numpy as np

from numseq.backend import Array, array_module, asarray, to_numpy
from numseq.data.batches import Batch
from numseq.data.tokens import BOS
from numseq.search.hypotheses import Hypotheses

if TYPE_CHECKING:
    from numseq.models import Seq2Seq


def copied_from(
    model: "Seq2Seq", source: Array, source_mask: Array | None, copies: Array, found: Hypotheses
) -> np.ndarray:
    """The place of the source from which each word was copied, (T, B, K), -1 where it was not.

    Args: model, a Seq2Seq with a head that copies. source, source_mask, copies, (S, B), as of the search. found, its
        Hypotheses.
    """
    copies = asarray(copies)
    places = [_of(model, source, source_mask, copies, found, k) for k in range(found.ids.shape[2])]
    return np.stack(places, axis=2)


def _of(model, source, source_mask, copies, found, k):
    """The same of the k-th hypotheses, (T, B)."""
    ids, lengths = asarray(found.ids[:, :, k]), asarray(found.lengths[:, k])
    xp, (T, B) = array_module(ids), ids.shape
    said = xp.concatenate([xp.full((1, B), BOS), ids[:-1]])
    real = xp.arange(T)[:, None] <= lengths
    mask = xp.ones(source.shape, dtype=bool) if source_mask is None else source_mask
    batch = Batch(source, mask, said, ids, real, int(found.lengths[:, k].sum()) + B, copies)
    mixture = model.forward(batch).objective.head.mixture
    copied = real & (mixture.share < 0.5)
    return to_numpy(xp.where(copied, (mixture.alpha * mixture.match).argmax(axis=-1), -1))
