"""Gates under the text: one row for each unit, one column for each step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.plots.maps import heat_maps
from numseq.plots.reading import Reading, like_order, limit_of, token_list, unit_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gates(
    trace: Any,
    tokens: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    row: int = 0,
    direction: str | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw the gates and states of one sequence: a map for each quantity, of units by time steps.

    A unit is the same row in every map, and units that go alike stand side by side.

    Args: trace, of a recurrent layer, whatever its cell; of a bidirectional one, direction says which, "ahead" or
        "back". tokens: the text, one for each of its T steps; None for 0, 1, 2, ... names: of quantities of the cell's
        record, as "f"; None for all that have one number a unit. row: which sequence of the batch. title.
    Returns: a Figure.
    Raises: ArgumentError.
    """
    reading = Reading(trace, row, direction)
    panels = unit_panels(reading, names)
    order = like_order(np.concatenate([panel / limit_of(panel) for panel in panels.values()]))
    limits = {name: limit_of(panel) for name, panel in panels.items()}
    title = arguments.text(title or f"{type(reading.run.cell).__name__}: gates and states", "title")
    turned = {name: panel[:, order].T for name, panel in panels.items()}
    return heat_maps(turned, limits, token_list(tokens, reading.T, len(reading.steps)), title)
