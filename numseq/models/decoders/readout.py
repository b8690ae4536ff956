"""The readout: what meets the output matrix, made of state, context, and perhaps the previous token's embedding.

    r_t = tanh([h_t; context_t; y_t] W + b)      readout "tanh"
    r_t = maxout([h_t; context_t; y_t] W + b)    "maxout", over pairs of units
    r_t = [h_t; context_t; y_t]                  "linear": no hidden layer

Which of the three parts are read is a matter of configuration. tanh is Luong, Pham & Manning 2015, equation 5 (the
attentional vector); maxout over pairs of units with y_t Bahdanau et al. 2015, appendix A.2.2.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numseq.backend import Array, DType, Generator, array_module
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.linear import LinearParams, affine, init_linear, rows
from numseq.layers.maxout import first_wins, maxout, maxout_backward
from numseq.record import StepGrad, StepRecord

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class ReadoutStep(StepRecord):
    """What is read, and the hidden layer, (B, .) or (T, B, .)."""

    inputs = ("x",)
    x: Array = None  # (B, P): [h; context; y], as far as they are read
    a: Array = None  # (B, R), or (B, 2R) for maxout: pre-activations; None without a hidden layer
    r: Array = None  # (B, R)


@dataclass(slots=True)
class ReadoutStepGrad(StepGrad):
    """Gradients inside; d before a name is the derivative of the loss by it."""

    equations = {
        "dr": "from the output matrix, and from the next step when r is fed back",
        "da": "dr * (1 - r^2), since r = tanh(a); of maxout dr at the larger of each pair",
    }
    dr: Array = None
    da: Array = None


class Readout:
    """The readout of one step or of all: like a cell, `forward`, `backward` and `weight_gradients`.

    Args: config. params, LinearParams of [h; context; y] to r, or None when there is no hidden layer.
    """

    def __init__(self, config: "Seq2SeqConfig", params: LinearParams | None):
        self.kind, self.params = config.readout, params
        # how wide each part is that is read, 0 for one that is not
        self.widths = (
            config.hidden,
            config.context if config.readout_context else 0,
            config.embedding if config.readout_embedding else 0,
        )

    @staticmethod
    def init(rng: Generator, config: "Seq2SeqConfig", dtype: DType) -> LinearParams | None:
        """First values; None when there is no hidden layer."""
        if config.readout == "linear":
            return None
        pairs = 2 if config.readout == "maxout" else 1
        return init_linear(rng, config.combined, config.features * pairs, dtype, config.initializer)

    def forward(self, h: Array, context: Array | None, y: Array) -> ReadoutStep:
        """From the state, the context and the embedding, (..., B, .), to r. Returns: a ReadoutStep."""
        read = [part for part, width in zip((h, context, y), self.widths, strict=True) if width]
        s = ReadoutStep()
        s.x = array_module(h).concatenate(read, axis=-1) if len(read) > 1 else h
        if self.kind == "linear":
            s.r = s.x
            return s
        s.a = affine(s.x, self.params.W, self.params.b)
        s.r = tanh(s.a) if self.kind == "tanh" else maxout(s.a).y
        return s

    def backward(self, s: ReadoutStep, dr: Array) -> tuple[ReadoutStepGrad, list[Array | None]]:
        """Returns the gradients inside, and those of h, context and y; None for what was not read."""
        grad = ReadoutStepGrad()
        grad.dr = dr
        if self.kind == "linear":
            return grad, self._cut(dr)
        grad.da = tanh_backward(dr, s.r) if self.kind == "tanh" else maxout_backward(dr, first_wins(s.a))
        return grad, self._cut(affine(grad.da, self.params.W.T))

    def _cut(self, dx):
        """dx (..., P), cut as `forward` put it together."""
        parts, start = [], 0
        for width in self.widths:
            parts.append(dx[..., start : start + width] if width else None)
            start += width
        return parts

    def weight_gradients(self, s: Any, grad: Any) -> LinearParams | None:
        """The gradient of the parameters: the matrix was used at every step. s, grad: of all steps."""
        if self.params is None:
            return None
        return LinearParams(W=rows(s.x).T @ rows(grad.da), b=rows(grad.da).sum(axis=0))
