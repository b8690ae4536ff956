"""The plain decoder: all that it sees of the source is the encoder's final states, its own first ones.

    y          = dropout(W_embedding[ids of the previous target tokens])
    h_t, c_t   = stack of cells over y_t, from the encoder's final states
    r_t        = h_t, or a hidden layer on it (see `numseq.models.readout`)

Source: Sutskever, Vinyals & Le 2014, section 2; Cho et al. 2014 (who show the vector to every step as well).
"""

from dataclasses import dataclass
from typing import Any

from numseq.data.tokens import PAD
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding, init_embedding
from numseq.layers.linear import LinearParams
from numseq.layers.stack import StackTrace, stack
from numseq.models.readout import Features, FeaturesStep, init_readout
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class PlainParams:
    embedding: EmbeddingParams  # (V, E)
    rnn: list  # one per layer
    combine: LinearParams | None  # to r; None when the readout is linear
    readout: LinearParams  # (R, V)

    def cells(self):
        """The parameters of all layers, the lowest first."""
        return self.rnn


@dataclass(slots=True)
class DecoderGrad:
    """Gradients of what a decoder took: its parameters, and of the encoder the states and the final states."""

    params: Any
    dstates: Array | None  # (S, B, C)
    dh_T: Array
    dc_T: Array | None


@dataclass(slots=True)
class PlainTrace(Trace):
    """What `decode` computed, part by part; r (T, B, R)."""

    alpha = None  # this decoder attends to nothing
    embedding: EmbeddingTrace
    dropout: DropoutTrace
    rnn: StackTrace
    features: Features
    read: FeaturesStep  # the readout's hidden layer, all T steps

    @property
    def r(self):
        """What meets the output matrix, (T, B, R)."""
        return self.read.r

    def backward(self, dr, dalpha=None):
        """Each part in turn, last first; the gradient of the first states is that of the encoder's final ones."""
        grad, (dh, _, dy) = self.features.step_backward(self.read, dr)
        rnn = self.rnn.backward(dh)
        dy = rnn.dx if dy is None else rnn.dx + dy
        dembedding = self.embedding.backward(self.dropout.backward(dy).dx).params
        params = PlainParams(dembedding, rnn.params, self.features.after(self.read, grad), readout=None)
        return DecoderGrad(params, dstates=None, dh_T=rnn.dh0, dc_T=rnn.dc0)


@dataclass(frozen=True)
class PlainDecoder:
    """The plain decoder; see `numseq.models.seq2seq` for what a decoder offers."""

    config: Any
    cell: Any

    def init(self, rng, dtype):
        """First values."""
        config = self.config
        sizes = [config.embedding] + [config.hidden] * (config.layers - 1)
        return PlainParams(
            embedding=init_target(rng, config, dtype),
            rnn=[self.cell.init(rng, size, config.hidden, dtype, config.initial) for size in sizes],
            combine=Features.init(rng, config, dtype),
            readout=init_readout(rng, config, dtype),
        )

    def decode(self, ids, source, source_mask, params, masks):
        """All T steps on the given previous tokens (T, B); source is the encoder's StackTrace."""
        return self._read(ids, source.h_T, source.c_T, params, masks)

    def start(self, source, source_mask, params):
        """(memory, first state) for decoding step by step: there is no memory, the state is (h, c) of each layer."""
        return None, states_of(source.h_T, source.c_T)

    def step(self, ids, state, memory, params, masks):
        """One step on the previous tokens (B,): r (B, R), the next state, and no attention weights."""
        trace = self._read(ids[None], *by_kind(state), params, masks)
        return trace.r[0], states_of(trace.rnn.h_T, trace.rnn.c_T), None

    def _read(self, ids, h0, c0, params, masks):
        embedded = embedding(ids, params.embedding, PAD)
        y = dropout(embedded.y, masks.get("target"))
        rnn = stack(
            y.y, h0, c0, params.rnn, dropout_masks=masks.get("decoder"), cell=self.cell, residual=self.config.residual,
            zoneout=masks.get("decoder_zoneout"), weight_masks=masks.get("decoder_weights"),
        )  # fmt: skip
        features = Features(self.config, params.combine)
        return PlainTrace(embedded, y, rnn, features, features.step(rnn.h, None, y.y))


def states_of(h, c):
    """[(h, c) of each layer], or [(h,)]; c is None for a cell without c."""
    return [(layer,) for layer in h] if c is None else list(zip(h, c, strict=True))


def by_kind(states):
    """(h of all layers, c of all layers or None): the other way round."""
    h, *c = zip(*states, strict=True)
    return h, c[0] if c else None


def init_target(rng, config, dtype):
    """First values of the target's embedding. One that is the output matrix too must not give scores of size sqrt(E),
    so its rows have length 1."""
    scale = 1.0 if config.tied == "none" else config.embedding**-0.5
    return init_embedding(rng, config.target_vocabulary, config.embedding, dtype, config.initial, scale)
