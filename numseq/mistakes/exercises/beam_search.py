"""A beam search to write, over small tables of probabilities.

    total  = sum of log p over a hypothesis' tokens, <eos> included
    score  = total / number of tokens, <eos> included
    of all continuations of all beginnings the K best go on; those that say <eos> are finished

The same search is `numseq.search.beam` with its options as they are.
"""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from numseq.mistakes.exercise import EXERCISES, Exercise, Unfit, know_exercise
from numseq.mistakes.layer import Bug, equations

WORDS, LIMIT = 4, 4  # tokens of a table, <eos> among them; the most that a hypothesis has before <eos>
MOST = 20_000  # questions to a table: far more than any search has that ends


class Table:
    """log p(next token | tokens so far), made up: after LIMIT tokens there is nothing but <eos>."""

    def __init__(self, rng, eos):
        self.eos, self.asked, self.longest, self.rows = eos, 0, 0, {}
        self._fill(rng, ())

    def _fill(self, rng, tokens):
        scores = 1.5 * rng.standard_normal(WORDS)
        scores[self.eos] += 0.5
        if len(tokens) == LIMIT:
            scores[np.arange(WORDS) != self.eos] = -np.inf
        self.rows[tokens] = scores - np.log(np.exp(scores).sum())
        for token in range(WORDS) if len(tokens) < LIMIT else ():
            if token != self.eos:
                self._fill(rng, (*tokens, token))

    def __call__(self, tokens):
        self.asked += 1
        if self.asked > MOST:
            again = (
                "; the same beginnings are asked again and again: the list of continuations is a new one in each round"
            )
            short = ", and logp is asked with all tokens so far, not with the last alone" * (self.longest < 2)
            raise Unfit(f"it does not end: when no beginning is left, the search is over{again}{short}")
        if not isinstance(tokens, Sequence | np.ndarray) or isinstance(tokens, str):
            raise Unfit(f"it calls logp with {tokens!r}: a tuple of all tokens so far is wanted, such as (2, 1)")
        tokens = tuple(tokens)
        self.longest = max(self.longest, len(tokens))
        if not all(isinstance(token, Integral) for token in tokens):
            raise Unfit(f"it calls logp with {tokens!r}: a tuple of all tokens so far is wanted, such as (2, 1)")
        if self.eos in tokens:
            raise Unfit(
                f"it asks what follows {_shown(tokens)}, which has said <eos> ({self.eos}): what is finished does not "
                "go on, so put it aside"
            )
        if tokens not in self.rows:
            raise Unfit(
                f"it asks what follows {_shown(tokens)}, which is impossible (its log-probability is minus infinity): "
                "leave such continuations out"
            )
        return self.rows[tokens].copy()


def beam_search(logp, beam, eos, change=None):
    eq = equations(change)
    beginnings, finished = eq("start", [((), 0.0)]), []
    while beginnings:
        found = []
        for tokens, total in beginnings:
            row = logp(tokens)
            asked = eq("asked", range(len(row)))
            for k in asked:
                if row[k] > -np.inf:
                    found.append((tokens, k, eq("total", total + row[k])))
        found = sorted(found, key=lambda one: -one[2])
        best = eq("best", found[:beam])
        ended = eq("ended", [(tokens, total) for tokens, k, total in best if k == eos])
        finished = eq("finished", finished + ended)
        beginnings = eq("beginnings", [((*tokens, k), total) for tokens, k, total in best if k != eos])
    scored = eq("scored", [(tokens, total / (len(tokens) + 1)) for tokens, total in finished])
    return eq("result", sorted(scored, key=lambda one: -one[1])[:beam])


def _taken(value, given):
    """Somebody's answer as a list of (tokens, score)."""
    form = "a list of pairs (tokens, score) is wanted, the best first"
    if isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], tuple | list):
        value = [value]
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Real):
        raise Unfit(f"it returns a single pair: {form}, as many as the beam")
    if not isinstance(value, list | tuple):
        raise Unfit(f"it returns a {type(value).__name__}: {form}")
    answer = []
    for one in value:
        if not isinstance(one, list | tuple) or len(one) != 2:
            raise Unfit(f"its list holds {one!r}: {form}")
        tokens, score = one
        if isinstance(tokens, Real) and isinstance(score, tuple | list):
            raise Unfit(f"its list holds {one!r}: {form}, and not (score, tokens)")
        if isinstance(tokens, Integral | str) or not hasattr(tokens, "__len__"):
            raise Unfit(f"tokens are {tokens!r}: a tuple of all tokens is wanted, such as (2, 1)")
        if np.size(score) != 1 or np.asarray(score).dtype.kind not in "iuf":
            raise Unfit(f"a score is {score!r}: a number is wanted")
        if not all(isinstance(token, Integral) for token in tokens):
            raise Unfit(f"tokens are {tokens!r}: a tuple of whole numbers is wanted, such as (2, 1)")
        answer.append((tuple(int(token) for token in tokens), float(np.asarray(score).reshape(()))))
    return answer


