"""The encoder: token ids to one state per source position, and the final states.

    x = dropout(W_embedding[ids])
    states, (h_T, c_T) = stack of LSTMs over x, bidirectional for attention, right to left for the plain model

Reading right to left (Sutskever et al. 2014, section 3.3) puts the first source word next to the first target word.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.data.tokens import PAD
from numseq.layers.bidirectional import BiLSTMParams, init_bilstm
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding, init_embedding
from numseq.layers.lstm import STANDARD, LSTMParams, init_lstm
from numseq.layers.stack import StackTrace, stack
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class EncoderParams:
    embedding: EmbeddingParams  # (V, E)
    rnn: list[LSTMParams | BiLSTMParams]  # one per layer


@dataclass(slots=True)
class EncoderTrace(Trace):
    """What `encode` computed, part by part: rnn.h are the states (S, B, H); rnn.h_T and rnn.c_T the final states,
    (L, B, H), or (L, 2, B, H / 2) when bidirectional."""

    embedding: EmbeddingTrace
    dropout: DropoutTrace
    rnn: StackTrace

    def backward(self, dstates, dh_T, dc_T):
        """From the gradients of the states and the final states (None for 0) to that of the parameters."""
        rnn = self.rnn.backward(dstates, dh_T, dc_T)
        dx = self.dropout.backward(rnn.dx).dx
        return EncoderParams(embedding=self.embedding.backward(dx).params, rnn=rnn.params)


def encode(ids, mask, params, dropout_masks=None, cell=STANDARD):
    """Read the source.

    Args: ids, (S, B) integers. mask, (S, B) True where real. params: EncoderParams. dropout_masks: a dict with
        "source" (S, B, E) and "encoder" (L - 1 masks between layers), or None in evaluation. cell: as of `lstm`.
    Returns: an EncoderTrace. Its first states are zero.
    """
    masks = dropout_masks or {}
    xp = array_module(params.embedding.W)
    embedded = embedding(ids, params.embedding, PAD)
    x = dropout(embedded.y, masks.get("source"))
    first = zero_states(xp, params.rnn, ids.shape[1])
    one_way = isinstance(params.rnn[0], LSTMParams)
    rnn = stack(x.y, first, first, params.rnn, mask, masks.get("encoder"), one_way, cell)
    return EncoderTrace(embedding=embedded, dropout=x, rnn=rnn)


def zero_states(xp, layers, batch):
    """Zeros of the shape (L, B, H), or (L, 2, B, H) for bidirectional layers."""
    two_ways = isinstance(layers[0], BiLSTMParams)
    W_h = layers[0].ahead.W_h if two_ways else layers[0].W_h
    directions = (2,) if two_ways else ()
    return xp.zeros((len(layers), *directions, batch, len(W_h)), dtype=W_h.dtype)


def init_encoder(rng, config, dtype):
    """First values of an encoder for this configuration."""
    two_ways = config.model == "attention"
    init, hidden = (init_bilstm, config.hidden // 2) if two_ways else (init_lstm, config.hidden)
    sizes = [config.embedding] + [config.hidden] * (config.layers - 1)
    return EncoderParams(
        embedding=init_embedding(rng, config.source_vocabulary, config.embedding, dtype),
        rnn=[init(rng, size, hidden, dtype) for size in sizes],
    )
