"""Tokens as vectors, on the source side.

x = dropout(W[ids])
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numseq.backend import Array, DType, Generator
from numseq.data.tokens import PAD
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding, init_embedding
from numseq.models.noise import Draws
from numseq.record import Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class TokensTrace(Trace):
    """What was looked up, and dropped: x (T, B, E)."""

    embedding: EmbeddingTrace
    dropout: DropoutTrace
    mask: Array | None = None  # (T, B), of a source: where a token is real; None for everywhere

    @property
    def x(self) -> Array:
        return self.dropout.y

    def backward(self, dx: Array) -> EmbeddingParams:
        """The gradient of the parameters, EmbeddingParams."""
        return self.embedding.backward(self.dropout.backward(dx).dx).params


class Tokens:
    """What sources and targets of tokens share. vocabulary: how many there are."""

    def __init__(self, config: "Seq2SeqConfig", vocabulary: int):
        self.config, self.vocabulary = config, vocabulary

    def init(self, rng: Generator, dtype: DType, scale: float = 1.0) -> EmbeddingParams:
        """First values, EmbeddingParams."""
        config = self.config
        return init_embedding(rng, self.vocabulary, config.embedding, dtype, config.initializer, scale)

    def draw(self, draws: Draws, steps: int, batch: int, params: EmbeddingParams) -> Array | None:
        """A dropout mask, (steps, batch, E) or with 1 for some of these, or None."""
        return draws.tokens(steps, batch, self.config.embedding)

    def look_up(self, ids: Array, params: EmbeddingParams, noise: Array | None, mask: Array | None) -> TokensTrace:
        """ids, (T, B) integers; params: EmbeddingParams; noise: from `draw`, or None; mask, (T, B). Returns: a
        TokensTrace."""
        found = embedding(ids, params, padding_id=PAD)
        return TokensTrace(found, dropout(found.y, noise), mask)


class TokenSource(Tokens):
    """Source tokens; see `numseq.models.seq2seq` for what a source offers."""

    def __init__(self, config: "Seq2SeqConfig"):
        super().__init__(config, config.source_vocabulary)

    def init(self, rng: Generator, dtype: DType) -> EmbeddingParams:
        """First values. Rows have length 1 where the encoder adds positions, and scales them itself."""
        recurrent, _ = self.config.recurrent
        return super().init(rng, dtype, 1.0 if recurrent else self.config.embedding**-0.5)

    def forward(
        self, ids: Array, mask: Array | None, params: EmbeddingParams, noise: Array | None = None
    ) -> TokensTrace:
        """ids, (S, B) integers; mask, (S, B) True where a token is real, or None; params: EmbeddingParams; noise: from
        `draw`, or None. Returns: a TokensTrace."""
        return self.look_up(ids, params, noise, mask)
