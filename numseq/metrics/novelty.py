"""How much of a summary its source does not have: the share of n-grams that are new."""

from collections.abc import Iterable

from numseq import arguments
from numseq.errors import ConfigError
from numseq.metrics.tokenizers import words_of

LENGTHS = (1, 2, 3, 4)


def novel_ngrams(summaries: Iterable[str], sources: Iterable[str], tokenize: str = "13a") -> dict[str, float]:
    """How much of summaries is new: the share of their n-grams that their sources do not have, from 0 to 1.

    Equation: novel-n = n-grams of the summary that are none of its source / n-grams of the summary, each a sum over all
    summaries; 0 when there is none. An n-gram counts as often as it is there, in small letters.

    Args: summaries, sources, lists of as many texts. tokenize, see `corpus_scores`.
    Returns: a dict: novel_1 to novel_4. A model that only copies words has a novel_1 of 0; one that only copies whole
        sentences has little in any.
    Raises: ConfigError, when they do not pair up, there is none, or the tokeniser is unknown or not installed.
    Source: See et al. 2017, figure 6.
    """
    summaries, sources = arguments.texts(summaries, "summaries"), arguments.texts(sources, "sources")
    if len(summaries) != len(sources):
        raise ConfigError(f"sources has {len(sources):,} lines, summaries {len(summaries):,}: they must pair up")
    if not summaries:
        raise ConfigError("summaries has no line: there is nothing to score")
    cut = words_of(tokenize)
    new, all_of_them = dict.fromkeys(LENGTHS, 0), dict.fromkeys(LENGTHS, 0)
    for summary, source in zip(summaries, sources, strict=True):
        said, given = cut(summary.lower()), cut(source.lower())
        for n in LENGTHS:
            there = set(_ngrams(given, n))
            found = [gram not in there for gram in _ngrams(said, n)]
            new[n] += sum(found)
            all_of_them[n] += len(found)
    return {f"novel_{n}": new[n] / all_of_them[n] if all_of_them[n] else 0.0 for n in LENGTHS}


def _ngrams(words, n):
    return zip(*(words[k:] for k in range(n)), strict=False)
