"""Regularised and sampled losses, maxout, relu, dropout's masks, optimisers and first values.

Those that PyTorch has agree with it; see oracles/make_training.py, which wrote its numbers.
"""

import sys

import numpy as np
import pytest
import strict_cupy
from helpers import assert_close, assert_same, lengths_to_mask, normal, oracle

import numseq
from numseq import layers
from numseq import params as trees
from numseq.gradcheck import check
from numseq.layers import LinearParams
from numseq.layers import activations as pointwise
from numseq.layers.dropout import dropout, dropout_mask
from numseq.layers.init import Initializer, glorot, orthogonal, uniform
from numseq.layers.losses.cross_entropy import CrossEntropyTrace, RegularisedCrossEntropyTrace, cross_entropy
from numseq.layers.losses.sampled import SampledCrossEntropyTrace, log_uniform, sampled_cross_entropy
from numseq.layers.maxout import MaxoutTrace, maxout
from numseq.mistakes import function_of
from numseq.training import optimizers
from numseq.training.optimizers import OPTIMIZERS, SGD, Adadelta, Adagrad, Adam, AdamW, Nesterov, RMSprop

loss_file = sys.modules["numseq.layers.losses.cross_entropy"]
T, B, H, V = 4, 3, 5, 7
MASK = lengths_to_mask([4, 1, 3])
REGULARISED = {
    "smoothing": {"smoothing": 0.1},
    "penalty": {"confidence_penalty": 0.7},
    "both": {"smoothing": 0.3, "confidence_penalty": 0.2},
}


def ids(*shape, below=V, seed=3):
    return np.random.default_rng(seed).integers(0, below, size=shape)


# the regularised loss


@pytest.mark.parametrize("name", REGULARISED)
def test_the_regularised_loss_is_pytorchs(name):
    torch = oracle("training", "loss/")
    mask = torch["mask"].astype(bool)
    trace = cross_entropy(torch["logits"], torch["targets"].astype(int), mask, **REGULARISED[name])
    assert_close([trace.loss, trace.nll], [torch[f"{name}/loss"], torch["nll"]])
    if name == "smoothing":
        assert trace.entropy is None
    else:
        assert_close(trace.entropy, torch[f"{name}/entropy"])
    assert_close(trace.backward().dlogits, torch[f"{name}/dlogits"])
    assert_close(trace.backward(2.5).dlogits, 2.5 * torch[f"{name}/dlogits"])
    assert (trace.backward().dlogits[~mask] == 0).all() and (trace.nll[~mask] == 0).all()


@pytest.mark.parametrize("name", REGULARISED)
def test_the_comparison_with_pytorch_can_fail(name):
    torch = oracle("training", "loss/")
    options = {key: value * 1.000001 for key, value in REGULARISED[name].items()}
    trace = cross_entropy(torch["logits"], torch["targets"].astype(int), torch["mask"].astype(bool), **options)
    for found, expected in ((trace.loss, "loss"), (trace.backward().dlogits, "dlogits")):
        with pytest.raises(AssertionError, match="off by"):
            assert_close(found, torch[f"{name}/{expected}"])


def test_at_zero_it_is_the_plain_loss():
    logits, targets = normal(T, B, V), ids(T, B)
    plain, zero = cross_entropy(logits, targets, MASK), cross_entropy(logits, targets, MASK, 0, 0)
    assert type(plain) is type(zero) is CrossEntropyTrace
    assert_same([zero.loss, zero.backward().dlogits], [plain.loss, plain.backward().dlogits])
    tiny = cross_entropy(logits, targets, MASK, 1e-15, 1e-15)  # the same by the other way
    assert type(tiny) is RegularisedCrossEntropyTrace
    assert_close([tiny.loss, tiny.backward().dlogits], [plain.loss, plain.backward().dlogits])
    assert_same([tiny.nll, tiny.p], [plain.nll, plain.p])
    assert [function_of(plain), function_of(tiny)] == ["cross_entropy", "regularised_cross_entropy"]


@pytest.mark.parametrize("block", [1, 2 * V, 5 * V])
def test_its_blocks_do_not_show(monkeypatch, block):
    logits, targets, options = normal(T, B, V), ids(T, B), REGULARISED["both"]
    whole = cross_entropy(logits, targets, MASK, **options)
    monkeypatch.setattr(loss_file, "BLOCK", block)
    found = cross_entropy(logits, targets, MASK, **options)
    assert_close([found.loss, found.entropy], [whole.loss, whole.entropy], 1e-15)
    assert_close(found.backward().dlogits, whole.backward().dlogits, 1e-15)


