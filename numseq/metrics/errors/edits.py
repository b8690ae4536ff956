"""The edits between what was wanted and what was said, token by token.

cost_ij = min( cost_{i-1,j-1} + [r_i != h_j],     a hit, or a substitution
               cost_{i-1,j} + 1,                  a deletion: r_i was left out
               cost_{i,j-1} + 1 )                 an insertion: h_j was added

Of all ways with the fewest edits the one with the most hits is taken, so an edit costs n + m + 1 here, and a hit -1.
"""

from collections.abc import Sequence

import numpy as np

Edit = tuple[str | None, str | None]  # what was wanted and what was said; None where there is nothing


def aligned(wanted: Sequence[str], said: Sequence[str]) -> list[Edit]:
    """Which token was said for which: the pairs (wanted, said) from left to right, both equal for a hit, said None for
    a deletion, wanted None for an insertion.

    Equations: those of the module.

    Args: wanted, n tokens, r. said, m tokens, h. Work and memory grow with n m.
    Source: Levenshtein 1966.
    """
    n, m = len(wanted), len(said)
    number = {token: k for k, token in enumerate(dict.fromkeys([*wanted, *said]))}
    r, h = (np.array([number[token] for token in side], dtype=np.int64) for side in (wanted, said))
    edit = n + m + 1
    along = edit * np.arange(m + 1)
    cost = np.empty((n + 1, m + 1), dtype=np.int64)
    cost[0] = along
    for i in range(1, n + 1):
        row = cost[i - 1] + edit
        row[1:] = np.minimum(row[1:], cost[i - 1, :-1] + np.where(h == r[i - 1], -1, edit))
        cost[i] = np.minimum.accumulate(row - along) + along  # min over k <= j of row_k + edit (j - k)
    pairs: list[Edit] = []
    i, j = n, m
    while i or j:
        same = i > 0 and j > 0 and r[i - 1] == h[j - 1]
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (-1 if same else edit):
            i, j = i - 1, j - 1
            pairs.append((wanted[i], said[j]))
        elif i and cost[i, j] == cost[i - 1, j] + edit:
            i -= 1
            pairs.append((wanted[i], None))
        else:
            j -= 1
            pairs.append((None, said[j]))
    return pairs[::-1]
