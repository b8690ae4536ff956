"""What a training run keeps on disk while it goes on: metrics, the best model, and all that resuming needs."""

import json
import os
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import params as trees
from numseq.models import Seq2Seq
from numseq.training.checkpoint import METRICS, MODEL, TRAINING, CheckpointError, load_arrays, restore, save_arrays
from numseq.training.optimizers import Optimizer
from numseq.training.progress import Progress


class State:
    """The files of a run in `folder`, which must exist."""

    def __init__(self, folder: str | PathLike):
        self.folder = Path(folder)

    @property
    def begun(self) -> bool:
        """Is there something to resume?"""
        return (self.folder / TRAINING).exists()

    def history(self) -> list[dict[str, Any]]:
        """The metrics of the epochs that are done, a list of dicts."""
        path = self.folder / METRICS
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def add_metrics(self, line: dict[str, Any], progress: Progress) -> None:
        """Add a line to the metrics. It is on the disk before the checkpoint that counts on it."""
        with open(self.folder / METRICS, "ab") as file:
            file.write((json.dumps(line) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
            progress.metrics_bytes = file.tell()

    def cut_metrics(self, progress: Progress) -> None:
        """Forget lines that were written after the checkpoint: those epochs are trained again."""
        path = self.folder / METRICS
        if path.exists() and path.stat().st_size > progress.metrics_bytes:
            with open(path, "r+b") as file:
                file.truncate(progress.metrics_bytes)

    def keep_best(self, model: Seq2Seq, line: dict[str, Any]) -> None:
        """Keep these parameters as the run's model."""
        described = {name: line[name] for name in ("epoch", "valid_loss")}
        save_arrays(self.folder / MODEL, dict(trees.walk(model.params)), described)

    def save(self, model: Seq2Seq, optimizer: Optimizer, progress: Progress) -> None:
        """Write all that resuming needs, in one step."""
        arrays = {f"params.{name}": leaf for name, leaf in trees.walk(model.params)}
        for moment, tree in optimizer.moments.items():
            arrays |= {f"{moment}.{name}": leaf for name, leaf in trees.walk(tree)}
        save_arrays(self.folder / TRAINING, arrays, asdict(progress))

    def load(self, model: Seq2Seq, optimizer: Optimizer) -> Progress:
        """Put parameters and moments where they were; returns the Progress.

        Raises: CheckpointError, when the file cannot be read or does not belong to this model and optimiser.
        """
        path = self.folder / TRAINING
        arrays, kept = load_arrays(path)
        try:
            progress = Progress(**{field.name: kept[field.name] for field in fields(Progress)})
        except KeyError as error:
            raise CheckpointError(f"{path}: {error} is missing: not the state of a training run") from None
        optimizer.steps = progress.updates
        model.params = restore(path, model.params, arrays, "params.")
        for moment, tree in optimizer.moments.items():
            optimizer.moments[moment] = restore(path, tree, arrays, f"{moment}.")
        return progress
