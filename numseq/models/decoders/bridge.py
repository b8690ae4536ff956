"""The bridge: from an encoder's final states to the first states of a decoder.

    h_{-1} = tanh(h_S W_h + b_h)              for each layer
    c_{-1} = c_S W_c + b_c                    of a cell that has one; not bounded, as c is not

h_S is what the encoder ended with, [ahead; back] where it read both ways.

Source: Bahdanau, Cho & Bengio 2015, appendix A.2.2 (there from the backward reading alone); Cho et al. 2014, appendix
A.1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numseq.backend import DType, Generator
from numseq.layers.activations import tanh, tanh_backward
from numseq.layers.linear import init_linear, linear
from numseq.models.memory import joined, joined_backward
from numseq.record import Trace

if TYPE_CHECKING:
    from numseq.models.config import Seq2SeqConfig


@dataclass(slots=True)
class BridgeTrace(Trace):
    """The affine maps and what they gave: lists of one state for each layer."""

    last: list  # of the encoder
    maps: list  # LinearTraces, in the place of the parts of a state
    state: list  # of the decoder

    def backward(self, dstate: list) -> tuple[list, list]:
        """From the gradient of the first states. Returns: those of the final ones, and of the parameters; lists."""
        dlast, dparams = [], []
        for last, maps, state, d in zip(self.last, self.maps, self.state, dstate, strict=True):
            dh, *others = d
            grads = [t.backward(da) for t, da in zip(maps, (tanh_backward(dh, state.h), *others), strict=True)]
            dlast.append(type(last)(*(joined_backward(g.dx, part) for g, part in zip(grads, last, strict=True))))
            dparams.append(type(last)(*(g.params for g in grads)))
        return dlast, dparams


def bridge(last: list, params: list) -> BridgeTrace:
    """From the final state of each of the encoder's layers to the first of the decoder's; lists.

    Args: last, states. params: for each layer LinearParams in the place of each part of its state.
    """
    maps, states = [], []
    for end, p in zip(last, params, strict=True):
        traces = type(end)(*(linear(joined(part), q) for part, q in zip(end, p, strict=True)))
        maps.append(traces)
        states.append(type(end)(tanh(traces.h.y), *(trace.y for trace in traces[1:])))
    return BridgeTrace(last=last, maps=maps, state=states)


def init_bridge(rng: Generator, config: "Seq2SeqConfig", dtype: DType) -> list:
    """First values, for each layer LinearParams in the place of each part of its state."""
    State, size, H = config.cell_part.State, config.memory, config.hidden
    return [
        State(*(init_linear(rng, size, H, dtype, config.initializer) for _ in State._fields))
        for _ in range(config.layers)
    ]
