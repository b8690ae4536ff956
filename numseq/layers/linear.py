"""The affine map y = x W + b."""

from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.fit import Fit, as_of
from numseq.layers.init import DEFAULT, Initializer
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class LinearParams(Record):
    W: Array  # (D, K)
    b: Array | None  # (K,); None for none


@dataclass(slots=True)
class LinearGrad(Record):
    dx: Array  # (..., D)
    params: LinearParams


@dataclass(slots=True)
class LinearTrace(Trace):
    """What `linear` computed: its input x (..., D), its output y (..., K), and the parameters that it used."""

    outputs = ("y",)
    x: Array
    params: LinearParams
    y: Array

    def backward(self, dy: Array) -> LinearGrad:
        """dx = dy W^T;  dW = sum over all leading positions of x^T dy;  db = sum of dy over the same."""
        as_of(dy, "dy", self.y, "y")
        dy_rows = rows(dy)
        return LinearGrad(
            dx=(dy_rows @ self.params.W.T).reshape(self.x.shape),
            params=LinearParams(
                W=rows(self.x).T @ dy_rows,  # every position used the same W, so their gradients add
                b=None if self.params.b is None else dy_rows.sum(axis=0),
            ),
        )


FIT = Fit(W="D K", b="K", x="... D")


def linear(x: Array, params: LinearParams) -> LinearTrace:
    """Map the last axis of x by a matrix and a bias.

    Equations: y = x W + b.

    Args: x, (..., D), any leading axes (time, batch). params: W (D, K), b (K,) or None.
    Returns: a LinearTrace with y (..., K).
    Backward: see LinearTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    """
    FIT(params.W, params.b, x)
    common_dtype(x, params)
    return LinearTrace(x=x, params=params, y=affine(x, params.W, params.b))


def affine(x: Array, W: Array, *biases: Array | None) -> Array:
    """x W + the biases that are not None, for x (..., D): all positions in one product."""
    y = rows(x) @ W
    for b in biases:
        if b is not None:
            y += b
    return y.reshape(*x.shape[:-1], -1)


def rows(x: Array) -> Array:
    """x (..., D) as a matrix (N, D), N counting all leading positions: the shape of a whole-sequence product."""
    return x.reshape(-1, x.shape[-1])


def init_linear(
    rng: Generator, inputs: int, outputs: int, dtype: DType, initializer: Initializer = DEFAULT
) -> LinearParams:
    """First values: a matrix of the initializer (see `numseq.layers.init.Initializer`) for W, 0 for b."""
    return LinearParams(W=asarray(initializer.matrix(rng, inputs, outputs), dtype), b=asarray(np.zeros(outputs), dtype))
