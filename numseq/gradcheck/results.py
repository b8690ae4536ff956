"""What a backward returned, in whatever form: the gradient of each input, and what is wrong with it beside its numbers.

The gradient of an input `x` is `dx`; that of `params` is `params`. They come by name (a dict or a record: dx, x,
grad_x), or in the order of the inputs (a tuple, a list, one array), and are nested as the inputs are, or flat: dW for
params.W.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np

from numseq import params as trees
from numseq.gradcheck.advice import of_shape
from numseq.gradcheck.inputs import Inputs, is_array, is_floating
from numseq.gradcheck.objects import Went, gradient_names
from numseq.show import fields_of


@dataclass(slots=True)
class Given:
    """found, {argument: (label, tree on the host)}; problems, each a sentence; unused, the names of results that are
    the gradient of no input."""

    found: dict[str, tuple[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def leaves(self) -> dict[str, Any]:
        """{dotted name: array} of all gradients."""
        return {leaf: a for label, tree in self.found.values() for leaf, a in trees.walk(tree, label)}


def gradients(grad: Any, inputs: Inputs, dtype: np.dtype, inside: Iterable[str] = ()) -> Given:
    """The gradients that a backward gave.

    Args: grad, what it returned. inputs, of the check. dtype, theirs. inside, names of gradients of what is inside that
        may be among them.
    """
    given = Given()
    own = grad.own if isinstance(grad, Went) else {}
    values, unused = _by_name(grad.returned if isinstance(grad, Went) else grad, inputs, own, given.problems)
    values |= {name: value for name, value in own.items() if name in inputs.moved}
    unfit = bool(given.problems)
    missing = [argument for argument in inputs.moved if values.get(argument) is None]
    given.problems += _exchanged(values, inputs)
    unused = [name for name in unused if name not in inside]
    for argument, tree in inputs.moved.items():
        name, value = label(argument), values.get(argument)
        if value is None:
            if not unfit:
                given.problems.append(_nothing(name, argument, unused))
            continue
        whole = inputs.whole.get(argument)
        value, said = _like(value, named_like(tree if whole is None else whole, value), name, dtype)
        if said:
            given.problems += said
        else:
            given.found[argument] = name, trees.to_host(value)
    if not missing and isinstance(grad.returned if isinstance(grad, Went) else grad, dict):
        given.unused = unused
    return given


def _exchanged(values, inputs):
    """Whether results of wrong shapes have the right ones together, in another order."""
    found: list[tuple[str, tuple, tuple]] = []
    for argument, tree in inputs.moved.items():
        wanted = dict(trees.walk(tree, label(argument)))
        value = values.get(argument)
        if is_array(value) and len(wanted) == 1:
            ours = dict.fromkeys(wanted, value)
        else:
            ours = {
                f"{label(argument)}.{child}": part
                for name, part in trees.children(value) or ()
                for child, _ in trees.children(tree) or ()
                if name in names_of(child)
            }
        found += [
            (leaf, ours[leaf].shape, wanted[leaf].shape)
            for leaf in wanted
            if is_array(ours.get(leaf)) and is_array(wanted[leaf]) and ours[leaf].shape != wanted[leaf].shape
        ]
    if len(found) > 1 and sorted(ours for _, ours, _ in found) == sorted(wanted for *_, wanted in found):
        return [f"each of {', '.join(leaf for leaf, *_ in found)} has the shape of another: are they exchanged?"]
    return []


def numbers_with_gradients(grad: Any, inputs: Inputs) -> list[str]:
    """Which Python numbers among the inputs a backward gives the gradient of."""
    own = grad.own if isinstance(grad, Went) else {}
    values, _ = _by_name(grad.returned if isinstance(grad, Went) else grad, inputs, own, [])
    return [name for name in inputs.numbers if values.get(name) is not None]


def label(argument: str) -> str:
    """What the gradient of an input is called: dx, layer.dW, params."""
    *way, last = argument.split(".")
    return argument if argument.split(".")[0] == "params" or last.isdigit() else ".".join([*way, f"d{last}"])


def _nothing(name, argument, unused):
    if near := _nearest(name, unused) or _nearest(argument, unused):
        return f"backward gives no {name}, but {near}: did you mean {name}?"
    given = f" (it gives {', '.join(map(str, unused))}, which is not asked for)" if unused else ""
    return f"backward gives no {name}: the gradient by the input {argument} is missing{given}"


def _nearest(name, names):
    """What of some names is nearly this one, whatever its case; None when there is nothing."""
    known = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return known[near[0]] if near else None


def names_of(argument: str) -> list[str]:
    """Under which names the gradient of an input is looked for."""
    return [f"d{argument}", argument, *gradient_names(argument)[1:]]


def get(grad: Any, name: str) -> Any:
    """A gradient by its name, in a dict or a record; None when it is not there."""
    return grad.get(name) if isinstance(grad, dict) else getattr(grad, name, None)


def _by_name(grad, inputs, own, problems):
    """({argument: value}, names in a dict that are the gradient of nothing)."""
    data = [name for name in inputs.order if name not in own]
    wanted = [name for name in inputs.moved if name not in own]
    if grad is None or isinstance(grad, bool | str):
        return {}, []
    if is_array(grad) or isinstance(grad, int | float):
        grad = (grad,)
    if isinstance(grad, tuple | list) and not hasattr(grad, "_fields"):
        grad = list(grad)
        while len(grad) > len(data) and grad[-1] is None:  # of options that were left out
            grad.pop()
        # one for every input; or for those of floating numbers, Python's among them; or for the arrays
        for names in (
            data,
            [n for n in data if n not in inputs.fixed],
            wanted,
            [n for n in wanted if n not in inputs.numbers],
        ):
            if len(names) == len(grad):
                return _without_fixed(dict(zip(names, grad, strict=True)), inputs), []
        leaves = [leaf for name in wanted for leaf in trees.leaves(inputs.moved[name])]
        if len(leaves) == len(grad) and all(map(is_array, grad)):  # flat, where inputs are nested
            rest = iter(grad)
            return {name: trees.map(lambda _: next(rest), inputs.moved[name]) for name in wanted}, []
        if len(grad) == 1 and len(wanted) > 1:
            said = "one result"
        else:
            said = f"{len(grad)} results"
        problems.append(f"backward gives {said} where {len(wanted)} are wanted: {', '.join(map(label, wanted))}")
        return {}, []
    values, used = {}, set()
    for argument in data + [name for name in own if name not in data]:
        for name in names_of(argument):
            if (value := get(grad, name)) is not None:
                values[argument] = value
                used.add(name)
                break
        else:
            if (flat := _flat(grad, inputs.moved.get(argument), used)) is not None:
                values[argument] = flat
    unused = [name for name in _names(grad) if name not in used and get(grad, name) is not None]
    return _without_fixed(values, inputs), unused


def _names(grad):
    """The names of what a dict or a record holds."""
    if isinstance(grad, dict):
        return list(map(str, grad))
    return [name for name, _ in fields_of(grad)]


def _flat(grad, tree, used):
    """Gradients of the parts of an input that stand beside those of other inputs: dW for params.W."""
    children = trees.children(tree)
    if not children or any(name.isdigit() for name, _ in children):
        return None
    found = {}
    for child, part in children:
        name = next((n for n in names_of(child) if get(grad, n) is not None), None)
        if name is not None:
            found[child] = get(grad, name)
            used.add(name)
        elif (deeper := _flat(grad, part, used)) is not None:
            found[child] = deeper
    return found or None


def _without_fixed(values, inputs):
    """What has no gradient must get none: integers that do are an oversight."""
    for name in inputs.fixed:
        value = values.pop(name, None)
        whole = inputs.fixed[name]
        if (
            is_array(whole)
            and whole.dtype.kind in "iu"
            and is_floating(value)
            and value.shape == whole.shape
            and bool(value.any())
        ):
            raise TypeError(
                f"{name} is {whole.dtype}, which has no gradient, but backward gives {label(name)}: cast it, as in "
                f"{name}.astype(float)"
            )
    return values


# nested as the input is


def _like(value, tree, name, dtype):
    """(the value in the form of an input, problems)."""
    problems: list[str] = []
    return _formed(value, tree, name, dtype, problems), problems


def _formed(value, tree, name, dtype, problems):
    children = trees.children(tree)
    if children is None:
        if not is_floating(tree) and not isinstance(tree, float):
            return None  # an option beside the arrays
        return _array(value, tree, name, dtype, problems)
    if is_array(value) and len(children) == 1:  # a state of one part, given alone
        value = (value,)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        wanted = (
            children
            if len(value) == len(children)
            else [(n, c) for n, c in children if is_floating(c) or trees.children(c)]
        )
        if len(value) > len(wanted):
            problems.append(f"{name} has {len(value)} parts, but what it is the gradient of has {len(wanted)}")
            return None
        parts = {child: part for (child, _), part in zip(wanted, value, strict=False)}
    elif (named := trees.children(value)) is not None:
        parts = dict(named)
    elif is_array(value) or isinstance(value, float | int):
        problems.append(
            f"{name} is {_said(value)}, but what it is the gradient of has parts: {', '.join(n for n, _ in children)}"
        )
        return None
    else:
        parts = {n: part for n, _ in children for key in names_of(n) if (part := getattr(value, key, None)) is not None}
    made, known = [], set()
    for child, part in children:
        key = next((key for key in names_of(child) if key in parts), child)
        known.add(key)
        if part is None or not _has_gradient(part):
            made.append(None)
        elif parts.get(key) is None:
            near = _nearest(child, [n for n in parts if n not in known and n not in dict(children)])
            problems.append(f"{name}.{child} is missing" + (f": did you mean it by {name}.{near}?" if near else ""))
            known.add(near)
            made.append(None)
        else:
            made.append(_formed(parts[key], part, f"{name}.{child}", dtype, problems))
    problems += [
        f"{name}.{n} is the gradient of nothing" for n, part in parts.items() if n not in known and part is not None
    ]
    return trees.rebuild(tree, made)


def _has_gradient(part):
    return any(map(is_floating, trees.leaves(part)))


def _array(a, wanted, name, dtype, problems):
    shape = getattr(wanted, "shape", ())
    if isinstance(a, float) and shape == ():
        a = np.asarray(a)
    if a is Ellipsis:
        problems.append(f"{name} is still ...: its line is not written yet")
    elif not is_array(a):
        join = ": np.array makes one, and np.concatenate one of several" if isinstance(a, list | tuple) else ""
        problems.append(f"{name} is {_said(a)}, not an array{join}")
    elif a.shape != shape:
        advice = of_shape(a.shape, shape)
        more = f" ({advice})" if advice else ""
        problems.append(f"{name} has shape {a.shape}, but what it is the gradient of has {shape}{more}")
    elif a.dtype.kind not in "f":
        problems.append(f"{name} is of dtype {a.dtype}: a gradient is made of real floating numbers")
    elif a.dtype.itemsize < dtype.itemsize:
        problems.append(f"{name} is {a.dtype}, although the inputs are {dtype}: a float32 array inside?")
    elif not bool((abs(a) < np.inf).all()):
        problems.append(f"{name} holds numbers that are not finite (NaN or infinity)")
    return a


def _said(value):
    kind = type(value).__name__
    return "an array" if is_array(value) else f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


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
