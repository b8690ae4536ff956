"""The attention decoder in the order of Bahdanau: look with the state before the step, then step.

    h_{-1}, c_{-1} = bridge(encoder's final states), for each layer
    y          = dropout(W_embedding[ids of the previous target tokens])
    context_t  = attention(query = h_{t-1}, keys = values = encoder states)
    h_t, c_t   = step of the cell on a_t = y_t W_x + context_t W_context + h_{t-1} W_h + b
    r_t        = tanh([h_t; context_t] W_r + b_r)        what was said so far meets where we look (`models/readout.py`)

What the context adds to a_t is not normalised by a cell that normalises y_t W_x (`lstm-layernorm`).

With several layers, the query is the state of the lowest, and the others follow on its outputs. So only one layer waits
for the attention, and the others run over all T steps at once.

Source: Bahdanau, Cho & Bengio 2015, section 3.1 (query h_{t-1}, context to the cell and to the readout) and appendix
A.2. Query from the lowest layer: Wu et al. 2016, section 3.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module, asarray
from numseq.data.tokens import PAD
from numseq.layers.attention import Attention, AttentionStep
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding
from numseq.layers.linear import LinearParams, rows
from numseq.layers.recurrent import Unroll, drop_weights
from numseq.layers.stack import StackTrace, stack
from numseq.models.bridge import BridgeParams, BridgeTrace, bridge, init_bridge
from numseq.models.parts import attention_of, init_attention_of
from numseq.models.plain import DecoderGrad, by_kind, init_target, states_of
from numseq.models.readout import Features, FeaturesStep, init_readout
from numseq.params import common_dtype
from numseq.record import Trace, gather

Array = Any


@dataclass(slots=True)
class AttentiveParams:
    embedding: EmbeddingParams  # (V, E)
    bridge: list[BridgeParams]  # one per layer
    attention: Any  # queries (H), keys and values (H)
    rnn: Any  # the lowest layer
    W_context: Array  # (H, G), to the pre-activations that W_h leads to
    upper: list  # the layers above it
    combine: LinearParams | None  # to r; None when the readout is linear
    readout: LinearParams  # (R, V)

    def cells(self):
        """The parameters of all layers, the lowest first."""
        return [self.rnn, *self.upper]


@dataclass(slots=True)
class AttentiveTrace(Trace):
    """What `decode` computed, part by part; r (T, B, R), alpha (T, B, S)."""

    params: AttentiveParams
    embedding: EmbeddingTrace
    dropout: DropoutTrace
    bridge: BridgeTrace
    attention: Attention
    looks: AttentionStep  # all T looks at the source
    weight_drop: DropoutTrace | None
    run: Unroll  # the lowest layer
    upper_dropout: DropoutTrace | None
    upper: StackTrace | None
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
        """Readout, upper layers, then step by step back through the lowest layer and the attention.

        h_{t-1} is read three times: by r_{t-1} (or the layer above), by step t as its state, and by the attention as
        its query. The context is read twice: by step t, and by r_t.

        Args: dr, (T, B, R). dalpha, (T, B, S), from whoever else read the weights, or None.
        Returns: a DecoderGrad.
        """
        xp, params, run, attention = array_module(dr), self.params, self.run, self.attention
        grad, (dh, dcontext, dy) = self.features.step_backward(self.read, dr)
        upper = self.upper.backward(dh) if self.upper else None
        if upper:
            dh = self.upper_dropout.backward(upper.dx).dx

        da, sums = xp.empty_like(run.a), attention.sums()
        G = params.W_context.shape[1]
        looks = [None] * len(da)
        dstate = tuple(xp.zeros_like(now[0]) for now in run.now)
        dcarried = tuple(xp.zeros_like(part) for part in attention.first())
        for t in reversed(run.order):
            dprev = run.step_backward(t, (dh[t] + dstate[0], *dstate[1:]), da[t])
            dcontext_t = da[t, :, :G] @ params.W_context.T
            if dcontext is not None:
                dcontext_t += dcontext[t]
            dalpha_t = None if dalpha is None else dalpha[t]
            looks[t], dcarried = attention.step_backward(self.looks[t], dcontext_t, sums, dalpha_t, dcarried)
            dstate = (dprev[0] + looks[t].dquery, *dprev[1:])

        look = attention.after(self.looks, gather(looks), sums)
        dx, rnn = run.cell.after(self.dropout.y, run.kept, run.steps, run.prev, da, params.rnn)
        if self.weight_drop:
            rnn.W_h = self.weight_drop.backward(rnn.W_h).dx
        dh0, *dc0 = ([d] for d in dstate)
        if upper:
            dh0 = [*dh0, *upper.dh0]
            dc0 = [[*dc0[0], *upper.dc0]] if dc0 else []
        dh_T, dc_T, dbridge = self.bridge.backward(dh0, dc0[0] if dc0 else None)
        dy = dx if dy is None else dx + dy
        dparams = AttentiveParams(
            embedding=self.embedding.backward(self.dropout.backward(dy).dx).params,
            bridge=dbridge,
            attention=look.params,
            rnn=rnn,
            W_context=rows(self.looks.context).T @ rows(da[..., :G]),
            upper=upper.params if upper else [],
            combine=self.features.after(self.read, grad),
            readout=None,
        )
        return DecoderGrad(dparams, dstates=look.dkeys + look.dvalues, dh_T=dh_T, dc_T=dc_T)


def start_attending(config, source, source_mask, params):
    """(memory, first state) for decoding step by step, of every decoder that attends: the attention; the states of each
    layer, and last what the attention carries."""
    attention = attention_of(config)(source.h, source.h, params.attention, source_mask)
    first = bridge(source.h_T, source.c_T, params.bridge)
    return attention, [*states_of(first.h0, first.c0), attention.first()]


@dataclass(frozen=True)
class AttentiveDecoder:
    """The attention decoder in the order of Bahdanau; see `numseq.models.seq2seq` for what a decoder offers."""

    config: Any
    cell: Any

    def init(self, rng, dtype):
        """First values."""
        config, H = self.config, self.config.hidden
        first = init_target(rng, config, dtype)
        bridges = init_bridge(rng, config, self.cell.states, dtype)
        attention = init_attention_of(config, rng, dtype)
        rnn = self.cell.init(rng, config.embedding, H, dtype, config.initial)
        G = rnn.W_h.shape[1]
        return AttentiveParams(
            embedding=first,
            bridge=bridges,
            attention=attention,
            rnn=rnn,
            W_context=asarray(config.initial.matrix(rng, H, G), dtype),
            upper=[self.cell.init(rng, H, H, dtype, config.initial) for _ in range(config.layers - 1)],
            combine=Features.init(rng, config, dtype),
            readout=init_readout(rng, config, dtype),
        )

    def decode(self, ids, source, source_mask, params, masks):
        """All T steps on the given previous tokens (T, B); source is the encoder's StackTrace."""
        attention = attention_of(self.config)(source.h, source.h, params.attention, source_mask)
        first = bridge(source.h_T, source.c_T, params.bridge)
        states = states_of(first.h0, first.c0)
        return self._read(ids, attention, first, states, attention.first(), params, masks)

    def start(self, source, source_mask, params):
        """(memory, first state) for decoding step by step; see `start_attending`."""
        return start_attending(self.config, source, source_mask, params)

    def step(self, ids, state, memory, params, masks):
        """One step on the previous tokens (B,): r (B, R), the next state, attention weights (B, S)."""
        *states, carried = state
        trace = self._read(ids[None], memory, None, states, carried, params, masks)
        states = [trace.run.final()]
        if trace.upper:
            states += states_of(trace.upper.h_T, trace.upper.c_T)
        return trace.r[0], [*states, memory.carry(trace.looks[0])], trace.alpha[0]

    def _read(self, ids, attention, first, states, carried, params, masks):
        """The equations of the module, for the T previous tokens in ids (T, B), from the states of each layer and what
        the attention carries."""
        common_dtype(states, params)
        embedded = embedding(ids, params.embedding, PAD)
        y = dropout(embedded.y, masks.get("target"))
        none = [None] * self.config.layers
        zoneout, weights = masks.get("decoder_zoneout", none), masks.get("decoder_weights", none)
        dropped, lowest = drop_weights(params.rnn, weights[0])
        run = Unroll(self.cell, self.cell.before(y.y, params.rnn), states[0], lowest, zoneout=zoneout[0])
        looks, G = attention.storage(query=run.prev[0]), params.W_context.shape[1]
        for t in run.order:
            look = attention.step(run.prev[0][t], looks[t], carried)
            carried = attention.carry(look)
            run.a[t, :, :G] += look.context @ params.W_context
            run.step(t)

        h, upper_dropout, upper = run.now[0], None, None
        if params.upper:
            between = masks.get("decoder", none)
            upper_dropout = dropout(h, between[0])
            upper = stack(
                upper_dropout.y, *by_kind(states[1:]), params.upper, dropout_masks=between[1:], cell=self.cell,
                residual=self.config.residual, zoneout=zoneout[1:], weight_masks=weights[1:],
            )  # fmt: skip
            h = upper.h
        features = Features(self.config, params.combine)
        return AttentiveTrace(
            params, embedded, y, first, attention, looks, dropped, run, upper_dropout, upper, features,
            features.step(h, looks.context, y.y),
        )  # fmt: skip