@pytest.mark.parametrize("name", REGULARISED)
@pytest.mark.parametrize("shape", [(), (6,), (4, 3), (2, 3, 4)])
def test_it_takes_any_leading_axes_and_mask(name, shape):
    logits, targets, options = normal(*shape, V), ids(*shape), REGULARISED[name]
    everywhere = cross_entropy(logits, targets, **options)
    masks = [np.ones(shape, bool), np.array(ids(*shape, below=2, seed=1) == 1)]
    masks[1][(0,) * len(shape)] = True
    full, part = (cross_entropy(logits, targets, mask, **options) for mask in masks)
    assert everywhere.nll.shape == shape and everywhere.loss.shape == ()
    assert_same([everywhere.loss, everywhere.backward().dlogits], [full.loss, full.backward().dlogits])
    alone = cross_entropy(logits[masks[1]], targets[masks[1]], **options)
    assert_close(part.loss, alone.loss)
    dlogits = part.backward().dlogits
    assert dlogits.shape == logits.shape and (dlogits[~masks[1]] == 0).all()
    assert_close(dlogits[masks[1]], alone.backward().dlogits)


@pytest.mark.parametrize("name", REGULARISED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_it_keeps_the_dtype_and_its_inputs(name, dtype):
    logits, targets = normal(T, B, V, dtype=dtype), ids(T, B)
    before = logits.copy()
    options = {key: np.float64(value) for key, value in REGULARISED[name].items()}  # which must not widen the rest
    trace = cross_entropy(logits, targets, MASK, **options)
    first, again = trace.backward().dlogits, trace.backward().dlogits
    assert {array.dtype for array in (trace.loss, trace.nll, trace.p, trace.log_z, first)} == {np.dtype(dtype)}
    assert trace.weights.dtype == np.dtype(dtype).type(0).real.dtype
    assert_same([first, logits], [again, before])


@pytest.mark.parametrize("name", REGULARISED)
def test_it_is_stable_for_huge_logits(name):
    logits = 1e4 * normal(T, B, V)
    trace = cross_entropy(logits, ids(T, B), MASK, **REGULARISED[name])
    shifted = cross_entropy(logits - 1e6, ids(T, B), MASK, **REGULARISED[name])
    assert np.isfinite(trace.loss) and np.isfinite(trace.backward().dlogits).all()
    assert_close([shifted.loss, shifted.backward().dlogits], [trace.loss, trace.backward().dlogits], 1e-8)


def test_entropy_is_between_nothing_and_log_v():
    trace = cross_entropy(np.zeros((2, V)), ids(2), confidence_penalty=1.0)
    assert_close(trace.entropy, np.full(2, np.log(V)))
    assert abs(trace.loss) < 1e-15  # nll and H are both log V
    sure = cross_entropy(1e3 * np.eye(V), np.arange(V), confidence_penalty=1.0)
    assert_same([sure.entropy, sure.loss], [np.zeros(V), np.zeros(())])


def test_a_smoothed_target_is_where_the_loss_is_least():
    q = np.full(V, 0.3 / V)
    q[2] += 0.7
    trace = cross_entropy(np.log(q)[None], np.array([2]), smoothing=0.3)
    assert abs(trace.backward().dlogits).max() < 1e-15
    assert_close(trace.loss, -(q * np.log(q)).sum())


@pytest.mark.parametrize("options", [{"smoothing": x} for x in (-0.1, 1.0, 1.5, np.nan)])
def test_smoothing_out_of_bounds_is_refused(options):
    with pytest.raises(ValueError, match=r"label smoothing is .*: it must be at least 0 and below 1"):
        cross_entropy(normal(2, V), ids(2), **options)


@pytest.mark.parametrize("beta", [-0.1, np.nan, np.inf])
def test_a_penalty_out_of_bounds_is_refused(beta):
    with pytest.raises(ValueError, match="confidence penalty is .*: it must be finite and at least 0"):
        cross_entropy(normal(2, V), ids(2), confidence_penalty=beta)


# the sampled loss


def sampled_inputs(dtype=np.float64):
    params = LinearParams(normal(H, V, seed=1, dtype=dtype), normal(V, seed=2, dtype=dtype))
    return normal(T, B, H, dtype=dtype), ids(T, B), params


def test_the_sampled_loss_is_that_of_its_equations_in_pytorch():
    torch = oracle("training", "sampled/")
    targets, mask, samples = (torch[name].astype(int) for name in ("targets", "mask", "samples"))
    assert np.isin(targets, samples).any() and len(np.unique(samples)) < len(samples)  # hits, and a repeated sample
    params = LinearParams(torch["W"], torch["b"])
    trace = sampled_cross_entropy(torch["x"], targets, params, samples, torch["log_q"], mask.astype(bool))
    grad = trace.backward()
    assert_close(trace.loss, torch["loss"])
    assert_close([grad.dx, grad.params.W, grad.params.b], [torch["dx"], torch["dW"], torch["db"]])


@pytest.mark.parametrize("mask", [None, MASK])
def test_with_all_samples_it_is_the_whole_softmax(mask):
    x, targets, params = sampled_inputs()
    readout = layers.linear(x, params)
    whole = cross_entropy(readout.y, targets, mask)
    expected = readout.backward(whole.backward(0.7).dlogits)
    order = np.random.default_rng(0).permutation(V)
    trace = sampled_cross_entropy(x, targets, params, order, np.full(V, -1.3), mask)
    grad = trace.backward(0.7)
    assert_close([trace.loss, trace.nll], [whole.loss, whole.nll], 1e-14)
    assert_close([grad.dx, grad.params], [expected.dx, expected.params], 1e-14)


def test_without_log_q_of_each_token_it_would_be_another_loss():
    x, targets, params = sampled_inputs()
    given = x, targets, params, np.arange(V)
    losses = [sampled_cross_entropy(*given, log_q).loss for log_q in (np.zeros(V), normal(V))]
    assert abs(losses[0] - losses[1]) > 0.01


def test_the_sampled_gradient_is_that_of_the_whole_softmax_on_average():
    x, targets, params = sampled_inputs()
    readout = layers.linear(x, params)
    expected = readout.backward(cross_entropy(readout.y, targets, MASK).backward().dlogits).params.W

    def off(count):
        rng, found = np.random.default_rng(0), np.zeros_like(expected)
        for _ in range(300):
            samples, log_q = log_uniform(rng, V, count, np.float64)
            found += sampled_cross_entropy(x, targets, params, samples, log_q, MASK).backward().params.W
        return np.abs(found / 300 - expected).max() / np.abs(expected).max()

    assert off(V) < 0.02 and off(5) < 0.2


def test_masked_positions_get_no_gradient_from_samples():
    x, targets, params = sampled_inputs()
    samples, log_q = np.array([1, 4]), normal(V)
    trace = sampled_cross_entropy(x, targets, params, samples, log_q, MASK)
    grad = trace.backward()
    assert (grad.dx[~MASK] == 0).all() and (grad.dx[MASK] != 0).all() and (trace.nll[~MASK] == 0).all()
    never = ~np.isin(np.arange(V), [*samples, *targets[MASK]])
    assert (grad.params.W[:, never] == 0).all() and (grad.params.b[never] == 0).all()
    elsewhere = np.where(MASK, targets, (targets + 1) % V)  # a padded target is garbage
    other = sampled_cross_entropy(x, elsewhere, params, samples, log_q, MASK)
    assert_same([other.loss, other.backward().params], [trace.loss, grad.params])


def test_a_row_whose_samples_are_all_hits_learns_nothing():
    x, _, params = sampled_inputs()
    trace = sampled_cross_entropy(x[0, :1], np.array([2]), params, np.array([2, 2]), normal(V))
    grad = trace.backward()
    assert trace.loss == 0 and not grad.dx.any() and not grad.params.W.any() and not grad.params.b.any()


def test_a_readout_without_bias_is_sampled_too():
    x, targets, params = sampled_inputs()
    given = x, targets, LinearParams(params.W, None), np.array([1, 4, 4]), normal(V), MASK
    zero = sampled_cross_entropy(*given[:2], LinearParams(params.W, np.zeros(V)), *given[3:])
    trace = sampled_cross_entropy(*given)
    assert_same(trace.loss, zero.loss)
    grad, expected = trace.backward(), zero.backward()
    assert grad.params.b is None
    assert_same([grad.dx, grad.params.W], [expected.dx, expected.params.W])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_sampled_loss_keeps_dtype_order_and_inputs(dtype):
    x, targets, params = sampled_inputs(dtype)
    log_q = normal(V).astype(np.dtype(dtype).type(0).real.dtype)
    before = [x.copy(), params.W.copy(), params.b.copy(), log_q.copy()]
    trace = sampled_cross_entropy(x, targets, params, np.array([1, 4, 4]), log_q, MASK)
    first, again = trace.backward(), trace.backward()
    for array in (trace.loss, first.dx, first.params.W, first.params.b):
        assert array.dtype == dtype and array.flags.c_contiguous
    assert_same([first.dx, first.params], [again.dx, again.params])
    assert_same([x, params.W, params.b, log_q], before)


def test_dtypes_that_differ_are_refused():
    x, targets, params = sampled_inputs()
    with pytest.raises(TypeError, match="share one dtype"):
        sampled_cross_entropy(x, targets, params, np.array([1]), normal(V, dtype=np.float32))
    with pytest.raises(TypeError, match="share one dtype"):
        sampled_cross_entropy(x.astype(np.float32), targets, params, np.array([1]), normal(V))


@pytest.mark.parametrize("count", [1, 5, V])
def test_samples_are_different_and_in_the_vocabulary(count):
    for seed in range(50):
        samples, log_q = log_uniform(np.random.default_rng(seed), V, count, np.float32)
        assert samples.shape == (count,) == np.unique(samples).shape and samples.dtype == np.int64
        assert samples.min() >= 0 and samples.max() < V
        assert log_q.dtype == np.float32 and (np.diff(log_q) <= 0).all() and np.isfinite(log_q).all()
    again = log_uniform(np.random.default_rng(49), V, count, np.float32)
    assert_same(list(again), [samples, log_q])


def test_expected_counts_are_what_is_counted():
    rng, counts, expected, n = np.random.default_rng(0), np.zeros(50), np.zeros(50), 4000
    for _ in range(n):
        samples, log_q = log_uniform(rng, 50, 10, np.float64)
        counts[samples] += 1
        expected += np.exp(log_q)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(n) / 2
    assert counts[0] > 2 * counts[5] > 2 * counts[49]


def test_one_sample_follows_zipf():
    k = np.arange(50)
    q = np.log((k + 2) / (k + 1)) / np.log(51)
    rng = np.random.default_rng(0)
    drawn = np.bincount([log_uniform(rng, 50, 1, float)[0][0] for _ in range(4000)], minlength=50) / 4000
    assert q.sum() == pytest.approx(1) and np.abs(drawn - q).max() < 0.03
    assert_close(np.exp(log_uniform(rng, 50, 1, float)[1]), q)


@pytest.mark.parametrize("count", [0, -1, V + 1])
def test_too_few_or_too_many_samples_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} samples of a vocabulary of {V}"):
        log_uniform(np.random.default_rng(0), V, count, float)


