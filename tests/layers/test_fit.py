"""Arrays that do not fit are named, with the shape that they must have, by every public function of the layers.

For each of these a call that is right, and then, for each of its arrays, each axis one longer and of size 1, which
NumPy would stretch without a word, one axis less and one more.
"""

import numpy as np
import pytest

from numseq import layers
from numseq.errors import ArgumentError
from numseq.layers import (
    AdditiveParams,
    BatchNormParams,
    BatchNormState,
    BidirectionalParams,
    ConvolutionParams,
    CoverageParams,
    EmbeddingParams,
    GRUParams,
    LayerNormLSTMParams,
    LayerNormParams,
    LinearParams,
    LocalParams,
    LocationParams,
    LSTMParams,
    MultiHeadParams,
    PeepholeParams,
    RNNParams,
)
from numseq.layers.attention.dot import GeneralParams
from numseq.layers.fit import Fit, in_table

T, B, S, D, H, V, A = 5, 3, 4, 2, 6, 7, 8
GATED = {"W_x": (D, 4 * H), "W_h": (H, 4 * H), "b": (4 * H,)}
THREE = {"W_x": (D, 3 * H), "W_h": (H, 3 * H), "b": (3 * H,)}
READ = {"x": (T, B, D), "mask": (T, B)}
LOOK = {"query": (T, B, 10), "keys": (S, B, 9), "values": (S, B, 11), "mask": (S, B)}
ADDITIVE = {"W_q": (10, A), "W_k": (9, A), "b": (A,), "w": (A,)}


def recurrent(function, kind, shapes, cell_state=False):
    def call(**given):
        params = kind(**{name: given.pop(name) for name in shapes})
        state = (given.pop("h"), given.pop("c")) if cell_state else given.pop("h")
        return function(given.pop("x"), state, params, **given)

    return call, READ | {"h": (B, H)} | ({"c": (B, H)} if cell_state else {}) | shapes, {}


def attention(function, kind, shapes, **more):
    def call(**given):
        params = [] if kind is None else [kind(**{name: given.pop(name) for name in shapes})]
        look = [given.pop(name) for name in ("query", "keys", "values")]
        return function(*look, *params, **given, **more)

    return call, LOOK | shapes, {"values": (2,), "query": (0,)}


def bidirectional(x, mask, state, **p):
    ways = [LSTMParams(*[p[f"{name}_{way}"] for name in GATED]) for way in ("ahead", "back")]
    return layers.bidirectional(x, (state, state), BidirectionalParams(*ways), mask=mask)


