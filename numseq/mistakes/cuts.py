"""What becomes of parts and of states: a whole that is cut otherwise, a gradient that goes to another state."""

import ast
from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from numseq.mistakes.formulas import Formula


def of_cuts(f: Formula) -> Iterator[tuple[str, Callable]]:
    """(what, change): an equation that gives the parts of a whole, as [dx[..., :n], dx[..., n:]]."""
    for order in (order for n in (2, 3) for order in permutations(range(n)) if order != tuple(range(n))):
        said = ", ".join(str(k + 1) for k in order)
        yield f"the parts of {f.name} are cut in the order {said}", lambda v, order=order: _cut(_parts(v), order)
    yield f"each part of {f.name} takes every second number", lambda v: [_halves(v)[..., k::2] for k in (0, 1)]
    yield f"{f.name} is reshaped, not cut,", lambda v: list(_halves(v).reshape(2, *v.value[0].shape))
    yield f"each part of {f.name} is the sum of both", lambda v: [sum(v.value)] * len(v.value) if _alike(v) else None


def of_states(f: Formula) -> Iterator[tuple[str, Callable]]:
    """(what, change): a gradient among the names is added to a state too many, or goes to one instead of another."""
    if not f.name.startswith("d") or isinstance(f.tree, ast.BinOp):
        return
    for name in f.arrays:
        if not name.startswith("d") or name == f.name:
            continue
        for to in PLACES:
            yield (
                f"{name} is added to {to} of {f.name}, which did not read it",
                lambda v, name=name, to=to: _added(_states(v), _array(v, name), {to: 1}),
            )
            for source in ("h of the lowest layer", "h of the top layer"):
                if to != source:
                    yield (
                        f"{name} goes to {to} of {f.name}, not to {source}",
                        lambda v, name=name, to=to, source=source: _added(
                            _states(v), _array(v, name), {source: -1}, {to: 1}
                        ),
                    )


def of_layers(f: Formula) -> Iterator[tuple[str, Callable]]:
    """(what, change): a list of what layers have, the lowest first."""
    yield f"every layer of {f.name} is given the top one's", lambda v: [_list(v)[-1]] * len(v.value)
    yield f"every layer of {f.name} is given the lowest one's", lambda v: [_list(v)[0]] * len(v.value)
    yield (
        f"the layers of {f.name} but for the lowest stand in reversed order",
        lambda v: [_list(v)[0], *v.value[:0:-1]],
    )
    yield f"the two directions of {f.name} are exchanged", lambda v: [_turned(part) for part in _list(v, 1)]


PLACES: dict[str, Callable] = {
    "h of the lowest layer": lambda layers: [(0, 0)],
    "c of the lowest layer": lambda layers: [(0, 1)],
    "h of the top layer": lambda layers: [(len(layers) - 1, 0)],
    "c of the top layer": lambda layers: [(len(layers) - 1, 1)],
    "h of every layer": lambda layers: [(k, 0) for k in range(len(layers))],
}


def _list(v, least=2):
    if not isinstance(v.value, list) or len(v.value) < least or isinstance(v.value[0], int | np.ndarray):
        raise ValueError("these are no layers")
    return v.value


def _parts(v):
    """Parts of a whole that differ in their last axis alone."""
    if not isinstance(v.value, list) or len(v.value) < 2 or not all(isinstance(a, np.ndarray) for a in v.value):
        raise ValueError("these are no parts")
    if len({a.shape[:-1] for a in v.value}) > 1:
        raise ValueError("these are parts of no whole")
    return v.value


def _alike(v):
    if len({a.shape for a in _parts(v)}) > 1:
        raise ValueError("these differ in width")
    return True


def _halves(v):
    if not _alike(v) or len(v.value) != 2:
        raise ValueError("these are no halves")
    return np.concatenate(v.value, axis=-1)


def _cut(parts, order):
    """The whole cut as if its parts stood in another order."""
    if len(parts) != len(order):
        raise ValueError("there are other parts")
    whole, start, found = np.concatenate(parts, axis=-1), 0, {}
    for k in order:
        found[k] = whole[..., start : start + parts[k].shape[-1]]
        start += parts[k].shape[-1]
    return [found[k] for k in range(len(parts))]


def _turned(part):
    if not (hasattr(part, "ahead") and hasattr(part, "back")):
        raise ValueError("this has no two directions")
    return type(part)(part.back, part.ahead)


def _states(v):
    """Layers' states, each a named tuple of arrays."""
    if not isinstance(v.value, list) or not v.value or not hasattr(v.value[0], "_replace"):
        raise ValueError("these are no states")
    return v.value


def _array(v, name):
    value = getattr(v, name, None)
    if not isinstance(value, np.ndarray):
        raise ValueError("this is no array")
    return value


def _added(layers, d, *to):
    """The states with a gradient added at some places, or taken off there."""
    layers = [list(state) for state in layers], [type(state) for state in layers]
    for places in to:
        for place, sign in places.items():
            for k, part in PLACES[place](layers[0]):
                if part >= len(layers[0][k]) or layers[0][k][part].shape != d.shape[-layers[0][k][part].ndim :]:
                    raise ValueError("this has another shape")
                first = d[0] if d.ndim > layers[0][k][part].ndim else d  # of the first step
                layers[0][k][part] = layers[0][k][part] + sign * first
    return [kind(*parts) for parts, kind in zip(*layers, strict=True)]
