"""The share of the floor reached: the time that the matrix products of a step alone would take, over the step's time.

The rate of the products is measured in the same run, on products of the step's own largest shape and on a square one;
the better of the two is the floor's.

    python -m benchmarks.floor [--json F]
"""

import statistics

import numpy as np

from benchmarks.shapes import SHAPES, label, model_and_batch
from benchmarks.timing import arguments, describe, in_turn, write
from numseq.backend import keep_freed_memory


def operations(V, E, H, B, S, T):
    """Floating-point operations of the products of one forward and backward (a backward is twice a forward)."""
    half = H // 2
    encoder = 2 * S * B * (E + half) * 4 * half
    bridge = 2 * B * H * H
    keys, queries = S * B * H * H, T * B * H * H
    scores, contexts = T * S * B * H, T * S * B * H
    decoder = T * B * (E + H + H) * 4 * H
    readout = T * B * (2 * H * H + H * V)
    return 3 * 2 * (encoder + bridge + keys + queries + scores + contexts + decoder + readout)


def share(name, shape, rounds):
    """Time some steps and the products, print and return the row."""
    V, _, H, B, _, T = shape
    rng = np.random.default_rng(0)
    model, batch = model_and_batch(shape)
    square = rng.standard_normal((1024, 1024)).astype(np.float32)
    features = rng.standard_normal((T * B, H)).astype(np.float32)
    readout = rng.standard_normal((H, V)).astype(np.float32)
    sides = {
        "step": lambda: model.forward(batch).backward(),
        "square": lambda: square @ square,
        "readout": lambda: features @ readout,
    }
    median = {side: statistics.median(seconds) for side, seconds in in_turn(sides, rounds).items()}
    rate = max(2 * 1024**3 / median["square"], 2 * T * B * H * V / median["readout"])
    floor = operations(*shape) / rate
    print(
        f"{name:<8}{1e3 * median['step']:8.1f} ms a step, floor {1e3 * floor:8.1f} ms at {rate / 1e9:.0f} GFLOP/s: "
        f"share {floor / median['step']:.2f}"
    )
    return {
        "name": "floor", "shape": label(shape), "peer": "matrix products",
        "numseq_s": median["step"], "peer_s": floor, "ratio": floor / median["step"],
    }  # fmt: skip


def main():
    options = arguments(__doc__.splitlines()[0])
    describe()
    keep_freed_memory()
    write(options.json, [share(name, shape, options.rounds) for name, shape in SHAPES.items()])


if __name__ == "__main__":
    main()
