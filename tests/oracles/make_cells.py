"""Write the values that test_cells_oracles.py holds numseq's recurrent layers to. Needs PyTorch 2.13 (CPU).

    python tests/oracles/make_cells.py

PyTorch's own modules where it has them; else the equations of numseq's docstrings in a plain loop of torch operations,
with the gradients by autograd. Nothing of numseq is imported; for the files' form see make_oracles.py.
"""

import torch
from make_oracles import SOURCE_LENGTHS, TARGET_LENGTHS, B, D, H, T, leaf, lengths_to_mask, prefixed, random, write
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.manual_seed(1)
LENGTHS = [*SOURCE_LENGTHS[:3], T]
MODULES = {
    "rnn": lambda **kw: nn.RNN(D, H, nonlinearity="tanh", **kw),
    "relu_rnn": lambda **kw: nn.RNN(D, H, nonlinearity="relu", **kw),
    "gru": lambda **kw: nn.GRU(D, H, **kw),
    "lstm": lambda **kw: nn.LSTM(D, H, **kw),
}
CELLS = {
    "rnn": lambda: nn.RNNCell(D, H, nonlinearity="tanh"),
    "relu_rnn": lambda: nn.RNNCell(D, H, nonlinearity="relu"),
    "gru": lambda: nn.GRUCell(D, H),
    "lstm": lambda: nn.LSTMCell(D, H),
}


def with_gradients(inputs, outputs, params):
    """Everything, with the gradients of a random weighting of all outputs."""
    weights = {f"d{name}": random(output.shape) for name, output in outputs.items()}
    sum((weights[f"d{name}"] * output).sum() for name, output in outputs.items()).backward()
    grads = {f"d{name}": array.grad for name, array in (inputs | params).items()}
    return inputs | params | outputs | weights | grads


def states(kind, *shape):
    return {name: leaf(*shape) for name in (("h0", "c0") if "lstm" in kind else ("h0",))}


def sequence(kind, layers, bidirectional, lengths=None):
    """A module of PyTorch's over a batch, packed when lengths are given."""
    module = MODULES[kind](num_layers=layers, bidirectional=bidirectional)
    for weight in module.parameters():
        nn.init.normal_(weight)
    inputs = {"x": leaf(T, B, D)} | states(kind, layers * (1 + bidirectional), B, H)
    x, first = inputs["x"], tuple(inputs.values())[1:]
    if lengths is not None:
        x = pack_padded_sequence(x, lengths, enforce_sorted=False)
    h, last = module(x, first if len(first) > 1 else first[0])
    if lengths is not None:
        h, _ = pad_packed_sequence(h, total_length=T)
    outputs = {"h": h} | dict(zip(("h_T", "c_T"), last if len(first) > 1 else (last,), strict=False))
    mask = {} if lengths is None else {"mask": lengths_to_mask(lengths, T)}
    return with_gradients(inputs, outputs, dict(module.named_parameters())) | mask


def step(kind):
    """One step, of a cell module."""
    module = CELLS[kind]()
    for weight in module.parameters():
        nn.init.normal_(weight)
    inputs = {"x": leaf(B, D)} | states(kind, B, H)
    x, *first = inputs.values()
    last = module(x, tuple(first) if len(first) > 1 else first[0])
    outputs = dict(zip(("h", "c"), last if len(first) > 1 else (last,), strict=False))
    return with_gradients(inputs, outputs, dict(module.named_parameters()))


def layer_norm():
    module = nn.LayerNorm(7)
    params = {"g": module.weight, "b": module.bias}
    for weight in params.values():
        nn.init.normal_(weight)
    inputs = {"x": leaf(T, B, 7)}
    return with_gradients(inputs, {"y": module(inputs["x"])}, params)


# cells that PyTorch does not have


def gru_before(x, state, p):
    (h,) = state
    U_r, U_z, U_n = p["W_h"].chunk(3, dim=1)
    x_r, x_z, x_n = (x @ p["W_x"] + p["b"]).chunk(3, dim=1)
    r, z = torch.sigmoid(x_r + h @ U_r), torch.sigmoid(x_z + h @ U_z)
    return ((1 - z) * torch.tanh(x_n + (r * h) @ U_n) + z * h,)


