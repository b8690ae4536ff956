"""The wiring of what is there before a decoder's first step: the bridge, and the memory that is keys and values."""

import numpy as np

from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.decoders.base import Start
from numseq.models.decoders.bridge import BridgeTrace


def start(trace, dlayers, look=None, change=None):
    """The memory is read as keys and as values; how it ended, by the bridge or as the first states themselves."""
    eq, bridge, dbridge = equations(change), trace.bridge, None
    dfirst = eq("dfirst", list(dlayers))
    dlast = dfirst
    if bridge is not None:
        dlast, dbridge = bridge.backward(dfirst)
        dlast, dbridge = eq("dlast", dlast), eq("dbridge", dbridge)
    dmemory = {"last": dlast}
    if look is not None:
        dkeys, dvalues = look.dkeys, look.dvalues
        dmemory["states"] = eq("dmemory", dkeys + dvalues)
    return {"dmemory": dmemory, "params": dbridge}


know(Wiring("start", start, of=Start, graded=False, gives=("dmemory", "params")))


def bridge(trace, dstate, change=None):
    """h = tanh(of an affine map of the encoder's last h), c = an affine map of its last c; each map as it is."""
    eq, dlast, dparams = equations(change), [], []
    for last, maps, state, d in zip(trace.last, trace.maps, trace.state, dstate, strict=True):
        h, c, dh, dc = state[0], state[-1], d[0], d[-1]
        dh = eq("dh", dh)
        da = [eq("da_h", dh * (1 - h**2))]
        if len(state) > 1:
            dc = eq("dc", dc)
            da.append(eq("da_c", dc))
        grads, ends = [], []
        for affine, da_of, dstate_of, part in zip(maps, da, d, last, strict=True):
            grads.append(affine.backward(da_of))
            dx = grads[-1].dx
            ends.append(parted(eq("dend", dx), part, change))
        dlast.append(type(last)(*ends))
        dparams.append(type(last)(*(grad.params for grad in grads)))
    return {"dlast": eq("dlast", dlast), "params": eq("dparams", dparams)}


def parted(dx, part, change):
    """The gradient of [ahead; back] as a layer that read both ways has it, (2, B, C / 2)."""
    eq, half = equations(change), dx.shape[-1] // 2
    if part.ndim == 2:
        return dx
    return np.stack(eq("dends", [dx[:, :half], dx[:, half:]]))


know(Wiring("bridge", bridge, of=BridgeTrace, graded=False, also=(parted,), gives=("dlast", "params")))
