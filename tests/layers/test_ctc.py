"""The CTC loss, against all paths one by one, and against PyTorch.

What PyTorch gave is in oracles/ctc.npz, which oracles/make_ctc.py wrote.
"""

from itertools import groupby, product

import numpy as np
import pytest
import strict_cupy
from helpers import assert_close, assert_same, lengths_to_mask, normal, oracle

import numseq
from numseq import params as trees
from numseq.backend import asarray
from numseq.data import PAD
from numseq.errors import ArgumentError
from numseq.layers import ctc_loss, softmax
from numseq.layers.losses.ctc import BLANK

S, T, B, V = 9, 4, 5, 6
TARGETS = np.array([[1, 3, 2, 0, 4], [2, 3, 2, 0, 5], [1, 2, 2, 0, 0], [4, 0, 0, 0, 0]])
LENGTHS, FRAMES = [4, 3, 3, 0, 2], [9, 7, 6, 4, 2]
GIVEN = {"target_mask": lengths_to_mask(LENGTHS, T), "mask": lengths_to_mask(FRAMES, S)}
LOGITS = 2 * normal(S, B, V)


def said(path):
    return [k for k, _ in groupby(path) if k != BLANK]


def by_paths(p, target):
    """The probability of a target, by all paths of p (S, V), and, given the target, of each token at each frame."""
    total, each = 0, np.zeros_like(p)
    for path in product(range(p.shape[1]), repeat=len(p)):
        if said(path) == list(target):
            frames = np.arange(len(p)), list(path)
            total += p[frames].prod()
            each[frames] += p[frames].prod()
    return total, each / (total or 1)


def test_the_blank_is_padding():
    assert BLANK == PAD


TINY = {"two tokens": (5, [1, 2]), "a repeat": (5, [1, 1]), "no frame to spare": (3, [2, 2]), "nothing": (4, []),
        "a token": (1, [2]), "one too long": (2, [1, 1])}  # fmt: skip


@pytest.mark.parametrize("case", TINY)
def test_it_is_the_sum_over_all_paths(case):
    frames, target = TINY[case]
    logits = normal(frames, 1, 3)
    trace = ctc_loss(logits, np.array(target, int).reshape(-1, 1))
    p = softmax(logits)
    total, each = by_paths(p[:, 0], target)
    assert trace.impossible.tolist() == [total == 0]
    if total:
        assert_close(trace.nll[0], -np.log(total))
        assert_close(trace.loss * max(len(target), 1), -np.log(total))
        assert_close(trace.backward().dlogits[:, 0], (p[:, 0] - each) / max(len(target), 1))
        token_of = [0, *(k for y in target for k in (y, 0))]
        of_states = np.zeros_like(each)
        np.add.at(of_states.T, token_of, trace.occupancy[:, :, 0].T)
        assert_close(of_states, each)


@pytest.mark.parametrize("name", ["ragged", "impossible", "long"])
def test_it_is_pytorchs(name):
    torch = oracle("ctc", f"{name}/")
    masks = {key: torch[key].astype(bool) for key in ("target_mask", "mask")}
    trace = ctc_loss(torch["logits"], torch["targets"].astype(int), **masks)
    assert trace.impossible.any() == (name == "impossible")
    assert_close([trace.loss, trace.nll, trace.backward().dlogits], [torch["loss"], torch["nll"], torch["dlogits"]])


