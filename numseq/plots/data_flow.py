"""The data flow of a cell, drawn from its equations."""

from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError, shown
from numseq.layers.cells.sequence import sequence
from numseq.plots.live.cell import picture_of
from numseq.plots.live.still import draw_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def data_flow(cell: Any, title: str | None = None) -> "Figure":
    """Draw the data flow of a cell, with the equation of each quantity: what `live.cell` shows without numbers.

    It is made from the equations of the record that the cell's step returns, not by hand.

    Args: cell, any, your own too. title.
    Returns: a Figure.
    Raises: ArgumentError.
    """
    arguments.having(cell, "cell", "a cell, such as LSTM()", "init", "project_inputs", "forward")
    if isinstance(cell, type):
        raise ArgumentError(f"cell is {shown(cell)}: it must be a cell, such as LSTM()")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 1, 2))
    trace = sequence(x, None, cell.init(rng, 2, 2, x.dtype), cell=cell)
    title = arguments.text(title or f"{type(cell).__name__}: the data flow of a step", "title")
    return draw_cell(picture_of(trace, None, None, 0, None, title)[0], None)
