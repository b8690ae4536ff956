"""The encoder-decoder: five boxes, one call forward, one call backward, and decoding step by step.

    x       = source(what is read)                       vectors (S, B, D), and where they are real
    memory  = encoder(x)                                 Memory(states (S', B, C), mask, last)
    y       = target(what was said before each step)     vectors (T, B, E); teacher forcing: the right previous tokens
    decoded = decoder(y, memory)                         h, context, alpha, r, at every step
    loss    = objective(head, decoded, batch)            cross-entropy, nats per real token, unless another is handed in

A box is made of a configuration, `kind(config)`, knows nothing of its neighbours' insides, and offers

    init(rng, dtype)                           first parameters
    draw(draws, steps, batch, params)          its noise for one batch in training, or None (`numseq.models.noise`)

and what it does: a trace, whose `backward` gives the gradients of what went in.

    source.forward(source, mask, params, noise)    x, and its mask; backward(dx): of the parameters
    encoder.forward(x, mask, params, noise)    memory; backward(dmemory): an EncoderGrad
    target.forward(target_in, params, noise)   x, which is y here; backward(dy): of the parameters
    decoder.start(memory, params)              what is there before the first step; `numseq.models.decoders.base`
    decoder.forward(y, start, params, noise)   y, h, context, alpha, r, state; backward(dr, dh, ...): a DecoderGrad
    head.loss(decoded, targets, weights, params, noise)    loss, and logp; backward(dloss): a HeadGrad
    head.log_probabilities(decoded, params)    those of all tokens at every step, for a search

A head that `copies` also offers `read(memory, copies, params)`: what there is to copy, which `decoded.start.copying` is
then (`numseq.models.heads.copying`).

A kind of encoder also says how many numbers a state of its memory has, `width(config)`; whether it reads `two_ways`;
which `source` it reads, by its name; and whether its final states have to be `bridged`, since no cell of a decoder can
begin with them. Encoder or decoder say that they are not `recurrent`, if they are not. Which kinds there are is in
`numseq.models.registry`; an object of one's own will do as well.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from numseq import arguments
from numseq import params as trees
from numseq.backend import Array, DType, generator
from numseq.data.batches import Batch
from numseq.layers.init import Zeros
from numseq.models.config import Seq2SeqConfig
from numseq.models.decoders.base import DecoderState, Reading, summed
from numseq.models.noise import Draws, Noise
from numseq.models.tying import tie, untie, untie_gradients
from numseq.objectives import CrossEntropy
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class Seq2SeqParams(Record):
    source: Any  # None when tied to the target's
    encoder: Any
    target: Any
    decoder: Any
    head: Any


@dataclass(slots=True)
class Seq2SeqGrad(Record):
    params: Seq2SeqParams


@dataclass(slots=True)
class Seq2SeqTrace(Trace):
    """What the model computed: a trace for each box, and the objective's."""

    outputs = ("loss",)
    params: Seq2SeqParams
    config: Seq2SeqConfig
    source: Any
    encoder: Any
    target: Any
    decoder: Any
    objective: Any
    loss: Array

    @property
    def logp(self) -> Array:
        """Log-probabilities of all tokens at every step, (T, B, V)."""
        return self.objective.head.logp

    @property
    def alpha(self) -> Array | None:
        """Attention weights, (T, B, S); None where there is no attention."""
        return self.decoder.alpha

    def backward(self, dloss: float = 1.0) -> Seq2SeqGrad:
        """Objective, decoder, target, encoder, source. Returns a Seq2SeqGrad."""
        o = self.objective.backward(dloss)
        decoder = self.decoder.backward(o.dr, dh=o.dh, dcontext=o.dcontext, dalpha=o.dalpha)
        decoder.dmemory.states = summed(decoder.dmemory.states, o.dstates)
        encoder = self.encoder.backward(decoder.dmemory)
        source, target = self.source.backward(encoder.dx), self.target.backward(summed(decoder.dy, o.dy))
        grad = Seq2SeqParams(source, encoder.params, target, decoder.params, o.params)
        return Seq2SeqGrad(params=untie_gradients(grad, self.config.tied))


class Boxes(NamedTuple):
    """The five boxes of a configuration, in the order of the parameters."""

    source: Any
    encoder: Any
    target: Any
    decoder: Any
    head: Any


def boxes_of(config: Seq2SeqConfig) -> Boxes:
    """Made of their kinds."""
    return Boxes(*(kind(config) for kind in config.boxes))


