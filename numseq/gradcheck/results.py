"""What a backward returned: the gradient of each input, and what is wrong with it before any number is compared."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from numseq import params as trees


def gradients(
    grad: Any, inputs: dict[str, Any], dtype: np.dtype, extra: Iterable[str] = ()
) -> tuple[dict[str, tuple[str, Any]], list[str]]:
    """The gradients that a backward gave.

    Args: grad, what it returned: a record, or a dict. inputs, by argument name. dtype, theirs. extra, further names
        that a dict may hold.
    Returns: ({argument: (label, tree on the host)}, problems). The gradient of an input `x` is looked for as `dx`, of
        `params` as `params`; one that is unusable is left out, and is a problem.
    """
    found, problems = {}, []
    for argument, tree in inputs.items():
        value = named_like(gradient_of(grad, argument), tree)
        if value is None:
            problems.append(f"backward gives no {label(argument)}: the gradient by the input {argument} is missing")
        elif said := _unusable(label(argument), value, named_like(tree, value), dtype):
            problems += said
        else:
            found[argument] = (label(argument), trees.to_host(value))
    if isinstance(grad, dict):
        known = {name for argument in inputs for name in (argument, f"d{argument}")}
        problems += [
            f"backward gives {name}, but the inputs are {', '.join(inputs)}"
            for name in sorted(grad.keys() - known - set(extra))
        ]
    return found, problems


def label(argument: str) -> str:
    """What the gradient of an input is called."""
    return argument if argument == "params" else f"d{argument}"


def gradient_of(grad: Any, argument: str) -> Any:
    """The gradient of an input, in a record or a dict; None when it is not there."""
    for name in (f"d{argument}", argument):
        value = grad.get(name) if isinstance(grad, dict) else getattr(grad, name, None)
        if value is not None:
            return value
    return None


def named_like(tree: Any, model: Any) -> Any:
    """A tree in the form of another: a state that was given as (h, c), or as h alone, gets the names that it has there.

    What is of another form stays as it is.
    """
    if hasattr(tree, "shape") and len(getattr(model, "_fields", ())) == 1:
        return type(model)(tree)
    if not (isinstance(tree, list | tuple) and isinstance(model, list | tuple) and len(tree) == len(model)):
        return tree
    children = [named_like(part, other) for part, other in zip(tree, model, strict=True)]
    form = model if hasattr(model, "_fields") else tree
    return type(form)(*children) if hasattr(form, "_fields") else type(form)(children)


def _unusable(name, value, tree, dtype):
    """What keeps a result from being compared: it must have the names, shapes and kinds of its input."""
    if hasattr(tree, "shape") and not hasattr(value, "shape"):
        return [f"{name} is a {type(value).__name__}, not an array"]
    if isinstance(value, dict):
        return [f"{name} is a dict: it must be a {type(tree).__name__}, like what it is the gradient of"]
    ours, problems = dict(trees.walk(value, name)), []
    for leaf, wanted in trees.walk(tree, name):
        a = ours.pop(leaf, None)
        if a is None:
            problems.append(f"{leaf} is missing")
        elif not hasattr(a, "shape"):
            problems.append(f"{leaf} is a {type(a).__name__}, not an array")
        elif a.shape != wanted.shape:
            problems.append(f"{leaf} has shape {a.shape}, but what it is the gradient of has {wanted.shape}")
        elif a.dtype.kind not in "f":
            problems.append(f"{leaf} is of dtype {a.dtype}: a gradient is made of real floating numbers")
        elif a.dtype.itemsize < dtype.itemsize:
            problems.append(f"{leaf} is {a.dtype}, although the inputs are {dtype}: a float32 array inside?")
        elif not bool(np.isfinite(trees.to_host(a)).all()):
            problems.append(f"{leaf} holds numbers that are not finite (NaN or infinity)")
    return problems + [f"{leaf} is the gradient of nothing" for leaf in ours]
