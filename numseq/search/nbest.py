"""Which complete hypotheses of a sentence are the best, and when it is certain that they are.

    score = logp / norm(length) + b * coverage
    norm(length) = length ** a                 "average"
                 | ((5 + length) / 6) ** a     "gnmt"
    coverage = sum over source positions j of log min(1, sum over t of alpha_tj)

`length` counts <eos>. As logp and coverage are at most 0 and only fall, whatever becomes of a beginning has at most the
score logp / norm(longest length allowed).

Source: Wu et al. 2016, section 7.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from numseq.backend import Array
from numseq.search.hypotheses import Hypothesis

if TYPE_CHECKING:
    from numseq.search.beam import BeamOptions

NORMS = {"average": lambda length: length, "gnmt": lambda length: (5 + length) / 6}


def norm(length: Any, options: "BeamOptions") -> Any:
    """What a sum over `length` tokens, <eos> included, is divided by."""
    return NORMS[options.norm](length) ** options.length_penalty


def coverage(alpha: Array, real: Any) -> float:
    """How well a hypothesis has looked at all that is real of the memory, at most 0: alpha (T, S), real (S,)."""
    seen = np.log(np.clip(alpha.sum(axis=0), 1e-10, 1))
    return np.where(real, seen, 0).sum()


class NBest:
    """The best complete hypotheses of each sentence so far."""

    def __init__(self, options: "BeamOptions", limits: Array, real: Array | None):
        """Args: options, BeamOptions. limits, (B,). real, (B, S): which places of the memory are; None for all."""
        self.options, self.real = options, real
        self.largest_norm = norm(limits + 1, options)
        self.found = [[] for _ in limits]
        self.worst = np.full(len(limits), -np.inf)  # score of the nbest-th, -inf while there are fewer

    def add(self, sentences: Array, hypotheses: list[Hypothesis]) -> None:
        """Take hypotheses, each of its sentence, and give them their scores."""
        options, last = self.options, self.options.nbest or self.options.beam
        for b, one in zip(sentences.tolist(), hypotheses, strict=True):
            found = self.found[b]
            if any(np.array_equal(one.tokens, other.tokens) for other in found):
                continue  # another group has said the same
            one.score = one.logp / norm(len(one.tokens) + 1, options)
            if options.coverage_penalty and one.alpha is not None:
                one.score += options.coverage_penalty * coverage(one.alpha, True if self.real is None else self.real[b])
            found.append(one)
            found.sort(key=lambda one: -one.score)  # stable: of equals, the one found first
            del found[options.beam :]
            if len(found) >= last:
                self.worst[b] = found[last - 1].score

    def open(self, sentences: Array, logp: Array) -> Array:
        """Whether what has this logp, (N,), could still become one of the nbest of its sentence."""
        return logp / self.largest_norm[sentences] > self.worst[sentences]