ANY = {"x": (0, 1, "axes")}  # axes that may be anything; "axes": and as many as one likes
CALLS = {
    "linear": (lambda x, W, b: layers.linear(x, LinearParams(W, b)), {"x": (T, B, D), "W": (D, H), "b": (H,)}, ANY),
    "layer_norm": (
        lambda x, g, b: layers.layer_norm(x, LayerNormParams(g, b)), {"x": (T, B, D), "g": (D,), "b": (D,)}, ANY,
    ),
    "convolution": (
        lambda x, W, b, mask: layers.convolution(x, ConvolutionParams(W, b), padding="same", mask=mask),
        {"x": (T, B, D), "W": (2, D, H), "b": (H,), "mask": (T, B)}, {"W": (0,)},
    ),
    "max_pooling": (
        lambda x, mask: layers.max_pooling(x, size=2, mask=mask), {"x": (T, B, D), "mask": (T, B)}, {"x": (2,)},
    ),
    "batch_norm": (
        lambda x, g, b, mask, mean, var: layers.batch_norm(
            x, BatchNormParams(g, b), mask=mask, state=BatchNormState(mean, var**2)
        ),
        {"x": (T, B, D), "g": (D,), "b": (D,), "mask": (T, B), "mean": (D,), "var": (D,)}, {},
    ),
    "embedding": (
        lambda ids, W: layers.embedding(ids, EmbeddingParams(W)), {"ids": (T, B), "W": (V, D)},
        {"ids": (0, 1, "axes"), "W": (0, 1)},
    ),
    "dropout": (layers.dropout, {"x": (T, B, D), "mask": (T, B, D)}, {"mask": ("stretched",), "x": ("stretched",)}),
    "cross_entropy": (
        layers.cross_entropy, {"logits": (T, B, V), "targets": (T, B), "weights": (T, B)}, {"logits": (2,)},
    ),
    "sampled_cross_entropy": (
        lambda x, W, b, targets, samples, log_q, weights: layers.sampled_cross_entropy(
            x, targets, LinearParams(W, b), samples, log_q, weights
        ),
        {"x": (T, B, H), "W": (H, V), "b": (V,), "targets": (T, B), "samples": (2,), "log_q": (V,), "weights": (T, B)},
        {"samples": (0,)},
    ),
    "coverage_loss": (layers.coverage_loss, {"alpha": (T, B, S), "weights": (T, B)}, {"alpha": (2,)}),
    "mean_squared_error": (
        layers.mean_squared_error, {"frames": (T, B, D), "target": (T, B, D), "weights": (T, B)}, {},
    ),
    "mean_absolute_error": (
        layers.mean_absolute_error, {"frames": (T, B, D), "target": (T, B, D), "weights": (T, B)}, {},
    ),
    "stop_loss": (layers.stop_loss, {"logits": (T, B), "last": (T, B), "weights": (T, B)}, {}),
    "doubly_stochastic_loss": (
        layers.doubly_stochastic_loss, {"alpha": (T, B, S), "steps": (T, B), "mask": (S, B)}, {},
    ),
    "stack_frames": (
        lambda x, **given: layers.stack_frames(x, 2, **given), {"x": (T, B, D), "mask": (T, B)}, {"x": (2,)},
    ),
    "prenet": (
        lambda x, **p: layers.prenet(x, layers.PrenetParams(**p), masks=(None, None)),
        {"x": (T, B, D), "W_1": (D, H), "b_1": (H,), "W_2": (H, A), "b_2": (A,)}, ANY | {"W_2": (1,)},
    ),
    "ctc_loss": (
        lambda logits, targets, weights, mask: layers.ctc_loss(
            logits, targets, np.zeros((T, B), bool), weights, mask=mask
        ),
        {"logits": (S, B, V), "targets": (T, B), "weights": (B,), "mask": (S, B)}, {"logits": (0, 2), "targets": (0,)},
    ),
    "rnn": recurrent(layers.rnn, RNNParams, {"W_x": (D, H), "W_h": (H, H), "b": (H,), "b_h": (H,)}),
    "lstm": recurrent(layers.lstm, LSTMParams, GATED | {"b_h": (4 * H,)}, True),
    "gru": recurrent(layers.gru, GRUParams, THREE | {"b_h": (3 * H,)}),
    "gru, reset before": recurrent(
        lambda x, state, params, **more: layers.sequence(x, state, params, cell=layers.GRUBefore(), **more),
        GRUParams, THREE,
    ),
    "lstm with peepholes": recurrent(
        layers.peephole_lstm, PeepholeParams, GATED | {"p_i": (H,), "p_f": (H,), "p_o": (H,)}, True
    ),
    "lstm with layer normalisation": recurrent(
        layers.layernorm_lstm, LayerNormLSTMParams,
        GATED | {"g_x": (4 * H,), "g_h": (4 * H,), "g_c": (H,), "b_c": (H,)}, True,
    ),
    "bidirectional": (
        bidirectional,
        READ | {"state": (2, B, H)} | {f"{name}_{way}": s for name, s in GATED.items() for way in ("ahead", "back")},
        {},
    ),
    "dot": attention(layers.dot_attention, None, {"keys": (S, B, 10)}),
    "scaled dot": attention(layers.dot_attention, None, {"keys": (S, B, 10)}, scaled=True),
    "general": attention(layers.general_attention, GeneralParams, {"W": (9, 10)}),
    "additive": attention(layers.additive_attention, AdditiveParams, ADDITIVE),
    "coverage": attention(layers.coverage_attention, CoverageParams, ADDITIVE | {"w_c": (A,)}),
    "location": attention(layers.location_attention, LocationParams, ADDITIVE | {"F": (3, 2), "U": (2, A)}),
    "local": attention(layers.local_attention, LocalParams, {"W": (9, 10), "W_p": (10, A), "v": (A,)}),
    "multi-head": attention(
        layers.multihead_attention, MultiHeadParams,
        {"W_q": (10, A), "W_k": (9, A), "W_v": (11, A), "W_o": (A, 12),
         "b_q": (A,), "b_k": (A,), "b_v": (A,), "b_o": (12,)}, heads=2,
    ),
    "lstm_step": (layers.lstm_step, {"a": (B, 4 * H), "c_prev": (B, H)}, {}),
    "gru_step": (layers.gru_step, {"a": (B, 3 * H), "u": (B, H), "h_prev": (B, H)}, {}),
}  # fmt: skip
FREE = {"location": {"F": (0,)}, "dot": {"keys": ()}}  # besides
IDS, MASKS = ("ids", "targets", "samples"), ("mask", "weights", "last", "steps")


