"""Convolution, pooling, batch normalisation, residual blocks: against loops and PyTorch, and what changes nothing.

What PyTorch gave is in oracles/convolution.npz, which oracles/make_convolution.py wrote.
"""

import sys
from functools import partial
from itertools import product

import numpy as np
import pytest
import strict_cupy
from helpers import arrays_in, assert_close, assert_same, at_scale_one, lengths_to_mask, normal, oracle
from hypothesis import given, settings
from hypothesis import strategies as st

import numseq
from numseq import layers
from numseq import params as trees
from numseq.backend import asarray
from numseq.errors import ArgumentError
from numseq.layers import BatchNormParams, BatchNormState, ConvolutionParams, ResidualParams
from numseq.layers.batchnorm import EPS

B, D, K = 3, 4, 5
PYTORCH = 1e-10
few = settings(max_examples=15, deadline=None, derandomize=True)
lengths = st.lists(st.integers(1, 9), min_size=1, max_size=4)
sizes, strides = st.integers(1, 4), st.integers(1, 3)


def of_size(k, axes=1, bias=True, inputs=D, outputs=K):
    params = layers.init_convolution(np.random.default_rng(0), inputs, outputs, k, float, axes=axes, bias=bias)
    return at_scale_one(params, seed=1)


def block(axes=1, outputs=D, stride=1):
    rng = np.random.default_rng(0)
    return at_scale_one(layers.init_residual(rng, D, outputs, float, axes=axes, stride=stride), seed=2)


# windows, place by place


