"""How probable CTC holds each token to come next: so that a search by an attention decoder can ask CTC as well.

A decoder says one token after the other, CTC reads one frame after the other. They meet in prefixes: one is as probable
as all that begins with it, and a token c comes after h with the probability of the prefix hc over that of h:

    said_s(h)    = log p(the frames up to s say h, and s its last token)
    blank_s(h)   = log p(the frames up to s say h, and s a blank)
    before_s(hc) = blank_s(h) if c is the last token of h else log(exp(said_s(h)) + exp(blank_s(h)))
    said_s(hc)   = logp_sc + log(exp(said_{s-1}(hc)) + exp(before_{s-1}(hc)))
    blank_s(hc)  = logp_s0 + log(exp(blank_{s-1}(hc)) + exp(said_{s-1}(hc)))
    prefix(hc)   = log sum_s exp(before_{s-1}(hc) + logp_sc)
    next(c)      = prefix(hc) - prefix(h)
    next(eos)    = log(exp(said_S(h)) + exp(blank_S(h))) - prefix(h)

Over all tokens, <eos> among them, next is the log of a distribution, as what a decoder gives: so both can be mixed, and
its sum over what was said is the log of the prefix's probability. No sum over paths is left out.

Source: Watanabe et al. 2017, algorithm 2; Graves et al. 2006, section 3.2 (prefix search).
"""

from dataclasses import dataclass

import numpy as np

from numseq.backend import Array
from numseq.data.tokens import EOS
from numseq.layers.losses.ctc import BLANK
from numseq.record import Record
from numseq.search.ctc import NEVER, log_probabilities


@dataclass(slots=True)
class CTCPrefixes(Record):
    """N prefixes. All arrays are of the host and begin with them, so that a search can drop and repeat rows.

    row, whose frames they are of; last, their last token, or the blank of an empty one; said and blank as in the
    equations, from before the first frame on; prefix, the log of how probable each is.
    """

    row: Array  # (N,)
    last: Array  # (N,)
    said: Array  # (N, S + 1)
    blank: Array  # (N, S + 1)
    prefix: Array  # (N,)


class CTCPrefixScores:
    """What comes next, by the frames of B rows.

    scores = CTCPrefixScores(logp, mask)
    prefixes = scores.start()
    next = scores.next(prefixes)                        (N, V)
    prefixes = scores.go_on(prefixes, token)            token (N,)
    """

    def __init__(self, logp: Array, mask: Array | None = None):
        """Args: logp, (S, B, V), and mask, (S, B), as of `numseq.search.ctc_greedy`. Raises: as that."""
        self.logp = np.ascontiguousarray(log_probabilities(logp, mask).swapaxes(0, 1))  # (B, S, V)
        self.p = np.exp(self.logp)

    def start(self) -> CTCPrefixes:
        """The empty prefix of each row."""
        B, S, _ = self.logp.shape
        said, blank = np.full((B, S + 1), NEVER), np.zeros((B, S + 1))
        np.cumsum(self.logp[:, :, BLANK], axis=1, out=blank[:, 1:])
        return CTCPrefixes(np.arange(B), np.full(B, BLANK), said, blank, np.zeros(B))

    def next(self, prefixes: CTCPrefixes) -> Array:
        """The log-probabilities of each next token, (N, V): of the blank, and after what is impossible, -infinity.

        A product for each row of frames: sums are of probabilities relative to the largest, and what is 1e-300 of that
        is nothing.
        """
        row, last, each = prefixes.row, prefixes.last, np.arange(len(prefixes.row))
        both = np.logaddexp(prefixes.said, prefixes.blank)
        most = np.maximum(both.max(axis=1, keepdims=True), np.finfo(float).min)
        before, again = np.exp(both[:, :-1] - most), np.exp(prefixes.blank[:, :-1] - most)
        sums = np.empty((len(row), self.p.shape[2]))
        for b in np.unique(row):
            sums[row == b] = before[row == b] @ self.p[b]
        sums[each, last] = (again * self.p[row, :, last]).sum(axis=1)
        with np.errstate(divide="ignore"):
            found = np.log(sums) + most
        found[:, BLANK], found[:, EOS] = NEVER, both[:, -1]
        possible = prefixes.prefix > NEVER
        return np.where(possible[:, None], found - np.where(possible, prefixes.prefix, 0)[:, None], NEVER)

    def go_on(self, prefixes: CTCPrefixes, token: Array) -> CTCPrefixes:
        """Each prefix with one more token, (N,)."""
        row, S = prefixes.row, self.logp.shape[1]
        both = np.logaddexp(prefixes.said, prefixes.blank)
        before = np.where((token == prefixes.last)[:, None], prefixes.blank, both)
        of_token, of_blank = self.logp[row, :, token], self.logp[row, :, BLANK]
        said, blank = np.full(both.shape, NEVER), np.full(both.shape, NEVER)
        for s in range(S):
            said[:, s + 1] = of_token[:, s] + np.logaddexp(said[:, s], before[:, s])
            blank[:, s + 1] = of_blank[:, s] + np.logaddexp(blank[:, s], said[:, s])
        prefix = np.logaddexp.reduce(before[:, :-1] + of_token, axis=1, initial=NEVER)
        return CTCPrefixes(row, token, said, blank, prefix)
