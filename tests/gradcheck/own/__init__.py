"""Ways in which people write layers of their own, as they bring them to `numseq.gradcheck.check`: WAYS, name -> Way.

Each file registers its ways when it is imported.
"""

from . import (  # noqa: F401
    attention,
    attention_objects,
    batchnorm,
    batchnorm_objects,
    broken,
    broken_inputs,
    convolution,
    convolution_objects,
    cosine,
    cosine_objects,
    crf,
    gated,
    gated_objects,
    linear,
    linear_objects,
    residual,
    residual_objects,
    rnn,
    rnn_objects,
    rnn_step,
    softmax,
)
from .way import WAYS, Way

__all__ = ["WAYS", "Way"]
