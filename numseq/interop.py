"""Weights to and from PyTorch, without PyTorch: its state dicts as numseq's parameters, and back, bit for bit.

    state = read("model.safetensors")                        # {"encoder.rnn.weight_ih_l0": array (4H, D), ...}
    params = from_torch(state, "LSTM", "encoder.rnn.")       # [LSTMParams, ...], as `numseq.layers.stack` takes it
    write("model.safetensors", to_torch(params, "encoder.rnn."))

PyTorch multiplies from the left, y = W x, and numseq from the right, y = x W: so every matrix is transposed, except an
embedding's, which has one row per token in both. The gates stand in the same order in both, i, f, g, o and r, z, n. A
recurrent layer of PyTorch has two biases, and both are kept: bias_ih is b, and bias_hh is b_h.

Source: the pages of nn.Embedding, nn.Linear, nn.RNN, nn.LSTM, nn.GRU, their cells, and nn.MultiheadAttention in
PyTorch's documentation, sections "Variables".
"""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from numseq import params as trees
from numseq.backend import to_numpy
from numseq.errors import NumseqError
from numseq.files import write_atomically
from numseq.layers import BidirectionalParams, EmbeddingParams, GRUParams, LinearParams, LSTMParams, RNNParams
from numseq.layers.multihead import MultiHeadParams

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}  # blocks of H rows in weight_ih and weight_hh
PARAMS = {"RNN": RNNParams, "LSTM": LSTMParams, "GRU": GRUParams}
KINDS = ("Embedding", "Linear", *GATES, *(f"{kind}Cell" for kind in GATES), "MultiheadAttention")
REFUSED = {
    "weight_hr": "made by proj_size, and numseq's LSTM does not project its state",
    "bias_k": "made by add_bias_kv, and numseq's attention has no key that belongs to no position",
    "bias_v": "made by add_bias_kv, and numseq's attention has no value that belongs to no position",
}
PICKLES = (".pt", ".pth", ".bin", ".ckpt")
NUMBERS = {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}  # that NumPy has


class InteropError(NumseqError):
    """A file or a state dict that cannot be exchanged with PyTorch; the message names the key."""


# files


def read(path):
    """Read a state dict from a file.

    Args: path, a .safetensors or .npz file. Neither can execute anything when it is read.
    Returns: a dict, name to NumPy array.
    Raises: InteropError, when there is no such file, when it is another kind of file, damaged or cut short, or when it
        holds numbers that NumPy does not have (bfloat16).
    """
    kind = _suffix(path)
    try:
        state = _read_npz(path) if kind == ".npz" else _read_safetensors(path)
    except InteropError:
        raise
    except FileNotFoundError:
        raise InteropError(f"{path}: no such file") from None
    except Exception as error:  # of damaged files, zipfile, NumPy and safetensors raise a dozen kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InteropError(f"{path}: truncated or not a {kind} file of arrays ({reason})") from None
    return state