# maxout, relu


def test_maxout_and_relu_are_pytorchs():
    torch = oracle("training", "maxout/")
    trace = maxout(torch["x"])
    assert_close([trace.y, trace.backward(torch["dy"]).dx], [torch["y"], torch["dx"]])
    torch = oracle("training", "relu/")
    y = pointwise.relu(torch["x"])
    assert_close([y, pointwise.relu_backward(torch["dy"], y)], [torch["y"], torch["dx"]])


@pytest.mark.parametrize("shape", [(2,), (5, 6), (4, 3, 8)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_maxout_takes_neighbours_and_keeps_the_dtype(shape, dtype):
    x = normal(*shape, dtype=dtype)
    trace = maxout(x)
    assert_same(trace.y, np.maximum(x[..., 0::2], x[..., 1::2]))
    dx = trace.backward(np.ones_like(trace.y)).dx
    assert trace.y.dtype == dx.dtype == dtype and dx.shape == x.shape
    assert_same(dx.real == 1, x == np.repeat(trace.y, 2, axis=-1))


def test_of_equal_units_the_first_wins():
    trace = maxout(np.array([[3.0, 3.0]]))
    assert trace.y.tolist() == [[3]] and trace.backward(np.array([[2.0]])).dx.tolist() == [[2, 0]]


def test_an_odd_number_of_units_is_refused():
    with pytest.raises(ValueError, match="takes pairs of units, and 5 is odd"):
        maxout(normal(2, 5))


def test_relu_is_0_at_0_and_below_and_so_is_its_slope():
    x, dy = np.array([-2.0, 0.0, 3.0]), np.full(3, 5.0)
    y = pointwise.relu(x)
    assert y.tolist() == [0, 0, 3] and pointwise.relu_backward(dy, y).tolist() == [0, 0, 5]
    assert x.tolist() == [-2, 0, 3] and dy.tolist() == [5, 5, 5]


def test_relu_of_complex_numbers_goes_by_the_real_part():
    assert_same(pointwise.relu(np.array([2 - 3j, -2 + 3j])), np.array([2 - 3j, 0]))


# dropout's masks of other shapes


@pytest.mark.parametrize("shape, name", [((1, B, H), "variational_dropout"), ((T, B, 1), "word_dropout")])
def test_a_small_mask_drops_together(shape, name):
    mask = dropout_mask(np.random.default_rng(0), shape, 0.4, np.float64)
    assert mask.shape == shape and (mask == 0).any() and (mask > 1).any()
    x, dy, whole = normal(T, B, H), normal(T, B, H, seed=1), np.broadcast_to(mask, (T, B, H)).copy()
    trace, expected = dropout(x, mask), dropout(x, whole)
    assert_same([trace.y, trace.backward(dy).dx], [expected.y, expected.backward(dy).dx])
    assert [function_of(trace), function_of(expected), function_of(dropout(x, None))] == [name, "dropout", "dropout"]


# optimisers


MAKERS = {
    "sgd": lambda p: SGD(p, lr=0.05, momentum=0.8, weight_decay=0.3),
    "sgd_without_momentum": lambda p: SGD(p, lr=0.05, momentum=0, weight_decay=0.3),
    "nesterov": lambda p: Nesterov(p, lr=0.05, momentum=0.8, weight_decay=0.3),
    "adam": lambda p: Adam(p, lr=0.05, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.3),
    "adamw": lambda p: AdamW(p, lr=0.05, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.3),
    "adamw_by_default": AdamW,
    "rmsprop": lambda p: RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3),
    "rmsprop_with_decay": lambda p: RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3, weight_decay=0.3),
    "rmsprop_by_default": RMSprop,
    "adagrad": lambda p: Adagrad(p, lr=0.05, eps=1e-3),
    "adagrad_with_decay": lambda p: Adagrad(p, lr=0.05, eps=1e-3, weight_decay=0.3),
    "adagrad_by_default": Adagrad,
    "adadelta": lambda p: Adadelta(p, lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.3),
    "adadelta_by_default": Adadelta,
}