def _error(found, right):
    if [tokens for tokens, _ in found] != [tokens for tokens, _ in right]:
        return 1.0
    return max((abs(ours - score) for (_, ours), (_, score) in zip(found, right, strict=True)), default=0.0)


def _shows(found, right):
    ours, theirs = ([tokens for tokens, _ in answer] for answer in (found, right))
    where = [f"it gives {_listed(found)}"]
    if ours == theirs:
        where.append("the hypotheses are right, and their scores are not")
    elif sorted(ours) == sorted(theirs):
        where.append("the hypotheses are right, and their order is not")
    elif missing := [tokens for tokens in theirs if tokens not in ours]:
        many = f"{len(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        where.append(f"of the {len(theirs)} that belong there, {many}" if len(theirs) > 1 else "that is not the best")
    else:
        where.append(f"there are {len(ours)}, where {len(theirs)} are wanted")
    return where, [f"{_listed(right)} is right"]


def _listed(answer, most=4):
    shown = [f"{_shown(tokens)} {score:.4f}" for tokens, score in answer[:most]]
    return ", ".join(shown) + (", ..." if len(answer) > most else "") if shown else "nothing"


def _shown(tokens):
    return "(" + " ".join(map(str, tokens)) + ")"


def _cases(rng):
    found = {}
    for name, beam, eos in (
        ("beam 1", 1, 0),
        ("beam 2", 2, 0),
        ("beam 3", 3, 0),
        ("beam 3, another end", 3, WORDS - 1),
        ("beam 4", 4, 1),
        ("beam of everything", 3**LIMIT * 2, 0),
    ):
        found[name] = {"logp": Table(rng, eos), "beam": beam, "eos": eos}
    return found


def _endings_apart(v):
    """Every ending is finished, and takes no place among the K best."""
    return [one for one in v.found if one[1] == v.eos] + [one for one in v.found if one[1] != v.eos][: v.beam]


def _endings_of_each(v):
    of_each = [one for tokens, _ in v.beginnings for one in [o for o in v.found if o[0] == tokens][: v.beam]]
    ended = [one for one in of_each if one[1] == v.eos]
    return ended + sorted([one for one in of_each if one[1] != v.eos], key=lambda one: -one[2])[: v.beam]


def _wrong_parents(v):
    """The k-th best goes on from the k-th beginning."""
    parents = [tokens for tokens, _ in v.beginnings]
    kept = [one for one in v.best if one[1] != v.eos]
    return [((*parents[min(n, len(parents) - 1)], k), total) for n, (_, k, total) in enumerate(kept)]


KEEP = "what has said <eos> is put aside, and compared with all others in the end"
LENGTH = "score = total / number of tokens, <eos> included: len(tokens) + 1"
OVER_ALL = "the continuations of all beginnings are put into one list, and of that the K best are kept"


