"""Pictures that move, of the numbers of a trace, for notebooks and pages: a cell at work (`cell`), all that a trace
holds (`explore`), gates under texts (`gates`), where a model looked beside what moves its scores (`looked_and_moved`),
a gradient on its way back through time (`bptt`), the walk back of a gradient check (`check_film`), and what becomes of
a translation when something is changed (`what_if`; `what_if_widget` where Python answers).

Each is a `LivePicture`: a piece of HTML that needs nothing else, no server and no package, and beside it a still
picture for where scripts cannot run. `save` makes a page of it.
"""

from numseq.plots.live.ask import what_if_widget
from numseq.plots.live.board import check_film
from numseq.plots.live.bptt import bptt
from numseq.plots.live.cell import cell
from numseq.plots.live.explore import explore
from numseq.plots.live.gates import gates
from numseq.plots.live.looked import looked_and_moved
from numseq.plots.live.picture import LivePicture
from numseq.plots.live.what_if import what_if

__all__ = [
    "LivePicture",
    "bptt",
    "cell",
    "check_film",
    "explore",
    "gates",
    "looked_and_moved",
    "what_if",
    "what_if_widget",
]
