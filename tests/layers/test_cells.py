"""What every recurrent cell promises besides right gradients: masks, rows, dtypes, purity, zoneout, CuPy's names."""

from dataclasses import replace

import numpy as np
import pytest
import strict_cupy
from helpers import (
    CELLS,
    arrays_in,
    assert_close,
    assert_same,
    at_scale_one,
    lengths_to_mask,
    normal,
    output_gradients,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import numseq
from numseq import layers
from numseq import params as trees

T, B, D, H = 5, 3, 3, 4
EXACT = 1e-12
few = settings(max_examples=15, deadline=None, derandomize=True)
each_cell = pytest.mark.parametrize("name", CELLS)
both_ways = pytest.mark.parametrize("bidirectional", [False, True])


def arguments(name, T=T, B=B, bidirectional=False):
    """x, the first state and params."""
    cell, axes = CELLS[name], (2,) if bidirectional else ()
    first = cell.State(*(normal(*axes, B, H, seed=2 + k) for k in range(len(cell.State._fields))))
    rng = np.random.default_rng(0)
    params = layers.init_bidirectional(rng, D, H, float, cell) if bidirectional else cell.init(rng, D, H, float)
    return normal(T, B, D, seed=1), first, at_scale_one(params)


def call(name, args, mask=None, bidirectional=False, **options):
    function = layers.bidirectional if bidirectional else layers.sequence
    return function(*args, cell=CELLS[name], mask=mask, **options)


def zoneout_masks(name, *shape):
    rng = np.random.default_rng(0)
    return tuple((rng.random((*shape, H)) < 0.6).astype(float) for _ in CELLS[name].State._fields)


def rows(args, n, row):
    """The arguments for some rows, and the first n steps, alone."""
    x, state, params = args
    return x[:n, row], of_rows(state, row), params


def of_rows(state, row):
    return trees.map(lambda part: part[..., row, :], state)


@both_ways
@each_cell
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 2), st.integers(0, 2))
@few
def test_padding_changes_nothing_and_gets_no_gradient(name, bidirectional, real, steps, more):
    mask = lengths_to_mask(real)
    T, B = mask.shape
    wide = np.pad(mask, [(0, steps), (0, more)])
    args = arguments(name, T + steps, B + more, bidirectional)  # the rest of x is garbage
    trace = call(name, args, wide, bidirectional)
    upstream = output_gradients(trace)
    upstream["dh"] *= wide[..., None]
    small = call(name, rows(args, T, slice(B)), mask, bidirectional)
    grad = trace.backward(**upstream)
    small_grad = small.backward(upstream["dh"][:T, :B], of_rows(upstream["dfinal"], slice(B)))
    assert_close(trace.h[:T, :B][mask], small.h[mask], EXACT)
    ends = of_rows([trace.final, grad.dstate], slice(B))
    assert_close(ends, [small.final, small_grad.dstate], EXACT)
    assert_close(grad.dx[wide], small_grad.dx[mask], 10 * EXACT)
    assert_close(grad.params, small_grad.params, 10 * EXACT)
    assert (grad.dx[~wide] == 0).all()


@both_ways
@each_cell
def test_a_row_of_a_batch_is_the_batch_of_that_row(name, bidirectional):
    real = [5, 1, 3]
    args = arguments(name, bidirectional=bidirectional)
    trace = call(name, args, lengths_to_mask(real), bidirectional)
    for b, n in enumerate(real):
        row = slice(b, b + 1)
        one = call(name, rows(args, n, row), None, bidirectional)
        assert_close([trace.h[:n, row], of_rows(trace.final, row)], [one.h, one.final], EXACT)


@both_ways
@each_cell
def test_backward_twice_is_the_same_and_nothing_that_was_given_changes(name, bidirectional):
    args = arguments(name, bidirectional=bidirectional)
    shape = (T, 2, B) if bidirectional else (T, B)
    options = {"mask": lengths_to_mask([5, 1, 3]), "zoneout": zoneout_masks(name, *shape)}
    before = [array.copy() for array in arrays_in([args, options])]
    trace = call(name, args, bidirectional=bidirectional, **options)
    upstream = output_gradients(trace)
    held = [*arrays_in(trace), *arrays_in(upstream)]
    kept = [array.copy() for array in held]
    first, second = (trees.leaves(trace.backward(**upstream)) for _ in range(2))
    first = [array.copy() for array in first]
    assert_same(first, second)
    assert_same(list(arrays_in([args, options])), before)
    assert_same(held, kept)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@both_ways
