"""What frames say, by CTC: the best path, and the best prefixes.

The best path takes the most probable token of every frame, merges repeats and drops blanks. It is quick; but a sentence
has many paths, and that of another one may be the best. A prefix beam search adds up all paths of the sentences that it
keeps. Of a prefix it knows how probable it is to have been said so far, and whether the last frame said a blank, since
after a blank the same token is a new one:

    blank'(h)   = (blank(h) + token(h)) y_blank
    token'(h)   = token(h) y_c + (blank(g) + token(g) [c is not the last of g]) y_c,   h = g c
    score(h)    = log(blank(h) + token(h)) + bonus(h)               of all prefixes the `beam` best count

The bonus is whatever else is known of what is said: a language model's score, an attention decoder's.

Source: Graves et al. 2006, section 3.2 (best path); Hannun et al. 2014 (prefix beam search).
"""

from collections.abc import Callable

import numpy as np

from numseq import arguments
from numseq.backend import Array, to_numpy
from numseq.data.tokens import EOS
from numseq.errors import ArgumentError
from numseq.layers.fit import Fit
from numseq.layers.losses.ctc import BLANK
from numseq.search.hypotheses import Hypotheses, Hypothesis
from numseq.search.topk import topk

NEVER = -np.inf  # the log of 0
FIT = Fit(logp="S B V", mask="S B bool")


def log_probabilities(logp: Array, mask: Array | None) -> np.ndarray:
    """The frames' log-probabilities on the host, (S, B, V) in float64; a frame that is not real is certainly a blank,
    which says nothing.

    Raises: ArgumentError, when shapes do not fit, or a row's real frames are not the first.
    """
    FIT(logp, mask)
    logp = to_numpy(logp).astype(np.float64)
    if mask is not None:
        mask = to_numpy(mask)
        if (mask[1:] & ~mask[:-1]).any():
            raise ArgumentError("mask has a gap: the real frames of a row come first, with none left out")
        logp[~mask] = NEVER
        logp[~mask, BLANK] = 0
    return logp


def ctc_greedy(logp: Array, mask: Array | None = None) -> Hypotheses:
    """Decode each row by its best path.

    Equations: path_s = argmax_k logp_sk;  what is said is path without repeats, then without blanks.

    Args: logp, (S, B, V), log-probabilities of the tokens and of the blank, id 0, at each frame. mask, (S, B), True on
        a row's real frames, which come first; None for all.
    Returns: Hypotheses, K = 1; logp and scores are those of the path, at most that of what it says.
    Raises: ArgumentError, when shapes do not fit, or mask has a gap.
    Source: Graves et al. 2006, section 3.2.
    """
    logp = log_probabilities(logp, mask)
    path, best = logp.argmax(axis=2), logp.max(axis=2).sum(axis=0)
    new = path != BLANK
    new[1:] &= path[1:] != path[:-1]
    found = [Hypothesis(path[new[:, b], b], total, total) for b, total in enumerate(best.tolist())]
    return Hypotheses.from_lists([[one] for one in found], 1)


def ctc_beam_search(
    logp: Array,
    mask: Array | None = None,
    *,
    beam: int = 16,
    bonus: Callable[[np.ndarray, list[np.ndarray]], np.ndarray] | None = None,
) -> Hypotheses:
    """Search the best prefixes of each row, frame by frame.

    Equations: those of the module.

    Args: logp, mask: as of `ctc_greedy`. beam, the prefixes that are kept after each frame. bonus, a function of the
        rows (N,) of N prefixes and of their tokens, a list of N arrays, to what each token adds when it comes next,
        (N, V) in nats, and what <eos> adds when nothing comes. It is asked when a prefix is new, not at every frame.
    Returns: Hypotheses, K = beam, best first; scores are logp and what the bonus adds, logp is of the paths that were
        kept: at most that of what is said, and the same if nothing was left out.
    Raises: ArgumentError, when shapes do not fit, or mask has a gap.
    Source: Hannun et al. 2014, algorithm 1; Watanabe et al. 2017 (an attention decoder's bonus).
    """
    beam = arguments.whole(beam, "beam", least=1)
    logp = log_probabilities(logp, mask)
    _, B, V = logp.shape
    found = Prefixes(B, V, beam, None if bonus is None else arguments.function(bonus, "bonus"))
    for frame in logp:
        found.read(frame)
    return found.complete()


