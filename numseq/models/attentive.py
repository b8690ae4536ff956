"""The attention decoder: before every step it looks at all encoder states and takes a weighted mean of them.

    h_{-1}     = tanh([h ahead; h back] W_h + b_h)                 bridge: from the encoder's final states to the
    c_{-1}     = [c ahead; c back] W_c + b_c                       decoder's first, for each layer
    y          = dropout(W_embedding[ids of the previous target tokens])
    context_t  = attention(query = h_{t-1}, values = encoder states)
    h_t, c_t   = LSTM step on a_t = y_t W_x + context_t W_context + h_{t-1} W_h + b
    r_t        = tanh([h_t; context_t] W_r + b_r)                  readout: what was said so far meets where we look
    logits_t   = dropout(r_t) W_o + b_o

With several layers, the query is the state of the lowest, and the others follow on its outputs. So only one layer waits
for the attention, and the others run over all T steps at once.

Source: Bahdanau, Cho & Bengio 2015, section 3.1 (query h_{t-1}, context to the cell and to the readout) and appendix
A.2; there a GRU, and maxout in place of the tanh of r_t, which is Luong, Pham & Manning 2015, equation 5. Query from
the lowest layer: Wu et al. 2016, section 3.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module, asarray
from numseq.data.tokens import PAD
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.attention import AdditiveAttention, AttentionParams, AttentionStep, init_attention
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingParams, EmbeddingTrace, embedding, init_embedding
from numseq.layers.init import glorot
from numseq.layers.linear import LinearParams, LinearTrace, init_linear, linear, rows
from numseq.layers.lstm import LSTMParams, init_lstm
from numseq.layers.recurrent import Unroll
from numseq.layers.stack import StackTrace, stack
from numseq.models.plain import DecoderGrad
from numseq.params import common_dtype
from numseq.record import Trace, gather

Array = Any


@dataclass(slots=True)
class BridgeParams:
    h: LinearParams  # (H, H)
    c: LinearParams  # (H, H)


@dataclass(slots=True)
class AttentiveParams:
    embedding: EmbeddingParams  # (V, E)
    bridge: list[BridgeParams]  # one per layer
    attention: AttentionParams  # queries (H), values (H)
    rnn: LSTMParams  # the lowest layer
    W_context: Array  # (H, 4H)
    upper: list[LSTMParams]  # the layers above it
    combine: LinearParams  # (2H, H), to r
    readout: LinearParams  # (H, V)


@dataclass(slots=True)
class BridgeTrace(Trace):
    """The decoder's first states h0, c0, lists of (B, H), one per layer, and how they came from the encoder's last."""

    h: list[LinearTrace]
    c: list[LinearTrace]
    h0: list[Array]

    @property
    def c0(self):
        return [trace.y for trace in self.c]

    def backward(self, dh0, dc0):
        """Returns dh_T, dc_T (L, 2, B, H / 2) and the gradient of the parameters."""
        h = [trace.backward(tanh_backward(d, h0)) for trace, d, h0 in zip(self.h, dh0, self.h0, strict=True)]
        c = [trace.backward(d) for trace, d in zip(self.c, dc0, strict=True)]
        xp, half = array_module(self.h0[0]), self.h0[0].shape[-1] // 2
        dh_T, dc_T = (
            xp.stack([xp.stack([grad.dx[:, :half], grad.dx[:, half:]]) for grad in grads]) for grads in (h, c)
        )
        return dh_T, dc_T, [BridgeParams(gh.params, gc.params) for gh, gc in zip(h, c, strict=True)]


def bridge(h_T, c_T, params):
    """From the encoder's final states, (L, 2, B, H / 2), to the decoder's first."""
    both = array_module(h_T).concatenate
    h = [linear(both([ahead, back], axis=-1), p.h) for (ahead, back), p in zip(h_T, params, strict=True)]
    c = [linear(both([ahead, back], axis=-1), p.c) for (ahead, back), p in zip(c_T, params, strict=True)]
    return BridgeTrace(h=h, c=c, h0=[tanh(trace.y) for trace in h])


@dataclass(slots=True)
class AttentiveTrace(Trace):
    """What `decode` computed, part by part; logits (T, B, V), alpha (T, B, S)."""

    params: AttentiveParams
    embedding: EmbeddingTrace
    dropout: DropoutTrace
    bridge: BridgeTrace
    attention: AdditiveAttention
    looks: AttentionStep  # all T looks at the source
    run: Unroll  # the lowest layer
    upper_dropout: DropoutTrace | None
    upper: StackTrace | None
    combine: LinearTrace
    r: Array  # (T, B, H)
    readout_dropout: DropoutTrace
    readout: LinearTrace

    @property
    def logits(self):
        return self.readout.y

    @property
    def alpha(self):
        return self.looks.alpha

    def backward(self, dlogits):
        """Readout, upper layers, then step by step back through the lowest layer and the attention.

        h_{t-1} is read three times: by r_{t-1} (or the layer above), by step t as its state, and by the attention as
        its query. The context is read twice: by step t, and by r_t.
        """
        xp, params, run = array_module(dlogits), self.params, self.run
        readout = self.readout.backward(dlogits)
        dr = self.readout_dropout.backward(readout.dx).dx
        combine = self.combine.backward(tanh_backward(dr, self.r))
        H = self.r.shape[-1]
        dh, dcontext = combine.dx[..., :H], combine.dx[..., H:]
        upper = self.upper.backward(dh) if self.upper else None
        if upper:
            dh = self.upper_dropout.backward(upper.dx).dx

        da = xp.empty_like(run.a)
        dkeys = xp.zeros_like(self.attention.keys)
        looks = [None] * len(da)
        dh_next = dc_next = xp.zeros_like(run.now[0][0])
        for t in reversed(run.order):
            dh_prev, dc_next = run.step_backward(t, (dh[t] + dh_next, dc_next), da[t])
            dcontext_t = dcontext[t] + da[t] @ params.W_context.T
            looks[t] = self.attention.step_backward(self.looks[t], dcontext_t, dkeys)
            dh_next = dh_prev + looks[t].dquery

        attention = self.attention.after(self.looks, gather(looks), dkeys)
        dx, rnn = run.cell.after(self.dropout.y, run.prev, da, params.rnn)
        first = ([dh_next], [dc_next])
        if upper:
            first = ([dh_next, *upper.dh0], [dc_next, *upper.dc0])
        dh_T, dc_T, dbridge = self.bridge.backward(*first)
        dparams = AttentiveParams(
            embedding=self.embedding.backward(self.dropout.backward(dx).dx).params,
            bridge=dbridge,
            attention=attention.params,
            rnn=rnn,
            W_context=rows(self.looks.context).T @ rows(da),
            upper=upper.params if upper else [],
            combine=combine.params,
            readout=readout.params,
        )
        return DecoderGrad(dparams, dstates=attention.dvalues, dh_T=dh_T, dc_T=dc_T)


class AttentiveDecoder:
    """The attention decoder's functions; see `numseq.models.seq2seq` for what a decoder offers."""

    @staticmethod
    def init(rng, config, dtype):
        """First values."""
        H = config.hidden
        return AttentiveParams(
            embedding=init_embedding(rng, config.target_vocabulary, config.embedding, dtype),
            bridge=[
                BridgeParams(h=init_linear(rng, H, H, dtype), c=init_linear(rng, H, H, dtype))
                for _ in range(config.layers)
            ],
            attention=init_attention(rng, H, H, config.attention, dtype),
            rnn=init_lstm(rng, config.embedding, H, dtype),
            W_context=asarray(glorot(rng, H, 4 * H), dtype),
            upper=[init_lstm(rng, H, H, dtype) for _ in range(config.layers - 1)],
            combine=init_linear(rng, 2 * H, H, dtype),
            readout=init_linear(rng, H, config.target_vocabulary, dtype),
        )

    @staticmethod
    def decode(ids, source, source_mask, params, masks, cell):
        """All T steps on the given previous tokens (T, B); source is the encoder's StackTrace."""
        attention = AdditiveAttention(source.h, params.attention, source_mask)
        first = bridge(source.h_T, source.c_T, params.bridge)
        return _read(ids, attention, first, first.h0, first.c0, params, masks, cell)

    @staticmethod
    def start(source, source_mask, params):
        """(memory, first state) for decoding step by step: the source with its keys; (h, c) of each layer."""
        first = bridge(source.h_T, source.c_T, params.bridge)
        state = list(zip(first.h0, first.c0, strict=True))
        return AdditiveAttention(source.h, params.attention, source_mask), state

    @staticmethod
    def step(ids, state, memory, params, cell):
        """One step on the previous tokens (B,): logits (B, V), the next state, attention weights (B, S)."""
        h0, c0 = ([layer[k] for layer in state] for k in (0, 1))
        trace = _read(ids[None], memory, None, h0, c0, params, {}, cell)
        state = [trace.run.final()]
        if trace.upper:
            state += zip(trace.upper.h_T, trace.upper.c_T, strict=True)
        return trace.logits[0], state, trace.alpha[0]


