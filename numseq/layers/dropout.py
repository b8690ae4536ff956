"""Inverted dropout (Srivastava et al. 2014, JMLR 15): the mask is drawn first, and the layer is a product.

The mask's shape says what is dropped of x (T, B, D):

    (T, B, D)  each unit at each step on its own: the plain kind
    (1, B, D)  variational: the units that a row loses, it loses at all steps
    (T, B, 1)  of words: a position keeps all of its vector or none
"""

from dataclasses import dataclass

from numseq.arguments import number
from numseq.backend import Array, DType, Generator
from numseq.errors import ArgumentError
from numseq.layers.fit import as_of, shape_of
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class DropoutGrad(Record):
    dx: Array


@dataclass(slots=True)
class DropoutTrace(Trace):
    """What `dropout` computed: y = x * mask, where an axis of size 1 in the mask stands for all of that axis."""

    outputs = ("y",)
    mask: Array | None
    y: Array

    @property
    def equations(self) -> str:
        """Under which name `numseq.mistakes` knows it."""
        if self.mask is None or self.mask.shape == self.y.shape:
            return "dropout"
        return "variational_dropout" if self.mask.shape[0] == 1 else "word_dropout"

    def backward(self, dy: Array) -> DropoutGrad:
        """dx = dy * mask: the very mask of the forward pass; a fresh one would belong to another function.

        A mask that stood for many positions stands for them again. It is no variable, so nothing is summed over them.
        """
        as_of(dy, "dy", self.y, "y")
        return DropoutGrad(dx=dy if self.mask is None else dy * self.mask)


def dropout_mask(rng: Generator, shape: tuple[int, ...], rate: float, dtype: DType) -> Array | None:
    """Draw a mask: 0 with probability `rate`, else 1 / (1 - rate), so that the mean of x * mask stays x.

    Args: rng, a generator of the backend where the mask is used (`numseq.backend.device_generator`).
        shape, of the mask: that of x, or with 1 for the axes along which all is dropped together (see the module).
        rate in [0, 1). dtype of the mask.
    Returns: the mask, or None at rate 0 (nothing to do).
    Raises: ArgumentError, when rate is outside [0, 1).
    Source: Gal & Ghahramani 2016, section 4 (one mask for all steps); Sennrich et al. 2016, "Edinburgh neural machine
        translation systems for WMT 16" (whole words, position by position; here the words kept are scaled as well).
    """
    rate = number(rate, "dropout rate", least=0, below=1)
    if rate == 0:
        return None
    # 16 random bits a unit decide: a third of the time of floats, and the rate is right to 1 in 65,536.
    keep = rng.integers(0, 1 << 16, size=shape, dtype="uint16") >= round(rate * (1 << 16))
    mask = keep.astype(dtype)
    mask *= 1 / (1 - rate)
    return mask


def dropout(x: Array, mask: Array | None) -> DropoutTrace:
    """Multiply by a ready mask; None (evaluation, or rate 0) leaves x as it is.

    Equations: y = x * mask.

    Args: x, any shape. mask: from `dropout_mask`, shape of x, some axes of size 1 if so wished; or None.
    Returns: a DropoutTrace with y.
    Raises: TypeError, when mask and x differ in precision; ArgumentError, when the mask is none for this shape.
    Source: "inverted": the scaling is done in training, where the paper scales the weights at test time.
    """
    if mask is None:
        return DropoutTrace(mask=None, y=x)
    found, shape = shape_of(mask, "mask"), shape_of(x, "x")
    if found != shape and not _stands_for(found, shape):
        raise ArgumentError(f"mask has the shape {found}: it must be {shape}, as x, or have 1 for some of these")
    common_dtype(x.real, mask)  # a mask is real, also where the complex step makes x complex
    return DropoutTrace(mask=mask, y=x * mask)


def _stands_for(mask, shape):
    return len(mask) == len(shape) and all(m in (1, n) for m, n in zip(mask, shape, strict=True))