@each_cell
def test_the_dtype_is_that_of_the_inputs(name, bidirectional, dtype):
    args = trees.cast(list(arguments(name, bidirectional=bidirectional)), dtype)
    trace = call(name, args, lengths_to_mask([5, 1, 3]), bidirectional)
    assert {array.dtype for array in (trace.h, *trace.final)} == {np.dtype(dtype)}
    assert_close(trace.h, call(name, arguments(name, bidirectional=bidirectional), lengths_to_mask([5, 1, 3]),
                               bidirectional).h, 1e-4 if dtype == np.float32 else EXACT)  # fmt: skip
    if dtype == np.float32:
        upstream = {name: trees.cast(d, dtype) for name, d in output_gradients(trace).items()}
        found = [*arrays_in(trace), *arrays_in(trace.backward(**upstream))]
        assert {array.dtype for array in found if array.dtype.kind in "fc"} == {np.dtype(dtype)}


@each_cell
def test_step_by_step_is_the_sequence(name):
    """As a decoder runs it: each step a sequence of one, from the states of the one before."""
    x, state, params = arguments(name)
    whole = call(name, (x, state, params))
    for t in range(T):
        state = call(name, (x[t : t + 1], state, params)).final
        assert_close(state.h, whole.h[t], EXACT)
    assert_close(state, whole.final, EXACT)


@each_cell
def test_a_reversed_sequence_is_the_turned_one(name):
    x, *rest = arguments(name)
    assert_close(call(name, (x, *rest), reverse=True).h, call(name, (x[::-1], *rest)).h[::-1], EXACT)


@each_cell
def test_both_directions_at_once_are_each_alone(name):
    args = arguments(name, bidirectional=True)
    mask, zoneout = lengths_to_mask([5, 1, 3]), zoneout_masks(name, T, 2, B)
    x, state, params = args
    drop = layers.dropout_mask(np.random.default_rng(0), (2, *params.ahead.W_h.shape), 0.4, float)
    both = call(name, args, mask, True, zoneout=zoneout, weight_mask=drop)
    for k, one in enumerate((params.ahead, params.back)):
        turn = slice(None, None, -1 if k else 1)
        alone = call(
            name,
            (x, trees.map(lambda part, k=k: part[k], state), one),
            mask,
            reverse=bool(k),
            zoneout=tuple(share[turn, k] for share in zoneout),
            weight_mask=drop[k],
        )
        assert_close(both.h[..., k * H : (k + 1) * H], alone.h, EXACT)
        assert_close([part[k] for part in both.final], list(alone.final), EXACT)


# zoneout and weight-drop


@both_ways
@each_cell
def test_zoneout_that_renews_all_is_none(name, bidirectional):
    args, mask = arguments(name, bidirectional=bidirectional), lengths_to_mask([5, 1, 3])
    ones = tuple(np.ones_like(share) for share in zoneout_masks(name, *((T, 2, B) if bidirectional else (T, B))))
    plain = call(name, args, mask, bidirectional)
    upstream = output_gradients(plain)
    for zoneout in (ones, (1.0,) * len(ones)):
        zoned = call(name, args, mask, bidirectional, zoneout=zoneout)
        assert_same([zoned.h, zoned.final], [plain.h, plain.final])
        assert_close(zoned.backward(**upstream), plain.backward(**upstream), EXACT)


@each_cell
def test_zoneout_that_renews_nothing_keeps_the_first_state(name):
    args = arguments(name)
    zoned = call(name, args, zoneout=tuple(0 * share for share in zoneout_masks(name, T, B)))
    assert_same(zoned.final, args[1])
    upstream = output_gradients(zoned)["dfinal"]
    grad = zoned.backward(None, upstream)
    assert (grad.dx == 0).all() and not any(leaf.any() for leaf in trees.leaves(grad.params))
    assert_same(grad.dstate, upstream)


@each_cell
def test_zoneout_in_evaluation_is_the_expectation_over_masks(name):
    """Of one step, since the next is not linear in its state: the mean over all masks, each as likely as it is."""
    args, parts, share = rows(arguments(name), 1, slice(1)), len(CELLS[name].State._fields), 0.7
    mean = np.zeros((1, 1, H))
    for bits in range(2**H):
        mask = np.array([bits >> k & 1 for k in range(H)], float)
        likely = np.prod(np.where(mask, share, 1 - share))
        mean += likely * call(name, args, zoneout=(mask[None, None],) * parts).h
    assert_close(call(name, args, zoneout=(share,) * parts).h, mean, EXACT)


