"""Tokens as vectors, on the target side: those that were said before each step.

y = dropout(W[ids])
"""

from typing import TYPE_CHECKING

from numseq.backend import Array, DType, Generator, array_module
from numseq.data.kinds import UNK
from numseq.layers.embedding import EmbeddingParams
from numseq.models.sources.tokens import Tokens, TokensTrace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


class TokenTarget(Tokens):
    """Target tokens; see `numseq.models.seq2seq` for what a target offers."""

    def __init__(self, config: "Seq2SeqConfig"):
        super().__init__(config, config.target_vocabulary)

    def init(self, rng: Generator, dtype: DType) -> EmbeddingParams:
        """First values. A matrix that is the output matrix too must not give scores of size sqrt(E), so its rows have
        length 1; so they have where the decoder adds positions, and scales them itself."""
        config, (_, recurrent) = self.config, self.config.recurrent
        usual = recurrent and config.tied == "none"
        return super().init(rng, dtype, scale=1.0 if usual else config.embedding**-0.5)

    def forward(self, ids: Array, params: EmbeddingParams, noise: Array | None = None) -> TokensTrace:
        """ids, (T, B) integers; params: EmbeddingParams; noise: from `draw`, or None. Returns: a TokensTrace.

        A word that was copied and that the vocabulary lacks is read as <unk>.
        """
        if self.config.copies:
            ids = array_module(ids).where(ids < self.vocabulary, ids, UNK)
        return self.look_up(ids, params, noise, mask=None)
