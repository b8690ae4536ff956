"""What is known to go wrong: the equations of every layer, the usual mistakes in them, and inputs that show these.

`numseq.gradcheck` checks any function, and asks here for names. To begin with: `layer.py` says what is known of a
layer, `layers/maxout.py` is a short example. Cells in stacks, attentions and models are tried with every two values of
their options together: `pairs.py`.
"""

from numseq.mistakes import boxes, exercises  # noqa: F401  (they make themselves known)
from numseq.mistakes.diagnosis import diagnose, function_of, knows, match, named, run, words, words_of_result
from numseq.mistakes.fixtures import Case
from numseq.mistakes.grade import grade
from numseq.mistakes.layer import LAYERS, Bug, Layer
from numseq.mistakes.table import BUGS, CELLS, cases, groups, methods_of, run_cases

__all__ = [
    "BUGS",
    "CELLS",
    "LAYERS",
    "Bug",
    "Case",
    "Layer",
    "cases",
    "diagnose",
    "function_of",
    "grade",
    "groups",
    "knows",
    "match",
    "methods_of",
    "named",
    "run",
    "run_cases",
    "words",
    "words_of_result",
]
