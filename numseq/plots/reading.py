"""Numbers of a trace, as pictures need them: arrays (T, n) of one row, by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from numseq import arguments
from numseq.backend import array_module, to_numpy
from numseq.errors import ArgumentError, shown
from numseq.layers.activations import MASKED
from numseq.layers.cells.bidirectional import BidirectionalTrace
from numseq.layers.cells.cell import Cell
from numseq.record import KeptGradients
from numseq.show import fields_of

LEFT_OUT = ("x", "a", "gates", "q", "q_hat", "c_hat", "tanh_c", "tanh_n")  # said again by others, or not of units


def unrolled(trace: Any, called: str = "trace") -> Any:
    """What has a cell's steps: a trace with a `run`. Raises: ArgumentError, which names parts of it that have."""
    if hasattr(trace, "run") and hasattr(trace.run, "cell"):
        return trace
    within = [name for name, _ in recurrent_parts(trace)]
    hint = f": {called}.{within[0]} is one" if within else ""
    raise ArgumentError(f"{called} is {shown(trace)}: it must be the trace of a recurrent layer{hint}")


def recurrent_parts(trace: Any, prefix: str = "", depth: int = 0) -> list[tuple[str, Any]]:
    """(path, trace) of all within a trace that run a cell over time."""
    if depth > 6 or trace is None:
        return []
    if hasattr(trace, "run") and hasattr(trace.run, "cell"):
        return [(prefix, trace)]
    if isinstance(trace, list):
        named = [(f"[{k}]", part) for k, part in enumerate(trace)]
    elif hasattr(trace, "__dataclass_fields__"):
        named = [(f".{name}" if prefix else name, part) for name, part in fields_of(trace) if name != "params"]
    else:
        return []
    return [found for name, part in named for found in recurrent_parts(part, f"{prefix}{name}", depth + 1)]


def row_of(array: Any, row: int, part: int | None = None) -> np.ndarray:
    """The numbers of one row, on the host: of (T, B, n) or (T, 2, B, n). From a device that row alone is copied."""
    if part is not None and array.ndim == 4:
        array = array[:, part]
    return to_numpy(array[:, min(row, array.shape[1] - 1)])


class Reading:
    """One row of a recurrent layer's trace: `values[name]` and `gradients[name]`, (T, n), in the order of positions; T
    ends with the row's last real step.

    Args: trace, of a recurrent layer. row, of the batch. direction: "ahead" or "back", of a bidirectional one.
        gradients: what `numseq.record.keep_gradients` kept, or None. units: at most so many of each block of H.
    """

    def __init__(
        self,
        trace: Any,
        row: int = 0,
        direction: str | None = None,
        gradients: KeptGradients | None = None,
        units: int | None = None,
    ):
        trace = unrolled(trace)
        self.run, self.trace = trace.run, trace
        both = isinstance(trace, BidirectionalTrace)
        if both and direction is None:
            direction = "ahead"
        elif direction is not None and not (both and direction in ("ahead", "back")):
            wanted = "'ahead' or 'back'" if both else "None, as this layer reads one way"
            raise ArgumentError(f"direction is {shown(direction)}: it must be {wanted}")
        self.part = {"ahead": 0, "back": 1, None: None}[direction]
        self.steps: Any = getattr(trace, direction) if both else trace.run.steps
        T, B = len(self.steps), trace.run.after.h.shape[-2]
        self.T, self.B, self.H = T, B, trace.run.after.h.shape[-1]
        self.row = arguments.whole(row, "row", least=0, most=B - 1)
        self.record = self.steps[0]
        self.states = self.run.after._fields
        self.blocks = f"{getattr(self.record, 'blocks', '')}{getattr(self.record, 'more_blocks', '')}"
        self.limit = units if units is not None else self.H
        # positions in the order of steps, of a layer that reads from the last to the first
        self.turned = direction == "back"
        self.values = {name: self._numbers(name) for name in self._names()}
        for name, states in zip(self.states, self.run.before, strict=True):
            self.values.setdefault(f"{name}_prev", self._cut(self._state(states)))
        if getattr(trace, "x", None) is not None:
            x = row_of(trace.x, self.row)
            self.values["x"] = x[:, : self.limit]
        self.gradients, self.words = {}, {}
        if gradients is not None:
            self._take(gradients)
        self._leave_out_padding()

    def _leave_out_padding(self):
        """A row ends with its last real step."""
        mask = self.run.mask
        if mask is None:
            return
        real = to_numpy(mask[:, 0, self.row] if mask.ndim == 3 else mask[:, self.row])
        self.T = int(np.flatnonzero(real)[-1]) + 1 if real.any() else 1
        self.values = {name: array[: self.T] for name, array in self.values.items()}
        self.gradients = {name: array[: self.T] for name, array in self.gradients.items()}

    def _names(self):
        found = [(name, value) for name, value in fields_of(self.record) if name != "params"]
        return [name for name, value in found if getattr(value, "ndim", 0) and value.shape[0] == self.B]

    def _numbers(self, name, steps=None):
        fields = [getattr(record, name)[self.row] for record in (self.steps if steps is None else steps)]
        return self._cut(to_numpy(array_module(fields[0]).stack(fields)))

    def _state(self, states):
        states = row_of(states, self.row, self.part)
        return states[::-1] if self.turned else states

    def _cut(self, array):
        """The first units of each block."""
        array = array.reshape(len(array), -1)
        n = array.shape[-1]
        if self.limit >= self.H or n < self.H or n % self.H:
            return array[..., : max(self.limit, 1)] if n > self.limit and n % self.H else array
        return np.concatenate([array[..., k : k + self.limit] for k in range(0, n, self.H)], axis=-1)

    def _take(self, gradients):
        arguments.one_of(gradients, "gradients", KeptGradients)
        try:
            kept, states = gradients[self.steps], gradients.states(self.steps)
        except KeyError as error:
            raise ArgumentError(f"gradients has nothing of this trace: {error.args[0]}") from None
        self.words = dict(getattr(kept[0], "equations", {}))
        for name, value in fields_of(kept[0]):
            if name.startswith("d") and getattr(value, "ndim", None):
                self.gradients[name[1:]] = self._numbers(name, kept)
        for name in self.states:
            if name not in self.gradients:
                self.gradients[name] = self._numbers(name, states)
        self._products(kept)

    def _products(self, kept):
        """The gradients of x and h_prev by way of a = x W_x + h_prev W_h + b, which a step's backward leaves to its
        cell; of a cell that makes its pre-activations otherwise, none."""
        cell, params = self.run.cell, self.run.params
        ways = [("x", "W_x", "project_inputs"), ("h_prev", "W_h", "forward")]
        for name, weight, method in ways:
            W = getattr(params, weight, None)
            usual = getattr(type(cell), method, None) is getattr(Cell, method)
            if (
                not usual
                or W is None
                or name in self.gradients
                or name not in self.values
                or not hasattr(kept[0], "da")
            ):
                continue
            if W.ndim == 3:
                W = W[self.part]
            xp = array_module(W)
            da = xp.stack([kept[t].da[self.row] for t in range(self.T)])
            if da.shape[-1] == W.shape[-1]:
                self.gradients[name] = self._cut(to_numpy(da @ W.T))[:, : self.values[name].shape[1]]
                self.words[f"d{name}"] = f"da {weight}^T, since a = x W_x + h_prev W_h + b"


