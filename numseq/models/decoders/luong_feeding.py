"""The order of Luong with input feeding: each step is told what was said at the last one.

    a_t        = y_t W_x + r_{t-1} W_extra + h_{t-1} W_h + b      of the lowest layer; r_{-1} = 0
    h_t        = the layers, one after the other
    context_t  = attention(query = h_t of the top layer, keys = values = memory)
    r_t        = tanh([h_t; context_t] W_r + b_r)

So the choice of where to look can take the earlier choices into account. The price: every layer waits for the step
before it to be finished, attention and readout included.

Source: Luong, Pham & Manning 2015, section 3.3.
"""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.layers.attention.base import LookBack
from numseq.layers.cells.unroll import Rewind
from numseq.layers.linear import rows
from numseq.models.decoders.base import (
    AttendingTrace,
    Decoder,
    DecoderGrad,
    DecoderParams,
    DecoderState,
    Start,
    at,
    summed,
)
from numseq.models.decoders.loop import Layer
from numseq.models.decoders.readout import Readout
from numseq.models.memory import Memory
from numseq.models.noise import RecurrentNoise, expected
from numseq.record import Steps


@dataclass(slots=True)
class FeedingTrace(AttendingTrace):
    """See `AttendingTrace`; and the layers, which all go step by step."""

    layers: list[Layer]
    fed: Array  # r of the step before, (T, B, R)

    @property
    def h(self) -> Array:
        return self.layers[-1].outputs

    def backward(
        self, dr: Array, *, dh: Array | None = None, dcontext: Array | None = None, dalpha: Array | None = None
    ) -> DecoderGrad:
        """Step by step back. r_t is read twice: by the head, and by the lowest layer at step t + 1. So is h_t of the
        top layer: by r_t, and by the attention as its query.

        Args: dr, (T, B, R); dh, dcontext, dalpha, of what else was read, or None. Returns: a DecoderGrad.
        """
        params, layers, xp, T = self.params, self.layers, array_module(dr), len(dr)
        steps_back, look_back = [Rewind(layer.run) for layer in layers], LookBack(self.start.attention, self.looks)
        reads = Steps([None] * T)
        dy: list = [None] * T
        dh_lowest: list = [None] * T
        dr_next = xp.zeros_like(dr[0])
        for t in reversed(range(T)):
            reads.records[t], (dh_t, dcontext_t, dy[t]) = self.readout.backward(self.read[t], dr[t] + dr_next)
            dquery = look_back.look(t, summed(dcontext_t, at(t, dcontext)), at(t, dalpha))
            dh_t = summed(dh_t, dquery, at(t, dh))
            for layer, back in zip(reversed(layers), reversed(steps_back), strict=True):
                da = back.step(t, dh_t)
                if layer is not layers[0]:
                    dh_t = layer.below(t, da, dh_t)
            dh_lowest[t] = dh_t
            dr_next = da[:, : params.W_extra.shape[1]] @ params.W_extra.T

        look, da = look_back.weight_gradients(), steps_back[0].da
        grads = [layer.weight_gradients(back.da) for layer, back in zip(layers, steps_back, strict=True)]
        dx, _ = grads[0]  # those of the layers above have gone down step by step
        dmemory, dbridge = self.start.backward([back.dstate for back in steps_back], look)
        dparams = DecoderParams(
            bridge=dbridge,
            attention=look.params,
            rnn=[grad for _, grad in grads],
            W_extra=rows(self.fed).T @ rows(da[..., : params.W_extra.shape[1]]),
            combine=self.readout.weight_gradients(self.read, reads),
        )
        around = xp.stack(dh_lowest) if layers[0].residual else None
        dy_read = None if dy[0] is None else xp.stack(dy)
        return DecoderGrad(dy=summed(dx, around, dy_read), dmemory=dmemory, params=dparams)


class FeedingDecoder(Decoder):
    """Steps, looks, and tells the next step. See `Decoder`."""

    @property
    def extra(self) -> int:
        return self.config.features

    def start(self, memory: Memory, params: DecoderParams) -> Start:
        start = super().start(memory, params)
        h = start.state.layers[0].h
        r = array_module(h).zeros((len(h), self.config.features), dtype=h.dtype)
        start.state = start.state._replace(r=r)
        return start

    def forward(
        self, y: Array, start: Start, params: DecoderParams, noise: RecurrentNoise | None = None
    ) -> FeedingTrace:
        noise, attention, (states, carried, r) = noise or expected(self.config), start.attention, start.state
        xp, layers = array_module(y), []
        for k, (first, p) in enumerate(zip(states, params.rnn, strict=True)):
            x = xp.zeros((len(y), *first.h.shape), dtype=y.dtype) if k else y  # of those above, it is filled in below
            layers.append(Layer(self.cell, x, first, p, noise.layer(k), self.config.residual, to_come=k > 0))
        readout, looks, reads, fed = Readout(self.config, params.combine), [], [], []
        for t in range(len(y)):
            fed.append(r)
            h = layers[0].step(t, r @ params.W_extra)
            for layer in layers[1:]:
                h = layer.step_on(t, h)
            looks.append(attention.forward(h, carried))
            reads.append(readout.forward(h, looks[t].context, y[t]))
            carried, r = attention.carried(looks[t]), reads[t].r
        state = DecoderState([layer.run.final for layer in layers], carried, r)
        return FeedingTrace(start, params, y, Steps(looks), readout, Steps(reads), state, layers, xp.stack(fed))
