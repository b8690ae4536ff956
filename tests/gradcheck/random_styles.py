"""The same program as somebody would bring it: in each of the styles that a check takes."""

import inspect
from types import SimpleNamespace

STYLES = ("trace", "tuple cache", "dict cache", "named cache", "inputs alone", "closure", "object with dW",
          "object with grads", "autograd class", "probes")  # fmt: skip


def signed(function, *names):
    """A function of so many arguments that is called by these names."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD

    def named(*args, **kw):
        return function(*args, *(kw[name] for name in names[len(args) :]))

    named.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    named.__name__ = "forward"
    return named


class Trace:
    def __init__(self, program, values, named):
        self.program, self.values, self.named = program, values, named
        self.outputs = tuple(program.outputs)
        for name in self.outputs:
            setattr(self, name, values[name])

    def backward(self, **upstream):
        grads = self.program.backward(self.values, [upstream[f"d{n}"] for n in self.outputs], self.named)
        return SimpleNamespace(**{f"d{name}": grads[f"d{name}"] for name in self.program.inputs})


def layer_of(program, data, style):
    """An object; its data come as arguments, its parameters are attributes, or entries of `params`."""
    own = {name: array for name, array in program.inputs.items() if name not in data}
    output, names, run, back = program.outputs[0], list(program.inputs), program.forward, program.backward

    class Layer:
        def __init__(self):
            if style == "object with grads":
                self.params, self.grads = dict(own), {}
            else:
                vars(self).update(own)

        def forward(self, *arguments):
            held = self.params if style == "object with grads" else vars(self)
            given = dict(zip(data, arguments, strict=True)) | {name: held[name] for name in own}
            self.values = run({name: given[name] for name in names})
            return self.values[output]

        def backward(self, dout):
            grads = back(self.values, [dout])
            left = {name if style == "object with grads" else f"d{name}": grads[f"d{name}"] for name in own}
            (self.grads if style == "object with grads" else vars(self)).update(left)
            found = tuple(grads[f"d{name}"] for name in data)
            return found[0] if len(found) == 1 else found

    Layer.forward = signed(Layer.forward, "self", *data)
    return Layer()


def brought(rng, program, style):
    """(function, inputs, options) for `check`."""
    names, outputs = list(program.inputs), program.outputs
    above = [f"d{name}" for name in outputs]

    def out(values):
        found = tuple(values[name] for name in outputs)
        return found[0] if len(found) == 1 else found

    def run(*args, named=False):
        return program.forward(dict(zip(names, args, strict=True)), named)

    def back(values, upstream, named=False):
        return program.backward(values, upstream, named)

    def in_order(grads):
        return tuple(grads[f"d{name}"] for name in names)

    inputs = dict(program.inputs) if rng.random() < 0.5 else list(program.inputs.values())
    if style in ("trace", "probes"):
        named = style == "probes"
        return signed(lambda *args: Trace(program, run(*args, named=named), named), *names), inputs, {}
    if style == "closure":

        def closure(*args):
            values = run(*args)
            callback = signed(lambda *upstream: in_order(back(values, upstream)), *above)
            return (*result_tuple(out(values)), callback)

        return signed(closure, *names), inputs, {}
    if style == "inputs alone":
        backward = signed(lambda *args: in_order(back(run(*args[len(above) :]), args[: len(above)])), *above, *names)
        return signed(lambda *args: out(run(*args)), *names), inputs, {"backward": backward}
    if style == "autograd class":

        class Function:
            @staticmethod
            def forward(ctx, *args):
                ctx.values = run(*args)
                return out(ctx.values)

            @staticmethod
            def backward(ctx, *upstream):
                return in_order(back(ctx.values, upstream))

        Function.forward = staticmethod(signed(Function.forward, "ctx", *names))
        Function.backward = staticmethod(signed(Function.backward, "ctx", *above))
        return Function, list(program.inputs.values()), {}
    if style.startswith("object"):
        data = [name for name in names if name in ("x", "z")]
        return layer_of(program, data, style), {name: program.inputs[name] for name in data}, {}

    def forward(*args):
        values = run(*args)
        cache = (args, values) if style == "tuple cache" else {**values}
        return (*result_tuple(out(values)), cache)

    def backward(*args):
        *upstream, cache = args
        grads = back(cache[1] if style == "tuple cache" else cache, upstream)
        if style == "tuple cache":
            return in_order(grads)
        return grads if style == "named cache" else {f"d{name}": grads[f"d{name}"] for name in names}

    return signed(forward, *names), inputs, {"backward": signed(backward, *above, "cache")}


def result_tuple(found):
    return found if isinstance(found, tuple) else (found,)
