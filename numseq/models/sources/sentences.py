"""Sentences as vectors: a source line is cut where its separator stands, and each sentence is the sum of its words.

    x_s = [position_encoding(W_0[words of s]); ...; position_encoding(W_K[words of s])]

A word has K + 1 vectors, side by side in a row of one matrix: the memory of hop k is addressed by vector k - 1, and
gives vector k (`numseq.layers.hops`). Only the last sentences are kept, as many as the memory has places for and one
more, the question.

Source: Sukhbaatar et al. 2015, sections 2.2 and 4.1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numseq.backend import Array, DType, Generator, array_module
from numseq.data.tokens import PAD
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding, init_embedding
from numseq.layers.position_encoding import PositionTrace, position_encoding
from numseq.models.noise import Draws
from numseq.record import Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig

SCALE = 0.1  # of first values, as in the paper: sums of words meet as dot products, which must not saturate a softmax


@dataclass(slots=True)
class SentencesTrace(Trace):
    """What was looked up, dropped and summed: x (P, B, (K + 1) E), a place for each sentence, where mask (P, B) is
    True."""

    embedding: EmbeddingTrace
    dropout: DropoutTrace
    summed: PositionTrace
    mask: Array

    @property
    def x(self) -> Array:
        m = self.summed.m
        return m.reshape(*m.shape[:2], -1)

    def backward(self, dx: Array) -> EmbeddingParams:
        """The gradient of the parameters, EmbeddingParams."""
        dwords = self.summed.backward(dx.reshape(self.summed.m.shape)).dx
        return self.embedding.backward(self.dropout.backward(dwords.reshape(self.dropout.y.shape)).dx).params


class SentenceSource:
    """Sentences of source tokens; see `numseq.models.seq2seq` for what a source offers."""

    def __init__(self, config: "Seq2SeqConfig"):
        self.config, self.vectors = config, config.encoder_hops + 1

    def init(self, rng: Generator, dtype: DType) -> EmbeddingParams:
        """First values, EmbeddingParams."""
        config, size = self.config, self.vectors * self.config.embedding
        return init_embedding(rng, config.source_vocabulary, size, dtype, config.initializer, SCALE)

    def draw(self, draws: Draws, steps: int, batch: int, params: EmbeddingParams) -> Array | None:
        """A dropout mask, (steps, batch, (K + 1) E) or with 1 for some of these, or None."""
        return draws.tokens(steps, batch, self.vectors * self.config.embedding)

    def forward(
        self, ids: Array, mask: Array | None, params: EmbeddingParams, noise: Array | None = None
    ) -> SentencesTrace:
        """ids, (S, B) integers; mask, (S, B) True where a token is real, or None; params: EmbeddingParams; noise: from
        `draw`, or None. Returns: a SentencesTrace."""
        config, xp = self.config, array_module(ids)
        sentence, counts = sentences(ids, mask, config.separator)
        most = min(config.sentences + 1, len(ids))
        if xp is np:  # no more places than needed; a GPU is not waited for, and has room for all there could be
            most = min(most, max(1, int(counts.max(initial=0))))
        sentence = xp.maximum(sentence - xp.maximum(counts - most, 0), -1)  # the oldest are forgotten
        found = embedding(ids, params, padding_id=PAD)
        dropped = dropout(found.y, noise)
        words = dropped.y.reshape(*ids.shape, self.vectors, config.embedding)
        return SentencesTrace(
            embedding=found,
            dropout=dropped,
            summed=position_encoding(words, sentence, most),
            mask=xp.arange(most)[:, None] < counts,
        )


def sentences(ids: Array, mask: Array | None, separator: int) -> tuple[Array, Array]:
    """Which sentence each token is of, (S, B), from 0, and -1 for padding and separators; and how many there are, (B,).

    A sentence begins with a token before which there is a separator, or nothing. So separators may begin the line, end
    it, and stand side by side.

    Args: ids, (S, B) integers. mask, (S, B) True where a token is real, or None.
    """
    xp = array_module(ids)
    word = (ids != separator) if mask is None else (ids != separator) & mask
    before = xp.concatenate([xp.zeros_like(word[:1]), word[:-1]])
    number = xp.cumsum(word & ~before, axis=0)
    return xp.where(word, number - 1, -1), number[-1]
