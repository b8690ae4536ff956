"""What numbers show: how a wrong gradient differs from the right one, in words."""

from itertools import permutations

import numpy as np

SAME = 1e-7  # relative: a pattern fits or it does not; the rounding of the references lies far below


def patterns(found: np.ndarray, right: np.ndarray, sizes: dict[str, int] | None = None, blocks: str = "") -> list[str]:
    """Sentences on how `found` differs from `right`, the most telling first; empty when nothing simple fits.

    Args: found, right, arrays of one shape. sizes, a dict of words to numbers ("rows": 7) that a constant ratio is
        compared with. blocks, the letters of what stands side by side along the last axis, such as "ifgo".
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
    blocks = blocks if right.ndim and right.shape[-1] % max(len(blocks), 1) == 0 else ""
    if not said and blocks and (order := _permuted(found, right, blocks)):
        said.append(f"its blocks {', '.join(blocks)} hold those of {', '.join(order)}")
    if not said:
        said += _where_wrong(found, right, blocks)
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


def _permuted(found, right, blocks):
    """What each block of the last axis holds, when all are right but in another order."""
    ours, theirs = (np.split(x, len(blocks), axis=-1) for x in (found, right))
    for order in permutations(range(len(blocks))):
        if all(_same(ours[k], theirs[order[k]]) for k in range(len(blocks))):
            return [blocks[k] for k in order]
    return None


def _where_wrong(found, right, blocks):
    wrong = np.abs(found - right) > SAME * np.abs(right).max()
    said = []
    for axis, word in ((wrong.ndim - 1, "columns"), (max(wrong.ndim - 2, 0), "rows")):
        if wrong.ndim > 1 or axis == 0:
            lines = wrong.any(axis=tuple(k for k in range(wrong.ndim) if k != axis))
            if 0 < lines.sum() < len(lines):
                if word == "columns" and blocks:
                    which = [
                        name for name, part in zip(blocks, np.split(lines, len(blocks)), strict=True) if part.any()
                    ]
                    said.append(f"only in the block{'s' * (len(which) > 1)} {', '.join(which)}")
                else:
                    which = np.flatnonzero(lines)
                    said.append(f"only in {word if len(which) > 1 else word[:-1]} {_listed(which)} of {len(lines)}")
    if not said and (wrong & (found != 0)).sum() == 0:
        said.append("it is zero where it should not be")
    return said


def _listed(numbers, most=8):
    words = [str(n) for n in numbers[:most]]
    return ", ".join(words) + (", ..." if len(numbers) > most else "")
