"""Searches by plain loops and by enumeration, which the searches of numseq are held against."""

import itertools

import numpy as np
from helpers import assert_close, batch, padded

import numseq
from numseq.backend import asarray
from numseq.data import BOS, EOS, PAD, Pairs
from numseq.data.batches import Ragged

SOURCES = ([5, 6, 7, 5, 8], [9, 4, 6], [7], [10, 10, 4, 8])


LIMITS = (3, 2, 3, 1)


WORDS = 7  # ids of the target vocabulary; four of them can be said before <eos>


EXACT = 1e-9


def arrays(sources, limits, steps=0):
    """source, source_mask, limits, as searches take them; `steps` more positions of garbage, all masked."""
    with numseq.use("numpy"):
        given = padded(batch(sources, [[4]] * len(sources)), steps, rows=0)
    return asarray(given.source), asarray(given.source_mask), np.array(limits)


def hypotheses(found, b):
    """What was found for sentence b, best first: (tokens, score, logp)."""
    return [
        (tuple(found.ids[:n, b, k].tolist()), found.scores[b, k], found.logp[b, k])
        for k, n in enumerate(found.lengths[b])
        if np.isfinite(found.scores[b, k])
    ]


def assert_hypotheses(found, expected):
    """The same tokens in the same order, and the same scores."""
    assert [one[0] for one in found] == [one[0] for one in expected]
    assert_close([np.array([one[1:] for one in found])], [np.array([one[1:] for one in expected])], EXACT)


def forced(models, source, targets):
    """Log-probabilities (T + 1, N, V) and mean attention (T + 1, N, S) while each of N targets is said, by equations
    of training, not of search."""
    given = Pairs(Ragged([source] * len(targets)), Ragged(targets)).batch(np.arange(len(targets)))
    traces = [model.forward(given) for model in models]
    p = np.mean([np.exp(trace.logp) for trace in traces], axis=0)
    looks = [trace.alpha for trace in traces if trace.alpha is not None]
    return np.log(p), np.mean(looks, axis=0) if len(looks) == len(models) else None


def final_score(options, logp, length, covered):
    """The score of a hypothesis of `length` tokens, <eos> included, by the equations of the module."""
    value = logp / (length if options.norm == "average" else (5 + length) / 6) ** options.length_penalty
    if options.coverage_penalty and covered is not None:
        value += options.coverage_penalty * np.log(np.minimum(covered, 1)).sum()
    return value


def repeats(tokens, n):
    """Is there an n-gram twice in the tokens?"""
    grams = [tuple(tokens[k : k + n]) for k in range(len(tokens) - n + 1)] if n else []
    return len(set(grams)) < len(grams)


def everything(models, source, limit, options):
    """All hypotheses of a sentence that the options allow, best first."""
    words = [k for k in range(WORDS) if k not in (PAD, BOS, EOS)]
    said = [
        tokens
        for length in range(min(options.min_length, limit), limit + 1)
        for tokens in itertools.product(words, repeat=length)
        if not repeats(tokens, options.no_repeat_ngram)
    ]
    logp, alpha = forced(models, source, said)
    found = []
    for n, tokens in enumerate(said):
        total = sum(logp[t, n, k] for t, k in enumerate([*tokens, EOS]))
        length = len(tokens) + 1
        covered = None if alpha is None else alpha[:length, n].sum(axis=0)
        found.append((tokens, final_score(options, total, length, covered), total))
    return sorted(found, key=lambda one: -one[1])


def one_at_a_time(models, source, limit, options, allows=lambda said, k: True):
    """Beam search of one sentence, in loops, that never stops early. allows, of tokens and the next, a constraint."""
    beams, complete = [((), 0.0)], []
    for t in range(limit + 1):
        logp, alpha = forced(models, source, [said for said, _ in beams])
        found = []
        for n, (said, total) in enumerate(beams):
            for k in range(logp.shape[-1]):
                ends = k == EOS
                if k in (PAD, BOS) or (t == limit and not ends) or (ends and t < min(options.min_length, limit)):
                    continue
                if allows(said, k) and (ends or not repeats((*said, k), options.no_repeat_ngram)):
                    found.append((total + logp[t, n, k], n, said, k))
        found = sorted(found, key=lambda one: -one[0])[: options.beam]
        for total, n, said, k in found:
            if k == EOS:
                covered = None if alpha is None else alpha[: t + 1, n].sum(axis=0)
                complete.append((said, final_score(options, total, t + 1, covered), total))
        beams = [((*said, k), total) for total, _, said, k in found if k != EOS]
        if not beams:
            break
    return sorted(complete, key=lambda one: -one[1])[: options.beam]
