"""Greedy search: at every step take the most probable token."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numseq.backend import array_module, to_numpy
from numseq.data.tokens import BOS, EOS, PAD

Array = Any


@dataclass(slots=True)
class GreedyResult:
    """What the search chose. NumPy arrays.

    ids (T, B): the tokens, <eos> included; PAD after it. lengths (B,): tokens before <eos>. alpha (T, B, S): attention
    weights of every step, None for the plain model.
    """

    ids: Array
    lengths: Array
    alpha: Array | None


def greedy(model, source, source_mask, limits):
    """Decode a batch, one token a row at a time, until every row has said <eos> or reached its limit.

    Equations: y_t = argmax over k of logits_t[k], PAD and BOS excepted; stop at <eos>.

    Args: model, a Seq2Seq. source, (S, B) ids. source_mask, (S, B). limits, (B,) integers: the most tokens of each
        row, <eos> not counted. A row's limit is its own, so its result does not depend on its neighbours.
    Returns: a GreedyResult.
    """
    memory, state = model.start(source, source_mask)
    xp = array_module(source)
    limits = to_numpy(limits)
    ids = xp.full(source.shape[1], BOS)
    running = np.ones(source.shape[1], dtype=bool)
    chosen, weights = [], []
    for t in range(int(limits.max()) + 1):
        logits, state, alpha = model.step(ids, state, memory)
        logits[:, PAD] = logits[:, BOS] = -xp.inf  # no sentence contains them
        ids = logits.argmax(axis=-1)
        # a row at its limit ends here, whatever it would have said; a row that has ended says nothing more
        ends = np.where(t == limits, EOS, to_numpy(ids))
        chosen.append(np.where(running, ends, PAD))
        if alpha is not None:
            weights.append(to_numpy(alpha))
        running &= chosen[-1] != EOS
        if not running.any():
            break
    chosen = np.stack(chosen)
    return GreedyResult(
        ids=chosen, lengths=(chosen == EOS).argmax(axis=0), alpha=np.stack(weights) if weights else None
    )
