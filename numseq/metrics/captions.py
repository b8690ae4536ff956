"""The figures by which captions are compared, as the code of the COCO captions has them: BLEU by order, ROUGE-L, CIDEr.

Words have spaces between, and are compared in lower case: no tokeniser touches them, so marks that stand by
themselves are words.

    BLEU-n  = BP (p_1 ... p_n)^(1/n)                 of all lines together, without smoothing; sacrebleu's
    P, R    = words in order that a line shares with a reference, by the words of the line, and of the reference
    ROUGE-L = (1 + beta^2) P R / (R + beta^2 P)      beta = 1.2; the largest P and the largest R of all references

Source: Papineni et al. 2002; Lin 2004; Chen et al. 2015 (the code: the best of each, and beta).
"""

from collections.abc import Sequence
from itertools import zip_longest

from numseq.metrics.cider import mean_cider
from numseq.metrics.tokenizers import scorer_of

BETA = 1.2
CAPTIONS = ("bleu1", "bleu2", "bleu3", "bleu4", "rougeL_coco", "cider")


def caption_score(name: str, texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """One of CAPTIONS: bleu1 to bleu4 and rougeL_coco from 0 to 100, cider from 0 to 10."""
    if name.startswith("bleu"):
        options = {"max_ngram_order": int(name[-1]), "lowercase": True, "smooth_method": "none"}
        return scorer_of("bleu", "none", **options).corpus_score(texts, list(zip_longest(*references))).score
    lines, wanted = [_words(line) for line in texts], [[_words(line) for line in each] for each in references]
    if name == "cider":
        return mean_cider(lines, wanted)
    return 100 * sum(map(rouge_l, lines, wanted)) / len(lines)


def rouge_l(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L of one line, from 0 to 1, by its words and those of its references."""
    in_order = [_common(words, reference) for reference in references]
    P = max(n / max(len(words), 1) for n in in_order)
    R = max(n / max(len(reference), 1) for n, reference in zip(in_order, references, strict=True))
    return (1 + BETA**2) * P * R / (R + BETA**2 * P) if P and R else 0.0


def _words(line):
    return line.lower().split()


def _common(words, others):
    """The length of the longest common subsequence: row by row, of each beginning of the others."""
    row = [0] * (len(others) + 1)
    for word in words:
        before = row
        row = [0]
        for k, other in enumerate(others):
            row.append(before[k] + 1 if word == other else max(row[k], before[k + 1]))
    return row[-1]