def five_steps(make, dtype=np.float64):
    torch = oracle("training", "optimizer/")
    tree = lambda prefix: [torch[f"{prefix}/{name}"].astype(dtype) for name in "Wb"]  # noqa: E731
    params = tree("start")
    optimizer = make(params)
    for k in range(5):
        optimizer.update(params, tree(f"grad{k}"))
    return params, optimizer, tree


@pytest.mark.parametrize("piece", [4, 1 << 16])
@pytest.mark.parametrize("name", MAKERS)
def test_after_five_steps_the_parameters_are_pytorchs(monkeypatch, name, piece):
    monkeypatch.setattr(optimizers, "PIECE", piece)
    params, optimizer, tree = five_steps(MAKERS[name])
    assert_close(params, tree(name))
    assert optimizer.steps == 5


def test_decay_in_the_gradient_and_beside_it_are_different():
    with pytest.raises(AssertionError, match="off by"):
        assert_close(five_steps(MAKERS["adam"])[0], five_steps(MAKERS["adamw"])[0], 1e-2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_without_weight_decay_nothing_is_added(monkeypatch, name):
    kind = OPTIMIZERS[name]
    plain, none = five_steps(kind)[0], five_steps(lambda p: kind(p, weight_decay=0.0))[0]
    some = five_steps(lambda p: kind(p, weight_decay=0.01))[0]
    first, second = (none, some) if name == "adamw" else (some, none)
    assert_same(plain, second)
    assert all((a != b).any() for a, b in zip(plain, first, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_are_in_place_and_keep_dtype_and_gradients(name, dtype):
    params, grads = ([normal(3, 4, seed=k, dtype=dtype), normal(4, seed=k + 1, dtype=dtype)] for k in (0, 2))
    held, before, given = list(params), trees.map(np.copy, params), trees.map(np.copy, grads)
    optimizer = OPTIMIZERS[name](params, lr=0.1, weight_decay=0.1)
    optimizer.update(params, grads)
    assert all(a is b and a.dtype == dtype and (a != c).all() for a, b, c in zip(params, held, before, strict=True))
    assert_same(grads, given)
    assert optimizer.moments and all(leaf.dtype == dtype for leaf in trees.leaves(list(optimizer.moments.values())))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimiser_goes_on_from_its_moments_and_steps(name):
    grads = [[normal(3, 4, seed=k)] for k in range(4)]
    whole = [normal(3, 4, seed=9)]
    first = OPTIMIZERS[name](whole, lr=0.1, weight_decay=0.1)
    for g in grads[:2]:
        first.update(whole, g)
    resumed = trees.map(np.copy, whole)
    second = OPTIMIZERS[name](resumed, lr=0.5, weight_decay=0.1)
    second.lr, second.steps = first.lr, first.steps
    second.moments = {key: trees.map(np.copy, tree) for key, tree in first.moments.items()}
    for g in grads[2:]:
        first.update(whole, g)
        second.update(resumed, g)
    assert_same(resumed, whole)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_minimum_is_found(name):
    params = [np.array([3.0, -2.0])]
    lr = {"adagrad": 1.0, "adadelta": 5.0}.get(name, 0.05)
    optimizer = OPTIMIZERS[name](params, lr=lr, weight_decay=0.0)
    for _ in range(500):
        optimizer.update(params, [2 * (params[0] - 1)])
    assert abs(params[0] - 1).max() < 0.05


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decay", [-0.1, np.nan])
def test_negative_weight_decay_is_refused(name, decay):
    with pytest.raises(ValueError, match="weight_decay is .*: it must be finite and at least 0"):
        OPTIMIZERS[name]([normal(2)], weight_decay=decay)


# first values


def test_by_default_first_values_are_what_they_were():
    initial, draw = Initializer(), lambda: np.random.default_rng(5)
    assert_same(initial.matrix(draw(), 3, 4), glorot(draw(), 3, 4))
    assert_same(initial.recurrent_matrix(draw(), 4), orthogonal(draw(), 4))
    assert_same(initial.embedding_matrix(draw(), 6, 3), layers.init_embedding(draw(), 6, 3, float).W)
    assert_same(initial.vector(draw(), 9), uniform(draw(), 9, 1 / 3))
    assert initial.forget_bias == 1


def test_uniform_first_values_are_within_their_scale():
    initial, rng = Initializer("uniform", "same", scale=0.25), np.random.default_rng(0)
    drawn = (
        initial.matrix(rng, 30, 50),
        initial.recurrent_matrix(rng, 40),
        initial.embedding_matrix(rng, 60, 30),
        initial.vector(rng, 1000),
    )
    assert [array.shape for array in drawn] == [(30, 50), (40, 40), (60, 30), (1000,)]
    for array in drawn:
        assert 0.24 < array.max() <= 0.25 and -0.25 <= array.min() < -0.24 and abs(array.mean()) < 0.02
    recurrent = Initializer("uniform").recurrent_matrix(rng, 5)
    assert_close(recurrent @ recurrent.T, np.eye(5))
    assert Initializer(recurrent="same").recurrent_matrix(rng, 500).max() == pytest.approx(np.sqrt(6 / 1000), rel=1e-2)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"matrices": "he"}, "initial matrices are 'he': choose one of glorot, uniform"),
        ({"recurrent": "identity"}, "initial recurrent are 'identity': choose one of orthogonal, same"),
        ({"scale": 0}, "initial scale is 0"),
        ({"scale": np.nan}, "initial scale is nan"),
    ],
)
def test_unknown_first_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Initializer(**options)


