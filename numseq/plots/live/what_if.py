"""What if: a source that is changed, a token that is forced, a look that is moved, and the rest decoded again."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from numseq import arguments
from numseq.errors import ArgumentError
from numseq.plots.attention import attention_map
from numseq.plots.live.picture import LivePicture
from numseq.plots.maps import heat_maps
from numseq.search.translate import Translator
from numseq.search.tree import FATES
from numseq.search.what_if import WhatIf
from numseq.search.what_if import what_if as decode

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARES = 1000  # probabilities and weights are kept in thousandths
MOST = 600  # cases that are decoded beforehand


def what_if(
    translator: Translator,
    line: str,
    *,
    beam: int = 3,
    most: int = 5,
    tries: int | Mapping[int, Sequence[str]] = 3,
    title: str | None = None,
) -> LivePicture:
    """Change a character of the source, force a token of the output, or move the look of a step, and see the rest
    decoded again: the text beside the one before, the most probable tokens of every step, where it looked, and the
    tree of the beam search.

    Every case is decoded here, with the model's own steps (`numseq.search.what_if`), so the picture needs no Python to
    be tried: each position of the source with a few other tokens; each step with each of its most probable tokens; each
    step with all attention moved to each position. A short line, as of a dozen tokens, is best: there are about as many
    cases as source positions times target steps.

    Args: translator, of one model. line, a text. beam: of the search. most: tokens shown at each step, and forced.
        tries: {position: other tokens to try there}, or how many, which are then the most frequent ones of the same
        kind, digits for a digit. title.
    Returns: a LivePicture; without an attention no looks can be moved.
    Raises: ArgumentError, when there are more than 600 cases, and as `numseq.search.what_if`.
    """
    one = Cases(translator, line, beam, most, tries, title)
    data, cases = one.data, one.data["changes"]
    T, places = len(one.base.target), 0 if one.base.alpha is None else len(data["places"])
    count = sum(len(tried) for kind in ("source", "force") for tried in cases[kind]) + T * places
    if count > MOST:
        raise ArgumentError(f"line makes {count:,} cases, of which {MOST} are the most: choose a shorter one")
    for j, tried in enumerate(cases["source"]):
        tried[:] = [{**this, **one.case(source={j: this["token"]})} for this in tried]
    for t, tried in enumerate(cases["force"]):
        tried[:] = [{**this, **one.case(forced={t: this["token"]})} for this in tried]
    cases["look"] = [[one.case(looks={t: j}) for j in range(places)] for t in range(T)]
    data["words"] = list(one.words)
    return LivePicture("what_if", data, one.still, data["title"])


class Cases:
    """A line's translation, as a script reads it, and cases of it; see `what_if`."""

    def __init__(self, translator: Translator, line: str, beam: int, most: int, tries: Any, title: str | None = None):
        self.translator, self.line, self.options = translator, line, dict[str, Any](beam=beam, most=most)
        self.title = arguments.text(title or "What if?", "title")
        self.base = base = decode(translator, line, **self.options)
        self.words: dict[str, int] = {}
        self.coded = _coded(base, self.words)
        others = _tries(translator, base.source, tries)
        places = 0 if base.alpha is None else base.alpha.shape[1]
        self.data: dict[str, Any] = {
            "title": self.title,
            "line": line,
            "source": base.source,
            "places": base.source if places == len(base.source) else [str(j) for j in range(places)],
            "base": self.coded | {"logp": round(base.logp, 3), "text": base.text},
            "changes": {
                "source": [[{"token": token} for token in others.get(j, [])] for j in range(len(base.source))],
                "force": [self._tokens(t) for t in range(len(base.target))],
            },
            "words": list(self.words),
            "fates": list(FATES),
            "beam": beam,
        }

    def _tokens(self, t):
        """What step t might say instead."""
        left_out = ["<unk>", self.base.target[t]]
        tokens = [token for token, _ in self.base.best[t] if token not in left_out]
        return [{"token": token} for token in tokens if t < self.base.limit or token == "<eos>"]

    def case(self, **change: Any) -> dict[str, Any]:
        """What becomes of a change, an argument of `numseq.search.what_if`. The steps that are as they were are only
        counted."""
        found = decode(self.translator, self.line, **self.options, **change)
        mine, kept = _coded(found, self.words), {}
        for name in ("best", "alpha", "tree"):
            before, same = self.coded[name], 0
            while same < min(len(mine[name]), len(before)) and mine[name][same] == before[same]:
                same += 1
            kept[name] = [same, mine[name][same:]]
        return {"said": mine["said"], "logp": round(found.logp, 3), "text": found.text, **kept}

    def still(self) -> "Figure":
        """Where the model looked; of one that looks nowhere, how certain it was."""
        base, title = self.base, f"{self.title}\n{self.base.text}"
        if base.alpha is not None:
            return attention_map(base.alpha, self.data["places"], base.target, title=title)
        p = np.array([[q for _, q in row] for row in base.best]).T
        return heat_maps({"p": p}, {"p": 1.0}, base.target, title)


def _tries(translator, words, tries):
    """{position: other tokens}."""
    if isinstance(tries, Mapping):
        last = len(words) - 1
        positions = {arguments.whole(j, "a position of tries", least=0, most=last): j for j in tries}
        return {j: arguments.texts(tries[key], f"tries[{j}]") for j, key in positions.items()}
    count, tokens = arguments.whole(tries, "tries", least=0), translator.source_tokens
    known = [tokens.token(k) for k in range(4, len(tokens))]  # the most frequent first; before them special ones
    found = {}
    for j, word in enumerate(words):
        ranked = sorted((token for token in known if token != word), key=lambda token: _kind(token) != _kind(word))
        found[j] = ranked[:count]
    return found


def _kind(token):
    return unicodedata.category(token[0])


def _coded(found: WhatIf, words: dict[str, int]) -> dict[str, list]:
    """What a script reads, step by step: the best tokens, the weights, the tree: token, parent, score, fate."""

    def number(token):
        return words.setdefault(token, len(words))

    tree, before = [], {}
    for row in found.tree:
        tree.append(
            [[number(n.token), before.get(id(n.parent), -1), round(n.score, 2), FATES.index(n.fate)] for n in row]
        )
        before = {id(node): k for k, node in enumerate(row)}
    best = [[[number(token), round(SHARES * p)] for token, p in row] for row in found.best]
    alpha = [] if found.alpha is None else np.rint(SHARES * found.alpha.astype(float)).astype(int).tolist()
    return {"said": [number(token) for token in found.target], "best": best, "alpha": alpha, "tree": tree}
