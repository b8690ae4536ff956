"""Attention: every kind keeps the same promises, and each is what its name says."""

import numpy as np
import pytest
import strict_cupy
from helpers import arrays_in, assert_close, assert_same, at_scale_one, lengths_to_mask, normal, output_gradients

import numseq
from numseq import layers
from numseq import params as trees
from numseq.backend import asarray
from numseq.layers.attention.base import LookBack
from numseq.layers.attention.location import windows, windows_backward
from numseq.mistakes import function_of, match
from numseq.record import Steps

T, B, Q, K, C, A = 5, 4, 3, 3, 6, 8
LENGTHS = [7, 1, 4, 6]
S = max(LENGTHS)
MASK = lengths_to_mask(LENGTHS)


def two_heads(keys, values, params, mask=None):
    return layers.MultiHeadAttention(keys, values, params, mask, heads=2)


def near(keys, values, params, mask=None):
    return layers.LocalAttention(keys, values, params, mask, window=2)


KINDS = {  # name: (what makes one, the class)
    "additive": (layers.AdditiveAttention, layers.AdditiveAttention),
    "concat": (layers.ConcatAttention, layers.ConcatAttention),
    "dot": (layers.DotAttention, layers.DotAttention),
    "scaled dot": (layers.ScaledDotAttention, layers.ScaledDotAttention),
    "general": (layers.GeneralAttention, layers.GeneralAttention),
    "multi-head": (two_heads, layers.MultiHeadAttention),
    "local": (near, layers.LocalAttention),
    "location": (layers.LocationAttention, layers.LocationAttention),
    "coverage": (layers.CoverageAttention, layers.CoverageAttention),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_at_once = pytest.mark.parametrize("kind", [name for name, (_, cls) in KINDS.items() if cls.at_once])


def first_values(kind, dtype=np.float64):
    params = at_scale_one(KINDS[kind][1].init(np.random.default_rng(0), Q, K, A, dtype), seed=3)
    if kind == "multi-head":
        params.W_v, params.W_o, params.b_o = normal(C, A, seed=4), normal(A, 10, seed=5), normal(10, seed=6)
    return None if params is None else trees.cast(params, dtype)


def given(kind, dtype=np.float64):
    """Queries, and keys, values and parameters."""
    query, keys, values = normal(T, B, Q), normal(S, B, K, seed=1), normal(S, B, C, seed=2)
    return query.astype(dtype), keys.astype(dtype), values.astype(dtype), first_values(kind, dtype)


def attention(kind, dtype=np.float64, mask=MASK):
    query, keys, values, params = given(kind, dtype)
    return KINDS[kind][0](keys, values, params, mask), query


def upstream(trace, dtype=np.float64):
    return normal(*trace.context.shape, seed=7, dtype=dtype), normal(*trace.alpha.shape, seed=8, dtype=dtype)


def step_by_step(looking, query, dcontext, dalpha):
    """What a decoder does: its own loop, there and back. Context, alpha and the gradient."""
    looks, carried = [], looking.initial_carried()
    for q in query:
        looks.append(looking.forward(q, carried))
        carried = looking.carried(looks[-1])
    steps = Steps(looks)
    back = LookBack(looking, steps)
    for t in reversed(range(len(query))):
        back.look(t, dcontext[t], dalpha[t])
    return steps.context, steps.alpha, back.weight_gradients()


# all kinds


@each_kind
def test_a_loop_of_steps_is_attend(kind):
    looking, query = attention(kind)
    trace = layers.attend(looking, query)
    dcontext, dalpha = upstream(trace)
    context, alpha, grad = step_by_step(looking, query, dcontext, dalpha)
    assert_close([context, alpha], [trace.context, trace.alpha])
    assert_close(grad, trace.backward(dcontext, dalpha))
    assert trace.context.shape[:2] == (T, B) and trace.alpha.shape == (T, B, S)


@each_kind
def test_one_look_is_the_first_of_them(kind):
    looking, query = attention(kind)
    trace, look = layers.attend(looking, query), looking.forward(query[0], looking.initial_carried())
    assert type(look) is type(trace.steps[0])
    assert_close(look, trace.steps[0])


@each_kind
def test_no_gradient_of_the_weights_is_one_of_zeros(kind):
    looking, query = attention(kind)
    trace = layers.attend(looking, query)
    dcontext, dalpha = upstream(trace)
    assert_close(trace.backward(dcontext), trace.backward(dcontext, 0 * dalpha))


@each_kind
def test_padded_positions_get_no_weight_and_no_gradient_and_change_nothing(kind):
    query, keys, values, params = given(kind)
    trace = layers.attend(KINDS[kind][0](keys, values, params, MASK), query)
    grad = trace.backward(*upstream(trace))
    assert (trace.alpha[:, ~MASK.T] == 0).all() and (trace.context != 0).all()
    for d in (grad.dkeys, grad.dvalues):
        assert (d[~MASK] == 0).all()
    assert (grad.dvalues[MASK].any(axis=-1)).mean() > 0.7  # a window leaves some real ones out

    wider = np.pad(MASK, [(0, 2), (0, 0)])
    rubbish = [np.concatenate([np.where(MASK[:, :, None], x, 99), 7 + x[:2]]) for x in (keys, values)]
    padded = layers.attend(KINDS[kind][0](*rubbish, params, wider), query)
    dcontext, dalpha = upstream(trace)
    again = padded.backward(dcontext, np.pad(dalpha, [(0, 0), (0, 0), (0, 2)], constant_values=5))
    assert_close([padded.context, padded.alpha[:, :, :S]], [trace.context, trace.alpha])
    assert_close([again.dquery, again.params], [grad.dquery, grad.params])
    assert_close([again.dkeys[:S], again.dvalues[:S]], [grad.dkeys, grad.dvalues])
    assert (again.dkeys[S:] == 0).all() and (again.dvalues[S:] == 0).all() and (padded.alpha[:, :, S:] == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_kind
def test_a_row_in_which_nothing_is_real_gets_no_weight_no_context_and_no_gradient(kind, dtype):
    nothing, others = MASK.copy(), np.arange(B) != 1
    nothing[:, 1] = False
    looking, query = attention(kind, dtype, nothing)
    trace = layers.attend(looking, query)
    dcontext, dalpha = upstream(trace, dtype)
    grads = trace.backward(dcontext, dalpha), step_by_step(looking, query, dcontext, dalpha)[-1]
    assert (trace.alpha[:, 1] == 0).all() and (trace.context[:, 1] == 0).all()
    for grad in grads:
        assert all((d[:, 1] == 0).all() for d in (grad.dquery, grad.dkeys, grad.dvalues))

    _, keys, values, params = given(kind, dtype)
    without = layers.attend(
        KINDS[kind][0](keys[:, others], values[:, others], params, nothing[:, others]), query[:, others]
    )
    expected = without.backward(dcontext[:, others], dalpha[:, others])
    tolerance = {np.float32: 1e-4, np.float64: 1e-12}[dtype]  # sums of other shapes round otherwise
    assert_close(trace.context[:, others], without.context, tolerance)
    for grad in grads:
        assert_close(grad.params, expected.params, tolerance)

    one = looking.select_rows(np.array([1, 0])).forward(
        query[0, [1, 0]], [c[[1, 0]] for c in looking.initial_carried()]
    )
    assert (one.context[0] == 0).all() and (one.alpha[0] == 0).all() and (one.context[1] != 0).all()


@each_kind
def test_no_mask_is_a_mask_of_all(kind):
    (plain, query), (masked, _) = attention(kind, mask=None), attention(kind, mask=np.ones_like(MASK))
    one, other = layers.attend(plain, query), layers.attend(masked, query)
    assert_same([one.context, one.alpha], [other.context, other.alpha])


@each_kind
def test_weights_sum_to_one(kind):
    looking, query = attention(kind)
    alpha = layers.attend(looking, query).alpha
    total = alpha.sum(axis=-1)
    assert (alpha >= 0).all() and (total <= 1 + 1e-12).all()
    if kind != "local":  # what its Gaussian takes is lost
        assert_close(total, np.ones((T, B)))


@each_kind
@pytest.mark.parametrize("rows", [[2, 0], [3], [1, 1, 0, 3, 3, 2]])
def test_select_rows_is_the_attention_made_of_those_rows(kind, rows):
    query, keys, values, params = given(kind)
    make, rows = KINDS[kind][0], np.array(rows)
    looking = make(keys, values, params, MASK)
    picked, anew = looking.select_rows(rows), make(keys[:, rows], values[:, rows], params, MASK[:, rows])
    found, expected = layers.attend(picked, query[:, rows]), layers.attend(anew, query[:, rows])
    assert_close([found.context, found.alpha], [expected.context, expected.alpha])
    grads = upstream(expected)
    assert_close(found.backward(*grads), expected.backward(*grads))
    whole = layers.attend(looking, query)  # which is as it was
    assert_close([found.context, found.alpha], [whole.context[:, rows], whole.alpha[:, rows]])


@each_kind
def test_rows_can_be_picked_between_looks(kind):
    """As a beam does: the attention's rows, and those of what is carried."""
    looking, query = attention(kind)
    rows = np.array([3, 3, 0])
    expected = layers.attend(looking.select_rows(rows), query[:, rows])
    carried = looking.carried(looking.forward(query[0], looking.initial_carried()))
    look = looking.select_rows(rows).forward(query[1, rows], tuple(part[rows] for part in carried))
    assert_close([look.context, look.alpha], [expected.context[1], expected.alpha[1]])


@each_kind
def test_backward_twice_agrees_and_nothing_is_changed(kind):
    looking, query = attention(kind)
    trace = layers.attend(looking, query)
    grads = upstream(trace)
    held = [*arrays_in(trace), *arrays_in(vars(looking)), *grads]
    before = [array.copy() for array in held]
    first, second = trace.backward(*grads), trace.backward(*grads)
    assert_same(first, second)
    assert_same(held, before)


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_the_dtype_follows_the_inputs(kind, dtype):
    looking, query = attention(kind, dtype)
    trace = layers.attend(looking, query)
    grad = trace.backward(*(array.astype(dtype) for array in upstream(trace)))
    arrays = [*arrays_in(trace.steps), trace.context, trace.alpha, *arrays_in(grad)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    expected = layers.attend(*attention(kind))
    assert_close(
        [trace.context, trace.alpha], [expected.context, expected.alpha], 1e-4 if dtype == np.float32 else 1e-12
    )


@each_kind
def test_mixed_dtypes_are_refused(kind):
    query, keys, values, params = given(kind)
    with pytest.raises(TypeError, match="share one dtype"):
        KINDS[kind][0](keys.astype(np.float32), values, params)
    with pytest.raises(TypeError, match="share one dtype"):
        layers.attend(KINDS[kind][0](keys, values, params), query.astype(np.float32))


@each_kind
def test_it_runs_on_cupys_names_without_waiting_and_gives_the_same(kind):
    query, keys, values, params = given(kind)
    expected = layers.attend(KINDS[kind][0](keys, values, params, MASK), query)
    dcontext, dalpha = upstream(expected)
    with strict_cupy.installed(), numseq.use("cupy"):
        there = [asarray(x) for x in (query, keys, values, MASK, dcontext, dalpha)]
        params_there, rows = trees.to_backend(params), asarray(np.array([2, 2, 0]))
        strict_cupy.syncs = 0
        looking = KINDS[kind][0](there[1], there[2], params_there, there[3])
        trace = layers.attend(looking, there[0])
        grad = trace.backward(*there[4:])
        picked = layers.attend(looking.select_rows(rows), there[0][:, rows])
        assert strict_cupy.syncs == 0
        found = trees.to_host([trace.context, trace.alpha, grad.dquery, grad.dkeys, grad.dvalues, grad.params])
        assert_close(trees.to_host(picked.alpha), expected.alpha[:, [2, 2, 0]])
    right = expected.backward(dcontext, dalpha)
    here = [expected.context, expected.alpha, right.dquery, right.dkeys, right.dvalues, right.params]
    assert_close(found, here)


@each_kind
def test_first_values_fit(kind):
    for dtype in (np.float32, np.float64):
        params = KINDS[kind][1].init(np.random.default_rng(0), Q, K, A, dtype)
        again = KINDS[kind][1].init(np.random.default_rng(0), Q, K, A, dtype)
        assert all(leaf.dtype == dtype for leaf in trees.leaves(params))
        assert_same(params, again)
        query, keys, _, _ = given(kind, dtype)
        looking = KINDS[kind][0](keys, keys, params, MASK)
        assert layers.attend(looking, query).context.shape == (T, B, K)


@each_at_once
def test_products_do_not_multiply_with_queries_or_heads(kind, monkeypatch):
    product, calls = np.matmul, []
    monkeypatch.setattr(np, "matmul", lambda *args, **kw: (calls.append(1), product(*args, **kw))[1])

    def count(steps, heads):
        _, keys, values, params = given(kind)
        make = KINDS[kind][1]
        looking = make(keys, values, params, MASK, **({"heads": heads} if kind == "multi-head" else {}))
        calls.clear()
        trace = layers.attend(looking, normal(steps, B, Q))
        trace.backward(*upstream(trace))
        return len(calls)

    assert count(2, 1) == count(9, 8) == 6  # scores, contexts, and two for each backward


# multi-head


def test_one_head_is_scaled_dot_attention_between_four_products():
    query, keys, values, p = given("multi-head")
    trace = layers.multihead_attention(query, keys, values, p, heads=1, mask=MASK)
    plain = layers.dot_attention(query @ p.W_q + p.b_q, keys @ p.W_k, values @ p.W_v + p.b_v, mask=MASK, scaled=True)
    assert_close(trace.context, plain.context @ p.W_o + p.b_o)
    assert_close([trace.alpha, trace.steps.head_alpha[:, :, 0]], [plain.alpha] * 2)


def test_heads_have_columns_of_their_own_and_alpha_is_their_mean():
    query, keys, values, p = given("multi-head")
    trace = layers.multihead_attention(query, keys, values, p, heads=4, mask=MASK)
    for h in range(4):
        own = slice(2 * h, 2 * h + 2)
        part = layers.MultiHeadParams(
            *(W[:, own] for W in (p.W_q, p.W_k, p.W_v)), np.eye(2), p.b_q[own], None, None, None
        )
        alone = layers.multihead_attention(query, keys, values, part, heads=1, mask=MASK)
        assert_close(trace.steps.head_alpha[:, :, h], alone.alpha)
        assert_close(trace.steps.mixed[..., own], alone.context + p.b_v[own])
    assert_close(trace.alpha, trace.steps.head_alpha.mean(axis=2))


def test_the_keys_bias_moves_no_weight():
    query, keys, values, p = given("multi-head")
    without = layers.multihead_attention(query, keys, values, p, heads=2, mask=MASK)
    p.b_k = normal(A, seed=9)
    trace = layers.multihead_attention(query, keys, values, p, heads=2, mask=MASK)
    assert_close([trace.context, trace.alpha], [without.context, without.alpha])
    assert (trace.backward(*upstream(trace)).params.b_k == 0).all()


@pytest.mark.parametrize("heads", [0, 3, 16])
def test_heads_that_cannot_share_are_refused(heads):
    with pytest.raises(ValueError, match=f"{heads} heads cannot share 8 numbers evenly"):
        layers.multihead_attention(*given("multi-head"), heads=heads)


# local


def test_weights_are_within_the_window_and_highest_near_its_middle():
    query, keys, values, params = given("local")
    trace = layers.local_attention(query, keys, values, params, window=1.5, mask=MASK)
    steps = trace.steps
    assert (steps.p > 0).all() and (steps.p < np.array(LENGTHS)).all()  # each row's own length
    away = np.arange(S) - steps.p[..., None]
    inside = (np.abs(away) <= 1.5) & MASK.T
    assert ((trace.alpha > 0) == inside).all()
    assert_close(steps.align.sum(axis=-1), np.ones((T, B)))
    assert_close(trace.alpha, steps.align * np.exp(-(away**2) / (2 * 0.75**2)))


def test_a_window_far_wider_than_the_source_is_general_attention():
    query, keys, values, params = given("local")
    wide = layers.local_attention(query, keys, values, params, window=1e9, mask=MASK)
    general = layers.general_attention(query, keys, values, layers.GeneralParams(params.W), mask=MASK)
    assert_close([wide.context, wide.alpha], [general.context, general.alpha])


@pytest.mark.parametrize("size", [0, 40, -40])
def test_no_window_is_empty(size):
    """Even where the place is the very beginning or the very end."""
    query, keys, values, params = given("local")
    params.v = np.sign(params.v)
    params.W_p[:] = np.sign(params.v) * 50
    trace = layers.local_attention(np.full_like(query, size), keys, values, params, window=1, mask=MASK)
    assert (trace.alpha.sum(axis=-1) > 0.1).all() and (trace.alpha[:, ~MASK.T] == 0).all()


@pytest.mark.parametrize("window", [0, 0.5, -3, float("nan")])
def test_a_window_that_could_be_empty_is_refused(window):
    with pytest.raises(ValueError, match="^window is .*: it must be finite and at least 1$"):
        layers.local_attention(*given("local"), window=window)


# location and coverage


@pytest.mark.parametrize("kind, left_out", [("location", "U"), ("coverage", "w_c")])
def test_without_their_features_they_are_additive_attention(kind, left_out):
    query, keys, values, p = given(kind)
    plain = layers.additive_attention(query, keys, values, layers.AdditiveParams(p.W_q, p.W_k, p.b, p.w), mask=MASK)
    first = layers.attend(KINDS[kind][0](keys, values, p, MASK), query)
    assert_close(first.alpha[0], plain.alpha[0])  # which sees nothing yet
    assert np.abs(first.alpha[1:] - plain.alpha[1:]).max() > 1e-3
    getattr(p, left_out)[...] = 0
    trace = layers.attend(KINDS[kind][0](keys, values, p, MASK), query)
    assert_close([trace.context, trace.alpha], [plain.context, plain.alpha])


def test_what_is_carried_is_the_last_weights_and_the_sum_of_all():
    location, query = attention("location")
    trace = layers.attend(location, query)
    assert_same(trace.steps.alpha_prev, np.concatenate([np.zeros((1, B, S)), trace.alpha[:-1]]))
    coverage, query = attention("coverage")
    trace = layers.attend(coverage, query)
    assert_close(trace.steps.coverage, np.cumsum(trace.alpha, axis=0) - trace.alpha)


def test_a_filter_sees_the_neighbour_at_its_place():
    query, keys, values, p = given("location")
    p.F = np.eye(3)  # filter k sees position j + k - 1
    p.U = normal(3, A)
    trace = layers.location_attention(query, keys, values, p, mask=MASK)
    f, last = trace.steps.f.transpose(3, 0, 2, 1), trace.steps.alpha_prev  # (3, T, B, S)
    assert_same(f[1], last)
    assert_same(f[0][..., 1:], last[..., :-1])
    assert_same(f[2][..., :-1], last[..., 1:])
    assert (f[0][..., 0] == 0).all() and (f[2][..., -1] == 0).all()


@pytest.mark.parametrize("width", [1, 3, 7, 15])
def test_windows_and_their_gradient(width):
    x, d = normal(B, S), normal(B, S, width, seed=1)
    expected, r = np.zeros((B, S, width)), width // 2
    for j in range(S):
        for k in range(width):
            if 0 <= j + k - r < S:
                expected[:, j, k] = x[:, j + k - r]
    assert_same(windows(x, width), expected)
    assert np.allclose(
        (windows_backward(d) * x).sum(), (expected * d).sum(), rtol=1e-13
    )  # one is the other's transpose


def test_filters_without_a_middle_are_refused():
    query, keys, values, params = given("location")
    params.F = params.F[:4]
    with pytest.raises(ValueError, match="filters of 4 positions have no middle"):
        layers.location_attention(query, keys, values, params)


# the coverage loss


def weights(seed=0):
    return layers.softmax(normal(T, B, S, seed=seed))


def test_the_coverage_loss_is_its_equations():
    alpha, lengths, total = weights(), [5, 2, 1, 3], 0.0
    for b, length in enumerate(lengths):
        for t in range(length):
            for j in range(S):
                total += min(alpha[t, b, j], alpha[:t, b, j].sum())
    trace = layers.coverage_loss(alpha, lengths_to_mask(lengths))
    assert_close(trace.loss, total / sum(lengths))
    assert 0 < trace.loss < 1 and trace.loss.shape == ()


def test_looking_elsewhere_each_time_costs_nothing_and_staying_costs_one():
    elsewhere = np.broadcast_to(np.eye(S)[:T, None], (T, B, S)).copy()
    assert layers.coverage_loss(elsewhere).loss == 0
    assert_close(layers.coverage_loss(np.repeat(elsewhere[:1], T, axis=0)).loss, (T - 1) / T)


def test_padded_steps_change_nothing_and_get_no_gradient():
    mask = lengths_to_mask([5, 2, 1, 3])
    mask[1, 0] = False  # not only at the end
    alpha, other = weights(), np.where(mask[:, :, None], weights(), weights(seed=1))
    one, two = layers.coverage_loss(alpha, mask), layers.coverage_loss(other, mask)
    assert_same(one.loss, two.loss)
    grad, again = one.backward(0.7), two.backward(0.7)
    assert_same(grad, again)
    assert (grad.dalpha[~mask] == 0).all() and np.abs(grad.dalpha[0, :2]).max() > 0
    assert_same(one.backward(0.7), grad)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_the_coverage_loss_follows_the_dtype(dtype):
    trace, right = layers.coverage_loss(weights().astype(dtype)), layers.coverage_loss(weights())
    grad = trace.backward().dalpha
    assert trace.loss.dtype == dtype and grad.real.dtype == trace.loss.real.dtype
    assert_close(trace.loss, right.loss, 1e-6)
    assert_close(grad, right.backward().dalpha, 1e-6)


def test_the_coverage_loss_runs_on_cupys_names_without_waiting():
    alpha, mask = weights(), lengths_to_mask([5, 2, 1, 3])
    right = layers.coverage_loss(alpha, mask)
    with strict_cupy.installed(), numseq.use("cupy"):
        there = asarray(alpha), asarray(mask)
        strict_cupy.syncs = 0
        trace = layers.coverage_loss(*there)
        grad = trace.backward().dalpha
        layers.coverage_loss(there[0]).backward()
        assert strict_cupy.syncs == 0
        found = trees.to_host([trace.loss, grad])
    assert_close(found, [right.loss, right.backward().dalpha])


@each_kind
def test_the_coverage_loss_of_every_kind_goes_through_its_weights(kind):
    """Context and loss together, checked as one: the loss's dalpha meets the context's."""
    looking, query = attention(kind)
    trace = layers.attend(looking, query)
    loss = layers.coverage_loss(trace.alpha)
    grad = trace.backward(np.zeros_like(trace.context), loss.backward().dalpha)
    v, h = normal(T, B, Q, seed=11), 1e-100j
    moved = [tree if tree is None else trees.cast(tree, complex) for tree in given(kind)]
    bent = layers.attend(KINDS[kind][0](*moved[1:], MASK), moved[0] + h * v)
    slope = layers.coverage_loss(bent.alpha).loss.imag / 1e-100
    assert_close((grad.dquery * v).sum(), slope, 1e-10)


# right code is never given the name of a known bug


def random_trace(kind, rng):
    """A trace of an attention, or of the coverage loss, on inputs of random sizes and scale."""
    T, B, S, D, heads = rng.integers(1, 6, size=5)
    scale = 10 ** rng.uniform(-2, 1)
    draw = lambda *shape: scale * rng.standard_normal(shape)  # noqa: E731
    ragged = lambda steps: np.arange(steps)[:, None] < rng.integers(1, steps + 1, size=B)  # noqa: E731
    if kind == "coverage loss":
        return layers.coverage_loss(layers.softmax(draw(T, B, S)), ragged(T))
    params = KINDS[kind][1].init(rng, D, D, 4 * heads, float)
    params = None if params is None else trees.map(lambda leaf: draw(*leaf.shape), params)
    options = {"multi-head": {"heads": heads}, "local": {"window": rng.uniform(1, 4)}}.get(kind, {})
    return layers.attend(KINDS[kind][1](draw(S, B, D), draw(S, B, D), params, ragged(S), **options), draw(T, B, D))


@pytest.mark.parametrize("kind", [*KINDS, "coverage loss"])
def test_right_code_is_never_given_the_name_of_a_bug(kind):
    for seed in range(60):
        trace = random_trace(kind, np.random.default_rng([seed, 1]))
        given = output_gradients(trace, seed)
        with np.errstate(all="ignore"):
            assert match(function_of(trace), trace, given, trace.backward(**given)) == [], seed
