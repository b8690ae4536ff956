"""Write convolution.npz: what test_convolution.py holds convolutions, pooling and batch normalisation to.

    python tests/oracles/make_convolution.py

PyTorch's own layers, with their axes put in numseq's order; gradients by autograd. Needs PyTorch 2.13 (CPU); nothing of
numseq is imported.
"""

import torch
from make_oracles import leaf, lengths_to_mask, prefixed, write
from torch import nn
from torch.nn import functional as F

B, D, K = 2, 3, 4
PLACES = {"time": (7,), "picture": (5, 4)}
CONVOLVE = {"time": F.conv1d, "picture": F.conv2d}
MAX_POOL = {"time": F.max_pool1d, "picture": F.max_pool2d}
MEAN_POOL = {"time": F.avg_pool1d, "picture": F.avg_pool2d}


def batch_first(x):
    """(places..., B, D) as PyTorch has it, (B, D, places...)."""
    return x.movedim((-2, -1), (0, 1))


def places_first(y):
    return y.movedim((0, 1), (-2, -1))


def filters(W):
    """(k..., D, K) as PyTorch has it, (K, D, k...)."""
    return W.movedim((-1, -2), (0, 1))


def finished(inputs, y):
    """Arrays, the output, and the gradients of a random weighting of it."""
    dy = torch.randn(y.shape)
    (dy * y).sum().backward()
    return inputs | {f"d{name}": array.grad for name, array in inputs.items()} | {"y": y, "dy": dy}


def convolution(kind, k, stride, padding):
    places = PLACES[kind]
    inputs = {"x": leaf(*places, B, D), "W": leaf(*(k,) * len(places), D, K), "b": leaf(K)}
    x, W, b = inputs.values()
    y = CONVOLVE[kind](batch_first(x), filters(W), b, stride=stride, padding=k // 2 if padding == "same" else 0)
    return finished(inputs, places_first(y))


def pooling(of, kind, k, stride, padding, **options):
    inputs = {"x": leaf(*PLACES[kind], B, D)}
    y = of[kind](batch_first(inputs["x"]), k, stride, padding=k // 2 if padding == "same" else 0, **options)
    return finished(inputs, places_first(y))


def batch_norm(kind):
    """Two batches in training, the second with gradients; then evaluation."""
    module = {"time": nn.BatchNorm1d, "picture": nn.BatchNorm2d}[kind](D, momentum=0.3)
    for weight in module.parameters():
        nn.init.normal_(weight)
    inputs = {"x": leaf(*PLACES[kind], B, D)}
    before = 2 * torch.randn(*PLACES[kind], B, D) + 1
    module(batch_first(before))
    params = {"g": module.weight, "b": module.bias}
    run = lambda: places_first(module(batch_first(inputs["x"])))  # noqa: E731
    arrays = {"before": before} | prefixed("train", finished(inputs | params, run()))
    arrays |= {"mean": module.running_mean.clone(), "var": module.running_var.clone()}
    module.eval()
    for array in (inputs | params).values():
        array.grad = None
    return arrays | prefixed("eval", finished(inputs | params, run()))


def ragged_batch_norm(lengths=(7, 3)):
    """Training over the real vectors alone, which PyTorch is given as a list."""
    real = lengths_to_mask(lengths, 7)
    inputs = {"x": leaf(7, B, D), "g": leaf(D), "b": leaf(D)}
    x, g, b = inputs.values()
    y = torch.zeros(7, B, D)
    y[real] = F.batch_norm(x[real], None, None, g, b, training=True)
    return finished(inputs, y) | {"mask": real}


def residual(kind, stride, outputs):
    places = PLACES[kind]
    axes = len(places)
    inputs = {"x": leaf(*places, B, D)}
    p = {"conv_1.W": leaf(*(3,) * axes, D, outputs), "norm_1.g": leaf(outputs), "norm_1.b": leaf(outputs)}
    p |= {"conv_2.W": leaf(*(3,) * axes, outputs, outputs), "norm_2.g": leaf(outputs), "norm_2.b": leaf(outputs)}
    if (stride, outputs) != (1, D):
        p["skip.W"] = leaf(*(1,) * axes, D, outputs)
    x, conv = batch_first(inputs["x"]), CONVOLVE[kind]
    norm = lambda c, n: F.batch_norm(c, None, None, p[f"{n}.g"], p[f"{n}.b"], training=True)  # noqa: E731
    u = F.relu(norm(conv(x, filters(p["conv_1.W"]), stride=stride, padding=1), "norm_1"))
    c = norm(conv(u, filters(p["conv_2.W"]), padding=1), "norm_2")
    s = conv(x, filters(p["skip.W"]), stride=stride) if "skip.W" in p else x
    return finished(inputs | p, places_first(F.relu(c + s)))


if __name__ == "__main__":
    torch.manual_seed(6)
    arrays = {}
    for kind in PLACES:
        for k, stride, padding in ((3, 1, "same"), (3, 2, "same"), (2, 2, "valid"), (1, 2, "same")):
            arrays |= prefixed(f"convolution/{kind}/{k}/{stride}/{padding}", convolution(kind, k, stride, padding))
        for k, stride, padding in ((2, 2, "valid"), (3, 2, "same"), (3, 1, "valid")):
            of = f"{kind}/{k}/{stride}/{padding}"
            arrays |= prefixed(f"max_pooling/{of}", pooling(MAX_POOL, kind, k, stride, padding))
            means = pooling(MEAN_POOL, kind, k, stride, padding, count_include_pad=False)
            arrays |= prefixed(f"mean_pooling/{of}", means)
        arrays |= prefixed(f"batch_norm/{kind}", batch_norm(kind))
        for stride, outputs in ((1, D), (2, K)):
            arrays |= prefixed(f"residual/{kind}/{stride}/{outputs}", residual(kind, stride, outputs))
    arrays |= prefixed("ragged_batch_norm", ragged_batch_norm())
    write("convolution", arrays)
