"""What people bring, in whatever style, as one thing: a function of named inputs that returns a trace.

    trace           function(x, W) -> trace, with trace.backward(dy=...)
    pair            forward(x, W) -> y, or (y, cache), or (h, c, cache); backward(dy, cache) beside it
    closure         forward(x, W) -> (y, callback), with callback(dy)
    object          layer.forward(x), layer.backward(dy); its parameters and their gradients are attributes
    autograd class  forward(ctx, x, W), backward(ctx, dy), as of torch.autograd.Function

What a trace needs is little: its differentiable outputs by name, and `backward`, which takes their gradients by name.
The arguments of a `backward` are told apart by their names: gradients from above (dy, grad_y, g), the cache, the
inputs, the outputs.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from numseq.gradcheck.inputs import Inputs, is_array, is_tree
from numseq.gradcheck.objects import LayerObject

CACHE = {"cache", "caches", "ctx", "context", "saved", "save", "res", "residual", "residuals", "memory", "memo", "tape",
         "store", "stored", "state", "trace", "record", "aux", "tmp", "s", "t"}  # fmt: skip
UPSTREAM = {"g", "gs", "ct", "cotangent", "upstream", "up", "delta", "dout", "dy", "gy", "dz", "error", "err"}
OUTPUT = {"out", "output", "y", "z", "ans", "result"}
TRY = (
    'return an object with `backward` and outputs = ("y",); or (y, callback); or y, or (y, cache), with backward=... '
    "given to check; or bring an object with methods forward and backward"
)


class Call:
    """A trace of what had none: `outputs`, its outputs by name, as attributes too, and `backward`.

    returned: what forward returned besides, as a cache, in which quantities may have names. unread: how many further
    outputs there are, of which backward takes no gradient.
    """

    def __init__(self, values: dict[str, Any], backward: Callable[..., Any], returned: Any = None, unread: int = 0):
        self.unread = unread
        self.outputs, self._values, self.backward, self.returned = tuple(values), values, backward, returned

    def __getattr__(self, name: str) -> Any:  # called for what is not there
        values = object.__getattribute__(self, "__dict__").get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(name)


def as_function(function: Any, inputs: Inputs, backward: Callable[..., Any] | None) -> Callable[..., Any]:
    """A function of the inputs, by name, that returns a trace.

    Args: function, of any style. inputs, the Inputs of the check, which a layer's parameters are added to. backward, of
        a pair, or None.
    Raises: TypeError, with what would do, when there is no backward to be found.
    """
    if isinstance(function, type) and hasattr(function, "forward") and hasattr(function, "backward"):
        if next(iter(inspect.signature(function.forward).parameters), "") != "ctx":
            raise TypeError(
                f"{function.__name__} is a class: make one first, as in check({function.__name__}(...), ...)"
            )
        return _autograd(function, inputs)
    if not isinstance(function, type) and callable(getattr(function, "backward", None)) and backward is None:
        layer = LayerObject(function, inputs)
        return lambda **given: _of_object(layer, given)
    if hasattr(function, "forward"):
        raise TypeError(f"the {type(function).__name__} has no method backward")
    if not callable(function):
        raise TypeError(f"a {type(function).__name__} is no function: {TRY}")
    name = getattr(function, "__name__", type(function).__name__)

    def traced(**given):
        returned = inputs.call(function, given)
        if backward is not None:
            return _of_pair(name, returned, backward, inputs.values(given))
        if callable(getattr(returned, "backward", None)):
            return _with_outputs(returned)
        if isinstance(returned, tuple) and callable(returned[-1]):
            return _of_closure(returned, given)
        kind = type(returned).__name__
        raise TypeError(f"{name} returns a {kind}, which has no backward: {TRY}")

    return traced


# traces


def _with_outputs(trace):
    """A trace, and if it does not say what its outputs are, those that its backward takes the gradients of."""
    given = getattr(trace, "outputs", None)
    if isinstance(given, tuple | list) and _by_name(trace.backward, given):
        return trace
    names = parameters(trace.backward)
    if given is None:
        given = [name[1:] for name in names if name[0] == "d" and hasattr(trace, name[1:])]
        if not given:
            kind, said = type(trace).__name__, ", ".join(names) or "nothing"
            raise TypeError(
                f"the {kind} does not say which of its fields are outputs, and its backward takes {said}"
                ': give it outputs = ("y",), or name the arguments of backward after them: backward(dy)'
            )
    given = (given,) if isinstance(given, str) else tuple(given)
    missing = [name for name in given if not hasattr(trace, name)]
    if missing:
        raise TypeError(f"outputs of the {type(trace).__name__} names {missing[0]!r}, which it does not have")
    values = {name: getattr(trace, name) for name in given}

    def backward(**upstream):
        return _handed(trace.backward, upstream)

    return Call(values, backward, trace)


def _by_name(backward, outputs):
    """Can a backward be handed the gradients of these outputs by name?"""
    names, any_name = _of_method(backward.__func__) if inspect.ismethod(backward) else _names_taken(backward)
    return any_name or any(f"d{name}" in names for name in outputs)


def _names_taken(function):
    """(names that a function can be handed arguments by, does it take any name)."""
    taken = inspect.signature(function).parameters.values()
    names = {each.name for each in taken if each.kind is not each.POSITIONAL_ONLY}
    return names, any(each.kind is each.VAR_KEYWORD for each in taken)


_of_method = lru_cache(maxsize=64)(_names_taken)  # of a trace's class it is asked at every call


def _handed(backward, upstream):
    """backward(gradients of the outputs): by name where it has those names, else in their order."""
    names = [name.removeprefix("d") for name in upstream]
    return backward(**upstream) if _by_name(backward, names) else backward(*upstream.values())


# pairs


def _of_pair(name, returned, backward, given):
    roles = _roles(_taken(backward), given)
    values, caches = _parted(name, returned, roles)
    count = len(returned) if isinstance(returned, tuple) and not hasattr(returned, "_fields") else 1
    unread = max(0, count - len(values) - len(caches))
    if not values:
        raise TypeError(f"{name} returns a {type(returned).__name__}, in which there is no output: {TRY}")

    def call(**upstream):
        from_above, kept, arguments = list(upstream.values()), list(caches), {}
        if isinstance(returned, dict) and len(values) > 1 and list(roles.values()).count("upstream") == 1:
            from_above = [{n: upstream[f"d{n}"] for n in values}]
        for parameter, role in roles.items():
            if role == "upstream":
                arguments[parameter] = from_above.pop(0) if from_above else None
            elif role == "cache":
                arguments[parameter] = kept.pop(0)
            elif role == "input":
                arguments[parameter] = given[parameter]
            else:
                arguments[parameter] = values.get(parameter, next(iter(values.values())))
        return _call(backward, arguments)

    return Call(values, call, caches[-1] if caches else None, unread)


def _taken(backward):
    """The arguments of a backward that are to be given: those without a default, or with the gradient of an output's
    name where there is none else."""
    return required(backward) or [name for name in parameters(backward) if _is_upstream(name)]


def _call(function, arguments):
    """function(arguments by name), by position where it wants that."""
    kinds = inspect.signature(function).parameters
    by_name = {name: value for name, value in arguments.items() if kinds[name].kind is inspect.Parameter.KEYWORD_ONLY}
    return function(*[value for name, value in arguments.items() if name not in by_name], **by_name)


def _is_upstream(name):
    return name in UPSTREAM or "grad" in name or (name[0] == "d" and len(name) > 1)


def _roles(names, given):
    """What each argument of a backward is, by its name: a dict of name to input, upstream, output, cache."""
    roles = {}
    for name in names:
        if name in given:
            roles[name] = "input"
        elif name in CACHE or "cache" in name:
            roles[name] = "cache"
        elif _is_upstream(name):
            roles[name] = "upstream"
        elif name in OUTPUT:
            roles[name] = "output"
        else:
            roles[name] = "unknown"
    unknown = [name for name, role in roles.items() if role == "unknown"]
    if "upstream" not in roles.values() and roles:
        first = unknown or [name for name in roles if roles[name] in ("output", "cache")]
        if len(roles) > 1 and "cache" not in roles.values() and len(unknown) > 1:
            first = unknown[:1]  # backward(gradient, what was kept), the usual order
        if first:
            roles[first[0]] = "upstream"
    return {name: "cache" if role == "unknown" else role for name, role in roles.items()}


def _parted(name, returned, roles):
    """What forward returned, as (outputs by name, what it kept)."""
    above = [parameter for parameter, role in roles.items() if role == "upstream"]
    caches = [parameter for parameter, role in roles.items() if role == "cache"]
    if not above:
        raise TypeError(
            f"backward of {name} takes {', '.join(roles) or 'nothing'}, of which none is the gradient of an output, as "
            "dy is in backward(dy, cache)"
        )
    if isinstance(returned, tuple) and not hasattr(returned, "_fields"):
        outputs = list(returned)
        kept = outputs[len(outputs) - len(caches) :] if caches else []
        outputs = outputs[: len(outputs) - len(caches)] if caches else outputs
        if not outputs:
            raise TypeError(_no_cache(name, returned, caches))
        names = [_output_name(parameter) for parameter in above]
        return dict(zip(names, outputs, strict=False)), kept
    if is_array(returned) or isinstance(returned, float | list):
        if caches:
            raise TypeError(_no_cache(name, returned, caches))
        return {_output_name(above[0]): returned}, []
    if isinstance(returned, dict) and not caches:
        values = {key: value for key, value in returned.items() if is_tree(value)}
        named = {_output_name(parameter) for parameter in above} & values.keys()
        return {key: value for key, value in values.items() if key in named} if named else values, []
    if returned is None:
        raise TypeError(f"{name} returns None: is a `return` missing?")
    # a record, or a dict that is handed back: outputs are those of its fields that backward takes the gradients of
    names = [_output_name(parameter) for parameter in above]
    field = returned.get if isinstance(returned, dict) else lambda key: getattr(returned, key, None)
    if missing := [key for key in names if field(key) is None]:
        kind, wanted = type(returned).__name__, above[names.index(missing[0])]
        raise TypeError(f"backward takes {wanted}, but the {kind} that {name} returns has no {missing[0]}")
    return {key: field(key) for key in names}, [returned] * len(caches)


def _no_cache(name, returned, caches):
    kept = ", ".join(caches)
    many = f"{len(returned)} things" if isinstance(returned, tuple) else f"{_said(returned)} alone"
    return (
        f"backward takes {kept} besides the gradient of an output, but {name} returns {many}: return (y, {kept}), or "
        "name the arguments of backward after inputs and outputs"
    )


def _said(value):
    return f"an array {value.shape}" if is_array(value) else f"a {type(value).__name__}"


def _output_name(parameter):
    """dy -> y, grad_out -> out, dL_dy -> y, g -> out."""
    for prefix in ("dL_d", "dl_d", "grad_", "d_", "d"):
        if parameter.startswith(prefix) and len(parameter) > len(prefix):
            return parameter.removeprefix(prefix)
    return parameter.removesuffix("_grad") if parameter.endswith("_grad") else "out"


# closures, objects, classes


def _of_closure(returned, given):
    *outputs, callback = returned
    names = [_output_name(parameter) for parameter in required(callback)]
    if len(names) != len(outputs):
        names = ["out"] if len(outputs) == 1 else [f"out{k}" for k in range(len(outputs))]
    values = dict(zip(names, outputs, strict=True))
    return Call(values, lambda **upstream: callback(*upstream.values()))


def _of_object(layer, given):
    made, returned = layer.forward(given)
    if callable(getattr(returned, "backward", None)):
        return _with_outputs(returned)
    if isinstance(returned, tuple) and callable(returned[-1]):
        return _of_closure(returned, given)
    call = _of_pair(f"{layer.name}.forward", returned, made.backward, layer.inputs.values(given))

    def backward(**upstream):
        return layer.backward(made, call.backward, upstream)

    return Call({name: getattr(call, name) for name in call.outputs}, backward, made)


class Context:
    """What torch.autograd.Function hands to forward and backward."""

    def __init__(self, count: int):
        self.saved_tensors, self.needs_input_grad = (), (True,) * count

    def save_for_backward(self, *arrays: Any) -> None:
        self.saved_tensors = arrays

    def mark_non_differentiable(self, *arrays: Any) -> None:
        """All outputs that are arrays of floats are looked at."""


def _autograd(function, inputs):
    def traced(**given):
        context = Context(len(given))
        returned = inputs.call(lambda *values: function.forward(context, *values), given, by_position=True)
        outputs = returned if isinstance(returned, tuple) else (returned,)
        names = [_output_name(name) for name in required(function.backward)[1:]]
        if len(names) != len(outputs):
            names = [f"out{k}" for k in range(len(outputs))]
        values = dict(zip(names, outputs, strict=True))
        return Call(values, lambda **upstream: function.backward(context, *upstream.values()), vars(context))

    return traced


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments."""
    return [each.name for each in inspect.signature(function).parameters.values()]


def required(function: Callable[..., Any]) -> list[str]:
    """The names of those arguments that have no default, in order."""
    taken: Iterable[inspect.Parameter] = inspect.signature(function).parameters.values()
    return [p.name for p in taken if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
