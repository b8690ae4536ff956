"""Position encoding: a sentence is the sum of its words' vectors, each weighed by where it stands.

    l_jk = (1 - j / J) - (k / D) (1 - 2 j / J)     word j = 1 .. J of its sentence, unit k = 1 .. D
    m_s  = sum over the words j of sentence s of l_j * x_j

A plain sum knows not which word came first. Here the first words are heard in the low units and the last ones in the
high units.

Several embeddings of a word lie side by side, (N, D): each is summed alike.

Source: Sukhbaatar et al. 2015, section 4.1.
"""

from dataclasses import dataclass

import numpy as np

from numseq.arguments import whole
from numseq.backend import Array, array_module, scatter_add_rows
from numseq.errors import ArgumentError
from numseq.layers.fit import Fit, as_of
from numseq.record import Record, Trace


@dataclass(slots=True)
class PositionGrad(Record):
    dx: Array  # (S, B, N, D)


@dataclass(slots=True)
class PositionTrace(Trace):
    """What `position_encoding` summed: m (P, B, N, D), of words weighed by l (S, B, 1, D)."""

    outputs = ("m",)
    equations = "position_encoding"
    sentence: Array  # (S, B)
    l: Array  # noqa: E741  (the paper's name)
    m: Array

    def backward(self, dm: Array) -> PositionGrad:
        """dx_j = l_j * dm_s of its sentence s, and 0 where a word is of none."""
        as_of(dm, "dm", self.m, "m")
        xp, rows = array_module(dm), _rows(self.sentence, len(dm))
        of_all = dm.reshape(-1, *dm.shape[2:])
        of_all = xp.concatenate([of_all, xp.zeros_like(of_all[:1])])  # the last row is of what is of no sentence
        return PositionGrad(dx=self.l * of_all[rows])


FIT = Fit(x="S B N D", sentence="S B int")


def position_encoding(x: Array, sentence: Array, places: int) -> PositionTrace:
    """Sum the words of each sentence, weighed by their positions.

    Equations: those of the module.

    Args: x, (S, B, N, D), for each word N vectors. sentence, (S, B): which sentence a word is of, from 0; -1, of none,
        as padding and what parts sentences. places: P, how many sentences there is room for.
    Returns: a PositionTrace with m (P, B, N, D); 0 for a sentence without words.
    Backward: PositionTrace.backward.
    Raises: ArgumentError, when shapes do not fit, or there are other sentences than those from -1 to P - 1.
    """
    FIT(x, sentence)
    xp, (S, B, N, D), P = array_module(x), x.shape, whole(places, "places", least=1)
    if xp is np and sentence.size and not -1 <= sentence.min() <= sentence.max() < P:  # a GPU is not waited for
        raise ArgumentError(f"sentence holds {sentence.min()} to {sentence.max()}: it must hold -1 to {P - 1}")
    j, J = (part[:, :, None, None].astype(x.real.dtype) for part in _counted(sentence, P))
    k = xp.arange(1, D + 1).astype(x.real.dtype)
    l = ((1 - j / J) - (k / D) * (1 - 2 * j / J)).astype(x.dtype)  # noqa: E741
    summed = scatter_add_rows(P * B + 1, _rows(sentence, P).reshape(-1), (l * x).reshape(S * B, N * D))
    return PositionTrace(sentence=sentence, l=l, m=summed[: P * B].reshape(P, B, N, D))


def _counted(sentence, places):
    """(j, J), (S, B) each: the how manyth word of its sentence a word is, and how many words that has; 1 for none."""
    xp = array_module(sentence)
    within = sentence == xp.arange(places)[:, None, None]  # (P, S, B)
    j = (within * within.cumsum(axis=1)).sum(axis=0)
    J = (within * within.sum(axis=1, keepdims=True)).sum(axis=0)
    return xp.maximum(j, 1), xp.maximum(J, 1)


def _rows(sentence, places):
    """(S, B): the row of each word's sentence among all P * B; the row behind them for a word of none."""
    xp, B = array_module(sentence), sentence.shape[1]
    return xp.where(sentence >= 0, sentence * B + xp.arange(B), places * B)