def array(name, shape, case):
    rng = np.random.default_rng(len(name) + sum(shape))
    if name in IDS:
        return rng.integers(0, 2, size=shape)
    if name in MASKS and case != "dropout":
        return np.ones(shape, dtype=bool)
    return rng.standard_normal(shape)


def variants(shape, free):
    for axis, n in enumerate(shape):
        if axis not in free:
            yield (*shape[:axis], n + 1, *shape[axis + 1 :])
            if n > 1 and "stretched" not in free:
                yield (*shape[:axis], 1, *shape[axis + 1 :])
    if "axes" not in free:
        yield shape[:-1]
        yield (1, *shape)


EACH = [
    (case, name, shape)
    for case, (_, shapes, free) in CALLS.items()
    for name in shapes
    for shape in variants(shapes[name], FREE.get(case, {}).get(name, free.get(name, ())))
]


@pytest.mark.parametrize("case", CALLS)
def test_what_fits_is_taken(case):
    call, shapes, _ = CALLS[case]
    call(**{name: array(name, shape, case) for name, shape in shapes.items()})


@pytest.mark.parametrize(("case", "name", "shape"), EACH)
def test_what_does_not_fit_is_named_with_the_shape_that_it_must_have(case, name, shape):
    call, shapes, _ = CALLS[case]
    given = {key: array(key, shape if key == name else right, case) for key, right in shapes.items()}
    with pytest.raises(ArgumentError) as info:
        call(**given)
    said = str(info.value)
    named = {key.split("_ahead")[0].split("_back")[0] for key in shapes} | {"h", "c"}
    assert said.split(" ")[0] in named and "must be" in said and "\n" not in said, said


@pytest.mark.parametrize("case", CALLS)
def test_a_list_is_no_array(case):
    call, shapes, _ = CALLS[case]
    given = {name: array(name, shape, case) for name, shape in shapes.items()}
    name = next(name for name in shapes if name not in ("state", "h", "c"))
    with pytest.raises(ArgumentError, match=f"^{name} is .*: it must be|^ids is"):
        call(**(given | {name: given[name].tolist()}))


@pytest.mark.parametrize(
    "case", [case for case, (_, shapes, _) in CALLS.items() if "mask" in shapes and case != "dropout"]
)
@pytest.mark.parametrize("dtype", ["int64", "float64", "uint8"])
def test_masks_are_booleans(case, dtype):
    call, shapes, _ = CALLS[case]
    given = {name: array(name, shape, case) for name, shape in shapes.items()}
    with pytest.raises(ArgumentError, match=f"^mask holds {dtype}: it must hold booleans"):
        call(**(given | {"mask": given["mask"].astype(dtype)}))


# ids

OF_IDS = [(case, name) for case, (_, shapes, _) in CALLS.items() for name in shapes if name in IDS]


@pytest.mark.parametrize(("case", "name"), OF_IDS)
@pytest.mark.parametrize("wrong", [-1, -100, V, 2**31, np.iinfo(np.int64).min])
def test_ids_beyond_the_table_are_named_and_do_not_count_from_its_end(case, name, wrong):
    call, shapes, _ = CALLS[case]
    given = {key: array(key, shape, case) for key, shape in shapes.items()}
    given[name].flat[1] = wrong
    with pytest.raises(ArgumentError, match=f"^{name} holds {wrong}: ids are whole numbers from 0 to {V - 1}$"):
        call(**given)


@pytest.mark.parametrize(("case", "name"), OF_IDS)
@pytest.mark.parametrize("dtype", ["float32", "bool", "complex128"])
def test_ids_are_whole_numbers(case, name, dtype):
    call, shapes, _ = CALLS[case]
    given = {key: array(key, shape, case) for key, shape in shapes.items()}
    with pytest.raises(ArgumentError, match=f"^{name} holds {dtype}: it must hold whole numbers"):
        call(**(given | {name: given[name].astype(dtype)}))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", ">i4", "<i4", "int64", ">i8", "uint64"])
