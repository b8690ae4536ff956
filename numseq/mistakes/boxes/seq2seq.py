"""The wiring between the five boxes, and of the matrices that two of them share."""

from dataclasses import replace

from numseq.mistakes.boxes.decoders.pieces import summed
from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.memory import Memory
from numseq.models.seq2seq import Seq2SeqParams, Seq2SeqTrace


def seq2seq(trace, dloss=1.0, change=None):
    """Objective, decoder, target, encoder, source."""
    eq, tied = equations(change), trace.config.tied
    dloss = eq("dloss", dloss)
    o = trace.objective.backward(dloss)
    dr = eq("dr", o.dr)
    dh = None if o.dh is None else eq("dh", o.dh)
    dcontext = None if o.dcontext is None else eq("dcontext", o.dcontext)
    dalpha = None if o.dalpha is None else eq("dalpha", o.dalpha)
    decoder = trace.decoder.backward(dr, dh=dh, dcontext=dcontext, dalpha=dalpha)
    dmemory = decoder.dmemory
    dstates_read = None if o.dstates is None else eq("dstates_read", o.dstates)  # by a head that copies
    dstates = summed(dmemory.states, dstates_read)
    dstates = None if dstates is None else eq("dstates", dstates)
    dlast = None if dmemory.last is None else eq("dlast", dmemory.last)
    encoder = trace.encoder.backward(Memory(states=dstates, mask=None, last=dlast))
    dy_read = None if o.dy is None else eq("dy_read", o.dy)
    dx, dy = eq("dx", encoder.dx), eq("dy", summed(decoder.dy, dy_read))
    source, target = trace.source.backward(dx), trace.target.backward(dy)
    params = Seq2SeqParams(
        source=eq("dsource", source),
        encoder=eq("dencoder", encoder.params),
        target=eq("dtarget", target),
        decoder=eq("ddecoder", decoder.params),
        head=eq("dhead", o.params),
    )
    if tied != "none":
        dW_target, dW_head, dW_source = params.target.W, params.head.W, getattr(params.source, "W", None)
        if tied == "all":
            dW = eq("dW_all", dW_target + dW_head.T + dW_source)
        else:
            dW = eq("dW", dW_target + dW_head.T)
        params = replace(params, target=replace(params.target, W=dW), head=replace(params.head, W=None))
        params = replace(params, source=None) if tied == "all" else params
    return {"params": eq("dparams", params)}


know(Wiring("seq2seq", seq2seq, of=Seq2SeqTrace, graded=False))
