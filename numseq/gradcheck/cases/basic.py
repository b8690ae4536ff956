"""Cases of the atoms, maxout, the affine map, the embedding, dropout and the losses."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import layers
from numseq.backend import to_numpy
from numseq.gradcheck.cases.case import REAL, B, Case, D, H, T, V, rescaled
from numseq.layers import activations
from numseq.layers.maxout import maxout
from numseq.layers.sampled import log_uniform, sampled_cross_entropy


@dataclass(slots=True)
class _Atom:
    """A trace for an activation, whose functions know arrays only."""

    outputs = ("y",)
    y: Any
    derivative: Any
    equations: str

    def backward(self, dy):
        return SimpleNamespace(dx=self.derivative(dy, self.y))


def cases(rng):
    table, normal = {}, rng.standard_normal

    def atom(name):
        forward, derivative = getattr(activations, name), getattr(activations, f"{name}_backward")
        case = Case(lambda x: _Atom(forward(x), derivative, name), {"x": normal((B, V))}, (name,))
        table[name] = case

    for name in ("sigmoid", "tanh", "softmax", "log_softmax"):
        atom(name)

    linear = rescaled(rng, layers.init_linear(rng, D, H, float))
    table["linear"] = Case(layers.linear, {"x": normal((T, B, D)), "params": linear}, ("linear",))

    ids = rng.integers(0, 4, size=(T, B))  # few ids in many places: they repeat
    table["embedding"] = Case(
        lambda params: layers.embedding(ids, params, padding_id=None),
        {"params": rescaled(rng, layers.init_embedding(rng, V, D, float))},
        ("embedding",),
    )
    mask = layers.dropout_mask(rng, (T, B, D), 0.4, float)
    table["dropout"] = Case(lambda x: layers.dropout(x, mask), {"x": normal((T, B, D))}, ("dropout", "dropout_mask"))

    targets, real = rng.integers(0, V, size=(T, B)), REAL
    table["cross_entropy"] = Case(
        lambda logits: layers.cross_entropy(logits, targets, real),
        {"logits": 3 * normal((T, B, V))},
        ("cross_entropy",),
    )

    def regularised(name, **options):
        table[name] = Case(
            lambda logits: layers.cross_entropy(logits, targets, real, **options),
            {"logits": 3 * normal((T, B, V))},
            ("cross_entropy",),
        )

    regularised("regularised_cross_entropy", smoothing=0.3, confidence_penalty=0.7)
    regularised("regularised_cross_entropy, smoothing", smoothing=0.3)
    regularised("regularised_cross_entropy, penalty", confidence_penalty=0.7)

    atom("relu")
    table["maxout"] = Case(maxout, {"x": normal((T, B, 2 * D))}, ("maxout",))

    def dropped(name, *shape):
        mask = layers.dropout_mask(rng, shape, 0.4, float)
        table[name] = Case(lambda x: layers.dropout(x, mask), {"x": normal((T, B, D))}, ("dropout",))

    dropped("variational_dropout", 1, B, D)
    dropped("word_dropout", T, B, 1)

    drawn, log_q = map(to_numpy, log_uniform(rng, V, 4, float))
    samples = np.concatenate([drawn, drawn[:2]])  # some twice, as of a proposal that draws with replacement
    table["sampled_cross_entropy"] = Case(
        lambda x, params: sampled_cross_entropy(x, targets, params, samples, log_q, real),
        {"x": normal((T, B, D)), "params": rescaled(rng, layers.init_linear(rng, D, V, float))},
        ("sampled_cross_entropy", "log_uniform"),
    )
    return table
