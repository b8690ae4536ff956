"""Inputs that break the contract."""

import numpy as np

from .broken import arrays, backward, broken, forward
from .way import BAD_INPUT, call, normal

# what comes in


class Tensor:
    """Looks like an array of torch's."""

    def __init__(self, data, requires_grad=True):
        self.data, self.requires_grad, self.grad = data, requires_grad, None

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: "torch.float64")

    def detach(self):
        return Tensor(self.data, False)

    def numpy(self):
        return self.data

    def __matmul__(self, other):
        return Tensor(self.data @ getattr(other, "data", other))

    def __add__(self, other):
        return Tensor(self.data + getattr(other, "data", other))


Tensor.__module__ = "torch"


def all_as(dtype):
    return {name: a.astype(dtype) for name, a in arrays().items()}


def with_nan():
    x = normal(250, 5, 3)
    x[2, 1] = np.nan
    return {**arrays(), "x": x}


broken(
    "float32 inputs",
    lambda: call(forward, all_as(np.float32), backward=backward),
    "float32",
    "float64",
    error=BAD_INPUT,
)
broken(
    "mixed dtypes: one weight float32",
    lambda: call(forward, {**arrays(), "W": all_as(np.float32)["W"]}, backward=backward),
    r"\bW\b",
    "float32",
    error=BAD_INPUT,
)
broken(
    "an integer array where backward gives a gradient",
    lambda: call(forward, {**arrays(), "x": np.arange(15).reshape(5, 3)}, backward=backward),
    r"\bx\b",
    "int",
    "float",
    error=BAD_INPUT,
)
broken(
    "torch's tensor",
    lambda: call(forward, {name: Tensor(a) for name, a in arrays().items()}, backward=backward),
    "torch|tensor",
    "numpy|array",
    error=BAD_INPUT,
)
broken(
    "a list of Python's numbers for an array",
    lambda: call(forward, {**arrays(), "b": [0.1, -0.2, 0.3, 0.4]}, backward=backward),
    r"\bb\b",
    "list|array",
    error=BAD_INPUT,
)
broken("NaN in an input", lambda: call(forward, with_nan(), backward=backward), r"\bx\b", "nan|finite", error=BAD_INPUT)
broken(
    "complex inputs",
    lambda: call(forward, all_as(complex), backward=backward),
    "complex",
    error=BAD_INPUT,
)
broken(
    "an input's name misspelt",
    lambda: call(forward, {"x": normal(250, 5, 3), "w": normal(251, 3, 4), "b": normal(252, 4)}, backward=backward),
    r"\bw\b",
    error=BAD_INPUT,
)
broken(
    "too few inputs",
    lambda: call(forward, [normal(250, 5, 3), normal(251, 3, 4)], backward=backward),
    r"\bb\b",
    error=BAD_INPUT,
)
broken("no inputs", lambda: call(forward, {}, backward=backward), "input|x", error=BAD_INPUT)
broken(
    "shapes that do not fit",
    lambda: call(forward, {**arrays(), "W": normal(251, 4, 3)}, backward=backward),
    "forward|matmul",
    error=BAD_INPUT,
)
