"""The losses of words that can be copied, against one word and one place at a time, and against PyTorch.

What PyTorch gave is in oracles/copying.npz, which oracles/make_copying.py wrote.
"""

import math

import numpy as np
import pytest
from helpers import assert_close, lengths_to_mask, normal, oracle, output_gradients

from numseq import layers
from numseq.errors import ArgumentError
from numseq.layers.losses.copying import ways
from numseq.layers.losses.cross_entropy import exponentials

T, B, S, V = 4, 3, 5, 6
COPIES = np.array([[4, 6, 5], [5, 7, 5], [6, 6, 4], [4, 0, 5], [6, 0, 0]])  # 6 and 7: words that only a source has
LENGTHS = [5, 3, 4]
TARGETS = np.array([[6, 7, 5], [4, 6, 4], [3, 2, 5], [6, 0, 1]])
REAL = lengths_to_mask([4, 3, 4])


def scores():
    logits, psi, a = 2 * normal(T, B, V), 2 * normal(T, B, S, seed=1), normal(T, B, seed=2)
    alpha = layers.softmax(np.where(lengths_to_mask(LENGTHS).T, psi, -1e30))
    return logits, psi, a, alpha


def softmax(numbers):
    total = sum(map(math.exp, numbers))
    return [math.exp(x) / total for x in numbers]


def pointer(logits, a, alpha, copies, y):
    """p of one word."""
    g = 1 / (1 + math.exp(-a))
    p = g * softmax(logits)[y] if y < V else 0
    for weight, word in zip(alpha, copies, strict=True):
        p += (1 - g) * weight * (word == y)
    return p


def copynet(logits, psi, copies, y):
    """p of one word; psi and copies of the real places."""
    both = softmax([*logits, *psi])
    return (both[y] if y < V else 0) + sum(p for p, word in zip(both[V:], copies, strict=True) if word == y)


def expected(p_of):
    return np.array([[-math.log(p_of(t, b)) if REAL[t, b] else 0 for b in range(B)] for t in range(T)])


def test_the_probability_of_a_word_is_the_sum_of_its_ways():
    logits, psi, a, alpha = scores()
    trace = layers.pointer_loss(logits, a, alpha, COPIES, TARGETS, REAL)
    nll = expected(lambda t, b: pointer(logits[t, b], a[t, b], alpha[t, b], COPIES[:, b], TARGETS[t, b]))
    assert_close(trace.nll, nll)
    assert_close(trace.loss, nll.sum() / REAL.sum())

    trace = layers.copynet_loss(logits, psi, COPIES, TARGETS, REAL, mask=lengths_to_mask(LENGTHS))
    nll = expected(lambda t, b: copynet(logits[t, b], psi[t, b, : LENGTHS[b]], COPIES[: LENGTHS[b], b], TARGETS[t, b]))
    assert_close(trace.nll, nll)
    assert_close(trace.loss, nll.sum() / REAL.sum())


def test_without_a_way_to_copy_it_is_the_cross_entropy():
    logits, psi, _, alpha = scores()
    nowhere, inside = np.full_like(COPIES, 99), np.minimum(TARGETS, V - 1)
    plain = layers.cross_entropy(logits, inside, REAL)
    trace = layers.pointer_loss(logits, np.full((T, B), 60.0), alpha, nowhere, inside, REAL)
    assert_close(trace.nll, plain.nll)
    assert_close(trace.backward().dlogits, plain.backward().dlogits)
    trace = layers.copynet_loss(logits, psi, nowhere, inside, REAL, mask=np.zeros((S, B), bool))
    assert_close(trace.nll, plain.nll)
    assert_close(trace.backward().dlogits, plain.backward().dlogits)
    assert not trace.backward().dpsi.any()


def test_copynet_is_a_pointer_generator():
    logits, psi, _, _ = scores()
    mask = lengths_to_mask(LENGTHS)
    alpha, a = ways(logits, exponentials(logits.reshape(-1, V)), psi, mask)
    found = layers.copynet_loss(logits, psi, COPIES, TARGETS, REAL, mask=mask)
    assert_close(layers.pointer_loss(logits, a, alpha, COPIES, TARGETS, REAL).nll, found.nll)


def of_torch(name):
    """The arrays of a loss, and what both losses are given."""
    torch = oracle("copying", f"{name}/")
    copies, targets = (torch[each].astype(int) for each in ("copies", "targets"))
    return torch, {"copies": copies, "targets": targets, "weights": torch["target_mask"].astype(bool)}


def test_the_pointer_generators_loss_is_pytorchs():
    torch, given = of_torch("pointer")
    trace = layers.pointer_loss(torch["logits"], torch["a"], torch["alpha"], **given)
    grad = trace.backward()
    assert_close([trace.loss, trace.nll], [torch["loss"], torch["nll"]])
    assert_close([grad.dlogits, grad.da], [torch["dlogits"], torch["da"]])
    real = torch["alpha"] > 0  # the gradient elsewhere is nobody's: no softmax lets it through
    assert_close(grad.dalpha[real], torch["dalpha"][real])


