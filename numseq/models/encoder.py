"""The encoder: token ids to one state per source position, and the final states.

    x = dropout(W_embedding[ids])
    states, (h_T, c_T) = stack of cells over x, bidirectional for attention, right to left for the plain model

Reading right to left (Sutskever et al. 2014, section 3.3) puts the first source word next to the first target word.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.data.tokens import PAD
from numseq.layers.bidirectional import BidirectionalParams, init_bidirectional
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding, init_embedding
from numseq.layers.stack import StackTrace, stack
from numseq.models.parts import CELLS
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class EncoderParams:
    embedding: EmbeddingParams | None  # (V, E); None when tied to the target's
    rnn: list  # one per layer: the cell's parameters, or BidirectionalParams


@dataclass(slots=True)
class EncoderTrace(Trace):
    """What `encode` computed, part by part: rnn.h are the states (S, B, H); rnn.h_T and rnn.c_T the final states,
    (L, B, H), or (L, 2, B, H / 2) when bidirectional."""

    embedding: EmbeddingTrace
    dropout: DropoutTrace
    rnn: StackTrace

    def backward(self, dstates, dh_T, dc_T):
        """From the gradients of the states and the final states (None for 0) to that of the parameters; the
        embedding's is there also when it is tied."""
        rnn = self.rnn.backward(dstates, dh_T, dc_T)
        dx = self.dropout.backward(rnn.dx).dx
        return EncoderParams(embedding=self.embedding.backward(dx).params, rnn=rnn.params)


def encode(ids, mask, params, config, masks=None, cell=None, shared=None):
    """Read the source.

    Args: ids, (S, B) integers. mask, (S, B) True where real. params: EncoderParams. config: Seq2SeqConfig. masks: as
        of `numseq.models.noise`, or None for none. cell: one with another step; None for the configuration's.
        shared: the EmbeddingParams of the target, when tied.
    Returns: an EncoderTrace. Its first states are zero.
    """
    cell, masks = cell or CELLS[config.cell], masks or {}
    embedded = embedding(ids, params.embedding or shared, PAD)
    x = dropout(embedded.y, masks.get("source"))
    h0, c0 = zero_states(params.rnn, cell, ids.shape[1])
    rnn = stack(
        x.y, h0, c0, params.rnn, mask, masks.get("encoder"), not config.attends, cell,
        config.residual, masks.get("encoder_zoneout"), masks.get("encoder_weights"),
    )  # fmt: skip
    return EncoderTrace(embedding=embedded, dropout=x, rnn=rnn)


def zero_states(layers, cell, batch):
    """h0 and c0 of zeros, (L, B, H), or (L, 2, B, H) for bidirectional layers; c0 is None for a cell without c."""
    two_ways = isinstance(layers[0], BidirectionalParams)
    W_h = layers[0].ahead.W_h if two_ways else layers[0].W_h
    directions = (2,) if two_ways else ()
    zeros = array_module(W_h).zeros((len(layers), *directions, batch, len(W_h)), dtype=W_h.dtype)
    return zeros, zeros if "c" in cell.states else None


def init_encoder(rng, config, cell, dtype):
    """First values of an encoder for this configuration."""
    sizes = [config.embedding] + [config.hidden] * (config.layers - 1)
    first = init_embedding(rng, config.source_vocabulary, config.embedding, dtype, config.initial)
    if config.attends:
        rnn = [init_bidirectional(rng, size, config.hidden // 2, dtype, cell, config.initial) for size in sizes]
    else:
        rnn = [cell.init(rng, size, config.hidden, dtype, config.initial) for size in sizes]
    return EncoderParams(embedding=None if config.tied == "all" else first, rnn=rnn)
