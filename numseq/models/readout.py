"""The readout: from what a decoder's step knows to scores for every token.

    r_t      = tanh([h_t; context_t; y_t] W_r + b_r)        hidden layer; or maxout, or none
    logits_t = dropout(r_t) W_o + b_o                       W_o is the transposed target embedding when tied

What r_t reads besides h_t is a matter of configuration. tanh is Luong, Pham & Manning 2015, equation 5 (the attentional
vector); maxout over pairs of units with y_t Bahdanau et al. 2015, appendix A.2.2; tied matrices Press & Wolf 2017.
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.linear import LinearParams, LinearTrace, affine, init_linear, linear, rows
from numseq.layers.maxout import first_wins, maxout, maxout_backward
from numseq.layers.sampled import SampledCrossEntropyTrace, sampled_cross_entropy
from numseq.record import StepGrad, StepRecord, Trace, put

Array = Any


@dataclass(slots=True)
class FeaturesStep(StepRecord):
    """What the readout reads, and its hidden layer, (B, .) or (T, B, .)."""

    inputs = ("x",)
    x: Array = None  # (B, P): [h; context; y], as far as they are read
    a: Array = None  # (B, R), or (B, 2R) for maxout: pre-activations; None without a hidden layer
    r: Array = None  # (B, R)


@dataclass(slots=True)
class FeaturesStepGrad(StepGrad):
    """Gradients inside; d before a name is the derivative of the loss by it."""

    equations = {
        "dr": "from the output matrix, and from the next step when r is fed back",
        "da": "dr * (1 - r^2), since r = tanh(a); of maxout dr at the larger of each pair",
    }
    dr: Array = None
    da: Array = None


class Features:
    """The hidden layer of the readout, for one step or for all: like a cell, `step`, `step_backward` and `after`.

    Args: config. params, LinearParams of [h; context; y] to r, or None when there is no hidden layer.
    """

    def __init__(self, config, params):
        self.kind, self.params = config.readout, params
        self.context, self.embedding = config.attends and config.readout_context, config.readout_embedding
        self.width, self.sizes = config.hidden, (config.combined, config.features)

    @staticmethod
    def init(rng, config, dtype):
        """First values; None when there is no hidden layer."""
        if config.readout == "linear":
            return None
        pairs = 2 if config.readout == "maxout" else 1
        return init_linear(rng, config.combined, config.features * pairs, dtype, config.initial)

    def storage(self, y):
        """The record of all T steps, for embeddings (T, B, E), to be filled."""
        xp, (T, B, _), (P, R) = array_module(y), y.shape, self.sizes
        new = lambda size: xp.empty((T, B, size), dtype=y.dtype)  # noqa: E731
        if self.kind == "linear":
            x = new(P)
            return FeaturesStep(x, None, x)
        return FeaturesStep(new(P), new(2 * R if self.kind == "maxout" else R), new(R))

    def step(self, h, context, y, s=None):
        """From the state, the context and the embedding, (..., B, .), to r. s: where to write, or None."""
        parts = [h, *([context] if self.context else []), *([y] if self.embedding else [])]
        s = FeaturesStep() if s is None else s
        s.x = put(s.x, array_module(h).concatenate(parts, axis=-1) if len(parts) > 1 else h)
        if self.kind == "linear":
            s.r = s.x
            return s
        s.a = put(s.a, affine(s.x, self.params.W, self.params.b))
        s.r = put(s.r, tanh(s.a) if self.kind == "tanh" else maxout(s.a).y)
        return s

    def step_backward(self, s, dr):
        """Returns the gradients inside, and those of h, context and y; None for what was not read."""
        grad = FeaturesStepGrad(dr)
        grad.step = s
        dx = dr
        if self.kind != "linear":
            grad.da = tanh_backward(dr, s.r) if self.kind == "tanh" else maxout_backward(dr, first_wins(s.a))
            dx = affine(grad.da, self.params.W.T)
        return grad, self._parts(dx)

    def _parts(self, dx):
        """dx (..., P), cut as `step` put it together; state and context are of one width."""
        H = self.width
        dh, rest = dx[..., :H], dx[..., H:]
        dcontext = rest[..., :H] if self.context else None
        return dh, dcontext, rest[..., H if self.context else 0 :] if self.embedding else None

    def after(self, s, grad):
        """The gradient of the parameters: the matrix was used at every step. s, grad: of all steps."""
        if self.params is None:
            return None
        return LinearParams(W=rows(s.x).T @ rows(grad.da), b=rows(grad.da).sum(axis=0))


@dataclass(slots=True)
class ReadoutTrace(Trace):
    """What `read_out` computed: logits (T, B, V); or what `read_out_samples` did: a loss (), and no logits."""

    dropout: DropoutTrace
    output: LinearTrace | SampledCrossEntropyTrace
    tied: bool

    @property
    def logits(self):
        return self.output.y

    def backward(self, upstream):
        """From the gradient of the logits, or of the loss.

        Returns: (dr, gradient of the readout's parameters, gradient of the embedding's matrix or None).
        """
        grad = self.output.backward(upstream)
        dr = self.dropout.backward(grad.dx).dx
        if not self.tied:
            return dr, grad.params, None
        return dr, LinearParams(W=None, b=grad.params.b), grad.params.W.T


def read_out(r, params, W_embedding, mask=None):
    """Scores of all tokens.

    Args: r, (T, B, R). params: W (R, V), or None when tied, and b (V,). W_embedding, (V, R), used when tied. mask: of
        dropout, or None.
    Returns: a ReadoutTrace.
    """
    dropped = dropout(r, mask)
    return ReadoutTrace(dropped, linear(dropped.y, output_matrix(params, W_embedding)), params.W is None)


def read_out_samples(r, params, W_embedding, targets, target_mask, masks):
    """The loss on sampled scores, in training (see `numseq.layers.sampled`).

    Args: r, params, W_embedding: as of `read_out`. targets, target_mask, (T, B). masks: of `numseq.models.noise`.
    Returns: a ReadoutTrace, whose `output` has the loss.
    """
    dropped, output = dropout(r, masks.get("readout")), output_matrix(params, W_embedding)
    sampled = sampled_cross_entropy(dropped.y, targets, output, masks["samples"], masks["log_q"], target_mask)
    return ReadoutTrace(dropped, sampled, params.W is None)


def output_matrix(params, W_embedding):
    """The parameters of the map to the vocabulary: its own matrix, or the embedding's, transposed."""
    return params if params.W is not None else LinearParams(W=W_embedding.T, b=params.b)


def init_readout(rng, config, dtype):
    """First values; W is None when tied."""
    params = init_linear(rng, config.features, config.target_vocabulary, dtype, config.initial)
    return params if config.tied == "none" else LinearParams(W=None, b=params.b)
