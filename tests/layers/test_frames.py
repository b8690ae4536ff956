"""Layers and losses of frames: what each computes, against PyTorch and plain loops, and what changes nothing.

What PyTorch gave is in oracles/frames.npz, which oracles/make_frames.py wrote. Weights of losses are in
test_loss_weights.py, shapes that do not fit in test_fit.py, gradients in test_gradients.py.
"""

import numpy as np
import pytest
import strict_cupy
from helpers import arrays_in, assert_close, assert_same, lengths_to_mask, normal, oracle

import numseq
from numseq import layers
from numseq import params as trees
from numseq.backend import asarray
from numseq.errors import ArgumentError
from numseq.layers.losses.stop import last_frames

T, B, D, S = 6, 4, 3, 5
MASK, SOURCE_MASK = lengths_to_mask([6, 1, 3, 4]), lengths_to_mask([5, 2, 1, 3])
PARTS = ("W_1", "b_1", "W_2", "b_2")


def masks(torch, *names):
    return [torch[name].astype(bool) for name in names]


# against PyTorch


@pytest.mark.parametrize("name", ["squared", "absolute"])
def test_errors_of_frames_are_pytorchs(name):
    torch = oracle("frames", "errors/")
    function = {"squared": layers.mean_squared_error, "absolute": layers.mean_absolute_error}[name]
    trace = function(torch["frames"], torch["target"], *masks(torch, "mask"))
    assert_close([trace.loss, trace.backward().dframes], [torch[f"{name}/loss"], torch[f"{name}/dframes"]])
    assert_close(trace.backward(2.5).dframes, 2.5 * torch[f"{name}/dframes"])


@pytest.mark.parametrize("name, weight", [("plain", 1), ("weighed", 7)])
def test_the_stop_loss_is_pytorchs(name, weight):
    torch = oracle("frames", "stop/")
    last, mask = masks(torch, "last", "mask")
    trace = layers.stop_loss(torch["logits"], last, mask, stop_weight=weight)
    assert_close([trace.loss, trace.backward().dlogits], [torch[f"{name}/loss"], torch[f"{name}/dlogits"]])
    assert_same(last_frames(mask), last)


def test_doubly_stochastic_attention_is_that_of_its_equation_in_pytorch():
    torch = oracle("frames", "doubly/")
    steps, mask = masks(torch, "steps", "mask")
    trace = layers.doubly_stochastic_loss(torch["alpha"], steps, mask=mask)
    assert_close([trace.loss, trace.backward().dalpha], [torch["loss"], torch["dalpha"]])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_stacked_frames_are_pytorchs(n):
    torch = oracle("frames", "stacked/")
    trace = layers.stack_frames(torch["x"], n, mask=torch["mask"].astype(bool))
    assert_same([trace.y, trace.backward(torch[f"{n}/dy"]).dx], [torch[f"{n}/y"], torch[f"{n}/dx"]])


def test_the_prenet_is_pytorchs():
    torch = oracle("frames", "prenet/")
    params = layers.PrenetParams(*(torch[name] for name in PARTS))
    trace = layers.prenet(torch["x"], params, masks=(torch["m_1"], torch["m_2"]))
    grad = trace.backward(torch["dy"])
    assert_close([trace.y, grad.dx], [torch["y"], torch["dx"]])
    assert_close([getattr(grad.params, name) for name in PARTS], [torch[f"d{name}"] for name in PARTS])


# errors of frames


def test_a_number_that_is_right_has_no_slope():
    frames = normal(T, B, D)
    for error in (layers.mean_squared_error, layers.mean_absolute_error):
        trace = error(frames, frames.copy(), MASK)
        assert trace.loss == 0 and not trace.backward().dframes.any()


def test_what_stands_in_padding_is_not_even_computed_with():
    frames, target = normal(T, B, D), normal(T, B, D, seed=1)
    for error in (layers.mean_squared_error, layers.mean_absolute_error):
        right = error(frames, target, MASK)
        for rubbish in (np.nan, np.inf):
            other = error(np.where(MASK[:, :, None], frames, rubbish), target, MASK)
            assert_same([other.loss, other.backward().dframes], [right.loss, right.backward().dframes])


def test_frames_and_their_target_are_of_one_precision():
    with pytest.raises(TypeError, match="share one dtype"):
        layers.mean_squared_error(normal(T, B, D), normal(T, B, D, dtype=np.float32), MASK)


# the stop loss


def test_the_stop_loss_is_safe_for_huge_logits():
    logits, last = np.array([[1e4, -1e4, 1e4, -1e4, 40.0]]), np.array([[True, True, False, False, True]])
    each = [layers.stop_loss(logits, last, np.eye(5)[k : k + 1]) for k in range(5)]
    for trace, right in zip(each, (0, 1e4, 1e4, 0, np.exp(-40)), strict=True):  # not 0 of the last, in spite of log 1
        assert_close(trace.loss, np.array(right), 1e-15)
    assert_close(each[1].backward().dlogits, np.array([[0, -1.0, 0, 0, 0]]))
    single = layers.stop_loss(logits.astype(np.float32), last)
    assert np.isfinite(single.loss) and np.isfinite(single.backward().dlogits).all()


