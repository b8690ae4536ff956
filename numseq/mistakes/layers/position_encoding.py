"""Mistakes in the backward of position encoding."""

import numpy as np

from numseq import layers
from numseq.mistakes.fixtures import Case, D, call
from numseq.mistakes.layer import Layer, equations, know

SENTENCE = np.array(  # (S, B): sentences of one to four words; -1 in front, between, behind, and at two side by side
    [[0, 0, -1, 0, 0], [0, -1, 0, 0, -1], [0, 1, 0, 1, 1], [-1, 1, -1, 1, 1],
     [1, 1, -1, 1, 1], [1, 1, 1, -1, -1], [-1, -1, 1, 2, 2], [2, -1, 1, 2, -1]]
)  # fmt: skip
PLACES, N = 4, 2  # one more than there are sentences; vectors of a word


def position_encoding(trace, dm, change=None):
    eq, sentence, B = equations(change), trace.sentence, trace.sentence.shape[1]
    within = np.stack([sentence == s for s in range(len(dm))])  # (P, S, B)
    counted = (within * within.cumsum(axis=1)).sum(axis=0)[:, :, None, None]
    words = (within * within.sum(axis=1, keepdims=True)).sum(axis=0)[:, :, None, None]
    j, J = eq("j", np.maximum(counted, 1)), eq("J", np.maximum(words, 1))
    D, unit = dm.shape[-1], np.arange(1, dm.shape[-1] + 1)
    k = eq("k", unit / D)
    l = eq("l", (1 - j / J) - k * (1 - 2 * j / J))  # noqa: E741
    real = eq("real", (sentence >= 0)[:, :, None, None])
    dm_word = eq("dm_word", dm[sentence, np.arange(B)])
    dx = eq("dx", real * l * dm_word)
    return {"dx": dx}


L = "l_jk = (1 - j / J) - (k / D) (1 - 2 j / J)"

know(
    Layer("position_encoding", position_encoding, says={"dx": f"l times the gradient of the word's sentence, {L}"}),
    ("a word's weight is forgotten", "dx", lambda v: v.real * v.dm_word, "m is the sum of l * x: dx = l * dm"),
    ("words are counted from 0", "j", lambda v: v.value - 1, "j = 1 .. J"),
    ("words are counted from the end", "j", lambda v: np.maximum(v.words, 1) - v.value + 1,
     "j = 1 is the first word of its sentence"),
    ("words are counted over the whole line", "j", lambda v: np.maximum(np.cumsum(v.sentence >= 0, axis=0), 1)
     [:, :, None, None], "j begins anew with each sentence"),
    ("separators and padding are counted as words", "J",
     lambda v: np.full_like(v.value, len(v.sentence)), "J is how many words the sentence has"),
    ("all sentences are as long as the longest", "J", lambda v: np.full_like(v.value, v.words.max()),
     "J is how many words this sentence has"),
    ("units are counted from 0", "k", lambda v: (v.unit - 1) / v.D, "k = 1 .. D"),
    ("units are not divided by D", "k", lambda v: 1.0 * v.unit, "it is k / D"),
    ("the sign between the two parts of a weight is wrong", "l", lambda v: (1 - v.j / v.J) + v.k * (1 - 2 * v.j / v.J),
     L),
    ("the weight has j / J where 2 j / J belongs", "l", lambda v: (1 - v.j / v.J) - v.k * (1 - v.j / v.J), L),
    ("a sentence is taken for the mean of its words", "dx", lambda v: v.value / v.J,
     "m is a sum, and so each word's gradient is not divided"),
    ("words of no sentence get the gradient of the last", "real", lambda v: np.ones_like(v.value),
     "-1 says that a token is of no sentence; as an index it is the last one"),
    ("words get the gradient of the sentence before", "dm_word",
     lambda v: v.dm[v.sentence - 1, np.arange(v.B)], "a word was added to its own sentence"),
    ("words get the gradients of all sentences", "dm_word",
     lambda v: np.broadcast_to(v.dm.sum(axis=0), v.value.shape), "a word was added to its own sentence alone"),
)  # fmt: skip


def cases(rng):
    x = rng.standard_normal((*SENTENCE.shape, N, D))
    return {
        "position_encoding": Case(
            call(layers.position_encoding, sentence=SENTENCE, places=PLACES), {"x": x}, ("position_encoding",)
        )
    }
