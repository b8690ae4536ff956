"""The plain decoder: all that it sees of the source is the encoder's final h and c, its own first state.

    y          = dropout(W_embedding[ids of the previous target tokens])
    h_t, c_t   = stack of LSTMs over y_t, from the encoder's final states
    logits_t   = dropout(h_t) W_o + b_o

Source: Sutskever, Vinyals & Le 2014, section 2; Cho et al. 2014 (who show the vector to every step as well).
"""

from dataclasses import dataclass
from typing import Any

from numseq.data.tokens import PAD
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding, init_embedding
from numseq.layers.linear import LinearParams, LinearTrace, init_linear, linear
from numseq.layers.lstm import LSTMParams, init_lstm
from numseq.layers.stack import StackTrace, stack
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class PlainParams:
    embedding: EmbeddingParams  # (V, E)
    rnn: list[LSTMParams]  # one per layer
    readout: LinearParams  # (H, V)


@dataclass(slots=True)
class DecoderGrad:
    """Gradients of what a decoder took: its parameters, and of the encoder the states and the final states."""

    params: Any
    dstates: Array | None  # (S, B, C)
    dh_T: Array
    dc_T: Array


@dataclass(slots=True)
class PlainTrace(Trace):
    """What `decode` computed, part by part; logits (T, B, V)."""

    alpha = None  # this decoder attends to nothing
    embedding: EmbeddingTrace
    dropout: DropoutTrace
    rnn: StackTrace
    readout_dropout: DropoutTrace
    readout: LinearTrace

    @property
    def logits(self):
        return self.readout.y

    def backward(self, dlogits):
        """Each part in turn, last first; the gradient of the first states is that of the encoder's final ones."""
        readout = self.readout.backward(dlogits)
        rnn = self.rnn.backward(self.readout_dropout.backward(readout.dx).dx)
        dx = self.dropout.backward(rnn.dx).dx
        params = PlainParams(self.embedding.backward(dx).params, rnn.params, readout.params)
        return DecoderGrad(params, dstates=None, dh_T=rnn.dh0, dc_T=rnn.dc0)


class PlainDecoder:
    """The plain decoder's functions; see `numseq.models.seq2seq` for what a decoder offers."""

    @staticmethod
    def init(rng, config, dtype):
        """First values."""
        sizes = [config.embedding] + [config.hidden] * (config.layers - 1)
        return PlainParams(
            embedding=init_embedding(rng, config.target_vocabulary, config.embedding, dtype),
            rnn=[init_lstm(rng, size, config.hidden, dtype) for size in sizes],
            readout=init_linear(rng, config.hidden, config.target_vocabulary, dtype),
        )

    @staticmethod
    def decode(ids, source, source_mask, params, masks, cell):
        """All T steps on the given previous tokens (T, B); source is the encoder's StackTrace."""
        return _read(ids, source.h_T, source.c_T, params, masks, cell)

    @staticmethod
    def start(source, source_mask, params):
        """(memory, first state) for decoding step by step: there is no memory, the state is (h, c) of each layer."""
        return None, [(h, c) for h, c in zip(source.h_T, source.c_T, strict=True)]

    @staticmethod
    def step(ids, state, memory, params, cell):
        """One step on the previous tokens (B,): logits (B, V), the next state, and no attention weights."""
        h0, c0 = ([layer[k] for layer in state] for k in (0, 1))
        trace = _read(ids[None], h0, c0, params, {}, cell)
        return trace.logits[0], list(zip(trace.rnn.h_T, trace.rnn.c_T, strict=True)), None


def _read(ids, h0, c0, params, masks, cell):
    embedded = embedding(ids, params.embedding, PAD)
    x = dropout(embedded.y, masks.get("target"))
    rnn = stack(x.y, h0, c0, params.rnn, dropout_masks=masks.get("decoder"), cell=cell)
    features = dropout(rnn.h, masks.get("readout"))
    return PlainTrace(embedded, x, rnn, features, linear(features.y, params.readout))
