"""Training: batches in, better parameters out; a run that can be stopped anywhere and goes on to the same bits.

Everything random is drawn from (seed, what it is for, epoch, step), so where a run stands is three numbers, and a
run that was resumed draws what the run that was never stopped would have drawn. Each update is made by `train_on`.

The loop knows batches and an objective, and no text. A corpus is whatever has `plan(size, rng)`, which rows go
together in an epoch (with by="tokens" too, if batches are asked for by tokens); `batch(rows)`, what a model's
`forward` takes, with its `weight` in a mean over batches; `padding(plan)`.
"""

import math
from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np

from numseq import arguments
from numseq import params as trees
from numseq.backend import Array, array_module, generator, keep_freed_memory
from numseq.errors import ArgumentError, ConfigError, NumseqError, shown
from numseq.metrics.figures import FIGURES, column
from numseq.metrics.loss import check_corpus, mean_loss
from numseq.models import Seq2Seq
from numseq.objectives import OBJECTIVES
from numseq.threads import blas_threads, choose_threads
from numseq.training.arrays import CheckpointError
from numseq.training.checkpoint import load_metrics
from numseq.training.ema import follow
from numseq.training.lock import locked
from numseq.training.memory import peak_memory
from numseq.training.optimizers import OPTIMIZERS, clip_by_global_norm, clip_by_value
from numseq.training.options import TrainingOptions
from numseq.training.progress import Bar, Clock, Progress, ctrl_c
from numseq.training.schedules import doubt, step_size
from numseq.training.state import State
from numseq.training.tensorboard import board

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
        validation. resume: go on with the run that the folder holds, if it holds one. scorer: what computes a metric
        that needs translations, f(model) returning ({name: value}, samples), samples being dicts that JSON can hold; it
        is called at each validation (`numseq.training.validation`).
    Raises: ArgumentError, when one of these is of another kind, a corpus has ids that the model lacks, or the metric
        of the options needs a scorer; CheckpointError, when the folder holds a run that is not to be resumed, or cannot
        be.
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
        scorer: Callable[[Seq2Seq], tuple[dict[str, float], list[dict[str, str]]]] | None = None,
    ):
        arguments.one_of(model, "model", Seq2Seq)
        arguments.one_of(options, "options", TrainingOptions)
        arguments.function(say, "say")
        if scorer is not None:
            arguments.function(scorer, "scorer")
        elif FIGURES[options.metric].metric:
            raise ArgumentError(f"scorer is None: something has to translate, where the metric is {options.metric}")
        if not arguments.path(folder, "folder").is_dir():
            raise ArgumentError(f"folder is {shown(str(folder))}: there is no such folder")
        for called, corpus in (("train", train), ("valid", valid)):
            check_corpus(corpus, called, model.config)
        self.model, self.train, self.valid = model, train, valid
        self.options, self.say, self.scorer, self.state = options, say, scorer, State(folder)
        self.objective = OBJECTIVES.find(options.objective)(model.config)
        self.guessing = getattr(self.objective, "guessing", math.inf)
        self.optimizer = optimizer_of(options, model.params)
        self.lr = self.optimizer.lr
        self.average = None if options.ema is None else trees.copy(model.params)
        self._planned: dict[int, Any] = {}  # an epoch's groups of batches
        self._doubted = False  # was something said of the step size?
        begun = self.state.begun
        if begun and not resume:
            raise CheckpointError(f"{folder} holds a run already: resume it, or choose another folder")
        self.progress = Progress()
        if begun:
            self.progress, self.average = self.state.load(model, self.optimizer, self.average)
            self.state.kept.load(self.state.run, model.params)

    def run(self) -> list[dict[str, Any]]:
        """Train to the end (`ending`). Returns the metrics of all validations, a list of dicts.

        Raises: InterruptedTraining, after Ctrl-C, once all is saved. DivergedError, on a loss or gradient that is not
            finite, and instead of saving what is far worse than guessing; what was saved before stays. CheckpointError,
            when something else has trained in the folder since this Trainer was made, or the folder was renamed.
            OSError, before training, when a file cannot be written.
        """
        keep_freed_memory()
        threads = choose_threads(self.options.threads, self.model.params, self.options.rows)
        # numbers that overflow are reported once, with the step, as an error and not as warnings
        quiet = np.errstate(all="ignore")
        with locked(self.state.folder, self.say), ctrl_c() as pressed, quiet, blas_threads(threads):
            self.state.check(self.options)
            self.state.cut_metrics(self.progress)
            self.state.tidy(self.progress, self.options)
            if not self.state.begun:  # from here on, a state that is not there was lost
                self.state.save(self.model, self.optimizer, self.progress, self.average)
            with board(self.state, self.options) as self._show_on_board:
                self._loop(pressed, Clock(self.progress))
        return load_metrics(self.state.folder)

    def _loop(self, pressed, clock):
        """Epochs of updates, with a validation after each or in between, and a save now and then."""
        p, epochs = self.progress, self.options.epochs
        while self._due() or not self.ending():
            groups, padding = self._groups_of(p.epoch)
            with Bar(p, epochs) as bar:
                while p.step < p.of and not self._due():
                    loss, norm = self.train_on(*groups[p.step])
                    bar.show(loss, norm)
                    if pressed.is_set() or clock.due(SAVE_EVERY):
                        self._save(clock)
                    if pressed.is_set():
                        raise InterruptedTraining(f"stopped at epoch {p.epoch}, update {p.step} of {p.of}; saved")
            if self._due():
                self._validate(clock, padding)
            else:
                p.epoch_done()
            if p.epoch <= epochs and (early := self.ending()):
                self.say(early)

    def train_on(self, *group: Array) -> tuple[float, float]:
        """One update, on the rows of a batch or of several: forward, backward, clip, update. Their gradients are summed
        with the weights that they have in one big batch: so it is that batch's update, but for rounding.

        Returns the loss and the gradient's norm before clipping.
        """
        p, model, options = self.progress, self.model, self.options
        batches, losses, grad = [self.train.batch(rows) for rows in group], [], None
        weight = sum(batch.weight for batch in batches)
        for k, batch in enumerate(batches, p.step * options.accumulate):
            loss, more = self.gradient(batch, batch.weight / weight, k)
            losses.append(loss)
            grad = more if grad is None else trees.add(grad, more)
            del more  # or it is held while the next one is computed
        # looked at once all has been asked for: until then a GPU need not be waited for
        loss = sum(float(loss) * (batch.weight / weight) for loss, batch in zip(losses, batches, strict=True))
        norm = clip_by_global_norm(grad, options.clip or math.inf)
        if options.clip_value:
            clip_by_value(grad, options.clip_value)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise self._diverged(
                f"epoch {p.epoch}, update {p.step + 1}: the loss is {loss} and the gradient's norm {norm}"
            )
        self.optimizer.lr = p.lr = self.next_lr()
        self.optimizer.update(self.trained(model.params), grad)
        p.update_done(loss, weight)
        if self.average is not None:
            follow(self.trained(self.average), self.trained(model.params), options.ema, p.updates)
        return loss, norm

    def gradient(self, batch: Any, share: float, number: int) -> tuple[Array, Any]:
        """(loss () of a batch, the gradient of so great a share of it); number, of the batch in its epoch, from 0."""
        noise = self.model.draw_noise(batch, self.options.seed, NOISE, self.progress.epoch, number)
        trace = self.model.forward(batch, noise, self.objective)
        return trace.loss, self.trained(trace.backward(share).params)

    def ending(self) -> str | None:
        """Why the run ends where it stands, a line; None as long as it goes on."""
        return self.progress.ending(self.options)

    def _due(self):
        """Is it time for a validation?"""
        p, options = self.progress, self.options
        if p.updates == p.validated:
            return False
        end_of_epoch = p.step == p.of
        if options.validate_every is None:
            regular = end_of_epoch
        else:
            regular = p.updates % options.validate_every == 0 or (end_of_epoch and p.epoch >= options.epochs)
        return regular or (options.updates is not None and p.updates >= options.updates)

    def _groups_of(self, epoch):
        """(batches of an epoch in groups that make an update each, its share of padding), kept until the next."""
        if epoch not in self._planned:
            plan = self.train.plan(**self.options.of_batches, rng=generator(self.options.seed, SHUFFLE, epoch))
            groups = [plan[k : k + self.options.accumulate] for k in range(0, len(plan), self.options.accumulate)]
            self._planned = {epoch: (groups, self.train.padding(plan))}
        groups, padding = self._planned[epoch]
        if self.progress.step > len(groups):
            raise CheckpointError(
                f"update {self.progress.step} of {len(groups)} is said to be done: not the state of these data"
            )
        self.progress.of = len(groups)
        if not self._doubted and (line := doubt(self.lr, self.progress, self.options)):
            self._doubted = True
            self.say(line)
        return groups, padding

    def next_lr(self) -> float:
        """The step size of the next update."""
        return step_size(self.lr, self.progress, self.options)

    def trained(self, tree: trees.Tree) -> trees.Tree:
        """A tree of parameters, or of their gradients, without those that are frozen."""
        return trees.without(tree, self.options.frozen)

    def _validate(self, clock, padding):
        """Is the model better than all before? Keep it, write the metrics, and save where the run stands."""
        p, options = self.progress, self.options
        clock.tick()
        speed = p.weight / max(p.seconds - p.since, 1e-9)
        model = self.model if self.average is None else Seq2Seq(self.model.config, self.average)
        valid = mean_loss(model, self.valid, **options.of_batches, objective=self.objective)
        self._refuse_divergence(valid, "validation")
        scores, samples = self.scorer(model) if self.scorer else ({}, [])
        known = {"loss": valid, "perplexity": float(np.exp(valid))} | scores
        if options.metric not in known:
            raise ArgumentError(
                f"scorer gives {', '.join(scores)}, and not {options.metric}, the metric of the options"
            )
        figure, value = FIGURES[options.metric], known[options.metric]
        better = figure.better(value, p.best)
        chosen = figure.chosen(value, valid, p.best, p.best_loss)
        if self.state.ahead and not chosen:  # then as now, but with other options or on another machine
            self.say("the best model stays that of this validation as it was made before the run was stopped")
        clock.tick()
        line = {
            "epoch": p.epoch,
            "updates": p.updates,
            "train_loss": p.mean_loss,
            **{column(name): number for name, number in known.items()},
            "lr": self.next_lr() if p.lr is None else p.lr,  # of a state of an earlier version
            "tokens": p.weight,
            "tokens_per_second": round(speed, 1),
            "padding": padding,
            "peak_memory": peak_memory(),
            "seconds": p.seconds,
        }
        line |= {"samples": samples} if samples else {}
        self.state.keep(model, options, {"metric": options.metric, "value": value} | line, p, chosen)
        self.state.add_metrics(line, p)
        p.validation_done(value, valid, better, chosen)
        if p.step == p.of:
            p.epoch_done()
        self.state.save(self.model, self.optimizer, p, self.average)
        self.state.tidy(p, options)
        self._show_on_board(line)
        self._tell(line, scores, chosen)

    def _tell(self, line, scores, chosen):
        updates = f"  update {line['updates']:,}" if self.options.validate_every else ""
        told = "".join(f"  {name} {value:.4g}" for name, value in scores.items())
        self.say(
            f"epoch {line['epoch']:>3}/{self.options.epochs}{updates}  train loss {line['train_loss']:.4f}  "
            f"validation perplexity {line['valid_perplexity']:.4g}{told}{' *' if chosen else '  '}  "
            f"lr {line['lr']:.2g}  {line['seconds']:.0f} s  padding {line['padding']:.1%}"
        )
        for sample in line.get("samples", []):
            self.say("\n".join(f"    {name:<11} {text}" for name, text in sample.items()))

    def _save(self, clock):
        """Save between two validations, unless what would be saved is worthless."""
        self._refuse_divergence(self.progress.mean_loss, "training")
        clock.tick()
        self.state.save(self.model, self.optimizer, self.progress, self.average)

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
    return OPTIMIZERS.find(options.optimizer)(not_frozen(params, options), **options.of_optimizer)
