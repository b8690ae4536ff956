"""Where a run stands, and how that is shown and asked for: numbers, a bar, and Ctrl-C."""

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Self

from numseq.options import option

FIRST, SELDOM = 30, 600  # seconds between lines that show progress where there is no terminal


@dataclass
class Progress:
    """Where a run stands: the numbers that, with the parameters and moments, decide everything that follows."""

    epoch: int = option(1, "The epoch at work, from 1.", least=1)
    step: int = option(0, "Updates of it that are done.", least=0)
    of: int = option(0, "Updates that it has; 0 as long as that is not known.", least=0)
    loss: float = option(0.0, "Of the updates since the last validation, the sum over what they weigh.")
    weight: int = option(0, "What they weigh: real target tokens.", least=0)
    updates: int = option(0, "Steps of the optimiser, in all epochs.", least=0)
    lr: float | None = option(None, "Step size of the last of them.")
    validations: int = option(0, "How many there were.", least=0)
    validated: int = option(0, "How many updates the last one came after.", least=0)
    setbacks: int = option(0, "Validations without a better metric, in all.", least=0)
    waited: int = option(0, "The same since the last better one.", least=0)
    best: float | None = option(None, "The best value of the metric so far.")
    best_loss: float | None = option(None, "The validation loss of the model that has it.")
    seconds: float = option(0.0, "Spent training, in all sittings.", least=0)
    since: float = option(0.0, "How many of them had passed at the end of the last validation.", least=0)
    metrics_bytes: int = option(0, "Length of the metrics file.", least=0)
    metrics_crc32: int = option(0, "Its checksum.", least=0, below=1 << 32)
    model_crc32: str | None = option(None, "Checksum of the best model so far.")

    @property
    def mean_loss(self) -> float:
        """Of the updates since the last validation."""
        return self.loss / self.weight

    def done(self, options: Any) -> float:
        """The share of the run that is done, from 0 to 1: of its epochs or of its updates, whichever is more.

        Args: options, a TrainingOptions.
        """
        epochs = (self.epoch - 1 + (self.step / self.of if self.of else 0)) / options.epochs
        updates = self.updates / options.updates if options.updates else 0.0
        return min(1.0, max(epochs, updates))

    def ending(self, options: Any) -> str | None:
        """Why a run ends where it stands, a line; None as long as it goes on. Args: options, a TrainingOptions."""
        if self.epoch > options.epochs:
            return f"all {self.epoch - 1} epochs are done"
        if options.updates and self.updates >= options.updates:
            return f"all {self.updates:,} updates are done"
        if options.patience and self.waited >= options.patience:
            of = f"the last {self.waited} validations" if self.waited > 1 else "the last validation"
            return f"{of} brought no {options.metric} better than {self.best:.4g}, so training ends (patience)"
        return None

    def update_done(self, loss: float, weight: int) -> None:
        self.step += 1
        self.updates += 1
        self.loss += loss * weight
        self.weight += weight

    def validation_done(self, value: float, loss: float, better: bool, chosen: bool) -> None:
        """Args: value of the metric. loss, of the validation. better: is the value better than all before? chosen: is
        this the best model now, by its value or, where that is the same, by its loss?"""
        self.validations, self.validated, self.since = self.validations + 1, self.updates, self.seconds
        self.loss, self.weight = 0.0, 0
        if chosen:
            self.best, self.best_loss = value, loss
        if better:
            self.waited = 0
        else:
            self.setbacks, self.waited = self.setbacks + 1, self.waited + 1

    def epoch_done(self) -> None:
        self.epoch, self.step = self.epoch + 1, 0


class Clock:
    """Adds the time that passes to a run's seconds, and says when the next save is due."""

    def __init__(self, progress: Progress):
        self.progress = progress
        self.since = self.saved = time.monotonic()

    def tick(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self.since
        self.since = now

    def due(self, every: float) -> bool:
        """Have so many seconds passed since this was last the case?"""
        if time.monotonic() - self.saved <= every:
            return False
        self.saved = time.monotonic()
        return True


def progress_bar(total: int | None, unit: str, desc: str = "", initial: int = 0, hidden: bool = False) -> Any:
    """What shows progress on standard error: in a terminal tqdm's bar, in a notebook that has ipywidgets its widget,
    elsewhere `Lines`. All have `total`, `update`, `set_postfix_str` and `close`.
    """
    if sys.stderr is None or hidden:
        return Lines(total, unit, desc, initial, silent=True)
    if _in_notebook() and find_spec("ipywidgets"):
        from tqdm.notebook import tqdm
    elif getattr(sys.stderr, "isatty", bool)():  # what takes its place may have no such method
        from tqdm import tqdm
    else:
        return Lines(total, unit, desc, initial)
    return tqdm(total=total, unit=unit, desc=desc or None, initial=initial, leave=False, mininterval=0.5)


def _in_notebook():
    """Does a notebook's kernel run this? That its modules are loaded does not say so: other libraries load them."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Lines:
    """Progress where there is no terminal: a line on standard error now and then, after FIRST seconds and then after
    twice as long each time, but at least every SELDOM."""

    def __init__(self, total: int | None, unit: str, desc: str, initial: int, silent: bool = False):
        self.total, self.unit, self.desc, self.n, self.postfix = total, unit, desc, initial, ""
        self._began, self._wait = time.monotonic(), math.inf if silent else FIRST
        self._next = self._began + self._wait

    def set_postfix_str(self, text: str, refresh: bool = False) -> None:
        self.postfix = text

    def update(self, n: int = 1) -> None:
        self.n += n
        now = time.monotonic()
        if now >= self._next:
            self._wait = min(2 * self._wait, SELDOM)
            self._next = now + self._wait
            of = f" of {self.total:,}" if self.total else ""
            parts = [self.desc, f"{self.unit} {self.n:,}{of}", self.postfix, f"{now - self._began:.0f} s"]
            print(", ".join(filter(None, parts)), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing has to be wiped away."""


class Bar:
    """The progress of one epoch; see `progress_bar`."""

    def __init__(self, progress: Progress, epochs: int):
        self._bar = progress_bar(progress.of, "update", f"epoch {progress.epoch}/{epochs}", progress.step)
        self._progress, self._before, self._began = progress, progress.weight, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.close()

    def show(self, loss: float, norm: float) -> None:
        speed = (self._progress.weight - self._before) / (time.monotonic() - self._began)
        self._bar.set_postfix_str(f"loss {loss:.3f}, grad {norm:.2f}, {speed:,.0f} tokens/s", refresh=False)
        self._bar.update()


@contextmanager
def ctrl_c() -> Iterator[threading.Event]:
    """An event that Ctrl-C (or SIGTERM) sets, so that no update is cut in half. A second Ctrl-C stops at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed  # only the main thread may handle signals
        return

    def note(signum, frame):
        pressed.set()
        signal.signal(signal.SIGINT, before.get(signal.SIGINT, signal.SIG_IGN))

    heard = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in heard}
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
