"""A window on the memory: each look of a search may go so far from where the last one went, and no further.

    place_t = argmax over j of alpha_tj
    a look at step t may go to the real places j with |j - place_{t-1}| <= w; at the first step to all

What is read from one end to the other, as speech or a text that is spoken, is then not jumped in: words are neither
left out nor said again. Training knows nothing of it. The place is carried from look to look, as coverage is.

Source: Chorowski et al. 2015 (there around the median of the last weights, and in training too).
"""

from copy import copy
from typing import Any, Self

from numseq.backend import Array, array_module
from numseq.errors import ConfigError
from numseq.layers.attention.base import Attention, AttentionStep
from numseq.layers.attention.local import LocalAttention
from numseq.layers.attention.multihop import MultiHopAttention
from numseq.models.decoders.base import DecoderState, Reading
from numseq.models.decoders.self_attention import BlocksAttention

FIRST = -1  # no place: before the first look


class WindowedAttention(Attention):
    """Any attention, within a window. For a search: it has no way back.

    Args: attention, made of the memory. window, w.
    """

    def __init__(self, attention: Attention, window: int):
        self.attention, self.window = attention, window
        self.keys, self.values, self.params, self.real = (
            attention.keys, attention.values, attention.params, attention.real,
        )  # fmt: skip

    def select_rows(self, rows: Array) -> Self:
        return type(self)(self.attention.select_rows(rows), self.window)

    def context_of(self, alpha: Array) -> Array:
        return self.attention.context_of(alpha)

    def initial_carried(self) -> tuple[Array, ...]:
        """The place of the last look, (B,), and what the attention itself carries."""
        xp = array_module(self.values)
        return xp.full(self.values.shape[1], FIRST), *self.attention.initial_carried()

    def carried(self, s: AttentionStep) -> tuple[Array, ...]:
        return s.alpha.argmax(axis=-1), *self.attention.carried(s)

    def forward(self, query: Array, carried: tuple[Array, ...] = ()) -> AttentionStep:
        place, *own = carried
        return _seeing(self.attention, self._near(place)).forward(query, tuple(own))

    def _near(self, place):
        """Where a look may go, (B, S)."""
        xp = array_module(place)
        away = xp.abs(xp.arange(len(self.values)) - place[:, None])
        near = (away <= self.window) | (place == FIRST)[:, None]
        return near if self.real is None else near & self.real


def windowed(memory: Reading, state: DecoderState, window: int) -> tuple[Reading, DecoderState]:
    """What `Seq2Seq.start` gave, with a window of so many places to either side on the attention.

    Raises: ConfigError, without an attention, with one that has a window, and with blocks of self-attention.
    """
    attention: Any = memory.attention
    if attention is None or isinstance(attention, BlocksAttention):
        raise ConfigError("attention_window is of decoders that look once at each step, and this one does not")
    if isinstance(attention, LocalAttention):
        raise ConfigError("attention_window does not go with attention local-p, which has a window of its own")
    looking = WindowedAttention(attention, window)
    return memory._replace(attention=looking), state._replace(carried=looking.initial_carried())


def _seeing(attention, real):
    """The attention for which these places, (B, S), are real."""
    picked = copy(attention)
    picked.real = real
    if isinstance(attention, MultiHopAttention):
        picked.attention = _seeing(attention.attention, real)
    return picked
