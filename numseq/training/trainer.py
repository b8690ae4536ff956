"""Training: batches in, better parameters out; a run that can be stopped anywhere and goes on to the same bits.

Everything random is drawn from (seed, what it is for, epoch, step), so where a run stands is three numbers, and a
run that was resumed draws what the run that was never stopped would have drawn.
"""

import json
import math
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from numseq import params as trees
from numseq.backend import generator, keep_freed_memory
from numseq.data.batches import padding_share, plan_batches
from numseq.errors import NumseqError
from numseq.models import ConfigError
from numseq.search.translate import mean_loss
from numseq.training.checkpoint import (
    METRICS,
    MODEL,
    TRAINING,
    CheckpointError,
    load_arrays,
    restore,
    save_arrays,
)
from numseq.training.optimizers import OPTIMIZERS, clip_by_global_norm

SHUFFLE, MASKS = range(2)  # what a seed is for
SAVE_EVERY = 60  # seconds between saves within an epoch
FAR_WORSE = 3  # a loss of so many times that of guessing uniformly is divergence


class DivergedError(NumseqError):
    """The loss or the gradient stopped being a finite number, or the loss is far above that of guessing."""


class InterruptedTraining(NumseqError):
    """Ctrl-C: the run was saved and can be resumed."""


@dataclass(frozen=True)
class TrainingOptions:
    """How a run trains. Raises: ConfigError, naming the option, when a value makes no sense."""

    epochs: int = 10
    batch: int = 64  # sentence pairs
    optimizer: str = "adam"
    lr: float | None = None  # None: as the optimiser has it
    weight_decay: float | None = None  # None: as the optimiser has it, 0.01 for adamw and 0 for the others
    decay: float = 0.5  # lr is multiplied by this after an epoch without a better validation loss
    clip: float = 1.0  # the largest global norm of a gradient
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 1")
        for name in ("lr", "clip"):
            if getattr(self, name) is not None and not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be a positive number")
        if self.weight_decay is not None and not 0 <= self.weight_decay < math.inf:
            raise ConfigError(f"weight_decay is {self.weight_decay}: it must be finite and at least 0")
        if not 0 < self.decay <= 1:
            raise ConfigError(f"decay is {self.decay}: it must be above 0 and at most 1")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}: it must not be negative")
        if self.optimizer not in OPTIMIZERS:
            raise ConfigError(f"optimizer is {self.optimizer!r}: choose one of {', '.join(OPTIMIZERS)}")


@dataclass
class Progress:
    """Where a run stands: the numbers that, with the parameters and moments, decide everything that follows."""

    epoch: int = 1  # the epoch at work, from 1
    step: int = 0  # batches of it that are done
    loss: float = 0.0  # of these, the sum over tokens
    tokens: int = 0
    updates: int = 0  # steps of the optimiser
    lr: float = 0.0  # its step size
    best: float | None = None  # the lowest validation loss so far, nats per token
    metrics_bytes: int = 0  # length of the metrics file
    seconds: float = 0.0  # spent training, in all sittings


