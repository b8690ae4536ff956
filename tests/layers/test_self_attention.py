"""Self-attention, positions and blocks: against loops written here, against PyTorch's layers, and what they refuse.

What PyTorch gave is in oracles/transformer.npz, which oracles/make_transformer.py wrote.
"""

import numpy as np
import pytest
from helpers import assert_close, at_scale_one, normal
from helpers import oracle as load
from helpers_transformer import of_block, without_b_k

from numseq import layers
from numseq.errors import ArgumentError
from numseq.layers import FeedForwardParams, LayerNormParams, MultiHeadAttention, SublayerParams
from numseq.layers.positions import positions

T, B, D, K, HEADS = 5, 3, 4, 6, 2
MASK = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 1], [1, 0, 1], [1, 0, 0]], dtype=bool)  # (T, B), in front too


def of_size(out=D, dtype=np.float64):
    params = MultiHeadAttention.init(np.random.default_rng(0), D, D, K, dtype)
    params.W_o, params.b_o = params.W_o[:, :1].repeat(out, axis=1), params.b_o[:1].repeat(out)
    return at_scale_one(params, seed=3)


def by_hand(x, p, mask, causal):
    """Position by position, row by row, head by head."""
    y, size = np.zeros((T, B, p.W_o.shape[1])), K // HEADS
    for b in range(B):
        for t in range(T):
            seen = [j for j in range(T) if (mask is None or mask[j, b]) and (j <= t or not causal)]
            mixed = []
            for head in (slice(h * size, (h + 1) * size) for h in range(HEADS)):
                q = x[t, b] @ p.W_q[:, head] + p.b_q[head]
                e = np.array([q @ (x[j, b] @ p.W_k[:, head]) / np.sqrt(size) for j in seen])
                alpha = np.exp(e - e.max()) / np.exp(e - e.max()).sum() if seen else []
                values = [a * (x[j, b] @ p.W_v[:, head] + p.b_v[head]) for a, j in zip(alpha, seen, strict=True)]
                mixed.append(sum(values, np.zeros(size)))
            y[t, b] = np.concatenate(mixed) @ p.W_o + p.b_o if seen else 0
    return y


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
def test_self_attention_is_what_a_loop_over_positions_gives(mask, causal):
    x, params = normal(T, B, D), of_size()
    trace = layers.self_attention(x, params, heads=HEADS, mask=mask, causal=causal)
    assert_close(trace.y, by_hand(x, params, mask, causal))
    seen = np.ones((T, B, T), bool) if mask is None else np.broadcast_to(mask.T, (T, B, T))
    seen = seen & np.tri(T, dtype=bool)[:, None] if causal else seen
    assert ((trace.alpha > 0) == seen).all()


def test_no_position_knows_what_comes_after_it():
    x, params = normal(T, B, D), of_size()
    whole = layers.self_attention(x, params, heads=HEADS, causal=True)
    other = x.copy()
    other[3:] = normal(2, B, D, seed=9)
    assert_close(layers.self_attention(other, params, heads=HEADS, causal=True).y[:3], whole.y[:3])
    dy = np.zeros_like(whole.y)
    dy[2] = 1
    dx = whole.backward(dy).dx
    assert (dx[3:] == 0).all() and (dx[:3] != 0).all()


def test_what_is_not_causal_knows_no_order_but_by_positions():
    x, params, order = normal(T, B, D), of_size(), np.array([3, 0, 4, 1, 2])
    look = lambda x: layers.self_attention(x, params, heads=HEADS).y  # noqa: E731
    assert_close(look(x[order]), look(x)[order])
    placed = lambda x: look(layers.add_positions(x).y)  # noqa: E731
    assert np.abs(placed(x[order]) - placed(x)[order]).max() > 0.1


@pytest.mark.parametrize("parts", [[1] * T, [2, 3], [4, 1]], ids=str)
def test_a_sequence_in_parts_is_the_sequence(parts):
    x, params = normal(T, B, D), of_size()
    whole, past, found, start = layers.self_attention(x, params, heads=HEADS, causal=True), None, [], 0
    for steps in parts:
        trace = layers.self_attention(x[start : start + steps], params, heads=HEADS, causal=True, past=past)
        past, start = trace.past, start + steps
        assert past.k.shape == past.v.shape == (B, start, K)
        found.append(trace.y)
    assert_close(np.concatenate(found), whole.y)
    assert_close(list(past), list(whole.past))


