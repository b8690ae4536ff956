"""A training step of self-attention beside that of PyTorch's own layers, and beside an LSTM of as many parameters.

    python -m benchmarks.transformer [--json F]

A step is forward, backward, clip and Adam. Losses and all gradients agree first. Everything has one thread, and what is
counted is the time that the processor computed, so other work on the machine falls on no side.
"""

import time

import torch

from benchmarks.process import numseq_step
from benchmarks.shapes import hidden_of_equal, label, model_and_batch
from benchmarks.timing import arguments, describe, in_turn, row, write
from benchmarks.torch_transformer import Transformer
from benchmarks.training_step import Both
from numseq import params as trees
from numseq.threads import blas_threads

SHAPES = {  # (V, E, H = A, B, S, T), heads, layers
    "large": ((1000, 256, 256, 64, 20, 20), 8, 2),
    "small": ((60, 64, 64, 32, 12, 12), 4, 1),
}


def sides(shape, heads, layers):
    """The three steps of one shape, by name. Prints what is compared."""
    V, E, _, *sizes = shape
    options = {"heads": heads, "layers": layers, "encoder": "self-attention", "decoder": "self-attention"}
    model, batch = model_and_batch(shape, **options)
    both = Both(model, batch, Transformer(model.params, heads))
    parameters = trees.count(model.params)
    H = hidden_of_equal(V, E, layers, parameters)
    steps = both.eager() | {"LSTM": numseq_step((V, E, H, *sizes), layers=layers)}
    print(f"{parameters} parameters, {heads} heads, {layers} + {layers} blocks; the LSTM model has {layers} + {layers} "
          f"layers of {H} units")  # fmt: skip
    return steps


def main():
    options = arguments(__doc__.splitlines()[0])
    torch.set_num_threads(1)
    rows = []
    with blas_threads(1):
        describe()
        for name, (shape, heads, layers) in SHAPES.items():
            times = in_turn(sides(shape, heads, layers), options.rounds, clock=time.process_time)
            rows += [row(f"step, {name}", label(shape), peer, times) for peer in times if peer != "numseq"]
    write(options.json, rows)


if __name__ == "__main__":
    main()
