"""What was dropped and what was repeated, by attention: how much of the output looked at each token of the source.

c_j    = sum over t of alpha_tj                                   t: what was said, without <eos>
usual  = (sum of c over all places of the token + mean c) / (number of these places + 1)
dropped:        usual >= 1/2,  c_j < usual / 4
looked at twice:               c_j > 2 usual,  c_j > usual + 1

A token's usual coverage is taken over the same test lines, since it differs from token to token: an article may be read
with its noun, and of a weekday in a date hardly a letter is needed. Nothing that is usually passed over can be dropped.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from numseq.metrics.errors.intervals import Rate
from numseq.metrics.errors.lines import Line, group
from numseq.metrics.errors.table import Table
from numseq.plots.fonts import visible

SHARE, LEAST = 1 / 4, 1 / 2
TWICE, MORE = 2, 1
MOST = 10  # tokens that are listed


def coverage(alpha: Any) -> np.ndarray:
    """How much each place of the source was looked at, (S,), of a Translation's alpha, (T, S), whose last row is that
    of <eos>.

    Source: Tu et al. 2016.
    """
    return np.asarray(alpha, dtype=float)[:-1].sum(axis=0)


def looks_at_tokens(line: Line) -> bool:
    """Does the line's attention have a place for each token of the source?"""
    one = line.translation
    return one.alpha is not None and one.alpha.shape[1] == len(one.source)


def attended(lines: Sequence[Line]) -> dict[str, Table] | None:
    """The tables `coverage`, `dropped` and `looked_at_twice`; None where no attention is at the source's tokens."""
    lines = [line for line in lines if looks_at_tokens(line)]
    if not lines:
        return None
    seen = defaultdict(list)  # token: (line, coverage) of each of its places
    for k, line in enumerate(lines):
        for token, c in zip(line.translation.source, coverage(line.translation.alpha), strict=True):
            seen[token].append((k, float(c)))
    mean = float(np.mean([c for places in seen.values() for _, c in places]))
    rows: dict[str, list] = {"dropped": [], "looked_at_twice": []}
    concerned: dict[str, set] = {"dropped": set(), "looked_at_twice": set()}
    for token, places in seen.items():
        usual = (sum(c for _, c in places) + mean) / (len(places) + 1)
        less = [k for k, c in places if usual >= LEAST and c < usual * SHARE]
        more = [k for k, c in places if c > usual * TWICE and c > usual + MORE]
        for name, found in (("dropped", less), ("looked_at_twice", more)):
            concerned[name].update(found)
            if found:
                where = ", ".join(f"{lines[k].number:,}" for k in list(dict.fromkeys(found))[:3])
                wrong = sum(not lines[k].exact for k in found)
                rows[name].append({
                    "token": visible(token), name: len(found), "of_all": Rate(len(found) / len(places)), "usual": usual,
                    "in_wrong_lines": wrong, "such_as_lines": where,
                })  # fmt: skip
    return {"coverage": _by_coverage(lines, concerned)} | {
        name: Table(TITLES[name], sorted(found, key=lambda row: (-row[name], row["token"]))[:MOST], NOTES[name])
        for name, found in rows.items()
    }


TITLES = {"dropped": "Most often dropped", "looked_at_twice": "Most often looked at twice"}
NOTES = {
    "dropped": "tokens of the source that got less than a quarter of the attention that they usually get here (usual)",
    "looked_at_twice": "tokens that got more than twice the attention that they usually get, and may be said twice",
}


def _by_coverage(lines, concerned):
    kinds = {
        "nothing unusual": [k for k in range(len(lines)) if not any(k in found for found in concerned.values())],
        "something dropped": sorted(concerned["dropped"]),
        "something looked at twice": sorted(concerned["looked_at_twice"]),
    }
    rows = [{"lines_with": name} | group([lines[k] for k in some]) for name, some in kinds.items() if some]
    note = "coverage is the attention that a token of the source gets from all that was said"
    return Table("Attention: dropped and repeated parts", rows, note)
