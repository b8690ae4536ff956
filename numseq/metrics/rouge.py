"""ROUGE, by rouge-score: how many words, pairs of words, and words in order a text shares with a reference."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from numseq.errors import ConfigError
from numseq.metrics.tokenizers import words_of

ROUGE = ("rouge1", "rouge2", "rougeL")


def rouge_of_line(
    tokenize: str = "13a", names: Sequence[str] = ROUGE
) -> Callable[[str, Sequence[str]], dict[str, float]]:
    """The function that gives {name: F-measure from 0 to 1} of a text and its references, of several the best.

    Args: tokenize, see `corpus_scores`. names, which of ROUGE.
    Raises: ConfigError, when rouge-score is not installed, or the tokeniser is unknown or not installed.
    """
    if not find_spec("rouge_score"):
        raise ConfigError("ROUGE needs more: pip install rouge-score")
    from rouge_score.rouge_scorer import RougeScorer

    own: Any = None if tokenize == "13a" else SimpleNamespace(tokenize=words_of(tokenize))
    scorer = RougeScorer(list(names), tokenizer=own)

    def score(text, references):
        return {name: found.fmeasure for name, found in scorer.score_multi(list(references), text).items()}

    return score


def mean_rouge(texts: Sequence[str], references: Sequence[Sequence[str]], tokenize: str = "13a") -> dict[str, float]:
    """The mean over lines, 0 to 100, of each of ROUGE."""
    score = rouge_of_line(tokenize)
    found = [score(text, wanted) for text, wanted in zip(texts, references, strict=True)]
    return {name: 100 * sum(scores[name] for scores in found) / len(found) for name in ROUGE}