def lstm(x, state, p):
    h, c = state
    i, f, g, o = (x @ p["W_x"] + h @ p["W_h"] + p["b"]).chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def peephole(x, state, p):
    h, c = state
    i, f, g, o = (x @ p["W_x"] + h @ p["W_h"] + p["b"]).chunk(4, dim=1)
    i, f = torch.sigmoid(i + p["p_i"] * c), torch.sigmoid(f + p["p_f"] * c)
    c = f * c + i * torch.tanh(g)
    return torch.sigmoid(o + p["p_o"] * c) * torch.tanh(c), c


def normalised(v, gain):
    return nn.functional.layer_norm(v, v.shape[-1:], weight=gain, eps=1e-5)


def layernorm_lstm(x, state, p):
    h, c = state
    a = normalised(x @ p["W_x"], p["g_x"]) + normalised(h @ p["W_h"], p["g_h"]) + p["b"]
    i, f, g, o = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(normalised(c, p["g_c"]) + p["b_c"]), c


def by_hand(cell, shapes, hidden, zoneout=None, weight_mask=None):
    """A cell over a ragged batch; zoneout keeps of a state what its mask has as 0, or in evaluation a share of it."""
    p = {name: leaf(*shape) for name, shape in shapes.items()}
    inputs = {"x": leaf(T, B, D)} | states("" if cell is gru_before else "lstm", B, hidden)
    mask, drawn = lengths_to_mask(LENGTHS, T), {}
    x, *state = inputs.values()
    used = dict(p)
    if weight_mask is not None:
        drawn["weight_mask"] = weight_mask
        used["W_h"] = p["W_h"] * weight_mask
    if zoneout == "training":
        drawn |= {f"zoneout_{k}": torch.randint(0, 2, (T, B, hidden)).double() for k in range(len(state))}
    hs = []
    for t in range(T):
        new = cell(x[t], state, used)
        if zoneout == "training":
            new = [drawn[f"zoneout_{k}"][t] * n + (1 - drawn[f"zoneout_{k}"][t]) * s for k, (n, s) in pairs(new, state)]
        elif zoneout:
            new = [zoneout[k] * n + (1 - zoneout[k]) * s for k, (n, s) in pairs(new, state)]
        state = [torch.where(mask[t][:, None], n, s) for n, s in zip(new, state, strict=True)]
        hs.append(state[0])
    outputs = {"h": torch.stack(hs) * mask[..., None]} | dict(zip(("h_T", "c_T"), state, strict=False))
    return with_gradients(inputs, outputs, p) | {"mask": mask} | drawn


def pairs(new, old):
    return enumerate(zip(new, old, strict=True))


if __name__ == "__main__":
    found = {}
    for kind in MODULES:
        found |= prefixed(f"{kind}/step", step(kind))
        found |= prefixed(f"{kind}/one", sequence(kind, 1, False))
        found |= prefixed(f"{kind}/ragged", sequence(kind, 1, False, LENGTHS))
        found |= prefixed(f"{kind}/bi", sequence(kind, 1, True))
        found |= prefixed(f"{kind}/bi2", sequence(kind, 2, True))
        found |= prefixed(f"{kind}/ragged_bi2", sequence(kind, 2, True, TARGET_LENGTHS))
    lstm_shapes = {"W_x": (D, 4 * H), "W_h": (H, 4 * H), "b": (4 * H,)}
    gru_shapes = {"W_x": (D, 3 * H), "W_h": (H, 3 * H), "b": (3 * H,)}
    peepholes = dict.fromkeys(("p_i", "p_f", "p_o"), (H,))
    wide = 5
    normed = {"W_x": (D, 4 * wide), "W_h": (wide, 4 * wide), "b": (4 * wide,), "g_x": (4 * wide,), "g_h": (4 * wide,)}
    found |= prefixed("gru_before", by_hand(gru_before, gru_shapes, H))
    found |= prefixed("peephole", by_hand(peephole, lstm_shapes | peepholes, H))
    found |= prefixed("layernorm_lstm", by_hand(layernorm_lstm, normed | {"g_c": (wide,), "b_c": (wide,)}, wide))
    found |= prefixed("zoneout", by_hand(lstm, lstm_shapes, H, "training"))
    found |= prefixed("zoneout_evaluation", by_hand(lstm, lstm_shapes, H, (0.7, 0.4)))
    found |= prefixed("weight_drop", by_hand(lstm, lstm_shapes, H, weight_mask=2.0 * torch.randint(0, 2, (H, 4 * H))))
    found |= prefixed("layer_norm", layer_norm())
    write("cells", found)
