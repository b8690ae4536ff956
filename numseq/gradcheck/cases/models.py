"""Cases of whole models."""

from types import SimpleNamespace

import numpy as np

from numseq.gradcheck.cases.case import REAL, SOURCE_REAL, B, Case, D, S, T, rescaled
from numseq.models import Seq2Seq, Seq2SeqConfig, draw_masks
from numseq.models import forward as seq2seq_forward


def cases(rng):
    batch = SimpleNamespace(
        source=np.where(SOURCE_REAL, rng.integers(4, 9, size=(S, B)), 0),
        source_mask=SOURCE_REAL,
        target_in=np.where(REAL, rng.integers(4, 9, size=(T, B)), 0),
        target_out=np.where(REAL, rng.integers(3, 9, size=(T, B)), 0),
        target_mask=REAL,
    )
    table = {}
    for model, depth in (("plain", 2), ("attention", 1), ("attention", 2)):
        config = Seq2SeqConfig(9, 10, model=model, embedding=D, hidden=4, attention=8, layers=depth, dropout=0.3)
        table[f"seq2seq, {model}, {depth} layer{'s' * (depth > 1)}"] = _case(config, batch, rng)
    return table


def _case(config, batch, rng):
    model = Seq2Seq.create(config, dtype=np.float64)
    masks = draw_masks(config, batch, np.float64, 0)
    return Case(
        lambda params: seq2seq_forward(params, batch, model.decoder, masks),
        {"params": rescaled(rng, model.params)},
        ("Seq2Seq", "forward", "encode", "draw_masks"),
    )
