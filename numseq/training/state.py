"""What a training run keeps on disk while it goes on: metrics, the best model, and all that resuming needs."""

import json
import math
import zlib
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import params as trees
from numseq.errors import ConfigError
from numseq.files import append, check_writable
from numseq.models import Seq2Seq
from numseq.options import validate
from numseq.training.arrays import CheckpointError, load_arrays, restore, save_arrays
from numseq.training.checkpoint import CHECKPOINTS, CONFIG, METRICS, MODEL, TRAINING, Description
from numseq.training.kept import Kept
from numseq.training.lock import check_held
from numseq.training.optimizers import Optimizer
from numseq.training.options import TrainingOptions
from numseq.training.progress import Progress


class State:
    """The files of a run in `folder`, which must exist."""

    def __init__(self, folder: str | PathLike):
        self.folder = Path(folder)
        described = (self.folder / CONFIG).exists()  # else it is a loop of one's own
        self.run = Description.load(folder).run if described else None
        self.kept = Kept(folder)
        self.updates = 0  # of the optimiser, in the state that is on the disk
        self.seen: tuple[int, int] | None = None  # which file that is
        # checksum, value and validation loss of a model that was kept, but not counted
        self.ahead: tuple[str, float, float | None] | None = None

    @property
    def begun(self) -> bool:
        """Is there something to resume? Raises: CheckpointError, when only the training state is lost."""
        if (self.folder / TRAINING).exists():
            return True
        if left := [name for name in (MODEL, METRICS, CHECKPOINTS) if (self.folder / name).exists()]:
            raise CheckpointError(
                f"{self.folder}: {TRAINING} is missing, without which training cannot go on, but {' and '.join(left)} "
                "are there and stay as they are: take it from a copy, or begin in another folder"
            )
        return False

    def check(self, options: TrainingOptions) -> None:
        """Find out before training whether what is on the disk is what was read, and whether it can be written.

        Raises: CheckpointError; OSError, naming the file.
        """
        if self._on_disk() != self.seen:
            raise CheckpointError(f"{self.folder}: something else has trained here meanwhile: go on from that")
        for name in (TRAINING, MODEL, METRICS):
            check_writable(self.folder / name)
        self.kept.check(options)

    def add_metrics(self, line: dict[str, Any], progress: Progress) -> None:
        """Add a line to the metrics. It is on the disk before the checkpoint that counts on it."""
        data = (json.dumps(line) + "\n").encode()
        append(self.folder / METRICS, data)
        progress.metrics_bytes += len(data)
        progress.metrics_crc32 = zlib.crc32(data, progress.metrics_crc32)

    def cut_metrics(self, progress: Progress) -> None:
        """Forget lines that were written after the checkpoint: those updates are made again."""
        path = self.folder / METRICS
        if path.exists() and path.stat().st_size > progress.metrics_bytes:
            with open(path, "r+b") as file:
                file.truncate(progress.metrics_bytes)

    def tidy(self, progress: Progress, options: TrainingOptions) -> None:
        """Remove models that are not kept any more, once what is on the disk does without them."""
        self.kept.tidy(progress.validated, options)

    def keep(
        self, model: Seq2Seq, options: TrainingOptions, line: dict[str, Any], progress: Progress, best: bool
    ) -> None:
        """Keep the parameters that were validated: as the run's model if they are the best, and in checkpoints/.

        Args: line, their metrics, with the value of the metric that models are chosen by. Raises: see `save`.
        """
        check_held(self.folder)
        said = {name: line[name] for name in ("epoch", "updates", "valid_loss", "metric", "value")}
        described = {"run": self.run, "validation": progress.validations + 1} | said
        if best:
            progress.model_crc32 = save_arrays(self.folder / MODEL, dict(trees.walk(model.params)), described)
        elif self.ahead:  # it took the place of the best one before, so it is the best
            progress.model_crc32, progress.best, progress.best_loss = self.ahead
        self.ahead = None
        self.kept.add(model.params, described, options)

    def save(self, model: Seq2Seq, optimizer: Optimizer, progress: Progress, average: trees.Tree | None = None) -> None:
        """Write all that resuming needs, in one step. Raises: CheckpointError, when the folder was renamed; OSError."""
        check_held(self.folder)
        parts = {"params": model.params} | optimizer.moments | ({} if average is None else {"ema": average})
        arrays = {f"{part}.{name}": leaf for part, tree in parts.items() for name, leaf in trees.walk(tree)}
        save_arrays(self.folder / TRAINING, arrays, {"run": self.run} | asdict(progress))
        self.seen = self._on_disk()
        self.updates = progress.updates

    def load(
        self, model: Seq2Seq, optimizer: Optimizer, average: trees.Tree | None = None
    ) -> tuple[Progress, trees.Tree | None]:
        """Put parameters and moments where they were; returns the Progress, and the moving average of the parameters,
        in the shapes of `average`. Nothing on disk is changed.

        Raises: CheckpointError, when a file cannot be read, is not the one that was written, or does not belong to this
            run, model and optimiser.
        """
        path = self.folder / TRAINING
        self.seen = self._on_disk()
        arrays, said = load_arrays(path)
        self._check_run(path, said)
        progress = _progress(path, said)
        self._check_model(progress, model)
        self._check_metrics(progress)
        optimizer.steps = self.updates = progress.updates
        model.params = restore(path, model.params, arrays, "params.")
        for moment, tree in optimizer.moments.items():
            optimizer.moments[moment] = restore(path, tree, arrays, f"{moment}.")
        return progress, None if average is None else restore(path, average, arrays, "ema.")

    def _on_disk(self):
        try:
            found = (self.folder / TRAINING).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _check_run(self, path, kept):
        if kept.get("run") != self.run:
            raise CheckpointError(f"{path}: of another run than {CONFIG}, or of other options")

    def _check_model(self, progress, model):
        """The model is the one that the state knows, or the next, which was kept just before the run was stopped."""
        path = self.folder / MODEL
        if not path.exists():
            if progress.best is not None:
                raise CheckpointError(f"{path} is missing, the best model so far: take it from a copy")
            return
        arrays, kept = load_arrays(path)
        self._check_run(path, kept)
        restore(path, model.params, arrays)  # it can be used, or all would be trained for nothing
        loss = kept.get("valid_loss")
        loss = loss if isinstance(loss, float | int) else None
        if kept["crc32"] == progress.model_crc32:
            if progress.best_loss is None:  # of a state of an earlier version
                progress.best_loss = loss
            return
        # before there were others, validations were epochs' ends, and the metric was the loss
        number, value = kept.get("validation", kept.get("epoch")), kept.get("value", loss)
        if number != progress.validations + 1 or not isinstance(value, float | int) or not math.isfinite(value):
            raise CheckpointError(f"{path}: not the model that {TRAINING} belongs to: take both from one copy")
        self.ahead = kept["crc32"], value, loss

    def _check_metrics(self, progress):
        """The metrics begin with the lines that the state knows; without a file at all they begin anew."""
        path = self.folder / METRICS
        try:
            with open(path, "rb") as file:
                lines = file.read(progress.metrics_bytes)
        except FileNotFoundError:
            progress.metrics_bytes = progress.metrics_crc32 = 0
            return
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
        if zlib.crc32(lines) != progress.metrics_crc32 or not _are_metrics(lines):
            raise CheckpointError(
                f"{path}: not the lines that were written: take it from a copy, or remove it to go on without them"
            )


def _progress(path, said):
    """The Progress that a training state has. Raises: CheckpointError."""
    try:
        if "validated" not in said:  # of a version that validated at the end of each epoch, and then alone
            said = said | {
                "of": 0,
                "lr": None,
                "validations": said["epoch"] - 1,
                "validated": said["updates"] - said["step"],
                "waited": 0,
                "since": said["seconds"],
            }
        said = {"best_loss": None} | said  # which earlier versions did not keep: the model's file has it
        progress = Progress(**{field.name: said[field.name] for field in fields(Progress)})
        validate(progress)
    except KeyError as error:
        raise CheckpointError(f"{path}: {error} is missing: not the state of a training run") from None
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    if (progress.validated == progress.updates) != (progress.weight == 0):
        raise CheckpointError(
            f"{path}: {progress.updates - progress.validated} updates since the last validation weigh "
            f"{progress.weight}: that cannot be"
        )
    return progress


def _are_metrics(data):
    """Whether bytes are whole lines, each a JSON object that says of which epoch it is."""
    try:
        epochs = [json.loads(line)["epoch"] for line in data.splitlines()]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return data[-1:] in (b"", b"\n") and all(isinstance(epoch, int) for epoch in epochs)
