"""Can these inputs show a mistake at all? What a check should warn of although everything agrees."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.backend import to_numpy
from numseq.gradcheck.inputs import Inputs, is_array
from numseq.gradcheck.results import named_like
from numseq.gradcheck.watch import Watch, parts
from numseq.record import Steps


def audit(inputs: dict[str, Any], trace: Any, seen: Watch, left_out: list[str]) -> list[str]:
    """Warnings, each a sentence.

    Args: inputs, of the check. trace, of a watched call. seen, its Watch. left_out, outputs of the trace that the loss
        does not read.
    """
    said = []

    def warn(condition, what, hides):
        if condition:
            said.append(f"{what}: that hides {hides}")

    masks, ids, dropouts = _collect(trace)
    alphas = {place: value for place, value in seen.values.items() if place.name == "alpha"}
    attending = {place.number for place in alphas}  # no recurrence
    steps = [place.t for place in seen.values if place.t is not None and place.number not in attending]
    warn(steps and max(steps) == 0, "there is one time step", "what is not carried from step to step")
    widths = [value.shape[-1] for value in alphas.values()]
    warn(widths and max(widths) == 1, "there is one source position", "all of the attention")
    arrays = [leaf for name, tree in inputs.items() if name != "params" for leaf in trees.leaves(tree)]
    rows = [value.shape[-2] for place, value in seen.values.items() if place.name in ("h", "alpha") and value.ndim >= 2]
    alone = arrays and all(np.prod(leaf.shape[:-1], dtype=int) == 1 for leaf in arrays if leaf.ndim)
    warn(alone or (rows and max(rows) == 1), "there is one row", "sums over the batch that are means, or missing")
    warn(steps and all(mask.all() for mask in masks), "there is no padding", "what padded steps do")
    repeated = any(len(np.unique(x)) < x.size for x in ids)
    warn(ids and not repeated, "no id is repeated", "gradients that overwrite each other")
    first = {"state": named_like(inputs.get("state"), getattr(trace, "final", None))}
    first |= {name: inputs.get(name) for name in ("c_prev", "h_prev")}
    zero = [leaf for argument, tree in first.items() for leaf, a in trees.walk(tree, argument) if not a.any()]
    warn(zero, f"{' and '.join(zero)} {'is' if len(zero) == 1 else 'are'} zero", "whatever multiplies them")
    warn(dropouts and all(mask is None for mask in dropouts), "dropout is off", "what becomes of its mask")
    matrices = [(name, leaf) for name, leaf in trees.walk(inputs.get("params"), "params") if leaf.ndim == 2]
    square = [name for name, leaf in matrices if leaf.shape[0] == leaf.shape[1] > 1 and not name.endswith("W_h")]
    warn(square, f"{', '.join(square[:1])} is square", "a missing transpose from its shape")  # W_h has to be, at times
    warn(any(not leaf.any() for leaf in arrays if leaf.size) and not zero, "an input is zero everywhere", "its factors")
    warn(left_out, f"the loss does not read {', '.join(left_out)}", "whether its gradient is used")
    return said


def held_fixed(inputs: Inputs, loss: Callable[..., Any], moved: dict[str, Any]) -> list[str]:
    """Notes on what the loss depends on and what has no gradient: Python numbers, and arrays that an object holds."""
    said = []
    if inputs.numbers:
        names = ", ".join(inputs.numbers)
        each = "it was" if len(inputs.numbers) == 1 else "they were"
        said.append(f"backward gives no gradient by {names}: {each} held fixed")
    if inputs.held is None:
        return said
    rng = np.random.default_rng(0)
    for name, array in inputs.held.parameters().items():
        if name in moved:
            continue
        aside = 1e-3 * rng.standard_normal(array.shape)
        with suppress(Exception):
            there, back = (float(loss(moved | {name: array + sign * aside})) for sign in (1, -1))
            if abs(there - back) > 1e-9 * max(abs(there), abs(back)):
                kind = inputs.held.name
                said.append(
                    f"the loss depends on {name} of {kind}, beside which no gradient was left: it was held fixed"
                )
    return said


def _collect(trace):
    """Of all parts of a trace: the masks of what is real, the ids, and the masks of dropouts, None included."""
    masks, ids, dropouts = [], [], []
    stack, seen = [trace], set()
    while stack:
        owner = stack.pop()
        if owner is None or is_array(owner) or isinstance(owner, str | int | float | range) or id(owner) in seen:
            continue
        seen.add(id(owner))
        for name, part in [("", record) for record in owner.records] if isinstance(owner, Steps) else parts(owner):
            if name == "mask" and type(owner).__name__ == "DropoutTrace":
                dropouts.append(part)
            elif name == "mask" and is_array(part) and part.dtype.kind == "b":
                masks.append(to_numpy(part))
            elif name == "ids":
                ids.append(to_numpy(part))
            stack.append(part)
    return masks, ids, dropouts
