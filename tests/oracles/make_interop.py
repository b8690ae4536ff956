"""Write what test_interop.py holds numseq to. Needs PyTorch 2.13 (CPU) and safetensors; the tests need no PyTorch.

    python tests/oracles/make_interop.py

interop.npz: state dicts of PyTorch's own modules, with inputs and outputs. It holds two arrays: `names` ("module/key
dtype size size ...") in the order of the state dicts, and `values`, all arrays one after the other in float64, which
holds float32 exactly. interop.safetensors: a state dict as PyTorch itself saves it; its outputs are in interop.npz.
"""

from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(0)
T, B, D, H = 4, 3, 5, 2
HERE = Path(__file__).parent
random = torch.randn


def at_scale_one(module):
    """Standard normal numbers everywhere: PyTorch's own first values are small, and some biases 0."""
    for weight in module.parameters():
        nn.init.normal_(weight)
    return module


def described(module, **arrays):
    """What a test needs of a module: its state dict, and inputs and outputs."""
    state = {f"state/{name}": array for name, array in module.state_dict().items()}
    return state | arrays


def recurrent(kind, layers=1, both=False, bias=True, dtype=torch.float64, **options):
    module = at_scale_one(kind(D, H, num_layers=layers, bidirectional=both, bias=bias, dtype=dtype, **options))
    x, first = random(T, B, D, dtype=dtype), layers * (1 + both)
    h0, c0 = (random(first, B, H, dtype=dtype) for _ in range(2))
    if kind is nn.LSTM:
        h, (h_T, c_T) = module(x, (h0, c0))
        return described(module, x=x, h0=h0, c0=c0, h=h, h_T=h_T, c_T=c_T)
    h, h_T = module(x, h0)
    return described(module, x=x, h0=h0, h=h, h_T=h_T)


def cell(kind, bias=True):
    module = at_scale_one(kind(D, H, bias=bias))
    x, h0, c0 = random(B, D), random(B, H), random(B, H)
    if kind is nn.LSTMCell:
        h, c = module(x, (h0, c0))
        return described(module, x=x, h0=h0, c0=c0, h=h, c=c)
    return described(module, x=x, h0=h0, h=module(x, h0))


def linear(bias):
    module, x = at_scale_one(nn.Linear(D, H, bias=bias)), random(T, B, D)
    return described(module, x=x, y=module(x))


def embedding():
    module, ids = nn.Embedding(7, D), torch.randint(0, 7, (T, B))
    return described(module, ids=ids, y=module(ids))


def attention(heads=2, **options):
    module = at_scale_one(nn.MultiheadAttention(4, heads, **options))
    query, keys, values = random(T, B, 4), random(6, B, module.kdim), random(6, B, module.vdim)
    context, alpha = module(query, keys, values)
    return described(module, query=query, keys=keys, values=values, context=context, alpha=alpha)


class Tagger(nn.Module):
    """The model of docs/interop.md."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, D)
        self.rnn = nn.LSTM(D, H, num_layers=2, bidirectional=True)
        self.readout = nn.Linear(2 * H, 3)

    def forward(self, ids):
        h, _ = self.rnn(self.embedding(ids))
        return self.readout(h)


def tagger():
    model, ids = at_scale_one(Tagger()).float(), torch.randint(0, 7, (T, B))
    safetensors.torch.save_file(model.state_dict(), HERE / "interop.safetensors")
    return described(model, ids=ids, y=model(ids))


def write(modules):
    names, values = [], []
    for module, arrays in modules.items():
        for key, array in arrays.items():
            array = array.detach().numpy()
            names.append(" ".join([f"{module}/{key}", str(array.dtype), *map(str, array.shape)]))
            values.append(array.astype(np.float64).reshape(-1))
    np.savez_compressed(HERE / "interop.npz", names=np.array(names), values=np.concatenate(values))


if __name__ == "__main__":
    write(
        {
            "RNN": recurrent(nn.RNN, 2, both=True),
            "LSTM": recurrent(nn.LSTM, 2, both=True),
            "GRU": recurrent(nn.GRU, 2, both=True),
            "RNN-relu": recurrent(nn.RNN, nonlinearity="relu"),
            "LSTM-no-bias": recurrent(nn.LSTM, 3, bias=False),
            "GRU-float32": recurrent(nn.GRU, 2, dtype=torch.float32),
            "RNNCell": cell(nn.RNNCell),
            "LSTMCell": cell(nn.LSTMCell),
            "GRUCell": cell(nn.GRUCell),
            "GRUCell-no-bias": cell(nn.GRUCell, bias=False),
            "Linear": linear(True),
            "Linear-no-bias": linear(False),
            "Embedding": embedding(),
            "MultiheadAttention": attention(),
            "MultiheadAttention-no-bias": attention(bias=False),
            "MultiheadAttention-separate": attention(kdim=3, vdim=7),
            "tagger": tagger(),
        }
    )
