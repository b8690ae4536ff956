"""How good translations are: scores, alignments, diversity."""

from numseq.metrics.alignment import align, alignment_error_rate
from numseq.metrics.diversity import distinct, self_bleu
from numseq.metrics.loss import mean_loss
from numseq.metrics.scores import METRICS, compare, corpus_scores, evaluate

__all__ = [
    "METRICS",
    "align",
    "alignment_error_rate",
    "compare",
    "corpus_scores",
    "distinct",
    "evaluate",
    "mean_loss",
    "self_bleu",
]
