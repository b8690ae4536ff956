"""What a run is, how it was made, and how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

from numseq import arguments
from numseq import params as trees
from numseq.errors import ConfigError
from numseq.metrics.figures import FIGURES, column
from numseq.models import Seq2SeqConfig
from numseq.options import options_of, validate
from numseq.training.arrays import CheckpointError, load_arrays
from numseq.training.checkpoint import TRAINING, create_model, load_config, load_metrics
from numseq.training.lock import writer
from numseq.training.progress import Progress
from numseq.training.run import resumed_options


def describe(folder: str | PathLike) -> dict[str, Any]:
    """What the files of a run say of it; it may be under way, or of a version that said less: then there is None.

    Args: folder, of the run.
    Returns: a JSON-able dict: "folder"; "state", "finished", "stopped" or "training" (`ending`, why it has finished),
        or "averaged" of a mean of models ("averaged" has the "updates" that these come after);
        "model", its configuration; "parameters", how many numbers; "files", where the data are; "from", the run with
        whose weights it began; "data" and "training", the options; "epochs", "updates", "seconds" that are done;
        "tokens_per_second" on the whole, "peak_memory" in MB; "metric", what says which model is the best; "best", the
        line of metrics.jsonl of that model, with the metric as "value".
    Raises: CheckpointError, when the folder holds no run, or what is read cannot be.
    """
    folder = arguments.path(folder, "folder")
    config, described = load_config(folder)
    _, data, training, origin = resumed_options(folder)
    progress, lines = _progress(folder), load_metrics(folder)
    ending = progress and progress.ending(training)
    value, best = best_validation(lines, training.metric)
    tokens, last = [line.get("tokens") for line in lines], lines[-1] if lines else {}
    return {
        "folder": str(folder),
        "state": _state(folder, described, ending),
        "ending": ending,
        "averaged": described.get("averaged"),
        "model": asdict(config),
        "parameters": trees.count(create_model(folder, config).params),
        "files": {name: path for name, path in (origin or {}).items() if path},
        "from": described.get("from"),
        "data": asdict(data),
        "training": asdict(training),
        "epochs": progress and progress.epoch - 1,
        "updates": progress and progress.updates,
        "seconds": progress and progress.seconds,
        "tokens_per_second": sum(tokens) / last["seconds"] if all(tokens) and last.get("seconds") else None,
        "peak_memory": max((line["peak_memory"] for line in lines if line.get("peak_memory")), default=None),
        "metric": training.metric,
        "best": {**best, "value": value} if best else None,
    }


def _state(folder, described, ending):
    if "averaged" in described:
        return "averaged"
    return "training" if writer(folder) else "finished" if ending else "stopped"


def best_validation(lines: Sequence[Mapping[str, Any]], metric: str) -> tuple[float | None, Mapping[str, Any] | None]:
    """(the best value of a metric, its line) of a run's metrics; (None, None) where no line has it. Of lines with the
    same value it is that of the smallest validation loss, as of the models."""
    best, best_loss = (None, None), None
    for line in lines:
        value = line.get(column(metric))
        loss = line.get(column("loss"))
        if value is not None and FIGURES[metric].chosen(value, loss, best[0], best_loss):
            best, best_loss = (value, line), loss
    return best


def differing(config: Seq2SeqConfig, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a configuration that do not follow from the others, as those that somebody has said.

    Args: config. defaults, {name: value} where they are others than the configuration's own.
    """
    known = {name: one for name, one in options_of(Seq2SeqConfig).items() if not name.endswith("_vocabulary")}
    usual, said = {name: one.default for name, one in known.items()} | dict(defaults), {}
    for name in known:  # what is said so far decides, or all else where that is no model without what is further down
        follows = _follows(name, config, usual | said, _follows(name, config, {name: usual[name]}, usual[name]))
        if follows != getattr(config, name):
            said[name] = getattr(config, name)
    return said


def _follows(name, config, others, otherwise):
    """What an option is in a configuration with other values; otherwise, where that is none."""
    try:
        return getattr(replace(config, **others), name)
    except ConfigError:
        return otherwise


def _progress(folder):
    """Where a run stands, None before it has begun."""
    path = Path(folder) / TRAINING
    if not path.exists():
        return None
    _, kept = load_arrays(path)
    try:
        progress = Progress(**{name: kept[name] for name in options_of(Progress) if name in kept})
        validate(progress)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return progress
