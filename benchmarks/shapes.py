"""The shapes that the benchmarks share, and a model with a batch of such a shape."""

from bisect import bisect_left
from types import SimpleNamespace

import numpy as np

from numseq import params as trees
from numseq.backend import asarray
from numseq.models import Seq2Seq, Seq2SeqConfig

SHAPES = {  # V, E, H = A, B, S, T
    "large": (8000, 256, 256, 64, 15, 15),
    "middle": (60, 64, 128, 64, 30, 12),
    "small": (60, 32, 64, 32, 20, 12),
}


def label(shape):
    return "V {} E {} H {} B {} S {} T {}".format(*shape)


def model_and_batch(shape, **options):
    """An attention model, of further options, and a batch of random tokens without padding."""
    V, E, H, B, S, T = shape
    model = Seq2Seq.create(Seq2SeqConfig(V, V, embedding=E, hidden=H, attention_size=H, **options))
    rng = np.random.default_rng(0)
    source, target = rng.integers(4, V, size=(S, B)), rng.integers(4, V, size=(T + 1, B))
    batch = SimpleNamespace(
        source=asarray(source), source_mask=None, target_in=asarray(target[:-1]),
        target_out=asarray(target[1:]), target_mask=None,
    )  # fmt: skip
    return model, batch


def hidden_of_equal(V, E, layers, parameters):
    """With how many hidden units the attention model has so many parameters, or a few more."""

    def count(half):
        config = Seq2SeqConfig(V, V, embedding=E, hidden=2 * half, attention_size=2 * half, layers=layers)
        return trees.count(Seq2Seq.create(config, seed=None).params)

    halves = range(1, 512)  # each direction of the encoder has one
    return 2 * halves[bisect_left(halves, parameters, key=count)]
