"""Greedy search: at every step take the most probable token.

y_t = argmax over k of logp_t[k]        until it is <eos>
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numseq.backend import Array, array_module, to_numpy
from numseq.data.tokens import EOS
from numseq.search.bans import Bans
from numseq.search.beginnings import Beginnings
from numseq.search.constraints import Rows
from numseq.search.hypotheses import Hypotheses, Hypothesis

if TYPE_CHECKING:
    from numseq.models import Seq2Seq


@dataclass(frozen=True)
class GreedyOptions(Bans):
    """How to search greedily: there is nothing to choose but bans."""


def greedy(
    models: "Seq2Seq | list[Seq2Seq]",
    source: Array,
    source_mask: Array | None,
    limits: Array,
    options: GreedyOptions | None = None,
    *,
    copies: Array | None = None,
    constraint: Rows | None = None,
) -> Hypotheses:
    """Decode a batch greedily.

    Equations: those of the module.

    Args: models, a Seq2Seq, or a list of them with the same vocabularies, whose probabilities are averaged.
        source, (S, B) ids. source_mask, (S, B). limits, (B,) integers: the most tokens of each sentence, <eos> not
        counted. options, GreedyOptions. copies, (S, B), for heads that copy: what stands at each place of the sources,
        see `numseq.data.copying`. constraint, what `Constraint.rows` gives of the sources' lines; None for none.
    Returns: Hypotheses, K = 1, with the scores of a beam of 1: logp by the length.
    """
    options = options or GreedyOptions()
    rows = Beginnings(models, source, source_mask, limits, options, copies=copies, constraint=constraint)
    found = follow(rows, lambda logp, t, numbers: logp.argmax(axis=1))
    found.scores = found.logp / (found.lengths + 1)
    return found


def follow(rows: Beginnings, choose: Callable[[Array, int, Array], Array]) -> Hypotheses:
    """Follow one beginning a row until each has said <eos>.

    Args: rows, Beginnings. choose, a function of logp (N, V), of the step t and of
        which rows of the first step these are, (N,), to the token that each says, (N,).
    Returns: Hypotheses, in the order of the rows; scores are logp.
    """
    K, N = rows.each, len(rows.sentence)
    found: list[Hypothesis] = [None] * N
    numbers, total = np.arange(N), np.zeros(N)
    while len(numbers):
        logp = rows.step()
        xp, token = array_module(logp), choose(logp, len(rows.said), numbers)
        said = xp.take_along_axis(logp, token[:, None], axis=1)[:, 0]
        token, said = to_numpy(xp.stack([token, said.astype(np.float64)]))  # together: a GPU is waited for once
        token, total = token.astype(np.int64), total + said
        ends, on = np.flatnonzero(token == EOS), np.flatnonzero(token != EOS)
        for number, hypothesis in zip(numbers[ends], rows.complete(ends, total[ends]), strict=True):
            found[number] = hypothesis
        rows.go_on(on, token[on])
        numbers, total = numbers[on], total[on]
    return Hypotheses.from_lists([found[n : n + K] for n in range(0, N, K)], K, rows.places)
