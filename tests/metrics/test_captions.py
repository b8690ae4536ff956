"""The figures of captions: worked out by hand, by a plain implementation over whole vectors, and by sacrebleu."""

import math
import random

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from numseq.metrics import corpus_scores
from numseq.metrics.captions import CAPTIONS, rouge_l
from numseq.metrics.cider import cider_of_lines
from numseq.metrics.figures import FIGURES

LINES = ["A dog runs on the grass", "two men play ball", "a cat", ""]
REFERENCES = [
    ["a dog runs on grass", "the brown dog is running on the grass", "dog outside"],
    ["Two men play soccer", "men play ball on a field"],
    ["a cat sleeps on a sofa", "the cat sleeps"],
    ["a bird in the sky"],
]


def split(lines):
    return [line.lower().split() for line in lines]


# CIDEr


def test_cider_by_hand():
    """Of two pictures every n-gram has idf log 2, which cancels. The first caption is its reference, which has n-grams
    of one and two words only: (1 + 1 + 0 + 0) / 4. The second says c twice, its reference c d: min(2, 1) * 1 /
    (2 sqrt 2) of one word, nothing of two."""
    found = cider_of_lines([["a", "b"], ["c", "c"]], [[["a", "b"]], [["c", "d"]]])
    assert found == pytest.approx([10 * 2 / 4, 10 / (2 * math.sqrt(2)) / 4])
    assert corpus_scores(["a b", "C c"], ["A b", "c D"], "cider")["cider"] == pytest.approx(sum(found) / 2)


def test_a_caption_of_another_length_and_several_references_by_hand():
    """a b e beside a b and x: of one word 2 / (sqrt 3 sqrt 2), of two 1 / sqrt 2, for a difference of one word."""
    found = cider_of_lines([["a", "b", "e"], ["q"]], [[["a", "b"], ["x"]], [["q"]]])
    right = math.exp(-1 / (2 * 36)) * (2 / math.sqrt(6) + 1 / math.sqrt(2)) / 4
    assert found == pytest.approx([10 * right / 2, 10 / 4])


def test_what_is_said_of_every_picture_counts_nothing():
    found = cider_of_lines([["the", "x"], ["the", "y"]], [[["the", "x"]], [["the", "z"]]])
    assert found[1] == 0 and found[0] == pytest.approx(10 * 2 / 4)
    assert cider_of_lines([["a", "b"]], [[["a", "b"]]]) == [0.0]  # of one picture


def brute_force(texts, references):
    """The same over vectors of all n-grams that there are, one length at a time."""

    def ngrams(words, n):
        return [" ".join(words[k : k + n]) for k in range(len(words) - n + 1)]

    scores = np.zeros(len(texts))
    for n in range(1, 5):
        everything = [words for wanted in references for words in wanted] + texts
        known = sorted({ngram for words in everything for ngram in ngrams(words, n)})
        df = np.array([sum(any(k in ngrams(r, n) for r in wanted) for wanted in references) for k in known])
        idf = np.log(len(references)) - np.log(np.maximum(df, 1))
        vector = lambda words: np.array([ngrams(words, n).count(k) for k in known]) * idf  # noqa: B023, E731
        for i, (words, wanted) in enumerate(zip(texts, references, strict=True)):
            for r in wanted:
                g, right = vector(words), vector(r)
                size = np.linalg.norm(g) * np.linalg.norm(right)
                away = len(words) - len(r)
                if size:
                    scores[i] += np.minimum(g, right) @ right / size * np.exp(-(away**2) / 72) / len(wanted)
    return 10 * scores / 4


@pytest.mark.parametrize("seed", range(3))
def test_cider_is_that_of_whole_vectors(seed):
    rng = random.Random(seed)
    line = lambda: rng.choices("abcdefgh", weights=range(1, 9), k=rng.randint(0, 9))  # noqa: E731
    texts, references = [line() for _ in range(6)], [[line() for _ in range(rng.randint(1, 4))] for _ in range(6)]
    found = cider_of_lines(texts, references)
    assert found == pytest.approx(brute_force(texts, references)) and max(found) > 0.3


