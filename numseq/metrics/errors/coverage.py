"""What was dropped and what was repeated, by attention: how much of the output looked at each token of the source.

c_j      = sum over t of alpha_tj                                        t: what was said, without <eos>
usual_j  = (sum of c + mean) / (n + 1)                                   over the n other places of the same token
spread_j = sqrt((sum of (c - usual)^2 + variance) / (n + 1))             over these, too
dropped, unusually little:          c_j < usual_j / 4  and  c_j < usual_j - 2 spread_j
looked at twice, unusually much:    c_j > usual_j + 1  and  c_j > usual_j + 2 spread_j

mean and variance are those of all tokens, so that a token that is seen once is compared with all others. What is usual
differs from token to token: an article may be read with its noun, and of a weekday in a date hardly a letter is needed.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from numseq.backend import Array
from numseq.metrics.errors.intervals import Rate
from numseq.metrics.errors.lines import Line, group
from numseq.metrics.errors.table import Table
from numseq.plots.fonts import visible

SHARE, MORE, SPREADS = 1 / 4, 1, 2
MOST = 10  # tokens that are listed


def coverage(alpha: Any) -> Array:
    """How much each place of the source was looked at, (S,), of a Translation's alpha, (T, S), whose last row is that
    of <eos>.

    Source: Tu et al. 2016.
    """
    return np.asarray(alpha, dtype=float)[:-1].sum(axis=0)


def unusual(places: dict[str, Array]) -> dict[str, tuple[Array, Array]]:
    """Which places of each token got unusually little, and which unusually much: booleans, (n,) each.

    Equations: those of the module.

    Args: places, the coverage of all places of each token, (n,).
    """
    everywhere = np.concatenate([*places.values()])
    mean = everywhere.mean()
    around = {token: (c.sum() + mean) / (len(c) + 1) for token, c in places.items()}
    variance = np.mean(np.concatenate([(c - around[token]) ** 2 for token, c in places.items()]))
    found = {}
    for token, c in places.items():
        off = (c - around[token]) ** 2
        usual = (c.sum() - c + mean) / len(c)
        spread = np.sqrt(np.maximum(off.sum() - off + variance, 0) / len(c))  # rounding can be below 0
        found[token] = (
            (c < SHARE * usual) & (c < usual - SPREADS * spread),
            (c > usual + MORE) & (c > usual + SPREADS * spread),
        )
    return found


def looks_at_tokens(line: Line) -> bool:
    """Does the line's attention have a place for each token of the source?"""
    one = line.translation
    return one.alpha is not None and one.alpha.shape[1] == len(one.source) > 0


def attended(lines: Sequence[Line]) -> dict[str, Table] | None:
    """The tables `coverage`, `dropped` and `looked_at_twice`; None where no attention is at the source's tokens."""
    lines = [line for line in lines if looks_at_tokens(line)]
    if not lines:
        return None
    seen, where = defaultdict(list), defaultdict(list)  # of each token: the coverage of its places, and their lines
    for line in lines:
        for token, c in zip(line.translation.source, coverage(line.translation.alpha), strict=True):
            seen[token].append(float(c))
            where[token].append(line)
    places = {token: np.array(found) for token, found in seen.items()}
    tables: dict[str, Table] = {}
    concerned: dict[str, set[int]] = {}
    flagged = unusual(places)
    for k, name in enumerate(TITLES):
        rows: list[dict[str, Any]] = []
        concerned[name] = set()
        for token, both in flagged.items():
            found = [where[token][place] for place in np.flatnonzero(both[k])]
            if found:
                concerned[name].update(line.number for line in found)
                rows.append({
                    "token": visible(token), "times": len(found), "of_all": Rate(len(found) / len(places[token])),
                    "usually": float(places[token].mean()), "in_wrong_lines": sum(not line.exact for line in found),
                    "such_as_lines": ", ".join(f"{n:,}" for n in [*dict.fromkeys(line.number for line in found)][:3]),
                })  # fmt: skip
        rows.sort(key=lambda row: (-row["times"], row["token"]))
        tables[name] = Table(TITLES[name], rows[:MOST], NOTES[name])
    return {"coverage": _by_coverage(lines, concerned)} | tables


TITLES = {"dropped": "Most often dropped", "looked_at_twice": "Most often looked at twice"}
OF = "usually: what they get in the mean"
NOTES = {
    "dropped": f"tokens of the source that got unusually little attention, and may be left out; {OF}",
    "looked_at_twice": f"tokens that got unusually much, and may be said twice; {OF}",
}


def _by_coverage(lines, concerned):
    kinds = {
        "nothing unusual": [line for line in lines if not any(line.number in found for found in concerned.values())],
        "something dropped": [line for line in lines if line.number in concerned["dropped"]],
        "something looked at twice": [line for line in lines if line.number in concerned["looked_at_twice"]],
    }
    rows = [{"lines_with": name} | group(some) for name, some in kinds.items() if some]
    note = "by the attention that each token of the source gets from all that was said"
    return Table("Attention: dropped and repeated parts", rows, note)
