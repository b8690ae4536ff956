"""How much several translations of one text differ."""

from collections import Counter
from collections.abc import Iterable

from numseq import arguments
from numseq.errors import ConfigError
from numseq.metrics.tokenizers import scorer_of


def distinct(texts: Iterable[str], n: int) -> float:
    """How varied texts are: the share of their n-grams that differ, from 0 to 1; words have spaces between.

    Equation: distinct-n = different n-grams / all n-grams, over all texts together; 0 when there is none.
    Raises: ConfigError, when n is less than 1.
    Source: Li et al. 2016, A Diversity-Promoting Objective Function for Neural Conversation Models.
    """
    n = arguments.whole(n, "n", least=1)
    counts = Counter()
    for words in map(str.split, arguments.texts(texts, "texts")):
        counts.update(zip(*(words[k:] for k in range(n)), strict=False))
    return len(counts) / counts.total() if counts else 0.0


def self_bleu(texts: Iterable[str], tokenize: str = "13a") -> float:
    """How alike texts are, 0 to 100: mean BLEU of each as a sentence, all others being its references.

    Args: texts, two or more, such as samples for one line: the work grows with the square of their number. tokenize,
        see `corpus_scores`.
    Raises: ConfigError, when there are fewer than two texts, or the tokeniser is unknown or not installed.
    Source: Zhu et al. 2018, Texygen.
    """
    texts = arguments.texts(texts, "texts")
    if len(texts) < 2:
        raise ConfigError(f"texts has {len(texts)}: at least 2 are needed to compare them")
    scorer = scorer_of("bleu", tokenize, effective_order=True)
    scores = [scorer.sentence_score(text, texts[:k] + texts[k + 1 :]).score for k, text in enumerate(texts)]
    return sum(scores) / len(scores)
