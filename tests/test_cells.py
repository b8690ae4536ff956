"""What every recurrent cell promises besides right gradients: masks, rows, dtypes, purity, zoneout, CuPy's names."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import strict_cupy
from helpers import arrays_in, assert_close, assert_same, at_scale_one, lengths_to_mask, normal, output_gradients
from hypothesis import given, settings
from hypothesis import strategies as st

import numseq
from numseq import layers
from numseq import params as trees
from numseq.gradcheck import check
from numseq.gradcheck.cases.cells import CELLS as TABLE
from numseq.layers.activations import sigmoid_backward

CELLS = {name: cell for name, (cell, *_) in TABLE.items()}
T, B, D, H = 5, 3, 3, 4
EXACT = 1e-12
few = settings(max_examples=15, deadline=None, derandomize=True)
each_cell = pytest.mark.parametrize("name", CELLS)
both_ways = pytest.mark.parametrize("bidirectional", [False, True])


def arguments(name, T=T, B=B, bidirectional=False):
    """x, h0, c0 and params."""
    cell, axes = CELLS[name], (2,) if bidirectional else ()
    first = [normal(*axes, B, H, seed=2 + k) for k in range(len(cell.states))]
    rng = np.random.default_rng(0)
    params = layers.init_bidirectional(rng, D, H, float, cell) if bidirectional else cell.init(rng, D, H, float)
    return normal(T, B, D, seed=1), *first, *[None] * (2 - len(first)), at_scale_one(params)


def call(name, args, mask=None, bidirectional=False, **options):
    x, h0, c0, params = args
    if bidirectional:
        return layers.bidirectional(x, h0, c0, params, mask, CELLS[name], **options)
    return layers.sequence(x, h0, c0, params, CELLS[name], mask, **options)


def zoneout_masks(name, *shape):
    rng = np.random.default_rng(0)
    return tuple((rng.random((*shape, H)) < 0.6).astype(float) for _ in CELLS[name].states)


def rows(args, *index):
    """The arguments for some rows (and steps) alone."""
    x, h0, c0, params = args
    n, row = index
    return x[:n, row], h0[..., row, :], None if c0 is None else c0[..., row, :], params


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
    of_rows = {key: d[:T, :B] if key == "dh" else d[..., :B, :] for key, d in upstream.items()}
    grad, small_grad = trace.backward(**upstream), small.backward(**of_rows)
    ends = [None if end is None else end[..., :B, :] for end in (trace.h_T, trace.c_T, grad.dh0, grad.dc0)]
    assert_close(trace.h[:T, :B][mask], small.h[mask], EXACT)
    assert_close(ends, [small.h_T, small.c_T, small_grad.dh0, small_grad.dc0], EXACT)
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
        assert_close([trace.h[:n, row], trace.h_T[..., row, :]], [one.h, one.h_T], EXACT)


@both_ways
@each_cell
def test_backward_twice_is_the_same_and_nothing_that_was_given_changes(name, bidirectional):
    args = arguments(name, bidirectional=bidirectional)
    shape = (T, 2, B) if bidirectional else (T, B)
    options = {"mask": lengths_to_mask([5, 1, 3]), "zoneout": zoneout_masks(name, *shape)}
    before = [array.copy() for array in arrays_in([args, options])]
    trace = call(name, args, bidirectional=bidirectional, **options)
    upstream = output_gradients(trace)
    kept = [array.copy() for array in (*arrays_in(trace), *upstream.values())]
    first, second = (trees.leaves(trace.backward(**upstream)) for _ in range(2))
    first = [array.copy() for array in first]
    assert_same(first, second)
    assert_same(list(arrays_in([args, options])), before)
    assert_same([*arrays_in(trace), *upstream.values()], kept)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@both_ways
@each_cell
def test_the_dtype_is_that_of_the_inputs(name, bidirectional, dtype):
    args = trees.cast(list(arguments(name, bidirectional=bidirectional)), dtype)
    trace = call(name, args, lengths_to_mask([5, 1, 3]), bidirectional)
    assert trace.h.dtype == trace.h_T.dtype == dtype
    assert_close(trace.h, call(name, arguments(name, bidirectional=bidirectional), lengths_to_mask([5, 1, 3]),
                               bidirectional).h, 1e-4 if dtype == np.float32 else EXACT)  # fmt: skip
    if dtype == np.float32:
        upstream = {key: d.astype(dtype) for key, d in output_gradients(trace).items()}
        found = [*arrays_in(trace), *arrays_in(trace.backward(**upstream))]
        assert {array.dtype for array in found if array.dtype.kind in "fc"} == {np.dtype(dtype)}


@each_cell
def test_step_by_step_is_the_sequence(name):
    """As a decoder runs it: each step a sequence of one, from the states of the one before."""
    x, h, c, params = arguments(name)
    whole = call(name, (x, h, c, params))
    for t in range(T):
        one = call(name, (x[t : t + 1], h, c, params))
        h, c = one.h_T, one.c_T
        assert_close(h, whole.h[t], EXACT)
    assert_close([h, c], [whole.h_T, whole.c_T], EXACT)


@each_cell
def test_a_reversed_sequence_is_the_turned_one(name):
    x, *rest = arguments(name)
    assert_close(call(name, (x, *rest), reverse=True).h, call(name, (x[::-1], *rest)).h[::-1], EXACT)


@each_cell
def test_both_directions_at_once_are_each_alone(name):
    args = arguments(name, bidirectional=True)
    mask, zoneout = lengths_to_mask([5, 1, 3]), zoneout_masks(name, T, 2, B)
    drop = layers.dropout_mask(np.random.default_rng(0), (2, *args[3].ahead.W_h.shape), 0.4, float)
    both = call(name, args, mask, True, zoneout=zoneout, weight_mask=drop)
    x, h0, c0, params = args
    for k, one in enumerate((params.ahead, params.back)):
        turn = slice(None, None, -1 if k else 1)
        alone = call(
            name,
            (x, h0[k], None if c0 is None else c0[k], one),
            mask,
            reverse=bool(k),
            zoneout=tuple(share[turn, k] for share in zoneout),
            weight_mask=drop[k],
        )
        assert_close(both.h[..., k * H : (k + 1) * H], alone.h, EXACT)
        assert_close(both.h_T[k], alone.h_T, EXACT)


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
        assert_same([zoned.h, zoned.h_T, zoned.c_T], [plain.h, plain.h_T, plain.c_T])
        assert_close(zoned.backward(**upstream), plain.backward(**upstream), EXACT)


@each_cell
def test_zoneout_that_renews_nothing_keeps_the_first_state(name):
    args = arguments(name)
    zoned = call(name, args, zoneout=tuple(0 * share for share in zoneout_masks(name, T, B)))
    assert_same([zoned.h_T, zoned.c_T], [args[1], args[2]])
    grad = zoned.backward(None, normal(B, H))
    assert (grad.dx == 0).all() and not any(leaf.any() for leaf in trees.leaves(grad.params))
    assert_same(grad.dh0, normal(B, H))


@each_cell
def test_zoneout_in_evaluation_is_the_expectation_over_masks(name):
    """Of one step, since the next is not linear in its state: the mean over all masks, each as likely as it is."""
    x, h0, c0, params = (a[..., :1, :] if k in (1, 2) and a is not None else a for k, a in enumerate(arguments(name)))
    args, states, share = (x[:1, :1], h0, c0, params), len(CELLS[name].states), 0.7
    mean = np.zeros((1, 1, H))
    for bits in range(2**H):
        mask = np.array([bits >> k & 1 for k in range(H)], float)
        likely = np.prod(np.where(mask, share, 1 - share))
        mean += likely * call(name, args, zoneout=(mask[None, None],) * states).h
    assert_close(call(name, args, zoneout=(share,) * states).h, mean, EXACT)


@both_ways
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_expectation_of_zoneout_is_a_number_of_any_kind(bidirectional, dtype):
    args = [trees.cast(arg, dtype) for arg in arguments("lstm", bidirectional=bidirectional)]
    expected = call("lstm", args, bidirectional=bidirectional, zoneout=(0.75, 1.0))
    upstream = {name: r.astype(dtype) for name, r in output_gradients(expected).items()}
    for kind in (np.float32, np.float64, np.array, lambda k: np.array(k, np.float32)):
        trace = call("lstm", args, bidirectional=bidirectional, zoneout=(kind(0.75), 1))
        grad = trace.backward(**upstream)
        assert_same([trace.h, grad], [expected.h, expected.backward(**upstream)])
        assert {leaf.dtype for leaf in trees.leaves([trace.h, grad])} == {np.dtype(dtype)}


@each_cell
def test_weight_drop_is_a_call_with_fewer_weights(name):
    x, h0, c0, params = arguments(name)
    mask = layers.dropout_mask(np.random.default_rng(0), params.W_h.shape, 0.4, float)
    dropped = call(name, (x, h0, c0, params), weight_mask=mask)
    other = call(name, (x, h0, c0, replace(params, W_h=params.W_h * mask)))
    upstream = output_gradients(other)
    assert_same(dropped.h, other.h)
    expected = other.backward(**upstream)
    expected.params.W_h = expected.params.W_h * mask
    assert_same(dropped.backward(**upstream), expected)


# equations of one's own


@dataclass(slots=True)
class LeakyStep(layers.GRUStep):
    """A GRU whose reset gate is a half for good."""

    def backward(self, dh, da=None):
        grad = layers.GRUStep.backward(self, dh, da)
        grad.da[..., : dh.shape[-1]] = 0
        return grad


def half_reset(a, u, h_prev, s=None):
    a[..., : h_prev.shape[-1]] = 0
    return layers.gru_step(a, u, h_prev, s)


def test_a_step_of_ones_own_is_taken_by_the_sequence_and_the_checker():
    x, h0, _, params = arguments("gru")
    inputs, mask = {"x": x, "h0": h0, "params": params}, lengths_to_mask([5, 1, 3])
    mine = lambda **kw: layers.gru(**kw, mask=mask, cell=layers.GRU(step=half_reset, record=LeakyStep))  # noqa: E731
    trace = mine(**inputs)
    assert isinstance(trace.steps[2], LeakyStep) and (trace.r == 0.5).all()
    assert check(mine, inputs).ok
    result = check(lambda **kw: layers.gru(**kw, mask=mask, cell=layers.GRU(step=half_reset)), inputs)
    assert not result.ok and result.first_wrong == ("dh", 3)  # which read the reset gate that is no more


def shut(a, c_prev, peepholes, s=None):
    """A step of a peephole LSTM whose output gate is fully open."""
    s = layers.peephole_step(a, c_prev, peepholes, s)
    s.o = 0 * s.o + 1
    s.h = np.multiply(s.o, s.tanh_c, out=s.h)
    return s


def test_a_changed_equation_with_the_old_backward_is_found():
    x, h0, c0, params = arguments("peephole")
    inputs = {"x": x, "h0": h0, "c0": c0, "params": params}
    assert check(layers.peephole_lstm, inputs).ok
    assert not check(lambda **kw: layers.peephole_lstm(**kw, cell=layers.PeepholeLSTM(step=shut)), inputs).ok
    assert sigmoid_backward(1.0, np.ones(1)) == 0


# the rest


@each_cell
def test_a_step_without_storage_is_the_step_with_it(name):
    cell, trace = CELLS[name], call(name, arguments(name))
    record = type(trace.steps)()
    state = tuple(prev[0] for prev in trace.run.prev)
    a, _ = cell.before(arguments(name)[0], arguments(name)[-1])
    cell.forward(a[0], state, arguments(name)[-1], record)
    found = [record.h, getattr(record, "c", None)]
    assert_close(found, [trace.h[0], trace.c_T if trace.c_T is None else trace.steps.c[0]], EXACT)


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
    if "c" in CELLS[name].states:
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
        grad = trace.backward(**{key: cp.asarray(d) for key, d in upstream.items()})
        found = trees.to_host([trace.h, trace.h_T, trace.c_T, grad])
    assert_close(found, [expected.h, expected.h_T, expected.c_T, expected.backward(**upstream)], EXACT)


def test_layer_normalisation_uses_only_what_cupy_has():
    x, dy, params = normal(4, 3, 7), normal(4, 3, 7, seed=1), layers.LayerNormParams(normal(7), normal(7, seed=1))
    expected = layers.layer_norm(x, params)
    with strict_cupy.installed() as cp, numseq.use("cupy"):
        trace = layers.layer_norm(cp.asarray(x), trees.to_backend(params))
        found = trees.to_host([trace.y, trace.backward(cp.asarray(dy))])
    assert_close(found, [expected.y, expected.backward(dy)], EXACT)
