"""Forced decoding: what a model thinks of translations that are given."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numseq import arguments
from numseq.backend import array_module, to_numpy
from numseq.data.batches import Pairs, plan_batches

if TYPE_CHECKING:
    from numseq.models import Seq2Seq


@dataclass(slots=True)
class Scored:
    """One pair, token by token, <eos> last; NumPy arrays (T,).

    logp, nats. rank, from 1: how many tokens the model held for at least as probable. entropy, nats, of the model's
    distribution at that place.
    """

    logp: np.ndarray
    rank: np.ndarray
    entropy: np.ndarray

    @property
    def total(self) -> float:
        """log p(target | source), nats."""
        return float(self.logp.sum())

    @property
    def perplexity(self) -> float:
        """exp of the mean negative logp of a token."""
        return float(np.exp(-self.logp.mean()))


def score(model: "Seq2Seq", pairs: Pairs, batch_size: int = 64) -> list[Scored]:
    """Score given translations.

    Equations: logp_t = log p(y_t | y_<t, x);  entropy_t = - sum_k p_k log p_k.

    Args: model, a Seq2Seq. pairs, a Pairs. batch_size, rows computed together.
    Returns: a list of Scored, in the order of the pairs.
    Raises: ArgumentError, when pairs are no Pairs, or have ids that the model lacks.
    """
    batch_size = arguments.whole(batch_size, "batch_size", least=1)
    arguments.one_of(pairs, "pairs", Pairs).fit("pairs", model.config.source_vocabulary, model.config.target_vocabulary)
    found: list[Scored] = [None] * len(pairs)
    for rows in plan_batches(pairs.source.lengths, pairs.target.lengths, batch_size) if len(pairs) else []:
        batch = pairs.batch(rows)
        logp = model.forward(batch).logp
        xp = array_module(logp)
        said = xp.take_along_axis(logp, batch.target_out[:, :, None], axis=2)
        rank = (logp >= said).sum(axis=2)
        entropy = -(xp.exp(logp) * logp).sum(axis=2)
        said, rank, entropy = (to_numpy(x) for x in (said[:, :, 0], rank, entropy))
        for b, k in enumerate(rows):
            n = pairs.target.lengths[k] + 1
            found[k] = Scored(said[:n, b].astype(np.float64), rank[:n, b], entropy[:n, b].astype(np.float64))
    return found
