"""Text to batches: corpora, tokens, pretrained word vectors."""

from numseq.data.batches import Batch, Pairs, padding_share, plan_batches
from numseq.data.corpus import JsonFiles, ParallelFiles, TsvFiles, read_parallel, read_tsv
from numseq.data.lines import read_lines
from numseq.data.reading import DataError
from numseq.data.tokens import BOS, EOS, PAD, UNK, TokenError, Tokens
from numseq.data.unknown import Unknown, count_unknown
from numseq.data.vectors import load_vectors

__all__ = [
    "BOS", "EOS", "PAD", "UNK", "Batch", "DataError", "JsonFiles", "Pairs", "ParallelFiles", "TokenError", "Tokens",
    "TsvFiles", "Unknown", "count_unknown", "load_vectors", "padding_share", "plan_batches", "read_lines",
    "read_parallel", "read_tsv",
]  # fmt: skip