def test_ids_of_any_width_and_order_are_looked_at(dtype):
    right = np.array([[0, 1], [V - 1, 2]], dtype=dtype)
    for ids in (right, right.T, right[::-1, ::-1], right[:0]):
        in_table(ids, "ids", V)
    with pytest.raises(ArgumentError, match=f"^ids holds {V}:"):
        in_table(right + np.array(1, dtype=dtype), "ids", V)


@pytest.mark.parametrize("padding", [-1, V, 0.0, True])
def test_a_padding_id_is_an_id(padding):
    with pytest.raises(ArgumentError, match="^padding_id is"):
        layers.embedding(np.array([[1]]), EmbeddingParams(np.ones((V, D))), padding_id=padding)


# what comes back


@pytest.mark.parametrize(
    "case", ["linear", "layer_norm", "convolution", "max_pooling", "batch_norm", "embedding", "dropout"]
)
def test_a_gradient_has_the_shape_of_what_it_belongs_to(case):
    call, shapes, _ = CALLS[case]
    trace = call(**{name: array(name, shape, case) for name, shape in shapes.items()})
    trace.backward(np.ones(trace.y.shape))
    for shape in (trace.y.shape[1:], (1, *trace.y.shape[1:]), (*trace.y.shape[:-1], 1), (1, *trace.y.shape)):
        with pytest.raises(ArgumentError, match=r"^dy has the shape .*: it must be \(.*\), as y$"):
            trace.backward(np.ones(shape))


def test_gradients_of_an_attention_have_its_shapes():
    call, shapes, _ = CALLS["additive"]
    trace = call(**{name: array(name, shape, "additive") for name, shape in shapes.items()})
    with pytest.raises(ArgumentError, match=r"^dcontext has the shape \(5, 3, 1\): it must be \(5, 3, 11\), as "):
        trace.backward(np.ones((T, B, 1)))
    with pytest.raises(ArgumentError, match=r"^dalpha has the shape \(3, 4\): it must be \(5, 3, 4\), as alpha$"):
        trace.backward(np.ones((T, B, 11)), np.ones((B, S)))


# lists of layers and noise


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"state": [None]}, "state is "),
        ({"dropout_masks": [None, None]}, "dropout_masks is "),
        ({"zoneout": [None] * 3}, "zoneout is "),
        ({"weight_masks": 0.5}, "weight_masks is 0.5: it must be a list of 2, for 2 layers"),
        ({"params": []}, "params has no layer"),
        ({"weight_masks": [np.ones((H, H)), None]}, r"weight_mask has the shape \(6, 6\): it must be \(6, 24\)"),
        ({"zoneout": [(0.5,), None]}, "zoneout has 1 parts: it must have 2, as the state"),
        ({"zoneout": [(np.ones((T, B, 1)), 0.5), None]}, r"zoneout has the shape \(5, 3, 1\): it must be \(5, 3, 6\)"),
        ({"dropout_masks": [np.ones((B, H))]}, r"mask has the shape \(3, 6\): it must be \(5, 3, 6\), as x"),
    ],
)
def test_a_stack_has_as_many_of_each_as_layers(wrong, words):
    rng = np.random.default_rng(0)
    given = {"params": [layers.init_lstm(rng, D, H, float), layers.init_lstm(rng, H, H, float)], "state": None} | wrong
    with pytest.raises(ArgumentError, match=f"^{words}"):
        layers.stack(np.ones((T, B, D)), **given)


def test_directions_of_two_sizes_are_named():
    rng = np.random.default_rng(0)
    ways = BidirectionalParams(layers.init_lstm(rng, D, H, float), layers.init_lstm(rng, D, H + 1, float))
    with pytest.raises(ArgumentError, match=r"^W_h of back has the shape \(7, 28\): it must be \(6, 24\), as that of "):
        layers.bidirectional(np.ones((T, B, D)), None, ways)
    mask = np.ones((H, 4 * H))
    ways = BidirectionalParams(ways.ahead, ways.ahead)
    with pytest.raises(ArgumentError, match=r"^weight_mask has the shape \(6, 24\): it must be \(2, 6, 24\), as W_h "):
        layers.bidirectional(np.ones((T, B, D)), None, ways, weight_mask=mask)


