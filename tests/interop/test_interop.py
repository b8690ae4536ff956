"""PyTorch's state dicts come in, compute what PyTorch computes, and go back to the last bit.

PyTorch itself is never imported: oracles/make_interop.py wrote its numbers, and a file as it saves them.
"""

import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import strict_cupy
from helpers import assert_close, assert_same, normal
from hypothesis import given, settings
from hypothesis import strategies as st

import numseq
from numseq import interop, layers
from numseq import params as trees
from numseq.interop import InteropError, from_torch, read, to_torch, write
from numseq.layers import (
    BidirectionalParams,
    EmbeddingParams,
    GRUParams,
    LinearParams,
    LSTMParams,
    RNNParams,
    relu_step,
)
from numseq.layers.attention.multihead import MultiHeadAttention, multihead_attention
from numseq.models import Seq2Seq

ORACLES = Path(__file__).parents[1] / "oracles"
SAVED = ORACLES / "interop.safetensors"
CELLS = {"RNN": layers.RNN(), "LSTM": layers.LSTM(), "GRU": layers.GRU()}
quick = settings(max_examples=100, deadline=None)


def load():
    """{module: {key: array}}, in the dtypes and the order in which PyTorch has them."""
    modules, start = {}, 0
    with np.load(ORACLES / "interop.npz") as file:
        names, values = file["names"].tolist(), file["values"]
    for name, dtype, *shape in map(str.split, names):
        shape = tuple(map(int, shape))
        stop = start + int(np.prod(shape))
        module, _, key = name.partition("/")
        modules.setdefault(module, {})[key] = values[start:stop].reshape(shape).astype(dtype)
        start = stop
    assert start == len(values)
    return modules


MODULES = load()


def state_of(module):
    start = "state/"
    return {key.removeprefix(start): array for key, array in MODULES[module].items() if key.startswith(start)}


def kind_of(module):
    return module.partition("-")[0]


def assert_same_state(found, expected):
    """The same names in the same order; each array of the same dtype, shape and bits, in C order."""
    assert list(found) == list(expected)
    for name, array in found.items():
        assert type(array) is np.ndarray and array.flags.c_contiguous, name
        assert (array.dtype, array.shape) == (expected[name].dtype, expected[name].shape), name
        assert array.tobytes() == expected[name].tobytes(), name


def assert_nothing_shared(one, other):
    assert not any(np.shares_memory(a, b) for a in one for b in other)


# what PyTorch computed


@pytest.mark.parametrize("module", [module for module in MODULES if module != "tagger"])
def test_a_state_dict_comes_back_to_the_last_bit(module):
    state = state_of(module)
    before = {name: array.copy() for name, array in state.items()}
    params = from_torch(state, kind_of(module))
    back = to_torch(params)
    assert_same_state(back, state)
    assert_same_state(state, before)
    assert all(array.flags.c_contiguous for array in trees.leaves(params))
    assert_nothing_shared(trees.leaves(params), state.values())
    assert_nothing_shared(trees.leaves(params), back.values())
    assert_same_state(to_torch(from_torch(back, kind_of(module), ""), "a.b."), {f"a.b.{k}": v for k, v in back.items()})


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU", "RNN-relu", "LSTM-no-bias", "GRU-float32"])
def test_recurrent_layers_compute_what_pytorch_computes(module):
    torch = MODULES[module]
    params = from_torch(state_of(module), kind_of(module))
    both = isinstance(params[0], BidirectionalParams)
    parts = "hc" if "c0" in torch else "h"

    def states(when):
        """One for each layer, its parts (B, H), or (2, B, H); in PyTorch they are (layers * directions, B, H)."""
        by_layer = lambda a: a.reshape(len(params), 2, *a.shape[1:]) if both else a  # noqa: E731
        return list(zip(*(by_layer(torch[f"{part}{when}"]) for part in parts), strict=True))

    cell = layers.RNN(relu_step) if module == "RNN-relu" else CELLS[kind_of(module)]
    trace = layers.stack(torch["x"], states("0"), params, cell=cell)
    tolerance = 1e-6 if "float32" in module else 1e-12
    assert trace.h.dtype == torch["h"].dtype
    assert_close([trace.h, *trees.leaves(trace.final)], [torch["h"], *trees.leaves(states("_T"))], tolerance)


