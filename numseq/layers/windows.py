"""Windows over places: which places each of them sees, in time (S, B, D) or in a picture (R, C, B, D).

Windows of k places stand m places apart, the stride. Under "valid" they are those that lie within the S places, which
makes floor((S - k) / m) + 1. Under "same" there is one around every m-th place, which makes ceil(S / m), and beyond the
ends there is padding. This holds along each axis of places.

Tap j of window p, both counted from 0, sees the place p m + j - a, where a is 0 (valid) or floor((k - 1) / 2) (same).
That does not depend on how many places there are, so a row that is padded has the windows that it would have alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from numseq.arguments import whole
from numseq.backend import Array, array_module
from numseq.errors import ArgumentError, shown

PADDINGS = ("valid", "same")


@dataclass(frozen=True)
class Windows:
    """The windows of a layer over x with these places, (S,) or (R, C). Raises: ArgumentError."""

    places: tuple[int, ...]
    size: int  # k, along each axis
    stride: int
    padding: str

    def __post_init__(self) -> None:
        whole(self.size, "size", least=1)
        whole(self.stride, "stride", least=1)
        if self.padding not in PADDINGS:
            raise ArgumentError(f"padding is {shown(self.padding)}: choose one of {', '.join(PADDINGS)}")
        least = self.size if self.padding == "valid" else 1
        for axis, n in enumerate(self.places):
            if n < least:
                raise ArgumentError(f"x has {n} places along axis {axis}: a window of {self.size} needs {least}")

    @property
    def before(self) -> int:
        """a: how many places of padding come first, along each axis."""
        return (self.size - 1) // 2 if self.padding == "same" else 0

    @property
    def counts(self) -> tuple[int, ...]:
        """P, along each axis."""
        if self.padding == "same":
            return tuple(-(-n // self.stride) for n in self.places)
        return tuple((n - self.size) // self.stride + 1 for n in self.places)

    @property
    def taps(self) -> list[tuple[slice, ...]]:
        """For each tap the padded places that it sees, one for each window; k of them, or k * k, the rows first."""
        along = [[slice(j, j + (n - 1) * self.stride + 1, self.stride) for j in range(self.size)] for n in self.counts]
        return list(product(*along))

    def seen(self, x: Array, beyond: float = 0) -> list[Array]:
        """What each tap sees of x, (P, B, D); beyond the ends of x stands this number."""
        sizes = self._padded_sizes()
        if sizes != self.places:
            inner, x = x, array_module(x).full((*sizes, *x.shape[len(sizes) :]), beyond, dtype=x.dtype)
            x[self._inner()] = inner
        return [x[tap] for tap in self.taps]

    def given_back(self, pieces: Iterable[Array], like: Array) -> Array:
        """The gradient of x, whose shape `like` has: each tap's piece, (P, B, D), is added where that tap looked."""
        sizes = self._padded_sizes()
        out = array_module(like).zeros((*sizes, *like.shape[len(sizes) :]), dtype=like.dtype)
        for tap, piece in zip(self.taps, pieces, strict=True):
            out[tap] += piece
        return out[self._inner()]

    def real(self, mask: Array) -> Array:
        """Which windows are real, (P, B), of a mask (S, B): those that see real places alone, or, where ends are
        padded, those around a real place."""
        if self.padding == "same":
            return mask[(slice(None, None, self.stride),) * len(self.places)]
        first, *others = (mask[tap] for tap in self.taps)
        for other in others:
            first = first & other
        return first

    def _padded_sizes(self):
        # with a stride the last windows may see less than there is, or more
        seen = [(count - 1) * self.stride + self.size for count in self.counts]
        return tuple(max(n + self.before, m) for n, m in zip(self.places, seen, strict=True))

    def _inner(self):
        return tuple(slice(self.before, self.before + n) for n in self.places)


def masked(x: Array, mask: Array | None) -> Array:
    """x (..., D) with 0 where a mask (...) is False."""
    return x if mask is None else x * mask[..., None]
