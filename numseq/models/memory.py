"""What an encoder hands to a decoder: the memory, with a mask of its own."""

from dataclasses import dataclass

from numseq.backend import Array, array_module
from numseq.record import Record


@dataclass(slots=True)
class Memory(Record):
    """What was read, place by place, and how the reading ended. A gradient by it is a Memory too, None meaning 0.

    The places need not be the source's positions: an encoder may shorten time, so whoever looks at the memory uses the
    mask that comes with it.
    """

    states: Array | None  # (S, B, C), one for each place
    mask: Array | None  # (S, B), True where a place is real
    last: list | None  # the final state of each layer; parts (B, C), or (2, B, C / 2) when it read both ways


def joined(part: Array) -> Array:
    """A part of a final state as (B, C): that of a layer which read both ways is [ahead; back]."""
    return part if part.ndim == 2 else array_module(part).concatenate([part[0], part[1]], axis=-1)


def joined_backward(d: Array, part: Array) -> Array:
    """The gradient of a part of a final state from that of `joined`, (B, C)."""
    if part.ndim == 2:
        return d
    half = d.shape[-1] // 2
    return array_module(d).stack([d[:, :half], d[:, half:]])
