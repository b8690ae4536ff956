"""The learning-rate range test: updates of a training with a step size that grows, to see which sizes it can bear.

    lr_k = from (to / from)^(k / (steps - 1))               the step size of update k, from 0
    s_k = 0.9 s_{k-1} + 0.1 L_k,    S_k = s_k / (1 - 0.9^(k+1))    its loss, smoothed, from s_{-1} = 0

It ends early where S_k is four times the lowest so far, or the loss is no number. A tenth of the step size at which S_k
was the lowest is suggested: there the loss had long been falling, and it is well away from where it rises.

Source: Smith 2017, section 3.3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from numseq import arguments
from numseq import params as trees
from numseq.errors import ConfigError
from numseq.models import Seq2Seq
from numseq.options import option, validate
from numseq.threads import blas_threads, choose_threads
from numseq.training.options import TrainingOptions
from numseq.training.progress import progress_bar
from numseq.training.trainer import DivergedError, Trainer

SMOOTH = 0.9  # what stays of the mean of losses with each new one
DIVERGED = 4  # times the lowest smoothed loss
BELOW = 10  # so many times smaller than the step size at the lowest loss is what is suggested


@dataclass(frozen=True)
class RangeOptions:
    """Which step sizes are tried.

    Raises: ConfigError, naming the option, when a value makes no sense.
    """

    from_lr: float = option(1e-6, "The smallest step size.", above=0)
    to_lr: float = option(10.0, "The largest.", above=0)
    steps: int = option(100, "Updates, each with a larger one.", least=2)

    def __post_init__(self) -> None:
        validate(self)
        if self.to_lr <= self.from_lr:
            raise ConfigError(f"to_lr is {self.to_lr}: it must be above from_lr, which is {self.from_lr}")


@dataclass(frozen=True)
class LRRange:
    """What a range test found. lrs, the step sizes; losses, of the batches that they were used on, and the same
    smoothed, nats per token; lowest, the step size at the lowest smoothed loss; suggestion, or None where the loss
    never fell; ended, why there are fewer than were asked for, a text, or None."""

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    lowest: float
    suggestion: float | None
    ended: str | None


class _Rising(Trainer):
    """A Trainer whose step size only grows."""

    lrs: list[float]

    def next_lr(self) -> float:
        return self.lrs[self.progress.updates]

    def losses(self) -> Iterator[float]:
        """Make an update with each step size, through the epochs as in training."""
        p = self.progress
        for _ in self.lrs:
            groups, _ = self._groups_of(p.epoch)
            yield self.train_on(*groups[p.step])[0]
            if p.step == p.of:
                p.epoch_done()


def lr_range(
    model: Seq2Seq,
    corpus: Any,
    options: TrainingOptions | None = None,
    tried: RangeOptions | None = None,
    say: Callable[[str], Any] = lambda line: None,
) -> LRRange:
    """Find out which step sizes a training can bear; the model stays as it is.

    Equations: those of the module.

    Args: model, a Seq2Seq. corpus, such as Pairs, what would be trained on. options, of the training: batches,
        optimiser, clipping and what is random are as they would be. tried, a RangeOptions. None is all defaults. say:
        called with lines of text.
    Returns: an LRRange, which `numseq.plots.lr_range` draws.
    Raises: ArgumentError, when one of these cannot be; DivergedError, when the first loss is no number.
    """
    arguments.one_of(model, "model", Seq2Seq)
    options = arguments.one_of(TrainingOptions() if options is None else options, "options", TrainingOptions)
    tried = arguments.one_of(RangeOptions() if tried is None else tried, "tried", RangeOptions)
    copy = Seq2Seq(model.config, trees.copy(model.params))
    options = replace(options, metric="loss", ema=None)  # nothing is validated here
    threads = choose_threads(options.threads, model.params, options.rows)
    bar, losses, smoothed, mean, ended = progress_bar(tried.steps, "update", "range test"), [], [], 0.0, None
    with TemporaryDirectory() as folder, np.errstate(all="ignore"), blas_threads(threads):
        trainer = _Rising(copy, corpus, corpus, folder, options, say=say)
        trainer.lrs = [float(lr) for lr in np.geomspace(tried.from_lr, tried.to_lr, tried.steps)]
        try:
            for lr, loss in zip(trainer.lrs, trainer.losses(), strict=True):
                losses.append(loss)
                mean = SMOOTH * mean + (1 - SMOOTH) * loss
                smoothed.append(mean / (1 - SMOOTH ** len(losses)))
                bar.set_postfix_str(f"lr {lr:.2g}, loss {smoothed[-1]:.3f}", refresh=False)
                bar.update()
                if smoothed[-1] > DIVERGED * min(smoothed):
                    ended = f"at {lr:.2g} the loss was {DIVERGED} times the lowest"
                    break
        except DivergedError:
            if not losses:
                raise DivergedError("the loss of the first batch is no number, whatever the step size") from None
            ended = f"at {trainer.lrs[len(losses)]:.2g} loss or gradient was no number"
        finally:
            bar.close()
    lrs, best = trainer.lrs[: len(losses)], int(np.argmin(smoothed))
    return LRRange(lrs, losses, smoothed, lrs[best], lrs[best] / BELOW if best else None, ended)