class Trainer:
    """Trains one model in one run folder.

    Args: model, a Seq2Seq; its parameters are changed in place. train, valid: Pairs. folder: where checkpoints and
        metrics go; it must exist. options: TrainingOptions. say: called with a line of text after each epoch.
        resume: continue from the folder's training.safetensors if it has one.
    Raises: CheckpointError, when there is something to resume that cannot be read.
    """

    def __init__(self, model, train, valid, folder, options, say=print, resume=False):
        self.model, self.train, self.valid = model, train, valid
        self.folder, self.options, self.say = Path(folder), options, say
        given = {"lr": options.lr, "weight_decay": options.weight_decay}
        given = {name: value for name, value in given.items() if value is not None}
        self.optimizer = OPTIMIZERS[options.optimizer](model.params, **given)
        self.progress = Progress()
        if resume and (self.folder / TRAINING).exists():
            self._load()
        self._cut_metrics()

    def run(self):
        """Train until the last epoch. Returns the metrics of all epochs, a list of dicts.

        Raises: InterruptedTraining, after Ctrl-C, once all is saved. DivergedError, on a loss or gradient that is not
            finite, and instead of saving what is far worse than guessing; what was saved before stays.
        """
        keep_freed_memory()
        # numbers that overflow are reported once, with the step, as an error and not as warnings
        with _ctrl_c() as pressed, np.errstate(all="ignore"):
            while self.progress.epoch <= self.options.epochs:
                self._epoch(pressed)
        return self.history()

    def history(self):
        """The metrics of the epochs that are done, as written in metrics.jsonl."""
        path = self.folder / METRICS
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _epoch(self, pressed):
        p, began = self.progress, time.monotonic()
        lengths = self.train.source.lengths, self.train.target.lengths
        rng = generator(self.options.seed, SHUFFLE, p.epoch)
        batches = plan_batches(*lengths, self.options.batch, rng)
        tokens_before, saved = p.tokens, began
        bar = _progress_bar(total=len(batches), initial=p.step, desc=f"epoch {p.epoch}/{self.options.epochs}")
        with bar:
            for rows in batches[p.step :]:
                loss, norm = self.train_on(rows)
                bar.set_postfix_str(
                    f"loss {loss:.3f}, grad {norm:.2f}, "
                    f"{(p.tokens - tokens_before) / (time.monotonic() - began):,.0f} tokens/s",
                    refresh=False,
                )
                bar.update()
                if pressed.is_set():
                    self._refuse_divergence(p.loss / p.tokens, "training")
                    self._save(began)
                    raise InterruptedTraining(f"stopped at epoch {p.epoch}, batch {p.step} of {len(batches)}; saved")
                if time.monotonic() - saved > SAVE_EVERY:
                    self._refuse_divergence(p.loss / p.tokens, "training")
                    self._save(began)
                    began = saved = time.monotonic()
                    tokens_before = p.tokens
        self._end_of_epoch(began, padding_share(batches, *lengths))

    def train_on(self, rows):
        """One batch: forward, backward, clip, update. Returns the loss and the gradient's norm before clipping."""
        p, model = self.progress, self.model
        batch = self.train.batch(rows)
        masks = model.draw_masks(batch, self.options.seed, MASKS, p.epoch, p.step)
        trace = model.forward(batch, masks)
        grad = trace.backward().params
        loss, norm = float(trace.loss), clip_by_global_norm(grad, self.options.clip)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise self._diverged(
                f"epoch {p.epoch}, batch {p.step + 1}: the loss is {loss} and the gradient's norm {norm}"
            )
        self.optimizer.update(model.params, grad)
        p.step += 1
        p.loss += loss * batch.tokens
        p.tokens += batch.tokens
        return loss, norm

    def _refuse_divergence(self, loss, of):
        """Raise DivergedError on a mean loss that is not finite or far above ln V, which knowing nothing has."""
        guessing = math.log(self.model.config.target_vocabulary)
        if not loss <= FAR_WORSE * guessing:  # so written, it holds for NaN too
            raise self._diverged(
                f"epoch {self.progress.epoch}: the {of} loss is {loss:.4g}, that of guessing {guessing:.4g}"
            )

    def _diverged(self, what):
        kept = "holds the last good checkpoint" if (self.folder / TRAINING).exists() else "holds no checkpoint yet"
        return DivergedError(
            f"{what}; training stopped, {self.folder} {kept}; a new run with a lower --lr usually helps"
        )

    def _end_of_epoch(self, began, padding):
        p = self.progress
        valid = mean_loss(self.model, self.valid, self.options.batch)
        self._refuse_divergence(valid, "validation")
        improved = p.best is None or valid < p.best
        seconds = time.monotonic() - began
        line = {
            "epoch": p.epoch,
            "train_loss": p.loss / p.tokens,
            "valid_loss": valid,
            "valid_perplexity": math.exp(valid),
            "lr": self.optimizer.lr,
            "tokens": p.tokens,
            "padding": padding,
            "seconds": p.seconds + seconds,
        }
        if improved:
            p.best = valid
            described = {"epoch": p.epoch, "valid_loss": valid}
            save_arrays(self.folder / MODEL, dict(trees.walk(self.model.params)), described)
        else:
            self.optimizer.lr *= self.options.decay
        with open(self.folder / METRICS, "ab") as file:
            file.write((json.dumps(line) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())  # the checkpoint that follows counts on this line
            p.metrics_bytes = file.tell()
        p.epoch, p.step, p.loss, p.tokens = p.epoch + 1, 0, 0.0, 0
        self._save(began)
        self.say(
            f"epoch {line['epoch']:>3}/{self.options.epochs}  train loss {line['train_loss']:.4f}  "
            f"validation perplexity {line['valid_perplexity']:.4g}{' *' if improved else '  '}  "
            f"lr {line['lr']:.2g}  {line['seconds']:.0f} s  padding {padding:.1%}"
        )

    def _save(self, began):
        """Write all that resuming needs, in one step."""
        p = self.progress
        p.seconds += time.monotonic() - began
        arrays = {f"params.{name}": leaf for name, leaf in trees.walk(self.model.params)}
        for moment, tree in self.optimizer.moments.items():
            arrays |= {f"{moment}.{name}": leaf for name, leaf in trees.walk(tree)}
        p.lr, p.updates = self.optimizer.lr, self.optimizer.steps
        save_arrays(self.folder / TRAINING, arrays, asdict(p))

    def _load(self):
        path = self.folder / TRAINING
        arrays, state = load_arrays(path)
        try:
            self.progress = Progress(**{field.name: state[field.name] for field in fields(Progress)})
        except KeyError as error:
            raise CheckpointError(f"{path}: {error} is missing: not the state of a training run") from None
        self.optimizer.lr, self.optimizer.steps = self.progress.lr, self.progress.updates
        self.model.params = restore(path, self.model.params, arrays, "params.")
        for moment, tree in self.optimizer.moments.items():
            self.optimizer.moments[moment] = restore(path, tree, arrays, f"{moment}.")

    def _cut_metrics(self):
        """Forget lines that were written after the checkpoint: those epochs are trained again."""
        path = self.folder / METRICS
        if path.exists() and path.stat().st_size > self.progress.metrics_bytes:
            with open(path, "r+b") as file:
                file.truncate(self.progress.metrics_bytes)


def _progress_bar(**options):
    """A bar in a terminal, a widget in a notebook that has ipywidgets, and nothing where output goes to a file."""
    if "ipykernel" in sys.modules and find_spec("ipywidgets"):
        from tqdm.notebook import tqdm

        return tqdm(unit="batch", leave=False, **options)
    from tqdm import tqdm

    return tqdm(unit="batch", leave=False, disable=None, mininterval=0.5, **options)


@contextmanager
def _ctrl_c():
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
