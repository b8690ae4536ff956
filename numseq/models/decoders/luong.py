"""The order of Luong: step first, then look with the state after the step.

    h_t        = stack of cells over y_t
    context_t  = attention(query = h_t of the top layer, keys = values = memory)
    r_t        = tanh([h_t; context_t] W_r + b_r)        the attentional vector (`readout`)

No step waits for the attention, so the cells run over all T steps and then, with dot products, all T queries meet the
memory at once. That is also what it gives up: what was looked at does not reach the next step, unless it is fed back
(`numseq.models.decoders.luong_feeding`).

Source: Luong, Pham & Manning 2015, section 3.
"""

from dataclasses import dataclass

from numseq.backend import Array
from numseq.layers.attention.base import attend
from numseq.layers.cells.stack import StackTrace, stack
from numseq.models.decoders.base import AttendingTrace, Decoder, DecoderGrad, DecoderParams, DecoderState, Start, summed
from numseq.models.decoders.readout import Readout
from numseq.models.noise import RecurrentNoise, expected


@dataclass(slots=True)
class LuongTrace(AttendingTrace):
    """See `AttendingTrace`; and the layers."""

    rnn: StackTrace

    @property
    def h(self) -> Array:
        return self.rnn.h

    def backward(
        self, dr: Array, *, dh: Array | None = None, dcontext: Array | None = None, dalpha: Array | None = None
    ) -> DecoderGrad:
        """Each part in turn, last first. h_t is read twice: by r_t, and by the attention as its query.

        Args: dr, (T, B, R); dh, dcontext, dalpha, of what else was read, or None. Returns: a DecoderGrad.
        """
        read, (dh_read, dcontext_read, dy_read) = self.readout.backward(self.read, dr)
        look = self.looks.backward(summed(dcontext_read, dcontext), dalpha)
        rnn = self.rnn.backward(summed(dh_read, look.dquery, dh))
        dmemory, dbridge = self.start.backward(rnn.dstate, look)
        combine = self.readout.weight_gradients(self.read, read)
        dparams = DecoderParams(dbridge, look.params, rnn.params, None, combine)
        return DecoderGrad(dy=summed(rnn.dx, dy_read), dmemory=dmemory, params=dparams)


class LuongDecoder(Decoder):
    """Steps, then looks. See `Decoder`."""

    def forward(self, y: Array, start: Start, params: DecoderParams, noise: RecurrentNoise | None = None) -> LuongTrace:
        noise, (attention, (layers, carried, _)) = noise or expected(self.config), (start.attention, start.state)
        rnn = stack(y, layers, params.rnn, cell=self.cell, residual=self.config.residual, **noise.of_stack())
        looks, readout = attend(attention, rnn.h, carried), Readout(self.config, params.combine)
        read = readout.forward(rnn.h, looks.context, y)
        return LuongTrace(start, params, y, looks, readout, read, DecoderState(rnn.final, looks.carried), rnn)