def windows_by_hand(places, k, stride, padding):
    """For each window, along each axis of places: its taps and what they see, [(place of y, [(tap, place of x)])]."""
    axes = []
    for n in places:
        starts = range(0, n - k + 1, stride) if padding == "valid" else range(-((k - 1) // 2), n - (k - 1) // 2, stride)
        axes.append([(p, [(j, s + j) for j in range(k) if 0 <= s + j < n]) for p, s in enumerate(starts)])
    for windows in product(*axes):
        looks = product(*(seen for _, seen in windows))
        yield tuple(p for p, _ in windows), [tuple(zip(*look, strict=True)) for look in looks]


SHAPES = [((7,), 3), ((7,), 2), ((5, 6), 3), ((5, 6), 2)]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("places, k", SHAPES)
def test_layers_over_windows_are_their_loops(places, k, stride, padding):
    x, params = normal(*places, B, D), of_size(k, len(places))
    y = layers.convolution(x, params, stride=stride, padding=padding).y
    largest = layers.max_pooling(x, size=k, stride=stride, padding=padding).y
    means = layers.mean_pooling(x, size=k, stride=stride, padding=padding).y
    count = 0
    for p, looks in windows_by_hand(places, k, stride, padding):
        assert_close(y[p], sum(x[place] @ params.W[tap] for tap, place in looks) + params.b)
        seen = np.stack([x[place] for _, place in looks])
        assert_same(largest[p], seen.max(axis=0))
        assert_close(means[p], seen.mean(axis=0))
        count += 1
    assert y.size == count * B * K and largest.size == means.size == count * B * D


def test_of_equal_places_the_first_wins():
    trace = layers.max_pooling(np.ones((4, 1, 2)), size=2)
    assert trace.backward(np.ones((2, 1, 2))).dx[:, 0, 0].tolist() == [1, 0, 1, 0]


def test_a_convolution_of_one_place_is_the_linear_map():
    x, params = normal(4, 5, B, D), of_size(1, 2)
    linear = layers.linear(x, layers.LinearParams(params.W[0, 0], params.b))
    trace, dy = layers.convolution(x, params), normal(4, 5, B, K, seed=3)
    assert_close(trace.y, linear.y)
    assert_close(trace.backward(dy).dx, linear.backward(dy).dx)
    assert_close(trace.backward(dy).params.W[0, 0], linear.backward(dy).params.W)


@pytest.mark.parametrize("block", [1, 100])
def test_the_blocks_of_a_convolution_do_not_show(monkeypatch, block):
    x, params = normal(5, 6, B, D), of_size(2, 2)
    expected = layers.convolution(x, params).y
    monkeypatch.setattr(sys.modules["numseq.layers.convolution"], "BLOCK", block)
    assert_close(layers.convolution(x, params).y, expected)


# PyTorch


def holds(trace, expected):
    """The output and all gradients are PyTorch's."""
    assert_close(trace.y, expected["y"], PYTORCH)
    grad = trace.backward(expected["dy"])
    found = {f"d{name}": array for name, array in trees.walk(getattr(grad, "params", None))} | {"dx": grad.dx}
    assert found.keys() == {name for name in expected if name[0] == "d" and name != "dy"}
    for name, array in found.items():
        assert_close(array, expected[name], PYTORCH)


@pytest.mark.parametrize("kind", ["time", "picture"])
@pytest.mark.parametrize("k, stride, padding", [(3, 1, "same"), (3, 2, "same"), (2, 2, "valid"), (1, 2, "same")])
def test_convolution_is_pytorchs(kind, k, stride, padding):
    expected = oracle("convolution", f"convolution/{kind}/{k}/{stride}/{padding}/")
    params = ConvolutionParams(expected["W"], expected["b"])
    holds(layers.convolution(expected["x"], params, stride=stride, padding=padding), expected)


@pytest.mark.parametrize("kind", ["time", "picture"])
@pytest.mark.parametrize("k, stride, padding", [(2, 2, "valid"), (3, 2, "same"), (3, 1, "valid")])
@pytest.mark.parametrize("name", ["max_pooling", "mean_pooling"])
def test_pooling_is_pytorchs(name, kind, k, stride, padding):
    expected = oracle("convolution", f"{name}/{kind}/{k}/{stride}/{padding}/")
    holds(getattr(layers, name)(expected["x"], size=k, stride=stride, padding=padding), expected)


@pytest.mark.parametrize("kind", ["time", "picture"])
def test_batch_normalisation_and_what_it_follows_are_pytorchs(kind):
    expected = oracle("convolution", f"batch_norm/{kind}/")
    train, evaluation = (
        {name.removeprefix(f"{part}/"): array for name, array in expected.items() if name.startswith(part)}
        for part in ("train", "eval")
    )
    params, state = BatchNormParams(train["g"], train["b"]), layers.init_batch_norm_state(len(train["g"]), float)
    for x in (expected["before"], train["x"]):
        trace = layers.batch_norm(x, params)
        state = layers.follow_batch(state, trace, momentum=0.3)
    holds(trace, train)
    assert_close([state.mean, state.var], [expected["mean"], expected["var"]], PYTORCH)
    holds(layers.batch_norm(train["x"], params, state=state), evaluation)


def test_batch_normalisation_of_what_is_real_is_pytorchs_of_a_list():
    expected = oracle("convolution", "ragged_batch_norm/")
    params = BatchNormParams(expected["g"], expected["b"])
    holds(layers.batch_norm(expected["x"], params, mask=expected.pop("mask").astype(bool)), expected)


@pytest.mark.parametrize("kind", ["time", "picture"])
@pytest.mark.parametrize("stride, outputs", [(1, 3), (2, 4)])
def test_a_residual_block_is_pytorchs(kind, stride, outputs):
    expected = oracle("convolution", f"residual/{kind}/{stride}/{outputs}/")
    conv = lambda name: ConvolutionParams(expected[f"{name}.W"], None)  # noqa: E731
    norm = lambda name: BatchNormParams(expected[f"{name}.g"], expected[f"{name}.b"])  # noqa: E731
    skip = conv("skip") if "skip.W" in expected else None
    params = ResidualParams(conv("conv_1"), norm("norm_1"), conv("conv_2"), norm("norm_2"), skip)
    holds(layers.residual(expected["x"], params, stride=stride), expected)


# padding


OVER_TIME = {
    "convolution": lambda x, k, stride, padding, mask: layers.convolution(
        x, of_size(k), stride=stride, padding=padding, mask=mask
    ),
    "max_pooling": lambda x, k, stride, padding, mask: layers.max_pooling(
        x, size=k, stride=stride, padding=padding, mask=mask
    ),
    "mean_pooling": lambda x, k, stride, padding, mask: layers.mean_pooling(
        x, size=k, stride=stride, padding=padding, mask=mask
    ),
}


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", OVER_TIME)
@given(real=lengths, more=st.integers(0, 3), k=sizes, stride=strides)
@few
def test_a_padded_row_has_what_it_has_alone(name, padding, real, more, k, stride):
    run = partial(OVER_TIME[name], k=k, stride=stride, padding=padding)
    S = max(*real, k) + more
    mask = lengths_to_mask(real, S)
    x = normal(S, len(real), D)  # what lies beyond the ends is garbage
    trace = run(x, mask=mask)
    dy = normal(*trace.y.shape, seed=1)
    grad = trace.backward(dy)
    assert (trace.y[~trace.y_mask] == 0).all() and (grad.dx[~mask] == 0).all()
    dparams = []
    for b, n in enumerate(real):
        if padding == "valid" and n < k:
            assert not trace.y_mask[:, b].any() and (grad.dx[:, b] == 0).all()
            continue
        alone = run(x[:n, b : b + 1], mask=None)
        P = len(alone.y)
        assert trace.y_mask[:, b].tolist() == [True] * P + [False] * (len(trace.y) - P)
        assert_close(trace.y[:P, b], alone.y[:, 0])
        of_alone = alone.backward(dy[:P, b : b + 1])
        assert_close(grad.dx[:n, b], of_alone.dx[:, 0])
        dparams.append(getattr(of_alone, "params", None))
    if dparams and dparams[0]:
        for name_, array in trees.walk(grad.params):
            assert_close(array, sum(dict(trees.walk(one))[name_] for one in dparams))


NORMED = {
    "batch_norm": lambda x, mask: layers.batch_norm(
        x, BatchNormParams(normal(D, seed=4), normal(D, seed=5)), mask=mask
    ),
    "residual": lambda x, mask: layers.residual(x, block(), mask=mask),
    "residual, strided": lambda x, mask: layers.residual(x, block(outputs=K, stride=2), stride=2, mask=mask),
}


@pytest.mark.parametrize("name", NORMED)
@given(real=lengths, steps=st.integers(0, 4), rows=st.integers(0, 2))
@few
def test_frames_beyond_the_end_change_nothing_where_a_batch_is_normalised(name, real, steps, rows):
    mask = lengths_to_mask(real)
    S, N = mask.shape
    wide = np.pad(mask, [(0, steps), (0, rows)])
    x = normal(S + steps, N + rows, D)
    trace, small = NORMED[name](x, wide), NORMED[name](x[:S, :N], mask)
    P = len(small.y)
    assert_close(trace.y[:P, :N], small.y)
    assert (trace.y[P:] == 0).all() and (trace.y[:, N:] == 0).all()
    dy = normal(*trace.y.shape, seed=1)
    grad, of_small = trace.backward(dy), small.backward(dy[:P, :N])
    assert (grad.dx[~wide] == 0).all()
    # where few vectors are normalised most of their gradient cancels, so errors are of the size of what cancels
    scale = 1e-10 * max(np.abs(array).max() for array in arrays_in([of_small, dy]))
    assert np.abs(grad.dx[:S, :N] - of_small.dx).max() <= scale
    for (_, found), (_, expected) in zip(trees.walk(grad.params), trees.walk(of_small.params), strict=True):
        assert np.abs(found - expected).max() <= scale


@pytest.mark.parametrize("name", ["convolution", "max_pooling", "mean_pooling"])
def test_a_picture_can_have_a_mask_too(name):
    mask, x = np.zeros((5, 6, 2), dtype=bool), normal(5, 6, 2, D)
    mask[:3, :4, 0] = mask[:, :, 1] = True
    params = of_size(3, 2)
    run = (
        partial(layers.convolution, params=params) if name == "convolution" else partial(getattr(layers, name), size=3)
    )
    trace = run(x, stride=2, padding="same", mask=mask)
    alone = run(x[:3, :4, :1], stride=2, padding="same")
    assert_close(trace.y[:2, :2, 0], alone.y[:, :, 0])
    assert (trace.y[2:, :, 0] == 0).all() and (trace.y[:, 2:, 0] == 0).all()
    assert (trace.backward(np.ones_like(trace.y)).dx[~mask] == 0).all()


def test_where_nothing_is_real_all_is_zero():
    x, mask = normal(4, B, D), np.zeros((4, B), dtype=bool)
    for trace in (NORMED["batch_norm"](x, mask), *(run(x, 3, 2, "same", mask) for run in OVER_TIME.values())):
        grad = trace.backward(np.ones_like(trace.y))
        assert not trace.y.any() and not grad.dx.any()


# batch normalisation


def test_a_batch_gets_mean_0_and_variance_1_in_each_channel():
    x = 3 * normal(6, 5, B, D) + 2
    y = layers.batch_norm(x, BatchNormParams(np.ones(D), np.zeros(D))).y.reshape(-1, D)
    assert_close(y.mean(axis=0) + 1, np.ones(D))
    var = x.reshape(-1, D).var(axis=0)
    assert_close(y.var(axis=0), var / (var + EPS))


def test_what_is_followed_moves_by_its_momentum_and_has_no_bias():
    x, params = 3 * normal(6, B, D) + 2, BatchNormParams(np.ones(D), np.zeros(D))
    before, trace = BatchNormState(normal(D), normal(D) ** 2), layers.batch_norm(x, params)
    kept = trees.copy(before)
    assert_same(layers.follow_batch(before, trace, momentum=0), before)
    all_new = layers.follow_batch(before, trace, momentum=1)
    assert_close([all_new.mean, all_new.var], [x.mean(axis=(0, 1)), x.reshape(-1, D).var(axis=0, ddof=1)])
    assert_close(layers.follow_batch(before, trace).mean, 0.9 * before.mean + 0.1 * all_new.mean)
    assert_same(before, kept)


def test_in_evaluation_no_vector_knows_another():
    x, params = normal(6, B, D), BatchNormParams(normal(D, seed=1), normal(D, seed=2))
    state = BatchNormState(normal(D, seed=3), normal(D, seed=4) ** 2)
    whole = layers.batch_norm(x, params, state=state)
    assert_same(layers.batch_norm(x[2:3, :1], params, state=state).y, whole.y[2:3, :1])
    with pytest.raises(ArgumentError, match="^trace is FrozenBatchNormTrace: it must be a BatchNormTrace"):
        layers.follow_batch(state, whole)


def test_sums_of_many_small_numbers_keep_their_digits():
    x = np.full((1000, 1000, 2), 0.1, np.float32)
    trace = layers.batch_norm(x, BatchNormParams(*np.ones((2, 2), np.float32)))
    assert abs(trace.mean[0] - 0.1) < 1e-5


# a residual block


def test_a_block_that_has_learnt_nothing_lets_x_through():
    params, x = block(), np.abs(normal(6, B, D))
    params.norm_2.g[...] = params.norm_2.b[...] = 0
    trace, dy = layers.residual(x, params), normal(6, B, D, seed=1)
    assert_same(trace.y, x)
    assert_same(trace.backward(dy).dx, dy)


# what is refused


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda x: layers.convolution(x, of_size(3), stride=0), "stride is 0: "),
        (lambda x: layers.convolution(x, of_size(3), stride=1.5), "stride is 1.5: "),
        (lambda x: layers.convolution(x, of_size(3), padding="full"), "padding is 'full': choose one of valid, same"),
        (lambda x: layers.convolution(x, of_size(8)), "x has 7 places along axis 0: a window of 8 needs 8"),
        (lambda x: layers.convolution(x[:0], of_size(3), padding="same"), "x has 0 places along axis 0: .* needs 1"),
        (
            lambda x: layers.convolution(x, ConvolutionParams(np.ones((D, K)), None)),
            r"W has the shape \(4, 5\): it must be \(k, D, K\) over time, or \(k, k, D, K\) over a picture",
        ),
        (lambda x: layers.convolution(x, of_size(3, 2)), r"x has the shape \(7, 3, 4\): it must be \(R, C, B, 4\)"),
        (
            lambda x: layers.convolution(x, ConvolutionParams(np.ones((2, 3, D, K)), None)),
            r"W has the shape \(2, 3, 4, 5\): it must be \(k, k, D, K\)",
        ),
        (lambda x: layers.max_pooling(x, size=8), "x has 7 places along axis 0: a window of 8 needs 8"),
        (lambda x: layers.max_pooling(x, size=0), "size is 0: "),
        (
            lambda x: layers.mean_pooling(x[0], size=2),
            r"x has the shape \(3, 4\): it must be \(S, B, D\) over",
        ),
        (lambda x: layers.init_convolution(np.random.default_rng(0), D, K, 3, float, axes=3), "axes is 3: "),
        (
            lambda x: layers.residual(x, block(), stride=2),
            "skip is None: stride 2 and 4 to 4 channels change the",
        ),
        (
            lambda x: layers.follow_batch(
                layers.init_batch_norm_state(D, float), NORMED["batch_norm"](x, None), momentum=2
            ),
            "momentum is 2: ",
        ),
    ],
)
def test_what_cannot_be_done_is_said(call, words):
    with pytest.raises(ArgumentError, match=f"^{words}"):
        call(normal(7, B, D))


