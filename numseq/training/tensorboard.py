"""The metrics of a run for TensorBoard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from numseq.errors import ConfigError
from numseq.training.checkpoint import load_metrics
from numseq.training.options import TrainingOptions
from numseq.training.state import State

FOLDER = "tensorboard"


@contextmanager
def board(state: State, options: TrainingOptions) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A block in which each line of the metrics can be written for TensorBoard, by the function that it gives; one
    that does nothing, unless the options ask for it.

    What is there is made anew of metrics.jsonl first, so a run that was killed and resumed has nothing twice.
    """
    if not options.tensorboard:
        yield lambda line: None
        return
    check_installed()
    from tensorboardX import SummaryWriter

    folder = state.folder / FOLDER
    for path in folder.glob("events.out.tfevents.*"):
        path.unlink()
    with SummaryWriter(str(folder)) as writer:

        def write(line):
            for name, value in line.items():
                if isinstance(value, int | float) and name != "updates":
                    writer.add_scalar(name, value, line["updates"])
            writer.flush()

        for line in load_metrics(state.folder):
            write({"updates": line["epoch"]} | line)  # of earlier versions, which counted epochs alone
        yield write


def check_installed() -> None:
    """Raises: ConfigError, when the package that writes for TensorBoard is not there."""
    if not find_spec("tensorboardX"):
        raise ConfigError("tensorboard needs more: pip install tensorboardX")
