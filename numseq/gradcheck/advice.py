"""What probably went wrong where code does not run, or an array has another shape, in a sentence or less."""

import re
from collections.abc import Sequence
from typing import Any

from numseq.show import fields_of


def of_shape(found: Sequence[int], wanted: Sequence[int]) -> str:
    """What an array of this shape probably is, where one of another shape is wanted; empty when nothing suggests
    itself."""
    found, wanted = tuple(found), tuple(wanted)
    more = len(found) - len(wanted)
    if found[::-1] == wanted:
        return "is it transposed?"
    if more > 0 and tuple(n for n in found if n != 1) == tuple(n for n in wanted if n != 1):
        return "an axis of 1 is too many: is it keepdims, or an index with None?"
    if more > 0 and found[more:] == wanted:
        axes = "its first axis" if more == 1 else f"its first {more} axes"
        return f"is the sum over {axes} missing?"
    if more < 0 and found == tuple(n for n in wanted if n != 1):
        return "an axis of 1 is missing: with keepdims=True a sum keeps it"
    if more == -1 and any(wanted[:k] + wanted[k + 1 :] == found for k in range(len(wanted))):
        return "an axis is missing: was it summed over?"
    if len(found) == len(wanted) == 2 and found == (wanted[0],) * 2:
        return "of two arrays @ makes a product of rows with columns: is *, number by number, meant?"
    if found and found[:-1] == wanted[:-1] and 0 < found[-1] < wanted[-1] and wanted[-1] % found[-1] == 0:
        return f"is it 1 of {wanted[-1] // found[-1]} blocks, which np.concatenate puts side by side?"
    if more == -1 and len(wanted) > 2 and found[1:] == wanted[2:] and found[0] < wanted[0] * wanted[1]:
        return "some places are left out, as by a[mask]: fill an array of the wanted shape, with 0 at those"
    if _size(found) == _size(wanted):
        return "their number is right: are they joined along another axis, or to be reshaped?"
    return ""


def of_error(error: BaseException) -> str:
    """What an error means, for those who meet it first; empty when its own words are enough."""
    said = str(error)
    if isinstance(error, ValueError) and "matmul" in said:
        return (
            "in A @ B the last axis of A is as long as the last but one of B: look at both .shape; is a .T missing? Of "
            "three axes .T reverses all"
        )
    if isinstance(error, ValueError) and ("broadcast" in said or "not aligned" in said):
        return "two shapes do not fit: look at both .shape; is @ meant, a .T, or an axis with [..., None]?"
    if isinstance(error, IndexError) and (found := re.search(r"out of bounds for axis (\d) with size (\d+)", said)):
        axis, size = map(int, found.groups())
        return (
            f"its axis {axis} has the places 0 to {size - 1}: does a loop go one too far, or have the axes another "
            "order (look at the .shape)? An array of numbers as an index, a[k], picks from the first axis"
        )
    if isinstance(error, TypeError) and "bitwise_xor" in said:
        return "to the power of is **, and ^ is something else"
    if isinstance(error, TypeError) and "Python scalars" in said:
        return "functions of math take a single number: those of np take arrays, as np.tanh"
    if isinstance(error, TypeError) and "can only concatenate tuple" in said:
        return "a tuple of one is (token,), with a comma"
    if isinstance(error, AttributeError) and (names := _names(getattr(error, "obj", None))):
        return f"it has {', '.join(names)}"
    return ""


def _names(owner: Any) -> list[str]:
    return [name for name, _ in fields_of(owner)] if owner is not None and not isinstance(owner, type) else []


def _size(shape):
    size = 1
    for n in shape:
        size *= n
    return size
