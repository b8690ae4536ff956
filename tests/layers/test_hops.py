"""Memory with hops: what each piece computes, against plain loops and PyTorch, and what changes nothing.

What PyTorch gave is in oracles/hops.npz, which oracles/make_hops.py wrote.
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
from numseq.mistakes import cases

B, D, N, K, S = 4, 5, 3, 3, 6
SENTENCE = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [-1, 1, 0, -1], [1, 1, -1, 0], [2, 1, 1, -1], [2, 1, -1, -1]])
MASK = lengths_to_mask([6, 1, 3, 4])
TABLE = cases()
PIECES = ("position_encoding", "temporal_encoding", "hops", "multihop_attention", "multihop_attention, general")


def stories():
    return normal(S, B, N, D), normal(B, D, seed=1), normal(K + 1, S, B, D, seed=2), normal(7, D, seed=3)


# position encoding


def by_hand(words):
    """The sum of one sentence's words (J, D), by the paper's section 4.1."""
    J, d = len(words), words.shape[-1]
    total = np.zeros(d)
    for j in range(1, J + 1):
        for k in range(1, d + 1):
            total[k - 1] += ((1 - j / J) - (k / d) * (1 - 2 * j / J)) * words[j - 1, k - 1]
    return total


def test_a_sentence_is_the_sum_of_its_words_by_position():
    x, *_ = stories()
    m = layers.position_encoding(x, SENTENCE, 4).m
    for b in range(B):
        for s in range(4):
            for n in range(N):
                assert_close(m[s, b, n], by_hand(x[SENTENCE[:, b] == s, b, n]))


def test_words_in_another_order_are_another_sentence():
    x, *_ = stories()
    turned = x.copy()
    turned[[0, 1], 0] = x[[1, 0], 0]
    one, other = (layers.position_encoding(each, SENTENCE, 3).m for each in (x, turned))
    assert np.abs(one[0, 0] - other[0, 0]).max() > 0.1
    assert_same([one[1:], one[:, 1:]], [other[1:], other[:, 1:]])


def test_what_is_of_no_sentence_changes_nothing_and_gets_no_gradient():
    x, *_ = stories()
    trace = layers.position_encoding(x, SENTENCE, 4)
    dm = normal(*trace.m.shape, seed=9)
    dx = trace.backward(dm).dx
    none = SENTENCE < 0
    assert (dx[none] == 0).all() and (dx[~none] != 0).any(axis=-1).all()
    rubbish = np.concatenate([np.where(none[:, :, None, None], 99, x), x])
    longer = np.concatenate([SENTENCE, np.full_like(SENTENCE, -1)])
    again = layers.position_encoding(rubbish, longer, 6)
    assert_same(again.m[:4], trace.m)
    assert (again.m[4:] == 0).all()
    assert_same(again.backward(np.concatenate([dm, dm[:2]])).dx[:S], dx)


@pytest.mark.parametrize("wrong", [-2, 4])
def test_sentences_that_are_none_are_refused(wrong):
    x, *_ = stories()
    with pytest.raises(ArgumentError, match=r"^sentence holds .*: it must hold -1 to 3$"):
        layers.position_encoding(x, np.where(SENTENCE == 2, wrong, SENTENCE), 4)


# temporal encoding


def test_each_memory_is_told_its_age():
    *_, memories, T = stories()
    age = np.maximum(MASK.sum(axis=0) - 1 - np.arange(S)[:, None], 0)
    y = layers.temporal_encoding(memories[0], age, layers.TemporalParams(T), mask=MASK).y
    for b in range(B):
        for s in range(S):
            assert_same(y[s, b], memories[0, s, b] + (T[age[s, b]] if MASK[s, b] else 0))


def test_an_age_beyond_the_last_is_refused():
    *_, memories, T = stories()
    with pytest.raises(ArgumentError, match="^age holds 7: "):
        layers.temporal_encoding(memories[0], np.full((S, B), 7), layers.TemporalParams(T), mask=MASK)


# hops


def hops_by_hand(u, memories):
    """One row, whose memories (K + 1, S, D) are all real: u, and where each hop looked."""
    looked = []
    for k in range(len(memories) - 1):
        e = np.array([u @ m for m in memories[k]])
        p = np.exp(e - e.max()) / np.exp(e - e.max()).sum()
        u = u + sum(p[i] * c for i, c in enumerate(memories[k + 1]))
        looked.append(p)
    return u, np.array(looked)


def test_hops_are_the_papers_loop():
    _, u, memories, _ = stories()
    trace = layers.hops(u, memories, mask=MASK)
    for b in range(B):
        real = MASK[:, b]
        found, p = hops_by_hand(u[b], memories[:, real, b])
        assert_close(trace.u[b], found)
        assert_close(trace.p[:, b, real], p)
    assert (trace.p[:, ~MASK.T] == 0).all()


def test_what_is_no_memory_gets_no_gradient_and_changes_nothing():
    _, u, memories, _ = stories()
    trace, du = layers.hops(u, memories, mask=MASK), normal(B, D, seed=9)
    grad = trace.backward(du)
    assert (grad.dmemories[:, ~MASK] == 0).all() and (grad.dmemories[:, MASK] != 0).any(axis=-1).mean() > 0.8
    rubbish = np.where(MASK[:, :, None], memories, 99)
    again = layers.hops(u, rubbish, mask=MASK)
    assert_close([again.u, again.backward(du).dmemories], [trace.u, grad.dmemories])


def test_a_question_without_a_story_stays_as_it_is():
    _, u, memories, _ = stories()
    trace = layers.hops(u, memories, mask=MASK & (np.arange(B) != 1))
    assert_same(trace.u[1], u[1])
    assert (trace.p[:, 1] == 0).all()
    assert_same(trace.backward(u).du[1], u[1])


def test_a_memory_network_is_pytorchs():
    """Three rows, the last sentence the question; the second has nothing else. 0 is no word of a sentence."""
    torch = oracle("hops", "network/")
    rows = [3, 5, 0, 4, 5, 6, 3, 0, 7, 3], [8, 4, 4], [5, 6, 7, 0, 6, 6, 0, 7, 5, 4, 0, 3, 8]
    length, P = max(map(len, rows)), 4
    ids = np.array([[*row, *[0] * (length - len(row))] for row in rows]).T
    number = np.where(ids > 0, (ids == 0).cumsum(axis=0), -1)
    facts = lengths_to_mask([2, 0, 3], steps=P)
    age = np.maximum(facts.sum(axis=0) - 1 - np.arange(P)[:, None], 0)
    E, T = (torch[name].transpose(1, 0, 2) for name in "ET")  # (V, K + 1, D) and (A, K + 1, D)
    D, three = E.shape[-1], np.arange(3)

    placed = layers.position_encoding(E[ids], number, P)
    timed = layers.temporal_encoding(
        placed.m.reshape(P, 3, -1), age, layers.TemporalParams(T.reshape(len(T), -1)), mask=facts
    )
    memories = timed.y.reshape(P, 3, -1, D).transpose(2, 0, 1, 3)
    read = layers.hops(placed.m[facts.sum(axis=0), three, 0], memories, mask=facts)
    assert_close(read.u, torch["u"])
    assert_close(read.p[:, :, :3], torch["p"][:, :, :3])

    back = read.backward(torch["du"])
    dtimed = timed.backward(back.dmemories.transpose(1, 2, 0, 3).reshape(P, 3, -1))
    dm = dtimed.dx.reshape(placed.m.shape)
    dm[facts.sum(axis=0), three, 0] += back.du
    dE = np.zeros_like(E)
    np.add.at(dE, ids, placed.backward(dm).dx)
    assert_close(dE.transpose(1, 0, 2), torch["dE"])
    assert_close(dtimed.params.T.reshape(T.shape).transpose(1, 0, 2), torch["dT"])


# several looks of an attention


def test_several_looks_are_one_after_the_other():
    query, keys, values, W = normal(5, B, 3), normal(S, B, 3, seed=1), normal(S, B, 2, seed=2), normal(2, 3, seed=3)
    dot = layers.DotAttention(keys, values, None, MASK)
    trace = layers.multihop_attention(query, dot, layers.MultiHopParams(None, W), hops=3)
    q = query
    for k in range(3):
        look = layers.attend(dot, q)
        assert_close(trace.steps.hop_alpha[:, :, k], look.alpha)
        q = q + look.context @ W
    assert_close([trace.context, trace.alpha], [look.context, look.alpha])


@pytest.mark.parametrize("kind", [layers.AdditiveAttention, layers.GeneralAttention])
def test_one_look_is_the_attention_itself(kind):
    query, keys, values = normal(5, B, 3), normal(S, B, 4, seed=1), normal(S, B, 2, seed=2)
    p = kind.init(np.random.default_rng(0), 3, 4, 6, float)
    plain = layers.attend(kind(keys, values, p, MASK), query)
    params = layers.MultiHopParams(p, normal(2, 3, seed=3))
    one = layers.multihop_attention(query, kind(keys, values, p, MASK), params, hops=1)
    given = normal(*plain.context.shape, seed=5), normal(*plain.alpha.shape, seed=6)
    grad, right = one.backward(*given), plain.backward(*given)
    assert_same(
        [one.context, one.alpha, grad.dquery, grad.dkeys], [plain.context, plain.alpha, right.dquery, right.dkeys]
    )
    assert_same(grad.params.look, right.params)
    assert (grad.params.W == 0).all()


def test_rows_can_be_picked_between_times_though_looks_carry():
    query, keys = normal(2, B, 3), normal(S, B, 4, seed=1)
    p = layers.CoverageAttention.init(np.random.default_rng(0), 3, 4, 6, float)
    looking = layers.MultiHopAttention(
        layers.CoverageAttention(keys, keys, p, MASK), layers.MultiHopParams(p, normal(4, 3, seed=3)), hops=2
    )
    rows = np.array([3, 3, 0])
    expected = layers.attend(looking.select_rows(rows), query[:, rows])
    carried = looking.carried(looking.forward(query[0], looking.initial_carried()))
    assert len(carried) == 2 and np.abs(carried[0] - carried[1]).max() > 0  # each look has its own
    look = looking.select_rows(rows).forward(query[1, rows], tuple(part[rows] for part in carried))
    assert_close([look.context, look.alpha], [expected.context[1], expected.alpha[1]])


def test_a_matrix_between_looks_of_another_width_is_refused():
    keys = normal(S, B, 3)
    look = layers.DotAttention(keys, keys, None, MASK)
    with pytest.raises(ArgumentError, match=r"^W has the shape \(2, 3\): it must be \(3, Q\)"):
        layers.multihop_attention(normal(5, B, 3), look, layers.MultiHopParams(None, normal(2, 3)), hops=2)
    with pytest.raises(ArgumentError, match="^hops is 0: "):
        layers.multihop_attention(normal(5, B, 3), look, layers.MultiHopParams(None, normal(3, 3)), hops=0)


# all pieces


def made(name, dtype):
    """A trace of a piece, of the table's inputs in a dtype, and gradients of its outputs."""
    case = TABLE[name]
    trace = case.function(**{argument: trees.cast(tree, dtype) for argument, tree in case.inputs.items()})
    given = {f"d{output}": normal(*getattr(trace, output).shape, dtype=dtype) for output in trace.outputs}
    return trace, given


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("name", PIECES)
def test_the_dtype_follows_the_inputs(name, dtype):
    trace, given = made(name, dtype)
    grad = trace.backward(**given)
    found = {a.dtype for a in [*arrays_in(trace), *arrays_in(grad)] if a.dtype.kind in "fc"}
    assert found == {np.dtype(dtype)}


