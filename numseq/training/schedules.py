"""Schedules: the step size of the next update, as a function of where the run stands.

    schedule(lr, progress, options)

lr is the step size that the run was given, `progress.updates` says how many updates are done, `progress.epoch` which
epoch is at work, and `progress.done(options)` which share of the run is done, in [0, 1]. So nothing needs to be kept to
resume a run. `step_size` adds what all have in common: the way up to it at first, and the floor below it.

One of a reader's own is such a function, handed in as `TrainingOptions(schedule=mine)`, or registered
(`numseq.registry`).
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from numseq import arguments
from numseq.registry import Registry
from numseq.training.progress import Progress

if TYPE_CHECKING:
    from numseq.training.options import TrainingOptions

RISE, START = 0.3, 1 / 25  # one-cycle: the share of the run that goes up, and where it begins, in lr
TINY, LATE = 2.0**-24, 0.9  # a share of lr that float32 loses; a share of the run after which that may be


def constant(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """lr, to the end."""
    return lr


def step(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """lr * decay^floor(e / decay_every), e epochs being done: down a step now and then. Source: Luong et al. 2015."""
    return lr * options.decay ** ((progress.epoch - 1) // options.decay_every)


def exponential(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """lr * decay^(e / decay_every), e epochs being done, with a fraction: the same, a little after each update."""
    epochs = progress.epoch - 1 + (progress.step / progress.of if progress.of else 0)
    return lr * options.decay ** (epochs / options.decay_every)


def cosine(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """min_lr + (lr - min_lr) (1 + cos(pi s)) / 2, s the share of the run that is done: down to min_lr at its end.
    Source: Loshchilov & Hutter 2017, equation 5, without restarts."""
    return _between(lr, options.min_lr, progress.done(options))


def inverse_sqrt(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """lr * sqrt(w / max(n, w)), n the number of the next update and w that of those that warm up, at least 1.
    Source: Vaswani et al. 2017, equation 3."""
    w = max(1, options.warmup)
    return lr * math.sqrt(w / max(progress.updates + 1, w))


def plateau(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """lr * decay^n, n counting the validations without a better metric."""
    return lr * options.decay**progress.setbacks


def one_cycle(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """From lr / 25 up to lr in the first 0.3 of the run, from there down to min_lr, both along a cosine.
    Source: Smith & Topin 2018, as PyTorch's OneCycleLR."""
    s = progress.done(options)
    return _between(START * lr, lr, s / RISE) if s < RISE else _between(lr, options.min_lr, (s - RISE) / (1 - RISE))


def _between(a, b, s):
    """From a, at s = 0, to b, at s = 1, along half a cosine."""
    return b + (a - b) * (1 + math.cos(math.pi * s)) / 2


SCHEDULES = Registry(
    "schedule",
    {
        "plateau": plateau,
        "constant": constant,
        "step": step,
        "exponential": exponential,
        "cosine": cosine,
        "inverse-sqrt": inverse_sqrt,
        "one-cycle": one_cycle,
    },
    offers=("__call__",),
)


def step_size(lr: float, progress: Progress, options: "TrainingOptions") -> float:
    """The step size of the next update, the n-th.

    Equations: min(1, n / warmup) * max(min_lr, schedule(lr)).

    Args: lr, the step size that the run was given. progress, where it stands. options, TrainingOptions.
    Returns: a Python float: NumPy's would make float32 arrays float64.
    Raises: ArgumentError, when the schedule gives what is no finite number of at least 0.
    """
    n = progress.updates + 1
    called = f"the step size of update {n:,} by schedule {options.schedule}"
    scheduled = arguments.number(SCHEDULES.find(options.schedule)(lr, progress, options), called, least=0)
    warm = min(1.0, n / options.warmup) if options.warmup else 1.0
    return warm * max(options.min_lr, scheduled)


def step_sizes(options: "TrainingOptions", of: int, lr: float, setbacks: Iterable[int] = ()) -> list[float]:
    """The step sizes of all updates of a run, as they would be.

    Args: options, TrainingOptions. of, the updates of an epoch. lr, the step size that the run is given. setbacks,
        after which updates a validation was without progress: `plateau` counts them.
    """
    of, setbacks = arguments.whole(of, "of", least=1), list(setbacks)
    sizes, progress = [], Progress()
    progress.of = of
    while progress.done(options) < 1:
        progress.setbacks = sum(after <= progress.updates for after in setbacks)
        sizes.append(step_size(lr, progress, options))
        progress.updates += 1
        progress.epoch, progress.step = 1 + progress.updates // of, progress.updates % of
    return sizes


def doubt(lr: float, progress: Progress, options: "TrainingOptions") -> str | None:
    """A line about a step size that cannot be meant, at the beginning of an epoch; None where there is nothing to say.

    A warm-up that takes longer than the run, and a step size that float32 loses beside what lr would do, although much
    of the run is to come.
    """
    total = min(options.epochs * progress.of, options.updates or math.inf)
    if not progress.updates and options.warmup > total:
        return (
            f"the step size warms up for {options.warmup:,} updates, and the run will have {total:,}: "
            f"it will end at {total / options.warmup:.1%} of what the schedule says"
        )
    now = step_size(lr, progress, options)
    if now < TINY * lr and progress.done(options) < LATE:
        return f"the step size is {now:.1g}, so that next to nothing is learned from here on: min_lr is its floor"
    return None
