"""The wiring of the head and of the objective."""

from numseq.mistakes.boxes.decoders.pieces import summed
from numseq.mistakes.layer import Wiring, equations, know
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
    return {"params": eq("dparams", grad.params), "dr": dr, "dh": dh, "dcontext": dcontext, "dalpha": dalpha}


know(Wiring("objective", objective, of=CrossEntropyObjective, graded=False))
