"""Layers that are objects: forward keeps what backward needs, and leaves the parameters' gradients in attributes.

Each forward pass is made by a copy of the object, in which the parameters are others: `deepcopy` puts what its memo
says in the place of an array, wherever the object holds it, by whatever names. So passes know nothing of one another.

A parameter is a floating array that the object, or a layer in it, holds, and beside which backward leaves a gradient:
`W` and `dW` (or grad_W, W_grad), or an entry of `params` and that of `grads`.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.inputs import Inputs, is_floating

GRADIENTS = ("grads", "grad", "gradients", "dparams", "gradient")
ATOMS = (str, bytes, int, float, complex, type, ModuleType, FunctionType, MethodType, np.ndarray)
OUTPUTS = ("output", "out", "y")  # where a forward that returns nothing leaves its output


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an object holds an array: keys, from attribute to attribute or entry."""

    keys: tuple[Any, ...]

    @property
    def name(self) -> str:
        return ".".join(map(str, self.keys))

    def gradient(self, made: Any) -> Any:
        """The gradient beside it, in a copy that has gone back; None when there is none."""
        *way, last = self.keys
        owner = _at(made, way)
        beside = [_entry(owner, name) for name in gradient_names(last)] if isinstance(last, str) else []
        for grads in [_entry(owner, name) for name in GRADIENTS]:
            beside += [_entry(grads, name) for name in (last, *gradient_names(last))]
        if len(self.keys) > 1 and way and isinstance(way[-1], str):  # an entry of params beside one of grads
            above = _at(made, way[:-1])
            for grads in [_entry(above, name) for name in (*gradient_names(way[-1]), *GRADIENTS)]:
                beside += [_entry(grads, name) for name in (last, *gradient_names(last))]
        return next((found for found in beside if found is not None and not callable(found)), None)


def gradient_names(name: Any) -> list[str]:
    """What the gradient of something may be called."""
    if not isinstance(name, str):
        return []
    return [
        f"d{name}",
        f"grad_{name}",
        f"{name}_grad",
        f"d_{name}",
        f"g{name}",
        f"grad{name}",
        f"dL_d{name}",
        f"dL{name}",
    ]


@dataclass(slots=True)
class Went:
    """What a backward returned, and beside it the gradients of the object's own parameters, by name; changed, the names
    of parameters that it wrote to."""

    returned: Any
    own: dict[str, Any]
    changed: list[str]


class LayerObject:
    """An object with forward and backward. slots: {id of an array: (the array, all of its Slots)}."""

    def __init__(self, layer: Any, inputs: Inputs):
        self.layer, self.inputs, self.name = layer, inputs, type(layer).__name__
        self.slots: dict[int, tuple[np.ndarray, list[Slot]]] = {}
        found = list(_arrays(layer))
        gradients = {(*keys[:-1], name) for keys, _ in found for name in gradient_names(keys[-1])}
        for keys, array in found:
            if keys not in gradients and not any(key in GRADIENTS for key in keys):
                self.slots.setdefault(id(array), (array, []))[1].append(Slot(keys))
        inputs.held = self

    def forward(self, given: dict[str, Any]) -> tuple[Any, Any]:
        """(the copy that went forward, what it returned)."""
        own = {id(self.array(name)): given[name] for name in given if name not in self.inputs.order}
        try:
            made = deepcopy(self.layer, own)
        except Exception as error:
            raise TypeError(
                f"the {self.name} cannot be copied ({error}): each forward pass is made by a copy"
            ) from None
        forward = made.forward if hasattr(made, "forward") else made
        returned = self.inputs.call(forward, {name: given[name] for name in given if name in self.inputs.order})
        if returned is None:
            returned = next((found for name in OUTPUTS if is_floating(found := _entry(made, name))), None)
        return made, returned

    def keeps_a_state(self, given: dict[str, Any]) -> bool:
        """Whether a second forward pass of the same copy gives something else than the first."""
        made, first = self.forward(given)
        forward = made.forward if hasattr(made, "forward") else made
        again = self.inputs.call(forward, {name: given[name] for name in given if name in self.inputs.order})
        return is_floating(first) and is_floating(again) and not bool((first == again).all())

    def backward(self, made: Any, backward: Callable[..., Any], upstream: dict[str, Any]) -> Went:
        """What the backward of a copy gives."""
        now = {self._name(slots): _at(made, slots[0].keys) for _, slots in self.slots.values()}
        before = {name: array.copy() for name, array in now.items()}
        returned = backward(**upstream)
        changed = [name for name, array in before.items() if not bool((array == now[name]).all())]
        own = {}
        for _, slots in self.slots.values():
            found = next((g for g in (slot.gradient(made) for slot in slots) if g is not None), None)
            if found is not None:
                own[self._name(slots)] = trees.map(lambda leaf: leaf.copy() if is_floating(leaf) else leaf, found)
        if returned is None:
            returned = self._left(made)
        return Went(returned, own, [name for name in changed if name in own])

    def _left(self, made):
        """The gradients of the inputs, where backward leaves them in attributes."""
        names = {argument: [f"d{argument}", *gradient_names(argument)[1:]] for argument in self.inputs.order}
        left = {}
        for argument, known in names.items():
            known += ["dx", "dX", "dinputs", "dinput", "grad_input"] if len(names) == 1 else []
            found = next((g for g in (_entry(made, name) for name in known) if g is not None), None)
            if found is not None:
                left[argument] = found.copy() if is_floating(found) else found
        return left or None

    def _name(self, slots):
        """The shortest of the names of an array; a name in words before one with a number."""
        names = [slot.name for slot in slots]
        return min(
            names, key=lambda name: (any(part.isdigit() for part in name.split(".")), name.count("."), len(name))
        )

    def array(self, name: str) -> np.ndarray:
        """The parameter of a name."""
        return next(array for array, slots in self.slots.values() if self._name(slots) == name)

    def parameters(self) -> dict[str, np.ndarray]:
        """All floating arrays that the object holds, by name."""
        return {self._name(slots): array for array, slots in self.slots.values()}


def _arrays(owner: Any, keys: tuple = (), seen: set | None = None) -> Iterator[tuple[tuple, np.ndarray]]:
    """(keys, array) of every floating array in an object, and in what it holds."""
    seen = set() if seen is None else seen
    if id(owner) in seen:
        return
    seen.add(id(owner))
    for key, part in _parts(owner):
        if is_floating(part):
            yield (*keys, key), part
        elif not isinstance(part, ATOMS) and not type(part).__module__.startswith("numpy.random"):
            yield from _arrays(part, (*keys, key), seen)


def _parts(owner):
    if isinstance(owner, list | tuple):
        return list(enumerate(owner))
    if isinstance(owner, dict):
        return list(owner.items())
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    return [
        *((name, getattr(owner, name)) for name in slots if hasattr(owner, name)),
        *getattr(owner, "__dict__", {}).items(),
    ]


def _entry(owner, key):
    """owner.key or owner[key]; None when it is not there."""
    if isinstance(owner, dict):
        return owner.get(key)
    if isinstance(owner, list | tuple):
        return owner[key] if isinstance(key, int) and key < len(owner) else None
    return getattr(owner, key, None) if isinstance(key, str) else None


def _at(owner, keys):
    for key in keys:
        owner = _entry(owner, key)
    return owner
