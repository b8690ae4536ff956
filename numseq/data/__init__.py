"""Text to batches: corpora, tokens, pretrained word vectors; and pictures."""

from numseq.data.batches import Batch, Pairs, padding_share, plan_batches
from numseq.data.corpus import JsonFiles, ParallelFiles, TsvFiles, read_parallel, read_tsv
from numseq.data.features import FeatureArray
from numseq.data.lines import read_lines
from numseq.data.picture_files import Pictures, read_pictures
from numseq.data.pictures import read_picture
from numseq.data.reading import DataError
from numseq.data.tokens import BOS, EOS, PAD, UNK, TokenError, Tokens
from numseq.data.unknown import Unknown, count_unknown
from numseq.data.vectors import load_vectors

__all__ = [
    "BOS", "EOS", "PAD", "UNK", "Batch", "DataError", "FeatureArray", "JsonFiles", "Pairs", "ParallelFiles", "Pictures",
    "TokenError", "Tokens", "TsvFiles", "Unknown", "count_unknown", "load_vectors", "padding_share", "plan_batches",
    "read_lines", "read_parallel", "read_picture", "read_pictures", "read_tsv",
]  # fmt: skip
