"""The wiring of the plain decoders, with the vector shown to every step or without."""

from numseq.mistakes.boxes.decoders.pieces import readout, summed
from numseq.mistakes.boxes.decoders.start import parted
from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.decoders.base import DecoderParams
from numseq.models.decoders.plain import PlainTrace
from numseq.models.memory import Memory


def plain(trace, dr, dh=None, dcontext=None, dalpha=None, change=None):
    """Readout, layers, first states; the vector is read at every step, and by the readout."""
    eq, start, context = equations(change), trace.start, trace.context
    dh_read, dv_read, dy_read, dreadout = readout(trace.readout, trace.read, dr, change)
    dh_top = eq("dh_top", summed(dh_read, dh))
    rnn = trace.rnn.backward(dh_top)
    dfirst, dx = eq("dfirst", rnn.dstate), rnn.dx
    dmemory, dbridge = start.backward(dfirst)
    dlast = dmemory.last
    if context is not None:
        E, top = dx.shape[-1] - context.shape[-1], start.memory.last[-1].h
        dy_rnn, dv_rnn = eq("dx_parts_rnn", [dx[..., :E], dx[..., E:]])
        dy_rnn, dv_rnn = eq("dy_rnn", dy_rnn), eq("dv_rnn", dv_rnn)
        dv = eq("dv", summed(dv_rnn, dv_read, dcontext))
        dvector = eq("dvector", dv.sum(axis=0))
        dstate, dvector = dlast[-1].h, parted(dvector, top, change)
        dtop = eq("dtop", dstate + dvector)
        dlast = [*dlast[:-1], dlast[-1]._replace(h=dtop)]
    else:
        dy_rnn = eq("dy_rnn", dx)
    dy = eq("dy", summed(dy_rnn, dy_read))
    params = DecoderParams(eq("dbridge", dbridge), None, eq("drnn", rnn.params), None, dreadout)
    return {"dy": dy, "dmemory": Memory(states=None, mask=None, last=eq("dlast", dlast)), "params": params}


know(Wiring("plain", plain, of=PlainTrace, graded=False, also=(readout, parted)))
