"""Models that a run keeps beside its best one: checkpoints/NNNNNNNN.safetensors, named by updates."""

import math
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import params as trees
from numseq.files import check_writable, make_folder, remove_parts
from numseq.metrics.figures import FIGURES
from numseq.training.arrays import CheckpointError, load_arrays, restore, save_arrays
from numseq.training.checkpoint import CHECKPOINTS
from numseq.training.options import TrainingOptions

NAME = re.compile(r"(\d{8,})\.safetensors")


class Kept:
    """The models in checkpoints/ of a run's folder; values, of the metric and of the validation loss, by the updates
    that each comes after."""

    def __init__(self, folder: str | PathLike):
        self.folder = Path(folder) / CHECKPOINTS
        self.values: dict[int, tuple[float, float]] = {}

    def path(self, updates: int) -> Path:
        """The file of a model."""
        return self.folder / f"{updates:08d}.safetensors"

    def files(self) -> list[tuple[int, Path]]:
        """(updates, file) of the models that are there, the earliest first."""
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        found = ((NAME.fullmatch(name), self.folder / name) for name in names)
        return sorted((int(match[1]), path) for match, path in found if match)

    def load(self, run: str | None, params: trees.Tree) -> None:
        """Find out which are there. Raises: CheckpointError, when one is not whole, or not of this run."""
        for updates, path in self.files():
            self.values[updates] = _values(load_kept(path, run, params)[1])

    def check(self, options: TrainingOptions) -> None:
        """Raises: OSError, when there are models to be kept and they cannot be written."""
        if self.folder.is_dir() and (options.keep_best > 1 or options.keep_last):
            check_writable(self.path(0))

    def add(self, params: trees.Tree, described: dict[str, Any], options: TrainingOptions) -> None:
        """Keep a model, if it is among the best or the last; what is then surplus stays until `tidy`."""
        updates = described["updates"]
        if updates in wanted(self.values | {updates: _values(described)}, options):
            make_folder(self.folder)
            save_arrays(self.path(updates), dict(trees.walk(params)), described)
            self.values[updates] = _values(described)

    def tidy(self, validated: int, options: TrainingOptions) -> None:
        """Remove what is surplus, and what came after the validation that the run stands at: it will come again."""
        if not self.folder.is_dir():
            return
        remove_parts(self.folder)
        self.values = {updates: value for updates, value in self.values.items() if updates <= validated}
        stay = wanted(self.values, options)
        for updates, path in self.files():
            if updates not in stay:
                path.unlink()
                self.values.pop(updates, None)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def _values(described):
    return described["value"], described["valid_loss"]


def wanted(values: Mapping[int, tuple[float, float]], options: TrainingOptions) -> set[int]:
    """Which models are kept: the last, and the best where these are more than the one that the run has anyway."""
    best = in_order(values, options.metric)[: options.keep_best] if options.keep_best > 1 else []
    last = sorted(values)[-options.keep_last :] if options.keep_last else []
    return {*best, *last}


def in_order(values: Mapping[int, tuple[float, float]], metric: str) -> list[int]:
    """Updates, those with the best value first; of equal ones that of the smaller loss, then the earlier."""
    sign = 1 if FIGURES[metric].lower else -1
    return sorted(values, key=lambda updates: (sign * values[updates][0], values[updates][1], updates))


def load_kept(path: Path, run: str | None, params: trees.Tree) -> tuple[trees.Tree, dict[str, Any]]:
    """(parameters, what is said of them) of a file that a run kept. Raises: CheckpointError."""
    arrays, described = load_arrays(path)
    if described.get("run") != run:
        raise CheckpointError(f"{path}: of another run, or of other options: take it away")
    named, value = int(NAME.fullmatch(path.name)[1]), described.get("value")
    numbers = all(isinstance(number, float | int) for number in (value, described.get("valid_loss")))
    if described.get("updates") != named or not numbers or not math.isfinite(value):
        raise CheckpointError(f"{path}: not the model that its name says: take it away")
    return restore(path, params, arrays), described
