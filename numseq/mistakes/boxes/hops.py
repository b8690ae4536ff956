"""The wiring of the encoder that reads sentences in hops."""

import numpy as np

from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.encoders.hops import HopsEncoderTrace


def hops_encoder(trace, dmemory, change=None):
    """The last sentence asks; the others are the memory, which the decoder may look at besides."""
    eq, asked, dstates = equations(change), trace.asked, dmemory.states
    parts = [part for state in dmemory.last or [] for part in state]  # none, where the decoder begins with nothing
    du = eq("du", sum(parts, np.zeros_like(trace.hops.u)))
    read = trace.hops.backward(du)
    dmemories, dquestion = read.dmemories, read.du
    if dstates is not None:
        dgiven = eq("dgiven", dmemories[-1] + dstates)
        dmemories = np.concatenate([dmemories[:-1], dgiven[None]])
    P, B = asked.shape
    dmemories = eq("dmemories", dmemories)
    dy = eq("dy", dmemories.transpose(1, 2, 0, 3).reshape(P, B, -1))
    grad, E = trace.temporal.backward(dy), dquestion.shape[-1]
    dsentences = grad.dx
    dasked = eq("dasked", asked[:, :, None] * dquestion)
    dfirst = eq("dfirst", dsentences[..., :E] + dasked)
    dx = eq("dx", np.concatenate([dfirst, dsentences[..., E:]], axis=-1))
    return {"dx": dx, "params": eq("dparams", grad.params)}


know(Wiring("hops_encoder", hops_encoder, of=HopsEncoderTrace, graded=False))
