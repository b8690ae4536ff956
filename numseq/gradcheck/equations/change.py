"""How an equation is named, so that another can be put in its place."""

import sys
from types import SimpleNamespace


def equations(change):
    """eq(name, value): the value, or what `change` makes of the caller's local names."""

    def eq(name, value):
        if name not in change:
            return value
        return change[name](SimpleNamespace(value=value, **sys._getframe(1).f_locals))

    return eq
