"""Known bugs: the mistakes that people make in a backward pass, each one changed equation with its lesson.

`change` puts another right-hand side in the place of one equation of `numseq.gradcheck.equations`; `v` holds what is
named there so far, `v.value` the right answer.
"""

from numseq.gradcheck import equations
from numseq.gradcheck.bugs import attention, basic, cells, gru, lstm, training
from numseq.gradcheck.bugs.bug import Bug

__all__ = ["BUGS", "Bug", "named", "run"]
BUGS = [*basic.BUGS, *lstm.BUGS, *gru.BUGS, *cells.BUGS, *attention.BUGS, *training.BUGS]
STEP_OF = {  # what a cell calls its equations, and the step that it repeats
    "rnn": "rnn_step",
    "relu_rnn": "relu_step",
    "lstm": "lstm_step",
    "gru": "gru_step",
    "gru_before": "gru_before_step",
    "peephole": "peephole_step",
    "layernorm_lstm": "layernorm_lstm_step",
}


def named(function, trace=None):
    """The bugs that can be made in a function; those of a step and of BPTT can be made in a sequence too.

    trace: of `bidirectional`, which does not say by its name which cell it is of.
    """
    inside = {function}
    if function == "bidirectional" and trace is not None:
        inside.add(getattr(trace.run.cell, "equations", None))
    for cell in inside & STEP_OF.keys():
        inside |= {STEP_OF[cell], "sequence", "zoneout", "weight_drop"}
    shared = lstm.SHARED if inside & {"peephole_step", "layernorm_lstm_step"} else set()
    return [
        bug for bug in BUGS if bug.function in inside or (bug.function == "lstm_step" and bug.change.keys() & shared)
    ]


def run(function, change, trace, given):
    """The gradients of a function of `equations` with some of them changed, a dict."""
    return equations.function(function)(trace, **given, change=change)
