"""How well attention aligns words, against alignments that people made."""

from collections.abc import Iterable, Sequence
from numbers import Integral

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.errors import ArgumentError, shown


def align(alpha: Array | None) -> set[tuple[int, int]]:
    """Which source token each target token attended to most: a set of pairs (source, target), counted from 0.

    Args: alpha (T, S), attention weights. Translation.alpha ends with the row of <eos>: alpha[:-1] leaves it out.
    Raises: ArgumentError, when alpha is None, as without an attention, or for an empty line, or is no matrix of
        numbers.
    """
    if alpha is None:
        raise ArgumentError("alpha is None: a plain model attends to nothing")
    alpha = arguments.numbers(alpha, "alpha", "T S")
    return {(int(s), t) for t, s in enumerate(np.argmax(alpha, axis=1))} if alpha.size else set()


def alignment_error_rate(
    alignments: Sequence[Iterable], sure: Sequence[Iterable], possible: Sequence[Iterable]
) -> float:
    """How far alignments are from those of people, from 0, the best, to 1.

    Equation: AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|), each a sum over all sentences; 0 when |A| + |S| is 0.

    Args: for each sentence the pairs (source, target): alignments, those found, A. sure, those that must be there, S.
        possible, those that may be there, P; sure ones are possible whether or not they are listed. All count alike,
        from 0 as `align` does or from 1.
    Raises: ArgumentError, when the numbers of sentences differ or are 0, or something is no pair of places.
    Source: Och & Ney 2003, A Systematic Comparison of Various Statistical Alignment Models.
    """
    alignments, sure, possible = (
        [_places(sentence, f"{called}[{k}]") for k, sentence in enumerate(arguments.listed(given, called, "sentences"))]
        for called, given in (("alignments", alignments), ("sure", sure), ("possible", possible))
    )
    if not len(alignments) == len(sure) == len(possible):
        counts = f"{len(alignments)}, {len(sure)} and {len(possible)}"
        raise ArgumentError(f"alignments, sure and possible have {counts} sentences: they must pair up")
    if not alignments:
        raise ArgumentError("alignments holds no sentence: there is nothing to score")
    right = links = 0
    for a, s, p in zip(alignments, sure, possible, strict=True):
        right += len(a & s) + len(a & (s | p))
        links += len(a) + len(s)
    return 1 - right / links if links else 0.0


def _places(sentence, called):
    """The pairs of a sentence, a set of (source, target) whole numbers."""
    wanted, found = "a pair (source, target) of whole numbers", set()
    pairs = sentence if isinstance(sentence, set | frozenset) else arguments.listed(sentence, called, "pairs of places")
    for k, given in enumerate(pairs):
        places = arguments.pair(given, f"{called}[{k}]", wanted)
        if any(isinstance(place, bool) or not isinstance(place, Integral) for place in places):
            raise ArgumentError(f"{called}[{k}] is {shown(given)}: it must be {wanted}")
        found.add(places)
    return found