@pytest.mark.parametrize("module", ["RNNCell", "LSTMCell", "GRUCell", "GRUCell-no-bias"])
def test_cells_compute_what_pytorch_computes(module):
    torch = MODULES[module]
    params = from_torch(state_of(module), kind_of(module))
    cell = CELLS[kind_of(module).removesuffix("Cell")]
    parts = "hc" if "c0" in torch else "h"
    trace = layers.sequence(torch["x"][None], tuple(torch[f"{part}0"] for part in parts), params, cell=cell)
    assert_close(list(trace.final), [torch[part] for part in parts])


@pytest.mark.parametrize("module", ["Linear", "Linear-no-bias"])
def test_linear_computes_what_pytorch_computes(module):
    torch = MODULES[module]
    assert_close(layers.linear(torch["x"], from_torch(state_of(module), "Linear")).y, torch["y"])


def test_embedding_looks_up_what_pytorch_looks_up():
    torch = MODULES["Embedding"]
    assert_same(layers.embedding(torch["ids"], from_torch(state_of("Embedding"), "Embedding")).y, torch["y"])


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("Multihead")])
def test_attention_looks_where_pytorch_looks(module):
    torch = MODULES[module]
    params = from_torch(state_of(module), "MultiheadAttention")
    trace = multihead_attention(*(torch[name] for name in ("query", "keys", "values")), params, heads=2)
    assert_close(trace.context, torch["context"])
    assert_close(trace.alpha, torch["alpha"].swapaxes(0, 1))  # (B, T, S) in PyTorch


def test_a_whole_model_saved_by_pytorch():
    torch, state = MODULES["tagger"], read(SAVED)
    assert_same_state({name: state[name] for name in state_of("tagger")}, state_of("tagger"))
    words, rnn, readout = (from_torch(state, *which) for which in TAGGER)
    x = layers.embedding(torch["ids"], words).y
    y = layers.linear(layers.stack(x, None, rnn).h, readout).y
    assert y.dtype == np.float32
    assert_close(y, torch["y"], 1e-6)
    back = to_torch(words, "embedding.") | to_torch(rnn, "rnn.") | to_torch(readout, "readout.")
    assert_same_state(back, state_of("tagger"))


TAGGER = [("Embedding", "embedding."), ("LSTM", "rnn."), ("Linear", "readout.")]


ALIKE = ("Embedding", "Linear-no-bias")


@pytest.mark.parametrize("module", [module for module in MODULES if module not in ("tagger", *ALIKE)])
def test_the_kind_may_be_left_out(module):
    state = state_of(module)
    assert_same(from_torch(state), from_torch(state, kind_of(module)))
    assert_same_state(to_torch(from_torch(state)), state)


def test_after_training_everything_comes_back_as_it_is():
    params = from_torch(state_of("GRU"), "GRU")
    for k, leaf in enumerate(trees.leaves(params)):
        leaf += normal(*leaf.shape, seed=k)  # both biases move, and not by the same
    assert_same(from_torch(to_torch(params), "GRU"), params)


@pytest.mark.parametrize("module", ["GRU", "Linear", "Embedding", "MultiheadAttention", "MultiheadAttention-separate"])
def test_parameters_live_on_the_current_backend_and_come_back_as_numpy(module, tmp_path):
    state, path = state_of(module), tmp_path / "state.npz"
    with strict_cupy.installed(), numseq.use("cupy") as cupy:
        params = from_torch(state, kind_of(module))
        assert all(isinstance(leaf, cupy.ndarray) for leaf in trees.leaves(params))
        assert_same_state(to_torch(params), state)
        write(path, {name: cupy.asarray(array) for name, array in state.items()})
    assert_same_state(read(path), state)


# any layers, directions, biases and dtypes


