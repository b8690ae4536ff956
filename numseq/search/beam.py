"""Beam search: keep the K best beginnings of a translation at every step, and the best complete ones.

    score = sum of logp over the beginning's tokens, <eos> included        of K V continuations the K best count:
            those that say <eos> are complete (`nbest.py`), the others go on

All sentences and all their beams are rows of one batch; nothing loops over either. A sentence is done when it has n
complete hypotheses (n-best) and no beginning can still beat the worst of these.

With groups, each group of beams chooses among its own continuations, one group after the other, and a token costs
something for each beam of an earlier group that has just said it.

Source: Graves 2012, section 3; Vijayakumar et al. 2018 (groups).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numseq.backend import Array, array_module, asarray, to_numpy
from numseq.data.tokens import EOS, PAD
from numseq.errors import ConfigError
from numseq.options import option
from numseq.search.bans import Bans
from numseq.search.beginnings import Beginnings
from numseq.search.constraints import Rows
from numseq.search.hypotheses import Hypotheses
from numseq.search.nbest import NORMS, NBest
from numseq.search.topk import topk
from numseq.search.tree import COMPLETE, IMPOSSIBLE, KEPT, WORSE, SearchStep

if TYPE_CHECKING:
    from numseq.models import Seq2Seq


@dataclass(frozen=True)
class BeamOptions(Bans):
    """How to search. Raises: ConfigError, naming the option, when a value makes no sense."""

    beam: int = option(5, "Hypotheses kept at every step.", least=1, most=10_000, source="Graves 2012")
    nbest: int | None = option(
        None, "How many of the best must be certain before the search stops.", least=1, otherwise="as many as the beam"
    )
    length_penalty: float = option(
        1.0,
        "Exponent by which length counts; 0 compares plain sums, which favours short translations.",
        least=0,
        most=10,
    )
    norm: str = option(
        "average", "Length normalisation: by the length, or Google's formula.", choices=NORMS, source="Wu et al. 2016"
    )
    coverage_penalty: float = option(
        0.0, "Weight of source words that were hardly looked at.", least=0, most=1_000_000, source="Wu et al. 2016"
    )
    groups: int = option(
        1, "Groups of beams that are to differ from one another.", least=1, source="Vijayakumar et al. 2018"
    )
    diversity: float = option(  # at the same step
        0.5,
        "What a token loses for each beam of an earlier group that says it.",
        least=0,
        most=1_000_000,
        source="Vijayakumar et al. 2018",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nbest is not None and self.nbest > self.beam:
            raise ConfigError(f"nbest is {self.nbest}: it must be at most the beam, which is {self.beam}")
        if self.beam % self.groups:
            raise ConfigError(f"groups is {self.groups}: it must divide the beam, which is {self.beam}")


def beam_search(
    models: "Seq2Seq | list[Seq2Seq]",
    source: Array,
    source_mask: Array | None,
    limits: Array,
    options: BeamOptions | None = None,
    *,
    keep_alpha: bool = True,
    keep_steps: bool = False,
    copies: Array | None = None,
    constraint: Rows | None = None,
) -> Hypotheses:
    """Search a batch of sentences.

    Equations: those of the module.

    Args: models, source, source_mask, limits, copies, constraint: as of `greedy`. options, BeamOptions. keep_alpha,
        keep_steps: whether the result has `alpha` and `steps`.
    Returns: Hypotheses, K = the beam, best first.
    """
    options = options or BeamOptions()
    B, K = source.shape[1], options.beam
    looks = keep_alpha or options.coverage_penalty > 0
    rows = Beginnings(models, source, source_mask, limits, options, K, looks, copies, constraint)  # by sentences
    best, steps = NBest(options, rows.limits[::K], rows.places), []
    score = np.full((B, K), -np.inf)  # what beams compete by
    score[:, :: K // options.groups] = 0  # one empty beginning a group, from which its beams are filled
    total = np.zeros((B, K))  # the same without the diversity penalty
    while len(score):
        sentence, first = rows.sentence[::K], K * np.arange(len(score))[:, None]  # which sentences; their first rows
        logp = rows.step()
        step = judge(*continuations(logp, score, options), options)
        row = first + step.parent
        sums = np.take_along_axis(total, step.parent, axis=1) + to_numpy(logp[asarray(row), asarray(step.token)])
        if keep_steps:
            steps.append(step.among(sentence, B))

        at = np.nonzero(step.fate == COMPLETE)
        best.add(sentence[at[0]], rows.complete(row[at], sums[at]))

        at = np.nonzero(step.fate == KEPT)
        to = at[0], step.beam[at]
        score, total = np.full(score.shape, -np.inf), np.full(score.shape, -np.inf)
        token, parent = np.full(score.shape, PAD), np.broadcast_to(first, score.shape).copy()  # of beams left empty
        score[to], total[to], token[to], parent[to] = step.score[at], sums[at], step.token[at], row[at]
        on = np.flatnonzero(best.open(sentence, total.max(axis=1)))
        score, total = score[on], total[on]
        rows.go_on(parent[on].reshape(-1), token[on].reshape(-1))
    found = Hypotheses.from_lists(best.found, K, rows.places, steps)
    found.alpha = found.alpha if keep_alpha else None
    return found


def continuations(logp: Array, score: Array, options: BeamOptions) -> tuple[Array, Array, Array]:
    """The best continuations of each sentence: token, parent beam and score, (sentences, 2K), best first in each group.

    Half of them count; the others are for the trace.

    Args: logp, (sentences * K, V), of what comes next. score, (sentences, K), of the beginnings. options, BeamOptions.
    """
    xp, (N, K), V, groups = array_module(logp), score.shape, logp.shape[1], options.groups
    per = K // groups
    score = asarray(score.astype(np.dtype(logp.dtype)))
    said = xp.zeros((N, V), dtype=logp.dtype) if groups > 1 else None  # how many beams of earlier groups say it now
    found = []
    for g in range(groups):
        beams = slice(g * per, (g + 1) * per)
        total = score[:, beams, None] + logp.reshape(N, K, V)[:, beams]
        if said is not None:
            total = total - options.diversity * said[:, None]
        value, index = topk(total.reshape(N, per * V), min(2 * per, per * V))
        value, index = to_numpy(value).astype(np.float64), to_numpy(index)
        token, parent = index % V, index // V + g * per
        if said is not None:
            for k in range(per):
                possible = np.isfinite(value[:, k])  # a group that has ended says nothing
                said[asarray(np.flatnonzero(possible)), asarray(token[possible, k])] += 1
        found.append((token, parent, value))
    token, parent, value = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    return token, parent, value


def judge(token: Array, parent: Array, score: Array, options: BeamOptions) -> SearchStep:
    """What becomes of continuations: a SearchStep.

    Of the K best (of a group, its share of K), those that end are complete and the others are kept. So a beam of 1 is
    greedy, and what is not among the best plays no part.
    """
    groups, per = options.groups, options.beam // options.groups
    possible = np.isfinite(score)
    counts = possible & np.tile(np.arange(score.shape[1] // groups) < per, groups)
    kept = counts & (token != EOS)
    fate = np.select([kept, counts, possible], [KEPT, COMPLETE, WORSE], IMPOSSIBLE)
    place = kept.reshape(len(kept), groups, -1).cumsum(axis=2) - 1 + per * np.arange(groups)[:, None]
    return SearchStep(token, parent, score, fate, np.where(kept, place.reshape(kept.shape), -1))
