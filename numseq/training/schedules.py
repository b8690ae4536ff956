"""Schedules: the step size, before each update, as a function of where the run stands.

    lr_now = schedule(lr, progress, options)

So nothing needs to be kept to resume a run. One of a reader's own is such a function, handed in as
`TrainingOptions(schedule=mine)`, or registered (`numseq.registry`).
"""

from typing import TYPE_CHECKING

from numseq.registry import Registry

if TYPE_CHECKING:
    from numseq.training.options import TrainingOptions
    from numseq.training.progress import Progress


def plateau(lr: float, progress: "Progress", options: "TrainingOptions") -> float:
    """lr * decay^n, n counting the validations without a better metric."""
    return lr * options.decay**progress.setbacks


def constant(lr: float, progress: "Progress", options: "TrainingOptions") -> float:
    """lr, to the end."""
    return lr


SCHEDULES = Registry("schedule", {"plateau": plateau, "constant": constant}, offers=("__call__",))
