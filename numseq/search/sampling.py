"""Sampling: draw translations from the model's own distribution, or from a sharpened or shortened one.

    p_t(k) ~ exp(logp_t[k] / temperature), then
    top-k:   only the k most probable tokens
    top-p:   only the fewest tokens that together have probability p (the nucleus)

Each sentence has a random stream of its own, so what is drawn for it does not depend on its neighbours.

Source: Holtzman et al. 2020, "The curious case of neural text degeneration".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numseq.backend import Array, array_module, asarray, generator
from numseq.layers.activations import softmax
from numseq.options import option
from numseq.search.bans import Bans
from numseq.search.beginnings import Beginnings
from numseq.search.constraints import Rows
from numseq.search.greedy import follow
from numseq.search.hypotheses import Hypotheses

if TYPE_CHECKING:
    from numseq.models import Seq2Seq


@dataclass(frozen=True)
class SamplingOptions(Bans):
    """How to draw. Raises: ConfigError, naming the option, when a value makes no sense."""

    samples: int = option(1, "Of each sentence.", least=1, most=10_000)
    temperature: float = option(1.0, "Below 1 the probable becomes more so.", above=0, source="Ackley et al. 1985")
    top_k: int = option(0, "Draw from so many tokens; 0: from all.", least=0, source="Fan et al. 2018")
    top_p: float = option(
        1.0, "Draw from the fewest tokens of this probability together.", above=0, most=1, source="Holtzman et al. 2020"
    )
    seed: int = option(0, "The same seed draws the same.", least=0)


def sample(
    models: "Seq2Seq | list[Seq2Seq]",
    source: Array,
    source_mask: Array | None,
    limits: Array,
    options: SamplingOptions | None = None,
    numbers: Array | None = None,
    *,
    copies: Array | None = None,
    constraint: Rows | None = None,
) -> Hypotheses:
    """Draw translations of a batch of sentences.

    Args: models, source, source_mask, limits, copies, constraint: as of `greedy`. options, SamplingOptions. numbers,
        (B,) integers that tell sentences apart: the same number, seed and sentence give the same draws; by default
        0 .. B-1.
    Returns: Hypotheses with K = samples, in the order of drawing. logp, and scores too, are sums of the models' own
        log-probabilities, whatever the temperature.
    """
    options = options or SamplingOptions()
    K, B = options.samples, source.shape[1]
    rows = Beginnings(models, source, source_mask, limits, options, each=K, copies=copies, constraint=constraint)
    limits = rows.limits[::K]
    numbers = np.arange(B) if numbers is None else numbers
    uniform = np.zeros((int(limits.max()) + 1, B, K))
    for b in range(B):
        uniform[: limits[b] + 1, b] = generator(options.seed, int(numbers[b])).random((limits[b] + 1, K))
    uniform = uniform.reshape(-1, B * K)
    return follow(rows, lambda logp, t, numbers: draw(logp, uniform[t, numbers], options))


def draw(logp: Array, uniform: Array, options: SamplingOptions) -> Array:
    """One token for each row of logp (N, V), by the inverse of the cumulated probabilities at `uniform` (N,)."""
    xp = array_module(logp)
    logp = logp.astype(np.float64)
    p = softmax((logp - logp.max(axis=1, keepdims=True)) / options.temperature)
    shortened = options.top_k or options.top_p < 1
    if shortened:
        order = xp.argsort(-p, axis=1)  # the most probable first
        p = xp.take_along_axis(p, order, axis=1)
        before = xp.cumsum(p, axis=1) - p
        if options.top_k:
            p[:, options.top_k :] = 0
        if options.top_p < 1:
            p = xp.where(before < options.top_p, p, 0)  # up to and with the token that reaches top_p
    total = xp.cumsum(p, axis=1)
    place = (total <= asarray(uniform)[:, None] * total[:, -1:]).sum(axis=1)
    return xp.take_along_axis(order, place[:, None], axis=1)[:, 0] if shortened else place