# on the stand-in for CuPy


def both_backends(function):
    """What a function gives on NumPy, and on the strict stand-in, brought to the host."""
    with strict_cupy.installed(), numseq.use("cupy"):
        found = trees.to_host(function(numseq.backend.asarray))
    assert_close(found, function(np.asarray), 1e-15)


@pytest.mark.parametrize("name", REGULARISED)
def test_the_regularised_loss_runs_on_cupy(name):
    def run(array):
        trace = cross_entropy(array(normal(T, B, V)), array(ids(T, B)), array(MASK), **REGULARISED[name])
        return [trace.loss, trace.nll, trace.entropy, trace.backward(array(0.5)).dlogits]

    both_backends(run)


def test_the_sampled_loss_runs_on_cupy():
    def run(array):
        x, targets, params = sampled_inputs()
        params = LinearParams(array(params.W), array(params.b))
        samples, log_q = log_uniform(np.random.default_rng(0), V, 4, np.float64)
        trace = sampled_cross_entropy(array(x), array(targets), params, samples, log_q, array(MASK))
        grad = trace.backward()
        return [trace.loss, trace.nll, grad.dx, grad.params, samples]

    both_backends(run)


def test_maxout_relu_and_dropout_run_on_cupy():
    def run(array):
        x, dy = array(normal(T, B, 6)), array(normal(T, B, 3, seed=1))
        trace, y = maxout(x), pointwise.relu(dy)
        dropped = dropout(x, array(np.array([[[0.0], [2.0], [2.0]]])))
        return [trace.y, trace.backward(dy).dx, y, pointwise.relu_backward(dy, y), dropped.backward(x).dx]

    both_backends(run)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_run_on_cupy(name):
    def run(array):
        params = [array(normal(3, 4).copy()), array(normal(4).copy())]
        optimizer = OPTIMIZERS[name](params, lr=0.1, weight_decay=0.1)
        for k in range(3):
            optimizer.update(params, [array(normal(3, 4, seed=k)), array(normal(4, seed=k))])
        return [*params, *optimizer.moments.values()]

    both_backends(run)


