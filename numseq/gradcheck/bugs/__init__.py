"""Known bugs: the mistakes that people make in a backward pass, each one changed equation with its lesson.

`change` puts another right-hand side in the place of one equation of `numseq.gradcheck.equations`; `v` holds what is
named there so far, `v.value` the right answer.
"""

from numseq.gradcheck import equations
from numseq.gradcheck.bugs import attention, basic, cells, training
from numseq.gradcheck.bugs.bug import Bug

__all__ = ["BUGS", "Bug", "named", "run"]
BUGS = [*basic.BUGS, *cells.BUGS, *attention.BUGS, *training.BUGS]


def named(function):
    """The bugs that can be made in a function; those of a step can be made in its sequence too."""
    inside = {"lstm": ("lstm", "lstm_step"), "bilstm": ("bilstm", "lstm", "lstm_step")}.get(function, (function,))
    return [bug for bug in BUGS if bug.function in inside]


def run(function, change, trace, given):
    """The gradients of a function of `equations` with some of them changed, a dict."""
    return equations.function(function)(trace, **given, change=change)
