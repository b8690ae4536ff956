"""Few rows of options among which every two values that may stand together do: a covering array of strength two.

A mistake in a backward often shows only where two options meet, as a second bias and a mask. All combinations would be
millions; all pairs need hardly more rows than the two longest options have pairs of values.

Source: Cohen, Dalal, Fredman & Patton 1997, "The AETG system: an approach to testing based on combinatorial design".
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from numseq.backend import Generator

Row = dict[str, Any]
Pair = tuple[tuple[str, Any], tuple[str, Any]]
TRIES = 800  # random completions of a pair; of those that can be completed at all, one in a hundred or so is allowed


def nothing(row: Row) -> Row:
    """What follows from a row where nothing does."""
    return {}


def covering(
    options: dict[str, tuple],
    allowed: Callable[[Row], bool],
    seed: int = 0,
    follows: Callable[[Row], Row] = nothing,
) -> list[Row]:
    """Rows that have every pair of values that an allowed row can have; the same arguments give the same rows.

    Args: options, names to values, which are hashable. allowed, of a whole row: may its values stand together? seed.
        follows, of a row that was drawn: values that the others demand, since hardly a draw would have them all.
    """
    return [dict(row) for row in _covering(tuple(options.items()), allowed, seed, follows)]


@cache
def _covering(options, allowed, seed, follows):
    """The same; finding the rows takes longer than making the cases of them."""
    options = dict(options)
    rng, rows, left = np.random.default_rng(seed), [], dict.fromkeys(pairs(options))
    while left:
        pair = next(iter(left))
        row = completed(pair, options, allowed, rng, follows)
        if row is None:  # they cannot stand together
            del left[pair]
            continue
        rows.append(_improved(row, dict(pair), options, allowed, left, rng))
        for pair in held(rows[-1]):
            left.pop(pair, None)
    return rows


def pairs(options: dict[str, tuple]) -> Iterator[Pair]:
    """Every value of each option with every value of every other."""
    for (one, values), (other, others) in combinations(options.items(), 2):
        yield from (((one, value), (other, beside)) for value in values for beside in others)


def held(row: Row) -> set[Pair]:
    """The pairs that a row has."""
    return set(combinations(row.items(), 2))


def completed(
    pair: Iterable[tuple[str, Any]],
    options: dict[str, tuple],
    allowed: Callable[[Row], bool],
    rng: Generator,
    follows: Callable[[Row], Row] = nothing,
) -> Row | None:
    """An allowed row with these values, the others drawn; None when none is found."""
    given = dict(pair)
    sizes = [len(values) for values in options.values()]
    for _ in range(TRIES):
        drawn = zip(options.items(), rng.integers(sizes).tolist(), strict=True)  # one call is quicker than one each
        row = {name: values[k] for (name, values), k in drawn} | given
        row |= follows(row) | given
        if allowed(row):
            return row
    return None


def _improved(row, fixed, options, allowed, left, rng):
    """The row with other values where those bring more of the pairs that are left."""
    for name in rng.permutation([name for name in options if name not in fixed]):
        others = [row, *({**row, name: value} for value in options[name])]  # of what is equally good, what was drawn
        for other in sorted(others, key=lambda other: -len(left.keys() & held(other))):
            if other is row or allowed(other):
                row = other
                break
    return row
