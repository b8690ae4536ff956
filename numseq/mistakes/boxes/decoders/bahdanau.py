"""The wiring of Bahdanau's order."""

import numpy as np

from numseq.mistakes.boxes.decoders.pieces import Looking, Stepwise, at, readout, summed
from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.decoders.bahdanau import BahdanauTrace
from numseq.models.decoders.base import DecoderParams


def bahdanau(trace, dr, dh=None, dcontext=None, dalpha=None, change=None):
    """Look with h_{t-1}, then step: h_{t-1} is read by what is above, by step t, and as the query of look t."""
    eq, W_extra, upper, dropout = equations(change), trace.params.W_extra, trace.upper, trace.dropout
    context, (T, B) = trace.looks.context, dr.shape[:2]
    h_prev, h = trace.lowest.run.before.h, trace.h
    dh_read, dcontext_read, dy_read, dreadout = readout(trace.readout, trace.read, dr, change)
    dh_top = eq("dh_top", summed(dh_read, dh))
    dcontext_out = summed(dcontext_read, dcontext)
    dcontext_out = None if dcontext_out is None else eq("dcontext_out", dcontext_out)
    above, dh_out = [], dh_top
    if upper:
        grad = upper.backward(dh_top)
        above, dupper = [grad.dstate, grad.params], grad.dx
        dh_out = eq("dh_out", dropout.backward(dupper).dx)
    layer, looks, dquery = Stepwise(trace.lowest), Looking(trace.start.attention, trace.looks), np.zeros_like(dh_out[0])
    dcontext_step = np.zeros_like(context[0])
    for t in eq("steps_back", list(reversed(range(T)))):
        dquery_after, dcontext_after = dquery, dcontext_step  # of look t + 1, and of step t + 1
        dh_t = eq("dh_t", summed(dh_out[t], dquery))
        da = layer.step(t, dh_t)
        da_t = eq("da_t", da[:, : W_extra.shape[1]])
        dcontext_step = eq("dcontext_step", da_t @ W_extra.T)
        dcontext_t = eq("dcontext_t", summed(dcontext_step, at(t, dcontext_out)))
        dalpha_t = None if dalpha is None else eq("dalpha_t", dalpha[t])
        dquery = looks.look(t, dcontext_t, dalpha_t)
        dquery = eq("dquery", dquery)
    lowest, look = layer.grad(), looks.grad()
    dh_carried = lowest.dstate.h
    dfirst = lowest.dstate._replace(h=eq("dh_first", dh_carried + dquery))
    states = [dfirst, *(above[0] if above else [])]
    states = eq("dfirst", states)
    dmemory, dbridge = trace.start.backward(states, look)
    da = layer.rewind.da
    da = eq("da_extra", da[..., : W_extra.shape[1]])
    dW_extra = eq("dW_extra", sum(context[t].T @ da[t] for t in range(T)))
    drnn = [lowest.params, *(above[1] if above else [])]
    drnn = eq("drnn", drnn)
    params = DecoderParams(eq("dbridge", dbridge), eq("dattention", look.params), drnn, dW_extra, dreadout)
    dx = lowest.dx
    found = {"dy": eq("dy", summed(dx, dy_read)), "dmemory": dmemory, "params": params}
    return found | {"pieces": layer.piece() + looks.piece()}


know(Wiring("bahdanau", bahdanau, of=BahdanauTrace, graded=False, also=(readout,)))
