"""The wiring of the recurrent encoders."""

from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.encoders.recurrent import RecurrentEncoderTrace


def encoder(trace, dmemory, change=None):
    """The memory is what the layers gave at each place, and how they ended."""
    eq, rnn = equations(change), trace.rnn
    dh = None if dmemory.states is None else eq("dh", dmemory.states)
    dfinal = None if dmemory.last is None else eq("dfinal", dmemory.last)
    grad = rnn.backward(dh, dfinal)
    dx, dparams = eq("dx", grad.dx), eq("dparams", grad.params)
    return {"dx": dx, "params": dparams}


know(Wiring("encoder", encoder, of=RecurrentEncoderTrace, graded=False))
