"""The prenet: what was said last is squeezed through two layers with dropout before a decoder of frames reads it.

a_1 = x W_1 + b_1
u_1 = relu(a_1) * m_1           m_1, m_2: masks of dropout, which stay on when frames are made, too
a_2 = u_1 W_2 + b_2
y   = relu(a_2) * m_2

A frame is much like the one before it: a decoder that reads it as it is learns to copy it, and does not look where the
text goes on. What gets through here is too little for that.

Source: Wang et al. 2017, section 3.3 (the bottleneck layer with dropout); Shen et al. 2018, section 2.2 (dropout is on
at inference too, and brings variation).
"""

from dataclasses import dataclass

import numpy as np

from numseq.arguments import pair
from numseq.backend import Array, DType, Generator, asarray
from numseq.layers.activations import relu, relu_backward
from numseq.layers.dropout import dropout
from numseq.layers.fit import Fit, as_of
from numseq.layers.init import DEFAULT, Initializer
from numseq.layers.linear import affine, rows
from numseq.params import common_dtype
from numseq.record import Record, Trace


@dataclass(slots=True)
class PrenetParams(Record):
    W_1: Array  # (D, F)
    b_1: Array  # (F,)
    W_2: Array  # (F, K)
    b_2: Array  # (K,)


@dataclass(slots=True)
class PrenetGrad(Record):
    dx: Array  # (..., D)
    params: PrenetParams


@dataclass(slots=True)
class PrenetTrace(Trace):
    """What `prenet` computed: a_1 and u_1 (..., F), a_2 and y (..., K), its input x, the masks that were handed in, and
    the parameters that it used."""

    outputs = ("y",)
    equations = "prenet"
    x: Array
    params: PrenetParams
    m_1: Array | None
    m_2: Array | None
    a_1: Array
    u_1: Array
    a_2: Array
    y: Array

    def backward(self, dy: Array) -> PrenetGrad:
        """da_2 = dy * m_2 where a_2 > 0, else 0
        du_1 = da_2 W_2^T
        da_1 = du_1 * m_1 where a_1 > 0, else 0
        dx = da_1 W_1^T
        dW_2 = sum of u_1^T da_2      over all leading positions
        db_2 = sum of da_2
        dW_1 = sum of x^T da_1
        db_1 = sum of da_1
        """
        as_of(dy, "dy", self.y, "y")
        p = self.params
        da_2 = rows(relu_backward(_masked(dy, self.m_2), self.a_2))  # a > 0 where relu(a) is
        du_1 = (da_2 @ p.W_2.T).reshape(self.u_1.shape)
        da_1 = rows(relu_backward(_masked(du_1, self.m_1), self.a_1))
        return PrenetGrad(
            dx=(da_1 @ p.W_1.T).reshape(self.x.shape),
            params=PrenetParams(
                W_1=rows(self.x).T @ da_1,
                b_1=da_1.sum(axis=0),
                W_2=rows(self.u_1).T @ da_2,
                b_2=da_2.sum(axis=0),
            ),
        )


FIT = Fit(W_1="D F", b_1="F", W_2="F K", b_2="K", x="... D")


def prenet(x: Array, params: PrenetParams, *, masks: tuple[Array | None, Array | None]) -> PrenetTrace:
    """Two affine maps, each with a relu and dropout behind it.

    Equations: those of the module.

    Args: x, (..., D). params: W_1 (D, F), b_1 (F,), W_2 (F, K), b_2 (K,). masks, (m_1, m_2), from `dropout_mask`, of
        (..., F) and (..., K), or with 1 for axes along which all is dropped together; None each at rate 0. To be as in
        the paper, they are drawn in evaluation and decoding as well.
    Returns: a PrenetTrace with y (..., K).
    Backward: PrenetTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit.
    Source: Wang et al. 2017, section 3.3, with 256 and 128 units; Shen et al. 2018, section 2.2, with 256 and 256.
    """
    FIT(params.W_1, params.b_1, params.W_2, params.b_2, x)
    common_dtype(x, params)
    m_1, m_2 = pair(masks, "masks", "a mask of each of the two layers")
    a_1 = affine(x, params.W_1, params.b_1)
    u_1 = dropout(relu(a_1), m_1).y
    a_2 = affine(u_1, params.W_2, params.b_2)
    return PrenetTrace(x, params, m_1, m_2, a_1, u_1, a_2, y=dropout(relu(a_2), m_2).y)


def _masked(d, mask):
    return d if mask is None else d * mask


def init_prenet(
    rng: Generator, inputs: int, inner: int, outputs: int, dtype: DType, initializer: Initializer = DEFAULT
) -> PrenetParams:
    """First values, for D = inputs, F = inner, K = outputs: matrices of the initializer, and 0 for the biases."""
    return PrenetParams(
        W_1=asarray(initializer.matrix(rng, inputs, inner), dtype),
        b_1=asarray(np.zeros(inner), dtype),
        W_2=asarray(initializer.matrix(rng, inner, outputs), dtype),
        b_2=asarray(np.zeros(outputs), dtype),
    )
