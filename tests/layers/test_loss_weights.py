"""What each target counts: masks are one case of the losses' weights, numbers are the other."""

from functools import partial

import numpy as np
import pytest
import strict_cupy
from helpers import assert_close, assert_same, lengths_to_mask, normal

import numseq
from numseq import params as trees
from numseq.backend import asarray
from numseq.layers import (
    LinearParams,
    coverage_loss,
    cross_entropy,
    mean_absolute_error,
    mean_squared_error,
    sampled_cross_entropy,
    softmax,
)

T, B, V, H, S = 5, 4, 7, 3, 6
MASK = lengths_to_mask([5, 2, 1, 3])
MASK[1, 0] = False  # not only at the end
NUMBERS = normal(T, B, seed=5) * MASK  # of both signs, and 0 at padding
TARGETS = np.random.default_rng(3).integers(0, V, size=(T, B))
FRAMES = normal(T, B, H, seed=7)
SAMPLES, LOG_Q = np.array([1, 4, 4, 0]), normal(V, seed=6)
REGULAR = {"smoothing": 0.3, "confidence_penalty": 0.2}


def plain(logits, weights, **options):
    return cross_entropy(logits, asarray(TARGETS), weights, **options)


def regularised(logits, weights):
    return plain(logits, weights, **REGULAR)


def sampled(x, weights):
    params = LinearParams(*(asarray(part).astype(x.dtype) for part in (normal(H, V), normal(V))))
    log_q = asarray(LOG_Q).astype(x.real.dtype)
    return sampled_cross_entropy(x, asarray(TARGETS), params, asarray(SAMPLES), log_q, weights)


def of_frames(error, frames, weights):
    return error(frames, asarray(FRAMES).astype(frames.real.dtype), weights)