def _read(ids, attention, first, h0, c0, params, masks, cell):
    """The equations of the module, for the T previous tokens in ids (T, B), from the states h0, c0 of each layer."""
    common_dtype(h0, c0, params)
    xp = array_module(h0[0])
    embedded = embedding(ids, params.embedding, PAD)
    y = dropout(embedded.y, masks.get("target"))
    run = Unroll(cell, cell.before(y.y, params.rnn), (h0[0], c0[0]), params.rnn)
    looks = attention.storage(query=run.prev[0])
    for t in run.order:
        look = attention.step(run.prev[0][t], looks[t])
        run.a[t] += look.context @ params.W_context
        run.step(t)

    h, upper_dropout, upper = run.now[0], None, None
    if params.upper:
        between = masks.get("decoder") or [None] * len(params.upper)
        upper_dropout = dropout(h, between[0])
        upper = stack(upper_dropout.y, h0[1:], c0[1:], params.upper, dropout_masks=between[1:], cell=cell)
        h = upper.h
    combine = linear(xp.concatenate([h, looks.context], axis=-1), params.combine)
    r = tanh(combine.y)
    readout_dropout = dropout(r, masks.get("readout"))
    readout = linear(readout_dropout.y, params.readout)
    return AttentiveTrace(
        params, embedded, y, first, attention, looks, run, upper_dropout, upper, combine, r, readout_dropout, readout
    )
