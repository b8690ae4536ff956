"""Forced decoding: what a model thinks of translations that are given."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numseq import arguments
from numseq.backend import array_module, to_numpy
from numseq.data.batches import CELLS, Pairs, plan_batches

if TYPE_CHECKING:
    from numseq.models import Seq2Seq

MAX_LENGTH = 1000  # tokens of a side: some attentions keep an array of source * target * A numbers
MAX_RATIO, EXTRA = 2.0, 10  # what is said of n tokens ends after MAX_RATIO * n + EXTRA of them


@dataclass(slots=True)
class Scored:
    """One pair, token by token, <eos> last; NumPy arrays (T,), which are empty where a pair could not be scored.

    logp, nats. rank, from 1: how many tokens the model held for at least as probable. entropy, nats, of the model's
    distribution at that place.
    """

    logp: np.ndarray
    rank: np.ndarray
    entropy: np.ndarray

    @property
    def total(self) -> float:
        """log p(target | source), nats; NaN of a pair that could not be scored."""
        return float(self.logp.sum()) if len(self.logp) else np.nan

    @property
    def perplexity(self) -> float:
        """exp of the mean negative logp of a token; NaN of a pair that could not be scored."""
        return float(np.exp(-self.logp.mean())) if len(self.logp) else np.nan


def score(model: "Seq2Seq", pairs: Pairs, batch_size: int = 64, max_length: int = MAX_LENGTH) -> list[Scored]:
    """Score given translations.

    Equations: logp_t = log p(y_t | y_<t, x);  entropy_t = - sum_k p_k log p_k.

    Args: model, a Seq2Seq. pairs, a Pairs. batch_size, rows computed together. max_length, the most tokens of a side:
        memory grows with the product of both.
    Returns: a list of Scored, in the order of the pairs; it is empty of those that have no source or are too long.
    Raises: ArgumentError, when pairs are no Pairs, or have ids that the model lacks.
    """
    arguments.having(model, "model", "a Seq2Seq", "config", "forward")
    batch_size = arguments.whole(batch_size, "batch_size", least=1)
    max_length = arguments.whole(max_length, "max_length", least=1)
    arguments.one_of(pairs, "pairs", Pairs).fit("pairs", model.config.source_vocabulary, model.config.target_vocabulary)
    nothing = Scored(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0))
    found = [nothing] * len(pairs)
    sources, targets = pairs.source.lengths, pairs.target.lengths
    real = np.flatnonzero((sources > 0) & (np.maximum(sources, targets) <= max_length))
    plan = plan_batches(sources[real], targets[real], batch_size, max_cells=CELLS) if len(real) else []
    for rows in (real[batch] for batch in plan):
        one = pairs.batch(rows)
        logp = model.forward(one).logp
        xp = array_module(logp)
        said = xp.take_along_axis(logp, one.target_out[:, :, None], axis=2)
        rank = (logp >= said).sum(axis=2)
        logp = xp.maximum(logp, np.finfo(logp.dtype).min)  # what is impossible has no part in the entropy
        entropy = -(xp.exp(logp) * logp).sum(axis=2)
        said, rank, entropy = (to_numpy(x) for x in (said[:, :, 0], rank, entropy))
        for b, k in enumerate(rows):
            n = pairs.target.lengths[k] + 1
            found[k] = Scored(said[:n, b].astype(np.float64), rank[:n, b], entropy[:n, b].astype(np.float64))
    return found
