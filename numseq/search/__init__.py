"""From probabilities to sentences, and from sentences to probabilities."""

from numseq.search.beam import BeamOptions, BeamResult, beam_search
from numseq.search.greedy import GreedyResult, greedy
from numseq.search.sampling import SamplingOptions, sample
from numseq.search.scoring import Scored, score
from numseq.search.translate import Translation, Translator, mean_loss

__all__ = [
    "BeamOptions",
    "BeamResult",
    "GreedyResult",
    "SamplingOptions",
    "Scored",
    "Translation",
    "Translator",
    "beam_search",
    "greedy",
    "mean_loss",
    "sample",
    "score",
]
