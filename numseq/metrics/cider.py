"""CIDEr-D: does a caption say what people say of this picture, and not what they say of any?

    g_k(c)      = count of n-gram k in c * log(I / max(1, I_k))        I pictures; I_k of them have k in a reference
    sim_n(c, s) = sum_k min(g_k(c), g_k(s)) g_k(s) / (|g(c)| |g(s)|)   over the n-grams k of n words; 0 without any
    d(c, s)     = exp(-(l(c) - l(s))^2 / (2 sigma^2))                  l: how many words; sigma = 6
    CIDEr-D(c)  = 10 * mean over n = 1 .. 4 and over references s of d(c, s) sim_n(c, s)

An n-gram that a reference of every picture has counts nothing, so of one picture alone the figure is 0. That the
smaller of both counts, and the length, keep it from being raised by saying a rare word again and again.

Source: Vedantam, Zitnick & Parikh 2015; with counts that are not divided by their sum, as in the code of the COCO
captions (Chen et al. 2015), whose figure it is.
"""

from collections import Counter
from collections.abc import Sequence
from math import exp, log, sqrt

ORDERS, SIGMA = range(1, 5), 6.0


def mean_cider(texts: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> float:
    """The mean of `cider_of_lines`."""
    found = cider_of_lines(texts, references)
    return sum(found) / len(found)


def cider_of_lines(texts: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """CIDEr-D of each caption, from 0 to 10. texts, their words; references, for each one or more, in words too."""
    counted = [[_ngrams(words) for words in wanted] for wanted in references]
    pictures = Counter(ngram for wanted in counted for ngram in set().union(*wanted))  # I_k

    def weighed(ngrams):
        """g by the length of the n-grams, and |g|."""
        g = {n: {} for n in ORDERS}
        for ngram, count in ngrams.items():
            g[len(ngram)][ngram] = count * log(len(counted) / max(1, pictures[ngram]))
        return g, {n: sqrt(sum(x * x for x in g[n].values())) for n in ORDERS}

    scores = []
    for words, wanted, ngrams in zip(texts, references, counted, strict=True):
        said = weighed(_ngrams(words))
        each = [_likeness(said, weighed(g)) * _of_lengths(words, r) for r, g in zip(wanted, ngrams, strict=True)]
        scores.append(10 * sum(each) / len(each))
    return scores


def _ngrams(words):
    return Counter(tuple(words[k : k + n]) for n in ORDERS for k in range(len(words) - n + 1))


def _likeness(said, wanted):
    """The mean of sim_n over n."""
    (g, size), (right, right_size) = said, wanted
    total = 0.0
    for n in ORDERS:
        if size[n] and right_size[n]:
            matched = sum(min(x, right[n][k]) * right[n][k] for k, x in g[n].items() if k in right[n])
            total += matched / (size[n] * right_size[n])
    return total / len(ORDERS)


def _of_lengths(words, others):
    return exp(-((len(words) - len(others)) ** 2) / (2 * SIGMA**2))
