"""Optimisers, the trainer, and runs on disk."""

from numseq.metrics.loss import mean_loss
from numseq.training.arrays import CheckpointError
from numseq.training.begin_from import begin_from
from numseq.training.checkpoint import load_config, load_model, load_part, load_tokens, save_run
from numseq.training.data_options import DataOptions
from numseq.training.lr_range import LRRange, RangeOptions, lr_range
from numseq.training.optimizers import (
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Nesterov,
    Optimizer,
    RMSprop,
    clip_by_global_norm,
    clip_by_value,
)
from numseq.training.options import TrainingOptions
from numseq.training.run import train_run
from numseq.training.schedules import SCHEDULES, step_sizes
from numseq.training.trainer import DivergedError, InterruptedTraining, Trainer

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "CheckpointError",
    "DataOptions",
    "DivergedError",
    "InterruptedTraining",
    "LRRange",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "RangeOptions",
    "Trainer",
    "TrainingOptions",
    "begin_from",
    "clip_by_global_norm",
    "clip_by_value",
    "load_config",
    "load_model",
    "load_part",
    "load_tokens",
    "lr_range",
    "mean_loss",
    "save_run",
    "step_sizes",
    "train_run",
]