know_exercise(
    Exercise(
        "beam_search", beam_search, _cases, _taken, _error, _shows,
        "the K best finished hypotheses by total / length, of a search that keeps the K best continuations of all "
        "beginnings together at each step",
    ),
    ("probabilities are added, not their logs", "total", lambda v: v.total + np.exp(v.row[v.k]),
     "the probability of a sentence is a product, so logs are added: total + logp"),
    ("a beginning's own total is forgotten", "total", lambda v: v.row[v.k],
     "a hypothesis' total is that of its beginning plus the log-probability of the new token"),
    ("the logp of <eos> is not added", "total", lambda v: v.total if v.k == v.eos else v.value,
     "to end is a choice with a probability: it counts"),
    ("the least probable tokens are tried", "asked",
     lambda v: sorted(v.value, key=lambda k: v.row[k])[: v.beam],
     "the largest log-probabilities: np.argsort(-row), or try all tokens, since the best of all are taken afterwards"),
    ("they are sorted by their tokens", "best",
     lambda v: sorted(v.found, key=lambda o: (*o[0], o[1]), reverse=True)[: v.beam],
     "sort by the total: key=lambda pair: pair[1]"),
    ("they are sorted by their tokens", "best", lambda v: sorted(v.found, key=lambda o: (*o[0], o[1]))[: v.beam],
     "sort by the total: key=lambda pair: pair[1]"),
    *((f"the search ends after {n} {'round' if n == 1 else 'rounds'}", "beginnings",
       lambda v, n=n: [] if v.beginnings and len(v.beginnings[0][0]) + 1 >= n else v.value,
       "a sentence may be longer: go on until no beginning is left") for n in range(1, LIMIT + 1)),
    ("log-probabilities are multiplied", "total", lambda v: (v.total or 1.0) * v.row[v.k],
     "the log of a product is a sum: total + logp"),
    ("the K best of each beginning, not of all", "best",
     lambda v: [one for tokens, _ in v.beginnings for one in [o for o in v.found if o[0] == tokens][: v.beam]],
     OVER_ALL),
    ("the best of each beginning alone", "best",
     lambda v: v.found[: v.beam] if len(v.beginnings) == 1 else
     [one for tokens, _ in v.beginnings for one in [o for o in v.found if o[0] == tokens][:1]], OVER_ALL),
    ("only the best beginning goes on", "best", lambda v: v.found[:1], "K beginnings go on, not one: that is greedy"),
    ("what was finished before the last step is lost", "finished", lambda v: v.ended or v.finished, KEEP),
    ("the search stops with the first that is finished", "beginnings", lambda v: [] if v.finished else v.value,
     "another may be longer and better: go on until no beginning is left"),
    ("the search stops when K are finished", "beginnings",
     lambda v: [] if len(v.finished) >= v.beam else v.value,
     "another may be longer and better: go on until no beginning is left"),
    ("a finished hypothesis takes its place away for good", "best", lambda v: v.found[: v.beam - len(v.finished)],
     "at each step there are K places anew, however many have finished before"),
    ("an ending takes no place among the K best", "best", _endings_apart,
     "<eos> is a token as any other: an ending that is not among the K best continuations is dropped"),
    ("an ending is finished that is among the K best of its own beginning only", "best", _endings_of_each,
     "<eos> is a token as any other: an ending that is not among the K best continuations of all is dropped"),
    ("a total is carried on from one continuation to the next", "total",
     lambda v: v.total + sum(v.row[k] for k in range(v.k + 1) if v.row[k] > -np.inf),
     "each continuation begins with its beginning's own total: new = total + logp, which leaves total as it is"),
    *((f"the continuations of the {which} beginning alone", "best",
       lambda v, k=k: [one for one in v.found if one[0] == v.beginnings[k][0]][: v.beam], OVER_ALL)
      for which, k in (("last", -1), ("first", 0))),
    ("the worst are kept", "best", lambda v: v.found[-v.beam:], "sort from the largest total down (reverse=True)"),
    ("continuations get the tokens of another beginning", "beginnings", _wrong_parents,
     "the k-th best continuation need not come from the k-th beginning: keep with each where it comes from"),
    ("the search begins with K copies of the empty beginning", "start", lambda v: v.value * v.beam,
     "copies have the same continuations, and fill the beam with the same hypothesis: begin with one"),
    ("the logp of <eos> is left out", "ended",
     lambda v: [(t, total - v.logp(t)[v.eos]) for t, total in v.value],
     "to end is a choice with a probability: it counts"),
    ("the score is not divided by the length", "scored", lambda v: v.finished, LENGTH),
    ("the length does not count <eos>", "scored",
     lambda v: [(tokens, total / max(len(tokens), 1)) for tokens, total in v.finished], LENGTH),
    ("the length does not count <eos>", "scored",
     lambda v: [(tokens, total / len(tokens) if tokens else -np.inf) for tokens, total in v.finished], LENGTH),
    ("the length counts <eos> twice", "scored",
     lambda v: [(tokens, total / (len(tokens) + 2)) for tokens, total in v.finished], LENGTH),
    ("the total is divided by the length at each step", "total",
     lambda v: (v.total + v.row[v.k]) / (len(v.tokens) + 1),
     "divide once, when the hypothesis is finished; on the way carry the total"),
    ("the score is multiplied by the length", "scored",
     lambda v: [(tokens, total * (len(tokens) + 1)) for tokens, total in v.finished], LENGTH),
    ("scores are probabilities", "scored",
     lambda v: [(tokens, np.exp(total / (len(tokens) + 1))) for tokens, total in v.finished],
     "the score is the mean of the logs"),
    ("totals are ordered, not scores", "result",
     lambda v: [v.scored[n] for n in sorted(range(len(v.scored)), key=lambda n: -v.finished[n][1])][: v.beam],
     "order by the score that is returned, total / length"),
    ("they stand in the order in which they were found", "result", lambda v: v.scored[: v.beam],
     "sort the finished ones by score, the best first"),
    ("the worst stands first", "result", lambda v: v.value[::-1], "sort by score, the best first (reverse=True)"),
    ("the worst of the finished are returned", "result", lambda v: sorted(v.scored, key=lambda one: one[1])[: v.beam],
     "sort by score, the best first (reverse=True)"),
    ("all that finished is returned", "result", lambda v: sorted(v.scored, key=lambda one: -one[1]),
     "of the finished ones the K best are wanted"),
    ("only the best is returned", "result", lambda v: v.value[:1], "of the finished ones the K best are wanted"),
    ("tokens hold <eos>", "result", lambda v: [((*tokens, v.eos), score) for tokens, score in v.value],
     "tokens are those before <eos>"),
    ("the finished are sorted by their tokens", "result", lambda v: sorted(v.scored)[: v.beam],
     "sort by score: key=lambda pair: pair[1]"),
    ("more than K are kept", "best", lambda v: v.found[: v.beam + 1], "a slice [:K] has K"),
    ("the first token is missing", "result", lambda v: [(tokens[1:], score) for tokens, score in v.value],
     "tokens are all of those before <eos>"),
)  # fmt: skip


EXERCISES["beam_search"].bugs.append(
    Bug(
        "the mean is carried on in the place of the total",
        "beam_search",
        "divide once, when the hypothesis is finished; on the way carry the total",
        {"total": lambda v: (v.total + v.row[v.k]) / (len(v.tokens) + 1), "scored": lambda v: v.finished},
    )
)
