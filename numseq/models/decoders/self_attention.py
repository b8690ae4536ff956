"""The self-attentive decoder: each step looks at all that was said before it, and then at the memory.

    h^(0)      = add_positions(y)                          sqrt(D) y_t + p_t
    h^(k)      = block_k(h^(k-1), memory)                  causal self-attention, a look at the memory, feed-forward
    h          = h^(L), with the norm "pre" norm(h^(L))
    context, alpha                                         of the top block's look at the memory; alpha: mean over heads
    r          = readout of [h; context]                   usually h itself, in which the context is already

Nothing waits for the step before: in training all steps are computed at once, and the causal mask alone keeps them from
what comes later. In a search each step comes after the other all the same. Its state are the keys and values of all
steps so far, in each block, so it grows with t; those of the memory are made once for a source.

Source: Vaswani et al. 2017, section 3.
"""

from dataclasses import dataclass
from typing import Any, Self, cast

from numseq.backend import Array, DType, Generator, array_module
from numseq.layers.attention.multihead import MultiHeadAttention
from numseq.layers.attention.self_attention import KeysAndValues
from numseq.layers.layernorm import LayerNormParams, LayerNormTrace, init_layer_norm, layer_norm
from numseq.layers.linear import LinearParams
from numseq.layers.positions import PositionsTrace, add_positions
from numseq.layers.transformer import BlockTrace, init_transformer_block, transformer_block
from numseq.models.decoders.base import Decoder, DecoderGrad, DecoderState, Start, summed
from numseq.models.decoders.readout import Readout, ReadoutStep
from numseq.models.memory import Memory
from numseq.models.noise import BlocksNoise, Draws
from numseq.record import Record, Trace


@dataclass(slots=True)
class SelfAttentionDecoderParams(Record):
    blocks: list  # BlockParams, the lowest first
    norm: LayerNormParams | None  # at the top; None where each block ends with one
    combine: LinearParams | None  # of the readout; None when it is linear


class BlocksAttention(MultiHeadAttention):
    """The top block's attention over the memory; `below`, that of each block below it, the lowest first."""

    below: list[MultiHeadAttention]

    def select_rows(self, rows: Array) -> Self:
        picked = super().select_rows(rows)
        picked.below = [attention.select_rows(rows) for attention in self.below]
        return picked


@dataclass(slots=True)
class SelfAttentionDecoderTrace(Trace):
    """What the decoder computed, part by part; y (T, B, E) went in; h (T, B, H), context (T, B, H), alpha (T, B, S),
    r (T, B, R)."""

    start: Start
    params: SelfAttentionDecoderParams
    y: Array
    positions: PositionsTrace
    blocks: list[BlockTrace]
    norm: LayerNormTrace | None
    readout: Readout
    read: ReadoutStep
    state: DecoderState

    @property
    def h(self) -> Array:
        return self.blocks[-1].y if self.norm is None else self.norm.y

    @property
    def context(self) -> Array:
        return self.blocks[-1].cross.part.y

    @property
    def alpha(self) -> Array:
        return self.blocks[-1].cross.part.alpha

    @property
    def r(self) -> Array:
        return self.read.r

    def backward(
        self, dr: Array, *, dh: Array | None = None, dcontext: Array | None = None, dalpha: Array | None = None
    ) -> DecoderGrad:
        """Readout, then block by block, the top one first. All of them looked at the memory, so their gradients add.

        Args: dr, (T, B, R); dh, dcontext, dalpha, of what else was read, or None. Returns: a DecoderGrad.
        """
        read, (dh_read, dcontext_read, dy_read) = self.readout.backward(self.read, dr)
        d, of_looks = summed(dh_read, dh), (summed(dcontext_read, dcontext), dalpha)
        norm, blocks, dstates = None, [], None
        if self.norm is not None:
            grad = self.norm.backward(d)
            d, norm = grad.dx, grad.params
        for block in reversed(self.blocks):
            back = block.backward(d, *of_looks)
            blocks.insert(0, back.params)
            d, dstates, of_looks = back.dx, summed(dstates, back.dmemory), (None, None)  # those are of the top block
        combine = self.readout.weight_gradients(self.read, read)
        return DecoderGrad(
            dy=summed(self.positions.backward(d).dx, dy_read),
            dmemory=Memory(states=dstates, mask=None, last=None),
            params=SelfAttentionDecoderParams(blocks, norm, combine),
        )


class SelfAttentionDecoder(Decoder):
    """Looks at what was said, then at the memory. See `Decoder`."""

    recurrent = False

    def init(self, rng: Generator, dtype: DType) -> SelfAttentionDecoderParams:  # type: ignore[override]
        """First values, SelfAttentionDecoderParams."""
        config = self.config
        sizes = config.hidden, config.attention_size, config.feed_forward
        options: dict[str, Any] = {"initializer": config.initializer, "memory": config.memory}
        blocks = [init_transformer_block(rng, *sizes, dtype, **options) for _ in range(config.layers)]
        norm = init_layer_norm(rng, config.hidden, dtype) if config.norm == "pre" else None
        return SelfAttentionDecoderParams(blocks, norm, combine=Readout.init(rng, config, dtype))

    def draw(self, draws: Draws, steps: int, batch: int, params: Any) -> BlocksNoise:  # type: ignore[override]
        """A BlocksNoise."""
        return draws.blocks(steps, batch, sublayers=3)

    def start(self, memory: Memory, params: Any) -> Start:
        """What is there before the first step, a Start: each block's keys and values of the memory, and none of what
        was said."""
        *below, top = (block.cross.part for block in params.blocks)
        attention = self._look(BlocksAttention, memory, top)
        attention.below = [self._look(MultiHeadAttention, memory, p) for p in below]
        none = array_module(memory.states).zeros((memory.states.shape[1], 0, top.W_k.shape[1]), memory.states.dtype)
        state = DecoderState([KeysAndValues(none, none) for _ in params.blocks])
        return Start(attention, state, memory)

    def _look(self, kind, memory, params):
        return kind(memory.states, memory.states, params, memory.mask, self.config.heads)

    def forward(self, y: Array, start: Start, params: Any, noise: Any = None) -> SelfAttentionDecoderTrace:
        config, noise, blocks, said = self.config, noise or BlocksNoise(), [], start.state.layers
        positions = add_positions(y, first=said[0].k.shape[1])
        h, top = positions.y, cast(BlocksAttention, start.attention)
        options: dict[str, Any] = {"heads": config.heads, "norm": config.norm, "causal": True}
        looks = [*top.below, top]
        for k, (p, past, look) in enumerate(zip(params.blocks, said, looks, strict=True)):
            masks = noise.masks(k)
            blocks.append(transformer_block(h, p, past=past, memory=look, dropout_masks=masks, **options))
            h = blocks[-1].y
        norm = None if params.norm is None else layer_norm(h, params.norm)
        state = start.state._replace(layers=[block.attention.part.past for block in blocks])
        readout = Readout(config, params.combine)
        read = readout.forward(h if norm is None else norm.y, blocks[-1].cross.part.y, y)
        return SelfAttentionDecoderTrace(start, params, y, positions, blocks, norm, readout, read, state)