def test_padding_changes_no_stop_loss_and_gets_no_gradient():
    logits, last = normal(T, B), last_frames(MASK)
    trace, other = (layers.stop_loss(each, last, MASK) for each in (logits, np.where(MASK, logits, 99)))
    dlogits = trace.backward().dlogits
    assert_same([other.loss, other.backward().dlogits], [trace.loss, dlogits])
    assert (dlogits[~MASK] == 0).all() and (dlogits[MASK] != 0).all()


def test_weights_of_the_stop_loss_are_numbers_or_a_mask():
    logits, last, numbers = normal(T, B), last_frames(MASK), normal(T, B, seed=1) * MASK
    each = np.log(1 + np.exp(np.where(last, -logits, logits))) * np.where(last, 5, 1)
    weighed = layers.stop_loss(logits, last, numbers, stop_weight=5)
    assert_close(weighed.loss, (numbers * each).sum())
    assert_close(layers.stop_loss(logits, last, MASK, stop_weight=5).loss, each[MASK].mean())
    assert_close(layers.stop_loss(logits, last, stop_weight=5).loss, each.mean())
    assert_close(weighed.nll, each * MASK)


@pytest.mark.parametrize("wrong", [0, -1, np.nan, "3"])
def test_a_stop_weight_is_above_nothing(wrong):
    with pytest.raises(ArgumentError, match="^stop_weight is .*: it must be"):
        layers.stop_loss(normal(T, B), MASK, stop_weight=wrong)


def test_the_last_frame_is_where_the_mask_ends():
    assert_same(last_frames(MASK).argmax(axis=0), np.array([5, 0, 2, 3]))
    assert_same(last_frames(MASK).sum(axis=0), np.ones(B, dtype=int))
    assert not last_frames(np.zeros((T, B), dtype=bool)).any()


# doubly stochastic attention


def test_a_look_at_each_place_costs_nothing():
    once = np.eye(S)[:, None].repeat(B, axis=1)
    trace = layers.doubly_stochastic_loss(once)
    assert trace.loss == 0 and not trace.backward().dalpha.any()
    never = layers.doubly_stochastic_loss(0 * once)
    assert never.loss == S and (never.backward().dalpha == -2 / B).all()


def test_steps_places_and_rows_of_padding_change_nothing():
    alpha = layers.softmax(np.where(SOURCE_MASK.T, normal(T, B, S), -1e30))
    right = layers.doubly_stochastic_loss(alpha, MASK, mask=SOURCE_MASK)
    more = np.full((T + 2, B + 1, S + 3), 0.3)
    more[:T, :B, :S] = np.where(MASK[:, :, None], alpha, 0.7)
    masks = np.pad(MASK, ((0, 2), (0, 1))), np.pad(SOURCE_MASK, ((0, 3), (0, 1)))
    other = layers.doubly_stochastic_loss(more, masks[0], mask=masks[1])
    assert_close(other.loss, right.loss)
    dalpha = other.backward().dalpha
    assert_close(dalpha[:T, :B, :S], right.backward().dalpha)
    assert not dalpha[T:].any() and not dalpha[:, B:].any() and not dalpha[:, :, S:].any()
    assert not dalpha[:T, :B][~MASK].any()