def token_list(tokens: Sequence[str] | None, T: int, padded: int | None = None) -> list[str]:
    """One text for each of T steps, of a list that may have those of the padding too. Raises: ArgumentError."""
    if tokens is None:
        return [str(t) for t in range(T)]
    tokens = list(tokens) if isinstance(tokens, str) else arguments.texts(tokens, "tokens")
    if len(tokens) == padded:
        tokens = tokens[:T]
    if len(tokens) != T:
        raise ArgumentError(f"tokens has {len(tokens)} texts: it must have {T}, one for each step of the trace")
    return tokens


def limit_of(values: np.ndarray | None, least: float = 1) -> float:
    """What the ends of the colours stand for: 1 where all lies within, as a gate does; else the largest number."""
    if values is None or not values.size:
        return 1.0
    finite = np.abs(values[np.isfinite(values) & (values > MASKED / 2)])  # not of scores that padding has
    largest = float(finite.max()) if finite.size else 0.0
    return least if largest <= least else float(f"{largest:.2g}") or 1.0


def unit_panels(reading: Reading, names: Sequence[str] | None) -> dict[str, np.ndarray]:
    """The quantities that have one number a unit, (T, H), or those that were asked for. Raises: ArgumentError."""
    there = [name for name, values in reading.values.items() if values.shape[1] == reading.H]
    if names is None:
        chosen = [name for name in there if name not in LEFT_OUT and not name.endswith("_prev")]
    else:
        chosen = arguments.texts(names, "names")
        if unknown := [name for name in chosen if name not in there]:
            raise ArgumentError(f"names has {shown(unknown[0])}: there are {', '.join(there)}")
    if not chosen:
        raise ArgumentError("names is empty: there is nothing to draw")
    return {name: reading.values[name] for name in chosen}


def like_order(values: np.ndarray) -> np.ndarray:
    """An order of columns in which those that go alike stand side by side.

    Equations: w_kl = 1 + the correlation of k and l;  the order is that of the second eigenvector of the graph's
        Laplacian, diag(sum_l w_kl) - w.

    Source: Fiedler 1973; Atkins, Boman & Hendrickson 1998, "A spectral algorithm for seriation".
    """
    centred = np.nan_to_num(values - values.mean(axis=0))
    length = np.linalg.norm(centred, axis=0)
    unit = centred / np.where(length > 0, length, 1)
    w = 1 + unit.T @ unit
    if len(w) < 3:
        return np.arange(len(w))
    _, vectors = np.linalg.eigh(np.diag(w.sum(axis=1)) - w)
    second = vectors[:, 1]
    if second[np.argmax(np.abs(second))] < 0:  # the sign of an eigenvector is nobody's
        second = -second
    return np.argsort(second, kind="stable")
