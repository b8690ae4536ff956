"""The wiring of a source of sentences."""

from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.sources.sentences import SentencesTrace


def sentences(trace, dx, change=None):
    """x = the sums of dropout(W[ids]) over each sentence, its K + 1 vectors side by side"""
    eq, summed, dropout, embedding = equations(change), trace.summed, trace.dropout, trace.embedding
    dm = eq("dm", dx.reshape(summed.m.shape))
    dwords = eq("dwords", summed.backward(dm).dx)
    ddropped = eq("ddropped", dwords.reshape(dropout.y.shape))
    dlooked_up = eq("dlooked_up", dropout.backward(ddropped).dx)
    dparams = eq("dparams", embedding.backward(dlooked_up).params)
    return {"params": dparams}


know(Wiring("sentences", sentences, of=SentencesTrace, graded=False, gives=("params",)))
