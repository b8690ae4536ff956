"""Sampling: draw translations from the model's own distribution, or from a sharpened or shortened one.

    p_t(k) ~ exp(logits_t[k] / temperature), then
    top-k:   only the k most probable tokens
    top-p:   only the fewest tokens that together have probability p (the nucleus)

Each sentence has a random stream of its own, so what is drawn for it does not depend on its neighbours.

Source: Holtzman et al. 2020, "The curious case of neural text degeneration".
"""

from dataclasses import dataclass

import numpy as np

from numseq.backend import array_module, asarray, generator, to_numpy
from numseq.data.tokens import BOS, EOS, PAD
from numseq.layers.activations import log_softmax
from numseq.models.config import ConfigError, whole
from numseq.search.beam import BeamResult


@dataclass(frozen=True)
class SamplingOptions:
    """How to draw. Raises: ConfigError, naming the option, when a value makes no sense."""

    samples: int = 1  # of each sentence
    temperature: float = 1.0  # below 1 the probable becomes more so
    top_k: int = 0  # 0: all tokens
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self):
        for name in ("samples", "top_k", "seed"):
            whole(name, getattr(self, name))
        if self.samples < 1:
            raise ConfigError(f"samples is {self.samples}: it must be at least 1")
        if not 0 < self.temperature < np.inf:
            raise ConfigError(f"temperature is {self.temperature}: it must be a positive number")
        if self.top_k < 0:
            raise ConfigError(f"top_k is {self.top_k}: it must be at least 0")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}: it must be above 0 and at most 1")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}: it must not be negative")


def sample(model, source, source_mask, limits, options=None, numbers=None):
    """Draw translations of a batch of sentences.

    Args: model, a Seq2Seq. source, (S, B) ids. source_mask, (S, B). limits, (B,) integers: the most tokens of each
        sentence; one that gets there ends. options, SamplingOptions. numbers, (B,) integers that tell sentences apart:
        the same number, seed and sentence give the same draws; by default 0 .. B-1.
    Returns: a BeamResult with K = samples, in the order of drawing. logp, and scores too, are sums of the model's own
        log-probabilities, whatever the temperature.
    """
    options = options or SamplingOptions()
    K, B, limits = options.samples, source.shape[1], to_numpy(limits)
    numbers = np.arange(B) if numbers is None else numbers
    draws = np.zeros((int(limits.max()) + 1, B, K))
    for b in range(B):
        draws[: limits[b] + 1, b] = generator(options.seed, int(numbers[b])).random((limits[b] + 1, K))
    xp, rows = array_module(source), np.repeat(np.arange(B), K)
    memory, state = model.of_rows(*model.start(source, source_mask), asarray(rows))
    limit, running = limits[rows], np.ones(B * K, dtype=bool)
    ids, logp = asarray(np.full(B * K, BOS)), np.zeros(B * K)
    chosen, looks = [], []
    for t in range(int(limits.max()) + 1):
        logits, state, alpha = model.step(ids, state, memory)
        whole = log_softmax(logits)
        logits[:, PAD] = logits[:, BOS] = -xp.inf  # no sentence contains them
        drawn = to_numpy(draw(logits, draws[t].reshape(-1), options))
        drawn = np.where(t == limit, EOS, drawn)
        said = to_numpy(whole[xp.arange(B * K), asarray(drawn)])
        logp += np.where(running, said, 0)
        chosen.append(np.where(running, drawn, PAD))
        if alpha is not None:
            looks.append(to_numpy(alpha))
        running &= drawn != EOS
        if not running.any():
            break
        ids = asarray(drawn)
    found = np.stack(chosen).reshape(len(chosen), B, K)
    alpha = np.stack(looks).reshape(len(looks), B, K, -1) if looks else None
    logp = logp.reshape(B, K)
    return BeamResult(found, (found == EOS).argmax(axis=0), logp, logp, alpha)


def draw(logits, uniform, options):
    """One token for each row of logits (N, V), by the inverse of the cumulated probabilities at `uniform` (N,)."""
    xp = array_module(logits)
    logits = logits.astype(np.float64)
    logp = log_softmax((logits - logits.max(axis=1, keepdims=True)) / options.temperature)
    if not options.top_k and options.top_p == 1:  # any order will do
        total = xp.cumsum(xp.exp(logp), axis=1)
        return (total <= asarray(uniform)[:, None] * total[:, -1:]).sum(axis=1)
    order = xp.argsort(-logp, axis=1)
    p = xp.exp(xp.take_along_axis(logp, order, axis=1))  # the most probable first
    before = xp.cumsum(p, axis=1) - p
    if options.top_k:
        p[:, options.top_k :] = 0
    if options.top_p < 1:
        p = xp.where(before < options.top_p, p, 0)  # up to and with the token that reaches top_p
    total = xp.cumsum(p, axis=1)
    place = (total <= asarray(uniform)[:, None] * total[:, -1:]).sum(axis=1)
    return xp.take_along_axis(order, place[:, None], axis=1)[:, 0]
