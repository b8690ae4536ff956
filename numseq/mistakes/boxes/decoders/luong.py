"""The wiring of Luong's order, with input feeding and without."""

import numpy as np

from numseq.mistakes.boxes.decoders.pieces import Looking, Stepwise, readout
from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.decoders.base import DecoderParams, at, summed
from numseq.models.decoders.luong import LuongTrace
from numseq.models.decoders.luong_feeding import FeedingTrace


def luong(trace, dr, dh=None, dcontext=None, dalpha=None, change=None):
    """Step, then look: h_t is read by the readout, and as the query of look t."""
    eq = equations(change)
    dh_read, dcontext_read, dy_read, dreadout = readout(trace.readout, trace.read, dr, change)
    dcontext_t = summed(dcontext_read, dcontext)
    dcontext_t = np.zeros_like(trace.looks.context) if dcontext_t is None else eq("dcontext", dcontext_t)
    dalpha = None if dalpha is None else eq("dalpha", dalpha)
    look = trace.looks.backward(dcontext_t, dalpha)
    dquery = look.dquery
    dh_top = eq("dh_top", summed(dh_read, dquery, dh))
    rnn = trace.rnn.backward(dh_top)
    dfirst, dx = eq("dfirst", rnn.dstate), rnn.dx
    dmemory, dbridge = trace.start.backward(dfirst, look)
    dattention, drnn = eq("dattention", look.params), eq("drnn", rnn.params)
    params = DecoderParams(eq("dbridge", dbridge), dattention, drnn, None, dreadout)
    return {"dy": eq("dy", summed(dx, dy_read)), "dmemory": dmemory, "params": params}


know(Wiring("luong", luong, of=LuongTrace, graded=False, also=(readout,)))


def luong_feeding(trace, dr, dh=None, dcontext=None, dalpha=None, change=None):
    """r_t is read by the head, and by the lowest layer at step t + 1."""
    eq, W_extra, (T, B) = equations(change), trace.params.W_extra, dr.shape[:2]
    fed, r, h = trace.fed, trace.read.r, trace.h
    layers, looks = [Stepwise(layer) for layer in trace.layers], Looking(trace.start.attention, trace.looks)
    dr_all, dr_next, dh_below = np.zeros_like(dr), np.zeros_like(dr[0]), np.zeros_like(layers[0].layer.run.after.h)
    for t in reversed(range(T)):
        dr_t = eq("dr_t", dr[t] + dr_next)
        dr_all[t] = dr_t
        dh_read, dcontext_read, _, _ = readout(trace.readout, trace.read[t], dr_t, change)
        zeros = np.zeros_like(trace.looks.context[t])
        dcontext_t = eq("dcontext_t", summed(zeros, dcontext_read, at(t, dcontext)))
        dalpha_t = None if dalpha is None else eq("dalpha_t", dalpha[t])
        dquery = looks.look(t, dcontext_t, dalpha_t)
        dh_t = eq("dh_t", summed(dh_read, dquery, at(t, dh)))
        for k in reversed(range(len(layers))):
            layer = layers[k].layer
            da = layers[k].step(t, dh_t)
            if k:
                W_x, mask = layer.params.W_x, layer.mask
                through = eq("through", da @ W_x.T)
                dx_t = eq("dx_t", through + dh_t) if layer.residual else through
                m = None if mask is None else mask[t if len(mask) > 1 else 0]
                dh_t = dx_t if mask is None else eq("dh_below", dx_t * m)
        dh_below[t] = dh_t
        da_t = da[:, : W_extra.shape[1]]
        dr_next = eq("dr_next", da_t @ W_extra.T)
    look, grads, da = looks.grad(), [layer.grad() for layer in layers], layers[0].rewind.da[..., : W_extra.shape[1]]
    _, _, dy_read, dreadout = readout(trace.readout, _all(trace.read), dr_all, change)
    dfirst, dx = eq("dfirst", [grad.dstate for grad in grads]), grads[0].dx
    dmemory, dbridge = trace.start.backward(dfirst, look)
    dW_extra = eq("dW_extra", sum(fed[t].T @ da[t] for t in range(T)))
    drnn, dattention = eq("drnn", [grad.params for grad in grads]), eq("dattention", look.params)
    around = dh_below if layers[0].layer.residual else None
    params = DecoderParams(eq("dbridge", dbridge), dattention, drnn, dW_extra, dreadout)
    pieces = [piece for layer in layers for piece in layer.piece()] + looks.piece()
    dy = eq("dy", summed(dx, around, dy_read))
    return {"dy": dy, "dmemory": dmemory, "params": params, "pieces": pieces}


def _all(steps):
    """The readout of all steps, as one record."""
    record = type(steps[0])()
    for name in ("x", "a", "r"):
        setattr(record, name, getattr(steps, name))
    return record


know(Wiring("luong_feeding", luong_feeding, of=FeedingTrace, graded=False, also=(readout,)))
