"""The table of everything that has a backward, with inputs that no usual mistake survives.

One row, one step or all sizes equal hide nearly half of the usual wrong backward passes at any tolerance. So here:
seven rows, ragged lengths, repeated ids, non-zero first states, dropout on, every size different, and a loss that
reads the final states too.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import layers
from numseq import params as trees
from numseq.gradcheck.diagnosis import check
from numseq.layers import activations
from numseq.models import ConfigError, Seq2Seq, Seq2SeqConfig, draw_masks
from numseq.models import forward as seq2seq_forward

S, T, B = 5, 6, 7  # source positions, time steps, rows
D, H, A, V = 3, 2, 9, 11  # input, hidden, attention, vocabulary


@dataclass(slots=True)
class Case:
    """A function that returns a trace, and float64 inputs for it. covers: the exported functions that it checks."""

    function: Any
    inputs: dict
    covers: tuple[str, ...]


@dataclass(slots=True)
class _Atom:
    """A trace for an activation, whose functions know arrays only."""

    outputs = ("y",)
    y: Any
    derivative: Any
    equations: str

    def backward(self, dy):
        return SimpleNamespace(dx=self.derivative(dy, self.y))


def cases(seed=0):
    """All cases by name; the same seed gives the same inputs."""
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.standard_normal(shape)  # noqa: E731
    scale = lambda tree: trees.map(lambda leaf: rng.standard_normal(leaf.shape), tree)  # noqa: E731 - at scale 1
    f8 = np.float64
    table = {}

    def atom(name):
        forward, derivative = getattr(activations, name), getattr(activations, f"{name}_backward")
        case = Case(lambda x: _Atom(forward(x), derivative, name), {"x": normal(B, V)}, (name,))
        table[name] = case

    for name in ("sigmoid", "tanh", "softmax", "log_softmax"):
        atom(name)

    linear = scale(layers.init_linear(rng, D, H, f8))
    table["linear"] = Case(layers.linear, {"x": normal(T, B, D), "params": linear}, ("linear",))

    ids = rng.integers(0, 4, size=(T, B))  # few ids in many places: they repeat
    table["embedding"] = Case(
        lambda params: layers.embedding(ids, params, padding_id=None),
        {"params": scale(layers.init_embedding(rng, V, D, f8))},
        ("embedding",),
    )
    mask = layers.dropout_mask(rng, (T, B, D), 0.4, f8)
    table["dropout"] = Case(lambda x: layers.dropout(x, mask), {"x": normal(T, B, D)}, ("dropout", "dropout_mask"))

    real = np.arange(T)[:, None] < np.array([T, 2, 4, 1, 3, 5, 2])  # (T, B): ragged
    targets = rng.integers(0, V, size=(T, B))
    table["cross_entropy"] = Case(
        lambda logits: layers.cross_entropy(logits, targets, real),
        {"logits": 3 * normal(T, B, V)},
        ("cross_entropy",),
    )

    table["lstm_step"] = Case(
        layers.lstm_step, {"a": normal(B, 4 * H), "c_prev": normal(B, H)}, ("lstm_step", "LSTMStep", "LSTM")
    )
    lstm = scale(layers.init_lstm(rng, D, H, f8))
    start = {"x": normal(T, B, D), "h0": normal(B, H), "c0": normal(B, H), "params": lstm}
    table["lstm"] = Case(lambda **kw: layers.lstm(**kw), start, ("lstm",))
    table["lstm, ragged"] = Case(lambda **kw: layers.lstm(**kw, mask=real), start, ("lstm",))
    table["lstm, ragged, reversed"] = Case(lambda **kw: layers.lstm(**kw, mask=real, reverse=True), start, ("lstm",))
    two_ways = {
        "x": normal(T, B, D),
        "h0": normal(2, B, H),
        "c0": normal(2, B, H),
        "params": scale(layers.init_bilstm(rng, D, H, f8)),
    }
    table["bilstm"] = Case(lambda **kw: layers.bilstm(**kw, mask=real), two_ways, ("bilstm",))

    between = [layers.dropout_mask(rng, (T, B, 2 * H), 0.4, f8)]
    stacked = {
        "x": normal(T, B, D),
        "h0": normal(2, 2, B, H),
        "c0": normal(2, 2, B, H),
        "params": [scale(layers.init_bilstm(rng, size, H, f8)) for size in (D, 2 * H)],
    }
    table["stack"] = Case(lambda **kw: layers.stack(**kw, mask=real, dropout_masks=between), stacked, ("stack",))

    source_real = np.arange(S)[:, None] < np.array([S, 2, 3, 1, 4, 3, 5])
    attention = {
        "query": normal(T, B, H),
        "values": normal(S, B, D),
        "params": scale(layers.init_attention(rng, H, D, A, f8)),
    }
    table["additive_attention"] = Case(
        lambda **kw: layers.additive_attention(**kw, mask=source_real),
        attention,
        ("additive_attention", "AdditiveAttention"),
    )

    batch = SimpleNamespace(
        source=np.where(source_real, rng.integers(4, 9, size=(S, B)), 0),
        source_mask=source_real,
        target_in=np.where(real, rng.integers(4, 9, size=(T, B)), 0),
        target_out=np.where(real, rng.integers(3, 9, size=(T, B)), 0),
        target_mask=real,
    )
    for model, depth in (("plain", 2), ("attention", 1), ("attention", 2)):
        config = Seq2SeqConfig(9, 10, model=model, embedding=D, hidden=4, attention=8, layers=depth, dropout=0.3)
        table[f"seq2seq, {model}, {depth} layer{'s' * (depth > 1)}"] = _model_case(config, batch, rng, scale)
    return table


def _model_case(config, batch, rng, scale):
    model = Seq2Seq.create(config, dtype=np.float64)
    masks = draw_masks(config, batch, np.float64, 0)
    return Case(
        lambda params: seq2seq_forward(params, batch, model.decoder, masks),
        {"params": scale(model.params)},
        ("Seq2Seq", "forward", "encode", "draw_masks"),
    )


def run_cases(names=(), methods=("complex-step", "central")):
    """Check the named cases, or all, by some methods; yields a Check each.

    A name stands for every case that begins with it: "lstm, ragged" for one, "seq2seq" for all models.
    Raises: ConfigError, when a name stands for none.
    """
    table = cases()
    if unknown := [name for name in names if not any(_named(case, name) for case in table)]:
        raise ConfigError(f"nothing is called {unknown[0]!r}; there are: {'; '.join(table)}")
    for name, case in table.items():
        if not names or any(_named(name, wanted) for wanted in names):
            for method in methods:
                yield check(case.function, case.inputs, name=name, method=method)


def _named(case, wanted):
    return case == wanted or case.startswith(f"{wanted},")
