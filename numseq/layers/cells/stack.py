"""Recurrent layers on top of one another: each reads the outputs of the one below."""

from dataclasses import dataclass

from numseq.backend import Array
from numseq.errors import ArgumentError, shown
from numseq.layers.cells.bidirectional import BidirectionalParams, BidirectionalTrace, bidirectional
from numseq.layers.cells.cell import Cell
from numseq.layers.cells.lstm import STANDARD
from numseq.layers.cells.sequence import RecurrentTrace, sequence
from numseq.layers.dropout import DropoutTrace, dropout
from numseq.record import Record, Trace


@dataclass(slots=True)
class StackGrad(Record):
    dx: Array  # (T, B, D)
    dstate: list  # of each layer's first state
    params: list


@dataclass(slots=True)
class StackTrace(Trace):
    """What `stack` computed: h, the outputs of the top layer, the final state of each, and each layer's trace."""

    outputs = ("h", "final")
    layers: list[RecurrentTrace | BidirectionalTrace]
    dropouts: list[DropoutTrace]  # between layer k and k + 1
    residual: list[bool]  # whether layer k's input was added to its output
    h: Array
    final: list

    def backward(self, dh: Array | None = None, dfinal: list | None = None) -> StackGrad:
        """From the top layer down: the dx of a layer is the dh of the one below, plus what went around the layer."""
        grads = []
        for k in reversed(range(len(self.layers))):
            grads.insert(0, self.layers[k].backward(dh, None if dfinal is None else dfinal[k]))
            dx = grads[0].dx
            if self.residual[k] and dh is not None:
                dx = dx + dh  # y = layer(x) + x
            if k:
                dh = self.dropouts[k - 1].backward(dx).dx
        return StackGrad(dx=dx, dstate=[g.dstate for g in grads], params=[g.params for g in grads])


def stack(
    x: Array, state: list | None, params: list, *,
    cell: Cell = STANDARD, mask: Array | None = None, reverse: bool = False, dropout_masks: list | None = None,
    residual: bool = False, zoneout: list | None = None, weight_masks: list | None = None,
) -> StackTrace:  # fmt: skip
    """A stack of L recurrent layers, or of bidirectional ones, with dropout between them.

    Equations: x^(0) = x;  x^(k+1) = dropout(layer_k(x^(k)));  the top layer's outputs are not dropped. With residual
    connections, x^(k+1) = dropout(layer_k(x^(k)) + x^(k)) wherever a layer's input has the width of its output.

    Args: x, (T, B, D). state, a list of L first states, each as the cell has it, parts (B, H), or (2, B, H) where a
        layer is bidirectional; None for zeros. params: a list of L of the cell's parameters, or of L
        BidirectionalParams. cell: any. mask, (T, B) or None. reverse: read right to left (one direction only).
        dropout_masks: L - 1 masks of the shape of a layer's output (or (1, B, H), one for all steps: variational
        dropout, Gal & Ghahramani 2016), or None. residual: see above. zoneout, weight_masks: for each layer what
        `sequence` or `bidirectional` takes, or None.
    Returns: a StackTrace with h (T, B, H) or (T, B, 2H), and the final states, a list.
    Backward: StackTrace.backward.
    Raises: as `sequence`; ArgumentError, when there is no layer, or a list is not as long as there are layers.
    Source: residual connections, Wu et al. 2016 ("Google's Neural Machine Translation System"), section 3.1.
    """
    L = len(params)
    given = {"state": state, "zoneout": zoneout, "weight_masks": weight_masks, "dropout_masks": dropout_masks}
    for name, parts in given.items():
        needed = L - 1 if name == "dropout_masks" else L
        if parts is not None and (not isinstance(parts, list | tuple) or len(parts) != needed):
            raise ArgumentError(f"{name} is {shown(parts)}: it must be a list of {needed}, for {L} layers")
    if not L:
        raise ArgumentError("params has no layer")
    none = [None] * L
    layers: list[RecurrentTrace | BidirectionalTrace] = []
    dropouts, around = [], []
    for k, layer in enumerate(params):
        if k:
            dropouts.append(dropout(x, dropout_masks[k - 1] if dropout_masks else None))
            x = dropouts[-1].y
        noise = {"zoneout": (zoneout or none)[k], "weight_mask": (weight_masks or none)[k]}
        first = None if state is None else state[k]
        if isinstance(layer, BidirectionalParams):
            layers.append(bidirectional(x, first, layer, cell=cell, mask=mask, **noise))
        else:
            layers.append(sequence(x, first, layer, cell=cell, mask=mask, reverse=reverse, **noise))
        h = layers[-1].h
        around.append(residual and h.shape == x.shape)
        x = h + x if around[-1] else h
    return StackTrace(layers=layers, dropouts=dropouts, residual=around, h=x, final=[layer.final for layer in layers])
