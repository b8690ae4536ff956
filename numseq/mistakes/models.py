"""Cases of whole models: sentences of configuration."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import Generator
from numseq.mistakes.fixtures import REAL, SOURCE_REAL, B, Case, D, S, T, fit, rescaled, unmade
from numseq.mistakes.kinks import is_off, nearest_kink

CLEAR = 1e-3  # how far from a kink: a hundred times the step of a difference along one direction
NOISE = {"dropout": 0.3, "word_dropout": 0.2, "weight_drop": 0.3, "zoneout": 0.3}
SENTENCES: dict[str, dict[str, Any]] = {  # every part at least once, every option at least once
    "plain, 2 layers": {"attention": "none", "layers": 2, "dropout": 0.3},
    "attention, 1 layer": {"dropout": 0.3},
    "attention, 2 layers": {"layers": 2, "dropout": 0.3},
    "concat, peepholes": {"attention": "concat", "cell": "lstm-peephole", "residual": True, **NOISE},
    "coverage, gru": {"attention": "coverage", "cell": "gru", "coverage_loss": 0.7, **NOISE},
    "location, gru": {"attention": "location", "cell": "gru-reset-before", "readout": "linear", "encoder": "forward"},
    "local-p, rnn": {"attention": "local-p", "cell": "rnn", "readout_context": False, "readout_embedding": True},
    "multi-head, rnn": {"attention": "multi-head", "cell": "rnn-relu", "samples": 4},
    "scaled-dot, tied": {"attention": "scaled-dot", "cell": "gru", "tied": "target", "readout": "maxout",
                         "label_smoothing": 0.1},
    "luong, 2 layers": {"decoder": "luong", "attention": "general", "cell": "gru", "layers": 2, **NOISE},
    "luong, feeding, 2 layers": {"decoder": "luong-feeding", "attention": "dot", "cell": "gru", "layers": 2,
                                 "residual": True, **NOISE},
    "plain, layer norm": {"attention": "none", "cell": "lstm-layernorm", "readout": "tanh"},
    "plain, both ways": {"attention": "none", "encoder": "bidirectional", "layers": 2},
    "plain, all tied": {"attention": "none", "cell": "gru", "tied": "all", "readout": "tanh", "variational": True,
                        "dropout": 0.3, "confidence_penalty": 0.2},
    "vector": {"decoder": "vector", "cell": "gru", "readout": "maxout", "readout_embedding": True, "dropout": 0.3},
}  # fmt: skip


def cases(rng: Generator) -> dict[str, Case]:
    batch = SimpleNamespace(
        source=np.where(SOURCE_REAL, rng.integers(4, 9, size=(S, B)), 0),
        source_mask=SOURCE_REAL,
        target_in=np.where(REAL, rng.integers(4, 9, size=(T, B)), 0),
        target_out=np.where(REAL, rng.integers(3, 9, size=(T, B)), 0),
        target_mask=REAL,
    )
    sentences = SENTENCES | {f"{kind} {name}": {kind: name} for kind, name in _boxes_in_none()}
    return {f"seq2seq, {name}": _made(options, batch, rng) for name, options in sentences.items()}


def _boxes_in_none():
    """(kind, name) of the boxes that no sentence above has, or has by default: they are checked all the same."""
    from numseq.models.config import PARTS

    said = [_config(options) for options in SENTENCES.values()]
    for kind in ("source", "encoder", "target", "decoder", "head"):
        used = {getattr(config, kind) for config in said}
        yield from ((kind, name) for name in PARTS[kind] if name not in used)


def _config(options):
    from numseq.models import Seq2SeqConfig  # not before a whole model is asked for

    sizes = {"embedding": D, "hidden": 4, "attention_size": 8, "window": 2}
    return Seq2SeqConfig(9, 9 if options.get("tied") == "all" else 10, **sizes | options)


def _made(options, batch, rng):
    try:
        return _case(_config(options), batch, rng)
    except Exception as error:
        return unmade(error)


def _case(config, batch, rng):
    from numseq.models import Seq2Seq, draw_noise, forward

    params = Seq2Seq.create(config, dtype=np.float64).params
    noise = draw_noise(config, params, batch, 0)

    scale = 0.5 if config.cell == "rnn-relu" else 1.0  # or its states would grow until probabilities are all 0 or 1
    function = lambda params: forward(params, batch, config, noise)  # noqa: E731

    def draw():
        drawn = trees.map(lambda leaf: scale * leaf, rescaled(rng, params))
        return Case(function, {"params": drawn}, ("Seq2Seq", "forward", "draw_noise"))

    return fit(draw, lambda trace: nearest_kink(trace) > CLEAR and not is_off(trace))