def test_its_gradient_is_right_along_directions():
    grad = ctc_loss(LOGITS, TARGETS, **GIVEN).backward(0.7).dlogits
    for k in range(3):
        v = normal(S, B, V, seed=10 + k)
        slope = 0.7 * ctc_loss(LOGITS + 1e-100j * v, TARGETS, **GIVEN).loss.imag / 1e-100
        assert abs((grad * v).sum() - slope) <= 1e-13 * np.abs(grad * v).sum()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_not_real_changes_nothing(seed):
    """Frames behind an utterance's end, tokens behind a target's, rows beside it."""
    rng = np.random.default_rng(seed)
    more, longer, rows = rng.integers(1, 20, size=3)
    logits = 9 * normal(S + more, B + rows, V, seed=seed)
    logits[:S, :B][GIVEN["mask"]] = LOGITS[GIVEN["mask"]]
    targets = rng.integers(0, V, size=(T + longer, B + rows))
    targets[:T, :B][GIVEN["target_mask"]] = TARGETS[GIVEN["target_mask"]]
    masks = {name: np.pad(GIVEN[name], [(0, n), (0, rows)]) for name, n in (("target_mask", longer), ("mask", more))}
    right, found = ctc_loss(LOGITS, TARGETS, **GIVEN), ctc_loss(logits, targets, **masks)
    assert_close([found.nll[:B], found.loss], [right.nll, right.loss], 1e-15)
    assert_same(found.nll[B:], np.zeros(rows))  # no frames say no tokens
    dlogits = found.backward().dlogits
    assert_close(dlogits[:S, :B], right.backward().dlogits, 1e-14)
    assert not dlogits[~masks["mask"]].any()
    assert_close(found.occupancy[:, :, :B].sum(axis=1), np.ones((len(logits), B)))


def test_a_frame_that_is_not_real_is_skipped_wherever_it_is():
    holes = GIVEN["mask"].copy()
    holes[[0, 4], 0] = False
    trace = ctc_loss(LOGITS, TARGETS, GIVEN["target_mask"], mask=holes)
    alone = ctc_loss(LOGITS[holes[:, 0], :1], TARGETS[:, :1])
    assert_close(trace.nll[0], alone.nll[0])
    assert_close(trace.backward().dlogits[holes[:, 0], 0] * sum(LENGTHS), alone.backward().dlogits[:, 0] * LENGTHS[0])


def test_a_target_that_is_too_long_is_left_out_and_told():
    short = GIVEN | {"mask": lengths_to_mask([9, 4, 6, 4, 1], S)}  # 3 3 2 needs 4 frames, 2 2 2 needs 5, 4 5 needs 2
    trace = ctc_loss(LOGITS, TARGETS, **short)
    assert trace.impossible.tolist() == [False, False, False, False, True]
    assert trace.nll[4] == 0 and not trace.occupancy[:, :, 4].any()
    grad, right = trace.backward().dlogits, ctc_loss(LOGITS, TARGETS, **GIVEN)
    assert not grad[:, 4].any()
    assert_close(grad[:, [0, 2, 3]], right.backward().dlogits[:, [0, 2, 3]])
    assert_close(trace.loss, trace.nll.sum() / sum(LENGTHS))
    shorter = GIVEN | {"mask": lengths_to_mask([9, 3, 4, 0, 0], S)}
    trace = ctc_loss(LOGITS, TARGETS, **shorter)
    assert trace.impossible.tolist() == [False, True, True, False, True]
    assert trace.nll[3] == 0  # nothing, of no frames, is certain
    assert np.isfinite(trace.backward().dlogits).all()


def test_without_tokens_and_without_frames():
    none = ctc_loss(LOGITS, np.zeros((0, B), int))
    assert_close(none.nll, -np.log(softmax(LOGITS)[:, :, 0]).sum(axis=0))
    assert_close(none.loss, none.nll.sum())  # there is no token to divide by
    assert_close(none.backward().dlogits, softmax(LOGITS) - np.eye(V)[0])
    silent = ctc_loss(LOGITS[:0], TARGETS, GIVEN["target_mask"])
    assert silent.impossible.tolist() == [True, True, True, False, True] and silent.loss == 0
    assert silent.backward().dlogits.shape == (0, B, V)


