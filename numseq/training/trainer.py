"""Training: batches in, better parameters out; a run that can be stopped anywhere and goes on to the same bits.

Everything random is drawn from (seed, what it is for, epoch, step), so where a run stands is three numbers, and a
run that was resumed draws what the run that was never stopped would have drawn.

The loop knows batches and an objective, and no text. A corpus is whatever has `plan(size, rng)`, which rows go together
in an epoch; `batch(rows)`, what a model's `forward` takes, with its `weight` in a mean over batches; `padding(plan)`.
"""

import math
from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np

from numseq import arguments
from numseq import params as trees
from numseq.backend import Array, array_module, generator, keep_freed_memory
from numseq.data.batches import Pairs
from numseq.errors import ArgumentError, ConfigError, NumseqError, shown
from numseq.models import Seq2Seq
from numseq.objectives import OBJECTIVES
from numseq.threads import blas_threads, choose_threads
from numseq.training.arrays import CheckpointError
from numseq.training.lock import locked
from numseq.training.optimizers import OPTIMIZERS, clip_by_global_norm
from numseq.training.options import TrainingOptions
from numseq.training.progress import Bar, Clock, Progress, ctrl_c
from numseq.training.schedules import SCHEDULES
from numseq.training.state import State

SHUFFLE, NOISE = range(2)  # what a seed is for
SAVE_EVERY = 60  # seconds between saves within an epoch
FAR_WORSE = 3  # a loss of so many times that of guessing uniformly is divergence


class DivergedError(NumseqError):
    """The loss or the gradient stopped being a finite number, or the loss is far above that of guessing."""


class InterruptedTraining(NumseqError):
    """Ctrl-C: the run was saved and can be resumed."""


class Trainer:
    """Trains one model in one run folder.

    Args: model, a Seq2Seq; its parameters are changed in place. train, valid: corpora, such as Pairs. folder: where
        checkpoints and metrics go; it must exist. options: TrainingOptions. say: called with a line of text after each
        epoch. resume: go on with the run that the folder holds, if it holds one.
    Raises: ArgumentError, when one of these is of another kind, or a corpus has ids that the model lacks;
        CheckpointError, when the folder holds a run that is not to be resumed, or cannot be.
    """

    def __init__(
        self,
        model: Seq2Seq,
        train: Any,
        valid: Any,
        folder: str | PathLike,
        options: TrainingOptions,
        say: Callable[[str], Any] = print,
        resume: bool = False,
    ):
        arguments.one_of(model, "model", Seq2Seq)
        arguments.one_of(options, "options", TrainingOptions)
        arguments.function(say, "say")
        if not arguments.path(folder, "folder").is_dir():
            raise ArgumentError(f"folder is {shown(str(folder))}: there is no such folder")
        for called, corpus in (("train", train), ("valid", valid)):
            _check_corpus(corpus, called, model.config)
        self.model, self.train, self.valid = model, train, valid
        self.options, self.say, self.state = options, say, State(folder)
        self.objective = OBJECTIVES.find(options.objective)(model.config)
        self.guessing = getattr(self.objective, "guessing", math.inf)
        self.schedule = SCHEDULES.find(options.schedule)
        self.optimizer = optimizer_of(options, model.params)
        self.lr = self.optimizer.lr
        begun = self.state.begun
        if begun and not resume:
            raise CheckpointError(f"{folder} holds a run already: resume it, or choose another folder")
        self.progress = self.state.load(model, self.optimizer) if begun else Progress()

    def run(self) -> list[dict[str, Any]]:
        """Train until the last epoch. Returns the metrics of all epochs, a list of dicts.

        Raises: InterruptedTraining, after Ctrl-C, once all is saved. DivergedError, on a loss or gradient that is not
            finite, and instead of saving what is far worse than guessing; what was saved before stays. CheckpointError,
            when something else has trained in the folder since this Trainer was made, or the folder was renamed.
            OSError, before training, when a file cannot be written.
        """
        keep_freed_memory()
        threads = choose_threads(self.options.threads, self.model.params, self.options.batch)
        # numbers that overflow are reported once, with the step, as an error and not as warnings
        quiet = np.errstate(all="ignore")
        with locked(self.state.folder, self.say), ctrl_c() as pressed, quiet, blas_threads(threads):
            self.state.check()
            self.state.cut_metrics(self.progress)
            if not self.state.begun:  # from here on, a state that is not there was lost
                self.state.save(self.model, self.optimizer, self.progress)
            while self.progress.epoch <= self.options.epochs:
                self._epoch(pressed)
        return self.state.history()

    def _epoch(self, pressed):
        p, options, clock = self.progress, self.options, Clock(self.progress)
        plan = self.train.plan(options.batch, generator(options.seed, SHUFFLE, p.epoch))
        if p.step > len(plan):
            raise CheckpointError(f"batch {p.step} of {len(plan)} is said to be done: not the state of these data")
        with Bar(p, options.epochs, len(plan)) as bar:
            for rows in plan[p.step :]:
                loss, norm = self.train_on(rows)
                bar.show(loss, norm)
                if pressed.is_set() or clock.due(SAVE_EVERY):
                    self._save(clock)
                if pressed.is_set():
                    raise InterruptedTraining(f"stopped at epoch {p.epoch}, batch {p.step} of {len(plan)}; saved")
        self._end_of_epoch(clock, self.train.padding(plan))

    def train_on(self, rows: Array) -> tuple[float, float]:
        """One batch: forward, backward, clip, update. Returns the loss and the gradient's norm before clipping."""
        p, model, options = self.progress, self.model, self.options
        batch = self.train.batch(rows)
        noise = model.draw_noise(batch, options.seed, NOISE, p.epoch, p.step)
        trace = model.forward(batch, noise, self.objective)
        grad = self.trained(trace.backward().params)
        loss, norm = float(trace.loss), clip_by_global_norm(grad, options.clip)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise self._diverged(
                f"epoch {p.epoch}, batch {p.step + 1}: the loss is {loss} and the gradient's norm {norm}"
            )
        self.optimizer.lr = float(self.schedule(self.lr, p, options))  # NumPy's would make float32 arrays float64
        self.optimizer.update(self.trained(model.params), grad)
        p.updates = self.optimizer.steps
        p.batch_done(loss, batch.weight)
        return loss, norm

    def trained(self, tree: trees.Tree) -> trees.Tree:
        """A tree of parameters, or of their gradients, without those that are frozen."""
        return trees.without(tree, self.options.frozen)

    def _end_of_epoch(self, clock, padding):
        p = self.progress
        valid = mean_loss(self.model, self.valid, self.options.batch, self.objective)
        self._refuse_divergence(valid, "validation")
        improved = p.best is None or valid < p.best
        clock.tick()
        line = {
            "epoch": p.epoch,
            "train_loss": p.mean_loss,
            "valid_loss": valid,
            "valid_perplexity": float(np.exp(valid)),
            "lr": self.optimizer.lr,
            "tokens": p.weight,
            "padding": padding,
            "seconds": p.seconds,
        }
        if improved:
            p.best = valid
            self.state.keep_best(self.model, line, p)
        else:
            p.setbacks += 1
        self.state.add_metrics(line, p)
        p.epoch_done()
        self.state.save(self.model, self.optimizer, p)
        self.say(
            f"epoch {line['epoch']:>3}/{self.options.epochs}  train loss {line['train_loss']:.4f}  "
            f"validation perplexity {line['valid_perplexity']:.4g}{' *' if improved else '  '}  "
            f"lr {line['lr']:.2g}  {line['seconds']:.0f} s  padding {padding:.1%}"
        )

    def _save(self, clock):
        """Save in the middle of an epoch, unless what would be saved is worthless."""
        self._refuse_divergence(self.progress.mean_loss, "training")
        clock.tick()
        self.state.save(self.model, self.optimizer, self.progress)

    def _refuse_divergence(self, loss, of):
        """Raise DivergedError on a mean loss that is not finite or far above that of knowing nothing, and on parameters
        that are not finite, which a loss need not show: a gate that is fed infinity is open."""
        if not loss <= FAR_WORSE * self.guessing:  # so written, it holds for NaN too
            raise self._diverged(
                f"epoch {self.progress.epoch}: the {of} loss is {loss:.4g}, that of guessing {self.guessing:.4g}"
            )

        for name, leaf in trees.walk(self.model.params):
            if not array_module(leaf).isfinite(leaf).all():
                raise self._diverged(f"epoch {self.progress.epoch}: {name} holds numbers that are not finite")

    def _diverged(self, what):
        return DivergedError(
            f"{what}; training stopped, {self.state.folder} holds the state after {self.state.updates:,} updates; "
            "a new run with a lower --lr usually helps"
        )


