"""Summaries without learning, to stand beside every summary figure: parts of the source, as they are.

The first words, the sentence that TextRank finds most central, and the sentence that somebody would take who knows the
reference: no model that only takes one sentence does better than that.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from numseq import arguments
from numseq.backend import Array
from numseq.errors import ConfigError
from numseq.metrics.rouge import mean_rouge, rouge_of_line

DAMPING, CLOSE = 0.85, 1e-6
END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")  # 。！？ need no space behind them


def sentences(text: str) -> list[str]:
    """The sentences of a text: what ends with . ! or ? and a space, with 。！？, or with a line."""
    return [found for part in END.split(arguments.text(text, "text")) if (found := part.strip())]


def first_words(text: str, words: int) -> str:
    """The first words of a text, with one space between; all, where it has no more. Raises: ArgumentError, when words
    is less than 1."""
    return " ".join(arguments.text(text, "text").split()[: arguments.whole(words, "words", least=1)])


def mean_words(references: Iterable[str]) -> int:
    """How many words a reference has in the mean, rounded, and at least 1: how many first words to take. Take the
    references of the training data. Raises: ConfigError, when there is none."""
    counts = [len(text.split()) for text in arguments.texts(references, "references")]
    if not counts:
        raise ConfigError("references has no line: there is no mean length")
    return max(1, round(sum(counts) / len(counts)))


def textrank(text: str) -> str:
    """The most central sentence of a text: that to which most others are similar, which are so themselves.

    w_ij   = |words of i that j has too| / (log |i| + log |j|)         0 for i = j; |i|: different words of i
    rank_i = (1 - d) + d {sum_j w_ji / (sum_k w_jk) rank_j}             d = 0.85

    The ranks are found by going on from 1 until they stay. Of equal ranks the first counts; of no sentence there is "".

    Source: Mihalcea & Tarau 2004; the ranks are those of Brin & Page 1998.
    """
    found = sentences(text)
    return found[int(np.argmax(ranks(similarities(found)).round(4)))] if found else ""


def similarities(found: Sequence[str]) -> Array:
    """How similar sentences are: w, (N, N)."""
    words = [{*re.findall(r"\w+", sentence.lower())} for sentence in found]
    w = np.zeros((len(found), len(found)))
    for i, mine in enumerate(words):
        for j, other in enumerate(words[:i]):
            if len(mine) * len(other) > 1:  # else both logarithms are 0, or there is no word
                w[i, j] = w[j, i] = len(mine & other) / (np.log(len(mine)) + np.log(len(other)))
    return w


def ranks(w: Array) -> Array:
    """The ranks, (N,), of a graph whose edges weigh w, (N, N)."""
    total = w.sum(axis=1, keepdims=True)
    share = w / np.where(total > 0, total, 1)  # what j gives to i
    rank, before = np.ones(len(w)), np.zeros(len(w))
    while np.abs(rank - before).max(initial=0) > CLOSE:  # each time d times as far from where it stays
        rank, before = (1 - DAMPING) + DAMPING * share.T @ rank, rank
    return rank


def best_sentence(text: str, references: str | Iterable[str], tokenize: str = "13a") -> str:
    """The sentence of a text that is most like its references: an oracle, which no model can ask.

    Equation: argmax over sentences of the mean of ROUGE-1, ROUGE-2 and ROUGE-L; the first of equals.

    Args: references, a text or several. tokenize, see `corpus_scores`. Raises: ConfigError, when rouge-score is not
        installed.
    """
    references = [references] if isinstance(references, str) else arguments.texts(references, "references")
    return _best(sentences(text), references, rouge_of_line(tokenize))


def _best(found, references, rouge):
    return max(found, key=lambda sentence: sum(rouge(sentence, references).values()), default="")


def extractive_scores(
    sources: Iterable[str],
    references: Iterable[str | Iterable[str]],
    words: int,
    tokenize: str = "13a",
    progress: Callable[[Sequence, int], Iterable] = lambda lines, total: lines,
) -> dict[str, dict[str, float]]:
    """ROUGE of all three baselines.

    Args: sources, a list of texts. references, for each a text or several. words, how many first words to take, see
        `mean_words`. tokenize, see `corpus_scores`. progress, called with the lines and their number; gives them back.
    Returns: {"first words": ..., "TextRank": ..., "best sentence": ...}: of each a dict with rouge1, rouge2, rougeL (0
        to 100), and words, how many it has in the mean.
    Raises: ConfigError, when they do not pair up, there is none, or rouge-score is not installed.
    """
    sources = arguments.texts(sources, "sources")
    references = arguments.listed(references, "references", "a list of texts, or of lists of them")
    if len(references) != len(sources):
        raise ConfigError(f"references has {len(references):,} lines, sources {len(sources):,}: they must pair up")
    if not sources:
        raise ConfigError("sources has no line: there is nothing to score")
    wanted = [[line] if isinstance(line, str) else arguments.texts(line, "references") for line in references]
    rouge, taken = rouge_of_line(tokenize), {"first words": [], "TextRank": [], "best sentence": []}
    for source, right in progress(list(zip(sources, wanted, strict=True)), len(sources)):
        taken["first words"].append(first_words(source, words))
        taken["TextRank"].append(textrank(source))
        taken["best sentence"].append(_best(sentences(source), right, rouge))
    lengths = {name: sum(len(text.split()) for text in texts) / len(texts) for name, texts in taken.items()}
    return {name: mean_rouge(texts, wanted, tokenize) | {"words": lengths[name]} for name, texts in taken.items()}
