"""What every layer promises besides right gradients: masks, dtypes, purity, stability."""

import sys
import tracemalloc
from functools import partial

import numpy as np
import pytest
from helpers import (
    SOURCES,
    TARGETS,
    arrays_in,
    assert_close,
    assert_same,
    at_scale_one,
    batch,
    create,
    lengths_to_mask,
    normal,
    output_gradients,
    padded,
    with_other_contents,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from numseq import layers
from numseq import params as trees
from numseq.layers import activations
from numseq.layers.cells.lstm import blocks, gates, gates_backward
from numseq.mistakes import cases
from numseq.models import forward

D, H = 3, 5
EXACT = 1e-12  # a product of other shape may add in another order
few = settings(max_examples=25, deadline=None, derandomize=True)
lengths = st.lists(st.integers(1, 4), min_size=1, max_size=4)
more = st.integers(0, 3)


def _parameters(init, *sizes, dtype=np.float64):
    return at_scale_one(init(np.random.default_rng(0), *sizes, dtype))


RECURRENT = {  # function(x, state, params, mask=...), parameters, axes of a state before (B, H)
    "lstm": (layers.lstm, _parameters(layers.init_lstm, D, H), ()),
    "lstm, reversed": (partial(layers.lstm, reverse=True), _parameters(layers.init_lstm, D, H), ()),
    "bidirectional": (layers.bidirectional, _parameters(layers.init_bidirectional, D, H), (2,)),
    "stack": (layers.stack, [_parameters(layers.init_lstm, size, H) for size in (D, H, H)], ()),
    "stack of bidirectional": (
        layers.stack,
        [_parameters(layers.init_bidirectional, size, H) for size in (D, 2 * H)],
        (2,),
    ),
}
each_recurrent = pytest.mark.parametrize("name", RECURRENT)


def states(name, B, seed):
    """A first state of a recurrent layer, or a gradient of the final one."""
    _, params, axes = RECURRENT[name]
    one = lambda k: layers.CellState(*normal(2, *axes, B, H, seed=seed + k))  # noqa: E731
    return [one(k) for k in range(len(params))] if isinstance(params, list) else one(0)


def arguments(name, T, B):
    """x, state, params for a recurrent layer."""
    return normal(T, B, D, seed=1), states(name, B, seed=20), RECURRENT[name][1]


def run(name, args, mask, dh, dfinal=None):
    trace = RECURRENT[name][0](*args, mask=mask)
    return trace, trace.backward(dh, dfinal)


def of_rows(state, rows):
    return trees.map(lambda part: part[..., rows, :], state)


# padding


@each_recurrent
@given(lengths, more, more)
@few
def test_padding_changes_nothing_in_recurrent_layers(name, real, steps, rows):
    mask = lengths_to_mask(real)
    T, B = mask.shape
    wide = np.pad(mask, [(0, steps), (0, rows)])
    x, state, params = arguments(name, T + steps, B + rows)  # the rest of x is garbage
    trace = RECURRENT[name][0](x, state, params, mask=wide)
    dh, dfinal = normal(*trace.h.shape, seed=4) * wide[..., None], states(name, B + rows, seed=30)

    trace, grad = run(name, (x, state, params), wide, dh, dfinal)
    first = slice(B)
    small = (x[:T, :B], of_rows(state, first), params)
    small_trace, small_grad = run(name, small, mask, dh[:T, :B], of_rows(dfinal, first))

    assert_close(trace.h[:T, :B][mask], small_trace.h[mask], EXACT)
    assert_close(of_rows(trace.final, first), small_trace.final, EXACT)
    assert_close(of_rows(grad.dstate, first), small_grad.dstate, EXACT)
    assert_close(grad.dx[wide], small_grad.dx[mask], EXACT)
    assert_close(grad.params, small_grad.params, EXACT)
    assert (grad.dx[~wide] == 0).all()


@each_recurrent
def test_a_row_that_is_all_padding_hands_its_state_and_its_gradient_through(name):
    args = arguments(name, 4, 3)
    mask = lengths_to_mask([4, 2, 0])
    dfinal = states(name, 3, seed=30)
    trace, grad = run(name, args, mask, None, dfinal)
    assert_same(of_rows(trace.final, 2), of_rows(args[1], 2))
    assert_same(of_rows(grad.dstate, 2), of_rows(dfinal, 2))


@given(lengths)
@few
def test_a_finished_row_keeps_its_state(real):
    mask = lengths_to_mask(real)
    args = arguments("lstm", *mask.shape)
    ahead = layers.lstm(*args, mask=mask)
    back = layers.lstm(*args, mask=mask, reverse=True)
    for b, n in enumerate(real):
        for part, states in enumerate(ahead.run.after):
            assert (states[n:, b] == states[n - 1, b]).all() and (ahead.final[part][b] == states[n - 1, b]).all()
        for part, states in enumerate(back.run.after):
            assert (states[n:, b] == args[1][part][b]).all() and (back.final[part][b] == states[0, b]).all()
    assert_same([ahead.h, back.h], [ahead.run.after.h, back.run.after.h])


@given(lengths, more, more)
@few
def test_padding_changes_nothing_in_attention(real, steps, rows):
    mask, T, Q, C, A = lengths_to_mask(real), 3, 5, 4, 6
    S, B = mask.shape
    wide = np.pad(mask, [(0, steps), (0, rows)])
    params = _parameters(layers.init_attention, Q, C, A)
    query, keys = normal(T, B + rows, Q, seed=1), normal(S + steps, B + rows, C, seed=2)
    values = normal(S + steps, B + rows, C, seed=5)
    dcontext, dalpha = normal(T, B + rows, C, seed=3), normal(T, B + rows, S + steps, seed=4)
    dcontext[:, B:] = dalpha[:, B:] = 0

    trace = layers.additive_attention(query, keys, values, params, mask=wide)
    grad = trace.backward(dcontext, dalpha)
    small = layers.additive_attention(query[:, :B], keys[:S, :B], values[:S, :B], params, mask=mask)
    small_grad = small.backward(dcontext[:, :B], dalpha[:, :B, :S])

    assert_close([trace.context[:, :B], trace.alpha[:, :B, :S]], [small.context, small.alpha], EXACT)
    assert (trace.alpha[:, :B, S:] == 0).all() and (trace.alpha[:, :B].transpose(0, 2, 1)[:, ~wide[:, :B]] == 0).all()
    for name in ("dkeys", "dvalues"):
        assert_close(getattr(grad, name)[wide], getattr(small_grad, name)[mask], EXACT)
        assert (getattr(grad, name)[~wide] == 0).all()
    assert_close(grad.dquery[:, :B], small_grad.dquery, EXACT)
    assert_close(grad.params, small_grad.params, EXACT)


@given(lengths, more, more)
@few
def test_padding_changes_nothing_in_the_loss(real, steps, rows):
    mask, V = lengths_to_mask(real), 7
    T, B = mask.shape
    wide = np.pad(mask, [(0, steps), (0, rows)])
    logits = normal(T + steps, B + rows, V)
    targets = np.random.default_rng(1).integers(0, V, size=wide.shape)
    trace = layers.cross_entropy(logits, targets, wide)
    small = layers.cross_entropy(logits[:T, :B], targets[:T, :B], mask)
    assert_close(trace.loss, small.loss, EXACT)
    assert (trace.nll[~wide] == 0).all()
    dlogits = trace.backward().dlogits
    assert_close(dlogits[wide], small.backward().dlogits[mask], EXACT)
    assert (dlogits[~wide] == 0).all()


@pytest.mark.parametrize("kind, depth", [("plain", 1), ("plain", 2), ("attention", 1), ("attention", 2)])
@given(more, more, st.integers(0, 99))
@few
def test_padding_changes_nothing_in_models(kind, depth, steps, rows, seed):
    model, small = create(kind, depth), batch()
    wide = padded(small, steps, rows, seed)
    trace, expected = model.forward(wide), model.forward(small)
    assert_close(trace.loss, expected.loss, EXACT)
    real = small.target_mask
    logp = trace.logp[: len(real), : real.shape[1]]
    assert_close(logp[real], expected.logp[real], EXACT)
    # sums over more rows, of numbers that almost cancel, in another order: a few last bits more
    assert_close(trace.backward().params, expected.backward().params, 10 * EXACT)


def test_garbage_behind_the_mask_gets_no_embedding_gradient():
    model, wide = create("attention"), padded(batch(), seed=3)
    grad = model.forward(wide).backward().params
    sides = ((grad.source, wide.source, wide.source_mask), (grad.target, wide.target_in, wide.target_mask))
    for embedding, ids, mask in sides:
        only_garbage = np.setdiff1d(ids, ids[mask])
        assert len(only_garbage) and (embedding.W[only_garbage] == 0).all()


# a batch is its rows


@each_recurrent
def test_a_row_of_a_recurrent_batch_is_the_batch_of_that_row(name):
    real = [4, 1, 3]
    mask, args = lengths_to_mask(real), arguments(name, 4, 3)
    dh = normal(*RECURRENT[name][0](*args, mask=mask).h.shape, seed=4) * mask[..., None]
    trace, grad = run(name, args, mask, dh)
    x, state, params = args
    for b, n in enumerate(real):
        row = slice(b, b + 1)
        one, one_grad = run(name, (x[:n, row], of_rows(state, row), params), None, dh[:n, row])
        assert_close([trace.h[:n, row], of_rows(trace.final, row)], [one.h, one.final], EXACT)
        assert_close([grad.dx[:n, row], of_rows(grad.dstate, row)], [one_grad.dx, one_grad.dstate], EXACT)


def test_a_row_of_an_attention_batch_is_the_batch_of_that_row():
    real, params = [4, 1, 3], _parameters(layers.init_attention, 5, 3, 6)
    query, keys, values = normal(2, 3, 5), normal(4, 3, 3, seed=1), normal(4, 3, 6, seed=2)
    trace = layers.additive_attention(query, keys, values, params, mask=lengths_to_mask(real))
    for b, n in enumerate(real):
        row = slice(b, b + 1)
        one = layers.additive_attention(query[:, row], keys[:n, row], values[:n, row], params)
        assert_close([trace.context[:, b], trace.alpha[:, b, :n]], [one.context[:, 0], one.alpha[:, 0]], EXACT)


@pytest.mark.parametrize("kind, depth", [("plain", 2), ("attention", 2)])
def test_a_row_of_a_model_batch_is_the_batch_of_that_row(kind, depth):
    model = create(kind, depth)
    trace = model.forward(batch())
    for b, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        one = model.forward(batch([source], [target]))
        n = len(target) + 1
        assert_close(trace.logp[:n, b], one.logp[:, 0], EXACT)
        assert_close(trace.objective.head.cross_entropy.nll[:, b].sum() / n, one.loss, EXACT)


# pure functions


@pytest.mark.parametrize("name", cases())
def test_backward_twice_is_the_same_and_nothing_that_was_given_changes(name):
    case = cases()[name]
    given = list(arrays_in([case.inputs, [cell.cell_contents for cell in case.function.__closure__ or ()]]))
    before = [array.copy() for array in given]
    trace = case.function(**case.inputs)
    outputs = output_gradients(trace)
    held = [*arrays_in(trace), *arrays_in(outputs)]
    kept = [array.copy() for array in held]
    grads = [[array.copy() for array in arrays_in(trace.backward(**outputs))] for _ in range(2)]
    assert grads[0]
    assert_same(grads[0], grads[1])
    assert_same(given, before)
    assert_same(held, kept)


def test_one_set_of_weights_serves_many_calls_before_any_backward():
    args = arguments("lstm", 4, 3)
    alone = layers.lstm(*args).backward(normal(4, 3, H))
    first = layers.lstm(*args)
    layers.lstm(2 * args[0], *args[1:])
    assert_same(first.backward(normal(4, 3, H)), alone)


# dtypes


def _in_precision(thing, dtype):
    """The arrays in it, however deep, in a real dtype; whatever else it holds as it is."""
    if isinstance(thing, dict):
        return {name: _in_precision(part, dtype) for name, part in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(_in_precision(part, dtype) for part in thing)
    arrays = isinstance(thing, np.ndarray) or type(thing).__name__.endswith("Params")
    return trees.cast(thing, dtype) if arrays else thing


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("name", [name for name in cases() if "seq2seq" not in name])
def test_layers_compute_in_the_dtype_of_their_inputs(name, dtype):
    case = cases()[name]
    real = np.zeros(0, dtype).real.dtype  # what a case holds, masks above all, are real numbers
    function = with_other_contents(case.function, lambda thing: _in_precision(thing, real))
    trace = function(**{argument: trees.cast(tree, dtype) for argument, tree in case.inputs.items()})
    for output in trace.outputs:
        assert {leaf.dtype for leaf in trees.leaves(getattr(trace, output))} <= {np.dtype(dtype)}
    if dtype == np.complex128:
        return  # for the complex step, which looks at outputs alone
    found = [*arrays_in(trace)]
    given = {name: trees.map(lambda d: np.asarray(d, dtype), tree) for name, tree in output_gradients(trace).items()}
    found += arrays_in(trace.backward(**given))
    assert {array.dtype for array in found if array.dtype.kind in "fc"} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_models_compute_in_the_dtype_of_their_parameters(kind, dtype):
    model, given = create(kind, 2, dtype, dropout=0.3), batch()
    trace = model.forward(given, model.draw_noise(given, 0))
    found = [*arrays_in(trace), *arrays_in(trace.backward())]
    assert {array.dtype for array in found if array.dtype.kind in "fc"} == {np.dtype(dtype)}
    memory, state = model.start(given.source, given.source_mask)
    logp, state, alpha = model.step(given.target_in[0], state, memory)
    found = [*arrays_in([logp, state, alpha])]
    assert {array.dtype for array in found} == {np.dtype(dtype)}


@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_models_go_through_in_complex_numbers(kind):
    model = create(kind, 2)
    loss = forward(trees.cast(model.params, np.complex128), batch(), model.config).loss
    assert loss.dtype == np.complex128 and loss.imag == 0
    assert_close(loss.real, model.forward(batch()).loss, EXACT)


def refuses(function, arguments, name):
    """function(**arguments) must refuse when the named leaf alone is float32."""
    leaves = dict(trees.walk(list(arguments.values())))
    leaves[name] = leaves[name].astype(np.float32)
    changed = trees.replace(list(arguments.values()), leaves)
    with pytest.raises(TypeError, match="share one dtype: .* is float(32|64), another float(32|64)") as info:
        function(**dict(zip(arguments, changed, strict=True)))
    assert "\n" not in str(info.value)


MIXED = ["linear", "lstm", "lstm, ragged", "bidirectional", "stack", "additive_attention"]
MIXED = [(name, leaf) for name in MIXED for leaf, _ in trees.walk(list(cases()[name].inputs.values()))]


@pytest.mark.parametrize("name, leaf", MIXED)
def test_mixed_dtypes_are_refused_in_one_line(name, leaf):
    refuses(cases()[name].function, cases()[name].inputs, leaf)


@pytest.mark.parametrize("kind", ["plain", "attention"])
def test_a_model_with_one_parameter_of_another_dtype_is_refused(kind):
    model = create(kind, 2)
    accepted = []
    for leaf, _ in trees.walk([model.params]):
        try:
            refuses(lambda params: forward(params, batch(), model.config), {"params": model.params}, leaf)
        except pytest.fail.Exception:
            accepted.append(leaf)
    assert accepted == []


def test_a_dropout_mask_of_another_precision_is_refused():
    with pytest.raises(TypeError, match="float64"):
        layers.dropout(normal(4, 3, dtype=np.float32), np.ones((4, 3)))


# equations


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_the_lstm_is_its_equations_and_every_gate_can_be_read():
    x, (h, c), params = arguments("lstm", 4, 3)
    trace = layers.lstm(x, (h, c), params)
    for t in range(4):
        a = x[t] @ params.W_x + h @ params.W_h + params.b
        i, f, g, o = (
            logistic(a[:, :H]),
            logistic(a[:, H : 2 * H]),
            np.tanh(a[:, 2 * H : 3 * H]),
            logistic(a[:, 3 * H :]),
        )
        found = [trace.a[t], trace.c_prev[t], trace.i[t], trace.f[t], trace.g[t], trace.o[t]]
        assert_close(found, [a, c, i, f, g, o], EXACT)
        c = f * c + i * g
        h = o * np.tanh(c)
        assert_close([trace.c[t], trace.tanh_c[t], trace.h[t]], [c, np.tanh(c), h], EXACT)
        assert_same(trace.steps[t].f, trace.f[t])
    assert_same(list(trace.final), [trace.h[3], trace.c[3]])
    with pytest.raises(AttributeError, match="z"):
        _ = trace.z


def test_a_step_on_its_own_is_the_step_of_a_sequence():
    x, (h, c), params = arguments("lstm", 4, 3)
    step = layers.lstm_step(x[0] @ params.W_x + h @ params.W_h + params.b, c)
    assert_close(step, layers.lstm(x, (h, c), params).steps[0], EXACT)


def test_attention_is_its_equations_and_every_part_can_be_read():
    query, keys, values = normal(2, 3, 5), normal(4, 3, 6, seed=1), normal(4, 3, 2, seed=2)
    params = _parameters(layers.init_attention, 5, 6, 7)
    trace = layers.additive_attention(query, keys, values, params, mask=lengths_to_mask([4, 1, 3]))
    for t in range(2):
        for b, n in enumerate([4, 1, 3]):
            u = np.tanh(query[t, b] @ params.W_q + keys[:n, b] @ params.W_k + params.b)
            e = u @ params.w
            alpha = np.exp(e) / np.exp(e).sum()
            found = [trace.steps.u[t, :n, b], trace.steps.e[t, b, :n], trace.alpha[t, b, :n], trace.context[t, b]]
            assert_close(found, [u, e, alpha, alpha @ values[:n, b]], EXACT)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_the_gates_in_one_sweep_are_the_four_equations(dtype):
    a = (3 * normal(5, 4 * 3)).astype(dtype)
    i, f, g, o = blocks(a)
    plain = [layers.sigmoid(i), layers.sigmoid(f), layers.tanh(g), layers.sigmoid(o)]
    assert np.abs(gates(a) - np.concatenate(plain, axis=-1)).max() <= 4 * np.finfo(dtype).eps
    dy, y = (normal(5, 4 * 3).astype(dtype), gates(a))
    derivatives = [activations.sigmoid_backward] * 2 + [activations.tanh_backward, activations.sigmoid_backward]
    slow = [f(*pair) for f, *pair in zip(derivatives, blocks(dy), blocks(y), strict=True)]
    assert np.abs(gates_backward(dy, y) - np.concatenate(slow, axis=-1)).max() <= 4 * np.finfo(dtype).eps


@pytest.mark.parametrize("size", [0.1, 1, 5, 19, 21, 60, 500])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_attention_tanh_by_exponentials_is_tanh(size, dtype):
    """Queries and keys of all sizes, also of opposite sign, within and beyond the bound of the fast form."""
    params = layers.init_attention(np.random.default_rng(0), 4, 4, 4, dtype)
    params.W_q[...], params.W_k[...] = np.eye(4), np.eye(4)
    values, query = ((size * normal(*shape)).astype(dtype) for shape in ((6, 3, 4), (3, 4)))
    query[0], values[2, 0] = size, -size
    with np.errstate(all="raise", under="ignore"):
        step = layers.AdditiveAttention(values, values, params).forward(query)
    # exp(2q) exp(2k) has a relative error of eps times its exponents, which tanh's slope of at most 1 / 4 passes on
    bound = min(4 * size, 80) * np.finfo(dtype).eps
    assert np.abs(step.u - np.tanh(values + query)).max() <= bound + 2 * np.finfo(dtype).eps


# single layers


def test_the_forget_gate_starts_open():
    rng = np.random.default_rng(0)
    both = layers.init_bidirectional(rng, D, H, np.float32)
    for params in (layers.init_lstm(rng, D, H, np.float32), both.ahead, both.back):
        assert params.b.tolist() == [0] * H + [1] * H + [0] * (2 * H)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_are_stable_for_huge_scores(dtype):
    z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], dtype)
    assert_close(layers.softmax(z), np.array([[1, 0, 0], [1 / 3] * 3, [0.5, 0.5, 0]], dtype), np.finfo(dtype).eps)
    expected = np.array([[0, -2e4, -1e4], [-np.log(3)] * 3, [-np.log(2), -np.log(2), -2e4 - np.log(2)]], dtype)
    assert_close(layers.log_softmax(z), expected, np.finfo(dtype).eps)
    assert layers.sigmoid(z[0]).tolist() == [1, 0, 0.5] and layers.tanh(z[0]).tolist() == [1, -1, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_is_stable_for_huge_logits(dtype):
    logits = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    trace = layers.cross_entropy(logits, np.array([1, 0, 2]))
    # the logarithm of 3 is added to 1e4 before they are subtracted again, so it keeps the digits of 1e4
    assert np.abs(trace.nll - [2e4, 0, np.log(3)]).max() <= 1e4 * np.finfo(dtype).eps
    expected = np.array([[1, -1, 0], [0, 0, 0], [1 / 3, 1 / 3, -2 / 3]]) / 3
    assert np.abs(trace.backward().dlogits - expected).max() <= 1e4 * np.finfo(dtype).eps


def test_cross_entropy_is_the_mean_over_real_tokens():
    logits, targets, mask = normal(4, 3, 7), np.arange(12).reshape(4, 3) % 7, lengths_to_mask([4, 1, 2])
    logp = layers.log_softmax(logits)
    expected = -np.mean([logp[t, b, targets[t, b]] for t, b in zip(*np.nonzero(mask), strict=True)])
    assert_close(layers.cross_entropy(logits, targets, mask).loss, expected, EXACT)
    assert_same(layers.cross_entropy(logits, targets).loss, layers.cross_entropy(logits, targets, mask | True).loss)


@pytest.mark.parametrize("block", [1, 20, 10**9])
def test_the_blocks_of_cross_entropy_do_not_show(monkeypatch, block):
    logits, targets, mask = normal(5, 3, 7), np.arange(15).reshape(5, 3) % 7, lengths_to_mask([5, 1, 2])
    expected = layers.cross_entropy(logits, targets, mask)
    monkeypatch.setattr(sys.modules["numseq.layers.losses.cross_entropy"], "BLOCK", block)
    found = layers.cross_entropy(logits, targets, mask)
    assert_same([found.loss, found.nll], [expected.loss, expected.nll])
    assert_same(found.backward(), expected.backward())


def test_the_gradient_of_the_loss_scales_with_dloss():
    trace = layers.cross_entropy(normal(4, 3, 7), np.zeros((4, 3), int))
    assert_close(trace.backward(-2.5).dlogits, -2.5 * trace.backward().dlogits, EXACT)


def test_an_embedding_picks_rows_and_sums_their_gradients():
    params, ids = _parameters(layers.init_embedding, 6, D), np.array([[1, 5], [1, 1], [0, 5]])
    trace, dy = layers.embedding(ids, params, padding_id=0), normal(3, 2, D)
    assert_same(trace.y, params.W[ids])
    expected = np.zeros((6, D))
    expected[1], expected[5] = dy[0, 0] + dy[1, 0] + dy[1, 1], dy[0, 1] + dy[2, 1]
    assert_close(trace.backward(dy).params.W, expected, EXACT)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(rate):
    mask = layers.dropout_mask(np.random.default_rng(0), (200, 500), rate, np.float64)
    assert set(np.unique(mask)) == {0, 1 / (1 - rate)}
    # 100,000 draws: five standard deviations of the share that is dropped
    assert abs((mask == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / mask.size)


def test_dropout_at_rate_zero_does_nothing():
    x = normal(4, 3)
    assert layers.dropout_mask(np.random.default_rng(0), x.shape, 0, np.float64) is None
    trace = layers.dropout(x, None)
    assert_same([trace.y, trace.backward(x).dx], [x, x])


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, np.nan])
def test_an_impossible_dropout_rate_is_refused(rate):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        layers.dropout_mask(np.random.default_rng(0), (2,), rate, np.float64)


def test_first_values_are_seeded_orthogonal_and_in_range():
    made = [layers.init_lstm(np.random.default_rng(7), D, H, np.float64) for _ in range(2)]
    assert_same(*made)
    for k in range(4):
        block = made[0].W_h[:, k * H : (k + 1) * H]
        assert np.abs(block @ block.T - np.eye(H)).max() < EXACT
    assert np.abs(made[0].W_x).max() <= np.sqrt(6 / (D + H))


def test_the_softmax_over_the_vocabulary_makes_two_arrays_of_the_size_of_the_logits():
    # the exponentials and the gradient
    logits, targets = normal(3000, 1000), np.arange(3000) % 1000  # 24 MB; blocks of rows are 2 MB
    tracemalloc.start()
    layers.cross_entropy(logits, targets).backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.2 * logits.nbytes
