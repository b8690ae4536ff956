"""The self-attentive encoder: blocks that look at the whole source at once, instead of a state that goes through it.

    h^(0)   = add_positions(x)                        sqrt(D) x_s + p_s
    h^(k)   = block_k(h^(k-1))                        self-attention, feed-forward; no padded position is looked at
    states  = h^(L), with the norm "pre" norm(h^(L))
    last    = mean over the real s of states_s        in the place of every part of a final state

Nothing here ends, as a recurrent reading does. A decoder that is recurrent has to begin with something all the same:
it gets the mean.

Source: Vaswani et al. 2017, section 3.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numseq.backend import Array, DType, Generator, array_module
from numseq.layers.attention.products import weighted_mean
from numseq.layers.layernorm import LayerNormParams, LayerNormTrace, init_layer_norm, layer_norm
from numseq.layers.positions import PositionsTrace, add_positions
from numseq.layers.transformer import BlockTrace, init_transformer_block, transformer_block
from numseq.models.encoders.recurrent import EncoderGrad
from numseq.models.memory import Memory
from numseq.models.noise import BlocksNoise, Draws
from numseq.record import Record, Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class SelfAttentionEncoderParams(Record):
    blocks: list  # BlockParams, the lowest first
    norm: LayerNormParams | None  # at the top; None where each block ends with one


@dataclass(slots=True)
class SelfAttentionEncoderTrace(Trace):
    """What was read: the trace of each part, and the memory made of it; share (S, B), of each place in the mean."""

    positions: PositionsTrace
    blocks: list[BlockTrace]
    norm: LayerNormTrace | None
    share: Array
    memory: Memory

    def backward(self, dmemory: Memory) -> EncoderGrad:
        """From the gradient of the memory, a Memory. Each state is read in its place, and has its share of the mean,
        which stands in every part of every final state. Returns: an EncoderGrad."""
        d = dmemory.states
        for dmean in (part for state in dmemory.last or () for part in state):
            of_mean = self.share[:, :, None] * dmean
            d = of_mean if d is None else d + of_mean
        norm, blocks = None, []
        if self.norm is not None:
            grad = self.norm.backward(d)
            d, norm = grad.dx, grad.params
        for block in reversed(self.blocks):
            back = block.backward(d)
            blocks.insert(0, back.params)
            d = back.dx
        return EncoderGrad(dx=self.positions.backward(d).dx, params=SelfAttentionEncoderParams(blocks, norm))


class SelfAttentionEncoder:
    """Reads all positions at once; see `numseq.models.seq2seq` for what an encoder offers."""

    two_ways, bridged, source, recurrent = False, True, "tokens", False

    def __init__(self, config: "Seq2SeqConfig"):
        self.config = config

    @staticmethod
    def width(config: "Seq2SeqConfig") -> int:
        """C, how many numbers a state of the memory has."""
        return config.hidden

    def init(self, rng: Generator, dtype: DType) -> SelfAttentionEncoderParams:
        """First values, SelfAttentionEncoderParams."""
        config = self.config
        sizes = config.hidden, config.attention_size, config.feed_forward
        blocks = [init_transformer_block(rng, *sizes, dtype, config.initializer) for _ in range(config.layers)]
        norm = init_layer_norm(rng, config.hidden, dtype) if config.norm == "pre" else None
        return SelfAttentionEncoderParams(blocks, norm)

    def draw(self, draws: Draws, steps: int, batch: int, params: SelfAttentionEncoderParams) -> BlocksNoise:
        """A BlocksNoise."""
        return draws.blocks(steps, batch, sublayers=2)

    def forward(
        self, x: Array, mask: Array | None, params: SelfAttentionEncoderParams, noise: BlocksNoise | None = None
    ) -> SelfAttentionEncoderTrace:
        """Read x (S, B, D) where mask (S, B) is True. Returns: a SelfAttentionEncoderTrace."""
        config, noise, positions, blocks = self.config, noise or BlocksNoise(), add_positions(x), []
        h = positions.y
        options: dict[str, Any] = {"heads": config.heads, "norm": config.norm}
        for k, p in enumerate(params.blocks):
            blocks.append(transformer_block(h, p, mask=mask, dropout_masks=noise.masks(k), **options))
            h = blocks[-1].y
        norm = None if params.norm is None else layer_norm(h, params.norm)
        states, share = h if norm is None else norm.y, _share(x, mask)
        mean = weighted_mean(share.T, states)
        parts = self.config.cell_part.State
        last = [parts(*(mean for _ in parts._fields)) for _ in range(config.layers)]
        memory = Memory(states=states, mask=mask, last=last)
        return SelfAttentionEncoderTrace(positions, blocks, norm, share, memory)


def _share(x, mask):
    """What each place counts in the mean over places, (S, B): nothing where it is padding."""
    xp, real = array_module(x), x.real.dtype
    if mask is None:
        return xp.full(x.shape[:2], 1 / len(x), dtype=real)
    return mask.astype(real) / xp.maximum(mask.sum(axis=0), 1).astype(real)