def test_weights_are_of_rows():
    each, tokens = ctc_loss(LOGITS, TARGETS, **GIVEN), np.array(LENGTHS)
    of = lambda weights: ctc_loss(LOGITS, TARGETS, weights=weights, **GIVEN)  # noqa: E731
    some, numbers = np.array([True, False, True, True, False]), normal(B)
    assert_close(each.loss, each.nll.sum() / tokens.sum())
    assert_close(of(some).loss, each.nll[some].sum() / tokens[some].sum())
    assert_close(of(numbers).loss, (each.nll * numbers).sum())
    row = each.backward().dlogits * tokens.sum()
    assert_close(of(numbers).backward(0.7).dlogits, 0.7 * row * numbers[:, None])
    assert not of(some).backward().dlogits[:, ~some].any()
    with pytest.raises(TypeError, match="weights are int64: they must be booleans, or float64"):
        of(tokens)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_it_keeps_dtype_and_inputs(dtype):
    logits, targets = LOGITS.astype(dtype), TARGETS.copy()
    trace = ctc_loss(logits, targets, **GIVEN)
    first, again = trace.backward().dlogits, trace.backward().dlogits
    assert {x.dtype for x in (trace.loss, trace.nll, trace.alpha, trace.beta, first)} == {np.dtype(dtype)}
    assert trace.weights.dtype == trace.shift.dtype == np.dtype(dtype).type(0).real.dtype
    assert_same([first, logits, targets], [again, LOGITS.astype(dtype), TARGETS])


def test_float32_keeps_its_digits_over_thousands_of_frames():
    """Of sharp scores, and of equal ones: half-way these have the paths that are needed in states 1e-70 as probable as
    others, and who loses them has another loss."""
    logits, targets = normal(3000, 2, 20) * [[10], [0]], np.random.default_rng(1).integers(1, 20, size=(60, 2))
    right, found = ctc_loss(logits, targets), ctc_loss(logits.astype(np.float32), targets)
    assert_close(found.loss, right.loss, 1e-4)
    assert_close(found.backward().dlogits, right.backward().dlogits, 5e-3)


def test_what_all_frames_scores_have_in_common_cancels():
    right, moved = ctc_loss(LOGITS, TARGETS, **GIVEN), ctc_loss(LOGITS - 1e6, TARGETS, **GIVEN)
    sharp = ctc_loss(1e3 * LOGITS, TARGETS, **GIVEN)
    assert_close([moved.nll, moved.backward().dlogits], [right.nll, right.backward().dlogits], 1e-8)
    assert np.isfinite(sharp.nll).all() and np.isfinite(sharp.backward().dlogits).all() and not sharp.impossible.any()


def test_the_host_waits_for_nothing():
    right = ctc_loss(LOGITS, TARGETS, **GIVEN)
    with strict_cupy.installed(), numseq.use("cupy"):
        given = [asarray(x) for x in (LOGITS, TARGETS, *GIVEN.values())]
        strict_cupy.syncs = 0
        trace = ctc_loss(*given[:3], mask=given[3])
        grad = trace.backward().dlogits
        assert strict_cupy.syncs == 0
        found = trees.to_host([trace.loss, trace.nll, grad])
    assert_close(found, [right.loss, right.nll, right.backward().dlogits])


WRONG = {
    "a blank in a target": ({"targets": 0 * TARGETS}, "targets holds 0 where target_mask is True"),
    "a gap in a target": ({"target_mask": GIVEN["target_mask"][::-1]}, "target_mask has a gap"),
    "a token that has no score": ({"targets": TARGETS + V}, f"targets holds {1 + V}: ids are whole numbers from 0"),
    "frames of another number": ({"mask": GIVEN["mask"][1:]}, r"mask has the shape \(8, 5\): it must be \(9, 5\)"),
    "weights of tokens": ({"weights": GIVEN["target_mask"]}, r"weights are \(4, 5\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case):
    change, words = WRONG[case]
    with pytest.raises(ArgumentError, match=words):
        ctc_loss(**({"logits": LOGITS, "targets": TARGETS} | GIVEN | change))
