"""A PyTorch state dict, {name: array}, and the arrays of one of its modules: is everything there, and does it fit?

The names and shapes are those of nn.Embedding, nn.Linear, nn.RNN, nn.LSTM, nn.GRU, their cells, and
nn.MultiheadAttention, as PyTorch's documentation gives them in the sections "Variables".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from numseq import arguments
from numseq.backend import Array, to_numpy
from numseq.errors import NumseqError

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}  # blocks of H rows in weight_ih and weight_hh
KINDS = ("Embedding", "Linear", *GATES, *(f"{kind}Cell" for kind in GATES), "MultiheadAttention")
REFUSED = {
    "weight_hr": "made by proj_size, and numseq's LSTM does not project its state",
    "bias_k": "made by add_bias_kv, and numseq's attention has no key that belongs to no position",
    "bias_v": "made by add_bias_kv, and numseq's attention has no value that belongs to no position",
}


class InteropError(NumseqError):
    """A file or a state dict that cannot be exchanged with PyTorch; the message names the key."""


def checked(state: Any) -> Mapping[str, Any]:
    """The state dict as it is, if it is one."""
    if not isinstance(state, Mapping):
        raise InteropError(
            f"a {type(state).__name__} is no state dict; `read`, `to_torch` and PyTorch's model.state_dict() give one"
        )
    for name in state:
        arguments.text(name, "a name of the state dict")
    return state


def host(name: str, array: Any) -> Array:
    """The array of this name as NumPy's."""
    try:
        return to_numpy(array)
    except (TypeError, RuntimeError) as error:  # a tensor of PyTorch in bfloat16, on a GPU, or with a gradient
        reason = " ".join(str(error).split())
        raise InteropError(f"{name} cannot become a NumPy array ({reason})") from None


def names_of(suffix: str, bias: bool) -> list[str]:
    """The names of a cell's arrays, in PyTorch's order. suffix: "", or that of a layer and direction, "_l0_reverse"."""
    return [f"{name}{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if bias else 2]]


class Module:
    """The arrays of one module of a state dict, by their names without the prefix; errors have the full names."""

    def __init__(self, state: Mapping[str, Any], prefix: str):
        self.prefix = prefix
        self.dtype: Any = None
        names = [name for name in state if name.startswith(prefix)]
        if prefix and not prefix.endswith(".") and any(name.startswith(f"{prefix}.") for name in names):
            raise InteropError(f"the prefix {prefix!r} lacks its dot: {prefix + '.'!r}")
        if not names:
            raise InteropError(f"no name begins with {prefix!r}" if prefix else "the state dict is empty")
        for name in names:
            for start, reason in REFUSED.items():
                if name.removeprefix(prefix).startswith(start):
                    raise InteropError(f"{name}: {reason}")
        self.own = {name.removeprefix(prefix): host(name, state[name]) for name in names}

    def has(self, start: str) -> bool:
        return any(name.startswith(start) for name in self.own)

    def kind(self) -> str:
        """Which class of torch.nn has these names."""
        for suffix, end in (("_l0", ""), ("", "Cell")):
            if f"weight_ih{suffix}" in self.own and f"weight_hh{suffix}" in self.own:
                return self._gated(suffix) + end
        if "out_proj.weight" in self.own:
            return "MultiheadAttention"
        if "weight" in self.own and "bias" in self.own:
            return "Linear"
        name = self.prefix + next(iter(self.own))
        if list(self.own) == ["weight"]:
            raise InteropError(f"{name} alone may be of an Embedding or of a Linear without bias: say which as `kind`")
        raise InteropError(f"{name}: not a name of {', '.join(KINDS)}; choose a module of the state dict by `prefix`")

    def _gated(self, suffix):
        x, h = names_of(suffix, bias=False)
        (rows, _), (_, H) = self.matrix(x), self.matrix(h)
        for kind, gates in GATES.items():
            if rows == gates * H:
                return kind
        raise InteropError(
            f"{self.prefix}{x} has {rows} rows and {self.prefix}{h} {H} columns: in an RNN, LSTM or GRU there are 1, 4 "
            "or 3 times as many rows"
        )

    def hidden(self, suffix: str, kind: str) -> int:
        """H, having checked that the shapes are those of this kind."""
        if (found := self._gated(suffix)) != kind:
            raise InteropError(
                f"{self.prefix}weight_ih{suffix} has {GATES[found]} times as many rows as weight_hh{suffix} columns: "
                f"this is of {found}, not {kind}"
            )
        return self.own[f"weight_hh{suffix}"].shape[1]

    def matrix(self, name: str) -> tuple[int, ...]:
        if self.own[name].ndim != 2:
            raise InteropError(f"{self.prefix}{name} has shape {self.own[name].shape}, expected a matrix")
        return self.own[name].shape

    def expect(self, kind: str, names: Iterable[str]) -> None:
        """Raise InteropError unless these are the names of the module."""
        for name in names:
            if name not in self.own:
                raise InteropError(f"{self.prefix}{name} is missing")
        for name in self.own:
            if name not in names:
                raise InteropError(f"{self.prefix}{name} does not belong to this {kind}; `prefix` chooses a module")

    def get(self, name: str, *sizes: int | None) -> Array:
        """A copy of an array of these sizes, None for any size."""
        array, key = self.own[name], f"{self.prefix}{name}"
        if array.ndim != len(sizes) or any(n not in (None, m) for n, m in zip(sizes, array.shape, strict=True)):
            expected = f"({', '.join('any' if n is None else str(n) for n in sizes)}{',' * (len(sizes) == 1)})"
            raise InteropError(f"{key} has shape {array.shape}, expected {expected}")
        if array.dtype.kind != "f":
            raise InteropError(f"{key} holds {array.dtype}, expected floating numbers")
        self.dtype = self.dtype or array.dtype
        if array.dtype != self.dtype:
            raise InteropError(f"{key} is {array.dtype} and others of the module are {self.dtype}: they must be one")
        return array.copy()
