"""Every cell and every attention, forward and backward: what swapping one for another costs.

python -m benchmarks.cells [--json F] [--rounds N]

Beside the time of a cell stands that of its matrix products alone, the arithmetic that it cannot do without; of an
attention, how many times a decoder's whole loop takes as long as with the additive one.
"""

import statistics

import numpy as np

from benchmarks.shapes import SHAPES, label, model_and_batch
from benchmarks.timing import arguments, describe, in_turn, write
from numseq.backend import keep_freed_memory
from numseq.layers import sequence
from numseq.models import ATTENTIONS, CELLS

T, B, D, H = 30, 64, 128, 256


def cell_side(cell, rng):
    """(one forward and backward of the cell, its products alone)."""
    params = cell.init(rng, D, H, np.float32)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    x, dh = normal(T, B, D), normal(T, B, H)
    G = params.W_h.shape[1]
    h, da = normal(T * B, H), normal(T * B, G)
    x_rows, state, step = x.reshape(-1, D), np.zeros((B, H), np.float32), normal(B, G)

    def products():
        x_rows @ params.W_x
        for _ in range(T):
            state @ params.W_h
            step @ params.W_h.T
        return x_rows.T @ da, h.T @ da, da @ params.W_x.T

    return lambda: sequence(x, None, params, cell=cell).backward(dh), products


def cells(rounds):
    print(f"\ncells, T {T} B {B} D {D} H {H}")
    sides = {}
    for name, cell in CELLS.items():
        sides[name], sides[f"{name}, products"] = cell_side(cell, np.random.default_rng(0))
    times = {name: statistics.median(found) for name, found in in_turn(sides, rounds).items()}
    rows = []
    for name in CELLS:
        own, floor = times[name], times[f"{name}, products"]
        print(
            f"{name:<18}{1e3 * own:8.2f} ms   {own / times['lstm']:.2f} of an LSTM   products {1e3 * floor:6.2f} ms, "
            f"{floor / own:.2f} of it"
        )
        rows.append({"name": name, "seconds": own, "products_s": floor, "of_lstm": own / times["lstm"]})
    return rows


def attentions(rounds):
    shape = SHAPES["middle"]
    print(f"\nattentions in a whole training step, {label(shape)}")
    sides = {}
    for name in ATTENTIONS:
        if name != "none":
            sides[name] = model_side(shape, attention=name)
    sides["dot, luong"] = model_side(shape, attention="dot", decoder="luong")
    sides["dot, luong-feeding"] = model_side(shape, attention="dot", decoder="luong-feeding")
    times = {name: statistics.median(found) for name, found in in_turn(sides, rounds).items()}
    for name, own in times.items():
        print(f"{name:<20}{1e3 * own:8.2f} ms   {own / times['additive']:.2f} of the additive one")
    return [{"name": name, "seconds": own, "of_additive": own / times["additive"]} for name, own in times.items()]


def model_side(shape, **options):
    model, batch = model_and_batch(shape, **options)
    return lambda: model.forward(batch).backward()


def main():
    options = arguments(__doc__.splitlines()[0])
    describe()
    keep_freed_memory()
    write(options.json, cells(options.rounds) + attentions(options.rounds))


if __name__ == "__main__":
    main()