# what else a layer is given


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, p: layers.sequence(x, None, p, cell=layers.LSTM), "cell is <class .*LSTM'>: it must be a cell"),
        (lambda x, p: layers.sequence(x, None, p, cell="lstm"), "cell is 'lstm': it must be a cell"),
        (lambda x, p: layers.lstm(x, None, None), "params is None: it must be parameters of LSTM"),
        (lambda x, p: layers.lstm(x, None, {"W_x": p.W_x}), "params is {.*: it must be parameters of LSTM"),
        (lambda x, p: layers.dropout_mask(np.random.default_rng(0), x.shape, "0.5", float), "dropout rate is '0.5': "),
        (lambda x, p: layers.dropout_mask(np.random.default_rng(0), x.shape, 1, float), "dropout rate is 1: "),
        (
            lambda x, p: layers.cross_entropy(x, np.zeros((T, B), dtype=int), smoothing="0.1"),
            "label smoothing is '0.1'",
        ),
        (
            lambda x, p: layers.cross_entropy(x, np.zeros((T, B), dtype=int), None, 0, None),
            "confidence penalty is None",
        ),
        (lambda x, p: layers.log_uniform(np.random.default_rng(0), 9, 2.5, float), "count is 2.5: "),
        (lambda x, p: layers.log_uniform(np.random.default_rng(0), "9", 2, float), "vocabulary is '9': "),
        (lambda x, p: layers.MultiHeadAttention(*attended("multi-head"), heads=2.0), "heads is 2.0: "),
        (lambda x, p: layers.LocalAttention(*attended("local"), window="5"), "window is '5': "),
        (lambda x, p: layers.Initializer(scale="1"), "initial scale is '1': "),
        (lambda x, p: layers.Initializer(forget_bias=None), "forget bias is None: "),
        (lambda x, p: layers.softmax(np.float64(1)), r"z has the shape \(\): it must be \(..., K\)"),
        (lambda x, p: layers.log_softmax([1.0, 2.0]), r"z is \[1.0, 2.0\]: it must be an array"),
        (lambda x, p: layers.maxout(np.float64(1)), r"x has the shape \(\): it must be \(..., K\)"),
    ],
)
def test_other_arguments_are_named(call, words):
    params = layers.init_lstm(np.random.default_rng(0), D, H, float)
    with pytest.raises(ArgumentError, match=f"^{words}"):
        call(np.ones((T, B, D)), params)


def attended(case):
    """keys, values, params of an attention above."""
    kind = {"multi-head": MultiHeadParams, "local": LocalParams}[case]
    shapes = {name: shape for name, shape in CALLS[case][1].items() if name not in LOOK}
    return np.ones((S, B, 9)), np.ones((S, B, 11)), kind(*(np.ones(shape) for shape in shapes.values()))


# how a shape is written


@pytest.mark.parametrize(
    ("shapes", "arrays", "said"),
    [
        ({"x": "T B"}, [(2,)], "x has the shape (2,): it must be (T, B)"),
        ({"x": "... D"}, [()], "x has the shape (): it must be (..., D)"),
        ({"W": "D 4H"}, [(3, 6)], "W has the shape (3, 6): it must be (D, 4H)"),
        ({"W": "D 4H", "b": "4H"}, [(3, 8), (4,)], "b has the shape (4,): it must be (8,), that is (4H,)"),
        ({"W": "D K", "x": "... D"}, [(3, 8), (2, 2)], "x has the shape (2, 2): it must be (..., 3), that is (..., D)"),
        ({"x": "... D", "y": "..."}, [(2, 3, 4), (3, 2)], "y has the shape (3, 2): it must be (2, 3), that is (...)"),
        ({"x": "T 1"}, [(2, 3)], "x has the shape (2, 3): it must be (T, 1)"),
        ({"x": "H H"}, [(2, 3)], "x has the shape (2, 3): it must be (H, H)"),
    ],
)
def test_the_message_has_letters_and_numbers(shapes, arrays, said):
    with pytest.raises(ArgumentError) as info:
        Fit(**shapes)(*map(np.zeros, arrays))
    assert str(info.value) == said


def test_what_can_be_left_out_says_nothing_of_sizes():
    fit = Fit(b="K", x="... K", mask="... bool")
    fit(None, np.ones((2, 3)), None)
    fit(None, np.ones((2, 4)), np.ones(2, dtype=bool))


def test_only_so_many_calls_are_remembered(monkeypatch):
    monkeypatch.setattr("numseq.layers.fit.KNOWN", 3)
    fit = Fit(x="K")
    for n in range(10):
        fit(np.ones(n))
    assert 1 <= len(fit.known) <= 3