def test_none_of_it_waits_for_the_gpu():
    with strict_cupy.installed(), numseq.use("cupy") as cupy:
        logits, x, W, b = (cupy.asarray(normal(*shape)) for shape in ((T, B, V), (T, B, 4), (4, V), (V,)))
        targets, samples, log_q = cupy.asarray(ids(T, B)), cupy.asarray(np.array([1, 5, 2])), cupy.asarray(normal(V))
        mask = cupy.asarray(MASK)
        strict_cupy.syncs = 0
        cross_entropy(logits, targets, mask, 0.1, 0.2).backward()
        sampled_cross_entropy(x, targets, LinearParams(W, b), samples, log_q, mask).backward()
        maxout(x).backward(x[..., :2])
        assert strict_cupy.syncs == 0


# wrong backwards are found, and named


def grads_of(monkeypatch, kind, change):
    """kind.backward returns what `change(trace, right gradient, what came from above)` makes of it."""
    right = kind.backward
    monkeypatch.setattr(kind, "backward", lambda trace, **above: change(trace, right(trace, **above), *above.values()))


def both_units(trace, grad, dy):
    return {"dx": grad.dx.reshape(*trace.y.shape, 2).sum(axis=-1).repeat(2, axis=-1)}


def no_target(trace, grad, dloss):
    wrong = grad.params.b.copy()
    np.subtract.at(wrong, trace.targets.reshape(-1), (trace.p[:, 0] - 1) * trace.weights.reshape(-1) * dloss)
    return {"dx": grad.dx, "params": LinearParams(grad.params.W, wrong)}


SAMPLED = (
    lambda x, params: sampled_cross_entropy(x, ids(T, B), params, np.array([1, 4, 4]), normal(V), MASK),
    {"x": normal(T, B, H), "params": sampled_inputs()[2]},
)


@pytest.mark.parametrize(
    "kind, situation, change, name",
    [
        (MaxoutTrace, (maxout, {"x": normal(T, B, 6)}), both_units, "maxout sends the gradient to both units"),
        (SampledCrossEntropyTrace, SAMPLED, no_target, "db of the samples only"),
    ],
)
def test_a_wrong_backward_is_found_and_named(monkeypatch, kind, situation, change, name):
    assert check(*situation).ok
    grads_of(monkeypatch, kind, change)
    result = check(*situation)
    assert not result.ok and result.diagnosis[0].name == name


def test_smoothing_forgotten_in_backward_is_named(monkeypatch):
    monkeypatch.setattr(RegularisedCrossEntropyTrace, "backward", CrossEntropyTrace.backward)
    result = check(lambda logits: cross_entropy(logits, ids(T, B), MASK, smoothing=0.2), {"logits": normal(T, B, V)})
    assert not result.ok and result.diagnosis[0].name == "label smoothing is forgotten in backward"
