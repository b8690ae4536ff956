"""The encoder-decoder: one call forward, one call backward, and decoding step by step.

    source = encode(source ids)
    logits = decode(<bos> target, source)                 teacher forcing: each step sees the right previous token
    loss   = cross_entropy(logits, target <eos>)          mean over real target tokens, nats

A decoder is four functions: `init` (first parameters), `decode` (all steps, on given tokens, with a trace), `start` and
`step` (one step at a time, carrying only the state). `DECODERS` names them.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import device_generator, generator
from numseq.layers.dropout import dropout_mask
from numseq.layers.loss import CrossEntropyTrace, cross_entropy
from numseq.layers.lstm import LSTM, STANDARD
from numseq.models.attentive import AttentiveDecoder, AttentiveParams, AttentiveTrace
from numseq.models.config import Seq2SeqConfig
from numseq.models.encoder import EncoderParams, EncoderTrace, encode, init_encoder
from numseq.models.plain import PlainDecoder, PlainParams, PlainTrace
from numseq.record import Trace

Array = Any
DECODERS = {"attention": AttentiveDecoder, "plain": PlainDecoder}


@dataclass(slots=True)
class Seq2SeqParams:
    encoder: EncoderParams
    decoder: AttentiveParams | PlainParams


@dataclass(slots=True)
class Seq2SeqGrad:
    params: Seq2SeqParams


@dataclass(slots=True)
class Seq2SeqTrace(Trace):
    """What the model computed: the encoder's, the decoder's and the loss's traces."""

    outputs = ("loss",)
    encoder: EncoderTrace
    decoder: PlainTrace | AttentiveTrace
    cross_entropy: CrossEntropyTrace

    @property
    def loss(self):
        """Mean negative log-likelihood, (), nats per real target token."""
        return self.cross_entropy.loss

    @property
    def alpha(self):
        """Attention weights, (T, B, S); None for the plain model."""
        return self.decoder.alpha

    def backward(self, dloss=1.0):
        """Loss, decoder, encoder. Returns a Seq2SeqGrad."""
        decoder = self.decoder.backward(self.cross_entropy.backward(dloss).dlogits)
        encoder = self.encoder.backward(decoder.dstates, decoder.dh_T, decoder.dc_T)
        return Seq2SeqGrad(params=Seq2SeqParams(encoder=encoder, decoder=decoder.params))


def forward(params, batch, decoder, dropout_masks=None, cell=STANDARD):
    """The whole model on one batch, with teacher forcing.

    Args: params: Seq2SeqParams. batch: source (S, B), source_mask (S, B), target_in (T, B) beginning with <bos>,
        target_out (T, B) ending with <eos>, target_mask (T, B). decoder: one of DECODERS' values. dropout_masks: from
        `draw_masks`, or None in evaluation. cell: an LSTM with another step, to train a changed equation.
    Returns: a Seq2SeqTrace.
    Backward: Seq2SeqTrace.backward.
    """
    masks = dropout_masks or {}
    source = encode(batch.source, batch.source_mask, params.encoder, masks, cell)
    target = decoder.decode(batch.target_in, source.rnn, batch.source_mask, params.decoder, masks, cell)
    loss = cross_entropy(target.logits, batch.target_out, batch.target_mask)
    return Seq2SeqTrace(encoder=source, decoder=target, cross_entropy=loss)


def draw_masks(config, batch, dtype, *seed):
    """Dropout masks for one batch: None at rate 0, else a dict; the same seed gives the same masks."""
    if config.dropout == 0:
        return None
    rng = device_generator(*seed)
    (S, B), T, H = batch.source.shape, len(batch.target_in), config.hidden
    draw = lambda *shape: dropout_mask(rng, shape, config.dropout, dtype)  # noqa: E731
    return {
        "source": draw(S, B, config.embedding),
        "encoder": [draw(S, B, H) for _ in range(config.layers - 1)],
        "target": draw(T, B, config.embedding),
        "decoder": [draw(T, B, H) for _ in range(config.layers - 1)],
        "readout": draw(T, B, H),
    }


@dataclass
class Seq2Seq:
    """A configuration with its parameters.

    `Seq2Seq.create(config, seed=0)` draws first values. `model.forward(batch)` returns a trace whose `backward()` gives
    the gradient; `model.start` and `model.step` decode. Set `model.cell` to an LSTM with a step of your own, and it is
    trained and decoded with that.
    """

    config: Seq2SeqConfig
    params: Seq2SeqParams
    cell: LSTM = STANDARD

    @classmethod
    def create(cls, config, seed=0, dtype="float32"):
        """A new model; the same seed gives the same numbers on every backend."""
        rng = generator(seed)
        params = Seq2SeqParams(
            encoder=init_encoder(rng, config, dtype), decoder=DECODERS[config.model].init(rng, config, dtype)
        )
        return cls(config, params)

    @property
    def decoder(self):
        return DECODERS[self.config.model]

    def forward(self, batch, dropout_masks=None):
        """See `forward`."""
        return forward(self.params, batch, self.decoder, dropout_masks, self.cell)

    def start(self, source, source_mask):
        """Read the source (S, B); returns (memory, state) for `step`. The state's arrays begin with the batch axis."""
        encoder = encode(source, source_mask, self.params.encoder, cell=self.cell)
        return self.decoder.start(encoder.rnn, source_mask, self.params.decoder)

    def step(self, ids, state, memory):
        """One decoding step on the previous tokens (B,).

        Returns: logits (B, V), the next state, and the attention weights (B, S), None for the plain model.
        """
        return self.decoder.step(ids, state, memory, self.params.decoder, self.cell)

    @staticmethod
    def of_rows(memory, state, rows):
        """(memory, state) of other rows, (N,) integers; a search keeps, repeats and drops rows with it."""
        return memory and memory.of_rows(rows), [tuple(part[rows] for part in layer) for layer in state]
