"""Layer normalisation (Ba, Kiros & Hinton 2016): each vector gets mean 0 and variance 1, then a gain and a bias.

mean = 1/K sum_k x_k
std = sqrt(1/K sum_k (x_k - mean)^2 + eps)
x_hat = (x - mean) / std
y = g * x_hat + b

Every vector is normalised on its own, so neither the other rows of a batch nor its padding have a say.
"""

from dataclasses import dataclass

import numpy as np

from numseq.backend import Array, DType, Generator, array_module, asarray
from numseq.layers.fit import Fit, as_of
from numseq.params import common_dtype
from numseq.record import Record, Trace

EPS = 1e-5  # keeps std off 0 where all of a vector is equal


@dataclass(slots=True)
class LayerNormParams(Record):
    g: Array  # (K,), gain
    b: Array  # (K,), bias


@dataclass(slots=True)
class LayerNormGrad(Record):
    dx: Array  # (..., K)
    params: LayerNormParams


@dataclass(slots=True)
class LayerNormTrace(Trace):
    """What `layer_norm` computed: x_hat and y (..., K), std (..., 1), and the parameters that it used."""

    outputs = ("y",)
    equations = "layer_norm"
    params: LayerNormParams
    x_hat: Array
    std: Array
    y: Array

    def backward(self, dy: Array) -> LayerNormGrad:
        """dg = sum of dy * x_hat, db = sum of dy over all leading positions; dx, see `normalise_backward`."""
        as_of(dy, "dy", self.y, "y")
        over = tuple(range(dy.ndim - 1))  # every vector used the same gain and bias, so their gradients add
        return LayerNormGrad(
            dx=normalise_backward(dy * self.params.g, self.x_hat, self.std),
            params=LayerNormParams(g=(dy * self.x_hat).sum(axis=over), b=dy.sum(axis=over)),
        )


FIT = Fit(g="K", b="K", x="... K")


def layer_norm(x: Array, params: LayerNormParams) -> LayerNormTrace:
    """Normalise the vectors along the last axis of x.

    Equations: those of the module.

    Args: x, (..., K), any leading axes (time, batch). params: g and b (K,).
    Returns: a LayerNormTrace with y (..., K).
    Backward: see LayerNormTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    Source: Ba, Kiros & Hinton 2016, "Layer normalization", equation 4; there without eps.
    """
    FIT(params.g, params.b, x)
    common_dtype(x, params)
    x_hat, std = normalise(x)
    return LayerNormTrace(params=params, x_hat=x_hat, std=std, y=params.g * x_hat + params.b)


def normalise(x: Array) -> tuple[Array, Array]:
    """x_hat (..., K) and std (..., 1): see the module."""
    x_hat = x - x.mean(axis=-1, keepdims=True)
    std = array_module(x).sqrt((x_hat * x_hat).mean(axis=-1, keepdims=True) + EPS)
    x_hat /= std
    return x_hat, std


def normalise_backward(dx_hat: Array, x_hat: Array, std: Array) -> Array:
    """dx = (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat)) / std, the means over the last axis.

    Backward: x_k reaches x_hat_j in three ways. Directly, d x_hat_j / d x_k = [j = k] / std. By the mean, of which each
    x_k is a K-th: -1 / (K std); summed over j that takes mean(dx_hat) away. And by std, with d std / d x_k =
    (x_k - mean) / (K std) = x_hat_k / K and d x_hat_j / d std = -x_hat_j / std; summed over j, -x_hat_k
    mean(dx_hat * x_hat) / std. So dx has no part along the ones and (but for eps) none along x_hat: moving all of x, or
    stretching it, changed nothing.
    """
    dx = dx_hat - dx_hat.mean(axis=-1, keepdims=True)
    dx -= x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx /= std
    return dx


def init_layer_norm(rng: Generator, size: int, dtype: DType) -> LayerNormParams:
    """First values: gain 1 and bias 0. rng is not drawn from; it is there as in every other init."""
    return LayerNormParams(g=asarray(np.ones(size), dtype), b=asarray(np.zeros(size), dtype))
