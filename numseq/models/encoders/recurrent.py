"""Recurrent encoders: one state for each position, by a stack of cells.

    states, last = stack of cells over x, read both ways, left to right, or right to left

Both ways is what an attention wants: a state then knows what is on either side of its position (Bahdanau et al. 2015,
section 3.2). Right to left puts the first source word next to the first target word (Sutskever et al. 2014, section
3.3).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numseq.backend import Array, DType, Generator
from numseq.layers.cells.bidirectional import init_bidirectional
from numseq.layers.cells.stack import StackTrace, stack
from numseq.models.memory import Memory
from numseq.models.noise import Draws, RecurrentNoise, expected
from numseq.record import Record, Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class EncoderGrad(Record):
    dx: Array  # (S, B, D)
    params: Any


@dataclass(slots=True)
class RecurrentEncoderTrace(Trace):
    """What was read: the stack's trace, and the memory made of it."""

    rnn: StackTrace
    memory: Memory

    def backward(self, dmemory: Memory) -> EncoderGrad:
        """From the gradient of the memory, a Memory. Returns: an EncoderGrad."""
        grad = self.rnn.backward(dmemory.states, dmemory.last)
        return EncoderGrad(dx=grad.dx, params=grad.params)


class ForwardEncoder:
    """Reads left to right; see `numseq.models.seq2seq` for what an encoder offers."""

    two_ways, bridged, source, reverse = False, False, "tokens", False

    def __init__(self, config: "Seq2SeqConfig"):
        self.config, self.cell = config, config.cell_part

    @staticmethod
    def width(config: "Seq2SeqConfig") -> int:
        """C, how many numbers a state of the memory has."""
        return config.hidden

    def init(self, rng: Generator, dtype: DType) -> list:
        """First values, a list of one layer's parameters each."""
        config, H = self.config, self.config.hidden
        sizes = [config.embedding] + [H] * (config.layers - 1)
        if self.two_ways:  # with half of the units in each direction
            return [init_bidirectional(rng, size, H // 2, dtype, self.cell, config.initializer) for size in sizes]
        return [self.cell.init(rng, size, H, dtype, config.initializer) for size in sizes]

    def draw(self, draws: Draws, steps: int, batch: int, params: list) -> RecurrentNoise:
        """A RecurrentNoise."""
        return draws.recurrent(steps, batch, params)

    def forward(
        self, x: Array, mask: Array | None, params: list, noise: RecurrentNoise | None = None
    ) -> RecurrentEncoderTrace:
        """Read x (S, B, D) where mask (S, B) is True, from a state of zeros. Returns: a RecurrentEncoderTrace."""
        options: dict[str, Any] = {"reverse": self.reverse, "residual": self.config.residual}
        noise = (noise or expected(self.config)).of_stack()
        rnn = stack(x, None, params, cell=self.cell, mask=mask, **options, **noise)
        return RecurrentEncoderTrace(rnn, Memory(states=rnn.h, mask=mask, last=rnn.final))


class BackwardEncoder(ForwardEncoder):
    """Reads right to left."""

    reverse = True


class BidirectionalEncoder(ForwardEncoder):
    """Reads both ways, with half of the units for each."""

    two_ways = bridged = True
