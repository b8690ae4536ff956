"""The models: five boxes, made of layers; see `numseq.models.seq2seq`."""

from numseq.errors import ConfigError
from numseq.models.config import Seq2SeqConfig
from numseq.models.memory import Memory
from numseq.models.registry import ATTENTIONS, CELLS, DECODERS, ENCODERS, HEADS, SOURCES, TARGETS
from numseq.models.seq2seq import Seq2Seq, Seq2SeqParams, draw_noise, forward

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "DECODERS",
    "ENCODERS",
    "HEADS",
    "SOURCES",
    "TARGETS",
    "ConfigError",
    "Memory",
    "Seq2Seq",
    "Seq2SeqConfig",
    "Seq2SeqParams",
    "draw_noise",
    "forward",
]