def test_a_state_of_another_precision_is_refused():
    params, state = BatchNormParams(np.ones(D), np.ones(D)), layers.init_batch_norm_state(D, np.float32)
    with pytest.raises(TypeError, match="float32"):
        layers.batch_norm(normal(4, B, D), params, state=state)


# a GPU


def test_all_of_it_runs_on_a_gpu_and_never_waits_for_it():
    def run(x, mask, params, state):
        block = layers.residual(x, params, stride=2, mask=mask)
        found = [block.y, block.backward(block.y), layers.follow_residual(state, block)]
        found.append(layers.residual(x, params, stride=2, mask=mask, state=state).y)
        for name in ("max_pooling", "mean_pooling"):
            pooled = getattr(layers, name)(x, size=3, stride=2, padding="same", mask=mask)
            found += [pooled.y, pooled.backward(pooled.y).dx]
        return found

    given = [normal(7, B, D), lengths_to_mask([7, 2, 4]), block(outputs=K, stride=2)]
    given.append(layers.init_residual_state(K, float))
    expected = run(*given)
    with strict_cupy.installed(), numseq.use("cupy"):
        there = [trees.map(asarray, tree) for tree in given]
        strict_cupy.syncs = 0
        found = run(*there)
        assert strict_cupy.syncs == 0
        found = trees.to_host(found)
    assert_close(found, expected)
