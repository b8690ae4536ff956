"""A residual block: two convolutions, and a way around them; over a picture, or over time.

c_1 = convolution of x, with the stride
n_1 = batch normalisation of c_1
u = relu(n_1)
c_2 = convolution of u
n_2 = batch normalisation of c_2
s = x, or, where the shape changes, x W_s      a convolution of 1 place, with the stride
y = relu(n_2 + s)

What the convolutions learn is what has to be added to x, so a block that has learnt nothing lets x through, and so does
its backward. No convolution has a bias: the normalisation after it takes the mean away, and adds a bias of its own.

Source: He et al. 2016, "Deep residual learning for image recognition", equations 1 and 2, figure 2. Where the shape
changes they normalise x W_s too; it is added as it is here.
"""

from dataclasses import dataclass

from numseq.backend import Array, DType, Generator
from numseq.errors import ArgumentError
from numseq.layers.activations import relu, relu_backward
from numseq.layers.batchnorm import (
    BatchNormParams,
    BatchNormState,
    BatchNormTrace,
    FrozenBatchNormTrace,
    batch_norm,
    follow_batch,
    init_batch_norm,
    init_batch_norm_state,
)
from numseq.layers.convolution import ConvolutionParams, ConvolutionTrace, convolution, init_convolution
from numseq.layers.fit import as_of
from numseq.layers.init import DEFAULT, Initializer
from numseq.record import Record, Trace


@dataclass(slots=True)
class ResidualParams(Record):
    conv_1: ConvolutionParams
    norm_1: BatchNormParams
    conv_2: ConvolutionParams
    norm_2: BatchNormParams
    skip: ConvolutionParams | None  # None where x is added as it is


@dataclass(slots=True)
class ResidualState(Record):
    """What its two normalisations have followed in training."""

    norm_1: BatchNormState
    norm_2: BatchNormState


@dataclass(slots=True)
class ResidualGrad(Record):
    dx: Array
    params: ResidualParams


@dataclass(slots=True)
class ResidualTrace(Trace):
    """What `residual` computed: y, and u between the two halves; the traces of its convolutions and normalisations; the
    trace of its skip, or None. y_mask says which of y is real; None for all."""

    outputs = ("y",)
    equations = "residual"
    conv_1: ConvolutionTrace
    norm_1: BatchNormTrace | FrozenBatchNormTrace
    u: Array
    conv_2: ConvolutionTrace
    norm_2: BatchNormTrace | FrozenBatchNormTrace
    skip: ConvolutionTrace | None
    y_mask: Array | None
    y: Array

    def backward(self, dy: Array) -> ResidualGrad:
        """dn_2 = ds = dy where y > 0, else 0
        du = the backwards of normalisation and convolution, of dn_2
        dn_1 = du where u > 0, else 0
        dx = those of the first ones, of dn_1, + ds, or ds W_s^T by the backward of the skip

        The gradient goes two ways, through the convolutions and around them.
        """
        as_of(dy, "dy", self.y, "y")
        dsum = relu_backward(dy, self.y)
        norm_2 = self.norm_2.backward(dsum)
        conv_2 = self.conv_2.backward(norm_2.dx)
        norm_1 = self.norm_1.backward(relu_backward(conv_2.dx, self.u))
        conv_1 = self.conv_1.backward(norm_1.dx)
        skip = None if self.skip is None else self.skip.backward(dsum)
        return ResidualGrad(
            dx=conv_1.dx + (dsum if skip is None else skip.dx),
            params=ResidualParams(
                conv_1=conv_1.params,
                norm_1=norm_1.params,
                conv_2=conv_2.params,
                norm_2=norm_2.params,
                skip=None if skip is None else skip.params,
            ),
        )


def residual(
    x: Array,
    params: ResidualParams,
    *,
    stride: int = 1,
    mask: Array | None = None,
    state: ResidualState | None = None,
) -> ResidualTrace:
    """Two convolutions with batch normalisation, and what they add to x.

    Equations: those of the module.

    Args: x, (R, C, B, D) over a picture or (S, B, D) over time. params: those of the convolutions, without a bias, and
        of the normalisations. stride, of the first convolution and of the skip. mask, (R, C, B) or (S, B), booleans:
        what is real; None for all. state, in evaluation; None in training.
    Returns: a ResidualTrace with y (P, Q, B, K) or (P, B, K), P = ceil(R / stride).
    Backward: ResidualTrace.backward.
    Raises: TypeError, when dtypes differ; ArgumentError, when shapes do not fit, or the shape changes without a skip.
    """
    if params.skip is None and (stride, x.shape[-1]) != (1, params.conv_2.W.shape[-1]):
        raise ArgumentError(
            f"skip is None: stride {stride} and {x.shape[-1]} to {params.conv_2.W.shape[-1]} channels change the shape "
            "of x, so it must be a convolution of 1 place"
        )
    conv_1 = convolution(x, params.conv_1, stride=stride, padding="same", mask=mask)
    mask_y = conv_1.y_mask
    norm_1 = batch_norm(conv_1.y, params.norm_1, mask=mask_y, state=None if state is None else state.norm_1)
    u = relu(norm_1.y)
    conv_2 = convolution(u, params.conv_2, padding="same", mask=mask_y)
    norm_2 = batch_norm(conv_2.y, params.norm_2, mask=mask_y, state=None if state is None else state.norm_2)
    skip = None
    if params.skip is not None:
        skip = convolution(x, params.skip, stride=stride, padding="same", mask=mask)
    y = relu(norm_2.y + (conv_1.x if skip is None else skip.y))  # conv_1.x is x, 0 where it is not real
    return ResidualTrace(conv_1=conv_1, norm_1=norm_1, u=u, conv_2=conv_2, norm_2=norm_2, skip=skip, y_mask=mask_y, y=y)


def follow_residual(state: ResidualState, trace: ResidualTrace, *, momentum: float = 0.1) -> ResidualState:
    """The state after one more batch, see `numseq.layers.batchnorm.follow_batch`; the one before stays as it is."""
    return ResidualState(
        norm_1=follow_batch(state.norm_1, trace.norm_1, momentum=momentum),
        norm_2=follow_batch(state.norm_2, trace.norm_2, momentum=momentum),
    )


def init_residual(
    rng: Generator,
    inputs: int,
    outputs: int,
    dtype: DType,
    initializer: Initializer = DEFAULT,
    *,
    size: int = 3,
    stride: int = 1,
    axes: int = 2,
) -> ResidualParams:
    """First values, with a skip where stride or width change the shape.

    Args: size, k of both convolutions. stride, as the block is to be called with. axes, 2 over a picture, 1 over time.
    """

    def conv(inputs, size):
        return init_convolution(rng, inputs, outputs, size, dtype, initializer, axes=axes, bias=False)

    changes = stride != 1 or inputs != outputs
    return ResidualParams(
        conv_1=conv(inputs, size),
        norm_1=init_batch_norm(rng, outputs, dtype),
        conv_2=conv(outputs, size),
        norm_2=init_batch_norm(rng, outputs, dtype),
        skip=conv(inputs, 1) if changes else None,
    )


def init_residual_state(outputs: int, dtype: DType) -> ResidualState:
    """The state before any batch."""
    return ResidualState(init_batch_norm_state(outputs, dtype), init_batch_norm_state(outputs, dtype))
