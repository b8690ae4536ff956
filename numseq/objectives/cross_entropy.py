"""Teacher forcing: the cross-entropy of the right tokens, each given the right ones before it.

loss = head's loss + coverage_loss * coverage(alpha)          the second in training alone, where it has a weight
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numseq.backend import Array
from numseq.layers.losses.coverage import CoverageLossTrace, coverage_loss
from numseq.record import Trace

if TYPE_CHECKING:
    from numseq.data.batches import Batch
    from numseq.models.config import Seq2SeqConfig
    from numseq.models.heads.vocabulary import HeadGrad
    from numseq.models.noise import Noise


@dataclass(slots=True)
class CrossEntropyObjective(Trace):
    """The traces of the head's loss and of the coverage loss, and the loss ()."""

    outputs = ("loss",)
    head: Any
    coverage: CoverageLossTrace | None
    weight: float  # of the coverage loss
    loss: Array

    def backward(self, dloss: float = 1.0) -> "HeadGrad":
        """Returns: a HeadGrad, with the gradient of alpha as the coverage loss read it besides."""
        grad = self.head.backward(dloss)
        if self.coverage is not None:
            dalpha = self.coverage.backward(self.weight * dloss).dalpha
            grad.dalpha = dalpha if grad.dalpha is None else grad.dalpha + dalpha
        return grad


class CrossEntropy:
    """The objective of a configuration."""

    def __init__(self, config: "Seq2SeqConfig"):
        self.config = config
        self.guessing = math.log(config.target_vocabulary)

    def forward(
        self, head: Any, decoded: Any, batch: "Batch", params: Any, noise: "Noise | None" = None
    ) -> CrossEntropyObjective:
        """The loss of one batch.

        Args: head, a box. decoded, a decoder's trace. batch, with target_out and target_mask (T, B). params, the
            head's. noise, the model's in training; None in evaluation.
        Returns: a trace with the loss (), and a backward that gives a HeadGrad.
        """
        read = head.loss(decoded, batch.target_out, batch.target_mask, params, noise and noise.head)
        weight, coverage, loss = self.config.coverage_loss, None, read.loss
        if weight and noise is not None:
            coverage = coverage_loss(decoded.alpha, batch.target_mask)
            loss = loss + weight * coverage.loss
        return CrossEntropyObjective(read, coverage, weight, loss)
