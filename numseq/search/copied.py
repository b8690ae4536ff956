"""Which words of translations were copied, and from where, by a head that copies.

    copied    where the larger part of p(word) is that of copying it
    from      the place of the word that has the most of it

Searches need p(word) alone, so this is asked of their result, in one pass over what they found.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from numseq.backend import Array, array_module, asarray, to_numpy
from numseq.data.batches import Batch
from numseq.data.copying import Copyable
from numseq.data.tokens import BOS, Tokens
from numseq.search.hypotheses import Hypotheses

if TYPE_CHECKING:
    from numseq.models import Seq2Seq

MOST = 1 << 23  # scores of words that are computed together: a search makes a step at a time, and this makes all


def copied_from(
    model: "Seq2Seq", source: Array, source_mask: Array | None, copies: Array, found: Hypotheses
) -> np.ndarray:
    """The place of the source from which each word was copied, (T, B, K), -1 where it was not.

    Args: model, a Seq2Seq with a head that copies. source, source_mask, copies, (S, B), as of the search. found, its
        Hypotheses.
    """
    (T, B, K), xp = found.ids.shape, array_module(source)
    mask = xp.ones(source.shape, dtype=bool) if source_mask is None else source_mask
    ids, lengths = found.ids.reshape(T, B * K), found.lengths.reshape(B * K)
    places, at_once = np.empty((T, B * K), dtype=np.int64), max(1, MOST // (T * model.config.target_vocabulary))
    for start in range(0, B * K, at_once):
        rows = np.arange(start, min(start + at_once, B * K))
        which = asarray(rows // K)
        given = source[:, which], mask[:, which], asarray(copies)[:, which]
        places[:, rows] = _of(model, *given, asarray(ids[:, rows]), asarray(lengths[rows]))
    return places.reshape(T, B, K)


def words_of(
    tokens: Tokens, said: list[int], copyable: Copyable | None = None, places: Sequence[int] = ()
) -> tuple[list[str], str]:
    """What was said, ids before <eos>, as tokens and as a text. Args: tokens, of the target. copyable, of the source,
    for a head that copies. places, from where each was copied, -1 for nowhere: those are as the source has them."""
    if copyable is None:
        return [tokens.token(k) for k in said], tokens.decode(said)
    words = [
        copyable.written[place] if place >= 0 else tokens.token(k) if k < len(tokens) else copyable.word(k)
        for k, place in zip(said, places, strict=True)
    ]
    return words, tokens.join(words)


def _of(model, source, mask, copies, ids, lengths):
    """The same of one hypothesis of each source, (T, N)."""
    xp, (T, N) = array_module(ids), ids.shape
    said = xp.concatenate([xp.full((1, N), BOS), ids[:-1]])
    real = xp.arange(T)[:, None] <= lengths
    batch = Batch(source, mask, said, ids, real, T * N, copies)
    mixture = model.forward(batch).objective.head.mixture
    copied = real & (mixture.share < 0.5)
    return to_numpy(xp.where(copied, (mixture.alpha * mixture.match).argmax(axis=-1), -1))