LOSSES = {  # name: (the loss of an input and weights, the input, its gradient's name)
    "cross_entropy": (plain, normal(T, B, V), "dlogits"),
    "regularised": (regularised, normal(T, B, V), "dlogits"),
    "sampled": (sampled, normal(T, B, H), "dx"),
    "coverage": (coverage_loss, softmax(normal(T, B, S)), "dalpha"),
    "squared": (partial(of_frames, mean_squared_error), normal(T, B, H), "dframes"),
    "absolute": (partial(of_frames, mean_absolute_error), normal(T, B, H), "dframes"),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


def of_each_target(name):
    """What every target gives to the loss, (T, B), by weights that pick it alone."""
    loss, x, _ = LOSSES[name]
    if name == "coverage":  # whose terms take in the steps before, so these have to count as well
        before = np.cumsum(x * MASK[:, :, None], axis=0) - x * MASK[:, :, None]
        return np.minimum(x, before).sum(axis=-1)
    one = lambda t, b: np.eye(T)[t][:, None] * np.eye(B)[b]  # noqa: E731
    return np.array([[loss(x, one(t, b)).loss for b in range(B)] for t in range(T)])


@each_loss
def test_numbers_weigh_as_they_are_and_a_mask_is_the_mean(name):
    loss, x, _ = LOSSES[name]
    each = of_each_target(name)
    assert_close(loss(x, NUMBERS).loss, (NUMBERS * each).sum())
    assert_close(loss(x, MASK).loss, each[MASK].mean())
    assert_close(loss(x, MASK * 1.0).loss, each[MASK].sum())
    if name != "coverage":
        assert_close(loss(x, None).loss, each.mean())
        assert_close(loss(x, np.full((T, B), 0.25)).loss, 0.25 * each.sum())


def test_the_plain_terms_are_negative_log_probabilities():
    logp = np.log(softmax(LOSSES["cross_entropy"][1]))
    assert_close(of_each_target("cross_entropy"), -np.take_along_axis(logp, TARGETS[:, :, None], axis=2)[:, :, 0])


@each_loss
def test_a_mask_is_the_numbers_that_it_stands_for(name):
    loss, x, of = LOSSES[name]
    mask, numbers = loss(x, MASK), loss(x, MASK / MASK.sum())
    assert_same([mask.loss, mask.weights], [numbers.loss, numbers.weights])
    assert_same(getattr(mask.backward(0.7), of), getattr(numbers.backward(0.7), of))


@each_loss
@pytest.mark.parametrize("weights", [MASK, NUMBERS], ids=["mask", "numbers"])
def test_the_gradient_is_right_and_exactly_zero_where_the_weight_is(name, weights):
    loss, x, of = LOSSES[name]
    grad = getattr(loss(x, weights).backward(0.7), of)
    assert (grad[weights == 0] == 0).all() and grad.shape == x.shape
    for k in range(4):
        v = normal(*x.shape, seed=10 + k)
        slope = 0.7 * loss(x + 1e-100j * v, weights).loss.imag / 1e-100
        assert abs((grad * v).sum() - slope) <= 1e-13 * np.abs(grad * v).sum()


@pytest.mark.parametrize("weights", [MASK, NUMBERS], ids=["mask", "numbers"])
def test_the_gradient_of_the_sampled_losss_parameters_is_right(weights):
    x, params = LOSSES["sampled"][1], LinearParams(normal(H, V), normal(V))
    grad = sampled_cross_entropy(x, TARGETS, params, SAMPLES, LOG_Q, weights).backward(0.7).params
    for part in ("W", "b"):
        v = normal(*getattr(params, part).shape, seed=12)
        bent = trees.cast(params, complex)
        setattr(bent, part, getattr(params, part) + 1e-100j * v)
        loss = sampled_cross_entropy(x.astype(complex), TARGETS, bent, SAMPLES, LOG_Q, weights).loss
        assert_close((getattr(grad, part) * v).sum(), 0.7 * loss.imag / 1e-100, 1e-12)


@each_loss
def test_what_stands_where_the_weight_is_zero_does_not_matter(name):
    loss, x, of = LOSSES[name]
    other = np.where(NUMBERS[:, :, None] == 0, softmax(normal(*x.shape, seed=9)), x)
    one, two = loss(x, NUMBERS), loss(other, NUMBERS)
    assert_same([one.loss, getattr(one.backward(), of)], [two.loss, getattr(two.backward(), of)])


@each_loss
def test_weights_follow_the_precision_of_the_call(name):
    loss, x, of = LOSSES[name]
    x = x.astype(np.float32)
    trace = loss(x, NUMBERS.astype(np.float32))
    assert trace.loss.dtype == getattr(trace.backward(), of).dtype == np.float32
    assert loss(x, MASK).weights.dtype == np.float32
    with pytest.raises(TypeError) as caught:
        loss(x, NUMBERS)
    assert str(caught.value) == "weights are float64: they must be booleans, or float32 as the other arrays"


@each_loss
def test_other_weights_are_refused_in_one_line(name):
    loss, x, _ = LOSSES[name]
    with pytest.raises(TypeError) as caught:
        loss(x, MASK.astype(int))  # a mask, or numbers? the loss would be another
    assert str(caught.value) == "weights are int64: they must be booleans, or float64 as the other arrays"
    with pytest.raises(ValueError) as caught:
        loss(x, NUMBERS[0])
    assert str(caught.value) == "weights are (4,): there must be one for each target, (5, 4)"


@each_loss
@pytest.mark.parametrize("weights", [MASK, NUMBERS, None], ids=["mask", "numbers", "none"])
def test_the_host_waits_for_nothing(name, weights):
    loss, x, of = LOSSES[name]
    right = loss(x, weights)
    with strict_cupy.installed(), numseq.use("cupy"):
        there, given = asarray(x), None if weights is None else asarray(weights)
        strict_cupy.syncs = 0
        trace = loss(there, given)
        grad = getattr(trace.backward(), of)
        assert strict_cupy.syncs == 0
        found = trees.to_host([trace.loss, grad])
    assert_close(found, [right.loss, getattr(right.backward(), of)])
