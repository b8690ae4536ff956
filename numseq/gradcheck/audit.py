"""Can these inputs show a mistake at all? What a check should warn of although everything agrees."""

import numpy as np

from numseq import params as trees
from numseq.gradcheck.watch import _parts


def audit(inputs, trace, seen, left_out):
    """Warnings, each a sentence.

    Args: inputs, of the check. trace, of a watched call. seen, its Watch. left_out, outputs of the trace that the loss
        does not read.
    """
    found = _collect(trace)
    said = []

    def warn(condition, what, hides):
        if condition:
            said.append(f"{what}: that hides {hides}")

    steps = {}
    for place in seen.values:
        if place.t is not None:
            steps.setdefault((place.kind, place.number), set()).add(place.t)
    attending = {place.number for place in seen.values if place.name == "alpha"}  # no recurrence
    recurrent = [ts for (_, number), ts in steps.items() if number not in attending]
    warn(recurrent and max(map(len, recurrent)) == 1, "there is one time step", "what is not carried from step to step")
    widths = [value.shape for place, value in seen.values.items() if place.name == "alpha"]
    warn(widths and max(shape[-1] for shape in widths) == 1, "there is one source position", "all of the attention")
    arrays = [leaf for name, tree in inputs.items() if name != "params" for leaf in trees.leaves(tree)]
    rows = [value.shape[-2] for place, value in seen.values.items() if place.name == "h" and value.ndim >= 2]
    rows += [shape[-2] for shape in widths]
    alone = arrays and all(np.prod(leaf.shape[:-1], dtype=int) == 1 for leaf in arrays if leaf.ndim)
    warn(alone or (rows and max(rows) == 1), "there is one row", "sums over the batch that are means, or missing")
    masks = found.get("mask", [])
    real = [mask for mask in masks if mask is not None and mask.dtype == bool]
    warn(steps and recurrent and not any((~mask).any() for mask in real), "there is no padding", "what padded steps do")
    ids = found.get("ids", [])
    warn(
        ids and all(len(np.unique(x)) == x.size for x in ids),
        "no id is repeated",
        "gradients that overwrite each other",
    )
    starts = [name for name in ("h0", "c0", "c_prev", "h_prev") if name in inputs]
    zero = [name for name in starts if not any(leaf.any() for leaf in trees.leaves(inputs[name]))]
    warn(zero, f"{' and '.join(zero)} {'is' if len(zero) == 1 else 'are'} zero", "whatever multiplies them")
    dropouts = [mask for owner, mask in found.get("DropoutTrace.mask", [])] if "DropoutTrace.mask" in found else []
    warn(dropouts and all(mask is None for mask in dropouts), "dropout is off", "what becomes of its mask")
    square = [
        name
        for name, tree in inputs.items()
        for leaf_name, leaf in trees.walk(tree, name)
        if leaf.ndim == 2 and leaf.shape[0] == leaf.shape[1] > 1 and name == "params"
        for name in [leaf_name]
    ]
    square = [name for name in square if not name.endswith("W_h")]  # a cell without gates has no other
    warn(square, f"{square[0] if square else ''} is square", "a missing transpose from its shape")
    warn(any(not leaf.any() for leaf in arrays if leaf.size) and not zero, "an input is zero everywhere", "its factors")
    warn(left_out, f"the loss does not read {', '.join(left_out)}", "whether its gradient is used")
    return said


def _collect(trace):
    """Masks and ids of all parts of a trace: a dict of name to list."""
    found, stack, seen = {}, [trace], set()
    while stack:
        owner = stack.pop()
        if owner is None or isinstance(owner, (np.ndarray, str, int, float, range)) or id(owner) in seen:
            continue
        seen.add(id(owner))
        for name, part in _parts(owner):
            if name == "mask" and type(owner).__name__ == "DropoutTrace":
                found.setdefault("DropoutTrace.mask", []).append((owner, part))
            elif name in ("mask", "ids"):
                found.setdefault(name, []).append(part)
            stack.append(part)
    return found
