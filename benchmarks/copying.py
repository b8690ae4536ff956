"""What copying costs: a training step (forward and backward) with each head that copies, beside that of the plain head.

    python -m benchmarks.copying [--json F] [--backend cupy]

A third of the words of a source are none of the vocabulary, and half of the target's are copied.
"""

import statistics

import numpy as np

import numseq
from benchmarks.shapes import SHAPES, label, model_and_batch
from benchmarks.timing import arguments, describe, in_turn, wait, write
from numseq.backend import asarray, keep_freed_memory, to_numpy

HEADS = ("vocabulary", "pointer-generator", "copynet")


def step(head, shape):
    """A function that computes one step of the model with a head."""
    model, batch = model_and_batch(shape, head=head)
    if head != "vocabulary":
        (V, *_, B, S, T), rng = shape, np.random.default_rng(1)
        copies = np.where(rng.random((S, B)) < 1 / 3, V + np.arange(S)[:, None], to_numpy(batch.source))
        said = copies[rng.integers(S, size=(T, B)), np.arange(B)]
        batch.copies = asarray(copies)
        batch.target_out = asarray(np.where(rng.random((T, B)) < 0.5, said, to_numpy(batch.target_out)))

    def run():
        wait(model.forward(batch).backward().params.head.W)

    return run


def cost(name, shape, rounds):
    """The rows of one shape: how many times the plain head's step each head takes. Prints them too."""
    times, rows = in_turn({head: step(head, shape) for head in HEADS}, rounds), []
    plain = np.array(times[HEADS[0]])
    for head in HEADS[1:]:
        ratio = np.array(times[head]) / plain
        low, high = np.quantile(ratio, [0.25, 0.75])
        print(
            f"{name:<8}{label(shape):<34}{head:<18}{1e3 * statistics.median(times[head]):8.2f} ms, "
            f"{np.median(ratio):.2f} times the plain head's (quartiles {low:.2f} to {high:.2f})",
            flush=True,
        )
        rows.append({"name": name, "head": head, "seconds": times[head], "ratio": float(np.median(ratio))})
    return rows


def main():
    options = arguments(__doc__.splitlines()[0], backend=True)
    describe()
    numseq.use(options.backend)
    keep_freed_memory()
    write(options.json, [row for name, shape in SHAPES.items() for row in cost(name, shape, options.rounds)])


if __name__ == "__main__":
    main()
