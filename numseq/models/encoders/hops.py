"""The memory network as an encoder: the last sentence is a question, which reads the others several times.

    q       = x of the last sentence, its first E numbers           u_0
    memory  = temporal_encoding(x of the others)                    K + 1 vectors of E numbers for each
    u_K     = hops(q, memory)                                       p_k: where hop k looked
    states  = what the sentences give in the last hop;  last = u_K

It reads what `numseq.models.sources.sentences` makes of a line. Nothing is recurrent: what came first is known by the
ages of the sentences alone.

In training an empty memory may be thought to stand behind a sentence, so that the same sentence is met with other ages
("random noise" in the paper).

Source: Sukhbaatar et al. 2015, sections 2 and 4.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numseq.backend import Array, DType, Generator, array_module
from numseq.layers.hops import HopsTrace, hops
from numseq.layers.temporal_encoding import TemporalParams, TemporalTrace, init_temporal, temporal_encoding
from numseq.models.encoders.recurrent import EncoderGrad
from numseq.models.memory import Memory
from numseq.models.noise import Draws
from numseq.record import Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class HopsEncoderTrace(Trace):
    """What was read: the question's place (P, B), the memory with ages, the hops, and the Memory made of them."""

    asked: Array  # (P, B), True at the place of each row's question
    temporal: TemporalTrace
    hops: HopsTrace
    memory: Memory

    @property
    def p(self) -> Array:
        """Where each hop looked, (K, B, P)."""
        return self.hops.p

    def backward(self, dmemory: Memory) -> EncoderGrad:
        """u_K is every part of how the reading ended, so their gradients add; the last memory is read by the decoder
        besides."""
        memories, (P, B) = self.hops.memories, self.asked.shape
        dlast = [part for state in dmemory.last or [] for part in state]
        read = self.hops.backward(sum(dlast, array_module(memories).zeros_like(memories[0, 0])))
        dmemories = read.dmemories
        if dmemory.states is not None:
            dmemories[-1] += dmemory.states
        grad = self.temporal.backward(dmemories.transpose(1, 2, 0, 3).reshape(P, B, -1))
        dx = grad.dx
        dx[:, :, : read.du.shape[-1]] += self.asked[:, :, None] * read.du
        return EncoderGrad(dx=dx, params=grad.params)


class HopsEncoder:
    """Reads sentences in hops; see `numseq.models.seq2seq` for what an encoder offers."""

    two_ways, bridged, source, has_cells = False, True, "sentences", False

    def __init__(self, config: "Seq2SeqConfig"):
        self.config = config

    @staticmethod
    def width(config: "Seq2SeqConfig") -> int:
        """C, how many numbers a state of the memory has."""
        return config.embedding

    def init(self, rng: Generator, dtype: DType) -> TemporalParams:
        """First values, TemporalParams."""
        config = self.config
        size = (config.encoder_hops + 1) * config.embedding
        return init_temporal(rng, config.sentences, size, dtype, config.initializer)

    def draw(self, draws: Draws, steps: int, batch: int, params: TemporalParams) -> Array | None:
        """(steps, batch), 0 where an empty memory stands behind a sentence; None for none."""
        return draws.mask(self.config.empty_memories, steps, batch)

    def forward(
        self, x: Array, mask: Array | None, params: TemporalParams, noise: Array | None = None
    ) -> HopsEncoderTrace:
        """Read x (P, B, (K + 1) E), sentences where mask (P, B) is True. noise: from `draw`, or None.

        Returns: a HopsEncoderTrace.
        """
        config, xp, (P, B, _) = self.config, array_module(x), x.shape
        mask = xp.ones((P, B), dtype=bool) if mask is None else mask
        after = _behind(mask)  # how many sentences come after each
        asked, facts = mask & (after == 0), mask & (after > 0)
        age = xp.maximum(after - 1, 0)
        if noise is not None:
            age = age + _behind((noise[:P] == 0) & facts) + ((noise[:P] == 0) & facts)
        age = xp.minimum(age, len(params.T) - 1)
        question = (asked[:, :, None] * x[:, :, : config.embedding]).sum(axis=0)
        temporal = temporal_encoding(x, age, params, mask=facts)
        memories = temporal.y.reshape(P, B, -1, config.embedding).transpose(2, 0, 1, 3)
        read = hops(question, memories, mask=facts)
        State = config.cell_part.State
        last = [State(*(read.u for _ in State._fields)) for _ in range(config.layers)]
        return HopsEncoderTrace(asked, temporal, read, Memory(states=memories[-1], mask=facts, last=last))


def _behind(true):
    """How many are True after each place, (P, B)."""
    return true.sum(axis=0) - true.cumsum(axis=0)
