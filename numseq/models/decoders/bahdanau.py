"""The order of Bahdanau: look with the state before the step, then step.

    context_t  = attention(query = h_{t-1}, keys = values = memory)
    h_t        = step of the cell on a_t = y_t W_x + context_t W_extra + h_{t-1} W_h + b
    r_t        = tanh([h_t; context_t] W_r + b_r)        what was said so far meets where we look (`readout`)

With several layers, the query is the state of the lowest, and the others follow on its outputs. So only one layer waits
for the attention, and the others run over all T steps at once.

Source: Bahdanau, Cho & Bengio 2015, section 3.1 (query h_{t-1}, context to the cell and to the readout) and appendix
A.2. Query from the lowest layer: Wu et al. 2016, section 3.
"""

from dataclasses import dataclass

from numseq.backend import Array
from numseq.layers.attention.base import LookBack
from numseq.layers.cells.stack import StackTrace, stack
from numseq.layers.cells.unroll import Rewind
from numseq.layers.dropout import DropoutTrace, dropout
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
from numseq.models.noise import RecurrentNoise, expected
from numseq.record import Steps


@dataclass(slots=True)
class BahdanauTrace(AttendingTrace):
    """See `AttendingTrace`; and the layers, of which the lowest goes step by step."""

    lowest: Layer
    dropout: DropoutTrace | None  # between the lowest layer and those above
    upper: StackTrace | None

    @property
    def h(self) -> Array:
        return self.upper.h if self.upper else self.lowest.run.after.h

    def backward(
        self, dr: Array, *, dh: Array | None = None, dcontext: Array | None = None, dalpha: Array | None = None
    ) -> DecoderGrad:
        """Readout, upper layers, then step by step back through the lowest layer and the attention.

        h_{t-1} is read three times: by r_{t-1} (or the layer above), by step t as its state, and by the attention as
        its query. The context is read twice: by step t, and by r_t.

        Args: dr, (T, B, R); dh, dcontext, dalpha, of what else was read, or None. Returns: a DecoderGrad.
        """
        run, W_extra = self.lowest.run, self.params.W_extra
        read, (dh_read, dcontext_read, dy_read) = self.readout.backward(self.read, dr)
        dh, dcontext = summed(dh_read, dh), summed(dcontext_read, dcontext)
        upper = self.upper.backward(dh) if self.upper else None
        if upper:
            dh = self.dropout.backward(upper.dx).dx

        step_back, look_back, dquery = Rewind(run), LookBack(self.start.attention, self.looks), None
        for t in reversed(run.order):
            da = step_back.step(t, summed(dh[t], dquery))
            dcontext_t = da[:, : W_extra.shape[1]] @ W_extra.T
            dquery = look_back.look(t, summed(dcontext_t, at(t, dcontext)), at(t, dalpha))  # of h_{t-1}
        dfirst = step_back.dstate._replace(h=step_back.dstate.h + dquery)

        look, da = look_back.weight_gradients(), step_back.da
        dx, lowest = self.lowest.weight_gradients(da)
        dmemory, dbridge = self.start.backward([dfirst, *(upper.dstate if upper else [])], look)
        dparams = DecoderParams(
            bridge=dbridge,
            attention=look.params,
            rnn=[lowest, *(upper.params if upper else [])],
            W_extra=rows(self.looks.context).T @ rows(da[..., : W_extra.shape[1]]),
            combine=self.readout.weight_gradients(self.read, read),
        )
        return DecoderGrad(dy=summed(dx, dy_read), dmemory=dmemory, params=dparams)


class BahdanauDecoder(Decoder):
    """Looks, then steps. See `Decoder`."""

    @property
    def extra(self) -> int:
        return self.config.memory

    def forward(
        self, y: Array, start: Start, params: DecoderParams, noise: RecurrentNoise | None = None
    ) -> BahdanauTrace:
        noise, attention, carried = noise or expected(self.config), start.attention, start.state.carried
        lowest = Layer(self.cell, y, start.state.layers[0], params.rnn[0], noise.layer(0))
        looks = []
        for t in range(len(y)):
            look = attention.forward(lowest.run.before.h[t], carried)
            lowest.step(t, look.context @ params.W_extra)
            looks.append(look)
            carried = attention.carried(look)

        h, dropped, upper = lowest.run.after.h, None, None
        if params.rnn[1:]:
            mask, *_ = noise.layer(1)
            dropped, layers, residual = dropout(h, mask), start.state.layers[1:], self.config.residual
            above = noise.of_stack(lowest=1)
            upper = stack(dropped.y, layers, params.rnn[1:], cell=self.cell, residual=residual, **above)
            h = upper.h
        state = DecoderState([lowest.run.final, *(upper.final if upper else [])], carried)
        looks, readout = Steps(looks), Readout(self.config, params.combine)
        read = readout.forward(h, looks.context, y)
        return BahdanauTrace(start, params, y, looks, readout, read, state, lowest, dropped, upper)