def test_cider_of_sentences_is_that_of_whole_vectors():
    expected = brute_force(split(LINES), [split(wanted) for wanted in REFERENCES])
    assert corpus_scores(LINES, REFERENCES, "cider")["cider"] == pytest.approx(expected.mean()) and expected.min() == 0


# BLEU by order


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_bleu_by_order_is_sacrebleus(n):
    streams = [[wanted[k] if k < len(wanted) else None for wanted in REFERENCES] for k in range(3)]
    bleu = BLEU(max_ngram_order=n, lowercase=True, tokenize="none", smooth_method="none", force=True)
    found = corpus_scores(LINES, REFERENCES, f"bleu{n}", "zh")[f"bleu{n}"]  # whatever the tokeniser of other figures
    assert found == bleu.corpus_score(LINES, streams).score > 0


def test_bleu_by_order_by_hand():
    found = corpus_scores(["a b c d x"], [["a b c d e", "q"]], "bleu1,bleu2,bleu3,bleu4")
    p = [4 / 5, 3 / 4, 2 / 3, 1 / 2]
    assert [found[f"bleu{n}"] for n in (1, 2, 3, 4)] == pytest.approx(
        [100 * math.prod(p[:n]) ** (1 / n) for n in (1, 2, 3, 4)]
    )


# ROUGE-L


def test_rouge_l_by_hand():
    """a c e is in order in a b c d e: P = 3 / 4 of the line, R = 3 / 5; of c e alone R is 2 / 2, which is better."""
    line, one, other = list("acex"), list("abcde"), list("ce")
    F = lambda P, R: (1 + 1.44) * P * R / (R + 1.44 * P)  # noqa: E731
    assert rouge_l(line, [one]) == pytest.approx(F(3 / 4, 3 / 5))
    assert rouge_l(line, [other]) == pytest.approx(F(2 / 4, 1))
    assert rouge_l(line, [one, other]) == pytest.approx(F(3 / 4, 1))  # the best of each, as in the code of COCO
    assert rouge_l(line, [["q"]]) == rouge_l([], [one]) == rouge_l(line, [[]]) == 0
    found = corpus_scores(["A c e x", "q"], [["a b c d e", "C e"], ["q"]], "rougeL_coco")
    assert found["rougeL_coco"] == pytest.approx(100 * (F(3 / 4, 1) + 1) / 2)


WORDS = st.lists(st.sampled_from("abc"), max_size=7)


@given(WORDS, WORDS)
@settings(max_examples=40, deadline=None)
def test_words_in_order_are_found_by_trying_all(words, others):
    def subsequences(line):
        return {tuple(w for k, w in enumerate(line) if chosen >> k & 1) for chosen in range(1 << len(line))}

    n = max(map(len, subsequences(words) & subsequences(others)))
    P, R = n / max(len(words), 1), n / max(len(others), 1)
    assert rouge_l(words, [others]) == pytest.approx(2.44 * P * R / (R + 1.44 * P) if n else 0)


# all


def test_a_model_can_be_chosen_by_each():
    for name in CAPTIONS:
        assert FIGURES[name].key in corpus_scores(LINES, REFERENCES, name) and FIGURES[name].better(2.0, 1.0)
    assert FIGURES["cer"].better(0.1, 0.2)


def test_letter_error_rate_is_that_of_jiwer():
    lines, right = ["the cat", "a dgo", ""], ["the cats", "a dog", "x"]
    assert corpus_scores(lines, right, "cer")["cer"] == jiwer.cer(right, lines) == (1 + 2 + 1) / (8 + 5 + 1)
    found = corpus_scores(["abcd", "xy"], [["abxx", "abc"], ["xy"]], "wer,cer")
    assert found == {"wer": 1 / 2, "cer": 1 / 5, "sentences": 2}  # the reference that is nearest
