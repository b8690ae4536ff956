"""A block of a Transformer: look at one's own sequence, look at another, and work on what was found, place by place.

    y_1 = self-attention of x, and around it          `numseq.layers.attention.self_attention`, `numseq.layers.sublayer`
    y_2 = attention of y_1 over a memory, and around it      in a decoder; without a memory y_2 = y_1
    y   = the feed-forward network of y_2, and around it     `numseq.layers.feed_forward`

A decoder's self-attention is causal. Its memory is keys and values, as for any attention, and has been read once for
all steps of a search.

Source: Vaswani et al. 2017, figure 1 and section 3.1.
"""

from dataclasses import dataclass
from functools import partial

from numseq.backend import Array, DType, Generator
from numseq.layers.attention.base import Attention, AttentionTrace, attend
from numseq.layers.attention.multihead import MultiHeadAttention, MultiHeadParams
from numseq.layers.attention.self_attention import KeysAndValues, self_attention
from numseq.layers.feed_forward import feed_forward, init_feed_forward
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.layernorm import init_layer_norm
from numseq.layers.sublayer import SublayerParams, SublayerTrace, sublayer
from numseq.record import Record, Trace


@dataclass(slots=True)
class BlockParams(Record):
    attention: SublayerParams  # of the sequence to itself
    cross: SublayerParams | None  # to a memory; None in an encoder
    feed: SublayerParams


@dataclass(slots=True)
class BlockGrad(Record):
    dx: Array  # (T, B, D)
    dmemory: Array | None  # (S, B, C); None without one
    params: BlockParams


@dataclass(slots=True)
class CrossGrad(Record):
    dx: Array  # (T, B, D)
    dmemory: Array  # (S, B, C)
    params: MultiHeadParams


@dataclass(slots=True)
class CrossTrace(Trace):
    """How a sequence looked at a memory: the looks of its T queries; y (T, B, D) is the context, alpha (T, B, S)."""

    outputs = ("y", "alpha")
    looks: AttentionTrace

    @property
    def y(self) -> Array:
        return self.looks.context

    @property
    def alpha(self) -> Array:
        return self.looks.alpha

    def backward(self, dy: Array, dalpha: Array | None = None) -> CrossGrad:
        """The memory is keys and values, so both gradients are its own."""
        look = self.looks.backward(dy, dalpha)
        return CrossGrad(dx=look.dquery, dmemory=look.dkeys + look.dvalues, params=look.params)


@dataclass(slots=True)
class BlockTrace(Trace):
    """What `transformer_block` computed: y (T, B, D), and the traces of its sub-layers; cross is None without a
    memory."""

    outputs = ("y",)
    equations = "transformer_block"
    attention: SublayerTrace
    cross: SublayerTrace | None
    feed: SublayerTrace
    y: Array

    def backward(self, dy: Array, dcontext: Array | None = None, dalpha: Array | None = None) -> BlockGrad:
        """dy_2 = the feed-forward network's backward of dy
        dy_1 = the look's backward of dy_2      in a decoder; without a memory dy_1 = dy_2
        dx   = self-attention's backward of dy_1

        Each is the backward of a sub-layer, with the way around it.

        Args: dy, (T, B, D). dcontext (T, B, D) and dalpha (T, B, S), of who read what was seen of the memory, or None.
        """
        feed = self.feed.backward(dy)
        if self.cross is None:
            attention = self.attention.backward(feed.dx)
            return BlockGrad(attention.dx, None, BlockParams(attention.params, None, feed.params))
        cross = self.cross.backward(feed.dx, dcontext, dalpha)
        attention = self.attention.backward(cross.dx)
        return BlockGrad(attention.dx, cross.part.dmemory, BlockParams(attention.params, cross.params, feed.params))


def transformer_block(
    x: Array,
    params: BlockParams,
    *,
    heads: int,
    norm: str = "pre",
    mask: Array | None = None,
    causal: bool = False,
    past: KeysAndValues | None = None,
    memory: Attention | None = None,
    dropout_masks: list | None = None,
) -> BlockTrace:
    """One block, of an encoder or, with a memory, of a decoder.

    Equations: those of the module.

    Args: x, (T, B, D). params: BlockParams. heads, mask, causal, past: as of `self_attention`. norm: "pre" or "post",
        see `numseq.layers.sublayer`. memory, a MultiHeadAttention made of the memory and of params.cross.part, or None.
        dropout_masks: for each sub-layer that of what it adds, (T, B, D) or (1, B, D), or None for none of them.
    Returns: a BlockTrace with y (T, B, D).
    Backward: BlockTrace.backward.
    Raises: as `self_attention` and `sublayer`.
    """
    masks = [None] * 3 if dropout_masks is None else list(dropout_masks)
    look = partial(self_attention, heads=heads, mask=mask, causal=causal, past=past)
    attention = sublayer(x, params.attention, part=look, norm=norm, dropout_mask=masks[0])
    y, cross = attention.y, None
    if memory is not None:
        cross = sublayer(
            y, params.cross, part=lambda x, _: CrossTrace(attend(memory, x)), norm=norm, dropout_mask=masks[1]
        )
        y = cross.y
    feed = sublayer(y, params.feed, part=feed_forward, norm=norm, dropout_mask=masks[-1])
    return BlockTrace(attention, cross, feed, feed.y)


def init_transformer_block(
    rng: Generator,
    size: int,
    attention_size: int,
    inner: int,
    dtype: DType,
    initializer: Initializer = DEFAULT,
    memory: int | None = None,
) -> BlockParams:
    """First values: those of each part. size, D. attention_size, K, of all heads. inner, F. memory, C, of a decoder."""
    looks = partial(MultiHeadAttention.init, rng, size)

    def around(part):
        return SublayerParams(init_layer_norm(rng, size, dtype), part)

    return BlockParams(
        attention=around(looks(size, attention_size, dtype, initializer)),
        cross=None if memory is None else around(looks(memory, attention_size, dtype, initializer)),
        feed=around(init_feed_forward(rng, size, inner, dtype, initializer)),
    )
