"""The position-wise feed-forward network: two affine maps with a relu between them, the same at every position.

a = x W_1 + b_1
u = relu(a)
y = u W_2 + b_2

No position sees another here: what a block of self-attention has gathered at a place is worked on where it lies.

Source: Vaswani et al. 2017, equation 2.
"""

from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.activations import relu, relu_backward
from numseq.layers.fit import Fit, as_of
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class FeedForwardParams(Record):
    W_1: Array  # (D, F)
    b_1: Array  # (F,)
    W_2: Array  # (F, K)
    b_2: Array  # (K,)


@dataclass(slots=True)
class FeedForwardGrad(Record):
    dx: Array  # (..., D)
    params: FeedForwardParams


@dataclass(slots=True)
class FeedForwardTrace(Trace):
    """What `feed_forward` computed: a and u (..., F), y (..., K), its input x, and the parameters that it used."""

    outputs = ("y",)
    equations = "feed_forward"
    x: Array
    params: FeedForwardParams
    a: Array
    u: Array
    y: Array

    def backward(self, dy: Array) -> FeedForwardGrad:
        """du = dy W_2^T
        da = du where u > 0, else 0
        dx = da W_1^T
        dW_2 = sum of u^T dy      over all leading positions
        db_2 = sum of dy
        dW_1 = sum of x^T da
        db_1 = sum of da
        """
        as_of(dy, "dy", self.y, "y")
        p, dy_rows = self.params, rows(dy)
        du = dy_rows @ p.W_2.T
        da = relu_backward(du, rows(self.u))
        return FeedForwardGrad(
            dx=(da @ p.W_1.T).reshape(self.x.shape),
            params=FeedForwardParams(
                W_1=rows(self.x).T @ da,
                b_1=da.sum(axis=0),
                W_2=rows(self.u).T @ dy_rows,
                b_2=dy_rows.sum(axis=0),
            ),
        )


FIT = Fit(W_1="D F", b_1="F", W_2="F K", b_2="K", x="... D")


def feed_forward(x: Array, params: FeedForwardParams) -> FeedForwardTrace:
    """Two affine maps of the last axis of x, with a relu between them.

    Equations: those of the module.

    Args: x, (..., D), any leading axes (time, batch). params: W_1 (D, F), b_1 (F,), W_2 (F, K), b_2 (K,).
    Returns: a FeedForwardTrace with y (..., K).
    Backward: FeedForwardTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    """
    FIT(params.W_1, params.b_1, params.W_2, params.b_2, x)
    common_dtype(x, params)
    a = affine(x, params.W_1, params.b_1)
    u = relu(a)
    return FeedForwardTrace(x=x, params=params, a=a, u=u, y=affine(u, params.W_2, params.b_2))


def init_feed_forward(
    rng: Generator, size: int, inner: int, dtype: DType, initializer: Initializer = DEFAULT
) -> FeedForwardParams:
    """First values, for F = inner and inputs as wide as outputs: matrices of the initializer, and 0 for the biases."""
    return FeedForwardParams(
        W_1=asarray(initializer.matrix(rng, size, inner), dtype),
        b_1=asarray(np.zeros(inner), dtype),
        W_2=asarray(initializer.matrix(rng, inner, size), dtype),
        b_2=asarray(np.zeros(size), dtype),
    )
