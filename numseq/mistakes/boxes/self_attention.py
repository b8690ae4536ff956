"""The wiring of the self-attentive encoder and decoder: block by block, and the memory that all blocks look at."""

from numseq.mistakes.boxes.decoders.pieces import readout, summed
from numseq.mistakes.layer import Wiring, equations, know
from numseq.models.decoders.self_attention import SelfAttentionDecoderParams, SelfAttentionDecoderTrace
from numseq.models.encoders.self_attention import SelfAttentionEncoderParams, SelfAttentionEncoderTrace
from numseq.models.memory import Memory


def self_attention_encoder(trace, dmemory, change=None):
    """A state is read in its place, and has a share of the mean, which is every part of every final state."""
    eq, share, blocks, L = equations(change), trace.share[:, :, None], trace.blocks, len(trace.blocks)
    dstates, dmean, dnorm, dparams = dmemory.states, None, None, [None] * L
    if dmemory.last is not None:
        dmean = eq("dmean", sum(part for state in dmemory.last for part in state))
        dmean = eq("dmean_of_each", share * dmean)
    dh = eq("dh_top", summed(dstates, dmean))
    if trace.norm is not None:
        norm = trace.norm.backward(dh)
        dh, dnorm = eq("dh_normed", norm.dx), eq("dnorm", norm.params)
    for k in reversed(range(L)):
        grad = blocks[k].backward(dh)
        dh, dparams[k] = eq("dh", grad.dx), grad.params
    dx = eq("dx", trace.positions.backward(dh).dx)
    return {"dx": dx, "params": SelfAttentionEncoderParams(eq("dblocks", dparams), dnorm)}


know(Wiring("self_attention_encoder", self_attention_encoder, of=SelfAttentionEncoderTrace, graded=False))


def self_attention_decoder(trace, dr, dh=None, dcontext=None, dalpha=None, change=None):
    """The readout reads the top block, and its context perhaps; each block looked at the memory."""
    eq, blocks, L, dnorm = equations(change), trace.blocks, len(trace.blocks), None
    dh_read, dcontext_read, dy_read, dreadout = readout(trace.readout, trace.read, dr, change)
    dh_top = eq("dh_top", summed(dh_read, dh))
    dcontext_top = summed(dcontext_read, dcontext)
    dcontext_top = None if dcontext_top is None else eq("dcontext_top", dcontext_top)
    dalpha_top = None if dalpha is None else eq("dalpha_top", dalpha)
    if trace.norm is not None:
        norm = trace.norm.backward(dh_top)
        dh_top, dnorm = eq("dh_normed", norm.dx), eq("dnorm", norm.params)
    dh, dstates, dparams = dh_top, None, [None] * L
    for k in reversed(range(L)):
        grad = blocks[k].backward(dh, dcontext_top, dalpha_top) if k == L - 1 else blocks[k].backward(dh)
        here = grad.dmemory
        dh, dparams[k] = eq("dh", grad.dx), grad.params
        dstates = eq("dstates", summed(dstates, here))
    dy_positions = trace.positions.backward(dh).dx
    dy = eq("dy", summed(dy_positions, dy_read))
    params = SelfAttentionDecoderParams(eq("dblocks", dparams), dnorm, dreadout)
    return {"dy": dy, "dmemory": Memory(states=dstates, mask=None, last=None), "params": params}


know(
    Wiring(
        "self_attention_decoder", self_attention_decoder, of=SelfAttentionDecoderTrace, graded=False, also=(readout,)
    )
)
