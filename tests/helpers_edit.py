"""Wrong lines, as somebody would write them by mistake."""

import inspect
import textwrap


def edited(owner, name, *changes):
    """The function `name` of a class or module, with each second of `changes` in its source for the one before."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    for right, wrong in zip(changes[::2], changes[1::2], strict=True):
        assert source.count(right) == 1, f"{right!r} is not once in {name}"
        source = source.replace(right, wrong)
    scope = {}
    exec(source.replace("super()", f"super({getattr(owner, '__name__', '')}, self)"), function.__globals__, scope)
    return scope[name]
