"""Cases of whole models: sentences of configuration."""

from types import SimpleNamespace

import numpy as np

from numseq.gradcheck.cases.case import REAL, SOURCE_REAL, B, Case, D, S, T, rescaled
from numseq.models import Seq2Seq, Seq2SeqConfig, draw_masks, forward

NOISE = {"dropout": 0.3, "word_dropout": 0.2, "weight_drop": 0.3, "zoneout": 0.3}
FEEDING = {"order": "luong", "input_feeding": True}
SENTENCES = {  # every cell and every attention once, every option at least once
    "plain, 2 layers": {"attention": "none", "layers": 2, "dropout": 0.3},
    "attention, 1 layer": {"dropout": 0.3},
    "attention, 2 layers": {"layers": 2, "dropout": 0.3},
    "concat, peepholes": {"attention": "concat", "cell": "lstm-peephole", "residual": True, **NOISE},
    "coverage, gru": {"attention": "coverage", "cell": "gru", "coverage_loss": 0.7, **NOISE},
    "location, gru": {"attention": "location", "cell": "gru-reset-before", "readout": "linear"},
    "local-p, rnn": {"attention": "local-p", "cell": "rnn", "readout_context": False, "readout_embedding": True},
    "multi-head, rnn": {"attention": "multi-head", "cell": "rnn-relu", "samples": 4},
    "scaled-dot, tied": {"attention": "scaled-dot", "cell": "gru", "tied": "target", "readout": "maxout",
                         "label_smoothing": 0.1},
    "luong, 2 layers": {"order": "luong", "attention": "general", "cell": "gru", "layers": 2, **NOISE},
    "luong, feeding, 2 layers": {**FEEDING, "attention": "dot", "cell": "gru", "layers": 2, "residual": True, **NOISE},
    "plain, layer norm": {"attention": "none", "cell": "lstm-layernorm", "readout": "tanh"},
    "plain, all tied": {"attention": "none", "cell": "gru", "tied": "all", "readout": "tanh", "variational": True,
                        "dropout": 0.3, "confidence_penalty": 0.2},
}  # fmt: skip


def cases(rng):
    batch = SimpleNamespace(
        source=np.where(SOURCE_REAL, rng.integers(4, 9, size=(S, B)), 0),
        source_mask=SOURCE_REAL,
        target_in=np.where(REAL, rng.integers(4, 9, size=(T, B)), 0),
        target_out=np.where(REAL, rng.integers(3, 9, size=(T, B)), 0),
        target_mask=REAL,
    )
    sizes = {"embedding": D, "hidden": 4, "attention_size": 8, "window": 2}
    return {f"seq2seq, {name}": _case(sizes | options, batch, rng) for name, options in SENTENCES.items()}


def _case(options, batch, rng):
    target = 9 if options.get("tied") == "all" else 10
    config = Seq2SeqConfig(9, target, **options)
    params = rescaled(rng, Seq2Seq.create(config, dtype=np.float64).params)
    masks = draw_masks(config, params, batch, 0)
    covers = ("Seq2Seq", "forward", "encode", "draw_masks")
    return Case(lambda params: forward(params, batch, config, masks), {"params": params}, covers)