def test_copynets_loss_is_pytorchs():
    torch, given = of_torch("copynet")
    trace = layers.copynet_loss(torch["logits"], torch["psi"], **given, mask=torch["mask"].astype(bool))
    grad = trace.backward()
    assert_close([trace.loss, trace.nll], [torch["loss"], torch["nll"]])
    assert_close([grad.dlogits, grad.dpsi], [torch["dlogits"], torch["dpsi"]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [0, 60, 300])
def test_what_is_all_but_impossible_has_a_finite_loss_and_pulls(dtype, far):
    """One row, whose word 4 has a score far below that of 5; then one that has attention nowhere."""
    logits, targets = np.array([[[0, 0, 0, 0, 0, far]]], dtype), np.array([[4]])
    alpha, a = np.array([[[1, 0]]], dtype), np.zeros((1, 1), dtype)
    plain = layers.cross_entropy(logits, targets)
    trace = layers.pointer_loss(logits, a, alpha, np.array([[5], [5]]), targets)
    assert_close(trace.nll, plain.nll + math.log(2), 1e-6)
    assert_close(trace.backward().dlogits, plain.backward().dlogits, 1e-6)
    unseen = layers.pointer_loss(logits, a, alpha, np.array([[5], [6]]), np.array([[6]]))
    grad = unseen.backward()
    assert np.isfinite(unseen.loss) and unseen.loss > 80
    assert grad.dalpha[0, 0, 1] < 0 == grad.dalpha[0, 0, 0] and not grad.dlogits.any()
    assert np.isfinite(grad.dalpha).all()


def test_a_word_that_can_be_said_in_no_way_is_no_number_to_train_on():
    logits, _, a, alpha = scores()
    trace = layers.pointer_loss(logits, a, alpha, COPIES, np.full((T, B), 9), REAL)
    assert trace.loss > 1e20
    trace = layers.pointer_loss(logits, a, alpha, COPIES, np.where(REAL, TARGETS, 9), REAL)
    grad = trace.backward()
    for array in (trace.nll, grad.dlogits, grad.da, grad.dalpha):
        assert np.isfinite(array).all() and not array[~REAL].any()


def test_an_attention_of_0_has_a_slope_on_both_sides():
    """As differences of losses need it. The word 4 of the first row can be generated as well as copied."""
    logits, _, a, alpha = scores()
    alpha[1, 0, COPIES[:, 0] == 4] = 0
    loss = lambda step: layers.pointer_loss(logits, a, alpha + step, COPIES, TARGETS, REAL)  # noqa: E731
    step = np.zeros_like(alpha)
    step[1, 0, 0] = 1e-6
    slope = (loss(step).loss - loss(-step).loss) / 2e-6
    assert_close(slope / loss(0).backward().dalpha[1, 0, 0], 1.0, 1e-6)


def test_padded_places_get_nothing():
    logits, psi, _, _ = scores()
    mask = lengths_to_mask(LENGTHS)
    grad = layers.copynet_loss(logits, psi, COPIES, TARGETS, REAL, mask=mask).backward()
    assert not grad.dpsi[:, ~mask.T].any() and grad.dpsi[0].any()
    again = layers.copynet_loss(logits, np.where(mask.T, psi, 50), COPIES, TARGETS, REAL, mask=mask).backward()
    assert_close([again.dlogits, again.dpsi], [grad.dlogits, grad.dpsi])


def test_the_share_is_that_of_bayes():
    logits, _, a, alpha = scores()
    trace = layers.pointer_loss(logits, a, alpha, COPIES, TARGETS, REAL)
    p = np.exp(-trace.nll)
    assert trace.share[0, 1] == 0  # 7 stands in the source alone
    assert_close(trace.share[2, 0], 1.0)  # 3 stands nowhere
    assert 0 < trace.share[0, 2] < 1
    assert_close(trace.share[0, 2], trace.g[0, 2] * layers.softmax(logits[0, 2])[5] / p[0, 2])


WRONG = {
    "copies of another length": (lambda given: given | {"copies": COPIES[:-1]}, "copies has the shape"),
    "copies that are no ids": (lambda given: given | {"copies": COPIES * 1.0}, "copies holds float64"),
    "targets of another batch": (lambda given: given | {"targets": TARGETS[:, :2]}, "targets has the shape"),
    "weights of another shape": (lambda given: given | {"weights": REAL[:2]}, "weights"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case):
    change, words = WRONG[case]
    logits, psi, a, alpha = scores()
    shared = {"logits": logits, "copies": COPIES, "targets": TARGETS, "weights": REAL}
    with pytest.raises(ArgumentError, match=words):
        layers.pointer_loss(**change(shared | {"a": a, "alpha": alpha}))
    with pytest.raises(ArgumentError, match=words):
        layers.copynet_loss(**change(shared | {"psi": psi}))


def test_backward_can_be_called_twice():
    logits, psi, a, alpha = scores()
    for trace in (
        layers.pointer_loss(logits, a, alpha, COPIES, TARGETS, REAL),
        layers.copynet_loss(logits, psi, COPIES, TARGETS, REAL),
    ):
        given = output_gradients(trace)
        first, second = trace.backward(**given), trace.backward(**given)
        assert np.array_equal(first.dlogits, second.dlogits)
