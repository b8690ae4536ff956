"""A softmax over the vocabulary: the scores of all tokens, or in training those of a few sampled ones.

    logits_t = dropout(r_t) W + b
    p_t      = softmax(logits_t)

W may be the target embedding's matrix, transposed (Press & Wolf 2017; see `numseq.models.tying`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numseq.backend import Array, DType, Generator
from numseq.layers.activations import log_softmax
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.linear import LinearParams, LinearTrace, affine, init_linear, linear
from numseq.layers.losses.cross_entropy import CrossEntropyTrace, cross_entropy
from numseq.layers.losses.sampled import SampledCrossEntropyTrace, log_uniform, sampled_cross_entropy
from numseq.models.noise import Draws
from numseq.record import Record, Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class HeadGrad(Record):
    """Of its parameters, of r, and of what the head read of the decoder, and of the memory's states, besides; None for
    what it did not."""

    params: Any
    dr: Array
    dh: Array | None = None
    dcontext: Array | None = None
    dalpha: Array | None = None
    dy: Array | None = None
    dstates: Array | None = None


@dataclass(slots=True)
class VocabularyNoise(Record):
    dropout: Array | None = None
    samples: tuple[Array, Array] | None = None  # tokens in the vocabulary's place, and how likely each was to be drawn


@dataclass(slots=True)
class VocabularyTrace(Trace):
    """The loss () of the right tokens, and how it came about: the scores of all, or those of the sampled ones alone."""

    outputs = ("loss",)
    dropout: DropoutTrace
    output: LinearTrace | None  # None where tokens were sampled
    cross_entropy: CrossEntropyTrace | SampledCrossEntropyTrace
    loss: Array

    @property
    def logits(self) -> Array:
        """Scores of all tokens at every step, (T, B, V)."""
        return self.output.y

    @property
    def logp(self) -> Array:
        """Log-probabilities of all tokens at every step, (T, B, V)."""
        return log_softmax(self.output.y)

    def backward(self, dloss: float = 1.0) -> HeadGrad:
        """Loss, product, dropout. Returns: a HeadGrad."""
        grad: Any = self.cross_entropy.backward(dloss)
        if self.output is not None:  # the sampled loss has its product inside
            grad = self.output.backward(grad.dlogits)
        return HeadGrad(params=grad.params, dr=self.dropout.backward(grad.dx).dx)


class VocabularyHead:
    """Probabilities of tokens; see `numseq.models.seq2seq` for what a head offers."""

    def __init__(self, config: "Seq2SeqConfig"):
        self.config = config

    def init(self, rng: Generator, dtype: DType) -> LinearParams:
        """First values, LinearParams."""
        config = self.config
        return init_linear(rng, config.features, config.target_vocabulary, dtype, config.initializer)

    def draw(self, draws: Draws, steps: int, batch: int, params: LinearParams) -> VocabularyNoise:
        """A VocabularyNoise."""
        config, noise = self.config, VocabularyNoise(draws.dropout(steps, batch, self.config.features))
        if config.samples:
            noise.samples = log_uniform(draws.host, config.target_vocabulary, config.samples, draws.dtype)
        return noise

    def loss(
        self,
        decoded: Any,
        targets: Array,
        weights: Array | None,
        params: LinearParams,
        noise: VocabularyNoise | None = None,
    ) -> VocabularyTrace:
        """The loss of the right tokens; with noise, in training, as the configuration regularises it.

        Args: decoded, a decoder's trace. targets, (T, B) integers. weights, (T, B): which are real, or what each
            counts; see `numseq.layers.losses.cross_entropy`. params: LinearParams. noise: from `draw`, or None.
        Returns: a VocabularyTrace.
        """
        config, training = self.config, noise is not None
        dropped = dropout(decoded.r, noise.dropout if training else None)
        if training and noise.samples:
            sampled = sampled_cross_entropy(dropped.y, targets, params, *noise.samples, weights)
            return VocabularyTrace(dropped, None, sampled, sampled.loss)
        output = linear(dropped.y, params)
        regular = (config.label_smoothing, config.confidence_penalty) if training else ()
        entropy = cross_entropy(output.y, targets, weights, *regular)
        return VocabularyTrace(dropped, output, entropy, entropy.loss)

    def log_probabilities(self, decoded: Any, params: LinearParams) -> Array:
        """log p of every token at every step, (T, B, V), for a search."""
        return log_softmax(affine(decoded.r, params.W, params.b))