# stacked frames


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_stacked_frames_stand_side_by_side(n):
    x = normal(S, B, D)
    trace = layers.stack_frames(x, n, mask=SOURCE_MASK)
    assert trace.y.shape == (-(-S // n), B, n * D)
    for s in range(S):
        part = trace.y[s // n, :, s % n * D : (s % n + 1) * D]
        assert_same(part, x[s] * SOURCE_MASK[s][:, None])
        assert_same(trace.mask[s // n], SOURCE_MASK[s // n * n])
    assert not trace.y[-1, :, (S - 1) % n * D + D :].any()
    assert layers.stack_frames(x, n).mask is None


@pytest.mark.parametrize("n", [2, 3])
def test_frames_beyond_the_end_change_nothing_and_get_no_gradient(n):
    x = normal(S, B, D)
    trace = layers.stack_frames(x, n, mask=SOURCE_MASK)
    dy = normal(*trace.y.shape, seed=1)
    longer = np.concatenate([np.where(SOURCE_MASK[:, :, None], x, np.nan), np.full((4, B, D), np.inf)])
    again = layers.stack_frames(longer, n, mask=np.pad(SOURCE_MASK, ((0, 4), (0, 0))))
    places = len(trace.y)
    assert_same([again.y[:places], again.mask[:places]], [trace.y, trace.mask])
    assert not again.y[places:].any() and not again.mask[places:].any()
    dx = again.backward(np.concatenate([dy, np.ones_like(again.y[places:])])).dx
    assert_same(dx[:S], trace.backward(dy).dx)
    assert not dx[S:].any() and (dx[:S][~SOURCE_MASK] == 0).all() and (dx[:S][SOURCE_MASK] != 0).all()


def test_each_row_is_stacked_as_it_is_alone():
    x = normal(S, B, D)
    both = layers.stack_frames(x, 2, mask=SOURCE_MASK)
    for b, length in enumerate(SOURCE_MASK.sum(axis=0)):
        alone = layers.stack_frames(x[:length, b : b + 1], 2)
        assert_same(both.y[: len(alone.y), b], alone.y[:, 0])
        assert both.mask[:, b].sum() == len(alone.y)


@pytest.mark.parametrize("wrong", [0, -2, 1.5, "2", True])
def test_a_number_of_frames_is_a_whole_number(wrong):
    with pytest.raises(ArgumentError, match="^n is .*: it must be"):
        layers.stack_frames(normal(S, B, D), wrong)


# the prenet


def test_the_prenet_is_its_two_layers_and_its_masks():
    x, rng = normal(T, B, D), np.random.default_rng(0)
    p = layers.init_prenet(rng, D, 7, 6, float)
    m_1, m_2 = (layers.dropout_mask(rng, (T, B, n), 0.5, float) for n in (7, 6))
    inner = layers.dropout(layers.relu(layers.linear(x, layers.LinearParams(p.W_1, p.b_1)).y), m_1).y
    outer = layers.dropout(layers.relu(layers.linear(inner, layers.LinearParams(p.W_2, p.b_2)).y), m_2).y
    assert_same(layers.prenet(x, p, masks=(m_1, m_2)).y, outer)
    assert (outer == 0).mean() > 0.5 and (outer > 0).any()


def test_a_prenet_without_dropout_is_one_with_masks_of_ones():
    x, p = normal(T, B, D), layers.init_prenet(np.random.default_rng(0), D, 7, 6, float)
    each = (None, None), (np.ones((T, B, 7)), np.ones((1, 1, 6)))
    none, ones = (layers.prenet(x, p, masks=masks) for masks in each)
    dy = normal(T, B, 6, seed=2)
    assert_same([none.y, none.backward(dy)], [ones.y, ones.backward(dy)])


@pytest.mark.parametrize("wrong", [None, (None,), 0.5, np.ones((T, B, 7))])
def test_a_prenet_has_two_masks(wrong):
    x, p = normal(T, B, D), layers.init_prenet(np.random.default_rng(0), D, 7, 6, float)
    with pytest.raises(ArgumentError, match="^masks is .*: it must be a mask of each of the two layers$"):
        layers.prenet(x, p, masks=wrong)


# all pieces


def of_numbers(dtype):
    """All pieces, called on numbers of one precision."""
    cast = lambda *shape, seed=0: normal(*shape, seed=seed).astype(dtype)  # noqa: E731
    mask, source = asarray(MASK), asarray(SOURCE_MASK)
    frames, target = asarray(cast(T, B, D)), asarray(cast(T, B, D, seed=1).real)
    params = layers.PrenetParams(*(asarray(cast(*shape)) for shape in ((D, 7), (7,), (7, 6), (6,))))
    dropped = tuple(asarray(np.abs(normal(T, B, n)) > 0.5).astype(target.dtype) * 2 for n in (7, 6))
    traces = [
        layers.mean_squared_error(frames, target, mask),
        layers.mean_absolute_error(frames, target, mask),
        layers.stop_loss(asarray(cast(T, B)), last_frames(mask), mask, stop_weight=3.0),
        layers.doubly_stochastic_loss(asarray(cast(T, B, S)), mask, mask=source),
        layers.stack_frames(asarray(cast(S, B, D)), 2, mask=source),
        layers.prenet(frames, params, masks=dropped),
    ]
    return [(trace, trace.backward(getattr(trace, trace.outputs[0]) / 2)) for trace in traces]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_dtype_follows_the_inputs_and_backward_twice_agrees(dtype):
    for trace, grad in of_numbers(dtype):
        out = getattr(trace, trace.outputs[0])
        assert out.dtype == dtype
        assert {array.dtype for array in arrays_in(grad)} == {np.dtype(dtype)}
        before = [array.copy() for array in arrays_in(trace)]
        assert_same(trace.backward(out / 2), grad)
        assert_same(list(arrays_in(trace)), before)


def test_they_run_on_cupys_names_without_waiting_and_give_the_same():
    expected = of_numbers(np.float64)
    with strict_cupy.installed(), numseq.use("cupy"):
        strict_cupy.syncs = 0
        found = of_numbers(np.float64)
        assert strict_cupy.syncs == 0
        found = trees.to_host([(getattr(trace, trace.outputs[0]), grad) for trace, grad in found])
    assert_close(found, [(getattr(trace, trace.outputs[0]), grad) for trace, grad in expected])
