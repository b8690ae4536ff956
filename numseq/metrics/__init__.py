"""How good translations are: scores, alignments, diversity; summaries, dialogues, answers and code."""

from numseq.metrics.alignment import align, alignment_error_rate
from numseq.metrics.answers import answer_errors
from numseq.metrics.baselines import best_sentence, extractive_scores, first_words, mean_words, textrank
from numseq.metrics.code import parses, share_that_parses
from numseq.metrics.dialogue import entity_f1, response_accuracy
from numseq.metrics.diversity import distinct, self_bleu
from numseq.metrics.loss import mean_loss
from numseq.metrics.novelty import novel_ngrams
from numseq.metrics.regex import compare_regex, regex_scores
from numseq.metrics.scores import METRICS, compare, corpus_scores, evaluate

__all__ = [
    "METRICS",
    "align",
    "alignment_error_rate",
    "answer_errors",
    "best_sentence",
    "compare",
    "compare_regex",
    "corpus_scores",
    "distinct",
    "entity_f1",
    "evaluate",
    "extractive_scores",
    "first_words",
    "mean_loss",
    "mean_words",
    "novel_ngrams",
    "parses",
    "regex_scores",
    "response_accuracy",
    "self_bleu",
    "share_that_parses",
    "textrank",
]
