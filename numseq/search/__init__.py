"""From probabilities to sentences, and from sentences to probabilities."""

from numseq.search.beam import BeamOptions, beam_search
from numseq.search.constraints import Brackets, ByFunction, Candidates, Constraint, Grammar, SourceNames, Together
from numseq.search.ctc import ctc_beam_search, ctc_greedy
from numseq.search.ctc_prefixes import CTCPrefixes, CTCPrefixScores
from numseq.search.greedy import GreedyOptions, greedy
from numseq.search.hypotheses import Hypotheses, Hypothesis
from numseq.search.sampling import SamplingOptions, sample
from numseq.search.scoring import Scored, score
from numseq.search.translate import Translator
from numseq.search.translation import Translation
from numseq.search.what_if import WhatIf, what_if

__all__ = [
    "BeamOptions",
    "Brackets",
    "ByFunction",
    "CTCPrefixScores",
    "CTCPrefixes",
    "Candidates",
    "Constraint",
    "Grammar",
    "GreedyOptions",
    "Hypotheses",
    "Hypothesis",
    "SamplingOptions",
    "Scored",
    "SourceNames",
    "Together",
    "Translation",
    "Translator",
    "WhatIf",
    "beam_search",
    "ctc_beam_search",
    "ctc_greedy",
    "greedy",
    "sample",
    "score",
    "what_if",
]
