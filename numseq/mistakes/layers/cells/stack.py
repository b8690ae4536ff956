"""The wiring of a stack: what goes from layer to layer on the way back, around a layer, and to the final states."""

from numseq.layers.cells.stack import StackTrace
from numseq.mistakes.layer import Wiring, equations, know


def stack(trace, dh=None, dfinal=None, change=None):
    """From the top layer down; each layer's own backward, and each dropout's, as it is."""
    eq, L = equations(change), len(trace.layers)
    dfinal = eq("dfinal", [None] * L if dfinal is None else dfinal)
    dstate, dparams = [None] * L, [None] * L
    for k in reversed(range(L)):
        dfinal_k = eq("dfinal_k", dfinal[k])
        dh_k = None if dh is None else eq("dh_k", dh)
        grad = trace.layers[k].backward(dh_k, dfinal_k)
        dstate[k], dparams[k], through = grad.dstate, grad.params, grad.dx
        if trace.residual[k] and dh is not None:
            dx = eq("dx", through + dh)
        else:
            dx = eq("dx_plain", through)
        if k:
            dropouts = trace.dropouts
            dh = eq("dh", dropouts[k - 1].backward(dx).dx)
    return {"dx": dx, "dstate": eq("dstate", dstate), "params": eq("dparams", dparams)}


know(Wiring("stack", stack, of=StackTrace, graded=False))
