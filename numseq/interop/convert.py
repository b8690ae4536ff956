"""From the arrays of a PyTorch module to numseq's parameters, and back.

PyTorch multiplies from the left, y = W x, and numseq from the right, y = x W: so every matrix is transposed, except an
embedding's, which has one row per token in both. The gates stand in the same order in both, i, f, g, o and r, z, n. A
recurrent layer of PyTorch has two biases, and both are kept: bias_ih is b, and bias_hh is b_h.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from numseq import arguments
from numseq import params as trees
from numseq.backend import to_numpy
from numseq.interop.state import GATES, KINDS, InteropError, Module, checked, names_of
from numseq.layers import (
    BidirectionalParams,
    EmbeddingParams,
    GRUParams,
    LinearParams,
    LSTMParams,
    MultiHeadParams,
    RNNParams,
)

PARAMS = {"RNN": RNNParams, "LSTM": LSTMParams, "GRU": GRUParams}


# from PyTorch


def from_torch(state: Mapping[str, Any], kind: str | None = None, prefix: str = "") -> Any:
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
    does not say which nonlinearity an nn.RNN has (tanh, or with cell=RNN(relu_step) the rectified linear unit),
    how many heads there are, batch_first, the dropout, or the padding_idx of an embedding: you must know these.

    Args: state, a dict, name to array (those of `read`, or PyTorch's own tensors on the CPU). kind, a class of
        torch.nn, as in the table, or None to tell it from names and shapes. prefix, what the names of the module begin
        with in a larger state dict, "encoder.rnn."; all names with this prefix must belong to the module.
    Returns: the parameters: new arrays, nothing of `state` is shared or changed.
    Raises: InteropError, which names the key: when one is missing or left over, a shape does not fit, an array does not
        hold floating numbers or has not the dtype of the others, or the module has what numseq lacks (proj_size,
        add_bias_kv).
    Source: see `numseq.interop.state`. Which of nn.RNN, nn.LSTM and nn.GRU it is follows from the rows of weight_ih: H,
        4H or 3H.
    """
    prefix, kind = arguments.text(prefix, "prefix"), None if kind is None else arguments.text(kind, "kind")
    return trees.to_backend(_from_torch(Module(checked(state), prefix), kind))


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
        module.expect(kind, names_of("", bias))
        H = module.hidden("", kind.removesuffix("Cell"))
        return _cell(module, kind.removesuffix("Cell"), "", None, H, bias)
    if kind == "MultiheadAttention":
        return _multihead(module)
    raise InteropError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")


def _layers(module, kind):
    count = sum(re.fullmatch(r"weight_ih_l\d+", name) is not None for name in module.own)
    ways = ["", "_reverse"] if any(name.endswith("_reverse") for name in module.own) else [""]
    bias = module.has("bias_")
    suffixes = [[f"_l{k}{way}" for way in ways] for k in range(max(count, 1))]
    module.expect(kind, [name for layer in suffixes for suffix in layer for name in names_of(suffix, bias)])
    H = module.hidden("_l0", kind)
    D, layers = module.own["weight_ih_l0"].shape[1], []
    for layer in suffixes:
        cells = [_cell(module, kind, suffix, D, H, bias) for suffix in layer]
        layers.append(BidirectionalParams(*cells) if len(ways) == 2 else cells[0])
        D = H * len(ways)  # the layer above reads the outputs of all directions
    return layers


def _cell(module, kind, suffix, D, H, bias):
    rows, names = GATES[kind] * H, names_of(suffix, bias)
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
    W_q, W_k, W_v = map(_transposed, W)
    b_q, b_k, b_v = np.split(module.get("in_proj_bias", 3 * E), 3) if bias else [None] * 3
    W_o = _transposed(module.get("out_proj.weight", E, E))
    b_o = module.get("out_proj.bias", E) if bias else None
    return MultiHeadParams(W_q, W_k, W_v, W_o, b_q, b_k, b_v, b_o)


def _transposed(matrix):
    return np.array(matrix.T, order="C")  # in the order of its shape, as numseq makes its own


# to PyTorch


def to_torch(params: Any, prefix: str = "") -> dict[str, np.ndarray]:
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
    prefix = arguments.text(prefix, "prefix")
    kind, named = _named(params)
    state = {f"{prefix}{name}": np.array(to_numpy(array), order="C") for name, array in named.items()}
    _from_torch(Module(state, prefix), kind)  # what cannot be read again does not fit PyTorch's module
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
    return dict(zip(names_of(suffix, bias), arrays, strict=True))


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
