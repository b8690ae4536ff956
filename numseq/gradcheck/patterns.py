"""What numbers show: how a wrong gradient differs from the right one, in words."""

from itertools import permutations

import numpy as np

SAME = 1e-7  # relative: a pattern fits or it does not; the rounding of the references lies far below


def patterns(found, right, sizes=None, gates=False):
    """Sentences on how `found` differs from `right`, the most telling first; empty when nothing simple fits.

    Args: found, right, arrays of one shape. sizes, a dict of words to numbers ("rows": 7) that a constant ratio is
        compared with. gates, whether the last axis holds the blocks i, f, g, o.
    """
    if not found.any():
        return ["it is zero everywhere"]
    if not right.any():
        return ["it should be zero everywhere"]
    said = []
    ratio = float((found * right).sum() / (right * right).sum())
    if _same(found, ratio * right):
        said.append(_of_ratio(ratio, sizes or {}))
    if right.ndim == 2 and right.shape[0] == right.shape[1] and _same(found, right.T):
        said.append("it is transposed")
    if not said and gates and (order := _permuted(found, right)):
        said.append(f"its blocks i, f, g, o hold those of {', '.join(order)}")
    if not said:
        said += _where_wrong(found, right, gates)
    return said


def _same(a, b):
    return bool(np.abs(a - b).max() <= SAME * max(np.abs(a).max(), np.abs(b).max()))


def _of_ratio(ratio, sizes):
    if np.isclose(ratio, -1, rtol=SAME):
        return "its sign is turned"
    for word, size in sizes.items():
        for value, how in ((size, "times"), (1 / size, "divided by")):
            if size > 1 and np.isclose(ratio, value, rtol=SAME):
                return f"it is right but {how} {size}, the number of {word}"
    if abs(ratio - 1) < 1e-4:
        return f"it is off by a factor of 1 {'+' if ratio > 1 else '-'} {abs(ratio - 1):.1e}"
    return f"it is {ratio:.6g} times what it should be"


def _permuted(found, right):
    """Which gate each quarter of the last axis holds, when all four are right but in another order."""
    ours, theirs = (np.split(x, 4, axis=-1) for x in (found, right))
    for order in permutations(range(4)):
        if all(_same(ours[k], theirs[order[k]]) for k in range(4)):
            return ["ifgo"[k] for k in order]
    return None


def _where_wrong(found, right, gates):
    wrong = np.abs(found - right) > SAME * np.abs(right).max()
    said = []
    for axis, word in ((wrong.ndim - 1, "columns"), (0, "rows")):
        if wrong.ndim > 1 or axis == 0:
            lines = wrong.any(axis=tuple(k for k in range(wrong.ndim) if k != axis))
            if 0 < lines.sum() < len(lines):
                if word == "columns" and gates:
                    which = _blocks_wrong(lines)
                    said.append(f"only in the block{'s' * (len(which) > 1)} {', '.join(which)}")
                else:
                    which = np.flatnonzero(lines)
                    said.append(f"only in {word if len(which) > 1 else word[:-1]} {_listed(which)} of {len(lines)}")
    if not said and (wrong & (found != 0)).sum() == 0:
        said.append("it is zero where it should not be")
    return said


def _blocks_wrong(lines):
    """Which of the four gates have a wrong column."""
    quarters = lines.reshape(4, -1)
    return [name for name, quarter in zip("ifgo", quarters, strict=True) if quarter.any()]


def _listed(numbers, most=8):
    words = [str(n) for n in numbers[:most]]
    return ", ".join(words) + (", ..." if len(numbers) > most else "")