@both_ways
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_expectation_of_zoneout_is_a_number_of_any_kind(bidirectional, dtype):
    args = [trees.cast(arg, dtype) for arg in arguments("lstm", bidirectional=bidirectional)]
    expected = call("lstm", args, bidirectional=bidirectional, zoneout=(0.75, 1.0))
    upstream = {name: trees.cast(d, dtype) for name, d in output_gradients(expected).items()}
    for kind in (np.float32, np.float64, np.array, lambda k: np.array(k, np.float32)):
        trace = call("lstm", args, bidirectional=bidirectional, zoneout=(kind(0.75), 1))
        grad = trace.backward(**upstream)
        assert_same([trace.h, grad], [expected.h, expected.backward(**upstream)])
        assert {leaf.dtype for leaf in trees.leaves([trace.h, grad])} == {np.dtype(dtype)}


@each_cell
def test_weight_drop_is_a_call_with_fewer_weights(name):
    x, state, params = arguments(name)
    mask = layers.dropout_mask(np.random.default_rng(0), params.W_h.shape, 0.4, float)
    dropped = call(name, (x, state, params), weight_mask=mask)
    other = call(name, (x, state, replace(params, W_h=params.W_h * mask)))
    upstream = output_gradients(other)
    assert_same(dropped.h, other.h)
    expected = other.backward(**upstream)
    expected.params.W_h = expected.params.W_h * mask
    assert_same(dropped.backward(**upstream), expected)


# the rest


@each_cell
def test_a_cells_own_forward_is_a_step_of_the_sequence(name):
    """What a decoder calls, and what a notebook steps through."""
    cell, (x, state, params) = CELLS[name], arguments(name)
    trace = call(name, (x, state, params))
    inputs, _ = cell.project_inputs(x, params)
    for t in range(T):
        s = cell.forward(inputs[t], state, params)
        assert type(s) is type(trace.steps[t])
        assert_same(s, trace.steps[t])
        state = cell.State(*(getattr(s, part) for part in cell.State._fields))
    assert_same(state, trace.final)


@both_ways
@each_cell
def test_no_first_state_is_one_of_zeros(name, bidirectional):
    x, state, params = arguments(name, bidirectional=bidirectional)
    firsts = (None, trees.zeros_like(state))
    none, zeros = (call(name, (x, first, params), bidirectional=bidirectional) for first in firsts)
    assert_same([none.h, none.final], [zeros.h, zeros.final])
    upstream = output_gradients(none)
    assert_same(none.backward(**upstream), zeros.backward(**upstream))


@each_cell
def test_no_gradient_of_a_part_of_the_final_state_is_one_of_zeros(name):
    trace = call(name, arguments(name))
    dh, dfinal = normal(T, B, H, seed=4), output_gradients(trace)["dfinal"]
    some = [None, *dfinal[1:]]
    expected = trace.backward(dh, dfinal._replace(h=np.zeros((B, H))))
    assert_same(trace.backward(dh, some), expected)
    assert_same(trace.backward(None, dfinal), trace.backward(0 * dh, dfinal))


def test_a_state_of_one_part_may_be_the_array_itself():
    x, state, params = arguments("gru")
    trace, expected = call("gru", (x, state.h, params)), call("gru", (x, state, params))
    assert_same([trace.h, trace.final], [expected.h, expected.final])
    dfinal = normal(B, H, seed=4)
    assert_same(trace.backward(None, dfinal), expected.backward(None, (dfinal,)))


@pytest.mark.parametrize("name, given, wanted", [("lstm", 1, "h, c"), ("lstm", 3, "h, c"), ("gru", 2, "h")])
def test_a_state_of_other_parts_is_refused_in_one_line(name, given, wanted):
    x, state, params = arguments(name)
    with pytest.raises(TypeError, match=rf"is \({wanted}\), .* not {given}$"):
        call(name, (x, [state.h] * given, params))
    with pytest.raises(TypeError, match=rf"is \({wanted}\), .* not {given}$"):
        call(name, (x, state, params)).backward(None, [state.h] * given)


