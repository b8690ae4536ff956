"""What is drawn at random for one batch in training, and what stands for it in evaluation.

Each box draws what it needs (`draw`), and takes it as an argument, so that a forward pass is a function: the same noise
gives the same numbers, however often it is computed.

    dropout            units are left out, and the others scaled (`numseq.layers.dropout`); with `variational` one mask
                       serves all steps (Gal & Ghahramani 2016)
    word dropout       a whole token's embedding is 0: one more factor of its dropout mask (Sennrich et al. 2016,
                       "Edinburgh neural machine translation systems", section 2.4)
    weight-drop        numbers of the recurrent matrices are left out, the same at all steps
    zoneout            units keep their state for a step; in evaluation each goes on by its probability of doing so
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numseq.backend import Array, DType, Generator, device_generator, generator
from numseq.layers import BidirectionalParams, dropout_mask
from numseq.record import Record

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class RecurrentNoise(Record):
    """Of a stack of recurrent layers; a list has an item for each layer, and None stands for no noise of its kind."""

    dropout: list | None = None  # masks of what goes from layer to layer, one less
    weights: list | None = None  # masks of the recurrent matrices
    zoneout: list | None = None  # what `Unroll` takes

    def layer(self, k: int) -> tuple:
        """(mask of the inputs, zoneout, mask of the recurrent matrix) of layer k; None for none."""
        return (
            self.dropout[k - 1] if self.dropout and k else None,
            self.zoneout and self.zoneout[k],
            self.weights and self.weights[k],
        )

    def of_stack(self, lowest: int = 0) -> dict[str, Any]:
        """The same as `stack` takes it, of the layers from the `lowest` on."""
        parts = {"dropout_masks": self.dropout, "weight_masks": self.weights, "zoneout": self.zoneout}
        return {name: part and part[lowest:] for name, part in parts.items()}


@dataclass(slots=True)
class BlocksNoise(Record):
    """Of blocks of self-attention."""

    dropout: list | None = None  # for each block the masks of what its sub-layers add

    def masks(self, k: int) -> list | None:
        """Those of block k."""
        return self.dropout and self.dropout[k]


@dataclass(slots=True)
class Noise(Record):
    """One field for each box; its contents are the box's own."""

    source: Array | None = None
    encoder: Any = None
    target: Array | None = None
    decoder: Any = None
    head: Any = None


class Draws:
    """Where the boxes draw from. seed, integers: the same give the same numbers."""

    def __init__(self, config: "Seq2SeqConfig", dtype: DType, *seed: int):
        self.config, self.dtype, self.seed = config, dtype, seed
        self._rng = device_generator(*seed)

    @cached_property
    def host(self) -> Generator:
        """A generator on the host, for what is drawn there."""
        return generator(*self.seed, 1)

    def mask(self, rate: float, *shape: int) -> Array | None:
        """A dropout mask; None at rate 0."""
        return dropout_mask(self._rng, shape, rate, self.dtype)

    def dropout(self, steps: int, batch: int, width: int) -> Array | None:
        """The configuration's dropout of a sequence (steps, batch, width)."""
        return self.mask(self.config.dropout, 1 if self.config.variational else steps, batch, width)

    def tokens(self, steps: int, batch: int, width: int) -> Array | None:
        """Dropout of embeddings, and of whole tokens."""
        units, words = self.dropout(steps, batch, width), self.mask(self.config.word_dropout, steps, batch, 1)
        return words if units is None else units if words is None else units * words

    def zoneout(self, *shape: int) -> Array:
        """1 where a unit goes on, 0 where it keeps its state: a dropout mask without its scaling."""
        return (self.mask(self.config.zoneout, *shape) > 0).astype(self.dtype)

    def recurrent(self, steps: int, batch: int, layers: list) -> RecurrentNoise:
        """The noise of a stack of recurrent layers with these parameters."""
        config, noise = self.config, RecurrentNoise()
        # shapes: (H, G), or (2, H, G)
        matrices = [(2, *p.ahead.W_h.shape) if isinstance(p, BidirectionalParams) else p.W_h.shape for p in layers]
        if config.dropout:
            noise.dropout = [self.dropout(steps, batch, config.hidden) for _ in layers[1:]]
        if config.weight_drop:
            noise.weights = [self.mask(config.weight_drop, *shape) for shape in matrices]
        if config.zoneout:
            parts = config.cell_part.State._fields
            noise.zoneout = [tuple(self.zoneout(steps, *two, batch, H) for _ in parts) for *two, H, _ in matrices]
        return noise

    def blocks(self, steps: int, batch: int, sublayers: int) -> BlocksNoise:
        """The noise of blocks that have so many sub-layers each."""
        if not self.config.dropout:
            return BlocksNoise()
        masks = [
            [self.dropout(steps, batch, self.config.hidden) for _ in range(sublayers)]
            for _ in range(self.config.layers)
        ]
        return BlocksNoise(masks)


def expected(config: "Seq2SeqConfig") -> RecurrentNoise:
    """What stands for the noise of a recurrent stack in evaluation: only zoneout has something there."""
    if not config.zoneout:
        return RecurrentNoise()
    share = (1 - config.zoneout,) * len(config.cell_part.State._fields)
    return RecurrentNoise(zoneout=[share] * config.layers)
