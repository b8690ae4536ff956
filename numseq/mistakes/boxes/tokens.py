"""The wiring of a source or a target of tokens."""

from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.sources.tokens import TokensTrace


def tokens(trace, dx, change=None):
    """x = dropout(W[ids])"""
    eq, dropout, embedding = equations(change), trace.dropout, trace.embedding
    dlooked_up = eq("dlooked_up", dropout.backward(dx).dx)
    dparams = eq("dparams", embedding.backward(dlooked_up).params)
    return {"params": dparams}


know(Wiring("tokens", tokens, of=TokensTrace, graded=False, gives=("params",)))
