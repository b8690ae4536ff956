"""The models: an encoder and a decoder, made of layers."""

from numseq.models.config import ConfigError, Seq2SeqConfig
from numseq.models.encoder import encode
from numseq.models.seq2seq import Seq2Seq, Seq2SeqParams, draw_masks, forward

__all__ = ["ConfigError", "Seq2Seq", "Seq2SeqConfig", "Seq2SeqParams", "draw_masks", "encode", "forward"]
