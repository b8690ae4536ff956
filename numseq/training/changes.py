"""What may be others when a run is resumed than when it began, and how that is kept and said.

config.json has the options that the run began with, which with all else make it this run and no other, and beside them
those that were changed since.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numseq.options import options_of
from numseq.training.arrays import CheckpointError
from numseq.training.checkpoint import CHANGEABLE
from numseq.training.options import TrainingOptions

OF_THE_STEP = ("lr", "schedule", "warmup", "decay", "decay_every", "min_lr")


def refuse_changes(folder: Path, began: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise CheckpointError when an option is another than the run in a folder began with, but for those that may be.

    Args: began, now, the options by name; those that are in both are compared.
    """
    for name, before in began.items():
        if now.get(name, before) != before and name not in CHANGEABLE:
            raise CheckpointError(
                f"{folder}: {name} is {now[name]}, but the run began with {before}; only {', '.join(CHANGEABLE)} may "
                "change"
            )


def changed(began: Mapping[str, Any], now: TrainingOptions) -> dict[str, Any]:
    """The options of training that are others than the run began with; began, what config.json has of them."""
    usual = asdict(TrainingOptions(**began))
    return {name: getattr(now, name) for name in CHANGEABLE if getattr(now, name) != usual[name]}


def tell_changes(before: TrainingOptions, now: TrainingOptions, say: Callable[[str], Any]) -> bool:
    """Say which options are others than they were so far, from what to what; threads have a line of their own. Returns:
    whether the step size follows from others."""
    found = [name for name in CHANGEABLE if name != "threads" and getattr(before, name) != getattr(now, name)]
    if found:
        said = (f"{name} from {_shown(before, name)} to {_shown(now, name)}" for name in found)
        say(f"changed from here on: {', '.join(said)}")
    return any(name in OF_THE_STEP for name in found)


def _shown(options, name):
    value = getattr(options, name)
    if value is None:
        return options_of(TrainingOptions)[name].otherwise or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