@st.composite
def recurrent(draw):
    """A state dict of nn.RNN, nn.LSTM or nn.GRU, with its kind."""
    kind, dtype = draw(st.sampled_from([*CELLS])), draw(st.sampled_from([np.float16, np.float32, np.float64]))
    D, H, both = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.booleans())
    names, state = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"][: draw(st.sampled_from([2, 4]))], {}
    rng, rows = np.random.default_rng(draw(st.integers(0, 99))), H * {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    for k in range(draw(st.integers(1, 12))):
        columns = {"weight_ih": H * (1 + both) if k else D, "weight_hh": H}
        for way in ("", "_reverse")[: 1 + both]:
            for name in names:
                shape = (rows, columns[name]) if name in columns else (rows,)
                state[f"{name}_l{k}{way}"] = rng.standard_normal(shape).astype(dtype)
    return kind, state


@quick
@given(made=recurrent(), prefix=st.sampled_from(["", "encoder.rnn.", "7"]), named=st.booleans())
def test_any_recurrent_module_comes_back(made, prefix, named):
    kind, state = made
    whole = {"other.weight": np.ones(3)} if prefix else {}
    whole |= {f"{prefix}{name}": array for name, array in reversed(state.items())}  # their order in a file is any
    params = from_torch(whole, kind if named else None, prefix)
    assert len(params) == sum(re.fullmatch(r"weight_ih_l\d+", name) is not None for name in state)
    assert_same_state(to_torch(params, prefix), {f"{prefix}{name}": array for name, array in state.items()})


@quick
@given(made=recurrent(), suffix=st.sampled_from([".npz", ".safetensors"]))
def test_files_hold_any_state_dict(made, suffix, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"state{suffix}"
    _, state = made
    state |= {"norm.num_batches_tracked": np.array(7), "file": np.ones((0, 2)), "mask": np.array([True, False])}
    write(path, state)
    found = read(path)
    assert_same_state({name: found[name] for name in state}, state)
    assert len(found) == len(state) and (suffix != ".npz" or list(found) == list(state))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_files_at_the_limits(tmp_path, suffix):
    path = tmp_path / f"state{suffix.upper()}"
    write(path, {})
    assert read(path) == {}
    array = np.arange(6.0).reshape(2, 3)
    write(str(path), {"a": array.T, "b": array.astype(">f8")})  # neither C order nor this machine's byte order
    found = read(str(path))
    assert_same([found["a"], found["b"]], [array.T, array])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("one.npz", "two.npz"):
        write(tmp_path / name, state_of("LSTM"))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


# what PyTorch has and numseq lacks, and the other way round


def test_one_bias_of_numseqs_own_goes_to_pytorch_with_zeros_for_the_other():
    params = layers.init_lstm(np.random.default_rng(0), 3, 2, np.float32)
    assert params.b_h is None
    state = to_torch([params])
    assert_same(state["bias_ih_l0"], params.b)
    assert_same(state["bias_hh_l0"], np.zeros(8, np.float32))
    assert state["bias_hh_l0"].dtype == np.float32
    lower = LSTMParams(params.W_x, params.W_h, None)  # one layer without, one with
    upper = layers.init_lstm(np.random.default_rng(1), 2, 2, np.float32)
    assert_same(to_torch([lower, upper])["bias_ih_l0"], np.zeros(8, np.float32))


def test_a_bias_that_numseqs_attention_leaves_out_goes_to_pytorch_as_zeros():
    params = MultiHeadAttention.init(np.random.default_rng(0), 4, 4, 4, np.float64)
    assert params.b_k is None
    assert_same(to_torch(params)["in_proj_bias"], np.zeros(12))


def edited(module, **changes):
    """A state dict with arrays put in ("__" for the dot), or left out (None)."""
    changes = {name.replace("__", "."): array for name, array in changes.items()}
    return {name: array for name, array in (state_of(module) | changes).items() if array is not None}


ONE = np.ones
BAD_STATES = [
    (edited("LSTM", bias_hh_l1=None), "LSTM", "", "bias_hh_l1 is missing"),
    (edited("LSTM", weight_ih_l0=None), "LSTM", "", "weight_ih_l0 is missing"),
    (edited("LSTM", weight_hh_l0_reverse=None), "LSTM", "", "weight_hh_l0_reverse is missing"),
    (edited("Linear", weight=None), "Linear", "", "weight is missing"),
    (edited("LSTM"), "Linear", "", "weight is missing"),
    (edited("LSTM", gamma=ONE(2)), "LSTM", "", "gamma does not belong to this LSTM; `prefix` chooses a module"),
    (
        edited("Linear", weight_g=ONE(2)), "Linear", "",
        "weight_g does not belong to this Linear; `prefix` chooses a module",
    ),
    (
        edited("Linear"), "Embedding", "",
        "bias does not belong to this Embedding; `prefix` chooses a module",
    ),
    (edited("LSTM", bias_hh_l1=ONE(7)), "LSTM", "", "bias_hh_l1 has shape (7,), expected (8,)"),
    (edited("LSTM", weight_ih_l1=ONE((8, 3))), "LSTM", "", "weight_ih_l1 has shape (8, 3), expected (8, 4)"),
    (
        edited("LSTM", weight_ih_l0_reverse=ONE((8, 3))), "LSTM", "",
        "weight_ih_l0_reverse has shape (8, 3), expected (8, 5)",
    ),
    (edited("LSTM", weight_hh_l0=ONE(8)), "LSTM", "", "weight_hh_l0 has shape (8,), expected a matrix"),
    (edited("Linear", bias=ONE(3)), "Linear", "", "bias has shape (3,), expected (2,)"),
    (edited("Embedding", weight=ONE(3)), "Embedding", "", "weight has shape (3,), expected (any, any)"),
    (
        edited("LSTM"), "GRU", "",
        "weight_ih_l0 has 4 times as many rows as weight_hh_l0 columns: this is of LSTM, not GRU",
    ),
    (
        edited("GRUCell"), "RNNCell", "",
        "weight_ih has 3 times as many rows as weight_hh columns: this is of GRU, not RNN",
    ),
    (
        edited("LSTM", weight_ih_l0=ONE((7, 5))), "LSTM", "",
        "weight_ih_l0 has 7 rows and weight_hh_l0 2 columns: in an RNN, LSTM or GRU there are 1, 4 or 3 times as many "
        "rows",
    ),
    (
        edited("LSTM", weight_hr_l0=ONE((1, 2))), "LSTM", "",
        "weight_hr_l0: made by proj_size, and numseq's LSTM does not project its state",
    ),
    (
        edited("MultiheadAttention", bias_k=ONE((1, 1, 4)), bias_v=ONE((1, 1, 4))), "MultiheadAttention", "",
        "bias_k: made by add_bias_kv, and numseq's attention has no key that belongs to no position",
    ),
    (
        edited("MultiheadAttention", bias_v=ONE((1, 1, 4))), "MultiheadAttention", "",
        "bias_v: made by add_bias_kv, and numseq's attention has no value that belongs to no position",
    ),
    (edited("MultiheadAttention", in_proj_bias=None), "MultiheadAttention", "", "in_proj_bias is missing"),
    (edited("MultiheadAttention", out_proj__bias=None), "MultiheadAttention", "", "out_proj.bias is missing"),
    (
        edited("MultiheadAttention", in_proj_weight=ONE((8, 4))), "MultiheadAttention", "",
        "in_proj_weight has shape (8, 4), expected (12, 4)",
    ),
    (
        edited("MultiheadAttention-separate", q_proj_weight=ONE((4, 3))), "MultiheadAttention", "",
        "q_proj_weight has shape (4, 3), expected (4, 4)",
    ),
    (
        edited("Linear", bias=ONE(2, np.float32)), "Linear", "",
        "bias is float32 and others of the module are float64: they must be one",
    ),
    (edited("Linear", weight=ONE((2, 5), np.int8)), "Linear", "", "weight holds int8, expected floating numbers"),
    (edited("Embedding", weight=np.array([["a"]])), "Embedding", "", "weight holds <U1, expected floating numbers"),
    (edited("tagger"), "LSTM", "rnn", "the prefix 'rnn' lacks its dot: 'rnn.'"),
    (edited("tagger"), "LSTM", "encoder.", "no name begins with 'encoder.'"),
    (edited("tagger", rnn__weight_hh_l1=None), "LSTM", "rnn.", "rnn.weight_hh_l1 is missing"),
    (edited("tagger", rnn__bias_hh_l1=ONE(3)), "LSTM", "rnn.", "rnn.bias_hh_l1 has shape (3,), expected (8,)"),
    ({}, "LSTM", "", "the state dict is empty"),
    (
        edited("LSTM"), "Lstm", "",
        "unknown kind 'Lstm': choose one of Embedding, Linear, RNN, LSTM, GRU, RNNCell, LSTMCell, GRUCell, "
        "MultiheadAttention",
    ),
    (edited("LSTM"), "Cell", "", None),
    (
        edited("Embedding"), None, "",
        "weight alone may be of an Embedding or of a Linear without bias: say which as `kind`",
    ),
    (
        edited("tagger"), None, "",
        "embedding.weight: not a name of Embedding, Linear, RNN, LSTM, GRU, RNNCell, LSTMCell, GRUCell, "
        "MultiheadAttention; choose a module of the state dict by `prefix`",
    ),
    (
        "model.safetensors", "LSTM", "",
        "a str is no state dict; `read`, `to_torch` and PyTorch's model.state_dict() give one",
    ),
]  # fmt: skip


@pytest.mark.parametrize("state, kind, prefix, message", BAD_STATES)
def test_a_state_dict_that_does_not_fit_is_refused_in_one_line(state, kind, prefix, message):
    with pytest.raises(InteropError) as caught:
        from_torch(state, kind, prefix)
    text = str(caught.value)
    assert "\n" not in text and (text == message or message is None)


class Tensor:
    """A tensor that PyTorch does not turn into an array; the message is its own."""

    def __array__(self, *args, **kwargs):
        raise TypeError("Got unsupported ScalarType BFloat16")


def test_a_tensor_that_numpy_cannot_hold_is_named():
    with pytest.raises(InteropError) as caught:
        from_torch({"word.weight": Tensor()}, "Embedding", "word.")
    assert str(caught.value) == "word.weight cannot become a NumPy array (Got unsupported ScalarType BFloat16)"


class Derived(LSTMParams):
    """With parts of its own, perhaps."""


def an_lstm(D=3, H=2):
    return layers.init_lstm(np.random.default_rng(0), D, H, np.float64)


def a_gru(D=3, H=2):
    return layers.init_gru(np.random.default_rng(0), D, H, np.float64)


MIXED = "the layers of one PyTorch module must be all of one kind, and all of one or two directions"
BAD_PARAMS = [
    ([], MIXED),
    ([an_lstm(), a_gru(2)], MIXED),
    ([BidirectionalParams(an_lstm(), a_gru())], MIXED),
    ([BidirectionalParams(an_lstm(), an_lstm()), an_lstm(4)], MIXED),
    (
        BidirectionalParams(an_lstm(), an_lstm()),
        "PyTorch has no bidirectional cell: for a layer of nn.RNN, nn.LSTM or nn.GRU give a list",
    ),
    ([an_lstm(), an_lstm(2, 4)], "p.weight_ih_l1 has shape (16, 2), expected (8, 2)"),
    ([an_lstm(), an_lstm(3)], "p.weight_ih_l1 has shape (8, 3), expected (8, 2)"),
    (LinearParams(W=ONE((2, 3)), b=ONE(2)), "p.bias has shape (2,), expected (3,)"),
    (EmbeddingParams(W=ONE((2, 3), complex)), "p.weight holds complex128, expected floating numbers"),
    (
        layers.init_gru(np.random.default_rng(0), 3, 2, np.float64, reset_after=False),
        "GRUParams with b but no b_h are of a GRU that resets before the product, which PyTorch lacks; if this one "
        "resets after it, set b_h to zeros",
    ),
    (Derived(ONE((3, 8)), ONE((2, 8)), None), "PyTorch has no module with the parameters of Derived"),
    (
        MultiHeadAttention.init(np.random.default_rng(0), 3, 3, 4, np.float64),
        "p.in_proj_weight has shape (12, 3), expected (12, 4)",
    ),
    (
        MultiHeadAttention.init(np.random.default_rng(0), 4, 3, 4, np.float64),
        "p.out_proj.weight has shape (3, 4), expected (4, 4)",
    ),
    ([ONE(3)], "PyTorch has no module with the parameters of ndarray"),
    (
        RNNParams(ONE((3, 8)), ONE((2, 8)), None),
        "p.weight_ih has 4 times as many rows as weight_hh columns: this is of LSTM, not RNN",
    ),
    (GRUParams(ONE((3, 6), np.float32), ONE((2, 6)), None), None),
]


@pytest.mark.parametrize("params, message", BAD_PARAMS)
def test_parameters_that_pytorch_lacks_are_refused_in_one_line(params, message):
    with pytest.raises(InteropError) as caught:
        to_torch(params, "p.")
    text = str(caught.value)
    assert "\n" not in text and (text == message or message is None)


# files that do not fit


def safetensors_of(dtype, size):
    """The bytes of a .safetensors file with two numbers "w" of a dtype that NumPy may lack."""
    header = json.dumps({"w": {"dtype": dtype, "shape": [2], "data_offsets": [0, 2 * size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(2 * size)


def message_of(call, *args):
    with pytest.raises(InteropError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".PT"])
def test_a_pickle_is_refused_with_the_way_out(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    expected = (
        f"{path}: torch.save writes a pickle, which can run any code when it is read; convert it in PyTorch: "
        'safetensors.torch.save_file(model.state_dict(), "model.safetensors")'
    )
    assert message_of(read, path) == message_of(write, path, {}) == expected


@pytest.mark.parametrize("name", ["model", "model.h5", "model.npy"])
def test_other_suffixes_are_refused(tmp_path, name):
    path = tmp_path / name
    expected = f"{path}: a file of weights ends in .safetensors or .npz"
    assert message_of(read, path) == message_of(write, path, {}) == expected


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_missing_and_damaged_files(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    assert message_of(read, path) == f"{path}: no such file"
    write(path, {"a": normal(30, 4), "b": normal(5)})
    whole, start = path.read_bytes(), f"{path}: truncated or not a {suffix} file of arrays ("
    for stop in (0, 1, 7, 9, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:stop])
        assert message_of(read, path).startswith(start), stop
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    assert message_of(read, folder).startswith(f"{folder}: truncated or not a {suffix} file of arrays (")
    assert message_of(write, folder, {}) == f"{folder}: cannot be written (Is a directory)"
    nowhere = tmp_path / "nowhere" / path.name
    assert message_of(write, nowhere, {}) == f"{nowhere}: cannot be written (No such file or directory)"


def test_nothing_that_could_run_is_read(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, a=np.array([{}]))
    assert message_of(read, path) == (
        f"{path}: truncated or not a .npz file of arrays (Object arrays cannot be loaded when allow_pickle=False)"
    )
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    start = f"{path}: truncated or not a .npz file of arrays"
    assert message_of(read, path) == f"{start} (one .npy array, without a name)"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02.")  # what torch.save writes is a zip file too
    assert message_of(read, path) == f"{start} (archive/data.pkl in it is no array)"


@pytest.mark.parametrize("dtype, size, name", [("BF16", 2, "bfloat16"), ("F8_E4M3", 1, "F8_E4M3")])
def test_numbers_that_numpy_lacks_are_named(tmp_path, dtype, size, name):
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors_of(dtype, size))
    assert message_of(read, path) == f"{path}: w is {name}, which NumPy lacks; convert it in PyTorch with .float()"
    path.write_bytes(safetensors_of("F16", 2))
    assert_same_state(read(path), {"w": np.zeros(2, np.float16)})


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_only_plain_numbers_are_written(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    for array in (np.array([{}]), np.array(["a"]), np.ones(2, complex)):
        expected = f"a.b holds {array.dtype}: only real numbers of at most 64 bits can be written"
        assert message_of(write, path, {"a.b": array}) == expected
    assert message_of(write, path, an_lstm()) == (
        "a LSTMParams is no state dict; `read`, `to_torch` and PyTorch's model.state_dict() give one"
    )
    assert not path.exists()


# the page


def test_the_page_runs_and_names_every_kind(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "interop.md").read_text(encoding="utf-8")
    shutil.copy(SAVED, tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    code = [block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "import torch" not in block]
    names = {}
    for block in code:
        exec(compile(block, "interop.md", "exec"), names)
    assert_same_state(read("back.safetensors"), read("model.safetensors"))
    seq2seq = names["seq2seq"]  # a saved run of it can be loaded
    made = Seq2Seq.create(seq2seq.config).params
    expected, found = ([(k, v.shape, v.dtype) for k, v in trees.walk(tree)] for tree in (made, seq2seq.params))
    assert found == expected
    assert len(code) >= 3 and all(f"nn.{kind}" in page for kind in interop.KINDS)
