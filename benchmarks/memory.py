"""The memory that training on a large corpus takes: python -m benchmarks.memory [--pairs 1000000] [--cache]

Writes a corpus of invented sentences, trains a small model on it for some updates in a process of its own, and prints
the most memory that the process held, and how long the text took.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

MODEL = {"embedding": 32, "hidden": 32, "attention_size": 32}
WORDS = 30_000


def write(path, pairs, seed=0):
    """A table of pairs of 3 to 30 words, of which few are frequent, as in a language."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(WORDS)]
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(pairs):
            n = rng.randint(3, 30)
            source, target = (
                " ".join(words[int(WORDS * rng.random() ** 4)] for _ in range(max(1, n + rng.randint(-3, 3))))
                for _ in range(2)
            )
            file.write(f"{source}\t{target}\n")


def measure(tsv, folder, updates, tokens, cache):
    """Train, and print what it took."""
    from numseq.data.corpus import TsvFiles
    from numseq.training import DataOptions, TrainingOptions, train_run
    from numseq.training.memory import peak_memory

    began = time.monotonic()

    def say(line):
        print(f"{time.monotonic() - began:6.1f} s  {peak_memory():6.0f} MB  {line}", flush=True)

    say("begins")
    data = DataOptions(source_tokens=tokens, target_tokens=tokens, max_vocabulary=8000, cache=cache)
    options = TrainingOptions(updates=updates, batch=32)
    train_run(folder, TsvFiles(tsv), None, MODEL, data, options, say=say)
    say("done")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--tokens", default="word")
    parser.add_argument("--cache", action="store_true", help="keep tokens on the disk")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tsv = Path(folder, "pairs.tsv")
        write(tsv, asked.pairs)
        print(f"{asked.pairs:,} pairs, {tsv.stat().st_size / 1e6:.0f} MB of text", flush=True)
        cache = Path(folder, "cache") if asked.cache else None
        measure(tsv, Path(folder, "run"), asked.updates, asked.tokens, cache)


if __name__ == "__main__":
    sys.exit(main())
