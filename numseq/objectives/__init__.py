"""Objectives: what training minimises.

An objective is made of a configuration. `forward(head, decoded, batch, params, noise)` takes the head with its
parameters and noise (None in evaluation), what the decoder computed, and the batch; it gives a trace with the loss (),
whose `backward(dloss)` returns the gradients by whatever was read of the decoder and by the head's parameters, as a
`numseq.models.heads.vocabulary.HeadGrad`. It may say `guessing`, the loss of a model that knows nothing: far above it,
training has diverged.
"""

from numseq.objectives.cross_entropy import CrossEntropy
from numseq.registry import Registry

OBJECTIVES = Registry("objective", {"cross-entropy": CrossEntropy}, offers=("forward",))

__all__ = ["OBJECTIVES", "CrossEntropy"]
