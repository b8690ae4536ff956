"""The attention decoder in the order of Luong: step first, then look with the state after the step.

    h_{-1}, c_{-1} = bridge(encoder's final states), for each layer
    y          = dropout(W_embedding[ids of the previous target tokens])
    h_t, c_t   = stack of cells over y_t
    context_t  = attention(query = h_t of the top layer, keys = values = encoder states)
    r_t        = tanh([h_t; context_t] W_r + b_r)        the attentional vector (see `numseq.models.readout`)

No step waits for the attention, so the cells run over all T steps and then, with dot products, all T queries meet the
source at once. That is also what it gives up: what was looked at does not reach the next step, unless it is fed back
(see `numseq.models.feeding`).

Source: Luong, Pham & Manning 2015, section 3.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import asarray
from numseq.data.tokens import PAD
from numseq.layers.attention import AttentionTrace, attend
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding
from numseq.layers.linear import LinearParams
from numseq.layers.stack import StackTrace, stack
from numseq.models.attentive import start_attending
from numseq.models.bridge import BridgeParams, BridgeTrace, bridge, init_bridge
from numseq.models.parts import attention_of, init_attention_of
from numseq.models.plain import DecoderGrad, by_kind, init_target, states_of
from numseq.models.readout import Features, FeaturesStep, init_readout
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class LuongParams:
    embedding: EmbeddingParams  # (V, E)
    bridge: list[BridgeParams]  # one per layer
    rnn: list  # one per layer
    W_feed: Array | None  # (R, G), from r_{t-1} to the lowest layer; None without input feeding
    attention: Any  # queries (H), keys and values (H)
    combine: LinearParams | None  # to r; None when the readout is linear
    readout: LinearParams  # (R, V)

    def cells(self):
        """The parameters of all layers, the lowest first."""
        return self.rnn


@dataclass(slots=True)
class LuongTrace(Trace):
    """What `decode` computed, part by part; r (T, B, R), alpha (T, B, S)."""

    embedding: EmbeddingTrace
    dropout: DropoutTrace
    bridge: BridgeTrace
    rnn: StackTrace
    looks: AttentionTrace
    features: Features
    read: FeaturesStep  # the readout's hidden layer, all T steps

    @property
    def r(self):
        """What meets the output matrix, (T, B, R)."""
        return self.read.r

    @property
    def alpha(self):
        return self.looks.alpha

    def backward(self, dr, dalpha=None):
        """Each part in turn, last first. h_t is read twice: by r_t, and by the attention as its query.

        Args: dr, (T, B, R). dalpha, (T, B, S), from whoever else read the weights, or None.
        Returns: a DecoderGrad.
        """
        grad, (dh, dcontext, dy) = self.features.step_backward(self.read, dr)
        look = self.looks.backward(dcontext, dalpha)
        rnn = self.rnn.backward(dh + look.dquery)
        dh_T, dc_T, dbridge = self.bridge.backward(rnn.dh0, rnn.dc0)
        dy = rnn.dx if dy is None else rnn.dx + dy
        dparams = LuongParams(
            embedding=self.embedding.backward(self.dropout.backward(dy).dx).params,
            bridge=dbridge,
            rnn=rnn.params,
            W_feed=None,
            attention=look.params,
            combine=self.features.after(self.read, grad),
            readout=None,
        )
        return DecoderGrad(dparams, dstates=look.dkeys + look.dvalues, dh_T=dh_T, dc_T=dc_T)


@dataclass(frozen=True)
class LuongDecoder:
    """The attention decoder in the order of Luong; see `numseq.models.seq2seq` for what a decoder offers."""

    config: Any
    cell: Any

    def init(self, rng, dtype):
        """First values, also of a decoder with input feeding."""
        config, H = self.config, self.config.hidden
        first = init_target(rng, config, dtype)
        bridges = init_bridge(rng, config, self.cell.states, dtype)
        rnn = [
            self.cell.init(rng, size, H, dtype, config.initial)
            for size in [config.embedding] + [H] * (config.layers - 1)
        ]
        feed = (
            asarray(config.initial.matrix(rng, config.features, rnn[0].W_h.shape[1]), dtype)
            if config.input_feeding
            else None
        )
        attention = init_attention_of(config, rng, dtype)
        combine, readout = Features.init(rng, config, dtype), init_readout(rng, config, dtype)
        return LuongParams(first, bridges, rnn, feed, attention, combine, readout)

    def decode(self, ids, source, source_mask, params, masks):
        """All T steps on the given previous tokens (T, B); source is the encoder's StackTrace."""
        attention = attention_of(self.config)(source.h, source.h, params.attention, source_mask)
        first = bridge(source.h_T, source.c_T, params.bridge)
        embedded, y, rnn = self._run(ids, first.h0, first.c0, params, masks)
        looks, features = attend(attention, rnn.h), Features(self.config, params.combine)
        return LuongTrace(embedded, y, first, rnn, looks, features, features.step(rnn.h, looks.context, y.y))

    def start(self, source, source_mask, params):
        """(memory, first state) for decoding step by step; see `start_attending`."""
        return start_attending(self.config, source, source_mask, params)

    def step(self, ids, state, memory, params, masks):
        """One step on the previous tokens (B,): r (B, R), the next state, attention weights (B, S)."""
        *states, carried = state
        _, y, rnn = self._run(ids[None], *by_kind(states), params, masks)
        look = memory.step(rnn.h[0], None, carried)
        read = Features(self.config, params.combine).step(rnn.h[0], look.context, y.y[0])
        return read.r, [*states_of(rnn.h_T, rnn.c_T), memory.carry(look)], look.alpha

    def _run(self, ids, h0, c0, params, masks):
        """The embeddings, dropped, and the cells over them."""
        embedded = embedding(ids, params.embedding, PAD)
        y = dropout(embedded.y, masks.get("target"))
        rnn = stack(
            y.y, h0, c0, params.rnn, dropout_masks=masks.get("decoder"), cell=self.cell, residual=self.config.residual,
            zoneout=masks.get("decoder_zoneout"), weight_masks=masks.get("decoder_weights"),
        )  # fmt: skip
        return embedded, y, rnn