class Prefixes:
    """K prefixes of each of B rows, (B, K), best first, and what is known of each.

    node, a number that is its own among all prefixes that were ever kept, and -1 of a place that is free; last, its
    last token, and parent, the node of the rest; blank and token, the logs of the module's equations; extra, what the
    bonus gave; coming, (B, K, V), what it gives for each token that may come next, or None without a bonus.
    """

    def __init__(self, B: int, V: int, K: int, bonus: Callable | None):
        self.bonus, self.rows = bonus, np.arange(B)[:, None]
        self.nodes: dict[tuple[int, int], int] = {}  # of (parent, last)
        self.parts = [(-1, BLANK)] * B  # (parent, last) of each node: the first B are the rows' empty prefixes
        self.node, self.parent, self.last = np.full((B, K), -1), np.full((B, K), -2), np.full((B, K), BLANK)
        self.blank, self.token, self.extra = np.full((B, K), NEVER), np.full((B, K), NEVER), np.zeros((B, K))
        self.node[:, 0], self.blank[:, 0] = np.arange(B), 0
        self.coming = np.zeros((B, K, V)) if bonus else None
        self.ask(self.node >= 0)

    def read(self, frame: np.ndarray) -> None:
        """Go on by a frame, (B, V): all prefixes as they are, and each with each token, compete."""
        (B, K), V, said = self.node.shape, frame.shape[1], np.logaddexp(self.blank, self.token)
        again = np.take_along_axis(frame, self.last, axis=1)  # the last token once more
        blank, token = said + frame[:, :1], self.token + again
        longer = said[:, :, None] + frame[:, None]
        longer[self.rows, np.arange(K), self.last] = self.blank + again
        longer[:, :, BLANK] = NEVER
        row, short, long = np.nonzero(self.node[:, :, None] == self.parent[:, None])
        at = row, short, self.last[row, long]  # a prefix with a token may be another one that is there: both are one
        token[row, long] = np.logaddexp(token[row, long], longer[at])
        longer[at] = NEVER

        extra = self.extra[:, :, None] if self.coming is None else self.extra[:, :, None] + self.coming
        stay, grow = np.logaddexp(blank, token) + self.extra, (longer + extra).reshape(B, K * V)
        score, index = topk(np.concatenate([stay, grow], axis=1), K)
        grown, free = index >= K, score == NEVER
        of, last = np.where(grown, (index - K) // V, index), (index - K) % V
        was = self.rows, of
        self.extra = self.extra[was]
        if self.coming is not None:
            self.extra = self.extra + np.where(grown, self.coming[(*was, last)], 0)
        self.token = np.where(grown, longer[(*was, last)], token[was])
        self.blank = np.where(grown, NEVER, blank[was])
        self.parent = np.where(free, -2, np.where(grown, self.node[was], self.parent[was]))
        self.last = np.where(grown, last, self.last[was])
        self.node = np.where(free, -1, self.node[was])
        grown &= ~free
        for b, k in zip(*np.nonzero(grown), strict=True):
            self.node[b, k] = self.node_of(int(self.parent[b, k]), int(self.last[b, k]))
        if self.coming is not None:
            self.coming = self.coming[was]
            self.ask(grown)

    def node_of(self, parent: int, last: int) -> int:
        """The number of a prefix, which may have been kept before."""
        node = self.nodes.setdefault((parent, last), len(self.parts))
        if node == len(self.parts):
            self.parts.append((parent, last))
        return node

    def tokens(self, node: int) -> np.ndarray:
        """What a prefix says."""
        said = []
        while node >= len(self.rows):
            node, last = self.parts[node]
            said.append(last)
        return np.array(said[::-1], dtype=np.int64)

    def ask(self, new: np.ndarray) -> None:
        """Ask the bonus what may come after prefixes that are new, (B, K)."""
        if self.bonus is None or self.coming is None or not new.any():
            return
        rows, wanted = np.nonzero(new)[0], (int(new.sum()), self.coming.shape[2])
        given = np.asarray(self.bonus(rows, [self.tokens(node) for node in self.node[new].tolist()]))
        if given.shape != wanted:
            raise ArgumentError(f"bonus gave the shape {given.shape}: it must be {wanted}, a score of each token")
        self.coming[new] = given

    def complete(self) -> Hypotheses:
        """What the prefixes say, if nothing more is said."""
        logp, extra = np.logaddexp(self.blank, self.token), self.extra
        score = logp + (extra if self.coming is None else extra + self.coming[:, :, EOS])
        found = [
            [Hypothesis(self.tokens(node), *numbers) for node, *numbers in zip(*row, strict=True) if node >= 0]
            for row in zip(self.node.tolist(), logp.tolist(), score.tolist(), strict=True)
        ]
        for row in found:
            row.sort(key=lambda one: -one.score)  # <eos> may have changed the order
        return Hypotheses.from_lists(found, self.node.shape[1])
