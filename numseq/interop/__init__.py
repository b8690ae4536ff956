"""Weights to and from PyTorch, without PyTorch: its state dicts as numseq's parameters, and back, bit for bit.

    state = read("model.safetensors")                        # {"encoder.rnn.weight_ih_l0": array (4H, D), ...}
    params = from_torch(state, "LSTM", "encoder.rnn.")       # [LSTMParams, ...], as `numseq.layers.stack` takes it
    write("model.safetensors", to_torch(params, "encoder.rnn."))

`files` reads and writes, `state` checks names and shapes, `convert` turns one into the other.
"""

from numseq.interop.convert import from_torch, to_torch
from numseq.interop.files import read, write
from numseq.interop.state import KINDS, InteropError

__all__ = ["KINDS", "InteropError", "from_torch", "read", "to_torch", "write"]