def _check_corpus(corpus, called, config):
    """Raise ArgumentError, unless it is one, and has something that the model knows."""
    arguments.having(corpus, called, "Pairs, or a corpus like it", "plan", "batch", "padding")
    if isinstance(corpus, Pairs):
        corpus.fit(called, config.source_vocabulary, config.target_vocabulary)
        if not len(corpus):
            raise ArgumentError(f"{called} has no pair in it")
        if not corpus.source.lengths.all():
            first = int(corpus.source.lengths.argmin())
            raise ArgumentError(
                f"{called} has a pair without a source, the first is number {first + 1:,}: leave it out"
            )


def not_frozen(params: trees.Tree, options: TrainingOptions) -> trees.Tree:
    """Those of a model's parameters that are trained. Raises: ConfigError, when there are none, or no such ones."""
    try:
        trained = trees.without(params, options.frozen)
    except trees.TreeError as error:
        raise ConfigError(f"freeze: {error}") from None
    if not trees.leaves(trained):
        raise ConfigError("freeze: nothing is left to train")
    return trained


def optimizer_of(options: TrainingOptions, params: trees.Tree) -> Any:
    """The optimiser that the options name, for those of a model's parameters that are trained. Raises: ConfigError."""
    given = {"lr": options.lr, "weight_decay": options.weight_decay}
    given = {name: value for name, value in given.items() if value is not None}
    return OPTIMIZERS.find(options.optimizer)(not_frozen(params, options), **given)


def mean_loss(model: Seq2Seq, corpus: Any, size: int = 64, objective: Any = None) -> float:
    """The mean loss of a corpus by weight: for pairs of sentences nats per target token (<eos> counts), whose exp is
    the perplexity.

    Args: model, a Seq2Seq. corpus, such as Pairs. size, rows computed together. objective, None for cross-entropy.
    Raises: ArgumentError, when one of these is of another kind, or the corpus is empty or not of the model.
    """
    arguments.one_of(model, "model", Seq2Seq)
    _check_corpus(corpus, "corpus", model.config)
    size = arguments.whole(size, "size", least=1)
    total = weight = 0
    for rows in corpus.plan(size):
        batch = corpus.batch(rows)
        total += float(model.forward(batch, objective=objective).loss) * batch.weight
        weight += batch.weight
    return total / weight