@pytest.mark.parametrize("name", PIECES)
def test_backward_twice_agrees_and_nothing_is_changed(name):
    trace, given = made(name, np.float64)
    held = [*arrays_in(trace), *given.values()]
    before = [array.copy() for array in held]
    assert_same(trace.backward(**given), trace.backward(**given))
    assert_same(held, before)


def test_they_run_on_cupys_names_without_waiting_and_give_the_same():
    x, u, memories, T = stories()
    age = np.maximum(MASK.sum(axis=0) - 1 - np.arange(S)[:, None], 0)

    def run(x, sentence, u, memories, T, age, mask):
        m = layers.position_encoding(x, sentence, 4)
        y = layers.temporal_encoding(memories[0], age, layers.TemporalParams(T), mask=mask)
        read = layers.hops(u, memories, mask=mask)
        look = layers.DotAttention(memories[0], memories[1], None, mask)
        looked = layers.multihop_attention(u[None], look, layers.MultiHopParams(None, T[:5]), hops=2)
        traces = (m, m.m), (y, y.y), (read, read.u), (looked, looked.context)
        return [(d, trace.backward(d)) for trace, d in traces]

    given = x, SENTENCE, u, memories, T, age, MASK
    expected = run(*given)
    with strict_cupy.installed(), numseq.use("cupy"):
        there = [asarray(array) for array in given]
        strict_cupy.syncs = 0
        found = run(*there)
        assert strict_cupy.syncs == 0
        found = trees.to_host(found)
    assert_close(found, expected)
