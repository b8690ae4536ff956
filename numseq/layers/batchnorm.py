"""Batch normalisation (Ioffe & Szegedy 2015): each channel gets mean 0 and variance 1 over a batch, then gain and bias.

mean = 1/N sum_n x_n      over the N real vectors of the batch, at all places and of all rows
var = 1/N sum_n (x_n - mean)^2
std = sqrt(var + eps)
x_hat = (x - mean) / std
y = g * x_hat + b

What is padding counts in neither mean, and gets y = 0. In evaluation a batch may be anything, so mean and var are those
that were followed in training, and are constants:

m_t = (1 - r) * m_{t-1} + r * mean      after batch t, with the momentum r
v_t = (1 - r) * v_{t-1} + r * N/(N - 1) * var

The variance that is followed is the unbiased one, as in PyTorch; a batch itself is normalised by 1/N.
"""

from dataclasses import dataclass

import numpy as np

from numseq.arguments import number
from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.errors import ArgumentError
from numseq.layers.fit import Fit, as_of
from numseq.layers.windows import masked
from numseq.params import common_dtype
from numseq.record import Record, Trace

EPS = 1e-5  # keeps std off 0 where a channel is equal in all of a batch


@dataclass(slots=True)
class BatchNormParams(Record):
    g: Array  # (D,), gain
    b: Array  # (D,), bias


@dataclass(slots=True)
class BatchNormState(Record):
    """What evaluation normalises by: m_t and v_t of the module."""

    mean: Array  # (D,)
    var: Array  # (D,)


@dataclass(slots=True)
class BatchNormGrad(Record):
    dx: Array  # (..., D)
    params: BatchNormParams


@dataclass(slots=True)
class BatchNormTrace(Trace):
    """What `batch_norm` computed over a batch: y and x_hat (..., D), both 0 where mask (...) is False; mean, var and
    std (D,); N (), how many vectors are real; and the parameters that it used."""

    outputs = ("y",)
    equations = "batch_norm"
    params: BatchNormParams
    mask: Array | None
    N: Array
    mean: Array
    var: Array
    std: Array
    x_hat: Array
    y: Array

    def backward(self, dy: Array) -> BatchNormGrad:
        """db = sum_n dy_n
        dg = sum_n dy_n * x_hat_n
        dx_n = g / std * (dy_n - db / N - x_hat_n * dg / N)

        x_n reaches y in three ways: directly; by the mean, of which it is an N-th, as db / N; and by std, as in
        `numseq.layers.layernorm`, which normalises over another axis. Padding is in no sum and gets dx = 0.
        """
        as_of(dy, "dy", self.y, "y")
        dy, p = masked(dy, self.mask), self.params
        dg, db = total(dy * self.x_hat), total(dy)
        dx = dy - db / self.N
        dx -= self.x_hat * (dg / self.N)
        dx *= p.g / self.std
        return BatchNormGrad(dx=masked(dx, self.mask), params=BatchNormParams(g=dg, b=db))


@dataclass(slots=True)
class FrozenBatchNormTrace(Trace):
    """What `batch_norm` computed by a state: y and x_hat (..., D), both 0 where mask (...) is False; std (D,); and the
    parameters that it used."""

    outputs = ("y",)
    equations = "frozen_batch_norm"
    params: BatchNormParams
    mask: Array | None
    std: Array
    x_hat: Array
    y: Array

    def backward(self, dy: Array) -> BatchNormGrad:
        """db = sum_n dy_n
        dg = sum_n dy_n * x_hat_n
        dx_n = g / std * dy_n      since mean and std are constants
        """
        as_of(dy, "dy", self.y, "y")
        dy, p = masked(dy, self.mask), self.params
        return BatchNormGrad(dx=dy * (p.g / self.std), params=BatchNormParams(g=total(dy * self.x_hat), b=total(dy)))


FIT = Fit(g="D", b="D", x="... D", mask="... bool", mean="D", var="D")


def batch_norm(
    x: Array, params: BatchNormParams, *, mask: Array | None = None, state: BatchNormState | None = None
) -> BatchNormTrace | FrozenBatchNormTrace:
    """Normalise each channel over all places and rows of a batch, or, in evaluation, by a state.

    Equations: those of the module.

    Args: x, (..., D), any leading axes (places, batch). params: g and b (D,). mask, (...) booleans: what is real; None
        for all. state, in evaluation: mean and var (D,), real numbers; None in training.
    Returns: a BatchNormTrace with y (..., D), which `follow_batch` takes; with a state a FrozenBatchNormTrace.
    Backward: BatchNormTrace.backward, FrozenBatchNormTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    Source: Ioffe & Szegedy 2015, algorithms 1 and 2.
    """
    FIT(params.g, params.b, x, mask, *((None, None) if state is None else (state.mean, state.var)))
    common_dtype(x, params)
    xp = array_module(x)
    if state is not None:
        common_dtype(x.real, state)  # it is real, also where the complex step makes x complex
        std = xp.sqrt(state.var + EPS)
        x_hat = masked((x - state.mean) / std, mask)
        y = masked(params.g * x_hat + params.b, mask)
        return FrozenBatchNormTrace(params=params, mask=mask, std=std, x_hat=x_hat, y=y)
    dtype = x.real.dtype
    if mask is None:
        N = xp.asarray(x.size // x.shape[-1], dtype=dtype)
    else:
        N = xp.maximum(mask.sum(), 1).astype(dtype)  # where nothing is real, y is 0
    mean = total(masked(x, mask)) / N
    x_hat = masked(x - mean, mask)
    var = total(x_hat * x_hat) / N
    std = xp.sqrt(var + EPS)
    x_hat /= std
    y = masked(params.g * x_hat + params.b, mask)
    return BatchNormTrace(params=params, mask=mask, N=N, mean=mean, var=var, std=std, x_hat=x_hat, y=y)


def total(x: Array) -> Array:
    """The sum (D,) over all axes of x (..., D) but the last. One axis after the other: a sum of many small numbers to a
    large one would lose their digits."""
    for _ in range(x.ndim - 1):
        x = x.sum(axis=0)
    return x


def follow_batch(
    state: BatchNormState, trace: BatchNormTrace | FrozenBatchNormTrace, *, momentum: float = 0.1
) -> BatchNormState:
    """The state after one more batch; the one before stays as it is.

    Equations: those of m_t and v_t in the module.

    Args: state, of before. trace, of `batch_norm` over the batch, in training. momentum, r in [0, 1].
    Returns: a new BatchNormState.
    Raises: ArgumentError, when r is no share, or the trace is of evaluation and so has no statistics of its batch.
    """
    if not isinstance(trace, BatchNormTrace):
        raise ArgumentError(f"trace is {type(trace).__name__}: it must be a BatchNormTrace, made without a state")
    r, N = number(momentum, "momentum", least=0, most=1), trace.N
    unbiased = trace.var.real * (N / array_module(N).maximum(N - 1, 1))
    return BatchNormState(
        mean=(1 - r) * state.mean + r * trace.mean.real,
        var=(1 - r) * state.var + r * unbiased,
    )


def init_batch_norm(rng: Generator, size: int, dtype: DType) -> BatchNormParams:
    """First values: gain 1 and bias 0. rng is not drawn from; it is there as in every other init."""
    return BatchNormParams(g=asarray(np.ones(size), dtype), b=asarray(np.zeros(size), dtype))


def init_batch_norm_state(size: int, dtype: DType) -> BatchNormState:
    """The state before any batch: mean 0 and variance 1."""
    return BatchNormState(mean=asarray(np.zeros(size), dtype), var=asarray(np.ones(size), dtype))
