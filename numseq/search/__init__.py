"""From probabilities to sentences."""

from numseq.search.greedy import GreedyResult, greedy
from numseq.search.translate import Translation, Translator, mean_loss

__all__ = ["GreedyResult", "Translation", "Translator", "greedy", "mean_loss"]
