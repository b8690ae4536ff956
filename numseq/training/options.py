"""What can be said of a run: how it trains."""

from dataclasses import dataclass
from typing import Any

from numseq.data.batches import BY
from numseq.errors import ConfigError
from numseq.metrics.figures import FIGURES
from numseq.objectives import OBJECTIVES
from numseq.options import option, validate
from numseq.registry import Part
from numseq.threads import THREADS
from numseq.training.optimizers import OPTIMIZERS, default_lr, takes
from numseq.training.schedules import SCHEDULES

OF_OPTIMIZER = ("lr", "weight_decay", "momentum", "beta1", "beta2", "eps")  # what its constructor is given
USUAL = 32  # tokens of a sentence, where rows are to be told from tokens


@dataclass(frozen=True)
class TrainingOptions:
    """How a run trains. An optimiser, a schedule or an objective of your own can be handed in where a name is taken
    (`numseq.registry`).

    Raises: ConfigError, naming the option, when a value makes no sense.
    """

    epochs: int = option(10, "Passes over the data.", least=1)
    updates: int | None = option(
        None, "Steps of the optimiser; the run ends after these or --epochs, whichever is first.", least=1
    )
    batch: int = option(64, "Sentence pairs, or tokens, worked on together.", least=1)
    batch_by: str = option(
        "sentences", "What --batch counts; tokens: pairs times the longest side, padding included.", choices=BY
    )
    accumulate: int = option(1, "Batches whose gradients are summed for one update.", least=1)
    optimizer: Part = option("adam", "How a gradient becomes a step.", choices=OPTIMIZERS)
    objective: Part = option("cross-entropy", "What is minimised.", choices=OBJECTIVES)
    lr: float | None = option(None, "Step size.", above=0, otherwise="the optimiser's, 0.001 with adam")
    weight_decay: float | None = option(
        None,
        "L2; decoupled with adamw.",
        least=0,
        otherwise="0.01 with adamw, else 0",
        source="Loshchilov & Hutter 2019",
    )
    momentum: float | None = option(
        None, "What stays of the last step; 0 is plain sgd.", least=0, below=1, otherwise="0.9 with sgd and nesterov"
    )
    beta1: float | None = option(
        None, "Decay of the mean of gradients.", least=0, below=1, otherwise="0.9 with adam and adamw"
    )
    beta2: float | None = option(
        None, "Decay of the mean of their squares.", least=0, below=1, otherwise="0.999 with adam and adamw"
    )
    eps: float | None = option(
        None, "What is added where a step is divided.", above=0, otherwise="the optimiser's, 1e-08 with adam"
    )
    schedule: Part = option("plateau", "How the step size changes, see docs/training.md.", choices=SCHEDULES)
    warmup: int = option(0, "Updates in which the step size grows to what the schedule says.", least=0)
    decay: float = option(
        0.5,
        "What plateau multiplies the step size by when a validation is no better, step and exponential with time.",
        above=0,
        most=1,
    )
    decay_every: int = option(1, "Epochs in which step and exponential multiply it by --decay.", least=1)
    min_lr: float = option(0.0, "Floor of the step size, once it has warmed up.", least=0)
    clip: float = option(
        1.0, "Largest global norm of a gradient; 0 is no limit.", least=0, source="Pascanu et al. 2013"
    )
    clip_value: float | None = option(
        None,
        "Largest value of a number of the gradient, up or down.",
        above=0,
        otherwise="no limit",
        source="Mikolov 2012",
    )
    ema: float | None = option(
        None,
        "Decay of a moving average of the parameters, which is validated and kept; 0.999 is usual.",
        least=0,
        below=1,
        otherwise="no average",
        source="Polyak & Juditsky 1992",
    )
    validate_every: int | None = option(
        None, "Updates between validations.", least=1, otherwise="a validation after each epoch"
    )
    metric: str = option(
        "loss",
        "What says which model is the best; all but loss and perplexity translate the validation pairs.",
        choices=FIGURES,
    )
    tokenize: str = option("13a", "sacrebleu's tokeniser for BLEU; none for text that is tokenised already.")
    patience: int | None = option(
        None, "End after so many validations in a row without a better metric.", least=1, otherwise="never"
    )
    keep_best: int = option(1, "Best models kept; more than 1 stand in checkpoints/.", least=1)
    keep_last: int = option(0, "Latest models kept, in checkpoints/.", least=0)
    show: int = option(0, "Validation pairs whose translations are shown at each validation.", least=0)
    tensorboard: bool = option(False, "Write the metrics for TensorBoard too.")
    freeze: str = option(
        "", "Parameters that stay as they are, by the beginning of their names, as in source,encoder.0."
    )
    seed: int = option(0, "The same seed gives the same bits.", least=0)
    threads: int | None = option(None, THREADS.help, least=THREADS.least, otherwise=THREADS.otherwise)

    def __post_init__(self) -> None:
        for name, registry in (("optimizer", OPTIMIZERS), ("objective", OBJECTIVES), ("schedule", SCHEDULES)):
            object.__setattr__(self, name, registry.name_of(getattr(self, name)))
        validate(self)
        if self.clip and self.clip_value is not None and self.clip_value >= self.clip:
            raise ConfigError(
                f"clip_value is {self.clip_value}, and no number is larger than the norm, at most {self.clip} by clip: "
                "clip 0 is no limit of the norm"
            )
        for name in self.of_optimizer:
            if not takes(OPTIMIZERS[self.optimizer], name):
                has = ", ".join(known for known in OPTIMIZERS if takes(OPTIMIZERS[known], name))
                raise ConfigError(f"{name} is {getattr(self, name)}, and {self.optimizer} has none: it is of {has}")
        lr = default_lr(OPTIMIZERS[self.optimizer]) if self.lr is None else self.lr
        if lr is not None and self.min_lr > lr:
            raise ConfigError(f"min_lr is {self.min_lr}: it must be at most lr, which is {lr}")

    @property
    def of_optimizer(self) -> dict[str, Any]:
        """What was said of the optimiser, {name: value}: the rest is its own choice."""
        return {name: value for name in OF_OPTIMIZER if (value := getattr(self, name)) is not None}

    @property
    def of_batches(self) -> dict[str, Any]:
        """What a corpus's `plan` is asked for: its size, and `by`, where that counts no sentences."""
        return {"size": self.batch} | ({} if self.batch_by == "sentences" else {"by": self.batch_by})

    @property
    def rows(self) -> int:
        """Sentences of a batch, or about so many."""
        return self.batch if self.batch_by == "sentences" else max(1, self.batch // USUAL)

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names that `freeze` lists."""
        return tuple(name.strip() for name in self.freeze.split(",") if name.strip())
