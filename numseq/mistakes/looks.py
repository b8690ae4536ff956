"""Cases of attentions, in which every two values of options that may stand together do in some case."""

from dataclasses import fields
from typing import Any

import numpy as np

from numseq import layers
from numseq.backend import Generator
from numseq.mistakes.fixtures import CLEAR, Case, D, fit, numbered, own_generator, rescaled
from numseq.mistakes.kinks import nearest_kink
from numseq.mistakes.pairs import Row, covering

T, S, B = 3, 4, 4  # queries, positions, rows
C, A, OUT = 2, 6, 5  # width of the values, units inside, width of a multi-head context
REAL: dict[str, np.ndarray | None] = {  # (S, B): padding at the end, within, and a row of it alone
    "none": None,
    "ragged": np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1], [1, 0, 0, 0]], dtype=bool),
    "holes": np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1], [1, 0, 1, 0]], dtype=bool),
    "nothing": np.array([[1, 0, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1]], dtype=bool),
}
VALUES: dict[str, tuple] = {  # the first is the option's off
    "mask": tuple(REAL),
    "biases": ("usual", "all", "none"),
    "carried": (False, True),
    "hops": (1, 2),
    "outputs": (("context", "alpha"), ("context",)),
}
MADE_WITH = {"heads": 2, "window": 1.5}  # what kinds are made with besides


def cases(rng: Generator) -> dict[str, Case]:
    rows = ((f"looking, {row['attention']}", row) for row in covering(options(), allowed))
    start = int(rng.integers(1 << 32))
    return {name: _case(row, own_generator(start, name)) for name, row in numbered(rows)}


def options() -> dict[str, tuple]:
    """What is tried in pairs: the attentions that come with the library, and VALUES."""
    from numseq.mistakes.models import options as of_models

    return {"attention": tuple(name for name in of_models()["attention"] if name != "none")} | VALUES


def allowed(row: Row) -> bool:
    """May these values stand together, and do they all do something?"""
    kind, params = _kind(row["attention"]), _first_values(row["attention"])
    usual = {name: getattr(params, name) is not None for name in _biases(params)}
    given = {"usual": usual, "all": dict.fromkeys(usual, True), "none": dict.fromkeys(usual, False)}
    carries = kind.initial_carried is not layers.Attention.initial_carried
    return (row["biases"] == "usual" or given[row["biases"]] != usual) and (carries or not row["carried"])


def _kind(name):
    from numseq.models.registry import ATTENTIONS

    return ATTENTIONS.find(name)


def _first_values(name):
    return _kind(name).init(np.random.default_rng(0), D, D, A, float)


def _biases(params):
    return [each.name for each in fields(params) if each.name.startswith("b")] if params is not None else []


def _case(row, rng):
    kind, params, mask = _kind(row["attention"]), _first_values(row["attention"]), REAL[row["mask"]]
    made_with = {name: MADE_WITH[name] for name in kind.options}
    if isinstance(params, layers.MultiHeadParams):  # no two widths alike
        params.W_v, params.W_o, params.b_o = np.empty((C, A)), np.empty((A, OUT)), np.empty(OUT)
    for name in _biases(params) if row["biases"] != "usual" else ():
        setattr(params, name, np.empty(OUT if name == "b_o" else A) if row["biases"] == "all" else None)
    hops = row["hops"]
    carried = (rng.random((B, S)),) * hops if row["carried"] else None  # no variable: nobody is told its gradient
    if hops > 1:
        params = layers.MultiHopParams(params, np.empty((OUT if row["attention"] == "multi-head" else C, D)))

    def function(query, keys, values, params=None):
        one = kind(keys, values, params.look if hops > 1 else params, mask, **made_with)
        return layers.attend(layers.MultiHopAttention(one, params, hops) if hops > 1 else one, query, carried)

    def draw():
        normal = rng.standard_normal
        inputs: dict[str, Any] = {"query": normal((T, B, D)), "keys": normal((S, B, D)), "values": normal((S, B, C))}
        inputs |= {} if params is None else {"params": rescaled(rng, params)}
        return Case(function, inputs, ("attend",), row["outputs"], row)

    return fit(draw, lambda trace: nearest_kink(trace) > CLEAR)
