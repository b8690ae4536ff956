"""The wiring of the head and of the objective."""

import numpy as np

from numseq.mistakes.boxes.decoders.pieces import summed
from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.heads.copying import CopyNetParams, CopyNetTrace, PointerParams, PointerTrace
from numseq.models.heads.vocabulary import VocabularyTrace
from numseq.objectives.cross_entropy import CrossEntropyObjective


def vocabulary(trace, dloss=1.0, change=None):
    """logits = dropout(r) W + b, or the same inside of the loss where tokens were sampled."""
    eq, output, dropout = equations(change), trace.output, trace.dropout
    dloss = eq("dloss", dloss)
    grad = trace.cross_entropy.backward(dloss)
    if output is not None:
        dlogits = eq("dlogits", grad.dlogits)
        grad = output.backward(dlogits)
    dparams, ddropped, params = grad.params, eq("ddropped", grad.dx), _params(trace)
    return {"params": eq("dparams", dparams), "dr": eq("dr", dropout.backward(ddropped).dx)}


def _params(trace):
    return trace.output.params if trace.output is not None else trace.cross_entropy.params


know(Wiring("vocabulary", vocabulary, of=VocabularyTrace, graded=False))


def pointer(trace, dloss=1.0, change=None):
    """logits = dropout(r) W + b;  a = [h; context; y] W_g + b_g;  the loss of both, and of alpha."""
    eq, (H, C, _) = equations(change), trace.widths
    dloss = eq("dloss", dloss)
    grad = trace.mixture.backward(dloss)
    dlogits, da, dalpha = eq("dlogits", grad.dlogits), eq("da", grad.da), eq("dalpha", grad.dalpha)
    output, gate = trace.output.backward(dlogits), trace.gate.backward(da[..., None])
    ddropped, dseen = eq("ddropped", output.dx), eq("dseen", gate.dx)
    dh = eq("dh", dseen[..., :H])
    dcontext = eq("dcontext", dseen[..., H : H + C])
    dy = eq("dy", dseen[..., H + C :])
    params = PointerParams(W=output.params.W, b=output.params.b, W_g=gate.params.W, b_g=gate.params.b)
    dr = eq("dr", trace.dropout.backward(ddropped).dx)
    read = {"dr": dr, "dh": dh, "dcontext": dcontext, "dalpha": dalpha, "dy": dy}
    return {"params": eq("dparams", params), **read}


know(Wiring("pointer", pointer, of=PointerTrace, graded=False))


def copynet(trace, dloss=1.0, change=None):
    """logits = dropout(r) W + b;  psi_tj = tanh(s_j W_c) . h_t;  the loss of both."""
    eq, keys, states, W_c = equations(change), trace.copying.keys, trace.copying.states, trace.params.W_c
    dloss = eq("dloss", dloss)
    grad = trace.copynet.backward(dloss)
    dlogits, dpsi = eq("dlogits", grad.dlogits), eq("dpsi", grad.dpsi)
    output = trace.output.backward(dlogits)
    ddropped = eq("ddropped", output.dx)
    dkeys = eq("dkeys", np.einsum("tbs,tbh->sbh", dpsi, trace.h))
    dz = eq("dz", dkeys * (1 - keys**2))
    dstates = eq("dstates", dz @ W_c.T)
    dW_c = eq("dW_c", np.einsum("sbc,sbh->ch", states, dz))
    dh = eq("dh", np.einsum("tbs,sbh->tbh", dpsi, keys))
    params = CopyNetParams(W=output.params.W, b=output.params.b, W_c=dW_c)
    dr = eq("dr", trace.dropout.backward(ddropped).dx)
    return {"params": eq("dparams", params), "dr": dr, "dh": dh, "dstates": dstates}


know(Wiring("copynet", copynet, of=CopyNetTrace, graded=False))


def objective(trace, dloss=1.0, change=None):
    """loss = the head's + weight * the coverage loss, which read alpha."""
    eq, weight, coverage = equations(change), trace.weight, trace.coverage
    dloss_head = eq("dloss_head", dloss)
    grad = trace.head.backward(dloss_head)
    dr = None if grad.dr is None else eq("dr", grad.dr)
    dh = None if grad.dh is None else eq("dh", grad.dh)
    dcontext = None if grad.dcontext is None else eq("dcontext", grad.dcontext)
    dalpha = dalpha_head = grad.dalpha
    if coverage is not None:
        dloss_coverage = eq("dloss_coverage", weight * dloss)
        alpha, dalpha_coverage = coverage.alpha, coverage.backward(dloss_coverage).dalpha
        dalpha = eq("dalpha", summed(dalpha_coverage, dalpha_head))
    dy = None if grad.dy is None else eq("dy", grad.dy)
    dstates = None if grad.dstates is None else eq("dstates", grad.dstates)
    read = {"dr": dr, "dh": dh, "dcontext": dcontext, "dalpha": dalpha, "dy": dy, "dstates": dstates}
    return {"params": eq("dparams", grad.params), **read}


know(Wiring("objective", objective, of=CrossEntropyObjective, graded=False))
