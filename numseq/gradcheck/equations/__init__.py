"""The backward passes once more, equation by equation, so that any one of them can be changed.

Plain loops, one line for each gradient, no care for speed: `eq("di", dc * g)` is the equation of di. `change` puts
another in its place, a function of everything named so far. With no change each of these is the library's own
backward, and a test holds them equal; with one, it is a known bug (`numseq.gradcheck.bugs`).
"""

from numseq.gradcheck.equations import attention, basic, cells, steps, training


def function(name):
    """The backward pass of that name."""
    return next(getattr(part, name) for part in (basic, steps, cells, attention, training) if hasattr(part, name))
