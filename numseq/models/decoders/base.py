"""What all decoders share: their parameters, their first state, and what they give.

    attention       = made of the memory, once
    state_{-1}      = bridge(last), or last itself
    h, context, r   = the order's own equations, for t = 0 .. T-1        `plain`, `bahdanau`, `luong`, `luong_feeding`

An order is a subclass with `forward`, whose trace's `backward` ends with `Start.backward`. A decoder without cells
(`self_attention`) has parameters and a state of its own.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.attention.base import Attention, AttentionGrad
from numseq.layers.attention.multihop import init_multihop
from numseq.layers.linear import LinearParams
from numseq.models.decoders.bridge import BridgeTrace, bridge, init_bridge
from numseq.models.decoders.readout import Readout
from numseq.models.memory import Memory
from numseq.models.noise import Draws, RecurrentNoise
from numseq.record import Record, Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class DecoderParams(Record):
    """One class for all that is recurrent; what an order does not have is None."""

    bridge: list | None  # for each layer LinearParams in the place of each part of its state
    attention: Any  # queries (H), keys and values (C)
    rnn: list  # one per layer, the lowest first
    W_extra: Array | None  # (., G), of what the loop adds to the lowest layer's pre-activations: the context, or r
    combine: LinearParams | None  # of the readout; None when it is linear


class Reading(NamedTuple):
    """What all steps of a search read of the sources: those parts of a Start that no step changes."""

    attention: Attention | None
    copying: Any = None  # what a head that copies reads of the source

    @property
    def places(self) -> Array | None:
        """Which places of the memory are real, (B, S); None for all, and without an attention."""
        return None if self.attention is None else self.attention.real

    def select_rows(self, rows: Array) -> "Reading":
        """The same of other rows of the batch, (N,) integers."""
        return Reading(*(None if part is None else part.select_rows(rows) for part in self))

    def start(self, state: "DecoderState") -> "Start":
        """What is there before the next step, after which there is this state."""
        return Start(self.attention, state, copying=self.copying)


class DecoderState(NamedTuple):
    """What a decoder carries from step to step; its arrays begin with the batch axis."""

    layers: list  # the state of each layer, the lowest first; of a block of self-attention its keys and values
    carried: tuple = ()  # by the attention
    r: Array | None = None  # (B, R), with input feeding


@dataclass(slots=True)
class DecoderGrad(Record):
    dy: Array  # (T, B, E)
    dmemory: Memory
    params: Any  # DecoderParams, of a recurrent one


@dataclass(slots=True)
class Start(Trace):
    """What is there before the first step: the attention, made of the memory, and the first state."""

    attention: Attention | None
    state: DecoderState
    memory: Memory | None = None  # None in a search, which goes on from a state
    bridge: BridgeTrace | None = None  # None where the encoder's final states are the first ones
    copying: Any = None  # what a head that copies reads of the source

    def backward(self, dlayers: list, look: AttentionGrad | None = None) -> tuple[Memory, list | None]:
        """Returns (gradient of the memory, of the bridge's parameters). dlayers, of the first states, a list. look, the
        AttentionGrad of all looks, or None."""
        dlast, dbridge = (dlayers, None) if self.bridge is None else self.bridge.backward(dlayers)
        dstates = None if look is None else look.dkeys + look.dvalues  # the memory is both
        return Memory(states=dstates, mask=None, last=dlast), dbridge


class Decoder:
    """See `numseq.models.seq2seq` for what a decoder offers."""

    attends = True  # does it look at the memory?
    extra = None  # how many numbers the loop adds at each step to what the lowest layer reads, if it does
    shows_vector = False  # does every step see the encoder's final state?
    recurrent = True  # is it made of cells?

    def __init__(self, config: "Seq2SeqConfig"):
        self.config, self.cell = config, config.cell_part

    @property
    def inputs(self) -> int:
        """How many numbers the lowest layer reads."""
        return self.config.embedding

    @property
    def bridged(self) -> bool:
        """Are the first states made of the encoder's final ones by a bridge?"""
        return self.attends or self.config.encoder_part.bridged

    def init(self, rng: Generator, dtype: DType) -> DecoderParams:
        """First values, DecoderParams."""
        config, initializer, attention, W_extra = self.config, self.config.initializer, None, None
        bridges = init_bridge(rng, config, dtype) if self.bridged else None
        if self.attends:
            sizes = config.hidden, config.memory, config.attention_size
            attention = config.attention_part.init(rng, *sizes, dtype, initializer)
            if config.hops > 1:
                attention = init_multihop(rng, attention, config.hidden, config.memory, dtype, initializer)
        rnn = [self.cell.init(rng, self.inputs, config.hidden, dtype, initializer)]
        if self.extra:
            W_extra = asarray(initializer.matrix(rng, self.extra, rnn[0].W_h.shape[1]), dtype)
        rnn += [self.cell.init(rng, config.hidden, config.hidden, dtype, initializer) for _ in range(config.layers - 1)]
        return DecoderParams(bridges, attention, rnn, W_extra, combine=Readout.init(rng, config, dtype))

    def draw(self, draws: Draws, steps: int, batch: int, params: DecoderParams) -> RecurrentNoise:
        """A RecurrentNoise."""
        return draws.recurrent(steps, batch, params.rnn)

    def start(self, memory: Memory, params: DecoderParams) -> Start:
        """What is there before the first step, a Start."""
        bridged = bridge(memory.last, params.bridge) if self.bridged else None
        layers = bridged.state if bridged else memory.last
        attention = self.config.attend_to(memory, params.attention) if self.attends else None
        carried = attention.initial_carried() if attention else ()
        return Start(attention, DecoderState(layers, carried), memory, bridged)

    def forward(self, y: Array, start: Start, params: DecoderParams, noise: RecurrentNoise | None = None) -> Any:
        """All steps on y (T, B, E), what was said before each.

        Args: start, from `start`, or a Start with the attention and the state after the steps before. params:
            DecoderParams. noise: from `draw`, or None.
        Returns: a trace with y, h (T, B, H) of the top layer, context (T, B, C) and alpha (T, B, S), None where there
            is no attention, r (T, B, R), and `state`, a DecoderState, after the last step. Its backward takes dr
            (T, B, R) and, of what else was read, dh, dcontext and dalpha, and gives a DecoderGrad.
        """
        raise NotImplementedError


@dataclass(slots=True)
class AttendingTrace(Trace):
    """What a decoder that looks at the memory computed, part by part; y (T, B, E) went in; h (T, B, H), context
    (T, B, C), alpha (T, B, S), r (T, B, R)."""

    start: Start
    params: DecoderParams
    y: Array
    looks: Any  # all T looks at the memory
    readout: Readout
    read: Any  # the readout at all T steps
    state: DecoderState  # after the last step

    @property
    def context(self) -> Array:
        return self.looks.context

    @property
    def alpha(self) -> Array:
        return self.looks.alpha

    @property
    def r(self) -> Array:
        return self.read.r


def at(t: int, gradient: Array | None) -> Array | None:
    """The gradient of step t's part of something, None where nobody read it."""
    return None if gradient is None else gradient[t]


def summed(*gradients: Array | None) -> Any:
    """The sum of the gradients of something that was read several times; None counts as 0, and so does no reader."""
    total = None
    for d in gradients:
        if d is not None:
            total = d if total is None else total + d
    return total