def forward(
    params: Seq2SeqParams, batch: Batch, config: Seq2SeqConfig, noise: Noise | None = None, objective: Any = None
) -> Seq2SeqTrace:
    """The whole model on one batch, with teacher forcing.

    Equations: those of the module.

    Args: params: Seq2SeqParams. batch: source (S, B), source_mask (S, B), target_in (T, B) beginning with <bos>,
        target_out (T, B) ending with <eos>, target_mask (T, B). config: Seq2SeqConfig. noise: from `draw_noise`, in
        training; None in evaluation. objective: what is minimised, see `numseq.objectives`; None for the cross-entropy.
    Returns: a Seq2SeqTrace.
    Backward: Seq2SeqTrace.backward.
    """
    common_dtype(params)
    boxes, p, n = boxes_of(config), tie(params, config.tied), noise or Noise()
    source = boxes.source.forward(batch.source, batch.source_mask, p.source, n.source)
    encoder = boxes.encoder.forward(source.x, source.mask, p.encoder, n.encoder)
    target = boxes.target.forward(batch.target_in, p.target, n.target)
    start = boxes.decoder.start(encoder.memory, p.decoder)
    if config.copies:
        start.copying = boxes.head.read(encoder.memory, batch.copies, p.head)
    decoder = boxes.decoder.forward(target.x, start, p.decoder, n.decoder)
    objective = (objective or CrossEntropy(config)).forward(boxes.head, decoder, batch, p.head, noise)
    return Seq2SeqTrace(params, config, source, encoder, target, decoder, objective, objective.loss)


def draw_noise(config: Seq2SeqConfig, params: Seq2SeqParams, batch: Batch, *seed: int) -> Noise:
    """Everything random for one batch; the same seed gives the same. Returns: a Noise."""
    draws, p = Draws(config, common_dtype(params), *seed), tie(params, config.tied)
    S, (T, B) = len(batch.source), batch.target_in.shape[:2]
    parts = zip(boxes_of(config), (S, S, T, T, T), (p.source, p.encoder, p.target, p.decoder, p.head), strict=True)
    return Noise(*(box.draw(draws, steps, B, params) for box, steps, params in parts))


@dataclass
class Seq2Seq(Record):
    """A configuration with its parameters.

    `Seq2Seq.create(config, seed=0)` draws first values. `model.forward(batch)` returns a trace whose `backward()` gives
    the gradient; `model.start` and `model.step` decode.
    """

    config: Seq2SeqConfig
    params: Seq2SeqParams

    @classmethod
    def create(cls, config: Seq2SeqConfig, seed: int | None = 0, dtype: DType = "float32") -> Self:
        """A new model; the same seed gives the same numbers on every backend, None zeros, to be replaced soon."""
        arguments.one_of(config, "config", Seq2SeqConfig)
        rng = Zeros() if seed is None else generator(arguments.whole(seed, "seed", least=0))
        params = Seq2SeqParams(*(box.init(rng, dtype) for box in boxes_of(config)))
        return cls(config, untie(params, config.tied))

    def forward(self, batch: Batch, noise: Noise | None = None, objective: Any = None) -> Seq2SeqTrace:
        """See `forward`."""
        return forward(self.params, batch, self.config, noise, objective)

    def draw_noise(self, batch: Batch, *seed: int) -> Noise:
        """What is random in training on this batch; see `numseq.models.noise`."""
        return draw_noise(self.config, self.params, batch, *seed)

    def start(
        self, source: Array, source_mask: Array | None, copies: Array | None = None
    ) -> tuple[Reading, DecoderState]:
        """Read the source (S, B); returns (memory, state) for `step`. The state's arrays begin with the batch axis.

        copies, (S, B), on the host: what stands at each place, for a head that copies.
        """
        p, boxes = tie(self.params, self.config.tied), boxes_of(self.config)
        read = boxes.source.forward(source, source_mask, p.source)
        memory = boxes.encoder.forward(read.x, read.mask, p.encoder).memory
        start = boxes.decoder.start(memory, p.decoder)
        if self.config.copies:
            start.copying = boxes.head.read(memory, copies, p.head)
        return Reading(start.attention, start.copying), start.state

    def step(self, ids: Array, state: DecoderState, memory: Reading) -> tuple[Array, DecoderState, Array | None]:
        """One decoding step on the previous tokens (B,).

        Returns: log-probabilities (B, V), the next state, and the attention weights (B, S), None where there is no
        attention.
        """
        p, boxes = tie(self.params, self.config.tied), boxes_of(self.config)
        y = boxes.target.forward(ids[None], p.target).x
        decoded = boxes.decoder.forward(y, memory.start(state), p.decoder)
        logp = boxes.head.log_probabilities(decoded, p.head)
        return logp[0], decoded.state, None if decoded.alpha is None else decoded.alpha[0]

    @staticmethod
    def select_rows(memory: Reading | None, state: DecoderState, rows: Array) -> tuple[Reading | None, DecoderState]:
        """(memory, state) of other rows, (N,) integers; a search keeps, repeats and drops rows with it."""
        return memory and memory.select_rows(rows), trees.map(lambda part: part[rows], state)
