"""Input feeding: the decoder in the order of Luong, which is told at each step what it said at the last one.

    a_t = y_t W_x + r_{t-1} W_feed + h_{t-1} W_h + b      of the lowest layer; r_{-1} = 0
    the rest as in `numseq.models.luong`

So the choice of where to look can take the earlier choices into account. (What r adds is not normalised by
`lstm-layernorm`, as little as a context.) The price: every layer waits for the step
before it to be finished, attention and readout included.

Source: Luong, Pham & Manning 2015, section 3.3.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.data.tokens import PAD
from numseq.layers.attention import Attention, AttentionStep
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.embedding import EmbeddingTrace, embedding
from numseq.layers.linear import rows
from numseq.layers.recurrent import Unroll, drop_weights
from numseq.models.bridge import BridgeTrace, bridge
from numseq.models.luong import LuongDecoder, LuongParams
from numseq.models.parts import attention_of
from numseq.models.plain import DecoderGrad, states_of
from numseq.models.readout import Features, FeaturesStep
from numseq.record import Trace, gather

Array = Any


@dataclass(slots=True)
class Layer:
    """One layer of the stack, which goes a step at a time."""

    run: Unroll
    x: Array  # its inputs, (T, B, D)
    dropped: Array | None  # dropout mask of the inputs
    around: bool  # whether the input is added to the output
    weight_drop: DropoutTrace | None
    params: Any

    def step(self, t, h):
        """From the output of the layer below (the lowest layer has its inputs already) to its own, (B, H)."""
        if h is not None:
            self.x[t] = h if self.dropped is None else h * self.dropped[t if len(self.dropped) > 1 else 0]
            self.run.a[t] += self.run.cell.before(self.x[t][None], self.params)[0][0]
        self.run.step(t)
        now = self.run.now[0][t]
        return now + self.x[t] if self.around else now

    def step_backward(self, t, dh, dstate, da):
        """Fills da; returns the gradient of the states before."""
        return self.run.step_backward(t, (dh + dstate[0], *dstate[1:]), da)

    def below(self, t, dh, da):
        """The gradient of what the layer below gave at step t."""
        dx = da @ self.params.W_x.T
        if self.around:
            dx += dh
        return dx if self.dropped is None else dx * self.dropped[t if len(self.dropped) > 1 else 0]

    def after(self, da):
        """(dx through the cell, gradient of the parameters), of all steps at once."""
        run = self.run
        dx, dparams = run.cell.after(self.x, run.kept, run.steps, run.prev, da, self.params)
        if self.weight_drop:
            dparams.W_h = self.weight_drop.backward(dparams.W_h).dx
        return dx, dparams


@dataclass(slots=True)
class FeedingTrace(Trace):
    """What `decode` computed, part by part; r (T, B, R), alpha (T, B, S)."""

    params: LuongParams
    embedding: EmbeddingTrace
    dropout: DropoutTrace
    bridge: BridgeTrace
    layers: list[Layer]
    attention: Attention
    looks: AttentionStep
    features: Features
    read: FeaturesStep  # the readout's hidden layer, all T steps
    fed: Array  # r of the step before, (T, B, R)

    @property
    def r(self):
        """What meets the output matrix, (T, B, R)."""
        return self.read.r

    @property
    def alpha(self):
        return self.looks.alpha

    def backward(self, dr, dalpha=None):
        """Step by step back. r_t is read twice: by the output, and by the lowest layer at step t + 1.

        Args: dr, (T, B, R). dalpha, (T, B, S), from whoever else read the weights, or None.
        Returns: a DecoderGrad.
        """
        xp, params, attention, layers = array_module(dr), self.params, self.attention, self.layers
        T, G = len(dr), params.W_feed.shape[1]
        da, sums = [xp.empty_like(layer.run.a) for layer in layers], attention.sums()
        reads, looks, dy, dh_lowest = ([None] * T for _ in range(4))
        dstates = [tuple(xp.zeros_like(now[0]) for now in layer.run.now) for layer in layers]
        dcarried = tuple(xp.zeros_like(part) for part in attention.first())
        dr_next = xp.zeros_like(dr[0])
        for t in reversed(range(T)):
            reads[t], (dh, dcontext, dy[t]) = self.features.step_backward(self.read[t], dr[t] + dr_next)
            dalpha_t = None if dalpha is None else dalpha[t]
            looks[t], dcarried = attention.step_backward(self.looks[t], dcontext, sums, dalpha_t, dcarried)
            dh = dh + looks[t].dquery
            for k in reversed(range(len(layers))):
                dstates[k] = layers[k].step_backward(t, dh, dstates[k], da[k][t])
                if k:
                    dh = layers[k].below(t, dh, da[k][t])
            dh_lowest[t] = dh
            dr_next = da[0][t, :, :G] @ params.W_feed.T

        look = attention.after(self.looks, gather(looks), sums)
        grads = [layer.after(d) for layer, d in zip(layers, da, strict=True)]
        dx = grads[0][0]
        if layers[0].around:
            dx = dx + xp.stack(dh_lowest)
        dh0, *dc0 = zip(*dstates, strict=True)
        dh_T, dc_T, dbridge = self.bridge.backward(dh0, dc0[0] if dc0 else None)
        if dy[0] is not None:
            dx = dx + xp.stack(dy)
        dparams = LuongParams(
            embedding=self.embedding.backward(self.dropout.backward(dx).dx).params,
            bridge=dbridge,
            rnn=[grad for _, grad in grads],
            W_feed=rows(self.fed).T @ rows(da[0][..., :G]),
            attention=look.params,
            combine=None if params.combine is None else self.features.after(self.read, gather(reads)),
            readout=None,
        )
        return DecoderGrad(dparams, dstates=look.dkeys + look.dvalues, dh_T=dh_T, dc_T=dc_T)


@dataclass(frozen=True)
class FeedingDecoder(LuongDecoder):
    """The attention decoder with input feeding; its first values are those of a LuongDecoder."""

    def decode(self, ids, source, source_mask, params, masks):
        """All T steps on the given previous tokens (T, B); source is the encoder's StackTrace."""
        attention = attention_of(self.config)(source.h, source.h, params.attention, source_mask)
        first = bridge(source.h_T, source.c_T, params.bridge)
        r = array_module(source.h).zeros((ids.shape[1], self.config.features), dtype=source.h.dtype)
        return self._read(ids, attention, first, states_of(first.h0, first.c0), attention.first(), r, params, masks)

    def start(self, source, source_mask, params):
        """As of a LuongDecoder; the state ends with r."""
        attention, state = super().start(source, source_mask, params)
        r = array_module(source.h).zeros((source.h.shape[1], self.config.features), dtype=source.h.dtype)
        return attention, [*state, (r,)]

    def step(self, ids, state, memory, params, masks):
        """One step on the previous tokens (B,): r (B, R), the next state, attention weights (B, S)."""
        *states, carried, (r,) = state
        trace = self._read(ids[None], memory, None, states, carried, r, params, masks)
        states = [layer.run.final() for layer in trace.layers]
        return trace.r[0], [*states, memory.carry(trace.looks[0]), (trace.r[0],)], trace.alpha[0]

    def _read(self, ids, attention, first, states, carried, r, params, masks):
        """The equations, for the T previous tokens in ids (T, B)."""
        embedded = embedding(ids, params.embedding, PAD)
        y = dropout(embedded.y, masks.get("target"))
        layers = self._layers(y.y, states, params, masks)
        xp, T, G = array_module(y.y), len(ids), params.W_feed.shape[1]
        looks = attention.storage(query=xp.empty_like(layers[-1].run.now[0]))
        features = Features(self.config, params.combine)
        read, fed = features.storage(y.y), xp.empty((T, *r.shape), dtype=r.dtype)
        for t in range(T):
            fed[t] = r
            layers[0].run.a[t, :, :G] += r @ params.W_feed
            h = None
            for layer in layers:
                h = layer.step(t, h)
            look = attention.step(h, looks[t], carried)
            looks.query[t], carried = h, attention.carry(look)
            r = features.step(h, look.context, y.y[t], read[t]).r
        return FeedingTrace(params, embedded, y, first, layers, attention, looks, features, read, fed)

    def _layers(self, y, states, params, masks):
        """The stack, ready for its first step."""
        xp, none = array_module(y), [None] * self.config.layers
        zoneout, weights = masks.get("decoder_zoneout", none), masks.get("decoder_weights", none)
        layers = []
        for k, p in enumerate(params.rnn):
            (dropped, weighted), (h, *_) = drop_weights(p, weights[k]), states[k]
            if k == 0:
                x, mask, before = y, None, self.cell.before(y, p)
            else:  # what the layer below gives is known only step by step
                x, mask = xp.empty((len(y), *h.shape), dtype=y.dtype), masks.get("decoder", none)[k - 1]
                before = xp.zeros((len(y), len(h), p.W_h.shape[1]), dtype=y.dtype), None
            run = Unroll(self.cell, before, states[k], weighted, zoneout=zoneout[k])
            around = self.config.residual and x.shape[-1] == h.shape[-1]
            layers.append(Layer(run, x, mask, around, dropped, p))
        return layers
