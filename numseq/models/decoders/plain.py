"""The plain decoders: what they see of the source is one fixed vector.

    state_{-1} = the encoder's final states                  or the bridge, where it read both ways
    h_t        = stack of cells over y_t
    r_t        = h_t, or a hidden layer on it                see `numseq.models.decoders.readout`

Cho et al. show the vector v, the final h of the encoder's top layer, to every step, and to the readout:

    state_{-1} = bridge(the encoder's final states)
    h_t        = stack of cells over [y_t; v]
    r_t        = readout of [h_t; v]

Source: Sutskever, Vinyals & Le 2014, section 2; Cho et al. 2014, section 2.2 and appendix A.1.2.
"""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.layers.cells.stack import StackTrace, stack
from numseq.models.decoders.base import Decoder, DecoderGrad, DecoderParams, DecoderState, Start, summed
from numseq.models.decoders.readout import Readout, ReadoutStep
from numseq.models.memory import Memory, joined, joined_backward
from numseq.models.noise import RecurrentNoise, expected
from numseq.record import Trace


@dataclass(slots=True)
class PlainTrace(Trace):
    """What a plain decoder computed; y (T, B, E) went in; h (T, B, H), r (T, B, R), context (T, B, C) the vector at
    every step, or None."""

    alpha = None  # this decoder attends to nothing
    start: Start
    y: Array
    context: Array | None
    rnn: StackTrace
    readout: Readout
    read: ReadoutStep
    state: DecoderState

    @property
    def h(self) -> Array:
        return self.rnn.h

    @property
    def r(self) -> Array:
        return self.read.r

    def backward(
        self, dr: Array, *, dh: Array | None = None, dcontext: Array | None = None, dalpha: Array | None = None
    ) -> DecoderGrad:
        """Each part in turn, last first. The vector is read at every step, so its gradients add over time.

        Args: dr, (T, B, R); dh, dcontext, of what else was read of it, or None. Returns: a DecoderGrad.
        """
        read, (dh_read, dv_read, dy_read) = self.readout.backward(self.read, dr)
        rnn = self.rnn.backward(summed(dh_read, dh))
        dmemory, dbridge = self.start.backward(rnn.dstate)
        dy = rnn.dx
        if self.context is not None:
            E = dy.shape[-1] - self.context.shape[-1]
            dy, dv = dy[..., :E], summed(dy[..., E:], dv_read, dcontext).sum(axis=0)
            *_, top = self.start.memory.last
            *below, dtop = dmemory.last
            dmemory.last = [*below, dtop._replace(h=dtop.h + joined_backward(dv, top.h))]
        combine = self.readout.weight_gradients(self.read, read)
        params = DecoderParams(dbridge, None, rnn.params, None, combine)
        return DecoderGrad(dy=summed(dy, dy_read), dmemory=dmemory, params=params)


class PlainDecoder(Decoder):
    """Starts where the encoder ended. See `Decoder`."""

    attends = False

    def forward(self, y: Array, start: Start, params: DecoderParams, noise: RecurrentNoise | None = None) -> PlainTrace:
        noise, context, x = noise or expected(self.config), None, y
        if start.state.carried:
            (v,), xp = start.state.carried, array_module(y)
            context = xp.broadcast_to(v, (len(y), *v.shape))
            x = xp.concatenate([y, context], axis=-1)
        layers, residual = start.state.layers, self.config.residual
        rnn = stack(x, layers, params.rnn, cell=self.cell, residual=residual, **noise.of_stack())
        readout = Readout(self.config, params.combine)
        read = readout.forward(rnn.h, context, y)
        return PlainTrace(start, y, context, rnn, readout, read, start.state._replace(layers=rnn.final))


class VectorDecoder(PlainDecoder):
    """Sees the vector at every step, and begins with a bridge. See `Decoder`."""

    bridged, shows_vector = True, True

    @property
    def inputs(self) -> int:
        return self.config.embedding + self.config.memory

    def start(self, memory: Memory, params: DecoderParams) -> Start:
        start = super().start(memory, params)
        start.state = start.state._replace(carried=(joined(memory.last[-1].h),))
        return start
