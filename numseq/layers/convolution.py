"""Convolution: the same affine map of every window, over time, x (S, B, D), or over a picture, x (R, C, B, D).

u_p = [x_{p m - a}; ...; x_{p m - a + k - 1}]      what window p sees
y_p = u_p W + b

Windows stand m places apart, the stride. Under "valid" padding they lie within the S places, and a is 0; under "same"
there is one around every m-th place, a is floor((k - 1) / 2), and beyond the ends x is 0. In time u_p has k D numbers;
in a picture p counts rows and columns, and u_p has k * k D. All windows of all rows are one product.

As everywhere where networks are trained, W is not turned round: in mathematics this is called a cross-correlation.

Source: LeCun et al. 1989; over time, Waibel et al. 1989.
"""

from dataclasses import dataclass

import numpy as np

from numseq.arguments import whole
from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.errors import ArgumentError
from numseq.layers.fit import Fit, as_of, shape_of
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.layers.windows import Windows, masked
from numseq.params import common_dtype
from numseq.record import Record, Trace

BLOCK = 1 << 17  # numbers of what windows see that are worked on at a time


@dataclass(slots=True)
class ConvolutionParams(Record):
    W: Array  # (k, D, K) over time, (k, k, D, K) over a picture
    b: Array | None  # (K,); None for none


@dataclass(slots=True)
class ConvolutionGrad(Record):
    dx: Array  # (S, B, D) or (R, C, B, D)
    params: ConvolutionParams


@dataclass(slots=True)
class ConvolutionTrace(Trace):
    """What `convolution` computed: y (P, B, K), 0 where y_mask (P, B) is False; its input x, 0 where x_mask (S, B) is
    False; its windows, and the parameters that it used. Without a mask both masks are None."""

    outputs = ("y",)
    equations = "convolution"
    x: Array
    params: ConvolutionParams
    windows: Windows
    x_mask: Array | None
    y_mask: Array | None
    y: Array

    def backward(self, dy: Array) -> ConvolutionGrad:
        """dW_j = sum of x_{p m + j - a}^T dy_p      over all windows p and rows: what tap j saw
        db = sum of dy_p
        dx_s = sum of dy_p W_j^T      over the windows p and taps j that saw place s
        """
        as_of(dy, "dy", self.y, "y")
        dy, W = masked(dy, self.y_mask), self.params.W
        dy_rows = rows(dy)
        # a product for each tap, since what it needs is small and stays in the processor's cache
        dW = [rows(x_j).T @ dy_rows for x_j in self.windows.seen(self.x)]
        of_taps = ((dy_rows @ W_j.T).reshape(*dy.shape[:-1], -1) for W_j in W.reshape(-1, *W.shape[-2:]))
        return ConvolutionGrad(
            dx=masked(self.windows.given_back(of_taps, self.x), self.x_mask),
            params=ConvolutionParams(
                W=array_module(dy).stack(dW).reshape(W.shape),
                b=None if self.params.b is None else dy_rows.sum(axis=0),
            ),
        )


FITS = {
    3: Fit(W="k D K", b="K", x="S B D", mask="S B bool"),
    4: Fit(W="k k D K", b="K", x="R C B D", mask="R C B bool"),
}


def convolution(
    x: Array, params: ConvolutionParams, *, stride: int = 1, padding: str = "valid", mask: Array | None = None
) -> ConvolutionTrace:
    """Map every window of k places by a matrix and a bias.

    Equations: those of the module.

    Args: x, (S, B, D) over time or (R, C, B, D) over a picture. params: W (k, D, K) or (k, k, D, K), b (K,) or None.
        stride, from window to window. padding, "valid" for windows within the S places, or "same" for ceil(S / stride)
        of them, with 0 beyond the ends. mask, (S, B) or (R, C, B), booleans: what is not real counts as 0.
    Returns: a ConvolutionTrace with y (P, B, K) or (P, Q, B, K); its y_mask says which of it is real.
    Backward: ConvolutionTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or no window does.
    """
    found = shape_of(params.W, "W")
    if len(found) not in FITS:
        raise ArgumentError(f"W has the shape {found}: it must be (k, D, K) over time, or (k, k, D, K) over a picture")
    FITS[len(found)](params.W, params.b, x, mask)
    common_dtype(x, params)
    windows = Windows(x.shape[:-2], len(params.W), stride, padding)
    x, y_mask = masked(x, mask), None if mask is None else windows.real(mask)
    y = masked(of_windows(x, params.W, params.b, windows), y_mask)
    return ConvolutionTrace(x=x, params=params, windows=windows, x_mask=mask, y_mask=y_mask, y=y)


def of_windows(x: Array, W: Array, b: Array | None, windows: Windows) -> Array:
    """y (P, B, K): u W + b, where u (N, k D) or (N, k * k D) has what each window of each row sees, N = P B.

    u holds each place once for each tap that sees it. So on the host, where it should not leave the processor's cache
    between its making and the product, it is made and multiplied for about BLOCK of its numbers at a time.
    """
    xp, seen, W = array_module(x), windows.seen(x), W.reshape(-1, W.shape[-1])
    y = xp.empty((*seen[0].shape[:-1], W.shape[-1]), dtype=x.dtype)
    step = max(1, BLOCK // max(1, seen[0][0].size * len(seen))) if xp is np else len(y)
    for start in range(0, len(y), step):
        block = slice(start, start + step)
        u = xp.stack([x_j[block] for x_j in seen], axis=-2)  # (P, B, k, D)
        y[block] = affine(u.reshape(*u.shape[:-2], -1), W, b)
    return y


def init_convolution(
    rng: Generator,
    inputs: int,
    outputs: int,
    size: int,
    dtype: DType,
    initializer: Initializer = DEFAULT,
    *,
    axes: int = 1,
    bias: bool = True,
) -> ConvolutionParams:
    """First values: a matrix of the initializer, from all that a window sees, for W; 0 for b, or None without a bias.

    Args: size, k. axes, 1 over time, 2 over a picture.
    """
    whole(axes, "axes", least=1, most=2)
    W = initializer.matrix(rng, size**axes * inputs, outputs).reshape(*(size,) * axes, inputs, outputs)
    return ConvolutionParams(W=asarray(W, dtype), b=asarray(np.zeros(outputs), dtype) if bias else None)