def _read_npz(path):
    with open(path, "rb") as raw:  # NumPy leaves a damaged file open that it opened itself
        file = np.load(raw, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("one .npy array, without a name")
        with file:
            state = {name: file[name] for name in file.files}
    if strange := [name for name, array in state.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"{strange[0]} in it is no array")
    return state


def _read_safetensors(path):
    from safetensors import safe_open

    state = {}
    with safe_open(path, framework="np") as file:
        for name in file.keys():  # noqa: SIM118 - not a dict
            dtype = file.get_slice(name).get_dtype()
            if dtype not in NUMBERS:
                dtype = "bfloat16" if dtype == "BF16" else dtype
                raise InteropError(f"{path}: {name} is {dtype}, which NumPy lacks; convert it in PyTorch with .float()")
            state[name] = file.get_tensor(name)
    return state


def write(path, state):
    """Write a state dict to a file, all of it or nothing.

    Args: path, a .safetensors or .npz file, replaced if it is there. state, a dict, name to array of either backend.
    Raises: InteropError, when the file has another suffix, an array does not hold plain numbers, or the file cannot be
        written.
    """
    kind, arrays = _suffix(path), {}
    for name, array in _checked(state).items():
        array = arrays[name] = np.asarray(_host(name, array), order="C")
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise InteropError(f"{name} holds {array.dtype}: only real numbers of at most 64 bits can be written")
    try:
        write_atomically(path, _npz(arrays) if kind == ".npz" else _safetensors(arrays))
    except OSError as error:
        raise InteropError(f"{path}: cannot be written ({error.strerror})") from None


def _npz(arrays):
    """The bytes of an .npz file. `np.savez` takes the names as arguments, so that a few (`file`) cannot be names."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, array in arrays.items():
            # ZipInfo has a fixed date: the same arrays give the same bytes
            with file.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return data.getvalue()


def _safetensors(arrays):
    from safetensors.numpy import save

    return save(arrays, {"format": "pt"})  # some readers, such as transformers, refuse a file that does not say so


def _suffix(path):
    suffix = Path(path).suffix.lower()
    if suffix in PICKLES:
        raise InteropError(
            f"{path}: torch.save writes a pickle, which can run any code when it is read; convert it in PyTorch: "
            'safetensors.torch.save_file(model.state_dict(), "model.safetensors")'
        )
    if suffix not in (".safetensors", ".npz"):
        raise InteropError(f"{path}: a file of weights ends in .safetensors or .npz")
    return suffix


# from PyTorch


def from_torch(state, kind=None, prefix=""):
    """The parameters of one PyTorch module as numseq's, on the current backend, in the dtype that they have.

    | kind                       | what comes back                                                                  |
    | -------------------------- | -------------------------------------------------------------------------------- |
    | Embedding                  | EmbeddingParams                                                                  |
    | Linear                     | LinearParams; b is None for bias=False                                           |
    | RNN, LSTM, GRU             | a list with RNNParams, LSTMParams or GRUParams for each layer, or with           |
    |                            | BidirectionalParams of two of them: what `numseq.layers.stack` takes             |
    | RNNCell, LSTMCell, GRUCell | RNNParams, LSTMParams or GRUParams; b and b_h are None for bias=False            |
    | MultiheadAttention         | MultiHeadParams                                                                  |

    Names and shapes say all of this but for an Embedding and a Linear without bias, which look the same. A state dict
    does not say which nonlinearity an nn.RNN has (tanh, or with cell=RNN(relu_step, ReLUStep) the rectified linear
    unit), how many heads there are, batch_first, the dropout, or the padding_idx of an embedding: you must know these.

    Args: state, a dict, name to array (those of `read`, or PyTorch's own tensors on the CPU). kind, a class of
        torch.nn, as in the table, or None to tell it from names and shapes. prefix, what the names of the module begin
        with in a larger state dict, "encoder.rnn."; all names with this prefix must belong to the module.
    Returns: the parameters: new arrays, nothing of `state` is shared or changed.
    Raises: InteropError, which names the key: when one is missing or left over, a shape does not fit, an array does not
        hold floating numbers or has not the dtype of the others, or the module has what numseq lacks (proj_size,
        add_bias_kv).
    Source: see the module. Which of nn.RNN, nn.LSTM and nn.GRU it is follows from the rows of weight_ih: H, 4H or 3H.
    """
    return trees.to_backend(_from_torch(_Module(_checked(state), prefix), kind))


def _checked(state):
    if not isinstance(state, Mapping):
        raise InteropError(
            f"a {type(state).__name__} is no state dict; `read`, `to_torch` and PyTorch's model.state_dict() give one"
        )
    return state


def _from_torch(module, kind):
    kind = module.kind() if kind is None else kind
    if kind == "Embedding":
        module.expect(kind, ["weight"])
        return EmbeddingParams(W=module.get("weight", None, None))
    if kind == "Linear":
        bias = "bias" in module.own
        module.expect(kind, ["weight", "bias"] if bias else ["weight"])
        W = _transposed(module.get("weight", None, None))
        return LinearParams(W=W, b=module.get("bias", W.shape[1]) if bias else None)
    if kind in GATES:
        return _layers(module, kind)
    if kind in KINDS and kind.endswith("Cell"):
        bias = module.has("bias_")
        module.expect(kind, _names("", bias))
        H = module.hidden("", kind.removesuffix("Cell"))
        return _cell(module, kind.removesuffix("Cell"), "", None, H, bias)
    if kind == "MultiheadAttention":
        return _multihead(module)
    raise InteropError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")


def _names(suffix, bias):
    """The names of a cell's arrays, in PyTorch's order. suffix: "", or that of a layer and direction, "_l0_reverse"."""
    return [f"{name}{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if bias else 2]]


def _layers(module, kind):
    count = sum(re.fullmatch(r"weight_ih_l\d+", name) is not None for name in module.own)
    ways = ["", "_reverse"] if any(name.endswith("_reverse") for name in module.own) else [""]
    bias = module.has("bias_")
    suffixes = [[f"_l{k}{way}" for way in ways] for k in range(max(count, 1))]
    module.expect(kind, [name for layer in suffixes for suffix in layer for name in _names(suffix, bias)])
    H = module.hidden("_l0", kind)
    D, layers = module.own["weight_ih_l0"].shape[1], []
    for layer in suffixes:
        cells = [_cell(module, kind, suffix, D, H, bias) for suffix in layer]
        layers.append(BidirectionalParams(*cells) if len(ways) == 2 else cells[0])
        D = H * len(ways)  # the layer above reads the outputs of all directions
    return layers


def _cell(module, kind, suffix, D, H, bias):
    rows, names = GATES[kind] * H, _names(suffix, bias)
    return PARAMS[kind](
        W_x=_transposed(module.get(names[0], rows, D)),
        W_h=_transposed(module.get(names[1], rows, H)),
        b=module.get(names[2], rows) if bias else None,
        b_h=module.get(names[3], rows) if bias else None,
    )


def _multihead(module):
    packed = "in_proj_weight" in module.own  # when queries, keys and values are of one size
    bias = module.has("in_proj_bias") or module.has("out_proj.bias")
    weights = ["in_proj_weight"] if packed else ["q_proj_weight", "k_proj_weight", "v_proj_weight"]
    biases = ["in_proj_bias"] if bias else []
    module.expect("MultiheadAttention", [*weights, *biases, "out_proj.weight", *(["out_proj.bias"] if bias else [])])
    _, E = module.matrix("out_proj.weight")
    if packed:
        W = np.split(module.get("in_proj_weight", 3 * E, E), 3)
    else:
        W = [module.get(name, E, E if name == "q_proj_weight" else None) for name in weights]
    b = np.split(module.get("in_proj_bias", 3 * E), 3) if bias else [None] * 3
    W_o = _transposed(module.get("out_proj.weight", E, E))
    return MultiHeadParams(*map(_transposed, W), W_o, *b, module.get("out_proj.bias", E) if bias else None)


class _Module:
    """The arrays of one module of a state dict, by their names without the prefix; errors have the full names."""

    def __init__(self, state, prefix):
        self.prefix, self.dtype = prefix, None
        names = [name for name in state if name.startswith(prefix)]
        if prefix and not prefix.endswith(".") and any(name.startswith(f"{prefix}.") for name in names):
            raise InteropError(f"the prefix {prefix!r} lacks its dot: {prefix + '.'!r}")
        if not names:
            raise InteropError(f"no name begins with {prefix!r}" if prefix else "the state dict is empty")
        for name in names:
            for start, reason in REFUSED.items():
                if name.removeprefix(prefix).startswith(start):
                    raise InteropError(f"{name}: {reason}")
        self.own = {name.removeprefix(prefix): _host(name, state[name]) for name in names}

    def has(self, start):
        return any(name.startswith(start) for name in self.own)

    def kind(self):
        """Which class of torch.nn has these names."""
        for suffix, end in (("_l0", ""), ("", "Cell")):
            if f"weight_ih{suffix}" in self.own and f"weight_hh{suffix}" in self.own:
                return self._gated(suffix) + end
        if "out_proj.weight" in self.own:
            return "MultiheadAttention"
        if "weight" in self.own and "bias" in self.own:
            return "Linear"
        name = self.prefix + next(iter(self.own))
        if list(self.own) == ["weight"]:
            raise InteropError(f"{name} alone may be of an Embedding or of a Linear without bias: say which as `kind`")
        raise InteropError(f"{name}: not a name of {', '.join(KINDS)}; choose a module of the state dict by `prefix`")

    def _gated(self, suffix):
        x, h = _names(suffix, bias=False)
        (rows, _), (_, H) = self.matrix(x), self.matrix(h)
        for kind, gates in GATES.items():
            if rows == gates * H:
                return kind
        raise InteropError(
            f"{self.prefix}{x} has {rows} rows and {self.prefix}{h} {H} columns: in an RNN, LSTM or GRU there are 1, 4 "
            "or 3 times as many rows"
        )

    def hidden(self, suffix, kind):
        """H, having checked that the shapes are those of this kind."""
        if (found := self._gated(suffix)) != kind:
            raise InteropError(
                f"{self.prefix}weight_ih{suffix} has {GATES[found]} times as many rows as weight_hh{suffix} columns: "
                f"this is of {found}, not {kind}"
            )
        return self.own[f"weight_hh{suffix}"].shape[1]

    def matrix(self, name):
        if self.own[name].ndim != 2:
            raise InteropError(f"{self.prefix}{name} has shape {self.own[name].shape}, expected a matrix")
        return self.own[name].shape

    def expect(self, kind, names):
        """Raise InteropError unless these are the names of the module."""
        for name in names:
            if name not in self.own:
                raise InteropError(f"{self.prefix}{name} is missing")
        for name in self.own:
            if name not in names:
                raise InteropError(f"{self.prefix}{name} does not belong to this {kind}; `prefix` chooses a module")

    def get(self, name, *sizes):
        """A copy of an array of these sizes, None for any size."""
        array, key = self.own[name], f"{self.prefix}{name}"
        if array.ndim != len(sizes) or any(n not in (None, m) for n, m in zip(sizes, array.shape, strict=True)):
            expected = f"({', '.join('any' if n is None else str(n) for n in sizes)}{',' * (len(sizes) == 1)})"
            raise InteropError(f"{key} has shape {array.shape}, expected {expected}")
        if array.dtype.kind != "f":
            raise InteropError(f"{key} holds {array.dtype}, expected floating numbers")
        self.dtype = self.dtype or array.dtype
        if array.dtype != self.dtype:
            raise InteropError(f"{key} is {array.dtype} and others of the module are {self.dtype}: they must be one")
        return array.copy()


def _host(name, array):
    try:
        return to_numpy(array)
    except (TypeError, RuntimeError) as error:  # a tensor of PyTorch in bfloat16, on a GPU, or with a gradient
        reason = " ".join(str(error).split())
        raise InteropError(f"{name} cannot become a NumPy array ({reason})") from None


def _transposed(matrix):
    return np.array(matrix.T, order="C")  # in the order of its shape, as numseq makes its own


# to PyTorch


def to_torch(params, prefix=""):
    """Parameters of numseq as a PyTorch state dict: the inverse of `from_torch`.

    Names, their order and shapes are those of the module's state_dict(): of nn.Embedding, nn.Linear or
    nn.MultiheadAttention; of nn.RNNCell, nn.LSTMCell or nn.GRUCell for the parameters of one layer; of nn.RNN, nn.LSTM
    or nn.GRU for a list. A recurrent module of PyTorch has two biases everywhere or none: where numseq has one of
    them, the other is 0. MultiHeadParams likewise.

    Args: params, as `from_torch` gives them. prefix, put before every name.
    Returns: a dict, name to NumPy array, C-contiguous, in the dtype that it has; nothing of `params` is shared.
    Raises: InteropError, when PyTorch has no such module: layers of several kinds or sizes, a cell with other parts, or
        a GRU that resets before the product.
    """
    kind, named = _named(params)
    state = {f"{prefix}{name}": np.array(to_numpy(array), order="C") for name, array in named.items()}
    _from_torch(_Module(state, prefix), kind)  # what cannot be read again does not fit PyTorch's module
    return state


def _named(params):
    """(kind, {name in PyTorch: array})."""
    if isinstance(params, list | tuple):
        return _named_layers(params)
    if type(params) is EmbeddingParams:
        return "Embedding", {"weight": params.W}
    if type(params) is LinearParams:
        return "Linear", {"weight": params.W.T} | ({} if params.b is None else {"bias": params.b})
    if type(params) is BidirectionalParams:
        raise InteropError("PyTorch has no bidirectional cell: for a layer of nn.RNN, nn.LSTM or nn.GRU give a list")
    if type(params) is MultiHeadParams:
        return "MultiheadAttention", _named_multihead(params)
    kind = _kind_of(params)
    return f"{kind}Cell", _named_cell(params, "", _has_bias(params))


def _kind_of(params):
    for kind, made in PARAMS.items():
        if type(params) is made:  # a class derived from it has parts of its own
            return kind
    raise InteropError(f"PyTorch has no module with the parameters of {type(params).__name__}")


def _named_layers(layers):
    ways = {2 if type(layer) is BidirectionalParams else 1 for layer in layers}
    cells = [[layer.ahead, layer.back] if type(layer) is BidirectionalParams else [layer] for layer in layers]
    kinds = {_kind_of(cell) for layer in cells for cell in layer}
    if len(ways) != 1 or len(kinds) != 1:
        raise InteropError("the layers of one PyTorch module must be all of one kind, and all of one or two directions")
    bias, named = _has_bias(layers), {}
    for k, layer in enumerate(cells):
        for cell, way in zip(layer, ("", "_reverse"), strict=False):
            named |= _named_cell(cell, f"_l{k}{way}", bias)
    return kinds.pop(), named


def _has_bias(tree):
    return any(name.rpartition(".")[2] in ("b", "b_h") for name, _ in trees.walk(tree))


def _named_cell(params, suffix, bias):
    if type(params) is GRUParams and params.b is not None and params.b_h is None:
        raise InteropError(
            "GRUParams with b but no b_h are of a GRU that resets before the product, which PyTorch lacks; if this one "
            "resets after it, set b_h to zeros"
        )
    arrays = [params.W_x.T, params.W_h.T]
    if bias:
        arrays += [_or_zeros(b, params.W_x) for b in (params.b, params.b_h)]
    return dict(zip(_names(suffix, bias), arrays, strict=True))


def _or_zeros(b, W):
    return np.zeros(W.shape[1], dtype=W.dtype) if b is None else b


def _named_multihead(params):
    host = trees.to_host(params)
    W, b = [host.W_q, host.W_k, host.W_v], [host.b_q, host.b_k, host.b_v]
    if len({matrix.shape for matrix in W}) == 1:
        named = {"in_proj_weight": np.concatenate([matrix.T for matrix in W])}
    else:
        named = {f"{x}_proj_weight": matrix.T for x, matrix in zip("qkv", W, strict=True)}
    bias = any(vector is not None for vector in (*b, host.b_o))
    if bias:
        named["in_proj_bias"] = np.concatenate([_or_zeros(*both) for both in zip(b, W, strict=True)])
    named["out_proj.weight"] = host.W_o.T
    return named | ({"out_proj.bias": _or_zeros(host.b_o, host.W_o)} if bias else {})
