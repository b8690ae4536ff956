"""The bridge: from the final states of a bidirectional encoder to the first states of the decoder.

    h_{-1} = tanh([h ahead; h back] W_h + b_h)              for each layer
    c_{-1} = [c ahead; c back] W_c + b_c                    of a cell that has one; not bounded, as c is not

Source: Bahdanau, Cho & Bengio 2015, appendix A.2.2 (there from the backward reading alone).
"""

from dataclasses import dataclass
from typing import Any

from numseq.backend import array_module
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.linear import LinearParams, LinearTrace, init_linear, linear
from numseq.record import Trace

Array = Any


@dataclass(slots=True)
class BridgeParams:
    h: LinearParams  # (H, H)
    c: LinearParams | None  # (H, H); None for a cell without c


@dataclass(slots=True)
class BridgeTrace(Trace):
    """The decoder's first states, h0 and c0, lists of (B, H), one per layer; c0 is None for a cell without c."""

    h: list[LinearTrace]
    c: list[LinearTrace]
    h0: list[Array]
    c0: list[Array] | None

    def backward(self, dh0, dc0):
        """Returns dh_T, dc_T (L, 2, B, H / 2) and the gradient of the parameters."""
        h = [trace.backward(tanh_backward(d, h0)) for trace, d, h0 in zip(self.h, dh0, self.h0, strict=True)]
        c = [trace.backward(d) for trace, d in zip(self.c, dc0, strict=True)] if self.c else []
        params = [BridgeParams(grad.params, c[k].params if c else None) for k, grad in enumerate(h)]
        return _in_halves(h), _in_halves(c) if c else None, params


def bridge(h_T, c_T, params):
    """From the encoder's final states, (L, 2, B, H / 2), to the decoder's first. c_T is None for a cell without c."""
    both = array_module(h_T).concatenate
    h = [linear(both([ahead, back], axis=-1), p.h) for (ahead, back), p in zip(h_T, params, strict=True)]
    c = []
    if c_T is not None:
        c = [linear(both([ahead, back], axis=-1), p.c) for (ahead, back), p in zip(c_T, params, strict=True)]
    return BridgeTrace(h=h, c=c, h0=[tanh(trace.y) for trace in h], c0=[trace.y for trace in c] or None)


def _in_halves(grads):
    """The dx (B, H) of each layer as (L, 2, B, H / 2)."""
    stack, half = array_module(grads[0].dx).stack, grads[0].dx.shape[-1] // 2
    return stack([stack([grad.dx[:, :half], grad.dx[:, half:]]) for grad in grads])


def init_bridge(rng, config, states, dtype):
    """First values, a list of one BridgeParams per layer. states: those of the cell."""
    new = lambda: init_linear(rng, config.hidden, config.hidden, dtype, config.initial)  # noqa: E731
    return [BridgeParams(h=new(), c=new() if "c" in states else None) for _ in range(config.layers)]
