"""From probabilities to sentences, and from sentences to probabilities."""

from numseq.search.beam import BeamOptions, beam_search
from numseq.search.greedy import GreedyOptions, greedy
from numseq.search.hypotheses import Hypotheses, Hypothesis
from numseq.search.sampling import SamplingOptions, sample
from numseq.search.scoring import Scored, score
from numseq.search.translate import Translation, Translator
from numseq.search.what_if import WhatIf, what_if

__all__ = [
    "BeamOptions",
    "GreedyOptions",
    "Hypotheses",
    "Hypothesis",
    "SamplingOptions",
    "Scored",
    "Translation",
    "Translator",
    "WhatIf",
    "beam_search",
    "greedy",
    "sample",
    "score",
    "what_if",
]
