"""Cases of the atoms, the affine map, the embedding, dropout and the loss."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from numseq import layers
from numseq.gradcheck.cases.case import REAL, B, Case, D, H, T, V, rescaled
from numseq.layers import activations


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

    targets = rng.integers(0, V, size=(T, B))
    table["cross_entropy"] = Case(
        lambda logits: layers.cross_entropy(logits, targets, REAL),
        {"logits": 3 * normal((T, B, V))},
        ("cross_entropy",),
    )
    return table
