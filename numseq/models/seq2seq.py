"""The encoder-decoder: one call forward, one call backward, and decoding step by step.

    source = encode(source ids)
    r      = decode(<bos> target, source)                 teacher forcing: each step sees the right previous token
    logits = readout(r)
    loss   = cross_entropy(logits, target <eos>)          mean over real target tokens, nats

A decoder is made of a configuration and a cell, and has four functions: `init` (first parameters), `decode` (all steps,
on given tokens, with a trace), `start` and `step` (one step at a time, carrying only the state). `decoder_of` says
which belongs to a configuration.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import generator
from numseq.layers.coverage import CoverageLossTrace, coverage_loss
from numseq.layers.loss import CrossEntropyTrace, cross_entropy
from numseq.models.attentive import AttentiveDecoder, AttentiveParams, AttentiveTrace
from numseq.models.config import Seq2SeqConfig
from numseq.models.encoder import EncoderParams, EncoderTrace, encode, init_encoder
from numseq.models.feeding import FeedingDecoder, FeedingTrace
from numseq.models.luong import LuongDecoder, LuongParams, LuongTrace
from numseq.models.noise import draw_masks, expected
from numseq.models.parts import CELLS
from numseq.models.plain import PlainDecoder, PlainParams, PlainTrace
from numseq.models.readout import ReadoutTrace, output_matrix, read_out, read_out_samples
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class Seq2SeqParams:
    encoder: EncoderParams
    decoder: AttentiveParams | LuongParams | PlainParams


@dataclass(slots=True)
class Seq2SeqGrad:
    params: Seq2SeqParams


@dataclass(slots=True)
class Seq2SeqTrace(Trace):
    """What the model computed: the encoder's, the decoder's, the readout's and the losses' traces."""

    outputs = ("loss",)
    params: Seq2SeqParams
    config: Seq2SeqConfig
    encoder: EncoderTrace
    decoder: PlainTrace | AttentiveTrace | LuongTrace | FeedingTrace
    readout: ReadoutTrace
    cross_entropy: CrossEntropyTrace | None  # None with a sampled softmax, whose loss the readout has
    coverage: CoverageLossTrace | None
    loss: Array

    @property
    def logits(self):
        """Scores of all tokens at every step, (T, B, V)."""
        return self.readout.logits

    @property
    def alpha(self):
        """Attention weights, (T, B, S); None for the plain model."""
        return self.decoder.alpha

    def backward(self, dloss=1.0):
        """Losses, readout, decoder, encoder. Returns a Seq2SeqGrad."""
        dalpha = None if self.coverage is None else self.coverage.backward(self.config.coverage_loss * dloss).dalpha
        dlogits = dloss if self.cross_entropy is None else self.cross_entropy.backward(dloss).dlogits
        dr, dreadout, dW = self.readout.backward(dlogits)
        decoder = self.decoder.backward(dr, dalpha)
        encoder = self.encoder.backward(decoder.dstates, decoder.dh_T, decoder.dc_T)
        dparams = Seq2SeqParams(encoder=encoder, decoder=decoder.params)
        dparams.decoder.readout = dreadout
        if self.readout.tied:  # one matrix, read once more: its gradients add
            dparams.decoder.embedding.W += dW
        if self.config.tied == "all":
            dparams.decoder.embedding.W += encoder.embedding.W
            encoder.embedding = None
        return Seq2SeqGrad(params=dparams)


def forward(params, batch, config, masks=None, cell=None):
    """The whole model on one batch, with teacher forcing.

    Equations: those of the module; in training, with the weights that the configuration gives them,
        loss = cross-entropy with label smoothing - confidence_penalty * entropy + coverage_loss * coverage.

    Args: params: Seq2SeqParams. batch: source (S, B), source_mask (S, B), target_in (T, B) beginning with <bos>,
        target_out (T, B) ending with <eos>, target_mask (T, B). config: Seq2SeqConfig. masks: from `draw_masks`, in
        training; None in evaluation, where the loss is the plain cross-entropy. cell: one with another step, to train a
        changed equation; None for the configuration's.
    Returns: a Seq2SeqTrace.
    Backward: Seq2SeqTrace.backward.
    """
    training, cell = masks is not None, cell or CELLS[config.cell]
    masks = expected(config) if masks is None else masks
    source = encode(batch.source, batch.source_mask, params.encoder, config, masks, cell, params.decoder.embedding)
    target = decoder_of(config, cell).decode(batch.target_in, source.rnn, batch.source_mask, params.decoder, masks)
    output, right = (
        (target.r, params.decoder.readout, params.decoder.embedding.W),
        (batch.target_out, batch.target_mask),
    )
    if training and config.samples:
        readout, entropy = read_out_samples(*output, *right, masks), None
        loss = readout.output.loss
    else:
        readout = read_out(*output, masks.get("readout"))
        regular = (config.label_smoothing, config.confidence_penalty) if training else ()
        entropy = cross_entropy(readout.logits, *right, *regular)
        loss = entropy.loss
    coverage = None
    if training and config.coverage_loss:
        coverage = coverage_loss(target.alpha, batch.target_mask)
        loss = loss + config.coverage_loss * coverage.loss
    return Seq2SeqTrace(params, config, source, target, readout, entropy, coverage, loss)


def decoder_of(config, cell):
    """The decoder of a configuration."""
    if not config.attends:
        return PlainDecoder(config, cell)
    if config.order == "bahdanau":
        return AttentiveDecoder(config, cell)
    return (FeedingDecoder if config.input_feeding else LuongDecoder)(config, cell)


@dataclass
class Seq2Seq:
    """A configuration with its parameters.

    `Seq2Seq.create(config, seed=0)` draws first values. `model.forward(batch)` returns a trace whose `backward()` gives
    the gradient; `model.start` and `model.step` decode. Set `model.cell` to a cell with a step of your own, and it is
    trained and decoded with that.
    """

    config: Seq2SeqConfig
    params: Seq2SeqParams
    cell: Any = None  # None for the configuration's

    def __post_init__(self):
        self.cell = self.cell or CELLS[self.config.cell]

    @classmethod
    def create(cls, config, seed=0, dtype="float32"):
        """A new model; the same seed gives the same numbers on every backend."""
        rng, cell = generator(seed), CELLS[config.cell]
        params = Seq2SeqParams(
            encoder=init_encoder(rng, config, cell, dtype), decoder=decoder_of(config, cell).init(rng, dtype)
        )
        return cls(config, params)

    @property
    def decoder(self):
        return decoder_of(self.config, self.cell)

    def forward(self, batch, masks=None):
        """See `forward`."""
        return forward(self.params, batch, self.config, masks, self.cell)

    def draw_masks(self, batch, *seed):
        """What is random in training on this batch; see `numseq.models.noise`."""
        return draw_masks(self.config, self.params, batch, *seed)

    def start(self, source, source_mask):
        """Read the source (S, B); returns (memory, state) for `step`. The state's arrays begin with the batch axis."""
        p, masks = self.params, expected(self.config)
        encoder = encode(source, source_mask, p.encoder, self.config, masks, self.cell, p.decoder.embedding)
        return self.decoder.start(encoder.rnn, source_mask, p.decoder)

    def step(self, ids, state, memory):
        """One decoding step on the previous tokens (B,).

        Returns: logits (B, V), the next state, and the attention weights (B, S), None for the plain model.
        """
        p = self.params.decoder
        r, state, alpha = self.decoder.step(ids, state, memory, p, expected(self.config))
        output = output_matrix(p.readout, p.embedding.W)
        return r @ output.W + output.b, state, alpha

    @staticmethod
    def of_rows(memory, state, rows):
        """(memory, state) of other rows, (N,) integers; a search keeps, repeats and drops rows with it."""
        return memory and memory.of_rows(rows), [tuple(part[rows] for part in layer) for layer in state]
