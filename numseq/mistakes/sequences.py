"""Cases of stacks of cells, in which every two values of options that may stand together do in some case."""

from inspect import signature
from typing import Any

import numpy as np

from numseq import layers
from numseq.backend import Generator
from numseq.mistakes.fixtures import Case, D, fit, numbered, often_on, own_generator, rescaled
from numseq.mistakes.kinks import is_off, least_std, nearest_kink
from numseq.mistakes.layer import LAYERS
from numseq.mistakes.layers.cells.fixtures import CLEAR, dropped_weights, first_state, zoned_out
from numseq.mistakes.pairs import Row, covering

SEED = 5  # such that no gradient is hardly there, as a test holds; another one does when options change
T, B = 4, 3  # few, since each number of many weights costs a run
REAL: dict[str, np.ndarray | None] = {
    "none": None,
    "ragged": np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=bool),
    "holes": np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 1]], dtype=bool),
}
VALUES: dict[str, tuple] = {  # the first is the option's off
    "layers": (1, 2, 3),
    "ways": ("ahead", "back", "both"),
    "biases": ("one", "two", "none"),
    "mask": tuple(REAL),
    "state": ("given", "zeros"),
    "zoneout": ("none", "training", "evaluation"),
    "weight_masks": (False, True),
    "dropout_masks": ("none", "each step", "one for all"),
    "residual": (False, True),
    "width": ("other", "alike"),  # of the inputs and the lowest layer's outputs
    "outputs": (("h", "final"), ("h",), ("final",)),
}


def cases(rng: Generator) -> dict[str, Case]:
    rows = ((f"stacked, {row['cell']}", row) for row in covering(options(), allowed))
    start = SEED + int(rng.integers(1 << 32))
    return {name: _case(row, own_generator(start, name)) for name, row in numbered(rows)}


def options() -> dict[str, tuple]:
    """What is tried in pairs: the cells of which the equations are known, and VALUES."""
    return {"cell": tuple(name for name, layer in LAYERS.items() if hasattr(layer, "cell"))} | VALUES


def allowed(row: Row) -> bool:
    """May these values stand together, and do they all do something?"""
    biases = row["biases"] == "one" or "b_h" in signature(_kind_of_params(row["cell"])).parameters
    dropout = row["dropout_masks"] == "none" or row["layers"] > 1
    # what goes around the lowest layer needs its width, and what goes around the top one a reader
    around = row["layers"] - (row["width"] == "other") - ("h" not in row["outputs"])
    return biases and dropout and (around > 0 or not row["residual"])


def _kind_of_params(cell):
    return type(LAYERS[cell].cell.init(np.random.default_rng(0), 1, 1, float))


def _case(row, rng):
    cell, hidden, shape = LAYERS[row["cell"]].cell, LAYERS[row["cell"]].hidden, (T, B)
    ways: tuple = (2,) if row["ways"] == "both" else ()
    wide = hidden * (2 if ways else 1)
    inputs = wide if row["width"] == "alike" else D
    each = [_params(row, size, rng) for size in [inputs] + [wide] * (row["layers"] - 1)]
    matrix = (*ways, *cell.init(rng, wide, hidden, float).W_h.shape)
    drop = {"none": None, "each step": T, "one for all": 1}[row["dropout_masks"]]
    zoneout = {
        "none": lambda: None,
        "training": lambda: zoned_out(rng, cell, (T, *ways, B, hidden)),
        "evaluation": lambda: (0.7, 0.4)[: len(cell.State._fields)],
    }[row["zoneout"]]
    given: dict[str, Any] = {
        "cell": cell,
        "mask": REAL[row["mask"]],
        "reverse": row["ways"] == "back",
        "residual": row["residual"],
        "zoneout": [zoneout() for _ in each],
        "weight_masks": [dropped_weights(rng, matrix) for _ in each] if row["weight_masks"] else None,
        "dropout_masks": [layers.dropout_mask(rng, (drop, B, wide), 0.4, float) for _ in each[1:]] if drop else None,
    }

    def function(x, params, state=None):
        return layers.stack(x, state, params, **given)

    def draw():
        drawn = {"x": rng.standard_normal((*shape, inputs)), "params": often_on(rescaled(rng, each), cell)}
        if row["state"] == "given":
            drawn["state"] = [first_state(cell, (*ways, B, hidden), rng) for _ in each]
        return Case(function, drawn, ("stack",), row["outputs"], row)

    return fit(draw, lambda trace: least_std(trace) > 0.05 and nearest_kink(trace) > CLEAR and not is_off(trace))


def _params(row, inputs, rng):
    """Parameters of a layer."""
    known = LAYERS[row["cell"]]
    if row["ways"] == "both":
        return layers.BidirectionalParams(*(_params(row | {"ways": "ahead"}, inputs, rng) for _ in range(2)))
    params = known.cell.init(rng, inputs, known.hidden, float)
    if row["biases"] == "two":
        params.b_h = np.zeros_like(params.b)
    elif row["biases"] == "none":
        params.b, params.b_h = None, None
    return params
