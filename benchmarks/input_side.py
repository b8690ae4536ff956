"""The share of a training step that its input takes: planning an epoch's batches, and making a batch of rows.

    python -m benchmarks.input_side [--pairs N] [--steps N]

Sentences are as long as those of captions, of invented tokens; the model is as wide as recipes have it. Reading and
tokens come once for a run, and are measured beside it, as pairs a second.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.memory import write
from numseq.backend import generator, keep_freed_memory
from numseq.data import Pairs
from numseq.data.batches import Ragged
from numseq.data.corpus import TsvFiles
from numseq.data.encoding import in_memory
from numseq.data.tokens import Tokens
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.training import Adam, clip_by_global_norm

VOCABULARY, HIDDEN, BATCH = 8000, 256, 64


def corpus(pairs):
    """Pairs of about 12 tokens a side."""
    rng = np.random.default_rng(0)
    source = np.clip(rng.normal(12, 4, pairs).astype(int), 3, 40)
    target = np.clip(source + rng.integers(-2, 3, pairs), 2, 42)
    sides = []
    for lengths in (source, target):
        flat = rng.integers(4, VOCABULARY, lengths.sum()).astype(np.uint16)
        sides.append(Ragged.of(flat, lengths))
    return Pairs(*sides)


def shares(pairs, steps):
    """Seconds of a step for (the plan, making the batch, forward to update)."""
    keep_freed_memory()  # as the trainer does
    data = corpus(pairs)
    model = Seq2Seq.create(
        Seq2SeqConfig(VOCABULARY, VOCABULARY, embedding=HIDDEN, hidden=HIDDEN, attention_size=HIDDEN, dropout=0.3)
    )
    optimizer = Adam(model.params)
    began = time.perf_counter()
    plan = data.plan(BATCH, generator(0))
    planned = (time.perf_counter() - began) / len(plan)
    made = trained = 0.0
    for step, rows in enumerate(plan[:steps]):
        began = time.perf_counter()
        batch = data.batch(rows)
        middle = time.perf_counter()
        grad = model.forward(batch, model.draw_noise(batch, 0, 0, step)).backward().params
        clip_by_global_norm(grad, 1.0)
        optimizer.update(model.params, grad)
        made, trained = made + middle - began, trained + time.perf_counter() - middle
    return planned, made / steps, trained / steps


def reading(pairs):
    """Seconds to read a pair, and to put it into tokens."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pairs.tsv")
        write(path, pairs)
        text = TsvFiles(path)
        began = time.perf_counter()
        sides = list(zip(*text, strict=True))
        read = time.perf_counter() - began
        tokens = [Tokens.train(side, "word", max_vocabulary=VOCABULARY) for side in sides]
        began = time.perf_counter()
        in_memory(text, tuple(tokens), 150, "drop")
        return read / pairs, (time.perf_counter() - began) / pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=30_000)
    parser.add_argument("--steps", type=int, default=40)
    asked = parser.parse_args()
    planned, made, trained = shares(asked.pairs, asked.steps)
    whole = planned + made + trained
    print(f"a step: {1000 * whole:.1f} ms; plan {planned / whole:.2%}, batch {made / whole:.2%} of it")
    read, cut = reading(asked.pairs)
    print(f"once for a run: {1 / read:,.0f} pairs a second are read, {1 / cut:,.0f} are read and put into tokens")
    once = (read + cut) * BATCH / whole
    print(f"reading and tokens take as long as {once:.1%} of the first epoch")


if __name__ == "__main__":
    main()
