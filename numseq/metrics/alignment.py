"""How well attention aligns words, against alignments that people made."""

from collections.abc import Iterable, Sequence

import numpy as np

from numseq.backend import Array
from numseq.errors import ConfigError


def align(alpha: Array | None) -> set[tuple[int, int]]:
    """Which source token each target token attended to most: a set of pairs (source, target), counted from 0.

    Args: alpha (T, S), attention weights. Translation.alpha ends with the row of <eos>: alpha[:-1] leaves it out.
    Raises: ConfigError, when alpha is None, as without an attention, or for an empty line.
    """
    if alpha is None:
        raise ConfigError("alpha is None: a plain model attends to nothing")
    T, S = np.shape(alpha)
    return {(int(s), t) for t, s in enumerate(np.argmax(alpha, axis=1))} if T and S else set()


def alignment_error_rate(
    alignments: Sequence[Iterable], sure: Sequence[Iterable], possible: Sequence[Iterable]
) -> float:
    """How far alignments are from those of people, from 0, the best, to 1.

    Equation: AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|), each a sum over all sentences; 0 when |A| + |S| is 0.

    Args: for each sentence the pairs (source, target): alignments, those found, A. sure, those that must be there, S.
        possible, those that may be there, P; sure ones are possible whether or not they are listed. All count alike,
        from 0 as `align` does or from 1.
    Raises: ConfigError, when the numbers of sentences differ or are 0.
    Source: Och & Ney 2003, A Systematic Comparison of Various Statistical Alignment Models.
    """
    if not len(alignments) == len(sure) == len(possible):
        counts = f"{len(alignments)}, {len(sure)} and {len(possible)}"
        raise ConfigError(f"alignments, sure and possible have {counts} sentences: they must pair up")
    if not alignments:
        raise ConfigError("alignments holds no sentence: there is nothing to score")
    right = links = 0
    for sentence in zip(alignments, sure, possible, strict=True):
        a, s, p = ({tuple(pair) for pair in pairs} for pairs in sentence)
        right += len(a & s) + len(a & (s | p))
        links += len(a) + len(s)
    return 1 - right / links if links else 0.0
