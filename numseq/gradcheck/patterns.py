"""What numbers show: how a wrong gradient differs from the right one, in words."""

from itertools import permutations

import numpy as np

EARLY = ", where it is zero: does a loop, or a `return` inside it, end too early?"
SAME = 1e-7  # relative: a pattern fits or it does not; the rounding of the references lies far below


def patterns(
    found: np.ndarray, right: np.ndarray, sizes: dict[str, int] | None = None, blocks: str = "", timed: bool = False
) -> list[str]:
    """Sentences on how `found` differs from `right`, the most telling first; empty when nothing simple fits.

    Args: found, right, arrays of one shape. sizes, a dict of words to numbers ("rows": 7) that a constant ratio is
        compared with. blocks, the letters of what stands side by side along the last axis, such as "ifgo". timed,
        whether the first of three axes is time.
    """
    if np.abs(found).max(initial=0) <= 1e-13 * np.abs(right).max(initial=0):
        return ["it is zero everywhere" + (", but for rounding" if found.any() else "")]
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
    if not said and (left := _left_over(found, right)):
        said.append(left)
    if not said and _piled(found, right):
        said.append("each number has those before it added: is a total not set back to 0 inside the loop?")
    if not said:
        said += _where_wrong(found, right, blocks, timed) or _of_ratios(found, right)
    return said


def _left_over(found, right):
    """When all columns, or rows, hold what the last should, as of an index that a loop has left behind."""
    for axis, word in ((-1, "columns"), (-2, "rows")):
        some = right.ndim >= -axis and right.shape[axis] > 1
        if some and _same(found, np.broadcast_to(right.take([-1], axis=axis), right.shape)):
            return (
                f"all its {word} hold what the last should: a broadcast, or an index that stays behind after its loop?"
            )
    return None


def _piled(found, right):
    """Whether numbers pile up along an axis, or along all from some axis on as loops go through them."""
    along = [np.cumsum(right, axis=axis) for axis in range(right.ndim)]
    if right.ndim > 2:  # row for row through all steps
        along.append(np.cumsum(right.reshape(-1, right.shape[-1]), axis=0).reshape(right.shape))
    for axis in range(right.ndim - 1):
        along.append(np.cumsum(right.reshape(*right.shape[:axis], -1), axis=-1).reshape(right.shape))
    return right.size > 1 and any(_same(found, each) for each in along)


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


def _of_ratios(found, right):
    """When each column, or each row, is right but for a factor of its own."""
    for axis, word in ((-1, "columns"), (-2, "rows")):
        if right.ndim < 2 or right.shape[axis] < 2:
            continue
        others = tuple(k for k in range(right.ndim) if k != right.ndim + axis)
        size = (right * right).sum(axis=others, keepdims=True)
        lines = (right != 0).any(axis=axis).sum()  # of one alone the factors say nothing
        if lines < 2 or not (size > 0).all():
            continue
        if _same(found, right * ((found * right).sum(axis=others, keepdims=True) / size)):
            return [f"each of its {word} is right but for a factor of its own"]
    return []


def _where_wrong(found, right, blocks, timed):
    wrong = np.abs(found - right) > SAME * np.abs(right).max()
    there = (right != 0) | (found != 0)  # where both are 0, as at padding, nothing can be wrong
    if 0 < wrong.sum() <= 2 < there.sum():
        return [f"only at {' and '.join(str(tuple(map(int, at))) for at in np.argwhere(wrong))}"]
    said = []
    if wrong.ndim == 3 and (when := _when(wrong, there, timed)):
        nothing = not found[wrong.any(axis=(1, 2))].any()  # of all that is there, and not of some rows or places alone
        said.append(when + (EARLY if "wrong from" in when and nothing else ""))
    for axis, word in ((-1, "columns"), (-2, "rows")) if wrong.ndim > 1 else ((-1, "numbers"),):
        others = tuple(k for k in range(wrong.ndim) if k != wrong.ndim + axis)
        lines, some = wrong.any(axis=others), there.any(axis=others)
        if 0 < lines.sum() < some.sum():
            if axis == -1 and blocks:
                parts = np.split(lines, len(blocks))
                which = [name for name, part in zip(blocks, parts, strict=True) if part.any()]
                said.append(f"only in the block{'s' * (len(which) > 1)} {', '.join(which)}")
            else:
                which = np.flatnonzero(lines)
                said.append(f"only in {word if len(which) > 1 else word[:-1]} {_listed(which)} of {len(lines)}")
    if not said and (wrong & (found != 0)).sum() == 0:
        said.append("it is zero where it should not be")
    return said


def _when(wrong, there, timed):
    """Where along the first axis, of time, it is wrong: from some step back, or on."""
    at, axis = ("t = ", "") if timed else ("", " along its first axis")
    lines, some = (np.flatnonzero(each.any(axis=(1, 2))) for each in (wrong, there))
    fine = [t for t in some if t not in lines]
    if not len(lines) or not fine:
        return None
    if max(lines) < min(fine):
        return f"it is right at {at}{_span(fine)} and wrong from {at}{max(lines)} back{axis}"
    if min(lines) > max(fine):
        return f"it is right at {at}{_span(fine)} and wrong from {at}{min(lines)} on{axis}"
    return f"only at {at}{_listed(lines)}{axis}"


def _span(steps):
    return f"{min(steps)} to {max(steps)}" if len(steps) > 1 else str(steps[0])


def _listed(numbers, most=8):
    if len(numbers) > 2 and len(numbers) == max(numbers) - min(numbers) + 1:
        return f"{min(numbers)} to {max(numbers)}"
    words = [str(n) for n in numbers[:most]]
    return ", ".join(words) + (", ..." if len(numbers) > most else "")
