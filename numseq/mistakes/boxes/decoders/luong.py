"""The wiring of Luong's order, with input feeding and without."""

import numpy as np

from numseq.mistakes.boxes.decoders.pieces import Looking, Stepwise, at, readout, summed
from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.decoders.base import DecoderParams
from numseq.models.decoders.luong import LuongTrace
from numseq.models.decoders.luong_feeding import FeedingTrace


def luong(trace, dr, dh=None, dcontext=None, dalpha=None, change=None):
    """Step, then look: h_t is read by the readout, and as the query of look t."""
    eq, h = equations(change), trace.h
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
    eq, W_extra, (T, B), L = equations(change), trace.params.W_extra, dr.shape[:2], len(trace.layers)
    fed, r, h = trace.fed, trace.read.r, trace.h
    layers, looks = [Stepwise(layer) for layer in trace.layers], Looking(trace.start.attention, trace.looks)
    dr_all, dr_next, dh_below = np.zeros_like(dr), np.zeros_like(dr[0]), np.zeros_like(layers[0].layer.run.after.h)
    dquery, dh_carried, da_top = dh_below[0], None, None
    for t in eq("steps_back", list(reversed(range(T)))):
        dquery_after, r_prev = dquery, fed[t]
        dr_t = eq("dr_t", dr[t] + dr_next)
        dr_all[t] = eq("dr_all_t", dr_t)
        dh_read, dcontext_read, _, _ = readout(trace.readout, trace.read[t], dr_t, change, sums=False)
        zeros = np.zeros_like(trace.looks.context[t])
        dcontext_t = eq("dcontext_t", summed(zeros, dcontext_read, at(t, dcontext)))
        dalpha_t = None if dalpha is None else eq("dalpha_t", dalpha[t])
        dquery = looks.look(t, dcontext_t, dalpha_t)
        dh_t = dh_top = eq("dh_t", summed(dh_read, dquery, at(t, dh)))
        for k in eq("layers_back", list(reversed(range(L)))):
            layer = layers[k].layer
            dh_k = eq("dh_k", dh_t)
            da = layers[k].step(t, dh_k)
            da_top = da if k == L - 1 else da_top
            if k:
                W_x, W_h, mask, dh_carried = layer.params.W_x, layer.params.W_h, layer.mask, layers[k].rewind.dstate.h
                through = eq("through", da @ W_x.T)
                dx_t = eq("dx_t", through + dh_t) if layer.residual else through
                if mask is not None and len(mask) > 1:
                    dx_t = eq("dh_below", dx_t * mask[t])
                elif mask is not None:
                    dx_t = eq("dh_below_one", dx_t * mask[0])
                dh_t = dx_t
        dh_below[t] = eq("dh_around", dh_t)
        da_t = eq("da_t", da[:, : W_extra.shape[1]])
        dr_next = eq("dr_next", da_t @ W_extra.T)
    look, grads, da = looks.grad(), [layer.grad() for layer in layers], layers[0].rewind.da
    da = eq("da_extra", da[..., : W_extra.shape[1]])
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
