"""Convolution, pooling and batch normalisation, forward and backward, against PyTorch's own.

    python -m benchmarks.convolution [--json F]

Each side has its data in its own order of axes; outputs and gradients agree first. Everything has one thread, and what
is counted is the time that the processor computed, so other work on the machine falls on no side.
"""

import time

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.layers import close, normal
from benchmarks.timing import arguments, describe, in_turn, row, write
from numseq.backend import keep_freed_memory
from numseq.layers import BatchNormParams, ConvolutionParams, batch_norm, convolution, max_pooling
from numseq.threads import blas_threads

OF_AXES = {1: (F.conv1d, F.max_pool1d), 2: (F.conv2d, F.max_pool2d)}


def batch_first(x):
    """(places..., B, D) as PyTorch has it, (B, D, places...)."""
    return torch.tensor(np.ascontiguousarray(np.moveaxis(x, (-2, -1), (0, 1))))


def both(x, ours, theirs, leaves=()):
    """The two sides, after both gave the same. ours: x to a trace; theirs: x to y, with these leaves besides."""
    x_ = batch_first(x).requires_grad_()
    dy = normal(*ours(x).y.shape)
    dy_ = batch_first(dy)

    def of_torch():
        for leaf in (x_, *leaves):
            leaf.grad = None
        theirs(x_).backward(dy_)

    trace = ours(x)
    of_torch()
    close(trace.y, theirs(x_).movedim((0, 1), (-2, -1)))
    close(trace.backward(dy).dx, x_.grad.movedim((0, 1), (-2, -1)))
    return {"numseq": lambda: ours(x).backward(dy), "torch": of_torch}


def convolution_sides(*shape, k, outputs, stride=1):
    axes, D = len(shape) - 2, shape[-1]
    params = ConvolutionParams(normal(*(k,) * axes, D, outputs), normal(outputs))
    W = torch.tensor(np.ascontiguousarray(np.moveaxis(params.W, (-1, -2), (0, 1))), requires_grad=True)
    b = torch.tensor(params.b, requires_grad=True)
    options = {"stride": stride, "padding": "same"}
    conv = OF_AXES[axes][0]
    return both(
        normal(*shape),
        lambda x: convolution(x, params, **options),
        lambda x: conv(x, W, b, stride=stride, padding=k // 2),
        (W, b),
    )


def pooling_sides(*shape, k):
    pool = OF_AXES[len(shape) - 2][1]
    return both(normal(*shape), lambda x: max_pooling(x, size=k), lambda x: pool(x, k))


def batch_norm_sides(*shape):
    params = BatchNormParams(normal(shape[-1]), normal(shape[-1]))
    g, b = (torch.tensor(array, requires_grad=True) for array in (params.g, params.b))
    return both(
        normal(*shape),
        lambda x: batch_norm(x, params),
        lambda x: F.batch_norm(x, None, None, g, b, training=True),
        (g, b),
    )


CASES = [
    ("convolution", "S 400 B 16 D 80 k 5 K 128 stride 2", convolution_sides, (400, 16, 80),
     {"k": 5, "outputs": 128, "stride": 2}),
    ("convolution", "32 x 32 B 16 D 32 k 3 K 32", convolution_sides, (32, 32, 16, 32), {"k": 3, "outputs": 32}),
    ("convolution", "16 x 16 B 16 D 64 k 3 K 128 stride 2", convolution_sides, (16, 16, 16, 64),
     {"k": 3, "outputs": 128, "stride": 2}),
    ("convolution", "64 x 64 B 16 D 3 k 3 K 32", convolution_sides, (64, 64, 16, 3), {"k": 3, "outputs": 32}),
    ("max pooling", "32 x 32 B 16 D 32 k 2", pooling_sides, (32, 32, 16, 32), {"k": 2}),
    ("batch normalisation", "32 x 32 B 16 D 32", batch_norm_sides, (32, 32, 16, 32), {}),
    ("batch normalisation", "S 400 B 16 D 128", batch_norm_sides, (400, 16, 128), {}),
]  # fmt: skip


def main():
    options = arguments(__doc__.splitlines()[0], rounds=7)
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = []
    with blas_threads(1):
        describe()
        for name, label, sides, shape, more in CASES:
            times = in_turn(sides(*shape, **more), options.rounds, clock=time.process_time)
            rows.append(row(name, label, "torch", times))
    write(options.json, rows)


if __name__ == "__main__":
    main()
