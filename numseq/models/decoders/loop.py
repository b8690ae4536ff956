"""A recurrent layer of a decoder that goes a step at a time, since something waits for each of its steps.

    a_t = x_t W_x + extra_t + h_{t-1} W_h + b         extra_t is what the loop adds, of the lowest layer alone

The lowest layer's inputs are known beforehand, so x_t W_x is one product for all T. The others read at each step what
the layer below has just given. A cell that normalises x_t W_x (`lstm-layernorm`) does not normalise extra_t.
"""

from typing import Any

from numseq.backend import Array, array_module
from numseq.errors import ConfigError
from numseq.layers.cells.cell import Cell
from numseq.layers.cells.sequence import drop_weights
from numseq.layers.cells.unroll import Unroll
from numseq.params import common_dtype


class Layer:
    """Args: cell. x, (T, B, D), the inputs, or with `to_come` an array to be filled with them (`step_on`). state, the
    first. params, the cell's. noise: (dropout mask of the inputs that come step by step, zoneout, mask of W_h).
    residual: add the input to the output, where both are of one width."""

    def __init__(
        self, cell: Cell, x: Array, state: Any, params: Any, noise: tuple, residual: bool = False, to_come: bool = False
    ):
        common_dtype(x, state, params)
        self.x, self.params = x, params
        self.mask, zoneout, weight_mask = noise
        self.dropped, weights = drop_weights(params, weight_mask)
        if to_come:
            inputs, self.saved = array_module(x).zeros((*x.shape[:2], params.W_h.shape[1]), dtype=x.dtype), None
        else:
            inputs, self.saved = cell.project_inputs(x, params)
        self.run = Unroll(cell, inputs, state, weights, zoneout=zoneout)
        self.residual = residual and x.shape[-1] == state.h.shape[-1]

    @property
    def outputs(self) -> Array:
        """Those of all steps, (T, B, H)."""
        h = self.run.after.h
        return h + self.x if self.residual else h

    def step(self, t: int, extra: Array | None = None) -> Array:
        """Do step t; returns its output (B, H)."""
        if extra is not None:
            self.run.inputs[t, :, : extra.shape[-1]] += extra
        h = self.run.step(t)
        return h + self.x[t] if self.residual else h

    def step_on(self, t: int, below: Array) -> Array:
        """Do step t on what the layer below has just given, (B, D); returns the output.

        Raises: ConfigError, when the cell does more with its inputs than x_t W_x, which `below` could not undo.
        """
        self.x[t] = below if self.mask is None else below * self._mask(t)
        inputs, saved = self.run.cell.project_inputs(self.x[t : t + 1], self.params)
        if saved is not None:
            raise ConfigError(
                f"a cell such as {type(self.run.cell).__name__} takes the inputs of all steps at once, which decoder "
                "luong-feeding allows in the lowest layer alone: choose layers 1 or another cell"
            )
        self.run.inputs[t] = inputs[0]
        return self.step(t)

    def below(self, t: int, da: Array, dh: Array) -> Array:
        """The gradient of what the layer below gave at step t, from those of the pre-activations and of the output."""
        dx = da @ self.params.W_x.T
        if self.residual:
            dx += dh
        return dx if self.mask is None else dx * self._mask(t)

    def _mask(self, t):
        return self.mask[t if len(self.mask) > 1 else 0]  # one mask may serve all steps

    def weight_gradients(self, da: Array) -> tuple[Array, Any]:
        """(dx through the cell, gradient of the parameters), of all steps at once. da, (T, B, G)."""
        run = self.run
        dx, dparams = run.cell.weight_gradients(self.x, self.saved, run.before.h, run.steps, da, self.params)
        if self.dropped:
            dparams.W_h = self.dropped.backward(dparams.W_h).dx
        return dx, dparams