def test_a_mask_or_a_gradient_of_another_shape_is_refused_in_one_line():
    x, params = np.ones((4, 3, 2)), layers.init_lstm(np.random.default_rng(0), 2, 5, float)
    for shape in ((3, 4), (5, 3), (4, 1)):
        with pytest.raises(ValueError, match=r"^mask has the shape .*: it must be \(4, 3\), that is \(T, B\)$"):
            layers.lstm(x, None, params, mask=np.ones(shape, dtype=bool))
    for shape in ((5, 3, 5), (4, 3, 1), (3, 5)):
        with pytest.raises(ValueError, match=r"^dh has the shape .*: it must be \(4, 3, 5\), as h$"):
            layers.lstm(x, None, params).backward(np.ones(shape))


@both_ways
@pytest.mark.parametrize("shape", [(H,), (1, H), (B + 1, H), (B, H + 1), (B, B, H)])
def test_a_first_state_of_another_shape_is_refused_in_one_line(bidirectional, shape):
    x, state, params = arguments("lstm", bidirectional=bidirectional)
    with pytest.raises(ValueError, match=r"^c of the first state has the shape .*: it must be \(.*\)$"):
        call("lstm", (x, state._replace(c=np.zeros(shape)), params), bidirectional=bidirectional)


def test_layer_normalisation_gives_mean_0_and_variance_1():
    x = 3 + 5 * normal(4, 3, 7)
    y = layers.layer_norm(x, layers.init_layer_norm(np.random.default_rng(0), 7, float)).y
    assert np.abs(y.mean(axis=-1)).max() < EXACT and np.abs(y.var(axis=-1) - 1).max() < 1e-5
    same = layers.layer_norm(np.ones((2, 7)), layers.LayerNormParams(normal(7), normal(7, seed=1)))
    assert_same(same.y, np.broadcast_to(normal(7, seed=1), (2, 7)))


@each_cell
def test_first_values_are_seeded_and_take_the_dtype(name):
    made = [CELLS[name].init(np.random.default_rng(7), D, H, np.float32) for _ in range(2)]
    assert_same(*made)
    assert all(leaf.dtype == np.float32 for leaf in trees.leaves(made[0]))
    for block in np.split(made[0].W_h.astype(float), made[0].W_h.shape[1] // H, axis=1):
        assert np.abs(block @ block.T - np.eye(H)).max() < 1e-6
    if "c" in CELLS[name].State._fields:
        assert made[0].b.tolist() == [0] * H + [1] * H + [0] * (2 * H)
    for gain in ("g_x", "g_h", "g_c"):
        assert (getattr(made[0], gain, np.ones(1)) == 1).all()
    for p in ("p_i", "p_f", "p_o"):
        assert np.abs(getattr(made[0], p, np.zeros(1))).max() <= 0.1


@both_ways
@each_cell
def test_every_cell_uses_only_what_cupy_has(name, bidirectional):
    args = arguments(name, bidirectional=bidirectional)
    options = {
        "mask": lengths_to_mask([5, 1, 3]),
        "zoneout": zoneout_masks(name, *((T, 2, B) if bidirectional else (T, B))),
    }
    expected = call(name, args, bidirectional=bidirectional, **options)
    upstream = output_gradients(expected)
    with strict_cupy.installed() as cp, numseq.use("cupy"):
        there = trees.to_backend(list(args))
        options["mask"], options["zoneout"] = cp.asarray(options["mask"]), trees.to_backend(options["zoneout"])
        trace = call(name, there, bidirectional=bidirectional, **options)
        grad = trace.backward(**{key: trees.to_backend(d) for key, d in upstream.items()})
        found = trees.to_host([trace.h, trace.final, grad])
    assert_close(found, [expected.h, expected.final, expected.backward(**upstream)], EXACT)


def test_layer_normalisation_uses_only_what_cupy_has():
    x, dy, params = normal(4, 3, 7), normal(4, 3, 7, seed=1), layers.LayerNormParams(normal(7), normal(7, seed=1))
    expected = layers.layer_norm(x, params)
    with strict_cupy.installed() as cp, numseq.use("cupy"):
        trace = layers.layer_norm(cp.asarray(x), trees.to_backend(params))
        found = trees.to_host([trace.y, trace.backward(cp.asarray(dy))])
    assert_close(found, [expected.y, expected.backward(dy)], EXACT)
