"""A whole run in PyTorch: what `numseq train` would train with the same options, to compare what both reach.

    python -m benchmarks.torch_training recipes/english-chinese.toml --tsv train.tsv --val-tsv dev.tsv --out in-torch
    numseq evaluate in-torch --tsv test.tsv

It takes the options of `numseq train`. The first parameters are numseq's, and so are tokens, batches and their order,
step sizes, the moving average, validation and what is kept; loss, dropout, gradients, clipping and Adam are PyTorch's,
on as many threads. What is written is a run of numseq, so that both sides are scored by the same search and measures.
"""

import math
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from typer import BadParameter, Option

from benchmarks.torch_model import Attentive
from numseq import params as trees
from numseq.backend import current
from numseq.cli.asked import EXPERIMENT, as_asked
from numseq.cli.common import choose, command
from numseq.cli.experiment import Experiment
from numseq.cli.files import read_pairs
from numseq.errors import ConfigError, NumseqError, shown
from numseq.models import Seq2SeqConfig
from numseq.options import options_of
from numseq.training import DataOptions, TrainingOptions
from numseq.training.ema import follow
from numseq.training.run import train_run
from numseq.training.trainer import Trainer

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
FREE = (  # options of a model that may have any value
    "source_vocabulary", "target_vocabulary", "embedding", "hidden", "attention_size", "dropout", "label_smoothing",
    "init", "recurrent_init", "forget_bias",
)  # fmt: skip


class TorchTrainer(Trainer):
    """A Trainer whose updates PyTorch makes. The model's parameters and the moments are views of PyTorch's memory."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.peer = Attentive(trees.walk(self.model.params), self.model.config.hidden)
        self.model.params = self.as_numseq(lambda parameter: parameter.data)
        ours = self.optimizer
        how = {"betas": (ours.beta1, ours.beta2), "eps": ours.eps, "weight_decay": ours.weight_decay}
        self.their_optimizer = OPTIMIZERS[self.options.optimizer](self.peer.parameters(), **how)
        torch.set_num_threads(self.options.threads or 1)
        torch.manual_seed(self.options.seed)

    def as_numseq(self, of):
        """A tree like the model's parameters, of what `of` gives of PyTorch's."""
        return trees.replace(self.model.params, {name: view.numpy() for name, view in self.peer.named(of).items()})

    def train_on(self, rows):
        """One update, on the rows of a batch. Returns the loss and the gradient's norm before clipping."""
        p, batch, config = self.progress, self.train.batch(rows), self.model.config
        ids = map(torch.from_numpy, (batch.source, batch.target_in, batch.target_out))
        lengths = torch.from_numpy(batch.source_mask.sum(axis=0))
        self.their_optimizer.zero_grad()
        loss = self.peer(*ids, lengths, config.dropout, config.label_smoothing)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.peer.parameters(), self.options.clip or math.inf)
        p.lr = self.next_lr()
        for group in self.their_optimizer.param_groups:
            group["lr"] = p.lr
        self.their_optimizer.step()
        p.update_done(loss.item(), batch.weight)
        if p.updates == 1:  # now there are moments
            of = self.their_optimizer.state
            for ours, theirs in (("m", "exp_avg"), ("v", "exp_avg_sq")):
                self.optimizer.moments[ours] = self.as_numseq(lambda parameter, name=theirs: of[parameter][name])
        if self.average is not None:
            follow(self.average, self.model.params, self.options.ema, p.updates)
        return loss.item(), norm.item()


def refuse_others(options, allowed):
    """Raise ConfigError when an option, {name: values that it may have}, has another value."""
    for name, values in allowed.items():
        if (value := getattr(options, name)) not in values:
            raise ConfigError(f"{name} is {shown(value)}: in PyTorch there is only {' or '.join(map(shown, values))}")


def refuse_other_model(model):
    """Raise ConfigError when a Seq2Seq is another than the one that there is in PyTorch."""
    usual = Seq2SeqConfig(model.config.source_vocabulary, model.config.target_vocabulary)
    fixed = options_of(Seq2SeqConfig).keys() - set(FREE)
    refuse_others(model.config, {name: (getattr(usual, name),) for name in sorted(fixed)})


def torch_training(
    asked: Annotated[Experiment, EXPERIMENT],
    out: Annotated[Path | None, Option(help="Folder of the run; needed, here or in the experiment's file.")] = None,
):
    """Train in PyTorch what numseq train would train."""
    out = out or asked.out
    if out is None:
        raise BadParameter("give --out, the folder of the run")
    choose(asked.backend)
    if current() is not np:
        raise ConfigError("backend is cupy: PyTorch trains on the processor here, beside numpy")
    parts = as_asked(asked)
    training = TrainingOptions(**parts["training"])
    refuse_others(training, {"optimizer": OPTIMIZERS, "accumulate": [1], "clip_value": [None], "freeze": [""]})
    pairs, valid = read_pairs(parts["files"], parts["data"])
    train_run(
        out, pairs, valid, parts["model"], DataOptions(**parts["data"]), training,
        origin=parts["files"], begin=asked.begin, prepare=refuse_other_model, trainer=TorchTrainer,
    )  # fmt: skip
    print(f"the best model is in {out}, a run of numseq")


def main():
    program = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    command(torch_training, program)
    try:
        program()
    except NumseqError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
