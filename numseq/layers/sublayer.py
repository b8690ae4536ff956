"""A part with a way around it: the residual connection, and layer normalisation after the sum, or before the part.

    y = norm(x + dropout(part(x)))     post
    y = x + dropout(part(norm(x)))     pre

Post is the paper's: what goes on has always the same size, but on the way back each norm stands in the way of the
gradient. Pre leaves a way from the loss to the lowest layer on which nothing is but sums, so it trains without a long
warm-up; what has been summed is normalised once, at the top.

Source: Vaswani et al. 2017, section 3.1 (post) and 5.4 (dropout); Xiong et al. 2020 (pre).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numseq.backend import Array
from numseq.errors import ArgumentError, shown
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.layers.fit import as_of
from numseq.layers.layernorm import LayerNormParams, LayerNormTrace, layer_norm
from numseq.record import Record, Trace

NORMS = ("pre", "post")


@dataclass(slots=True)
class SublayerParams(Record):
    norm: LayerNormParams
    part: Any


@dataclass(slots=True)
class SublayerGrad(Record):
    dx: Array  # (..., D)
    params: SublayerParams
    part: Any  # all that the part's backward gave


@dataclass(slots=True)
class SublayerTrace(Trace):
    """What `sublayer` computed: y (..., D), and the traces of its three parts."""

    outputs = ("y",)
    pre: bool
    norm: LayerNormTrace
    part: Any
    dropout: DropoutTrace
    y: Array

    @property
    def equations(self) -> str:
        """Under which name `numseq.mistakes` knows it."""
        return "pre_norm" if self.pre else "post_norm"

    def backward(self, dy: Array, dpart: Array | None = None, dalpha: Array | None = None) -> SublayerGrad:
        """ds = norm's backward of dy      post
        dx = ds + part's backward of dropout's of ds
        dx = dy + norm's backward of part's of dropout's of dy      pre

        The gradient goes two ways, through the part and around it.

        Args: dy, (..., D). dpart, of who else read the part's y, or None. dalpha, of who read the weights, where the
            part is an attention, or None.
        """
        as_of(dy, "dy", self.y, "y")
        if self.pre:
            part = self._through(dy, dpart, dalpha)
            norm = self.norm.backward(part.dx)
            return SublayerGrad(dx=dy + norm.dx, params=SublayerParams(norm.params, part.params), part=part)
        norm = self.norm.backward(dy)
        part = self._through(norm.dx, dpart, dalpha)
        return SublayerGrad(dx=norm.dx + part.dx, params=SublayerParams(norm.params, part.params), part=part)

    def _through(self, d, dpart, dalpha):
        d = self.dropout.backward(d).dx
        d = d if dpart is None else d + dpart
        return self.part.backward(d) if dalpha is None else self.part.backward(d, dalpha)


def sublayer(
    x: Array,
    params: SublayerParams,
    *,
    part: Callable[[Array, Any], Any],
    norm: str = "pre",
    dropout_mask: Array | None = None,
) -> SublayerTrace:
    """A part with a residual connection around it, and layer normalisation.

    Equations: those of the module.

    Args: x, (..., D). params: those of the norm, g and b (D,), and of the part. part, a layer: called with what it
        reads and its params, it gives a trace with y (..., D), whose backward(dy) has dx and params. norm: "pre" or
        "post". dropout_mask: of what the part gives, from `dropout_mask`, or None.
    Returns: a SublayerTrace with y (..., D).
    Backward: SublayerTrace.backward.
    Raises: ArgumentError, when norm is neither, or what the part gives is not of the shape of x.
    """
    if norm not in NORMS:
        raise ArgumentError(f"norm is {shown(norm)}: choose one of {', '.join(NORMS)}")
    pre = norm == "pre"
    normed = layer_norm(x, params.norm) if pre else None
    inner = part(normed.y if normed else x, params.part)
    as_of(inner.y, "what the part gives", x, "x")
    dropped = dropout(inner.y, dropout_mask)
    y = x + dropped.y
    if normed is None:
        normed = layer_norm(y, params.norm)
        y = normed.y
    return SublayerTrace(pre, normed, inner, dropped, y)