def test_what_a_past_cannot_be_given_with_is_refused():
    x, params = normal(T, B, D), of_size()
    past = layers.self_attention(x, params, heads=HEADS, causal=True).past
    for options in ({"causal": False}, {"causal": True, "mask": MASK}):
        with pytest.raises(ArgumentError, match="past is of causal self-attention without a mask"):
            layers.self_attention(x, params, heads=HEADS, past=past, **options)
    later = layers.self_attention(x, params, heads=HEADS, past=past, causal=True)
    with pytest.raises(ArgumentError, match="no backward through a past"):
        later.backward(np.ones_like(later.y))


@pytest.mark.parametrize("width", [1, 5, 6])
def test_positions_are_sines_and_cosines(width):
    found = positions(T, width, like=np.zeros(1), first=2)
    for t in range(T):
        for j in range(width):
            angle = (t + 2) / 10000 ** (2 * (j // 2) / width)
            assert abs(found[t, j] - (np.cos if j % 2 else np.sin)(angle)) < 1e-12
    assert positions(T, width, like=np.zeros(1, np.float32)).dtype == np.float32


def test_the_distance_of_two_positions_is_one_turn_wherever_they_are():
    p = positions(40, 6, like=np.zeros(1))
    assert_close((p[3:] * p[:-3]).sum(axis=-1), np.full(37, (p[3] * p[0]).sum()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_that_of_the_inputs(dtype):
    rng = np.random.default_rng(0)
    params = layers.init_transformer_block(rng, D, K, 7, dtype, memory=D)
    memory = normal(T, B, D, dtype=dtype)
    looks = MultiHeadAttention(memory, memory, params.cross.part, MASK, HEADS)
    x = layers.add_positions(normal(T, B, D, dtype=dtype)).y
    trace = layers.transformer_block(x, params, heads=HEADS, causal=True, memory=looks)
    grad = trace.backward(np.ones_like(trace.y))
    found = [trace.y, grad.dx, grad.dmemory, grad.params.feed.part.W_1, grad.params.attention.part.W_q]
    assert {array.dtype.name for array in found} == {dtype}


def test_wrong_arguments_are_one_line():
    x = normal(T, B, D)
    norm = LayerNormParams(np.ones(D), np.zeros(D))
    narrow = FeedForwardParams(normal(D, 7), normal(7), normal(7, 2), normal(2))
    for said, call in {
        "norm is 'middle': choose one of pre, post": lambda: layers.sublayer(
            x, SublayerParams(norm, of_size()), part=layers.self_attention, norm="middle"
        ),
        "what the part gives has the shape": lambda: layers.sublayer(
            x, SublayerParams(norm, narrow), part=layers.feed_forward
        ),
        "4 heads cannot share 6": lambda: layers.self_attention(x, of_size(), heads=4),
        "x has the shape": lambda: layers.add_positions(x[0]),
        "first is -1": lambda: layers.add_positions(x, first=-1),
        "b_1 has the shape": lambda: layers.feed_forward(
            x, FeedForwardParams(normal(D, 7), normal(6), normal(7, 2), normal(2))
        ),
    }.items():
        with pytest.raises(ArgumentError) as caught:
            call()
        assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


# PyTorch's


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_block_is_pytorchs(kind, norm):
    torch = load("transformer", f"{kind}_block/{norm}/")
    params, mask, options = of_block(torch), torch["mask"].astype(bool), {"heads": 2, "norm": norm}
    if kind == "encoder":
        trace = layers.transformer_block(torch["x"], params, mask=mask, **options)
        real = mask[:, :, None]
    else:
        memory = MultiHeadAttention(torch["memory"], torch["memory"], params.cross.part, mask, heads=2)
        trace = layers.transformer_block(torch["x"], params, memory=memory, causal=True, **options)
        real = True
    assert_close(trace.y * real, torch["y"])
    grad = trace.backward(torch["dy"] * real)
    assert_close(grad.dx, torch["dx"])
    assert_close(without_b_k(grad.params), without_b_k(of_block(torch, "d")))
    if kind == "decoder":
        assert_close(grad.dmemory, torch["dmemory"])
