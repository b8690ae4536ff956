"""Mistakes in what lies between the sub-layers of a Transformer's block."""

import numpy as np

from numseq import layers
from numseq.layers import BlockParams
from numseq.layers.transformer import CrossTrace
from numseq.mistakes.fixtures import CLEAR, SOURCE_REAL, A, B, Case, H, S, T, V, fit, rescaled
from numseq.mistakes.kinks import is_off, nearest_kink
from numseq.mistakes.layer import Wiring, equations, know


def cross_attention(trace, dy, dalpha=None, change=None):
    """The memory is keys and values."""
    eq, looks = equations(change), trace.looks
    dcontext = eq("dcontext", dy)
    look = looks.backward(dcontext) if dalpha is None else looks.backward(dcontext, eq("dalpha", dalpha))
    dkeys, dvalues = look.dkeys, look.dvalues
    dmemory = eq("dmemory", dkeys + dvalues)
    return {"dx": eq("dx", look.dquery), "dmemory": dmemory, "params": eq("dparams", look.params)}


know(Wiring("cross", cross_attention, of=CrossTrace, case="transformer_block", graded=False))


def transformer_block(trace, dy, dcontext=None, dalpha=None, change=None):
    """Feed-forward network, attention over the memory, self-attention; each with the way around it, as it is."""
    eq, attention, cross, feed = equations(change), trace.attention, trace.cross, trace.feed
    of_feed = feed.backward(dy)
    dy_1 = dy_2 = eq("dy_2", of_feed.dx)
    found = {}
    if cross is not None:
        dcontext = None if dcontext is None else eq("dcontext", dcontext)
        dalpha = None if dalpha is None else eq("dalpha", dalpha)
        of_cross = cross.backward(dy_2, dcontext, dalpha)
        dy_1 = eq("dy_1", of_cross.dx)
        found = {"dmemory": eq("dmemory", of_cross.part.dmemory)}
    of_attention = attention.backward(dy_1)
    dx = eq("dx", of_attention.dx)
    dparts = [of_attention.params, of_cross.params if cross else None, of_feed.params]
    return {"dx": dx, **found, "params": BlockParams(*eq("dparts", dparts))}


ONCE = "a sub-layer's backward has the way around it already: its dx is all"
know(
    Wiring("transformer_block", transformer_block),
    ("a block: the feed-forward network is skipped on the way back", "dy_2", lambda v: v.dy,
     "y is made of y_2 by the feed-forward network, and dy_2 of dy by its backward"),
    ("a block: the look at the memory is skipped on the way back", "dy_1", lambda v: v.dy_2,
     "y_2 is made of y_1 by the look at the memory, and dy_1 of dy_2 by its backward"),
    ("a block: self-attention is skipped on the way back", "dx", lambda v: v.dy_1,
     "y_1 is made of x by self-attention, and dx of dy_1 by its backward"),
    ("a block: the way around the feed-forward network is counted twice", "dy_2", lambda v: v.value + v.dy, ONCE),
    ("a block: the way around the look at the memory is counted twice", "dy_1", lambda v: v.value + v.dy_2, ONCE),
    ("a block: the way around self-attention is counted twice", "dx", lambda v: v.value + v.dy_1, ONCE),
    ("a block: its two attentions are undone in the order of forward", "dx",
     lambda v: v.cross.backward(v.attention.backward(v.dy_2).dx).dx, "what came last goes first on the way back"),
    ("a block: its two attentions are undone side by side", "dx",
     lambda v: v.attention.backward(v.dy_2).dx + v.dy_1 - v.dy_2,
     "the look at the memory asked with what self-attention had given, not with x"),
    ("a block: the memory gets no gradient", "dmemory", lambda v: 0 * v.value,
     "the memory gave keys and values: the encoder learns by their gradient alone"),
    ("a block: the memory's gradient is a mean over positions", "dmemory",
     lambda v: np.broadcast_to(v.value.mean(axis=0), v.value.shape),
     "each position of the memory has its own gradient"),
    ("a block: its two attentions have changed places", "dparts", lambda v: [v.value[1], v.value[0], v.value[2]],
     "self-attention and the look at the memory have parameters of their own"),
)  # fmt: skip


def cases(rng):
    size, K, heads, real = A, 8, 2, SOURCE_REAL  # what a case closes over goes to other backends with it

    def case(norm, causal, covers):
        masks = [layers.dropout_mask(rng, (T if causal else S, B, size), 0.3, float) for _ in range(2 + causal)]
        options = {"heads": heads, "norm": norm, "causal": causal, "dropout_masks": masks}

        def decoder(x, memory, params):
            looks = layers.MultiHeadAttention(memory, memory, params.cross.part, real, heads)
            return layers.transformer_block(x, params, memory=looks, **options)

        def encoder(x, params):
            return layers.transformer_block(x, params, mask=real, **options)

        def draw():
            memory = size if causal else None
            params = layers.init_transformer_block(rng, size, K, V + H, float, memory=memory)
            inputs = {"x": rng.standard_normal((T if causal else S, B, size))}
            inputs |= {"memory": rng.standard_normal((S, B, size))} if causal else {}
            return Case(decoder if causal else encoder, inputs | {"params": rescaled(rng, params)}, covers)

        return fit(draw, lambda trace: nearest_kink(trace) > CLEAR and not is_off(trace))

    covers = ("transformer_block",)
    return {
        "transformer_block": case("pre", True, covers),
        "transformer_block, post-norm": case("post", True, covers),
        "transformer_block, of an encoder": case("post", False, covers),
        "transformer_block, of an encoder, pre-norm": case("pre", False, covers),
    }
