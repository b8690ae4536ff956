"""What a beam search did, to look at: every hypothesis at every step, its score, its parent, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numseq.backend import Array
from numseq.data.tokens import PAD
from numseq.search.hypotheses import Hypotheses

FATES = ("kept", "complete", "worse than the beam", "impossible")
KEPT, COMPLETE, WORSE, IMPOSSIBLE = range(len(FATES))


@dataclass(slots=True)
class SearchStep:
    """What was thought of at one step, for each sentence (B, C): the best continuations, best first.

    token; parent, the beam of the step before that it continues; score, its sum of logp (less the diversity penalty);
    fate, of FATES: what became of it. beam, (B, C): which beam it is from now on, -1 for none.
    """

    token: Array
    parent: Array
    score: Array
    fate: Array
    beam: Array

    def among(self, sentences: Array, B: int) -> "SearchStep":
        """The same step of all B sentences, of which only these, (N,), were still searched."""
        nothing = {"token": PAD, "parent": -1, "score": -np.inf, "fate": IMPOSSIBLE, "beam": -1}
        arrays = {}
        for name, value in nothing.items():
            arrays[name] = np.full((B, self.token.shape[1]), value)
            arrays[name][sentences] = getattr(self, name)
        return SearchStep(**arrays)


@dataclass(slots=True)
class Node:
    """One continuation that was thought of."""

    step: int
    token: str
    score: float  # sum of log-probabilities, nats
    fate: str  # one of FATES
    beam: int | None  # which beam it was from then on
    parent: "Node | None"
    on_best: bool = False  # whether it is part of the best complete hypothesis

    def words(self) -> list[str]:
        """The tokens from the beginning to here."""
        return [*(self.parent.words() if self.parent else []), self.token]


def nodes(result: Hypotheses, b: int, word: Callable[[int], str]) -> list[list[Node]]:
    """The nodes of sentence b, step by step, best first in each.

    Args: result, Hypotheses of beam_search with keep_steps=True. b, which sentence. word, a function of a token's id to
        its text (`Tokens.token`).
    Returns: a list of lists of Node.
    Raises: ValueError, when the result has no steps.
    """
    if not result.steps:
        raise ValueError("this search kept no steps: call beam_search with keep_steps=True")
    found, beams = [], {}
    for t, step in enumerate(result.steps):
        row, following = [], {}
        for k in np.flatnonzero(np.isfinite(step.score[b])):
            parent = beams.get(int(step.parent[b, k]))
            beam = int(step.beam[b, k])
            node = Node(
                t, word(int(step.token[b, k])), float(step.score[b, k]), FATES[step.fate[b, k]],
                beam if beam >= 0 else None, parent,
            )  # fmt: skip
            row.append(node)
            if beam >= 0:
                following[beam] = node
        beams = following
        if row:
            found.append(row)
    best = [word(int(k)) for k in result.ids[: result.lengths[b, 0] + 1, b, 0]]
    for row in found:
        for node in row:
            if node.fate == FATES[COMPLETE] and node.step == len(best) - 1 and node.words() == best:
                while node:
                    node.on_best, node = True, node.parent
    return found


def text(result: Hypotheses, b: int, word: Callable[[int], str], most: int | None = None) -> str:
    """The search of sentence b as text: for each step what was thought of, best first.

    `*` marks the best hypothesis, `.` what was dropped. Args: as of `nodes`; most, continuations shown a step.
    """
    lines = []
    for row in nodes(result, b, word):
        lines.append(f"step {row[0].step}")
        for node in row[:most]:
            mark = "*" if node.on_best else " " if node.fate in (FATES[KEPT], FATES[COMPLETE]) else "."
            lines.append(f"  {mark} {node.score:8.3f}  {' '.join(node.words())}  ({node.fate})")
    return "\n".join(lines)
