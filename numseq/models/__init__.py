"""The models: an encoder and a decoder, made of layers."""

from numseq.models.config import ConfigError, Seq2SeqConfig
from numseq.models.encoder import encode
from numseq.models.noise import draw_masks
from numseq.models.parts import ATTENTIONS, CELLS
from numseq.models.seq2seq import Seq2Seq, Seq2SeqParams, forward

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "ConfigError",
    "Seq2Seq",
    "Seq2SeqConfig",
    "Seq2SeqParams",
    "draw_masks",
    "encode",
    "forward",
]
