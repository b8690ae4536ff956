"""Looking a run over: is every file whole, and do they belong together?"""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path

from numseq.errors import NumseqError
from numseq.training.arrays import CheckpointError
from numseq.training.checkpoint import (
    CHECKPOINTS,
    CONFIG,
    METRICS,
    MODEL,
    TOKENS,
    TRAINING,
    Description,
    create_model,
    load_config,
    load_model,
    load_tokens,
)
from numseq.training.kept import Kept, load_kept
from numseq.training.lock import LockedError, writer
from numseq.training.run import resumed_options
from numseq.training.state import State
from numseq.training.trainer import optimizer_of


def verify(folder: str | PathLike) -> Iterator[tuple[str, str | None]]:
    """Load each file of a run as whoever uses it would, and change none.

    Yields: (name, what is wrong with it, a line; None when all is well).
    Raises: CheckpointError, when the folder holds no run. LockedError, while a process trains there.
    """
    folder = Path(folder)
    if not (folder / CONFIG).exists():
        raise CheckpointError(f"{folder}: not a run of numseq (it has no {CONFIG})")
    if who := writer(folder):
        raise LockedError(f"{folder} is in use by {who}, and its files change: look it over when that has ended")
    looks = [(CONFIG, load_config), (" and ".join(TOKENS), load_tokens), (MODEL, load_model)]
    if not _is_average(folder):
        looks.append((f"{TRAINING} and {METRICS}", _load_state))
    looks += [(f"{CHECKPOINTS}/{path.name}", partial(_load_kept, path)) for _, path in Kept(folder).files()]
    for name, look in looks:
        try:
            look(folder)
        except NumseqError as error:
            yield name, str(error)
        else:
            yield name, None


def _is_average(folder):
    """Is it a folder that `average_run` made? Then there is nothing to resume."""
    with suppress(CheckpointError):
        return "averaged" in load_config(folder)[1]
    return False


def _load_kept(path, folder):
    load_kept(path, Description.load(folder).run, create_model(folder, load_config(folder)[0]).params)


def _load_state(folder):
    """Load what a run loads that is resumed."""
    config, _ = load_config(folder)
    _, _, options, _ = resumed_options(folder)
    state = State(folder)
    if not state.begun:
        raise CheckpointError(f"{folder}: not begun yet")
    model = create_model(folder, config)
    state.load(model, optimizer_of(options, model.params), None if options.ema is None else model.params)
